//! A namespace that is followed by watches, with its objects in memory.

use super::read::MOST_BYTES;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::budget::Budget;
use crate::kubernetes::cache::{Cache, ChangedObjects, NamespaceDelta};
use crate::kubernetes::client::Server;
use crate::kubernetes::error::RequestError;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{self, CUSTOMERS, WATCHED, WatchEvent, WatchHandle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most memory of objects that a watch delivered and that were not taken in yet, in bytes.
const IN_FLIGHT: usize = 256 * 1024 * 1024;

/// A namespace that is followed until this is dropped.
#[derive(Debug)]
pub struct FollowedNamespace {
    state: Arc<Mutex<FollowedState>>,
    _watch: WatchHandle,
}

#[derive(Debug)]
struct FollowedState {
    cache: Cache,
    /// The resources that were listed whole.
    listed: BTreeSet<&'static str>,
    /// Why changes go unnoticed now, by resource.
    lost: BTreeMap<&'static str, RequestError>,
    /// What changed since it was taken last.
    changed: FollowedChange,
}

/// Why a namespace cannot be followed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FollowLost {
    /// A request failed.
    #[error(transparent)]
    Request(RequestError),
    /// It has more objects than are kept in memory.
    #[error("it has more objects than are kept in memory")]
    TooMany,
}

/// What changed in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum FollowedChange {
    #[default]
    Nothing,
    /// These objects.
    Objects(BTreeSet<ObjectId>),
    /// Any objects.
    Everything,
    /// Its own Tenant, or more than can be told: it has to be read again.
    Unsure,
}

impl FollowedNamespace {
    /// Follows a namespace, and calls `changed` when something of it changed, or may have, and when it is lost.
    pub(super) fn start(server: &Server, paths: &Paths, changed: impl Fn() + Send + Sync + 'static) -> Self {
        let state = Arc::new(Mutex::new(FollowedState {
            cache: Cache::bounded(MOST_BYTES),
            listed: BTreeSet::new(),
            lost: BTreeMap::new(),
            changed: FollowedChange::Nothing,
        }));
        let of_events = Arc::clone(&state);
        let on_event = move |event: WatchEvent<NamespaceDelta>| {
            if lock(&of_events).take_in(event) {
                changed();
            }
        };
        let mut watches = watch::namespace(server, paths, Budget::of(IN_FLIGHT), Arc::new(on_event));
        watch::customers(&mut watches);
        FollowedNamespace { state, _watch: watches.done() }
    }

    /// Takes what changed since the last time, with the objects that are there now: `None` until all were listed, and
    /// while any is lost.
    pub fn take(&self) -> (FollowedChange, Option<Arc<Inventory>>) {
        let mut state = lock(&self.state);
        let inventory = state.is_known().then(|| Arc::clone(state.cache.inventory()));
        (std::mem::take(&mut state.changed), inventory)
    }

    /// Why changes go unnoticed now.
    pub fn lost(&self) -> Option<FollowLost> {
        let state = lock(&self.state);
        match state.lost.values().next() {
            Some(error) => Some(FollowLost::Request(error.clone())),
            None => state.cache.is_over().then_some(FollowLost::TooMany),
        }
    }
}

fn lock(state: &Mutex<FollowedState>) -> MutexGuard<'_, FollowedState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FollowedState {
    fn is_known(&self) -> bool {
        let is_listed = |resource: &&str| self.listed.contains(*resource);
        self.lost.is_empty() && !self.cache.is_over() && WATCHED.iter().chain([&CUSTOMERS]).all(is_listed)
    }

    /// Returns whether somebody has to be told.
    fn take_in(&mut self, event: WatchEvent<NamespaceDelta>) -> bool {
        let was_known = self.is_known();
        match event {
            WatchEvent::Changed(delta, room) => {
                let changed = self.cache.apply(delta);
                drop(room);
                let has_turned = self.cache.take_turned();
                if was_known {
                    self.changed.add(match changed {
                        _ if self.cache.is_over() => FollowedChange::Unsure,
                        ChangedObjects::Everything => FollowedChange::Unsure,
                        _ if has_turned => FollowedChange::Everything,
                        ChangedObjects::Objects(objects) if objects.is_empty() => FollowedChange::Nothing,
                        ChangedObjects::Objects(objects) => FollowedChange::Objects(objects),
                    });
                }
                was_known && self.changed != FollowedChange::Nothing
            }
            WatchEvent::Watched(resource) => {
                let (is_new, was_lost) = (self.listed.insert(resource), self.lost.remove(resource).is_some());
                // What changed between the reading of the tenant and its first list, or while it was lost.
                if !was_known && self.is_known() {
                    self.changed.add(FollowedChange::Everything);
                }
                (is_new || was_lost) && self.is_known()
            }
            // A server that is down is reported again and again.
            WatchEvent::Lost(resource, why) => {
                self.changed.add(FollowedChange::Unsure);
                self.lost.insert(resource, why).is_none()
            }
            WatchEvent::Rewound(_) => {
                self.changed.add(FollowedChange::Unsure);
                true
            }
        }
    }
}

impl FollowedChange {
    /// Adds a later change.
    fn add(&mut self, other: FollowedChange) {
        *self = match (std::mem::take(self), other) {
            (FollowedChange::Nothing, change) | (change, FollowedChange::Nothing) => change,
            (FollowedChange::Unsure, _) | (_, FollowedChange::Unsure) => FollowedChange::Unsure,
            (FollowedChange::Everything, _) | (_, FollowedChange::Everything) => FollowedChange::Everything,
            (FollowedChange::Objects(mut objects), FollowedChange::Objects(more)) => {
                objects.extend(more);
                FollowedChange::Objects(objects)
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;

    /// Several changes before one is taken are one change: nothing is lost.
    #[test]
    fn changes_add_up() {
        let of = |name: &str| FollowedChange::Objects([ObjectId::new(Kind::Connection, name)].into());
        let sum = |changes: &[FollowedChange]| {
            let mut sum = FollowedChange::Nothing;
            changes.iter().cloned().for_each(|change| sum.add(change));
            sum
        };
        let both = FollowedChange::Objects(["a", "b"].map(|name| ObjectId::new(Kind::Connection, name)).into());
        assert_eq!(sum(&[of("a"), FollowedChange::Nothing, of("b")]), both);
        assert_eq!(sum(&[of("a"), FollowedChange::Everything, of("b")]), FollowedChange::Everything);
        assert_eq!(sum(&[FollowedChange::Everything, FollowedChange::Unsure, of("b")]), FollowedChange::Unsure);
    }
}
