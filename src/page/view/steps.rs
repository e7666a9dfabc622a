//! The manual steps, by the people who have to do them.

use super::page_of;
use crate::page::address::PageAddress;
use crate::page::layout::{self, NavEntry, RowPages, line, text, with};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::report::overview::StepsOf;
use maud::html;

/// The steps of a page.
const ROWS: usize = 50;

/// Shows the steps of one group of people, or of all.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let who = request.fields.text("who");
    let groups = StepsOf::all(shown.steps.iter());
    let steps: Vec<_> = groups
        .iter()
        .filter(|group| who.is_empty() || group.who == who)
        .flat_map(|group| group.steps.iter().map(move |step| (group, step)))
        .collect();
    let page = request.fields.text("page").parse::<usize>().unwrap_or(1).max(1);
    let first = (page - 1).saturating_mul(ROWS).min(steps.len());
    let rows: Vec<_> = steps.iter().skip(first).take(ROWS).collect();
    let pages = RowPages { first, shown: rows.len(), all: steps.len(), size: ROWS };
    let main = html! {
        div.head { div { h1 { "Manual steps" } p { "What only people can do: " (shown.steps.counts.words()) "." } } }
        nav.chips aria-label="By whom" {
            a href="/steps" aria-current=[who.is_empty().then_some("true")] { "Everybody" }
            @for group in &groups {
                a href=(PageAddress::new("/steps").with("who", group.who).text()) aria-current=[(group.who == who).then_some("true")] { (line(group.who)) " " span { (group.count) } }
            }
        }
        @if rows.is_empty() { p { "No manual steps." } }
        ul.rows {
            @for (group, step) in &rows {
                li {
                    span.i.wait aria-hidden="true" { "…" }
                    div {
                        b { (line(&step.tenant)) } " · " (line(group.who))
                        div.about { (layout::steps(&text(&step.text))) }
                    }
                    span {
                        @for id in step.objects.iter().take(3) {
                            @if let Some(to) = page_of(&step.tenant, id, shown.key_of(&step.tenant, id).as_deref()) { a href=(to) { (line(&id.name)) } " " }
                        }
                    }
                }
            }
        }
        @if pages.all > ROWS { (pages.footer(|page| with(request, "/steps", "page", page))) }
    };
    layout::reply(request, Some(NavEntry::Overview), "Manual steps", main)
}
