//! The syncs into one target, and its own source.

use crate::api::SyncMode;
use crate::engine::model::record::Writer;
use std::collections::BTreeSet;

/// The syncs into a target, by whether they wait for approval.
#[derive(Clone, Debug, Default)]
pub(super) struct Syncs {
    /// The syncs that need no approval.
    pub apply: BTreeSet<String>,
    /// The syncs that wait for approval.
    pub plan: BTreeSet<String>,
    /// Whether the target has a source in Git, which needs no approval.
    pub source: bool,
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

/// The state of a target's own source in Git when the target is planned.
#[derive(Clone, Debug)]
pub(super) struct SourceInto {
    /// The full name of the commit that was planned.
    pub revision: Option<String>,
    /// Why it cannot be read.
    pub error: Option<String>,
    /// The problems in its files, the first ones in full.
    pub problems: Vec<String>,
}

impl Syncs {
    /// Returns all syncs.
    pub(super) fn all(&self) -> impl Iterator<Item = &String> {
        self.apply.iter().chain(&self.plan)
    }

    /// Returns the writers: the syncs, and the target's own source.
    pub(super) fn writers(&self) -> impl Iterator<Item = Writer> {
        self.all().cloned().map(Writer::Sync).chain(self.source.then_some(Writer::Source))
    }

    /// Whether anything may be written without an approval.
    pub(super) fn write_unattended(&self) -> bool {
        self.source || !self.apply.is_empty()
    }

    /// Returns the syncs to which the unattended plan is limited; empty: no limit. The source is in every plan.
    pub(super) fn unattended(&self) -> BTreeSet<String> {
        match (self.plan.is_empty(), self.apply.is_empty()) {
            (true, _) => BTreeSet::new(),
            (false, false) => self.apply.clone(),
            // A name that no sync has.
            (false, true) => [String::new()].into(),
        }
    }
}
