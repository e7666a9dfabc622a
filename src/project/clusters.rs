//! The tenants of a project that are in clusters. All are read concurrently, and the Tenant in the namespace of each
//! restricts what is allowed.

use crate::api::*;
use crate::kubernetes::connect::Servers;
use crate::tenant::TenantLocation;
use crate::tenant::cluster::ClusterLocation;
use crate::tenant::location::Location as _;
use crate::tenant::location::Snapshot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A tenant in a cluster, after it was read.
pub(super) struct InCluster {
    /// The effective spec.
    pub spec: TenantSpec,
    /// The location, if it can be accessed.
    pub location: Option<TenantLocation>,
    /// The live state, or the reason why it is unreadable.
    pub live: Result<Snapshot, String>,
    /// The Role that grants access, if the account may not read the tenant.
    pub role: Option<String>,
}

/// Reads all tenants in clusters: one that does not respond delays no other.
pub(super) fn read(servers: &Servers, tenants: &BTreeMap<String, TenantSpec>) -> BTreeMap<String, InCluster> {
    let in_clusters = tenants.iter().filter_map(|(name, spec)| match &spec.location {
        Some(LocationSpec::Kubernetes(location)) => Some((name, spec, location)),
        _ => None,
    });
    std::thread::scope(|scope| {
        let threads: Vec<_> = in_clusters
            .map(|(name, spec, location)| {
                (name, spec, scope.spawn(move || InCluster::read(servers, name, spec, location)))
            })
            .collect();
        let lost = |spec| InCluster::unread(spec, "it could not be read: a thread stopped".to_string());
        let results = threads.into_iter();
        results.map(|(name, spec, thread)| (name.clone(), thread.join().unwrap_or_else(|_| lost(spec)))).collect()
    })
}

impl InCluster {
    /// A tenant whose files were edited, with what was read before.
    pub(super) fn after(name: &str, spec: &TenantSpec, live: &Result<Snapshot, String>) -> Self {
        let read = live.clone().and_then(|snapshot| Ok((spec_with_own(name, spec, &snapshot.own)?, snapshot)));
        match read {
            Ok((spec, snapshot)) => InCluster { spec, location: None, live: Ok(snapshot), role: None },
            Err(why) => InCluster::unread(spec, why),
        }
    }

    fn read(servers: &Servers, name: &str, spec: &TenantSpec, location: &KubernetesLocation) -> Self {
        let server = match servers.of(location) {
            Ok(server) => server,
            Err(why) => return InCluster::unread(spec, why),
        };
        let location = ClusterLocation::new(name, server, &location.namespace);
        let read = match location.snapshot() {
            Ok(snapshot) => match spec_with_own(name, spec, &snapshot.own) {
                Ok(spec) => InCluster { spec, location: None, live: Ok(snapshot), role: None },
                Err(why) => InCluster::unread(spec, why),
            },
            Err(error) => {
                let role = error.role().map(str::to_string);
                InCluster { role, ..InCluster::unread(spec, error.to_string()) }
            }
        };
        InCluster { location: Some(TenantLocation::Cluster(Arc::new(location))), ..read }
    }

    fn unread(spec: &TenantSpec, why: String) -> Self {
        InCluster { spec: spec.clone(), location: None, live: Err(why), role: None }
    }
}

/// The effective spec of a tenant in a cluster: a Tenant elsewhere cannot extend the rights that the one in its
/// namespace grants.
pub fn spec_with_own(name: &str, spec: &TenantSpec, own: &[Object<TenantSpec>]) -> Result<TenantSpec, String> {
    match own {
        [] => Ok(TenantSpec { accept_from: Vec::new(), ..spec.clone() }),
        [own] if own.name() == name => Ok(TenantSpec {
            accept_from: own.spec.accept_from.clone(),
            policy: spec.stricter_policy(&own.spec),
            suspend: (spec.is_suspended() || own.spec.is_suspended()).then_some(true),
            ..spec.clone()
        }),
        [own] => Err(format!("its namespace is that of tenant {0}: call it {0} here too", own.name())),
        several => {
            let names: Vec<&str> = several.iter().map(Object::name).collect();
            Err(format!("its namespace has several Tenants without a location ({}): keep one", names.join(", ")))
        }
    }
}
