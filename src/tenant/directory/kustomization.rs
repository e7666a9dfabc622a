//! The kustomization of a tenant's folder, if there is one. It lists what a session creates before that is created, so
//! that the next run finishes what a killed run left; in the end it lists only what exists.

use crate::api::{Definition, Kind};
use crate::engine::model::canonical::Digest;
use crate::engine::model::item::ObjectId;
use crate::file_tree::FileTree;
use crate::io_error;
use crate::manifest::kustomization::{
    DefinedIntegration, DesiredEntries, KustomizationChanges, NAMES, REFERENCES, REFERENCES_TEXT, definition_name,
    keep, listed,
};
use crate::manifest::{self, limits};
use crate::tenant::directory::overlay::Overlay;
use crate::tenant::directory::paths::normal;
use crate::tenant::directory::read::beside;
use crate::tenant::location::Snapshot;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The files of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stands {
    pub manifest: PathBuf,
    pub definition: Option<PathBuf>,
}

pub(super) type StandingFiles = BTreeMap<ObjectId, Stands>;

/// The kustomization of a folder during a session.
pub(super) struct Kustomization {
    pub path: PathBuf,
    /// The existing and the expected files at any time of the session: those that do not exist any more are gone.
    pub ever: Vec<StandingFiles>,
    /// The files after all requested actions.
    pub expected: StandingFiles,
    /// Whether any action was requested. Otherwise nothing is written.
    pub is_asked: bool,
    /// Whether it was reported that it cannot be updated.
    pub is_told: bool,
}

/// A kustomization that does not match its folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KustomizationDue {
    pub path: PathBuf,
    /// What an apply would write, or why it cannot.
    pub changes: Result<KustomizationChanges, String>,
    /// The digest of its new text; `None` if it cannot be updated.
    pub becomes: Option<Digest>,
    /// Its new text; `None` if it cannot be updated.
    pub text: Option<String>,
    /// Files that it lists, that do not exist, and that somebody else made: an apply leaves them to people.
    pub missing: Vec<String>,
}

impl Kustomization {
    /// Returns that of a folder; `None` if it has none.
    pub(super) fn of(folder: &Path, snapshot: &Snapshot) -> Option<Self> {
        let path = path_in(folder, &Overlay::default())?;
        let expected = standing(snapshot);
        Some(Kustomization { path, ever: vec![expected.clone()], expected, is_asked: false, is_told: false })
    }

    /// Returns the entries that it must have if these are all files. `goes` returns whether a file that had objects
    /// will be gone.
    pub(super) fn wanted(&self, folder: &Path, now: &StandingFiles, goes: &dyn Fn(&Path) -> bool) -> DesiredEntries {
        let files = |standing: &StandingFiles| -> BTreeSet<PathBuf> {
            standing.values().map(|stands| stands.manifest.clone()).collect()
        };
        let shown = |files: BTreeSet<PathBuf>| files.iter().filter_map(|file| below(folder, file)).collect();
        let first = self.ever.first().map(files).unwrap_or_default();
        let ever: BTreeSet<PathBuf> = self.ever.iter().flat_map(files).collect();
        let here = files(now);
        let gone: BTreeSet<PathBuf> = ever.iter().filter(|file| !here.contains(*file) && goes(file)).cloned().collect();
        // A file that was to be removed and was kept was removed from the list before.
        let dropped =
            self.ever.iter().skip(1).flat_map(|then| first.difference(&files(then)).cloned().collect::<Vec<_>>());
        let added = here.difference(&first).cloned().chain(dropped.filter(|file| here.contains(file)));
        let definitions = defined(folder, now);
        let were: BTreeSet<String> = self.ever.iter().flat_map(|then| defined(folder, then).into_keys()).collect();
        DesiredEntries {
            added: shown(added.collect()),
            removed: shown(gone),
            gone: were.into_iter().filter(|name| !definitions.contains_key(name)).collect(),
            definitions,
            files: shown(here),
        }
    }
}

