//! Trees of files that manifests are read from: the disk, or a commit of Git. A reader of manifests reads both in the
//! same way, links and unreadable parts included.

mod seen;

pub use seen::{SeenFiles, SeenPath};

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, FileType};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a path leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    Folder,
    /// A symbolic link.
    Link,
    /// Another repository of Git, whose content is not in the tree.
    Submodule,
    /// A FIFO, a device or a socket.
    Other,
}

/// An entry of a folder.
#[derive(Debug)]
pub struct TreeEntry {
    pub name: OsString,
    /// What it is; a link is not followed.
    pub kind: io::Result<FileKind>,
}

/// The identity of a file's content: equal for equal content within one tree's repository.
pub type ContentId = [u8; 20];

/// How a tree is read. Paths are as the caller writes them, below the folder that the tree stands for.
pub trait ReadTree: fmt::Debug + Send + Sync {
    /// Returns what a path is; a link at its end is not followed.
    fn kind(&self, path: &Path) -> io::Result<FileKind>;

    /// Returns the entries of a folder, sorted by name.
    fn entries(&self, folder: &Path) -> io::Result<Vec<TreeEntry>>;

    /// Resolves all links of a path.
    fn real(&self, path: &Path) -> io::Result<PathBuf>;

    /// Returns the size of a regular file, in bytes. A link is followed.
    fn size(&self, path: &Path) -> io::Result<u64>;

    /// Opens a regular file. A link is followed.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>>;

    /// Reads a regular file of about `size` bytes. One of more than `limit` bytes is an error, and not read further. A link
    /// is followed.
    fn bytes(&self, path: &Path, size: u64, limit: u64) -> io::Result<Vec<u8>> {
        // One byte more shows the end of the file without growing.
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(limit).saturating_add(1)).unwrap_or_default());
        self.open(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(larger_than(limit));
        }
        Ok(bytes)
    }

    /// Returns the identity of a regular file's content, if the tree knows it without reading the file.
    fn content_id(&self, path: &Path) -> Option<ContentId> {
        let _ = path;
        None
    }

    /// Returns the identity of what a path itself is: of a link, not of what it leads to.
    fn entry_id(&self, path: &Path) -> Option<ContentId> {
        let _ = path;
        None
    }

    /// Why its files cannot be written, if they cannot.
    fn read_only(&self) -> Option<&'static str> {
        None
    }

    /// Why a part of it could not be read so far, if the fault is that of the storage: another copy of the same tree may
    /// have that part.
    fn lost(&self) -> Option<&str> {
        None
    }
}

/// A tree of files; the default is the disk.
#[derive(Clone)]
pub struct FileTree(Arc<dyn ReadTree>);

impl Default for FileTree {
    fn default() -> Self {
        FileTree(Arc::new(Disk))
    }
}

impl fmt::Debug for FileTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FileTree {
    /// Creates a tree that is read in another way than the disk.
    pub fn new(tree: impl ReadTree + 'static) -> Self {
        FileTree(Arc::new(tree))
    }

    /// Returns what a path is; a link at its end is not followed.
    pub fn kind(&self, path: &Path) -> io::Result<FileKind> {
        self.0.kind(path)
    }

    /// Returns what a path leads to, links followed.
    pub fn kind_of_target(&self, path: &Path) -> io::Result<FileKind> {
        match self.0.kind(path)? {
            FileKind::Link => self.0.kind(&self.0.real(path)?),
            kind => Ok(kind),
        }
    }

    /// Whether anything has this path, a link that leads nowhere included.
    pub fn is_there(&self, path: &Path) -> bool {
        self.0.kind(path).is_ok()
    }

    /// Whether nothing has this path. A path that cannot be looked at may have something.
    pub fn is_free(&self, path: &Path) -> bool {
        self.0.kind(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// Whether a path leads to a folder.
    pub fn is_folder(&self, path: &Path) -> bool {
        self.kind_of_target(path).is_ok_and(|kind| kind == FileKind::Folder)
    }

    /// Whether a path leads to a regular file.
    pub fn is_file(&self, path: &Path) -> bool {
        self.kind_of_target(path).is_ok_and(|kind| kind == FileKind::File)
    }

    /// Whether a path is a link.
    pub fn is_link(&self, path: &Path) -> bool {
        self.0.kind(path).is_ok_and(|kind| kind == FileKind::Link)
    }

    /// Returns the entries of a folder, sorted by name.
    pub fn entries(&self, folder: &Path) -> io::Result<Vec<TreeEntry>> {
        self.0.entries(folder)
    }

    /// Resolves all links of a path.
    pub fn real(&self, path: &Path) -> io::Result<PathBuf> {
        self.0.real(path)
    }

    /// Returns the size of a regular file, in bytes. A link is followed.
    pub fn size(&self, path: &Path) -> io::Result<u64> {
        self.0.size(path)
    }

    /// Opens a regular file. A link is followed.
    pub fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        self.0.open(path)
    }

    /// Reads a regular file of about `size` bytes. One of more than `limit` bytes is an error, and not read further. A link
    /// is followed.
    pub fn bytes(&self, path: &Path, size: u64, limit: u64) -> io::Result<Vec<u8>> {
        self.0.bytes(path, size, limit)
    }

    /// Returns the identity of a regular file's content, if the tree knows it without reading the file.
    pub fn content_id(&self, path: &Path) -> Option<ContentId> {
        self.0.content_id(path)
    }

    /// Returns the identity of what a path itself is: of a link, not of what it leads to.
    pub fn entry_id(&self, path: &Path) -> Option<ContentId> {
        self.0.entry_id(path)
    }

    /// Why its files cannot be written, if they cannot.
    pub fn read_only(&self) -> Option<&'static str> {
        self.0.read_only()
    }

    /// Why a part of it could not be read so far, if the fault is that of the storage.
    pub fn lost(&self) -> Option<&str> {
        self.0.lost()
    }

    /// Reads a regular file of at most `limit` bytes; `None` if there is none. A link is not followed.
    pub fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        match self.0.kind(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
            Ok(FileKind::File) => {}
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
        self.0.bytes(path, 0, limit).map(Some)
    }
}

/// The error of a file that is larger than what is read.
pub(crate) fn larger_than(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("larger than {limit} bytes"))
}

/// The file system.
#[derive(Clone, Copy, Debug)]
struct Disk;

impl From<FileType> for FileKind {
    fn from(kind: FileType) -> Self {
        match kind {
            kind if kind.is_file() => FileKind::File,
            kind if kind.is_dir() => FileKind::Folder,
            kind if kind.is_symlink() => FileKind::Link,
            _ => FileKind::Other,
        }
    }
}

impl ReadTree for Disk {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        Ok(fs::symlink_metadata(path)?.file_type().into())
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<TreeEntry>> {
        let entries = fs::read_dir(folder)?.map(|entry| {
            let entry = entry?;
            Ok(TreeEntry { name: entry.file_name(), kind: entry.file_type().map(FileKind::from) })
        });
        let mut entries: Vec<TreeEntry> = entries.collect::<io::Result<_>>()?;
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        fs::canonicalize(path)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(File::open(path)?))
    }
}
