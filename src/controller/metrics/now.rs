//! The metrics that change by themselves and are computed at each scrape: ages, and who leads.

use super::labels::{ByBinding, ByConnection, ByNamespace, ByRole, ByTarget, ByTenant};
use crate::controller::election::Leadership;
use crate::controller::role::Role;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// The current values. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Gauges(Arc<Mutex<GaugeValues>>);

#[derive(Debug, Default)]
pub(super) struct GaugeValues {
    pub leaders: BTreeMap<Role, Option<Leadership>>,
    /// The queue depth, and when the oldest object was enqueued.
    pub queues: BTreeMap<Role, (usize, Option<Instant>)>,
    /// The time of the last success.
    pub successes: BTreeMap<Role, SystemTime>,
    /// By namespace: the variables of integrations whose connection is ready, and not ready.
    pub bindings: BTreeMap<String, (usize, usize)>,
    /// By namespace: the binding Secrets whose connection is gone.
    pub left: BTreeMap<String, usize>,
    /// By namespace and connection: the first expiry of its Secrets.
    pub connections: BTreeMap<String, BTreeMap<String, i64>>,
    /// By namespace: the targets of its syncs, by state.
    pub targets: BTreeMap<String, BTreeMap<&'static str, usize>>,
    /// By tenant: how many objects drifted, and since when the oldest did.
    pub drift: BTreeMap<String, (usize, Option<SystemTime>)>,
    /// By tenant: the time of the last successful full reconcile.
    pub tenant_successes: BTreeMap<String, SystemTime>,
    /// By tenant: the expiry of the token in its kubeconfig.
    pub kubeconfigs: BTreeMap<String, ExpiryGauge>,
    /// By tenant: the last poll of its source in Git that succeeded, or when the source was opened.
    pub git_polls: BTreeMap<String, Instant>,
}

/// The expiry of a token, and when it should be renewed at the latest, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct ExpiryGauge {
    pub at: i64,
    pub renew_before: i64,
}

impl Gauges {
    pub(super) fn change(&self, change: impl FnOnce(&mut GaugeValues)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        facts.encode_roles(&mut encoder)?;
        facts.encode_binder(&mut encoder)?;
        facts.encode_syncer(&mut encoder)
    }
}

impl GaugeValues {
    /// Drops the values that only the leader of a role knows.
    pub(super) fn forget(&mut self, role: Role) {
        self.queues.entry(role).and_modify(|queue| *queue = (0, None));
        match role {
            Role::Binder => {
                self.bindings.clear();
                self.left.clear();
                self.connections.clear();
            }
            Role::Syncer | Role::Sender => {
                self.targets.clear();
                self.drift.clear();
                self.tenant_successes.clear();
                self.kubeconfigs.clear();
                self.git_polls.clear();
            }
        }
    }

    fn leads(&self, role: Role) -> bool {
        self.leaders.get(&role).and_then(Option::as_ref).is_some_and(Leadership::holds)
    }

    /// Returns the values if this process leads the role: only the leader's values are current.
    fn known_to<T>(&self, role: Role, facts: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let leads = self.leads(role);
        facts.take_while(move |_| leads)
    }

    /// Returns the values if this process leads the role that reconciles targets: no process runs two such roles.
    fn known_to_hub<T>(&self, facts: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        let leads = self.leads(Role::Syncer) || self.leads(Role::Sender);
        facts.take_while(move |_| leads)
    }

    fn encode_roles(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let role = |role: &Role| ByRole { role: *role };
        let leads = self.leaders.keys().map(|r| (role(r), i64::from(self.leads(*r))));
        gauge(encoder, "leader", "Whether this process is the leader", None, leads)?;
        let queue = |r: &Role| self.queues.get(r).copied().filter(|_| self.leads(*r)).unwrap_or_default();
        let depth = self.queues.keys().map(|r| (role(r), count(queue(r).0)));
        gauge(encoder, "queue_depth", "Objects in the queue", None, depth)?;
        let ages = self.queues.keys().map(|r| (role(r), seconds(queue(r).1.map(|since| since.elapsed()))));
        let help = "Age of the oldest object in the queue";
        gauge(encoder, "queue_oldest", help, Some(Unit::Seconds), ages)?;
        let successes = self.successes.iter().map(|(r, at)| (role(r), since_1970(*at)));
        let help = "Time of the last successful reconciliation of any object";
        gauge(encoder, "last_success_timestamp", help, Some(Unit::Seconds), successes)
    }

