//! The kustomization of a tenant's folder, where there is one: it lists what a session makes before that is made, so
//! that what a killed run left is finished by the next, and at the end only what is there.

use super::session::{Bytes, DirectorySession};
use super::staging::Seen;
use crate::api::{Definition, Kind};
use crate::engine::field::FieldKind;
use crate::engine::item::ObjectId;
use crate::engine::plan::{Action, ActionKind, Op};
use crate::manifest::kustomization::{Defined, NAMES, REFERENCES, REFERENCES_TEXT, Wanted, keep};
use crate::manifest::{self, limits};
use crate::tenant::gather::beside;
use crate::tenant::{PlaceError, Snapshot, disk};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Where an object stands, and its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stands {
    manifest: PathBuf,
    definition: Option<PathBuf>,
}

type Standing = BTreeMap<ObjectId, Stands>;

/// The kustomization of a folder, while the folder is written.
pub(super) struct Kustomization {
    path: PathBuf,
    /// What there was and what there was to be, at any time of the session: what of it is not there is gone.
    ever: Vec<Standing>,
    /// What there will be once all that was asked for is done.
    expected: Standing,
    /// Whether it was said that it cannot be kept.
    is_told: bool,
}

impl Kustomization {
    /// Whether a folder has one.
    pub fn is_in(folder: &Path) -> bool {
        path_in(folder).is_some()
    }

    /// That of a folder; `None` where it has none.
    pub fn of(folder: &Path, snapshot: &Snapshot) -> Option<Self> {
        let path = path_in(folder)?;
        let expected = standing(snapshot);
        Some(Kustomization { path, ever: vec![expected.clone()], expected, is_told: false })
    }

    /// What must stand in it where this is all that there is. `goes` says of a file that held objects whether it
    /// will be gone.
    fn wanted(&self, folder: &Path, now: &Standing, goes: &dyn Fn(&Path) -> bool) -> Wanted {
        let files = |standing: &Standing| -> BTreeSet<PathBuf> {
            standing.values().map(|stands| stands.manifest.clone()).collect()
        };
        let shown = |files: BTreeSet<PathBuf>| files.iter().filter_map(|file| below(folder, file)).collect();
        let first = self.ever.first().map(files).unwrap_or_default();
        let ever: BTreeSet<PathBuf> = self.ever.iter().flat_map(files).collect();
        let here = files(now);
        let gone: BTreeSet<PathBuf> = ever.iter().filter(|file| !here.contains(*file) && goes(file)).cloned().collect();
        // What was to go and stayed was taken off the list before.
        let dropped =
            self.ever.iter().skip(1).flat_map(|then| first.difference(&files(then)).cloned().collect::<Vec<_>>());
        let added = here.difference(&first).cloned().chain(dropped.filter(|file| here.contains(file)));
        let defined = |standing: &Standing| -> BTreeMap<String, Defined> {
            let of = |(id, stands): (&ObjectId, &Stands)| {
                let definition = below(folder, stands.definition.as_ref()?)?;
                Some((id.name.clone(), Defined { manifest: below(folder, &stands.manifest)?, definition }))
            };
            standing.iter().filter_map(of).collect()
        };
        let definitions = defined(now);
        let were: BTreeSet<String> = self.ever.iter().flat_map(|then| defined(then).into_keys()).collect();
        Wanted {
            added: shown(added.collect()),
            removed: shown(gone),
            gone: were.into_iter().filter(|name| !definitions.contains_key(name)).collect(),
            definitions,
            files: shown(here),
        }
    }
}

