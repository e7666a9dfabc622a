//! The plan of one tenant while it is being made.

use super::input::TenantInput;
use crate::api::*;
use crate::engine::hashes::Hashes;
use crate::engine::model::canonical::Json;
use crate::engine::model::field::Field;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::*;
use crate::engine::model::record::Writer;
use crate::engine::resolve::Replacements;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};

/// A key of a Secret: the name of the Secret, and the key in its data.
pub(super) type SecretKey = (String, String);

/// Customers, by the stable key that they gave credentials for.
pub(super) type CustomersByKey = HashMap<String, BTreeSet<String>>;

/// The connections that the variables of an integration will be bound to.
pub(super) type BoundVariables = BTreeMap<String, Arc<Object<ConnectionSpec>>>;

pub(super) struct Draft<'a> {
    pub input: &'a TenantInput<'a>,
    pub after: Arc<Inventory>,
    pub actions: Vec<Action>,
    pub notes: Vec<Note>,
    pub findings: Vec<Finding>,
    pub made_by: HashMap<ObjectId, String>,
    /// The objects that nonexistent writers wrote, by writer.
    pub orphaned: BTreeMap<Writer, BTreeSet<ObjectId>>,
    /// The connections that the variables of declared integrations would be bound to, including integrations that are
    /// blocked.
    pub wanted: Vec<(ObjectId, Vec<Arc<Object<ConnectionSpec>>>)>,
    /// The actions after which a stable key resolves.
    pub resolved_by: HashMap<String, Vec<String>>,
    /// Objects that differ from the declaration in an immutable field: objects that need them are blocked.
    pub occupied: BTreeSet<ObjectId>,
    /// The replacements in the live tenant, and after its connections are drafted: a variable that moves is resolved
    /// with both.
    pub replacements: [OnceLock<Replacements>; 2],
    /// Hashes of values that many objects share.
    pub hashes: Hashes,
    /// What supplies several secrets, and their names.
    pub shared_secrets: OnceLock<BTreeMap<String, String>>,
    /// The actions that send a secret to a new host, by the keys of Secrets that they refer to.
    pub redirects: Redirects,
    /// The customers with credentials, by stable key: in the live tenant, and after credentials are drafted.
    pub customers_by_key: [OnceLock<CustomersByKey>; 2],
}

/// The marked actions, by the keys of Secrets that they refer to.
#[derive(Debug, Default)]
pub(super) struct Redirects(HashMap<SecretKey, Vec<String>>);

impl Redirects {
    pub(super) fn add(&mut self, action: &str, keys: BTreeSet<SecretKey>) {
        keys.into_iter().for_each(|key| self.0.entry(key).or_default().push(action.to_string()));
    }

    /// The marked actions that refer to one of these keys. They would look harmless once no other object refers to the
    /// key.
    pub(super) fn of<'r>(&'r self, ended: &'r BTreeSet<SecretKey>) -> impl Iterator<Item = &'r String> {
        ended.iter().filter_map(|key| self.0.get(key)).flatten()
    }
}

/// Notes that a sync declares another value than `by` decides. A value that is a secret on one side is treated as one
/// on the other.
pub(super) fn overridden(
    object: &ObjectId,
    field: &Field<'_>,
    (by, writer): (&Writer, &Writer),
    (from, to): (Json, Json),
    parts: Vec<String>,
) -> Note {
    let is_secret = [&from, &to].into_iter().any(|value| value.value().get("secretRef").is_some());
    let shown = |value: Json| match value.value().get("value") {
        Some(_) if is_secret => json!({"hidden": true}).into(),
        _ => value,
    };
    Note::Overridden {
        object: object.clone(),
        path: field.path(),
        by: by.clone(),
        writer: writer.clone(),
        from: shown(from),
        to: shown(to),
        parts,
    }
}
