//! Component: a connector and the connection types that it offers.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connector (salesforce, slack, http), public or private, and its connection types. Its name is
/// its key made a Kubernetes name, with ".private" where it is not public.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "stablekey.dev",
    version = "v1alpha1",
    kind = "Component",
    plural = "components",
    namespaced,
    shortname = "comp",
    category = "stablekey",
    selectable = ".spec.key",
    printcolumn(name = "Key", type_ = "string", json_path = ".spec.key"),
    printcolumn(name = "Public", type_ = "boolean", json_path = ".spec.public"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct ComponentSpec {
    /// The component's key on the platform.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Whether the component is one of the platform's own. Absent is read as true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// The connection types that the component offers. A type that is not listed is not known, and
    /// checks that need it are silent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = kube::core::Rule::new("self.all(x, self.exists_one(y, y.key == x.key))").message("each connection type may be listed once: keep one of the two"))]
    pub types: Vec<ConnectionType>,
}

/// A way to authenticate to a component.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionType {
    /// The type's key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Which grant of OAuth 2.0 it uses. Absent: it is not OAuth 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    /// The inputs that it takes, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub inputs: BTreeMap<String, TypeInput>,
}

/// A grant of OAuth 2.0. AuthorizationCode: a person signs in at the authorize URL. ClientCredentials: the platform signs
/// in by itself. Absent: the type is not OAuth 2.0.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuth2 {
    /// A person signs in at the authorize URL.
    AuthorizationCode,
    /// The platform signs in by itself.
    ClientCredentials,
}

/// What is known of an input of a connection type.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TypeInput {
    /// Whether a connection cannot work without it. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Whether its value is a secret: it is then never written as a value. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
    /// Whether it says where credentials are sent. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<bool>,
}

/// A component, as others name it.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ComponentRef {
    /// The component's key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Whether it is one of the platform's own. Absent is read as true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
}

impl ComponentRef {
    /// A component by key.
    pub fn new(key: impl Into<String>, public: bool) -> Self {
        ComponentRef { key: key.into(), public: (!public).then_some(false) }
    }

    /// Whether it is one of the platform's own.
    pub fn is_public(&self) -> bool {
        self.public.unwrap_or(true)
    }

    /// The same component, however `public` is written.
    pub fn is(&self, other: &ComponentRef) -> bool {
        self.key == other.key && self.is_public() == other.is_public()
    }
}

impl std::fmt::Display for ComponentRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.key)?;
        if self.is_public() { Ok(()) } else { f.write_str(" (private)") }
    }
}

impl ComponentSpec {
    /// Whether it is one of the platform's own.
    pub fn is_public(&self) -> bool {
        self.public.unwrap_or(true)
    }

    /// How others name it.
    pub fn reference(&self) -> ComponentRef {
        ComponentRef::new(self.key.clone(), self.is_public())
    }

    /// The connection type with this key.
    pub fn connection_type(&self, key: &str) -> Option<&ConnectionType> {
        self.types.iter().find(|t| t.key == key)
    }
}

impl TypeInput {
    /// Whether a connection cannot work without it.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(false)
    }

    /// Whether its value is a secret.
    pub fn is_secret(&self) -> bool {
        self.secret.unwrap_or(false)
    }

    /// Whether it says where credentials are sent.
    pub fn is_endpoint(&self) -> bool {
        self.endpoint.unwrap_or(false)
    }
}
