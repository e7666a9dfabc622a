//! Notices changes in the clusters of a project's tenants.

use super::desk::PageDesk;
use super::desk::UnwatchedTenant;
use crate::api::{Kubeconfig, LocationSpec};
use crate::kubernetes::error::RequestError;
use crate::kubernetes::watch::WatchHandle;
use crate::project::Project;
use crate::tenant::TenantLocation;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The watches of tenants in clusters, by tenant, each with the location that it is of.
pub(super) struct ClusterWatch {
    desk: Weak<PageDesk>,
    watches: BTreeMap<String, (LocationSpec, WatchHandle)>,
    /// Why changes of a tenant go unnoticed, by tenant.
    lost: Arc<Mutex<BTreeMap<String, String>>>,
}

impl ClusterWatch {
    pub(super) fn new(desk: &Arc<PageDesk>) -> Self {
        ClusterWatch { desk: Arc::downgrade(desk), watches: BTreeMap::new(), lost: Arc::default() }
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
            let (desk, lost, tenant) = (Weak::clone(&self.desk), Arc::clone(&self.lost), name.clone());
            let changed = move |why: Option<&RequestError>| {
                let mut lost = lost.lock().unwrap_or_else(PoisonError::into_inner);
                match why {
                    Some(why) => drop(lost.insert(tenant.clone(), why.to_string())),
                    None => drop(lost.remove(&tenant)),
                }
                drop(lost);
                if let Some(desk) = desk.upgrade() {
                    desk.read_again();
                }
            };
            self.watches.entry(name.clone()).or_insert_with(|| (spec.clone(), location.follow(changed)));
        }
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| self.watches.contains_key(name));
    }

    /// The tenants whose changes go unnoticed.
    pub(super) fn unwatched(&self) -> Vec<UnwatchedTenant> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |(tenant, why): (&String, &String)| {
            let location = match self.watches.get(tenant) {
                Some((LocationSpec::Kubernetes(location), _)) => Some(location),
                _ => None,
            };
            let context = location.and_then(|location| match &location.kubeconfig {
                Some(Kubeconfig::Context(context)) => Some(context.clone()),
                _ => None,
            });
            UnwatchedTenant {
                tenant: tenant.clone(),
                context,
                namespace: location.map_or_else(String::new, |location| location.namespace.clone()),
                why: why.clone(),
            }
        };
        lost.iter().map(of).collect()
    }
}
