//! SK0174: test credentials in a production tenant. Either a connection that is in use sends a secret which the test
//! inputs of a connection of the tenant name, or a variable is bound to the platform's own connection, which is for
//! building only.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Foreign;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::Binding;
use std::collections::BTreeMap;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    if tenant.spec.is_production() != Some(true) {
        return;
    }
    of_connections(tenant, findings);
    for row in &tenant.bindings.rows {
        if matches!(row.resolution.binding, Binding::Foreign(Foreign::Platform)) {
            let variable = &row.variable.name;
            let text = format!("{variable:?} is bound to {}", Foreign::Platform);
            let id = ObjectId::new(Kind::Integration, row.integration);
            let fix = "bind it to a connection with credentials of production";
            let finding = Finding::of(Code::TestInProduction, tenant.name, id, text, fix);
            let command = EditCommand::switch(tenant.name, row.integration, "--variable", variable, None);
            findings.push(finding.at_path(&["spec", "connections", variable]).by(command));
        }
    }
}

fn of_connections(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let mut of_tests: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for connection in tenant.inventory.connections.values() {
        for (_, secret) in secrets(connection.spec.test.iter().flat_map(|test| &test.inputs)) {
            of_tests.entry(secret).or_insert(&connection.spec.stable_key);
        }
    }
    if of_tests.is_empty() {
        return;
    }
    for (name, connection) in &tenant.inventory.connections {
        let is_used = tenant.bindings.users(name).next().is_some()
            || !tenant.bindings.customers(name).is_empty()
            || connection.spec.embedded_workflows == Some(true);
        let key = connection.spec.stable_key.as_str();
        let found =
            secrets(connection.spec.inputs.iter()).find_map(|(i, secret)| Some((i, secret, *of_tests.get(&secret)?)));
        let Some((input, (secret, entry), tests)) = found.filter(|_| is_used) else { continue };
        let whose =
            if tests == key { "its own test inputs".to_string() } else { format!("the test inputs of {tests}") };
        let text = format!("{input} of {key} is secret {secret}/{entry}, which {whose} name");
        let fix = "give production and the test runner credentials of their own";
        let finding =
            Finding::of(Code::TestInProduction, tenant.name, ObjectId::new(Kind::Connection, name), text, fix);
        let command = EditCommand::set(tenant.name, key).secret(input);
        findings.push(finding.at_path(&["spec", "inputs", input]).by(command));
    }
}

/// The secrets that inputs name, by input.
fn secrets<'a>(
    inputs: impl Iterator<Item = (&'a String, &'a Input)>,
) -> impl Iterator<Item = (&'a str, (&'a str, &'a str))> {
    inputs.filter_map(|(name, input)| match input {
        Input::SecretRef(of) if !of.is_unknown() => Some((name.as_str(), (of.name.as_str(), of.key.as_str()))),
        _ => None,
    })
}
