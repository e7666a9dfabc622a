//! What else an organization has: integrations, workflows and the credentials of customers.

use super::document::{CustomerName, Expression};
use super::list::AnswerList;
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The platform's Integration.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct IntegrationAnswer {
    pub id: Option<String>,
    pub name: Option<String>,
    /// The number of its last version; none or 0 for a draft that was never published.
    pub version_number: Option<u64>,
    /// The customer that it belongs to alone.
    pub customer: Option<CustomerName>,
    pub is_code_native: Option<bool>,
    pub updated_at: Option<String>,
    pub instances: AnswerList<IgnoredAny>,
}

/// The platform's Workflow, of the embedded builder.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WorkflowAnswer {
    pub id: Option<String>,
    pub name: Option<String>,
    pub customer: Option<CustomerName>,
    /// It may hold values that a person typed, so it is never shown.
    pub definition: Option<String>,
}

/// The platform's CustomerConfigVariable: one set of credentials of a customer.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct SetAnswer {
    pub id: Option<String>,
    /// The name of a further set.
    pub key: Option<String>,
    pub status: Option<String>,
    pub customer: Option<CustomerName>,
    pub scoped_config_variable: Option<ConnectionId>,
    /// Read only where the source declares the credentials.
    pub inputs: AnswerList<Expression>,
}

/// A reference to a reusable connection.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConnectionId {
    pub id: Option<String>,
}
