//! Whether a checkout has what its commit has: a pull request's plan is of the commit, and an apply reads the checkout.

use super::live_files::of_applies;
use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::cli::options::RootArgument;
use crate::file_tree::{FileTree, SeenFiles, SeenPath};
use crate::git::command::{GitOutput, run as git};
use crate::git::{Commit, blob_id};
use crate::manifest::{is_manifest, limits, read_file};
use crate::project::Project;
use crate::text::count;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The attributes of Git that change a file when it is checked out, other than its line ends.
const FILTERS: [&str; 3] = ["filter", "ident", "working-tree-encoding"];

/// Fails if the project's reader reads another file, or other content, in the checkout than in the commit: a person changed
/// it, a filter, a submodule, or a link that leads out of the commit. An object that a sync or a source brings to the folder
/// of its tenant is live there, and may differ: an earlier apply wrote it, or somebody changed it.
pub(super) fn is_commit(
    repository: &ProjectRepository,
    root: &RootArgument,
    folder: &Path,
    commit: &Commit,
) -> Result<(), CommandFailure> {
    let known = KnownCommit { folder, commit };
    let tree = repository.files_of_commit(commit)?;
    let in_commit = Side::of(root, tree, repository.root_in_it())?;
    let on_disk = Side::of(root, FileTree::default(), repository.root_in_it())?;
    let live = live_files([&in_commit, &on_disk]);
    let mut other: Vec<(PathBuf, Difference)> = Vec::new();
    let paths: BTreeSet<&PathBuf> = in_commit.seen.keys().chain(on_disk.seen.keys()).collect();
    for path in paths {
        let sides = [&in_commit, &on_disk];
        let leads_alike = in_commit.leads_to(path) == on_disk.leads_to(path);
        let is_same_content = match sides.map(|side| side.is_read(path)) {
            [false, false] => true,
            [true, true] if is_same(&in_commit, &on_disk, path) => true,
            // A report that the job wrote, or a manifest of somebody else's.
            _ => sides.iter().all(|side| side.has_nothing_in(path)),
        };
        match leads_alike && is_same_content {
            true => {}
            false if live.contains(path) => other.push((path.clone(), Difference::Live)),
            false => other.push((path.clone(), Difference::Desired)),
        }
    }
    if other.iter().any(|(_, difference)| *difference == Difference::Live) {
        let changed = known.changed()?;
        let filtered = known.filtered(other.iter().map(|(path, _)| path))?;
        other.retain(|(path, difference)| {
            *difference == Difference::Desired || !changed.contains(path) || filtered.contains(path)
        });
    }
    let Some((first, _)) = other.first() else { return Ok(()) };
    let more = match other.len() - 1 {
        0 => String::new(),
        more => format!(" (nor {})", count(more, "other file", "other files")),
    };
    let message = format!("{} in the checkout is not what commit {} has{more}", first.display(), commit.short());
    let help = "only what is merged is applied: commit the change and have it merged, or undo it. Where git status shows \
                none, a filter in .gitattributes, a submodule or a link makes it: leave that out";
    Err(CommandFailure::new(message, help))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// Of what an apply writes.
    Live,
    /// Of what people declare.
    Desired,
}

/// The project in one of the two trees.
struct Side {
    project: Project,
    tree: FileTree,
    /// The root of the project as the person wrote it, and as this tree has it.
    root: PathBuf,
    real: PathBuf,
    /// The root of the repository, as this tree has it.
    base: PathBuf,
    /// What was read, by its path in the repository. What lies elsewhere has its own path.
    seen: BTreeMap<PathBuf, SeenPath>,
}

impl Side {
    fn of(root: &RootArgument, tree: FileTree, at: &Path) -> Result<Self, CommandFailure> {
        let seen = SeenFiles::default();
        let project = root.open_files_in(seen.of(tree.clone()))?;
        let real = tree.real(root.root()).map_err(|error| {
            CommandFailure::new(
                format!("{} cannot be found: {error}", root.root().display()),
                "give the project's folder",
            )
        })?;
        let base = real.ancestors().nth(at.components().count()).unwrap_or(&real).to_path_buf();
        let mut side = Side { project, tree, root: root.root().to_path_buf(), real, base, seen: BTreeMap::new() };
        let seen = seen.paths().into_iter().map(|(path, seen)| {
            let real = seen.real.map(|real| side.in_repository(&real));
            (side.in_repository(&path), SeenPath { real, ..seen })
        });
        side.seen = seen.collect();
        Ok(side)
    }

