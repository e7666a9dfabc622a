//! Writes to a folder: the actions of a batch are grouped by file, and each file is read and parsed once.

use super::FolderLocation;
use super::edits::{self, DocumentQuery};
use super::kustomization::{Complete, Kustomization, StandingFiles, Stands, complete, holds_only, standing};
use super::staging::{SeenFile, Staging};
use crate::api::{Definition, Kind, Resource, sensitive};
use crate::engine::model::canonical::FieldHash;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Change, DefinitionFrom, Op};
use crate::engine::model::record::{Record, Wrote};
use crate::engine::plan::keep_sent_hosts;
use crate::file_tree::FileTree;
use crate::manifest::kustomization::{DesiredEntries, REFERENCES, REFERENCES_TEXT, keep};
use crate::manifest::{self, DocumentEdit, EditError, Rewrite, Rewritten, SourcePlace, limits, to_yaml};
use crate::platform::definition::{MAX_BYTES, digest};
use crate::tenant::directory::read::beside;
use crate::tenant::directory::side_files::SideFiles;
use crate::tenant::directory::{disk, lock_file};
use crate::tenant::location::{LocationError, Session};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Maximum number of files that are synced together.
const TOGETHER: usize = 16_384;

/// The result of an action.
type WriteOutcome = Result<(), LocationError>;

/// Reads the definition of an action.
pub(super) type Bytes<'b> = &'b dyn Fn(&Action) -> Result<Option<Vec<u8>>, LocationError>;

pub(super) struct DirectorySession<'a> {
    pub location: &'a FolderLocation,
    /// The kernel releases the lock when the file is closed, even by a kill.
    pub _lock: File,
    /// The records of objects that will be created, until the first change.
    pub coming: BTreeMap<ObjectId, Arc<Record>>,
    /// The records after the changes so far.
    pub records: BTreeMap<ObjectId, Arc<Record>>,
    /// The records in the file; `None` if a merge left several lines for one object.
    pub written: Option<BTreeMap<ObjectId, Arc<Record>>>,
    /// The file of each object.
    pub files: BTreeMap<ObjectId, PathBuf>,
    /// Whether a file that cannot be read could contain objects.
    pub unreadable: bool,
    /// Objects in a file that is not the tenant's alone, and why.
    pub read_only: BTreeMap<ObjectId, String>,
    /// The users of each definition file.
    pub side_files: SideFiles,
    /// Folders that were checked to be within the tenant's.
    pub within: BTreeSet<PathBuf>,
    /// The kustomization of the folder, if there is one.
    pub kustomization: Option<Kustomization>,
}

/// A change of an existing object, before its file is written.
struct Prepared<'c> {
    /// The position of the action.
    position: usize,
    change: &'c Change,
    /// The change of its document; `None` if only the record changes.
    rewrite: Option<Rewrite>,
    /// The new definition, its file, and that file as it was read.
    definition: Option<(PathBuf, Vec<u8>, Option<SeenFile>)>,
    /// Whether that file is a new name.
    is_renamed: bool,
    /// The definition file that it named before, and names no longer.
    left: Option<PathBuf>,
}

/// The current documents of a file.
type Documents = HashMap<ObjectId, (SourcePlace, Resource)>;

