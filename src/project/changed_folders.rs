//! The folders of tenants whose resources a change of a project's files changes, and those that it leaves behind.

use super::Project;
use crate::api::LocationSpec;
use crate::engine::committed::{self, CommittedChange};
use crate::engine::compare::without_lines;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Scope;
use crate::file_tree::{FileKind, FileTree};
use crate::manifest::shown;
use crate::tenant::directory::layout::{Folder, FolderRole};
use crate::tenant::location::Snapshot;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The resources that differ in a tenant's folder.
pub struct ChangedFolder {
    /// The name of the tenant.
    pub tenant: String,
    /// Whether it is the folder of the tenant's source: an apply then brings the change to the tenant.
    pub is_source: bool,
    /// The resources.
    pub changes: Vec<CommittedChange>,
    /// Why they are not known, if one of the two states cannot be read.
    pub unknown: Option<String>,
    /// Whether the later state is one that cannot be read.
    pub is_unknown_now: bool,
    /// What stays in the folder, which is this tenant's no more.
    pub left: Option<LeftFolder>,
}

/// A folder that is still there, and that its tenant has no more.
pub struct LeftFolder {
    /// Its path.
    pub path: String,
    /// The number of its resources that were read before the change and are still there.
    pub resources: usize,
    /// Why there may be more: what could not be read before the change.
    pub unread: Option<String>,
    /// Who has the folder now.
    pub owner: FolderOwner,
}

/// Who has a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FolderOwner {
    /// No tenant.
    Nobody,
    /// The tenant with this name.
    Tenant(String),
    /// It is not known, for this reason.
    Unknown(String),
}

/// A tenant's folder before or after a change.
enum FolderState {
    /// The tenant has none.
    Absent,
    Read(Snapshot),
    /// What is in it, or whether the tenant has one, is not known, for this reason.
    Unknown(String),
}

/// Returns the folders whose resources differ, or that are a tenant's no more.
pub(super) fn folders(before: &Project, after: &Project, scope: &Scope) -> Vec<ChangedFolder> {
    let names: BTreeSet<&String> = before.tenants.keys().chain(after.tenants.keys()).collect();
    let in_scope = names.into_iter().filter(|name| scope.tenants.is_empty() || scope.tenants.contains(*name));
    let roles = [FolderRole::Location, FolderRole::Source];
    in_scope.flat_map(|name| roles.into_iter().filter_map(|role| folder(before, after, name, role))).collect()
}

fn folder(before: &Project, after: &Project, tenant: &str, role: FolderRole) -> Option<ChangedFolder> {
    let of = |project: &Project| (FolderState::of(project, tenant, role), project.layout.folder(tenant, role).cloned());
    let ((was, had), (is, has)) = (of(before), of(after));
    let nothing = || Ok(Snapshot::default());
    let changed = |was, is| changed(tenant, role, was, is);
    match (was, is) {
        (FolderState::Absent, FolderState::Absent) => None,
        (FolderState::Absent, FolderState::Read(is)) => changed(nothing(), Ok(is)),
        (FolderState::Absent, FolderState::Unknown(why)) => has.and_then(|_| changed(nothing(), Err(why))),
        (was, FolderState::Absent) => {
            let was = match was {
                FolderState::Read(was) => Ok(was),
                FolderState::Unknown(why) => Err(why),
                FolderState::Absent => nothing(),
            };
            match had {
                // What lies in the folder is still there.
                Some(folder) if after.tree.is_folder(&folder.path) => Some(left(&folder, &was, after)),
                Some(_) => changed(was, nothing()),
                None => was.ok().and_then(|was| changed(Ok(was), nothing())),
            }
        }
        (FolderState::Read(was), FolderState::Read(is)) => changed(Ok(was), Ok(is)),
        (FolderState::Read(was), FolderState::Unknown(why)) => changed(Ok(was), Err(why)),
        (FolderState::Unknown(why), FolderState::Read(is)) => changed(Err(why), Ok(is)),
        (FolderState::Unknown(why), FolderState::Unknown(_)) => {
            let folders: BTreeSet<PathBuf> = had.into_iter().chain(has).map(|folder| folder.path).collect();
            // Files that are the same are no change, whatever they say.
            let is_same = folders.iter().all(|folder| is_same(&before.tree, &after.tree, folder));
            if is_same { None } else { changed(Err(why.clone()), Err(why)) }
        }
    }
}