/// The entries that a kustomization must have for everything in its folder.
pub(super) struct Complete {
    pub wanted: DesiredEntries,
    /// Files that it lists, that do not exist, and that Stablekey would not have written.
    missing: Vec<String>,
}

/// Returns the entries that the kustomization of a folder, with this text, must have for everything in the folder,
/// whoever wrote it.
pub(super) fn complete(folder: &Path, over: &Overlay, snapshot: &Snapshot, text: &str) -> Result<Complete, String> {
    let listed = listed(text).map_err(|error| error.to_string())?;
    let now = standing(snapshot);
    // A nested folder with a kustomization of its own is left to its author.
    let is_nested = |path: &str| {
        let mut folders = path.match_indices('/').filter_map(|(at, _)| path.get(..at));
        folders.any(|nested| path_in(&folder.join(nested), over).is_some())
    };
    let files: BTreeSet<String> = now.values().filter_map(|stands| below(folder, &stands.manifest)).collect();
    let files: BTreeSet<String> = files.into_iter().filter(|file| !is_nested(file)).collect();
    let is_gone = |path: &&String| {
        let is_file = manifest::is_manifest(path.as_bytes()) && !path.contains("://");
        is_file && is_absent(&folder.join(path.as_str()), over)
    };
    // Where new objects are written, Stablekey lists the files. Other files are listed by their author.
    let is_ours = |path: &String| {
        path.split_once('/').is_some_and(|(folder, file)| {
            !file.contains('/') && Kind::ALL.iter().any(|kind| kind.in_tenant() && kind.plural() == folder)
        })
    };
    let gone = listed.resources.iter().filter(is_gone).cloned();
    let (removed, missing): (BTreeSet<String>, Vec<String>) = {
        let (ours, others): (Vec<String>, Vec<String>) = gone.partition(is_ours);
        (ours.into_iter().collect(), others)
    };
    let definitions = defined(folder, &now);
    let inventory = &snapshot.inventory;
    // A file that cannot be read could contain the integration, and so could a file elsewhere.
    let is_whole = inventory.unparsed.is_empty() && listed.resources.iter().all(|path| is_manifest_below(path));
    let invalid = inventory.invalid.keys().filter(|id| id.kind == Kind::Integration).map(|id| &id.name);
    // The ConfigMap that an integration names may come from another generator.
    let named = inventory.integrations.values().filter_map(|integration| match &integration.spec.definition {
        Some(Definition::ConfigMap(map)) => Some(&map.name),
        _ => None,
    });
    let used = definitions.keys().chain(invalid).chain(named).map(|name| definition_name(name));
    let used: BTreeSet<String> = used.collect();
    let gone: BTreeSet<String> = match is_whole {
        true => listed.definitions.difference(&used).cloned().collect(),
        false => BTreeSet::new(),
    };
    Ok(Complete { wanted: DesiredEntries { added: files.clone(), files, removed, definitions, gone }, missing })
}

/// Whether nothing has this path. What cannot be looked up may be there.
fn is_absent(path: &Path, over: &Overlay) -> bool {
    let is_nothing = |error: std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    !over.is_there(path) && (over.files().contains_key(&normal(path)) || over.tree().kind(path).is_err_and(is_nothing))
}

/// Whether an item of `resources` is a file of this folder.
fn is_manifest_below(path: &str) -> bool {
    manifest::is_manifest(path.as_bytes()) && !path.contains("://") && !path.starts_with('/') && !path.starts_with("..")
}

