//! The folders of all tenants below a root: which file belongs to which tenant, and where links may lead to.
//!
//! A file is identified by its real path. A tenant's folder may contain a link to a file that no tenant has: the file
//! counts there, and is never written through the link. A link into another tenant's folder is an error.

use super::overlay::Overlay;
use super::paths::normal;
use crate::file_tree::{FileKind, FileTree};
use crate::manifest::{
    self, DocumentsRead, FileProblem, FolderBudget, FolderContent, FoundFile, Unparsed, dangling, shown, strange,
};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The use of a tenant's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FolderRole {
    /// It contains its live resources.
    Location,
    /// It contains its desired resources.
    Source,
    /// It would contain its desired resources, but a person named another folder.
    Unused,
}

/// A folder of a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    pub tenant: String,
    pub role: FolderRole,
    /// The path below the given root, without links.
    pub path: PathBuf,
}

/// The folders of all tenants.
#[derive(Clone, Debug, Default)]
pub struct FolderLayout {
    root: PathBuf,
    real_root: PathBuf,
    folders: Vec<Folder>,
    /// Files that an edit would write, over those on disk.
    pub over: Overlay,
}

/// Why a path cannot be a tenant's folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misplaced {
    /// `..`, or an absolute path.
    #[error("{0} leads out of the root")]
    Written(String),
    /// A link on the path leads out.
    #[error("{0} is, or lies behind, a link that leads out of the root")]
    Link(String),
    /// The root itself.
    #[error("{0} is the root itself")]
    Root(String),
}

/// The content of one folder.
#[derive(Debug, Default)]
pub struct FolderReading {
    /// The documents, and files that could contain any.
    pub reading: DocumentsRead,
    /// Files elsewhere that count here, each with the link that leads to it.
    pub shared: BTreeMap<String, String>,
}

impl FolderLayout {
    /// Creates a layout without folders.
    pub fn new(root: &Path, over: Overlay) -> Self {
        let real_root = over.tree().real(root).unwrap_or_else(|_| root.to_path_buf());
        FolderLayout { root: normal(root), real_root, folders: Vec::new(), over }
    }

    /// Creates a layout of a single folder, whose root is its parent.
    pub fn of_one(tenant: &str, path: &Path, over: Overlay) -> Self {
        let path = normal(path);
        let mut layout = FolderLayout::new(path.parent().unwrap_or(Path::new("")), over);
        layout.folders.push(Folder { tenant: tenant.to_string(), role: FolderRole::Location, path });
        layout
    }

    /// Adds a folder. A file of nested folders belongs to the outer one.
    pub fn add(&mut self, folder: Folder) {
        let depth = |folder: &Folder| folder.path.components().count();
        let at = self.folders.partition_point(|other| depth(other) <= depth(&folder));
        self.folders.insert(at, folder);
    }

    /// Returns the tree that the files are read from.
    fn tree(&self) -> &FileTree {
        self.over.tree()
    }

    pub fn folders(&self) -> &[Folder] {
        &self.folders
    }

    /// Resolves the links of a path that somebody wrote. A path that does not exist is kept as it is.
    pub fn locate(&self, written: &str) -> Result<PathBuf, Misplaced> {
        let below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        if !Path::new(written).components().all(below) {
            return Err(Misplaced::Written(written.to_string()));
        }
        let path = normal(&self.root.join(written));
        // The links of a path that does not exist count as well.
        let there = path.ancestors().find(|ancestor| self.tree().is_there(ancestor));
        let Some(there) = there.filter(|there| there.starts_with(&self.root)) else { return Ok(path) };
        let Ok(real) = self.tree().real(there) else { return Ok(path) };
        let Ok(below) = real.strip_prefix(&self.real_root) else { return Err(Misplaced::Link(written.to_string())) };
        let rest = path.strip_prefix(there).unwrap_or(Path::new(""));
        match normal(&self.root.join(below).join(rest)) {
            root if root == self.root => Err(Misplaced::Root(written.to_string())),
            found => Ok(found),
        }
    }

    /// Returns the folder of a file. Its path must not have links.
    pub fn owner(&self, path: &Path) -> Option<&Folder> {
        let path = normal(path);
        self.folders.iter().find(|folder| path.starts_with(&folder.path))
    }

