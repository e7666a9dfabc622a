//! A folder of YAML as a place, made to be a Git working tree: only the lines that must change do,
//! every file is old or new whatever happens, and what a killed run left is finished by the next.

use super::disk::{self, Disk, RealDisk};
use super::gather::{beside, gather};
use super::layout::{Folder, Layout, Role};
use super::side_files::SideFiles;
use super::{Place, PlaceError, Session, Snapshot, lock_file};
use crate::api::{Definition, IntegrationSpec, Object, Resource};
use crate::engine::canonical::{Digest, Json};
use crate::engine::field::FieldKind;
use crate::engine::item::{Item, ObjectId};
use crate::engine::plan::{Action, ActionKind, Change, DefinitionFrom, FieldChange, Op};
use crate::engine::record::Record;
use crate::engine::world::Inventory;
use crate::io_error::{self, Words};
use crate::manifest::{self, Edit, Origin, Problem, to_yaml};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where earlier versions kept what was approved. Whoever may change the tree may write it, so it is
/// never read.
const APPROVED: &str = "stablekey.approved";
/// How many new files are brought to the disk together at most.
const TOGETHER: usize = 2_048;
/// The largest lock file that we read, in bytes.
const LOCK_BYTES: u64 = 256_000_000;

/// A folder of YAML.
#[derive(Clone)]
pub struct DirectoryPlace {
    tenant: String,
    folder: PathBuf,
    layout: Arc<Layout>,
    disk: Arc<dyn Disk>,
}

impl std::fmt::Debug for DirectoryPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DirectoryPlace({} at {})", self.tenant, self.folder.display())
    }
}

impl DirectoryPlace {
    /// The folder of a tenant that is alone in its world.
    pub fn new(tenant: impl Into<String>, folder: PathBuf) -> Self {
        let tenant = tenant.into();
        let layout = Arc::new(Layout::of_one(&tenant, &folder));
        DirectoryPlace { tenant, folder, layout, disk: Arc::new(RealDisk) }
    }

    /// The same folder among those of other tenants, whose files are not its own.
    pub fn in_layout(self, layout: Arc<Layout>) -> Self {
        DirectoryPlace { layout, ..self }
    }

