//! SK0144: connections whose location reports that they do not work.

use super::Tenant;
use crate::api::Kind;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Status;
use crate::engine::model::item::ObjectId;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    for (name, facts) in &tenant.inventory.facts {
        let Some(connection) = tenant.inventory.connections.get(name) else { continue };
        // A connection that waits for a sign-in is a manual step.
        let Some(status) = facts.status.as_ref().filter(|s| !matches!(s, Status::Active | Status::Pending)) else {
            continue;
        };
        let last = match &facts.last_success {
            Some(at) => format!("; its token was last refreshed at {at}"),
            None => String::new(),
        };
        let text = format!("{} has status {status} in {}{last}", connection.spec.stable_key, tenant.name);
        let fix = match &facts.sign_in {
            Some(link) => format!("sign in again: {link}"),
            None => "look at its log on the platform, and correct its inputs".to_string(),
        };
        findings.push(Finding::of(
            Code::ConnectionNotReady,
            tenant.name,
            ObjectId::new(Kind::Connection, name),
            text,
            fix,
        ));
    }
}
