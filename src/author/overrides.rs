//! Edits of a sync's overrides.

use super::draft::Draft;
use super::error::AuthorError;
use super::home::inventories;
use crate::api::{Input, Kind, Override, TenantSyncSpec, rules, sensitive};
use crate::engine::check;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Writer;
use crate::engine::overrides::decided_by;
use crate::manifest::Edit;
use crate::project::Project;
use serde_json::json;
use std::sync::Arc;

/// Returns a sync of the project by its name.
pub fn sync<'p>(project: &'p Project, name: &str) -> Result<&'p Arc<TenantSyncSpec>, AuthorError> {
    let name = Kind::TenantSync.name_in(name);
    let of_sync = |writer: &'p Writer| match writer {
        Writer::Sync(sync) => Some(sync.as_str()),
        _ => None,
    };
    let found = project.syncs.iter().find(|sync| of_sync(&sync.writer) == Some(name));
    let there = || project.syncs.iter().filter_map(|sync| of_sync(&sync.writer));
    found.map(|sync| &sync.spec).ok_or_else(|| AuthorError::unknown("sync", name, there()))
}

/// Writes overrides of a sync: each replaces the one of the same item, or is added at the end.
pub fn set(draft: &mut Draft<'_>, name: &str, new: &[Override]) -> Result<(), AuthorError> {
    alter(draft, name, new, &|_| false)
}

/// Removes the overrides of a sync for which `goes` returns true.
pub fn remove(draft: &mut Draft<'_>, name: &str, goes: &dyn Fn(&Override) -> bool) -> Result<(), AuthorError> {
    alter(draft, name, &[], goes)
}

/// Removes the overrides of a sync for which `goes` returns true, and writes new ones.
pub fn alter(
    draft: &mut Draft<'_>,
    name: &str,
    new: &[Override],
    goes: &dyn Fn(&Override) -> bool,
) -> Result<(), AuthorError> {
    let spec = sync(draft.project, name)?;
    new.iter().try_for_each(|new| no_secret(draft.project, new))?;
    let mut overrides: Vec<Override> = spec.overrides.iter().filter(|there| !goes(there)).cloned().collect();
    for new in new {
        let decides = decided_by(new);
        let is_same = |there: &Override| {
            let is_of_it = decides.is_some() && decided_by(there) == decides;
            there.tenant == new.tenant && (is_of_it || there.changes() == new.changes())
        };
        let at = overrides.iter().position(is_same);
        let mut position = 0;
        // Two of one place are an error, in whichever form each is.
        overrides.retain(|there| {
            position += 1;
            at == Some(position - 1) || !is_same(there)
        });
        match at.and_then(|at| overrides.get_mut(at)) {
            Some(there) => there.clone_from(new),
            None => overrides.push(new.clone()),
        }
    }
    if overrides == spec.overrides { Ok(()) } else { write(draft, name, &overrides) }
}

/// Fails if an override has a secret as its value, which is then not quoted.
fn no_secret(project: &Project, new: &Override) -> Result<(), AuthorError> {
    let Some(value) = &new.value else { return Ok(()) };
    let is_secret = match (&new.stable_key, &new.input) {
        (Some(key), Some(input)) => {
            let read: Vec<&Inventory> =
                project.tenants.keys().flat_map(|tenant| inventories(project, tenant)).collect();
            let of_key = read.iter().filter_map(|read| read.connection(key));
            let literals = of_key.map(|connection| {
                let mut with = connection.as_ref().clone();
                with.spec.inputs = [(input.clone(), Input::value(value))].into();
                with.spec.test = None;
                !check::secret_literals(&Item::Connection(with.into()), &read).is_empty()
            });
            sensitive::is_sensitive(input) || literals.fold(false, |any, is| any | is)
        }
        _ => false,
    };
    match (is_secret, &new.input) {
        (true, Some(input)) => {
            let message = format!("SK0120: {input} is a secret, and is not written as a value");
            Err(AuthorError::refused(message, format!("{}: --secret NAME/KEY", rules::SECRET_LITERAL)))
        }
        _ if sensitive::is_secret_itself(value) => {
            Err(AuthorError::refused("the value is a secret by itself, and is not written", rules::SECRET_LITERAL))
        }
        _ => Ok(()),
    }
}

/// Changes the overrides of a sync one by one.
pub(super) fn change(
    draft: &mut Draft<'_>,
    name: &str,
    changed: &dyn Fn(&Override) -> Override,
) -> Result<(), AuthorError> {
    let spec = sync(draft.project, name)?;
    let overrides: Vec<Override> = spec.overrides.iter().map(changed).collect();
    if overrides == spec.overrides { Ok(()) } else { write(draft, name, &overrides) }
}

fn write(draft: &mut Draft<'_>, name: &str, overrides: &[Override]) -> Result<(), AuthorError> {
    let name = Kind::TenantSync.name_in(name);
    let id = ObjectId::new(Kind::TenantSync, name);
    let unreadable = |why: &str| AuthorError::Unreadable { what: id.to_string(), why: why.to_string() };
    let at = draft.project.origins.get(&id).ok_or_else(|| unreadable("it is in no file"))?;
    let path = vec!["spec".to_string(), "overrides".to_string()];
    let edit = match overrides {
        [] => Edit::Remove { path },
        overrides => Edit::Set { path, value: json!(overrides) },
    };
    draft.edit(at, vec![edit])
}
