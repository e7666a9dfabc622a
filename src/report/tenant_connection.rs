//! The connections of a tenant, each with its users.

use super::binding::{ConnectionBrief, Scene};
use crate::api::{ConnectionSpec, Object};
use crate::engine::bindings::Bindings;
use crate::engine::check::missing_inputs;
use serde::Serialize;
use std::collections::BTreeSet;

/// A connection of a tenant, with its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionOfTenant {
    /// The properties of the connection.
    #[serde(flatten)]
    pub connection: ConnectionBrief,
    /// The required inputs that it lacks.
    pub lacks: Vec<String>,
    /// Whether the location reports nothing that keeps it from being used.
    #[serde(skip)]
    pub ready: bool,
    /// The older keys that resolve to it.
    pub replaces: Vec<String>,
    /// The integrations that are bound to it.
    pub used_by: Vec<String>,
    /// The number of customers with credentials for it; never their names.
    pub customers: usize,
}

impl ConnectionOfTenant {
    /// All connections of a tenant, by name.
    pub fn all(tenant: &str, scene: &Scene<'_>) -> Vec<Self> {
        let bindings = Bindings::of(tenant, scene.inventory, &scene.replacements);
        scene.inventory.connections.values().map(|connection| Self::of(connection, scene, &bindings)).collect()
    }

    /// One connection.
    pub(super) fn of(connection: &Object<ConnectionSpec>, scene: &Scene<'_>, bindings: &Bindings<'_>) -> Self {
        let (inventory, name) = (scene.inventory, connection.name());
        let users: BTreeSet<String> = bindings.users(name).map(|row| row.integration.to_string()).collect();
        ConnectionOfTenant {
            connection: ConnectionBrief::of(&connection.spec),
            ready: !inventory.is_unready(name),
            lacks: missing_inputs(&connection.spec, inventory).into_iter().map(str::to_string).collect(),
            replaces: connection.spec.replaces.clone(),
            used_by: users.into_iter().collect(),
            customers: bindings.customers(name).len().max(inventory.told_customers(name)),
        }
    }
}
