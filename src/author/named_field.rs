//! The field of an object that a person names.

use super::error::AuthorError;
use crate::api::Kind;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Note, Plan};
use crate::near_miss::{listed, near_misses};
use crate::project::Project;
use std::collections::BTreeSet;

/// Finds a field that an object has, or that is desired of it.
pub fn named_field(
    project: &Project,
    plan: &Plan,
    tenant: &str,
    object: &ObjectId,
    typed: &str,
) -> Result<Field<'static>, AuthorError> {
    let live = project.tenants.get(tenant).and_then(|found| found.live.as_ref().ok());
    let live = live.and_then(|snapshot| snapshot.inventory.get(object));
    let of_live = live.iter().flat_map(|item| item.fields(true)).map(|(field, _)| field.to_string());
    let noted = notes(plan, tenant, object).filter_map(differing_path).map(|path| path.join("."));
    let actions = plan.targets.iter().filter(|target| target.tenant == tenant).flat_map(|target| &target.actions);
    let planned = actions.filter(|action| action.change.object == *object).flat_map(|action| &action.fields);
    let there: BTreeSet<String> = of_live.chain(noted).chain(planned.map(|change| change.field.to_string())).collect();
    let typed = typed.strip_prefix("spec.").unwrap_or(typed);
    let there: Vec<&str> = there.iter().map(String::as_str).collect();
    let is_known = |field: &Field<'_>| there.contains(&typed) || may_have(project, tenant, object, field);
    match Field::parse(typed).filter(is_known) {
        Some(field) => Ok(field),
        None => {
            // `scopes` means `inputs.scopes`, if nothing else ends so.
            let ends_so = |path: &&str| path.rsplit_once('.').is_some_and(|(_, name)| name == typed);
            let ending: Vec<&str> = there.iter().copied().filter(ends_so).collect();
            let near = if ending.is_empty() { near_fields(typed, &there) } else { ending };
            let help = match near.as_slice() {
                [] => format!("it has {}", listed(&there)),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            Err(AuthorError::refused(format!("{tenant}/{object} has no field {typed}"), help))
        }
    }
}

/// Whether an object can have a field that it does not have now: its kind or type has it, it was recorded, or the same
/// object has it elsewhere.
fn may_have(project: &Project, tenant: &str, object: &ObjectId, field: &Field<'_>) -> bool {
    let of_kind = match object.kind {
        Kind::Connection => {
            matches!(field.kind, FieldKind::Title | FieldKind::Description | FieldKind::EmbeddedWorkflows)
        }
        Kind::Integration => matches!(field.kind, FieldKind::Title | FieldKind::Definition),
        _ => false,
    };
    let read = || {
        let tenants = project.tenants.values().flat_map(|tenant| [tenant.source.as_ref(), Some(&tenant.live)]);
        tenants.flatten().filter_map(|read| read.as_ref().ok()).map(|snapshot| &snapshot.inventory)
    };
    let is_recorded =
        || read().any(|read| read.record(tenant, object).is_some_and(|record| record.fields.contains_key(field)));
    let has = |item: &Item| match (item.written(field), item) {
        (Some(_), _) => true,
        (None, Item::Connection(connection)) if field.is_input() => {
            read().flat_map(|read| read.types_of(&connection.spec)).any(|t| t.inputs.contains_key(field.name.as_ref()))
        }
        (None, _) => false,
    };
    of_kind || is_recorded() || read().filter_map(|read| read.get(object)).any(|item| has(&item))
}

/// Fields that one may be a misspelling of. Of two inputs the names are compared, not what all inputs begin with.
fn near_fields<'t>(typed: &str, there: &[&'t str]) -> Vec<&'t str> {
    let Some(field) = Field::parse(typed).filter(|field| !field.name.is_empty()) else {
        return near_misses(typed, there.iter().copied());
    };
    let of_kind: Vec<(Field<'static>, &str)> = there
        .iter()
        .filter_map(|path| Some((Field::parse(path)?, *path)))
        .filter(|(other, _)| other.kind == field.kind)
        .collect();
    let names = near_misses(&field.name, of_kind.iter().map(|(other, _)| other.name.as_ref()));
    let path = |name: &str| of_kind.iter().find(|(other, _)| other.name == name).map(|(_, path)| *path);
    names.into_iter().filter_map(path).collect()
}

fn notes<'p>(plan: &'p Plan, tenant: &str, object: &'p ObjectId) -> impl Iterator<Item = &'p Note> {
    let target = plan.targets.iter().find(|target| target.tenant == tenant);
    target.into_iter().flat_map(|target| &target.notes).filter(move |note| note.object() == object)
}

/// The path of a field that differs from the desired value, and that an apply leaves as it is.
fn differing_path(note: &Note) -> Option<&[String]> {
    match note {
        Note::Drift { path, .. } | Note::Kept { path, .. } if !path.is_empty() => Some(path),
        _ => None,
    }
}
