//! What a location can do, and what only the platform itself knows of a tenant.

use std::collections::BTreeMap;

/// What a location can do. The engine asks for these values, and never for the kind of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it reports changes by itself.
    pub watches: bool,
    /// Whether it knows who else owns a field, so that a change by a person is told from one of a tool.
    pub knows_field_owners: bool,
    /// Whether it shows which secret an input has. Without, only that there is one is known.
    pub shows_secrets: bool,
    /// Whether a connection there resolves the older keys that it replaces.
    pub resolves_older_keys: bool,
    /// Whether it reports the readiness of connections. A connection without a report is then not ready yet.
    pub knows_readiness: bool,
    /// Whether components are written there. Without, a component that is missing has to be published first.
    pub writes_components: bool,
    /// Whether an integration can be there with a variable bound to a connection that is missing.
    pub holds_missing_bindings: bool,
    /// Whether an integration that is written in code can be written there.
    pub takes_code: bool,
    /// Whether a changed definition is in use at once. Without, a version has to be published first.
    pub publishes: bool,
    /// Whether objects have labels and annotations there.
    pub has_labels: bool,
    /// Whether anything is written there.
    pub is_written: bool,
    /// Whether writers that are unknown here may write there: other hubs, and projects in other folders.
    pub has_other_writers: bool,
    /// Where it keeps what was written.
    pub record: RecordIn,
}

/// Where a location keeps the ownership records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordIn {
    /// In stablekey.lock, a line for each object.
    LockFile,
    /// In an annotation of each object.
    Annotation,
    /// In one record of the tenant, apart from its objects.
    Apart,
}

impl RecordIn {
    /// How the records of several objects are removed, after "take".
    pub fn taken_out(self) -> &'static str {
        match self {
            RecordIn::LockFile => "their lines out of stablekey.lock",
            RecordIn::Annotation => "away their annotation stablekey.dev/wrote",
            RecordIn::Apart => "them out of the tenant's record",
        }
    }
}

impl Capabilities {
    /// A folder of files.
    pub const FILES: Capabilities = Capabilities {
        watches: false,
        knows_field_owners: false,
        shows_secrets: true,
        resolves_older_keys: true,
        knows_readiness: false,
        writes_components: true,
        holds_missing_bindings: true,
        takes_code: true,
        publishes: true,
        has_labels: true,
        is_written: true,
        has_other_writers: false,
        record: RecordIn::LockFile,
    };

    /// A namespace of a cluster.
    pub const CLUSTER: Capabilities = Capabilities {
        watches: true,
        knows_field_owners: true,
        knows_readiness: true,
        has_other_writers: true,
        record: RecordIn::Annotation,
        ..Capabilities::FILES
    };
}

impl Default for Capabilities {
    fn default() -> Self {
        Capabilities::FILES
    }
}

/// Why a connection of the platform is not one of the tenant's. It can be used, so a binding to it is not missing; it is
/// never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Foreign {
    /// The platform's own, for building only.
    Platform,
    /// One customer's.
    OneCustomer,
    /// Its key cannot be a stable key of ours.
    Key,
    /// The location was not asked whether it is there.
    NotAsked,
}

impl std::fmt::Display for Foreign {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Foreign::Platform => "the platform's own connection, for building only",
            Foreign::OneCustomer => "a connection of one customer",
            Foreign::Key => "a connection whose key Stablekey cannot use",
            Foreign::NotAsked => "perhaps a connection of the platform's, which was not asked",
        })
    }
}

/// The status of credentials, as the platform reports it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// They work.
    Active,
    /// Somebody has to sign in.
    Pending,
    /// The last attempt to use them failed.
    Error,
    /// They failed for good.
    Failed,
    /// One that this version does not know, in lower case; empty where there is none.
    Other(String),
}

impl Status {
    /// Reads what the platform answers; upper and lower case are the same.
    pub fn parse(text: &str) -> Self {
        let word: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(20).collect();
        match word.to_ascii_lowercase().as_str() {
            "active" => Status::Active,
            "pending" => Status::Pending,
            "error" => Status::Error,
            "failed" => Status::Failed,
            other => Status::Other(other.to_string()),
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Status::Active => "active",
            Status::Pending => "pending",
            Status::Error => "error",
            Status::Failed => "failed",
            Status::Other(word) if word.is_empty() => "unknown",
            Status::Other(word) => word,
        })
    }
}

/// What the platform knows of a connection. A number is `None` where the platform did not tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// The status of its one set of credentials; `None` for one with a set for each customer or user, and for one that
    /// needs no status since nobody signs in.
    pub status: Option<Status>,
    /// The page where its owner signs in.
    pub sign_in: Option<String>,
    /// When its token was last refreshed.
    pub last_success: Option<String>,
    /// The number of customers that have credentials.
    pub customers: Option<usize>,
    /// The number of sets of credentials of customers.
    pub sets: Option<usize>,
    /// The number of these sets by status, where they were read.
    pub statuses: BTreeMap<Status, usize>,
    /// The number of deployed instances that use it.
    pub instances: Option<usize>,
}

/// What the platform knows of an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrationFacts {
    /// The number of deployed instances.
    pub instances: Option<usize>,
    /// The number of the last version; `None` for a draft that was never published.
    pub version: Option<u64>,
}
