//! A folder taken for writing: what is asked for at once is written file by file, each read and parsed once.

use super::DirectoryPlace;
use super::edits::{self, Asked};
use super::staging::Staging;
use crate::api::{Definition, Resource};
use crate::engine::item::{Item, ObjectId};
use crate::engine::plan::{Action, ActionKind, Change, DefinitionFrom};
use crate::engine::record::Record;
use crate::manifest::{self, Origin, Rewrite, Rewritten, SourceFile, What, to_yaml};
use crate::tenant::gather::beside;
use crate::tenant::side_files::SideFiles;
use crate::tenant::{PlaceError, Session, disk, lock_file};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How many changes are brought to the disk together at most.
const TOGETHER: usize = 2_048;

/// What became of an action.
type Outcome = Result<(), PlaceError>;

/// What reads the definition that an action brings.
type Bytes<'b> = &'b dyn Fn(&Action) -> Result<Option<Vec<u8>>, PlaceError>;

pub(super) struct DirectorySession<'a> {
    pub place: &'a DirectoryPlace,
    /// Held, never read: the kernel lets go of the lock when it is closed, also by a kill.
    pub _lock: File,
    /// The records of what is to be created, until the first change is made.
    pub coming: BTreeMap<ObjectId, Arc<Record>>,
    /// As they are with what was done so far.
    pub records: BTreeMap<ObjectId, Arc<Record>>,
    /// As they stand in the file; `None` where a merge left several lines for one object.
    pub written: Option<BTreeMap<ObjectId, Arc<Record>>>,
    /// The file of each object.
    pub files: BTreeMap<ObjectId, PathBuf>,
    /// Whether there is a file that could hold anything.
    pub unreadable: bool,
    /// Objects whose file is not the tenant's alone, and why.
    pub read_only: BTreeMap<ObjectId, String>,
    /// Which definition file is whose.
    pub side_files: SideFiles,
    /// Folders that were seen to lie in the tenant's.
    pub within: BTreeSet<PathBuf>,
}

/// A change of an object that is there, until its file is written.
struct Prepared<'c> {
    /// Which of the actions it is.
    position: usize,
    change: &'c Change,
    /// What becomes of its document, in which file; `None` where only the record changes.
    rewrite: Option<(Rewrite, Arc<SourceFile>)>,
    /// The definition that it brings, and the file for it.
    definition: Option<(PathBuf, Vec<u8>)>,
    /// Whether that file is another than it named before.
    is_renamed: bool,
    /// The definition file that it named and names no longer.
    left: Option<PathBuf>,
}

/// The documents of a file, as they are now.
type Documents = HashMap<ObjectId, (Origin, Resource)>;

