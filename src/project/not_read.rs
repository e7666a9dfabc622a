//! The files that differ between two commits, and that are not read here: other tools may read them.

use super::Project;
use super::compared_trees::ComparedTrees;
use crate::api::{Definition, Kind};
use crate::engine::model::item::ObjectId;
use crate::manifest::{is_manifest, shown};
use crate::tenant::directory::layout::FolderLayout;
use crate::tenant::directory::lock_file;
use crate::tenant::directory::paths::normal;
use crate::tenant::directory::read::beside;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The files with which Git decides what is checked out, merged and shown.
const OF_GIT: [&str; 4] = [".gitattributes", ".gitmodules", ".gitignore", ".lfsconfig"];
/// The names of the file that kubectl reads in a folder.
pub(super) const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// Returns the paths of these files: those in tenants' folders and Git's own settings first, then manifests. Empty where
/// one of the two states is that of the disk, on which there is more than a commit has.
pub(super) fn not_read(before: &Project, after: &Project) -> Vec<String> {
    let states = [before, after].map(|project| (project, read_files(project)));
    let differing = ComparedTrees::of(before, after).differing(&after.root).unwrap_or_default();
    let is_read = |path: &PathBuf| states.iter().any(|(project, read)| is_read(project, read, path));
    let mut not_read: Vec<PathBuf> = differing.iter().map(|path| normal(path)).filter(|path| !is_read(path)).collect();
    let is_in_folder = |path: &Path| states.iter().any(|(project, _)| project.layout.owner(path).is_some());
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
    not_read.iter().map(|path| shown(path)).collect()
}

/// Whether a file is read, or a link leads to what is read.
fn is_read(project: &Project, read: &BTreeSet<PathBuf>, path: &Path) -> bool {
    if read.contains(path) {
        return true;
    }
    let is_known = |layout: &FolderLayout| !layout.folders().is_empty();
    if !project.tree.is_link(path) || !is_known(&project.layout) {
        return false;
    }
    let target = project.layout.locate_given(path);
    read.iter().any(|file| file.starts_with(&target))
}

/// The files that say something to a project, also those that say it wrongly.
fn read_files(project: &Project) -> BTreeSet<PathBuf> {
    let mut read: BTreeSet<PathBuf> = BTreeSet::new();
    read.insert(normal(&project.root.join(".stablekeyignore")));
    let mut add = |file: &str| {
        read.insert(normal(Path::new(file)));
    };
    project.documents.values().flatten().for_each(|place| add(&place.file.path));
    project.problems.iter().for_each(|problem| add(&problem.file));
    project.unread.iter().for_each(|file| add(file));
    for snapshot in project.snapshots() {
        let places = snapshot.origins.values().chain(snapshot.unusable.values().flatten());
        places.for_each(|place| add(&place.file.path));
        snapshot.inventory.unparsed.iter().for_each(|file| add(file));
    }
    for snapshot in project.snapshots() {
        for (name, integration) in &snapshot.inventory.integrations {
            let origin = snapshot.origins.get(&ObjectId::new(Kind::Integration, name));
            if let (Some(Definition::File(file)), Some(origin)) = (&integration.spec.definition, origin) {
                read.insert(normal(&beside(origin, file)));
            }
        }
    }
    for folder in project.layout.folders() {
        read.insert(folder.path.join(lock_file::NAME));
        read.extend(KUSTOMIZATIONS.map(|name| folder.path.join(name)));
    }
    read
}
