//! Actions and notes out of the JSON of a plan, so that a kept plan and one of our own are read alike.

use super::super::escape::shorten;
use super::super::value;
use crate::api::{Kind, names};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// How many fields of an action a person compares.
const MOST_FIELDS: usize = 8;

/// What of a plan is compared and explained.
#[derive(Debug, Default, Deserialize)]
pub(super) struct KeptPlan {
    #[serde(default)]
    targets: Vec<KeptTarget>,
    #[serde(default)]
    pub findings: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct KeptTarget {
    #[serde(default)]
    actions: Vec<KeptAction>,
    #[serde(default)]
    notes: Vec<Value>,
}

/// An action as JSON has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct KeptAction {
    pub(super) id: String,
    pub(super) digest: String,
    action: String,
    #[serde(default)]
    reason: Reason,
    #[serde(default)]
    fields: Vec<Change>,
    #[serde(default)]
    impact: Impact,
    #[serde(default, rename = "needsApproval")]
    needs_approval: Vec<Approval>,
    /// All of it, as it was read.
    #[serde(skip)]
    pub(super) whole: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Reason {
    #[serde(default)]
    text: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Change {
    path: Vec<String>,
    op: String,
    from: Option<Value>,
    to: Option<Value>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Impact {
    #[serde(default)]
    integrations: Vec<Affected>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Affected {
    name: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct Approval {
    code: String,
    why: String,
}

impl KeptPlan {
    /// Reads the JSON of a plan.
    pub fn read(json: &str) -> Result<Self, serde_json::Error> {
        let whole: Value = serde_json::from_str(json)?;
        let mut plan: KeptPlan = serde_json::from_str(json)?;
        let lists = whole.get("targets").and_then(Value::as_array).into_iter().flatten();
        for (target, whole) in plan.targets.iter_mut().zip(lists) {
            let actions = whole.get("actions").and_then(Value::as_array).into_iter().flatten();
            target.actions.iter_mut().zip(actions).for_each(|(action, whole)| action.whole = whole.clone());
        }
        Ok(plan)
    }

    pub fn actions(&self) -> impl Iterator<Item = &KeptAction> {
        self.targets.iter().flat_map(|target| &target.actions)
    }

    pub fn notes(&self) -> impl Iterator<Item = &Value> {
        self.targets.iter().flat_map(|target| &target.notes)
    }
}

impl KeptAction {
    /// `Kind/name`.
    pub(super) fn object(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(_, object)| object)
    }

    /// `update Connection/crm: inputs.scopes api → api refresh`.
    pub(super) fn line(&self) -> String {
        let fields: Vec<String> = self.fields.iter().take(MOST_FIELDS).map(Change::words).collect();
        let more = self.fields.len().saturating_sub(MOST_FIELDS);
        let more = if more > 0 { format!("; {more} more") } else { String::new() };
        let fields = if fields.is_empty() { String::new() } else { format!(": {}{more}", fields.join("; ")) };
        format!("{} {}{fields}", self.action, self.object())
    }

    /// Why it is planned, and why a person must approve it.
    pub(super) fn reasons(&self) -> Vec<String> {
        let approvals = self.needs_approval.iter().map(|a| format!("needs approval: {} {}", a.code, a.why));
        let why = (!self.reason.text.is_empty()).then(|| format!("why: {}", self.reason.text));
        approvals.chain(why).collect()
    }

    /// Whether it changes one of these objects, or what one of them uses, or is used by.
    pub(super) fn concerns(&self, objects: &BTreeSet<String>) -> bool {
        let is_one = |kind: Kind, name: &str| objects.contains(&format!("{kind}/{name}"));
        let affects = |affected: &Affected| is_one(Kind::Integration, &affected.name);
        let binds = |change: &Change| {
            let keys = [&change.from, &change.to].into_iter().flatten().filter_map(stable_key);
            keys.into_iter().any(|key| is_one(Kind::Connection, &names::of_stable_key(key)))
        };
        objects.contains(self.object()) || self.impact.integrations.iter().any(affects) || self.fields.iter().any(binds)
    }
}

impl Change {
    fn words(&self) -> String {
        let words = |value: &Value| shorten(&value::words(value), value::MOST).into_owned();
        let path = self.path.join(".");
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!("{path} {} → {}", words(from), words(to)),
            (None, Some(to)) => format!("{path} {}", words(to)),
            _ => format!("{path} {}", self.op),
        }
    }
}

/// The connection that a variable means, in the value of a field.
pub(super) fn stable_key(value: &Value) -> Option<&str> {
    value.get("stableKey").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn action(value: Value) -> KeptAction {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn an_action_concerns_what_it_changes_binds_and_affects() {
        let binds = action(json!({
            "id": "eu/Integration/lead", "digest": "d", "action": "update",
            "fields": [{"path": ["connections", "CRM"], "op": "set", "from": {"stableKey": "Old_CRM"}, "to": {"stableKey": "crm"}}],
        }));
        let changes = action(json!({
            "id": "eu/Connection/crm", "digest": "d", "action": "update", "reason": {"text": "us changed it"},
            "needsApproval": [{"code": "SK0107", "why": "another host"}],
            "fields": [{"path": ["inputs", "scopes"], "op": "set", "from": {"value": "api"}, "to": {"value": "more"}}],
            "impact": {"integrations": [{"name": "lead", "flows": 1, "steps": 1}], "customers": 0},
        }));
        let of = |object: &str| BTreeSet::from([object.to_string()]);
        for (object, binding, change) in [
            ("Connection/crm", true, true),
            ("Connection/old-crm", true, false),
            ("Integration/lead", true, true),
            ("Integration/other", false, false),
        ] {
            assert_eq!((binds.concerns(&of(object)), changes.concerns(&of(object))), (binding, change), "{object}");
        }
        assert_eq!(changes.line(), "update Connection/crm: inputs.scopes api → more");
        assert_eq!(binds.line(), "update Integration/lead: connections.CRM Old_CRM → crm");
        assert_eq!(changes.reasons(), ["needs approval: SK0107 another host", "why: us changed it"]);
    }
}
