//! Counts of a plan as one sentence.

use super::ranked::{self, Ranked};
use crate::engine::model::code::Severity;
use crate::engine::model::plan::{ActionKind, Plan, State};
use crate::text::{count, thousands};

/// The counts of one tenant or of all tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub unreachable: usize,
    pub errors: usize,
    pub create: usize,
    pub update: usize,
    pub adopt: usize,
    pub delete: usize,
    pub needs_approval: usize,
    /// The actions that wait for an earlier stage.
    pub waiting: usize,
    pub blocked: usize,
    pub missing: usize,
    pub kept: usize,
    pub drifted: usize,
    pub ignored: usize,
    pub suspended: usize,
    pub overridden: usize,
    pub warnings: usize,
    pub manual: usize,
}

impl Tally {
    /// Counts one tenant.
    pub fn of(ranked: &Ranked<'_>) -> Self {
        let actions = |kind| ranked.target.actions.iter().filter(|a| a.action == kind).count();
        Tally {
            unreachable: usize::from(ranked.target.state == State::Unreachable),
            errors: ranked.errors.len(),
            create: actions(ActionKind::Create),
            update: actions(ActionKind::Update),
            adopt: actions(ActionKind::Adopt),
            delete: actions(ActionKind::Delete),
            needs_approval: ranked.needs_approval.len(),
            waiting: ranked.target.waiting.len(),
            blocked: ranked.blocked.len(),
            missing: ranked.unresolved.len(),
            kept: ranked.kept_variables.iter().chain(&ranked.kept).map(|kept| kept.fields.len().max(1)).sum(),
            drifted: ranked.drifted.iter().map(|drifted| drifted.fields.len()).sum(),
            ignored: ranked.ignored,
            suspended: usize::from(ranked.target.suspended) + ranked.target.suspended_syncs.len(),
            overridden: ranked.overridden.iter().map(|overridden| overridden.fields.len()).sum(),
            warnings: ranked.warnings.len(),
            manual: ranked.manual.len(),
        }
    }

    /// Counts a whole plan.
    pub fn of_plan(plan: &Plan, targets: &[Ranked<'_>]) -> Self {
        let everywhere = ranked::of_no_target(plan);
        let findings = |severity| everywhere.iter().filter(|f| f.severity == severity).count();
        let mut all = Tally {
            errors: findings(Severity::Error),
            missing: findings(Severity::Unreached),
            warnings: findings(Severity::Warning),
            ..Tally::default()
        };
        for tally in targets.iter().map(Tally::of) {
            all.unreachable += tally.unreachable;
            all.errors += tally.errors;
            all.create += tally.create;
            all.update += tally.update;
            all.adopt += tally.adopt;
            all.delete += tally.delete;
            all.needs_approval += tally.needs_approval;
            all.waiting += tally.waiting;
            all.blocked += tally.blocked;
            all.missing += tally.missing;
            all.kept += tally.kept;
            all.drifted += tally.drifted;
            all.ignored += tally.ignored;
            all.suspended += tally.suspended;
            all.overridden += tally.overridden;
            all.warnings += tally.warnings;
            all.manual += tally.manual;
        }
        all
    }

    /// The counts as a sentence: `2 to create, 1 to update, 1 needs approval; 1 blocked, 2 kept; 3 manual`; empty
    /// without any.
    pub fn sentence(&self) -> String {
        let part = |number: usize, word: &str| (number > 0).then(|| format!("{} {word}", thousands(number)));
        let join = |parts: Vec<Option<String>>| parts.into_iter().flatten().collect::<Vec<_>>().join(", ");
        let needs = if self.needs_approval == 1 { "needs approval" } else { "need approval" };
        let clauses = [
            join(vec![
                part(self.unreachable, "unreachable"),
                (self.errors > 0).then(|| count(self.errors, "error", "errors")),
            ]),
            join(vec![
                part(self.create, "to create"),
                part(self.update, "to update"),
                part(self.delete, "to delete"),
                part(self.adopt, "to adopt"),
                part(self.needs_approval, needs),
                part(self.waiting, "waiting for a stage"),
            ]),
            join(vec![
                part(self.blocked, "blocked"),
                part(self.missing, "unresolved"),
                part(self.drifted, "drifted"),
                part(self.kept, "kept"),
                part(self.ignored, "drifted and ignored"),
                part(self.suspended, "suspended"),
            ]),
            join(vec![
                part(self.overridden, "overridden"),
                (self.manual > 0).then(|| count(self.manual, "manual step", "manual steps")),
                (self.warnings > 0).then(|| count(self.warnings, "warning", "warnings")),
            ]),
        ];
        clauses.into_iter().filter(|clause| !clause.is_empty()).collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_one_sentence() {
        let tally = Tally {
            create: 2,
            update: 1,
            needs_approval: 1,
            blocked: 1,
            kept: 2,
            drifted: 1,
            manual: 3,
            ..Tally::default()
        };
        assert_eq!(
            tally.sentence(),
            "2 to create, 1 to update, 1 needs approval; 1 blocked, 1 drifted, 2 kept; 3 manual steps"
        );
        assert_eq!(Tally::default().sentence(), "");
    }
}
