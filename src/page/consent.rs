//! What a person consents to: exactly what a plan would write.

use crate::engine::model::canonical::Digest;
use crate::engine::model::plan::{Action, Plan, Target};
use crate::project::{Project, planned};
use std::collections::BTreeSet;

/// The actions that an apply may carry out now.
pub(super) fn applicable(plan: &Plan) -> impl Iterator<Item = (&Target, &Action)> {
    let held = plan.held();
    plan.actions().filter(move |(_, action)| !held.contains(action.id.as_str()))
}

/// Names exactly what a plan would write, in whatever order: each action, and each kustomization.
pub(super) fn digest_of_plan(project: &Project, plan: &Plan) -> String {
    let actions = plan.actions().map(|(target, action)| {
        let suspended = if target.suspended { " suspended" } else { "" };
        format!("{} {}{suspended}", action.id, action.digest)
    });
    let kustomizations = planned::kustomizations(project, plan);
    let kustomizations = kustomizations.iter().map(|(tenant, due)| format!("{tenant} kustomization {:?}", due.text));
    let lines: BTreeSet<String> = actions.chain(kustomizations).collect();
    Digest::of(lines.into_iter().collect::<Vec<_>>().join("\n").as_bytes()).to_string()
}
