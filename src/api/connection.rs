//! Connection: a reusable connection in one tenant, identified across tenants by its stable key.

use super::union::exactly_one;
use super::{ComponentRef, Condition, names, rules, sensitive};
use kube::core::{Reason, Rule};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A reusable link with credentials from the platform to a system, identified in every tenant by its stable key. Its
/// name is its stable key as a Kubernetes name.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "stablekey.dev",
    version = "v1alpha1",
    kind = "Connection",
    plural = "connections",
    namespaced,
    status = "ConnectionStatus",
    shortname = "conn",
    category = "stablekey",
    selectable = ".spec.component.key",
    selectable = ".spec.type",
    selectable = ".spec.embeddedWorkflows",
    printcolumn(name = "Key", type_ = "string", json_path = ".spec.stableKey"),
    printcolumn(name = "Component", type_ = "string", json_path = ".spec.component.key"),
    printcolumn(name = "Type", type_ = "string", json_path = ".spec.type"),
    printcolumn(name = "Credentials", type_ = "string", json_path = ".spec.credentials"),
    printcolumn(name = "Embedded", type_ = "boolean", json_path = ".spec.embeddedWorkflows"),
    printcolumn(name = "Used By", type_ = "integer", json_path = ".status.usedByCount"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name == self.spec.stableKey.lowerAscii().replace('_', '-')")
        .message(kube::core::Message::Expression("'the name must be the stable key in lower case with _ as -: ' + self.spec.stableKey.lowerAscii().replace('_', '-')".into()))
        .field_path(".metadata.name"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = immutable("self.stableKey == oldSelf.stableKey", ".stableKey", "a stable key never changes: make a new Connection with replaces: [the old key]"),
    validation = immutable("self.component.key == oldSelf.component.key && (has(self.component.public) ? self.component.public : true) == (has(oldSelf.component.public) ? oldSelf.component.public : true)", ".component", "the component never changes: make a new Connection with another stable key"),
    validation = immutable("self.type == oldSelf.type", ".type", "the type never changes: make a new Connection with another stable key"),
    validation = immutable("self.credentials == oldSelf.credentials", ".credentials", "whose credentials they are never changes: make a new Connection with another stable key"),
    validation = Rule::new("!has(self.inputs) || self.credentials != 'OrganizationGlobal' || self.inputs.all(k, !has(self.inputs[k].perCustomer))").message(rules::GLOBAL_PER_CUSTOMER).field_path(".inputs"),
    validation = literals(),
    validation = secret_values(),
    validation = short_names(),
    validation = rules::no_secret_text("title"),
    validation = rules::no_secret_text("description"),
)]
pub struct ConnectionSpec {
    /// The name by which integrations find the connection. The same in every tenant. Never changes.
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    pub stable_key: String,
    /// The display name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub title: Option<String>,
    /// The purpose of the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8192))]
    pub description: Option<String>,
    /// The component that it connects to. Never changes.
    pub component: ComponentRef,
    /// The component's connection type. Never changes.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 253))]
    pub type_: String,
    /// Who supplies the credentials. Customer: each customer signs in. OrganizationCustomer: the organization supplies
    /// one set per customer. OrganizationGlobal: one set of the organization for all customers. User: each user of a
    /// customer signs in. Never changes.
    pub credentials: Credentials,
    /// Whether customers may use it in the embedded workflow builder. Absent is read as false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded_workflows: Option<bool>,
    /// The inputs of its type, by name. Each is exactly one of a global value, a secret reference, or a value per
    /// customer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub inputs: BTreeMap<String, Input>,
    /// The inputs that replace others while an integration is being built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<TestCredentials>,
    /// Older stable keys that resolve to this connection. Component, type and credentials must be the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(regex(pattern = names::STABLE_KEY), length(max = 63)))]
    pub replaces: Vec<String>,
    /// Whether a sync that prunes may delete it. Absent is read as Retain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

pub(super) fn immutable(rule: &str, field: &str, message: &str) -> Rule {
    Rule::new(rule).message(message).field_path(field).reason(Reason::FieldValueForbidden)
}

/// Rejects a literal under a name that stands for a secret. Names over the length limit are left to [`short_names`]:
/// the expression is expensive, and a schema does not limit the length of names.
pub(super) fn literals() -> Rule {
    let sensitive = sensitive::cel_is_sensitive("k");
    let longest = names::MAX_INPUT;
    on_inputs(&format!("!has(self.inputs[k].value) || size(k) > {longest} || !{sensitive}"))
        .message(rules::SECRET_LITERAL)
}

/// Rejects a literal that is a secret under any name.
pub(super) fn secret_values() -> Rule {
    let secret = sensitive::cel_is_secret_itself("self.inputs[k].value");
    on_inputs(&format!("!has(self.inputs[k].value) || !{secret}")).message(rules::SECRET_VALUE)
}

pub(super) fn short_names() -> Rule {
    on_inputs(&format!("size(k) <= {}", names::MAX_INPUT)).message(rules::INPUT_NAME)
}

pub(super) fn none_per_customer(message: &str) -> Rule {
    on_inputs("!has(self.inputs[k].perCustomer)").message(message)
}

/// A CEL rule for each input; the expression refers to its name as `k`.
fn on_inputs(holds: &str) -> Rule {
    Rule::new(format!("!has(self.inputs) || self.inputs.all(k, {holds})")).field_path(".inputs")
}

/// The inputs of a connection while an integration is being built (the test runner connection).
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = literals(),
    validation = secret_values(),
    validation = short_names(),
    validation = none_per_customer(rules::TEST_PER_CUSTOMER),
)]
pub struct TestCredentials {
    /// Inputs by name. Each is a value or a secret reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub inputs: BTreeMap<String, Input>,
}

