//! How many variables of a namespace's integrations are bound to a connection that is ready.

use crate::api::VariableStatus;
use crate::controller::metrics::Metrics;
use std::collections::HashMap;

/// Counts, by integration and together.
#[derive(Debug)]
pub(super) struct BindingGauge {
    metrics: Metrics,
    namespace: String,
    /// Ready, and not.
    counts: HashMap<String, (usize, usize)>,
    all: (usize, usize),
}

impl BindingGauge {
    pub fn new(metrics: Metrics, namespace: &str) -> Self {
        BindingGauge { metrics, namespace: namespace.to_string(), counts: HashMap::new(), all: (0, 0) }
    }

    /// An integration was looked at.
    pub fn is(&mut self, integration: &str, rows: &[VariableStatus]) {
        let ready = rows.iter().filter(|row| row.ready).count();
        self.set(integration, Some((ready, rows.len().saturating_sub(ready))));
    }

    /// An integration is gone.
    pub fn gone(&mut self, integration: &str) {
        self.set(integration, None);
    }

    /// Nothing is known any more.
    pub fn clear(&mut self) {
        self.counts.clear();
        self.all = (0, 0);
    }

    fn set(&mut self, integration: &str, count: Option<(usize, usize)>) {
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
    fn it_follows_what_is_found() {
        let mut tally = BindingGauge::new(Metrics::new(), "ns");
        tally.is("a", &[row(true), row(false)]);
        tally.is("b", &[row(true)]);
        assert_eq!(tally.all, (2, 1));
        tally.is("a", &[row(true), row(true)]);
        assert_eq!(tally.all, (3, 0));
        tally.gone("b");
        tally.gone("b");
        assert_eq!(tally.all, (2, 0));
    }
}
