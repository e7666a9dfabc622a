//! The ownership records of a folder, as part of an edit.

use super::draft::Draft;
use super::error::AuthorError;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Action;
use crate::engine::model::record::Record;
use crate::manifest::limits;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::{disk, lock_file};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// Adds the records after these actions to a draft, if they are kept in files: those of a tenant whose location is a
/// folder.
pub(super) fn follow(draft: &mut Draft<'_>, tenant: &str, actions: &[&Action]) -> Result<(), AuthorError> {
    let project = draft.project;
    let Some(folder) = project.folder(tenant, FolderRole::Location) else { return Ok(()) };
    let Some(Ok(live)) = project.tenants.get(tenant).map(|tenant| tenant.live.as_ref()) else { return Ok(()) };
    write(draft, folder, &live.inventory.records, actions)
}

/// Adds the records of a folder after these actions to a draft. `before` are those that are there.
pub(super) fn write(
    draft: &mut Draft<'_>,
    folder: &Path,
    before: &BTreeMap<ObjectId, Arc<Record>>,
    actions: &[&Action],
) -> Result<(), AuthorError> {
    let mut records = before.clone();
    for action in actions {
        match &action.change.record {
            Some(record) => drop(records.insert(action.change.object.clone(), record.clone())),
            None => drop(records.remove(&action.change.object)),
        }
    }
    if records == *before {
        return Ok(());
    }
    let path = folder.join(lock_file::NAME);
    if path.symlink_metadata().is_err() && lock_file::is_left_to_git(folder) {
        let attributes = folder.join(lock_file::ATTRIBUTES);
        // A link, or a file that cannot be read, is left to its author.
        if let Ok(there) = disk::read(&attributes, limits::FILE_BYTES) {
            draft.put(&attributes, Some(lock_file::with_attribute(there.unwrap_or_default())))?;
        }
    }
    draft.put(&path, Some(lock_file::write(&records).into_bytes()))
}
