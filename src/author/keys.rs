//! The stable key of a new connection: whether it is free in its tenant, and what other tenants have.

use super::command::command;
use super::error::AuthorError;
use super::home::{inventories, tenants};
use super::unknown::is_free;
use crate::api::{ComponentRef, ConnectionSpec, Credentials, Kind, names};
use crate::engine::model::command::EditCommand;
use crate::engine::model::item::ObjectId;
use crate::near_miss::{are_similar, meant};
use crate::project::Project;
use std::collections::{BTreeMap, BTreeSet};

/// Fails if a connection with this key cannot be added to a tenant: no tenant has two of one key, and a key names one
/// object.
pub(super) fn check(project: &Project, tenant: &str, key: &str) -> Result<(), AuthorError> {
    if !names::is_stable_key(key) {
        return Err(AuthorError::refused(
            format!("{:?} is no stable key", crate::text::line(key)),
            "a stable key has letters, digits, - and _, begins and ends with a letter or digit, and has at most 63 characters",
        ));
    }
    let name = names::of_stable_key(key);
    let id = ObjectId::new(Kind::Connection, &name);
    for inventory in inventories(project, tenant) {
        if let Some(there) = inventory.connections.get(&name) {
            let there = &there.spec.stable_key;
            let message = match there == key {
                true => format!("{tenant} has {key} already"),
                false => format!("{tenant} has {there} already, and both keys are the name {name}"),
            };
            return Err(AuthorError::refused(message, instead(project, tenant, there)));
        }
        let replaces = |old: &String| names::of_stable_key(old) == name;
        if let Some(newer) = inventory.connections.values().find(|c| c.spec.replaces.iter().any(replaces)) {
            let newer = &newer.spec.stable_key;
            let message = format!("{newer} of {tenant} replaces {key}: the key resolves to it");
            return Err(AuthorError::refused(message, instead(project, tenant, newer)));
        }
        if let Some(foreign) = inventory.foreign.get(key) {
            return Err(AuthorError::refused(format!("{tenant} has {key} already: {foreign}"), "give another key"));
        }
        is_free(inventory, tenant, &id)?;
    }
    Ok(())
}

fn instead(project: &Project, tenant: &str, key: &str) -> String {
    let change = command(project, EditCommand::set(tenant, key).value("INPUT"));
    format!("give another key, or change that connection:\n{change}")
}

/// Returns a free key for a component and a type: `component-type`, with a number where that is taken.
pub(super) fn suggested(project: &Project, tenant: &str, component: &ComponentRef, type_: &str) -> Option<String> {
    let plain = names::usual_key(&component.key, type_)?;
    let numbered = (2..100).map(|number| names::with_ending(&plain, &number.to_string()));
    std::iter::once(plain.clone()).chain(numbered).find(|key| check(project, tenant, key).is_ok())
}

/// The connections of other tenants with this key, each with its tenant.
pub(super) fn twins<'p>(project: &'p Project, tenant: &str, key: &str) -> Vec<(&'p str, &'p ConnectionSpec)> {
    let name = names::of_stable_key(key);
    let of = |other: &'p str| {
        let read = inventories(project, other);
        let found = read.into_iter().find_map(|inventory| inventory.connections.get(&name));
        found.map(|connection| (other, &connection.spec)).filter(|(_, spec)| spec.stable_key == key)
    };
    other_tenants(project, tenant).into_iter().filter_map(of).collect()
}

/// The keys of other tenants for connections of a component, type and credentials that this tenant lacks, each with the
/// tenants that have it.
pub(super) fn offered<'p>(
    project: &'p Project,
    tenant: &str,
    component: &ComponentRef,
    type_: &str,
    credentials: Credentials,
) -> BTreeMap<&'p str, BTreeSet<&'p str>> {
    let mut offered: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for other in other_tenants(project, tenant) {
        for connection in inventories(project, other).into_iter().flat_map(|read| read.connections.values()) {
            let spec = &connection.spec;
            if spec.component.is(component) && spec.type_ == type_ && spec.credentials == credentials {
                offered.entry(&spec.stable_key).or_default().insert(other);
            }
        }
    }
    let taken = taken(project, tenant);
    offered.retain(|key, _| !taken.contains(&names::of_stable_key(key)) && names::is_stable_key(key));
    offered
}

/// The names of connections that cannot be added to a tenant, as [`check`] decides for one key.
fn taken(project: &Project, tenant: &str) -> BTreeSet<String> {
    let mut taken = BTreeSet::new();
    for inventory in inventories(project, tenant) {
        taken.extend(inventory.connections.keys().cloned());
        let replaced = inventory.connections.values().flat_map(|connection| &connection.spec.replaces);
        taken.extend(replaced.chain(inventory.foreign.keys()).map(|key| names::of_stable_key(key)));
        let invalid = inventory.invalid.keys().filter(|id| id.kind == Kind::Connection);
        taken.extend(invalid.map(|id| id.name.clone()));
    }
    taken
}

/// What to know before a key is used: the tenant or another one has a key that is nearly the same, or another tenant the
/// same for another kind of connection.
pub(super) fn warnings(project: &Project, tenant: &str, spec: &ConnectionSpec) -> Vec<String> {
    let key = &spec.stable_key;
    let same = twins(project, tenant, key);
    let mut warnings = warnings_here(project, tenant, key);
    for (other, theirs) in &same {
        if !theirs.is_same_kind_as(spec) {
            let (kind, ours) = (theirs.kind_in_words(), spec.kind_in_words());
            warnings.push(format!("{key} is {kind} in {other}, and {ours} here: give one of them another key"));
        }
    }
    if !same.is_empty() {
        return warnings;
    }
    let has = |other: &str| inventories(project, tenant).iter().any(|read| read.connection(other).is_some());
    let mut near: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for other in other_tenants(project, tenant) {
        for connection in inventories(project, other).into_iter().flat_map(|read| read.connections.values()) {
            let theirs = &connection.spec;
            let is_misspelt = meant(key, [theirs.stable_key.as_str()]).is_some();
            let is_alike = theirs.component.is(&spec.component) && are_similar(key, &theirs.stable_key);
            if theirs.stable_key != *key && (is_misspelt || is_alike) && !has(&theirs.stable_key) {
                near.entry(&theirs.stable_key).or_default().insert(other);
            }
        }
    }
    warnings.extend(near.into_iter().map(|(theirs, tenants)| {
        let tenants = tenants.into_iter().collect::<Vec<_>>().join(", ");
        format!("{tenants} has the similar key {theirs}: integrations find {key} only under exactly this key")
    }));
    warnings
}

/// Keys of the tenant itself that are a letter or two away. A number tells connections of one kind apart.
fn warnings_here(project: &Project, tenant: &str, key: &str) -> Vec<String> {
    let letters = |key: &str| key.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_ascii_lowercase();
    let inventories = inventories(project, tenant);
    let connections = inventories.into_iter().flat_map(|read| read.connections.values());
    let keys: BTreeSet<&str> = connections.map(|connection| connection.spec.stable_key.as_str()).collect();
    let near = keys
        .into_iter()
        .filter(|there| *there != key && letters(there) != letters(key) && meant(key, [*there]).is_some());
    near.map(|near| {
        format!("{tenant} itself has the similar key {near}: if this is the same connection, change that one instead")
    })
    .collect()
}

fn other_tenants<'p>(project: &'p Project, tenant: &str) -> Vec<&'p str> {
    tenants(project).into_iter().filter(|other| *other != tenant).collect()
}
