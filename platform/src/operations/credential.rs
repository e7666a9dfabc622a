//! Writes of the credentials that customers have for connections.

use super::inputs::{check, update as update_inputs};
use super::{Given, Refusal, integration};
use crate::kinds::{Scope, Status};
use crate::store::{Credential, Expression, Store};
use crate::switches::Switches;

/// New credentials.
#[derive(Clone, Debug, Default)]
pub struct Create {
    pub connection: String,
    pub customer: Option<String>,
    pub inputs: Vec<Expression>,
    pub is_test: bool,
    pub key: Option<String>,
}

/// Creates credentials, and returns their id.
pub fn create(store: &mut Store, new: Create) -> Result<String, Refusal> {
    let connection = store.connection(&new.connection).ok_or(Refusal::NotFound)?;
    if new.customer.as_deref().is_some_and(|id| store.customer(id).is_none()) {
        return Err(Refusal::NotFound);
    }
    belongs(new.customer.as_deref(), new.is_test)?;
    if !new.is_test && connection.scope != Scope::Customer {
        return Err(Refusal::of("scopedConfigVariable", "This connection takes no credentials of Customers."));
    }
    unique(store, "", &new.connection, new.customer.as_deref(), new.key.as_deref(), new.is_test)?;
    let kind = store.type_of(connection);
    check(&new.inputs, kind)?;
    let needs_consent = kind.is_some_and(|kind| kind.needs_consent());
    let (id, now) = (store.id("CustomerConfigVariable"), store.tick());
    store.credentials.push(Credential {
        id: id.clone(),
        key: new.key,
        connection: new.connection,
        customer: new.customer,
        is_test: new.is_test,
        status: Some(if needs_consent { Status::Pending } else { Status::Active }),
        inputs: new.inputs,
        created: now,
        updated: now,
        configured: Some(now),
        last_refresh: None,
    });
    Ok(id)
}

/// Test credentials have no customer, all others have one.
fn belongs(customer: Option<&str>, is_test: bool) -> Result<(), Refusal> {
    match (customer, is_test) {
        (None, false) => Err(Refusal::of("customer", "This field may not be null.")),
        (Some(_), true) => Err(Refusal::of("customer", "Test credentials have no Customer.")),
        _ => Ok(()),
    }
}

/// Several credentials of one customer for one connection differ in their keys.
fn unique(
    store: &Store,
    id: &str,
    connection: &str,
    customer: Option<&str>,
    key: Option<&str>,
    is_test: bool,
) -> Result<(), Refusal> {
    let same = |c: &&Credential| {
        c.id != id
            && c.connection == connection
            && c.customer.as_deref() == customer
            && c.key.as_deref() == key
            && c.is_test == is_test
    };
    match store.credentials.iter().find(same) {
        Some(_) => Err(Refusal::of("key", "Customer Config Variable with this Key already exists.")),
        None => Ok(()),
    }
}

/// Changes of credentials.
#[derive(Clone, Debug, Default)]
pub struct Update {
    pub id: String,
    pub key: Given<String>,
    pub customer: Given<String>,
    pub inputs: Given<Vec<Expression>>,
    pub is_test: Option<bool>,
    pub redeploy: bool,
}

pub fn update(store: &mut Store, switches: &Switches, change: Update) -> Result<String, Refusal> {
    let current = store.credential(&change.id).ok_or(Refusal::NotFound)?;
    let mut next = current.clone();
    match change.key {
        Given::Absent => {}
        Given::Null => next.key = None,
        Given::Value(key) => next.key = Some(key),
    }
    match change.customer {
        Given::Absent => {}
        Given::Null => next.customer = None,
        Given::Value(customer) => {
            store.customer(&customer).ok_or(Refusal::NotFound)?;
            next.customer = Some(customer);
        }
    }
    next.is_test = change.is_test.unwrap_or(next.is_test);
    belongs(next.customer.as_deref(), next.is_test)?;
    unique(store, &next.id, &next.connection, next.customer.as_deref(), next.key.as_deref(), next.is_test)?;
    let kind = store.connection(&next.connection).and_then(|connection| store.type_of(connection));
    let needs_consent = kind.is_some_and(|kind| kind.needs_consent());
    if let Given::Value(inputs) = &change.inputs {
        check(inputs, kind)?;
    }
    let now = store.tick();
    next.updated = now;
    if change.inputs != Given::Absent {
        next.configured = Some(now);
    }
    update_inputs(&mut next.inputs, change.inputs, switches);
    if switches.update_disconnects && needs_consent {
        next.disconnect();
    }
    store.credentials.iter_mut().filter(|c| c.id == change.id).for_each(|credential| *credential = next.clone());
    if change.redeploy {
        integration::redeploy(store, |used| used.credential.as_deref() == Some(&*change.id));
    }
    Ok(change.id)
}

/// Deletes credentials, and returns them.
pub fn delete(store: &mut Store, switches: &Switches, id: &str) -> Result<Credential, Refusal> {
    let credential = store.credential(id).ok_or(Refusal::NotFound)?.clone();
    let uses = |instance: &&mut crate::store::Instance| {
        instance.uses.values().any(|used| used.credential.as_deref() == Some(id))
    };
    let mut users = store.instances.iter_mut().filter(uses).peekable();
    if let (false, Some(instance)) = (switches.deletes_in_use, users.peek()) {
        return Err(Refusal::general(format!("This connection cannot be deleted: \"{}\" uses it.", instance.name)));
    }
    for used in users.flat_map(|instance| instance.uses.values_mut()) {
        if used.credential.as_deref() == Some(id) {
            used.credential = None;
        }
    }
    store.credentials.retain(|credential| credential.id != id);
    store.tick();
    Ok(credential)
}
