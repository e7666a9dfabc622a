//! A plan of one tenant while it is made.

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

/// A key of a Secret: the Secret's name, and the key in it.
pub(super) type SecretKey = (String, String);

/// Customers, by the key that they gave their credentials for.
pub(super) type Gave = HashMap<String, BTreeSet<String>>;

/// What the variables of an integration will be bound to.
pub(super) type BoundVariables = BTreeMap<String, Arc<Object<ConnectionSpec>>>;

pub(super) struct Draft<'a> {
    pub input: &'a TenantInput<'a>,
    pub after: Arc<Inventory>,
    pub actions: Vec<Action>,
    pub notes: Vec<Note>,
    pub findings: Vec<Finding>,
    pub made_by: HashMap<ObjectId, String>,
    /// What writers that are gone wrote, by writer.
    pub orphaned: BTreeMap<Writer, BTreeSet<ObjectId>>,
    /// What the variables of declared integrations, written or not, would be bound to.
    pub wanted: Vec<(ObjectId, Vec<Arc<Object<ConnectionSpec>>>)>,
    /// The actions after which a stable key has an answer.
    pub answered_by: HashMap<String, Vec<String>>,
    /// Objects that are not what their writers want: what needs them is held back.
    pub occupied: BTreeSet<ObjectId>,
    /// Who answers for which key in the tenant as it is, and once its connections are drafted: where a variable
    /// moves, both are asked.
    pub answering: [OnceLock<Replacements>; 2],
    /// Of values that many objects share.
    pub hashes: Hashes,
    /// The actions that send a secret to a new host, by the keys of Secrets that they name.
    pub redirects: Redirects,
    /// Customers who gave credentials, by the key that they gave them for: before, and once credentials are drafted.
    pub gave: [OnceLock<Gave>; 2],
}

/// The marked actions by the keys of Secrets that they name.
#[derive(Debug, Default)]
pub(super) struct Redirects(HashMap<SecretKey, Vec<String>>);

impl Redirects {
    pub fn add(&mut self, action: &str, keys: BTreeSet<SecretKey>) {
        keys.into_iter().for_each(|key| self.0.entry(key).or_default().push(action.to_string()));
    }

    /// The marked actions that name one of these keys: what ends that others name it would make them look harmless.
    pub fn of<'r>(&'r self, ended: &'r BTreeSet<SecretKey>) -> impl Iterator<Item = &'r String> {
        ended.iter().filter_map(|key| self.0.get(key)).flatten()
    }
}

/// That a sync wants a field otherwise than `by` decides. Whatever is a secret on one side is treated as one on
/// the other.
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
