//! SK0106: a global connection with per-customer inputs. Files and clusters with our rules reject such a document, but
//! a location without these rules can contain one.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let global = |c: &ConnectionSpec| c.credentials == Credentials::OrganizationGlobal;
    for (name, connection) in tenant.inventory.connections.iter().filter(|(_, c)| global(&c.spec)) {
        let inputs = connection.spec.inputs.iter().filter(|(_, input)| input.is_per_customer());
        let inputs: Vec<&str> = inputs.map(|(name, _)| name.as_str()).collect();
        if !inputs.is_empty() {
            let key = &connection.spec.stable_key;
            let text = format!("{key} is global and has {} per customer", inputs.join(", "));
            let id = ObjectId::new(Kind::Connection, name);
            let finding = Finding::of(Code::PerCustomerOnGlobal, tenant.name, id, text, rules::GLOBAL_PER_CUSTOMER);
            let set = EditCommand::set(tenant.name, key).giving(&inputs, &connection.spec, tenant.inventory);
            findings.push(finding.by(set));
        }
    }
}
