//! Reading a namespace: our kinds and the definitions' ConfigMaps, by pages that are of one moment a kind.

use super::config_maps::{self, ConfigMap};
use super::live::{self, Live, Version};
use super::managed::Names;
use super::paths::Paths;
use super::server::{Ask, Server, Trouble};
use super::trouble::{Doing, of_place};
use crate::api::*;
use crate::engine::field::Field;
use crate::engine::item::{Item, ObjectId};
use crate::engine::world::Inventory;
use crate::manifest::definition;
use crate::tenant::PlaceError;
use http::StatusCode;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

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

#[derive(Deserialize)]
struct Page<'a> {
    metadata: PageMeta,
    #[serde(borrow, default)]
    items: Vec<&'a RawValue>,
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
    names: Names,
}

/// Reads everything.
pub async fn contents(server: &Server, paths: &Paths) -> Result<Contents, PlaceError> {
    let kind = |kind: Kind| pages(server, paths, paths.kind(kind), kind.plural(), String::new());
    let definitions = format!("&labelSelector={}%3Dtrue", config_maps::DEFINITION.replace('/', "%2F"));
    let (tenants, components, connections, credentials, integrations, maps) = futures_util::try_join!(
        kind(Kind::Tenant),
        kind(Kind::Component),
        kind(Kind::Connection),
        kind(Kind::CustomerCredentials),
        kind(Kind::Integration),
        pages(server, paths, paths.config_maps(), "configmaps", definitions),
    )?;
    let mut reading = Reading::default();
    reading.objects(Kind::Component, &components, |inventory, object| {
        inventory.insert(Item::Component(Arc::new(object)));
    })?;
    drop(components);
    reading.objects(Kind::Connection, &connections, |inventory, object| {
        inventory.insert(Item::Connection(Arc::new(object)));
    })?;
    drop(connections);
    reading.objects(Kind::CustomerCredentials, &credentials, |inventory, object| {
        inventory.insert(Item::CustomerCredentials(Arc::new(object)));
    })?;
    let uses = uses(&maps)?;
    reading.objects(Kind::Integration, &integrations, |inventory, object: Object<IntegrationSpec>| {
        let uses = match &object.spec.definition {
            Some(Definition::ConfigMap(reference)) => uses.get(&reference.name).cloned(),
            _ => None,
        };
        inventory.insert(Item::Integration(Arc::new(object), uses));
    })?;
    let own = own_tenants(&tenants)?;
    Ok(Contents { inventory: Arc::new(reading.inventory), versions: Arc::new(reading.versions), own })
}

impl Reading {
    /// Reads the pages of one kind. What cannot be read hurts only itself.
    fn objects<S: DeserializeOwned>(
        &mut self,
        kind: Kind,
        pages: &[Vec<u8>],
        mut insert: impl FnMut(&mut Inventory, Object<S>),
    ) -> Result<(), PlaceError> {
        for page in pages {
            for item in page_of(page)?.items {
                let Some(live) = live::read::<S>(item.get(), &mut self.names) else { continue };
                let Live { read, name, version, record, others } = live;
                let id = ObjectId::new(kind, name);
                match read {
                    Ok(object) => insert(&mut self.inventory, object),
                    Err(why) => drop(self.inventory.invalid.insert(id.clone(), why)),
                }
                if let Some(record) = record {
                    self.inventory.records.insert(id.clone(), Arc::new(record));
                }
                if !others.is_empty() {
                    let held: BTreeMap<Field<'static>, Arc<str>> = others;
                    self.inventory.holders.insert(id.clone(), held);
                }
                self.versions.insert(id, version);
            }
        }
        Ok(())
    }
}

fn own_tenants(pages: &[Vec<u8>]) -> Result<Vec<Object<TenantSpec>>, PlaceError> {
    let mut own = Vec::new();
    for page in pages {
        for item in page_of(page)?.items {
            let live = live::read::<TenantSpec>(item.get(), &mut Names::default());
            own.extend(live.and_then(|live| live.read.ok()).filter(|tenant| tenant.spec.place.is_none()));
        }
    }
    Ok(own)
}

/// What the definitions say, by ConfigMap. One that cannot be read says nothing.
fn uses(pages: &[Vec<u8>]) -> Result<BTreeMap<String, Arc<Uses>>, PlaceError> {
    let mut uses = BTreeMap::new();
    for page in pages {
        for item in page_of(page)?.items {
            let Ok(map) = serde_json::from_str::<ConfigMap>(item.get()) else { continue };
            let read = map.definition().and_then(|bytes| definition::uses(bytes).ok());
            uses.extend(read.map(|uses| (map.metadata.name.clone(), Arc::new(uses))));
        }
    }
    Ok(uses)
}

fn page_of(bytes: &[u8]) -> Result<Page<'_>, PlaceError> {
    serde_json::from_slice(bytes).map_err(|error| PlaceError::Failed {
        what: "a list".to_string(),
        why: format!("its answer is no list: {error}"),
    })
}

/// Every page of a list. Pages after the first are of the same moment as the first.
pub async fn pages(
    server: &Server,
    paths: &Paths,
    path: String,
    resource: &str,
    more: String,
) -> Result<Vec<Vec<u8>>, PlaceError> {
    let mut beginnings = 1;
    let mut pages: Vec<Vec<u8>> = Vec::new();
    let mut next = String::new();
    loop {
        let mut ask = format!("{path}?limit={PAGE}{more}");
        if !next.is_empty() {
            ask.push_str(&format!("&continue={next}"));
        }
        match server.ask(&Ask::get(ask)).await {
            Ok(page) => {
                let token = page_of(&page)?.metadata.next;
                pages.push(page);
                if token.is_empty() {
                    return Ok(pages);
                }
                next = token;
            }
            Err(trouble) if trouble.code() == Some(StatusCode::GONE) && beginnings < BEGINNINGS => {
                beginnings += 1;
                pages.clear();
                next.clear();
            }
            Err(trouble) => {
                return Err(of_place(trouble, server, paths, &Doing { verb: "list", resource, object: None }));
            }
        }
    }
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

/// What was approved and not settled: the names of the ConfigMaps, and the digests in them.
pub async fn approvals(server: &Server, paths: &Paths) -> Result<BTreeMap<String, Vec<String>>, PlaceError> {
    let label = format!("&labelSelector={}%3Dtrue", config_maps::APPROVED.replace('/', "%2F"));
    let mut found = BTreeMap::new();
    for page in pages(server, paths, paths.config_maps(), "configmaps", label).await? {
        for item in page_of(&page)?.items {
            let Ok(map) = serde_json::from_str::<ConfigMap>(item.get()) else { continue };
            found.insert(map.metadata.name.clone(), map.approved().map(str::to_string).collect());
        }
    }
    Ok(found)
}
