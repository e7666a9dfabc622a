//! Marks actions after which customers must sign in, or supply their values, again: with the count.

use super::model::*;
use super::tenant::Draft;
use crate::api::*;
use crate::engine::code::Code;
use crate::engine::redirect::{Strictest, inputs_of};
use crate::engine::world::Inventory;
use std::collections::BTreeSet;

/// A change of what customers signed in to: its endpoints, its scopes, its client.
pub(super) fn of_connection(draft: &Draft<'_>, before: &ConnectionSpec, then: &ConnectionSpec) -> Option<Approval> {
    if then.credentials == Credentials::OrganizationGlobal {
        return None;
    }
    let known = draft.input.upstream.values().chain([draft.input.live, &draft.after]);
    let types = Strictest(known.flat_map(|inventory| inventory.types_of(then)).collect());
    if !types.0.iter().any(|t| t.oauth2 == Some(OAuth2::AuthorizationCode)) {
        return None;
    }
    let (was, is) = (inputs_of(before), inputs_of(then));
    let differs = |name: &&str| was.get(name) != is.get(name);
    let decides = |name: &&str| {
        let folded: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
        folded.contains("scope")
            || folded.contains("client")
            || types.is_endpoint(name, was.get(name).copied())
            || types.is_endpoint(name, is.get(name).copied())
    };
    let changed: BTreeSet<&str> = was.keys().chain(is.keys()).copied().filter(differs).filter(decides).collect();
    let customers = customers_of(draft.input.live, &then.stable_key);
    let changed = changed.into_iter().collect::<Vec<_>>().join(", ");
    (!changed.is_empty() && !customers.is_empty()).then(|| {
        mark(format!("{} must sign in to {} again: {changed} changes", count(customers.len()), then.stable_key))
    })
}

/// A variable that moves to a connection for which customers of the old one have given nothing.
pub(super) fn of_binding(draft: &Draft<'_>, from: &ConnectionSpec, to: &ConnectionSpec) -> Option<Approval> {
    let gave = customers_of(draft.input.live, &from.stable_key);
    let have = customers_of(&draft.after, &to.stable_key);
    let left = gave.difference(&have).count();
    let are_asked = to.credentials != Credentials::OrganizationGlobal;
    (left > 0 && are_asked).then(|| {
        mark(format!(
            "{} of {} must sign in to {}, or give their values again",
            count(left),
            from.stable_key,
            to.stable_key
        ))
    })
}

fn mark(why: String) -> Approval {
    Approval { code: Code::CustomersSignIn, why }
}

fn count(customers: usize) -> String {
    if customers == 1 { "1 customer".to_string() } else { format!("{customers} customers") }
}

/// The customers who gave credentials for a key, or for an older one that it answers for.
fn customers_of<'i>(inventory: &'i Inventory, key: &str) -> BTreeSet<&'i str> {
    let older = inventory.connection(key).map(|c| c.spec.replaces.as_slice()).unwrap_or_default();
    let all = inventory.customer_credentials.values();
    let of_key = all.filter(|c| c.spec.connection == key || older.contains(&c.spec.connection));
    of_key.map(|c| c.spec.customer.as_str()).collect()
}
