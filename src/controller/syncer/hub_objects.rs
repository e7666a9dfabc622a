//! The Tenants and TenantSyncs of a namespace, as they are known from the watches and from the answers to writes.

use crate::api::*;
use crate::controller::probes::readiness::Waiting;
use crate::kubernetes::cache::Delta;
use crate::kubernetes::error::RequestError;
use crate::kubernetes::object::{Live, is_after};
use crate::kubernetes::watch::WatchEvent;
use std::collections::{BTreeMap, BTreeSet};
use tracing::warn;

/// The Tenants and TenantSyncs of a namespace.
pub struct HubObjects {
    /// The Tenants, by name.
    pub tenants: BTreeMap<String, Live<Object<TenantSpec>>>,
    /// The TenantSyncs, by name.
    pub syncs: BTreeMap<String, Live<Object<TenantSyncSpec>>>,
    namespace: String,
    /// Which of the two were not read yet, and what is not ready until they are.
    unread: BTreeSet<&'static str>,
    waiting: Option<Waiting>,
}

impl HubObjects {
    /// Of a namespace of which nothing is known yet.
    pub fn new(namespace: &str, waiting: Waiting) -> Self {
        HubObjects {
            tenants: BTreeMap::new(),
            syncs: BTreeMap::new(),
            namespace: namespace.to_string(),
            unread: [Kind::Tenant.plural(), Kind::TenantSync.plural()].into(),
            waiting: Some(waiting),
        }
    }

    /// Whether both were read.
    pub fn are_read(&self) -> bool {
        self.unread.is_empty()
    }

    /// Takes in an event of the watch of Tenants; whether what they say changed.
    pub fn on_tenants(&mut self, event: WatchEvent<Delta<Live<Object<TenantSpec>>>>) -> bool {
        let Some((delta, is_first)) = self.on_event(Kind::Tenant.plural(), event) else { return false };
        take_in(&mut self.tenants, delta, is_first)
    }

    /// Takes in an event of the watch of TenantSyncs; whether what they say changed.
    pub fn on_syncs(&mut self, event: WatchEvent<Delta<Live<Object<TenantSyncSpec>>>>) -> bool {
        let Some((delta, is_first)) = self.on_event(Kind::TenantSync.plural(), event) else { return false };
        take_in(&mut self.syncs, delta, is_first)
    }

    /// Takes in a Tenant as the server answered a write of its status; whether what it says changed.
    pub fn on_tenant_written(&mut self, live: Live<Object<TenantSpec>>) -> bool {
        answered(&mut self.tenants, live)
    }

    /// Takes in a TenantSync as the server answered a write of its status; whether what it says changed.
    pub fn on_sync_written(&mut self, live: Live<Object<TenantSyncSpec>>) -> bool {
        answered(&mut self.syncs, live)
    }

    /// The TenantSyncs that can be read, by name.
    pub fn readable_syncs(&self) -> impl Iterator<Item = (&String, &Object<TenantSyncSpec>)> {
        self.syncs.iter().filter_map(|(name, live)| Some((name, live.read.as_ref().ok()?)))
    }

    /// The tenants that are copied to a target.
    pub fn sources<'s>(&'s self, target: &'s str) -> impl Iterator<Item = &'s str> {
        let into = self.readable_syncs().filter(move |(_, sync)| sync.spec.to.iter().any(|to| to == target));
        into.map(|(_, sync)| sync.spec.from.as_str())
    }

    /// The tenants that something may be copied to.
    pub fn targets(&self) -> BTreeSet<String> {
        self.readable_syncs().flat_map(|(_, sync)| sync.spec.to.iter().cloned()).collect()
    }

    /// What an event says is there, and whether it is the first that does.
    fn on_event<T>(&mut self, resource: &'static str, event: WatchEvent<Delta<T>>) -> Option<(Delta<T>, bool)> {
        match event {
            WatchEvent::Heard(delta, _) => {
                let is_first = self.unread.remove(resource);
                if self.unread.is_empty() {
                    self.waiting = None;
                }
                Some((delta, is_first))
            }
            WatchEvent::Followed(_) | WatchEvent::Rewound(_) => None,
            WatchEvent::Lost(_, error) => {
                let namespace = &self.namespace;
                warn!(namespace, resource, why = %error, "cannot be followed");
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

/// Takes in a change; whether what the objects say changed.
fn take_in<S: PartialEq>(
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

/// Takes in the answer to a write. An object that was deleted meanwhile stays so.
fn answered<S: PartialEq>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Live<Object<S>>) -> bool {
    let is_there = objects.get(&live.name).is_some_and(|known| known.version.uid == live.version.uid);
    is_there && set(objects, live)
}

/// Takes in an object; whether what it says changed. One that is older than what is known says nothing.
fn set<S: PartialEq>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Live<Object<S>>) -> bool {
    let known = objects.get(&live.name);
    if known.is_some_and(|known| known.version.is_after(&live.version)) {
        return false;
    }
    let same = known.is_some_and(|known| known.read == live.read && known.version.uid == live.version.uid);
    objects.insert(live.name.clone(), live);
    !same
}