/// Who owns and supplies the credentials.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Credentials {
    /// Each customer signs in.
    Customer,
    /// The organization supplies one set per customer.
    OrganizationCustomer,
    /// One set of the organization for all customers.
    OrganizationGlobal,
    /// Each user of a customer signs in.
    User,
}

impl Credentials {
    /// All of them.
    pub const ALL: [Credentials; 4] =
        [Credentials::Customer, Credentials::OrganizationCustomer, Credentials::OrganizationGlobal, Credentials::User];

    /// The spelling in YAML.
    pub const fn as_str(self) -> &'static str {
        match self {
            Credentials::Customer => "Customer",
            Credentials::OrganizationCustomer => "OrganizationCustomer",
            Credentials::OrganizationGlobal => "OrganizationGlobal",
            Credentials::User => "User",
        }
    }

    /// Why CustomerCredentials cannot hold them: there is no set per customer. `None` if they can.
    pub const fn why_not_per_customer(self) -> Option<&'static str> {
        match self {
            Credentials::Customer | Credentials::OrganizationCustomer => None,
            Credentials::OrganizationGlobal => Some("has one set of credentials for all customers"),
            Credentials::User => Some("has credentials of each user, which only the user supplies"),
        }
    }
}

impl std::fmt::Display for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether a sync that prunes may delete a connection. Retain: never. Delete: if nothing uses it. Absent is
/// read as Retain.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeletionPolicy {
    /// Never.
    Retain,
    /// If nothing uses it.
    Delete,
}

exactly_one! {
    /// The value of an input: exactly one of value, secretRef, perCustomer.
    pub enum Input as raw_input (
        "[has(self.value), has(self.secretRef), has(self.perCustomer)].filter(x, x).size() == 1",
        "an input is exactly one of value, secretRef, perCustomer: true"
    ) {
        /// A global value: set once, the same for every customer. Never a secret.
        Value(value: String, #[schemars(length(max = 8192))]),
        /// A key of a Secret of the tenant.
        SecretRef(secret_ref: SecretRef),
        /// Each customer has a value of their own.
        PerCustomer(per_customer: True),
    }
}

impl Input {
    /// An input for which each customer has a value of their own.
    pub const PER_CUSTOMER: Input = Input::PerCustomer(True);

    /// An input with a global value.
    pub fn value(text: impl Into<String>) -> Self {
        Input::Value(text.into())
    }

    /// An input that refers to a key of a Secret.
    pub fn secret(name: impl Into<String>, key: impl Into<String>) -> Self {
        Input::SecretRef(SecretRef { name: name.into(), key: key.into(), version: None })
    }

    /// Whether each customer has a value of their own.
    pub fn is_per_customer(&self) -> bool {
        matches!(self, Input::PerCustomer(_))
    }
}

/// A key of a Secret that an input takes its value from. The Secret must opt in: label `stablekey.dev/for: connections`
/// and annotation `stablekey.dev/keys` naming this connection's stable key.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(regex(pattern = names::OBJECT_NAME), length(min = 1, max = 253))]
    pub name: String,
    /// The key in its data.
    #[schemars(regex(pattern = names::DATA_KEY), length(min = 1, max = 253))]
    pub key: String,
    /// Any text. A change of it means that the content of the Secret changed, so that it is sent again to a platform
    /// that does not show secrets. In a cluster the binder notices changes of content by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub version: Option<String>,
}

