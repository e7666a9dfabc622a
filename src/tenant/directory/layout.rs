//! Whose file is whose: the folders of all tenants below a root, and what links may lead to.
//!
//! A file is known by its real path. A tenant's folder may hold a link to a file that no tenant has: it
//! counts there, and is never written through. A link into another tenant's folder is an error.

use crate::manifest::{self, DocumentsRead, FileProblem, FolderContent, FoundFile, Unparsed, dangling, shown, strange};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// What a tenant keeps in a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderRole {
    /// Its live resources.
    Location,
    /// What it declares.
    Source,
    /// What it would declare, had a person not named another folder.
    Unused,
}

/// A folder of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Whose it is.
    pub tenant: String,
    /// What it is for.
    pub role: FolderRole,
    /// Where it is: below the root as it was given, without links on the way.
    pub path: PathBuf,
}

/// The folders of all tenants.
#[derive(Clone, Debug, Default)]
pub struct FolderLayout {
    root: PathBuf,
    real_root: PathBuf,
    folders: Vec<Folder>,
}

/// Why a path is no folder that a tenant can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// `..`, or an absolute path.
    #[error("{0} leads out of the root")]
    Written(String),
    /// A link on the way leads out.
    #[error("{0} is, or lies behind, a link that leads out of the root")]
    Link(String),
    /// The root itself.
    #[error("{0} is the root itself")]
    Root(String),
}

/// What was read of one folder.
#[derive(Debug, Default)]
pub struct FolderReading {
    /// The documents, and what could hold anything.
    pub reading: DocumentsRead,
    /// Files that lie elsewhere and count here, each with the link that leads to it.
    pub shared: BTreeMap<String, String>,
}

impl FolderLayout {
    /// No folder yet.
    pub fn new(root: &Path) -> Self {
        let real_root = fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf());
        FolderLayout { root: normal(root), real_root, folders: Vec::new() }
    }

    /// One folder alone, whose root is the folder that it lies in.
    pub fn of_one(tenant: &str, path: &Path) -> Self {
        let path = normal(path);
        let mut layout = FolderLayout::new(path.parent().unwrap_or(Path::new("")));
        layout.folders.push(Folder { tenant: tenant.to_string(), role: FolderRole::Location, path });
        layout
    }

    /// Adds a folder. Where folders lie in one another, a file belongs to the outer one.
    pub fn add(&mut self, folder: Folder) {
        let depth = |folder: &Folder| folder.path.components().count();
        let at = self.folders.partition_point(|other| depth(other) <= depth(&folder));
        self.folders.insert(at, folder);
    }

    /// All of them.
    pub fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// A path that somebody wrote, without the links on its way. One that is not there is as it is written.
    pub fn locate(&self, written: &str) -> Result<PathBuf, Misplaced> {
        let below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(written).components().all(below) {
            return Err(Misplaced::Written(written.to_string()));
        }
        let path = normal(&self.root.join(written));
        // Of a path that is not there the links on the way count all the same.
        let there = path.ancestors().find(|ancestor| fs::symlink_metadata(ancestor).is_ok());
        let Some(there) = there.filter(|there| there.starts_with(&self.root)) else { return Ok(path) };
        let Ok(real) = fs::canonicalize(there) else { return Ok(path) };
        let Ok(below) = real.strip_prefix(&self.real_root) else { return Err(Misplaced::Link(written.to_string())) };
        let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
        match normal(&self.root.join(below).join(rest)) {
            root if root == self.root => Err(Misplaced::Root(written.to_string())),
            found => Ok(found),
        }
    }

    /// The folder that a file lies in. Its path has no links on the way.
    pub fn owner(&self, path: &Path) -> Option<&Folder> {
        let path = normal(path);
        self.folders.iter().find(|folder| path.starts_with(&folder.path))
    }

    /// Whether a walk through the root, which passes by hidden names, meets a folder.
    pub fn is_walked(&self, folder: &Folder) -> bool {
        let rest = folder.path.strip_prefix(&self.root).ok();
        rest.is_some_and(|rest| !rest.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b".")))
    }

    /// A folder of a tenant.
    pub fn folder(&self, tenant: &str, role: FolderRole) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.tenant == tenant && folder.role == role)
    }

    /// Reads a folder from the disk.
    pub fn read(&self, folder: &Folder) -> FolderReading {
        let found = manifest::find(&folder.path, &|_, _| false);
        let mut reading = DocumentsRead::default();
        manifest::read_files(&found.files).into_iter().for_each(|read| reading.extend(read));
        self.complete(folder, reading, found)
    }

    /// Adds to what was read of a folder's own files what its links lead to, and what cannot be read.
    pub fn complete(&self, folder: &Folder, reading: DocumentsRead, found: FolderContent) -> FolderReading {
        let mut followed = FollowedLink {
            layout: self,
            folder,
            seen: BTreeSet::new(),
            files: BTreeSet::new(),
            out: FolderReading::default(),
        };
        followed.out.reading = reading;
        followed.take(found, None);
        let FollowedLink { mut out, .. } = followed;
        for file in std::mem::take(&mut out.reading.blank) {
            let problem = FileProblem::of_file(
                &file,
                "the file is empty, or holds no document: what it held is unknown",
                "restore it, or remove it where nothing should be there",
            );
            out.reading.unparsed.push(Unparsed { file, problems: vec![problem], ours: true, unsearched: false });
        }
        out
    }

    /// A file that a document of a tenant names beside itself, without a link: one may lead to a file that no
    /// other tenant has, as mounted files do.
    pub fn side_file(&self, tenant: &str, path: &Path) -> Result<PathBuf, &'static str> {
        if !path.is_symlink() {
            return Ok(path.to_path_buf());
        }
        let Ok(real) = fs::canonicalize(path) else { return Err("this link leads nowhere") };
        let own = self.folders.iter().filter(|folder| folder.tenant == tenant);
        let target = own.filter_map(|folder| self.shown(&real, folder)).map(|(target, _)| target).next();
        let Some(target) = target else { return Err("this link leads out of the root") };
        match self.owner(&target) {
            Some(owner) if owner.tenant != tenant => Err("this link leads into the folder of another tenant"),
            _ => Ok(real),
        }
    }

    /// A folder that a person named: one below the root as every other, one elsewhere as it was given.
    pub fn locate_given(&self, path: &Path) -> PathBuf {
        let real = fs::canonicalize(path).ok();
        real.and_then(|real| self.below_root(&real)).unwrap_or_else(|| normal(path))
    }

    /// A real path, as it is below the root that was given.
    fn below_root(&self, real: &Path) -> Option<PathBuf> {
        Some(normal(&self.root.join(real.strip_prefix(&self.real_root).ok()?)))
    }

    /// A real path below a folder or the root, and whether a hidden name lies on the way from there.
    fn shown(&self, real: &Path, folder: &Folder) -> Option<(PathBuf, bool)> {
        let hidden = |rest: &Path| rest.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
        let own = fs::canonicalize(&folder.path).ok();
        if let Some(rest) = own.as_ref().and_then(|own| real.strip_prefix(own).ok()) {
            return Some((folder.path.join(rest), hidden(rest)));
        }
        let shown = self.below_root(real)?;
        let is_hidden = hidden(shown.strip_prefix(&self.root).unwrap_or(&shown));
        Some((shown, is_hidden))
    }
}

