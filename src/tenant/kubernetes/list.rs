//! Reading a namespace: our kinds and the definitions' ConfigMaps, by pages that are of one moment a kind.

use super::config_maps::{self, ConfigMap};
use super::live::{self, Live, Version};
use super::managed::Entries;
use super::paths::Paths;
use super::server::{Ask, Server, Trouble};
use super::trouble::{Doing, of_place};
use crate::api::*;
use crate::engine::item::{Item, ObjectId};
use crate::engine::world::Inventory;
use crate::manifest::definition;
use crate::tenant::PlaceError;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::{JoinHandle, spawn_blocking};

/// How many objects a page has at most.
pub const PAGE: usize = 500;
/// How often a list is begun anew, because its continuation was forgotten by the server.
const BEGINNINGS: usize = 3;

/// What is in a namespace.
#[derive(Debug, Default)]
pub struct Contents {
    /// Its resources, with what we wrote and who else holds what.
    pub inventory: Arc<Inventory>,
    /// What a write must know.
    pub versions: Arc<BTreeMap<ObjectId, Version>>,
    /// The Tenants that are of this namespace itself: there should be one.
    pub own: Vec<Object<TenantSpec>>,
}

/// A page of a list, its objects still as they came.
#[derive(Deserialize)]
struct Page {
    metadata: PageMeta,
    #[serde(default)]
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize, Default)]
struct PageMeta {
    #[serde(default, rename = "continue")]
    next: String,
}

/// What is being read of a namespace.
#[derive(Default)]
struct Reading {
    inventory: Inventory,
    versions: BTreeMap<ObjectId, Version>,
}

/// Reads everything.
pub async fn contents(server: &Server, paths: &Paths) -> Result<Contents, PlaceError> {
    let definitions = labelled(config_maps::DEFINITION);
    let (tenants, components, connections, credentials, integrations, uses) = futures_util::try_join!(
        objects::<TenantSpec>(server, paths, Kind::Tenant),
        objects::<ComponentSpec>(server, paths, Kind::Component),
        objects::<ConnectionSpec>(server, paths, Kind::Connection),
        objects::<CustomerCredentialsSpec>(server, paths, Kind::CustomerCredentials),
        objects::<IntegrationSpec>(server, paths, Kind::Integration),
        pages(server, paths, paths.config_maps(), "configmaps", definitions, uses),
    )?;
    let uses: BTreeMap<String, Arc<Uses>> = uses.into_iter().collect();
    let mut reading = Reading::default();
    reading.take(Kind::Component, components, |object| Item::Component(Arc::new(object)));
    reading.take(Kind::Connection, connections, |object| Item::Connection(Arc::new(object)));
    reading.take(Kind::CustomerCredentials, credentials, |object| Item::CustomerCredentials(Arc::new(object)));
    reading.take(Kind::Integration, integrations, |object| {
        let uses = match &object.spec.definition {
            Some(Definition::ConfigMap(reference)) => uses.get(&reference.name).cloned(),
            _ => None,
        };
        Item::Integration(Arc::new(object), uses)
    });
    let own = tenants.into_iter().filter_map(|live| live.read.ok()).filter(|tenant| tenant.spec.place.is_none());
    Ok(Contents { inventory: Arc::new(reading.inventory), versions: Arc::new(reading.versions), own: own.collect() })
}

impl Reading {
    /// Takes in the objects of one kind. What cannot be read hurts only itself.
    fn take<S>(&mut self, kind: Kind, objects: Vec<Live<Object<S>>>, item: impl Fn(Object<S>) -> Item) {
        for Live { read, name, version, record, others } in objects {
            let id = ObjectId::new(kind, name);
            match read {
                Ok(object) => self.inventory.insert(item(object)),
                Err(why) => drop(self.inventory.invalid.insert(id.clone(), why)),
            }
            if let Some(record) = record {
                self.inventory.records.insert(id.clone(), Arc::new(record));
            }
            if !others.is_empty() {
                self.inventory.holders.insert(id.clone(), others);
            }
            self.versions.insert(id, version);
        }
    }
}

/// Every object of a kind.
async fn objects<S>(server: &Server, paths: &Paths, kind: Kind) -> Result<Vec<Live<Object<S>>>, PlaceError>
where
    S: DeserializeOwned + Send + 'static,
{
    let read = |items: &[Box<RawValue>]| {
        let mut entries = Entries::default();
        items.iter().filter_map(|item| live::read(item.get(), &mut entries)).collect()
    };
    pages(server, paths, paths.kind(kind), kind.plural(), String::new(), read).await
}

/// What the definitions say, each with its ConfigMap. One that cannot be read says nothing.
fn uses(items: &[Box<RawValue>]) -> Vec<(String, Arc<Uses>)> {
    let maps = items.iter().filter_map(|item| serde_json::from_str::<ConfigMap>(item.get()).ok());
    maps.filter_map(|map| {
        let uses = definition::uses(map.definition()?).ok()?;
        Some((map.metadata.name, Arc::new(uses)))
    })
    .collect()
}

