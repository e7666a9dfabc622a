//! The files of a commit, read as those on disk are: nothing is checked out.

use super::error::words;
use crate::file_tree::{ContentId, FileKind, ReadTree, TreeEntry, larger_than};
use gix::objs::TreeRefIter;
use gix::objs::tree::EntryKind;
use gix::{ObjectId, ThreadSafeRepository};
use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// How much each thread remembers of what it unpacked last, in bytes, since many objects are differences to one. What is
/// larger alone is not remembered. gix declares the second name, and reads the first.
pub(super) const UNPACKED: [&str; 2] =
    ["gitoxide.core.deltaBaseCacheLimit=2097152", "gitoxide.core.defaultPackCacheMemoryLimit=2097152"];
/// The most links that are followed for one path, as on Linux.
const MOST_LINKS: usize = 40;
/// A larger file is not read, in bytes: Git has it in memory whole.
const LARGEST: u64 = 256_000_000;
/// A folder with a longer list of its entries is not read, in bytes.
const LARGEST_FOLDER: u64 = 16 << 20;
/// The longest target of a link, in bytes.
const LONGEST_LINK: u64 = 4096;

/// The objects of a repository. What is known of one holds for every commit: two have most of their folders and files
/// in common.
pub(super) struct Objects {
    repository: ThreadSafeRepository,
    /// Handles that no thread uses now. Each remembers what it unpacked last.
    handles: Mutex<Vec<gix::Repository>>,
    /// The folders that were read.
    folders: Mutex<BTreeMap<ObjectId, Arc<Folder>>>,
    /// The sizes of files, in bytes. To find one, Git unpacks what the file is a difference to.
    sizes: Mutex<HashMap<ObjectId, u64>>,
}

/// The files of a commit.
pub(super) struct CommitTree {
    objects: Arc<Objects>,
    /// The root of the repository.
    tree: ObjectId,
    /// The folder of the repository that is read.
    at: PathBuf,
    /// The path of that folder as callers write it.
    root: PathBuf,
    /// The path of the repository's root where no link is left. It is no path of a disk.
    base: PathBuf,
    /// The folders that were looked into, by their path as callers write it.
    by_path: Mutex<HashMap<OsString, Arc<Folder>>>,
    /// The first object that could not be read.
    lost: OnceLock<String>,
}

/// The entries of a folder, by name.
type Folder = BTreeMap<OsString, Entry>;

#[derive(Clone, Copy, Debug)]
struct Entry {
    kind: FileKind,
    id: ObjectId,
}

impl fmt::Debug for CommitTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitTree({})", self.tree)
    }
}

impl Objects {
    pub(super) fn of(repository: ThreadSafeRepository) -> Self {
        let (handles, folders, sizes) = (Mutex::default(), Mutex::default(), Mutex::default());
        Objects { repository, handles, folders, sizes }
    }

    /// Calls a function with a handle of this thread.
    fn with<T>(&self, read: impl FnOnce(&gix::Repository) -> T) -> T {
        let free = locked(&self.handles).pop();
        let handle = free.unwrap_or_else(|| self.repository.to_thread_local());
        let result = read(&handle);
        locked(&self.handles).push(handle);
        result
    }

