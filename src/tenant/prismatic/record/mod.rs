//! The record of a tenant on the platform: what Stablekey wrote there, and the platform's ids. The platform has no
//! place for it, and the tree that a pull request changes must not hold it. So it is kept on the Git remote, beside the
//! branches; without a remote in the user's state folder.

mod config_map;
mod folder;
mod git;

pub use config_map::ConfigMapRecords;
pub use folder::FolderRecords;
pub use git::{GitRecords, git_records};

use crate::api::{
    ConnectionSpec, CustomerCredentialsSpec, DeletionPolicy, Input, RECEIPTS, ReceiptCounts, SecretRef, Uses,
};
use crate::engine::model::field::Field;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::Change;
use crate::engine::model::record::Record;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The schema of the record that this version reads and writes.
const SCHEMA: &str = "stablekey.dev/record/v1";
/// After so many seconds without a sign of it, a run counts as dead.
const LONGEST_RUN: i64 = 900;
/// After so many seconds a measurement does not count any more: 90 days.
const MEASURED_FOR: i64 = 90 * 24 * 3600;
/// For so many seconds what was made may not be shown yet.
const SEEN_AFTER: i64 = 120;
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
    /// What `stablekey doctor` found there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doctor: Option<DoctorRecord>,
    /// The last runs that changed something, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipts: Vec<RunReceipt>,
    /// What runs that ended wanted, and may have reached, by `Kind/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unsure: BTreeMap<String, RecordedObject>,
    /// By `Kind/name`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub objects: BTreeMap<String, RecordedObject>,
}

/// What `stablekey doctor` found in a tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DoctorRecord {
    /// What updates were seen to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<MeasuredUpdates>,
    /// When a person confirmed that the toggle for embedded workflows is what the platform calls the default for its
    /// component, in RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<String>,
}

/// What updates of connections were seen to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MeasuredUpdates {
    /// When, in RFC 3339.
    pub at: String,
    /// The connection type with which it was seen: `salesforce/oauth2`.
    pub with: String,
    /// Whether an update of inputs leaves those alone that it does not name.
    pub merges_inputs: bool,
    /// Whether those who signed in stay signed in; absent if that was not seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeps_sign_in: Option<bool>,
}

impl MeasuredUpdates {
    /// Whether it was seen a short time ago.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.at.parse::<Timestamp>().is_ok_and(|at| now.duration_since(at).as_secs() < MEASURED_FOR)
    }
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
    /// When it last said that it still writes, in RFC 3339; absent if it did not since it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// The command.
    pub command: String,
    /// The machine since it was started, and its container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<String>,
    /// The process on that machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The objects that it is about to write.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub writes: Vec<String>,
    /// What its writes end with, by `Kind/name`: a field that is there already when the run is taken up counts as
    /// recorded.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub wants: BTreeMap<String, RecordedObject>,
}

/// A run that ended, and what it changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunReceipt {
    /// When it ended, in RFC 3339.
    pub at: String,
    /// Who ran it, and where.
    pub who: String,
    /// The digest of the actions that it carried out.
    pub digest: String,
    /// The actions that it carried out.
    pub counts: ReceiptCounts,
    /// The number of actions that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<u64>,
}

/// Who runs, and where.
pub struct Host {
    /// The name of the machine, or of the pod.
    pub name: String,
    /// The name of the user; empty if it is not known.
    pub user: String,
    pub process: u32,
    /// The machine since it was started, and its container: elsewhere the number of a process means another one.
    pub machine: String,
    pub now: Timestamp,
    /// What it runs.
    pub command: &'static str,
    /// Whether it leads: a Lease, not the record, says that nobody else writes.
    pub leads: bool,
}

impl Host {
    fn who(&self) -> String {
        if self.user.is_empty() { self.name.clone() } else { format!("{}@{}", self.user, self.name) }
    }
}

impl Run {
    /// A run that begins now.
    pub fn now(host: &Host, coming: &[&Change], live: &Inventory) -> Self {
        let wants = coming.iter().filter_map(|change| {
            let mut wanted =
                RecordedObject { wrote: Some(change.record.as_ref()?.encode()), ..RecordedObject::default() };
            // Of an object that is there already, whether its secrets were sent again is not seen: they are sent again.
            if let (None, Some(after)) = (&change.before, &change.after) {
                wanted.sent_with(after);
            }
            if let Some(Item::Integration(integration, _)) = &change.after {
                let facts = live.integration_facts.get(integration.name());
                wanted.pending = Some(facts.and_then(|facts| facts.version).unwrap_or_default());
            }
            Some((change.object.to_string(), wanted))
        });
        Run {
            id: format!("{}-{}", host.process, host.now.as_millisecond()),
            who: host.who(),
            since: host.now.to_string(),
            seen: None,
            command: host.command.to_string(),
            machine: Some(host.machine.clone()),
            process: Some(host.process),
            writes: coming.iter().map(|change| change.object.to_string()).collect(),
            wants: wants.collect(),
        }
    }

