//! Which syncs keep a connection of a target the same as in their source.

use super::model::inventory::{Inventory, Sync, View, World};
use crate::api::{ConnectionMode, Variable, names};

/// The syncs that mirror a connection, given by its name, into a tenant: they are accepted there, and one of the
/// integrations that they copy uses it.
pub fn feeding<'w>(world: &'w World, tenant: &str, connection: &str) -> Vec<&'w Sync> {
    let Some(target) = world.tenants.get(tenant) else { return Vec::new() };
    let feeds = |sync: &&Sync| {
        let spec = &sync.spec;
        let is_mirror = spec.connection_mode() == ConnectionMode::Mirror;
        let is_accepted = spec.to.iter().any(|to| to == tenant) && target.spec.accept_from.contains(&spec.from);
        let Some(source) = world.tenants.get(&spec.from).filter(|_| is_mirror && is_accepted) else { return false };
        let mut read = [Some(&source.live), source.source.as_ref()].into_iter().flatten().filter_map(View::inventory);
        read.any(|read| uses(read, spec, connection))
    };
    world.syncs.iter().filter(feeds).collect()
}

/// Whether the integrations that a sync copies use a connection, by its key or an older one that it replaces.
fn uses(source: &Inventory, spec: &crate::api::TenantSyncSpec, connection: &str) -> bool {
    let Some(found) = source.connections.get(connection) else { return false };
    let is_it = |key: &str| names::of_stable_key(key) == connection || found.spec.replaces.iter().any(|old| old == key);
    let selected = source.integrations.values().filter(|integration| spec.selects(integration.name()));
    selected.flat_map(|integration| &integration.spec.connections).filter_map(Variable::stable_key).any(is_it)
}
