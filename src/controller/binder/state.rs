//! What the binder knows of its tenant, kept with every change that was watched.

use super::candidates::Candidates;
use super::due::Due;
use super::fingerprint::Salt;
use super::index::Index;
use super::seen::{BindingSecret, Seen};
use super::source::SourceSecret;
use super::verdict::{ConnectionVerdict, Readiness};
use crate::engine::item::{Item, ObjectId};
use crate::engine::record::Record;
use crate::engine::resolve::Replacements;
use crate::engine::world::Inventory;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// One tenant namespace, as it was watched.
#[derive(Debug)]
pub struct Binder {
    pub(super) tenant: String,
    pub(super) salt: Salt,
    pub(super) inventory: Inventory,
    pub(super) replacements: Replacements,
    pub(super) uids: HashMap<ObjectId, String>,
    pub(super) sources: BTreeMap<String, SourceSecret>,
    pub(super) bindings: BTreeMap<String, BindingSecret>,
    /// Why the cluster did not let a binding Secret be written, by its name.
    pub(super) refused: BTreeMap<String, String>,
    pub(super) index: Index,
    pub(super) candidates: Candidates,
    /// By connection: what its integrations were told of it.
    told: HashMap<String, Told>,
}

/// What was found of a connection when it was last looked at.
#[derive(Debug)]
struct Told {
    readiness: Readiness,
    /// When time alone may change it.
    until: Option<Timestamp>,
    /// Whether something changed since.
    is_stale: bool,
}

/// Something that was watched, or came of a write.
#[derive(Debug)]
pub enum Change {
    /// An object is there, as said.
    There(Live),
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
    Secret(Seen),
    /// A Secret is gone, or is watched no longer.
    SecretGone(String),
    /// The cluster did not let a binding Secret be written, for good.
    Refused {
        /// Its name.
        binding: String,
        /// Why. Without values.
        why: String,
    },
}

/// An object that is there.
#[derive(Clone, Debug)]
pub struct Live {
    /// The object.
    pub item: Item,
    /// Which object of this name.
    pub uid: String,
    /// What we wrote to it, where our manager holds the annotation.
    pub record: Option<Arc<Record>>,
}

impl Binder {
    /// Of a tenant. Without any change the tenant is empty.
    pub fn new(tenant: impl Into<String>, salt: Salt) -> Self {
        Binder {
            tenant: tenant.into(),
            salt,
            inventory: Inventory::default(),
            replacements: Replacements::default(),
            uids: HashMap::new(),
            sources: BTreeMap::new(),
            bindings: BTreeMap::new(),
            refused: BTreeMap::new(),
            index: Index::default(),
            candidates: Candidates::default(),
            told: HashMap::new(),
        }
    }

    /// What it knows of the tenant's objects.
    pub fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// What its Secrets are hashed with.
    pub fn salt(&self) -> &Salt {
        &self.salt
    }

    /// Secrets that are in the way of a binding and of which no change is watched: to be asked for now
    /// and then, and taken in as gone when they are.
    pub fn in_the_way(&self) -> impl Iterator<Item = &str> {
        self.bindings.values().filter(|b| b.ours.is_none() && !b.watched).map(|b| b.name.as_str())
    }

    /// Looks at a connection, and says which integrations are to be looked at because of what is found.
    pub fn look_at_connection(&mut self, name: &str, now: Timestamp) -> (Option<ConnectionVerdict>, Due) {
        let verdict = self.connection(name, now);
        let before = match &verdict {
            Some(verdict) => {
                let (readiness, until) = (verdict.readiness(), verdict.look_again);
                self.told.insert(name.to_string(), Told { readiness, until, is_stale: false })
            }
            None => self.told.remove(name),
        };
        let same = before.map(|told| told.readiness) == verdict.as_ref().map(ConnectionVerdict::readiness);
        (verdict, if same { Due::default() } else { self.due_to_users(name) })
    }

    /// Whether a connection can be used: as it was found last, where that still holds.
    pub(super) fn readiness(&self, connection: &str, now: Timestamp) -> Readiness {
        let holds = |told: &&Told| !told.is_stale && told.until.is_none_or(|until| now < until);
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
