//! The syncs into one target.

use crate::api::SyncMode;
use std::collections::BTreeSet;

/// The syncs into a target, by whether they wait for approval.
#[derive(Clone, Debug, Default)]
pub(super) struct Syncs {
    /// The syncs that need no approval.
    pub apply: BTreeSet<String>,
    /// The syncs that wait for approval.
    pub plan: BTreeSet<String>,
}

/// The state of a sync into a target when the target is planned. The plan is assessed by this state: by a newer one, a
/// source that is readable by now would look as if the plan had read it.
#[derive(Clone, Debug)]
pub(super) struct SyncInto {
    pub mode: SyncMode,
    pub is_suspended: bool,
    /// Why its source cannot be read.
    pub source_error: Option<String>,
    /// Whether its source exists.
    pub knows_source: bool,
}

impl Syncs {
    /// Returns all syncs.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.apply.iter().chain(&self.plan)
    }

    /// Returns the syncs to which the unattended plan is limited; empty: no limit.
    pub(super) fn unattended(&self) -> BTreeSet<String> {
        if self.plan.is_empty() { BTreeSet::new() } else { self.apply.clone() }
    }
}
