//! The syncs and the tenants of the hub, as a picture and as lists, each with what a person may do.

use super::shown::HubShown;
use super::state::HubState;
use super::words::{button, headline_of};
use super::{suspend, words};
use crate::api::Kind;
use crate::hub::{AskedTargets, mode, targets_of};
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::view::bare_mark;
use crate::page::view::syncs::{SyncEdge, drawn};
use crate::render::hub::HubPart;
use crate::tenant::cluster::hub::HubSync;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// Shows the syncs.
pub(super) fn show(request: &Request, shown: &HubShown) -> Reply {
    let contents = &shown.hub.contents;
    let parts = shown.hub.statuses(&AskedTargets::default());
    let main = html! {
        div.head { div { h1 { "Syncs" } p { "What copies from where, and what its syncer says." } } }
        div.scroll tabindex="0" role="region" aria-label="Picture of tenants and syncs" { (picture(shown, &parts)) }
        section aria-labelledby="h-syncs" {
            h2 #h-syncs { "Syncs " span.count { (contents.syncs.len()) } }
            ul.rows { @for sync in contents.syncs.values() { (of_sync(request, shown, sync, &parts)) } }
        }
        section aria-labelledby="h-tenants" {
            h2 #h-tenants { "Tenants " span.count { (contents.tenants.len()) } }
            ul.rows {
                @for (name, tenant) in &contents.tenants {
                    li {
                        span.i.none aria-hidden="true" { "·" }
                        div {
                            b { (line(name)) }
                            @match &tenant.spec {
                                Err(why) => div.about { "Cannot be read: " (text(why)) },
                                Ok(spec) => { @if spec.is_suspended() { " " span.tag { "suspended" } } }
                            }
                        }
                        span { @if let Ok(spec) = &tenant.spec { (pause(Kind::Tenant, name, spec.is_suspended())) } }
                    }
                }
            }
        }
    };
    layout::reply(request, Some(NavEntry::Syncs), "Syncs", main)
}

fn pause(kind: Kind, name: &str, is_suspended: bool) -> Markup {
    let word = if is_suspended { "Resume" } else { "Suspend" };
    html! { a.button href=(suspend::address(kind, name, !is_suspended)) aria-label={ (word) " " (kind) " " (name) } { (word) } }
}

fn of_sync(request: &Request, shown: &HubShown, sync: &HubSync, parts: &[HubPart]) -> Markup {
    let own: Vec<&HubPart> = parts.iter().filter(|part| part.hub.sync == sync.name).collect();
    html! {
        li {
            span.i.none aria-hidden="true" { "→" }
            div {
                b { (line(&sync.name)) }
                @match &sync.spec {
                    Err(why) => div.about.loud { "Cannot be read: " (text(why)) },
                    Ok(spec) => {
                        @if spec.is_suspended() { " " span.tag { "suspended" } }
                        div.about { "from " (line(&spec.from)) " · " (line(&spec.integrations.join(", "))) " · mode " (mode(sync)) }
                    }
                }
                @for condition in own.iter().take(1).flat_map(|part| part.conditions()) { div.about.loud { (line(&headline_of(condition))) } }
                @for part in &own {
                    @let state = HubState::of(shown, part);
                    div.about {
                        (bare_mark(state.mark)) " "
                        a href=(words::target(&part.hub.sync, &part.hub.tenant)) { (line(&part.hub.tenant)) } " " (state.word)
                        @if let Some(why) = &state.doubt { ": " (text(why)) }
                    }
                }
            }
            div.do {
                form method="post" action="/reconcile" {
                    (forms::token(request))
                    input type="hidden" name="sync" value=(sync.name);
                    input type="hidden" name="back" value="/syncs";
                    (button("Reconcile", "", shown.rights.syncs.as_deref()))
                }
                @if let Ok(spec) = &sync.spec { (pause(Kind::TenantSync, &sync.name, spec.is_suspended())) }
            }
        }
    }
}

fn picture(shown: &HubShown, parts: &[HubPart]) -> Markup {
    let contents = &shown.hub.contents;
    let of_tenant = |name: &String| {
        let states = parts.iter().filter(|part| part.hub.tenant == *name).map(|part| HubState::of(shown, part));
        states.min_by_key(|state| state.mark).map_or_else(|| "source".to_string(), |state| state.word)
    };
    let tenants: BTreeMap<&str, String> =
        contents.tenants.keys().map(|name| (name.as_str(), of_tenant(name))).collect();
    let waits = |sync: &str, tenant: &str| {
        let part = parts.iter().find(|part| part.hub.sync == sync && part.hub.tenant == tenant);
        part.is_some_and(|part| matches!(part.target.state.as_str(), "Suspended" | "NotAccepted" | "Invalid"))
    };
    let read = contents.syncs.values().filter_map(|sync| Some((sync, sync.spec.as_ref().ok()?)));
    let edges: BTreeSet<SyncEdge<'_>> = read
        .flat_map(|(sync, spec)| {
            targets_of(sync).map(move |to| (spec.from.as_str(), to.as_str(), waits(&sync.name, to)))
        })
        .collect();
    drawn(&tenants, &edges)
}
