//! Production and another environment that use one set of credentials. SK0175: one file or variable supplies the
//! secrets of both; SK0176: both name one client ID. That the names of Secrets are equal says nothing: each tenant has
//! Secrets of its own.

use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, World};
use crate::engine::model::item::ObjectId;
use std::collections::BTreeMap;

/// Names of the inputs that identify an app, in lower case, without separators.
const APPS: [&str; 4] = ["clientid", "appid", "applicationid", "consumerkey"];

/// A connection of a tenant, by tenant and stable key.
type Named<'a> = (&'a str, &'a str);

pub(super) fn check(tenants: &[(&str, &Inventory)], world: &World) -> Vec<Finding> {
    let is_production = |name: &str| world.tenants.get(name).and_then(|view| view.spec.is_production());
    let of = |wanted: bool| tenants.iter().filter(move |(name, _)| is_production(name) == Some(wanted));
    let (mut apps, mut supplies) = (BTreeMap::new(), BTreeMap::new());
    for (tenant, inventory) in of(false) {
        for connection in inventory.connections.values() {
            let named: Named<'_> = (tenant, &connection.spec.stable_key);
            for (_, id) in app_ids(&connection.spec) {
                apps.entry(id).or_insert(named);
            }
            for (_, by) in supplied(&connection.spec, inventory) {
                supplies.entry(by).or_insert(named);
            }
        }
    }
    let mut findings = Vec::new();
    if apps.is_empty() && supplies.is_empty() {
        return findings;
    }
    for (tenant, inventory) in of(true) {
        for (name, connection) in &inventory.connections {
            let (id, key) = (ObjectId::new(Kind::Connection, name), connection.spec.stable_key.as_str());
            let set = EditCommand::set(tenant, key);
            let is_brought = inventory.is_brought(tenant, &id);
            let shared = app_ids(&connection.spec).find_map(|(input, app)| Some((input, app.2, *apps.get(&app)?)));
            if let Some((input, value, (other, theirs))) = shared {
                let text =
                    format!("{input} of {key} is {value}, as that of {theirs} in {other}, which is not production");
                let fix = "register an app for each environment: whoever has the app of one can sign in to the other";
                let command =
                    if is_brought { set.clone().value(input).with_reason() } else { set.clone().value(input) };
                let finding = Finding::of(Code::AppShared, tenant, id.clone(), text, fix);
                findings.push(finding.at_path(&["spec", "inputs", input]).by(command));
            }
            let shared =
                supplied(&connection.spec, inventory).find_map(|(input, by)| Some((input, *supplies.get(&by)?, by)));
            if let Some((input, (other, theirs), by)) = shared {
                let text = format!(
                    "{input} of {key} is supplied by {by}, as a secret of {theirs} in {other} is, which is not production"
                );
                let fix = "give each environment a secret of its own";
                let finding = Finding::of(Code::SecretShared, tenant, id, text, fix);
                findings.push(finding.at_path(&["spec", "inputs", input]).by(set.secret(input)));
            }
        }
    }
    findings
}

/// The app that a connection uses, by input: component, whether it is public, and the id.
fn app_ids(spec: &ConnectionSpec) -> impl Iterator<Item = (&str, (&str, bool, &str))> {
    let is_app = |name: &str| {
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        APPS.contains(&letters.to_ascii_lowercase().as_str())
    };
    spec.inputs.iter().filter_map(move |(name, input)| match input {
        // A template is filled in later.
        Input::Value(value) if is_app(name) && !value.trim().is_empty() && !value.contains("{{") => {
            Some((name.as_str(), (spec.component.key.as_str(), spec.component.is_public(), value.trim())))
        }
        _ => None,
    })
}

/// The file or variable that supplies each secret of a connection, by input.
fn supplied<'a>(spec: &'a ConnectionSpec, inventory: &'a Inventory) -> impl Iterator<Item = (&'a str, String)> {
    spec.inputs.iter().filter_map(|(name, input)| match input {
        Input::SecretRef(reference) => Some((name.as_str(), inventory.supply.place(reference)?)),
        _ => None,
    })
}
