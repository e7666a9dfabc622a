//! The record of a tenant on the platform: what Stablekey wrote there, and the platform's ids. The platform has no
//! place for it, and the tree that a pull request changes must not hold it. So it is kept on the Git remote, beside the
//! branches; without a remote in the user's state folder.

mod config_map;
mod folder;
mod git;

pub use config_map::ConfigMapRecords;
pub use folder::FolderRecords;
pub use git::{GitRecords, git_records};

use crate::api::{ConnectionSpec, DeletionPolicy, Input, SecretRef};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The schema of the record that this version reads and writes.
const SCHEMA: &str = "stablekey.dev/record/v1";
/// Maximum size of a record, in bytes.
const LARGEST: u64 = 64_000_000;

/// The record of one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TenantRecord {
    schema: String,
    /// The name of the Tenant.
    pub tenant: String,
    /// The organization that the tenant is, once it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<OrganizationIdentity>,
    /// The run that writes, or that was killed while it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// By `Kind/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, RecordedObject>,
}

/// The organization that a tenant is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrganizationIdentity {
    /// The id of the tenant on its stack.
    pub tenant_id: String,
    /// The id of the organization.
    pub id: String,
    /// The name of the organization, for messages.
    pub name: String,
}

/// A run that writes. It stands in the record from before its first write until its receipt: a second run sees it, and
/// writes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// A number that no other run has.
    pub id: String,
    /// Who runs it, and where.
    pub who: String,
    /// When it began, in RFC 3339.
    pub since: String,
    /// The command.
    pub command: String,
    /// The objects that it is about to write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
}

impl Run {
    /// Who writes to a tenant, and since when, for people.
    pub fn text(&self, tenant: &str) -> String {
        let line = format!("{} writes to {tenant} since {} ({})", self.who, self.since, self.command);
        crate::text::line(&line).into_owned()
    }
}

/// What is recorded of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedObject {
    /// The platform's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The ownership record, as a line of `stablekey.lock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<String>,
    /// The reference that was sent, per secret input: never a secret, and never a hash of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretRef>,
    /// The same for inputs of the credentials for tests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub test_secrets: BTreeMap<String, SecretRef>,
    /// The older keys that a connection replaces, which the platform does not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// Whether a connection may be deleted, which the platform does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
}

/// A record as it was read, and the version of it that a write replaces.
#[derive(Clone, Debug, Default)]
pub struct StoredRecord {
    /// The record; an empty one where there is none yet.
    pub record: TenantRecord,
    /// What a write must replace; `None` where there is none yet.
    pub version: Option<String>,
}

/// A place that keeps records.
pub trait RecordStore: Send + Sync {
    /// Reads the record of a tenant.
    fn read(&self, tenant: &str) -> Result<StoredRecord, RecordError>;

    /// Replaces the record of a tenant, if it is still the version that was read. Returns the new version.
    fn write(&self, record: &TenantRecord, replaces: Option<&str>, message: &str) -> Result<String, RecordError>;

    /// Where it keeps them, for people: `refs/stablekey/* on origin`.
    fn place(&self) -> String;

    /// What every plan says about the place: that others do not see it.
    fn caution(&self) -> Option<&'static str> {
        None
    }
}

/// Why a record cannot be read or written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The place cannot be reached, or refuses.
    #[error("the record of {tenant} ({place}) cannot be {doing}: {why}")]
    Place {
        tenant: String,
        /// Where it is.
        place: String,
        /// `read` or `written`.
        doing: &'static str,
        why: String,
        /// What to do.
        help: String,
    },
    /// Somebody else wrote it meanwhile.
    #[error("another run wrote the record of {tenant} meanwhile{}", .by.as_ref().map(|by| format!(": {by}")).unwrap_or_default())]
    Lost {
        tenant: String,
        /// Who that is, if the record says so.
        by: Option<String>,
    },
    /// It is there, and cannot be understood.
    #[error("the record of {tenant} ({place}) is not one that stablekey understands: {why}")]
    Form { tenant: String, place: String, why: String },
    /// It was there, and is gone or was replaced by one that does not follow from it.
    #[error("the record of {tenant} ({place}) was {what}: what stablekey wrote there is unknown without it")]
    Gone {
        tenant: String,
        place: String,
        what: &'static str,
        /// The command that brings it back.
        help: String,
    },
}

impl RecordError {
    /// What to do.
    pub fn help(&self) -> String {
        match self {
            RecordError::Place { help, .. } | RecordError::Gone { help, .. } => help.clone(),
            RecordError::Lost { .. } => "wait until it is done, then run this again".to_string(),
            RecordError::Form { .. } => {
                "update stablekey; if somebody else uses that place, move theirs away".to_string()
            }
        }
    }
}

impl TenantRecord {
    /// An empty record.
    pub fn of(tenant: &str) -> Self {
        TenantRecord { schema: SCHEMA.to_string(), tenant: tenant.to_string(), ..TenantRecord::default() }
    }

