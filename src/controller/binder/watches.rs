//! The watches of a tenant's namespace.

use super::definition_owners::DefinitionMap;
use super::secret::fingerprint::Salt;
use super::secret::observed::ObservedSecret;
use crate::api::{FOR, FOR_BINDING, FOR_CONNECTIONS, Kind, Object, TenantSpec};
use crate::engine::model::item::Item;
use crate::kubernetes::cache::Delta;
use crate::kubernetes::client::Server;
use crate::kubernetes::config_maps::DEFINITION;
use crate::kubernetes::kinds;
use crate::kubernetes::list::{Listing, MOST, PAGE};
use crate::kubernetes::object::{Depth, Live};
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{WatchHandle, WatchHandler, WatchSet};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The custom resources that the binder watches.
pub(super) const KINDS: [Kind; 4] = [Kind::Component, Kind::Connection, Kind::CustomerCredentials, Kind::Integration];
/// Page size of the list of definitions: each may be almost as large as an object can be.
const DEFINITIONS_A_PAGE: usize = 20;
pub(super) const SECRETS: &str = "secrets";
pub(super) const DEFINITIONS: &str = "configmaps";

/// A change of a watched resource.
#[derive(Debug)]
pub(super) enum BinderDelta {
    /// Custom resources of one kind.
    Items(Kind, Delta<Live<Item>>),
    /// Secrets that opted in, and binding Secrets.
    Secrets(Delta<ObservedSecret>),
    /// ConfigMaps with definitions.
    Definitions(Delta<DefinitionMap>),
}

/// Watches a namespace from scratch.
pub(super) fn namespace(
    server: &Server,
    paths: &Paths,
    salt: &Arc<Salt>,
    on_event: WatchHandler<BinderDelta>,
) -> WatchHandle {
    let mut watches = WatchSet::new(server, paths, on_event);
    for kind in KINDS {
        watches.watch(kinds::items(paths, kind, Depth::WithStatus), move |delta| BinderDelta::Items(kind, delta));
    }
    watches.watch(secrets(paths, salt), BinderDelta::Secrets);
    watches.watch(definitions(paths), BinderDelta::Definitions);
    watches.done()
}

/// Watches the Tenants of a namespace: the namespace's own Tenant names the tenant.
pub(super) fn tenants(
    server: &Server,
    paths: &Paths,
    on_event: WatchHandler<Delta<Live<Object<TenantSpec>>>>,
) -> WatchHandle {
    let mut watches = WatchSet::new(server, paths, on_event);
    watches.watch(kinds::objects(paths, Kind::Tenant, Depth::Spec), |delta| delta);
    watches.done()
}

/// Lists only Secrets with Stablekey's label: those that opted in, and binding Secrets.
fn secrets(paths: &Paths, salt: &Arc<Salt>) -> Listing<ObservedSecret> {
    let salt = salt.clone();
    let read = move |page: &[Box<RawValue>]| {
        page.iter().filter_map(|secret| ObservedSecret::parse(secret.get().as_bytes(), &salt).ok()).collect()
    };
    let label = FOR.replace('/', "%2F");
    let selector = format!("&labelSelector={label}+in+%28{FOR_CONNECTIONS}%2C{FOR_BINDING}%29");
    Listing { path: paths.secrets(), resource: SECRETS, selector, read: Arc::new(read), most: MOST, page: PAGE }
}

fn definitions(paths: &Paths) -> Listing<DefinitionMap> {
    let selector = format!("&labelSelector={}%3Dtrue", DEFINITION.replace('/', "%2F"));
    let read = |page: &[Box<RawValue>]| page.iter().filter_map(|map| DefinitionMap::parse(map.get())).collect();
    Listing {
        path: paths.config_maps(),
        resource: DEFINITIONS,
        selector,
        read: Arc::new(read),
        most: MOST,
        page: DEFINITIONS_A_PAGE,
    }
}
