//! The syncer: brings the targets of TenantSyncs to what their sources say.
//!
//! Each namespace with Tenants and TenantSyncs is a hub of its own. A hub follows the places of all its
//! tenants and keeps them in memory. A change of a source or a target makes a few objects due in each
//! target; these are planned at once, and what needs no approval is written. When it has become quiet, and
//! from time to time, everything is looked at: deletes, approvals, and what a status says rest on that.
//!
//! ```text
//! watches ─▶ mirrors ─▶ agenda of each target ─▶ part: plan of the closure ─▶ write
//!                                             └▶ whole: plan ─▶ write what may be ─▶ status
//! ```
//!
//! | File | What it is |
//! |---|---|
//! | `hub`, `hear` | what is told, and what it makes due |
//! | `dispatch` | what is due is begun |
//! | `locations`, `followed`, `kubeconfig` | where tenants are, how they are reached, what is known of them |
//! | `targets`, `agenda`, `guard` | one target: its syncs, what is due, the volume guard |
//! | `pass`, `narrow` | one pass over one target, on a thread of its own |
//! | `approvals`, `waiting` | what was approved, and what of it is left; what is to be approved |
//! | `judge`, `statuses`, `report`, `measured` | what is said: statuses, events, metrics |

mod agenda;
mod approvals;
mod dispatch;
mod followed;
mod guard;
mod hear;
mod hub;
mod judge;
mod kubeconfig;
mod locations;
mod measured;
mod narrow;
mod pass;
mod report;
mod statuses;
mod syncs;
mod targets;
mod waiting;

use super::context::Context;
use hub::HubWorker;
use measured::Measured;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Does the syncer's work, until it is asked to end.
pub async fn run(context: Context) -> Result<(), String> {
    let mut hubs = JoinSet::new();
    let measured = Arc::<Measured>::default();
    for namespace in context.namespaces.iter() {
        hubs.spawn(HubWorker::new(context.clone(), namespace, measured.clone()).run());
    }
    while let Some(ended) = hubs.join_next().await {
        ended.map_err(|_| "a mistake of ours: report it, with the last lines of the log".to_string())?;
    }
    Ok(())
}
