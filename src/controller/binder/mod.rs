//! The binder: what the connections, customer credentials and integrations of one tenant namespace are found to be,
//! and the binding Secrets that should be there.
//!
//! ```text
//! watches ─▶ namespace ─▶ store: cache, queue ─▶ reconcile: evaluate ─▶ binding Secrets ─▶ status
//!                           ▲                                                 │
//!                           └──────────────── answers ────────────────────────┘
//! ```
//!
//! | File | What it is |
//! |---|---|
//! | `namespace`, `watches` | one namespace: its watches, and the loop that begins what is due |
//! | `store` | its state, the one place: the cache, the objects, the queue; events and answers are taken in there |
//! | `reconcile` | one object, from top to bottom |
//! | `housekeeping` | binding Secrets of objects that are gone; owners of definitions |
//! | `queue`, `warnings` | what is due, when again, which warnings wait a moment |
//! | `cache`, `index`, `memo`, `objects`, `definition_owners` | data |
//! | `affected`, `evaluate`, `secret` | the pure half: what a change affects, what an object should be |
//! | `write`, `report`, `metrics` | requests; events, logs and measures |
//!
//! The half that decides is pure: no I/O, no clock, no client. The present time is given.

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

/// What is said where we stumbled.
const MISTAKE: &str = "a mistake of ours: report it, with the last lines of the log";

/// Does the binder's work, until it is asked to end.
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
