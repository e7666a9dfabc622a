//! SK0102 and SK0105: connections with an incomplete definition.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::{self, EditCommand};
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, missing_inputs};
use crate::engine::model::item::ObjectId;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    for (name, connection) in &tenant.inventory.connections {
        let id = || ObjectId::new(Kind::Connection, name);
        let missing = missing_inputs(&connection.spec, tenant.inventory);
        if missing.is_empty() {
            continue;
        }
        let text = format!("{} needs {}", connection.spec.stable_key, missing.join(", "));
        let fix = how_to_give(&connection.spec, &missing, tenant.inventory);
        let key = &connection.spec.stable_key;
        let set = || EditCommand::set(tenant.name, key).giving(&missing, &connection.spec, tenant.inventory);
        findings.push(Finding::of(Code::InputMissing, tenant.name, id(), text, fix).by(set()));
        for row in tenant.bindings.users(name) {
            let text = format!(
                "{:?} is bound to {}, which lacks {}",
                row.variable.name,
                connection.spec.stable_key,
                missing.join(", ")
            );
            let integration = ObjectId::new(Kind::Integration, row.integration);
            let fix = format!("complete Connection/{name}");
            findings.push(Finding::of(Code::BindingNotReady, tenant.name, integration, text, fix).by(set()));
        }
    }
}

/// How to supply missing inputs: a secret cannot be a value, and a global connection has no input per customer.
fn how_to_give(connection: &ConnectionSpec, missing: &[&str], inventory: &Inventory) -> &'static str {
    let is_secret = |name: &&str| command::is_secret(name, connection, inventory);
    match (missing.iter().all(is_secret), connection.credentials == Credentials::OrganizationGlobal) {
        (true, true) => "give each a secretRef",
        (true, false) => "give each a secretRef, or perCustomer: true",
        (false, true) => "give each a value, or a secretRef",
        (false, false) => "give each a value, a secretRef, or perCustomer: true",
    }
}