    /// The path in the repository of a path as the reader writes it.
    fn in_repository(&self, path: &Path) -> PathBuf {
        let whole = match path.strip_prefix(&self.root) {
            Ok(below) => self.real.join(below),
            Err(_) if path.is_relative() && self.root == Path::new(".") => self.real.join(path),
            Err(_) => path.to_path_buf(),
        };
        whole.strip_prefix(&self.base).map(Path::to_path_buf).unwrap_or(whole)
    }

    fn is_read(&self, path: &Path) -> bool {
        self.seen.get(path).is_some_and(|seen| seen.is_read)
    }

    /// Where the links of a path lead, if it has any and was asked for; else the path itself, whether it is there or not.
    fn leads_to<'s>(&'s self, path: &'s Path) -> &'s Path {
        self.seen.get(path).and_then(|seen| seen.real.as_deref()).unwrap_or(path)
    }

    /// Whether a file is a manifest without anything of Stablekey, or is not there.
    fn has_nothing_in(&self, path: &Path) -> bool {
        let whole = self.base.join(path);
        let name = path.file_name().unwrap_or_default();
        if !is_manifest(name.as_encoded_bytes()) || !self.tree.is_file(&whole) {
            return self.tree.is_free(&whole);
        }
        let read = read_file(&self.tree, &whole);
        read.documents.is_empty() && read.invalid.is_empty() && read.unparsed.is_empty()
    }

    fn bytes(&self, path: &Path) -> Option<Vec<u8>> {
        self.tree.bytes(&self.base.join(path), 0, limits::FILE_BYTES).ok()
    }
}

/// Whether a file has the same content on both sides, whatever its line ends are. What neither side can read is a finding
/// of the plan.
fn is_same(in_commit: &Side, on_disk: &Side, path: &Path) -> bool {
    let disk = on_disk.bytes(path);
    if let (Some(bytes), Some(id)) = (&disk, in_commit.tree.content_id(&in_commit.base.join(path)))
        && blob_id(bytes) == Some(id)
    {
        return true;
    }
    let unix = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).replace("\r\n", "\n").into_bytes();
    disk.map(unix) == in_commit.bytes(path).map(unix)
}

/// The files with nothing but what applies write, by their path in the repository.
fn live_files(sides: [&Side; 2]) -> BTreeSet<PathBuf> {
    let mut files: BTreeMap<PathBuf, bool> = BTreeMap::new();
    for side in sides {
        for (path, is_live) in of_applies(&side.project, sides.map(|side| &side.project)) {
            *files.entry(side.in_repository(&path)).or_insert(true) &= is_live;
        }
    }
    files.into_iter().filter(|(_, is_live)| *is_live).map(|(path, _)| path).collect()
}

/// What Git knows of a checkout.
struct KnownCommit<'k> {
    /// The root of the work tree.
    folder: &'k Path,
    commit: &'k Commit,
}

impl KnownCommit<'_> {
    /// The files that differ from the commit, and those that it does not have.
    fn changed(&self) -> Result<BTreeSet<PathBuf>, CommandFailure> {
        let differing = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "HEAD"];
        let new = ["ls-files", "--others", "--full-name", "-z"];
        let mut files = self.listed(&differing, None)?;
        files.extend(self.listed(&new, None)?);
        Ok(files)
    }

    /// The files among these that a filter of `.gitattributes` changes.
    fn filtered<'p>(&self, paths: impl Iterator<Item = &'p PathBuf>) -> Result<BTreeSet<PathBuf>, CommandFailure> {
        let names: Vec<u8> = paths.flat_map(|path| [path.as_os_str().as_encoded_bytes(), b"\0"].concat()).collect();
        let printed = self.printed(&[&["check-attr", "-z", "--stdin"], &FILTERS[..]].concat(), Some(&names))?;
        let parts: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();
        let is_set = |part: &&[&[u8]]| part.len() == 3 && ![&b"unspecified"[..], b"unset"].contains(&part[2]);
        Ok(parts.chunks(3).filter(is_set).map(|part| path(part[0])).collect())
    }

    fn listed(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<BTreeSet<PathBuf>, CommandFailure> {
        Ok(self.printed(arguments, input)?.split(|byte| *byte == 0).map(path).collect())
    }

    fn printed(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, CommandFailure> {
        git(self.folder, arguments, input, &[]).and_then(GitOutput::of_success).map_err(|why| self.failure(&why))
    }

    fn failure(&self, why: &str) -> CommandFailure {
        let message = format!("it is not known whether the checkout is commit {}: {why}", self.commit.short());
        CommandFailure::new(message, "see that git diff HEAD works")
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
