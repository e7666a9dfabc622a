//! What waits in a hub for one object.

use super::HubPart;
use super::kept::{KeptAction, KeptPlan, stable_key};
use crate::api::{Kind, names};
use crate::render::markdown::escape as md;
use crate::render::page::{Page, faint, plain};
use crate::render::style::Style;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The schema of its JSON.
const SCHEMA: &str = "stablekey.dev/hub-explanation/v1";

/// What the plans that wait do to an object, and say of it.
#[derive(Debug)]
pub struct HubExplanation {
    /// As it was typed.
    name: String,
    targets: Vec<Concerned>,
}

#[derive(Debug)]
struct Concerned {
    part: HubPart,
    actions: Vec<KeptAction>,
    notes: Vec<Value>,
}

impl HubExplanation {
    /// Of what a person typed: `Connection/KEY`, `Integration/NAME`, or a name that either may have.
    pub fn of(typed: &str, parts: Vec<HubPart>) -> Result<Self, serde_json::Error> {
        let objects = objects(typed);
        let mut targets = Vec::new();
        for mut part in parts {
            let plan = part.waiting.as_ref().map(|waiting| KeptPlan::read(waiting.plan.get())).transpose()?;
            let plan = plan.unwrap_or_default();
            let actions = plan.actions().filter(|action| action.concerns(&objects)).cloned().collect();
            let notes = plan.notes().chain(&plan.findings).filter(|note| concerns(note, &objects)).cloned().collect();
            part.compared = part.compared.map(|compared| compared.concerning(&objects));
            targets.push(Concerned { part, actions, notes });
        }
        Ok(HubExplanation { name: typed.to_string(), targets })
    }

    /// For a terminal.
    pub fn text(&self, style: Style) -> String {
        let mut page = Page::new(style);
        for target in &self.targets {
            target.part.head(&mut page);
            if target.is_empty() && target.part.waiting.is_some() {
                page.line(2, &[plain(format!("nothing that waits concerns {}", self.name))]);
            }
            for action in &target.actions {
                page.wrap(2, 6, &[plain(action.line())]);
                action.reasons().iter().for_each(|why| page.wrap(6, 8, &[faint(why)]));
            }
            target.notes.iter().for_each(|note| page.wrap(2, 6, &[plain(words(note))]));
            if let Some(cut) = target.part.cut() {
                page.wrap(2, 2, &[faint(cut)]);
            }
            if let Some(compared) = &target.part.compared {
                compared.show(&mut page);
            }
        }
        page.finish()
    }

    /// For a comment.
    pub fn markdown(&self) -> String {
        let mut out = format!("## {}\n\n", md(&self.name));
        for target in &self.targets {
            out.push_str(&format!("- **{}**: {}\n", md(&target.part.title()), md(&target.part.target.state)));
            let actions = target.actions.iter().flat_map(|action| [action.line()].into_iter().chain(action.reasons()));
            let compared = target.part.compared.iter().flat_map(super::Comparison::lines);
            for line in actions.chain(target.notes.iter().map(words)).chain(compared) {
                out.push_str(&format!("  - {}\n", md(line.trim())));
            }
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let target = |target: &Concerned| {
            let part = &target.part;
            let mut json = json!({
                "sync": part.hub.sync, "tenant": part.hub.tenant, "state": part.target.state,
                "actions": target.actions.iter().map(|action| action.whole.clone()).collect::<Vec<_>>(),
                "notes": target.notes,
            });
            if let Some(compared) = &part.compared {
                json["compared"] = compared.json();
            }
            json
        };
        json!({"schema": SCHEMA, "name": self.name, "targets": self.targets.iter().map(target).collect::<Vec<_>>()})
    }
}

impl Concerned {
    fn is_empty(&self) -> bool {
        self.actions.is_empty() && self.notes.is_empty()
    }
}

/// The objects that a person may mean.
fn objects(typed: &str) -> BTreeSet<String> {
    let connection = |key: &str| format!("{}/{}", Kind::Connection, names::of_stable_key(key));
    match typed.split_once('/').and_then(|(kind, name)| Some((Kind::typed(kind)?, name))) {
        Some((Kind::Connection, key)) => [connection(key)].into(),
        Some((kind, name)) => [format!("{kind}/{name}")].into(),
        None => [connection(typed), format!("{}/{typed}", Kind::Integration)].into(),
    }
}

/// Whether a note or a finding is about one of these objects, or about a variable that means one.
fn concerns(note: &Value, objects: &BTreeSet<String>) -> bool {
    let keys = ["from", "to"].into_iter().filter_map(|side| stable_key(note.get(side)?));
    let mut connections = keys.map(|key| format!("{}/{}", Kind::Connection, names::of_stable_key(key)));
    note.get("object").and_then(Value::as_str).is_some_and(|object| objects.contains(object))
        || connections.any(|connection| objects.contains(&connection))
}

/// A note or a finding in one line.
fn words(note: &Value) -> String {
    let text = |name: &str| note.get(name).and_then(Value::as_str);
    let path: Vec<&str> =
        note.get("path").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let head = [text("note").or_else(|| text("severity")), text("object"), text("code")];
    let mut words: Vec<String> = head.into_iter().flatten().map(str::to_string).collect();
    words.extend((!path.is_empty()).then(|| path.join(".")));
    words.extend(text("by").map(|by| format!("by {by}")));
    words.extend(text("text").map(|text| format!(": {text}")));
    words.extend(text("mend").map(|fix| format!("→ {fix}")));
    words.join(" ").replace(" : ", ": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_typed_as_explain_takes_it() {
        let of = |typed: &str| objects(typed).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(of("Connection/Sales_Force"), "Connection/sales-force");
        assert_eq!(of("conn/crm"), "Connection/crm");
        assert_eq!(of("Integration/lead"), "Integration/lead");
        assert_eq!(of("crm"), "Connection/crm Integration/crm");
    }

    #[test]
    fn a_note_is_said_in_one_line() {
        let blocked = json!({"note": "blocked", "object": "Integration/lead", "code": "SK0101", "text": "crm is missing", "mend": "make it"});
        assert_eq!(words(&blocked), "blocked Integration/lead SK0101: crm is missing → make it");
        let kept = json!({"note": "held", "object": "Integration/lead", "path": ["connections", "CRM"], "by": "eu", "from": {"stableKey": "mine"}});
        assert_eq!(words(&kept), "held Integration/lead connections.CRM by eu");
        assert!(concerns(&kept, &objects("Connection/mine")) && !concerns(&kept, &objects("Connection/other")));
    }
}
