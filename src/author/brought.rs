//! What is desired of an object may be unknown: its source, or that of a sync that brings it, cannot be read.

use super::error::AuthorError;
use super::home::{inventories, tenant};
use super::left_out;
use super::unknown::{is_absent, is_absent_in, unreadable};
use crate::api::{ConnectionMode, Kind};
use crate::engine::feeds::{bringing, feeding};
use crate::engine::model::inventory::World;
use crate::engine::model::item::ObjectId;
use crate::project::Project;

/// Fails if what is desired of an object in a tenant is unknown: then it cannot be said whether it differs.
pub fn is_known(project: &Project, name: &str, id: &ObjectId) -> Result<(), AuthorError> {
    let (name, found) = tenant(project, name)?;
    if let Some(source) = &found.source {
        let source = source.as_ref().map_err(|why| unreadable(project, name, why))?;
        if source.inventory.get(id).is_none() {
            is_absent_in(&source.inventory, name, id)?;
        }
    }
    let connection = inventories(project, name).into_iter().find_map(|read| read.connections.get(&id.name));
    let key = connection.filter(|_| id.kind == Kind::Connection).map_or(&id.name, |found| &found.spec.stable_key);
    is_not_brought(project, &project.world(), name, id, key)
}

/// Fails if no sync is known to bring an object to a tenant, and one may: what it brings cannot be read.
pub(super) fn is_not_brought(
    project: &Project,
    world: &World,
    tenant: &str,
    id: &ObjectId,
    key: &str,
) -> Result<(), AuthorError> {
    not_brought(project, world, tenant, (id, key), &[])
}

/// `above` are the tenants that it would be brought to from here: a cycle brings nothing.
fn not_brought(
    project: &Project,
    world: &World,
    tenant: &str,
    (id, key): (&ObjectId, &str),
    above: &[&str],
) -> Result<(), AuthorError> {
    let is_brought = match id.kind {
        Kind::Connection => !feeding(world, tenant, &id.name).is_empty(),
        Kind::Integration => !bringing(world, tenant, &id.name).is_empty(),
        _ => true,
    };
    let Some(target) = world.tenants.get(tenant).filter(|_| !is_brought) else { return Ok(()) };
    let above = [above, &[tenant]].concat();
    let brings = |mode: ConnectionMode| id.kind != Kind::Connection || mode == ConnectionMode::Mirror;
    let syncs = world.syncs.iter().map(|sync| &sync.spec).filter(|spec| brings(spec.connection_mode()));
    for spec in syncs.filter(|spec| spec.goes_to(tenant) && target.spec.accept_from.contains(&spec.from)) {
        let from = spec.from.as_str();
        if above.contains(&from) || id.kind == Kind::Integration && !spec.selects(&id.name) {
            continue;
        }
        if !inventories(project, from).into_iter().any(|read| read.get(id).is_some()) {
            is_absent(project, from, id)?;
            not_brought(project, world, from, (id, key), &above)?;
        } else if id.kind == Kind::Connection {
            // An integration that uses it makes the sync bring it.
            let unread = left_out::unread(project, world, from, key);
            if let Some(left) = unread.into_iter().find(|left| left.may_name_key) {
                let why = format!("a sync may bring {key} from {from} to {tenant} by it");
                return Err(AuthorError::Unreadable { what: left.what, why });
            }
        }
    }
    Ok(())
}
