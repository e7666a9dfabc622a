//! Tenants and the syncs between them, as a picture and as a list.

use super::mark;
use super::plan_entry::place;
use crate::api::{ConnectionMode, Kind, SyncMode};
use crate::engine::model::code::Code;
use crate::engine::model::inventory::Sync;
use crate::engine::model::record::Writer;
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::shown::ShownProject;
use crate::project::planned;
use crate::report::overview::{OverviewState, TenantHealth};
use crate::report::sync_overrides;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// The most overrides that are listed of a sync.
const MOST: usize = 200;

const BOX: (usize, usize) = (168, 44);
const GAP: (usize, usize) = (120, 28);

/// Shows the tenants and syncs.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    let unread = &shown.project.unread;
    let findings = shown.planned.plan.findings.iter().filter(|finding| finding.code == Code::ObjectInvalid);
    let invalid: BTreeSet<String> = findings
        .filter_map(|finding| finding.object.as_ref())
        .filter(|id| id.kind == Kind::TenantSync)
        .map(ToString::to_string)
        .collect();
    let main = html! {
        div.head { div { h1 { "Syncs" } p { "What copies from where, and who accepts it." } } }
        @if !unread.is_empty() {
            div.notice.bad { p { "These files could not be read, and may hold syncs that are not shown: " (line(&unread.iter().cloned().collect::<Vec<_>>().join(", "))) } a href="/problems" { "What is wrong with them" } }
        }
        @for name in &invalid { div.notice.bad { p { (line(name)) " cannot be used, so what it would copy is unknown. " a href="/problems" { "What is wrong with it" } } } }
        @if shown.project.syncs.is_empty() && unread.is_empty() && invalid.is_empty() { p { "There is no sync yet. Write one:" } pre.command { "stablekey new sync" } }
        div.scroll tabindex="0" role="region" aria-label="Picture of tenants and syncs" { (picture(shown)) }
        section aria-labelledby="h-syncs" {
            h2 #h-syncs { "Syncs " span.count { (shown.project.syncs.len()) } }
            ul.rows { @for sync in &shown.project.syncs { (of_sync(request, shown, sync)) } }
        }
        section aria-labelledby="h-tenants" {
            h2 #h-tenants { "Tenants " span.count { (shown.project.tenants.len()) } }
            ul.rows {
                @for (name, tenant) in &shown.project.tenants {
                    li {
                        span.i.none aria-hidden="true" { "·" }
                        div {
                            b { (line(name)) } @if tenant.spec.is_suspended() { " " span.tag { "suspended" } }
                            div.about {
                                @match &tenant.live { Err(why) => { "Cannot be read: " (text(why)) }, Ok(_) => {
                                    @if tenant.spec.accept_from.is_empty() { "Accepts no sync" } @else { "Accepts syncs from " (line(&tenant.spec.accept_from.join(", "))) }
                                } }
                            }
                        }
                        (suspension(request, "tenant", name, tenant.spec.is_suspended()))
                    }
                }
            }
        }
    };
    layout::reply(request, Some(NavEntry::Syncs), "Syncs", main)
}

fn name(sync: &Sync) -> String {
    match &sync.writer {
        Writer::Sync(name) => name.clone(),
        other => other.to_string(),
    }
}

fn is_accepted(shown: &ShownProject, from: &str, to: &str) -> bool {
    shown.project.tenants.get(to).is_some_and(|tenant| tenant.spec.accept_from.iter().any(|one| one == from))
}

fn of_sync(request: &Request, shown: &ShownProject, sync: &Sync) -> Markup {
    let name = name(sync);
    let spec = &sync.spec;
    let targets: Vec<&String> = spec.targets().collect();
    let refused: Vec<&str> =
        targets.iter().filter(|to| !is_accepted(shown, &spec.from, to)).map(|to| to.as_str()).collect();
    let connections = match spec.connection_mode() {
        ConnectionMode::Match => "writes no connection",
        ConnectionMode::Create => "creates the connections that are missing",
        ConnectionMode::Mirror => "keeps the connections the same",
    };
    let mode = match spec.mode {
        Some(SyncMode::Apply) => "Apply",
        _ => "Plan",
    };
    html! {
        li {
            span.i.none aria-hidden="true" { "→" }
            div {
                b { (line(&name)) } @if spec.is_suspended() { " " span.tag { "suspended" } }
                @if let Some(at) = planned::place_of_sync(&shown.project, &sync.writer) { " " code.dim { (line(&place(&shown.project.root, &at))) } }
                div.about { (line(&spec.from)) " → " (line(&targets.iter().map(|to| to.as_str()).collect::<Vec<_>>().join(", "))) " · " (line(&spec.integrations.join(", "))) " · " (connections) " · mode " (mode) @if spec.prunes() { " · prunes" } }
                @if !refused.is_empty() { div.about.loud { "Not accepted by " (line(&refused.join(", "))) ": nothing is written there" } }
                (stages(shown, sync))
                (overrides(shown, sync, &name))
            }
            (suspension(request, "sync", &name, spec.is_suspended()))
        }
    }
}

/// The stages in their order, and what waits in each.
fn stages(shown: &ShownProject, sync: &Sync) -> Markup {
    let wait = |tenant: &str| {
        let target = shown.planned.plan.targets.iter().find(|target| target.tenant == tenant);
        target.and_then(|target| target.stages.get(&sync.writer))
    };
    html! {
        @if !sync.spec.stages.is_empty() {
            ol.plain {
                @for (at, stage) in sync.spec.stages.iter().enumerate() {
                    li.about {
                        "Stage " (at + 1) ": " (line(&stage.to.join(", ")))
                        @for tenant in &stage.to {
                            @if let Some(wait) = wait(tenant) { div { (mark(OverviewState::Waiting)) " " (line(tenant)) " " (line(&wait.to_string())) } }
                        }
                    }
                }
            }
        }
    }
}

