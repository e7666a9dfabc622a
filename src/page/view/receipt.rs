//! The apply that runs, and its receipt.

use super::{diff, mark, mark_as};
use crate::apply::{Outcome, Receipt, Report};
use crate::engine::model::canonical::short;
use crate::engine::model::plan::{FieldChange, Plan};
use crate::page::forms;
use crate::page::layout::{self, NavEntry, line, text};
use crate::page::message;
use crate::page::notices;
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::running::{ApplyEnd, ApplyResult, ApplyRun};
use crate::report::overview_state::OverviewState;
use crate::text::count;
use maud::{Markup, html};
use std::collections::{BTreeMap, BTreeSet};

/// The most outcomes that are listed: failures come first.
pub(in crate::page) const MOST: usize = 200;

/// Shows the apply that runs, or the last one.
/// Where the last was refused as a whole, the receipt of the one before it stays below.
pub(in crate::page) fn show(request: &Request) -> Reply {
    let running = &request.desk.running;
    let (last, written) = (running.last(), running.last_written());
    let run = last.as_deref();
    let Some(run) = run else {
        let main = html! { h1 { "No apply yet" } p { "Nothing was applied from this page since it was started. " a href="/plan" { "Open the plan" } } };
        return layout::reply(request, Some(NavEntry::Receipts), "Receipt", main);
    };
    let progress = run.progress();
    let main = match progress.end.as_deref() {
        None => {
            let done = progress.outcomes.len();
            html! {
                div.head { div { h1 { (line(&run.title)) } p role="status" { (done) " of " (count(run.total, "action", "actions")) } } }
                progress max=(run.total.max(1)) value=(done) aria-label="Progress" {}
                (outcomes(&progress.outcomes, &BTreeMap::new(), 20))
                form.consent method="post" action="/stop" {
                    (forms::token(request))
                    span.dim { @if run.is_stopping() { "It stops after the current write." } @else { "It goes on if you close this page." } }
                    @if !run.is_stopping() { button.button { "Stop after the current write" } }
                }
                noscript { meta http-equiv="refresh" content="1"; }
            }
        }
        Some(ApplyEnd::Refused { message, help }) => html! {
            h1 { @if progress.outcomes.is_empty() { "Nothing was written" } @else { "Not finished" } }
            (message::refusal(message, help))
            @if !progress.outcomes.is_empty() { (outcomes(&progress.outcomes, &BTreeMap::new(), MOST)) }
            p { a.button href=(run.again) { @if run.again == "/plan" { "Open the plan" } @else { "Show it as it is now" } } }
            @if let Some(run) = &written { (before(run)) }
        },
        Some(ApplyEnd::Done(result)) => receipt(run, result),
    };
    layout::reply(request, Some(NavEntry::Receipts), "Receipt", main)
}

/// The receipt of the apply before one that wrote nothing.
fn before(run: &ApplyRun) -> Markup {
    let progress = run.progress();
    html! {
        section aria-labelledby="h-before" {
            h2 #h-before { "The apply before" }
            @match progress.end.as_deref() {
                Some(ApplyEnd::Done(result)) => (receipt_of(run, result)),
                _ => (outcomes(&progress.outcomes, &BTreeMap::new(), MOST)),
            }
        }
    }
}

/// What was done, and what is left.
fn receipt(run: &ApplyRun, result: &ApplyResult) -> Markup {
    html! {
        div.head { div { h1 { "Receipt" } } div.do { a.button href="/plan" { "Open the plan" } } }
        (receipt_of(run, result))
    }
}

fn receipt_of(run: &ApplyRun, result: &ApplyResult) -> Markup {
    let ApplyResult { report, fields, after, left, kustomized, warnings } = result;
    html! {
        p.dim { (line(&run.title)) ": " (sentence(report)) " · began at " time datetime=(run.began.to_string()) { (notices::time(run.began)) } }
        (read_back(after))
        @for warning in warnings { div.notice.warn { p { (text(warning)) } } }
        @for (tenant, error) in &report.unsettled { div.notice.bad { p { (line(tenant)) ": " (text(&error.to_string())) } } }
        @for (tenant, kept) in kustomized {
            @match kept {
                Ok(()) => p { "kustomization.yaml of " (line(tenant)) " is up to date." },
                Err(why) => div.notice.bad { p { "kustomization.yaml of " (line(tenant)) ": " (text(why)) } },
            }
        }
        (outcomes(&report.outcomes, fields, MOST))
        (left_to_people(left))
    }
}

