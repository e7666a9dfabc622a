//! Notices changes in the clusters of a project's tenants.

use super::desk::PageDesk;
use crate::api::LocationSpec;
use crate::kubernetes::watch::WatchHandle;
use crate::project::Project;
use crate::tenant::TenantLocation;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

/// The watches of tenants in clusters, by tenant, each with the location that it is of.
pub(super) struct ClusterWatch {
    desk: Weak<PageDesk>,
    watches: BTreeMap<String, (LocationSpec, WatchHandle)>,
}

impl ClusterWatch {
    pub(super) fn new(desk: &Arc<PageDesk>) -> Self {
        ClusterWatch { desk: Arc::downgrade(desk), watches: BTreeMap::new() }
    }

    /// Follows the tenants of a project that are in clusters, and no others.
    pub(super) fn follow(&mut self, project: &Project) {
        let in_cluster = |name: &String| match project.tenants.get(name)?.location.as_ref()? {
            TenantLocation::Cluster(location) => Some(location),
            _ => None,
        };
        self.watches.retain(|name, (spec, _)| {
            in_cluster(name).is_some()
                && project.tenants.get(name).and_then(|tenant| tenant.spec.location.as_ref()) == Some(spec)
        });
        for (name, tenant) in &project.tenants {
            let (Some(location), Some(spec)) = (in_cluster(name), &tenant.spec.location) else { continue };
            let desk = Weak::clone(&self.desk);
            let changed = move || {
                if let Some(desk) = desk.upgrade() {
                    desk.read_again();
                }
            };
            self.watches.entry(name.clone()).or_insert_with(|| (spec.clone(), location.follow(changed)));
        }
    }
}
