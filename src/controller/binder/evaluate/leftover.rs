//! Binding Secrets of deleted objects. Those of customer credentials are deleted with the credentials. Those of a
//! connection are kept for whoever still uses them, and reported, until one of their source Secrets is withdrawn.

use super::compare;
use crate::api::{Credentials, Kind};
use crate::controller::binder::cache::TenantCache;
use crate::controller::binder::secret::desired::{Because, DesiredSecret};
use crate::controller::binder::secret::naming::Purpose;
use crate::engine::model::item::ObjectId;
use std::collections::BTreeSet;

/// What happens to a binding Secret.
#[derive(Debug, PartialEq)]
pub(crate) enum Fate {
    /// Its object exists, or Kubernetes deletes it with one of its owners.
    Stays,
    /// It is deleted: its customer credentials are gone.
    Goes(Box<DesiredSecret>),
    /// One of its source Secrets was withdrawn, according to the cache, and no reconcile of an object covers it.
    Withdrawn(Box<DesiredSecret>, Origins),
    /// It is kept although its connection is gone.
    Left(ObjectId),
}

/// The source Secrets of a copy, and the keys that they opted in for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Origins {
    pub from: BTreeSet<String>,
    pub keys: BTreeSet<String>,
}

/// Returns what happens to the binding Secret of this name.
pub(crate) fn fate(cache: &TenantCache, secret: &str) -> Fate {
    let Some(binding) = cache.bindings.get(secret) else { return Fate::Stays };
    let Some((of, id)) = binding.ours.as_deref().and_then(Purpose::of_what) else { return Fate::Stays };
    if sees_to(cache, of, &id) || of.name_for(&id.name) != secret {
        return Fate::Stays;
    }
    if let Some(origin) = compare::withdrawn(cache, binding) {
        let origins = Origins { from: binding.from.clone(), keys: binding.keys.clone() };
        return Fate::Withdrawn(Box::new(DesiredSecret::withdrawn(binding, origin)), origins);
    }
    let is_there = cache.inventory.has(&id) || cache.inventory.invalid.contains_key(&id);
    match of {
        _ if is_there => Fate::Stays,
        Purpose::Customer => Fate::Goes(Box::new(DesiredSecret::that_goes(binding, Because::CredentialsGone))),
        Purpose::Production | Purpose::Test if binding.is_owned => Fate::Stays,
        Purpose::Production | Purpose::Test => Fate::Left(id),
    }
}

/// Whether the reconcile of an object covers this binding Secret: the object can be read, and needs such a Secret.
fn sees_to(cache: &TenantCache, of: Purpose, id: &ObjectId) -> bool {
    let connection = cache.inventory.connections.get(&id.name);
    match of {
        Purpose::Customer => cache.inventory.customer_credentials.contains_key(&id.name),
        Purpose::Production => connection.is_some_and(|c| c.spec.credentials == Credentials::OrganizationGlobal),
        Purpose::Test => connection.is_some_and(|c| c.spec.test.as_ref().is_some_and(|test| !test.inputs.is_empty())),
    }
}

/// Returns the binding Secrets that may belong to an object.
pub(crate) fn bindings_of(cache: &TenantCache, id: &ObjectId) -> Vec<String> {
    let uses: &[Purpose] = match id.kind {
        Kind::Connection => &[Purpose::Production, Purpose::Test],
        Kind::CustomerCredentials => &[Purpose::Customer],
        _ => &[],
    };
    uses.iter().map(|of| of.name_for(&id.name)).filter(|name| cache.is_ours(name)).collect()
}

/// Returns every binding Secret that no reconcile of an object covers.
pub(crate) fn leftovers(cache: &TenantCache) -> Vec<String> {
    cache.bindings.keys().filter(|name| fate(cache, name) != Fate::Stays).cloned().collect()
}

/// Returns those that are this Secret, or were made from it.
pub(crate) fn leftovers_of(cache: &TenantCache, secret: &str) -> Vec<String> {
    let copies = cache.copies.get(secret).into_iter().flatten().map(String::as_str);
    copies.chain([secret]).filter(|name| fate(cache, name) != Fate::Stays).map(str::to_string).collect()
}
