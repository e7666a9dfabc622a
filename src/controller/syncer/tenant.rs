//! A tenant that the syncer watches: its location, according to its Tenant, and the cache of its objects.

use crate::api::{Kubeconfig, LocationSpec, Object, PrismaticLocation, SecretKeyRef, TenantSpec};
use crate::controller::probes::readiness::Waiting;
use crate::engine::model::inventory::View;
use crate::kubernetes::cache::{Cache, ChangedObjects, NamespaceDelta};
use crate::kubernetes::client::Server;
use crate::kubernetes::list::MOST;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch;
use crate::kubernetes::watch::{CUSTOMERS, SERVER, WATCHED, WatchEvent, WatchSet};
use crate::project::clusters::spec_with_own;
use crate::tenant::prismatic::refused_in_cluster;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::warn;

/// Why the operator refuses the location of a Tenant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(super) struct TenantRefusal {
    /// The reason, one word in CamelCase.
    pub reason: &'static str,
    /// The message: why, and what to do.
    pub why: String,
}

fn refuse<T>(reason: &'static str, why: impl Into<String>) -> Result<T, TenantRefusal> {
    Err(TenantRefusal { reason, why: why.into() })
}

/// The location of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    Cluster {
        namespace: String,
        /// The Secret with the kubeconfig of its cluster; `None`: the cluster of the Tenant itself.
        kubeconfig: Option<SecretKeyRef>,
    },
    /// An organization on the platform.
    Platform(PrismaticLocation),
}

impl Whereabouts {
    fn here(namespace: &str) -> Self {
        Whereabouts::Cluster { namespace: namespace.to_string(), kubeconfig: None }
    }
}

