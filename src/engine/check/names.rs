//! SK0148: a component, type or input that does not exist. An error if it is clear what was meant, else a warning. A
//! tenant without any Component is not checked.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::Item;
use crate::near_miss::meant;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let inventory = tenant.inventory;
    let connections = inventory.connections.values().cloned().map(Item::Connection);
    let integrations =
        inventory.integrations.iter().map(|(name, i)| Item::Integration(i.clone(), inventory.uses.get(name).cloned()));
    for item in connections.chain(integrations) {
        let wrong = wrong_names(&item, inventory);
        if wrong.is_empty() || inventory.is_brought(tenant.name, &item.id()) {
            continue;
        }
        for Wrong { text, near, path, only_warns } in wrong {
            let severity = if near.is_some() && !only_warns { Severity::Error } else { Severity::Warning };
            let fix = match &near {
                Some(near) => format!("did you mean {near}?"),
                None if path.last().is_some_and(|last| last == "key") => {
                    "correct it, or write a Component for it".to_string()
                }
                None => "correct it, or add it to the Component".to_string(),
            };
            let text = format!("{text} is not there: no Component of {} has it", tenant.name);
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let finding = Finding::of(Code::NameUnknown, tenant.name, item.id(), text, fix);
            let rename = near.as_deref().and_then(|near| rename(tenant.name, &item, &path, near));
            let finding = finding.at_path(&path).of_severity(severity);
            findings.push(rename.into_iter().fold(finding, Finding::by));
        }
    }
}

/// The command that gives a connection's input its right name.
fn rename(tenant: &str, item: &Item, path: &[&str], near: &str) -> Option<EditCommand> {
    let (Item::Connection(connection), ["spec", "inputs", input]) = (item, path) else { return None };
    let spec = &connection.spec;
    Some(EditCommand::set(tenant, &spec.stable_key).renaming(input, near, spec.inputs.get(*input)?))
}

/// The first name of an object that is certainly a mistake, with what was meant; the object is then blocked.
pub fn certain_mistake(item: &Item, inventory: &Inventory) -> Option<String> {
    let wrong = wrong_names(item, inventory).into_iter().find(|wrong| wrong.near.is_some() && !wrong.only_warns);
    let named =
        wrong.map(|wrong| format!("{} is not there; did you mean {}?", wrong.text, wrong.near.unwrap_or_default()));
    named.or_else(|| match item {
        Item::Integration(integration, Some(uses)) => {
            let (variable, meant) = super::components::misspelt_variables(integration, uses).into_iter().next()?;
            Some(format!(
                "the definition uses variable {variable:?}; connections lists {meant:?}, which it does not use"
            ))
        }
        _ => None,
    })
}

/// A name without a match.
struct Wrong {
    text: String,
    near: Option<String>,
    path: Vec<String>,
    only_warns: bool,
}

fn wrong_names(item: &Item, inventory: &Inventory) -> Vec<Wrong> {
    let mut names = NameChecks { inventory, found: Vec::new() };
    match item {
        _ if inventory.components.is_empty() => {}
        Item::Connection(connection) => {
            let spec = &connection.spec;
            if let Some(type_) = names.type_(&spec.component, &spec.type_, &["spec"]) {
                spec.inputs.keys().for_each(|input| names.input(type_, input, &["spec", "inputs"]));
                let test = spec.test.iter().flat_map(|test| test.inputs.keys());
                test.for_each(|input| names.input(type_, input, &["spec", "test", "inputs"]));
            }
        }
        Item::Integration(integration, _) => {
            for variable in &integration.spec.connections {
                if let Means::Own(own) = &variable.means {
                    names.type_(&own.component, &own.type_, &["spec", "connections", &variable.name, "own"]);
                }
            }
        }
        Item::Component(_) | Item::CustomerCredentials(_) => {}
    }
    names.found
}

struct NameChecks<'i> {
    inventory: &'i Inventory,
    found: Vec<Wrong>,
}

impl<'i> NameChecks<'i> {
    /// The type, if both component and type exist.
    fn type_(&mut self, component: &ComponentRef, type_: &str, at: &[&str]) -> Option<&'i ConnectionType> {
        let inventory = self.inventory;
        let path = |last: &'static [&'static str]| at.iter().copied().chain(last.iter().copied()).collect::<Vec<_>>();
        let Some(object) = inventory.component_object(component) else {
            let other = inventory.components.values().find(|c| c.spec.key == component.key).map(|c| {
                let public = if c.spec.is_public() { "true" } else { "false" };
                format!("{} with public: {public}", c.spec.key)
            });
            let keys = inventory.components.values().map(|c| c.spec.key.as_str());
            let near = other.or_else(|| meant(&component.key, keys).map(str::to_string));
            self.unknown(format!("component {component}"), near, false, &path(&["component", "key"]));
            return None;
        };
        let known = &object.spec;
        let inferred = is_inferred(&object.metadata);
        let found = known.connection_type(type_);
        if found.is_none() && !known.types.is_empty() {
            let near = meant(type_, known.types.iter().map(|t| t.key.as_str())).map(str::to_string);
            self.unknown(format!("type {type_} of component {component}"), near, inferred, &path(&["type"]));
        }
        found.filter(|_| !inferred)
    }

    fn input(&mut self, type_: &ConnectionType, input: &str, at: &[&str]) {
        if type_.inputs.is_empty() || type_.inputs.contains_key(input) {
            return;
        }
        let near = meant(input, type_.inputs.keys().map(String::as_str)).map(str::to_string);
        self.unknown(format!("input {input} of type {}", type_.key), near, false, &[at, &[input]].concat());
    }

    fn unknown(&mut self, text: String, near: Option<String>, only_warns: bool, path: &[&str]) {
        let path = path.iter().map(ToString::to_string).collect();
        self.found.push(Wrong { text, near, path, only_warns });
    }
}