    fn size(&self, id: ObjectId) -> Result<u64, gix::Error> {
        let known = locked(&self.sizes).get(&id).copied();
        if let Some(size) = known {
            return Ok(size);
        }
        let size = self.with(|repository| repository.find_header(id).map(|header| header.size()))?;
        locked(&self.sizes).insert(id, size);
        Ok(size)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl CommitTree {
    pub(super) fn new(objects: Arc<Objects>, tree: ObjectId, at: &Path, root: &Path) -> Self {
        let base = PathBuf::from(format!("/the tree {tree}"));
        let (at, root) = (plain(at), plain(root));
        CommitTree { objects, tree, at, root, base, by_path: Mutex::default(), lost: OnceLock::new() }
    }

    /// Returns the path in the repository of a path that a caller wrote.
    fn in_repository(&self, path: &Path) -> io::Result<PathBuf> {
        if let Ok(rest) = path.strip_prefix(&self.base) {
            return Ok(rest.to_path_buf());
        }
        let path = plain(path);
        match path.strip_prefix(&self.root) {
            Ok(rest) if rest.is_relative() => Ok(self.at.join(rest)),
            _ => Err(ErrorKind::NotFound.into()),
        }
    }

    fn folder(&self, id: ObjectId) -> io::Result<Arc<Folder>> {
        let read = locked(&self.objects.folders).get(&id).cloned();
        if let Some(folder) = read {
            return Ok(folder);
        }
        let data = self.object(id, LARGEST_FOLDER)?;
        let mut folder = Folder::new();
        for entry in TreeRefIter::from_bytes(&data, id.kind()) {
            let entry = entry.map_err(|error| io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
            let kind = match entry.mode.kind() {
                EntryKind::Tree => FileKind::Folder,
                EntryKind::Blob | EntryKind::BlobExecutable => FileKind::File,
                EntryKind::Link => FileKind::Link,
                EntryKind::Commit => FileKind::Submodule,
            };
            let name = OsStr::from_bytes(entry.filename).to_os_string();
            folder.insert(name, Entry { kind, id: entry.oid.to_owned() });
        }
        let folder = Arc::new(folder);
        locked(&self.objects.folders).insert(id, Arc::clone(&folder));
        Ok(folder)
    }

    /// Finds what a path of the repository leads to, and its path without links. The last part is followed only if
    /// asked. A path that leads out of the repository is returned with nothing.
    fn find(&self, path: &Path, follow_last: bool) -> io::Result<(PathBuf, Option<Entry>)> {
        let root = Entry { kind: FileKind::Folder, id: self.tree };
        let mut ahead: Vec<OsString> = parts(path)?;
        let mut behind: Vec<(OsString, Entry)> = Vec::new();
        let mut links = 0;
        while let Some(name) = ahead.pop() {
            if name == ".." && behind.is_empty() {
                return Ok((PathBuf::from("/").join(name), None));
            }
            let here = behind.last().map_or(root, |(_, entry)| *entry);
            match here.kind {
                FileKind::Folder => {}
                FileKind::Submodule => return Err(io::Error::new(ErrorKind::NotFound, "it is in a submodule")),
                _ => return Err(ErrorKind::NotADirectory.into()),
            }
            if name == ".." {
                behind.pop();
                continue;
            }
            // What ends in a slash must be a folder.
            if name == "." {
                continue;
            }
            let entry = self.folder(here.id)?.get(&name).copied();
            let Some(entry) = entry else { return Err(ErrorKind::NotFound.into()) };
            if entry.kind != FileKind::Link || ahead.is_empty() && !follow_last {
                behind.push((name, entry));
                continue;
            }
            links += 1;
            if links > MOST_LINKS {
                return Err(io::Error::new(ErrorKind::InvalidInput, "its links lead in a circle"));
            }
            let target = self.object(entry.id, LONGEST_LINK)?;
            let target = Path::new(OsStr::from_bytes(&target));
            if target.is_absolute() {
                return Ok((target.to_path_buf(), None));
            }
            let ends_in_folder = target.as_os_str().as_bytes().ends_with(b"/");
            ahead.extend(ends_in_folder.then(|| OsString::from(".")));
            ahead.extend(parts(target)?);
        }
        let found = behind.last().map_or(root, |(_, entry)| *entry);
        Ok((behind.into_iter().map(|(name, _)| name).collect(), Some(found)))
    }

    fn entry(&self, path: &Path, follow_last: bool) -> io::Result<Entry> {
        if let Some(entry) = self.entry_of_folder(path) {
            return Ok(entry);
        }
        self.find(&self.in_repository(path)?, follow_last)?.1.ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Returns an entry of a folder that is found, without a walk from the root for each of its files. What is no entry, or a
    /// link, is left to that walk.
    fn entry_of_folder(&self, path: &Path) -> Option<Entry> {
        let (parent, name) = (path.parent()?, path.file_name()?);
        let known = locked(&self.by_path).get(parent.as_os_str()).cloned();
        let folder = match known {
            Some(folder) => folder,
            None => {
                let found = self.find(&self.in_repository(parent).ok()?, true).ok()?.1?;
                let folder = (found.kind == FileKind::Folder).then(|| self.folder(found.id).ok())??;
                locked(&self.by_path).insert(parent.as_os_str().to_os_string(), Arc::clone(&folder));
                folder
            }
        };
        folder.get(name).copied().filter(|entry| entry.kind != FileKind::Link)
    }

    /// Returns a regular file, links followed.
    fn file(&self, path: &Path) -> io::Result<ObjectId> {
        match self.entry(path, true)? {
            Entry { kind: FileKind::File, id } => Ok(id),
            Entry { kind: FileKind::Folder, .. } => Err(ErrorKind::IsADirectory.into()),
            _ => Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file")),
        }
    }

    fn size_of(&self, id: ObjectId) -> io::Result<u64> {
        self.objects.size(id).map_err(|error| self.lost(id, &error))
    }

    fn object(&self, id: ObjectId, most: u64) -> io::Result<Vec<u8>> {
        if self.size_of(id)? > most {
            return Err(larger_than(most));
        }
        self.objects
            .with(|repository| repository.find_object(id).map(|object| object.detach().data))
            .map_err(|error| self.lost(id, &error))
    }

    /// Remembers that an object could not be read, and returns the error.
    fn lost(&self, id: ObjectId, error: &gix::Error) -> io::Error {
        let why = format!("object {id} is not in this clone, as in a partial one ({})", words(error));
        let _ = self.lost.set(why.clone());
        io::Error::other(why)
    }
}

impl ReadTree for CommitTree {
    fn kind(&self, path: &Path) -> io::Result<FileKind> {
        self.entry(path, false).map(|entry| entry.kind)
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<TreeEntry>> {
        let Entry { kind: FileKind::Folder, id } = self.entry(folder, true)? else {
            return Err(ErrorKind::NotADirectory.into());
        };
        let entry = |(name, entry): (&OsString, &Entry)| TreeEntry { name: name.clone(), kind: Ok(entry.kind) };
        Ok(self.folder(id)?.iter().map(entry).collect())
    }

    fn real(&self, path: &Path) -> io::Result<PathBuf> {
        match self.find(&self.in_repository(path)?, true)? {
            (inside, Some(_)) => Ok(self.base.join(inside)),
            (outside, None) => Ok(outside),
        }
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.size_of(self.file(path)?)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.object(self.file(path)?, LARGEST)?)))
    }

    fn bytes(&self, path: &Path, _: u64, limit: u64) -> io::Result<Vec<u8>> {
        self.object(self.file(path)?, limit.min(LARGEST))
    }

    fn content_id(&self, path: &Path) -> Option<ContentId> {
        self.file(path).ok()?.as_bytes().try_into().ok()
    }

    fn entry_id(&self, path: &Path) -> Option<ContentId> {
        self.entry(path, false).ok()?.id.as_bytes().try_into().ok()
    }

    fn read_only(&self) -> Option<&'static str> {
        Some("it is a commit of Git, whose files are not written: write to a checkout")
    }

    fn lost(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }
}

/// Returns a path without `.`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

/// Returns the parts of a relative path, the first one last.
fn parts(path: &Path) -> io::Result<Vec<OsString>> {
    let part = |part: Component<'_>| match part {
        Component::CurDir => None,
        Component::Normal(name) => Some(Ok(name.to_os_string())),
        Component::ParentDir => Some(Ok("..".into())),
        Component::RootDir | Component::Prefix(_) => Some(Err(io::Error::from(ErrorKind::NotFound))),
    };
    path.components().rev().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::super::repository::Repository;
    use super::*;
    use stablekey_testing::git_repository::{File, GitRepository, files};
    use std::fs;

