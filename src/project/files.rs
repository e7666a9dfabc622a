//! The files of a project: each is read once, then assigned to its tenants.

use super::ProjectArgs;
use super::ignore::Ignore;
use super::structure::StructureResource;
use crate::api::*;
use crate::engine::model::inventory::ReadOnly;
use crate::file_tree::{ContentId, FileKind, FileTree};
use crate::manifest::{
    DocumentsRead, FileProblem, FolderBudget, FolderContent, FoundFile, ReadDocument, Unparsed, find, is_manifest,
    read_files, read_files_like, read_paths, shown,
};
use crate::tenant::directory::layout::{Folder, FolderLayout, FolderReading};
use crate::tenant::directory::overlay::Overlay;
use crate::tenant::directory::paths::normal;
use crate::tenant::location::Snapshot;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The files below a root, each as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Files {
    readings: Vec<(PathBuf, Arc<DocumentsRead>)>,
    found: FolderContent,
    ignore: Ignore,
    /// Whether the whole root was read, not only files that a person named.
    whole: bool,
    /// What the tree calls the content of each file, if it knows.
    contents: HashMap<OsString, ContentId>,
}

impl Files {
    /// Reads the whole root, or the given files.
    pub(super) fn read(given: &ProjectArgs, stdin: &mut dyn Read) -> Self {
        if !given.paths.is_empty() {
            let readings = read_paths(&given.paths, stdin);
            let readings = readings.into_iter().map(|(path, reading)| (path, Arc::new(reading))).collect();
            return Files { readings, ..Files::default() };
        }
        Files::read_like(given, &Files::default())
    }

    /// Reads the whole root. Files of the same path and content as in another tree are not read again, and neither are
    /// documents of the same text in a file of the same path.
    pub(super) fn read_like(given: &ProjectArgs, other: &Files) -> Self {
        let tree = &given.files;
        if given.may_be_new && !tree.is_there(&given.root) {
            return Files { whole: true, ..Files::default() };
        }
        let ignore = Ignore::read(tree, &given.root);
        let mut found = find(tree, &given.root, &|path, is_folder| ignore.leaves_out(path, is_folder));
        let files = std::mem::take(&mut found.files);
        let paths: Vec<PathBuf> = files.iter().map(|file| normal(&file.path)).collect();
        let ids = files.iter().zip(&paths).filter_map(|(file, path)| Some((path, tree.content_id(&file.path)?)));
        let contents: HashMap<OsString, ContentId> =
            ids.map(|(path, id)| (path.clone().into_os_string(), id)).collect();
        // By text: paths are compared part by part, which takes longer than reading a small file.
        let there: HashMap<&OsStr, &Arc<DocumentsRead>> =
            other.readings.iter().map(|(path, read)| (path.as_os_str(), read)).collect();
        let known = |path: &PathBuf| {
            let path = path.as_os_str();
            let is_same = contents.get(path).is_some_and(|id| other.contents.get(path) == Some(id));
            if is_same { there.get(path).copied() } else { None }
        };
        let known: Vec<Option<&Arc<DocumentsRead>>> = paths.iter().map(known).collect();
        let new = files.iter().zip(&known).filter(|(_, known)| known.is_none());
        let new: Vec<FoundFile> = new.map(|(file, _)| file.clone()).collect();
        let nothing = DocumentsRead::default();
        let before = |path: &Path| there.get(normal(path).as_os_str()).map_or(&nothing, |read| read.as_ref());
        let mut read = read_files_like(tree, &new, before).into_iter();
        let mut readings = Vec::with_capacity(files.len());
        for (path, known) in paths.into_iter().zip(known) {
            let reading = known.map(Arc::clone).or_else(|| {
                let now = read.next()?;
                let same = there.get(path.as_os_str()).filter(|before| now.is_same_as(before));
                Some(same.map_or_else(|| Arc::new(now), |before| Arc::clone(before)))
            });
            readings.extend(reading.map(|reading| (path, reading)));
        }
        Files { readings, found, ignore, whole: true, contents }
    }

    /// Whether a file has the same content in the tree that other files were read from.
    pub(super) fn is_same_in(&self, tree: &FileTree, path: &Path) -> bool {
        let id = tree.content_id(path);
        id.is_some() && self.tree().content_id(path) == id
    }

    fn tree(&self) -> &FileTree {
        self.ignore.tree()
    }

    /// Returns the files as they would be after an edit.
    pub(super) fn after(&self, over: &Overlay) -> Self {
        let mut files = self.clone();
        over.put_over(&mut files.readings, &|path| self.is_read(path));
        files
    }