impl DirectorySession<'_> {
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

    /// Refuses a path that leads out of the tenant's folder through a link.
    fn within(&mut self, id: &ObjectId, path: &Path) -> Result<(), PlaceError> {
        let is_there = |path: &Path| std::fs::symlink_metadata(path).is_ok();
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        if !is_there(path) && self.within.contains(&folder) {
            return Ok(());
        }
        let there = path.ancestors().find(|ancestor| is_there(ancestor));
        let real = |path: &Path| std::fs::canonicalize(path).map_err(self.place.failed(path));
        if let Some(there) = there
            && !real(there)?.starts_with(real(&self.place.folder)?)
        {
            let why = format!("{} is, or lies behind, a link that leads out of the tenant's folder", there.display());
            return Err(PlaceError::Refused { object: id.clone(), why });
        }
        self.within.insert(folder);
        Ok(())
    }

    /// Makes a new object, in a file of its own or behind what is in that already.
    fn create(&mut self, action: &Action, bytes: Bytes<'_>, staging: &mut Staging<'_>) -> Result<(), PlaceError> {
        let (id, change) = (&action.change.object, &action.change);
        let changed = || PlaceError::Changed { object: id.clone() };
        let mut resource = change.after.as_ref().ok_or_else(changed)?.to_resource();
        let definition = bytes(action)?;
        self.announce()?;
        if self.files.contains_key(id) {
            return Err(changed());
        }
        let folder = self.place.folder.join(id.kind.plural());
        let path = folder.join(format!("{}.yaml", id.name));
        self.within(id, &path)?;
        if let Resource::Integration(integration) = &mut resource
            && integration.spec.definition.is_some()
        {
            integration.spec.definition = None;
            if let Some(bytes) = definition {
                let (file, name) =
                    self.side_files.free(&folder, &id.name, &bytes).map_err(self.place.failed(&folder))?;
                staging.put(&file, &bytes, &[id]).map_err(self.place.failed(&file))?;
                self.side_files.name(&file, id);
                integration.spec.definition = Some(Definition::File(name));
            }
        }
        let refused = |why: String| PlaceError::Refused { object: id.clone(), why };
        let yaml = to_yaml(&resource).map_err(|error| refused(error.to_string()))?;
        match disk::read(&path, manifest::limits::FILE_BYTES).map_err(self.place.failed(&path))? {
            None => staging.put(&path, yaml.as_bytes(), &[id]).map_err(self.place.failed(&path))?,
            Some(bytes) => {
                let there =
                    String::from_utf8(bytes).map_err(|_| refused(format!("{} is not UTF-8", path.display())))?;
                self.write(&path, manifest::append_document(&there, &yaml).as_bytes())?;
            }
        }
        self.files.insert(id.clone(), path);
        self.record(change);
        Ok(())
    }

    /// What a change that was made leaves recorded.
    fn record(&mut self, change: &Change) {
        match &change.record {
            Some(record) => drop(self.records.insert(change.object.clone(), record.clone())),
            None => drop(self.records.remove(&change.object)),
        }
    }

    /// Makes new objects, and tells of each what became of it.
    fn create_all(&mut self, actions: &[&Action], bytes: Bytes<'_>, stop: &dyn Fn() -> bool) -> Vec<Outcome> {
        let mut staging = Staging::of(self.place, actions.len());
        let mut results: Vec<Outcome> = Vec::new();
        for action in actions.iter().take_while(|_| !stop()) {
            results.push(self.create(action, bytes, &mut staging));
        }
        for (id, error) in staging.place() {
            self.files.remove(&id);
            self.records.remove(&id);
            let at = actions.iter().position(|action| action.change.object == id);
            if let Some(result) = at.and_then(|at| results.get_mut(at)) {
                *result = Err(error);
            }
        }
        results
    }

    /// Changes, removes or only records objects that are there, file by file.
    fn change_all(&mut self, actions: &[&Action], bytes: Bytes<'_>, stop: &dyn Fn() -> bool) -> Vec<Outcome> {
        let actions: Vec<&Action> = actions.iter().take_while(|_| !stop()).copied().collect();
        let mut results: Vec<Outcome> = actions.iter().map(|_| Ok(())).collect();
        if let Err(error) = actions.first().map_or(Ok(()), |_| self.announce()) {
            return actions.iter().map(|_| Err(error.clone())).collect();
        }
        let mut of_file: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
        for (position, action) in actions.iter().enumerate() {
            match self.files.get(&action.change.object) {
                Some(path) => of_file.entry(path.clone()).or_default().push(position),
                None => results[position] = Err(PlaceError::Changed { object: action.change.object.clone() }),
            }
        }
        let mut staging = Staging::of(self.place, of_file.len());
        let mut made: Vec<Prepared<'_>> = Vec::new();
        for (path, positions) in of_file {
            let documents = documents(&path);
            let mut prepared = Vec::new();
            for position in positions {
                match self.prepare(position, actions[position], &documents, bytes) {
                    Ok(change) => prepared.push(change),
                    Err(error) => results[position] = Err(error),
                }
            }
            made.extend(self.rewrite(&path, prepared, &mut staging, &mut results));
        }
        let failed: HashMap<ObjectId, PlaceError> = staging.place().into_iter().collect();
        for prepared in made {
            match failed.get(&prepared.change.object) {
                Some(error) => results[prepared.position] = Err(error.clone()),
                None => results[prepared.position] = self.finish(&prepared),
            }
        }
        results
    }

    /// What an action means for its file; an error where the object is not as it was planned, or may not be
    /// written.
    fn prepare<'c>(
        &mut self,
        position: usize,
        action: &'c Action,
        documents: &Documents,
        bytes: Bytes<'_>,
    ) -> Result<Prepared<'c>, PlaceError> {
        let (id, change) = (&action.change.object, &action.change);
        if let (Some(why), true) = (self.read_only.get(id), action.action != ActionKind::Adopt) {
            return Err(PlaceError::Refused { object: id.clone(), why: why.clone() });
        }
        let changed = || PlaceError::Changed { object: id.clone() };
        let (origin, resource) = documents.get(id).ok_or_else(changed)?;
        if change.before.as_ref().map(Item::to_resource).as_ref() != Some(resource) {
            return Err(changed());
        }
        let mut prepared =
            Prepared { position, change, rewrite: None, definition: None, is_renamed: false, left: None };
        let rewrite = |what: What| {
            let rewrite = Rewrite { range: origin.range.clone(), item: origin.item, what };
            Some((rewrite, Arc::clone(&origin.file)))
        };
        let named = edits::definition_of(resource).map(|file| beside(origin, file));
        match action.action {
            ActionKind::Adopt => {}
            ActionKind::Delete => {
                prepared.rewrite = rewrite(What::Remove);
                prepared.left = named;
            }
            ActionKind::Create | ActionKind::Update => {
                let after = change.after.as_ref().ok_or_else(changed)?;
                let brings = bytes(action)?.filter(|_| matches!(resource, Resource::Integration(_)));
                let own = named.as_ref().filter(|named| self.side_files.is_only_of(named, id));
                let mut new_name = None;
                if let Some(bytes) = brings {
                    let path = match own {
                        Some(own) => own.clone(),
                        None => {
                            let folder = Path::new(&origin.file.path).parent().unwrap_or(Path::new("")).to_path_buf();
                            let free = self.side_files.free(&folder, &id.name, &bytes);
                            let (path, name) = free.map_err(self.place.failed(&folder))?;
                            self.side_files.name(&path, id);
                            new_name = Some(name);
                            prepared.is_renamed = true;
                            prepared.left = named.clone();
                            path
                        }
                    };
                    prepared.definition = Some((path, bytes));
                }
                let Asked { edits, drops_definition } = edits::asked(action, after, new_name.as_deref());
                if drops_definition {
                    prepared.left = named;
                }
                prepared.rewrite = Some(edits).filter(|edits| !edits.is_empty()).and_then(|e| rewrite(What::Edit(e)));
            }
        }
        Ok(prepared)
    }

    /// Writes a file with all its changes, and gives back those that were made. A definition comes before the
    /// document that names it.
    fn rewrite<'c>(
        &mut self,
        path: &Path,
        prepared: Vec<Prepared<'c>>,
        staging: &mut Staging<'_>,
        results: &mut [Outcome],
    ) -> Vec<Prepared<'c>> {
        let file = prepared.iter().find_map(|change| change.rewrite.as_ref().map(|(_, file)| Arc::clone(file)));
        let changes: Vec<Rewrite> =
            prepared.iter().filter_map(|change| change.rewrite.as_ref().map(|(rewrite, _)| rewrite.clone())).collect();
        let Rewritten { text, results: outcomes } =
            manifest::rewrite(file.as_ref().map_or("", |file| file.text.as_str()), &changes);
        let mut outcomes = outcomes.into_iter();
        let mut made = Vec::with_capacity(prepared.len());
        for change in prepared {
            match change.rewrite.as_ref().and_then(|_| outcomes.next()) {
                Some(Err(error)) => {
                    let why = format!("{}: {error}", path.display());
                    let error = PlaceError::Refused { object: change.change.object.clone(), why };
                    results[change.position] = Err(error);
                    self.give_back(&change);
                }
                Some(Ok(())) | None => made.push(change),
            }
        }
        for at in 0..made.len() {
            let change = &made[at];
            let Some((file, bytes)) = &change.definition else { continue };
            if let Err(error) = staging.put(file, bytes, &[&change.change.object]) {
                results[change.position] = Err(self.place.failed(file)(error));
                self.give_back(change);
                made.remove(at);
                // The others are made without it.
                return self.rewrite(path, made, staging, results);
            }
        }
        let ids: Vec<&ObjectId> = made.iter().map(|change| &change.change.object).collect();
        let written = match text {
            _ if made.iter().all(|change| change.rewrite.is_none()) => Ok(()),
            Some(text) => staging.put(path, text.as_bytes(), &ids),
            None => disk::remove(self.place.disk.as_ref(), path),
        };
        let Err(error) = written.map_err(self.place.failed(path)) else { return made };
        for change in &made {
            results[change.position] = Err(error.clone());
            self.give_back(change);
        }
        Vec::new()
    }

    /// Lets go of the name that was chosen for a definition which was not written.
    fn give_back(&mut self, prepared: &Prepared<'_>) {
        if let (Some((file, _)), true) = (&prepared.definition, prepared.is_renamed) {
            self.side_files.forget(file, &prepared.change.object);
        }
    }

    /// Ends a change whose file is written.
    fn finish(&mut self, prepared: &Prepared<'_>) -> Outcome {
        let id = &prepared.change.object;
        if prepared.change.after.is_none() {
            self.files.remove(id);
        }
        if let Some(named) = &prepared.left {
            let is_own = self.side_files.is_only_of(named, id);
            self.side_files.forget(named, id);
            if is_own {
                // Now nobody names it.
                disk::remove(self.place.disk.as_ref(), named).map_err(self.place.failed(named))?;
            }
        }
        self.record(prepared.change);
        Ok(())
    }
}

