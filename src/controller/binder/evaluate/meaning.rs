//! Resolves keys to connections, `replaces` included.

use super::alias::closure;
use super::working;
use crate::api::*;
use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::{Asker, Resolution, resolve_credentials_by, resolve_key, resolve_variable_by};
use std::collections::BTreeSet;

/// Resolves a key as the tenant's own objects name it.
pub(crate) fn meant_by(cache: &TenantCache, key: &str) -> Resolution {
    let works = |connection: &Object<ConnectionSpec>| working::works(cache, connection);
    resolve_key(key, &cache.inventory, &cache.replacements, Asker { works: Some(&works), ..Asker::default() })
}

pub(crate) fn variable(cache: &TenantCache, integration: &str, variable: &Variable) -> Resolution {
    let works = |connection: &Object<ConnectionSpec>| working::works(cache, connection);
    let of = (cache.tenant.as_str(), integration);
    resolve_variable_by(of, variable, &cache.inventory, &cache.replacements, Some(&works))
}

/// Resolves the connection of customer credentials; `None` if there are none of this name.
pub(crate) fn customer_of(cache: &TenantCache, credentials: &str) -> Option<Resolution> {
    let credentials = cache.inventory.customer_credentials.get(credentials)?;
    let works = |connection: &Object<ConnectionSpec>| working::works(cache, connection);
    let works = Some(&works as &dyn Fn(&Object<ConnectionSpec>) -> bool);
    Some(resolve_credentials_by(&cache.tenant, credentials, &cache.inventory, &cache.replacements, works))
}

/// Returns the names of the connections that an integration is bound to.
pub(crate) fn bound_by(cache: &TenantCache, integration: &str) -> BTreeSet<String> {
    let object = cache.inventory.integrations.get(integration);
    let variables = object.into_iter().flat_map(|i| &i.spec.connections);
    variables.filter_map(|v| Some(variable(cache, integration, v).connection()?.name().to_string())).collect()
}

/// Returns the first `most` integrations that are bound to a connection, and their total number.
pub(crate) fn users(cache: &TenantCache, connection: &SharedConnection, most: usize) -> (Vec<String>, usize) {
    let key = &connection.spec.stable_key;
    let aliases = closure(cache, key);
    if aliases.len() == 1 {
        // No connection replaces another: every integration that names the key is bound to the connection.
        return (cache.index.integrations(key).take(most).cloned().collect(), cache.index.integrations_len(key));
    }
    let named: BTreeSet<&String> = aliases.iter().flat_map(|key| cache.index.integrations(key)).collect();
    let mut users: Vec<String> =
        named.into_iter().filter(|i| bound_by(cache, i).contains(connection.name())).cloned().collect();
    let count = users.len();
    users.truncate(most);
    (users, count)
}

/// Returns how many customers have credentials for a connection.
pub(crate) fn customers(cache: &TenantCache, connection: &SharedConnection) -> usize {
    let aliases = closure(cache, &connection.spec.stable_key);
    if aliases.len() == 1 {
        return cache.index.customers(&connection.spec.stable_key).map_or(0, |customers| customers.len());
    }
    let mut customers = BTreeSet::new();
    for key in &aliases {
        // Credentials that no sync wrote resolve the same for every customer, so one lookup is enough.
        let meant = meant_by(cache, key).connection().is_some_and(|c| c.name() == connection.name());
        let is_for = |credentials: &String| {
            let id = ObjectId::new(Kind::CustomerCredentials, credentials.as_str());
            if cache.inventory.records.contains_key(&id) { is_for(cache, credentials, connection) } else { meant }
        };
        let named = cache.index.customers(key).into_iter().flatten();
        customers.extend(named.filter(|(_, all)| all.iter().any(is_for)).map(|(customer, _)| customer));
    }
    customers.len()
}

/// Returns the credentials that are the same set of the same customer for a connection.
pub(crate) fn credentials_of(
    cache: &TenantCache,
    theirs: &CustomerCredentialsSpec,
    connection: &SharedConnection,
) -> BTreeSet<String> {
    let aliases = closure(cache, &connection.spec.stable_key);
    let named = aliases.iter().filter_map(|key| cache.index.customers(key)?.get(&theirs.customer)).flatten();
    let is_same_set = |name: &&String| {
        cache.inventory.customer_credentials.get(*name).is_some_and(|other| other.spec.name == theirs.name)
    };
    named.filter(is_same_set).filter(|credentials| is_for(cache, credentials, connection)).cloned().collect()
}

fn is_for(cache: &TenantCache, credentials: &str, connection: &SharedConnection) -> bool {
    customer_of(cache, credentials).is_some_and(|r| r.connection().is_some_and(|c| c.name() == connection.name()))
}
