//! A new override of a sync.

use super::command::command;
use super::draft::Draft;
use super::error::AuthorError;
use super::home::inventories;
use super::overrides;
use super::unknown::{is_absent_in, unreadable};
use crate::api::{Kind, Overridden, Override, TenantSyncSpec, Variable, matches, rules};
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::overrides::{decided_by, removal};
use crate::near_miss::{listed, near_misses};
use std::collections::BTreeSet;

/// The field for the toggle of embedded workflows.
const EMBEDDED: &str = "embeddedWorkflows";

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
    if let (Some(EMBEDDED), Some(value)) = (asked.field.as_deref(), asked.value.as_deref()) {
        asked.value = Some(switched(value)?.to_string());
    }
    let Some(changes) = asked.changes() else { return Err(shape()) };
    let has_value = asked.value.is_some() || asked.secret_ref.is_some();
    let is_complete = match changes {
        Overridden::Input { .. } | Overridden::Field { .. } => has_value,
        Overridden::Variable { .. } | Overridden::Kept { .. } => !has_value,
    };
    if !is_complete {
        return Err(shape());
    }
    let is_same = |there: &&Override| {
        let decides = decided_by(there);
        there.tenant == asked.tenant
            && (there.changes() == Some(changes) || decides.is_some() && decides == decided_by(&asked))
    };
    if let Some(there) = spec.overrides.iter().find(is_same) {
        let message = format!("{sync} has an override of {changes} in {} already", there.tenant);
        let help = match removal(there) {
            Some(remove) => format!("change that one, or take it out first:\n{}", command(project, remove)),
            None => "change that one, or take it out first".to_string(),
        };
        return Err(AuthorError::refused(message, help));
    }
    if let Some(from) = project.tenants.get(&spec.from) {
        let read = from.live.as_ref().map_err(|why| unreadable(project, &spec.from, why))?;
        let theirs = inventories(project, &asked.tenant);
        let found = known(spec, &read.inventory, &theirs, changes);
        found.map_err(|unknown| unless_unread(&read.inventory, &spec.from, unknown))?;
    }
    overrides::set(draft, sync, &[asked])
}

/// The value of the toggle for embedded workflows.
fn switched(value: &str) -> Result<bool, AuthorError> {
    match value {
        "on" | "true" => Ok(true),
        "off" | "false" => Ok(false),
        _ => Err(AuthorError::refused(format!("{EMBEDDED} is on or off"), "give --value on or --value off")),
    }
}

fn target(spec: &TenantSyncSpec, given: &str) -> Result<String, AuthorError> {
    let targets: Vec<&String> = spec.targets().collect();
    match (given, targets.as_slice()) {
        ("", [one]) => Ok((*one).clone()),
        ("", several) => {
            let several: Vec<&str> = several.iter().map(|name| name.as_str()).collect();
            let help = format!("give --tenant with one of {}", listed(&several));
            Err(AuthorError::refused("the sync has several targets", help))
        }
        (given, to) => {
            let given = Kind::Tenant.name_in(given);
            match to.iter().find(|name| **name == given) {
                Some(name) => Ok((*name).clone()),
                None => Err(AuthorError::unknown("target", given, to.iter().map(|name| name.as_str()))),
            }
        }
    }
}

/// A name that was not found may be in an unread file of the source.
fn unless_unread(source: &Inventory, from: &str, unknown: AuthorError) -> AuthorError {
    match &unknown {
        AuthorError::Unknown { name, .. } => {
            let of_kind = |kind: Kind| is_absent_in(source, from, &ObjectId::new(kind, name)).err();
            of_kind(Kind::Connection).or_else(|| of_kind(Kind::Integration)).unwrap_or(unknown)
        }
        _ => unknown,
    }
}

/// Fails if the source of the sync does not have what the override names.
fn known(
    spec: &TenantSyncSpec,
    source: &Inventory,
    theirs: &[&Inventory],
    changes: Overridden<'_>,
) -> Result<(), AuthorError> {
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
            let fields = ["title", "description", EMBEDDED];
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
        Overridden::Kept { object, field } => {
            let id = ObjectId::parse(object).filter(|id| matches!(id.kind, Kind::Connection | Kind::Integration));
            let Some(id) = id else {
                let message = format!("{object} is no object that a sync writes");
                return Err(AuthorError::refused(message, "write Connection/NAME or Integration/NAME"));
            };
            let names: Vec<&str> = match id.kind {
                Kind::Connection => source.connections.keys().map(String::as_str).collect(),
                _ => carried().collect(),
            };
            if !names.iter().any(|name| matches(name, &id.name)) {
                return Err(AuthorError::unknown(&format!("{} of the sync:", id.kind), &id.name, names));
            }
            known_field(&id, field, source, theirs)
        }
    }
}

/// Fails if neither the source nor the target can have a field of an object.
fn known_field(id: &ObjectId, field: &str, source: &Inventory, theirs: &[&Inventory]) -> Result<(), AuthorError> {
    let reads = || std::iter::once(source).chain(theirs.iter().copied());
    let kinds: &[FieldKind] = match id.kind {
        Kind::Connection => {
            &[FieldKind::Title, FieldKind::Description, FieldKind::EmbeddedWorkflows, FieldKind::Replaces]
        }
        _ => &[FieldKind::Title, FieldKind::Definition],
    };
    let mut fields: BTreeSet<String> = kinds.iter().map(|kind| Field::of(*kind).to_string()).collect();
    for item in reads().filter_map(|read| read.get(id)) {
        let of_item = item.fields(true).into_iter().map(|(field, _)| field);
        let is_own = |field: &Field<'_>| matches!(field.kind, FieldKind::Input | FieldKind::Variable);
        fields.extend(of_item.filter(is_own).map(|field| field.to_string()));
        if let Item::Connection(connection) = &item {
            let inputs = reads().flat_map(|read| read.types_of(&connection.spec)).flat_map(|type_| type_.inputs.keys());
            fields.extend(inputs.map(|input| Field::named(FieldKind::Input, input).to_string()));
        }
    }
    let field = field.strip_prefix("spec.").unwrap_or(field);
    // Of two inputs the names are compared, not what all inputs begin with.
    if let Some((kind, named)) = field.split_once('.').filter(|_| !fields.contains(field)) {
        let of_kind = fields.iter().filter_map(|path| path.strip_prefix(kind)?.strip_prefix('.'));
        if let [nearest, ..] = near_misses(named, of_kind).as_slice() {
            let near = format!("{kind}.{nearest}");
            let help = format!("did you mean {near}?");
            let what = format!("field of {id}:");
            return Err(AuthorError::Unknown { what, name: field.to_string(), help, near: vec![near] });
        }
    }
    match fields.contains(field) {
        true => Ok(()),
        false => Err(AuthorError::unknown(&format!("field of {id}:"), field, fields.iter().map(String::as_str))),
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
