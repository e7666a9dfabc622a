//! A snapshot of a project's tenants: what a run that may read them stores, so that a run that may not can plan.

use super::Project;
use super::clusters::spec_with_own;
use crate::api::{LocationSpec, Object, TenantSpec};
use crate::engine::model::canonical::{Digest, to_string};
use crate::engine::stored::{KnownSecrets, StoredInventory};
use crate::tenant::location::Snapshot;
use crate::text::shorten;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The schema of a snapshot's JSON.
pub const SNAPSHOT_SCHEMA: &str = "stablekey.dev/snapshot/v1";
/// The most bytes of a snapshot.
pub const LARGEST_SNAPSHOT: u64 = 256_000_000;
/// How far the clocks of two machines may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

/// The tenants of a project that are in clusters and on the platform, as they were read. Those in folders are in the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredProject {
    schema: String,
    /// When it was written.
    #[serde(with = "as_text")]
    written: Timestamp,
    tenants: BTreeMap<String, StoredTenant>,
}

/// A tenant as it was read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct StoredTenant {
    /// The digest of its location: the state is of no other one.
    location: String,
    /// The Tenants in its namespace, which restrict what is allowed.
    own: Vec<Object<TenantSpec>>,
    /// What was there; `None`: it could not be read.
    live: Option<StoredInventory>,
}

/// Why a snapshot is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoredProjectError {
    #[error("it is larger than {} MB", LARGEST_SNAPSHOT / 1_000_000)]
    TooLarge,
    #[error("it is no snapshot: its schema is \"{0}\", and not {SNAPSHOT_SCHEMA}")]
    Schema(String),
    #[error("it is no snapshot: {0}")]
    Form(String),
    #[error("it was written {written}, {age} ago, which is longer than --max-age allows")]
    TooOld { written: Timestamp, age: String },
    #[error("it says that it was written {0}, which is yet to come")]
    FromTheFuture(Timestamp),
}

/// An age in its largest unit that says enough: `25 hours`.
fn in_words(age: SignedDuration) -> String {
    let plural = |number: i64, unit: &str| format!("{number} {unit}{}", if number == 1 { "" } else { "s" });
    match (age.as_hours(), age.as_mins(), age.as_secs()) {
        (hours, ..) if hours >= 72 => plural(hours / 24, "day"),
        (hours, ..) if hours >= 2 => plural(hours, "hour"),
        (_, minutes, _) if minutes >= 2 => plural(minutes, "minute"),
        (.., seconds) => plural(seconds, "second"),
    }
}

impl StoredProject {
    /// Stores the tenants of a project.
    pub fn of(project: &Project, now: Timestamp) -> Self {
        let elsewhere = project.tenants.iter().filter(|(_, tenant)| is_elsewhere(&tenant.spec));
        let known = known_secrets(project);
        let stored = elsewhere.map(|(name, tenant)| {
            let live = tenant.live.as_ref().ok();
            // Where its own Tenant lies, and what it is declared by, decides nothing here, and may refer to Secrets.
            let decides = |spec: &TenantSpec| TenantSpec { location: None, source: None, ..spec.clone() };
            let own = live.map(|live| live.own.iter().map(|own| Object::new(own.name(), decides(&own.spec))).collect());
            let stored = StoredTenant {
                location: location(&tenant.spec),
                own: own.unwrap_or_default(),
                live: live
                    .filter(|live| !live.inventory.is_not_asked)
                    .map(|live| StoredInventory::of(&live.inventory, &known)),
            };
            (name.clone(), stored)
        });
        StoredProject { schema: SNAPSHOT_SCHEMA.to_string(), written: now, tenants: stored.collect() }
    }

    /// The names of the tenants that could not be read.
    pub fn unread(&self) -> Vec<&str> {
        self.tenants.iter().filter(|(_, tenant)| tenant.live.is_none()).map(|(name, _)| name.as_str()).collect()
    }

    /// The number of tenants in it.
    pub fn len(&self) -> usize {
        self.tenants.len()
    }

