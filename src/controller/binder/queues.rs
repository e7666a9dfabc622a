//! What is due in all namespaces together, as it is measured.

use crate::controller::metrics::Metrics;
use crate::controller::role::Role;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::time::Instant;

type Depth = (usize, Option<Instant>);

/// The queues of the binder. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Backlog {
    metrics: Metrics,
    depths: Arc<Mutex<BTreeMap<String, Depth>>>,
}

/// The queue of one namespace.
#[derive(Debug)]
pub(super) struct Queue {
    all: Backlog,
    namespace: String,
    was: Depth,
}

impl Backlog {
    pub fn new(metrics: Metrics) -> Self {
        Backlog { metrics, depths: Arc::default() }
    }

    pub fn of(&self, namespace: &str) -> Queue {
        Queue { all: self.clone(), namespace: namespace.to_string(), was: (0, None) }
    }
}

impl Queue {
    /// So much is due in it, the first of it since then.
    pub fn is(&mut self, depth: Depth) {
        if std::mem::replace(&mut self.was, depth) == depth {
            return;
        }
        let mut depths = self.all.depths.lock().unwrap_or_else(PoisonError::into_inner);
        depths.insert(self.namespace.clone(), depth);
        let oldest = depths.values().filter_map(|(_, oldest)| *oldest).min();
        self.all.metrics.queue(Role::Binder, depths.values().map(|(due, _)| due).sum(), oldest.map(Instant::into_std));
    }
}