    /// A folder that was looked into before gives what a walk from the root does.
    #[test]
    fn an_entry_is_found_as_a_walk_from_the_root_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = GitRepository::new(&folder.path().join("tenants.git"));
        let links = [("a/to", "b.yaml"), ("l", "a"), ("out", "/etc"), ("up", ".."), ("round", "round"), ("gone", "no")];
        let mut all = files(&[("a/b.yaml", "1"), ("a/c/d.yaml", "2"), ("e.yaml", "3")]);
        all.extend(links.map(|(path, target)| (path.to_string(), File::Link(target.to_string()))));
        made.commit("main", &all);
        let objects = Arc::new(Objects::of(ThreadSafeRepository::open(made.path()).unwrap()));
        let root = ObjectId::from_hex(made.git(&["rev-parse", "main^{tree}"]).as_bytes()).unwrap();
        let tree = CommitTree::new(objects, root, Path::new(""), Path::new("x"));
        let paths = "a/b.yaml a/./b.yaml a/b.yaml/ a/b.yaml/c a/c/d.yaml a/c a/../e.yaml a/.. e.yaml l l/b.yaml l/to l/c/d.yaml \
             a/to out out/passwd up up/x round round/x gone gone/x none none/x . ..";
        let paths: Vec<PathBuf> = paths.split_whitespace().map(|path| Path::new("x").join(path)).collect();
        let said = |entry: io::Result<Entry>| entry.map(|it| (it.kind, it.id)).map_err(|error| error.kind());
        for path in paths.iter().chain(&paths).map(PathBuf::as_path).chain([Path::new("x"), Path::new("y/e.yaml")]) {
            for follow_last in [false, true] {
                let walked = tree.in_repository(path).and_then(|it| tree.find(&it, follow_last));
                let walked = walked.and_then(|(_, found)| found.ok_or_else(|| ErrorKind::NotFound.into()));
                assert_eq!(said(tree.entry(path, follow_last)), said(walked), "{}", path.display());
            }
        }
    }

    /// A file of a commit is in memory whole or not at all, so its size is compared before.
    #[test]
    fn a_file_above_the_limit_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let made = GitRepository::new(&folder.path().join("tenants.git"));
        // It hardly packs.
        let text: String = (0..20_000_u64).map(|n| format!("{:x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let commit = made.commit("main", &files(&[("a.yaml", &text)]));
        let tree = || {
            let repository = Repository::bare(made.path()).unwrap();
            let commit = repository.commit(&commit).unwrap();
            repository.files(&commit, Path::new(""), Path::new("")).unwrap()
        };
        let length = text.len() as u64;
        assert_eq!(tree().read(Path::new("a.yaml"), length).unwrap().unwrap(), text.as_bytes());
        // Its size is there, and most of its content is not.
        let id = made.git(&["rev-parse", "main:a.yaml"]);
        let path = made.path().join("objects").join(&id[..2]).join(&id[2..]);
        let content = fs::read(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::write(&path, &content[..1000]).unwrap();
        for limit in [10, length - 1] {
            let tree = tree();
            let error = tree.read(Path::new("a.yaml"), limit).unwrap_err();
            assert_eq!(
                (error.kind(), error.to_string()),
                (ErrorKind::InvalidData, format!("larger than {limit} bytes"))
            );
            assert_eq!(tree.lost(), None);
        }
        assert!(tree().read(Path::new("a.yaml"), length).is_err());
    }
}
