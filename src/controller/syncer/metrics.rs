//! The metrics of the syncer's work, over all of its hubs.

use super::super::context::Context;
use super::assess::SyncCondition;
use crate::api::TargetStatus;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// How much is due, and since when.
type DueCount = (usize, Option<Instant>);

/// What is due in all hubs of a process.
#[derive(Debug, Default)]
pub struct SyncerBacklog(Mutex<BTreeMap<String, DueCount>>);

impl SyncerBacklog {
    /// Reports how much is due in the targets of a hub.
    pub fn report(&self, context: &Context, namespace: &str, due: impl Iterator<Item = DueCount>) {
        let mut hubs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.insert(namespace.to_string(), sum(due));
        let (count, oldest) = sum(hubs.values().copied());
        context.metrics.queue(context.role, count, oldest.map(Instant::into_std));
    }
}

fn sum(due: impl Iterator<Item = DueCount>) -> DueCount {
    due.fold((0, None), |(count, oldest), (more, since)| (count + more, [oldest, since].into_iter().flatten().min()))
}

/// Reports how many targets of a hub are in each state: also in those in which none is.
pub fn report_targets<'s>(context: &Context, namespace: &str, statuses: impl Iterator<Item = &'s TargetStatus>) {
    let mut states: BTreeMap<&'static str, usize> =
        SyncCondition::ALL.iter().map(|state| (state.as_str(), 0)).collect();
    for status in statuses {
        *states.entry(SyncCondition::parse(&status.state).as_str()).or_default() += 1;
    }
    context.metrics.targets(namespace, &states);
}
