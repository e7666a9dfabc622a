//! The plan of all tenants, and the form that applies it.

use super::apply_form::apply_form;
use super::bare_mark;
use super::plan_entry::{self, PlanEntry, entries, of_finding};
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::plan::{Plan, State, Target};
use crate::page::layout::{self, NavEntry, line, text, with};
use crate::page::reply::Reply;
use crate::page::request::Request;
use crate::page::row_pages::{ROWS, RowPages};
use crate::page::shown::ShownProject;
use crate::report::overview_state::{OverviewState, StateCounts};
use crate::report::ranked::suspensions;
use crate::report::tally::Tally;
use crate::text::{capital, count, thousands};
use maud::{Markup, html};

/// Shows the plan.
pub(in crate::page) fn show(request: &Request, shown: &ShownProject) -> Reply {
    show_again(request, shown, html! {})
}

/// The same below a message.
pub(in crate::page) fn show_again(request: &Request, shown: &ShownProject, notice: Markup) -> Reply {
    let plan = &shown.planned.plan;
    let fields = &request.fields;
    let (tenant, wanted) = (fields.text("tenant"), fields.text("q").trim().to_lowercase());
    let only = OverviewState::of_class(fields.text("show"));
    let mut counts = StateCounts::default();
    let held = plan.held();
    let mut all: Vec<(&Target, PlanEntry<'_>)> = Vec::new();
    let mut quiet: Vec<&Target> = Vec::new();
    for target in plan.targets.iter().filter(|target| tenant.is_empty() || target.tenant == tenant) {
        let entries = entries(plan, &held, target);
        if entries.is_empty() {
            quiet.push(target);
        }
        for entry in entries {
            if let Some(state) = entry.state() {
                counts.add(state);
            }
            all.push((target, entry));
        }
    }
    let total = all.len();
    all.retain(|(_, entry)| {
        only.is_none_or(|only| entry.state() == Some(only)) && (wanted.is_empty() || entry.matches(&wanted))
    });
    let pages = RowPages::of_size(request, all.len(), ROWS);
    let rows: Vec<&(&Target, PlanEntry<'_>)> = pages.rows(&all).collect();
    let chip = |state: Option<OverviewState>, word: &str, number: usize| {
        let to = with(request, "/plan", "show", state.map_or("", OverviewState::class));
        html! {
            a href=(to) aria-current=[(only == state).then_some("true")] {
                @match state { Some(state) => (bare_mark(state)), None => span.i.none aria-hidden="true" { "∗" } }
                (word) " " span { (thousands(number)) }
            }
        }
    };
    let main = html! {
        div.head {
            div { h1 { "Plan" } p { (sentence(plan)) " " a href="/steps" { (capital(&shown.steps.counts.words())) } "." } }
            div.do { a.button href="/plan.md" { "As Markdown" } a.button href="/plan.json" { "As JSON" } }
        }
        (notice)
        (nowhere(shown, plan))
        section aria-label="Changes" {
            div.bar {
                nav.chips aria-label="Show only" {
                    (chip(None, "All", total))
                    @for (state, number) in counts.iter() { (chip(Some(state), &capital(state.word()), number)) }
                }
                form role="search" method="get" action="/plan" data-search {
                    @for name in ["show", "tenant"] { @if fields.has(name) { input type="hidden" name=(name) value=(fields.text(name)); } }
                    label.sr for="q" { "Search the plan" }
                    input #q type="search" name="q" value=(fields.text("q")) placeholder="Search objects and fields";
                }
            }
            @if plan.targets.len() > 1 {
                nav.chips aria-label="Tenants" {
                    a href=(with(request, "/plan", "tenant", "")) aria-current=[tenant.is_empty().then_some("true")] { "All tenants" }
                    @for target in &plan.targets {
                        a href=(with(request, "/plan", "tenant", &target.tenant)) aria-current=[(tenant == target.tenant).then_some("true")] { (line(&target.tenant)) }
                    }
                }
            }
            div #list {
                @for (at, (target, entry)) in rows.iter().enumerate() {
                    @if at == 0 || rows.get(at - 1).is_some_and(|(above, _)| above.tenant != target.tenant) { (head(shown, target)) }
                    (plan_entry::entry(shown, target, entry))
                }
                @if wanted.is_empty() && only.is_none() && pages.first == 0 {
                    @for target in quiet { (head(shown, target)) }
                }
                @if rows.is_empty() && total > 0 { p.dim { "Nothing here matches." } }
            }
            (warnings(shown, plan, tenant))
            @if pages.all > ROWS { (pages.footer(|page| with(request, "/plan", "page", page))) }
        }
        @if ["q", "show", "tenant"].iter().any(|name| fields.filled(name).is_some()) {
            // Who applies has seen all that is applied.
            div.consent { span.dim { "Only a part of the plan is shown." } a.button href="/plan" { "Show the whole plan, to apply it" } }
        } @else { (apply_form(request, &shown.project, plan, "/apply", html! {})) }
    };
    layout::reply(request, Some(NavEntry::Plan), "Plan", main)
}

/// The warnings of a tenant, or of all.
fn warnings(shown: &ShownProject, plan: &Plan, tenant: &str) -> Markup {
    let is_meant = |finding: &&Finding| {
        finding.severity == Severity::Warning && (tenant.is_empty() || finding.tenant.as_deref() == Some(tenant))
    };
    let all: Vec<&Finding> = plan.findings.iter().filter(is_meant).collect();
    html! {
        @if !all.is_empty() {
            details.warnings data-key="warnings" {
                summary { "Warnings " span.count { (thousands(all.len())) } }
                @for finding in all.iter().take(ROWS) {
                    div.step { @if let Some(tenant) = &finding.tenant { b { (line(tenant)) } " " } span.dim { (finding.code.to_string()) } (of_finding(shown, finding)) }
                }
                @if all.len() > ROWS { p.dim { "and " (thousands(all.len() - ROWS)) " more" } }
            }
        }
    }
}

/// The plan of what is put back, with the same parts.
pub(in crate::page) fn targets(shown: &ShownProject, plan: &Plan) -> Markup {
    let held = plan.held();
    html! {
        @for target in &plan.targets {
            (head(shown, target))
            @let all = entries(plan, &held, target);
            @for entry in all.iter().take(ROWS) { (plan_entry::entry(shown, target, entry)) }
            @if all.len() > ROWS { p.dim { "and " (thousands(all.len() - ROWS)) " more" } }
        }
    }
}

/// The counts in a sentence.
pub(in crate::page) fn sentence(plan: &Plan) -> String {
    // Manual steps are counted with those that no plan names.
    let tally = Tally { manual: 0, ..Tally::of_plan(plan, &crate::report::ranked::targets(plan)) };
    let tally = tally.sentence();
    match tally.is_empty() {
        true if plan.exit == 0 => "Nothing to apply.".to_string(),
        true => "Nothing to apply, but not all could be read.".to_string(),
        false => format!("{tally}."),
    }
}

/// What belongs to no tenant of the plan.
fn nowhere(shown: &ShownProject, plan: &Plan) -> Markup {
    let findings = crate::report::ranked::of_no_target(plan);
    html! {
        @for finding in findings.iter().filter(|finding| finding.severity != Severity::Warning).take(ROWS) {
            div.notice.bad { (of_finding(shown, finding)) }
        }
    }
}

/// The head of a tenant.
fn head(shown: &ShownProject, target: &Target) -> Markup {
    let spec = shown.project.tenants.get(&target.tenant).map(|tenant| &tenant.spec);
    let about = spec.into_iter().flat_map(|spec| [spec.region.clone(), spec.environment.clone()]).flatten();
    let about: Vec<String> = about.collect();
    let changes = count(target.actions.len(), "change", "changes");
    // A plan that is complete for what is known says nothing of what is not.
    let health = shown.overview.tenants.iter().find(|tenant| *tenant.name == *target.tenant);
    let is_known = target.known && health.is_none_or(|health| health.unknown.is_none());
    html! {
        div.tenant #{ "t-" (target.tenant) } {
            h2 { (line(&target.tenant)) }
            @if !about.is_empty() { span.dim { (line(&about.join(" · "))) } }
            span.dim {
                @if target.state == State::Unreachable { "cannot be read" }
                @else if target.actions.is_empty() && !is_known { "not all could be read" }
                @else if target.actions.is_empty() { "nothing to apply" }
                @else { (changes) }
            }
            @for suspension in suspensions(target, "suspended", ": ") { span.tag { (line(&suspension)) } }
            span.end {
                @for (writer, digest) in &target.digests { span { (line(writer)) " " code title=(digest.to_string()) { (crate::engine::model::canonical::short(&digest.to_string())) } " " } }
            }
        }
        @if let Some(why) = &target.why { p.why { (text(why)) } }
        @for (writer, wait) in &target.stages { p.why { (line(&writer.to_string())) " " (line(&wait.to_string())) } }
    }
}