/// The overrides, each with its reason.
fn overrides(shown: &ShownProject, sync: &Sync, name: &str) -> Markup {
    let all = sync_overrides::overrides(&shown.planned.world, &sync.spec);
    let line_of = |position: usize| shown.place_of_override(&sync.writer, position);
    html! {
        @if !all.is_empty() {
            details data-key={ "overrides " (line(name)) } {
                summary { (crate::text::count(all.len(), "override", "overrides")) }
                ul.plain {
                    @for (position, one) in all.iter().take(MOST).enumerate() {
                        li {
                            b { (line(&one.tenant)) } " " (line(&one.what)) ": " span.v { (line(&one.value)) }
                            div.about { (text(&one.reason)) @if let Some(at) = line_of(position) { " " code { (line(&place(&shown.project.root, at))) } } }
                        }
                    }
                    @if all.len() > MOST { li.dim { "and " (all.len() - MOST) " more" } }
                }
            }
        }
    }
}

fn suspension(request: &Request, what: &str, name: &str, is_suspended: bool) -> Markup {
    html! {
        form method="post" action="/suspend" {
            (forms::token(request))
            input type="hidden" name=(what) value=(name);
            input type="hidden" name="back" value="/syncs";
            input type="hidden" name="suspend" value=(if is_suspended { "off" } else { "on" });
            button.button aria-label={ (if is_suspended { "Resume " } else { "Suspend " }) (name) } { (if is_suspended { "Resume" } else { "Suspend" }) }
        }
    }
}

fn picture(shown: &ShownProject) -> Markup {
    let edges: BTreeSet<SyncEdge<'_>> = shown
        .project
        .syncs
        .iter()
        .flat_map(|sync| {
            let from = sync.spec.from.as_str();
            sync.spec
                .targets()
                .map(move |to| (from, to.as_str(), sync.spec.is_suspended() || !is_accepted(shown, from, to)))
        })
        .collect();
    let tenants = shown.project.tenants.keys().map(|name| (name.as_str(), about(shown, name))).collect();
    drawn(&tenants, &edges)
}

/// From a tenant to another one, and whether nothing is written there now.
pub(in crate::page) type SyncEdge<'n> = (&'n str, &'n str, bool);

/// Tenants, each with a few words, in columns: each to the right of those that it copies from.
pub(in crate::page) fn drawn(tenants: &BTreeMap<&str, String>, edges: &BTreeSet<SyncEdge<'_>>) -> Markup {
    let mut column: BTreeMap<&str, usize> = tenants.keys().map(|name| (*name, 0)).collect();
    // A cycle would push its tenants right for ever.
    for _ in 0..column.len() {
        let mut is_changed = false;
        for (from, to, _) in edges {
            let (Some(left), Some(right)) = (column.get(from).copied(), column.get(to).copied()) else { continue };
            if right <= left && left + 1 < column.len() {
                column.insert(to, left + 1);
                is_changed = true;
            }
        }
        if !is_changed {
            break;
        }
    }
    let mut rows: BTreeMap<usize, usize> = BTreeMap::new();
    let mut at: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (name, column) in &column {
        let row = rows.entry(*column).or_default();
        at.insert(name, (8 + column * (BOX.0 + GAP.0), 8 + *row * (BOX.1 + GAP.1)));
        *row += 1;
    }
    let width = rows.keys().max().map_or(0, |last| (last + 1) * (BOX.0 + GAP.0) - GAP.0 + 16);
    let height = rows.values().max().map_or(0, |most| most * (BOX.1 + GAP.1) - GAP.1 + 16);
    let path = |from: &str, to: &str| -> Option<String> {
        let ((x, y), (to_x, to_y)) = (at.get(from)?, at.get(to)?);
        let (begin, end) = ((x + BOX.0, y + BOX.1 / 2), (to_x, to_y + BOX.1 / 2));
        let bend = GAP.0 / 2;
        Some(format!(
            "M{} {}C{} {} {} {} {} {}",
            begin.0,
            begin.1,
            begin.0 + bend,
            begin.1,
            end.0.saturating_sub(bend),
            end.1,
            end.0.saturating_sub(8),
            end.1
        ))
    };
    html! {
        svg.graph viewBox={ "0 0 " (width) " " (height) } width=(width) height=(height) role="img" aria-label=(sentence(edges)) {
            defs { marker id="arrow" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="8" markerHeight="8" orient="auto" { path.head d="M0 0 8 4 0 8z" {} } }
            @for (from, to, waits) in edges {
                @if let Some(path) = path(from, to) { path.edge.waits[*waits] d=(path) marker-end="url(#arrow)" {} }
            }
            @for (name, (x, y)) in &at {
                rect.node x=(x) y=(y) width=(BOX.0) height=(BOX.1) rx="6" {}
                text.name x=(x + 12) y=(y + 19) { (crate::text::shorten(&line(name), 22)) }
                text.about x=(x + 12) y=(y + 34) { (tenants.get(name).map_or("", String::as_str)) }
            }
        }
    }
}

fn about(shown: &ShownProject, name: &str) -> String {
    let health = shown.overview.tenants.iter().find(|tenant| *tenant.name == *name);
    health.map_or_else(|| "unknown".to_string(), TenantHealth::words)
}

fn sentence(edges: &BTreeSet<SyncEdge<'_>>) -> String {
    let all: Vec<String> = edges
        .iter()
        .map(|(from, to, waits)| format!("{from} to {to}{}", if *waits { " (waits)" } else { "" }))
        .collect();
    if all.is_empty() { "No syncs".to_string() } else { format!("Syncs: {}", all.join(", ")) }
}
