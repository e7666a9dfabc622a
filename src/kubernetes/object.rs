//! Parses one object of an API server's answer.

use super::annotation;
use super::budget::{Named, Weighs};
use super::managed_fields::{Entries, ManagedFieldsEntry};
use crate::api::*;
use crate::engine::model::inventory::{Holders, Ready};
use crate::engine::model::item::Item;
use crate::engine::model::record::Record;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Why an object that is being deleted is not read.
pub const BEING_DELETED: &str = "it is being deleted";

/// The metadata that a write needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    pub uid: String,
    pub resource_version: String,
    /// The fields that Stablekey's field manager owns, recorded or not. A write that leaves one out removes it.
    pub owned: Arc<Holders>,
}

impl Version {
    /// Whether it is newer than another version.
    pub fn is_after(&self, other: &Version) -> bool {
        is_after(&self.resource_version, &other.resource_version)
    }
}

/// Whether a resource version is newer than another of the same kind. They are increasing numbers; anything else counts
/// as newer.
pub fn is_after(a: &str, b: &str) -> bool {
    matches!((a.parse::<u64>(), b.parse::<u64>()), (Ok(a), Ok(b)) if a > b)
}

/// How much of an object is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Spec and ownership record.
    Spec,
    /// The status as well.
    WithStatus,
}

/// An object with its metadata.
#[derive(Debug)]
pub struct Live<T> {
    /// The object, or why it cannot be read.
    pub read: Result<T, String>,
    pub name: String,
    /// Needed for writes.
    pub version: Version,
    /// The ownership record.
    pub record: Option<Record>,
    /// The fields that other managers own.
    pub others: Arc<Holders>,
    /// The Ready condition of its status; `None` if it has none.
    pub ready: Option<Ready>,
    pub generation: i64,
    /// The status, if it was requested.
    pub status: Option<Box<RawValue>>,
    /// Its approximate size in memory, in bytes.
    pub weight: u32,
}

impl<T> Weighs for Live<T> {
    fn weight(&self) -> usize {
        self.weight as usize
    }
}

impl<T> Named for Live<T> {
    fn name(&self) -> &str {
        &self.name
    }
}

/// The size of an empty object, and of a field with its owner, in bytes.
const OBJECT: usize = 512;
const HELD_FIELD: usize = 96;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    metadata: LiveMeta<'a>,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LiveMeta<'a> {
    name: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    #[serde(default)]
    generation: i64,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
    #[serde(borrow, default)]
    managed_fields: Vec<ManagedFieldsEntry<'a>>,
}

/// Parses one object, with its status if `of` says so; `None` if it is not an object at all.
pub fn read<S: DeserializeOwned>(json: &str, entries: &Entries, of: Depth) -> Option<Live<Object<S>>> {
    let Ok(Envelope { metadata: mut meta, spec, status }) = serde_json::from_str(json) else { return named(json) };
    let managed = entries.managed(&meta.managed_fields);
    let notes = meta.labels.iter().chain(&meta.annotations).map(|(name, value)| name.len() + value.len());
    let said = spec.map_or(0, |spec| spec.get().len()) + notes.sum::<usize>() + meta.name.len();
    let written = meta.annotations.remove(WROTE).filter(|_| managed.record_is_ours());
    let record = written.and_then(|text| annotation::decode(&text));
    let read = match (meta.deletion_timestamp, spec.map(|spec| serde_json::from_str(spec.get()))) {
        (Some(_), _) => Err(BEING_DELETED.to_string()),
        (None, None) => Err("it has no spec".to_string()),
        // serde's message names a position in a text that nobody sees, and may contain the value: it is dropped.
        (None, Some(Err(error))) => {
            Err(format!("it cannot be read by this version of stablekey ({})", category(&error)))
        }
        (None, Some(Ok(spec))) => Ok(Object {
            metadata: Meta { name: meta.name.clone(), labels: meta.labels, annotations: meta.annotations },
            spec,
        }),
    };
    let version = Version { uid: meta.uid, resource_version: meta.resource_version, owned: managed.owned() };
    let ready = status.and_then(|status| ready(status, meta.generation));
    let status = status.filter(|_| of == Depth::WithStatus).map(ToOwned::to_owned);
    let (others, generation) = (managed.others(), meta.generation);
    let fields = others.len() + version.owned.len();
    let weight = OBJECT + said + HELD_FIELD * fields + status.as_ref().map_or(0, |status| status.get().len());
    let weight = u32::try_from(weight).unwrap_or(u32::MAX);
    Some(Live { read, name: meta.name, version, record, others, ready, generation, status, weight })
}

