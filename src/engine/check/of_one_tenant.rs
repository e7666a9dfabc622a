//! SK0180: a definition that contains ids or hosts of one tenant. It works there, and breaks where it is synced to.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    for (name, uses) in &tenant.inventory.uses {
        let id = ObjectId::new(Kind::Integration, name);
        if uses.of_one_tenant.is_empty() || tenant.inventory.is_brought(tenant.name, &id) {
            continue;
        }
        for OfOneTenant { at, what } in &uses.of_one_tenant {
            let text = format!("{at} contains {what}, which another tenant does not have");
            let fix = "take it out of the definition: use a config variable that each tenant sets, or a stable key";
            let finding = Finding::of(Code::DefinitionOfOneTenant, tenant.name, id.clone(), text, fix);
            findings.push(finding.at_path(&["spec", "definition"]));
        }
    }
}
