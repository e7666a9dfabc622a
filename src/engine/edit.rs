//! Changes that a person requests, in the form of plan actions.

use super::model::inventory::Inventory;
use super::model::item::Item;
use super::model::plan::{Action, ActionKind, FieldChange, Op, Reason};

/// The action that creates an object as `after`, or changes the existing one to it; `None` if it is equal already. The
/// ownership record does not change, since Stablekey does not own what a person writes. `definition` means that the
/// bytes of a definition come with it.
pub fn write(
    tenant: &str,
    inventory: &Inventory,
    before: Option<Item>,
    after: Item,
    definition: bool,
) -> Option<Action> {
    let id = after.id();
    let change = |field: &super::model::field::Field<'_>, op, from: Option<&Item>, to: Option<&Item>| FieldChange {
        field: field.clone().into_owned(),
        op,
        from: from.and_then(|i| i.written(field)).map(|v| v.to_json()),
        to: to.and_then(|i| i.written(field)).map(|v| v.to_json()),
        parts: Vec::new(),
        by: None,
    };
    let mut fields = Vec::new();
    for (field, value) in after.fields(true) {
        if !before.as_ref().and_then(|b| b.value(&field)).is_some_and(|v| v.is(&value)) {
            fields.push(change(&field, Op::Set, before.as_ref(), Some(&after)));
        }
    }
    for (field, _) in before.iter().flat_map(|b| b.fields(true)).filter(|(field, _)| after.written(field).is_none()) {
        // Labels and annotations that people added are kept.
        if field.path().first().is_some_and(|first| first != "metadata") {
            fields.push(change(&field, Op::Remove, before.as_ref(), None));
        }
    }
    if fields.is_empty() && before.is_some() && !definition {
        return None;
    }
    let kind = if before.is_none() { ActionKind::Create } else { ActionKind::Update };
    let reason = Reason { code: "written", text: "a person wrote it".to_string() };
    let mut action = Action::of(tenant, &id, kind, reason);
    action.fields = fields;
    action.change.record = inventory.record(tenant, &id).cloned();
    (action.change.before, action.change.after) = (before, Some(after));
    Some(action)
}