/// Returns the Ready condition of a status.
fn ready(status: &RawValue, generation: i64) -> Option<Ready> {
    #[derive(Deserialize)]
    struct ReadyStatus<'a> {
        #[serde(borrow, default)]
        conditions: Vec<Condition<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Condition<'a> {
        #[serde(default)]
        observed_generation: Option<i64>,
        #[serde(rename = "type", borrow)]
        type_: std::borrow::Cow<'a, str>,
        #[serde(borrow)]
        status: std::borrow::Cow<'a, str>,
    }
    let status: ReadyStatus<'_> = serde_json::from_str(status.get()).ok()?;
    let ready = status.conditions.iter().find(|condition| condition.type_ == "Ready")?;
    let is_current = ready.observed_generation.is_none_or(|observed| observed >= generation);
    Some(match (ready.status == "True", is_current) {
        (true, true) => Ready::Yes,
        (true, false) => Ready::Was,
        (false, _) => Ready::No,
    })
}

/// Parses only the name of an object: it exists, and its content is unknown.
fn named<S>(json: &str) -> Option<Live<Object<S>>> {
    #[derive(Deserialize)]
    struct NameOnly {
        metadata: Name,
    }
    #[derive(Deserialize)]
    struct Name {
        name: String,
    }
    let NameOnly { metadata: Name { name } } = serde_json::from_str(json).ok()?;
    Some(Live {
        read: Err("its metadata cannot be read by this version of stablekey".to_string()),
        name,
        version: Version::default(),
        record: None,
        others: Arc::default(),
        ready: None,
        generation: 0,
        status: None,
        weight: OBJECT as u32,
    })
}

/// Parses one object with its status.
pub fn read_whole<S: DeserializeOwned>(json: &str) -> Option<Live<Object<S>>> {
    read(json, &Entries::default(), Depth::WithStatus)
}

/// Parses one object of a kind that tenants contain, with its status.
pub fn item_whole(kind: Kind, json: &str) -> Option<Live<Item>> {
    item(kind, json, &Entries::default(), Depth::WithStatus)
}

fn category(error: &serde_json::Error) -> &'static str {
    match error.classify() {
        serde_json::error::Category::Data => "a field is missing, or of another type",
        _ => "it is not whole",
    }
}

/// Parses one object of a kind that tenants contain: an integration without the uses of its definition.
pub fn item(kind: Kind, json: &str, entries: &Entries, of: Depth) -> Option<Live<Item>> {
    fn to<S>(live: Live<Object<S>>, make: impl FnOnce(Arc<Object<S>>) -> Item) -> Live<Item> {
        let Live { read, name, version, record, others, ready, generation, status, weight } = live;
        let read = read.map(|object| make(Arc::new(object)));
        Live { read, name, version, record, others, ready, generation, status, weight }
    }
    match kind {
        Kind::Component => read(json, entries, of).map(|live| to(live, Item::Component)),
        Kind::Connection => read(json, entries, of).map(|live| to(live, Item::Connection)),
        Kind::CustomerCredentials => read(json, entries, of).map(|live| to(live, Item::CustomerCredentials)),
        Kind::Integration => read(json, entries, of).map(|live| to(live, |object| Item::Integration(object, None))),
        Kind::Tenant | Kind::TenantSync => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An object that cannot be parsed is unknown, never missing.
    ///
    /// "Unread is unknown, never empty".
    #[test]
    fn an_object_with_unreadable_metadata_exists() {
        let of = |json: &str| item(Kind::Connection, json, &Entries::default(), Depth::Spec);
        let live = of(r#"{"metadata": {"name": "crm", "annotations": 7}, "spec": {}}"#).unwrap();
        assert_eq!((live.name.as_str(), live.read.is_err()), ("crm", true));
        assert!(of("{}").is_none());
    }
}
