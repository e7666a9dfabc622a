//! What a location can do, and what only the platform itself knows of a tenant.

use std::collections::BTreeMap;

/// What a location can do. The engine asks for these values, and never for the kind of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Whether it reports changes by itself.
    pub watches: bool,
    /// Whether it knows who else owns a field.
    pub knows_field_owners: bool,
    /// Whether it shows which secret an input has. Without, only that there is one is known.
    pub shows_secrets: bool,
    /// Whether a connection there resolves the older keys that it replaces.
    pub resolves_older_keys: bool,
    /// Whether it reports the readiness of connections. A connection without a report is then not ready yet.
    pub knows_readiness: bool,
    /// Whether components are written there. Without, a component that is missing has to be published first.
    pub writes_components: bool,
    /// Whether anything is written there.
    pub is_written: bool,
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
        is_written: true,
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

/// What the platform knows of a connection. A number is `None` where the platform did not tell it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConnectionFacts {
    /// The status of its one set of credentials, in lower case: active, pending, error, failed.
    pub status: Option<String>,
    /// The page where its owner signs in.
    pub sign_in: Option<String>,
    /// When its token was last refreshed.
    pub last_success: Option<String>,
    /// The number of customers that have credentials.
    pub customers: Option<usize>,
    /// The number of sets of credentials of customers.
    pub sets: Option<usize>,
    /// The number of these sets by status, where they were read.
    pub statuses: BTreeMap<String, usize>,
    /// The number of deployed instances that use it.
    pub instances: Option<usize>,
}

/// What the platform knows of an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrationFacts {
    /// The number of deployed instances.
    pub instances: Option<usize>,
    /// The number of versions.
    pub versions: Option<usize>,
    /// The number of the last version; `None` for a draft that was never published.
    pub version: Option<u64>,
    /// Whether it is written in code, so that only the platform's own tools publish it.
    pub is_code_native: bool,
}
