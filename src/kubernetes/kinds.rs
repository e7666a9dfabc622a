//! The listed and watched resources of a namespace: Stablekey's custom resources, and the ConfigMaps with definitions.

use super::cache::CachedDefinition;
use super::config_maps::{self, ConfigMap};
use super::list::{self, Listing, PAGE, ReadPage};
use super::managed_fields::Entries;
use super::object::{self, Depth, Live};
use super::paths::Paths;
use crate::api::{Kind, Object};
use crate::engine::model::item::Item;
use crate::platform::definition;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::sync::Arc;

/// Maximum number of Tenants, and of TenantSyncs, in a namespace.
const MOST_OF_A_HUB: usize = 5_000;
/// Page size of the list of definitions: each may be almost as large as an object can be.
const DEFINITIONS_A_PAGE: usize = 20;

/// Lists the objects of a kind that tenants contain.
pub fn items(paths: &Paths, kind: Kind, of: Depth) -> Listing<Live<Item>> {
    let entries = Entries::default();
    let read = move |page: &[Box<RawValue>]| {
        page.iter().filter_map(|item| object::item(kind, item.get(), &entries, of)).collect()
    };
    of_kind(paths, kind, Arc::new(read))
}

fn of_kind<T>(paths: &Paths, kind: Kind, read: ReadPage<T>) -> Listing<T> {
    // A namespace has one Tenant, or is a hub of some.
    let most = if matches!(kind, Kind::Tenant | Kind::TenantSync) { MOST_OF_A_HUB } else { list::MOST };
    let (path, resource, selector) = (paths.kind(kind), kind.plural(), String::new());
    Listing { path, resource, selector, read, most, page: PAGE }
}

/// Lists the objects of a custom resource.
pub fn objects<S>(paths: &Paths, kind: Kind, of: Depth) -> Listing<Live<Object<S>>>
where
    S: DeserializeOwned + Send + 'static,
{
    let entries = Entries::default();
    let read =
        move |page: &[Box<RawValue>]| page.iter().filter_map(|item| object::read(item.get(), &entries, of)).collect();
    of_kind(paths, kind, Arc::new(read))
}

/// Lists the definitions' uses, each with its ConfigMap. A definition that cannot be read has none.
pub fn definitions(paths: &Paths) -> Listing<CachedDefinition> {
    let read = |page: &[Box<RawValue>]| {
        let defined = |map: ConfigMap| CachedDefinition {
            uses: map.definition().and_then(|bytes| definition::uses(bytes).ok()).map(Arc::new),
            name: map.metadata.name,
        };
        maps(page).into_iter().map(defined).collect()
    };
    config_maps(paths, config_maps::DEFINITION, read)
}

/// Lists the ConfigMaps with a label of Stablekey.
fn config_maps<T>(
    paths: &Paths,
    label: &str,
    read: impl Fn(&[Box<RawValue>]) -> Vec<T> + Send + Sync + 'static,
) -> Listing<T> {
    let selector = format!("&labelSelector={}%3Dtrue", label.replace('/', "%2F"));
    let (path, resource, read) = (paths.config_maps(), "configmaps", Arc::new(read) as ReadPage<T>);
    Listing { path, resource, selector, read, most: list::MOST, page: DEFINITIONS_A_PAGE }
}

fn maps(items: &[Box<RawValue>]) -> Vec<ConfigMap> {
    items.iter().filter_map(|item| serde_json::from_str(item.get()).ok()).collect()
}
