//! Marks actions after which customers must sign in, or supply their values, again, with the number of customers.

use super::draft::{CustomersByKey, Draft};
use super::senders::strictest;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::plan::*;
use crate::engine::redirect::{inputs_of, is_same};
use crate::engine::resolve::Replacements;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The names of inputs, without separators, that identify what a customer signed in to.
const CLIENT: [&str; 6] = ["clientid", "clientsecret", "consumerkey", "consumersecret", "appid", "audience"];

/// Marks a new connection whose older keys customers signed in to with other endpoints, scopes or client.
pub(super) fn of_replacement(draft: &Draft<'_>, then: &ConnectionSpec) -> Option<Approval> {
    let live = draft.input.live;
    let older = then.replaces.iter().filter_map(|older| live.connection(older)).map(|older| &older.spec);
    let mut served = older.filter(|older| older.is_same_kind_as(then));
    served.find_map(|older| of_connection(draft, older, then))
}

/// Marks a change of what customers signed in to: endpoints, scopes or client.
pub(super) fn of_connection(draft: &Draft<'_>, before: &ConnectionSpec, then: &ConnectionSpec) -> Option<Approval> {
    if then.credentials == Credentials::OrganizationGlobal {
        return None;
    }
    let types = strictest(draft, then);
    if !types.0.iter().any(|t| t.oauth2 == Some(OAuth2::AuthorizationCode)) {
        return None;
    }
    let (was, is) = (inputs_of(before), inputs_of(then));
    let differs = |name: &&str| !is_same(was.get(name).copied(), is.get(name).copied());
    let decides = |name: &&str| {
        let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        folded.contains("scope")
            || CLIENT.contains(&folded.as_str())
            || types.is_endpoint(name, was.get(name).copied())
            || types.is_endpoint(name, is.get(name).copied())
    };
    let changed: BTreeSet<&str> = was.keys().chain(is.keys()).copied().filter(differs).filter(decides).collect();
    if changed.is_empty() {
        return None;
    }
    let customers_by_key = draft.customers_by_key[0].get_or_init(|| customers_by_key(draft.input.live));
    let known = of_key(customers_by_key, draft.input.tenant, draft.input.live, &before.stable_key).len();
    let customers = told(draft.input.live, &before.stable_key).map(|told| known.max(told));
    let changed = changed.into_iter().collect::<Vec<_>>().join(", ");
    let who = if then.credentials == Credentials::User { "users of " } else { "" };
    (customers != Some(0)).then(|| {
        mark(format!("{who}{} must sign in to {} again: {changed} changes", count(customers), then.stable_key))
    })
}

/// Marks a variable that moves to a connection without credentials of the customers of the old one.
pub(super) fn of_binding(draft: &Draft<'_>, from: &ConnectionSpec, to: &ConnectionSpec) -> Option<Approval> {
    if to.credentials == Credentials::OrganizationGlobal {
        return None;
    }
    let (tenant, live, after) = (draft.input.tenant, draft.input.live, &draft.after);
    let by_key = draft.customers_by_key[0].get_or_init(|| customers_by_key(live));
    let before = of_key(by_key, tenant, live, &from.stable_key);
    let by_key = draft.customers_by_key[1].get_or_init(|| customers_by_key(after));
    let then = of_key(by_key, tenant, after, &to.stable_key);
    // Where the location tells only numbers, none of them is known to have credentials for the other connection.
    let left = told(live, &from.stable_key).map(|told| before.difference(&then).count().max(told));
    let (from, to) = (&from.stable_key, &to.stable_key);
    (left != Some(0))
        .then(|| mark(format!("{} of {from} must sign in to {to}, or give their values again", count(left))))
}

/// Whether customers gave credentials for exactly this key, before the plan.
pub(super) fn is_any_of(draft: &Draft<'_>, key: &str) -> bool {
    draft.customers_by_key[0].get_or_init(|| customers_by_key(draft.input.live)).contains_key(key)
}

fn mark(why: String) -> Approval {
    Approval { code: Code::CustomersSignIn, why }
}

/// `None` is an unknown number.
fn count(customers: Option<usize>) -> String {
    match customers {
        None => "customers, how many is unknown,".to_string(),
        Some(1) => "1 customer".to_string(),
        Some(customers) => format!("{customers} customers"),
    }
}

/// The number of customers that the location reports for a connection; `None` if it should and does not.
fn told(inventory: &Inventory, key: &str) -> Option<usize> {
    inventory.facts.get(&names::of_stable_key(key)).map_or(Some(0), |facts| facts.customers)
}

fn customers_by_key(inventory: &Inventory) -> CustomersByKey {
    let mut customers_by_key = CustomersByKey::new();
    for credentials in inventory.customer_credentials.values() {
        let CustomerCredentialsSpec { connection, customer, .. } = &credentials.spec;
        customers_by_key.entry(connection.clone()).or_default().insert(customer.clone());
    }
    customers_by_key
}

/// The customers with credentials for a key, or for an older key that resolves to it: no sync writes credentials, so a
/// `replaces` that came by a sync does not serve them.
fn of_key<'g>(
    customers_by_key: &'g CustomersByKey,
    tenant: &str,
    inventory: &Inventory,
    key: &str,
) -> BTreeSet<&'g str> {
    let serves = |c: &&Arc<Object<ConnectionSpec>>| Replacements::serves_everything(tenant, c.name(), inventory);
    let connection = inventory.connection(key).filter(serves);
    let older = connection.into_iter().flat_map(|c| c.spec.replaces.iter().map(String::as_str));
    std::iter::once(key)
        .chain(older)
        .filter_map(|key| customers_by_key.get(key))
        .flatten()
        .map(String::as_str)
        .collect()
}
