//! The Tenants and TenantSyncs of a namespace, from the watches and from the answers to writes.

use crate::api::*;
use crate::controller::probes::readiness::Waiting;
use crate::kubernetes::cache::Delta;
use crate::kubernetes::error::RequestError;
use crate::kubernetes::object::{Live, is_after};
use crate::kubernetes::watch::WatchEvent;
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

/// The Tenants and TenantSyncs of a namespace.
pub(super) struct HubObjects {
    pub tenants: BTreeMap<String, Live<Object<TenantSpec>>>,
    pub syncs: BTreeMap<String, Live<Object<TenantSyncSpec>>>,
    namespace: String,
    /// The resources that were not listed yet, and the wait of the readiness probe.
    unread: BTreeSet<&'static str>,
    waiting: Option<Waiting>,
}

impl HubObjects {
    /// Creates the objects of a namespace, none of them known yet.
    pub(super) fn new(namespace: &str, waiting: Waiting) -> Self {
        HubObjects {
            tenants: BTreeMap::new(),
            syncs: BTreeMap::new(),
            namespace: namespace.to_string(),
            unread: [Kind::Tenant.plural(), Kind::TenantSync.plural()].into(),
            waiting: Some(waiting),
        }
    }

    /// Whether both resources were listed.
    pub(super) fn are_read(&self) -> bool {
        self.unread.is_empty()
    }

    /// Applies an event of the watch of Tenants; returns whether a spec changed.
    pub(super) fn on_tenants(&mut self, event: WatchEvent<Delta<Live<Object<TenantSpec>>>>) -> bool {
        let Some((delta, is_first)) = self.on_event(Kind::Tenant.plural(), event) else { return false };
        apply_outcome(&mut self.tenants, delta, is_first)
    }

    /// Applies an event of the watch of TenantSyncs; returns whether a spec changed.
    pub(super) fn on_syncs(&mut self, event: WatchEvent<Delta<Live<Object<TenantSyncSpec>>>>) -> bool {
        let Some((delta, is_first)) = self.on_event(Kind::TenantSync.plural(), event) else { return false };
        apply_outcome(&mut self.syncs, delta, is_first)
    }

    /// Applies the answer to a write of a Tenant's status; returns whether its spec changed.
    pub(super) fn on_tenant_written(&mut self, live: Live<Object<TenantSpec>>) -> bool {
        answered(&mut self.tenants, live)
    }

    /// Applies the answer to a write of a TenantSync's status; returns whether its spec changed.
    pub(super) fn on_sync_written(&mut self, live: Live<Object<TenantSyncSpec>>) -> bool {
        answered(&mut self.syncs, live)
    }

    /// Returns the TenantSyncs that can be read, by name.
    pub(super) fn readable_syncs(&self) -> impl Iterator<Item = (&String, &Object<TenantSyncSpec>)> {
        self.syncs.iter().filter_map(|(name, live)| Some((name, live.read.as_ref().ok()?)))
    }

    /// Returns the sources of a target.
    pub(super) fn sources<'s>(&'s self, target: &'s str) -> impl Iterator<Item = &'s str> {
        let into = self.readable_syncs().filter(move |(_, sync)| sync.spec.to.iter().any(|to| to == target));
        into.map(|(_, sync)| sync.spec.from.as_str())
    }

    /// Returns all targets.
    pub(super) fn targets(&self) -> BTreeSet<String> {
        self.readable_syncs().flat_map(|(_, sync)| sync.spec.to.iter().cloned()).collect()
    }

    /// Returns the change of an event, and whether it completes the first list.
    fn on_event<T>(&mut self, resource: &'static str, event: WatchEvent<Delta<T>>) -> Option<(Delta<T>, bool)> {
        match event {
            WatchEvent::Changed(delta, _) => {
                let is_first = self.unread.remove(resource);
                if self.unread.is_empty() {
                    self.waiting = None;
                }
                Some((delta, is_first))
            }
            WatchEvent::Watched(_) | WatchEvent::Rewound(_) => None,
            WatchEvent::Lost(_, error) => {
                let namespace = &self.namespace;
                warn!(namespace, resource, why = %error, "cannot be watched");
                if let Some(waiting) = &self.waiting {
                    waiting.now_for(format!("{resource} of namespace {namespace}: {error}"));
                    if matches!(error, RequestError::Forbidden { .. }) {
                        waiting.refused_in(namespace);
                    }
                }
                None
            }
        }
    }
}

/// Applies a change; returns whether a spec changed.
fn apply_outcome<S: PartialEq>(
    objects: &mut BTreeMap<String, Live<Object<S>>>,
    delta: Delta<Live<Object<S>>>,
    is_first: bool,
) -> bool {
    match delta {
        Delta::All(all) => {
            *objects = all.into_iter().map(|live| (live.name.clone(), live)).collect();
            true
        }
        Delta::Set(live) => set(objects, live) || is_first,
        Delta::Again => false,
        Delta::Only { names, revision } => {
            let before = objects.len();
            objects.retain(|name, known| names.contains(name) || is_after(&known.version.resource_version, &revision));
            objects.len() != before
        }
        Delta::Gone { name, .. } => objects.remove(&name).is_some(),
    }
}

/// Applies the answer to a write. An object that was deleted meanwhile stays deleted.
fn answered<S: PartialEq>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Live<Object<S>>) -> bool {
    let is_there = objects.get(&live.name).is_some_and(|known| known.version.uid == live.version.uid);
    is_there && set(objects, live)
}

/// Adds or replaces an object; returns whether its spec changed. An older version is ignored.
fn set<S: PartialEq>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Live<Object<S>>) -> bool {
    let known = objects.get(&live.name);
    if known.is_some_and(|known| known.version.is_after(&live.version)) {
        return false;
    }
    let same = known.is_some_and(|known| known.read == live.read && known.version.uid == live.version.uid);
    objects.insert(live.name.clone(), live);
    !same
}
