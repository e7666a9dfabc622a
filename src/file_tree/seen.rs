//! Which files of a tree a reader read, and where their links led it.

use super::{ContentId, FileKind, FileTree, ReadTree, TreeEntry};
use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What a reader read. Paths are as the reader wrote them.
#[derive(Clone, Debug, Default)]
pub struct SeenFiles(Arc<Mutex<BTreeMap<PathBuf, SeenPath>>>);

/// What was read of a path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeenPath {
    /// Whether its content was read.
    pub is_read: bool,
    /// Where it leads without links, if that was asked and something is there.
    pub real: Option<PathBuf>,
}

impl SeenFiles {
    /// Returns a tree that is the same, and of which it is remembered here what is read.
    pub fn of(&self, tree: FileTree) -> FileTree {
        FileTree::new(Watched { tree, seen: self.clone() })
    }

    /// Returns what was read so far.
    pub fn paths(&self) -> BTreeMap<PathBuf, SeenPath> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, path: &Path, what: impl FnOnce(&mut SeenPath)) {
        what(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(path.to_path_buf()).or_default());
    }
}

struct Watched {
    tree: FileTree,
    seen: SeenFiles,
}

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tree.fmt(f)
    }
}

impl ReadTree for Watched {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        self.tree.kind(path)
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<TreeEntry>> {
        self.tree.entries(folder)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        let real = self.tree.real(path);
        self.seen.note(path, |seen| seen.real = real.as_ref().ok().cloned());
        real
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.tree.size(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        self.seen.note(path, |seen| seen.is_read = true);
        self.tree.open(path)
    }

    fn bytes(&self, path: &Path, size: u64, limit: u64) -> io::Result<Vec<u8>> {
        self.seen.note(path, |seen| seen.is_read = true);
        self.tree.bytes(path, size, limit)
    }

    fn content_id(&self, path: &Path) -> Option<ContentId> {
        self.tree.content_id(path)
    }

    fn entry_id(&self, path: &Path) -> Option<ContentId> {
        self.tree.entry_id(path)
    }

    fn read_only(&self) -> Option<&'static str> {
        self.tree.read_only()
    }

    fn lost(&self) -> Option<&str> {
        self.tree.lost()
    }
}
