//! An edit as text and JSON: its diff, and what the plan says before and after.

use super::style::Tone;
use super::{Invocation, Style};
use crate::author::{Consequences, Edited, FileChange, Pause};
use crate::engine::model::plan::{Action, ActionKind, Counts, Plan};
use crate::text::{self, count};
use serde_json::{Value, json};
use std::fmt::Write as _;

/// Fields of an action that are named.
const FIELDS: usize = 4;

/// Lines of new troubles and warnings that are shown.
const MOST: usize = 10;

/// The diff of an edit, and what it changes in the plan.
pub fn edit_text(edited: &Edited, style: Style) -> String {
    let mut out = String::new();
    for line in edited.diff().lines() {
        let tone = match line.as_bytes() {
            [b'+', ..] => Tone::Good,
            [b'-', ..] => Tone::Bad,
            [b'@', b'@', ..] => Tone::Faint,
            _ => Tone::Plain,
        };
        style.paint(tone, &text::line(line), &mut out);
        out.push('\n');
    }
    out.push('\n');
    match &edited.pause {
        Some(pause) => paused(&mut out, pause, edited, style.width),
        None => planned(&mut out, edited, style.width),
    }
    let Consequences { worse, fixed, kept, warnings, .. } = &edited.consequences;
    list(&mut out, "Worse", worse, style.width);
    list(&mut out, "Fixed", fixed, style.width);
    list(&mut out, "Kept", kept, style.width);
    list(&mut out, "New warnings", warnings, style.width);
    lines(&mut out, "Manual steps", &edited.manual, usize::MAX, style.width);
    out
}

/// What the plan says after an edit and before it, and what the next apply does more.
fn planned(out: &mut String, edited: &Edited, width: usize) {
    let (before, after) = (what(&edited.before), what(&edited.after));
    let line = match before == after {
        true => format!("Plan: {after}, as before."),
        false => format!("Plan: {after}. Before: {before}."),
    };
    let _ = writeln!(out, "{}", text::wrapped(&line, width, 0));
    let (does, waits) = edited.new_actions_by_wait();
    list(out, "The next apply does", &does.into_iter().map(action_line).collect::<Vec<_>>(), width);
    list(out, Edited::WAITS, &waits.into_iter().map(action_line).collect::<Vec<_>>(), width);
}

/// What stops or goes on: the plan has the same actions before and after it.
fn paused(out: &mut String, pause: &Pause, edited: &Edited, width: usize) {
    let actions: Vec<String> = pause.actions(&edited.before, &edited.after).into_iter().map(action_line).collect();
    let (title, nothing) = match pause.suspends {
        true => ("These actions wait from now on", "That changes nothing of the next apply."),
        false => ("The next apply does", "The next apply does nothing more."),
    };
    let nothing = if actions.is_empty() { format!(" {nothing}") } else { String::new() };
    let _ = writeln!(out, "{}", text::wrapped(&format!("{}{nothing}", pause.text()), width, 0));
    list(out, title, &actions, width);
}

fn list(out: &mut String, title: &str, all: &[String], width: usize) {
    lines(out, title, all, MOST, width);
}

/// Lists as many as `most`. Lines after the first of one are for copying: they are not wrapped.
fn lines(out: &mut String, title: &str, lines: &[String], most: usize, width: usize) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for line in lines.iter().take(most) {
        let line = text::lines(line);
        let (first, rest) = line.split_once('\n').map_or((line.as_ref(), None), |(first, rest)| (first, Some(rest)));
        let _ = writeln!(out, "  {}", text::wrapped(first, width, 2));
        if let Some(rest) = rest {
            let _ = writeln!(out, "{rest}");
        }
    }
    if let Some(more) = lines.len().checked_sub(most).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more");
    }
}

/// The line `update eu-prod/Connection/crm  inputs.scopes, title  needs approval`.
fn action_line(action: &Action) -> String {
    let mut line = format!("{} {}", action.action.as_str(), action.id);
    if action.action == ActionKind::Update {
        let fields: Vec<String> = action.fields.iter().map(|change| change.field.to_string()).collect();
        let shown = fields.iter().take(FIELDS).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = fields.len().saturating_sub(FIELDS);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        line.push_str(&format!("  {shown}{more}"));
    }
    if !action.needs_approval.is_empty() {
        line.push_str("  needs approval");
    }
    line
}

/// The totals of a plan in words.
fn what(plan: &Plan) -> String {
    let Counts { create, update, adopt, delete, needs_approval, waiting, blocked, drift, manual, .. } = plan.counts;
    let errors = plan.findings.iter().filter(|f| f.severity == crate::engine::model::code::Severity::Error).count();
    let parts = [
        (create, format!("{create} to create")),
        (update, format!("{update} to update")),
        (adopt, format!("{adopt} to adopt")),
        (delete, format!("{delete} to delete")),
        (needs_approval, count(needs_approval, "change needs approval", "changes need approval")),
        (waiting, format!("{waiting} waiting for a stage")),
        (errors, count(errors, "error", "errors")),
        (blocked, format!("{blocked} blocked")),
        (drift, format!("{drift} drifted")),
        (manual, count(manual, "manual step", "manual steps")),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
    if parts.is_empty() { "nothing to apply".to_string() } else { parts.join(", ") }
}

/// What follows a written edit.
pub fn edit_written(edited: &Edited, typed: &Invocation) -> String {
    let (gone, written): (Vec<_>, Vec<_>) = edited.files.iter().partition(|file| file.after.is_none());
    let line = |files: &[&FileChange], what: &str| {
        let names: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
        let number = count(files.len(), "file", "files");
        if files.is_empty() { String::new() } else { format!("{number} {what}: {}\n", names.join(", ")) }
    };
    let next: String = edited.next.iter().map(|command| format!("  {command}\n")).collect();
    format!("{}{}Next:\n{next}  {}", line(&written, "written"), line(&gone, "removed"), typed.plan())
}

/// The edit as JSON.
pub fn edit_json(edited: &Edited, written: bool) -> Value {
    let files = edited.files.iter().map(|file| json!({"path": file.path.display().to_string(), "op": file.what()}));
    let plan = |plan: &Plan| json!({"counts": plan.counts, "exit": plan.exit});
    let mut json = json!({
        "schema": "stablekey.dev/edit/v1",
        "files": files.collect::<Vec<_>>(),
        "diff": edited.diff(),
        "plan": {"before": plan(&edited.before), "after": plan(&edited.after)},
        "actions": edited.new_actions().map(|action| action.id.as_str()).collect::<Vec<_>>(),
        "worse": edited.consequences.worse,
        "fixed": edited.consequences.fixed,
        "kept": edited.consequences.kept,
        "warnings": edited.consequences.warnings,
        "manual": edited.manual,
        "written": written,
    });
    if let (Some(pause), Value::Object(json)) = (&edited.pause, &mut json) {
        let actions = pause.actions(&edited.before, &edited.after);
        let actions: Vec<&str> = actions.into_iter().map(|action| action.id.as_str()).collect();
        let key = if pause.suspends { "suspends" } else { "resumes" };
        json.insert(key.to_string(), json!({"object": pause.object, "actions": actions}));
    }
    json
}
