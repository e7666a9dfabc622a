//! The metrics of the syncer, over all of its hubs.

use super::super::context::Context;
use super::assess::SyncState;
use crate::api::TargetStatus;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use tokio::time::Instant;

/// Number of due tasks, and since when the oldest is.
type DueCount = (usize, Option<Instant>);

/// The queue depth of all hubs of a process.
#[derive(Debug, Default)]
pub(super) struct SyncerBacklog(Mutex<BTreeMap<String, DueCount>>);

impl SyncerBacklog {
    /// Sets the metric for the queue depth of a hub's targets.
    pub(super) fn report(&self, context: &Context, namespace: &str, depth: impl Iterator<Item = DueCount>) {
        let mut hubs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hubs.insert(namespace.to_string(), sum(depth));
        let (count, oldest) = sum(hubs.values().copied());
        context.metrics.queue(context.role, count, oldest.map(Instant::into_std));
    }
}

fn sum(depth: impl Iterator<Item = DueCount>) -> DueCount {
    depth.fold((0, None), |(count, oldest), (more, since)| (count + more, [oldest, since].into_iter().flatten().min()))
}

/// Sets the metric for how many targets of a hub are in each state, zero included.
pub(super) fn report_targets<'s>(context: &Context, namespace: &str, statuses: impl Iterator<Item = &'s TargetStatus>) {
    let mut states: BTreeMap<&'static str, usize> = SyncState::ALL.iter().map(|state| (state.as_str(), 0)).collect();
    for status in statuses {
        *states.entry(SyncState::parse(&status.state).as_str()).or_default() += 1;
    }
    context.metrics.targets(namespace, &states);
}
