//! Requests of reconciliations.

use super::{HubFailure, OpenHub};
use crate::tenant::cluster::hub::NotSet;

/// Requests a reconciliation of a sync. `at` differs from that of every other request.
pub fn reconcile(hub: &OpenHub, sync: &str, at: &str) -> Result<(), HubFailure> {
    hub.client.request(sync, at).map_err(|not_set| failure(hub, sync, &not_set))
}

/// The failure to request a reconciliation.
fn failure(hub: &OpenHub, sync: &str, not_set: &NotSet) -> HubFailure {
    let namespace = &hub.address.namespace;
    let message = format!("nothing was requested of {sync}: {not_set}");
    match not_set {
        NotSet::Forbidden { role, .. } | NotSet::NeedsApprove { role, .. } => {
            let help = format!(
                "your account needs the verb patch on tenantsyncs.stablekey.dev in namespace {namespace}: ask somebody who \
                 administers that namespace"
            );
            HubFailure::new(message, help).granted_by(role)
        }
        _ => HubFailure::new(message, "run it again"),
    }
}
