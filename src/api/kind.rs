//! The kinds of our group.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of our group, in the order in which their objects depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// One organization on one stack.
    Tenant,
    /// A connector and its connection types.
    Component,
    /// A reusable connection.
    Connection,
    /// One customer's values for one connection.
    CustomerCredentials,
    /// Flows of steps, and what their connection variables mean.
    Integration,
    /// Makes a target's integrations those of a source tenant.
    TenantSync,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Kind; 6] = [
        Kind::Tenant,
        Kind::Component,
        Kind::Connection,
        Kind::CustomerCredentials,
        Kind::Integration,
        Kind::TenantSync,
    ];

    /// As it stands in `kind:`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Tenant => "Tenant",
            Kind::Component => "Component",
            Kind::Connection => "Connection",
            Kind::CustomerCredentials => "CustomerCredentials",
            Kind::Integration => "Integration",
            Kind::TenantSync => "TenantSync",
        }
    }

    /// The folder of a directory tenant and the resource name of a cluster.
    pub const fn plural(self) -> &'static str {
        match self {
            Kind::Tenant => "tenants",
            Kind::Component => "components",
            Kind::Connection => "connections",
            Kind::CustomerCredentials => "customercredentials",
            Kind::Integration => "integrations",
            Kind::TenantSync => "tenantsyncs",
        }
    }

    /// From `kind:`; `None` where it is no kind of ours.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether objects of this kind lie in a tenant's folders (the others lie outside all of them).
    pub const fn in_tenant(self) -> bool {
        !matches!(self, Kind::Tenant | Kind::TenantSync)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
