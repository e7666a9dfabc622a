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
//! | `hub` | what is told, and what it makes due |
//! | `dispatch` | what is due is begun |
//! | `places`, `followed`, `kubeconfig` | where tenants are, how they are reached, what is known of them |
//! | `targets`, `agenda`, `guard` | one target: its syncs, what is due, the volume guard |
//! | `pass` | one pass over one target, on a thread of its own |
//! | `judge`, `statuses`, `report` | what is said: statuses, events |

mod agenda;
mod dispatch;
mod followed;
mod guard;
mod hub;
mod judge;
mod kubeconfig;
mod pass;
mod places;
mod report;
mod statuses;
mod targets;

use super::context::Context;
use hub::Hub;
use tokio::task::JoinSet;

/// Does the syncer's work, until it is asked to end.
pub async fn run(context: Context) -> Result<(), String> {
    let mut hubs = JoinSet::new();
    for namespace in context.namespaces.iter() {
        hubs.spawn(Hub::new(context.clone(), namespace).run());
    }
    while let Some(ended) = hubs.join_next().await {
        ended.map_err(|_| "a mistake of ours: report it, with the last lines of the log".to_string())?;
    }
    Ok(())
}
