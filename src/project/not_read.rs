//! The files that differ between two commits, and that are not read here: other tools may read them.

use super::Project;
use super::compared_trees::ComparedTrees;
use crate::api::{Definition, Kind};
use crate::engine::model::item::ObjectId;
use crate::manifest::{is_manifest, shown};
use crate::tenant::directory::lock_file;
use crate::tenant::directory::paths::normal;
use crate::tenant::directory::read::beside;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The files with which Git decides what is checked out, merged and shown.
const OF_GIT: [&str; 4] = [".gitattributes", ".gitmodules", ".gitignore", ".lfsconfig"];
/// The names of the file that kubectl reads in a folder.
pub(super) const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Returns the paths of these files: those in tenants' folders and Git's own settings first, then manifests. Empty where
/// one of the two states is that of the disk, on which there is more than a commit has.
pub(super) fn not_read(before: &Project, after: &Project) -> Vec<String> {
    let differing = ComparedTrees::of(before, after).differing(&after.root).unwrap_or_default();
    let differing: BTreeSet<PathBuf> = differing.iter().map(|path| normal(path)).collect();
    if differing.is_empty() {
        return Vec::new();
    }
    let states = [before, after];
    // Few files differ, and many are read: each of these is looked up by its text.
    let by_text: HashMap<&OsStr, &PathBuf> = differing.iter().map(|path| (path.as_os_str(), path)).collect();
    let mut read: BTreeSet<&PathBuf> = BTreeSet::new();
    for project in states {
        each_read(project, &mut |path| {
            let path = path.strip_prefix(".").unwrap_or(path);
            read.extend(by_text.get(path.as_os_str()));
        });
    }
    let leads_to_read = |path: &Path| states.iter().any(|project| leads_to_read(project, path));
    let mut not_read: Vec<&PathBuf> =
        differing.iter().filter(|path| !read.contains(path) && !leads_to_read(path)).collect();
    let is_in_folder = |path: &Path| states.iter().any(|project| project.layout.owner(path).is_some());
    // A stable order: those of a rank stay sorted by path.
    not_read.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let is_of_git = OF_GIT.iter().any(|of_git| name == of_git.as_bytes());
        match (is_of_git || is_in_folder(path), is_manifest(name)) {
            (true, _) => 0,
            (_, true) => 1,
            _ => 2,
        }
    });
    not_read.into_iter().map(|path| shown(path)).collect()
}

/// Whether a link leads to what is read.
fn leads_to_read(project: &Project, path: &Path) -> bool {
    if !project.tree.is_link(path) || project.layout.folders().is_empty() {
        return false;
    }
    let target = project.layout.locate_given(path);
    let mut is_any = false;
    each_read(project, &mut |file| is_any |= normal(file).starts_with(&target));
    is_any
}

/// Names the files that say something to a project, also those that say it wrongly.
fn each_read(project: &Project, read: &mut dyn FnMut(&Path)) {
    read(&project.root.join(".stablekeyignore"));
    project.documents.values().flatten().for_each(|place| read(Path::new(&place.file.path)));
    project.problems.iter().for_each(|problem| read(Path::new(&problem.file)));
    project.unread.iter().for_each(|file| read(Path::new(file)));
    for snapshot in project.snapshots() {
        let places = snapshot.origins.values().chain(snapshot.unusable.values().flatten());
        places.for_each(|place| read(Path::new(&place.file.path)));
        snapshot.inventory.unparsed.iter().for_each(|file| read(Path::new(file)));
        for (name, integration) in &snapshot.inventory.integrations {
            let Some(Definition::File(file)) = &integration.spec.definition else { continue };
            if let Some(origin) = snapshot.origins.get(&ObjectId::new(Kind::Integration, name)) {
                read(&normal(&beside(origin, file)));
            }
        }
    }
    for folder in project.layout.folders() {
        read(&folder.path.join(lock_file::NAME));
        KUSTOMIZATIONS.iter().for_each(|name| read(&folder.path.join(name)));
    }
}