    /// Whether a walk through the root finds a folder: it skips hidden names.
    pub fn is_walked(&self, folder: &Folder) -> bool {
        let rest = folder.path.strip_prefix(&self.root).ok();
        rest.is_some_and(|rest| !rest.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b".")))
    }

    /// Returns a folder of a tenant.
    pub fn folder(&self, tenant: &str, role: FolderRole) -> Option<&Folder> {
        self.folders.iter().find(|folder| folder.tenant == tenant && folder.role == role)
    }

    /// Reads a folder.
    pub fn read(&self, folder: &Folder) -> FolderReading {
        self.read_within(folder, &mut FolderBudget::default())
    }

    /// Reads a folder within a budget. Once that is exceeded, files are missing, and a problem says so.
    pub fn read_within(&self, folder: &Folder, budget: &mut FolderBudget) -> FolderReading {
        let found = manifest::find_within(self.tree(), &folder.path, &|_, _| false, budget);
        let paths = found.files.iter().map(|file| normal(&file.path));
        let readings = manifest::read_files(self.tree(), &found.files).into_iter().map(Arc::new);
        let mut readings: Vec<(PathBuf, Arc<DocumentsRead>)> = paths.zip(readings).collect();
        let is_manifest = |path: &Path| manifest::is_manifest(path.file_name().unwrap_or_default().as_encoded_bytes());
        self.over.put_over(&mut readings, &|path| path.starts_with(&folder.path) && is_manifest(path));
        let mut reading = DocumentsRead::default();
        readings.into_iter().for_each(|(_, read)| reading.extend(Arc::unwrap_or_clone(read)));
        self.complete(folder, reading, found, budget)
    }

    /// Adds to a folder's own files those that its links lead to, and those that cannot be read.
    pub fn complete(
        &self,
        folder: &Folder,
        reading: DocumentsRead,
        found: FolderContent,
        budget: &mut FolderBudget,
    ) -> FolderReading {
        let mut followed = FollowedLinks {
            layout: self,
            folder,
            budget,
            ahead: Vec::new(),
            seen: BTreeSet::new(),
            files: BTreeSet::new(),
            out: FolderReading::default(),
        };
        followed.out.reading = reading;
        followed.take(found, None);
        followed.follow_all();
        let FollowedLinks { mut out, .. } = followed;
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

    /// Returns the real path of a file that a tenant's document names. It must be without links, except one to a file
    /// that no other tenant has, as mounted files are.
    pub fn side_file(&self, tenant: &str, path: &Path) -> Result<PathBuf, &'static str> {
        if !self.tree().is_link(path) {
            return Ok(path.to_path_buf());
        }
        let Ok(real) = self.tree().real(path) else { return Err("this link leads nowhere") };
        let own = self.folders.iter().filter(|folder| folder.tenant == tenant);
        let target = own.filter_map(|folder| self.shown(&real, folder)).map(|(target, _)| target).next();
        let Some(target) = target else { return Err("this link leads out of the root") };
        match self.owner(&target) {
            Some(owner) if owner.tenant != tenant => Err("this link leads into the folder of another tenant"),
            _ => Ok(real),
        }
    }

    /// Resolves a folder that a person named: like any other below the root, as it is elsewhere.
    pub fn locate_given(&self, path: &Path) -> PathBuf {
        let real = self.tree().real(path).ok();
        real.and_then(|real| self.below_root(&real)).unwrap_or_else(|| normal(path))
    }

    /// Returns a real path relative to the given root.
    fn below_root(&self, real: &Path) -> Option<PathBuf> {
        Some(normal(&self.root.join(real.strip_prefix(&self.real_root).ok()?)))
    }

    /// Returns a real path relative to a folder or the root, and whether the relative path has a hidden name.
    fn shown(&self, real: &Path, folder: &Folder) -> Option<(PathBuf, bool)> {
        let hidden = |rest: &Path| rest.components().any(|part| part.as_os_str().as_encoded_bytes().starts_with(b"."));
        let own = self.tree().real(&folder.path).ok();
        if let Some(rest) = own.as_ref().and_then(|own| real.strip_prefix(own).ok()) {
            return Some((folder.path.join(rest), hidden(rest)));
        }
        let shown = self.below_root(real)?;
        let is_hidden = hidden(shown.strip_prefix(&self.root).unwrap_or(&shown));
        Some((shown, is_hidden))
    }
}

/// The followed links of one folder.
struct FollowedLinks<'a> {
    layout: &'a FolderLayout,
    folder: &'a Folder,
    budget: &'a mut FolderBudget,
    /// The links to follow, the next one last, each with the folder's own link that led to it. A list and not a
    /// recursion: a chain of links can be longer than any stack.
    ahead: Vec<(PathBuf, PathBuf)>,
    /// The real paths that links led to before.
    seen: BTreeSet<PathBuf>,
    /// Files elsewhere that were read.
    files: BTreeSet<PathBuf>,
    out: FolderReading,
}

