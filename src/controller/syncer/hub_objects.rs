//! The Tenants and TenantSyncs of a namespace, from the watches and from the answers to writes.

use super::releases::Releases;
use crate::api::*;
use crate::controller::probes::readiness::Waiting;
use crate::controller::role::Role;
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
    /// The role of this worker: it carries out only its own syncs.
    role: Role,
    /// The resources that were not listed yet, and the wait of the readiness probe.
    unread: BTreeSet<&'static str>,
    waiting: Option<Waiting>,
}

/// The role that carries out a TenantSync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SyncOwner {
    One(Role),
    /// Some of its targets are in clusters and some on the platform. The syncer reports it, and nobody carries it out.
    Mixed,
}

impl HubObjects {
    /// Creates the objects of a namespace, none of them known yet.
    pub(super) fn new(namespace: &str, role: Role, waiting: Waiting) -> Self {
        HubObjects {
            tenants: BTreeMap::new(),
            syncs: BTreeMap::new(),
            namespace: namespace.to_string(),
            role,
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
        apply_delta(&mut self.tenants, delta, is_first)
    }

    /// Applies an event of the watch of TenantSyncs; returns whether a spec changed.
    pub(super) fn on_syncs(&mut self, event: WatchEvent<Delta<Live<Object<TenantSyncSpec>>>>) -> bool {
        let Some((delta, is_first)) = self.on_event(Kind::TenantSync.plural(), event) else { return false };
        apply_delta(&mut self.syncs, delta, is_first)
    }

    /// Applies the answer to a write of a Tenant's status; returns whether its spec changed.
    pub(super) fn on_tenant_written(&mut self, live: Live<Object<TenantSpec>>) -> bool {
        answered(&mut self.tenants, live)
    }

    /// Applies the answer to a write of a TenantSync's status; returns whether its spec changed.
    pub(super) fn on_sync_written(&mut self, live: Live<Object<TenantSyncSpec>>) -> bool {
        answered(&mut self.syncs, live)
    }

    /// Whether a tenant is on the platform; `None` if there is no such Tenant, or its spec cannot be read.
    fn is_on_platform(&self, tenant: &str) -> Option<bool> {
        let tenant = self.tenants.get(tenant)?.read.as_ref().ok()?;
        Some(matches!(tenant.spec.location, Some(LocationSpec::Prismatic(_))))
    }

    /// Whether this role reports the status of a Tenant.
    pub(super) fn is_own_tenant(&self, tenant: &str) -> bool {
        match self.role {
            Role::Sender => self.is_on_platform(tenant) == Some(true),
            Role::Binder | Role::Syncer => self.is_on_platform(tenant) != Some(true),
        }
    }

    /// Returns the sources in Git of all Tenants, also of those of another role, by tenant.
    pub(super) fn all_git_sources(&self) -> impl Iterator<Item = (&String, &GitSource)> {
        self.tenants.iter().filter_map(|(name, live)| Some((name, live.read.as_ref().ok()?.spec.git()?)))
    }

    /// Returns the sources in Git of the Tenants of this role, by tenant.
    pub(super) fn git_sources(&self) -> impl Iterator<Item = (&String, &GitSource)> {
        self.all_git_sources().filter(|(name, _)| self.is_own_tenant(name))
    }

    /// Returns the Tenant of this role whose source is in Git.
    pub(super) fn with_git(&self, tenant: &str) -> Option<&Live<Object<TenantSpec>>> {
        let live = self.tenants.get(tenant).filter(|_| self.is_own_tenant(tenant))?;
        live.read.as_ref().ok()?.spec.git().map(|_| live)
    }

    /// Returns the role that carries out a TenantSync: that of its targets.
    pub(super) fn owner(&self, sync: &Object<TenantSyncSpec>) -> SyncOwner {
        let targets: BTreeSet<bool> = sync.spec.targets().filter_map(|to| self.is_on_platform(to)).collect();
        match (targets.contains(&true), targets.contains(&false)) {
            (true, true) => SyncOwner::Mixed,
            (true, false) => SyncOwner::One(Role::Sender),
            (false, _) => SyncOwner::One(Role::Syncer),
        }
    }

    /// Whether this role reports the status of a TenantSync.
    pub(super) fn is_own_sync(&self, live: &Live<Object<TenantSyncSpec>>) -> bool {
        match live.read.as_ref().map(|sync| self.owner(sync)) {
            Ok(SyncOwner::One(role)) => role == self.role,
            Ok(SyncOwner::Mixed) | Err(_) => self.role == Role::Syncer,
        }
    }

    /// Returns the TenantSyncs that this role carries out, by name.
    pub(super) fn readable_syncs(&self) -> impl Iterator<Item = (&String, &Object<TenantSyncSpec>)> {
        let readable = self.syncs.iter().filter_map(|(name, live)| Some((name, live.read.as_ref().ok()?)));
        readable.filter(|(_, sync)| self.owner(sync) == SyncOwner::One(self.role))
    }

    /// Returns the TenantSyncs that nobody carries out until they are changed: the targets of each, `None` if they
    /// cannot be read.
    pub(super) fn stopped_syncs(&self) -> impl Iterator<Item = (&String, Option<BTreeSet<String>>)> {
        self.syncs.iter().filter_map(|(name, live)| match &live.read {
            Err(_) => Some((name, None)),
            Ok(sync) if self.owner(sync) == SyncOwner::Mixed => {
                Some((name, Some(sync.spec.targets().cloned().collect())))
            }
            Ok(_) => None,
        })
    }

    /// Returns the sources of all targets.
    pub(super) fn all_sources(&self) -> BTreeSet<String> {
        self.readable_syncs().map(|(_, sync)| sync.spec.from.clone()).collect()
    }

    /// Returns the sources of a target.
    pub(super) fn sources<'s>(&'s self, target: &'s str) -> impl Iterator<Item = &'s str> {
        let into = self.readable_syncs().filter(move |(_, sync)| sync.spec.goes_to(target));
        into.map(|(_, sync)| sync.spec.from.as_str())
    }

    /// Returns the TenantSyncs with stages into a target that this role carries out, by name; also one that has them no
    /// longer, while a release goes through them.
    pub(super) fn staged_into<'s>(
        &'s self,
        releases: &'s Releases,
        target: &'s str,
    ) -> impl Iterator<Item = (&'s String, &'s Object<TenantSyncSpec>)> {
        let into = self.readable_syncs().filter(move |(_, sync)| sync.spec.goes_to(target));
        into.filter(move |(name, sync)| releases.has_stages(name, &sync.spec))
    }