impl SecretRef {
    /// Stands for a secret that a location holds without saying where it came from. `place` says which one, since two of
    /// them are never known to be one. No manifest can contain it: a name is never empty.
    pub fn unknown(place: String) -> Self {
        SecretRef { name: String::new(), key: place, version: None }
    }

    /// Whether it stands for a secret of unknown origin.
    pub fn is_unknown(&self) -> bool {
        self.name.is_empty()
    }

    /// The Secret and its key, whatever the version.
    pub fn secret_key(&self) -> SecretKeyRef {
        SecretKeyRef { name: self.name.clone(), key: self.key.clone() }
    }
}

/// A key of a Secret.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// The Secret's name.
    #[schemars(regex(pattern = names::OBJECT_NAME), length(min = 1, max = 253))]
    pub name: String,
    /// The key in its data.
    #[schemars(regex(pattern = names::DATA_KEY), length(min = 1, max = 253))]
    pub key: String,
}

/// The value `true`; no other value is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct True;

impl<'de> Deserialize<'de> for True {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        if bool::deserialize(from)? {
            Ok(True)
        } else {
            Err(serde::de::Error::custom("only true can stand here; leave the field out instead"))
        }
    }
}

impl Serialize for True {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(true)
    }
}

impl schemars::JsonSchema for True {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "True".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "boolean", "enum": [true]})
    }
}

/// The observed state of a connection.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and the conditions that explain it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The first integrations that are bound to the connection.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub used_by: Vec<UsedBy>,
    /// The number of integrations that are bound to the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by_count: Option<i64>,
    /// The binding Secret for production, with all inputs. Present only if one set of credentials serves all customers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingRef>,
    /// The binding Secret for building integrations: all inputs, with the test inputs in place of those that they override.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_binding: Option<BindingRef>,
    /// The number of customers that have credentials for the connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customers: Option<i64>,
    /// The earliest expiry of its Secrets, from their annotation `stablekey.dev/expires` (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub expires: Option<String>,
}

/// A Secret that follows the Service Binding specification: type `servicebinding.io/<component>`, keys `type`,
/// `provider` and the inputs.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct BindingRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}

/// An object that is bound to a connection.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct UsedBy {
    /// The kind of the object.
    #[schemars(length(max = 253))]
    pub kind: String,
    /// The name of the object.
    #[schemars(length(max = 253))]
    pub name: String,
}

impl ConnectionSpec {
    /// Whether a sync that prunes may delete it.
    pub fn may_be_deleted(&self) -> bool {
        self.deletion_policy == Some(DeletionPolicy::Delete)
    }

    /// Whether the immutable fields (component, type and credentials) are the same.
    pub fn is_same_kind_as(&self, other: &ConnectionSpec) -> bool {
        self.connects_like(other) && self.credentials == other.credentials
    }

    /// The immutable fields as text: `salesforce/oauth2, OrganizationCustomer`.
    pub fn kind_in_words(&self) -> String {
        format!("{}/{}, {}", self.component, self.type_, self.credentials)
    }

    /// Whether component and type are the same.
    pub fn connects_like(&self, other: &ConnectionSpec) -> bool {
        self.component.is(&other.component) && self.type_ == other.type_
    }
}
