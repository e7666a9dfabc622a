//! The entries of a plan: actions, notes and findings, worst first, each as a line with what there is to know below it.

use super::offer::offer;
use super::{act, diff, page_of};
use crate::api::sensitive;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Impact, Note, Op, Plan, Target};
use crate::engine::model::record::Writer;
use crate::page::layout::{line, text};
use crate::page::shown::ShownProject;
use crate::report::overview_state::OverviewState;
use crate::report::plan_state;
use crate::text::{capital, count};
use maud::{Markup, html};
use std::collections::BTreeSet;
use std::path::Path;

/// An entry of the plan.
pub(super) enum PlanEntry<'p> {
    Action(&'p Action),
    Waiting(&'p Action),
    Note(&'p Note),
    Finding(&'p Finding),
}

impl<'p> PlanEntry<'p> {
    pub(super) fn state(&self) -> Option<OverviewState> {
        match self {
            PlanEntry::Action(action) => Some(plan_state::of_action(action, false)),
            PlanEntry::Waiting(action) => Some(plan_state::of_action(action, true)),
            PlanEntry::Note(note) => plan_state::of_note(note),
            PlanEntry::Finding(finding) => plan_state::of_finding(finding),
        }
    }

    fn object(&self) -> Option<&'p ObjectId> {
        match self {
            PlanEntry::Action(action) | PlanEntry::Waiting(action) => Some(&action.change.object),
            PlanEntry::Note(note) => Some(note.object()),
            PlanEntry::Finding(finding) => finding.object.as_ref(),
        }
    }

    /// Whether it has these letters, which are small.
    pub(super) fn matches(&self, wanted: &str) -> bool {
        let has = |text: &str| text.to_lowercase().contains(wanted);
        if self.object().is_some_and(|id| has(&id.to_string())) {
            return true;
        }
        match self {
            PlanEntry::Action(action) | PlanEntry::Waiting(action) => {
                action.fields.iter().any(|change| has(&change.field.to_string())) || has(&action.reason.text)
            }
            PlanEntry::Note(Note::Blocked { text, .. }) => has(text),
            PlanEntry::Note(Note::Drift { path, .. } | Note::Kept { path, .. }) => has(&path.join(".")),
            PlanEntry::Note(_) => false,
            PlanEntry::Finding(finding) => has(&finding.text),
        }
    }
}

/// The entries of a target, worst first; manual steps and overridden values have views of their own. `held` are the
/// actions that wait for a suspended tenant.
pub(super) fn entries<'p>(plan: &'p Plan, held: &BTreeSet<&str>, target: &'p Target) -> Vec<PlanEntry<'p>> {
    chosen(plan, held, target, |_| true)
}

/// The entries of one object in a target.
pub(super) fn entries_of<'p>(
    plan: &'p Plan,
    held: &BTreeSet<&str>,
    target: &'p Target,
    id: &ObjectId,
) -> Vec<PlanEntry<'p>> {
    chosen(plan, held, target, |object| object == Some(id))
}

fn chosen<'p>(
    plan: &'p Plan,
    held: &BTreeSet<&str>,
    target: &'p Target,
    is_meant: impl Fn(Option<&ObjectId>) -> bool,
) -> Vec<PlanEntry<'p>> {
    let here = |finding: &&Finding| {
        finding.severity != Severity::Warning
            && finding.tenant.as_ref() == Some(&target.tenant)
            && is_meant(finding.object.as_ref())
    };
    let mut all: Vec<PlanEntry<'p>> = plan.findings.iter().filter(here).map(PlanEntry::Finding).collect();
    let is_shown =
        |note: &&Note| !matches!(note, Note::Manual { .. } | Note::Overridden { .. }) && is_meant(Some(note.object()));
    all.extend(target.notes.iter().filter(is_shown).map(PlanEntry::Note));
    let is_of = |action: &&'p Action| is_meant(Some(&action.change.object));
    let of_action = |action: &'p Action| match held.contains(action.id.as_str()) {
        true => PlanEntry::Waiting(action),
        false => PlanEntry::Action(action),
    };
    all.extend(target.actions.iter().filter(is_of).map(of_action));
    all.extend(target.waiting.iter().filter(is_of).map(PlanEntry::Waiting));
    // The order of execution stays within a state.
    all.sort_by_key(PlanEntry::state);
    all
}

