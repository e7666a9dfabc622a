//! CustomerCredentials: one customer's values for one connection.

use super::{BindingRef, Condition, Input, connection, names, rules};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Values of one customer for one connection: only for inputs that the connection marks perCustomer. Exactly one object
/// per connection, customer and name. Syncs never carry it.
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
    /// The customer: any text that identifies them for you. It never changes.
    #[schemars(length(min = 1, max = 253))]
    pub customer: String,
    /// The stable key of the connection. It never changes.
    #[schemars(regex(pattern = names::STABLE_KEY), length(max = 63))]
    pub connection: String,
    /// The name of a further set of the same customer for the same connection. Absent: the customer's default set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Who supplies the values: the organization (Organization), or the customer through the host application
    /// (Customer). Stablekey only reads those of the customer. Absent is read as Organization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Origin>,
    /// Inputs by name. Each is a value or a secret reference.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub inputs: BTreeMap<String, Input>,
}

/// Who supplies the credentials. Organization: the organization. Customer: the customer, through the host application;
/// Stablekey then only reads them. Absent is read as Organization.
#[derive(schemars::JsonSchema, Serialize, Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The organization.
    Organization,
    /// The customer, through the host application.
    Customer,
}

/// The observed state of customer credentials.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, Default, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CustomerCredentialsStatus {
    /// The generation of the spec that this status describes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready and the conditions that explain it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The binding Secret, with the inputs of the connection and those of the customer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binding: Option<BindingRef>,
}

impl CustomerCredentialsSpec {
    /// Whether the customer supplies them; Stablekey then neither overwrites nor removes them.
    pub fn is_of_customer(&self) -> bool {
        self.origin == Some(Origin::Customer)
    }
}