    /// The same folder, on a disk that tests can cut off.
    pub fn on_disk(self, disk: Arc<dyn Disk>) -> Self {
        DirectoryPlace { disk, ..self }
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
    fn lock(&self, live: &Inventory) -> Result<(BTreeMap<ObjectId, Arc<Record>>, bool), Problem> {
        let path = self.folder.join(lock_file::NAME);
        let wrong = |line: usize, message: String, help: &str| Problem {
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
    pub fn with_records(&self, snapshot: Snapshot) -> Result<Snapshot, Problem> {
        self.recorded(snapshot).map(|(snapshot, _)| snapshot)
    }

    fn recorded(&self, mut snapshot: Snapshot) -> Result<(Snapshot, bool), Problem> {
        let (records, are_merged) = self.lock(&snapshot.inventory)?;
        Arc::make_mut(&mut snapshot.inventory).records = records;
        Ok((snapshot, are_merged))
    }

    fn read(&self) -> Result<Snapshot, PlaceError> {
        self.read_all().map(|read| read.snapshot)
    }

    /// Everything, with what only a session needs to know.
    fn read_all(&self) -> Result<ReadFolder, PlaceError> {
        if !self.folder.is_dir() {
            let why = "it is not there: restore it, or make it where it should be empty".to_string();
            return Err(PlaceError::Failed { what: self.folder.display().to_string(), why });
        }
        let folder = self.layout.folder(&self.tenant, Role::Place).filter(|folder| folder.path == self.folder);
        let alone = || Folder { tenant: self.tenant.clone(), role: Role::Place, path: self.folder.clone() };
        let read = self.layout.read(&folder.cloned().unwrap_or_else(alone));
        let side_files = SideFiles::of(&read.reading);
        let other_kinds = read.reading.other_kinds;
        let mut snapshot = gather(read.reading, &self.layout, &self.tenant);
        snapshot.other_kinds = other_kinds;
        let (mut snapshot, are_merged) = self
            .recorded(snapshot)
            .map_err(|problem| PlaceError::Failed { what: problem.file, why: problem.message })?;
        let inventory = Arc::make_mut(&mut snapshot.inventory);
        for (id, origin) in snapshot.origins.iter() {
            if let Some(link) = read.shared.get(&origin.file.path) {
                let why = format!("its file {} lies outside the tenant's folder; {link} leads to it", origin.file.path);
                inventory.read_only.insert(id.clone(), why);
            }
        }
        Ok(ReadFolder { snapshot, side_files, are_merged })
    }

    fn failed(&self, what: &Path) -> impl Fn(std::io::Error) -> PlaceError {
        let path = what.to_path_buf();
        move |error| {
            let Words { why, help } = io_error::writing(&path, &error);
            PlaceError::Failed { what: path.display().to_string(), why: format!("{why}; {help}") }
        }
    }
}

impl Place for DirectoryPlace {
    fn snapshot(&self) -> Result<Snapshot, PlaceError> {
        self.read()
    }

    fn definition(&self, integration: &str) -> Result<Vec<u8>, PlaceError> {
        // Where we put it, without reading the whole folder for one file.
        let usual = self.folder.join(crate::api::Kind::Integration.plural());
        let manifest = usual.join(format!("{integration}.yaml"));
        let id = ObjectId::new(crate::api::Kind::Integration, integration);
        if let Ok(Some((origin, Resource::Integration(object)))) = find(&manifest, &id)
            && let Some(Definition::File(file)) = &object.spec.definition
        {
            return read_definition(&self.layout, &self.tenant, &beside(&origin, file));
        }
        let snapshot = self.read()?;
        let nothing = || PlaceError::Refused { object: id.clone(), why: "it has no definition file".to_string() };
        let Some(Item::Integration(object, _)) = snapshot.inventory.get(&id) else { return Err(nothing()) };
        let (Some(Definition::File(file)), Some(origin)) = (&object.spec.definition, snapshot.origins.get(&id)) else {
            return Err(nothing());
        };
        read_definition(&self.layout, &self.tenant, &beside(origin, file))
    }

    fn begin<'a>(&'a self, coming: &[&Change]) -> Result<Box<dyn Session + 'a>, PlaceError> {
        let lock = File::open(&self.folder).map_err(self.failed(&self.folder))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PlaceError::Busy { who: self.tenant.clone() }),
            Err(TryLockError::Error(error)) => return Err(self.failed(&self.folder)(error)),
        }
        let ReadFolder { snapshot, side_files, are_merged } = self.read_all()?;
        let folders: BTreeSet<PathBuf> = snapshot
            .origins
            .values()
            .filter_map(|origin| Path::new(&origin.file.path).parent().map(Path::to_path_buf))
            .filter(|folder| folder.starts_with(&self.folder))
            .chain([self.folder.clone()])
            .chain(crate::api::Kind::ALL.map(|kind| self.folder.join(kind.plural())))
            .collect();
        disk::sweep(self.disk.as_ref(), &folders).map_err(self.failed(&self.folder))?;
        let announced = |change: &&&Change| change.before.is_none();
        let coming = coming.iter().filter(announced).filter_map(|c| Some((c.object.clone(), c.record.clone()?)));
        Ok(Box::new(DirectorySession {
            coming: coming.collect(),
            place: self,
            _lock: lock,
            records: snapshot.inventory.records.clone(),
            written: (!are_merged).then(|| snapshot.inventory.records.clone()),
            unreadable: !snapshot.inventory.unparsed.is_empty(),
            read_only: snapshot.inventory.read_only.clone(),
            side_files,
            staged: None,
            files: snapshot.origins.iter().map(|(id, origin)| (id.clone(), PathBuf::from(&origin.file.path))).collect(),
        }))
    }
}