    /// Whether it may still write: it began a short time ago, and on this machine its process is there.
    pub fn may_be_alive(&self, host: &Host) -> bool {
        if host.leads {
            return false;
        }
        if self.machine.as_ref() == Some(&host.machine)
            && let Some(process) = self.process
            && !Path::new(&format!("/proc/{process}")).exists()
        {
            return false;
        }
        let Ok(seen) = self.seen.as_ref().unwrap_or(&self.since).parse::<Timestamp>() else { return true };
        host.now.duration_since(seen).as_secs() < LONGEST_RUN
    }

    /// Who runs it, and since when, for people.
    pub fn who_since(&self) -> String {
        // Fractions of a second tell nobody anything.
        let since = self.since.split_once('.').map_or(self.since.clone(), |(seconds, _)| format!("{seconds}Z"));
        crate::text::line(&format!("{} since {since}", self.who)).into_owned()
    }

    /// Who writes to a tenant, and since when, for people.
    pub fn text(&self, tenant: &str) -> String {
        let who_since = self.who_since();
        let (who, since) = who_since.rsplit_once(" since ").unwrap_or((&who_since, ""));
        let line = format!("{who} writes to {tenant} since {since} ({})", self.command);
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
    /// When Stablekey made it, in RFC 3339: the platform may show it some time later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub made: Option<String>,
    /// The ownership record, as a line of `stablekey.lock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrote: Option<String>,
    /// The reference that was sent, per secret input: never a secret, and never a hash of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, SecretRef>,
    /// The version that a Secret had when it was sent, by its name, where its annotation names one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub secret_versions: BTreeMap<String, String>,
    /// The same for inputs of the credentials for tests.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub test_secrets: BTreeMap<String, SecretRef>,
    /// The older keys that a connection replaces, which the platform does not know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
    /// Whether a connection may be deleted, which the platform does not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// Whose credentials a CustomerCredentials object is: once no file declares it, nothing else tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set: Option<RecordedSet>,
    /// The last version of an integration before it was imported last: what was imported is a draft until there is a
    /// newer version, and instances may run an older one until they are moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<u64>,
    /// The definition that was sent last for an integration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<SentDefinition>,
}

/// A set of credentials of a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RecordedSet {
    pub customer: String,
    /// The stable key.
    pub connection: String,
    /// The name of a further set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl RecordedSet {
    pub fn of(spec: &CustomerCredentialsSpec) -> Self {
        let CustomerCredentialsSpec { customer, connection, name, .. } = spec.clone();
        RecordedSet { customer, connection, name }
    }
}

/// A definition that was sent: with other bindings, another title and other versions than the declared one has. What is
/// there as it was sent is as it was declared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SentDefinition {
    /// The digest of the declared value, and the same without the versions of components.
    pub declared: [String; 2],
    /// Those of what was sent.
    pub sent: [String; 2],
}

impl SentDefinition {
    pub fn of(declared: &Uses, sent: &Uses) -> Self {
        let digests = |uses: &Uses| [uses.value.clone(), uses.versionless.clone()];
        SentDefinition { declared: digests(declared), sent: digests(sent) }
    }

    /// Shows a definition that is there as it was declared, if it is as it was sent.
    pub fn restore(&self, there: &mut Uses) {
        // The platform writes versions as numbers where the latest were asked for.
        let [value, versionless] = &self.sent;
        if there.value == *value || there.versionless == *versionless {
            let [value, versionless] = self.declared.clone();
            (there.value, there.versionless) = (value, versionless);
        }
    }
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

    /// Checks that a record could be written, and leaves nothing behind.
    fn probe(&self, tenant: &str) -> Result<(), RecordError> {
        self.read(tenant).map(drop)
    }

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

