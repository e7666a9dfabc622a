//! Digests, which define what an approval covers.

use crate::engine::model::canonical;
use crate::engine::model::canonical::{Digest, Json};
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::item::Item;
use crate::engine::model::plan::*;
use crate::engine::model::record::Record;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The digest of an action: its values, the object before the change, and what decided it. It does not include the
/// ownership record, `after`, `at`, texts, and marks that depend on the whole target.
pub(super) fn of_action(action: &Action, decided: &Value) -> Digest {
    digest(action, action.action, &action.fields, action.change.before.as_ref(), decided)
}

/// The possible remainders of an interrupted action: the ownership record only or, if a definition is written first,
/// everything but the definition. `recorded` is the ownership record before.
pub(super) fn resumptions(action: &Action, recorded: Option<&Record>, decided: &Value) -> Vec<Digest> {
    let (ActionKind::Update, Some(before), Some(after)) = (action.action, &action.change.before, &action.change.after)
    else {
        return Vec::new();
    };
    let to_record = |c: &FieldChange| only_record(c, recorded, action.change.record.as_deref());
    let is_definition = |c: &FieldChange| c.field.kind == FieldKind::Definition;
    let record_only: Vec<FieldChange> = action.fields.iter().filter_map(to_record).collect();
    let mut left = vec![digest(action, ActionKind::Adopt, &record_only, Some(after), decided)];
    if action.fields.iter().any(is_definition) {
        let halfway = before.with(&Field::of(FieldKind::Definition), Some(after));
        let rest = action.fields.iter().filter_map(|c| if is_definition(c) { to_record(c) } else { Some(c.clone()) });
        left.push(digest(action, ActionKind::Update, &rest.collect::<Vec<_>>(), Some(&halfway), decided));
    }
    left
}

/// The remainder of a change after the object was written; none if the ownership record is up to date already (a
/// corrected drift).
fn only_record(change: &FieldChange, recorded: Option<&Record>, then: Option<&Record>) -> Option<FieldChange> {
    let of = |record: Option<&Record>| record.and_then(|r| r.fields.get(&change.field)).cloned();
    match change.op {
        Op::Set if of(recorded) == of(then) => None,
        Op::Set => Some(FieldChange { op: Op::Record, from: None, ..change.clone() }),
        Op::Remove => Some(FieldChange { op: Op::Forget, from: None, ..change.clone() }),
        Op::Record | Op::Forget | Op::Release => Some(change.clone()),
    }
}

fn digest(action: &Action, kind: ActionKind, fields: &[FieldChange], before: Option<&Item>, decided: &Value) -> Digest {
    let marks: BTreeSet<&str> =
        action.needs_approval.iter().filter(|a| !a.code.is_of_whole_target()).map(|a| a.code.as_str()).collect();
    let marks = if kind == ActionKind::Adopt { BTreeSet::new() } else { marks };
    // A hidden value is covered nevertheless.
    let is_hidden = |to: &Json| to.text().contains("\"hidden\"") && to.value().get("hidden").is_some();
    let then = |c: &FieldChange| match &c.to {
        Some(to) if is_hidden(to) => action.change.after.as_ref()?.value(&c.field).map(|value| value.to_json()),
        to => to.clone(),
    };
    let json = |value: Option<&Json>, out: &mut String| out.push_str(value.map_or("null", Json::text));
    let field = |c: &FieldChange, out: &mut String| {
        out.push_str("{\"by\":");
        canonical::write(&json!(c.by), out);
        out.push_str(",\"from\":");
        json(c.from.as_ref(), out);
        out.push_str(",\"op\":");
        canonical::write(&json!(c.op), out);
        out.push_str(",\"path\":");
        canonical::write_list(c.field.path().iter(), out, |part, out| canonical::write_text(part, out));
        out.push_str(",\"to\":");
        json(then(c).as_ref(), out);
        out.push('}');
    };
    let mut text = String::from("{\"action\":");
    canonical::write(&json!(kind), &mut text);
    text.push_str(",\"before\":");
    match before {
        Some(before) => before.write_json(&mut text),
        None => text.push_str("null"),
    }
    text.push_str(",\"decided\":");
    canonical::write(decided, &mut text);
    text.push_str(",\"fields\":");
    canonical::write_list(fields.iter(), &mut text, field);
    text.push_str(",\"id\":");
    canonical::write_text(&action.id, &mut text);
    text.push_str(",\"needsApproval\":");
    canonical::write_list(marks.iter(), &mut text, |mark, out| canonical::write_text(mark, out));
    text.push('}');
    Digest::of(text.as_bytes())
}

/// The digest of each writer's actions in one target: the hash of their sorted digests.
pub fn of_writers(actions: &[Action]) -> BTreeMap<String, Digest> {
    let mut by_writer: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for action in actions {
        for writer in &action.writers {
            by_writer.entry(writer.to_string()).or_default().insert(action.digest.to_string());
        }
    }
    let digest = |digests: BTreeSet<String>| Digest::of(digests.into_iter().collect::<Vec<_>>().join("\n").as_bytes());
    by_writer.into_iter().map(|(writer, digests)| (writer, digest(digests))).collect()
}
