//! A sync in one of its targets: what waits there, exactly as its digest covers it, and the form that approves it.

use super::shown::{HubShown, one};
use super::state::{HubState, word};
use super::words::button;
use crate::engine::model::plan::Op;
use crate::hub::{HubFailure, OpenHub, mode, waiting};
use crate::page::PageHub;
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::message;
use crate::page::plans_shown::ShownActions;
use crate::page::refusals;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::view::{act, bare_mark, diff};
use crate::render::hub::{HubPart, KeptAction, KeptChange, KeptPlan, Section};
use crate::report::overview_state::OverviewState;
use crate::text::{capital, count, thousands};
use maud::{Markup, html};
use serde_json::Value;
use std::sync::Arc;

/// The most actions that are shown; the command line shows all.
const MOST: usize = 500;

/// Shows a sync in one of its targets.
pub(super) fn show(request: &Request, from: &PageHub, shown: &HubShown) -> Reply {
    let (sync, tenant) = (request.fields.text("sync"), request.fields.text("tenant"));
    let Some(mut part) = shown.part(sync, tenant) else {
        let message = format!("{sync} does not write to {tenant}, or there is no such sync.");
        return refusals::refused(
            request,
            404,
            "Nothing here",
            &message,
            "The overview has all syncs in their targets.",
        );
    };
    let unshown = waiting::plan(&shown.hub, &mut part).err().and_then(|_| later(from, &mut part).err());
    let plan = part.waiting.as_ref().and_then(|waiting| KeptPlan::read(waiting.plan.get()).ok());
    if let (Some(plan), Some(digest)) = (&plan, &part.target.digest) {
        request.desk.plans_shown.remember(digest, || actions(plan));
    }
    let mode = shown.hub.contents.syncs.get(sync).map_or("Plan", mode);
    let state = HubState::of(shown, &part);
    let main = html! {
        nav.crumbs aria-label="Where" { a href="/" { "Overview" } span aria-hidden="true" { "›" } }
        div.head {
            div {
                h1 { (line(&part.title())) }
                p { (bare_mark(state.mark)) " " (state.word) " · mode " (mode) @if let Some(sums) = part.sums() { " · " (sums) } }
            }
            form.do method="post" action="/reconcile" {
                (forms::token(request))
                input type="hidden" name="sync" value=(sync);
                input type="hidden" name="back" value=(request.here());
                (button("Reconcile", "", shown.rights.syncs.as_deref()))
            }
        }
        (told(&part, &state))
        @if let Some(HubFailure { message, help, .. }) = &unshown { (message::refusal(message, help)) }
        @if let Some(plan) = &plan {
            section aria-labelledby="h-waits" {
                h2 #h-waits { "What waits " span.count { (thousands(plan.actions().count())) } }
                @for action in plan.actions().take(MOST) { (of_action(action)) }
                @if plan.actions().count() > MOST { p.dim { "The first " (MOST) " are shown; all of them:" } pre.command { (part.hub.plan()) } }
                @if let Some(cut) = part.cut() { div.notice.warn { p { (text(&cut)) } } }
            }
        } @else if part.waiting.is_some() {
            div.notice.bad { p { "What waits cannot be read by this version of stablekey." } }
        }
        @for section in part.sections() { (of_section(&section)) }
        @if let Some(receipt) = &part.target.receipt { p.dim { "Last changed by the sync at " (line(&receipt.at)) "." } }
        @if let (Some(plan), Some(digest)) = (&plan, &part.target.digest) { (consent(request, shown, &part, plan, digest)) }
    };
    layout::reply(request, Some(NavEntry::Overview), &part.title(), main)
}

/// What waits, by object.
pub(super) fn actions(plan: &KeptPlan) -> ShownActions {
    plan.actions().map(|action| (action.object().to_string(), action.digest.clone())).collect()
}

/// Reads what waits once more: the syncer writes the plan first, then the status.
fn later(from: &PageHub, part: &mut HubPart) -> Result<(), HubFailure> {
    let mut hub = OpenHub::open(from.address.clone(), Arc::clone(&from.servers))?;
    let parts = waiting::plans(&mut hub, &one(&part.hub.sync, &part.hub.tenant))?;
    if let Some(now) = parts.into_iter().next() {
        *part = now;
    }
    Ok(())
}

