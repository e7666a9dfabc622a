//! Writes of reusable connections.

use super::inputs::{check, update as update_inputs};
use super::{Given, Refusal, choice, integration};
use crate::kinds::{ManagedBy, Scope, Status};
use crate::store::{Connection, Expression, Redirect, Store};
use crate::switches::Switches;

/// A new connection.
#[derive(Clone, Debug, Default)]
pub struct Create {
    pub key: String,
    pub stable_key: String,
    pub variable_scope: String,
    pub managed_by: Option<String>,
    pub connection: Option<String>,
    pub customer: Option<String>,
    pub description: Option<String>,
    pub inputs: Vec<Expression>,
    pub redirect: Redirect,
    pub parent: Option<String>,
    pub build_only: bool,
}

/// Creates a connection, and returns its id.
pub fn create(store: &mut Store, switches: &Switches, new: Create) -> Result<String, Refusal> {
    let scope = choice("variableScope", &new.variable_scope, Scope::parse)?;
    let managed_by = match new.managed_by.as_deref() {
        None => ManagedBy::Org,
        Some(text) => choice("managedBy", text, ManagedBy::parse)?,
    };
    if managed_by == ManagedBy::Customer && scope != Scope::Customer {
        return Err(Refusal::of("managedBy", "A Customer can manage Customer-scoped variables only."));
    }
    for (field, value) in [("key", &new.key), ("stableKey", &new.stable_key)] {
        if value.trim().is_empty() {
            return Err(Refusal::of(field, "This field may not be blank."));
        }
    }
    if new.customer.as_deref().is_some_and(|id| store.customer(id).is_none()) {
        return Err(Refusal::NotFound);
    }
    if new.parent.as_deref().is_some_and(|id| store.connection(id).is_none()) {
        return Err(Refusal::NotFound);
    }
    if new.parent.is_none() && switches.unique_keys {
        let taken = store.connections.iter().any(|c| c.stable_key == new.stable_key && c.parent.is_none());
        if taken {
            return Err(Refusal::of("stableKey", "Scoped Config Variable with this Stable Key already exists."));
        }
    }
    let kind = match new.connection.as_deref() {
        None => None,
        Some(id) => Some(store.connection_type(id).ok_or(Refusal::NotFound)?.1),
    };
    check(&new.inputs, kind)?;
    let needs_consent = kind.is_some_and(|kind| kind.needs_consent());
    let (id, now) = (store.id("ScopedConfigVariable"), store.tick());
    store.connections.push(Connection {
        id: id.clone(),
        key: new.key,
        stable_key: new.stable_key,
        description: new.description,
        managed_by,
        scope,
        status: Some(if needs_consent { Status::Pending } else { Status::Active }),
        connection: new.connection,
        customer: new.customer,
        parent: new.parent,
        inputs: new.inputs,
        build_only: new.build_only,
        redirect: new.redirect,
        created: now,
        updated: now,
        configured: Some(now),
        ..Connection::default()
    });
    Ok(id)
}

/// Changes of a connection.
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub id: String,
    pub key: Option<String>,
    pub description: Given<String>,
    pub inputs: Given<Vec<Expression>>,
    pub default_for_component: Option<bool>,
    pub redirect: Option<Redirect>,
    pub unset_redirect: bool,
    pub redeploy: bool,
}

pub fn update(store: &mut Store, switches: &Switches, change: Update) -> Result<String, Refusal> {
    let connection = store.connection(&change.id).ok_or(Refusal::NotFound)?;
    if connection.managed_by == ManagedBy::System || connection.is_locked {
        return Err(Refusal::Denied);
    }
    let kind = store.type_of(connection);
    let needs_consent = kind.is_some_and(|kind| kind.needs_consent());
    if let Given::Value(inputs) = &change.inputs {
        check(inputs, kind)?;
    }
    if change.key.as_deref().is_some_and(|key| key.trim().is_empty()) {
        return Err(Refusal::of("key", "This field may not be blank."));
    }
    let now = store.tick();
    let connection = store.connection_mut(&change.id).ok_or(Refusal::NotFound)?;
    connection.updated = now;
    if let Some(key) = change.key {
        connection.key = key;
    }
    match change.description {
        Given::Absent => {}
        Given::Null => connection.description = None,
        Given::Value(text) => connection.description = Some(text),
    }
    if change.inputs != Given::Absent {
        connection.configured = Some(now);
    }
    update_inputs(&mut connection.inputs, change.inputs, switches);
    if let Some(default) = change.default_for_component {
        connection.default_for_component = default;
    }
    if let Some(redirect) = change.redirect {
        connection.redirect = redirect;
    }
    if change.unset_redirect {
        connection.redirect = Redirect::default();
    }
    if switches.update_disconnects && needs_consent {
        connection.disconnect();
        let credentials = store.credentials.iter_mut().filter(|credential| credential.connection == change.id);
        credentials.for_each(|credential| credential.disconnect());
    }
    if change.redeploy {
        integration::redeploy(store, |used| used.connection == change.id);
    }
    Ok(change.id)
}

