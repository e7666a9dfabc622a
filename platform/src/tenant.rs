//! An organization that is served: its content now, and what late reads still see of it.

use crate::store::Store;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The content of an organization over time.
#[derive(Debug)]
pub struct Tenant {
    state: Mutex<State>,
    /// Held for a whole mutation, so that none is lost.
    writing: Mutex<()>,
}

#[derive(Debug)]
struct State {
    current: Arc<Store>,
    /// How many requests were answered.
    requests: u64,
    /// The content before each write that reads do not see yet, with the last request that is answered from it.
    before: Vec<(u64, Arc<Store>)>,
}

/// The right to change an organization.
pub(crate) struct Writing<'t> {
    tenant: &'t Tenant,
    _lock: MutexGuard<'t, ()>,
}

impl Tenant {
    pub(crate) fn new(store: Store) -> Self {
        let state = State { current: Arc::new(store), requests: 0, before: Vec::new() };
        Tenant { state: Mutex::new(state), writing: Mutex::new(()) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the content as it is now.
    pub fn read(&self) -> Arc<Store> {
        self.state().current.clone()
    }

    /// Changes the content, as somebody else does: every read sees it at once.
    pub fn change<T>(&self, change: impl FnOnce(&mut Store) -> T) -> T {
        let _lock = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = (*self.read()).clone();
        let result = change(&mut next);
        self.state().current = Arc::new(next);
        result
    }

    /// Returns the content that a query sees, and counts the request.
    pub(crate) fn seen(&self) -> (Arc<Store>, u64) {
        let mut state = self.state();
        state.requests += 1;
        let now = state.requests;
        state.before.retain(|(until, _)| *until >= now);
        let seen = state.before.first().map_or(&state.current, |(_, store)| store).clone();
        (seen, now)
    }

    /// Begins a mutation, and counts the request.
    pub(crate) fn writing(&self) -> (Writing<'_>, Arc<Store>, u64) {
        let lock = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.state();
        state.requests += 1;
        let (store, now) = (state.current.clone(), state.requests);
        drop(state);
        (Writing { tenant: self, _lock: lock }, store, now)
    }
}

impl Writing<'_> {
    /// Ends a mutation. The next `lag` requests that only read do not see it yet.
    pub(crate) fn commit(self, next: Arc<Store>, lag: u64) {
        let mut state = self.tenant.state();
        if Arc::ptr_eq(&state.current, &next) {
            return;
        }
        let before = std::mem::replace(&mut state.current, next);
        if lag > 0 {
            let until = state.requests + lag;
            state.before.push((until, before));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(tenant: &Tenant, name: &str, lag: u64) {
        let (writing, store, _) = tenant.writing();
        let mut next = (*store).clone();
        next.organization = name.into();
        writing.commit(Arc::new(next), lag);
    }

    #[test]
    fn reads_after_a_write_are_late_for_so_many_requests() {
        let tenant = Tenant::new(Store::new("a", "t"));
        renamed(&tenant, "b", 2);
        assert_eq!(tenant.read().organization, "b");
        let seen: Vec<String> = (0..3).map(|_| tenant.seen().0.organization.clone()).collect();
        assert_eq!(seen, ["a", "a", "b"]);
        // Of two writes, each is late by itself.
        renamed(&tenant, "c", 2);
        renamed(&tenant, "d", 2);
        let seen: Vec<String> = (0..3).map(|_| tenant.seen().0.organization.clone()).collect();
        assert_eq!(seen, ["b", "c", "d"]);
    }
}
