//! The state of an object in one tenant, as the overview of all tenants shows it.

use serde::Serialize;
use std::borrow::Cow;

/// The state of a connection or an integration in one tenant, worst first. What is unknown stands before what is in
/// sync, and after all that is known to differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum OverviewState {
    /// A binding needs it, and it does not exist.
    Missing,
    /// It is invalid, cannot be written, or its writers are in conflict.
    Blocked,
    /// The plan changes it once somebody approves.
    NeedsApproval,
    /// It was changed outside Stablekey, and stays so.
    Drift,
    /// Its component or type differs from the first tenant that has it.
    Differs,
    /// It cannot be used: something is missing, or a person has to do something.
    NotReady,
    /// The plan creates it.
    Create,
    /// The plan updates it.
    Update,
    /// The plan deletes it.
    Delete,
    /// A change waits for an earlier stage, or for a tenant or sync that is suspended.
    Waiting,
    /// Its credentials expire soon.
    Expiring,
    /// The tenant keeps its own value.
    Kept,
    /// The plan only records who writes it.
    Adopt,
    /// Whether it differs is unknown.
    Unknown,
    /// Nothing differs from what is declared, and all that is declared is known.
    InSync,
    /// It does not exist, and nothing needs it.
    Absent,
}

impl OverviewState {
    /// All states, worst first.
    pub const ALL: [OverviewState; 16] = [
        OverviewState::Missing,
        OverviewState::Blocked,
        OverviewState::NeedsApproval,
        OverviewState::Drift,
        OverviewState::Differs,
        OverviewState::NotReady,
        OverviewState::Create,
        OverviewState::Update,
        OverviewState::Delete,
        OverviewState::Waiting,
        OverviewState::Expiring,
        OverviewState::Kept,
        OverviewState::Adopt,
        OverviewState::Unknown,
        OverviewState::InSync,
        OverviewState::Absent,
    ];

    /// The mark, one character.
    pub const fn glyph(self) -> &'static str {
        match self {
            OverviewState::Missing => "✗",
            OverviewState::Blocked => "⊘",
            OverviewState::NeedsApproval => "!",
            OverviewState::Drift => "≠",
            OverviewState::Differs => "≢",
            OverviewState::NotReady => "…",
            OverviewState::Create => "+",
            OverviewState::Update => "~",
            OverviewState::Adopt => "=",
            OverviewState::Delete => "-",
            OverviewState::Waiting => "◔",
            OverviewState::Expiring => "◷",
            OverviewState::Kept => "○",
            OverviewState::Unknown => "?",
            OverviewState::InSync => "✓",
            OverviewState::Absent => "·",
        }
    }

    /// The words for people.
    pub const fn word(self) -> &'static str {
        match self {
            OverviewState::Missing => "missing",
            OverviewState::Blocked => "blocked",
            OverviewState::NeedsApproval => "needs approval",
            OverviewState::Drift => "drift",
            OverviewState::Differs => "another component or type",
            OverviewState::NotReady => "not ready",
            OverviewState::Create => "to create",
            OverviewState::Update => "to update",
            OverviewState::Adopt => "to adopt",
            OverviewState::Delete => "to delete",
            OverviewState::Waiting => "waits",
            OverviewState::Expiring => "expires soon",
            OverviewState::Kept => "kept",
            OverviewState::Unknown => "unknown",
            OverviewState::InSync => "in sync",
            OverviewState::Absent => "not in this tenant",
        }
    }

    /// The class in the style sheet, which is also the word in the page's address.
    pub const fn class(self) -> &'static str {
        match self {
            OverviewState::Missing => "missing",
            OverviewState::Blocked => "blocked",
            OverviewState::NeedsApproval => "approve",
            OverviewState::Drift => "drift",
            OverviewState::Differs => "differs",
            OverviewState::NotReady => "wait",
            OverviewState::Create => "make",
            OverviewState::Update => "change",
            OverviewState::Adopt => "adopt",
            OverviewState::Delete => "delete",
            OverviewState::Waiting => "stage",
            OverviewState::Expiring => "soon",
            OverviewState::Kept => "kept",
            OverviewState::Unknown => "unknown",
            OverviewState::InSync => "ok",
            OverviewState::Absent => "none",
        }
    }

    /// The state with a class, as an address names it.
    pub fn of_class(class: &str) -> Option<Self> {
        OverviewState::ALL.into_iter().find(|state| state.class() == class)
    }

    /// Whether nothing differs, as far as it is certain.
    pub const fn is_quiet(self) -> bool {
        matches!(self, OverviewState::InSync | OverviewState::Absent)
    }
}

/// A state with the short words beside its mark: `host`, `no such key`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverviewCell {
    pub state: OverviewState,
    /// Empty if the state says it all.
    pub say: Cow<'static, str>,
}

impl OverviewCell {
    /// A state with its words.
    pub fn of(state: OverviewState, say: impl Into<Cow<'static, str>>) -> Self {
        OverviewCell { state, say: say.into() }
    }

    /// The worse of two; the first if they are equal.
    pub fn or_worse(self, other: OverviewCell) -> OverviewCell {
        if other.state < self.state { other } else { self }
    }
}

/// A number for each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateCounts([u32; OverviewState::ALL.len()]);

impl StateCounts {
    /// The number for a state.
    pub fn of(&self, state: OverviewState) -> usize {
        self.0.get(state as usize).copied().unwrap_or_default() as usize
    }

    /// Adds one.
    pub fn add(&mut self, state: OverviewState) {
        if let Some(count) = self.0.get_mut(state as usize) {
            *count += 1;
        }
    }

    /// Takes one away.
    pub fn remove(&mut self, state: OverviewState) {
        if let Some(count) = self.0.get_mut(state as usize) {
            *count = count.saturating_sub(1);
        }
    }

    /// The states with a number that is not 0, worst first.
    pub fn iter(&self) -> impl Iterator<Item = (OverviewState, usize)> + '_ {
        OverviewState::ALL.into_iter().map(|state| (state, self.of(state))).filter(|(_, count)| *count > 0)
    }

    /// The number in all states in which something differs or is unknown.
    pub fn open(&self) -> usize {
        self.iter().filter(|(state, _)| !state.is_quiet()).map(|(_, count)| count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn states_are_listed_once_and_worst_first() {
        assert!(OverviewState::ALL.is_sorted());
        for (position, state) in OverviewState::ALL.into_iter().enumerate() {
            assert_eq!(state as usize, position);
            assert_eq!(OverviewState::of_class(state.class()), Some(state));
        }
        let distinct =
            |of: fn(OverviewState) -> &'static str| OverviewState::ALL.map(of).into_iter().collect::<BTreeSet<_>>();
        for texts in [distinct(OverviewState::glyph), distinct(OverviewState::word), distinct(OverviewState::class)] {
            assert_eq!(texts.len(), OverviewState::ALL.len());
        }
    }

    #[test]
    fn counts_are_by_state() {
        let mut counts = StateCounts::default();
        for state in [OverviewState::InSync, OverviewState::Unknown, OverviewState::InSync, OverviewState::Missing] {
            counts.add(state);
        }
        let all: Vec<_> = counts.iter().collect();
        assert_eq!(all, [(OverviewState::Missing, 1), (OverviewState::Unknown, 1), (OverviewState::InSync, 2)]);
        assert_eq!((counts.open(), counts.of(OverviewState::Drift)), (2, 0));
    }
}
