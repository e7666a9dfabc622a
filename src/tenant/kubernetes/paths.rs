//! The paths of an API server that a tenant's resources have.

use crate::api::{API_VERSION, Kind};
use crate::engine::item::ObjectId;

/// Every namespace.
pub const ALL_NAMESPACES: &str = "/api/v1/namespaces";

/// The paths of one namespace.
#[derive(Clone, Debug)]
pub struct Paths {
    namespace: String,
}

impl Paths {
    /// Of a namespace.
    pub fn of(namespace: &str) -> Self {
        Paths { namespace: namespace.to_string() }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The namespace itself.
    pub fn itself(&self) -> String {
        format!("{ALL_NAMESPACES}/{}", self.namespace)
    }

    /// All objects of a kind of ours.
    pub fn kind(&self, kind: Kind) -> String {
        format!("/apis/{API_VERSION}/namespaces/{}/{}", self.namespace, kind.plural())
    }

    /// One object of ours.
    pub fn object(&self, id: &ObjectId) -> String {
        format!("{}/{}", self.kind(id.kind), id.name)
    }

    /// All ConfigMaps.
    pub fn config_maps(&self) -> String {
        format!("/api/v1/namespaces/{}/configmaps", self.namespace)
    }

    /// All Secrets.
    pub fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.namespace)
    }

    /// One Secret.
    pub fn secret(&self, name: &str) -> String {
        format!("{}/{name}", self.secrets())
    }

    /// One ConfigMap.
    pub fn config_map(&self, name: &str) -> String {
        format!("{}/{name}", self.config_maps())
    }
}
