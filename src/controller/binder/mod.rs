//! The binder: evaluates the connections, customer credentials and integrations of one tenant namespace, and writes
//! their binding Secrets and statuses.
//!
//! ```text
//! watches ─▶ namespace ─▶ store: cache, queue ─▶ reconcile: evaluate ─▶ binding Secrets ─▶ status
//!                           ▲                                                 │
//!                           └──────────────── answers ────────────────────────┘
//! ```
//!
//! | File | Content |
//! |---|---|
//! | `namespace`, `watches` | one namespace: its watches, and the loop that starts reconciles |
//! | `store` | the only mutable state: the cache, the objects, the queue; watch events and answers are applied there |
//! | `reconcile` | one object, from top to bottom |
//! | `housekeeping` | binding Secrets of deleted objects; owners of definitions |
//! | `queue`, `warnings` | what is due, when to retry, which warnings are delayed |
//! | `cache`, `index`, `memo`, `objects`, `definition_owners` | data |
//! | `affected`, `evaluate`, `secret` | the pure half: what a change affects, the desired state of an object |
//! | `write`, `report`, `metrics` | requests; events, logs and metrics |
//!
//! The half that decides is pure: no I/O, no clock, no client. The current time is an argument.

mod affected;
mod cache;
mod definition_owners;
mod evaluate;
mod housekeeping;
mod index;
mod memo;
mod metrics;
mod namespace;
mod objects;
mod queue;
mod reconcile;
mod report;
mod secret;
mod store;
#[cfg(test)]
mod tests;
mod warnings;
mod watches;
mod write;

use super::context::Context;
use metrics::Backlog;
use namespace::NamespaceWorker;
use secret::fingerprint::Salt;
use std::sync::Arc;
use tokio::task::JoinSet;

/// The message of a condition or an error after a panic.
const MISTAKE: &str = "internal error: report it, with the last lines of the log";

/// Runs the binder until it is asked to end.
pub async fn run(context: Context) -> Result<(), String> {
    let salt = Arc::new(Salt::random());
    let backlog = Backlog::new(context.metrics.clone());
    let mut namespaces = JoinSet::new();
    for namespace in context.namespaces.iter() {
        let depth = backlog.of(namespace);
        namespaces.spawn(NamespaceWorker::new(context.clone(), namespace, salt.clone(), depth).run());
    }
    while let Some(ended) = namespaces.join_next().await {
        ended.map_err(|_| MISTAKE.to_string())??;
    }
    Ok(())
}
