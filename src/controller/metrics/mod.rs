//! The metrics of the operator, in the text format of OpenMetrics.
//!
//! A label's value is one of a fixed list, or a tenant, namespace or cluster that the operator reconciles, or the name
//! of a connection whose Secrets have an expiry, or of a destination of notifications. It is never the name of another object, an input, or content of a
//! Secret.

mod labels;
mod now;
mod process;

pub use labels::{GitPollOutcome, NotificationOutcome, ReconcileOutcome};

use super::election::Leadership;
use super::role::Role;
use crate::api::Kind;
use crate::kubernetes::client::Observer;
use labels::{
    ByCode, ByDuty, ByGitPoll, ByNotification, ByOutcome, ByPlatformRequest, ByRequest, ByRole, ByTenant, ByVersion,
    verb,
};
use now::{ExpiryGauge, Gauges};
use process::Process;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// The buckets of durations in seconds: from a cached reconcile to one that times out.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

type Histograms<L> = Family<L, Histogram, fn() -> Histogram>;

/// All metrics of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    now: Gauges,
    reconciles: Family<ByOutcome, Counter>,
    durations: Histograms<ByDuty>,
    failures: Family<ByCode, Counter>,
    waits: Histograms<ByRole>,
    requests: Family<ByRequest, Counter>,
    platform_reads: Histograms<ByTenant>,
    platform_requests: Family<ByPlatformRequest, Counter>,
    git_polls: Family<ByGitPoll, Counter>,
    notifications: Family<ByNotification, Counter>,
}

impl Default for Metrics {
    fn default() -> Self {
        Metrics::new()
    }
}

impl Metrics {
    /// Returns metrics that are all zero.
    pub fn new() -> Self {
        let mut all = Registry::default();
        all.register_collector(Box::new(Process::started()));
        let registry = all.sub_registry_with_prefix("stablekey");
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let now = Gauges::default();
        let reconciles = Family::default();
        let durations = Histograms::new_with_constructor(histogram);
        let failures = Family::default();
        let waits = Histograms::new_with_constructor(histogram);
        let requests = Family::default();
        let version = ByVersion { version: env!("CARGO_PKG_VERSION") };
        registry.register("build", "The version that runs", Info::new(version));
        registry.register("reconciles", "Objects reconciled, by outcome", reconciles.clone());
        let help = "Time to reconcile an object, writes included";
        registry.register_with_unit("reconcile_duration", help, Unit::Seconds, durations.clone());
        let help = "Failures, by code of the check or reason of the API server";
        registry.register("failures", help, failures.clone());
        let help = "Time that an object waited in the queue";
        registry.register_with_unit("queue_wait", help, Unit::Seconds, waits.clone());
        let help = "Requests to API servers, by status code; none: no answer came";
        registry.register("api_requests", help, requests.clone());
        let platform_reads = Histograms::new_with_constructor(histogram);
        let platform_requests = Family::default();
        let help = "Time to read a tenant on the platform";
        registry.register_with_unit("platform_read_duration", help, Unit::Seconds, platform_reads.clone());
        let help = "Requests to the platform; a write changes something there";
        registry.register("platform_requests", help, platform_requests.clone());
        let git_polls = Family::default();
        registry.register("git_polls", "Polls of sources in Git, by result", git_polls.clone());
        let notifications = Family::default();
        registry.register("notifications", "Notifications, by destination and result", notifications.clone());
        registry.register_collector(Box::new(now.clone()));
        Metrics {
            registry: Arc::new(all),
            now,
            reconciles,
            durations,
            failures,
            waits,
            requests,
            platform_reads,
            platform_requests,
            git_polls,
            notifications,
        }
    }

    /// Starts to measure the queue of a role that this process runs.
    pub fn runs(&self, role: Role) {
        self.now.change(|now| {
            now.leaders.entry(role).or_default();
            now.queues.entry(role).or_default();
        });
        drop(self.waits.get_or_create(&ByRole { role }));
    }

    /// Records that this process leads a role. Whether it still does is read from the Lease at each scrape. The values
    /// of an earlier leadership are dropped.
    pub fn leads(&self, role: Role, leadership: Leadership) {
        self.now.change(|now| {
            now.forget(role);
            now.leaders.insert(role, Some(leadership));
        });
    }

    /// Counts a reconcile of an object.
    pub fn reconciled(&self, role: Role, kind: Kind, outcome: ReconcileOutcome, took: Duration) {
        self.reconciles.get_or_create(&ByOutcome { role, kind: kind.as_str(), outcome }).inc();
        self.durations.get_or_create(&ByDuty { role, kind: kind.as_str() }).observe(took.as_secs_f64());
        if outcome != ReconcileOutcome::Failed {
            self.now.change(|now| {
                now.successes.insert(role, SystemTime::now());
            });
        }
    }

