//! Follows the clusters of a project's tenants.

use super::desk::{PageDesk, ReadScope, UnwatchedTenant};
use crate::api::{Kubeconfig, LocationSpec};
use crate::engine::closure::{Index, Seeds};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::error::RequestError;
use crate::project::Project;
use crate::tenant::TenantLocation;
use crate::tenant::cluster::followed::{FollowLost, FollowedChange, FollowedNamespace};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};

/// The most objects that are planned apart from the rest.
const MOST: usize = 64;

/// The followed tenants, each with the location that it is of.
pub(super) struct ClusterWatch {
    desk: Weak<PageDesk>,
    followed: BTreeMap<String, (LocationSpec, FollowedNamespace)>,
}

/// What changed in the clusters of a project.
pub(super) enum ClusterChange {
    /// These objects are live now.
    Live {
        live: BTreeMap<String, Arc<Inventory>>,
        /// The objects that changed by tenant, where they are few.
        objects: Option<ChangedParts>,
    },
    /// More than the watches can tell.
    Unsure,
}

/// The changed objects of each tenant.
pub(super) type ChangedParts = BTreeMap<String, BTreeSet<ObjectId>>;

impl ClusterWatch {
    pub(super) fn new(desk: &Arc<PageDesk>) -> Self {
        ClusterWatch { desk: Arc::downgrade(desk), followed: BTreeMap::new() }
    }

    /// Follows the tenants of a project that are in clusters, and no others.
    pub(super) fn follow(&mut self, project: &Project) {
        let in_cluster = |name: &String| match project.tenants.get(name)?.location.as_ref()? {
            TenantLocation::Cluster(location) => Some(location),
            _ => None,
        };
        self.followed.retain(|name, (spec, _)| {
            in_cluster(name).is_some()
                && project.tenants.get(name).and_then(|tenant| tenant.spec.location.as_ref()) == Some(spec)
        });
        for (name, tenant) in &project.tenants {
            let (Some(location), Some(spec)) = (in_cluster(name), &tenant.spec.location) else { continue };
            let desk = Weak::clone(&self.desk);
            let changed = move || {
                if let Some(desk) = desk.upgrade() {
                    desk.read(ReadScope::Watched);
                }
            };
            self.followed.entry(name.clone()).or_insert_with(|| (spec.clone(), location.follow(changed)));
        }
    }

    /// Forgets what changed: it is about to be read.
    pub(super) fn forget(&self) {
        self.followed.values().for_each(|(_, followed)| drop(followed.take()));
    }

    /// Takes what changed since the last time, in a project that was read before.
    pub(super) fn take(&self, project: &Project) -> ClusterChange {
        let (mut live, mut parts, mut is_whole) = (BTreeMap::new(), ChangedParts::new(), false);
        for (name, (_, followed)) in &self.followed {
            let (changed, inventory) = followed.take();
            match changed {
                FollowedChange::Nothing => continue,
                FollowedChange::Unsure => return ClusterChange::Unsure,
                FollowedChange::Everything => is_whole = true,
                FollowedChange::Objects(objects) => drop(parts.insert(name.clone(), objects)),
            }
            let was_read = project.tenants.get(name).is_some_and(|tenant| tenant.live.is_ok());
            match inventory.filter(|_| was_read) {
                Some(inventory) => drop(live.insert(name.clone(), inventory)),
                None => return ClusterChange::Unsure,
            }
        }
        let is_small = !is_whole && parts.values().map(|objects| objects.len()).sum::<usize>() <= MOST;
        ClusterChange::Live { live, objects: Some(parts).filter(|parts| is_small && !parts.is_empty()) }
    }

    /// The tenants whose changes go unnoticed.
    pub(super) fn unwatched(&self) -> Vec<UnwatchedTenant> {
        let of = |(tenant, (spec, followed)): (&String, &(LocationSpec, FollowedNamespace))| {
            let lost = followed.lost()?;
            let is_forbidden = matches!(&lost, FollowLost::Request(RequestError::Forbidden { .. }));
            let LocationSpec::Kubernetes(location) = spec else { return None };
            let context = match &location.kubeconfig {
                Some(Kubeconfig::Context(context)) => Some(context.clone()),
                _ => None,
            };
            let (tenant, namespace, why) = (tenant.clone(), location.namespace.clone(), lost.to_string());
            Some(UnwatchedTenant { tenant, context, namespace, why, is_forbidden })
        };
        self.followed.iter().filter_map(of).collect()
    }
}

/// The seeds of a closure of these objects; `None` where a closure cannot be planned of one of them.
pub(super) fn seeds(
    parts: &ChangedParts,
    before: &Project,
    live: &BTreeMap<String, Arc<Inventory>>,
    index: &mut Index,
) -> Option<Seeds> {
    let mut seeds = Seeds::default();
    for (tenant, objects) in parts {
        let was = before.tenants.get(tenant)?.live.as_ref().ok()?;
        let now = live.get(tenant)?;
        for id in objects {
            if !seeds.add(id, &[&was.inventory, now]) {
                return None;
            }
            if let Some(item) = now.get(id) {
                index.take(&item);
            }
        }
    }
    Some(seeds)
}
