//! One action for a terminal: its changes, reason and impact.

use super::change::{self, Shown};
use super::page::{Span, TextPage, faint, plain, strong, width};
use super::style::Tone;
use crate::engine::model::field::FieldKind;
use crate::engine::model::item::Item;
use crate::engine::model::plan::{Action, ActionKind, FieldChange, Impact, Target};
use crate::report::value;
use crate::text::{count, shorten, thousands};
use similar::ChangeTag;

/// The maximum number of fields that are shown.
const MOST_FIELDS: usize = 24;
/// The maximum width of the column of names.
const WIDEST: usize = 32;

/// Adds one action to the page.
pub(super) fn action(page: &mut TextPage, action: &Action) {
    let (mark, tone) = mark(action);
    let mut head = vec![Span::new(tone, format!("{mark} {}", action.action.as_str())), plain("  ")];
    head.push(strong(action.change.object.to_string()));
    if !action.needs_approval.is_empty() {
        head.push(Span::new(Tone::Careful, "  needs approval"));
    }
    head.extend(action.at.as_ref().map(|at| faint(format!("  {at}"))));
    page.wrap(2, 6, &head);
    for approval in &action.needs_approval {
        page.wrap(6, 8, &[Span::new(Tone::Careful, format!("{}: {}", approval.code, approval.why))]);
    }
    match action.action {
        ActionKind::Create => created(page, action),
        ActionKind::Delete => lost(page, &action.fields),
        ActionKind::Update | ActionKind::Adopt => changed(page, &action.fields),
    }
    page.wrap(6, 8, &[faint(format!("why: {}", action.reason.text))]);
    if let Some(text) = impact(&action.impact, action.change.object.kind == crate::api::Kind::Integration) {
        page.wrap(6, 8, &[plain(text)]);
    }
}

fn mark(action: &Action) -> (&'static str, Tone) {
    match action.action {
        _ if !action.needs_approval.is_empty() => ("!", Tone::Careful),
        ActionKind::Create => ("+", Tone::Good),
        ActionKind::Update => ("~", Tone::Careful),
        ActionKind::Delete => ("-", Tone::Bad),
        ActionKind::Adopt => ("=", Tone::Faint),
    }
}

/// An action that waits for an earlier stage, in one line: what it does, and which fields.
pub(super) fn waiting(action: &Action, target: &Target) -> (String, String) {
    let (mark, _) = mark(action);
    let head = format!("{mark} {}  {}", action.action.as_str(), action.change.object);
    let mut more: Vec<String> = Vec::new();
    if matches!(action.action, ActionKind::Update) {
        let fields: Vec<String> =
            action.fields.iter().take(MOST_FIELDS).map(|change| change.field.to_string()).collect();
        more.push(fields.join(", "));
    }
    if let Some(approval) = action.needs_approval.first() {
        more.push(format!("will need approval: {} {}", approval.code, approval.why));
    }
    let is_of_stage = action.writers.iter().any(|writer| target.stages.contains_key(writer));
    if let Some(on) = action.after.first().filter(|_| !is_of_stage) {
        more.push(format!("waits for {on}"));
    }
    let more = more.into_iter().filter(|part| !part.is_empty()).map(|part| format!("  {part}")).collect();
    (head, more)
}

/// The text `affects 3 integrations, 12 steps, 41 customers`; `None` without impact.
pub(super) fn impact(impact: &Impact, is_itself: bool) -> Option<String> {
    let steps: usize = impact.integrations.iter().map(|i| i.steps).sum();
    let flows: usize = impact.integrations.iter().map(|i| i.flows).sum();
    let mut parts = Vec::new();
    if !is_itself && !impact.integrations.is_empty() {
        let names: Vec<&str> = impact.integrations.iter().map(|i| i.name.as_str()).collect();
        let number = count(names.len(), "integration", "integrations");
        parts.push(if names.len() <= 3 { format!("{number} ({})", names.join(", ")) } else { number });
    }
    parts.extend((flows > 0).then(|| count(flows, "flow", "flows")));
    parts.extend((steps > 0).then(|| count(steps, "step", "steps")));
    let workflows = impact.workflows.len();
    parts.extend((workflows > 0).then(|| count(workflows, "workflow", "workflows")));
    let instances = impact.instances.unwrap_or_default();
    parts.extend((instances > 0).then(|| count(instances, "instance", "instances")));
    parts.extend((impact.customers > 0).then(|| count(impact.customers, "customer", "customers")));
    let affects = (!parts.is_empty()).then(|| format!("affects {}", parts.join(", ")));
    let redeploys = impact.redeploys.then(|| match impact.instances {
        Some(1) => "redeploys its instance".to_string(),
        Some(instances) => format!("redeploys its {instances} instances"),
        None => "redeploys its instances, how many is unknown".to_string(),
    });
    let all: Vec<String> = affects.into_iter().chain(redeploys).collect();
    (!all.is_empty()).then(|| all.join("; "))
}

/// A new object in a few lines: its properties, then its inputs or variables.
fn created(page: &mut TextPage, action: &Action) {
    let fields: Vec<&FieldChange> = action.fields.iter().filter(|c| !c.field.kind.is_immutable()).collect();
    if let Some(Item::Connection(connection)) = &action.change.after {
        page.wrap(6, 8, &[plain(connection.spec.kind_in_words())]);
    }
    let columns = columns(fields.iter().copied());
    for change in fields.iter().take(MOST_FIELDS) {
        let to = change.to.as_ref().map(|to| value::words(&to.value())).unwrap_or_default();
        let arrow = if change.field.kind == FieldKind::Variable { "→ " } else { "" };
        let to = format!("{arrow}{}", shorten(&to, value::MOST));
        page.labelled(6, plain(name(change)), columns, &[Span::new(Tone::Good, to)]);
    }
    more(page, fields.len());
}

