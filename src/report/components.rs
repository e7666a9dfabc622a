//! Components and their connections in every tenant: the connections page.

use super::binding::{ComponentBrief, Scene};
use super::matrix::{Cell, Matrix};
use super::tenant_connection::ConnectionOfTenant;
use crate::api::{ComponentSpec, Kind};
use crate::engine::bindings::Bindings;
use crate::engine::model::inventory::World;
use crate::engine::model::item::ObjectId;
use crate::near_miss::near_misses;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Components with their connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentsReport {
    /// The schema `stablekey.dev/components/v1`.
    pub schema: &'static str,
    /// The columns: all tenants.
    pub tenants: Vec<String>,
    /// The components that match the search, by key.
    pub components: Vec<ComponentConnections>,
}

/// A component with its connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentConnections {
    /// The component.
    pub component: ComponentBrief,
    /// The connection types that it offers, where a Component says so.
    pub types: BTreeSet<String>,
    /// Its connections, by stable key.
    pub connections: Vec<KeyInTenants>,
}

/// A stable key in every tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInTenants {
    pub stable_key: String,
    /// What each tenant has, by name of the tenant.
    pub tenants: BTreeMap<String, KeyInTenant>,
}

/// A stable key in one tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInTenant {
    /// The state.
    pub state: Cell,
    /// The connection; absent if the tenant has none.
    #[serde(flatten)]
    pub connection: Option<ShownConnection>,
}

/// What a tenant has for a stable key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ShownConnection {
    /// The connection, with its users.
    #[serde(flatten)]
    pub connection: ConnectionOfTenant,
    /// The title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Whether customers may use it in the embedded workflow builder.
    pub embedded_workflows: bool,
    /// The number of inputs of the test credentials.
    pub test_inputs: usize,
}

impl ComponentsReport {
    /// The connections. Each is known by its stable key.
    pub fn objects(&self) -> Vec<ObjectId> {
        let keys = self.components.iter().flat_map(|component| &component.connections);
        keys.map(|key| ObjectId::new(Kind::Connection, &key.stable_key)).collect()
    }

    /// Finds the components whose key contains the search, independent of case; all for an empty one.
    pub fn of(world: &World, matrix: &Matrix, search: &str) -> Self {
        let wanted = search.to_lowercase();
        let mut components: BTreeMap<ComponentBrief, ComponentConnections> = BTreeMap::new();
        let of = |brief: ComponentBrief| ComponentConnections {
            component: brief,
            types: BTreeSet::new(),
            connections: Vec::new(),
        };
        for component in declared(world) {
            let brief = ComponentBrief { key: component.key.clone(), public: component.is_public() };
            let types = component.types.iter().map(|type_| type_.key.clone());
            components.entry(brief.clone()).or_insert_with(|| of(brief)).types.extend(types);
        }
        let scenes: BTreeMap<&str, Scene<'_>> =
            world.tenants.keys().filter_map(|name| Some((name.as_str(), Scene::of(world, name)?))).collect();
        let bindings: BTreeMap<&str, Bindings<'_>> = scenes
            .iter()
            .map(|(name, scene)| (*name, Bindings::of(name, scene.inventory, &scene.replacements)))
            .collect();
        let mut rows: Vec<_> = matrix.rows.iter().filter_map(|row| Some((row.component.clone()?, row))).collect();
        rows.sort_by(|(_, a), (_, b)| a.stable_key.cmp(&b.stable_key));
        for (brief, row) in rows {
            let in_tenant = |(tenant, state): (&String, &Cell)| {
                let shown =
                    scenes.get(tenant.as_str()).zip(bindings.get(tenant.as_str())).and_then(|(scene, bindings)| {
                        let connection = scene.inventory.connection(&row.stable_key)?;
                        Some(ShownConnection {
                            connection: ConnectionOfTenant::of(connection, scene, bindings),
                            title: connection.spec.title.clone(),
                            embedded_workflows: connection.spec.embedded_workflows.unwrap_or_default(),
                            test_inputs: connection.spec.test.as_ref().map_or(0, |test| test.inputs.len()),
                        })
                    });
                (tenant.clone(), KeyInTenant { state: *state, connection: shown })
            };
            let tenants = matrix.tenants.iter().zip(&row.cells).map(in_tenant).collect();
            let key = KeyInTenants { stable_key: row.stable_key.clone(), tenants };
            components.entry(brief.clone()).or_insert_with(|| of(brief)).connections.push(key);
        }
        let is_wanted = |component: &ComponentConnections| component.component.key.to_lowercase().contains(&wanted);
        ComponentsReport {
            schema: "stablekey.dev/components/v1",
            tenants: matrix.tenants.clone(),
            components: components.into_values().filter(is_wanted).collect(),
        }
    }

    /// The keys of components that a search without a result may have meant.
    pub fn near(world: &World, search: &str) -> Vec<String> {
        let inventories = world.tenants.values().filter_map(|view| view.live.inventory());
        let used = inventories.flat_map(|i| i.connections.values()).map(|c| c.spec.component.key.as_str());
        let keys: BTreeSet<&str> = declared(world).map(|component| component.key.as_str()).chain(used).collect();
        near_misses(search, keys).into_iter().map(str::to_string).collect()
    }
}

/// The Components of all tenants.
fn declared(world: &World) -> impl Iterator<Item = &ComponentSpec> {
    let views = world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
    let inventories = views.filter_map(|view| view.inventory());
    inventories.flat_map(|inventory| inventory.components.values()).map(|component| &component.spec)
}
