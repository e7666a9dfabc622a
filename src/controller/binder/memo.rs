//! Memoized results, kept until something that they depend on changes.

use crate::engine::model::inventory::Inventory;
use crate::near_miss::{are_similar, near_misses};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Similar stable keys, by a key that no connection has.
#[derive(Debug, Default)]
pub(super) struct SimilarKeys(Mutex<HashMap<String, Arc<[String]>>>);

impl SimilarKeys {
    /// Returns the keys of connections that are similar to `key`.
    pub(super) fn of(&self, key: &str, inventory: &Inventory) -> Arc<[String]> {
        if let Some(known) = self.known().get(key) {
            return known.clone();
        }
        let keys = inventory.connections.values().map(|c| c.spec.stable_key.as_str());
        let near = near_misses(key, keys);
        let near: Arc<[String]> = near.into_iter().map(str::to_string).collect();
        self.known().insert(key.to_string(), near.clone());
        near
    }

    /// Forgets the entries that a new or deleted connection with this key affects, and returns their keys.
    pub(super) fn forget(&mut self, connection: &str) -> Vec<String> {
        let mut known = self.known();
        let keys: Vec<String> = known.keys().filter(|key| are_similar(key, connection)).cloned().collect();
        known.retain(|key, _| !keys.contains(key));
        keys
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<[String]>>> {
        // A panic while the lock was taken cannot leave the map inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether connections work, by name. A connection without an entry was never asked for.
#[derive(Debug, Default)]
pub(super) struct Working(Mutex<HashMap<String, bool>>);

impl Working {
    /// Returns whether a connection works: the memoized result, or that of `find`.
    pub(super) fn of(&self, connection: &str, find: impl FnOnce() -> bool) -> bool {
        let known = self.known().get(connection).copied();
        known.unwrap_or_else(|| {
            let works = find();
            self.known().insert(connection.to_string(), works);
            works
        })
    }

    /// Forgets the result for a connection, and returns it.
    pub(super) fn forget(&mut self, connection: &str) -> Option<bool> {
        self.known().remove(connection)
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> HashMap<String, bool> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        // A panic while the lock was taken cannot leave the map inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
