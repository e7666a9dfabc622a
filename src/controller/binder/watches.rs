//! What the binder watches of a tenant's namespace.

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
use crate::kubernetes::watch::{Follower, Following, WatchHandler};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The kinds of custom resources that the binder watches.
pub const KINDS: [Kind; 4] = [Kind::Component, Kind::Connection, Kind::CustomerCredentials, Kind::Integration];
/// How many definitions are read at once: each may be nearly as large as an object can be.
const DEFINITIONS_A_PAGE: usize = 20;
pub const SECRETS: &str = "secrets";
pub const DEFINITIONS: &str = "configmaps";

/// A change of what is watched in a namespace.
#[derive(Debug)]
pub enum BinderDelta {
    /// Of custom resources of one kind.
    Items(Kind, Delta<Live<Item>>),
    /// Of Secrets that opted in, and of binding Secrets.
    Secrets(Delta<ObservedSecret>),
    /// Of the ConfigMaps with definitions.
    Definitions(Delta<DefinitionMap>),
}

/// Watches a namespace: nothing of it is known before.
pub fn namespace(server: &Server, paths: &Paths, salt: &Arc<Salt>, tell: WatchHandler<BinderDelta>) -> Following {
    let mut follower = Follower::new(server, paths, tell);
    for kind in KINDS {
        follower.follow(kinds::items(paths, kind, Depth::WithStatus), move |news| BinderDelta::Items(kind, news));
    }
    follower.follow(secrets(paths, salt), BinderDelta::Secrets);
    follower.follow(definitions(paths), BinderDelta::Definitions);
    follower.done()
}

/// Watches the Tenants of a namespace: its own says what the tenant is called.
pub fn tenants(server: &Server, paths: &Paths, tell: WatchHandler<Delta<Live<Object<TenantSpec>>>>) -> Following {
    let mut follower = Follower::new(server, paths, tell);
    follower.follow(kinds::objects(paths, Kind::Tenant, Depth::Spec), |news| news);
    follower.done()
}

/// Only Secrets with our label: those that opted in, and those that we made.
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
