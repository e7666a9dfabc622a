//! An edit as text and JSON: its diff, and what the plan says before and after.

use super::style::Tone;
use super::{Invocation, Style};
use crate::author::Edited;
use crate::engine::model::plan::{Counts, Plan};
use crate::text::{self, count};
use serde_json::{Value, json};
use std::fmt::Write as _;

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
    let (before, after) = (what(&edited.before), what(&edited.after));
    let line = match before == after {
        true => format!("Plan: {after}, as before."),
        false => format!("Plan: {after}. Before: {before}."),
    };
    let _ = writeln!(out, "{}", text::wrapped(&line, style.width, 0));
    list(&mut out, "Worse", &edited.worse(), style.width);
    list(&mut out, "Fixed", &edited.better(), style.width);
    list(&mut out, "New warnings", &edited.warnings(), style.width);
    list(&mut out, "Manual steps", &edited.manual, style.width);
    out
}

/// Lines after the first are for copying: they are not wrapped.
fn list(out: &mut String, title: &str, lines: &[String], width: usize) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{title}:");
    for line in lines.iter().take(MOST) {
        let line = text::lines(line);
        let (first, rest) = line.split_once('\n').map_or((line.as_ref(), None), |(first, rest)| (first, Some(rest)));
        let _ = writeln!(out, "  {}", text::wrapped(first, width, 2));
        if let Some(rest) = rest {
            let _ = writeln!(out, "{rest}");
        }
    }
    if let Some(more) = lines.len().checked_sub(MOST).filter(|more| *more > 0) {
        let _ = writeln!(out, "  and {more} more");
    }
}

/// The totals of a plan in words.
fn what(plan: &Plan) -> String {
    let Counts { create, update, adopt, delete, needs_approval, blocked, drift, manual, .. } = plan.counts;
    let errors = plan.findings.iter().filter(|f| f.severity == crate::engine::model::code::Severity::Error).count();
    let parts = [
        (create, format!("{create} to create")),
        (update, format!("{update} to update")),
        (adopt, format!("{adopt} to adopt")),
        (delete, format!("{delete} to delete")),
        (needs_approval, count(needs_approval, "change needs approval", "changes need approval")),
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
    let files: Vec<String> = edited.files.iter().map(|file| file.path.display().to_string()).collect();
    format!("{} written: {}\nNext:\n  {}", count(files.len(), "file", "files"), files.join(", "), typed.plan())
}

/// The edit as JSON.
pub fn edit_json(edited: &Edited, written: bool) -> Value {
    let files = edited.files.iter().map(|file| json!({"path": file.path.display().to_string(), "op": file.what()}));
    let plan = |plan: &Plan| json!({"counts": plan.counts, "exit": plan.exit});
    json!({
        "schema": "stablekey.dev/edit/v1",
        "files": files.collect::<Vec<_>>(),
        "diff": edited.diff(),
        "plan": {"before": plan(&edited.before), "after": plan(&edited.after)},
        "worse": edited.worse(),
        "fixed": edited.better(),
        "warnings": edited.warnings(),
        "manual": edited.manual,
        "written": written,
    })
}