    /// Reads a record. `Err` says what is wrong, without quoting it.
    pub fn parse(tenant: &str, bytes: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct AnySchema {
            schema: Option<String>,
        }
        let any: AnySchema = serde_json::from_slice(bytes).map_err(|_| "it is not JSON of that shape".to_string())?;
        match any.schema.as_deref() {
            Some(SCHEMA) => {}
            Some(other) if other.starts_with("stablekey.dev/record/") => {
                return Err("it is of a newer version of stablekey".to_string());
            }
            _ => return Err(format!("it does not say schema {SCHEMA}")),
        }
        let record: TenantRecord = serde_json::from_slice(bytes)
            .map_err(|error| format!("line {}, column {} has another shape", error.line(), error.column()))?;
        if record.tenant != tenant {
            return Err(format!("it is that of tenant {}", crate::text::line(&record.tenant)));
        }
        let is_readable = |(id, object): (&String, &RecordedObject)| {
            ObjectId::parse(id).is_some() && object.wrote.as_deref().is_none_or(|line| Record::decode(line).is_some())
        };
        match record.objects.iter().find(|entry| !is_readable(*entry)) {
            Some((id, _)) => Err(format!("its entry for {} has another shape", crate::text::line(id))),
            None => Ok(record),
        }
    }

    /// The record as text: sorted, and a line per value, so that a person can compare two versions.
    pub fn to_text(&self) -> String {
        // Plain data with string keys can always be serialized.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The entry of an object.
    pub fn object(&self, id: &ObjectId) -> Option<&RecordedObject> {
        self.objects.get(&id.to_string())
    }

    /// The entry of an object, made if it is not there.
    pub fn object_mut(&mut self, id: &ObjectId) -> &mut RecordedObject {
        self.objects.entry(id.to_string()).or_default()
    }

    /// The names under which objects of a kind are recorded, by the platform's id.
    pub fn names(&self, kind: crate::api::Kind) -> BTreeMap<&str, String> {
        let of_kind = |name: &String| ObjectId::parse(name).filter(|object| object.kind == kind);
        let names = self.objects.iter().filter_map(|(name, object)| Some((object.id.as_deref()?, of_kind(name)?.name)));
        names.collect()
    }

    /// Adds the ownership records to the live objects.
    pub fn add_to(&self, inventory: &mut Inventory) {
        for (name, object) in &self.objects {
            let wrote = object.wrote.as_deref().and_then(Record::decode);
            if let (Some(id), Some(wrote)) = (ObjectId::parse(name), wrote) {
                inventory.records.insert(id, Arc::new(wrote));
            }
        }
    }
}

impl RecordedObject {
    /// Adds what the platform does not know of a connection: which secrets were sent, older keys, the deletion policy.
    pub fn complete(&self, spec: &mut ConnectionSpec) {
        self.complete_inputs(&mut spec.inputs, &format!("{}.inputs", spec.stable_key));
        if let Some(test) = &mut spec.test {
            fill(&mut test.inputs, &self.test_secrets, &format!("{}.test", spec.stable_key));
        }
        spec.replaces.clone_from(&self.replaces);
        spec.deletion_policy = self.deletion_policy;
    }

    /// Adds which secrets were sent. `place` tells secrets of unknown origin apart.
    pub fn complete_inputs(&self, inputs: &mut BTreeMap<String, Input>, place: &str) {
        fill(inputs, &self.secrets, place);
    }

    /// Remembers what the platform does not show of a connection that is as this spec says: of one that is not new, only
    /// the secrets of which nothing is recorded, since another reference is a change that is still to be made.
    pub fn remember(&mut self, spec: &ConnectionSpec, is_new: bool) {
        let sent = |inputs: &BTreeMap<String, Input>| {
            let reference = |(name, input): (&String, &Input)| match input {
                Input::SecretRef(reference) if !reference.is_unknown() => Some((name.clone(), reference.clone())),
                _ => None,
            };
            inputs.iter().filter_map(reference).collect::<BTreeMap<_, _>>()
        };
        for (name, reference) in sent(&spec.inputs) {
            self.secrets.entry(name).or_insert(reference);
        }
        for (name, reference) in spec.test.as_ref().map(|test| sent(&test.inputs)).unwrap_or_default() {
            self.test_secrets.entry(name).or_insert(reference);
        }
        if is_new {
            self.replaces.clone_from(&spec.replaces);
            self.deletion_policy = spec.deletion_policy;
        }
    }
}

/// Replaces each secret by the reference that was sent, or by one of unknown origin.
fn fill(inputs: &mut BTreeMap<String, Input>, sent: &BTreeMap<String, SecretRef>, place: &str) {
    for (name, input) in inputs.iter_mut().filter(|(_, input)| matches!(input, Input::SecretRef(_))) {
        let unknown = || SecretRef::unknown(format!("{place}.{name}"));
        *input = Input::SecretRef(sent.get(name).cloned().unwrap_or_else(unknown));
    }
}

#[cfg(test)]
mod tests;
