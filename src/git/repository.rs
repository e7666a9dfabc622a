//! A repository on this machine: its commits, and the files of each.

use super::error::{GitError, words};
use super::tree::{CommitTree, Objects, UNPACKED};
use crate::file_tree::{ContentId, FileTree};
use gix::bstr::ByteSlice as _;
use gix::object::Kind;
use gix::open::Options;
use gix::{ObjectId, ThreadSafeRepository};
use std::collections::HashSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where branches of the remote are that a job of a CI does not have itself.
const REMOTE: &str = "refs/remotes/origin/";
/// How many commits of each side are looked at to tell what one has and the other has not.
const MOST_COMPARED: usize = 1000;
/// The digits of a whole id.
const WHOLE_ID: usize = 40;
/// How many commits are counted to tell the depth of a shallow clone.
const MOST_COUNTED: usize = 10_000;

/// A repository on this machine.
#[derive(Clone)]
pub struct Repository {
    inner: ThreadSafeRepository,
    objects: Arc<Objects>,
    /// The folder that it was found by.
    folder: PathBuf,
}

/// A commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The name that it was found by.
    pub revision: String,
    id: ObjectId,
}

impl fmt::Display for Commit {
    /// Writes the id in full.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}

impl Commit {
    /// Returns the beginning of the id.
    pub fn short(&self) -> String {
        self.id.to_hex_with_len(10).to_string()
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.folder.display())
    }
}

impl Repository {
    /// Opens the repository whose work tree a folder lies in.
    ///
    /// A folder that looks like a repository without a work tree is none: its files may be those of a commit, and would
    /// say what the history is, and what git runs.
    pub fn around(folder: &Path) -> Result<Self, GitError> {
        let real = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
        match real.ancestors().find(|at| at.join(".git").exists()) {
            Some(root) => Repository::open(root, folder),
            None => Err(GitError::NoRepository { folder: folder.to_path_buf() }),
        }
    }

    /// Opens the repository without a work tree that this folder is: one that Stablekey made itself.
    pub fn bare(folder: &Path) -> Result<Self, GitError> {
        Repository::open(folder, folder)
    }

    fn open(root: &Path, folder: &Path) -> Result<Self, GitError> {
        // No configuration of the machine or of the user says how a commit is read.
        let options = Options::isolated().config_overrides(UNPACKED);
        let inner = options.open(root).map_err(|error| unreadable(folder, &error))?;
        let objects = Arc::new(Objects::of(inner.clone()));
        Ok(Repository { inner, objects, folder: folder.to_path_buf() })
    }

    /// Finds a commit by its name: a branch, a tag, an id, `HEAD^1`. A branch that only the remote has is found too.
    pub fn commit(&self, revision: &str) -> Result<Commit, GitError> {
        let repository = self.inner.to_thread_local();
        let is_plain = !revision.is_empty() && !revision.starts_with('-') && !revision.contains([':', '\n', '\0']);
        if let Some(name) = is_plain.then(|| ambiguous(&repository, revision)).flatten() {
            return Err(GitError::Ambiguous { revision: name.to_string() });
        }
        if is_plain && revision.contains("..") {
            return Err(GitError::Range { revision: revision.to_string() });
        }
        let found = is_plain.then(|| as_ids(&repository, revision)).flatten().and_then(|revision| {
            let object = repository.rev_parse_single(revision.as_str()).ok()?.object().ok()?;
            object.peel_to_kind(Kind::Commit).ok()
        });
        match found {
            Some(commit) => Ok(Commit { revision: revision.to_string(), id: commit.id }),
            None if is_plain => Err(missing(&repository, revision)),
            None => Err(GitError::NoCommit { revision: revision.to_string() }),
        }
    }

    /// Finds the last commit of a branch, here or of the remote: never one whose id begins like its name.
    pub fn branch(&self, name: &str) -> Result<Commit, GitError> {
        let repository = self.inner.to_thread_local();
        if ambiguous(&repository, name).is_some() {
            return Err(GitError::Ambiguous { revision: name.to_string() });
        }
        let of = |folder: &str| repository.find_reference(&format!("{folder}{name}")).ok()?.peel_to_commit().ok();
        match ["refs/heads/", REMOTE].into_iter().find_map(of) {
            Some(commit) => Ok(Commit { revision: name.to_string(), id: commit.id }),
            None => Err(missing(&repository, name)),
        }
    }

