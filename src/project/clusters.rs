//! The tenants of a project that are in clusters: all are read at once, and of each holds what the Tenant
//! in its own namespace allows.

use crate::api::*;
use crate::kubernetes::connect::Servers;
use crate::tenant::TenantPlace;
use crate::tenant::cluster::ClusterPlace;
use crate::tenant::location::Place as _;
use crate::tenant::location::Snapshot;
use std::collections::BTreeMap;

/// A tenant in a cluster, read.
pub(super) struct InCluster {
    /// What holds for it.
    pub spec: TenantSpec,
    /// Its place, where it can be asked.
    pub place: Option<TenantPlace>,
    /// What is in its place, or why it cannot be read.
    pub live: Result<Snapshot, String>,
    /// The Role that would do, where we may not read it.
    pub role: Option<String>,
}

/// Reads every tenant that is in a cluster: one that does not answer holds up no other.
pub(super) fn read(servers: &Servers, tenants: &BTreeMap<String, TenantSpec>) -> BTreeMap<String, InCluster> {
    let in_clusters = tenants.iter().filter_map(|(name, spec)| match &spec.place {
        Some(Place::Kubernetes(place)) => Some((name, spec, place)),
        _ => None,
    });
    std::thread::scope(|scope| {
        let asked: Vec<_> = in_clusters
            .map(|(name, spec, place)| (name, spec, scope.spawn(move || InCluster::read(servers, name, spec, place))))
            .collect();
        let lost = |spec| InCluster::unread(spec, "it could not be read: a thread stopped".to_string());
        let answered = asked.into_iter();
        answered.map(|(name, spec, answer)| (name.clone(), answer.join().unwrap_or_else(|_| lost(spec)))).collect()
    })
}

impl InCluster {
    fn read(servers: &Servers, name: &str, spec: &TenantSpec, place: &KubernetesPlace) -> Self {
        let server = match servers.of(place) {
            Ok(server) => server,
            Err(why) => return InCluster::unread(spec, why),
        };
        let place = ClusterPlace::new(name, server, &place.namespace);
        let read = match place.snapshot() {
            Ok(snapshot) => match spec_with_own(name, spec, &snapshot.own) {
                Ok(spec) => InCluster { spec, place: None, live: Ok(snapshot), role: None },
                Err(why) => InCluster::unread(spec, why),
            },
            Err(error) => {
                let role = error.role().map(str::to_string);
                InCluster { role, ..InCluster::unread(spec, error.to_string()) }
            }
        };
        InCluster { place: Some(TenantPlace::Cluster(Box::new(place))), ..read }
    }

    fn unread(spec: &TenantSpec, why: String) -> Self {
        InCluster { spec: spec.clone(), place: None, live: Err(why), role: None }
    }
}

/// What holds for a tenant in a cluster: a Tenant elsewhere adds nothing to the rights that the one in
/// its namespace gives.
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
            Err(format!("its namespace has several Tenants without a place ({}): keep one", names.join(", ")))
        }
    }
}
