//! What the binder knows of its tenant, kept with every change that was watched.

use super::candidates::Candidates;
use super::definitions::Readable;
use super::due::Due;
use super::fingerprint::Salt;
use super::index::Index;
use super::seen::{BindingSecret, ObservedSecret};
use super::source::SourceSecret;
use super::verdict::{ConnectionVerdict, Readiness};
use super::works::Works;
use crate::api::Kind;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Record;
use crate::engine::resolve::Replacements;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// One tenant namespace, as it was watched.
#[derive(Debug)]
pub struct Binder {
    pub(super) tenant: String,
    pub(super) namespace: String,
    pub(super) salt: Arc<Salt>,
    pub(super) inventory: Inventory,
    pub(super) replacements: Replacements,
    pub(super) uids: HashMap<ObjectId, String>,
    pub(super) sources: BTreeMap<String, SourceSecret>,
    pub(super) bindings: BTreeMap<String, BindingSecret>,
    /// Binding Secrets, by a Secret that their values come from.
    pub(super) copies: HashMap<String, BTreeSet<String>>,
    /// Why the cluster did not let a binding Secret be written, by its name.
    pub(super) refused: BTreeMap<String, String>,
    pub(super) index: Index,
    pub(super) candidates: Candidates,
    pub(super) works: Works,
    /// The ConfigMaps with definitions, by name: whether the definition can be read.
    pub(super) definitions: BTreeMap<String, Readable>,
    /// By connection: what its integrations were told of it.
    told: HashMap<String, Reported>,
}

/// What was found of a connection when it was last looked at.
#[derive(Debug)]
struct Reported {
    readiness: Readiness,
    /// When time alone may change it.
    until: Option<Timestamp>,
    /// Whether something changed since.
    is_stale: bool,
}

/// Something that was watched, or came of a write.
#[derive(Debug)]
pub enum InventoryChange {
    /// An object is there, as said.
    There(LiveObject),
    /// An object is there and cannot be read, and why. No values.
    Invalid {
        /// Which.
        id: ObjectId,
        /// Why.
        why: String,
    },
    /// An object is gone.
    Gone(ObjectId),
    /// A Secret is there: one that was watched, that we wrote, or that was in the way.
    Secret(ObservedSecret),
    /// A Secret is gone, or is watched no longer.
    SecretGone(String),
    /// The cluster did not let a binding Secret be written, for good.
    Refused {
        /// Its name.
        binding: String,
        /// Why. Without values.
        why: String,
    },
    /// A ConfigMap with a definition is there.
    Definition {
        /// Its name.
        config_map: String,
        /// Whether the definition in it can be read.
        readable: Readable,
    },
    /// A ConfigMap with a definition is gone.
    DefinitionGone(String),
}

impl InventoryChange {
    /// Whether it may decide whether a connection works.
    pub(super) fn decides_who_works(&self) -> bool {
        let of_kind = |kind: Kind| matches!(kind, Kind::Connection | Kind::Component);
        match self {
            InventoryChange::There(live) => of_kind(live.item.id().kind),
            InventoryChange::Invalid { id, .. } | InventoryChange::Gone(id) => of_kind(id.kind),
            InventoryChange::Secret(_) | InventoryChange::SecretGone(_) => true,
            InventoryChange::Refused { .. }
            | InventoryChange::Definition { .. }
            | InventoryChange::DefinitionGone(_) => false,
        }
    }
}

/// An object that is there.
#[derive(Clone, Debug)]
pub struct LiveObject {
    /// The object.
    pub item: Item,
    /// Which object of this name.
    pub uid: String,
    /// What we wrote to it, where our manager holds the annotation.
    pub record: Option<Arc<Record>>,
}

impl Binder {
    /// Of a tenant. Without any change the tenant is empty.
    pub fn new(tenant: impl Into<String>, salt: impl Into<Arc<Salt>>) -> Self {
        Binder {
            tenant: tenant.into(),
            namespace: String::new(),
            salt: salt.into(),
            inventory: Inventory::default(),
            replacements: Replacements::default(),
            uids: HashMap::new(),
            sources: BTreeMap::new(),
            bindings: BTreeMap::new(),
            copies: HashMap::new(),
            refused: BTreeMap::new(),
            index: Index::default(),
            candidates: Candidates::default(),
            works: Works::default(),
            definitions: BTreeMap::new(),
            told: HashMap::new(),
        }
    }

    /// The same, in this namespace: messages name it in the commands that they give.
    pub fn in_namespace(self, namespace: &str) -> Self {
        Binder { namespace: namespace.to_string(), ..self }
    }

    /// What it knows of the tenant's objects.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What its tenant is called; empty where nobody can say.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// What its Secrets are hashed with.
    pub fn salt(&self) -> &Salt {
        &self.salt
    }

    /// Whether a Secret is in the way of a binding and no change of it is watched: it is to be asked for now
    /// and then, and taken in as gone when it is.
    pub fn is_in_the_way(&self, secret: &str) -> bool {
        self.bindings.get(secret).is_some_and(|b| b.ours.is_none() && !b.watched)
    }

    /// Whether an object wants a Secret of this name.
    pub fn wants(&self, secret: &str) -> bool {
        !self.due_to_binding(secret).is_empty()
    }

    /// Looks at a connection, and says which integrations are to be looked at because of what is found.
    pub fn look_at_connection(&mut self, name: &str, now: Timestamp) -> (Option<ConnectionVerdict>, Due) {
        let verdict = self.connection(name, now);
        let due = self.tell_of_connection(name, verdict.as_ref());
        (verdict, due)
    }

    /// From now on this is what integrations are told of a connection; which of them are to be looked at
    /// because of it.
    pub fn tell_of_connection(&mut self, name: &str, verdict: Option<&ConnectionVerdict>) -> Due {
        let before = match verdict {
            Some(verdict) => {
                let (readiness, until) = (verdict.readiness(), verdict.look_again);
                self.told.insert(name.to_string(), Reported { readiness, until, is_stale: false })
            }
            None => self.told.remove(name),
        };
        let same = before.map(|told| told.readiness) == verdict.map(ConnectionVerdict::readiness);
        if same { Due::default() } else { self.due_to_users(name) }
    }

    /// A connection that an integration is bound to, of which something changed since integrations were told.
    pub fn stale_connections(&self, integration: &str) -> impl Iterator<Item = String> {
        let bound = self.bound_by(integration).into_iter();
        bound.filter(|name| self.told.get(name).is_none_or(|told| told.is_stale))
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

    /// Whether a Secret is a binding Secret of ours.
    pub fn is_ours(&self, secret: &str) -> bool {
        self.bindings.get(secret).is_some_and(|binding| binding.ours.is_some())
    }

    /// Whether a connection can be used: as it was found last, where that still holds.
    pub(super) fn readiness(&self, connection: &str, now: Timestamp) -> Readiness {
        let holds = |told: &&Reported| !told.is_stale && told.until.is_none_or(|until| now < until);
        let told = self.told.get(connection).filter(holds).map(|told| told.readiness.clone());
        let found = || self.connection(connection, now).map(|verdict| verdict.readiness());
        told.or_else(found).unwrap_or(Readiness { ready: false, reason: String::new() })
    }

    pub(super) fn forget_told(&mut self, connection: &str) {
        if let Some(told) = self.told.get_mut(connection) {
            told.is_stale = true;
        }
    }
}
