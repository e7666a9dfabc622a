//! A tenant as the syncer watches it: where its Tenant says that it is, and what is known of it.

use crate::api::{Kubeconfig, LocationSpec, Object, SecretKeyRef, TenantSpec};
use crate::controller::probes::readiness::Waiting;
use crate::engine::model::inventory::View;
use crate::kubernetes::cache::{Cache, Due, NamespaceDelta};
use crate::kubernetes::client::Server;
use crate::kubernetes::list::MOST;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch;
use crate::kubernetes::watch::{CUSTOMERS, FOLLOWED, Follower, SERVER, WatchEvent};
use crate::project::clusters::spec_with_own;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// Why the operator does not go where a Tenant points to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct TenantRefusal {
    /// One word, in CamelCase.
    pub reason: &'static str,
    /// Why, and what to do.
    pub why: String,
}

fn refuse<T>(reason: &'static str, why: impl Into<String>) -> Result<T, TenantRefusal> {
    Err(TenantRefusal { reason, why: why.into() })
}

/// Where a tenant is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whereabouts {
    /// The namespace.
    pub namespace: String,
    /// The Secret with the kubeconfig of its cluster; `None`: the cluster of the Tenant itself.
    pub kubeconfig: Option<SecretKeyRef>,
}

/// Where a Tenant of `namespace` says that it is. The operator's own account serves only the namespace
/// that the Tenant is in: else whoever writes Tenants here would reach wherever that account does.
pub fn whereabouts(namespace: &str, spec: &TenantSpec) -> Result<Whereabouts, TenantRefusal> {
    if spec.source.is_some() {
        return refuse(
            "SourceRefused",
            "source is a folder of the command line's: take it out, and apply its manifests",
        );
    }
    let location = match &spec.location {
        None => return Ok(Whereabouts { namespace: namespace.to_string(), kubeconfig: None }),
        Some(LocationSpec::Directory(_)) => {
            return refuse(
                "LocationRefused",
                "a folder is for the command line: write location: {kubernetes: …}, or none",
            );
        }
        Some(LocationSpec::Kubernetes(location)) => location,
    };
    match &location.kubeconfig {
        Some(Kubeconfig::Context(_)) => refuse(
            "KubeconfigRefused",
            "context is for the command line: write kubeconfig: {secretRef: {name: …, key: value}}",
        ),
        Some(Kubeconfig::SecretRef(secret)) => {
            Ok(Whereabouts { namespace: location.namespace.clone(), kubeconfig: Some(secret.clone()) })
        }
        None if location.namespace == namespace => {
            Ok(Whereabouts { namespace: namespace.to_string(), kubeconfig: None })
        }
        None => refuse(
            "KubeconfigMissing",
            format!(
                "namespace {} is not that of this Tenant: give the kubeconfig of an account that may go there \
                 (kubeconfig: {{secretRef: …}})",
                location.namespace
            ),
        ),
    }
}

/// A tenant that is watched.
#[derive(Debug)]
pub struct ConnectedTenant {
    tenant: String,
    /// Which connection this is: what is reported of an earlier one is passed over.
    pub epoch: u64,
    /// Its cluster.
    pub server: Server,
    /// Its namespace there.
    pub paths: Paths,
    /// What is there.
    pub cache: Cache,
    /// How many bytes of it are kept at most.
    limit: usize,
    /// Whether CustomerCredentials are read.
    with_customers: bool,
    /// What was not read yet.
    unread: BTreeSet<&'static str>,
    /// What cannot be watched now, and why.
    lost: BTreeMap<&'static str, String>,
    /// Whether its server answers: what is being done there need not wait for all of its answers.
    answers: Arc<AtomicBool>,
    /// When something changed in it last, or it could not be read; and how often that was.
    changed_at: Instant,
    stirs: Arc<AtomicU64>,
    /// Its history went back: what is missing in it may only be forgotten.
    is_rewound: bool,
    /// While it is read for the first time.
    waiting: Option<Waiting>,
    following: Option<Follower<NamespaceDelta>>,
}

impl ConnectedTenant {
    /// Nothing is known of it yet.
    pub fn new(
        tenant: &str,
        epoch: u64,
        (server, paths): (Server, Paths),
        following: Follower<NamespaceDelta>,
        limit: usize,
        waiting: Waiting,
    ) -> Self {
        let tenant = ConnectedTenant {
            tenant: tenant.to_string(),
            epoch,
            server,
            paths,
            cache: Cache::bounded(limit),
            limit,
            unread: FOLLOWED.into(),
            with_customers: false,
            lost: BTreeMap::new(),
            answers: Arc::new(AtomicBool::new(true)),
            changed_at: Instant::now(),
            stirs: Arc::default(),
            is_rewound: false,
            waiting: Some(waiting),
            following: Some(following),
        };
        tenant.report_waiting();
        tenant
    }

    /// Of a tenant that was watched before, by another kubeconfig: what went back there did not come forth by that.
    pub fn after(self, before: Option<&ConnectedTenant>) -> Self {
        let is_same = |before: &&ConnectedTenant| {
            before.server.name() == self.server.name() && before.paths.namespace() == self.paths.namespace()
        };
        let is_rewound = before.filter(is_same).is_some_and(|before| before.is_rewound);
        ConnectedTenant { is_rewound, ..self }
    }

    fn report_waiting(&self) {
        if let Some(waiting) = &self.waiting {
            waiting.now_for(format!(
                "{} of tenant {}",
                self.unread.iter().copied().collect::<Vec<_>>().join(", "),
                self.tenant
            ));
        }
    }

