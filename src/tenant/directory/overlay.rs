//! Files as they would be after an edit, over those of a tree: a plan of the result needs no write.

use super::paths::normal;
use crate::api::Uses;
use crate::file_tree::FileTree;
use crate::manifest::{Content, DocumentsRead, read_content_like, shown};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The new content of files; `None` is a file that is gone.
pub type NewFiles = BTreeMap<PathBuf, Option<Content>>;

/// Files over those of a tree.
#[derive(Clone, Default)]
pub struct Overlay {
    tree: FileTree,
    files: Arc<NewFiles>,
    /// What definitions that were read before and did not change say.
    uses: Arc<BTreeMap<PathBuf, Arc<Uses>>>,
}

/// Does not print the content, which may contain secrets.
impl fmt::Debug for Overlay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.files.keys()).finish()
    }
}

impl Overlay {
    /// Creates an overlay without new files.
    pub fn nothing_over(tree: FileTree) -> Self {
        Overlay { tree, ..Overlay::default() }
    }

    /// Creates the overlay of an edit. `uses` are the definitions that were read before the edit, by their file.
    pub fn new(tree: FileTree, files: NewFiles, uses: BTreeMap<PathBuf, Arc<Uses>>) -> Self {
        let files: NewFiles = files.into_iter().map(|(path, content)| (normal(&path), content)).collect();
        let uses = uses.into_iter().map(|(path, uses)| (normal(&path), uses));
        let uses = uses.filter(|(path, _)| !files.contains_key(path)).collect();
        Overlay { tree, files: Arc::new(files), uses: Arc::new(uses) }
    }

    /// Returns the tree below the new files.
    pub fn tree(&self) -> &FileTree {
        &self.tree
    }

    /// Returns the new files.
    pub fn files(&self) -> &NewFiles {
        &self.files
    }

    /// Puts the new files that `is_read` selects over manifests that were read, each with its normal path.
    pub fn put_over(&self, readings: &mut Vec<(PathBuf, Arc<DocumentsRead>)>, is_read: &dyn Fn(&Path) -> bool) {
        for (path, content) in self.files.iter() {
            let at = readings.iter().position(|(there, _)| there == path);
            let content = content.as_ref().filter(|_| at.is_some() || is_read(path));
            let read = |content: &Content, before| Arc::new(read_content_like(&shown(path), content.clone(), before));
            match (at, content) {
                (Some(at), Some(content)) => readings[at].1 = read(content, &readings[at].1),
                (Some(at), None) => drop(readings.remove(at)),
                (None, Some(content)) => readings.push((path.clone(), read(content, &DocumentsRead::default()))),
                (None, None) => {}
            }
        }
    }

    /// Reads a regular file of at most `limit` bytes, as [`FileTree::read`].
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match self.files.get(&normal(path)) {
            Some(content) => Ok(content.as_ref().map(|content| content.as_bytes().to_vec())),
            None => self.tree.read(path, limit),
        }
    }

    /// Returns what an unchanged definition says.
    pub fn uses(&self, path: &Path) -> Option<Arc<Uses>> {
        if self.uses.is_empty() {
            return None;
        }
        self.uses.get(&normal(path)).cloned()
    }

    /// Whether anything has this path, a link that leads nowhere included.
    pub fn is_there(&self, path: &Path) -> bool {
        match self.files.get(&normal(path)) {
            Some(content) => content.is_some(),
            None => self.tree.is_there(path) || self.makes_folder(path),
        }
    }

    /// Whether a folder has this path.
    pub fn is_folder(&self, path: &Path) -> bool {
        self.tree.is_folder(path) || self.makes_folder(path)
    }

    fn makes_folder(&self, path: &Path) -> bool {
        let path = normal(path);
        self.files.iter().any(|(file, content)| content.is_some() && *file != path && file.starts_with(&path))
    }
}
