//! The cache of one tenant: data only, updated with every watch event. No I/O, no clock.

use super::index::ReverseIndex;
use super::memo::{SimilarKeys, Working};
use super::secret::fingerprint::Salt;
use super::secret::observed::BindingSecret;
use super::secret::source::SourceSecret;
use crate::api::{ConnectionSpec, Object};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::Replacements;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

pub(super) type SharedConnection = Arc<Object<ConnectionSpec>>;

/// The cached objects of one tenant namespace.
#[derive(Debug)]
pub(super) struct TenantCache {
    /// The name of the tenant; empty if unknown.
    pub tenant: String,
    /// The namespace; commands in messages name it.
    pub namespace: String,
    /// The salt of the fingerprints of Secrets.
    pub salt: Arc<Salt>,
    pub inventory: Inventory,
    pub replacements: Replacements,
    pub uids: HashMap<ObjectId, String>,
    pub sources: BTreeMap<String, SourceSecret>,
    pub bindings: BTreeMap<String, BindingSecret>,
    /// Binding Secrets, by the Secret that their values come from.
    pub copies: HashMap<String, BTreeSet<String>>,
    /// By binding Secret: why the API server refuses to write it.
    pub refused: BTreeMap<String, String>,
    pub index: ReverseIndex,
    pub similar_keys: SimilarKeys,
    pub working: Working,
    /// By ConfigMap: whether its definition can be read.
    pub definitions: BTreeMap<String, Readable>,
    /// By connection: what its integrations know about it.
    pub published: HashMap<String, Published>,
}

/// The result of the last reconcile of a connection, for its integrations.
#[derive(Debug)]
pub(super) struct Published {
    pub readiness: ConnectionReadiness,
    /// When the result may change without any event.
    pub until: Option<Timestamp>,
    /// Whether something changed since then.
    pub is_stale: bool,
}

/// Whether an integration can use a connection, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConnectionReadiness {
    pub ready: bool,
    pub reason: String,
}

/// Whether a definition can be read. An integration whose definition cannot be read is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Readable {
    Yes,
    /// It has a format that this version of Stablekey does not support, named here.
    Newer(String),
    /// It cannot be read; the reason, without values.
    No(String),
}

impl TenantCache {
    /// Returns an empty cache.
    pub(super) fn new(tenant: impl Into<String>, namespace: impl Into<String>, salt: impl Into<Arc<Salt>>) -> Self {
        TenantCache {
            tenant: tenant.into(),
            namespace: namespace.into(),
            salt: salt.into(),
            inventory: Inventory::default(),
            replacements: Replacements::default(),
            uids: HashMap::new(),
            sources: BTreeMap::new(),
            bindings: BTreeMap::new(),
            copies: HashMap::new(),
            refused: BTreeMap::new(),
            index: ReverseIndex::default(),
            similar_keys: SimilarKeys::default(),
            working: Working::default(),
            definitions: BTreeMap::new(),
            published: HashMap::new(),
        }
    }

    /// Whether a foreign Secret occupies the name of a binding Secret. Changes of such a Secret are not watched, so it
    /// is read from time to time until it is deleted.
    pub(super) fn is_in_the_way(&self, secret: &str) -> bool {
        self.bindings.get(secret).is_some_and(|b| b.ours.is_none() && !b.watched)
    }

    /// Whether a Secret is a binding Secret that Stablekey made.
    pub(super) fn is_ours(&self, secret: &str) -> bool {
        self.bindings.get(secret).is_some_and(|binding| binding.ours.is_some())
    }

    /// Returns the cached resource version of a Secret.
    pub(super) fn secret_version(&self, name: &str) -> Option<&str> {
        let source = self.sources.get(name).map(|source| source.resource_version.as_str());
        source.or_else(|| self.bindings.get(name).map(|binding| binding.resource_version.as_str()))
    }

    /// Returns the Secrets that are watched.
    pub(super) fn watched_secrets(&self) -> impl Iterator<Item = &str> {
        let bindings = self.bindings.values().filter(|binding| binding.watched).map(|binding| binding.name.as_str());
        self.sources.keys().map(String::as_str).chain(bindings)
    }

    /// Marks what integrations know about a connection as outdated, because something that it depends on changed.
    pub(super) fn mark_stale(&mut self, connection: &str) {
        if let Some(published) = self.published.get_mut(connection) {
            published.is_stale = true;
        }
    }
}
