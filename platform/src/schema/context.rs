//! What resolvers see of a request.

use crate::operations::Refusal;
use crate::store::Store;
use crate::switches::Switches;
use std::sync::{Arc, PoisonError, RwLock};

/// An organization that the user can enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenancy {
    pub tenant_id: String,
    pub organization: String,
    pub url: String,
}

/// One request: the organization as it was when the request came, which its mutations change.
pub struct Context {
    store: RwLock<Arc<Store>>,
    pub switches: Switches,
    pub tenancies: Vec<Tenancy>,
    /// How far lists without an order are rotated.
    pub rotation: usize,
    /// Whether a refusal says what the client may have meant.
    pub suggests: bool,
}

impl juniper::Context for Context {}

impl Context {
    pub fn new(store: Arc<Store>, switches: Switches, tenancies: Vec<Tenancy>) -> Self {
        Context { store: RwLock::new(store), switches, tenancies, rotation: 0, suggests: false }
    }

    pub fn store(&self) -> Arc<Store> {
        self.store.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does a write whole, or not at all.
    pub fn write<T>(&self, write: impl FnOnce(&mut Store, &Switches) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let mut store = self.store.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = (**store).clone();
        let done = write(&mut next, &self.switches)?;
        *store = Arc::new(next);
        Ok(done)
    }

    /// Changes the order of a list for which the client asked for none.
    pub fn unordered<T>(&self, found: &mut [T]) {
        if !found.is_empty() {
            found.rotate_left(self.rotation % found.len());
        }
    }
}
