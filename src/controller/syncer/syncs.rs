//! The syncs into one target.

use crate::api::SyncMode;
use std::collections::BTreeSet;

/// The syncs into a target, by whether they wait for approval.
#[derive(Clone, Debug, Default)]
pub struct Syncs {
    /// Those that need not wait.
    pub apply: BTreeSet<String>,
    /// Those that wait for approval.
    pub plan: BTreeSet<String>,
}

/// A sync into a target, as it is when the target is assessed.
#[derive(Debug)]
pub struct SyncInto {
    /// Whether it waits for approval.
    pub mode: SyncMode,
    /// Whether it writes nothing.
    pub is_suspended: bool,
    /// Why its source cannot be read.
    pub source_error: Option<String>,
    /// Whether there is such a source.
    pub knows_source: bool,
}

impl Syncs {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.apply.iter().chain(&self.plan)
    }

    /// The plan of what need not wait is narrowed to these; empty: to none in particular.
    pub fn unattended(&self) -> BTreeSet<String> {
        if self.plan.is_empty() { BTreeSet::new() } else { self.apply.clone() }
    }
}