/// What was read of the folder.
struct ReadFolder {
    snapshot: Snapshot,
    side_files: SideFiles,
    /// Whether the lock is to be written again, as one that Git merged is.
    are_merged: bool,
}

struct DirectorySession<'a> {
    place: &'a DirectoryPlace,
    /// Held, never read: the kernel lets go of the lock when it is closed, also by a kill.
    _lock: File,
    /// The records of what is to be created, until the first change is made.
    coming: BTreeMap<ObjectId, Arc<Record>>,
    /// As they are with what was done so far.
    records: BTreeMap<ObjectId, Arc<Record>>,
    /// As they stand in the file; `None` where a merge left several lines for one object.
    written: Option<BTreeMap<ObjectId, Arc<Record>>>,
    /// The file of each object.
    files: BTreeMap<ObjectId, PathBuf>,
    /// Whether there is a file that could hold anything.
    unreadable: bool,
    /// Objects whose file is not the tenant's alone, and why.
    read_only: BTreeMap<ObjectId, String>,
    /// Which definition file is whose.
    side_files: SideFiles,
    /// New files that are written and not yet in their places; `None`: each goes there at once.
    staged: Option<Vec<Staged>>,
}

/// A new file that waits to be put in its place.
struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    id: ObjectId,
}

impl DirectorySession<'_> {
    /// Puts what was staged in its place, and gives back what could not be.
    fn place_staged(&mut self) -> Vec<(ObjectId, PlaceError)> {
        let Some(staged) = self.staged.take().filter(|staged| !staged.is_empty()) else { return Vec::new() };
        let disk = self.place.disk.as_ref();
        // One error of the disk is the error of each.
        let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        let synced = disk.sync_staged(&self.place.folder);
        let mut failed = Vec::new();
        let mut placed: BTreeMap<PathBuf, Vec<ObjectId>> = BTreeMap::new();
        for Staged { temporary, path, id } in staged {
            match synced.as_ref().map_err(again).and_then(|()| disk.rename(&temporary, &path)) {
                Ok(()) => placed.entry(path.parent().map(Path::to_path_buf).unwrap_or_default()).or_default().push(id),
                Err(error) => {
                    // Where it cannot be taken away, the next run does it.
                    let _ = disk.remove(&temporary);
                    self.files.remove(&id);
                    self.records.remove(&id);
                    failed.push((id, self.place.failed(&path)(error)));
                }
            }
        }
        for (folder, ids) in placed {
            if let Err(error) = disk.sync_folder(&folder) {
                failed.extend(ids.into_iter().map(|id| (id, self.place.failed(&folder)(again(&error)))));
            }
        }
        failed
    }

    /// Writes a file that is not there yet, at once or with others.
    fn write_first(&mut self, path: &Path, bytes: &[u8], id: &ObjectId) -> Result<(), PlaceError> {
        let Some(staged) = &mut self.staged else { return self.write(path, bytes) };
        let temporary = disk::stage(self.place.disk.as_ref(), path, bytes).map_err(self.place.failed(path))?;
        staged.push(Staged { temporary, path: path.to_path_buf(), id: id.clone() });
        Ok(())
    }

    /// Records come before the objects that are created: a run that is killed between the two leaves
    /// a record of nothing, never an object that nobody knows we made. All of them at once, with the
    /// first change: an apply that is refused writes nothing.
    fn announce(&mut self) -> Result<(), PlaceError> {
        if self.coming.is_empty() {
            return Ok(());
        }
        let mut records = self.records.clone();
        records.append(&mut self.coming);
        self.write_records(records)
    }

    fn write_records(&mut self, records: BTreeMap<ObjectId, Arc<Record>>) -> Result<(), PlaceError> {
        if self.written.as_ref() != Some(&records) {
            let path = self.place.folder.join(lock_file::NAME);
            if !path.exists() {
                self.let_git_merge()?;
            }
            self.write(&path, lock_file::write(&records).as_bytes())?;
            self.written = Some(records);
        }
        Ok(())
    }

    /// Before the first lock of a folder in a Git tree: tells Git to merge its lines.
    fn let_git_merge(&self) -> Result<(), PlaceError> {
        let folder = &self.place.folder;
        if !lock_file::is_left_to_git(folder) {
            return Ok(());
        }
        let path = folder.join(lock_file::ATTRIBUTES);
        // One that is a link, or cannot be read, is left to whoever made it.
        let Ok(there) = disk::read(&path, manifest::limits::FILE_BYTES) else { return Ok(()) };
        self.write(&path, &lock_file::with_attribute(there.unwrap_or_default()))
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), PlaceError> {
        disk::write_atomically(self.place.disk.as_ref(), path, bytes).map_err(self.place.failed(path))
    }

    /// The object's document as it is now; `Changed` where it is not as the change says.
    fn current(&self, change: &Change) -> Result<(PathBuf, Origin, Resource), PlaceError> {
        let changed = || PlaceError::Changed { object: change.object.clone() };
        let path = self.files.get(&change.object).ok_or_else(changed)?.clone();
        let (origin, resource) = find(&path, &change.object)?.ok_or_else(changed)?;
        match &change.before {
            Some(before) if before.to_resource() == resource => Ok((path, origin, resource)),
            _ => Err(changed()),
        }
    }

    /// The same, of a file that may be written.
    fn writable(&self, change: &Change) -> Result<(PathBuf, Origin, Resource), PlaceError> {
        match self.read_only.get(&change.object) {
            Some(why) => Err(PlaceError::Refused { object: change.object.clone(), why: why.clone() }),
            None => self.current(change),
        }
    }

    /// Refuses a path that leads out of the tenant's folder through a link.
    fn within(&self, id: &ObjectId, path: &Path) -> Result<(), PlaceError> {
        let there = path.ancestors().find(|ancestor| std::fs::symlink_metadata(ancestor).is_ok());
        let real = |path: &Path| std::fs::canonicalize(path).map_err(self.place.failed(path));
        if let Some(there) = there
            && !real(there)?.starts_with(real(&self.place.folder)?)
        {
            let why = format!("{} is, or lies behind, a link that leads out of the tenant's folder", there.display());
            return Err(PlaceError::Refused { object: id.clone(), why });
        }
        Ok(())
    }

    /// Writes a definition beside a manifest, to a name that nobody has, and gives it back.
    fn write_definition(&mut self, id: &ObjectId, folder: &Path, bytes: &[u8]) -> Result<String, PlaceError> {
        let (path, file) = self.side_files.free(folder, &id.name, bytes).map_err(self.place.failed(folder))?;
        self.write(&path, bytes)?;
        self.side_files.name(&path, id);
        Ok(file)
    }

    fn create(&mut self, change: &Change, after: &Item, definition: Option<&[u8]>) -> Result<(), PlaceError> {
        let id = &change.object;
        if self.files.contains_key(id) {
            return Err(PlaceError::Changed { object: id.clone() });
        }
        let mut resource = after.to_resource();
        let folder = self.place.folder.join(id.kind.plural());
        let path = folder.join(format!("{}.yaml", id.name));
        self.within(id, &path)?;
        if let Resource::Integration(integration) = &mut resource
            && integration.spec.definition.is_some()
        {
            let file = definition.map(|bytes| self.write_definition(id, &folder, bytes)).transpose()?;
            integration.spec.definition = file.map(Definition::File);
        }
        let refused = |why: String| PlaceError::Refused { object: id.clone(), why };
        let yaml = to_yaml(&resource).map_err(|error| refused(error.to_string()))?;
        let text = match disk::read(&path, manifest::limits::FILE_BYTES).map_err(self.place.failed(&path))? {
            None => {
                self.write_first(&path, yaml.as_bytes(), id)?;
                self.files.insert(id.clone(), path);
                return Ok(());
            }
            Some(bytes) => {
                let there =
                    String::from_utf8(bytes).map_err(|_| refused(format!("{} is not UTF-8", path.display())))?;
                manifest::append_document(&there, &yaml)
            }
        };
        self.write(&path, text.as_bytes())?;
        self.files.insert(id.clone(), path);
        Ok(())
    }

    fn update(
        &mut self,
        change: &Change,
        fields: &[FieldChange],
        after: &Item,
        definition: Option<&[u8]>,
    ) -> Result<(), PlaceError> {
        let (path, origin, resource) = self.writable(change)?;
        let id = &change.object;
        let mut edits: Vec<Edit> = fields.iter().filter_map(|field| edit(field, after)).collect();
        let named = definition_of(&resource).map(|file| beside(&origin, file));
        if let (Some(bytes), Resource::Integration(_)) = (definition, &resource) {
            match named.as_ref().filter(|named| self.side_files.is_only_of(named, id)) {
                Some(own) => self.write(own, bytes)?,
                None => {
                    let file = self.write_definition(id, path.parent().unwrap_or(Path::new("")), bytes)?;
                    let path = vec!["spec".to_string(), "definition".to_string()];
                    edits.push(Edit::Set { path, value: json!({"file": file}) });
                }
            }
        }
        if edits.is_empty() {
            return Ok(());
        }
        let text = manifest::edit(&origin.file.text, origin.range.clone(), origin.item, &edits)
            .map_err(|error| PlaceError::Refused { object: id.clone(), why: format!("{}: {error}", path.display()) })?;
        self.write(&path, text.as_bytes())?;
        let left = named.as_ref().filter(|named| definition.is_some() && !self.side_files.is_only_of(named, id));
        if let Some(named) = left {
            // It names another file now.
            self.side_files.forget(named, id);
        }
        let dropped = |field: &FieldChange| field.op == Op::Remove && field.field.kind == FieldKind::Definition;
        match named.filter(|_| fields.iter().any(dropped)) {
            Some(named) => self.let_go(&named, id),
            None => Ok(()),
        }
    }

    /// Removes a definition that an object named, where nobody else does.
    fn let_go(&mut self, definition: &Path, id: &ObjectId) -> Result<(), PlaceError> {
        let is_own = self.side_files.is_only_of(definition, id);
        self.side_files.forget(definition, id);
        match is_own {
            true => disk::remove(self.place.disk.as_ref(), definition).map_err(self.place.failed(definition)),
            false => Ok(()),
        }
    }

    fn delete(&mut self, change: &Change) -> Result<(), PlaceError> {
        let (path, origin, resource) = self.writable(change)?;
        let refused = |why: String| PlaceError::Refused { object: change.object.clone(), why };
        match manifest::remove_document(&origin.file.text, origin.range.clone(), origin.item)
            .map_err(|error| refused(format!("{}: {error}", path.display())))?
        {
            Some(text) => self.write(&path, text.as_bytes())?,
            None => disk::remove(self.place.disk.as_ref(), &path).map_err(self.place.failed(&path))?,
        }
        if let Some(file) = definition_of(&resource) {
            self.let_go(&beside(&origin, file), &change.object)?;
        }
        self.files.remove(&change.object);
        Ok(())
    }
}