impl FolderState {
    fn of(project: &Project, name: &str, role: FolderRole) -> Self {
        let Some(tenant) = project.tenants.get(name) else {
            let is_for_clusters = project.for_clusters.tenants.contains_key(name);
            let unread = project.unread.first().filter(|_| !is_for_clusters);
            return unread.map_or(FolderState::Absent, |file| {
                FolderState::Unknown(format!("{file} cannot be read and could declare tenant {name}"))
            });
        };
        let of = |read: &Result<Snapshot, String>| match read {
            Ok(read) => FolderState::Read(read.clone()),
            Err(why) => FolderState::Unknown(why.clone()),
        };
        let location = &tenant.spec.location;
        // The Tenant of a tenant that is stopped may say nothing that can be used, so neither which folders it has.
        let stopped = tenant.live.as_ref().err().filter(|_| tenant.location.is_none());
        match (role, location, &tenant.source) {
            (FolderRole::Location, Some(LocationSpec::Directory(_)), _) => of(&tenant.live),
            (FolderRole::Location, Some(_), _) => FolderState::Absent,
            (FolderRole::Source, _, Some(source)) => of(source),
            (FolderRole::Source, Some(_), None) if tenant.spec.source_path().is_none() => FolderState::Absent,
            _ => stopped.map_or(FolderState::Absent, |why| FolderState::Unknown(why.clone())),
        }
    }
}

/// A folder that its tenant has no more.
fn left(folder: &Folder, was: &Result<Snapshot, String>, after: &Project) -> ChangedFolder {
    let owner = owner(folder, after);
    let (resources, unread) = match was {
        Ok(was) => {
            let stays = |file: &str| after.tree.is_there(Path::new(file));
            let gone = was.origins.values().filter(|origin| !stays(&origin.file.path)).count();
            let unread: Vec<String> = committed::unread(&was.inventory, &was.inventory).into_iter().collect();
            let unread = (!unread.is_empty()).then(|| format!("{} could not be read", unread.join(", ")));
            (was.inventory.items().count().saturating_sub(gone), unread)
        }
        Err(why) => (0, Some(why.clone())),
    };
    ChangedFolder {
        tenant: folder.tenant.clone(),
        is_source: folder.role == FolderRole::Source,
        changes: Vec::new(),
        unknown: None,
        is_unknown_now: matches!(owner, FolderOwner::Unknown(_)),
        left: Some(LeftFolder { path: shown(&folder.path), resources, unread, owner }),
    }
}

/// Who has a folder after a change.
fn owner(folder: &Folder, after: &Project) -> FolderOwner {
    let meets = |other: &&Folder| other.path.starts_with(&folder.path) || folder.path.starts_with(&other.path);
    if let Some(other) = after.layout.folders().iter().find(meets) {
        return FolderOwner::Tenant(other.tenant.clone());
    }
    if let Some(file) = after.unread.first() {
        return FolderOwner::Unknown(format!("{file} cannot be read"));
    }
    // A Tenant of which nothing can be used may name any folder.
    let roles = [FolderRole::Location, FolderRole::Source];
    let names_none = |name: &str| roles.iter().all(|role| after.layout.folder(name, *role).is_none());
    let unknown = after.tenants.iter().filter(|(name, tenant)| tenant.spec.location.is_none() && names_none(name));
    let mut unknown = unknown.filter_map(|(name, tenant)| Some((name, tenant.live.as_ref().err()?)));
    match unknown.next() {
        Some((name, why)) => FolderOwner::Unknown(format!("it may be tenant {name}: {why}")),
        None => FolderOwner::Nobody,
    }
}

