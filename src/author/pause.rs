//! What `suspend` and `resume` do: which actions of the plan an apply no longer does, or does again.

use crate::api::Kind;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Plan};
use std::collections::BTreeSet;

/// That writes to a Tenant, or of a TenantSync, stop or go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pause {
    /// The Tenant or TenantSync.
    pub object: ObjectId,
    /// Whether they stop.
    pub suspends: bool,
}

impl Pause {
    /// What it does, in a sentence.
    pub fn text(&self) -> String {
        let Pause { object: ObjectId { kind, name }, suspends } = self;
        match (kind, suspends) {
            (Kind::Tenant, true) => {
                format!("Nothing is written to {kind} {name} until it is resumed. It is still read and planned.")
            }
            (Kind::Tenant, false) => format!("{kind} {name} is written to again."),
            (_, true) => {
                format!(
                    "{kind} {name} writes nothing until it is resumed. What it wrote stays, and plans count what waits."
                )
            }
            (_, false) => format!("{kind} {name} writes again."),
        }
    }

    /// The actions that the next apply no longer does, or does again. The plans are those before and after the edit.
    pub fn actions<'p>(&self, before: &'p Plan, after: &'p Plan) -> Vec<&'p Action> {
        let (with, without) = if self.suspends { (before, after) } else { (after, before) };
        let stay: BTreeSet<&str> = carried_out(without).map(|action| action.id.as_str()).collect();
        carried_out(with).filter(|action| !stay.contains(action.id.as_str())).collect()
    }
}

/// The actions that an apply may carry out: not those of a suspended tenant, and none that depends on one that waits.
fn carried_out(plan: &Plan) -> impl Iterator<Item = &Action> {
    let suspended = plan.actions().filter(|(target, _)| target.suspended);
    let mut waits: BTreeSet<&str> = suspended.chain(plan.waiting()).map(|(_, action)| action.id.as_str()).collect();
    let mut known = 0;
    while waits.len() > known {
        known = waits.len();
        let depends = |action: &&Action| action.after.iter().any(|id| waits.contains(id.as_str()));
        let more: Vec<&str> = plan.actions().map(|(_, a)| a).filter(depends).map(|a| a.id.as_str()).collect();
        waits.extend(more);
    }
    plan.actions().map(|(_, action)| action).filter(move |action| !waits.contains(action.id.as_str()))
}