/// Returns the updates that the kustomization of a folder needs; `None` if it needs none.
pub(super) fn edits(folder: &Path, over: &Overlay, snapshot: &Snapshot) -> Option<KustomizationDue> {
    let path = path_in(folder, over)?;
    let edits = |changes: Result<KustomizationChanges, String>, text: Option<String>, missing: Vec<String>| {
        let becomes = text.as_ref().map(|text| Digest::of(text.as_bytes()));
        let is_due = !missing.is_empty() || changes.as_ref().map_or(true, |changes| !changes.is_empty());
        is_due.then(|| KustomizationDue { path: path.clone(), changes, becomes, text, missing })
    };
    let cannot = |why: String, missing: Vec<String>| edits(Err(why), None, missing);
    let text = match over.read(&path, limits::FILE_BYTES) {
        Ok(read) => String::from_utf8(read.unwrap_or_default()),
        Err(error) => return cannot(io_error::reading(&path, &error).why, Vec::new()),
    };
    let Ok(text) = text else { return cannot("it is not UTF-8: save it as UTF-8".to_string(), Vec::new()) };
    let complete = complete(folder, over, snapshot, &text);
    let Complete { wanted, missing } = match complete {
        Ok(complete) => complete,
        Err(why) => return cannot(why, Vec::new()),
    };
    let new = match keep(&text, &wanted) {
        Ok(new) => new.unwrap_or_else(|| text.clone()),
        Err(error) => return cannot(error.to_string(), missing),
    };
    let mut changes = KustomizationChanges::between(&text, &new);
    let references = over.read(&folder.join(REFERENCES), limits::FILE_BYTES).ok().flatten();
    let lacks_references = references.as_deref() != Some(REFERENCES_TEXT.as_bytes());
    if !wanted.definitions.is_empty() && lacks_references && !changes.come.iter().any(|entry| entry == REFERENCES) {
        changes.come.push(REFERENCES.to_string());
    }
    edits(Ok(changes), Some(new), missing)
}

/// Reads the kustomization of a folder.
pub(super) fn text_in(folder: &Path, over: &Overlay) -> Option<String> {
    let read = over.read(&path_in(folder, over)?, limits::FILE_BYTES).ok().flatten()?;
    String::from_utf8(read).ok()
}

/// Returns the definitions of integrations, by name.
fn defined(folder: &Path, standing: &StandingFiles) -> BTreeMap<String, DefinedIntegration> {
    let of = |(id, stands): (&ObjectId, &Stands)| {
        let definition = below(folder, stands.definition.as_ref()?)?;
        Some((id.name.clone(), DefinedIntegration { manifest: below(folder, &stands.manifest)?, definition }))
    };
    standing.iter().filter_map(of).collect()
}

fn path_in(folder: &Path, over: &Overlay) -> Option<PathBuf> {
    NAMES.map(|name| folder.join(name)).into_iter().find(|path| over.is_there(path))
}

/// Returns the files of what was read.
pub(super) fn standing(snapshot: &Snapshot) -> StandingFiles {
    let of = |(id, origin): (&ObjectId, &manifest::SourcePlace)| {
        let integration = snapshot.inventory.integrations.get(&id.name).filter(|_| id.kind == Kind::Integration);
        let definition = integration.and_then(|integration| match &integration.spec.definition {
            Some(Definition::File(file)) => Some(beside(origin, file)),
            _ => None,
        });
        (id.clone(), Stands { manifest: PathBuf::from(&origin.file.path), definition })
    };
    snapshot.origins.iter().map(of).collect()
}

/// Whether a file is empty without these objects.
pub(super) fn holds_only(file: &Path, objects: &BTreeSet<&ObjectId>) -> bool {
    let reading = manifest::read_file(&FileTree::default(), file);
    let ids = reading.documents.iter().map(|d| ObjectId::new(d.resource.kind(), &d.resource.metadata().name));
    let others = reading.other_kinds + reading.reports;
    let is_whole = reading.invalid.is_empty() && reading.unparsed.is_empty() && others == 0;
    is_whole && ids.into_iter().all(|id| objects.contains(&id))
}

/// Returns a path relative to this folder; `None` if it is elsewhere.
fn below(folder: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> =
        path.strip_prefix(folder).ok()?.components().map(|c| c.as_os_str().to_str()).collect();
    Some(parts?.join("/")).filter(|path| !path.is_empty())
}
