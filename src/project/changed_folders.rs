//! The folders of tenants whose resources a change of a project's files changes, and those that it leaves behind.

use super::Project;
use super::compared_trees::ComparedTrees;
use crate::api::{Kind, LocationSpec};
use crate::engine::committed::{self, CommittedChange, UnreadDifference};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Scope;
use crate::engine::model::record::Record;
use crate::manifest::{SourcePlace, shown, text_at};
use crate::tenant::directory::layout::{Folder, FolderLayout, FolderRole};
use crate::tenant::directory::overlay::Overlay;
use crate::tenant::directory::read::{beside, gather};
use crate::tenant::location::Snapshot;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The resources that differ in a tenant's folder.
pub struct ChangedFolder {
    /// The name of the tenant.
    pub tenant: String,
    /// Whether it is the folder of the tenant's source: an apply then brings the change to the tenant.
    pub is_source: bool,
    /// The resources, as far as they were read.
    pub changes: Vec<CommittedChange>,
    /// Why the rest is not known, if something of one of the two states cannot be read.
    pub unknown: Option<String>,
    /// Whether something that differs is not known: what the change does here is not either.
    pub is_unknown: bool,
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
    let changed = |was, is| changed(ComparedTrees::of(before, after), tenant, role, was, is);
    match (was, is) {
        (FolderState::Absent, FolderState::Absent) => None,
        (FolderState::Absent, FolderState::Read(is)) => {
            // Another name of its tenant does not make what was there before.
            let taken = has.and_then(|folder| of_other(before, &folder));
            changed(Ok(taken.unwrap_or_default()), Ok(is))
        }
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
        (FolderState::Unknown(why), FolderState::Read(is)) => {
            // The files are compared nevertheless.
            let there = |folder: &Folder| of_other(before, folder).unwrap_or_else(|| by_path(before, folder));
            let was = has.as_ref().map(there).unwrap_or_default();
            let why = format!("before the change, {why}");
            let found = changed(Ok(was), Ok(is)).unwrap_or_else(|| ChangedFolder::of(tenant, role));
            let unknown = Some(found.unknown.iter().fold(why, |why, more| format!("{why}; {more}")));
            Some(ChangedFolder { unknown, ..found })
        }
        (FolderState::Unknown(why), FolderState::Unknown(_)) => {
            let folders: BTreeSet<PathBuf> = had.into_iter().chain(has).map(|folder| folder.path).collect();
            // Files that are the same are no change, whatever they say.
            let is_same = folders.iter().all(|folder| ComparedTrees::of(before, after).is_same(folder));
            if is_same { None } else { changed(Err(why.clone()), Err(why)) }
        }
    }
}

/// What another tenant had in a folder before a change, or the same one in another role.
fn of_other(before: &Project, folder: &Folder) -> Option<Snapshot> {
    let other = before.layout.folders().iter().find(|other| other.path == folder.path)?;
    Some(match FolderState::of(before, &other.tenant, other.role) {
        FolderState::Read(mut was) => {
            // Its records remember where secrets were sent, whatever the tenant is called.
            let inventory = Arc::make_mut(&mut was.inventory);
            for record in inventory.records.values_mut().filter(|record| record.tenant == other.tenant) {
                *record = Arc::new(Record { tenant: folder.tenant.clone(), ..Record::clone(record) });
            }
            was
        }
        FolderState::Unknown(_) | FolderState::Absent => by_path(before, folder),
    })
}

/// Reads the files that a folder has in a project, whoever had it there. Without the folder there are none.
fn by_path(project: &Project, folder: &Folder) -> Snapshot {
    if !project.tree.is_folder(&folder.path) {
        return Snapshot::default();
    }
    let mut layout = FolderLayout::new(&project.root, Overlay::nothing_over(project.tree.clone()));
    project.layout.folders().iter().filter(|other| other.path != folder.path).for_each(|it| layout.add(it.clone()));
    layout.add(folder.clone());
    gather(layout.read(folder).reading, &layout, &folder.tenant)
}

impl FolderState {
    fn of(project: &Project, name: &str, role: FolderRole) -> Self {
        let Some(tenant) = project.tenants.get(name) else {
            let is_for_clusters = project.for_clusters.tenants.contains_key(name);
            let unread = project.undecided().into_iter().next().filter(|_| !is_for_clusters);
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
            let unread: Vec<String> = committed::unread(&was.inventory).into_iter().collect();
            let unread = (!unread.is_empty()).then(|| format!("{} could not be read", unread.join(", ")));
            (was.inventory.items().count().saturating_sub(gone), unread)
        }
        Err(why) => (0, Some(why.clone())),
    };
    ChangedFolder {
        is_unknown: matches!(owner, FolderOwner::Unknown(_)),
        left: Some(LeftFolder { path: shown(&folder.path), resources, unread, owner }),
        ..ChangedFolder::of(&folder.tenant, folder.role)
    }
}