    fn encode_binder(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let bindings = self.known_to(Role::Binder, self.bindings.iter()).flat_map(|(namespace, (ready, not_ready))| {
            let labels = |ready| ByBinding { tenant_namespace: namespace.clone(), ready };
            [(labels("false"), count(*not_ready)), (labels("true"), count(*ready))]
        });
        let help = "Connection variables of integrations, by readiness of their connection";
        gauge(encoder, "bindings", help, None, bindings)?;
        let left = self.known_to(Role::Binder, self.left.iter());
        let left = left.map(|(namespace, left)| (ByNamespace { tenant_namespace: namespace.clone() }, count(*left)));
        gauge(encoder, "left_binding_secrets", "Binding Secrets whose connection no longer exists", None, left)?;
        let expiries = self.known_to(Role::Binder, self.connections.iter()).flat_map(|(namespace, connections)| {
            connections.iter().map(|(connection, at)| {
                (ByConnection { tenant_namespace: namespace.clone(), connection: connection.clone() }, *at)
            })
        });
        let help = "Earliest expiry of the Secrets of a connection";
        gauge(encoder, "connection_expires_timestamp", help, Some(Unit::Seconds), expiries)
    }

    fn encode_syncer(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let tenant = |tenant: &String| ByTenant { tenant: tenant.clone() };
        let targets = self.known_to_hub(self.targets.iter()).flat_map(|(namespace, states)| {
            states
                .iter()
                .map(|(state, targets)| (ByTarget { tenant_namespace: namespace.clone(), state }, count(*targets)))
        });
        gauge(encoder, "targets", "Targets of syncs, by state", None, targets)?;
        let drifted = self.known_to_hub(self.drift.iter()).map(|(t, (objects, _))| (tenant(t), count(*objects)));
        gauge(encoder, "drifted_objects", "Objects with drift that is not corrected", None, drifted)?;
        let age = |since: &Option<SystemTime>| since.map(|since| since.elapsed().unwrap_or_default());
        let ages = self.known_to_hub(self.drift.iter()).map(|(t, (_, since))| (tenant(t), seconds(age(since))));
        let help = "Age of the oldest drift in a tenant";
        gauge(encoder, "drift_age", help, Some(Unit::Seconds), ages)?;
        let successes = self.known_to_hub(self.tenant_successes.iter());
        let successes = successes.map(|(t, at)| (tenant(t), since_1970(*at)));
        let help = "Time of the last successful full reconciliation of a target";
        gauge(encoder, "tenant_last_success_timestamp", help, Some(Unit::Seconds), successes)?;
        let polls = self.known_to_hub(self.git_polls.iter()).map(|(t, at)| (tenant(t), seconds(Some(at.elapsed()))));
        let help = "Time since the last successful poll of a source in Git";
        gauge(encoder, "git_poll_age", help, Some(Unit::Seconds), polls)?;
        let expiries = self.known_to_hub(self.kubeconfigs.iter()).map(|(t, expiry)| (tenant(t), expiry.at));
        let help = "Expiry of the token in a tenant's kubeconfig";
        gauge(encoder, "kubeconfig_expires_timestamp", help, Some(Unit::Seconds), expiries)?;
        let now = since_1970(SystemTime::now()) as i64;
        let expiring = self.known_to_hub(self.kubeconfigs.iter());
        let expiring = expiring.map(|(t, expiry)| (tenant(t), i64::from(expiry.renew_before <= now)));
        let help = "Whether the token in a tenant's kubeconfig is due for renewal";
        gauge(encoder, "kubeconfig_expiring", help, None, expiring)
    }
}

fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    values: impl Iterator<Item = (L, V)>,
) -> fmt::Result {
    // The registry adds this full stop to the help texts that are registered there.
    let help = format!("{help}.");
    let mut metric = encoder.encode_descriptor(name, &help, unit.as_ref(), MetricType::Gauge)?;
    for (labels, value) in values {
        metric.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

fn count(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn seconds(age: Option<Duration>) -> f64 {
    age.map_or(0.0, |age| age.as_secs_f64())
}

fn since_1970(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
