//! The writes that wait for an earlier stage of a sync: which stage it is, and what holds it back.

use crate::api::{Kind, names};
use crate::engine::model::inventory::World;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Plan, Scope, Target};
use crate::engine::plan::{has_stages, plan};
use crate::report::binding::BindingRow;
use crate::text::and;
use serde::Serialize;
use std::collections::BTreeSet;

/// A write that waits for an earlier stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WaitingWrite {
    /// The name of the tenant that it would change.
    pub tenant: String,
    /// The object that it would change.
    pub object: ObjectId,
    /// What it would do.
    pub action: ActionKind,
    /// The fields that an update would change.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
    /// Per sync, the stage that it waits for and the targets that hold it back; or the action that waits itself.
    pub waits_for: Vec<String>,
    /// The stable keys that the integration would be bound to.
    #[serde(skip)]
    keys: BTreeSet<String>,
}

impl WaitingWrite {
    /// Returns all writes of a world that wait. Nothing is planned if no sync has stages.
    pub fn all(world: &World) -> Vec<Self> {
        if has_stages(world) { Self::of_plan(&plan(world, &Scope::default())) } else { Vec::new() }
    }

    fn of_plan(plan: &Plan) -> Vec<Self> {
        plan.waiting().map(|(target, action)| Self::of(target, action)).collect()
    }

    fn of(target: &Target, action: &Action) -> Self {
        let is_update = action.action == ActionKind::Update;
        let keys = match &action.change.after {
            Some(Item::Integration(integration, _)) => integration
                .spec
                .connections
                .iter()
                .filter_map(|variable| variable.stable_key().map(str::to_string))
                .collect(),
            _ => BTreeSet::new(),
        };
        let stages = target.stages.iter().filter(|(writer, _)| action.writers.contains(*writer));
        let mut waits_for: Vec<String> = stages.map(|(writer, wait)| format!("{writer} {wait}")).collect();
        if waits_for.is_empty() {
            waits_for.extend(action.after.iter().map(|id| format!("waits for {id}")));
        }
        WaitingWrite {
            tenant: target.tenant.clone(),
            object: action.change.object.clone(),
            action: action.action,
            fields: action.fields.iter().filter(|_| is_update).map(|change| change.field.to_string()).collect(),
            waits_for,
            keys,
        }
    }

    /// Whether it is about the connection with a stable key, or about an integration that would be bound to it.
    pub fn concerns_key(&self, key: &str) -> bool {
        self.object == ObjectId::new(Kind::Connection, names::of_stable_key(key)) || self.keys.contains(key)
    }

    /// Whether it is about an integration, or about a connection that one of its variables names.
    pub fn concerns(&self, integration: &str, variables: &[BindingRow]) -> bool {
        let mut keys = variables.iter().filter_map(|row| row.stable_key.as_deref());
        match self.object.kind {
            Kind::Integration => self.object.name == integration,
            _ => keys.any(|key| self.concerns_key(key)),
        }
    }

    /// The action: `update Integration/invoices (title)`.
    pub fn what(&self) -> String {
        let fields = if self.fields.is_empty() { String::new() } else { format!(" ({})", and(&self.fields)) };
        format!("{} {}{fields}", self.action.as_str(), self.object)
    }
}
