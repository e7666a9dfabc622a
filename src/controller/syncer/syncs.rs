//! The syncs into one target, by whether they wait for approval.

use std::collections::BTreeSet;

/// The syncs into a target.
#[derive(Clone, Debug, Default)]
pub struct Syncs {
    /// Those that need not wait.
    pub apply: BTreeSet<String>,
    /// Those that wait for approval.
    pub plan: BTreeSet<String>,
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
