//! Drops what a vanished writer left in the ownership records: the values are then the tenant's own.

use super::diff::is_secret_ref;
use super::model::canonical::{Digest, FieldHash};
use super::model::inventory::Inventory;
use super::model::plan::{Action, ActionKind, FieldChange, Op, Reason};
use super::model::record::{Record, Writer};
use crate::api::sensitive;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The actions that drop a writer from every record of a tenant, those of deleted objects included. No value changes.
pub fn forget(tenant: &str, inventory: &Inventory, writer: &Writer) -> Vec<Action> {
    let records = inventory.records.iter().filter(|(_, record)| record.tenant == tenant);
    let of_record = |(id, record): (_, &Arc<Record>)| {
        let live = inventory.get(id);
        let mut after = record.as_ref().clone();
        let mut fields = Vec::new();
        for (field, wrote) in record.fields.iter().filter(|(_, wrote)| wrote.writers.contains(writer)) {
            let others: BTreeSet<Writer> = wrote.writers.iter().filter(|other| *other != writer).cloned().collect();
            let now = live.as_ref().and_then(|live| live.written(field));
            let op = match (others.is_empty(), after.fields.get_mut(field)) {
                (false, Some(left)) => {
                    left.writers = Arc::new(others);
                    Op::Record
                }
                _ => {
                    after.fields.remove(field);
                    // The hosts that received a secret which is no longer there stay known.
                    let is_there = now.is_some_and(|now| now.is_recorded_as(wrote.hash));
                    let is_secret = sensitive::is_sensitive(&field.name) || now.is_some_and(is_secret_ref);
                    if field.is_input() && is_secret && !is_there {
                        after.sent.insert(wrote.hash, FieldHash::UNKNOWN);
                    }
                    Op::Forget
                }
            };
            let (field, to) = (field.clone(), now.map(|now| now.to_json()));
            fields.push(FieldChange { field, op, from: None, to, parts: Vec::new(), by: None });
        }
        if fields.is_empty() {
            return None;
        }
        // What nobody is recorded for is the tenant's own, whoever made it.
        after.made &= !after.fields.is_empty();
        let reason = Reason { code: "forgotten", text: format!("{writer} is forgotten") };
        let mut action = Action::of(tenant, id, ActionKind::Adopt, reason);
        action.digest = Digest::of(after.encode().as_bytes());
        action.writers.insert(writer.clone());
        action.fields = fields;
        (action.change.before, action.change.after) = (live.clone(), live);
        action.change.record = Some(Arc::new(after)).filter(|record| !record.is_empty());
        Some(action)
    };
    records.filter_map(of_record).collect()
}
