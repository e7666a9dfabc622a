//! Adoption: records live values as if Stablekey had written them.

use super::diff::is_secret_ref;
use super::model::canonical::{Digest, FieldHash};
use super::model::inventory::Inventory;
use super::model::item::{Item, ObjectId};
use super::model::plan::{Action, ActionKind, FieldChange, Op, Reason};
use super::model::record::{Record, Writer, Wrote};
use std::collections::BTreeSet;

/// The action that records every field of a live object; `None` if the object does not exist, or is recorded completely
/// already.
pub fn adopt(tenant: &str, inventory: &Inventory, id: &ObjectId) -> Option<Action> {
    let live = inventory.get(id)?;
    let mut record =
        inventory.record(tenant, id).map(|record| (**record).clone()).unwrap_or_else(|| Record::of(tenant));
    let mut fields = Vec::new();
    for (field, value) in live.fields(true) {
        let field = field.into_owned();
        let hash = value.hash();
        let wrote = record.fields.get(&field);
        if wrote.is_some_and(|wrote| value.is_recorded_as(wrote.hash)) {
            continue;
        }
        let writers = wrote.map_or_else(|| BTreeSet::from([Writer::Adopt]).into(), |wrote| wrote.writers.clone());
        fields.push(FieldChange {
            field: field.clone(),
            op: Op::Record,
            from: None,
            to: Some(value.to_json()),
            parts: Vec::new(),
            by: None,
        });
        // The hosts that received the previous secret are unknown here.
        let was = wrote.map(|wrote| wrote.hash).filter(|_| field.is_input() && is_secret_ref(value));
        record.sent.extend(was.map(|was| (was, FieldHash::UNKNOWN)));
        record.fields.insert(field, Wrote { hash, writers });
    }
    (!fields.is_empty()).then(|| action(tenant, id, live, record, fields))
}

fn action(tenant: &str, id: &ObjectId, live: Item, record: Record, fields: Vec<FieldChange>) -> Action {
    let reason = Reason { code: "adopted", text: "taken over as it is".to_string() };
    let mut action = Action::of(tenant, id, ActionKind::Adopt, reason);
    action.digest = Digest::of(record.encode().as_bytes());
    action.writers.insert(Writer::Adopt);
    action.fields = fields;
    (action.change.before, action.change.after) = (Some(live.clone()), Some(live));
    action.change.record = Some(record.into());
    action
}
