//! CustomerCredentials: one customer's values for one connection.

use super::{BindingRef, Condition, Input, connection, names, rules};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One customer's values for one connection: only for inputs that the connection marks perCustomer.
/// Exactly one per connection and customer. No sync carries them.
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "stablekey.dev",
    version = "v1alpha1",
    kind = "CustomerCredentials",
    plural = "customercredentials",
    namespaced,
    status = "CustomerCredentialsStatus",
    shortname = "cc",
    category = "stablekey",
    selectable = ".spec.connection",
    selectable = ".spec.customer",
    printcolumn(name = "Customer", type_ = "string", json_path = ".spec.customer"),
    printcolumn(name = "Connection", type_ = "string", json_path = ".spec.connection"),
    printcolumn(name = "Origin", type_ = "string", json_path = ".spec.origin"),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = connection::immutable("self.customer == oldSelf.customer", ".customer", "whose they are never changes: make other CustomerCredentials"),
    validation = connection::immutable("self.connection == oldSelf.connection", ".connection", "what they are for never changes: make other CustomerCredentials"),
    validation = connection::none_per_customer(rules::CUSTOMER_PER_CUSTOMER),
    validation = connection::literals(),
    validation = connection::secret_values(),
    validation = connection::short_names(),
)]
pub struct CustomerCredentialsSpec {
    /// Which customer: any text by which you know them. It never changes.
    #[schemars(length(min = 1, max = 253))]
    pub customer: String,
    /// The stable key of the connection. It never changes.
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    pub connection: String,
    /// Who supplied them: we (Organization), or the customer through the host application (Customer),
    /// and then we only read them. Absent is read as Organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Inputs by name: each a value or a secret reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub inputs: BTreeMap<String, Input>,
}

/// Who supplied credentials. Organization: the organization did. Customer: the customer did, through the host
/// application; they are then only read. Absent is read as Organization.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// We did.
    Organization,
    /// The customer did, through the host application.
    Customer,
}

/// What the operator found.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCredentialsStatus {
    /// The generation that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and its reasons.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The Secret with the connection's inputs and the customer's beside them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingRef>,
}

impl CustomerCredentialsSpec {
    /// Whether the customer supplied them: then nothing of ours overwrites or removes them.
    pub fn is_of_customer(&self) -> bool {
        self.origin == Some(Origin::Customer)
    }
}