impl FollowedLinks<'_> {
    /// `link` is the link that led here, if any.
    fn take(&mut self, found: FolderContent, link: Option<&Path>) {
        found.unreadable.into_iter().for_each(|(path, problem)| self.unknown(&path, problem));
        found.strange.iter().for_each(|path| self.unknown(path, strange(path)));
        if let Some(link) = link {
            let new: Vec<FoundFile> =
                found.files.into_iter().filter(|file| self.files.insert(file.path.clone())).collect();
            let reading = manifest::read_files(self.layout.tree(), &new);
            new.iter().for_each(|file| drop(self.out.shared.insert(shown(&file.path), shown(link))));
            reading.into_iter().for_each(|read| self.out.reading.extend(read));
        }
        let with_first = |path: PathBuf| (path.clone(), link.map_or(path, Path::to_path_buf));
        self.ahead.extend(found.links.into_iter().rev().map(with_first));
    }

    fn follow_all(&mut self) {
        while self.budget.exceeded().is_none()
            && let Some((path, link)) = self.ahead.pop()
        {
            self.follow(&path, &link);
        }
    }

    fn follow(&mut self, path: &Path, link: &Path) {
        let tree = self.layout.tree();
        let Ok(real) = tree.real(path) else { return self.unknown(path, dangling(path)) };
        let Some((target, hidden)) = self.layout.shown(&real, self.folder) else {
            return self.wrong(path, "this link leads out of the root", "copy what it names below the root");
        };
        match self.layout.owner(&target) {
            // An own file counts under its own name already, if that is read.
            Some(owner) if owner == self.folder && !hidden && (tree.is_folder(&real) || is_read(&target)) => return,
            Some(owner) if owner.tenant != self.folder.tenant => {
                let message = format!("this link leads into the folder of tenant {}", owner.tenant);
                let help =
                    "a file belongs to one tenant: copy it, or move it out of both folders and link it from each";
                return self.wrong(path, &message, help);
            }
            _ => {}
        }
        let around = self.layout.folders.iter().find(|folder| folder.path.starts_with(&target));
        if let Some(around) = around.filter(|_| tree.is_folder(&real)) {
            let message = format!("this link leads to a folder that holds the folder of tenant {}", around.tenant);
            return self.wrong(path, &message, "link the files that are meant, each by itself");
        }
        // A file below a hidden name, as mounted files are, or of a name that is not read, is known by the link's name.
        let at = if hidden || tree.is_file(&real) && !is_read(&target) { path.to_path_buf() } else { target.clone() };
        match (tree.kind(&real), tree.size(&real)) {
            (Ok(FileKind::Folder), _) => {
                if self.seen.insert(target) {
                    let found = manifest::find_within(tree, &at, &|_, _| false, self.budget);
                    self.take(found, Some(link));
                }
            }
            (Ok(FileKind::File), Ok(size)) => {
                if is_read(path) && self.seen.insert(target) {
                    if !self.budget.take_file(&at, size) {
                        return self
                            .budget
                            .problem(shown(path))
                            .into_iter()
                            .for_each(|problem| self.unknown(path, problem));
                    }
                    let files = vec![FoundFile { path: at, size }];
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// Each of many folders has a link to the next one: following them must not need a stack as deep.
    #[test]
    fn a_long_chain_of_links_is_followed() {
        const FOLDERS: usize = 5_000;
        let root = tempfile::tempdir().unwrap();
        let at = |name: String| root.path().join(name);
        fs::create_dir(at("us".to_string())).unwrap();
        symlink("../d0", at("us/next".to_string())).unwrap();
        for number in 0..FOLDERS {
            fs::create_dir(at(format!("d{number}"))).unwrap();
            symlink(format!("../d{}", number + 1), at(format!("d{number}/next"))).unwrap();
        }
        fs::create_dir(at(format!("d{FOLDERS}"))).unwrap();
        fs::write(at(format!("d{FOLDERS}/a.yaml")), "a: b\n").unwrap();
        let mut layout = FolderLayout::new(root.path(), Overlay::default());
        let folder = Folder { tenant: "us".to_string(), role: FolderRole::Source, path: at("us".to_string()) };
        layout.add(folder.clone());
        let read = layout.read(&folder);
        assert_eq!(read.shared.len(), 1);
        assert!(read.reading.unparsed.is_empty(), "{:?}", read.reading.unparsed.first());
        // Links use the same budget as the folder.
        let mut budget = FolderBudget::of_bytes(100 * 1024);
        let read = layout.read_within(&folder, &mut budget);
        assert!(budget.exceeded().is_some());
        assert_eq!(read.reading.unparsed.len(), 1);
    }
}