/// What the syncer says.
fn told(part: &HubPart, state: &HubState) -> Markup {
    let reported = word(&part.target.state);
    let whole = part.message().map(|message| part.with_context(&message)).unwrap_or_default();
    html! {
        @for condition in part.conditions() { div.notice.warn { p { b { (line(&condition.type_)) } } (message::steps(&part.with_context(&condition.message))) } }
        @if let Some(why) = &state.doubt { div.notice.warn { p { (text(&capital(why))) "." } } }
        // The commands that approve a plan are this page's form.
        div.told {
            @if state.doubt.is_some() { p { "Reported last: " (reported) } }
            @if part.awaits_approval() { p { (text(&part.headline())) } }
            @else if state.doubt.is_none() || whole != reported { (message::steps(&whole)) }
        }
    }
}

fn of_section(section: &Section) -> Markup {
    html! {
        section {
            h2 { (capital(section.word)) " " span.count { (section.entries.len()) } }
            @if !section.meaning.is_empty() { p.dim { (text(&section.meaning)) } }
            ul.plain {
                @for entry in &section.entries { li { (message::steps(entry)) } }
                @if let Some(rest) = section.rest() { li.dim { (rest) } }
            }
            @for advice in &section.advice { p.why { "→ " (text(advice)) } }
        }
    }
}

/// The state that an action means for its object, and its word.
fn state_of_action(action: &KeptAction) -> (OverviewState, &'static str) {
    let (state, word) = match action.action.as_str() {
        "create" => (OverviewState::Create, "Create"),
        "update" => (OverviewState::Update, "Update"),
        "adopt" => (OverviewState::Adopt, "Adopt"),
        "delete" => (OverviewState::Delete, "Delete"),
        _ => (OverviewState::Unknown, "Another action"),
    };
    let needs = action.approvals().next().is_some();
    (if needs { OverviewState::NeedsApproval } else { state }, word)
}

fn of_action(action: &KeptAction) -> Markup {
    let (state, word) = state_of_action(action);
    let (kind, name) = action.object().split_once('/').unwrap_or(("", action.object()));
    let needs = action.approvals().next().is_some();
    let title = html! { b { (line(name)) } " " span.dim { (line(&kind.to_lowercase())) } };
    let impact = action.impact();
    let end = html! { @if needs { "needs approval" } @else { (line(&impact)) } };
    let inner = html! {
        @for (code, why) in action.approvals() { p.why { b.loud { (text(why)) } " (" (line(code)) ")" } }
        @if !action.why().is_empty() { p.why { (text(action.why())) } }
        @if !impact.is_empty() { p.why { "Affects " (line(&impact)) "." } }
        @if !action.fields.is_empty() { div.diff { @for change in &action.fields { (of_field(change)) } } }
    };
    act(&format!("{} {word}", action.object()), state, (word, title), end, needs || action.action == "update", inner)
}

fn of_field(change: &KeptChange) -> Markup {
    let name = change.path.join(".");
    match serde_json::from_value::<Op>(Value::String(change.op.clone())) {
        Ok(op) => {
            diff::stated(&name, op, (change.from.as_ref(), change.to.as_ref()), &change.parts, change.by.as_deref())
        }
        Err(_) => html! { div { span { (line(&name)) } span {} span { (line(&change.op)) } } },
    }
}

/// The form that approves what waits.
fn consent(request: &Request, shown: &HubShown, part: &HubPart, plan: &KeptPlan, digest: &str) -> Markup {
    let (sync, tenant) = (&part.hub.sync, &part.hub.tenant);
    let all = part.waiting.as_ref().map_or(0, |waiting| waiting.actions);
    let needing = plan.actions().filter(|action| action.approvals().next().is_some()).count();
    let is_approved = shown
        .hub
        .contents
        .syncs
        .get(sync)
        .is_some_and(|now| now.standing.contains(digest) && !now.is_spent(tenant, digest));
    html! {
        dl.facts { div { dt { "digest of what " (line(sync)) " does in " (line(tenant)) } dd { code #digest { (line(digest)) } } } }
        @if is_approved {
            div.notice.good { p { "This is approved. The syncer carries out exactly that." } }
        } @else {
            form.consent method="post" action="/approve" {
                (forms::token(request))
                input type="hidden" name="sync" value=(sync);
                input type="hidden" name="tenant" value=(tenant);
                input type="hidden" name="digest" value=(digest);
                span.dim {
                    (count(all, "change", "changes")) " in " (line(tenant))
                    @if needing > 0 { ", " (thousands(needing)) @if needing == 1 { " of which needs approval" } @else { " of which need approval" } }
                }
                @let refused = shown.rights.approval.as_deref();
                label { input type="checkbox" name="read" required disabled[refused.is_some()]; " I have read what it does" }
                (button(&format!("Approve {}", count(all, "change", "changes")), " main", refused))
            }
        }
    }
}
