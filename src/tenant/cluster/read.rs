//! Reads a namespace: custom resources and the definitions' ConfigMaps. All pages of a kind have the same resource
//! version.

use crate::api::*;
use crate::engine::model::item::{Item, ObjectId};
use crate::kubernetes::budget::Budget;
use crate::kubernetes::cache::{Cache, Contents, Delta, NamespaceDelta};
use crate::kubernetes::client::{ApiRequest, RequestFailure, Server};
use crate::kubernetes::config_maps::ConfigMap;
use crate::kubernetes::error::{RequestContext, explained};
use crate::kubernetes::kinds::{definitions, items, objects};
use crate::kubernetes::list;
use crate::kubernetes::list::{PAGE, list};
use crate::kubernetes::managed_fields::Entries;
use crate::kubernetes::object;
use crate::kubernetes::object::{Depth, Live};
use crate::kubernetes::paths::{ALL_NAMESPACES, Paths};
use crate::near_miss::what_there_is;
use crate::platform::definition;
use crate::tenant::location::LocationError;
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;

/// Maximum number of bytes of a namespace that one command keeps.
pub const MOST_BYTES: usize = 1024 * 1024 * 1024;

/// Reads everything.
pub async fn contents(server: &Server, paths: &Paths) -> Result<Contents, LocationError> {
    let items = |kind| items(paths, kind, Depth::Spec);
    let (tenants, components, connections, credentials, integrations, defined) = (
        objects::<TenantSpec>(paths, Kind::Tenant, Depth::Spec),
        items(Kind::Component),
        items(Kind::Connection),
        items(Kind::CustomerCredentials),
        items(Kind::Integration),
        definitions(paths),
    );
    let budget = Budget::of(MOST_BYTES);
    let (tenants, components, connections, credentials, integrations, defined) = futures_util::try_join!(
        list(server, paths, &tenants, &budget),
        list(server, paths, &components, &budget),
        list(server, paths, &connections, &budget),
        list(server, paths, &credentials, &budget),
        list(server, paths, &integrations, &budget),
        list(server, paths, &defined, &budget),
    )?;
    let mut cache = Cache::default();
    cache.apply(NamespaceDelta::Tenants(Box::new(Delta::All(tenants.items))));
    cache.apply(NamespaceDelta::Definitions(Delta::All(defined.items)));
    cache.apply(NamespaceDelta::Items(Kind::Component, Box::new(Delta::All(components.items))));
    cache.apply(NamespaceDelta::Items(Kind::Connection, Box::new(Delta::All(connections.items))));
    cache.apply(NamespaceDelta::Items(Kind::CustomerCredentials, Box::new(Delta::All(credentials.items))));
    cache.apply(NamespaceDelta::Items(Kind::Integration, Box::new(Delta::All(integrations.items))));
    if cache.is_over() {
        let doing = RequestContext { verb: "list", resource: "objects", object: None };
        let why = format!("there are more than {} of a kind: nothing of it is used", list::MOST);
        return Err(explained(RequestFailure::NotAsked(why), server, paths, &doing).into());
    }
    Ok(cache.into_contents())
}

/// Returns that an empty namespace does not exist, with the names of those that do. `None` if it exists, or if the
/// account may not know: most may not read namespaces.
pub async fn absence(server: &Server, paths: &Paths) -> Option<String> {
    let failure = server.request(&ApiRequest::get(paths.itself())).await.err()?;
    if !failure.is_absent() {
        return None;
    }
    let there = match server.request(&ApiRequest::get(format!("{ALL_NAMESPACES}?limit={PAGE}"))).await {
        Ok(bytes) => what_there_is(paths.namespace(), names(&bytes).iter().map(String::as_str)),
        Err(failure) if failure.code() == Some(StatusCode::FORBIDDEN) => {
            "this account may not list namespaces (kubectl get namespaces)".to_string()
        }
        Err(_) => "kubectl get namespaces shows which there are".to_string(),
    };
    Some(format!("namespace {} does not exist; {there}", paths.namespace()))
}