/// Whether a path has the same files in two trees. What cannot be compared counts as different.
fn is_same(before: &FileTree, after: &FileTree, path: &Path) -> bool {
    let mut paths = vec![path.to_path_buf()];
    while let Some(path) = paths.pop() {
        match (before.kind(&path), after.kind(&path)) {
            (Ok(FileKind::File), Ok(FileKind::File)) => {
                let id = before.content_id(&path);
                if id.is_none() || id != after.content_id(&path) {
                    return false;
                }
            }
            (Ok(FileKind::Folder), Ok(FileKind::Folder)) => {
                let names = |tree: &FileTree| -> Option<BTreeSet<PathBuf>> {
                    Some(tree.entries(&path).ok()?.into_iter().map(|entry| path.join(entry.name)).collect())
                };
                match (names(before), names(after)) {
                    (Some(was), Some(is)) if was == is => paths.extend(is),
                    _ => return false,
                }
            }
            // What is in another repository, or behind a link, is the same if the entry is and what it leads to.
            (Ok(FileKind::Submodule), Ok(FileKind::Submodule)) if has_same_entry(before, after, &path) => {}
            (Ok(FileKind::Link), Ok(FileKind::Link)) if has_same_entry(before, after, &path) => {
                let leads_to_file = |tree: &FileTree| tree.content_id(&path);
                let leads_nowhere = |tree: &FileTree| {
                    tree.kind_of_target(&path).is_err_and(|error| error.kind() == ErrorKind::NotFound)
                };
                let is_same = match (leads_to_file(before), leads_to_file(after)) {
                    (None, None) => leads_nowhere(before) && leads_nowhere(after),
                    (was, is) => was == is,
                };
                if !is_same {
                    return false;
                }
            }
            (Err(was), Err(is)) if [was.kind(), is.kind()] == [ErrorKind::NotFound; 2] => {}
            _ => return false,
        }
    }
    true
}

fn has_same_entry(before: &FileTree, after: &FileTree, path: &Path) -> bool {
    let id = before.entry_id(path);
    id.is_some() && id == after.entry_id(path)
}

fn changed(
    tenant: &str,
    role: FolderRole,
    was: Result<Snapshot, String>,
    is: Result<Snapshot, String>,
) -> Option<ChangedFolder> {
    let mut is_unknown_now = is.is_err();
    let (changes, unknown) = match (&was, &is) {
        (Ok(was), Ok(is)) => {
            let unread = committed::unread(&was.inventory, &is.inventory);
            // A state that cannot be read in part, and is the same otherwise, is no change.
            let is_same =
                was.inventory.unparsed == is.inventory.unparsed && invalid(&was.inventory) == invalid(&is.inventory);
            let names: Vec<String> = unread.into_iter().collect();
            let unknown = (!is_same).then(|| format!("{} cannot be read", names.join(", ")));
            let is_whole = is.inventory.unparsed.is_empty() && is.inventory.invalid.is_empty();
            is_unknown_now = !is_same && !is_whole;
            (committed::changes(tenant, &was.inventory, &is.inventory), unknown)
        }
        // Why it cannot be read is a finding already.
        (Err(why), Ok(_)) => (Vec::new(), Some(format!("before the change, {why}"))),
        (_, Err(why)) => (Vec::new(), Some(why.clone())),
    };
    let (tenant, is_source) = (tenant.to_string(), role == FolderRole::Source);
    let is_any = !changes.is_empty() || unknown.is_some();
    is_any.then_some(ChangedFolder { tenant, is_source, changes, unknown, is_unknown_now, left: None })
}

/// The objects that are invalid, and why, wherever in a file the reason is.
fn invalid(inventory: &Inventory) -> Vec<(&ObjectId, String)> {
    inventory.invalid.iter().map(|(id, why)| (id, without_lines(why))).collect()
}