    /// Records a successful full reconcile of a tenant as the target of syncs.
    pub fn tenant_succeeded(&self, tenant: &str) {
        self.now.change(|now| {
            now.tenant_successes.insert(tenant.to_string(), SystemTime::now());
        });
    }

    /// Counts a failure: `code` is that of a check, or an API server's reason.
    pub fn failed(&self, role: Role, code: &'static str) {
        self.failures.get_or_create(&ByCode { role, code }).inc();
    }

    /// Records how long an object waited in the queue.
    pub fn waited(&self, role: Role, time: Duration) {
        self.waits.get_or_create(&ByRole { role }).observe(time.as_secs_f64());
    }

    /// Sets the queue depth, and when the oldest object was enqueued.
    pub fn queue(&self, role: Role, depth: usize, oldest: Option<Instant>) {
        self.now.change(|now| {
            now.queues.insert(role, (depth, oldest));
        });
    }

    /// Sets how many objects of a tenant have unreverted drift, and since when the oldest has.
    pub fn drift(&self, tenant: &str, objects: usize, oldest: Option<SystemTime>) {
        self.now.change(|now| {
            now.drift.insert(tenant.to_string(), (objects, oldest));
        });
    }

    /// Drops the metrics of a tenant that is no longer the target of any sync.
    pub fn forget_tenant(&self, tenant: &str) {
        self.now.change(|now| {
            now.drift.remove(tenant);
            now.tenant_successes.remove(tenant);
        });
    }

    /// Sets the expiry of the token in a tenant's kubeconfig, and when it should be renewed at the latest, in seconds
    /// since 1970; `None` if the expiry is unknown or there is no kubeconfig.
    pub fn kubeconfig_expires(&self, tenant: &str, expiry: Option<(i64, i64)>) {
        self.now.change(|now| {
            match expiry {
                Some((at, renew_before)) => {
                    now.kubeconfigs.insert(tenant.to_string(), ExpiryGauge { at, renew_before })
                }
                None => now.kubeconfigs.remove(tenant),
            };
        });
    }

    /// Sets the first expiry among a connection's Secrets, in seconds since 1970; `None` if none has one.
    pub fn connection_expires(&self, namespace: &str, connection: &str, at: Option<i64>) {
        self.now.change(|now| {
            let connections = now.connections.entry(namespace.to_string()).or_default();
            match at {
                Some(at) => connections.insert(connection.to_string(), at),
                None => connections.remove(connection),
            };
        });
    }

    /// Drops the metrics of a namespace's connections.
    pub fn forget_connections(&self, namespace: &str) {
        self.now.change(|now| drop(now.connections.remove(namespace)));
    }

    /// Sets how many variables of a namespace's integrations are bound to a connection that is ready, or not ready.
    pub fn bindings(&self, namespace: &str, ready: usize, not_ready: usize) {
        self.now.change(|now| {
            now.bindings.insert(namespace.to_string(), (ready, not_ready));
        });
    }

    /// Sets how many binding Secrets of a namespace belong to deleted connections.
    pub fn left(&self, namespace: &str, secrets: usize) {
        self.now.change(|now| {
            now.left.insert(namespace.to_string(), secrets);
        });
    }

    /// Sets how many targets of a namespace's syncs are in each state. Every state must be listed, zero included.
    pub fn targets(&self, namespace: &str, states: &BTreeMap<&'static str, usize>) {
        self.now.change(|now| drop(now.targets.insert(namespace.to_string(), states.clone())));
    }

    /// Returns an observer that counts the requests to a cluster.
    pub fn observer(&self, cluster: &str) -> Observer {
        let (requests, target) = (self.requests.clone(), cluster.to_string());
        Arc::new(move |request, status, _| {
            let code = status.map_or_else(|| "none".to_string(), |status| status.as_u16().to_string());
            let labels = ByRequest { target: target.clone(), verb: verb(request), code };
            requests.get_or_create(&labels).inc();
        })
    }

    /// Records a read of a tenant on the platform.
    pub fn platform_read(&self, tenant: &str, took: Duration) {
        self.platform_reads.get_or_create(&ByTenant { tenant: tenant.to_string() }).observe(took.as_secs_f64());
    }

    /// Counts requests to the platform.
    pub fn platform_requests(&self, tenant: &str, reads: usize, writes: usize) {
        for (form, count) in [("read", reads), ("write", writes)] {
            let labels = ByPlatformRequest { tenant: tenant.to_string(), form };
            self.platform_requests.get_or_create(&labels).inc_by(u64::try_from(count).unwrap_or_default());
        }
    }

    /// Starts to measure the time since the last successful poll of a tenant's source in Git.
    pub fn git_opened(&self, tenant: &str) {
        self.now.change(|now| {
            now.git_polls.entry(tenant.to_string()).or_insert_with(Instant::now);
        });
    }

