//! A resource in memory: name, labels, annotations and spec.

use super::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The part of `metadata` that Stablekey reads and keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// The name; unique per kind in a tenant.
    pub name: String,
    /// The labels, as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The annotations, as written.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

impl Meta {
    /// Metadata with a name only.
    pub fn named(name: impl Into<String>) -> Self {
        Meta { name: name.into(), ..Meta::default() }
    }
}

/// One resource with its spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object<S> {
    /// The name, labels and annotations.
    pub metadata: Meta,
    /// The spec.
    pub spec: S,
}

impl<S> Object<S> {
    /// Builds an object without labels and annotations.
    pub fn new(name: impl Into<String>, spec: S) -> Self {
        Object { metadata: Meta::named(name), spec }
    }

    /// The name of the object.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }
}

/// A resource of any of Stablekey's kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Resource {
    Tenant(Arc<Object<TenantSpec>>),
    Component(Arc<Object<ComponentSpec>>),
    Connection(Arc<Object<ConnectionSpec>>),
    CustomerCredentials(Arc<Object<CustomerCredentialsSpec>>),
    Integration(Arc<Object<IntegrationSpec>>),
    TenantSync(Arc<Object<TenantSyncSpec>>),
}

/// Resources of the same kind share their object when they are cloned.
macro_rules! from_object {
    ($($kind:ident: $spec:ty),*) => {$(
        impl From<Object<$spec>> for Resource {
            fn from(object: Object<$spec>) -> Self {
                Resource::$kind(Arc::new(object))
            }
        }
    )*};
}

from_object!(
    Tenant: TenantSpec, Component: ComponentSpec, Connection: ConnectionSpec,
    CustomerCredentials: CustomerCredentialsSpec, Integration: IntegrationSpec, TenantSync: TenantSyncSpec
);

impl Resource {
    /// The kind of the resource.
    pub fn kind(&self) -> Kind {
        match self {
            Resource::Tenant(_) => Kind::Tenant,
            Resource::Component(_) => Kind::Component,
            Resource::Connection(_) => Kind::Connection,
            Resource::CustomerCredentials(_) => Kind::CustomerCredentials,
            Resource::Integration(_) => Kind::Integration,
            Resource::TenantSync(_) => Kind::TenantSync,
        }
    }

    /// The metadata of the resource.
    pub fn metadata(&self) -> &Meta {
        match self {
            Resource::Tenant(o) => &o.metadata,
            Resource::Component(o) => &o.metadata,
            Resource::Connection(o) => &o.metadata,
            Resource::CustomerCredentials(o) => &o.metadata,
            Resource::Integration(o) => &o.metadata,
            Resource::TenantSync(o) => &o.metadata,
        }
    }

    /// The whole document as JSON, apiVersion and kind first.
    pub fn to_json(&self) -> Result<serde_json::Value, serde_json::Error> {
        fn document<S: Serialize>(kind: Kind, object: &Object<S>) -> Result<serde_json::Value, serde_json::Error> {
            Ok(serde_json::json!({
                "apiVersion": API_VERSION,
                "kind": kind.as_str(),
                "metadata": serde_json::to_value(&object.metadata)?,
                "spec": serde_json::to_value(&object.spec)?,
            }))
        }
        match self {
            Resource::Tenant(o) => document(Kind::Tenant, o),
            Resource::Component(o) => document(Kind::Component, o),
            Resource::Connection(o) => document(Kind::Connection, o),
            Resource::CustomerCredentials(o) => document(Kind::CustomerCredentials, o),
            Resource::Integration(o) => document(Kind::Integration, o),
            Resource::TenantSync(o) => document(Kind::TenantSync, o),
        }
    }
}