    /// Takes in an event, and says what has to be reconciled because of it.
    pub fn on_event(&mut self, event: WatchEvent<NamespaceDelta>) -> Due {
        let could_be_read = self.error().is_none();
        let due = match event {
            WatchEvent::Heard(delta, _) => self.cache.hear(delta),
            WatchEvent::Followed(resource) => {
                self.unread.remove(resource);
                self.lost.remove(resource);
                Due::Objects(BTreeSet::new())
            }
            WatchEvent::Rewound(resource) => {
                warn!(tenant = self.tenant, resource, "its history went back: nothing is removed because of it");
                self.is_rewound = true;
                Due::Everything
            }
            WatchEvent::Lost(resource, error) => {
                self.lost.insert(resource, error.to_string());
                Due::Objects(BTreeSet::new())
            }
        };
        // What can be read again has rested since then, not since it could not be.
        if !could_be_read || self.error().is_some() || due != Due::Objects(BTreeSet::new()) {
            self.changed_at = Instant::now();
            self.stirs.fetch_add(1, Ordering::Relaxed);
        }
        if self.cache.is_over() {
            // A server that sends without end is not watched any more.
            self.following = None;
        }
        self.answers.store(!self.lost.contains_key(SERVER), Ordering::Relaxed);
        if self.is_being_read() {
            self.report_waiting();
        } else {
            // Of one that cannot be read now its status says so: the others do not wait for it.
            self.waiting = None;
        }
        if could_be_read == self.error().is_none() { due } else { Due::Everything }
    }

    /// Why nothing is removed yet because of what it lacks, and from when on it may be: it must have been whole and
    /// unchanged for so long.
    pub fn unsettled(&self, rest: Duration, now: Instant) -> Option<(String, Option<Instant>)> {
        if self.is_rewound {
            let why =
                format!("the history of {} went back, as after a restore: approve it if it is meant", self.tenant);
            return Some((why, None));
        }
        let then = self.changed_at + rest;
        (then > now).then(|| {
            let why =
                format!("{} must have been unchanged for {} s before anything is removed", self.tenant, rest.as_secs());
            (why, Some(then))
        })
    }

    /// How often it changed, also later, and how often until now.
    pub fn stirs(&self) -> (Arc<AtomicU64>, u64) {
        (self.stirs.clone(), self.stirs.load(Ordering::Relaxed))
    }

    /// From now on CustomerCredentials are watched there too: something may be copied to it. That stays so; nobody can
    /// have them read again as often as they like.
    pub fn watch_customers(&mut self) {
        if let Some(follower) = self.following.as_mut().filter(|_| !self.with_customers) {
            watch::customers(follower);
            self.with_customers = true;
            self.unread.insert(CUSTOMERS);
        }
    }

    /// Whether its history went back.
    pub fn is_rewound(&self) -> bool {
        self.is_rewound
    }

    /// Whether its server answers, also later.
    pub fn answers(&self) -> Arc<AtomicBool> {
        self.answers.clone()
    }

    /// Why it cannot be read.
    pub fn error(&self) -> Option<String> {
        if self.cache.is_over() {
            return Some(format!(
                "its namespace {} of {} has more than {MOST} objects of a kind, or more than {} MiB of them \
                 (--tenant-limit): nothing of it is used until the operator is restarted, or the connection to it changes",
                self.paths.namespace(),
                self.server.name(),
                self.limit >> 20
            ));
        }
        // That the server is silent says more than what it is silent about.
        let lost = self.lost.get(SERVER).or_else(|| self.lost.values().next()).cloned();
        let unread = || self.unread.first().map(|resource| format!("its {resource} were not read yet"));
        lost.or_else(unread)
    }

    /// Whether it is still being read for the first time, and nothing is in the way.
    pub fn is_being_read(&self) -> bool {
        !self.unread.is_empty() && self.lost.is_empty()
    }

    /// What is there, and what holds for it.
    pub fn view(&self, tenant: &Object<TenantSpec>) -> (TenantSpec, View) {
        if let Some(why) = self.error() {
            return (tenant.spec.clone(), View::Unreachable(why));
        }
        match spec_with_own(tenant.name(), &tenant.spec, &self.cache.own()) {
            Ok(spec) => (spec, View::Read(self.cache.inventory().clone())),
            Err(why) => (tenant.spec.clone(), View::Unreachable(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn of(spec: Value) -> Result<Whereabouts, TenantRefusal> {
        whereabouts("hub", &serde_json::from_value(spec).unwrap())
    }

    #[test]
    fn a_tenant_is_in_its_own_namespace_or_behind_a_kubeconfig() {
        let here = Whereabouts { namespace: "hub".into(), kubeconfig: None };
        assert_eq!(of(json!({})), Ok(here.clone()));
        assert_eq!(of(json!({"location": {"kubernetes": {"namespace": "hub"}}})), Ok(here));
        let secret = json!({"name": "eu", "key": "value"});
        let there = of(json!({"location": {"kubernetes": {"namespace": "x", "kubeconfig": {"secretRef": secret}}}}));
        assert_eq!(there.unwrap().kubeconfig.unwrap().name, "eu");
    }

    #[test]
    fn the_operators_own_account_goes_nowhere_else() {
        let reason = |spec| of(spec).unwrap_err().reason;
        assert_eq!(reason(json!({"location": {"kubernetes": {"namespace": "kube-system"}}})), "KubeconfigMissing");
        let context = json!({"kubernetes": {"namespace": "x", "kubeconfig": {"context": "eu"}}});
        assert_eq!(reason(json!({"location": context})), "KubeconfigRefused");
        assert_eq!(reason(json!({"location": {"directory": {"path": "eu"}}})), "LocationRefused");
        assert_eq!(reason(json!({"source": {"path": "eu"}})), "SourceRefused");
    }
}
