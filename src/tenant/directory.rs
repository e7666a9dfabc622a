//! A folder of YAML files as a location, usually in a Git working tree. Only the lines that must change do; every file
//! is either old or new, whatever happens; and the next run finishes what a killed run left.

pub mod disk;
mod edits;
mod kustomization;
pub mod layout;
pub mod lock_file;
pub mod overlay;
pub mod paths;
pub mod read;
mod session;
mod side_files;
mod staging;

pub use edits::{edits_of, manual};
pub use kustomization::KustomizationDue;

use super::directory::disk::{Disk, RealDisk};
use super::directory::layout::{Folder, FolderLayout, FolderRole};
use super::directory::overlay::Overlay;
use super::directory::read::{beside, gather};
use super::directory::side_files::SideFiles;
use super::location::{HealthCheck, Location, LocationError, Session, Snapshot};
use crate::api::{Definition, Resource};
use crate::engine::model::canonical::Digest;
use crate::engine::model::inventory::{Capabilities, Inventory, ReadOnly};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::Change;
use crate::engine::model::record::Record;
use crate::file_tree::FileTree;
use crate::io_error::{self, Words};
use crate::manifest::{self, FileProblem, SourcePlace};
use crate::platform::definition;
use kustomization::Kustomization;
use session::DirectorySession;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of approvals of earlier versions. Whoever may change the tree could write it, so it is never read.
const APPROVED: &str = "stablekey.approved";
/// Maximum size of the lock file, in bytes.
const LOCK_BYTES: u64 = 256_000_000;

/// A folder of YAML files.
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
    /// Creates the location of a tenant that is the only one.
    pub fn new(tenant: impl Into<String>, folder: PathBuf) -> Self {
        let tenant = tenant.into();
        let layout = Arc::new(FolderLayout::of_one(&tenant, &folder, Overlay::default()));
        FolderLocation { tenant, folder, layout, disk: Arc::new(RealDisk) }
    }

    /// Places it among the folders of other tenants, whose files are not its own.
    pub fn in_layout(self, layout: Arc<FolderLayout>) -> Self {
        FolderLocation { layout, ..self }
    }

    /// Replaces the disk, so that tests can cut its power.
    pub fn on_disk(self, disk: Arc<dyn Disk>) -> Self {
        FolderLocation { disk, ..self }
    }

    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns the file of approvals of an earlier version, which has no effect.
    pub fn file_of_approvals(&self) -> Option<PathBuf> {
        Some(self.folder.join(APPROVED)).filter(|path| self.layout.over.tree().is_there(path))
    }

    /// Reads the records of `stablekey.lock`, and whether it must be written again because a Git merge left several
    /// lines for one object.
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
        let bytes = match self.layout.over.read(&path, LOCK_BYTES) {
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

    /// Adds the records of `stablekey.lock` to the live objects.
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

    /// Reads everything, including what only a session needs.
    fn read_all(&self) -> Result<ReadFolder, LocationError> {
        if !self.layout.over.is_folder(&self.folder) {
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
            .map_err(|problem| LocationError::Failed { what: problem.position(), why: problem.message })?;
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

    /// Updates the kustomization of the folder, if there is one.
    pub fn keep_kustomization(&self) -> Result<(), LocationError> {
        if self.kustomization().is_some() { self.take(&[])?.complete_kustomization() } else { Ok(()) }
    }

    /// Returns the text of the kustomization of the folder, if there is one.
    pub fn kustomization(&self) -> Option<String> {
        kustomization::text_in(&self.folder, &self.layout.over)
    }

    /// Returns the updates that the kustomization of the folder needs.
    pub fn kustomization_due(&self, read: &Snapshot) -> Option<KustomizationDue> {
        kustomization::edits(&self.folder, &self.layout.over, read)
    }

    /// Locks the folder for writing.
    fn take(&self, coming: &[&Change]) -> Result<DirectorySession<'_>, LocationError> {
        if let Some(why) = self.layout.over.tree().read_only() {
            return Err(LocationError::Failed { what: self.folder.display().to_string(), why: why.to_string() });
        }
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

impl Location for FolderLocation {
    fn capabilities(&self) -> Capabilities {
        Capabilities::FILES
    }

    fn snapshot(&self) -> Result<Snapshot, LocationError> {
        self.read()
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        // The usual file of the definition is tried first, without reading the whole folder.
        let usual = self.folder.join(crate::api::Kind::Integration.plural());
        let manifest = usual.join(format!("{integration}.yaml"));
        let id = ObjectId::new(crate::api::Kind::Integration, integration);
        if let Some((origin, Resource::Integration(object))) = find(self.layout.over.tree(), &manifest, &id)
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

    fn diagnose(&self) -> Vec<HealthCheck> {
        let shown = self.folder.display();
        let read = format!("the folder {shown} and its {} can be read", lock_file::NAME);
        let mut checks = vec![match self.read() {
            Ok(_) => HealthCheck::good(read),
            Err(error) => HealthCheck::bad(read, error.to_string(), "correct that, or restore it from Git"),
        }];
        let written = format!("the folder {shown} can be written");
        // Made and removed at once; a name that no reader looks at.
        let probe = self.folder.join(format!(".stablekey-doctor-{}", std::process::id()));
        let wrote = File::options().write(true).create_new(true).open(&probe);
        checks.push(match wrote.and_then(|_| std::fs::remove_file(&probe)) {
            Ok(()) => HealthCheck::good(written),
            Err(error) => {
                let Words { why, help } = io_error::writing(&self.folder, &error);
                HealthCheck::bad(written, why, help)
            }
        });
        let free = "no other apply writes to it".to_string();
        checks.push(match File::open(&self.folder).map(|folder| folder.try_lock()) {
            Ok(Ok(())) => HealthCheck::good(free),
            Ok(Err(TryLockError::WouldBlock)) => {
                HealthCheck::bad(free, "another apply has its lock", "wait until it is done")
            }
            Ok(Err(TryLockError::Error(error))) | Err(error) => {
                let Words { why, help } = io_error::writing(&self.folder, &error);
                HealthCheck::bad(free, why, help)
            }
        });
        checks
    }
}

/// The content of the folder.
struct ReadFolder {
    snapshot: Snapshot,
    side_files: SideFiles,
    /// Whether the lock must be written again, after a Git merge.
    are_merged: bool,
}

/// Reads the document of an object from a file.
fn find(tree: &FileTree, path: &Path, id: &ObjectId) -> Option<(SourcePlace, Resource)> {
    let is_it = |d: &manifest::ReadDocument| d.resource.kind() == id.kind && d.resource.metadata().name == id.name;
    let found = manifest::read_file(tree, path).documents.into_iter().find(is_it)?;
    Some((found.origin, found.resource))
}

pub fn read_definition(layout: &FolderLayout, tenant: &str, path: &Path) -> Result<Vec<u8>, LocationError> {
    let failed = |why: String| LocationError::Failed { what: path.display().to_string(), why };
    let limit = u64::try_from(definition::MAX_BYTES).unwrap_or(u64::MAX);
    let real = layout.side_file(tenant, path).map_err(|why| failed(why.to_string()))?;
    layout
        .over
        .read(&real, limit)
        .map_err(|e| failed(io_error::reading(path, &e).why))?
        .ok_or_else(|| failed("it is not there".to_string()))
}

/// Returns the digest that identifies a definition.
pub fn definition_digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string().trim_start_matches("sha256:").to_string()
}