    /// Whether a new file of this path would be read.
    fn is_read(&self, path: &Path) -> bool {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        let mut folders = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        is_manifest(name) && !self.ignore.leaves_out(path, false) && !folders.any(|f| self.ignore.leaves_out(f, true))
    }

    /// Forgets what is in folders with secrets: nothing there is a manifest, and nothing of it is quoted.
    pub(super) fn forget(&mut self, folders: &[PathBuf]) {
        let folders: Vec<PathBuf> = folders.iter().map(|folder| normal(folder)).collect();
        self.readings.retain(|(path, _)| !folders.iter().any(|folder| path.starts_with(folder)));
    }

    /// Removes and returns the Tenants and TenantSyncs, including invalid ones.
    pub(super) fn take_structure(
        &mut self,
    ) -> (Vec<StructureResource<TenantSpec>>, Vec<StructureResource<TenantSyncSpec>>) {
        let (mut tenants, mut syncs) = (Vec::new(), Vec::new());
        for (_, reading) in &mut self.readings {
            if reading.documents.iter().any(|document| !document.resource.kind().in_tenant()) {
                let reading = Arc::make_mut(reading);
                let documents = std::mem::take(&mut reading.documents);
                for ReadDocument { resource, origin, namespace } in documents {
                    match resource {
                        Resource::Tenant(o) => {
                            let o = Arc::unwrap_or_clone(o);
                            tenants.push(StructureResource { name: o.metadata.name, origin, spec: Some(o.spec) });
                        }
                        Resource::TenantSync(o) => {
                            let o = Arc::unwrap_or_clone(o);
                            syncs.push(StructureResource { name: o.metadata.name, origin, spec: Some(o.spec) });
                        }
                        resource => reading.documents.push(ReadDocument { resource, origin, namespace }),
                    }
                }
            }
            for invalid in reading.invalid.iter().filter(|invalid| !invalid.kind.in_tenant()) {
                let (name, origin) = (invalid.name.clone(), invalid.origin.clone());
                match invalid.kind {
                    Kind::Tenant => tenants.push(StructureResource { name, origin, spec: None }),
                    _ => syncs.push(StructureResource { name, origin, spec: None }),
                }
            }
        }
        (tenants, syncs)
    }

    /// Whether the whole root was read.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Returns all files as those of one tenant.
    pub(super) fn of_one(self, layout: &FolderLayout, folder: &Folder) -> FolderReading {
        layout.complete(folder, merged(self.readings), self.found, &mut FolderBudget::default())
    }
}

fn merged(readings: Vec<(PathBuf, Arc<DocumentsRead>)>) -> DocumentsRead {
    let mut all = DocumentsRead::default();
    readings.into_iter().for_each(|(_, reading)| all.extend(Arc::unwrap_or_clone(reading)));
    all
}

/// The files of a project by tenant.
pub(super) struct SortedFiles {
    /// The files by the path of the tenant's folder.
    pub folders: BTreeMap<PathBuf, FolderReading>,
    /// Files that are in no tenant's folder, and that no tenant links to.
    pub outside: DocumentsRead,
    /// The problems with `.stablekeyignore`.
    pub problems: Vec<FileProblem>,
    /// The number of documents of other kinds.
    pub other_kinds: usize,
    /// The number of links, FIFOs and other files outside that are not read.
    pub passed_over: usize,
}

impl SortedFiles {
    /// Assigns each file to the tenant whose folder contains it.
    pub(super) fn of(layout: &FolderLayout, files: Files) -> Self {
        let Files { readings, mut found, ignore, whole, contents: _ } = files;
        let mut sorted = SortedFiles {
            folders: BTreeMap::new(),
            outside: DocumentsRead::default(),
            problems: ignore.problems.clone(),
            other_kinds: 0,
            passed_over: 0,
        };
        let mut own: BTreeMap<&Path, (DocumentsRead, FolderContent)> =
            layout.folders().iter().map(|folder| (folder.path.as_path(), Default::default())).collect();
        let mut outside = Vec::new();
        for (path, reading) in readings {
            match layout.owner(&path).and_then(|folder| own.get_mut(folder.path.as_path())) {
                Some((own, _)) => own.extend(Arc::unwrap_or_clone(reading)),
                None => outside.push((path, reading)),
            }
        }
        let left_out = std::mem::take(&mut found.left_out);
        for path in &left_out {
            let Some(folder) = layout.owner(path) else { continue };
            sorted.problems.extend(ignore.names_ours(path, &folder.tenant));
            if let Some((reading, more)) = own.get_mut(folder.path.as_path()) {
                read_left_out(layout.over.tree(), path, reading, more);
            }
        }
        sorted.share_out(layout, found, &mut own);
        for folder in layout.folders() {
            let Some((reading, found)) = own.remove(folder.path.as_path()) else { continue };
            let below = left_out.iter().find(|left_out| folder.path.starts_with(normal(left_out)));
            sorted.problems.extend(below.and_then(|left_out| ignore.names_ours(left_out, &folder.tenant)));
            let was_walked = below.is_none() && layout.is_walked(folder);
            let read = match whole && !was_walked {
                true => layout.read(folder),
                false => layout.complete(folder, reading, found, &mut FolderBudget::default()),
            };
            sorted.folders.insert(folder.path.clone(), read);
        }
        let linked: BTreeSet<&String> = sorted.folders.values().flat_map(|read| read.shared.keys()).collect();
        outside.retain(|(path, _)| !linked.contains(&shown(path)));
        sorted.outside.extend(merged(outside));
        let is_ours = |unparsed: &Unparsed| {
            unparsed.ours
                && (!unparsed.unsearched || crate::manifest::may_be_ours(layout.over.tree(), Path::new(&unparsed.file)))
        };
        sorted.outside.unparsed.retain(is_ours);
        let all = sorted.folders.values().map(|read| &read.reading).chain([&sorted.outside]);
        sorted.other_kinds = all.map(|reading| reading.other_kinds).sum();
        sorted
    }

