//! The kinds of Stablekey's custom resources.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of Stablekey's custom resources, in the order in which objects depend on each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// One organization on one stack.
    Tenant,
    /// A connector and its connection types.
    Component,
    /// A reusable connection.
    Connection,
    /// Values of one customer for one connection.
    CustomerCredentials,
    /// Flows of steps, and the bindings of their connection variables.
    Integration,
    /// Copies integrations from a source tenant to targets.
    TenantSync,
}

impl Kind {
    /// All kinds, in the order of dependence.
    pub const ALL: [Kind; 6] = [
        Kind::Tenant,
        Kind::Component,
        Kind::Connection,
        Kind::CustomerCredentials,
        Kind::Integration,
        Kind::TenantSync,
    ];

    /// The value of `kind:`.
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

    /// The plural: the folder name in a directory, and the resource name in a cluster.
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

    /// The short name that kubectl knows.
    pub const fn short(self) -> &'static str {
        match self {
            Kind::Tenant => "ten",
            Kind::Component => "comp",
            Kind::Connection => "conn",
            Kind::CustomerCredentials => "cc",
            Kind::Integration => "intg",
            Kind::TenantSync => "tsync",
        }
    }

    /// Parses a kind that a person typed, as kubectl does: the kind, its plural or its short name, in any case, with or
    /// without the group.
    pub fn typed(text: &str) -> Option<Kind> {
        let text = text.to_ascii_lowercase();
        let text = text.strip_suffix(super::GROUP).and_then(|t| t.strip_suffix('.')).unwrap_or(&text);
        let is_named =
            |kind: &Kind| [kind.plural(), kind.short()].contains(&text) || kind.as_str().eq_ignore_ascii_case(text);
        Kind::ALL.into_iter().find(is_named)
    }

    /// The name in an argument that can mean only this kind: `lead-router` or `integration/lead-router`.
    pub fn name_in(self, typed: &str) -> &str {
        match typed.split_once('/') {
            Some((kind, name)) if Kind::typed(kind) == Some(self) => name,
            _ => typed,
        }
    }

    /// Parses the value of `kind:`; `None` for a kind of another group.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether objects of this kind belong in a tenant's folder; the others belong outside of all tenants' folders.
    pub const fn in_tenant(self) -> bool {
        !matches!(self, Kind::Tenant | Kind::TenantSync)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_typed_as_kubectl_takes_it() {
        let all =
            ["Connection", "connection", "CONNECTION", "connections", "conn", "Conn", "connections.stablekey.dev"];
        for text in all {
            assert_eq!(Kind::typed(text), Some(Kind::Connection), "{text}");
        }
        for kind in Kind::ALL {
            assert_eq!(Kind::typed(kind.short()), Some(kind));
            let crd = serde_json::to_value(crate::api::crd(kind)).unwrap();
            assert_eq!(crd["spec"]["names"]["shortNames"][0], kind.short(), "the CRD's");
        }
        assert_eq!(Kind::Integration.name_in("intg/lead-router"), "lead-router");
        assert_eq!(Kind::Integration.name_in("conn/lead-router"), "conn/lead-router");
        for text in ["", "connectio", "stablekey.dev", "Secret"] {
            assert_eq!(Kind::typed(text), None, "{text}");
        }
    }
}
