//! A folder of YAML as a location, made to be a Git working tree: only the lines that must change do,
//! every file is old or new whatever happens, and what a killed run left is finished by the next.

pub mod disk;
mod edits;
mod kustomization;
pub mod layout;
pub mod lock_file;
pub mod read;
mod session;
mod side_files;
mod staging;

pub use edits::manual;
pub use kustomization::KustomizationDue;

use super::directory::disk::{Disk, RealDisk};
use super::directory::layout::{Folder, FolderLayout, FolderRole};
use super::directory::read::{beside, gather};
use super::directory::side_files::SideFiles;
use super::location::{Location, LocationError, Session, Snapshot};
use crate::api::{Definition, Resource};
use crate::engine::model::canonical::Digest;
use crate::engine::model::inventory::{Inventory, ReadOnly};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::Change;
use crate::engine::model::record::Record;
use crate::io_error::{self, Words};
use crate::manifest::{self, FileProblem, SourcePlace};
use crate::platform::definition;
use kustomization::Kustomization;
use session::DirectorySession;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where earlier versions kept what was approved. Whoever may change the tree may write it, so it is
/// never read.
const APPROVED: &str = "stablekey.approved";
/// The largest lock file that we read, in bytes.
const LOCK_BYTES: u64 = 256_000_000;

/// A folder of YAML.
#[derive(Clone)]
pub struct FolderLocation {
    tenant: String,
    folder: PathBuf,
    layout: Arc<FolderLayout>,
    disk: Arc<dyn Disk>,
}

impl std::fmt::Debug for FolderLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DirectoryLocation({} at {})", self.tenant, self.folder.display())
    }
}

impl FolderLocation {
    /// The folder of a tenant that is alone in its world.
    pub fn new(tenant: impl Into<String>, folder: PathBuf) -> Self {
        let tenant = tenant.into();
        let layout = Arc::new(FolderLayout::of_one(&tenant, &folder));
        FolderLocation { tenant, folder, layout, disk: Arc::new(RealDisk) }
    }

    /// The same folder among those of other tenants, whose files are not its own.
    pub fn in_layout(self, layout: Arc<FolderLayout>) -> Self {
        FolderLocation { layout, ..self }
    }

    /// The same folder, on a disk that tests can cut off.
    pub fn on_disk(self, disk: Arc<dyn Disk>) -> Self {
        FolderLocation { disk, ..self }
    }

    /// The tenant's name.
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file of approvals that lies in the folder, and counts for nothing.
    pub fn file_of_approvals(&self) -> Option<PathBuf> {
        Some(self.folder.join(APPROVED)).filter(|path| path.symlink_metadata().is_ok())
    }

