//! The syncer: keeps the targets of TenantSyncs in sync with their sources.
//!
//! Each namespace with Tenants and TenantSyncs is a hub of its own. A hub watches the locations of all its tenants and
//! caches them. A change of a source or a target enqueues a few objects in each target; these are planned at once, and
//! what needs no approval is written: an incremental reconcile. When no change arrives for a moment, and from time to
//! time, everything is reconciled: deletes, approvals and statuses need a full reconcile.
//!
//! ```text
//! watches ─▶ caches ─▶ queue of each target ─▶ changes:    observe → plan → select → apply
//!                                           └▶ everything: observe → plan → select → apply → assess → status
//! ```
//!
//! The sender is the same for targets on the platform: it reads them from time to time, and reconciles everything. A
//! Tenant and a TenantSync belong to one of the two roles.
//!
//! | File | Content |
//! |---|---|
//! | `namespace` | the worker of a namespace: applies events, starts what is due |
//! | `hub_objects` | the Tenants and TenantSyncs of a namespace |
//! | `tenants`, `tenant`, `polled` | the connections to tenants, and the cache of each |
//! | `git_sources`, `git_source`, `git_commit` | the sources of tenants in Git, when each is read, and its commit |
//! | `git_reads`, `fetch_folders` | how many sources are read at once, and where commits are fetched to |
//! | `target`, `queue`, `budget`, `syncs` | one target: its syncs, what is due, how much was changed |
//! | `observe` | the input of the plan |
//! | `reconcile` | the steps of a reconcile, from top to bottom |
//! | `select` | which actions may be written now, and why others may not |
//! | `outcome` | the result of an apply |
//! | `assess` | the state of a sync in a target |
//! | `status` | the statuses, how they are written, and the events of what changed |
//! | `releases` | the releases of syncs with stages, and by which stages each is on its way |
//! | `approvals`, `waiting_plans` | approvals, and what of them is left; the plans that wait for one |
//! | `facts` | what people may want to be notified of, from the statuses |
//! | `metrics` | metrics |

mod approvals;
mod assess;
mod budget;
mod facts;
mod fetch_folders;
mod git_commit;
mod git_reads;
#[cfg(test)]
mod git_room;
mod git_source;
mod git_sources;
mod hub_objects;
#[cfg(test)]
mod laws;
mod metrics;
mod namespace;
mod observe;
mod outcome;
mod polled;
mod queue;
mod receipts;
mod reconcile;
mod releases;
mod select;
mod status;
mod syncs;
mod target;
mod tenant;
mod tenants;
mod waiting_plans;

use super::context::Context;
use git_reads::GitReads;
use metrics::SyncerBacklog;
use namespace::HubWorker;
use std::sync::Arc;
use tenants::SecretClaims;
use tokio::task::JoinSet;

/// Runs the syncer, or the sender, until it is asked to end.
pub(super) async fn run(context: Context) -> Result<(), String> {
    git_sources::sweep(&context);
    let mut hubs = JoinSet::new();
    let backlog = Arc::<SyncerBacklog>::default();
    let claims = SecretClaims::default();
    let git_reads = Arc::new(GitReads::new(context.git.limits.bytes));
    for namespace in context.namespaces.iter() {
        let (backlog, claims, git_reads) = (backlog.clone(), claims.clone(), git_reads.clone());
        hubs.spawn(HubWorker::new(context.clone(), namespace, backlog, claims, git_reads).run());
    }
    while let Some(ended) = hubs.join_next().await {
        ended.map_err(|_| "internal error: report it, with the last lines of the log".to_string())?;
    }
    Ok(())
}
