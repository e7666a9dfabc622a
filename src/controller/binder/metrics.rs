//! The metrics of a namespace: queue depth and bound variables.

use crate::api::VariableStatus;
use crate::controller::metrics::Metrics;
use crate::controller::role::Role;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

type DepthAndAge = (usize, Option<Instant>);

/// The queue depth of all namespaces together. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Backlog {
    metrics: Metrics,
    depths: Arc<Mutex<BTreeMap<String, DepthAndAge>>>,
}

/// The queue depth of one namespace.
#[derive(Debug)]
pub(super) struct QueueDepth {
    all: Backlog,
    namespace: String,
    was: DepthAndAge,
}

impl Backlog {
    pub(super) fn new(metrics: Metrics) -> Self {
        Backlog { metrics, depths: Arc::default() }
    }

    pub(super) fn of(&self, namespace: &str) -> QueueDepth {
        QueueDepth { all: self.clone(), namespace: namespace.to_string(), was: (0, None) }
    }
}

impl QueueDepth {
    /// Sets the number of queued tasks, and when the oldest was enqueued.
    pub(super) fn set(&mut self, depth: DepthAndAge) {
        if std::mem::replace(&mut self.was, depth) == depth {
            return;
        }
        let mut depths = self.all.depths.lock().unwrap_or_else(PoisonError::into_inner);
        depths.insert(self.namespace.clone(), depth);
        let oldest = depths.values().filter_map(|(_, oldest)| *oldest).min();
        self.all.metrics.queue(
            Role::Binder,
            depths.values().map(|(depth, _)| depth).sum(),
            oldest.map(Instant::into_std),
        );
    }
}

/// Counts the variables of a namespace's integrations that are bound to a ready connection, by integration and in
/// total.
#[derive(Debug)]
pub(super) struct BindingGauge {
    metrics: Metrics,
    namespace: String,
    /// Number of ready and not ready variables.
    counts: HashMap<String, (usize, usize)>,
    all: (usize, usize),
}

impl BindingGauge {
    pub(super) fn new(metrics: Metrics, namespace: &str) -> Self {
        BindingGauge { metrics, namespace: namespace.to_string(), counts: HashMap::new(), all: (0, 0) }
    }

    /// Updates the counts after an evaluation of an integration.
    pub(super) fn set(&mut self, integration: &str, rows: &[VariableStatus]) {
        let ready = rows.iter().filter(|row| row.ready).count();
        self.count(integration, Some((ready, rows.len().saturating_sub(ready))));
    }

    /// Removes a deleted integration.
    pub(super) fn gone(&mut self, integration: &str) {
        self.count(integration, None);
    }

    fn count(&mut self, integration: &str, count: Option<(usize, usize)>) {
        let before = match count {
            Some(count) => self.counts.insert(integration.to_string(), count),
            None => self.counts.remove(integration),
        };
        if before == count {
            return;
        }
        let ((ready, not), (is_ready, is_not)) = (before.unwrap_or_default(), count.unwrap_or_default());
        self.all = ((self.all.0 + is_ready).saturating_sub(ready), (self.all.1 + is_not).saturating_sub(not));
        self.metrics.bindings(&self.namespace, self.all.0, self.all.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(ready: bool) -> VariableStatus {
        VariableStatus {
            name: "CRM".into(),
            stable_key: None,
            connection: None,
            ready,
            reason: String::new(),
            message: None,
            candidates: vec![],
        }
    }

    #[test]
    fn evaluated_variables_are_counted() {
        let mut gauge = BindingGauge::new(Metrics::new(), "ns");
        gauge.set("a", &[row(true), row(false)]);
        gauge.set("b", &[row(true)]);
        assert_eq!(gauge.all, (2, 1));
        gauge.set("a", &[row(true), row(true)]);
        assert_eq!(gauge.all, (3, 0));
        gauge.gone("b");
        gauge.gone("b");
        assert_eq!(gauge.all, (2, 0));
    }
}
