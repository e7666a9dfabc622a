//! What a location can do, and what only the platform itself knows of a tenant.

use super::opt_in::{OptIn, OptInRefusal};
use crate::api::{FOR, FOR_CONNECTIONS, KEYS, SecretRef};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a location can do. The engine asks for these values, and never for the kind of a location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// Whether it reports the readiness of integrations. Without, one is ready if its definition is complete and its
    /// variables are bound.
    pub reports_ready_integrations: bool,
    /// Whether components are written there. Without, a component that is missing has to be published first.
    pub writes_components: bool,
    /// Whether an integration can be there with a variable bound to a connection that is missing.
    pub holds_missing_bindings: bool,
    /// Whether an integration that is written in code can be written there.
    pub takes_code: bool,
    /// How a changed definition comes into use.
    pub publishing: Publishing,
    /// Whether an empty input is one that is not there.
    pub has_no_empty_inputs: bool,
    /// Whether integrations are found by their titles, so that two of one title cannot be told apart.
    pub titles_are_names: bool,
    /// Whether objects have labels and annotations there.
    pub has_labels: bool,
    /// Whether Stablekey sends the content of secrets there, so that it must have it.
    pub sends_secrets: bool,
    /// Whether an update of inputs leaves those alone that it does not name. Without, it takes all of them, secrets too.
    pub merges_inputs: bool,
    /// Whether the toggle for embedded workflows is written there. Without, a person sets it.
    pub writes_embedded: bool,
    /// Whether an update of a connection may sign out those who signed in to it, whatever it changes.
    pub may_sign_out: bool,
    /// Whether writers that are unknown here may write there: other hubs, and projects in other folders.
    pub has_other_writers: bool,
    /// Where it keeps what was written.
    pub record: RecordIn,
}

/// How a changed definition comes into use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Publishing {
    /// At once.
    AtOnce,
    /// Stablekey publishes a new version; a person moves the instances to it.
    ByStablekey,
    /// A person publishes a new version, and moves the instances to it.
    ByPerson,
}

/// Which secrets can be sent to a location.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Supply {
    /// None: the Tenant names no source.
    #[default]
    Nothing,
    /// It cannot be read, for this reason.
    Unreadable { why: String },
    /// The files `<secret name>/<key>` of a folder.
    Files {
        folder: String,
        /// The file that each name and key is, with links followed.
        there: BTreeMap<(String, String), String>,
    },
    /// The environment variables with this prefix.
    Variables { prefix: String, there: BTreeSet<String> },
    /// The Secrets of a namespace that opted in, by name.
    Secrets { namespace: String, there: BTreeMap<String, OfferedSecret> },
}

/// A Secret that opted in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfferedSecret {
    pub opt_in: OptIn,
    /// The keys of its data that are not empty.
    pub keys: BTreeSet<String>,
    /// Why it is not used now, whatever the connection.
    pub refusal: Option<OptInRefusal>,
}

impl Supply {
    /// Whether a secret is there.
    pub fn has(&self, reference: &SecretRef) -> bool {
        match self {
            Supply::Nothing | Supply::Unreadable { .. } => false,
            Supply::Files { there, .. } => there.contains_key(&(reference.name.clone(), reference.key.clone())),
            Supply::Variables { prefix, there } => there.contains(&format!("{prefix}{}", Supply::variable(reference))),
            Supply::Secrets { there, .. } => {
                there.get(&reference.name).is_some_and(|secret| secret.keys.contains(&reference.key))
            }
        }
    }

    /// What a reference is supplied by: two references must not be one file or one variable.
    pub fn place(&self, reference: &SecretRef) -> Option<String> {
        match self {
            // The name of a Secret is its own.
            Supply::Nothing | Supply::Unreadable { .. } | Supply::Secrets { .. } => None,
            Supply::Files { there, .. } => there.get(&(reference.name.clone(), reference.key.clone())).cloned(),
            Supply::Variables { prefix, .. } => Some(format!("{prefix}{}", Supply::variable(reference))),
        }
    }

    /// How a secret is supplied, as a step for a person.
    pub fn step(&self, tenant: &str, reference: &SecretRef, stable_key: &str) -> String {
        let SecretRef { name, key, .. } = reference;
        match self {
            _ if reference.is_unknown() => {
                format!("enter the secret on the platform, or declare where it comes from ({key})")
            }
            Supply::Unreadable { why } => why.clone(),
            Supply::Nothing => {
                format!("add secrets to the location of Tenant {tenant}, and supply secret {name}/{key} there")
            }
            Supply::Files { folder, .. } => format!("put secret {name}/{key} into the file {folder}/{name}/{key}"),
            Supply::Variables { prefix, .. } => {
                format!("set {prefix}{} to secret {name}/{key}", Supply::variable(reference))
            }
            Supply::Secrets { namespace, there } if there.contains_key(name) => {
                format!("add key {key} to Secret {name} of namespace {namespace}, or fill it")
            }
            Supply::Secrets { namespace, .. } => format!(
                "supply Secret {name} with key {key} in namespace {namespace}, and opt it in for {stable_key}:\n\
                 kubectl create secret generic -n {namespace} {name} --from-file={key}=FILE\n\
                 kubectl label -n {namespace} secret {name} {FOR}={FOR_CONNECTIONS}\n\
                 kubectl annotate -n {namespace} secret {name} {KEYS}={stable_key}"
            ),
        }
    }

    /// The end of the name of a secret's variable.
    pub fn variable(reference: &SecretRef) -> String {
        format!("{}__{}", Supply::shout(&reference.name), Supply::shout(&reference.key))
    }

    /// A text as a part of a variable's name: in upper case, with `_` for every other character.
    pub fn shout(text: &str) -> String {
        let shout = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
        text.chars().map(shout).collect()
    }
}

/// Where a location keeps the ownership records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
        reports_ready_integrations: false,
        writes_components: true,
        holds_missing_bindings: true,
        takes_code: true,
        publishing: Publishing::AtOnce,
        has_no_empty_inputs: false,
        titles_are_names: false,
        has_labels: true,
        sends_secrets: false,
        merges_inputs: false,
        writes_embedded: true,
        may_sign_out: false,
        has_other_writers: false,
        record: RecordIn::LockFile,
    };

    /// A namespace of a cluster.
    pub const CLUSTER: Capabilities = Capabilities {
        watches: true,
        knows_field_owners: true,
        knows_readiness: true,
        reports_ready_integrations: true,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
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
    /// The number of integrations of which a version uses it, however old.
    pub integrations: Option<usize>,
    /// Whether embedded workflows may use it, as the platform shows it; `None` if it does not.
    pub embedded: Option<bool>,
    /// Whether the account may not change it, and may not remove it.
    pub is_locked: bool,
    pub is_kept: bool,
}

/// What the platform knows of an integration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IntegrationFacts {
    /// The number of deployed instances.
    pub instances: Option<usize>,
    /// The number of the last version; `None` for a draft that was never published.
    pub version: Option<u64>,
    /// The last version before Stablekey imported what is there now; 0 if there was none.
    pub imported_after: Option<u64>,
    /// The number of instances that run a version from before that import; `None` if it is not known.
    pub behind: Option<usize>,
}

impl IntegrationFacts {
    /// Whether what Stablekey imported is a draft: nobody published it since.
    pub fn is_draft(&self) -> bool {
        self.imported_after.is_some_and(|before| self.version.unwrap_or_default() <= before)
    }

    /// Whether an import is in use everywhere.
    pub fn is_done(&self) -> bool {
        !self.is_draft() && self.behind == Some(0)
    }
}
