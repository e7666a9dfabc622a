//! SK0173: a connection that nothing uses: no variable, no customer credentials, no embedded workflow. Where what may
//! use it is unknown, the check is silent. The plan drops what it finds where a user may still come.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use std::collections::BTreeSet;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    let inventory = tenant.inventory;
    let is_unknown = inventory.is_not_asked
        || !inventory.invalid.is_empty()
        || !inventory.unparsed.is_empty()
        || !inventory.unread_workflows.is_empty()
        || inventory.uses.values().any(|uses| uses.may_use_more());
    if is_unknown || inventory.integrations.is_empty() {
        return;
    }
    // A replacement that does not take effect yet is waited for.
    let considered: BTreeSet<&str> =
        tenant.bindings.rows.iter().flat_map(|row| &row.resolution.considered).map(|c| c.key.as_str()).collect();
    for (name, connection) in &inventory.connections {
        let key = connection.spec.stable_key.as_str();
        let id = ObjectId::new(Kind::Connection, name);
        let is_used = connection.spec.embedded_workflows == Some(true)
            || tenant.bindings.users(name).next().is_some()
            || !tenant.bindings.customers(name).is_empty()
            || considered.contains(key)
            || inventory.workflows.values().any(|keys| keys.contains(key))
            || inventory.facts.get(name).is_some_and(|facts| {
                let numbers = [facts.customers, facts.sets, facts.instances, facts.integrations];
                facts.embedded == Some(true) || numbers.into_iter().flatten().any(|number| number > 0)
            });
        if is_used || inventory.is_brought(tenant.name, &id) {
            continue;
        }
        let text = format!("nothing uses {key}: no variable, no customer credentials, no embedded workflow");
        let fix = "remove it, or bind what it was made for to it";
        findings.push(Finding::of(Code::ConnectionUnused, tenant.name, id, text, fix));
    }
}