impl DirectorySession<'_> {
    /// Has the kustomization say what these actions will bring and take away.
    pub(super) fn kustomize(&mut self, actions: &[&Action], bytes: Bytes<'_>) -> Result<(), PlaceError> {
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
        let wanted = kustomization.wanted(&self.place.folder, &kustomization.expected, &goes);
        let kept = self.keep_kustomization(&wanted);
        self.kustomization.iter_mut().for_each(|kustomization| kustomization.is_told |= kept.is_err());
        kept
    }

    /// What an action will leave where it stands; one that will fail leaves what there is.
    fn expect(&self, action: &Action, bytes: Bytes<'_>, expected: &mut Standing) {
        let id = &action.change.object;
        let brings = |folder: &Path| -> Result<Option<PathBuf>, PlaceError> {
            let Some(bytes) = bytes(action)?.filter(|_| id.kind == Kind::Integration) else { return Ok(None) };
            let free = self.side_files.free(folder, &id.name, &bytes).map_err(self.place.failed(folder))?;
            Ok(Some(free.0))
        };
        match action.action {
            ActionKind::Adopt => {}
            ActionKind::Delete => drop(expected.remove(id)),
            ActionKind::Create => {
                let folder = self.place.folder.join(id.kind.plural());
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

    /// Has the kustomization say what is there.
    pub(super) fn settle_kustomization(&mut self) -> Result<(), PlaceError> {
        let Some(kustomization) = &self.kustomization else { return Ok(()) };
        let now = standing(&self.place.read()?);
        let wanted = kustomization.wanted(&self.place.folder, &now, &|file| !file.exists());
        let is_told = kustomization.is_told;
        // Once is enough.
        self.keep_kustomization(&wanted).or_else(|error| if is_told { Ok(()) } else { Err(error) })
    }

    fn keep_kustomization(&mut self, wanted: &Wanted) -> Result<(), PlaceError> {
        let Some(path) = self.kustomization.as_ref().map(|kustomization| kustomization.path.clone()) else {
            return Ok(());
        };
        let object = self.of_tenant();
        let refused =
            |why: String| PlaceError::Refused { object: object.clone(), why: format!("{}: {why}", path.display()) };
        self.within(&object, &path)?;
        // A link within the folder is followed.
        let path = std::fs::canonicalize(&path).map_err(self.place.failed(&path))?;
        let seen = Seen::of(&path);
        let read = disk::read(&path, limits::FILE_BYTES).map_err(self.place.failed(&path))?.unwrap_or_default();
        let text = String::from_utf8(read).map_err(|_| refused("it is not UTF-8: save it as UTF-8".to_string()))?;
        let new = keep(&text, wanted).map_err(|error| refused(error.to_string()))?;
        if !wanted.definitions.is_empty() {
            let references = self.place.folder.join(REFERENCES);
            self.within(&object, &references)?;
            let there = disk::read(&references, limits::FILE_BYTES).map_err(self.place.failed(&references))?;
            if there.as_deref() != Some(REFERENCES_TEXT.as_bytes()) {
                self.write(&references, REFERENCES_TEXT.as_bytes())?;
            }
        }
        match new {
            Some(_) if seen.is_some_and(|seen| !seen.is_still(&path)) => Err(PlaceError::Changed { object }),
            Some(new) => self.write(&path, new.as_bytes()),
            None => Ok(()),
        }
    }
}

fn path_in(folder: &Path) -> Option<PathBuf> {
    NAMES.map(|name| folder.join(name)).into_iter().find(|path| path.symlink_metadata().is_ok())
}

/// Where what was read stands.
fn standing(snapshot: &Snapshot) -> Standing {
    let of = |(id, origin): (&ObjectId, &manifest::Origin)| {
        let integration = snapshot.inventory.integrations.get(&id.name).filter(|_| id.kind == Kind::Integration);
        let definition = integration.and_then(|integration| match &integration.spec.definition {
            Some(Definition::File(file)) => Some(beside(origin, file)),
            _ => None,
        });
        (id.clone(), Stands { manifest: PathBuf::from(&origin.file.path), definition })
    };
    snapshot.origins.iter().map(of).collect()
}

/// Whether nothing is left of a file without these objects.
fn holds_only(file: &Path, objects: &BTreeSet<&ObjectId>) -> bool {
    let reading = manifest::read_file(file);
    let ids = reading.documents.iter().map(|d| ObjectId::new(d.resource.kind(), &d.resource.metadata().name));
    let is_whole = reading.invalid.is_empty() && reading.unparsed.is_empty() && reading.other_kinds == 0;
    is_whole && ids.into_iter().all(|id| objects.contains(&id))
}

/// A path as a kustomization of this folder names it; `None` where it lies elsewhere.
fn below(folder: &Path, path: &Path) -> Option<String> {
    let parts: Option<Vec<&str>> =
        path.strip_prefix(folder).ok()?.components().map(|c| c.as_os_str().to_str()).collect();
    Some(parts?.join("/")).filter(|path| !path.is_empty())
}
