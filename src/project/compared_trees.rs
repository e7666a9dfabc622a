//! Compares the files of two trees, as of two commits.

use super::Project;
use crate::file_tree::{FileKind, FileTree};
use crate::manifest::limits;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The most entries of folders that are compared. After these, a folder that differs is not looked into.
const MOST_ENTRIES: usize = 100_000;

/// Two trees of files.
#[derive(Clone, Copy)]
pub(super) struct ComparedTrees<'t> {
    pub before: &'t FileTree,
    pub after: &'t FileTree,
}

impl<'t> ComparedTrees<'t> {
    /// The trees of a project before and after a change.
    pub(super) fn of(before: &'t Project, after: &'t Project) -> Self {
        ComparedTrees { before: &before.tree, after: &after.tree }
    }

    /// Whether a path has the same files in both. What cannot be compared counts as different.
    pub(super) fn is_same(&self, path: &Path) -> bool {
        let Self { before, after } = self;
        let mut paths = vec![path.to_path_buf()];
        while let Some(path) = paths.pop() {
            let is_same = match (before.kind(&path), after.kind(&path)) {
                (Ok(FileKind::File), Ok(FileKind::File)) => self.has_same_content(&path),
                (Ok(FileKind::Folder), Ok(FileKind::Folder)) => {
                    let names = |tree: &FileTree| -> Option<BTreeSet<PathBuf>> {
                        Some(tree.entries(&path).ok()?.into_iter().map(|entry| path.join(entry.name)).collect())
                    };
                    match (names(before), names(after)) {
                        (Some(was), Some(is)) if was == is => {
                            paths.extend(is);
                            true
                        }
                        _ => false,
                    }
                }
                // What is in another repository, or behind a link, is the same if the entry is and what it leads to.
                (Ok(FileKind::Submodule), Ok(FileKind::Submodule)) => self.has_same_entry(&path),
                (Ok(FileKind::Link), Ok(FileKind::Link)) => self.is_same_link(&path),
                (Err(was), Err(is)) => [was.kind(), is.kind()] == [ErrorKind::NotFound; 2],
                _ => false,
            };
            if !is_same {
                return false;
            }
        }
        true
    }

    /// Whether something that a path names is in both trees, and is the same.
    pub(super) fn is_there_and_same(&self, path: &Path) -> bool {
        self.before.is_there(path) && self.after.is_there(path) && self.is_same(path)
    }

    /// The files below a folder that differ, by path; `None` if the trees do not know that without reading them. Folders
    /// that are the same are not looked into.
    pub(super) fn differing(&self, folder: &Path) -> Option<Vec<PathBuf>> {
        let is_known = |tree: &FileTree| !tree.is_there(folder) || tree.entry_id(folder).is_some();
        if !is_known(self.before) || !is_known(self.after) {
            return None;
        }
        let (mut found, mut ahead, mut left) = (Vec::new(), vec![folder.to_path_buf()], MOST_ENTRIES);
        while let Some(folder) = ahead.pop() {
            let names =
                |tree: &FileTree| tree.entries(&folder).into_iter().flatten().map(|entry| folder.join(entry.name));
            let paths: BTreeSet<PathBuf> = names(self.before).chain(names(self.after)).collect();
            for path in paths {
                left = left.saturating_sub(1);
                if self.has_same_entry(&path) {
                    continue;
                }
                let is_folder = |tree: &FileTree| tree.kind(&path).is_ok_and(|kind| kind == FileKind::Folder);
                let is_other = |tree: &FileTree| tree.kind(&path).is_ok_and(|kind| kind != FileKind::Folder);
                if left == 0 || is_other(self.before) || is_other(self.after) {
                    found.push(path.clone());
                }
                if left > 0 && (is_folder(self.before) || is_folder(self.after)) {
                    ahead.push(path);
                }
            }
        }
        found.sort();
        Some(found)
    }

    fn has_same_content(&self, path: &Path) -> bool {
        match (self.before.content_id(path), self.after.content_id(path)) {
            (Some(was), Some(is)) => was == is,
            _ => {
                let read = |tree: &FileTree| tree.bytes(path, 0, limits::FILE_BYTES).ok();
                read(self.before).is_some_and(|was| read(self.after) == Some(was))
            }
        }
    }

    fn has_same_entry(&self, path: &Path) -> bool {
        let id = self.before.entry_id(path);
        id.is_some() && id == self.after.entry_id(path)
    }

    /// Whether a link is the same in both trees, and leads to the same or nowhere. The disk does not know the first: there the
    /// content decides.
    fn is_same_link(&self, path: &Path) -> bool {
        if self.before.entry_id(path).is_none() || self.after.entry_id(path).is_none() {
            return self.before.is_file(path) && self.after.is_file(path) && self.has_same_content(path);
        }
        if !self.has_same_entry(path) {
            return false;
        }
        let target = |tree: &FileTree| {
            let real = tree.real(path).ok().filter(|real| tree.is_there(real));
            real.map(|real| tree.entry_id(&real))
        };
        match (target(self.before), target(self.after)) {
            (None, None) => true,
            (Some(Some(was)), Some(Some(is))) => was == is,
            _ => false,
        }
    }
}