/// Returns the location of a Tenant in `namespace`. The operator's own account is used only for the namespace of the
/// Tenant: otherwise everybody who writes Tenants would have the permissions of that account.
pub(super) fn whereabouts(namespace: &str, spec: &TenantSpec) -> Result<Whereabouts, TenantRefusal> {
    if spec.source_path().is_some() {
        return refuse(
            "SourceRefused",
            "source.path is a folder of the command line's: take it out, and apply its manifests, or name a repository \
             (source.git)",
        );
    }
    let location = match &spec.location {
        None => return Ok(Whereabouts::here(namespace)),
        Some(LocationSpec::Directory(_)) => {
            return refuse(
                "LocationRefused",
                "a folder is for the command line: write location: {kubernetes: …}, or none",
            );
        }
        Some(LocationSpec::Prismatic(location)) => {
            refused_in_cluster(location)
                .map_err(|refused| TenantRefusal { reason: refused.reason, why: refused.why })?;
            return Ok(Whereabouts::Platform(location.clone()));
        }
        Some(LocationSpec::Kubernetes(location)) => location,
    };
    match &location.kubeconfig {
        Some(Kubeconfig::Context(_)) => refuse(
            "KubeconfigRefused",
            "context is for the command line: write kubeconfig: {secretRef: {name: …, key: value}}",
        ),
        Some(Kubeconfig::SecretRef(secret)) => {
            Ok(Whereabouts::Cluster { namespace: location.namespace.clone(), kubeconfig: Some(secret.clone()) })
        }
        None if location.namespace == namespace => Ok(Whereabouts::here(namespace)),
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
pub(super) struct ConnectedTenant {
    tenant: String,
    /// The number of this connection. Events of an earlier connection are ignored.
    pub epoch: u64,
    pub server: Server,
    /// The paths of its namespace.
    pub paths: Paths,
    pub cache: Cache,
    /// Maximum size of the cache, in bytes.
    limit: usize,
    /// Whether CustomerCredentials are watched.
    with_customers: bool,
    /// The resources that were not listed yet.
    unread: BTreeSet<&'static str>,
    /// The resources that cannot be watched now, and why.
    lost: BTreeMap<&'static str, String>,
    /// Whether its server answers. Shared with running reconciles, which stop waiting once it does not.
    answers: Arc<AtomicBool>,
    /// The time of the last change or read failure, and a counter of them.
    changed_at: Instant,
    stirs: Arc<AtomicU64>,
    /// Its history went back: an object that is missing may only be lost.
    is_rewound: bool,
    /// Set during the first read.
    waiting: Option<Waiting>,
    following: Option<WatchSet<NamespaceDelta>>,
}

impl ConnectedTenant {
    /// Creates the connection with an empty cache.
    pub(super) fn new(
        tenant: &str,
        epoch: u64,
        (server, paths): (Server, Paths),
        following: WatchSet<NamespaceDelta>,
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
            unread: WATCHED.into(),
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

    /// Continues an earlier connection with another kubeconfig: a rewound history stays rewound.
    pub(super) fn after(self, before: Option<&ConnectedTenant>) -> Self {
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

    /// Applies an event, and returns what must be reconciled because of it.
    pub(super) fn on_event(&mut self, event: WatchEvent<NamespaceDelta>) -> ChangedObjects {
        let could_be_read = self.error().is_none();
        let changed = match event {
            WatchEvent::Changed(delta, _) => self.cache.apply(delta),
            WatchEvent::Watched(resource) => {
                self.unread.remove(resource);
                self.lost.remove(resource);
                ChangedObjects::Objects(BTreeSet::new())
            }
            WatchEvent::Rewound(resource) => {
                warn!(
                    tenant = self.tenant,
                    resource, "its history went back, as after a restore: nothing is deleted because of it"
                );
                self.is_rewound = true;
                ChangedObjects::Everything
            }
            WatchEvent::Lost(resource, error) => {
                self.lost.insert(resource, error.to_string());
                ChangedObjects::Objects(BTreeSet::new())
            }
        };
        // A tenant that can be read again is unchanged since then, not since before the failure.
        if !could_be_read || self.error().is_some() || changed != ChangedObjects::Objects(BTreeSet::new()) {
            self.changed_at = Instant::now();
            self.stirs.fetch_add(1, Ordering::Relaxed);
        }
        if self.cache.is_over() {
            // A server that sends without end is no longer watched.
            self.following = None;
        }
        self.answers.store(!self.lost.contains_key(SERVER), Ordering::Relaxed);
        if self.is_being_read() {
            self.report_waiting();
        } else {
            // Its status reports that it cannot be read: readiness does not wait for it.
            self.waiting = None;
        }
        if could_be_read == self.error().is_none() { changed } else { ChangedObjects::Everything }
    }

    /// Returns why nothing may be deleted because of objects that it lacks, and from when on it may: it must have been
    /// complete and unchanged for `delete_after`.
    pub(super) fn unsettled(&self, delete_after: Duration, now: Instant) -> Option<(String, Option<Instant>)> {
        if self.is_rewound {
            let why =
                format!("the history of {} went back, as after a restore: approve it if it is meant", self.tenant);
            return Some((why, None));
        }
        let then = self.changed_at + delete_after;
        (then > now).then(|| {
            let why = format!(
                "{} must have been unchanged for {} s before anything is removed",
                self.tenant,
                delete_after.as_secs()
            );
            (why, Some(then))
        })
    }

    /// Returns the counter of changes, and its current value.
    pub(super) fn stirs(&self) -> (Arc<AtomicU64>, u64) {
        (self.stirs.clone(), self.stirs.load(Ordering::Relaxed))
    }

    /// Watches CustomerCredentials from now on, because it is a target. This is permanent, so that nobody can cause
    /// repeated lists of them.
    pub(super) fn watch_customers(&mut self) {
        if let Some(follower) = self.following.as_mut().filter(|_| !self.with_customers) {
            watch::customers(follower);
            self.with_customers = true;
            self.unread.insert(CUSTOMERS);
        }
    }

    pub(super) fn is_rewound(&self) -> bool {
        self.is_rewound
    }

    /// Returns the shared flag that is true while its server answers.
    pub(super) fn answers(&self) -> Arc<AtomicBool> {
        self.answers.clone()
    }

    /// Returns why it cannot be read.
    pub(super) fn error(&self) -> Option<String> {
        if self.cache.is_over() {
            return Some(format!(
                "its namespace {} of {} has more than {MOST} objects of a kind, or more than {} MiB of them \
                 (--tenant-limit): nothing of it is used until the operator is restarted, or the connection to it changes",
                self.paths.namespace(),
                self.server.name(),
                self.limit >> 20
            ));
        }
        // An unreachable server is the more precise reason.
        let lost = self.lost.get(SERVER).or_else(|| self.lost.values().next()).cloned();
        let unread = || self.unread.first().map(|resource| format!("its {resource} were not read yet"));
        lost.or_else(unread)
    }

    /// Whether the first read is still in progress and has no error.
    pub(super) fn is_being_read(&self) -> bool {
        !self.unread.is_empty() && self.lost.is_empty()
    }

    /// Returns its effective spec and its cached objects.
    pub(super) fn view(&self, tenant: &Object<TenantSpec>) -> (TenantSpec, View) {
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
        let here = Whereabouts::here("hub");
        assert_eq!(of(json!({})), Ok(here.clone()));
        assert_eq!(of(json!({"location": {"kubernetes": {"namespace": "hub"}}})), Ok(here));
        let secret = json!({"name": "eu", "key": "value"});
        let there = of(json!({"location": {"kubernetes": {"namespace": "x", "kubeconfig": {"secretRef": secret}}}}));
        let Whereabouts::Cluster { kubeconfig, .. } = there.unwrap() else { panic!("it is in a cluster") };
        assert_eq!(kubeconfig.unwrap().name, "eu");
    }

    #[test]
    fn the_operators_own_account_is_used_nowhere_else() {
        let reason = |spec| of(spec).unwrap_err().reason;
        assert_eq!(reason(json!({"location": {"kubernetes": {"namespace": "kube-system"}}})), "KubeconfigMissing");
        let context = json!({"kubernetes": {"namespace": "x", "kubeconfig": {"context": "eu"}}});
        assert_eq!(reason(json!({"location": context})), "KubeconfigRefused");
        assert_eq!(reason(json!({"location": {"directory": {"path": "eu"}}})), "LocationRefused");
        assert_eq!(reason(json!({"source": {"path": "eu"}})), "SourceRefused");
    }

    #[test]
    fn tokens_and_secrets_of_a_persons_machine_are_for_the_command_line() {
        let on = |more: Value| {
            let mut location =
                json!({"url": "https://app.prismatic.io", "tokenFrom": {"secretRef": {"name": "t", "key": "token"}}});
            location.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            of(json!({"location": {"prismatic": location}}))
        };
        assert!(matches!(on(json!({"secrets": {"namespace": "us-prod"}})), Ok(Whereabouts::Platform(_))));
        for (more, reason) in [
            (json!({"tokenFrom": {"profile": "us"}}), "TokenRefused"),
            (json!({"tokenFrom": {"env": "STABLEKEY_TOKEN_US"}}), "TokenRefused"),
            (json!({"tokenFrom": null}), "TokenRefused"),
            (json!({"secrets": {"directory": "secrets"}}), "SecretsRefused"),
            (json!({"secrets": {"env": true}}), "SecretsRefused"),
        ] {
            assert_eq!(on(more).unwrap_err().reason, reason);
        }
    }
}
