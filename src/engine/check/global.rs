//! SK0106: a global connection with per-customer inputs. Files and clusters with our rules reject such a document, but
//! a location without these rules can contain one.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let global = |c: &ConnectionSpec| c.credentials == Credentials::OrganizationGlobal;
    for (name, connection) in tenant.inventory.connections.iter().filter(|(_, c)| global(&c.spec)) {
        let inputs = connection.spec.inputs.iter().filter(|(_, input)| input.is_per_customer());
        let inputs: Vec<&str> = inputs.map(|(name, _)| name.as_str()).collect();
        if !inputs.is_empty() {
            findings.push(Finding::of(
                Code::PerCustomerOnGlobal,
                tenant.name,
                ObjectId::new(Kind::Connection, name),
                format!("{} is global and has {} per customer", connection.spec.stable_key, inputs.join(", ")),
                rules::GLOBAL_PER_CUSTOMER,
            ));
        }
    }
}