/// The documents of a file as they are now, by what they are.
fn documents(path: &Path) -> Documents {
    let read = manifest::read_file(path).documents.into_iter();
    let of = |document: manifest::Document| {
        let id = ObjectId::new(document.resource.kind(), &document.resource.metadata().name);
        (id, (document.origin, document.resource))
    };
    // Of two of one name the first is meant, as everywhere.
    let mut documents = Documents::new();
    for (id, document) in read.map(of) {
        documents.entry(id).or_insert(document);
    }
    documents
}

impl Session for DirectorySession<'_> {
    fn apply(&mut self, action: &Action, definition: Option<&[u8]>) -> Result<(), PlaceError> {
        let bytes = |_: &Action| Ok(definition.map(<[u8]>::to_vec));
        let outcomes = match action.action {
            ActionKind::Create => self.create_all(&[action], &bytes, &|| false),
            ActionKind::Update | ActionKind::Adopt | ActionKind::Delete => {
                self.change_all(&[action], &bytes, &|| false)
            }
        };
        outcomes.into_iter().next().unwrap_or(Ok(()))
    }

    fn apply_all(
        &mut self,
        actions: &[&Action],
        bytes: &(dyn Fn(&DefinitionFrom) -> Result<Vec<u8>, PlaceError> + Sync),
        stop: &dyn Fn() -> bool,
        done: &mut dyn FnMut(usize, Result<(), PlaceError>),
    ) {
        let bytes = |action: &Action| action.change.definition.as_ref().map(bytes).transpose();
        // New files first: what changes is asked for by file, and no action of these rests on another.
        let (new, others): (Vec<usize>, Vec<usize>) =
            (0..actions.len()).partition(|at| actions[*at].action == ActionKind::Create);
        // Few are quick one by one, and each is told of when it is there.
        let share = if new.len() >= self.place.disk.many() { TOGETHER } else { 1 };
        let shares = new.chunks(share).map(|share| (share, true)).chain(others.chunks(TOGETHER).map(|s| (s, false)));
        for (share, is_new) in shares {
            let of_share: Vec<&Action> = share.iter().map(|at| actions[*at]).collect();
            let results = match is_new {
                true => self.create_all(&of_share, &bytes, stop),
                false => self.change_all(&of_share, &bytes, stop),
            };
            let is_whole = results.len() == share.len();
            results.into_iter().zip(share).for_each(|(result, at)| done(*at, result));
            if !is_whole {
                return;
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