    /// Counts a poll of a tenant's source in Git.
    pub fn git_polled(&self, tenant: &str, result: GitPollOutcome) {
        self.git_polls.get_or_create(&ByGitPoll { tenant: tenant.to_string(), result }).inc();
        if result != GitPollOutcome::Failed {
            self.now.change(|now| {
                now.git_polls.insert(tenant.to_string(), Instant::now());
            });
        }
    }

    /// Drops the time since the last poll of a tenant that has no source in Git any more.
    pub fn forget_git(&self, tenant: &str) {
        self.now.change(|now| {
            now.git_polls.remove(tenant);
        });
    }

    /// Counts a notification of a namespace.
    pub fn notified(&self, namespace: &str, destination: &str, result: NotificationOutcome) {
        let (tenant_namespace, destination) = (namespace.to_string(), destination.to_string());
        self.notifications.get_or_create(&ByNotification { tenant_namespace, destination, result }).inc();
    }

    /// Returns all metrics as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kubernetes::client::ApiRequest;
    use http::StatusCode;

    fn filled() -> Metrics {
        let metrics = Metrics::new();
        for role in Role::ALL {
            metrics.runs(role);
        }
        for role in Role::ALL {
            metrics.leads(role, Leadership::always());
        }
        metrics.reconciled(Role::Binder, Kind::Connection, ReconcileOutcome::Written, Duration::from_millis(2));
        metrics.failed(Role::Syncer, "SK0111");
        metrics.waited(Role::Binder, Duration::from_millis(3));
        metrics.queue(Role::Binder, 2, Some(Instant::now()));
        metrics.drift("eu-prod", 1, Some(SystemTime::now()));
        metrics.drift("us-prod", 0, None);
        metrics.bindings("us-prod", 3, 1);
        metrics.left("us-prod", 1);
        metrics.targets("us-prod", &BTreeMap::from([("settled", 1), ("unreachable", 0)]));
        metrics.tenant_succeeded("eu-prod");
        metrics.kubeconfig_expires("eu-prod", Some((4_102_444_800, 4_101_840_000)));
        metrics.connection_expires("us-prod", "salesforce-oauth", Some(4_102_444_800));
        let observer = metrics.observer("eu");
        observer(&ApiRequest::get("/api?limit=500"), Some(StatusCode::OK), Duration::ZERO);
        observer(&ApiRequest::put("/api", Vec::new()), None, Duration::ZERO);
        metrics.platform_read("us-platform", Duration::from_millis(2));
        metrics.platform_requests("us-platform", 5, 1);
        metrics.git_opened("us-git");
        metrics.git_polled("us-git", GitPollOutcome::Fetched);
        metrics.git_polled("us-git", GitPollOutcome::Unchanged);
        metrics.notified("us-prod", "team", NotificationOutcome::Sent);
        metrics
    }

    /// Returns the samples that are the same on every machine: sorted, without buckets, fractions of ages and process
    /// metrics.
    fn samples(text: &str) -> String {
        let cut = |line: &str| match line.rsplit_once(' ') {
            Some((name, _)) if name.starts_with("stablekey") && name.contains("_seconds") => format!("{name} #"),
            _ => line.to_string(),
        };
        let lines: Vec<String> = text
            .lines()
            .filter(|line| !["_bucket", "process_"].iter().any(|part| line.contains(part)))
            .map(cut)
            .collect();
        let mut parts: Vec<Vec<String>> =
            lines.chunk_by(|a, b| a.starts_with('#') == b.starts_with('#')).map(<[String]>::to_vec).collect();
        parts.iter_mut().filter(|part| !part[0].starts_with('#')).for_each(|part| part.sort());
        parts.concat().join("\n")
    }

    #[test]
    fn every_metric_is_there_with_its_help() {
        insta::assert_snapshot!(samples(&filled().text()));
    }

