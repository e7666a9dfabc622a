//! Which syncs bring an integration to a target, and keep a connection there the same as in their source.

use super::model::inventory::{Inventory, Sync, TenantView, View, World};
use crate::api::{ConnectionMode, Variable, names};
use std::collections::{BTreeMap, BTreeSet};

/// The syncs that mirror a connection, given by its name, into a tenant: they are accepted there, and one of the
/// integrations that they copy uses it.
pub fn feeding<'w>(world: &'w World, tenant: &str, connection: &str) -> Vec<&'w Sync> {
    let mirrors = world.syncs.iter().filter(|sync| sync.spec.connection_mode() == ConnectionMode::Mirror);
    let feeds = |sync: &&Sync| {
        let Some(source) = source(world, sync, tenant) else { return false };
        inventories(source).any(|read| uses(read, &sync.spec, connection))
    };
    mirrors.filter(feeds).collect()
}

/// Where the connections come from that syncs mirror into tenants. Each tenant is looked up once.
#[derive(Debug)]
pub struct Origins<'w> {
    world: &'w World,
    /// By tenant, the names of its mirrored connections, each with the tenant that it comes from.
    fed: BTreeMap<&'w str, BTreeMap<&'w str, &'w str>>,
}

impl<'w> Origins<'w> {
    /// Knows nothing yet.
    pub fn new(world: &'w World) -> Self {
        Origins { world, fed: BTreeMap::new() }
    }

    /// The first tenant of the chain of syncs that brings a connection, given by its name, to a tenant; `None` if no
    /// sync does, as [`feeding`] decides.
    pub fn of(&mut self, tenant: &str, connection: &str) -> Option<&'w str> {
        let mut seen = BTreeSet::new();
        let mut at = None;
        while let Some(from) = self.from(at.unwrap_or(tenant), connection).filter(|from| seen.insert(*from)) {
            at = Some(from);
        }
        at
    }

    fn from(&mut self, tenant: &str, connection: &str) -> Option<&'w str> {
        let world = self.world;
        let (name, _) = world.tenants.get_key_value(tenant)?;
        self.fed.entry(name).or_insert_with(|| fed(world, name)).get(connection).copied()
    }
}

fn fed<'w>(world: &'w World, tenant: &str) -> BTreeMap<&'w str, &'w str> {
    let mut fed = BTreeMap::new();
    for sync in world.syncs.iter().filter(|sync| sync.spec.connection_mode() == ConnectionMode::Mirror) {
        let Some(source) = source(world, sync, tenant) else { continue };
        for read in inventories(source) {
            let selected = read.integrations.values().filter(|integration| sync.spec.selects(integration.name()));
            let keys = selected.flat_map(|integration| &integration.spec.connections).filter_map(Variable::stable_key);
            let keys: BTreeSet<&str> = keys.collect();
            let used: BTreeSet<String> = keys.iter().map(|key| names::of_stable_key(key)).collect();
            for (name, connection) in &read.connections {
                if used.contains(name) || connection.spec.replaces.iter().any(|old| keys.contains(old.as_str())) {
                    fed.entry(name.as_str()).or_insert(sync.spec.from.as_str());
                }
            }
        }
    }
    fed
}

/// The syncs that bring an integration, given by its name, to a tenant: their source has it, or a further sync brings it
/// there.
pub fn bringing<'w>(world: &'w World, tenant: &str, integration: &str) -> Vec<&'w Sync> {
    brings(world, tenant, integration, &[])
}

/// `above` are the tenants that it would be brought to from here: a cycle brings nothing.
fn brings<'w>(world: &'w World, tenant: &str, integration: &str, above: &[&str]) -> Vec<&'w Sync> {
    let above = [above, &[tenant]].concat();
    let has = |read: &Inventory| read.integrations.contains_key(integration);
    let gets = |from: &str| !above.contains(&from) && !brings(world, from, integration, &above).is_empty();
    let accepted = world.syncs.iter().filter_map(|sync| Some((sync, source(world, sync, tenant)?)));
    let brings = accepted.filter(|(sync, source)| {
        sync.spec.selects(integration) && (inventories(source).any(has) || gets(&sync.spec.from))
    });
    brings.map(|(sync, _)| sync).collect()
}

/// The source of a sync that is accepted in a target.
fn source<'w>(world: &'w World, sync: &Sync, tenant: &str) -> Option<&'w TenantView> {
    let target = world.tenants.get(tenant)?;
    let spec = &sync.spec;
    let is_accepted = spec.goes_to(tenant) && target.spec.accept_from.contains(&spec.from);
    world.tenants.get(&spec.from).filter(|_| is_accepted)
}

fn inventories(tenant: &TenantView) -> impl Iterator<Item = &Inventory> {
    let views = [Some(&tenant.live), tenant.source.as_ref()].into_iter().flatten();
    views.filter_map(View::inventory).map(|inventory| inventory.as_ref())
}

/// Whether the integrations that a sync copies use a connection, by its key or an older one that it replaces.
fn uses(source: &Inventory, spec: &crate::api::TenantSyncSpec, connection: &str) -> bool {
    let Some(found) = source.connections.get(connection) else { return false };
    let is_it = |key: &str| names::of_stable_key(key) == connection || found.spec.replaces.iter().any(|old| old == key);
    let selected = source.integrations.values().filter(|integration| spec.selects(integration.name()));
    selected.flat_map(|integration| &integration.spec.connections).filter_map(Variable::stable_key).any(is_it)
}