/// Returns why objects may be missing from a namespace only because it is ending or gone. `None` if it is neither, or
/// if the account may not know.
pub async fn ending(server: &Server, paths: &Paths) -> Option<String> {
    #[derive(Deserialize)]
    struct Namespace {
        metadata: Ending,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Ending {
        deletion_timestamp: Option<String>,
    }
    let namespace = paths.namespace();
    match server.request(&ApiRequest::get(paths.itself())).await {
        Ok(bytes) => {
            let Namespace { metadata } = serde_json::from_slice(&bytes).ok()?;
            metadata.deletion_timestamp.map(|_| format!("namespace {namespace} is being deleted"))
        }
        Err(failure) if failure.is_absent() => Some(format!("namespace {namespace} is not there")),
        Err(failure) if failure.code() == Some(StatusCode::FORBIDDEN) => None,
        Err(failure) => Some(format!("namespace {namespace} cannot be asked for: {failure}")),
    }
}

/// Returns the names in a list of namespaces, without those of Kubernetes itself.
fn names(list: &[u8]) -> Vec<String> {
    #[derive(Deserialize)]
    struct NamespaceNames {
        items: Vec<NamespaceItem>,
    }
    #[derive(Deserialize)]
    struct NamespaceItem {
        metadata: Meta,
    }
    let items = serde_json::from_slice::<NamespaceNames>(list).map(|list| list.items).unwrap_or_default();
    items.into_iter().map(|item| item.metadata.name).filter(|name| !name.starts_with("kube-")).collect()
}

/// Reads one object.
pub async fn object(server: &Server, paths: &Paths, id: &ObjectId) -> Result<Option<Live<Item>>, LocationError> {
    let bytes = match server.request(&ApiRequest::get(paths.object(id))).await {
        Ok(bytes) => bytes,
        Err(failure) if failure.is_absent() => return Ok(None),
        Err(failure) => {
            let doing = RequestContext { verb: "get", resource: id.kind.plural(), object: Some(id) };
            return Err(explained(failure, server, paths, &doing).into());
        }
    };
    let text = String::from_utf8_lossy(&bytes);
    let Some(mut live) = object::item(id.kind, &text, &Entries::default(), Depth::Spec) else { return Ok(None) };
    if let Ok(Item::Integration(object, uses)) = &mut live.read
        && let Some(Definition::ConfigMap(reference)) = &object.spec.definition
    {
        let map = config_map(server, paths, &reference.name).await?;
        *uses = map.and_then(|map| definition::uses(map.definition()?).ok()).map(Arc::new);
    }
    Ok(Some(live))
}

/// Reads an integration's definition.
pub async fn definition(server: &Server, paths: &Paths, integration: &str) -> Result<Vec<u8>, LocationError> {
    let id = ObjectId::new(Kind::Integration, integration);
    let nothing = |why: &str| LocationError::Refused { object: id.clone(), why: why.to_string() };
    let live = object(server, paths, &id).await?.ok_or_else(|| nothing("it is not there"))?;
    let Ok(Item::Integration(object, _)) = live.read else { return Err(nothing("it cannot be read")) };
    let Some(Definition::ConfigMap(reference)) = &object.spec.definition else {
        return Err(nothing("its definition is not in the cluster"));
    };
    let map = config_map(server, paths, &reference.name).await?;
    let bytes = map.as_ref().and_then(ConfigMap::definition).map(<[u8]>::to_vec);
    bytes.ok_or_else(|| nothing(&format!("ConfigMap {}, which holds its definition, is not there", reference.name)))
}

/// Reads a ConfigMap.
pub async fn config_map(server: &Server, paths: &Paths, name: &str) -> Result<Option<ConfigMap>, LocationError> {
    match server.request(&ApiRequest::get(paths.config_map(name))).await {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(failure) if failure.is_absent() => Ok(None),
        Err(failure) => Err(explained(
            failure,
            server,
            paths,
            &RequestContext { verb: "get", resource: "configmaps", object: None },
        )
        .into()),
    }
}
