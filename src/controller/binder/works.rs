//! Whether connections work: remembered, as long as it is right.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// By the connection's name. What nobody asked for is not here, and nothing was decided by it.
#[derive(Debug, Default)]
pub(super) struct Works(Mutex<HashMap<String, bool>>);

impl Works {
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

    /// All that is remembered.
    #[cfg(test)]
    pub fn all(&self) -> HashMap<String, bool> {
        self.known().clone()
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, bool>> {
        // A map that was left half-way by a panic is still a map.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
