//! What was found out and is still right: kept, because it is asked often.

use crate::engine::model::inventory::Inventory;
use crate::near_miss::{are_alike, near_misses};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Stable keys that may have been meant, by the key that no connection has.
#[derive(Debug, Default)]
pub struct SimilarKeys(Mutex<HashMap<String, Arc<[String]>>>);

impl SimilarKeys {
    /// The keys of connections that `key` may have been meant to be.
    pub fn of(&self, key: &str, inventory: &Inventory) -> Arc<[String]> {
        if let Some(known) = self.known().get(key) {
            return known.clone();
        }
        let keys = inventory.connections.values().map(|c| c.spec.stable_key.as_str());
        let near = near_misses(key, keys.filter(|other| are_alike(key, other)));
        let near: Arc<[String]> = near.into_iter().map(str::to_string).collect();
        self.known().insert(key.to_string(), near.clone());
        near
    }

    /// A connection with this key came or went: forgets what that changes, and returns the keys that were asked for.
    pub fn forget(&mut self, connection: &str) -> Vec<String> {
        let mut known = self.known();
        let keys: Vec<String> = known.keys().filter(|key| are_alike(key, connection)).cloned().collect();
        known.retain(|key, _| !keys.contains(key));
        keys
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<[String]>>> {
        // A map that a panic left half-way is still a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether connections work, by name. One that nobody asked for is not here, and decided nothing.
#[derive(Debug, Default)]
pub struct Working(Mutex<HashMap<String, bool>>);

impl Working {
    /// Whether a connection works: as it was found, or as `find` finds it now.
    pub fn of(&self, connection: &str, find: impl FnOnce() -> bool) -> bool {
        let known = self.known().get(connection).copied();
        known.unwrap_or_else(|| {
            let works = find();
            self.known().insert(connection.to_string(), works);
            works
        })
    }

    /// Something that decides about a connection changed; what was found of it, if anybody asked.
    pub fn forget(&mut self, connection: &str) -> Option<bool> {
        self.known().remove(connection)
    }

    #[cfg(test)]
    pub fn all(&self) -> HashMap<String, bool> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        // A map that a panic left half-way is still a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