/// What `read` makes of every page of a list. Pages after the first are of the same moment as the first;
/// each is read while the next is on its way, and no more of its text is kept than that takes.
async fn pages<T: Send + 'static>(
    server: &Server,
    paths: &Paths,
    path: String,
    resource: &str,
    more: String,
    read: fn(&[Box<RawValue>]) -> Vec<T>,
) -> Result<Vec<T>, PlaceError> {
    let mut beginnings = 1;
    let mut all = Vec::new();
    let mut reading: Option<JoinHandle<Vec<T>>> = None;
    let mut next = String::new();
    loop {
        let mut ask = format!("{path}?limit={PAGE}{more}");
        if !next.is_empty() {
            ask.push_str(&format!("&continue={next}"));
        }
        match server.ask(&Ask::get(ask)).await {
            Ok(bytes) => {
                let Page { metadata, items } = serde_json::from_slice(&bytes).map_err(no_list)?;
                drop(bytes);
                let before = reading.replace(spawn_blocking(move || read(&items)));
                let done = if metadata.next.is_empty() { reading.take() } else { None };
                for page in before.into_iter().chain(done) {
                    all.extend(page.await.map_err(no_list)?);
                }
                if metadata.next.is_empty() {
                    return Ok(all);
                }
                next = metadata.next;
            }
            Err(trouble) if trouble.code() == Some(StatusCode::GONE) && beginnings < BEGINNINGS => {
                beginnings += 1;
                all.clear();
                reading = None;
                next.clear();
            }
            Err(trouble) => {
                return Err(of_place(trouble, server, paths, &Doing { verb: "list", resource, object: None }));
            }
        }
    }
}

fn no_list(error: impl std::fmt::Display) -> PlaceError {
    PlaceError::Failed { what: "a list".to_string(), why: format!("its answer is no list: {error}") }
}

/// One object as it is now.
pub async fn object(server: &Server, paths: &Paths, id: &ObjectId) -> Result<Option<Live<Item>>, PlaceError> {
    let bytes = match server.ask(&Ask::get(paths.object(id))).await {
        Ok(bytes) => bytes,
        Err(trouble) if is_absent(&trouble) => return Ok(None),
        Err(trouble) => {
            let doing = Doing { verb: "get", resource: id.kind.plural(), object: Some(id) };
            return Err(of_place(trouble, server, paths, &doing));
        }
    };
    let Some(mut live) = live::item(id, &String::from_utf8_lossy(&bytes)) else { return Ok(None) };
    if let Ok(Item::Integration(object, uses)) = &mut live.read
        && let Some(Definition::ConfigMap(reference)) = &object.spec.definition
    {
        let map = config_map(server, paths, &reference.name).await?;
        *uses = map.and_then(|map| definition::uses(map.definition()?).ok()).map(Arc::new);
    }
    Ok(Some(live))
}

/// The bytes of an integration's definition.
pub async fn definition(server: &Server, paths: &Paths, integration: &str) -> Result<Vec<u8>, PlaceError> {
    let id = ObjectId::new(Kind::Integration, integration);
    let nothing = |why: &str| PlaceError::Refused { object: id.clone(), why: why.to_string() };
    let live = object(server, paths, &id).await?.ok_or_else(|| nothing("it is not there"))?;
    let Ok(Item::Integration(object, _)) = live.read else { return Err(nothing("it cannot be read")) };
    let Some(Definition::ConfigMap(reference)) = &object.spec.definition else {
        return Err(nothing("its definition is not in the cluster"));
    };
    let map = config_map(server, paths, &reference.name).await?;
    let bytes = map.as_ref().and_then(ConfigMap::definition).map(<[u8]>::to_vec);
    bytes.ok_or_else(|| nothing(&format!("ConfigMap {}, which holds its definition, is not there", reference.name)))
}

async fn config_map(server: &Server, paths: &Paths, name: &str) -> Result<Option<ConfigMap>, PlaceError> {
    match server.ask(&Ask::get(paths.config_map(name))).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(trouble) if is_absent(&trouble) => Ok(None),
        Err(trouble) => {
            Err(of_place(trouble, server, paths, &Doing { verb: "get", resource: "configmaps", object: None }))
        }
    }
}

/// Whether an object is not there, though its kind is.
fn is_absent(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Refused(refused) if refused.code == StatusCode::NOT_FOUND && refused.is_status)
}

/// What was approved and is not settled.
#[derive(Debug, Default)]
pub struct Approvals {
    /// The ConfigMaps that keep it.
    pub config_maps: BTreeSet<String>,
    /// The digests in them.
    pub digests: BTreeSet<String>,
}

/// Reads what was approved and is not settled.
pub async fn approvals(server: &Server, paths: &Paths) -> Result<Approvals, PlaceError> {
    let found = pages(server, paths, paths.config_maps(), "configmaps", labelled(config_maps::APPROVED), maps).await?;
    Ok(Approvals {
        digests: found.iter().flat_map(ConfigMap::approved).map(str::to_string).collect(),
        config_maps: found.into_iter().map(|map| map.metadata.name).collect(),
    })
}

/// Only what has this label, as a part of a query.
fn labelled(label: &str) -> String {
    format!("&labelSelector={}%3Dtrue", label.replace('/', "%2F"))
}

fn maps(items: &[Box<RawValue>]) -> Vec<ConfigMap> {
    items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}
