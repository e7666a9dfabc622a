//! Integrations, their versions and instances, and workflows.

use super::Expression;
use crate::definition::Definition;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An integration with its draft and published versions.
#[derive(Clone, Debug, Default)]
pub struct Integration {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub customer: Option<String>,
    pub category: Option<String>,
    pub labels: Vec<String>,
    pub is_code_native: bool,
    pub draft: Arc<Definition>,
    /// The draft names a connection that was deleted since it was imported.
    pub references_deleted: bool,
    /// The oldest first.
    pub versions: Vec<Version>,
    pub created: u64,
    pub updated: u64,
}

impl Integration {
    /// Whether the draft or a version binds this stable key.
    pub fn names(&self, stable_key: &str) -> bool {
        self.draft.names(stable_key) || self.versions.iter().any(|version| version.definition.names(stable_key))
    }

    pub fn version(&self, number: i32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The newest version that instances may be moved to.
    pub fn latest_available(&self) -> Option<&Version> {
        self.versions.iter().rev().find(|version| version.is_available)
    }
}

/// A published version of an integration.
#[derive(Clone, Debug, Default)]
pub struct Version {
    pub id: String,
    pub number: i32,
    pub comment: Option<String>,
    /// JSON: the commit and its addresses.
    pub attributes: Option<String>,
    pub definition: Arc<Definition>,
    pub is_available: bool,
    /// It names a connection that was deleted since it was published: it can never be enabled again.
    pub references_deleted: bool,
    pub created: u64,
}

/// A deployed integration of a customer, or the test instance of an integration's draft.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub customer: Option<String>,
    /// The integration, by id.
    pub integration: String,
    /// The version that it runs. The test instance runs the draft, 0.
    pub version: i32,
    pub enabled: bool,
    pub is_system: bool,
    /// What it uses for each stable key.
    pub uses: BTreeMap<String, Use>,
    /// The values it was deployed with, by stable key: an update without `redeploy` leaves them as they were.
    pub deployed: BTreeMap<String, Vec<Expression>>,
    pub deployed_version: Option<i32>,
    pub last_deployed: Option<u64>,
    pub created: u64,
    pub updated: u64,
}

/// A connection that an instance uses, with the customer's credentials for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// The connection, by id.
    pub connection: String,
    /// The credentials, by id.
    pub credential: Option<String>,
}

/// A workflow of the embedded builder.
#[derive(Clone, Debug, Default)]
pub struct Workflow {
    pub id: String,
    pub name: String,
    pub description: Option<String>,
    pub category: Option<String>,
    pub labels: Vec<String>,
    pub customer: Option<String>,
    pub definition: Arc<Definition>,
    pub references_deleted: bool,
    pub version: i32,
    pub created: u64,
    pub updated: u64,
}
