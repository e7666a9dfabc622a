//! The metadata and status of the cached objects of one namespace.

use crate::engine::model::item::{Item, ObjectId};
use crate::kubernetes::object::{BEING_DELETED, Live, is_after};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// The metadata and status of one object.
#[derive(Debug)]
pub(super) struct ObjectMetaCache {
    pub uid: String,
    pub generation: i64,
    revision: String,
    status: Option<Box<RawValue>>,
    /// It is being deleted: its status is no longer written.
    pub is_going: bool,
}

impl ObjectMetaCache {
    pub(super) fn status<S: DeserializeOwned + Default>(&self) -> S {
        self.status.as_ref().and_then(|status| serde_json::from_str(status.get()).ok()).unwrap_or_default()
    }
}

/// All objects, by kind and name.
#[derive(Debug, Default)]
pub(super) struct KnownObjects(HashMap<ObjectId, ObjectMetaCache>);

impl KnownObjects {
    /// Adds or replaces an object; returns whether it changed.
    pub(super) fn put(&mut self, id: &ObjectId, live: &mut Live<Item>) -> bool {
        let version = &live.version;
        let known = self.0.get(id);
        let is_new = |known: &ObjectMetaCache| {
            known.revision != version.resource_version && !is_after(&known.revision, &version.resource_version)
        };
        if !known.is_none_or(is_new) {
            return false;
        }
        let known = ObjectMetaCache {
            uid: version.uid.clone(),
            generation: live.generation,
            revision: version.resource_version.clone(),
            status: live.status.take(),
            is_going: live.read.as_ref().is_err_and(|why| why == BEING_DELETED),
        };
        self.0.insert(id.clone(), known);
        true
    }

    /// Removes an object that was deleted at this revision; returns whether it was known.
    pub(super) fn gone(&mut self, id: &ObjectId, revision: Option<&str>) -> bool {
        let late = |known: &ObjectMetaCache| revision.is_some_and(|revision| is_after(&known.revision, revision));
        if self.0.get(id).is_none_or(late) {
            return false;
        }
        self.0.remove(id).is_some()
    }

    pub(super) fn get(&self, id: &ObjectId) -> Option<&ObjectMetaCache> {
        self.0.get(id)
    }

    /// Returns the ids of all objects.
    pub(super) fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.0.keys()
    }
}
