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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Object;
    use crate::engine::model::finding::Finding;
    use crate::engine::model::plan::{ActionKind, Counts, PLAN_SCHEMA, Reason, Scope, Skipped, State};
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::sync::Arc;

    fn connection(name: &str) -> ObjectId {
        ObjectId::new(Kind::Connection, name)
    }

    /// An action that comes after these.
    fn action(name: &str, after: &[&str]) -> Action {
        let reason = Reason { code: "x", text: String::new() };
        let after = after.iter().map(|name| format!("eu/Connection/{name}")).collect();
        Action { after, ..Action::of("eu", &connection(name), ActionKind::Update, reason) }
    }

    fn target(actions: Vec<Action>) -> Target {
        Target {
            tenant: "eu".into(),
            state: State::Read,
            why: None,
            suspended: false,
            suspended_syncs: BTreeMap::new(),
            known: true,
            digests: BTreeMap::new(),
            actions,
            notes: Vec::new(),
            concerned: BTreeMap::new(),
        }
    }

    fn names(actions: &[Action]) -> Vec<&str> {
        actions.iter().map(|action| action.change.object.name.as_str()).collect()
    }

    #[test]
    fn what_rests_on_what_is_left_out_is_left_out_too() {
        let mut target =
            target(vec![action("d", &["c"]), action("a", &[]), action("b", &["a", "elsewhere"]), action("c", &["b"])]);
        assert_eq!(names(&leave_out(&mut target.clone(), |_| false)), [""; 0]);
        let out = leave_out(&mut target, |action| action.change.object.name == "b");
        assert_eq!((names(&out), names(&target.actions)), (vec!["d", "b", "c"], vec!["a"]));
    }

    #[test]
    fn what_two_writers_want_differently_is_left_out_with_what_rests_on_it() {
        let plan = |findings| Plan {
            schema: PLAN_SCHEMA,
            scope: Scope::default(),
            targets: vec![target(vec![action("a", &[]), action("b", &["a"]), action("c", &[])])],
            findings,
            skipped: Skipped::default(),
            counts: Counts::default(),
            exit: 0,
        };
        let conflict = |tenant, name| Finding::of(Code::WriterConflict, tenant, connection(name), "", "");
        let mut narrowed = plan(Vec::new());
        leave_out_conflicts(&mut narrowed, &plan(vec![conflict("eu", "a"), conflict("us", "c")]));
        assert_eq!(names(&narrowed.targets[0].actions), ["c"]);
    }

    #[test]
    fn an_object_rests_on_what_it_names() {
        let to = |after: Item| {
            let mut action = action("x", &[]);
            action.change.after = Some(after);
            action
        };
        let spec = |spec: Value| serde_json::from_value(spec).unwrap();
        let bound = json!({"connections": [{"name": "V", "stableKey": "Sales_Force"}]});
        let bound = to(Item::Integration(Arc::new(Object::new("i", serde_json::from_value(bound).unwrap())), None));
        assert!(rests_on(&bound, &[connection("sales-force")].into()));
        assert!(!rests_on(&bound, &[connection("other")].into()));
        let of = json!({"stableKey": "k", "component": {"key": "http"}, "type": "t", "credentials": "Customer"});
        let connects = to(Item::Connection(Arc::new(Object::new("k", spec(of)))));
        assert!(rests_on(&connects, &[ObjectId::new(Kind::Component, "http")].into()));
        assert!(!rests_on(&connects, &[connection("k")].into()));
        assert!(!rests_on(&action("gone", &[]), &[connection("gone")].into()));
    }
}