/// The links of one folder, followed.
struct FollowedLink<'a> {
    layout: &'a FolderLayout,
    folder: &'a Folder,
    /// Where links led to before, by real path.
    seen: BTreeSet<PathBuf>,
    /// Files elsewhere that were read.
    files: BTreeSet<PathBuf>,
    out: FolderReading,
}

impl FollowedLink<'_> {
    /// `link` is what led here, where a link did.
    fn take(&mut self, found: FolderContent, link: Option<&Path>) {
        found.unreadable.into_iter().for_each(|(path, problem)| self.unknown(&path, problem));
        found.strange.iter().for_each(|path| self.unknown(path, strange(path)));
        if let Some(link) = link {
            let new: Vec<FoundFile> =
                found.files.into_iter().filter(|file| self.files.insert(file.path.clone())).collect();
            let reading = manifest::read_files(&new);
            new.iter().for_each(|file| drop(self.out.shared.insert(shown(&file.path), shown(link))));
            reading.into_iter().for_each(|read| self.out.reading.extend(read));
        }
        for path in found.links {
            self.follow(&path, link.unwrap_or(&path));
        }
    }

    fn follow(&mut self, path: &Path, link: &Path) {
        let Ok(real) = fs::canonicalize(path) else { return self.unknown(path, dangling(path)) };
        let Some((target, hidden)) = self.layout.shown(&real, self.folder) else {
            return self.wrong(path, "this link leads out of the root", "copy what it names below the root");
        };
        match self.layout.owner(&target) {
            // Its own file counts under its own name already, where that is one that is read.
            Some(owner) if owner == self.folder && !hidden && (real.is_dir() || is_read(&target)) => return,
            Some(owner) if owner.tenant != self.folder.tenant => {
                let message = format!("this link leads into the folder of tenant {}", owner.tenant);
                let help =
                    "a file belongs to one tenant: copy it, or move it out of both folders and link it from each";
                return self.wrong(path, &message, help);
            }
            _ => {}
        }
        let around = self.layout.folders.iter().find(|folder| folder.path.starts_with(&target));
        if let Some(around) = around.filter(|_| real.is_dir()) {
            let message = format!("this link leads to a folder that holds the folder of tenant {}", around.tenant);
            return self.wrong(path, &message, "link the files that are meant, each by itself");
        }
        // What lies behind a hidden name, as mounted files do, or behind one that is not read is known by the link's.
        let at = if hidden || real.is_file() && !is_read(&target) { path.to_path_buf() } else { target.clone() };
        match fs::metadata(&real) {
            Ok(metadata) if metadata.is_dir() => {
                if self.seen.insert(target) {
                    self.take(manifest::find(&at, &|_, _| false), Some(link));
                }
            }
            Ok(metadata) if metadata.is_file() => {
                if is_read(path) && self.seen.insert(target) {
                    let files = vec![FoundFile { path: at, size: metadata.len() }];
                    self.take(FolderContent { files, ..FolderContent::default() }, Some(link));
                }
            }
            _ => self.unknown(path, strange(path)),
        }
    }

    fn wrong(&mut self, path: &Path, message: &str, help: &str) {
        self.unknown(path, FileProblem::of_file(shown(path), message, help));
    }

    fn unknown(&mut self, path: &Path, problem: FileProblem) {
        self.out.reading.unparsed.push(Unparsed {
            file: shown(path),
            problems: vec![problem],
            ours: true,
            unsearched: false,
        });
    }
}

/// Whether a file of this name is read.
fn is_read(path: &Path) -> bool {
    path.file_name().is_some_and(|name| manifest::is_manifest(name.as_encoded_bytes()))
}

/// The same path without `.`.
pub fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}