    /// What `stablekey.lock` says of what is live; and whether it is to be written again, because a merge left
    /// several lines for one object.
    fn lock(&self, live: &Inventory) -> Result<(BTreeMap<ObjectId, Arc<Record>>, bool), FileProblem> {
        let path = self.folder.join(lock_file::NAME);
        let wrong = |line: usize, message: String, help: &str| FileProblem {
            file: path.display().to_string(),
            line: u32::try_from(line).unwrap_or(u32::MAX),
            column: 1,
            excerpt: None,
            message,
            help: help.to_string(),
        };
        let bytes = match disk::read(&path, LOCK_BYTES) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok((BTreeMap::new(), false)),
            Err(error) => {
                let Words { why, help } = io_error::reading(&path, &error);
                return Err(wrong(0, format!("cannot be read: {why}"), &help));
            }
        };
        let help = "restore it from Git; without it every object is as if others had written it";
        let text = String::from_utf8(bytes).map_err(|_| wrong(0, "not UTF-8".to_string(), help))?;
        let lines = lock_file::read(&text).map_err(|error| wrong(error.line, error.why.to_string(), help))?;
        let are_merged = lines.are_merged();
        Ok((lines.records(&self.tenant, live), are_merged))
    }

    /// What is live with what `stablekey.lock` says of it.
    pub fn with_records(&self, snapshot: Snapshot) -> Result<Snapshot, FileProblem> {
        self.recorded(snapshot).map(|(snapshot, _)| snapshot)
    }

    fn recorded(&self, mut snapshot: Snapshot) -> Result<(Snapshot, bool), FileProblem> {
        let (records, are_merged) = self.lock(&snapshot.inventory)?;
        Arc::make_mut(&mut snapshot.inventory).records = records;
        Ok((snapshot, are_merged))
    }

    fn read(&self) -> Result<Snapshot, LocationError> {
        self.read_all().map(|read| read.snapshot)
    }

    /// Everything, with what only a session needs to know.
    fn read_all(&self) -> Result<ReadFolder, LocationError> {
        if !self.folder.is_dir() {
            let why = "it is not there: restore it, or make it where it should be empty".to_string();
            return Err(LocationError::Failed { what: self.folder.display().to_string(), why });
        }
        let folder = self.layout.folder(&self.tenant, FolderRole::Location).filter(|folder| folder.path == self.folder);
        let alone = || Folder { tenant: self.tenant.clone(), role: FolderRole::Location, path: self.folder.clone() };
        let read = self.layout.read(&folder.cloned().unwrap_or_else(alone));
        let side_files = SideFiles::of(&read.reading);
        let other_kinds = read.reading.other_kinds;
        let mut snapshot = gather(read.reading, &self.layout, &self.tenant);
        snapshot.other_kinds = other_kinds;
        let (mut snapshot, are_merged) = self
            .recorded(snapshot)
            .map_err(|problem| LocationError::Failed { what: problem.file, why: problem.message })?;
        let inventory = Arc::make_mut(&mut snapshot.inventory);
        for (id, origin) in snapshot.origins.iter() {
            if let Some(link) = read.shared.get(&origin.file.path) {
                let why = format!("its file {} lies outside the tenant's folder; {link} leads to it", origin.file.path);
                inventory.read_only.insert(id.clone(), ReadOnly::Shared(why));
            }
        }
        Ok(ReadFolder { snapshot, side_files, are_merged })
    }

    fn failed(&self, what: &Path) -> impl Fn(std::io::Error) -> LocationError {
        let path = what.to_path_buf();
        move |error| {
            let Words { why, help } = io_error::writing(&path, &error);
            LocationError::Failed { what: path.display().to_string(), why: format!("{why}; {help}") }
        }
    }
}

impl Location for FolderLocation {
    fn snapshot(&self) -> Result<Snapshot, LocationError> {
        self.read()
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        // Where we put it, without reading the whole folder for one file.
        let usual = self.folder.join(crate::api::Kind::Integration.plural());
        let manifest = usual.join(format!("{integration}.yaml"));
        let id = ObjectId::new(crate::api::Kind::Integration, integration);
        if let Some((origin, Resource::Integration(object))) = find(&manifest, &id)
            && let Some(Definition::File(file)) = &object.spec.definition
        {
            return read_definition(&self.layout, &self.tenant, &beside(&origin, file));
        }
        let snapshot = self.read()?;
        let nothing = || LocationError::Refused { object: id.clone(), why: "it has no definition file".to_string() };
        let Some(Item::Integration(object, _)) = snapshot.inventory.get(&id) else { return Err(nothing()) };
        let (Some(Definition::File(file)), Some(origin)) = (&object.spec.definition, snapshot.origins.get(&id)) else {
            return Err(nothing());
        };
        read_definition(&self.layout, &self.tenant, &beside(origin, file))
    }

    fn begin<'a>(&'a self, coming: &[&Change]) -> Result<Box<dyn Session + 'a>, LocationError> {
        Ok(Box::new(self.take(coming)?))
    }
}