    /// Adds the receipt of a run, and forgets the oldest.
    pub fn add_receipt(&mut self, receipt: RunReceipt) {
        self.receipts.insert(0, receipt);
        self.receipts.truncate(RECEIPTS);
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

    /// The recorded credentials of customers, by name, without inputs.
    pub fn sets(&self) -> impl Iterator<Item = (String, CustomerCredentialsSpec)> {
        self.objects.iter().chain(self.wanted()).filter_map(|(id, object)| {
            let RecordedSet { customer, connection, name } = object.set.clone()?;
            let (origin, inputs) = (None, BTreeMap::new());
            let spec = CustomerCredentialsSpec { customer, connection, name, origin, inputs };
            Some((ObjectId::parse(id)?.name, spec))
        })
    }

    /// Adds the ownership records to the live objects.
    pub fn add_to(&self, inventory: &mut Inventory) {
        for (name, object) in &self.objects {
            let wrote = object.wrote.as_deref().and_then(Record::decode);
            if let (Some(id), Some(wrote)) = (ObjectId::parse(name), wrote) {
                inventory.records.insert(id, Arc::new(wrote));
            }
        }
        for (name, wanted) in self.wanted() {
            let wrote = wanted.wrote.as_deref().and_then(Record::decode);
            let (Some(id), Some(wrote)) = (ObjectId::parse(name), wrote) else { continue };
            let Some(live) = inventory.get(&id) else { continue };
            let mut record = match inventory.records.get(&id) {
                Some(record) => (**record).clone(),
                None => Record { fields: BTreeMap::new(), ..wrote.clone() },
            };
            let is_there = |field: &Field<'_>, hash| live.written(field).is_some_and(|value| value.hash() == hash);
            let wanted = wrote.fields.len();
            let there: Vec<_> = wrote.fields.into_iter().filter(|(field, wrote)| is_there(field, wrote.hash)).collect();
            // One that others made meanwhile is not ours.
            let is_noted = self.objects.get(name).is_some_and(|noted| noted.made.is_some());
            record.made &= inventory.records.contains_key(&id) || is_noted || there.len() == wanted;
            record.fields.extend(there);
            inventory.records.insert(id, Arc::new(record));
        }
    }

    /// What is recorded of an object, or what a run that made it wanted.
    pub fn object_or_wanted(&self, id: &ObjectId) -> Option<&RecordedObject> {
        let name = id.to_string();
        let wanted = || self.wanted().find(|(wanted, _)| **wanted == name).map(|(_, wanted)| wanted);
        self.objects.get(&name).filter(|recorded| recorded.wrote.is_some()).or_else(wanted)
    }

    /// What a run wants that writes or was killed, and what ended runs may have reached.
    fn wanted(&self) -> impl Iterator<Item = (&String, &RecordedObject)> {
        self.unsure.iter().chain(self.run.iter().flat_map(|run| &run.wants))
    }

    /// The definitions that were sent for an integration, or that a run wanted to send.
    pub fn definitions_of(&self, id: &ObjectId) -> Vec<&SentDefinition> {
        let name = id.to_string();
        let wanted = self.wanted().filter(|(wanted, _)| **wanted == name).map(|(_, wanted)| wanted);
        self.objects.get(&name).into_iter().chain(wanted).filter_map(|object| object.definition.as_ref()).collect()
    }

    /// The record of some objects alone.
    pub fn only(&self, ids: &[&ObjectId]) -> Self {
        let names: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let of = |all: &BTreeMap<String, RecordedObject>| {
            names.iter().filter_map(|name| Some((name.clone(), all.get(name)?.clone()))).collect()
        };
        TenantRecord {
            schema: self.schema.clone(),
            tenant: self.tenant.clone(),
            doctor: self.doctor.clone(),
            objects: of(&self.objects),
            unsure: of(&self.unsure),
            ..TenantRecord::default()
        }
    }

    /// The integrations that a run imported which ended before it could say so: the last version before, by name.
    pub fn imported_by_runs(&self, inventory: &Inventory) -> Vec<(String, u64)> {
        if self.wanted().next().is_none() {
            return Vec::new();
        }
        let mut taken = self.clone();
        taken.take_up(inventory);
        let pending = taken.objects.iter().filter_map(|(name, object)| {
            let before = self.objects.get(name).and_then(|before| before.pending);
            let id = ObjectId::parse(name)?;
            (before != object.pending).then_some((id.name, object.pending?))
        });
        pending.collect()
    }

    /// Ends the run that is recorded: what it reached becomes a record like any other.
    pub fn take_up(&mut self, inventory: &Inventory) {
        let run = self.run.take();
        let (writes, wants) = run.map(|run| (run.writes, run.wants)).unwrap_or_default();
        // What was to be deleted and is gone is forgotten, so that one that others make is not ours.
        for name in writes.iter().filter(|name| !wants.contains_key(*name)) {
            if ObjectId::parse(name).is_some_and(|id| !inventory.has(&id)) {
                self.objects.remove(name);
            }
        }
        let wanted: Vec<_> = std::mem::take(&mut self.unsure).into_iter().chain(wants).collect();
        for (name, wanted) in wanted {
            let record =
                ObjectId::parse(&name).and_then(|id| inventory.records.get(&id).filter(|_| inventory.has(&id)));
            if let Some(record) = record {
                let entry = self.objects.entry(name).or_default();
                let is_reached = wanted.wrote.as_deref() == Some(record.encode().as_str());
                if entry.wrote.is_none() {
                    let (id, made) = (entry.id.take().or(wanted.id.clone()), entry.made.take().or(wanted.made.clone()));
                    let pending = entry.pending.or(wanted.pending);
                    let definition = entry.definition.take();
                    let definition = definition.or(wanted.definition.clone());
                    *entry = RecordedObject { id, made, pending, definition, ..wanted };
                } else if is_reached && entry.wrote != wanted.wrote && wanted.pending.is_some() {
                    // It was imported, and the run ended before it could say so.
                    entry.pending = wanted.pending;
                    entry.definition = wanted.definition.or(entry.definition.take());
                }
                entry.wrote = Some(record.encode());
            }
        }
    }
}

impl RecordedObject {
    /// How many seconds ago Stablekey made it, if the platform may not show it yet.
    pub fn may_be_unseen(&self, now: Timestamp) -> Option<i64> {
        let made: Timestamp = self.made.as_ref()?.parse().ok()?;
        let ago = now.duration_since(made).as_secs();
        (0..SEEN_AFTER).contains(&ago).then_some(ago)
    }