/// An entry with all there is to know.
pub(super) fn entry(shown: &ShownProject, target: &Target, entry: &PlanEntry<'_>) -> Markup {
    let tenant = &target.tenant;
    match entry {
        PlanEntry::Action(action) => {
            of_change(shown, tenant, action, plan_state::of_action(action, false), &capital(action.action.as_str()))
        }
        PlanEntry::Waiting(action) => of_change(shown, tenant, action, OverviewState::Waiting, "Waits"),
        PlanEntry::Note(note) => of_note(tenant, note),
        PlanEntry::Finding(finding) => {
            let state = entry.state().unwrap_or(OverviewState::Unknown);
            let at = finding.at.as_ref().map(|at| place(&shown.project.root, at)).unwrap_or_default();
            details(
                (state, if finding.severity == Severity::Error { "Error" } else { "Unresolved" }),
                (tenant, finding.object.as_ref(), None),
                &format!("{} {at}", finding.code),
                html! { (finding.code.to_string()) },
                true,
                of_finding(shown, finding),
            )
        }
    }
}

/// One entry: a line, and below it what there is to know. `part` tells it from others of the same word and object.
fn details(
    (state, word): (OverviewState, &str),
    (tenant, id, key): (&str, Option<&ObjectId>, Option<&str>),
    part: &str,
    end: Markup,
    is_open: bool,
    inner: Markup,
) -> Markup {
    let title = html! {
        @match id {
            Some(id) => {
                b { (line(key.unwrap_or(&id.name))) } " " span.dim { (id.kind.to_string().to_lowercase()) }
            },
            None => { b { (line(tenant)) } },
        }
    };
    let inner = html! {
        (inner)
        @if let Some(to) = id.and_then(|id| page_of(tenant, id, key)) { p.then { a href=(to) { "Open " (line(key.or(id.map(|id| id.name.as_str())).unwrap_or_default())) } } }
    };
    let object = id.map(ObjectId::to_string).unwrap_or_default();
    act(&format!("{tenant} {object} {word} {part}"), state, (word, title), end, is_open, inner)
}

/// The stable key of the connection that an action is about.
pub(in crate::page) fn key_of(action: &Action) -> Option<&str> {
    let item = action.change.after.as_ref().or(action.change.before.as_ref())?;
    match item {
        Item::Connection(connection) => Some(&connection.spec.stable_key),
        _ => None,
    }
}

fn of_change(shown: &ShownProject, tenant: &str, action: &Action, state: OverviewState, word: &str) -> Markup {
    let id = &action.change.object;
    let needs = !action.needs_approval.is_empty();
    let end = html! { @if needs { "needs approval" } @else { (impact(&action.impact)) } };
    let inner = html! {
        @for approval in &action.needs_approval { p.why { b.loud { (text(&approval.why)) } " (" (approval.code.to_string()) ")" } }
        p.why { (text(&action.reason.text)) @if needs && !impact(&action.impact).is_empty() { ". Affects " (impact(&action.impact)) "." } }
        @for by in &action.overrides {
            p.why {
                "Override of " (line(&by.writer.to_string())) ": " (line(&by.field.to_string())) " · “" (line(&by.reason)) "”"
                @if let Some(at) = shown.place_of_override(&by.writer, by.position) { " " code { (line(&place(&shown.project.root, at))) } }
            }
        }
        (diff::fields(action.at.as_ref().map(|at| place_of(&shown.project.root, at, action)), &action.fields))
        @if !action.after.is_empty() { p.dim { "After " (line(&action.after.iter().take(5).cloned().collect::<Vec<_>>().join(", "))) } }
        p.dim { "By " (line(&action.writers.iter().map(Writer::to_string).collect::<Vec<_>>().join(", "))) }
    };
    let object = (tenant, Some(id), key_of(action));
    details((state, word), object, action.action.as_str(), end, needs || action.action == ActionKind::Update, inner)
}

