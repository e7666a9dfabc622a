//! What an exported platform definition says of its connection variables. Plain data: reading
//! definitions is the business of `manifest`, judging them that of `engine`.

use super::ComponentRef;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who uses which variable of one integration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uses {
    /// SHA-256 of the definition's bytes, in hex.
    pub digest: String,
    /// By variable name (the definition's display key), in the definition's order.
    pub variables: BTreeMap<String, Vec<Use>>,
    /// Names of the flows, in order.
    pub flows: Vec<String>,
    /// What the definition is, where it is of a version that is not read: who uses what is then unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<String>,
    /// Whether it is of an older version: it crosses as it is, and which connections it uses is unknown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_older: bool,
}

impl Uses {
    /// Whether the definition may use connections that nothing here knows of.
    pub fn may_use_more(&self) -> bool {
        self.unread.is_some() || self.is_older
    }
}

/// One place where a variable is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// By what.
    pub by: User,
    /// The component of the step or data source; `None` where the definition does not say.
    pub component: Option<ComponentRef>,
    /// The name of the input that takes the connection.
    pub input: String,
}

/// What uses a variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum User {
    /// A step, at any depth, of a flow.
    Step {
        /// The flow's name.
        flow: String,
        /// The step's name.
        step: String,
    },
    /// The data source of another config variable.
    DataSource {
        /// That variable's name.
        variable: String,
    },
}
