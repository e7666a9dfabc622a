//! Actions and notes from the JSON of a plan: a stored plan and a new one are read in the same way.

use crate::api::{Kind, names};
use crate::report::value;
use crate::text::{count, shorten};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;

/// The maximum number of fields of an action in a comparison.
const MOST_FIELDS: usize = 8;

/// The part of a plan that is shown, compared and explained.
#[derive(Debug, Default, Deserialize)]
pub struct KeptPlan {
    #[serde(default)]
    targets: Vec<KeptTarget>,
    #[serde(default)]
    pub(super) findings: Vec<Value>,
}

#[derive(Debug, Default, Deserialize)]
struct KeptTarget {
    #[serde(default)]
    actions: Vec<KeptAction>,
    #[serde(default)]
    notes: Vec<Value>,
}

/// An action in the JSON of a plan.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct KeptAction {
    /// `tenant/Kind/name`.
    pub id: String,
    /// The digest over its values.
    pub digest: String,
    /// The kind of the action.
    pub action: String,
    #[serde(default)]
    reason: KeptReason,
    /// The changes per field.
    #[serde(default)]
    pub fields: Vec<KeptChange>,
    #[serde(default)]
    impact: KeptImpact,
    #[serde(default, rename = "needsApproval")]
    needs_approval: Vec<KeptMark>,
    /// The complete JSON of the action.
    #[serde(skip)]
    pub(super) whole: Value,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct KeptReason {
    #[serde(default)]
    text: String,
}

