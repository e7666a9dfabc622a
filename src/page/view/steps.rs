//! The manual steps, by the people who have to do them.

use super::page_of;
use crate::page::address::PageAddress;
use crate::page::layout::{self, NavEntry, line, text, with};
use crate::page::message;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::row_pages::{ROWS, RowPages};
use crate::page::running::ApplyEnd;
use crate::page::shown::ShownProject;
use crate::report::overview::StepGroup;
use crate::text::count;
use maud::{Markup, html};
use std::sync::Arc;

/// Shows the steps of one group of people, or of all.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let who = request.fields.text("who");
    let groups = shown.steps.groups();
    let meant = || groups.iter().filter(|group| who.is_empty() || *group.who == *who);
    let pages = RowPages::of_size(request, meant().map(|group| group.count).sum(), ROWS);
    let of = |group: &StepGroup| {
        let who = Arc::clone(&group.who);
        shown.steps.iter().filter(move |step| step.who == who)
    };
    let rows: Vec<_> = meant().flat_map(of).skip(pages.first).take(pages.shown).collect();
    let main = html! {
        div.head { div { h1 { "Manual steps" } p { "What only people can do: " (shown.steps.counts.words()) "." } } }
        nav.chips aria-label="By whom" {
            a href="/steps" aria-current=[who.is_empty().then_some("true")] { "Everybody" }
            @for group in groups {
                a href=(PageAddress::new("/steps").with("who", &group.who).text()) aria-current=[(*group.who == *who).then_some("true")] { (line(&group.who)) " " span { (group.count) } }
            }
        }
        @if rows.is_empty() { p { "No manual steps." } }
        ul.rows {
            @for step in &rows {
                li {
                    span.i.wait aria-hidden="true" { "…" }
                    div {
                        b { (line(&step.tenant)) } " · " (line(&step.who))
                        div.about { (message::steps(&text(&step.text))) }
                    }
                    span {
                        @for id in step.objects.iter().take(3) {
                            @if let Some(to) = page_of(&step.tenant, id, shown.key_of(&step.tenant, id).as_deref()) { a href=(to) { (line(&id.name)) } " " }
                        }
                    }
                }
            }
        }
        @if who.is_empty() && pages.first == 0 { (of_last_apply(request)) }
        @if pages.all > ROWS { (pages.footer(|page| with(request, "/steps", "page", page))) }
    };
    layout::reply(request, Some(NavEntry::Overview), "Manual steps", main)
}

/// What the last apply left to people. Some of it no plan can name again: customers who have to sign in are known only
/// from the change.
fn of_last_apply(request: &Request) -> Markup {
    let running = &request.desk.running;
    let run = running.last_written().or_else(|| running.last());
    let end = run.and_then(|run| run.progress().end);
    let left = match end.as_deref() {
        Some(ApplyEnd::Done(result)) => result.left.len(),
        _ => 0,
    };
    html! {
        @if left > 0 { p { "The last apply from this page left " (count(left, "manual step", "manual steps")) " to people. " a href="/apply" { "Open its receipt" } } }
    }
}
