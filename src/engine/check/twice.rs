//! SK0172: one connection under two stable keys.

use super::Tenant;
use crate::api::*;
use crate::engine::model::canonical::Digest;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::is_given;
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use std::collections::BTreeMap;
use std::sync::Arc;

type Connection = Arc<Object<ConnectionSpec>>;

/// What makes two connections one: the fields that never change, and the inputs.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Identity<'a> {
    component: (&'a str, bool),
    type_: &'a str,
    credentials: &'static str,
    /// Not the text of the inputs: a tenant has many.
    inputs: Digest,
}

/// All of a connection but its keys: equal for two where a key was changed in place.
fn besides_keys(spec: &ConnectionSpec) -> String {
    let rest =
        ConnectionSpec { stable_key: String::new(), replaces: Vec::new(), deletion_policy: None, ..spec.clone() };
    serde_json::to_string(&rest).unwrap_or_default()
}

/// The stable keys that were changed in place in the source of a tenant, older and newer: the source declared the one,
/// and declares the other, which does not replace it. All else is equal.
fn changed_in_place<'t>(tenant: &'t Tenant<'_>) -> Vec<(&'t Connection, &'t Connection)> {
    let Some(source) = tenant.source.filter(|source| source.unparsed.is_empty()) else { return Vec::new() };
    let was_declared = |old: &&Connection| {
        let id = ObjectId::new(Kind::Connection, old.name());
        let record = tenant.inventory.record(tenant.name, &id);
        !source.connections.contains_key(old.name())
            && !source.invalid.contains_key(&id)
            && record.is_some_and(|record| record.writers().contains(&Writer::Source))
    };
    let gone: Vec<&Connection> = tenant.inventory.connections.values().filter(was_declared).collect();
    if gone.is_empty() {
        return Vec::new();
    }
    let mut declared: BTreeMap<String, Vec<&Connection>> = BTreeMap::new();
    for connection in source.connections.values() {
        declared.entry(besides_keys(&connection.spec)).or_default().push(connection);
    }
    let mut changed = Vec::new();
    for old in gone {
        if let Some([new]) = declared.get(&besides_keys(&old.spec)).map(Vec::as_slice)
            && !are_replaced(tenant, old, new)
        {
            changed.push((old, *new));
        }
    }
    changed
}

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let changed = changed_in_place(tenant);
    for (old, new) in &changed {
        let (old, key) = (&old.spec.stable_key, &new.spec.stable_key);
        let text =
            format!("{key} is {old} with another key: all else is equal, and nothing says that it replaces {old}");
        let fix = format!("to rename {old}, let {key} replace it; else give {key} the account that it was made for");
        let id = ObjectId::new(Kind::Connection, new.name());
        let finding = Finding::of(Code::ConnectionTwice, tenant.name, id, text, fix);
        findings.push(finding.by(EditCommand::rename_key(old, key)));
    }
    let is_reported = |a: &Connection, b: &Connection| {
        changed.iter().any(|(old, new)| [a.name(), b.name()].iter().all(|n| [old.name(), new.name()].contains(n)))
    };
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
        for other in others
            .iter()
            .filter(|other| !is_brought(other) && !are_replaced(tenant, stays, other) && !is_reported(stays, other))
        {
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
        inputs: Digest::of(serde_json::to_string(&spec.inputs).unwrap_or_default().as_bytes()),
    })
}

/// Whether one replaces the other, or a third one replaces both: a rename that is under way.
fn are_replaced(tenant: &Tenant<'_>, a: &Connection, b: &Connection) -> bool {
    let replaces = |newer: &Connection, older: &Connection| newer.spec.replaces.contains(&older.spec.stable_key);
    let replaces_both = |c: &Connection| replaces(c, a) && replaces(c, b);
    replaces(a, b) || replaces(b, a) || tenant.inventory.connections.values().any(replaces_both)
}
