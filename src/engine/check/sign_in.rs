//! SK0177: a connection to which each customer signs in by OAuth 2.0, while the organization is to supply the
//! credentials.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use std::cell::LazyCell;
use std::collections::BTreeSet;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    // Most tenants have no such connection.
    let replaced = LazyCell::new(|| {
        let replaced = tenant.inventory.connections.values().flat_map(|connection| &connection.spec.replaces);
        replaced.map(|old| names::of_stable_key(old)).collect()
    });
    for (name, connection) in &tenant.inventory.connections {
        let spec = &connection.spec;
        let signs_in =
            tenant.inventory.connection_type(spec).is_some_and(|t| t.oauth2 == Some(OAuth2::AuthorizationCode));
        if spec.credentials != Credentials::OrganizationCustomer || !signs_in {
            continue;
        }
        // Tokens that the organization has from elsewhere need no sign-in.
        let takes_tokens = spec.inputs.iter().any(|(name, input)| input.is_per_customer() && sensitive::is_token(name));
        let id = ObjectId::new(Kind::Connection, name);
        if takes_tokens || tenant.inventory.is_brought(tenant.name, &id) {
            continue;
        }
        let text = format!(
            "customers sign in to {} by OAuth 2.0, and its OrganizationCustomer credentials are yours to supply",
            spec.stable_key
        );
        let fix = "make a connection with Customer credentials; or supply each customer's token, as an input that is per \
                   customer (refreshToken)";
        let key = free_key(tenant, spec, &replaced);
        let command = EditCommand::new_like(tenant.name, &spec.stable_key, Credentials::Customer, &key);
        findings.push(Finding::of(Code::SignInSupplied, tenant.name, id, text, fix).by(command));
    }
}

/// A key for a new connection like another one: the usual key, or the old one with an ending. `replaced` are the names
/// of the connections that others replace.
fn free_key(tenant: &Tenant<'_>, spec: &ConnectionSpec, replaced: &BTreeSet<String>) -> String {
    let is_free = |key: &String| {
        let name = names::of_stable_key(key);
        !tenant.inventory.connections.contains_key(&name) && !replaced.contains(&name)
    };
    let old = names::of_stable_key(&spec.stable_key);
    let of_customers = names::with_ending(&old, "customer");
    let numbered = (2..100).map(|number| names::with_ending(&of_customers, &number.to_string()));
    let keys = names::usual_key(&spec.component.key, &spec.type_).into_iter().chain([of_customers.clone()]);
    keys.chain(numbered).find(is_free).unwrap_or_else(|| of_customers.clone())
}
