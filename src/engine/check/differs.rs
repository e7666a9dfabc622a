//! SK0103: the same stable key has another component or type in another tenant.

use crate::api::*;
use crate::engine::code::Code;
use crate::engine::item::ObjectId;
use crate::engine::plan::Finding;
use crate::engine::world::Inventory;

pub(super) fn check(tenants: &[(&str, &Inventory)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (position, (tenant, inventory)) in tenants.iter().enumerate() {
        let earlier = tenants.get(..position).unwrap_or_default();
        for (name, connection) in &inventory.connections {
            // Compared with the first tenant that has the key, so that each difference is said once.
            let first = earlier.iter().find_map(|(t, i)| Some((t, i.connections.get(name)?)));
            let Some((other, theirs)) = first.filter(|(_, theirs)| !theirs.spec.connects_like(&connection.spec)) else {
                continue;
            };
            findings.push(Finding::of(
                Code::KeyDiffers,
                tenant,
                ObjectId::new(Kind::Connection, name),
                format!(
                    "{} is {}/{} here and {}/{} in {other}",
                    connection.spec.stable_key, connection.spec.component, connection.spec.type_, theirs.spec.component, theirs.spec.type_
                ),
                "give one of them another stable key, or a sync would bind integrations to the wrong kind of connection",
            ));
        }
    }
    findings
}