    /// Returns the parents of a commit, whether this clone has them or not.
    pub fn parents(&self, commit: &Commit) -> Result<Vec<Commit>, GitError> {
        let repository = self.inner.to_thread_local();
        let object = repository.find_commit(commit.id).map_err(|error| lost(&commit.revision, &error))?;
        let of = |id: ObjectId| Commit { revision: id.to_hex_with_len(10).to_string(), id };
        Ok(object.parent_ids().map(|id| of(id.detach())).collect())
    }

    /// Whether this clone has a commit: a shallow one has not every parent.
    pub fn has(&self, commit: &Commit) -> bool {
        self.inner.to_thread_local().find_header(commit.id).is_ok()
    }

    /// Returns how many commits one commit has behind it, itself included, that another has not; `None` where that is not
    /// known from the last [`MOST_COMPARED`] of each.
    pub fn count_beyond(&self, commit: &Commit, other: &Commit) -> Option<usize> {
        let repository = self.inner.to_thread_local();
        let walk = repository.rev_walk([other.id]).all().ok()?;
        let there: HashSet<ObjectId> = walk.take(MOST_COMPARED).map_while(|commit| Some(commit.ok()?.id)).collect();
        let (mut ahead, mut beyond) = (vec![commit.id], HashSet::new());
        while let Some(id) = ahead.pop() {
            if there.contains(&id) || !beyond.insert(id) {
                continue;
            }
            if beyond.len() > MOST_COMPARED {
                return None;
            }
            ahead.extend(repository.find_commit(id).ok()?.parent_ids().map(gix::Id::detach));
        }
        Some(beyond.len())
    }

    /// Returns the message of a commit.
    pub fn message(&self, commit: &Commit) -> Result<String, GitError> {
        let repository = self.inner.to_thread_local();
        let object = repository.find_commit(commit.id).map_err(|error| lost(&commit.revision, &error))?;
        let message = object.message_raw().map_err(|error| lost(&commit.revision, &error))?;
        Ok(message.to_str_lossy().into_owned())
    }

    /// Returns the path of a folder below the repository's work tree; empty for its root.
    pub fn path_of(&self, folder: &Path) -> Result<PathBuf, GitError> {
        let outside = || GitError::NotInWorkTree { folder: folder.to_path_buf() };
        let work_tree = self.inner.work_dir().and_then(|path| path.canonicalize().ok()).ok_or_else(outside)?;
        let real = folder.canonicalize().map_err(|_| outside())?;
        // A link of the files that are planned would decide where those of another commit are read.
        let is_link = |path: &&Path| {
            let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
            path.is_symlink() && above.canonicalize().is_ok_and(|above| above.starts_with(&work_tree))
        };
        if let Some(link) = folder.ancestors().filter(|path| !path.as_os_str().is_empty()).find(is_link) {
            return Err(GitError::LinkedRoot { link: link.to_path_buf() });
        }
        real.strip_prefix(&work_tree).map(Path::to_path_buf).map_err(|_| outside())
    }

    /// The repository for one thread.
    pub(super) fn thread_local(&self) -> gix::Repository {
        self.inner.to_thread_local()
    }

    /// Returns the root of the work tree, where there is one.
    pub fn work_tree(&self) -> Option<&Path> {
        self.inner.work_dir()
    }

    /// Returns the files of a commit, or of a tree that its id names. The folder `at` of the repository has the path
    /// `root` there.
    pub fn files(&self, tree: &Commit, at: &Path, root: &Path) -> Result<FileTree, GitError> {
        self.files_of(&tree.id, &tree.revision, at, root)
    }

    /// Returns the files of a tree of Git by its id, as `git merge-tree` prints it.
    pub fn files_of_tree(&self, id: &str, at: &Path, root: &Path) -> Result<FileTree, GitError> {
        let parsed = ObjectId::from_hex(id.as_bytes());
        let parsed = parsed.map_err(|_| GitError::NoCommit { revision: id.to_string() })?;
        self.files_of(&parsed, id, at, root)
    }

