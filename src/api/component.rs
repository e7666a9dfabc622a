//! Component: a connector and the connection types that it offers.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A connector (salesforce, slack, http), public or private, with its connection types. Its name is its key as a
/// Kubernetes name, with the suffix ".private" if it is not public.
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
    /// Whether the component is public, that is, provided by the platform. Absent is read as true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
    /// The connection types that the component offers. Checks that depend on a type skip a type that is not listed.
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
    /// The OAuth 2.0 grant that the type uses. Absent: the type does not use OAuth 2.0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<OAuth2>,
    /// The inputs of the type, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub inputs: BTreeMap<String, TypeInput>,
}

/// An OAuth 2.0 grant. AuthorizationCode: a person signs in at the authorize URL. ClientCredentials: the platform signs
/// in without a person. Absent: the type does not use OAuth 2.0.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum OAuth2 {
    /// A person signs in at the authorize URL.
    AuthorizationCode,
    /// The platform signs in without a person.
    ClientCredentials,
}

/// Properties of an input of a connection type.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct TypeInput {
    /// Whether a connection needs the input to work. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Whether the value is a secret. A secret is never written as a literal value. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<bool>,
    /// Whether the value is an endpoint, that is, decides where credentials are sent. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<bool>,
}

/// A reference to a component.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ComponentRef {
    /// The component's key.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// Whether the component is public, that is, provided by the platform. Absent is read as true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<bool>,
}

impl ComponentRef {
    /// What follows the key of a private component where a person names it.
    pub const PRIVATE: &str = ".private";

    /// Refers to a component by its key.
    pub fn new(key: impl Into<String>, public: bool) -> Self {
        ComponentRef { key: key.into(), public: (!public).then_some(false) }
    }

    /// Whether the component is public.
    pub fn is_public(&self) -> bool {
        self.public.unwrap_or(true)
    }

    /// The name by which a person refers to it: the key, with `.private` where it is not public.
    pub fn typed(&self) -> String {
        if self.is_public() { self.key.clone() } else { format!("{}{}", self.key, ComponentRef::PRIVATE) }
    }

    /// Whether both refer to the same component: an absent `public` is the same as `true`.
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

/// Annotation on a Component that was inferred from definitions: it lists what they use, not everything that exists.
pub const INFERRED: &str = "stablekey.dev/inferred";

/// Whether a Component was inferred from definitions.
pub fn is_inferred(component: &super::Meta) -> bool {
    component.annotations.get(INFERRED).is_some_and(|value| value == "true")
}

impl ComponentSpec {
    /// Whether the component is public.
    pub fn is_public(&self) -> bool {
        self.public.unwrap_or(true)
    }

    /// The reference by which other resources name this component.
    pub fn reference(&self) -> ComponentRef {
        ComponentRef::new(self.key.clone(), self.is_public())
    }

    /// The connection type with this key.
    pub fn connection_type(&self, key: &str) -> Option<&ConnectionType> {
        self.types.iter().find(|t| t.key == key)
    }
}

impl TypeInput {
    /// Whether a connection needs the input to work.
    pub fn is_required(&self) -> bool {
        self.required.unwrap_or(false)
    }

    /// Whether the value is a secret.
    pub fn is_secret(&self) -> bool {
        self.secret.unwrap_or(false)
    }

    /// Whether the value is an endpoint, that is, decides where credentials are sent.
    pub fn is_endpoint(&self) -> bool {
        self.endpoint.unwrap_or(false)
    }
}
