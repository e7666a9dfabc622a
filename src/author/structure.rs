//! New Tenants and TenantSyncs, which stand outside every tenant's folder.

use super::draft::Draft;
use super::error::AuthorError;
use crate::api::{Kind, Resource, names};
use crate::engine::model::item::ObjectId;
use crate::manifest::{SourceFile, to_yaml};
use crate::project::Project;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of Tenants, at the root.
pub(super) const TENANTS: &str = "tenants.yaml";
/// The file of TenantSyncs, at the root.
pub(super) const SYNCS: &str = "syncs.yaml";

/// Adds a Tenant or a TenantSync: where the others of its kind stand, or in a file at the root. Returns the file.
pub(super) fn add(draft: &mut Draft<'_>, resource: &Resource) -> Result<PathBuf, AuthorError> {
    let id = ObjectId::new(resource.kind(), &resource.metadata().name);
    is_new(draft.project, &id)?;
    let (path, file) = file_of(draft, &id);
    let yaml =
        to_yaml(resource).map_err(|error| AuthorError::Unreadable { what: id.to_string(), why: error.to_string() })?;
    draft.append(&path, file, yaml)?;
    Ok(path)
}

/// Fails if a name is taken, or cannot be a name.
pub(super) fn is_new(project: &Project, id: &ObjectId) -> Result<(), AuthorError> {
    if !names::is_object_name(&id.name) {
        let help = "use lower-case letters, digits and -";
        return Err(AuthorError::refused(format!("{} cannot be the name of a {}", id.name, id.kind), help));
    }
    match project.origins.contains_key(id) {
        true => Err(AuthorError::refused(format!("{id} is there already"), "give another name, or change that one")),
        false => Ok(()),
    }
}

/// The file for a new object, and its content if it was read.
fn file_of(draft: &Draft<'_>, id: &ObjectId) -> (PathBuf, Option<Arc<SourceFile>>) {
    let project = draft.project;
    let mut files: BTreeMap<&str, (&Arc<SourceFile>, usize)> = BTreeMap::new();
    for (other, origin) in project.origins.iter().filter(|(other, _)| other.kind == id.kind) {
        let is_its_own = Path::new(&origin.file.path).file_stem().is_some_and(|stem| stem == other.name.as_str());
        let (_, together) = files.entry(&origin.file.path).or_insert((&origin.file, 0));
        *together += if is_its_own { 0 } else { 1 };
    }
    let most = files.values().max_by_key(|(_, together)| *together);
    match most {
        Some((file, together)) if *together > 0 => (PathBuf::from(&file.path), Some(Arc::clone(file))),
        // Each has a file of its own.
        Some((file, _)) => {
            let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
            (folder.join(format!("{}.yaml", id.name)), None)
        }
        None => at_root(draft, id),
    }
}

/// The file at the root for the first object of its kind.
fn at_root(draft: &Draft<'_>, id: &ObjectId) -> (PathBuf, Option<Arc<SourceFile>>) {
    let project = draft.project;
    let name = match id.kind {
        Kind::Tenant => TENANTS,
        _ => SYNCS,
    };
    let path = project.root.join(name);
    let read = project.origins.values().map(|origin| &origin.file).find(|file| Path::new(&file.path) == path);
    match read {
        Some(file) => (path, Some(Arc::clone(file))),
        // Somebody else's file of that name stays as it is.
        None if path.symlink_metadata().is_ok() => (project.root.join(format!("{}-{name}", id.name)), None),
        None => (path, None),
    }
}
