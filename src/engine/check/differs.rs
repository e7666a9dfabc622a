//! SK0103: the same stable key has another component or type in another tenant.

use crate::api::*;
use crate::engine::code::Code;
use crate::engine::item::ObjectId;
use crate::engine::parallel;
use crate::engine::plan::Finding;
use crate::engine::world::Inventory;

pub(super) fn check(tenants: &[(&str, &Inventory)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (position, (tenant, inventory)) in tenants.iter().enumerate() {
        let earlier = tenants.get(..position).unwrap_or_default();
        let connections: Vec<_> = inventory.connections.iter().collect();
        let differ = parallel::map(connections.len(), &connections, |(name, connection)| {
            // Compared with the first tenant that has the key, so that each difference is said once.
            let (other, theirs) = earlier.iter().find_map(|(t, i)| Some((t, i.connections.get(*name)?)))?;
            (!theirs.spec.connects_like(&connection.spec)).then_some((other, theirs))
        });
        let differing = connections.into_iter().zip(differ).filter_map(|(ours, theirs)| Some((ours, theirs?)));
        for ((name, connection), (other, theirs)) in differing {
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