impl FolderLocation {
    /// Has the kustomization of the folder, where there is one, say what is in the folder.
    pub fn keep_kustomization(&self) -> Result<(), LocationError> {
        if self.kustomization().is_some() { self.take(&[])?.complete_kustomization() } else { Ok(()) }
    }

    /// The text of the kustomization of the folder, where there is one.
    pub fn kustomization(&self) -> Option<String> {
        kustomization::text_in(&self.folder)
    }

    /// What the kustomization of the folder does not say of what was read there.
    pub fn kustomization_due(&self, read: &Snapshot) -> Option<KustomizationDue> {
        kustomization::due(&self.folder, read)
    }

    /// Takes the folder for writing.
    fn take(&self, coming: &[&Change]) -> Result<DirectorySession<'_>, LocationError> {
        let lock = File::open(&self.folder).map_err(self.failed(&self.folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(LocationError::Busy { who: self.tenant.clone() }),
            Err(TryLockError::Error(error)) => return Err(self.failed(&self.folder)(error)),
        }
        let ReadFolder { snapshot, side_files, are_merged } = self.read_all()?;
        let within = std::fs::canonicalize(&self.folder);
        let folders: BTreeSet<PathBuf> = snapshot
            .origins
            .values()
            .filter_map(|origin| Path::new(&origin.file.path).parent().map(Path::to_path_buf))
            .filter(|folder| folder.starts_with(&self.folder))
            .chain([self.folder.clone()])
            .chain(side_files.folders().filter(|folder| within.as_ref().is_ok_and(|within| folder.starts_with(within))))
            .chain(crate::api::Kind::ALL.map(|kind| self.folder.join(kind.plural())))
            .collect();
        disk::sweep(self.disk.as_ref(), &folders).map_err(self.failed(&self.folder))?;
        let announced = |change: &&&Change| change.before.is_none();
        let coming = coming.iter().filter(announced).filter_map(|c| Some((c.object.clone(), c.record.clone()?)));
        Ok(DirectorySession {
            kustomization: Kustomization::of(&self.folder, &snapshot),
            coming: coming.collect(),
            location: self,
            _lock: lock,
            records: snapshot.inventory.records.clone(),
            written: (!are_merged).then(|| snapshot.inventory.records.clone()),
            unreadable: !snapshot.inventory.unparsed.is_empty(),
            read_only: snapshot.inventory.read_only.iter().map(|(id, why)| (id.clone(), why.to_string())).collect(),
            side_files,
            within: BTreeSet::new(),
            files: snapshot.origins.iter().map(|(id, origin)| (id.clone(), PathBuf::from(&origin.file.path))).collect(),
        })
    }
}

/// What was read of the folder.
struct ReadFolder {
    snapshot: Snapshot,
    side_files: SideFiles,
    /// Whether the lock is to be written again, as one that Git merged is.
    are_merged: bool,
}

/// An object's document in a file, as it is now.
fn find(path: &Path, id: &ObjectId) -> Option<(SourcePlace, Resource)> {
    let is_it = |d: &manifest::ReadDocument| d.resource.kind() == id.kind && d.resource.metadata().name == id.name;
    let found = manifest::read_file(path).documents.into_iter().find(is_it)?;
    Some((found.origin, found.resource))
}

/// The bytes of a definition.
pub fn read_definition(layout: &FolderLayout, tenant: &str, path: &Path) -> Result<Vec<u8>, LocationError> {
    let failed = |why: String| LocationError::Failed { what: path.display().to_string(), why };
    let limit = u64::try_from(definition::MAX_BYTES).unwrap_or(u64::MAX);
    let real = layout.side_file(tenant, path).map_err(|why| failed(why.to_string()))?;
    disk::read(&real, limit)
        .map_err(|e| failed(io_error::reading(path, &e).why))?
        .ok_or_else(|| failed("it is not there".to_string()))
}

/// The digest by which a definition is known.
pub fn definition_digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string().trim_start_matches("sha256:").to_string()
}
