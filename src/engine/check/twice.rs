//! SK0172: one connection under two stable keys.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::is_given;
use crate::engine::model::item::ObjectId;
use std::collections::BTreeMap;
use std::sync::Arc;

type Connection = Arc<Object<ConnectionSpec>>;

/// What makes two connections one: the fields that never change, and the inputs.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity<'a> {
    component: (&'a str, bool),
    type_: &'a str,
    credentials: &'static str,
    inputs: String,
}

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let mut same: BTreeMap<Identity<'_>, Vec<&Connection>> = BTreeMap::new();
    for connection in tenant.inventory.connections.values() {
        if let Some(identity) = identity(&connection.spec) {
            same.entry(identity).or_default().push(connection);
        }
    }
    for mut connections in same.into_values().filter(|connections| connections.len() > 1) {
        let users = |c: &Connection| tenant.bindings.users(c.name()).count();
        let is_brought =
            |c: &Connection| tenant.inventory.is_brought(tenant.name, &ObjectId::new(Kind::Connection, c.name()));
        // The one that most use stays; what a sync brought is checked in its source.
        connections.sort_by_key(|c| (!is_brought(c), std::cmp::Reverse(users(c))));
        let Some((stays, others)) = connections.split_first() else { continue };
        for other in others.iter().filter(|other| !is_brought(other) && !are_replaced(tenant, stays, other)) {
            let (key, stays) = (&other.spec.stable_key, &stays.spec.stable_key);
            let text = format!("{key} is {stays} again: component, type, credentials and every input are equal");
            let id = ObjectId::new(Kind::Connection, other.name());
            let (fix, command) = match users(other) {
                0 => (format!("remove {key}, or give it the account that it was made for"), None),
                _ => (
                    format!(
                        "move what uses {key} to {stays}, then remove it; or give it the account that it was made for"
                    ),
                    Some(EditCommand::switch_all(tenant.name, key, stays)),
                ),
            };
            let finding = Finding::of(Code::ConnectionTwice, tenant.name, id, text, fix);
            findings.push(command.into_iter().fold(finding, Finding::by));
        }
    }
}

/// The identity of a connection; `None` where no input of ours says what it connects to.
fn identity(spec: &ConnectionSpec) -> Option<Identity<'_>> {
    let is_ours = |input: &Input| !input.is_per_customer() && is_given(Some(input));
    spec.inputs.values().any(is_ours).then(|| Identity {
        component: (&spec.component.key, spec.component.is_public()),
        type_: &spec.type_,
        credentials: spec.credentials.as_str(),
        inputs: serde_json::to_string(&spec.inputs).unwrap_or_default(),
    })
}

/// Whether one replaces the other, or a third one replaces both: a rename that is under way.
fn are_replaced(tenant: &Tenant<'_>, a: &Connection, b: &Connection) -> bool {
    let replaces = |newer: &Connection, older: &Connection| newer.spec.replaces.contains(&older.spec.stable_key);
    let replaces_both = |c: &Connection| replaces(c, a) && replaces(c, b);
    replaces(a, b) || replaces(b, a) || tenant.inventory.connections.values().any(replaces_both)
}