    /// Adds what the platform does not know of a connection: which secrets were sent, older keys, the deletion policy.
    pub fn complete(&self, spec: &mut ConnectionSpec) {
        self.complete_inputs(&mut spec.inputs, &format!("{}.inputs", spec.stable_key));
        if let Some(test) = &mut spec.test {
            fill(&mut test.inputs, &self.test_secrets, &format!("{}.test", spec.stable_key));
        }
        spec.replaces.clone_from(&self.replaces);
        spec.deletion_policy = self.deletion_policy;
    }

    /// Remembers which secrets were sent with an object.
    pub fn sent_with(&mut self, item: &Item) {
        match item {
            Item::Connection(connection) => self.sent(&connection.spec),
            Item::CustomerCredentials(credentials) => {
                self.secrets = references(&credentials.spec.inputs);
                self.set = Some(RecordedSet::of(&credentials.spec));
            }
            Item::Component(_) | Item::Integration(..) => {}
        }
    }

    /// Remembers which secrets were sent with a connection, and what the platform does not know of it.
    fn sent(&mut self, spec: &ConnectionSpec) {
        self.secrets = references(&spec.inputs);
        self.test_secrets = spec.test.as_ref().map(|test| references(&test.inputs)).unwrap_or_default();
        self.replaces.clone_from(&spec.replaces);
        self.deletion_policy = spec.deletion_policy;
    }

    /// Adds which secrets were sent. `place` tells secrets of unknown origin apart.
    pub fn complete_inputs(&self, inputs: &mut BTreeMap<String, Input>, place: &str) {
        fill(inputs, &self.secrets, place);
    }

    /// Remembers what the platform does not show of a connection that is as this spec says: of one that is not new, only
    /// the secrets of which nothing is recorded, since another reference is a change that is still to be made.
    pub fn remember(&mut self, spec: &ConnectionSpec, is_new: bool) {
        for (name, reference) in references(&spec.inputs) {
            self.secrets.entry(name).or_insert(reference);
        }
        for (name, reference) in spec.test.as_ref().map(|test| references(&test.inputs)).unwrap_or_default() {
            self.test_secrets.entry(name).or_insert(reference);
        }
        if is_new {
            self.replaces.clone_from(&spec.replaces);
            self.deletion_policy = spec.deletion_policy;
        }
    }
}

/// The known references of inputs.
fn references(inputs: &BTreeMap<String, Input>) -> BTreeMap<String, SecretRef> {
    let reference = |(name, input): (&String, &Input)| match input {
        Input::SecretRef(reference) if !reference.is_unknown() => Some((name.clone(), reference.clone())),
        _ => None,
    };
    inputs.iter().filter_map(reference).collect()
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