    /// Assigns links, FIFOs and unreadable folders: in a tenant's folder they may contain any object.
    fn share_out(
        &mut self,
        layout: &FolderLayout,
        found: FolderContent,
        own: &mut BTreeMap<&Path, (DocumentsRead, FolderContent)>,
    ) {
        fn of<'o>(
            layout: &FolderLayout,
            own: &'o mut BTreeMap<&Path, (DocumentsRead, FolderContent)>,
            path: &Path,
        ) -> Option<&'o mut FolderContent> {
            Some(&mut own.get_mut(layout.owner(path)?.path.as_path())?.1)
        }
        for path in found.links {
            match of(layout, own, &path) {
                Some(found) => found.links.push(path),
                None => self.passed_over += 1,
            }
        }
        for path in found.strange {
            match of(layout, own, &path) {
                Some(found) => found.strange.push(path),
                None => self.passed_over += 1,
            }
        }
        for (path, problem) in found.unreadable {
            match of(layout, own, &path) {
                Some(found) => found.unreadable.push((path, problem)),
                None => {
                    let file = shown(&path);
                    self.outside.unparsed.push(Unparsed {
                        file,
                        problems: vec![problem],
                        ours: true,
                        unsearched: false,
                    });
                }
            }
        }
    }

    /// The files that count in tenants although they are outside their folders.
    pub(super) fn shared(&self) -> Shared {
        let mut by_file: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for read in self.folders.values() {
            for (file, link) in &read.shared {
                by_file.entry(file.clone()).or_default().push(link.clone());
            }
        }
        Shared { by_file }
    }
}

/// The files that count in tenants although they are outside their folders, with the links to each.
pub(super) struct Shared {
    by_file: BTreeMap<String, Vec<String>>,
}

impl Shared {
    /// Marks objects of a tenant that are never written, since other tenants may use their file too.
    pub(super) fn mark(&self, snapshot: &mut Snapshot) {
        if self.by_file.is_empty() {
            return;
        }
        let why = |file: &String| {
            let links = self.by_file.get(file)?;
            let links = links.join(", ");
            Some(ReadOnly::Shared(format!("its file {file} lies outside the tenant's folder and is shared by {links}")))
        };
        let of = snapshot.origins.iter().filter_map(|(id, origin)| Some((id.clone(), why(&origin.file.path)?)));
        let read_only: BTreeMap<_, _> = of.collect();
        if !read_only.is_empty() {
            Arc::make_mut(&mut snapshot.inventory).read_only = read_only;
        }
    }
}

/// Reads a tenant's file that the ignore rules excluded.
fn read_left_out(tree: &FileTree, path: &Path, reading: &mut DocumentsRead, more: &mut FolderContent) {
    let is_read = || path.file_name().is_some_and(|name| is_manifest(name.as_encoded_bytes()));
    let found = match tree.kind(path) {
        Ok(FileKind::Folder) => find(tree, path, &|_, _| false),
        Ok(FileKind::File) if is_read() => FolderContent {
            files: tree.size(path).map(|size| FoundFile { path: path.to_path_buf(), size }).into_iter().collect(),
            ..FolderContent::default()
        },
        Ok(FileKind::Link) => FolderContent { links: vec![path.to_path_buf()], ..FolderContent::default() },
        _ => FolderContent::default(),
    };
    read_files(tree, &found.files).into_iter().for_each(|read| reading.extend(read));
    more.links.extend(found.links);
    more.strange.extend(found.strange);
    more.unreadable.extend(found.unreadable);
}
