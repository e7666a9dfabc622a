//! What the binder knows of one tenant: data, kept with every change that was watched. No I/O, no clock.

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

/// A connection, shared.
pub type SharedConnection = Arc<Object<ConnectionSpec>>;

/// One tenant namespace, as it was watched.
#[derive(Debug)]
pub struct TenantCache {
    /// What the tenant is called; empty where nobody can say.
    pub tenant: String,
    /// Messages name it in the commands that they give.
    pub namespace: String,
    /// What Secrets are hashed with.
    pub salt: Arc<Salt>,
    pub inventory: Inventory,
    pub replacements: Replacements,
    pub uids: HashMap<ObjectId, String>,
    pub sources: BTreeMap<String, SourceSecret>,
    pub bindings: BTreeMap<String, BindingSecret>,
    /// Binding Secrets, by a Secret that their values come from.
    pub copies: HashMap<String, BTreeSet<String>>,
    /// Why the cluster did not let a binding Secret be written, by its name.
    pub refused: BTreeMap<String, String>,
    pub index: ReverseIndex,
    pub similar_keys: SimilarKeys,
    pub working: Working,
    /// Whether the definitions in ConfigMaps can be read, by the ConfigMap's name.
    pub definitions: BTreeMap<String, Readable>,
    /// By connection: what its integrations know of it.
    pub published: HashMap<String, Published>,
}

/// What was found of a connection when it was last reconciled.
#[derive(Debug)]
pub struct Published {
    pub readiness: ConnectionReadiness,
    /// When time alone may change it.
    pub until: Option<Timestamp>,
    /// Whether something changed since.
    pub is_stale: bool,
}

/// Whether an integration can use a connection, and why not: all that it needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionReadiness {
    pub ready: bool,
    pub reason: String,
}

/// Whether a definition can be read: an integration without one that can is not ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readable {
    Yes,
    /// It is of a format that this version of stablekey does not read: what it is.
    Newer(String),
    /// It cannot, and why. No value of it.
    No(String),
}

impl TenantCache {
    /// Of a tenant of which nothing is known yet.
    pub fn new(tenant: impl Into<String>, namespace: impl Into<String>, salt: impl Into<Arc<Salt>>) -> Self {
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

    /// Whether a Secret is in the way of a binding and no change of it is watched: it is to be asked for now and then,
    /// and taken in as gone when it is.
    pub fn is_in_the_way(&self, secret: &str) -> bool {
        self.bindings.get(secret).is_some_and(|b| b.ours.is_none() && !b.watched)
    }

    /// Whether a Secret is a binding Secret of ours.
    pub fn is_ours(&self, secret: &str) -> bool {
        self.bindings.get(secret).is_some_and(|binding| binding.ours.is_some())
    }

    /// The state of a Secret that was taken in last.
    pub fn secret_version(&self, name: &str) -> Option<&str> {
        let source = self.sources.get(name).map(|source| source.resource_version.as_str());
        source.or_else(|| self.bindings.get(name).map(|binding| binding.resource_version.as_str()))
    }

    /// The Secrets of which every change is watched.
    pub fn watched_secrets(&self) -> impl Iterator<Item = &str> {
        let bindings = self.bindings.values().filter(|binding| binding.watched).map(|binding| binding.name.as_str());
        self.sources.keys().map(String::as_str).chain(bindings)
    }

    /// Something that a connection depends on changed: what its integrations know of it may be wrong.
    pub fn mark_stale(&mut self, connection: &str) {
        if let Some(published) = self.published.get_mut(connection) {
            published.is_stale = true;
        }
    }
}
