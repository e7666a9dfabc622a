//! Where people edit the manifests of a tenant: its source or, without one, its folder.

use super::command::command;
use super::error::AuthorError;
use super::unknown::{is_absent_in, unreadable};
use crate::api::Kind;
use crate::engine::model::command::EditCommand;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::manifest::SourcePlace;
use crate::project::{Project, ProjectTenant, UNNAMED};
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::location::Snapshot;
use std::path::{Path, PathBuf};

/// The folder in which people edit the manifests of a tenant.
#[derive(Clone, Copy, Debug)]
pub struct Home<'p> {
    /// The name of the tenant.
    pub tenant: &'p str,
    /// The folder.
    pub folder: &'p Path,
    /// Whether it is the source or the location of the tenant.
    pub role: FolderRole,
    /// What was read there.
    pub read: &'p Snapshot,
}

/// The names of the tenants of a project.
pub fn tenants(project: &Project) -> Vec<&str> {
    project.tenants.keys().map(String::as_str).filter(|name| *name != UNNAMED).collect()
}

/// Returns a tenant of the project.
pub fn tenant<'p>(project: &'p Project, name: &str) -> Result<(&'p str, &'p ProjectTenant), AuthorError> {
    let name = Kind::Tenant.name_in(name);
    match project.tenants.get_key_value(name) {
        Some((name, tenant)) if name != UNNAMED => Ok((name, tenant)),
        _ => Err(AuthorError::unknown("tenant", name, tenants(project))),
    }
}

/// Returns where people edit the manifests of a tenant. Fails if there are none.
pub fn home<'p>(project: &'p Project, name: &str) -> Result<Home<'p>, AuthorError> {
    find_home(project, name)?.ok_or_else(|| nowhere(project, name))
}

/// Returns where people edit the manifests of a tenant, if there are any.
pub(super) fn find_home<'p>(project: &'p Project, name: &str) -> Result<Option<Home<'p>>, AuthorError> {
    let (name, tenant) = tenant(project, name)?;
    let of = |role: FolderRole, read: &'p Result<Snapshot, String>| {
        let read = read.as_ref().map_err(|why| unreadable(project, name, why))?;
        Ok(project.folder(name, role).map(|folder| Home { tenant: name, folder, role, read }))
    };
    match &tenant.source {
        Some(source) => of(FolderRole::Source, source),
        None if project.folder(name, FolderRole::Location).is_some() => of(FolderRole::Location, &tenant.live),
        None => Ok(None),
    }
}

/// Returns what was read of a tenant: its source first.
pub(super) fn inventories<'p>(project: &'p Project, tenant: &str) -> Vec<&'p Inventory> {
    let Some(tenant) = project.tenants.get(tenant) else { return Vec::new() };
    snapshots(tenant).map(|snapshot| snapshot.inventory.as_ref()).collect()
}

/// Returns what was read of a tenant: its source first.
pub(super) fn snapshots(tenant: &ProjectTenant) -> impl Iterator<Item = &Snapshot> {
    [tenant.source.as_ref(), Some(&tenant.live)].into_iter().flatten().filter_map(|read| read.as_ref().ok())
}

fn nowhere(project: &Project, tenant: &str) -> AuthorError {
    let import = command(project, EditCommand::of(&["import", "--tenant", tenant]));
    AuthorError::refused(
        format!("{tenant} has no manifests: its Tenant has no source"),
        format!("give Tenant {tenant} a source (spec.source.path), or import the tenant:\n{import}"),
    )
}

impl<'p> Home<'p> {
    /// Returns the document of an object, if it is here; fails if it is invalid, or may be in an unread file.
    pub fn find(&self, id: &ObjectId) -> Result<Option<&'p SourcePlace>, AuthorError> {
        let inventory = &self.read.inventory;
        match self.read.origins.get(id).filter(|_| !inventory.invalid.contains_key(id)) {
            Some(at) => Ok(Some(at)),
            None => is_absent_in(inventory, self.tenant, id).map(|()| None),
        }
    }

    /// Returns the document of an object.
    pub fn document(&self, id: &ObjectId) -> Result<&'p SourcePlace, AuthorError> {
        let there = self.read.origins.keys().filter(|other| other.kind == id.kind).map(|other| other.name.as_str());
        let what = format!("{} in {}:", id.kind, self.folder.display());
        self.find(id)?.ok_or_else(|| AuthorError::unknown(&what, &id.name, there))
    }

    /// Whether a file lies in this folder: what is elsewhere came by a link, and others may use it.
    pub(super) fn holds(&self, file: &str) -> bool {
        Path::new(file).starts_with(self.folder)
    }

    /// The file for a new object: where objects of its kind stand, or a file of its own.
    pub(super) fn file_of_new(&self, id: &ObjectId) -> NewPlace {
        let mut files: Vec<(PathBuf, usize, bool)> = Vec::new();
        for (other, origin) in self.read.origins.iter().filter(|(_, origin)| self.holds(&origin.file.path)) {
            let path = PathBuf::from(&origin.file.path);
            let is_kind = other.kind == id.kind;
            match files.iter_mut().find(|(file, ..)| *file == path) {
                Some((_, count, of_kind)) => (*count, *of_kind) = (*count + 1, *of_kind || is_kind),
                None => files.push((path, 1, is_kind)),
            }
        }
        let of_kind: Vec<&(PathBuf, usize, bool)> = files.iter().filter(|(.., of_kind)| *of_kind).collect();
        // All stand in one file with several documents.
        let together = match (of_kind.as_slice(), files.as_slice()) {
            ([one], _) if one.1 > 1 => Some(one.0.clone()),
            ([], [one]) if one.1 > 1 => Some(one.0.clone()),
            _ => None,
        };
        if let Some(file) = together {
            return NewPlace::In(file);
        }
        let name = format!("{}.yaml", id.name);
        let mut folders: Vec<(&Path, usize)> = Vec::new();
        for folder in of_kind.iter().filter_map(|(file, ..)| file.parent()) {
            match folders.iter_mut().find(|(other, _)| *other == folder) {
                Some((_, count)) => *count += 1,
                None => folders.push((folder, 1)),
            }
        }
        let most = folders.iter().rev().max_by_key(|(_, count)| *count).map(|(folder, _)| folder.to_path_buf());
        NewPlace::New(most.unwrap_or_else(|| self.folder.join(id.kind.plural())).join(name))
    }
}

/// The place of a new object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NewPlace {
    /// At the end of an existing file.
    In(PathBuf),
    /// A file of its own.
    New(PathBuf),
}