/// A change of one field.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct KeptChange {
    /// The path of the field.
    pub path: Vec<String>,
    /// The operation.
    pub op: String,
    /// The value before.
    pub from: Option<Value>,
    /// The value after.
    pub to: Option<Value>,
    /// The parts of a definition that change.
    #[serde(default)]
    pub parts: Vec<String>,
    /// The other owner of the field.
    pub by: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct KeptImpact {
    #[serde(default)]
    integrations: Vec<KeptAffected>,
    #[serde(default)]
    customers: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct KeptAffected {
    name: String,
    #[serde(default)]
    steps: usize,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
struct KeptMark {
    code: String,
    why: String,
}

impl KeptPlan {
    /// Parses the JSON of a plan.
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

    /// The actions, in the order of execution.
    pub fn actions(&self) -> impl Iterator<Item = &KeptAction> {
        self.targets.iter().flat_map(|target| &target.actions)
    }

    pub(super) fn notes(&self) -> impl Iterator<Item = &Value> {
        self.targets.iter().flat_map(|target| &target.notes)
    }
}

impl KeptAction {
    /// The id `Kind/name` of the object.
    pub fn object(&self) -> &str {
        self.id.split_once('/').map_or(self.id.as_str(), |(_, object)| object)
    }

    /// The action in one line: `update Connection/crm: inputs.scopes api → api refresh`.
    pub fn line(&self) -> String {
        let fields: Vec<String> =
            self.fields.iter().take(MOST_FIELDS).map(|change| change.words(value::MOST)).collect();
        let more = self.fields.len().saturating_sub(MOST_FIELDS);
        let more = if more > 0 { format!("; {more} more") } else { String::new() };
        let fields = if fields.is_empty() { String::new() } else { format!(": {}{more}", fields.join("; ")) };
        format!("{} {}{fields}", self.action, self.object())
    }

    /// The action without its fields: `update Connection/crm`.
    pub(super) fn title(&self) -> String {
        format!("{} {}", self.action, self.object())
    }

    /// Why it needs approval: the check, and the reason.
    pub fn approvals(&self) -> impl Iterator<Item = (&str, &str)> {
        self.needs_approval.iter().map(|mark| (mark.code.as_str(), mark.why.as_str()))
    }

    /// The reason for the action; empty if there is none.
    pub fn why(&self) -> &str {
        &self.reason.text
    }

    /// What it affects: `2 integrations, 3 steps, 118 customers`.
    pub fn impact(&self) -> String {
        let KeptImpact { integrations, customers } = &self.impact;
        let steps = integrations.iter().map(|one| one.steps).sum();
        let parts = [
            (integrations.len(), "integration", "integrations"),
            (steps, "step", "steps"),
            (*customers, "customer", "customers"),
        ];
        let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
        parts.map(|(number, one, many)| count(number, one, many)).collect::<Vec<_>>().join(", ")
    }

    /// Every field with its complete values: `inputs.scopes api → api refresh`.
    pub(super) fn changes(&self) -> Vec<String> {
        self.fields.iter().map(|change| change.words(usize::MAX)).collect()
    }

    /// The reasons for the action, and for its need of approval.
    pub(super) fn reasons(&self) -> Vec<String> {
        let approvals = self.needs_approval.iter().map(|a| format!("needs approval: {} {}", a.code, a.why));
        let why = (!self.reason.text.is_empty()).then(|| format!("why: {}", self.reason.text));
        approvals.chain(why).collect()
    }

    /// Whether it changes one of these objects or one that is connected to it, or mentions one.
    pub(super) fn concerns(&self, meant: &Selector) -> bool {
        let is_one = |kind: Kind, name: &str| meant.is(&format!("{kind}/{name}"));
        let affects = |affected: &KeptAffected| is_one(Kind::Integration, &affected.name);
        let binds = |change: &KeptChange| {
            let keys = [&change.from, &change.to].into_iter().flatten().filter_map(stable_key);
            keys.into_iter().any(|key| is_one(Kind::Connection, &names::of_stable_key(key)))
        };
        let texts = [&self.reason.text].into_iter().chain(self.needs_approval.iter().map(|approval| &approval.why));
        meant.is(self.object())
            || self.impact.integrations.iter().any(affects)
            || self.fields.iter().any(binds)
            || texts.into_iter().any(|text| meant.is_in(text))
    }
}

/// The objects that a person asked for: one object, or all with a name.
#[derive(Debug)]
pub(super) struct Selector {
    objects: BTreeSet<String>,
    /// The objects in the spellings that may occur in texts.
    names: BTreeSet<String>,
}

impl Selector {
    /// Parses what a person typed: `Connection/KEY`, `Integration/NAME`, or a name that both may have.
    pub(super) fn of(typed: &str) -> Self {
        let connection = |key: &str| format!("{}/{}", Kind::Connection, names::of_stable_key(key));
        let (objects, name): (BTreeSet<String>, &str) =
            match typed.split_once('/').and_then(|(kind, name)| Some((Kind::typed(kind)?, name))) {
                Some((Kind::Connection, key)) => ([connection(key)].into(), key),
                Some((kind, name)) => ([format!("{kind}/{name}")].into(), name),
                None => ([connection(typed), format!("{}/{typed}", Kind::Integration)].into(), typed),
            };
        let names = objects.iter().filter_map(|object| object.split_once('/')).map(|(_, name)| name.to_string());
        Selector { names: names.chain([name.to_string()]).filter(|name| !name.is_empty()).collect(), objects }
    }

    /// Whether this object (`Kind/name`) was asked for.
    pub(super) fn is(&self, object: &str) -> bool {
        self.objects.contains(object)
    }

    /// Whether a text mentions it as a separate word, and not as an object of another kind.
    pub(super) fn is_in(&self, text: &str) -> bool {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
        let is_mention = |name: &str, at: usize| {
            let (before, after) = (text.get(..at).unwrap_or_default(), text.get(at + name.len()..).unwrap_or_default());
            let is_word = !before.ends_with(is_part) && !after.starts_with(is_part);
            let kind = before.strip_suffix('/').map(|before| before.rsplit(|c| !is_part(c)).next().unwrap_or_default());
            let is_other = kind.and_then(Kind::typed).is_some_and(|kind| !self.is(&format!("{kind}/{name}")));
            is_word && !is_other
        };
        self.names.iter().any(|name| text.match_indices(name.as_str()).any(|(at, _)| is_mention(name, at)))
    }
}

impl KeptChange {
    /// The change as text, with each value cut to this number of columns.
    fn words(&self, most: usize) -> String {
        let words = |value: &Value| shorten(&value::words(value), most).into_owned();
        let path = self.path.join(".");
        match (&self.from, &self.to) {
            (Some(from), Some(to)) => format!("{path} {} → {}", words(from), words(to)),
            (None, Some(to)) => format!("{path} {}", words(to)),
            _ => format!("{path} {}", self.op),
        }
    }
}

/// The stable key in the value of a variable.
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
        let of = Selector::of;
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

    /// "Impact counts as concern", and so does what a text names: `for "Warehouse" of order-export`.
    #[test]
    fn a_text_concerns_what_it_names_as_a_word() {
        let text = "supply Secret pg with key password for \"Warehouse\" of order-export, not of Connection/slack";
        for (typed, is_named) in [
            ("order-export", true),
            ("Integration/order-export", true),
            ("order", false),
            ("export", false),
            ("slack", true),
            ("Connection/slack", true),
            ("Integration/slack", false),
            ("Connection/", false),
        ] {
            assert_eq!(Selector::of(typed).is_in(text), is_named, "{typed}");
        }
        assert!(Selector::of("Sales_Force").is_in("variable CRM means Sales_Force"));
        let supplies = action(json!({
            "id": "eu/Connection/crm", "digest": "d", "action": "create",
            "reason": {"text": "lead-router needs it"},
        }));
        assert!(supplies.concerns(&Selector::of("lead-router")) && !supplies.concerns(&Selector::of("lead")));
    }

    /// "explain prints all": what a line cuts is there whole.
    #[test]
    fn every_field_can_be_shown_whole() {
        let long = "x".repeat(200);
        let fields: Vec<Value> = (0..12)
            .map(|number| json!({"path": ["inputs", format!("i{number}")], "op": "set", "to": {"value": long}}))
            .collect();
        let action = action(json!({"id": "eu/Connection/crm", "digest": "d", "action": "create", "fields": fields}));
        assert!(action.line().ends_with("; 4 more"), "{}", action.line());
        assert_eq!((action.title().as_str(), action.changes().len()), ("create Connection/crm", 12));
        assert_eq!(action.changes()[11], format!("inputs.i11 {long}"));
    }
}
