//! What is known of the objects of one namespace beside what they say.

use crate::engine::model::item::{Item, ObjectId};
use crate::kubernetes::object::{BEING_DELETED, Live, is_after};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::HashMap;

/// One object.
#[derive(Debug)]
pub struct ObjectMetaCache {
    /// Which object of its name.
    pub uid: String,
    /// How often its spec was changed.
    pub generation: i64,
    revision: String,
    status: Option<Box<RawValue>>,
    /// It goes away: nothing is said of it any more.
    pub is_going: bool,
}

impl ObjectMetaCache {
    /// Its status as it is.
    pub fn status<S: DeserializeOwned + Default>(&self) -> S {
        self.status.as_ref().and_then(|status| serde_json::from_str(status.get()).ok()).unwrap_or_default()
    }
}

/// By kind and name.
#[derive(Debug, Default)]
pub struct KnownObjects(HashMap<ObjectId, ObjectMetaCache>);

impl KnownObjects {
    /// Takes in an object as it is; whether that is news.
    pub fn put(&mut self, id: &ObjectId, live: &mut Live<Item>) -> bool {
        let version = &live.version;
        let known = self.0.get(id);
        let is_news = |known: &ObjectMetaCache| {
            known.revision != version.resource_version && !is_after(&known.revision, &version.resource_version)
        };
        if !known.is_none_or(is_news) {
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

    /// An object is gone as of a revision; whether that is news.
    pub fn gone(&mut self, id: &ObjectId, revision: Option<&str>) -> bool {
        let late = |known: &ObjectMetaCache| revision.is_some_and(|revision| is_after(&known.revision, revision));
        if self.0.get(id).is_none_or(late) {
            return false;
        }
        self.0.remove(id).is_some()
    }

    /// One of them.
    pub fn get(&self, id: &ObjectId) -> Option<&ObjectMetaCache> {
        self.0.get(id)
    }

    /// All that there are.
    pub fn ids(&self) -> impl Iterator<Item = &ObjectId> {
        self.0.keys()
    }
}
