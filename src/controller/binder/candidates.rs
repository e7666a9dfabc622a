//! Stable keys that may have been meant where none answers: remembered, as long as they are right.

use crate::engine::model::inventory::Inventory;
use crate::near_miss::{are_alike, near_misses};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// By the key that nobody answers.
#[derive(Debug, Default)]
pub(super) struct Candidates(Mutex<HashMap<String, Arc<[String]>>>);

impl Candidates {
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

    /// A connection with this key came or went: what it changes is forgotten, and told.
    pub fn forget(&mut self, connection: &str) -> Vec<String> {
        let mut known = self.known();
        let keys: Vec<String> = known.keys().filter(|key| are_alike(key, connection)).cloned().collect();
        known.retain(|key, _| !keys.contains(key));
        keys
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Arc<[String]>>> {
        // A map that was left half-way by a panic is still a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
