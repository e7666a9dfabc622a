//! Digests: what an approval covers.

use super::model::*;
use crate::engine::canonical::{self, Digest};
use crate::engine::field::{Field, FieldKind};
use crate::engine::item::Item;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The digest of an action: its values, the object as it is, and what decided it. The record is not
/// in it, nor `after`, `at`, texts, and the marks that are set on the whole target.
pub fn of_action(action: &Action, decided: &Value) -> Digest {
    digest(action, action.action, &action.fields, action.change.before.as_ref(), decided)
}

/// What may be left of an action that was cut off: the record only, or, where a definition goes
/// first, all but the definition.
pub fn resumptions(action: &Action, decided: &Value) -> Vec<Digest> {
    let mut left = Vec::new();
    if action.action != ActionKind::Update {
        return left;
    }
    let after = action.change.after.as_ref();
    let recorded: Vec<FieldChange> = action.fields.iter().map(as_record_only).collect();
    left.push(digest(action, ActionKind::Adopt, &recorded, after, decided));
    let is_definition = |field: &Field<'_>| field.kind == FieldKind::Definition;
    if let (Some(before), Some(after)) = (&action.change.before, after)
        && action.fields.iter().any(|c| is_definition(&c.field))
    {
        let halfway = before.with(&Field::of(FieldKind::Definition), Some(after));
        let rest: Vec<FieldChange> =
            action.fields.iter().map(|c| if is_definition(&c.field) { as_record_only(c) } else { c.clone() }).collect();
        let kind = if rest.iter().any(|c| matches!(c.op, Op::Set | Op::Remove)) {
            ActionKind::Update
        } else {
            ActionKind::Adopt
        };
        left.push(digest(action, kind, &rest, Some(&halfway), decided));
    }
    left
}

fn as_record_only(change: &FieldChange) -> FieldChange {
    match change.op {
        Op::Set => FieldChange { op: Op::Record, from: None, ..change.clone() },
        Op::Remove => FieldChange { op: Op::Forget, from: None, ..change.clone() },
        Op::Record | Op::Forget | Op::Release => change.clone(),
    }
}

fn digest(action: &Action, kind: ActionKind, fields: &[FieldChange], before: Option<&Item>, decided: &Value) -> Digest {
    let marks: BTreeSet<&str> =
        action.needs_approval.iter().filter(|a| !a.code.is_of_whole_target()).map(|a| a.code.as_str()).collect();
    let marks = if kind == ActionKind::Adopt { BTreeSet::new() } else { marks };
    let fields: Vec<Value> = fields
        .iter()
        .map(|c| json!({"path": c.field.path(), "op": c.op, "from": c.from, "to": c.to, "by": c.by}))
        .collect();
    let covered = json!({
        "id": action.id,
        "action": kind,
        "fields": fields,
        "before": before.map(Item::to_json),
        "decided": decided,
        "needsApproval": marks,
    });
    let mut text = String::new();
    canonical::write(&covered, &mut text);
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