    /// Returns the targets of the stages before a target's own, which decide about it.
    pub(super) fn earlier_stages<'s>(
        &'s self,
        releases: &'s Releases,
        target: &'s str,
    ) -> impl Iterator<Item = &'s str> {
        let staged = self.staged_into(releases, target);
        staged.flat_map(move |(name, sync)| releases.earlier(name, &sync.spec, target))
    }

    /// Returns all targets.
    pub(super) fn targets(&self) -> BTreeSet<String> {
        let of_syncs = self.readable_syncs().flat_map(|(_, sync)| sync.spec.targets());
        of_syncs.chain(self.git_sources().map(|(name, _)| name)).cloned().collect()
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
fn apply_delta<S: PartialEq>(
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::probes::readiness::Readiness;
    use crate::kubernetes::object::Version;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn live<S: serde::de::DeserializeOwned>(name: &str, spec: Value) -> Live<Object<S>> {
        let read = Ok(Object::new(name, serde_json::from_value(spec).unwrap()));
        let (version, others) = (Version::default(), Arc::default());
        let (record, ready, status) = (None, None, None);
        Live { read, name: name.into(), version, record, others, ready, generation: 1, status, weight: 0 }
    }

    fn hub(role: Role) -> HubObjects {
        let mut hub = HubObjects::new("hub", role, Readiness::of(1).waits("test", "nothing"));
        let on_platform = json!({"location": {"prismatic": {"url": "https://app.prismatic.io"}}});
        for (name, spec) in [("here", json!({})), ("p1", on_platform.clone()), ("p2", on_platform)] {
            hub.tenants.insert(name.into(), live(name, spec));
        }
        for (name, from, to) in [
            ("sends", "here", vec!["p1", "p2"]),
            ("across", "p1", vec!["p2", "gone"]),
            ("pushes", "p1", vec!["here"]),
            ("mixed", "here", vec!["here", "p1"]),
            ("unknown", "here", vec!["gone"]),
        ] {
            hub.syncs.insert(name.into(), live(name, json!({"from": from, "to": to, "integrations": ["*"]})));
        }
        let broken = Live {
            read: Err("it is broken".into()),
            ..live("broken", json!({"from": "a", "to": ["b"], "integrations": ["*"]}))
        };
        hub.syncs.insert("broken".into(), broken);
        hub
    }

    /// A TenantSync belongs to one role, and one to each: nobody writes where the other does.
    #[test]
    fn a_sync_belongs_to_the_role_of_its_targets() {
        let of = |role| {
            let hub = hub(role);
            let carried: Vec<String> = hub.readable_syncs().map(|(name, _)| name.clone()).collect();
            let reported: Vec<String> =
                hub.syncs.values().filter(|live| hub.is_own_sync(live)).map(|live| live.name.clone()).collect();
            let tenants: Vec<String> = hub.tenants.keys().filter(|name| hub.is_own_tenant(name)).cloned().collect();
            (carried, reported, tenants)
        };
        let (carried, reported, tenants) = of(Role::Sender);
        assert_eq!(carried, ["across", "sends"]);
        assert_eq!(reported, carried);
        assert_eq!(tenants, ["p1", "p2"]);
        let (carried, reported, tenants) = of(Role::Syncer);
        assert_eq!(carried, ["pushes", "unknown"]);
        assert_eq!(reported, ["broken", "mixed", "pushes", "unknown"]);
        assert_eq!(tenants, ["here"]);
        // Objects of what nobody carries out now are not orphaned.
        let stopped: Vec<_> =
            hub(Role::Sender).stopped_syncs().map(|(name, to)| (name.clone(), to.is_some())).collect();
        assert_eq!(stopped, [("broken".to_string(), false), ("mixed".to_string(), true)]);
    }

    /// What decides about a target: the targets of the stages before its own.
    #[test]
    fn the_stages_before_a_target_are_those_of_the_syncs_that_this_role_carries_out() {
        let mut hub = hub(Role::Sender);
        for (name, stages) in [
            ("staged", json!([{"to": ["p1"]}, {"to": ["p2", "gone"]}, {"to": ["last"]}])),
            ("others", json!([{"to": ["here"]}, {"to": ["last"]}])),
        ] {
            let spec = json!({"from": "source", "stages": stages, "integrations": ["*"]});
            hub.syncs.insert(name.into(), live(name, spec));
        }
        let none = Releases::default();
        let staged = |target: &str| hub.staged_into(&none, target).map(|(name, _)| name.clone()).collect::<Vec<_>>();
        assert_eq!(staged("p2"), ["staged"], "those without stages are not among them");
        assert_eq!((staged("last"), staged("other")), (vec!["staged".to_string()], Vec::new()));
        let earlier = |target: &str| hub.earlier_stages(&none, target).map(str::to_string).collect::<BTreeSet<_>>();
        let names = |of: &[&str]| of.iter().map(ToString::to_string).collect::<BTreeSet<_>>();
        assert_eq!((earlier("p1"), earlier("p2")), (names(&[]), names(&["p1"])));
        assert_eq!(earlier("last"), names(&["p1", "p2", "gone"]));
        // A release on its way keeps its stages, although the sync has `to` now.
        let release = ReleaseStatus {
            digest: "r1".into(),
            stages: vec![Stage { to: vec!["p1".into()] }, Stage { to: vec!["p2".into()] }],
            ..ReleaseStatus::default()
        };
        let mut releases = Releases::default();
        let written = TenantSyncStatus { release: Some(release), ..TenantSyncStatus::default() };
        releases.resume("sends", "uid", &written);
        let into: Vec<&String> = hub.staged_into(&releases, "p2").map(|(name, _)| name).collect();
        assert_eq!(into, ["sends", "staged"]);
        assert_eq!(hub.earlier_stages(&releases, "p2").collect::<BTreeSet<_>>(), ["p1"].into());
        let (all, sources) = (hub.targets(), hub.sources("last").collect::<Vec<_>>());
        assert!(all.contains("last") && all.contains("gone") && sources == ["source"], "{all:?} {sources:?}");
    }
}
