//! What the account may do, as the server says it beforehand. It only disables buttons: the server decides about each
//! change.

use crate::api::Kind;
use crate::tenant::cluster::hub::HubClient;

/// What the account may not do, each with the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::page) struct HubRights {
    /// Patching TenantSyncs.
    pub(super) syncs: Option<String>,
    /// Patching Tenants.
    pub(super) tenants: Option<String>,
    /// Approving plans, and resuming what writes without asking.
    pub(super) approval: Option<String>,
}

impl HubRights {
    /// Asks the server.
    pub(super) fn of(client: &HubClient) -> Self {
        let refused = |verb: &str, kind: Kind| {
            let lacks = client.may(verb, kind) == Some(false);
            let (resource, namespace) = (kind.plural(), client.namespace());
            lacks.then(|| format!("Your account lacks the verb {verb} on {resource} in namespace {namespace}."))
        };
        let syncs = refused("patch", Kind::TenantSync);
        let approval = refused("approve", Kind::TenantSync).or_else(|| syncs.clone());
        HubRights { syncs, tenants: refused("patch", Kind::Tenant), approval }
    }
}
