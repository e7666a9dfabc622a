//! Integration: the connection that each connection variable of an integration resolves to.

use super::union::exactly_one;
use super::{ComponentRef, Condition, names, rules};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// An integration: flows of steps. Its definition uses connection variables; `connections` binds every one of them.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "stablekey.dev",
    version = "v1alpha1",
    kind = "Integration",
    plural = "integrations",
    namespaced,
    status = "IntegrationStatus",
    shortname = "intg",
    category = "stablekey",
    printcolumn(name = "Bound", type_ = "string", json_path = ".status.bound"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::no_secret_text("title"))]
pub struct IntegrationSpec {
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub title: Option<String>,
    /// All connection variables, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub connections: Vec<Variable>,
    /// The exported platform definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<Definition>,
}

/// A connection variable: bound to a stable key, or the integration's own connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The variable's name, as the definition's steps use it.
    pub name: String,
    /// The connection that the variable is bound to.
    pub means: Means,
}

/// The connection that a variable is bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Means {
    /// The reusable connection with this stable key.
    StableKey(String),
    /// A connection that belongs to the integration.
    Own(OwnConnection),
}

/// A connection that belongs to one integration.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct OwnConnection {
    /// The component that it connects to.
    pub component: ComponentRef,
    /// The component's connection type.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 253))]
    pub type_: String,
}

const ONE_MEANING: &str = "a connection variable is exactly one of stableKey, own";

/// A connection variable: bound to a stable key, or the integration's own connection.
#[derive(KubeSchema, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("has(self.stableKey) != has(self.own)").message(ONE_MEANING))]
struct RawVariable {
    /// The variable's name, as the definition's steps use it.
    #[schemars(length(min = 1, max = 253))]
    name: String,
    /// The stable key of the reusable connection that the variable is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    stable_key: Option<String>,
    /// The integration's own connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    own: Option<OwnConnection>,
}

impl<'de> Deserialize<'de> for Variable {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = RawVariable::deserialize(from)?;
        let means = match (raw.stable_key, raw.own) {
            (Some(key), None) => Means::StableKey(key),
            (None, Some(own)) => Means::Own(own),
            _ => return Err(serde::de::Error::custom(ONE_MEANING)),
        };
        Ok(Variable { name: raw.name, means })
    }
}

impl Serialize for Variable {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let (stable_key, own) = match self.means.clone() {
            Means::StableKey(key) => (Some(key), None),
            Means::Own(own) => (None, Some(own)),
        };
        RawVariable { name: self.name.clone(), stable_key, own }.serialize(to)
    }
}

impl schemars::JsonSchema for Variable {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Variable".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        RawVariable::json_schema(generator)
    }
}

exactly_one! {
    /// The location of the exported platform definition: exactly one of file, configMap.
    pub enum Definition as raw_definition (
        "has(self.file) != has(self.configMap)",
        "a definition is exactly one of file, configMap"
    ) {
        /// A file in the folder of this manifest. In a cluster it means that the definition stayed in Git.
        File(file: String, #[schemars(length(min = 1, max = 253))]),
        /// An immutable ConfigMap, named by the definition's digest.
        ConfigMap(config_map: ConfigMapRef),
    }
}

/// A ConfigMap in the same namespace.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapRef {
    /// The name of the ConfigMap.
    #[schemars(regex(pattern = names::OBJECT_NAME), length(min = 1, max = 253))]
    pub name: String,
}

/// The observed state of an integration.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and the conditions that explain it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The number of bound variables and of all variables: "3/4".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub bound: Option<String>,
    /// The state of every variable, in the order of `spec.connections`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub bindings: Vec<VariableStatus>,
}

/// The observed state of one variable.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct VariableStatus {
    /// The name of the variable.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The stable key that it is bound to. Absent: the integration's own connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub stable_key: Option<String>,
    /// The Connection that the stable key resolves to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub connection: Option<String>,
    /// Whether the connection can be used.
    pub ready: bool,
    /// The reason, as one word.
    #[schemars(length(max = 253))]
    pub reason: String,
    /// The reason in words, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub message: Option<String>,
    /// Existing stable keys that may have been meant, if this one does not resolve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 63)))]
    pub candidates: Vec<String>,
}

impl Variable {
    /// Binds a variable to a stable key.
    pub fn bound(name: impl Into<String>, key: impl Into<String>) -> Self {
        Variable { name: name.into(), means: Means::StableKey(key.into()) }
    }

    /// Declares a variable as the integration's own connection.
    pub fn own(name: impl Into<String>, component: ComponentRef, type_: impl Into<String>) -> Self {
        Variable { name: name.into(), means: Means::Own(OwnConnection { component, type_: type_.into() }) }
    }

    /// The stable key that the variable is bound to.
    pub fn stable_key(&self) -> Option<&str> {
        match &self.means {
            Means::StableKey(key) => Some(key),
            Means::Own(_) => None,
        }
    }
}
