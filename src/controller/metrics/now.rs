//! What is measured when it is asked for, because it changes by itself: ages, and who leads.

use super::labels::{ByRole, ByTenant};
use crate::controller::lease::Leadership;
use crate::controller::role::Role;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeGaugeValue, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Now(Arc<Mutex<Facts>>);

#[derive(Debug, Default)]
pub struct Facts {
    pub leaders: BTreeMap<Role, Option<Leadership>>,
    /// How many objects are due, and since when the oldest is.
    pub queues: BTreeMap<Role, (usize, Option<Instant>)>,
    /// How many objects drifted in a tenant, and since when the oldest did.
    pub drift: BTreeMap<String, (usize, Option<SystemTime>)>,
}

impl Now {
    pub fn change(&self, change: impl FnOnce(&mut Facts)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let facts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let role = |role: &Role| ByRole { role: *role };
        let tenant = |tenant: &String| ByTenant { tenant: tenant.clone() };
        let leads = facts.leaders.iter().map(|(r, l)| (role(r), i64::from(l.as_ref().is_some_and(Leadership::holds))));
        gauge(&mut encoder, "leader", "Whether this process leads", None, leads)?;
        let due = facts.queues.iter().map(|(r, (due, _))| (role(r), count(*due)));
        gauge(&mut encoder, "queue_depth", "Objects that are due", None, due)?;
        let ages = facts.queues.iter().map(|(r, (_, since))| (role(r), seconds(since.map(|since| since.elapsed()))));
        let help = "For how long the oldest object that is due has waited";
        gauge(&mut encoder, "queue_oldest", help, Some(Unit::Seconds), ages)?;
        let drifted = facts.drift.iter().map(|(t, (objects, _))| (tenant(t), count(*objects)));
        gauge(&mut encoder, "drifted_objects", "Objects that drifted and are left so", None, drifted)?;
        let age = |since: &Option<SystemTime>| since.map(|since| since.elapsed().unwrap_or_default());
        let ages = facts.drift.iter().map(|(t, (_, since))| (tenant(t), seconds(age(since))));
        let help = "For how long the oldest drift of a tenant has been left";
        gauge(&mut encoder, "drift_age", help, Some(Unit::Seconds), ages)
    }
}

fn gauge<L: EncodeLabelSet, V: EncodeGaugeValue>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<Unit>,
    values: impl Iterator<Item = (L, V)>,
) -> fmt::Result {
    // The text of a help that is registered ends so by itself.
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