/// The definition file that a resource names.
fn definition_of(resource: &Resource) -> Option<&str> {
    match resource {
        Resource::Integration(Object {
            spec: IntegrationSpec { definition: Some(Definition::File(file)), .. },
            ..
        }) => Some(file),
        _ => None,
    }
}

impl Session for DirectorySession<'_> {
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), PlaceError> {
        let change = &action.change;
        self.announce()?;
        match (action.action, &change.after) {
            (ActionKind::Create, Some(after)) => self.create(change, after, definition)?,
            (ActionKind::Update, Some(after)) => self.update(change, &action.fields, after, definition)?,
            (ActionKind::Delete, _) => self.delete(change)?,
            (ActionKind::Adopt, _) => drop(self.current(change)?),
            (_, None) => return Err(PlaceError::Changed { object: change.object.clone() }),
        }
        match &change.record {
            Some(record) => drop(self.records.insert(change.object.clone(), record.clone())),
            None => drop(self.records.remove(&change.object)),
        }
        Ok(())
    }

    fn apply_all(
        &mut self,
        actions: &[&Action],
        bytes: &(dyn Fn(&DefinitionFrom) -> Result<Vec<u8>, PlaceError> + Sync),
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Result<(), PlaceError>),
    ) {
        let mut first = 0;
        // New files go to the disk together; whatever changes or removes one comes by itself.
        for run in actions.chunk_by(|a, b| (a.action == ActionKind::Create) == (b.action == ActionKind::Create)) {
            let is_worth = run.len() >= self.place.disk.many();
            let creates = is_worth && run.first().is_some_and(|action| action.action == ActionKind::Create);
            for share in run.chunks(if creates { TOGETHER } else { 1 }) {
                self.staged = creates.then(Vec::new);
                let mut results = Vec::new();
                for action in share.iter().take_while(|_| !stop()) {
                    let definition = action.change.definition.as_ref().map(bytes).transpose();
                    results.push(definition.and_then(|definition| self.apply(action, definition.as_deref())));
                }
                for (id, error) in self.place_staged() {
                    let at = share.iter().position(|action| action.change.object == id);
                    if let Some(result) = at.and_then(|at| results.get_mut(at)) {
                        *result = Err(error);
                    }
                }
                let is_whole = results.len() == share.len();
                results.into_iter().enumerate().for_each(|(at, result)| done(first + at, result));
                if !is_whole {
                    return;
                }
                first += share.len();
            }
        }
    }

    fn look(&mut self, id: &ObjectId) -> Result<Option<Item>, PlaceError> {
        Ok(self.place.read()?.inventory.get(id))
    }

    fn settle(&mut self) -> Result<(), PlaceError> {
        let files = &self.files;
        // A record of nothing live is kept by nobody: whoever still declares the object makes it anew. A
        // file that cannot be read could hold it.
        let unreadable = self.unreadable;
        self.records.retain(|id, _| unreadable || files.contains_key(id));
        self.write_records(self.records.clone())
    }
}