/// A place in a file, as text that can be copied: seen from the root of the project.
pub(in crate::page) fn place(root: &Path, at: &At) -> String {
    format!("{}:{}", below(root, &at.file), at.line)
}

/// The place of what an action changes: of several fields, which stand on lines of their own, the file.
fn place_of(root: &Path, at: &At, action: &Action) -> String {
    let changed = action.fields.iter().filter(|change| matches!(change.op, Op::Set | Op::Remove)).count();
    match action.action == ActionKind::Update && changed > 1 {
        true => below(root, &at.file),
        false => place(root, at),
    }
}

/// A path seen from the root of the project.
pub(in crate::page) fn below(root: &Path, file: &str) -> String {
    Path::new(file).strip_prefix(root).map_or_else(|_| file.to_string(), |below| below.display().to_string())
}

/// What an action affects: `2 integrations, 3 steps, 118 customers`.
pub(in crate::page) fn impact(impact: &Impact) -> String {
    let number = impact.integrations.len();
    let steps: usize = impact.integrations.iter().map(|one| one.steps).sum();
    let parts = [
        (number > 0).then(|| count(number, "integration", "integrations")),
        (steps > 0).then(|| count(steps, "step", "steps")),
        (impact.customers > 0).then(|| count(impact.customers, "customer", "customers")),
        impact.instances.filter(|number| *number > 0).map(|number| count(number, "instance", "instances")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn of_note(tenant: &str, note: &Note) -> Markup {
    let id = note.object();
    let object = (tenant, Some(id), None);
    match note {
        Note::Blocked { code, text: why, fix, commands, .. } => {
            let inner = html! {
                p.why { (text(why)) }
                p.why { "→ " (text(fix)) }
                @for command in commands { (offer(command)) }
            };
            details(
                (OverviewState::Blocked, "Blocked"),
                object,
                &code.to_string(),
                html! { (code.to_string()) },
                true,
                inner,
            )
        }
        Note::Drift { path, from, to, parts, by, ignored, .. } => {
            let name = path.join(".");
            let inner = html! {
                p.why { (line(&name)) " changed in " (line(tenant)) " after Stablekey wrote it" @if let Some(by) = by { ", by " (line(by)) } "." @if *ignored { " The policy of the tenant ignores drift." } }
                div.diff { (diff::values(&name, from.as_ref(), to.as_ref(), parts)) }
                (actions_of_field(tenant, id, &name))
            };
            details((OverviewState::Drift, "Drift"), object, &name, html! { (line(&name)) }, false, inner)
        }
        Note::Kept { path, from, to, parts, by, text: why, .. } => {
            let name = path.join(".");
            let inner = html! {
                p.why { @match why { Some(why) => (text(why)), None => { (line(tenant)) " keeps its own value, of " (line(by)) "." } } }
                div.diff { (diff::values(&name, from.as_ref(), to.as_ref(), parts)) }
                (actions_of_field(tenant, id, &name))
            };
            details((OverviewState::Kept, "Kept"), object, &name, html! { (line(&name)) }, false, inner)
        }
        Note::Overridden { .. } | Note::Manual { .. } => html! {},
    }
}

/// The links that end a difference of a field.
pub(in crate::page) fn actions_of_field(tenant: &str, id: &ObjectId, field: &str) -> Markup {
    let query = |path: &'static str| {
        crate::page::address::PageAddress::new(path)
            .with("tenant", tenant)
            .with("object", &id.to_string())
            .with("field", field)
            .text()
    };
    html! {
        @if sensitive::has_secret(field) { p.dim { "Its name has a secret in it: use the commands." } }
        @else { p.then { a href=(query("/revert")) { "Revert" } a href=(query("/keep")) { "Keep" } } }
    }
}

/// A finding, with what to do.
pub(in crate::page) fn of_finding(shown: &ShownProject, finding: &Finding) -> Markup {
    html! {
        p.why { @if let Some(at) = &finding.at { code { (line(&place(&shown.project.root, at))) } " " } (text(&finding.text)) }
        @if !finding.fix.is_empty() { p.why { "→ " (text(&finding.fix)) } }
        @for command in &finding.commands { (offer(command)) }
    }
}