fn sentence(report: &Report) -> String {
    let (done, all) = (report.done(), report.outcomes.len());
    match all == done {
        true => format!("{} done", count(done, "action", "actions")),
        false => format!("{done} of {} done", count(all, "action", "actions")),
    }
}

fn read_back(after: &Result<(Receipt, Plan), String>) -> Markup {
    match after {
        Err(why) => html! { div.notice.bad { p { "Nothing could be read back: " (text(why)) } } },
        Ok((Receipt { plan, declared, live }, left)) => {
            let is_empty = left.is_empty() && left.exit == 0;
            html! {
                div class={ "notice " (if is_empty { "good" } else { "warn" }) } {
                    p { @if is_empty { "Read back and planned again: nothing is left to do" @if !left.scope.is_whole() { " of what was asked for" } "." } @else { "Read back and planned again: " (super::plan::sentence(left)) } }
                }
                dl.facts {
                    @for (name, digest) in [("plan", plan), ("desired", declared), ("live", live)] {
                        div { dt { (name) } dd { code title=(digest.to_string()) { (short(&digest.to_string())) } } }
                    }
                }
            }
        }
    }
}

fn outcomes(all: &[(String, Outcome)], fields: &BTreeMap<String, Vec<FieldChange>>, most: usize) -> Markup {
    let mut shown: Vec<&(String, Outcome)> = all.iter().collect();
    shown.sort_by_key(|(_, outcome)| rank(outcome));
    html! {
        ul.outcomes {
            @for (id, outcome) in shown.iter().take(most) {
                @let (state, why) = words(outcome);
                @let changed = fields.get(id).filter(|changed| !changed.is_empty());
                li {
                    (state)
                    div {
                        b { (line(id)) } @if !why.is_empty() { " " span.dim { (text(&why)) } }
                        @if let Some(changed) = changed {
                            details data-key={ "fields " (line(id)) } { summary { (count(changed.len(), "field", "fields")) } (diff::fields(None, changed)) }
                        }
                    }
                }
            }
            @if shown.len() > most { li.dim { span {} span { "and " (shown.len() - most) " more" } } }
        }
    }
}

fn rank(outcome: &Outcome) -> u8 {
    match outcome {
        Outcome::Failed(_) => 0,
        Outcome::Interrupted | Outcome::HeldBack { .. } => 1,
        Outcome::NotApproved | Outcome::Later | Outcome::Suspended => 2,
        Outcome::Done => 3,
    }
}

fn words(outcome: &Outcome) -> (Markup, String) {
    let (state, why) = match outcome {
        // Whether it is in sync now, only reading it back can tell.
        Outcome::Done => {
            return (mark_as(OverviewState::InSync, "done"), String::new());
        }
        Outcome::Failed(error) => return (mark_as(OverviewState::Missing, "failed"), error.to_string()),
        Outcome::HeldBack { by } => (OverviewState::Waiting, format!("waits for {by}")),
        Outcome::NotApproved => (OverviewState::NeedsApproval, "was not approved".to_string()),
        Outcome::Later => (OverviewState::Waiting, "may be carried out, but not yet".to_string()),
        Outcome::Suspended => (OverviewState::Waiting, "its tenant is suspended".to_string()),
        Outcome::Interrupted => (OverviewState::Waiting, "the apply was stopped before it".to_string()),
    };
    (mark(state), why)
}

/// The manual steps that follow from what was done.
fn left_to_people(steps: &BTreeSet<(String, String, String)>) -> Markup {
    html! {
        @if !steps.is_empty() {
            section { h2 { "Manual steps " span.count { (steps.len()) } }
                ul.plain { @for (tenant, who, what) in steps.iter().take(MOST) { li { b { (line(who)) } " in " (line(tenant)) ": " (text(what)) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tenant::location::LocationError;

    #[test]
    fn what_failed_is_told_as_failed() {
        let object = crate::engine::model::item::ObjectId::new(crate::api::Kind::Connection, "crm");
        let failed = Outcome::Failed(LocationError::Refused { object, why: "not allowed".to_string() });
        let (mark, why) = words(&failed);
        assert!(mark.clone().into_string().contains("failed") && why.contains("not allowed"), "{}", mark.into_string());
    }
}