/// Who has a folder after a change.
fn owner(folder: &Folder, after: &Project) -> FolderOwner {
    let meets = |other: &&Folder| other.path.starts_with(&folder.path) || folder.path.starts_with(&other.path);
    if let Some(other) = after.layout.folders().iter().find(meets) {
        return FolderOwner::Tenant(other.tenant.clone());
    }
    if let Some(file) = after.undecided().first() {
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

impl ChangedFolder {
    fn of(tenant: &str, role: FolderRole) -> Self {
        ChangedFolder {
            tenant: tenant.to_string(),
            is_source: role == FolderRole::Source,
            changes: Vec::new(),
            unknown: None,
            is_unknown: false,
            left: None,
        }
    }
}

fn changed(
    trees: ComparedTrees<'_>,
    tenant: &str,
    role: FolderRole,
    was: Result<Snapshot, String>,
    is: Result<Snapshot, String>,
) -> Option<ChangedFolder> {
    let found = ChangedFolder::of(tenant, role);
    match (&was, &is) {
        (Ok(was), Ok(is)) => {
            let unread = unread_differences(trees, was, is);
            let files = unread.iter().flat_map(|one| one.files.iter().cloned());
            let objects = unread.iter().flat_map(|one| one.objects.iter().map(ToString::to_string));
            let names: BTreeSet<String> = files.chain(objects).collect();
            let names: Vec<String> = names.into_iter().collect();
            let [unread_before, unread_after] = &unread;
            // What the change mends gates nothing: it is shown as it is after it.
            let is_unknown = !unread_after.is_empty();
            let when = if unread_after.is_empty() { "before the change, " } else { "" };
            let unknown = (!names.is_empty()).then(|| format!("{when}{} cannot be read", names.join(", ")));
            let inventories = [&*was.inventory, &*is.inventory];
            let changes = committed::changes(tenant, inventories, [unread_before, unread_after]);
            let is_any = unknown.is_some() || !changes.is_empty();
            is_any.then_some(ChangedFolder { changes, unknown, is_unknown, ..found })
        }
        // Why it cannot be read is a finding already.
        (Err(why), Ok(_)) => Some(ChangedFolder { unknown: Some(format!("before the change, {why}")), ..found }),
        (_, Err(why)) => Some(ChangedFolder { unknown: Some(why.clone()), is_unknown: true, ..found }),
    }
}

/// What cannot be read before a change, and what cannot be read after it, where it is not the same. What is the same is no
/// difference, whatever it says.
fn unread_differences(trees: ComparedTrees<'_>, was: &Snapshot, is: &Snapshot) -> [UnreadDifference; 2] {
    let is_same_file = |file: &String| {
        let is_in_both = was.inventory.unparsed.contains(file) && is.inventory.unparsed.contains(file);
        is_in_both && trees.is_there_and_same(Path::new(file))
    };
    let of = |snapshot: &Snapshot, other: &Snapshot| {
        let files = snapshot.inventory.unparsed.iter().filter(|file| !is_same_file(file)).cloned();
        let objects = snapshot.inventory.invalid.keys().filter(|id| !has_same_documents(trees, snapshot, other, id));
        UnreadDifference { files: files.collect(), objects: objects.cloned().collect() }
    };
    [of(was, is), of(is, was)]
}

/// Whether the documents of an object that cannot be used are the same in two states, and so are the definitions that they
/// name.
fn has_same_documents(trees: ComparedTrees<'_>, one: &Snapshot, other: &Snapshot, id: &ObjectId) -> bool {
    let (Some(one), Some(other)) = (one.unusable.get(id), other.unusable.get(id)) else { return false };
    fn sorted(places: &[SourcePlace]) -> Vec<(&str, Option<u32>, PathBuf)> {
        let definition = |place: &SourcePlace| {
            let file = text_at(place, &["spec", "definition", "file"]);
            file.map(|file| beside(place, &file)).unwrap_or_default()
        };
        let mut sorted: Vec<_> =
            places.iter().map(|it| (without_comments_above(it.text()), it.item, definition(it))).collect();
        sorted.sort();
        sorted
    }
    let (one, other) = (sorted(one), sorted(other));
    let mut definitions = one.iter().map(|(.., definition)| definition).filter(|path| !path.as_os_str().is_empty());
    one == other && (id.kind != Kind::Integration || definitions.all(|definition| trees.is_same(definition)))
}

/// A document without the comments above it.
fn without_comments_above(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, below)) = rest.split_once('\n') {
        let line = line.trim_start();
        if !line.is_empty() && !line.starts_with('#') {
            break;
        }
        rest = below;
    }
    rest
}