    fn files_of(&self, id: &ObjectId, name: &str, at: &Path, root: &Path) -> Result<FileTree, GitError> {
        let repository = self.inner.to_thread_local();
        let object = repository.find_object(*id).map_err(|error| lost(name, &error))?;
        let tree = object.peel_to_tree().map_err(|error| lost(name, &error))?.id;
        Ok(FileTree::new(CommitTree::new(Arc::clone(&self.objects), tree, at, root)))
    }
}

/// Returns the identity that a file of these bytes has in a commit.
pub fn blob_id(bytes: &[u8]) -> Option<ContentId> {
    gix::objs::compute_hash(gix::hash::Kind::Sha1, Kind::Blob, bytes).ok()?.as_bytes().try_into().ok()
}

/// Returns the name in a revision that both a tag and a branch have, unless both are the same commit. Git takes the tag,
/// which anybody may have pushed.
fn ambiguous<'r>(repository: &gix::Repository, revision: &'r str) -> Option<&'r str> {
    let name = name_in(revision);
    if name.is_empty() || name.starts_with("refs/") {
        return None;
    }
    let commit = |full: String| repository.find_reference(full.as_str()).ok()?.peel_to_commit().ok().map(|c| c.id);
    let tag = commit(format!("refs/tags/{name}"))?;
    let branches = ["refs/heads/", REMOTE, "refs/remotes/"].map(|folder| commit(format!("{folder}{name}")));
    branches.into_iter().flatten().any(|branch| branch != tag).then_some(name)
}

/// The error for a commit that is not there: a shallow clone may be the reason.
fn missing(repository: &gix::Repository, revision: &str) -> GitError {
    let revision = revision.to_string();
    if repository.head().is_ok_and(|head| head.is_unborn()) && name_in(&revision) == "HEAD" {
        return GitError::Empty;
    }
    match repository.is_shallow().unwrap_or(false) {
        true => GitError::Shallow { revision, depth: depth(repository) },
        false => GitError::NoCommit { revision },
    }
}

/// Writes a revision with the id of the commit that its name has, so that no name is read as the beginning of an id: anybody
/// can make a commit whose id begins like `2026-release`, or like `x-gface`. Git's order holds: names of this clone come
/// before those that only the remote has, and both before ids that are not whole. `None` if nothing has the name.
fn as_ids(repository: &gix::Repository, revision: &str) -> Option<String> {
    let name = name_in(revision);
    let rest = &revision[name.len()..];
    let is_hex = name.bytes().all(|byte| byte.is_ascii_hexdigit());
    if name.is_empty() || name == "@" || is_hex && name.len() == WHOLE_ID {
        return Some(revision.to_string());
    }
    let id = |name: &str| repository.find_reference(name).ok()?.peel_to_id().ok().map(gix::Id::detach);
    // The remote has a HEAD too, which is another.
    let of_remote = || (name != "HEAD").then(|| id(&format!("{REMOTE}{name}"))).flatten();
    match id(name).or_else(of_remote) {
        // What a name stood for earlier is known by the name only.
        Some(_) if rest.starts_with("@{") => Some(revision.to_string()),
        Some(id) => Some(format!("{id}{rest}")),
        None => is_hex.then(|| revision.to_string()),
    }
}

/// Returns the name that a revision begins with: `main~2`, `main^1`, `main@{1}`, `main:file`. An `@` alone is a part of it.
fn name_in(revision: &str) -> &str {
    let ends = ["~", "^", ":", "@{"];
    let end = ends.iter().filter_map(|end| revision.find(end)).min();
    &revision[..end.unwrap_or(revision.len())]
}

/// Returns the number of commits from HEAD to the end of a shallow clone, along first parents.
fn depth(repository: &gix::Repository) -> usize {
    let mut next = repository.head_id().ok().map(|id| id.detach());
    let mut depth = 0;
    while let Some(commit) = next.and_then(|id| repository.find_commit(id).ok()) {
        depth += 1;
        next = commit.parent_ids().next().map(|id| id.detach()).filter(|_| depth < MOST_COUNTED);
    }
    depth.max(1)
}

fn unreadable(folder: &Path, error: &gix::Error) -> GitError {
    GitError::Unreadable { folder: folder.to_path_buf(), why: words(error) }
}

fn lost(name: &str, error: &gix::Error) -> GitError {
    GitError::Object { what: name.to_string(), why: words(error) }
}