/// Deletes a connection with its leaves and credentials, and returns it.
pub fn delete(store: &mut Store, switches: &Switches, id: &str) -> Result<Connection, Refusal> {
    let connection = store.connection(id).ok_or(Refusal::NotFound)?.clone();
    if connection.managed_by == ManagedBy::System || connection.is_kept {
        return Err(Refusal::Denied);
    }
    if let (false, Some(user)) = (switches.deletes_in_use, active_user(store, &connection)) {
        return Err(Refusal::general(format!("This connection cannot be deleted: \"{user}\" uses it.")));
    }
    forget(store, &connection);
    let gone = |c: &Connection| c.id == id || c.parent.as_deref() == Some(id);
    let ids: Vec<String> = store.connections.iter().filter(|c| gone(c)).map(|c| c.id.clone()).collect();
    store.connections.retain(|c| !ids.contains(&c.id));
    store.credentials.retain(|credential| !ids.contains(&credential.connection));
    store.tick();
    Ok(connection)
}

/// Returns the name of something that keeps a connection from being deleted: a draft, the newest version, a version
/// with instances, an instance, or a workflow. Older versions do not.
fn active_user(store: &Store, connection: &Connection) -> Option<String> {
    let key = connection.stable_key.as_str();
    let integration = store.integrations_using(connection).find(|integration| {
        integration.draft.names(key)
            || integration.versions.iter().enumerate().any(|(at, version)| {
                let runs = |i: &crate::store::Instance| i.integration == integration.id && i.version == version.number;
                let active = at + 1 == integration.versions.len() || store.instances.iter().any(runs);
                active && version.definition.names(key)
            })
    });
    integration
        .map(|integration| integration.name.clone())
        .or_else(|| store.instances_using(&connection.id).next().map(|instance| instance.name.clone()))
        .or_else(|| store.workflows_using(connection).next().map(|workflow| workflow.name.clone()))
}

/// Marks every draft, version and workflow that names a connection which goes away.
fn forget(store: &mut Store, connection: &Connection) {
    let key = connection.stable_key.as_str();
    let integrations: Vec<String> = store.integrations_using(connection).map(|i| i.id.clone()).collect();
    let workflows: Vec<String> = store.workflows_using(connection).map(|w| w.id.clone()).collect();
    for integration in store.integrations.iter_mut().filter(|i| integrations.contains(&i.id)) {
        integration.references_deleted |= integration.draft.names(key);
        integration.versions.iter_mut().for_each(|version| version.references_deleted |= version.definition.names(key));
    }
    for workflow in store.workflows.iter_mut().filter(|workflow| workflows.contains(&workflow.id)) {
        workflow.references_deleted = true;
    }
}

/// Ends the login of a connection.
pub fn disconnect(store: &mut Store, id: &str) -> Result<String, Refusal> {
    let connection = store.connection(id).ok_or(Refusal::NotFound)?;
    if store.type_of(connection).is_none_or(|kind| kind.oauth2.is_none()) {
        return Err(Refusal::general("This connection is not an OAuth 2.0 connection."));
    }
    let now = store.tick();
    let connection = store.connection_mut(id).ok_or(Refusal::NotFound)?;
    connection.disconnect();
    connection.updated = now;
    Ok(id.to_string())
}

/// A login that the client obtained by itself.
#[derive(Clone, Default)]
pub struct Login {
    pub id: String,
    pub status: Option<String>,
    pub refresh_at: Option<String>,
    pub context: Given<String>,
}

/// Sets the login of an OAuth connection. Without a status it becomes active.
pub fn update_oauth2(store: &mut Store, login: Login) -> Result<String, Refusal> {
    let status = match login.status.as_deref() {
        None => Status::Active,
        Some(text) => choice("status", text, Status::parse)?,
    };
    let connection = store.connection(&login.id).ok_or(Refusal::NotFound)?;
    if store.type_of(connection).is_none_or(|kind| kind.oauth2.is_none()) {
        return Err(Refusal::general("This connection is not an OAuth 2.0 connection."));
    }
    let now = store.tick();
    let connection = store.connection_mut(&login.id).ok_or(Refusal::NotFound)?;
    connection.status = Some(status);
    connection.updated = now;
    connection.last_refresh = (status == Status::Active).then_some(now).or(connection.last_refresh);
    connection.refresh_at = login.refresh_at.or(connection.refresh_at.take());
    match login.context {
        Given::Absent => {}
        Given::Null => connection.context = None,
        Given::Value(context) => connection.context = Some(context),
    }
    Ok(login.id)
}