    #[test]
    fn the_documentation_has_every_metric() {
        let documentation = include_str!("../../../docs/operator.md");
        let text = filled().text();
        for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, form) = name.split_once(' ').unwrap();
            let suffix = match form {
                "counter" => "_total",
                "info" => "_info",
                _ => "",
            };
            assert!(
                documentation.contains(&format!("| `{name}{suffix}` | ")),
                "{name}{suffix} is not in docs/operator.md"
            );
        }
    }

    #[test]
    fn queue_and_drift_ages_grow_by_themselves() {
        let metrics = filled();
        metrics.queue(Role::Binder, 1, Instant::now().checked_sub(Duration::from_secs(70)));
        metrics.drift("eu-prod", 1, SystemTime::now().checked_sub(Duration::from_secs(90)));
        let text = metrics.text();
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            line.rsplit_once(' ').unwrap().1.parse().unwrap()
        };
        assert!((70.0..80.0).contains(&value("stablekey_queue_oldest_seconds{role=\"binder\"}")), "{text}");
        assert!((90.0..100.0).contains(&value("stablekey_drift_age_seconds{tenant=\"eu-prod\"}")), "{text}");
        metrics.forget_tenant("eu-prod");
        metrics.kubeconfig_expires("eu-prod", None);
        assert!(!metrics.text().contains("eu-prod"));
    }

    /// A source that never answered has an age too: that is the one to look for.
    #[test]
    fn the_time_since_a_poll_begins_when_a_source_is_opened() {
        let metrics = Metrics::new();
        metrics.leads(Role::Syncer, Leadership::always());
        metrics.git_opened("us");
        metrics.git_polled("us", GitPollOutcome::Failed);
        let text = metrics.text();
        assert!(text.contains("stablekey_git_polls_total{tenant=\"us\",result=\"failed\"} 1"), "{text}");
        assert!(text.contains("stablekey_git_poll_age_seconds{tenant=\"us\"} "), "{text}");
        let earlier = Instant::now().checked_sub(Duration::from_secs(70)).unwrap();
        metrics.now.change(|now| {
            now.git_polls.insert("us".to_string(), earlier);
        });
        // Another connection to the same source is no poll.
        metrics.git_opened("us");
        assert!(metrics.text().contains("stablekey_git_poll_age_seconds{tenant=\"us\"} 7"), "{}", metrics.text());
        metrics.git_polled("us", GitPollOutcome::Unchanged);
        assert!(metrics.text().contains("stablekey_git_poll_age_seconds{tenant=\"us\"} 0"), "{}", metrics.text());
        metrics.forget_git("us");
        assert!(!metrics.text().contains("stablekey_git_poll_age_seconds{"));
    }

    #[test]
    fn a_queue_is_measured_from_the_start() {
        let metrics = Metrics::new();
        metrics.runs(Role::Syncer);
        let text = metrics.text();
        for sample in
            ["depth{role=\"syncer\"} 0", "oldest_seconds{role=\"syncer\"} 0", "wait_seconds_count{role=\"syncer\"} 0"]
        {
            assert!(text.contains(&format!("stablekey_queue_{sample}")), "{sample}: {text}");
        }
        assert!(!text.contains("binder"), "{text}");
    }

    #[test]
    fn a_failure_is_no_success() {
        let metrics = Metrics::new();
        metrics.leads(Role::Binder, Leadership::always());
        metrics.reconciled(Role::Binder, Kind::Connection, ReconcileOutcome::Failed, Duration::ZERO);
        let sample = "stablekey_last_success_timestamp_seconds{role=\"binder\"} ";
        assert!(!metrics.text().contains(sample));
        metrics.reconciled(Role::Binder, Kind::Connection, ReconcileOutcome::HeldBack, Duration::ZERO);
        let text = metrics.text();
        let at: f64 = text.lines().find_map(|line| line.strip_prefix(sample)).unwrap().parse().unwrap();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - 10.0..=now).contains(&at), "{at}");
    }

    #[test]
    fn a_former_leader_shows_none_of_its_values() {
        let metrics = filled();
        metrics.now.change(|now| now.leaders.values_mut().for_each(|leads| *leads = Some(Leadership::never())));
        // Counters stay: what was sent was sent.
        let is_gauge = |line: &&str| line.contains("-prod\"") && !line.contains("_total{");
        let shown = |metrics: &Metrics| metrics.text().lines().filter(is_gauge).count();
        assert_eq!(shown(&metrics), 0);
        let text = metrics.text();
        assert!(text.contains("stablekey_queue_depth{role=\"binder\"} 0"), "{text}");
        assert!(text.contains("stablekey_leader{role=\"binder\"} 0"), "{text}");
        // Nor when it leads again: tenants may be gone by then.
        for role in Role::ALL {
            metrics.leads(role, Leadership::always());
        }
        assert_eq!(shown(&metrics), 0);
    }

    #[test]
    fn a_token_counts_as_expiring_when_its_renewal_is_due() {
        let metrics = filled();
        assert!(metrics.text().contains("stablekey_kubeconfig_expiring{tenant=\"eu-prod\"} 0"));
        metrics.kubeconfig_expires("eu-prod", Some((4_102_444_800, 1)));
        assert!(metrics.text().contains("stablekey_kubeconfig_expiring{tenant=\"eu-prod\"} 1"));
    }

    #[test]
    fn no_label_clashes_with_those_that_prometheus_adds() {
        let added = ["job", "instance", "namespace", "pod", "container", "node", "service", "endpoint", "cluster"];
        let text = filled().text();
        for label in added {
            assert!(
                ![format!("{{{label}=\""), format!(",{label}=\"")].iter().any(|label| text.contains(label)),
                "{label}"
            );
        }
    }
}
