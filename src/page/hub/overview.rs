//! The syncs in their targets, worst first, and the tenants.

use super::shown::HubShown;
use super::state::{HubState, word};
use super::words::{button, headline_of, target};
use crate::hub::{AskedTargets, mode};
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text, with};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::row_pages::{ROWS, RowPages};
use crate::page::view::{bare_mark, mark_as};
use crate::render::hub::{HubPart, Section};
use crate::report::overview_state::{OverviewState, StateCounts};
use crate::tenant::cluster::hub::HubTenant;
use crate::text::{capital, count, shorten, thousands};
use maud::{Markup, html};

/// The entries of a list in a row.
const FIRST: usize = 3;
/// The most columns of such an entry.
const WIDTH: usize = 100;

/// Shows the hub.
pub(super) fn show(request: &Request, shown: &HubShown) -> Reply {
    let hub = &shown.hub;
    let mut parts = hub.statuses(&AskedTargets::default());
    let tenants: Vec<Markup> =
        hub.contents.tenants.iter().map(|(name, one)| of_tenant(shown, name, one, &parts)).collect();
    let state_of = |part: &HubPart| HubState::of(shown, part).mark;
    parts.sort_by_cached_key(state_of);
    let all = parts.len();
    let mut counts = StateCounts::default();
    parts.iter().for_each(|part| counts.add(state_of(part)));
    let only = OverviewState::of_class(request.fields.text("show"));
    parts.retain(|part| only.is_none_or(|only| state_of(part) == only));
    let pages = RowPages::of_size(request, parts.len(), ROWS);
    let chip = |state: Option<OverviewState>, name: &str, number: usize| {
        let to = with(request, "/", "show", state.map_or("", OverviewState::class));
        html! {
            a href=(to) aria-current=[(only == state).then_some("true")] {
                @match state { Some(state) => (bare_mark(state)), None => span.i.none aria-hidden="true" { "∗" } }
                (name) " " span { (thousands(number)) }
            }
        }
    };
    let waits = shown.waits_for_approval();
    let main = html! {
        div.head {
            div {
                h1 { "Hub " (line(&hub.address.namespace)) }
                p {
                    (count(hub.contents.syncs.len(), "sync", "syncs")) ", " (count(all, "target", "targets")) "; "
                    @if waits == 0 { "nothing waits for approval." } @else { (count(waits, "plan waits", "plans wait")) " for approval." }
                }
            }
            form.do method="post" action="/reconcile" {
                (forms::token(request))
                input type="hidden" name="back" value="/";
                (button("Reconcile all", "", shown.rights.syncs.as_deref()))
            }
        }
        @if !shown.sign.is_dead() { p.dim { (text(&capital(&shown.sign.sentence()))) "." } }
        section aria-label="Syncs in their targets" {
            div.bar { nav.chips aria-label="Show only" {
                (chip(None, "All", all))
                @for (state, number) in counts.iter() { (chip(Some(state), words_of(state), number)) }
            } }
            div #list {
                @if parts.is_empty() { p { "There is no TenantSync here: nothing is planned." } }
                ul.rows { @for part in pages.rows(&parts) { (row(shown, part)) } }
                @if pages.all > ROWS { (pages.footer(|page| with(request, "/", "page", page))) }
            }
        }
        section aria-labelledby="h-tenants" {
            h2 #h-tenants { "Tenants " span.count { (tenants.len()) } }
            ul.rows { @for tenant in &tenants { (tenant) } }
        }
    };
    layout::reply(request, Some(NavEntry::Overview), "Overview", main)
}

/// What a group of states is called.
fn words_of(state: OverviewState) -> &'static str {
    match state {
        OverviewState::Missing => "Failed",
        OverviewState::Blocked => "Blocked",
        OverviewState::NeedsApproval => "Needs approval",
        OverviewState::Drift => "Drifted",
        OverviewState::Update => "Being applied",
        OverviewState::Waiting => "Waits",
        OverviewState::Kept => "In sync, some kept",
        OverviewState::InSync => "In sync",
        _ => "Unknown",
    }
}

fn row(shown: &HubShown, part: &HubPart) -> Markup {
    let (sync, tenant) = (&part.hub.sync, &part.hub.tenant);
    let mode = shown.hub.contents.syncs.get(sync).map_or("Plan", mode);
    let state = HubState::of(shown, part);
    let reported = word(&part.target.state);
    let message = part.headline();
    html! {
        li {
            (bare_mark(state.mark))
            div {
                a href=(target(sync, tenant)) { b { (line(&part.title())) } } " " (state.word) " " span.tag { "mode " (mode) }
                @if let Some(why) = &state.doubt { div.about.loud { (text(&capital(why))) "." } }
                @if let Some(sums) = part.sums() { div.about { (sums) } }
                @if state.doubt.is_some() {
                    div.about { "Reported last: " (text(if message.is_empty() { reported } else { &message })) }
                } @else if !message.is_empty() && message != reported { div.about { (text(&message)) } }
                @for condition in part.conditions() { div.about.loud { (line(&headline_of(condition))) } }
                @for section in part.sections() { (brief(&section)) }
            }
            @if part.awaits_approval() { span { a.button href=(target(sync, tenant)) aria-label={ "Review " (line(&part.title())) } { "Review" } } }
        }
    }
}

/// The first entries of a list.
fn brief(section: &Section) -> Markup {
    let entries: Vec<_> = section
        .entries
        .iter()
        .take(FIRST)
        .map(|entry| shorten(entry.lines().next().unwrap_or_default(), WIDTH))
        .collect();
    html! {
        div.about {
            (section.word) ": " (line(&entries.join("; ")))
            @if section.entries.len() > FIRST { ", …" } @else if let Some(rest) = section.rest() { " " (rest) }
        }
    }
}

fn of_tenant(shown: &HubShown, name: &str, tenant: &HubTenant, parts: &[HubPart]) -> Markup {
    let ready = tenant.status.conditions.iter().find(|condition| condition.type_ == "Ready");
    let why = match (&tenant.spec, ready) {
        (Err(why), _) => why.as_str(),
        (Ok(_), None) => "the syncer has not reconciled it yet: is it running?",
        (Ok(_), Some(ready)) => ready.message.as_str(),
    };
    let state = HubState::of_tenant(shown, name, tenant, parts);
    let spec = tenant.spec.as_ref().ok();
    let about: Vec<String> =
        spec.into_iter().flat_map(|spec| [spec.region.clone(), spec.environment.clone()]).flatten().collect();
    html! {
        li {
            (mark_as(state.mark, &state.word))
            div {
                b { (line(name)) } " " span.dim { (line(&about.join(" · "))) }
                @if spec.is_some_and(|spec| spec.is_suspended()) { " " span.tag { "suspended" } }
                @if let Some(doubt) = &state.doubt {
                    div.about.loud { (text(&capital(doubt))) "." }
                    div.about { "Reported last: " (text(why)) }
                } @else { div.about { (line(&state.word)) ": " (text(why)) } }
            }
        }
    }
}
