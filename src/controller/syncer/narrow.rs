//! What of a plan is carried out now, where that is less than all of it: nothing is done that rests on what
//! is left out.

use crate::api::{Kind, Variable, names};
use crate::engine::model::code::Code;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, Plan, Target};
use std::collections::BTreeSet;

/// Leaves out of a target what `leaves` says, and what rests on it: what is left out.
pub fn leave_out(target: &mut Target, leaves: impl Fn(&Action) -> bool) -> Vec<Action> {
    let mut out: BTreeSet<String> = target.actions.iter().filter(|a| leaves(a)).map(|a| a.id.clone()).collect();
    loop {
        let rests = |action: &&Action| !out.contains(&action.id) && !action.after.is_disjoint(&out);
        let more: Vec<String> = target.actions.iter().filter(rests).map(|a| a.id.clone()).collect();
        if more.is_empty() {
            break;
        }
        out.extend(more);
    }
    target.actions.extract_if(.., |action| out.contains(&action.id)).collect()
}

/// Whether an object, once an action is done, rests on one of these.
pub fn rests_on(action: &Action, objects: &BTreeSet<ObjectId>) -> bool {
    let is_among = |kind, name: String| objects.contains(&ObjectId::new(kind, name));
    match &action.change.after {
        Some(Item::Integration(integration, _)) => {
            let mut keys = integration.spec.connections.iter().filter_map(Variable::stable_key);
            keys.any(|key| is_among(Kind::Connection, names::of_stable_key(key)))
        }
        Some(Item::Connection(connection)) => {
            let component = &connection.spec.component;
            is_among(Kind::Component, names::of_component(&component.key, component.is_public()))
        }
        Some(Item::Component(_) | Item::CustomerCredentials(_)) | None => false,
    }
}

/// Leaves out what two writers want differently, which a plan that knows only one of them does not see.
pub fn leave_out_conflicts(narrowed: &mut Plan, all: &Plan) {
    for target in &mut narrowed.targets {
        let conflicts = conflicts(all, &target.tenant);
        leave_out(target, |action| conflicts.contains(&action.change.object));
    }
}

fn conflicts(plan: &Plan, tenant: &str) -> BTreeSet<ObjectId> {
    let of_tenant = plan.findings.iter().filter(|f| f.tenant.as_deref() == Some(tenant));
    of_tenant.filter(|f| f.code == Code::WriterConflict).filter_map(|f| f.object.clone()).collect()
}