/// The edit that makes a field's change; none where only the record changes.
fn edit(change: &FieldChange, after: &Item) -> Option<Edit> {
    let path = change.field.document_path();
    match (change.op, change.field.kind) {
        (Op::Set, FieldKind::Definition) => None,
        (Op::Set, FieldKind::Variable) => {
            let Item::Integration(integration, _) = after else { return None };
            let variable = integration.spec.connections.iter().find(|v| v.name == change.field.name)?;
            Some(Edit::Set { path, value: serde_json::to_value(variable).ok()? })
        }
        (Op::Set, _) => Some(Edit::Set { path, value: change.to.as_ref().map_or(Value::Null, Json::value) }),
        (Op::Remove, _) => Some(Edit::Remove { path }),
        (Op::Record | Op::Forget | Op::Release, _) => None,
    }
}

/// An object's document in a file, as it is now.
fn find(path: &Path, id: &ObjectId) -> Result<Option<(Origin, Resource)>, PlaceError> {
    let reading = manifest::read_file(path);
    let found =
        reading.documents.into_iter().find(|d| d.resource.kind() == id.kind && d.resource.metadata().name == id.name);
    Ok(found.map(|document| (document.origin, document.resource)))
}

/// The bytes of a definition.
pub fn read_definition(layout: &Layout, tenant: &str, path: &Path) -> Result<Vec<u8>, PlaceError> {
    let failed = |why: String| PlaceError::Failed { what: path.display().to_string(), why };
    let limit = u64::try_from(manifest::definition::MAX_BYTES).unwrap_or(u64::MAX);
    let real = layout.side_file(tenant, path).map_err(|why| failed(why.to_string()))?;
    disk::read(&real, limit)
        .map_err(|e| failed(io_error::reading(path, &e).why))?
        .ok_or_else(|| failed("it is not there".to_string()))
}

/// The digest by which a definition is known.
pub fn definition_digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string().trim_start_matches("sha256:").to_string()
}
