//! Whether a checkout has what its commit has: a pull request's plan is of the commit, and an apply reads the checkout.

use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::cli::options::RootArgument;
use crate::file_tree::{FileTree, SeenFiles, SeenPath};
use crate::git::command::{GitOutput, run as git};
use crate::git::{Commit, blob_id};
use crate::manifest::{is_manifest, limits, read_file};
use crate::project::Project;
use crate::tenant::TenantLocation;
use crate::text::count;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The attributes of Git that change a file when it is checked out, other than its line ends.
const FILTERS: [&str; 3] = ["filter", "ident", "working-tree-encoding"];

/// Fails if the project's reader reads another file, or other content, in the checkout than in the commit: a person changed
/// it, a filter, a submodule, or a link that leads out of the commit. What an earlier apply wrote into a tenant's folder is
/// no such difference.
pub(super) fn is_commit(
    repository: &ProjectRepository,
    root: &RootArgument,
    folder: &Path,
    commit: &Commit,
) -> Result<(), CommandFailure> {
    let known = Known { folder, commit };
    let work_tree = folder.canonicalize().map_err(|error| known.failure(&error.to_string()))?;
    let tree = repository.files_of_commit(commit)?;
    let in_commit = Side::of(root, tree, repository.root_in_it())?;
    let on_disk = Side::of(root, FileTree::default(), repository.root_in_it())?;
    let written = folders_of_applies(&on_disk.project, &work_tree);
    let mut other: Vec<(PathBuf, Difference)> = Vec::new();
    let paths: BTreeSet<&PathBuf> = in_commit.seen.keys().chain(on_disk.seen.keys()).collect();
    for path in paths {
        match (in_commit.seen.get(path), on_disk.seen.get(path)) {
            (Some(one), Some(other)) if one == other && (!one.is_read || is_same(&in_commit, &on_disk, path)) => {}
            // A report that the job wrote, or a manifest of somebody else's.
            (one, other)
                if leads_alike(one, other) && [&in_commit, &on_disk].iter().all(|it| it.has_nothing_in(path)) => {}
            _ if !written.iter().any(|folder| path.starts_with(folder)) => {
                other.push((path.clone(), Difference::Other))
            }
            _ => other.push((path.clone(), Difference::OfTarget)),
        }
    }
    if other.iter().any(|(_, difference)| *difference == Difference::OfTarget) {
        let changed = known.changed()?;
        let filtered = known.filtered(other.iter().map(|(path, _)| path))?;
        other.retain(|(path, difference)| {
            *difference == Difference::Other || !changed.contains(path) || filtered.contains(path)
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
    /// In a folder that an apply writes.
    OfTarget,
    Other,
}

/// The project in one of the two trees.
struct Side {
    project: Project,
    tree: FileTree,
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
        let in_repository = |path: PathBuf| {
            let whole = match path.strip_prefix(root.root()) {
                Ok(below) => real.join(below),
                Err(_) if path.is_relative() && root.root() == Path::new(".") => real.join(&path),
                Err(_) => path,
            };
            whole.strip_prefix(&base).map(Path::to_path_buf).unwrap_or(whole)
        };
        let seen = seen
            .paths()
            .into_iter()
            .map(|(path, seen)| (in_repository(path), SeenPath { real: seen.real.map(in_repository), ..seen }));
        let seen = seen.collect();
        Ok(Side { project, tree, base, seen })
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

/// Whether a path leads to the same place on both sides, as far as either was asked.
fn leads_alike(one: Option<&SeenPath>, other: Option<&SeenPath>) -> bool {
    let real = |seen: Option<&SeenPath>| seen.and_then(|seen| seen.real.clone());
    real(one) == real(other)
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

/// The folders of tenants that an apply writes, by their path in the repository.
fn folders_of_applies(project: &Project, work_tree: &Path) -> Vec<PathBuf> {
    let is_written = |name: &String| {
        let has_source = project.tenants.get(name).is_some_and(|tenant| tenant.spec.source_path().is_some());
        has_source || project.syncs.iter().any(|sync| sync.spec.goes_to(name))
    };
    let of = |location: &TenantLocation| location.folder()?.folder().canonicalize().ok();
    let tenants = project.tenants.iter().filter(|(name, _)| is_written(name));
    let folders = tenants.filter_map(|(_, tenant)| of(tenant.location.as_ref()?));
    folders.filter_map(|folder| Some(folder.strip_prefix(work_tree).ok()?.to_path_buf())).collect()
}

/// What Git knows of a checkout.
struct Known<'k> {
    /// The root of the work tree.
    folder: &'k Path,
    commit: &'k Commit,
}

impl Known<'_> {
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