impl DirectorySession<'_> {
    /// Writes the records of objects before the objects are created: a run that is killed in between leaves a record
    /// without an object, never an object without a record. All records are written with the first change, so a refused
    /// apply writes nothing.
    fn announce(&mut self) -> Result<(), LocationError> {
        if self.coming.is_empty() {
            return Ok(());
        }
        let mut records = self.records.clone();
        records.extend(self.coming.iter().map(|(id, record)| (id.clone(), record.clone())));
        self.write_records(records)?;
        self.coming.clear();
        Ok(())
    }

    fn write_records(&mut self, records: BTreeMap<ObjectId, Arc<Record>>) -> Result<(), LocationError> {
        if self.written.as_ref() != Some(&records) {
            let path = self.location.folder.join(lock_file::NAME);
            if !path.exists() {
                self.let_git_merge()?;
            }
            self.write(&path, lock_file::write(&records).as_bytes())?;
            self.written = Some(records);
        }
        Ok(())
    }

    /// Configures Git to merge the lines of the lock, before the first lock in a Git tree is written.
    fn let_git_merge(&self) -> Result<(), LocationError> {
        let folder = &self.location.folder;
        if !lock_file::is_left_to_git(folder) {
            return Ok(());
        }
        let path = folder.join(lock_file::ATTRIBUTES);
        // A link, or a file that cannot be read, is left to its author.
        let Ok(there) = disk::read(&path, manifest::limits::FILE_BYTES) else { return Ok(()) };
        self.write(&path, &lock_file::with_attribute(there.unwrap_or_default()))
    }

    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), LocationError> {
        disk::write_atomically(self.location.disk.as_ref(), path, bytes).map_err(self.location.failed(path))
    }

    /// Refuses a path that leads out of the tenant's folder through a link.
    pub(super) fn within(&mut self, id: &ObjectId, path: &Path) -> Result<(), LocationError> {
        let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if !is_there(path) && self.within.contains(&folder) {
            return Ok(());
        }
        let there = path.ancestors().find(|ancestor| is_there(ancestor));
        let real = |path: &Path| std::fs::canonicalize(path).map_err(self.location.failed(path));
        if let Some(there) = there
            && !real(there)?.starts_with(real(&self.location.folder)?)
        {
            let why = format!("{} is, or lies behind, a link that leads out of the tenant's folder", there.display());
            return Err(LocationError::Refused { object: id.clone(), why });
        }
        self.within.insert(folder);
        Ok(())
    }

    /// Creates an object, in a file of its own or at the end of an existing one.
    fn create(&mut self, action: &Action, bytes: Bytes<'_>, staging: &mut Staging<'_>) -> Result<(), LocationError> {
        let (id, change) = (&action.change.object, &action.change);
        let changed = || LocationError::Changed { object: id.clone() };
        let mut resource = change.after.as_ref().ok_or_else(changed)?.to_resource();
        let definition = bytes(action)?;
        self.announce()?;
        if self.files.contains_key(id) {
            return Err(changed());
        }
        let folder = self.location.folder.join(id.kind.plural());
        let path = folder.join(format!("{}.yaml", id.name));
        self.within(id, &path)?;
        if let Resource::Integration(integration) = &mut resource
            && integration.spec.definition.is_some()
        {
            let spec = &mut Arc::make_mut(integration).spec;
            spec.definition = None;
            if let Some(bytes) = definition {
                let (file, name) =
                    self.side_files.free(&folder, &id.name, &bytes).map_err(self.location.failed(&folder))?;
                staging.put(&file, &bytes, &[id], None)?;
                self.side_files.name(&file, id);
                spec.definition = Some(Definition::File(name));
            }
        }
        let refused = |why: String| LocationError::Refused { object: id.clone(), why };
        let yaml = to_yaml(&resource).map_err(|error| refused(error.to_string()))?;
        let seen = SeenFile::of(&path);
        match disk::read(&path, manifest::limits::FILE_BYTES).map_err(self.location.failed(&path))? {
            None => staging.put(&path, yaml.as_bytes(), &[id], None)?,
            Some(bytes) => {
                let there =
                    String::from_utf8(bytes).map_err(|_| refused(format!("{} is not UTF-8", path.display())))?;
                let text = manifest::append_document(&there, &yaml);
                staging.put(&path, text.as_bytes(), &[id], seen.as_ref())?;
            }
        }
        self.files.insert(id.clone(), path);
        self.record(change);
        Ok(())
    }

    /// Returns the id of the tenant's own record, which remembers what must be known of deleted objects.
    pub(super) fn of_tenant(&self) -> ObjectId {
        ObjectId::new(Kind::Tenant, self.location.tenant())
    }

    /// Updates the record after a change.
    fn record(&mut self, change: &Change) {
        match &change.record {
            Some(record) => drop(self.records.insert(change.object.clone(), record.clone())),
            None => drop(self.records.remove(&change.object)),
        }
        let of_tenant = self.of_tenant();
        keep_sent_hosts(&mut self.records, &of_tenant, &change.left);
    }

    /// Creates objects, and returns the result of each.
    fn create_all(&mut self, actions: &[&Action], bytes: Bytes<'_>, stop: &dyn Fn() -> bool) -> Vec<WriteOutcome> {
        let mut staging = Staging::of(self.location, actions.len());
        let mut results: Vec<WriteOutcome> = Vec::new();
        for action in actions.iter().take_while(|_| !stop()) {
            results.push(self.create(action, bytes, &mut staging));
        }
        let failed = staging.move_into_place();
        for (action, result) in actions.iter().zip(&mut results) {
            let id = &action.change.object;
            if let Some(error) = failed.get(id) {
                self.files.remove(id);
                self.records.remove(id);
                *result = Err(error.clone());
            }
        }
        results
    }

    /// Updates, deletes or only records existing objects, file by file, and reports the result of each. Returns whether
    /// it was not stopped.
    fn change_all(
        &mut self,
        actions: &[&Action],
        bytes: Bytes<'_>,
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, WriteOutcome),
    ) -> bool {
        if actions.is_empty() || stop() {
            return actions.is_empty();
        }
        if let Err(error) = self.announce() {
            (0..actions.len()).for_each(|position| done(position, Err(error.clone())));
            return true;
        }
        let mut of_file: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for (position, action) in actions.iter().enumerate() {
            match self.files.get(&action.change.object) {
                Some(path) => of_file.entry(path.clone()).or_default().push(position),
                None => done(position, Err(LocationError::Changed { object: action.change.object.clone() })),
            }
        }
        let files: Vec<(PathBuf, Vec<usize>)> = of_file.into_iter().collect();
        // A few files are fast one by one, and each is reported when it is done.
        let share = if files.len() >= self.location.disk.many() { TOGETHER } else { 1 };
        for files in files.chunks(share) {
            let mut staging = Staging::of(self.location, files.len());
            let mut results: BTreeMap<usize, WriteOutcome> = BTreeMap::new();
            let mut made: Vec<Prepared<'_>> = Vec::new();
            let mut is_stopped = false;
            for (path, positions) in files {
                is_stopped = stop();
                if is_stopped {
                    break;
                }
                let file = FileNow::read(path);
                let mut prepared = Vec::new();
                for position in positions {
                    match self.prepare(*position, actions[*position], &file.documents, bytes) {
                        Ok(change) => prepared.push(change),
                        Err(error) => drop(results.insert(*position, Err(error))),
                    }
                }
                made.extend(self.rewrite(path, &file, prepared, &mut staging, &mut results));
            }
            let failed = staging.move_into_place();
            for prepared in made {
                let outcome = match failed.get(&prepared.change.object) {
                    Some(error) => Err(error.clone()),
                    None => self.finish(&prepared),
                };
                results.insert(prepared.position, outcome);
            }
            results.into_iter().for_each(|(position, outcome)| done(position, outcome));
            if is_stopped {
                return false;
            }
        }
        true
    }

    /// Converts an action to changes of its file. Fails if the object differs from the plan, or must not be written.
    fn prepare<'c>(
        &mut self,
        position: usize,
        action: &'c Action,
        documents: &Documents,
        bytes: Bytes<'_>,
    ) -> Result<Prepared<'c>, LocationError> {
        let (id, change) = (&action.change.object, &action.change);
        if let (Some(why), true) = (self.read_only.get(id), action.action != ActionKind::Adopt) {
            return Err(LocationError::Refused { object: id.clone(), why: why.clone() });
        }
        let changed = || LocationError::Changed { object: id.clone() };
        let (origin, resource) = documents.get(id).ok_or_else(changed)?;
        if change.before.as_ref().map(Item::to_resource).as_ref() != Some(resource) {
            return Err(changed());
        }
        let mut prepared =
            Prepared { position, change, rewrite: None, definition: None, is_renamed: false, left: None };
        let rewrite = |what: DocumentEdit| Some(Rewrite { range: origin.range.clone(), item: origin.item, what });
        let named = edits::definition_of(resource).map(|file| beside(origin, file));
        let own = named.clone().filter(|named| self.side_files.is_only_of(named, id));
        let seen = own.as_deref().and_then(SeenFile::of);
        match action.action {
            ActionKind::Adopt => {}
            ActionKind::Delete => {
                prepared.rewrite = rewrite(DocumentEdit::Remove);
                prepared.left = named;
            }
            ActionKind::Create | ActionKind::Update => {
                let after = change.after.as_ref().ok_or_else(changed)?;
                let brings = bytes(action)?.filter(|_| matches!(resource, Resource::Integration(_)));
                let mut new_name = None;
                if let Some(bytes) = brings {
                    let path = match &own {
                        Some(own) => own.clone(),
                        None => {
                            let folder = Path::new(&origin.file.path).parent().unwrap_or(Path::new("")).to_path_buf();
                            let free = self.side_files.free(&folder, &id.name, &bytes);
                            let (path, name) = free.map_err(self.location.failed(&folder))?;
                            self.side_files.name(&path, id);
                            new_name = Some(name);
                            prepared.is_renamed = true;
                            prepared.left = named.clone();
                            path
                        }
                    };
                    prepared.definition = Some((path, bytes, seen));
                }
                let DocumentQuery { edits, drops_definition } = edits::asked(action, after, new_name.as_deref());
                if drops_definition {
                    prepared.left = named;
                }
                prepared.rewrite =
                    Some(edits).filter(|edits| !edits.is_empty()).and_then(|e| rewrite(DocumentEdit::Edit(e)));
            }
        }
        // A definition that others changed meanwhile is neither overwritten nor removed.
        let is_written = |own: &PathBuf| prepared.definition.as_ref().is_some_and(|(path, ..)| path == own);
        let is_touched = |own: &&PathBuf| prepared.left.as_ref() == Some(*own) || is_written(own);
        match own.as_ref().filter(is_touched) {
            Some(own) if !is_as_planned(own, change.before.as_ref()) => Err(changed()),
            _ => Ok(prepared),
        }
    }

    /// Writes a file with all of its changes, and returns those that were applied. A definition is written before the
    /// document that names it.
    fn rewrite<'c>(
        &mut self,
        path: &Path,
        file: &FileNow,
        prepared: Vec<Prepared<'c>>,
        staging: &mut Staging<'_>,
        results: &mut BTreeMap<usize, WriteOutcome>,
    ) -> Vec<Prepared<'c>> {
        let (mut text, outcomes) = rewritten(file, &prepared);
        let count = prepared.len();
        let mut made = Vec::with_capacity(count);
        for (change, outcome) in prepared.into_iter().zip(outcomes) {
            let id = &change.change.object;
            let refused = |error: EditError| LocationError::Refused {
                object: id.clone(),
                why: format!("{}: {error}", path.display()),
            };
            let definition = |(file, bytes, seen): &(PathBuf, Vec<u8>, Option<SeenFile>)| {
                staging.put(file, bytes, &[id], seen.as_ref())
            };
            let put = outcome.map_err(refused).and_then(|()| change.definition.as_ref().map_or(Ok(()), definition));
            match put {
                Ok(()) => made.push(change),
                Err(error) => {
                    self.give_back(&change);
                    results.insert(change.position, Err(error));
                }
            }
        }
        if made.len() < count {
            // The others are applied without it.
            (text, _) = rewritten(file, &made);
        }
        let ids: Vec<&ObjectId> = made.iter().map(|change| &change.change.object).collect();
        let written = match text {
            _ if made.iter().all(|change| change.rewrite.is_none()) => Ok(()),
            Some(text) => staging.put(path, text.as_bytes(), &ids, file.seen.as_ref()),
            // Somebody may have changed it since.
            None if file.seen.as_ref().is_some_and(|seen| !seen.is_still(path)) => {
                Err(LocationError::Changed { object: self.of_tenant() })
            }
            None => disk::remove(self.location.disk.as_ref(), path).map_err(self.location.failed(path)),
        };
        let Err(error) = written else { return made };
        for change in &made {
            let object = change.change.object.clone();
            let error = if let LocationError::Changed { .. } = error {
                LocationError::Changed { object }
            } else {
                error.clone()
            };
            self.give_back(change);
            results.insert(change.position, Err(error));
        }
        Vec::new()
    }

    /// Releases the name that was chosen for a definition which was not written.
    fn give_back(&mut self, prepared: &Prepared<'_>) {
        if let (Some((file, ..)), true) = (&prepared.definition, prepared.is_renamed) {
            self.side_files.forget(file, &prepared.change.object);
        }
    }

    /// Completes a change whose file is written.
    fn finish(&mut self, prepared: &Prepared<'_>) -> WriteOutcome {
        let id = &prepared.change.object;
        if prepared.change.after.is_none() {
            self.files.remove(id);
        }
        if let Some(named) = &prepared.left {
            let is_own = self.side_files.is_only_of(named, id);
            self.side_files.forget(named, id);
            if is_own {
                // No document names it any more.
                disk::remove(self.location.disk.as_ref(), named).map_err(self.location.failed(named))?;
            }
        }
        self.record(prepared.change);
        Ok(())
    }

    /// Updates the kustomization with what these actions will create and delete.
    fn kustomize(&mut self, actions: &[&Action], bytes: Bytes<'_>) -> Result<(), LocationError> {
        let Some(kustomization) = &self.kustomization else { return Ok(()) };
        let mut expected = kustomization.expected.clone();
        for action in actions {
            self.expect(action, bytes, &mut expected);
        }
        let deleted: BTreeSet<&ObjectId> = actions
            .iter()
            .filter(|action| action.action == ActionKind::Delete)
            .map(|action| &action.change.object)
            .collect();
        let Some(kustomization) = &mut self.kustomization else { return Ok(()) };
        if kustomization.expected != expected {
            kustomization.ever.push(expected.clone());
            kustomization.expected = expected;
        }
        let goes = |file: &Path| !file.exists() || holds_only(file, &deleted);
        let wanted = kustomization.wanted(&self.location.folder, &kustomization.expected, &goes);
        let kept = self.keep_kustomization(&wanted);
        if let Some(kustomization) = &mut self.kustomization {
            kustomization.is_asked = true;
            kustomization.is_told |= kept.is_err();
        }
        kept
    }

    /// Updates the expected files with the result of an action; an action that will fail changes nothing.
    fn expect(&self, action: &Action, bytes: Bytes<'_>, expected: &mut StandingFiles) {
        let id = &action.change.object;
        let brings = |folder: &Path| -> Result<Option<PathBuf>, LocationError> {
            let Some(bytes) = bytes(action)?.filter(|_| id.kind == Kind::Integration) else { return Ok(None) };
            let free = self.side_files.free(folder, &id.name, &bytes).map_err(self.location.failed(folder))?;
            Ok(Some(free.0))
        };
        match action.action {
            ActionKind::Adopt => {}
            ActionKind::Delete => drop(expected.remove(id)),
            ActionKind::Create => {
                let folder = self.location.folder.join(id.kind.plural());
                let manifest = folder.join(format!("{}.yaml", id.name));
                if let Ok(definition) = brings(&folder) {
                    expected.insert(id.clone(), Stands { manifest, definition });
                }
            }
            ActionKind::Update => {
                let Some(stands) = expected.get_mut(id) else { return };
                let drops = action.fields.iter().any(|f| f.op == Op::Remove && f.field.kind == FieldKind::Definition);
                let own = stands.definition.as_ref().is_some_and(|file| self.side_files.is_only_of(file, id));
                if drops {
                    stands.definition = None;
                } else if !own && let Ok(Some(file)) = brings(stands.manifest.parent().unwrap_or(Path::new(""))) {
                    stands.definition = Some(file);
                }
            }
        }
    }

    /// Updates the kustomization to what exists.
    fn settle_kustomization(&mut self) -> Result<(), LocationError> {
        let Some(kustomization) = self.kustomization.as_ref().filter(|kustomization| kustomization.is_asked) else {
            return Ok(());
        };
        let snapshot = self.location.read()?;
        let now = standing(&snapshot);
        let mut wanted = kustomization.wanted(&self.location.folder, &now, &|file| !file.exists());
        // A file that cannot be read right now, because somebody is saving it, is not gone.
        let Inventory { unparsed, invalid, .. } = snapshot.inventory.as_ref();
        let is_unread = |name: &String| invalid.contains_key(&ObjectId::new(Kind::Integration, name));
        wanted.gone.retain(|name| unparsed.is_empty() && !is_unread(name));
        let is_told = kustomization.is_told;
        // It is reported only once.
        self.keep_kustomization(&wanted).or_else(|error| if is_told { Ok(()) } else { Err(error) })
    }

    /// Updates the kustomization with everything in the folder, whoever wrote it.
    pub(super) fn complete_kustomization(&mut self) -> Result<(), LocationError> {
        let Some(kustomization) = &self.kustomization else { return Ok(()) };
        let text =
            disk::read(&kustomization.path, limits::FILE_BYTES).map_err(self.location.failed(&kustomization.path))?;
        let text = String::from_utf8_lossy(&text.unwrap_or_default()).into_owned();
        let snapshot = self.location.read()?;
        match complete(&self.location.folder, &self.location.layout.over, &snapshot, &text) {
            Ok(Complete { wanted, .. }) => self.keep_kustomization(&wanted),
            // The error is reported with its file.
            Err(_) => self.keep_kustomization(&DesiredEntries::default()),
        }
    }

    fn keep_kustomization(&mut self, wanted: &DesiredEntries) -> Result<(), LocationError> {
        let Some(path) = self.kustomization.as_ref().map(|kustomization| kustomization.path.clone()) else {
            return Ok(());
        };
        let object = self.of_tenant();
        let refused =
            |why: String| LocationError::Refused { object: object.clone(), why: format!("{}: {why}", path.display()) };
        self.within(&object, &path)?;
        // A link within the folder is followed.
        let path = std::fs::canonicalize(&path).map_err(self.location.failed(&path))?;
        let seen = SeenFile::of(&path);
        let read = disk::read(&path, limits::FILE_BYTES).map_err(self.location.failed(&path))?.unwrap_or_default();
        let text = String::from_utf8(read).map_err(|_| refused("it is not UTF-8: save it as UTF-8".to_string()))?;
        let new = keep(&text, wanted).map_err(|error| refused(error.to_string()))?;
        if !wanted.definitions.is_empty() {
            let references = self.location.folder.join(REFERENCES);
            self.within(&object, &references)?;
            let there = disk::read(&references, limits::FILE_BYTES).map_err(self.location.failed(&references))?;
            if there.as_deref() != Some(REFERENCES_TEXT.as_bytes()) {
                self.write(&references, REFERENCES_TEXT.as_bytes())?;
            }
        }
        match new {
            Some(_) if seen.is_some_and(|seen| !seen.is_still(&path)) => Err(LocationError::Changed { object }),
            Some(new) => self.write(&path, new.as_bytes()),
            None => Ok(()),
        }
    }
}