/// The additions of others to a deleted object.
fn lost(page: &mut TextPage, fields: &[FieldChange]) {
    if fields.is_empty() {
        return;
    }
    page.wrap(6, 8, &[Span::new(Tone::Careful, "additions there that no source has are deleted with it:")]);
    let columns = columns(fields.iter());
    for change in fields.iter().take(MOST_FIELDS) {
        let from = change.from.as_ref().map(|from| value::words(&from.value())).unwrap_or_default();
        let from = shorten(&from, value::MOST).into_owned();
        page.labelled(8, plain(name(change)), columns, &[Span::new(Tone::Bad, from)]);
    }
    more(page, fields.len());
}

fn changed(page: &mut TextPage, fields: &[FieldChange]) {
    let columns = columns(fields.iter());
    for change in fields.iter().take(MOST_FIELDS) {
        field(page, change, columns);
    }
    more(page, fields.len());
}

fn more(page: &mut TextPage, fields: usize) {
    if let Some(more) = fields.checked_sub(MOST_FIELDS).filter(|more| *more > 0) {
        page.line(6, &[faint(format!("… and {} more fields; --output json lists them all", thousands(more)))]);
    }
}

fn columns<'a>(fields: impl Iterator<Item = &'a FieldChange>) -> usize {
    fields.map(|c| width(&name(c))).max().unwrap_or(0).min(WIDEST)
}

/// The path of the field in YAML; only the name for a variable.
fn name(change: &FieldChange) -> String {
    let kind = change.field.kind;
    let name = if kind == FieldKind::Variable { change.field.name.to_string() } else { change.field.to_string() };
    shorten(&name, 2 * WIDEST).into_owned()
}

/// The parts of a definition that are added, removed and changed, one per line.
pub(super) fn parts<T: AsRef<str>>(page: &mut TextPage, indent: usize, parts: &[T]) {
    for part in parts.iter().take(MOST_FIELDS).map(AsRef::as_ref) {
        let tone = match part.chars().next() {
            Some('+') => Tone::Good,
            Some('-') => Tone::Bad,
            _ => Tone::Careful,
        };
        page.wrap(indent, indent + 2, &[Span::new(tone, shorten(part, 2 * value::MOST))]);
    }
    if let Some(more) = parts.len().checked_sub(MOST_FIELDS).filter(|more| *more > 0) {
        page.line(indent, &[faint(format!("… and {more} more; --output json lists them all"))]);
    }
}

fn field(page: &mut TextPage, change: &FieldChange, columns: usize) {
    values_of(page, change, columns);
    parts(page, 8, &change.parts);
}

fn values_of(page: &mut TextPage, change: &FieldChange, columns: usize) {
    let label = || plain(name(change));
    match change::shown(change) {
        Shown::Values { from, to } => page.labelled(6, label(), columns, &values(from, to)),
        Shown::Words(words) => {
            let spans: Vec<Span> = words.iter().map(|(tag, text)| word(*tag, text)).collect();
            page.labelled(6, label(), columns, &spans);
        }
        Shown::Lines(lines) => {
            page.line(6, &[label()]);
            for line in lines.iter().take(MOST_FIELDS) {
                match line {
                    None => page.line(8, &[faint("…")]),
                    Some((tag, text)) => {
                        let tone = tone(*tag);
                        page.line(8, &[Span::new(tone, format!("{tag} {}", shorten(text, 2 * value::MOST)))]);
                    }
                }
            }
            if lines.len() > MOST_FIELDS {
                let more = lines.len() - MOST_FIELDS;
                page.line(8, &[faint(format!("… and {more} more lines; --output json has them all"))]);
            }
        }
        Shown::Sentence(text) => page.labelled(6, label(), columns, &[faint(text)]),
    }
}

fn values(from: Option<String>, to: Option<String>) -> Vec<Span> {
    match (from, to) {
        (None, Some(to)) => vec![Span::new(Tone::Good, to), faint(" (new)")],
        (Some(from), None) => vec![Span::new(Tone::Bad, from), faint(" (taken away)")],
        (from, to) => vec![
            Span::new(Tone::Bad, from.unwrap_or_default()),
            plain(" → "),
            Span::new(Tone::Good, to.unwrap_or_default()),
        ],
    }
}

fn word(tag: ChangeTag, text: &str) -> Span {
    let text = match tag {
        ChangeTag::Equal => text.to_string(),
        // Blanks stay outside of the marks, so that lines can be wrapped there.
        ChangeTag::Delete => marked("[-", text, "-]"),
        ChangeTag::Insert => marked("{+", text, "+}"),
    };
    Span::new(tone(tag), text)
}

fn marked(open: &str, text: &str, close: &str) -> String {
    let inner = text.trim();
    let blanks = |part: &str| " ".repeat(part.len());
    let start = text.len() - text.trim_start().len();
    let (before, after) = (text.get(..start).unwrap_or(""), text.len() - text.trim_end().len());
    format!(
        "{}{open}{inner}{close}{}",
        blanks(before),
        if inner.is_empty() { String::new() } else { " ".repeat(after) }
    )
}

fn tone(tag: ChangeTag) -> Tone {
    match tag {
        ChangeTag::Equal => Tone::Faint,
        ChangeTag::Delete => Tone::Bad,
        ChangeTag::Insert => Tone::Good,
    }
}
