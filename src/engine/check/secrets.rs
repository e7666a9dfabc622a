//! SK0120: a secret must be a reference; reports a literal if the type declares a secret. (A literal under a name that
//! stands for a secret violates a rule, so that the document is rejected.)

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let typed = tenant.inventory.items().filter(|_| !tenant.inventory.components.is_empty());
    for item in typed {
        let literals = secret_literals(&item, &[tenant.inventory]);
        if !literals.is_empty() {
            let text = format!("{} is a secret and is written as a value", literals.join(", "));
            let finding = Finding::of(Code::SecretLiteral, tenant.name, item.id(), text, rules::SECRET_LITERAL);
            let set = match &item {
                Item::Connection(c) => Some(EditCommand::set(tenant.name, &c.spec.stable_key)),
                _ => None,
            };
            let is_literal = |inputs: &std::collections::BTreeMap<String, Input>, name: &str| {
                matches!(inputs.get(name), Some(Input::Value(_)))
            };
            let set = set.map(|set| {
                literals.iter().fold(set, |set, name| match &item {
                    Item::Connection(c) if !is_literal(&c.spec.inputs, name) => set.test_secret(name),
                    _ => set.secret(name),
                })
            });
            let finding = finding.at_path(&["spec", "inputs", literals[0]]);
            findings.push(set.into_iter().fold(finding, Finding::by));
        }
    }
}

/// The inputs of an object that are literal values although the type declares them as secrets, as far as one of the
/// inventories knows the type. Never returns their values.
pub fn secret_literals<'a>(item: &'a Item, known: &[&Inventory]) -> Vec<&'a str> {
    let (inputs, test) = match item {
        Item::Connection(c) => (&c.spec.inputs, c.spec.test.as_ref()),
        Item::CustomerCredentials(c) => (&c.spec.inputs, None),
        Item::Component(_) | Item::Integration(..) => return Vec::new(),
    };
    let types = known.iter().flat_map(|inventory| types_of(item, inventory));
    let secrets = types.flat_map(|t| &t.inputs).filter(|(_, known)| known.is_secret());
    let written = |name: &String| {
        let (of_test, of_all) = (test.and_then(|t| t.inputs.get_key_value(name)), inputs.get_key_value(name));
        of_all.into_iter().chain(of_test).find(|(_, input)| matches!(input, Input::Value(_)))
    };
    let mut literals: Vec<&str> = secrets.filter_map(|(name, _)| Some(written(name)?.0.as_str())).collect();
    literals.sort_unstable();
    literals.dedup();
    literals
}

/// Whether the value of an override is a secret, as far as one of the inventories knows the type of the connection. A type
/// that nothing describes can be that of a secret, unless everything that may describe it was read: `is_whole`. So can that
/// of a connection that is nowhere.
pub fn is_secret_override(one: &Override, known: &[&Inventory], is_whole: bool) -> bool {
    let (Some(key), Some(input)) = (&one.stable_key, &one.input) else { return false };
    let connections = || known.iter().filter_map(|inventory| inventory.connection(key));
    let types = || connections().flat_map(|connection| known.iter().flat_map(|i| i.types_of(&connection.spec)));
    if types().any(|t| t.inputs.get(input).is_some_and(TypeInput::is_secret)) {
        return true;
    }
    let components = connections().map(|connection| {
        let component = &connection.spec.component;
        ObjectId::new(Kind::Component, names::of_component(&component.key, component.is_public()))
    });
    let ids: Vec<ObjectId> =
        components.chain(Some(ObjectId::new(Kind::Connection, names::of_stable_key(key)))).collect();
    let is_invalid = |inventory: &&Inventory| ids.iter().any(|id| inventory.invalid.contains_key(id));
    let is_unread = |inventory: &&Inventory| !inventory.unparsed.is_empty();
    let is_unknown = || !is_whole || connections().next().is_none() || known.iter().any(is_unread);
    known.iter().any(is_invalid) || types().next().is_none() && is_unknown()
}

/// The unreadable item that may declare literal inputs of an object as secrets: the Component itself, or a file that
/// may contain it in a tenant that describes components.
pub fn unread_type(item: &Item, known: &[&Inventory]) -> Option<String> {
    let connection = |inventory: &Inventory| match item {
        Item::Connection(c) => {
            let tests = c.spec.test.iter().flat_map(|test| test.inputs.values());
            c.spec.inputs.values().chain(tests).any(is_value).then(|| c.spec.component.clone())
        }
        Item::CustomerCredentials(c) if c.spec.inputs.values().any(is_value) => {
            inventory.connection(&c.spec.connection).map(|c| c.spec.component.clone())
        }
        _ => None,
    };
    let is_known = |inventory: &&Inventory| connection(inventory).is_some_and(|c| inventory.component(&c).is_some());
    let is_somewhere = known.iter().any(is_known);
    known.iter().filter(|inventory| !is_known(inventory)).find_map(|inventory| {
        let component = connection(inventory)?;
        let id = ObjectId::new(Kind::Component, names::of_component(&component.key, component.is_public()));
        if inventory.invalid.contains_key(&id) {
            return Some(format!("{id} cannot be read"));
        }
        let file = inventory.unparsed.first().filter(|_| !is_somewhere && !inventory.components.is_empty())?;
        Some(format!("{file} cannot be read and may describe component {component}"))
    })
}

fn is_value(input: &Input) -> bool {
    matches!(input, Input::Value(_))
}

fn types_of<'a>(item: &'a Item, inventory: &'a Inventory) -> impl Iterator<Item = &'a ConnectionType> {
    let connection = match item {
        _ if inventory.components.is_empty() => None,
        Item::Connection(connection) => Some(connection),
        Item::CustomerCredentials(c) => {
            let key = &c.spec.connection;
            let replaced = || inventory.connections.values().find(|c| c.spec.replaces.contains(key));
            inventory.connection(key).or_else(replaced)
        }
        Item::Component(_) | Item::Integration(..) => None,
    };
    connection.into_iter().flat_map(|connection| inventory.types_of(&connection.spec))
}
