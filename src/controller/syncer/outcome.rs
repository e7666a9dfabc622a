//! The result of applying a plan to a target: the actions that were carried out, the failures, and what is left.

use super::approvals::GivenApprovals;
use super::releases::BegunRelease;
use super::syncs::{SourceInto, SyncInto};
use super::waiting_plans::StoredPlaces;
use crate::apply::{Outcome, Refusal, Report};
use crate::engine::model::canonical::Digest;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, Plan};
use crate::engine::model::record::Writer;
use crate::tenant::location::LocationError;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tracing::{debug, info, warn};

/// The result of one apply.
#[derive(Debug, Default)]
pub(super) struct PassOutcome {
    /// The actions that were carried out.
    pub done: Vec<DoneAction>,
    /// The actions that failed, by id. Under the name of the target: all of them.
    pub failed: BTreeMap<String, ActionFailure>,
    /// Another client changed an object meanwhile: the target must be planned again.
    pub again: bool,
    /// Whether a person approved it.
    pub approved: bool,
    /// The duration; for a full reconcile planning included.
    pub took: Duration,
}

/// An action that was carried out.
#[derive(Debug)]
pub(super) struct DoneAction {
    pub object: ObjectId,
    pub kind: ActionKind,
    pub digest: Digest,
    pub writers: BTreeSet<Writer>,
}

/// Why an action was not carried out.
#[derive(Debug)]
pub(super) struct ActionFailure {
    /// One word, for machines.
    pub code: &'static str,
    /// The error, and what to do about it.
    pub why: String,
    /// When to retry if nothing changes.
    pub retry: Retry,
}

/// When a failed action is retried if nothing changes, soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Retry {
    /// At intervals that grow to a minute.
    Soon,
    /// At intervals that grow to the resync interval: a person must act, perhaps on something that is not watched.
    Seldom,
    /// With the next resync.
    Resync,
}

/// The result of a full reconcile, from which the target's statuses are computed.
#[derive(Debug)]
pub(super) struct AppliedTarget {
    /// The plan before anything was carried out, including syncs that wait for an approval.
    pub plan: Plan,
    /// The ids of the actions of syncs that need no approval, if others wait for one.
    pub unattended: Option<BTreeSet<String>>,
    pub outcome: PassOutcome,
    /// Writers whose approval is not valid, and why.
    pub void: BTreeMap<Writer, String>,
    /// Digests of the desired and of the live state, if nothing is left to do.
    pub settled: Option<(Digest, Digest)>,
    /// The approvals in the annotation of each sync, and of the Tenant.
    pub given: BTreeMap<Writer, GivenApprovals>,
    /// Where the waiting plans are stored.
    pub waiting_plans: StoredPlaces,
    /// Actions that wait until their source is settled, by id, and why.
    pub later: BTreeMap<String, String>,
    /// The syncs that waited for an approval when it was planned.
    pub waited: BTreeSet<Writer>,
    /// By sync with stages: the release that was planned.
    pub releases: BTreeMap<String, BegunRelease>,
    /// The syncs into the target when it was planned.
    pub into: BTreeMap<String, SyncInto>,
    /// The target's own source when it was planned.
    pub source: Option<SourceInto>,
}

impl PassOutcome {
    /// Returns the result of a reconcile that panicked.
    pub(super) fn broken(target: &str) -> Self {
        let why = "internal error: report it, with the last lines of the log".to_string();
        PassOutcome {
            failed: [(target.to_string(), ActionFailure { code: "Mistake", why, retry: Retry::Soon })].into(),
            ..PassOutcome::default()
        }
    }

    /// Returns the result of an apply that was refused before its first write.
    pub(super) fn refused(target: &str, refusal: &Refusal) -> Self {
        let failure = match refusal {
            Refusal::Location(error) => ActionFailure::of(error),
            Refusal::Void { .. } | Refusal::UnknownDigest { .. } => {
                ActionFailure { code: "NotApproved", why: refusal.to_string(), retry: Retry::Soon }
            }
        };
        PassOutcome { failed: [(target.to_string(), failure)].into(), ..PassOutcome::default() }
    }

    /// Converts the report of an apply.
    pub(super) fn of(plan: &Plan, report: &Report) -> Self {
        let actions: BTreeMap<&str, &Action> = plan.actions().map(|(_, a)| (a.id.as_str(), a)).collect();
        let mut applied = PassOutcome::default();
        for (id, outcome) in &report.outcomes {
            let Some(action) = actions.get(id.as_str()) else { continue };
            match outcome {
                Outcome::Done => {
                    applied.done.push(DoneAction {
                        object: action.change.object.clone(),
                        kind: action.action,
                        digest: action.digest.clone(),
                        writers: action.writers.clone(),
                    });
                }
                Outcome::Failed(LocationError::Changed { .. }) => applied.again = true,
                Outcome::Failed(error) => drop(applied.failed.insert(id.clone(), ActionFailure::of(error))),
                Outcome::HeldBack { .. }
                | Outcome::NotApproved
                | Outcome::Later
                | Outcome::Suspended
                | Outcome::Interrupted => {}
            }
        }
        for (tenant, error) in &report.unsettled {
            applied.failed.insert(tenant.clone(), ActionFailure::of(error));
        }
        applied
    }

    /// Returns when to retry the actions that were not carried out; `None` if all were.
    pub(super) fn retry(&self) -> Option<Retry> {
        let failed = self.failed.values().map(|failure| failure.retry);
        failed.chain(self.again.then_some(Retry::Soon)).min()
    }

    /// Whether nothing was even tried.
    pub(super) fn is_idle(&self) -> bool {
        self.done.is_empty() && self.failed.is_empty() && !self.again
    }

    /// Whether nothing changed, because every action failed.
    pub(super) fn did_nothing(&self) -> bool {
        self.done.is_empty() && !self.again
    }

    /// Logs a line for each change and for each failure.
    pub(super) fn log(&self, tenant: &str) {
        for DoneAction { object, kind, .. } in &self.done {
            info!(tenant, %object, action = kind.as_str(), "done");
        }
        for (id, ActionFailure { code, why, .. }) in &self.failed {
            warn!(tenant, action = id, code, why, "failed");
        }
        if self.again {
            info!(tenant, "another client changed an object meanwhile: planning again");
        }
        debug!(tenant, done = self.done.len(), failed = self.failed.len(), "reconciled");
    }
}

impl ActionFailure {
    fn of(error: &LocationError) -> Self {
        let retry = match error {
            LocationError::Refused { .. } => Retry::Seldom,
            LocationError::TooLarge { .. } => Retry::Resync,
            _ => Retry::Soon,
        };
        ActionFailure { code: error.reason(), why: error.to_string(), retry }
    }
}