    /// Whether it has no tenant.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Reads a snapshot that is not older than `most`.
    pub fn parse(bytes: &[u8], now: Timestamp, most: Duration) -> Result<Self, StoredProjectError> {
        #[derive(Deserialize)]
        struct Head {
            #[serde(default)]
            schema: String,
        }
        let form = |error: serde_json::Error| {
            StoredProjectError::Form(format!("line {}, column {}", error.line(), error.column()))
        };
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > LARGEST_SNAPSHOT {
            return Err(StoredProjectError::TooLarge);
        }
        let head: Head = serde_json::from_slice(bytes).map_err(form)?;
        if head.schema != SNAPSHOT_SCHEMA {
            return Err(StoredProjectError::Schema(shorten(&crate::text::line(&head.schema), 100).into_owned()));
        }
        let stored: StoredProject = serde_json::from_slice(bytes).map_err(form)?;
        let age = now.duration_since(stored.written);
        if age < -SKEW {
            return Err(StoredProjectError::FromTheFuture(stored.written));
        }
        if age > SignedDuration::try_from(most).unwrap_or(SignedDuration::MAX) {
            return Err(StoredProjectError::TooOld { written: stored.written, age: in_words(age) });
        }
        Ok(stored)
    }

    /// Gives a project that was opened without servers the state of the tenants that are not in folders.
    pub fn fill(&self, project: &mut Project) {
        let known = known_secrets(project);
        let written = self.written;
        for (name, tenant) in &mut project.tenants {
            if !is_elsewhere(&tenant.spec) {
                continue;
            }
            tenant.location = None;
            let live = self.tenants.get(name).ok_or_else(|| "it is not in the snapshot".to_string());
            let live = live.and_then(|stored| {
                if stored.location != location(&tenant.spec) {
                    return Err("its location is another one than in the snapshot".to_string());
                }
                let live = stored.live.as_ref();
                let live = live.ok_or_else(|| "it could not be read when the snapshot was written".to_string())?;
                let source = tenant.source.as_ref().and_then(|source| source.as_ref().ok());
                let source = source.map(|source| source.inventory.as_ref());
                let inventory =
                    live.to_inventory(name, &known, source).map_err(|error| format!("the snapshot: {error}"))?;
                if let Some(LocationSpec::Kubernetes(_)) = &tenant.spec.location {
                    tenant.spec = spec_with_own(name, &tenant.spec, &stored.own)?;
                }
                Ok(Snapshot { inventory: Arc::new(inventory), own: stored.own.clone(), ..Snapshot::default() })
            });
            if live.is_ok() {
                project.cautions.push(format!(
                    "{name} is as the snapshot of {written} has it. It does not say which secrets can be sent, \
                     where those went that nothing names any more, and who else owns a field; credentials of customers, labels and annotations are not compared"
                ));
            }
            tenant.live = live;
        }
    }
}

/// A time as text.
mod as_text {
    use jiff::Timestamp;
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Timestamp, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

/// Whether a tenant is in no folder of the tree.
fn is_elsewhere(spec: &TenantSpec) -> bool {
    matches!(spec.location, Some(LocationSpec::Kubernetes(_) | LocationSpec::Prismatic(_)))
}

fn location(spec: &TenantSpec) -> String {
    // A location has only texts and flags: it always has a JSON form.
    Digest::of(to_string(&spec.location).unwrap_or_default().as_bytes()).to_string()
}

/// The references to secrets that the files of a project name.
fn known_secrets(project: &Project) -> KnownSecrets {
    let mut known = KnownSecrets::default();
    for tenant in project.tenants.values() {
        let live = tenant.live.as_ref().ok().filter(|_| !is_elsewhere(&tenant.spec));
        let source = tenant.source.as_ref().and_then(|source| source.as_ref().ok());
        live.into_iter().chain(source).for_each(|read| known.learn(&read.inventory));
    }
    let overrides = project.syncs.iter().flat_map(|sync| &sync.spec.overrides);
    overrides.filter_map(|o| o.secret_ref.as_ref()).for_each(|reference| known.add(reference));
    known
}
