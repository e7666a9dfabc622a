//! A new override of a sync.

use super::draft::Draft;
use super::error::AuthorError;
use super::overrides;
use crate::api::{Kind, Overridden, Override, TenantSyncSpec, Variable, matches, rules};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::near_miss::listed;
use crate::project::Project;

/// Adds an override to a sync. An empty tenant means the only target of the sync.
pub fn add(draft: &mut Draft<'_>, sync: &str, mut asked: Override) -> Result<(), AuthorError> {
    let project = draft.project;
    let sync = sync.strip_prefix("sync/").unwrap_or(sync);
    let spec = overrides::sync(project, sync)?;
    asked.tenant = target(spec, &asked.tenant)?;
    if asked.reason.trim().is_empty() {
        let help = "say why the tenant differs, for later readers: --reason TEXT";
        return Err(AuthorError::refused("the override has no reason", help));
    }
    let shape = || AuthorError::refused("what differs is not given", rules::OVERRIDE_SHAPE);
    let Some(changes) = asked.changes() else { return Err(shape()) };
    let has_value = asked.value.is_some() || asked.secret_ref.is_some();
    let is_complete = match changes {
        Overridden::Input { .. } | Overridden::Field { .. } => has_value,
        Overridden::Variable { .. } | Overridden::Kept { .. } => !has_value,
    };
    if !is_complete {
        return Err(shape());
    }
    if let Some(there) = spec.overrides.iter().find(|o| o.tenant == asked.tenant && o.changes() == asked.changes()) {
        let message = format!("{sync} has an override of {changes} in {} already", there.tenant);
        return Err(AuthorError::refused(message, "change that one, or take it out first"));
    }
    if let Some(source) = source(project, &spec.from) {
        known(spec, source, changes)?;
    }
    overrides::set(draft, sync, &[asked])
}

fn target(spec: &TenantSyncSpec, given: &str) -> Result<String, AuthorError> {
    match (given, spec.to.as_slice()) {
        ("", [one]) => Ok(one.clone()),
        ("", several) => {
            let several: Vec<&str> = several.iter().map(String::as_str).collect();
            let help = format!("give --tenant with one of {}", listed(&several));
            Err(AuthorError::refused("the sync has several targets", help))
        }
        (given, to) => {
            let given = Kind::Tenant.name_in(given);
            match to.iter().find(|name| *name == given) {
                Some(name) => Ok(name.clone()),
                None => Err(AuthorError::unknown("target", given, to.iter().map(String::as_str))),
            }
        }
    }
}

fn source<'p>(project: &'p Project, from: &str) -> Option<&'p Inventory> {
    let live = project.tenants.get(from)?.live.as_ref().ok()?;
    live.inventory.unparsed.is_empty().then_some(live.inventory.as_ref())
}

/// Fails if the source of the sync does not have what the override names.
fn known(spec: &TenantSyncSpec, source: &Inventory, changes: Overridden<'_>) -> Result<(), AuthorError> {
    let from = &spec.from;
    let carried = || source.integrations.keys().map(String::as_str).filter(|name| spec.selects(name));
    match changes {
        Overridden::Input { stable_key, input } => {
            let connection = connection(from, source, stable_key)?;
            let types = source.types_of(connection).flat_map(|type_| type_.inputs.keys());
            let names: Vec<&str> = types.chain(connection.inputs.keys()).map(String::as_str).collect();
            match names.is_empty() || names.contains(&input) {
                true => Ok(()),
                false => Err(AuthorError::unknown(&format!("input of {stable_key}:"), input, names)),
            }
        }
        Overridden::Field { stable_key, field } => {
            connection(from, source, stable_key)?;
            let fields = ["title", "description", "embeddedWorkflows"];
            match fields.contains(&field) {
                true => Ok(()),
                false => Err(AuthorError::unknown("field that an override can set:", field, fields)),
            }
        }
        Overridden::Variable { integration, variable } => {
            let there = source.integrations.get(integration).filter(|_| spec.selects(integration));
            let Some(there) = there else {
                return Err(AuthorError::unknown("integration of the sync:", integration, carried()));
            };
            let names = || there.spec.connections.iter().filter(|v| v.stable_key().is_some()).map(name);
            match names().any(|name| name == variable) {
                true => Ok(()),
                false => Err(AuthorError::unknown(&format!("variable of {integration}:"), variable, names())),
            }
        }
        Overridden::Kept { object, .. } => {
            let id = ObjectId::parse(object).filter(|id| matches!(id.kind, Kind::Connection | Kind::Integration));
            let Some(id) = id else {
                let message = format!("{object} is no object that a sync writes");
                return Err(AuthorError::refused(message, "write Connection/NAME or Integration/NAME"));
            };
            let names: Vec<&str> = match id.kind {
                Kind::Connection => source.connections.keys().map(String::as_str).collect(),
                _ => carried().collect(),
            };
            match names.iter().any(|name| matches(name, &id.name)) {
                true => Ok(()),
                false => Err(AuthorError::unknown(&format!("{} of the sync:", id.kind), &id.name, names)),
            }
        }
    }
}

fn name(variable: &Variable) -> &str {
    &variable.name
}

fn connection<'i>(from: &str, source: &'i Inventory, key: &str) -> Result<&'i crate::api::ConnectionSpec, AuthorError> {
    let keys = source.connections.values().map(|c| c.spec.stable_key.as_str());
    let found = source.connection(key).map(|connection| &connection.spec);
    found.ok_or_else(|| AuthorError::unknown(&format!("connection in {from}:"), key, keys))
}
