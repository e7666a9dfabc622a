//! The syncer: brings the targets of TenantSyncs to what their sources say.
//!
//! Each namespace with Tenants and TenantSyncs is a hub of its own. A hub watches the locations of all its tenants and
//! keeps them in memory. A change of a source or a target makes a few objects due in each target; these are planned at
//! once, and what needs no approval is written. When it has become quiet, and from time to time, everything is
//! reconciled: deletes, approvals and statuses need that.
//!
//! ```text
//! watches ─▶ caches ─▶ queue of each target ─▶ changes:    observe → plan → select → apply
//!                                           └▶ everything: observe → plan → select → apply → assess → status
//! ```
//!
//! | File | What it is |
//! |---|---|
//! | `namespace` | the worker of a namespace: takes in events, begins what is due |
//! | `hub_objects` | the Tenants and TenantSyncs of a namespace |
//! | `tenants`, `tenant`, `kubeconfig` | the connections to tenants, and what is known of each |
//! | `target`, `queue`, `budget`, `syncs` | one target: its syncs, what is due, how much was changed |
//! | `observe` | what the engine plans on |
//! | `reconcile` | the steps of a reconcile, from top to bottom |
//! | `select` | what may be written now, and why the rest may not |
//! | `outcome` | what was applied |
//! | `assess` | the state of a sync in a target |
//! | `status` | the statuses, how they are written, and the events of what changed |
//! | `approvals`, `waiting_plans` | what was approved, and what of it is left; the plans that wait |
//! | `metrics` | metrics |

mod approvals;
mod assess;
mod budget;
mod hub_objects;
mod kubeconfig;
mod metrics;
mod namespace;
mod observe;
mod outcome;
mod queue;
mod reconcile;
mod select;
mod status;
mod syncs;
mod target;
mod tenant;
mod tenants;
mod waiting_plans;

use super::context::Context;
use metrics::SyncerBacklog;
use namespace::HubWorker;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Does the syncer's work, until it is asked to end.
pub async fn run(context: Context) -> Result<(), String> {
    let mut hubs = JoinSet::new();
    let backlog = Arc::<SyncerBacklog>::default();
    for namespace in context.namespaces.iter() {
        hubs.spawn(HubWorker::new(context.clone(), namespace, backlog.clone()).run());
    }
    while let Some(ended) = hubs.join_next().await {
        ended.map_err(|_| "a mistake of ours: report it, with the last lines of the log".to_string())?;
    }
    Ok(())
}
