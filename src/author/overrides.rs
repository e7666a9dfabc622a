//! Edits of a sync's overrides.

use super::draft::Draft;
use super::error::AuthorError;
use crate::api::{Kind, Override, TenantSyncSpec};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::engine::overrides::decided_by;
use crate::manifest::Edit;
use serde_json::json;
use std::sync::Arc;

/// Returns a sync of the project by its name.
pub fn sync<'p>(project: &'p crate::project::Project, name: &str) -> Result<&'p Arc<TenantSyncSpec>, AuthorError> {
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
    let spec = sync(draft.project, name)?;
    let mut overrides = spec.overrides.clone();
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
    write(draft, name, &overrides)
}

/// Removes the overrides of a sync for which `goes` returns true.
pub fn remove(draft: &mut Draft<'_>, name: &str, goes: &dyn Fn(&Override) -> bool) -> Result<(), AuthorError> {
    let spec = sync(draft.project, name)?;
    let left: Vec<Override> = spec.overrides.iter().filter(|there| !goes(there)).cloned().collect();
    if left.len() == spec.overrides.len() { Ok(()) } else { write(draft, name, &left) }
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