/// Whether an integration's definition file still has the content that the plan was based on.
fn is_as_planned(file: &Path, before: Option<&Item>) -> bool {
    let Some(Item::Integration(_, Some(uses))) = before else { return true };
    let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    let bytes = disk::read(file, limit).ok().flatten();
    bytes.is_some_and(|bytes| digest(&bytes) == uses.digest)
}

/// Returns a file with changes of some of its documents, and which of them can be applied.
fn rewritten(file: &FileNow, changes: &[Prepared<'_>]) -> (Option<String>, Vec<Result<(), EditError>>) {
    let rewrites: Vec<Rewrite> = changes.iter().filter_map(|change| change.rewrite.clone()).collect();
    let Rewritten { text, results } = manifest::rewrite(&file.text, &rewrites);
    let mut results = results.into_iter();
    let of = |change: &Prepared<'_>| change.rewrite.as_ref().and_then(|_| results.next()).unwrap_or(Ok(()));
    (text, changes.iter().map(of).collect())
}

/// The current content of a file.
struct FileNow {
    seen: Option<SeenFile>,
    text: Arc<String>,
    documents: Documents,
}

impl FileNow {
    fn read(path: &Path) -> Self {
        let seen = SeenFile::of(path);
        let mut documents = Documents::new();
        let mut text: Arc<String> = Arc::default();
        for document in manifest::read_file(&FileTree::default(), path).documents {
            if text.is_empty() {
                text = Arc::clone(&document.origin.file.text);
            }
            let id = ObjectId::new(document.resource.kind(), &document.resource.metadata().name);
            // Of two documents with the same name the first counts, as everywhere.
            documents.entry(id).or_insert((document.origin, document.resource));
        }
        FileNow { seen, text, documents }
    }
}

impl Session for DirectorySession<'_> {
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), LocationError> {
        let bytes = |_: &Action| Ok(definition.map(<[u8]>::to_vec));
        let mut outcome = Ok(());
        self.kustomize(&[action], &bytes)?;
        match action.action {
            ActionKind::Create => {
                let outcomes = self.create_all(&[action], &bytes, &|| false);
                outcomes.into_iter().for_each(|of_it| outcome = of_it);
            }
            ActionKind::Update | ActionKind::Adopt | ActionKind::Delete => {
                self.change_all(&[action], &bytes, &|| false, &mut |_, of_it| outcome = of_it);
            }
        }
        outcome
    }

    fn apply_all(
        &mut self,
        actions: &[&Action],
        bytes: &(dyn Fn(&DefinitionFrom) -> Result<Vec<u8>, LocationError> + Sync),
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Result<(), LocationError>),
    ) {
        let bytes = |action: &Action| action.change.definition.as_ref().map(bytes).transpose();
        if self.kustomization.is_some() && stop() {
            return;
        }
        if let Err(error) = self.kustomize(actions, &bytes) {
            (0..actions.len()).for_each(|position| done(position, Err(error.clone())));
            return;
        }
        // New files first: changes are grouped by file, and these actions are independent of each other.
        let (new, others): (Vec<usize>, Vec<usize>) =
            (0..actions.len()).partition(|at| actions[*at].action == ActionKind::Create);
        let at = |positions: &[usize]| positions.iter().map(|at| actions[*at]).collect::<Vec<&Action>>();
        // A few files are fast one by one, and each is reported when it is done.
        let share = if new.len() >= self.location.disk.many() { TOGETHER } else { 1 };
        for share in new.chunks(share) {
            let results = self.create_all(&at(share), &bytes, stop);
            let is_whole = results.len() == share.len();
            results.into_iter().zip(share).for_each(|(result, at)| done(*at, result));
            if !is_whole {
                return;
            }
        }
        let mut report = |position: usize, outcome: WriteOutcome| {
            others.get(position).into_iter().for_each(|at| done(*at, outcome.clone()));
        };
        self.change_all(&at(&others), &bytes, stop, &mut report);
    }

    fn read_one(&mut self, id: &ObjectId) -> Result<Option<Item>, LocationError> {
        Ok(self.location.read()?.inventory.get(id))
    }

    fn settle(&mut self) -> Result<(), LocationError> {
        let files = &self.files;
        // The record of an object that is not live is useless: whoever desires the object creates it again. But a file
        // that cannot be read could contain the object.
        let unreadable = self.unreadable;
        let of_tenant = self.of_tenant();
        let is_left = |id: &ObjectId| !unreadable && !files.contains_key(id) && *id != of_tenant;
        // It is unknown where the secret of a manually deleted object was sent: the record has only hashes.
        let mut left = BTreeMap::new();
        for (_, record) in self.records.iter().filter(|(id, record)| is_left(id) && record.tenant == of_tenant.name) {
            left.extend(&record.sent);
            let is_secret =
                |(field, _): &(&Field<'_>, &Wrote)| field.is_input() && sensitive::is_sensitive(&field.name);
            left.extend(record.fields.iter().filter(is_secret).map(|(_, wrote)| (wrote.hash, FieldHash::UNKNOWN)));
        }
        self.records.retain(|id, _| !is_left(id));
        keep_sent_hosts(&mut self.records, &of_tenant, &left);
        let kept = self.settle_kustomization();
        self.write_records(self.records.clone())?;
        kept
    }
}
