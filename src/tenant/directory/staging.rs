//! Writes files in batches: all are written, then synced once, then renamed, so that each is either old or new whatever
//! happens.

use super::FolderLocation;
use crate::engine::model::item::ObjectId;
use crate::tenant::directory::disk;
use crate::tenant::location::LocationError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A batch of files.
pub(super) struct Staging<'a> {
    location: &'a FolderLocation,
    /// The files that are written and not yet renamed; `None` if each is renamed at once.
    staged: Option<Vec<Staged>>,
    /// Folders that do not exist yet, each created under a temporary name, so that one rename puts all of its files in
    /// place.
    new_folders: BTreeMap<PathBuf, PathBuf>,
}

/// A file that waits for its rename.
struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    /// The file that it replaces, as it was read.
    seen: Option<SeenFile>,
    /// The objects in it.
    ids: Vec<ObjectId>,
}

/// The metadata of a file when it was read, so that a concurrent change is not overwritten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenFile {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl SeenFile {
    /// Returns the metadata of a file; `None` if it does not exist.
    pub(super) fn of(path: &Path) -> Option<SeenFile> {
        let of = |metadata: Metadata| SeenFile {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        };
        std::fs::metadata(path).ok().map(of)
    }

    /// Whether a file is unchanged.
    pub(super) fn is_still(&self, path: &Path) -> bool {
        SeenFile::of(path).as_ref() == Some(self)
    }
}

impl<'a> Staging<'a> {
    /// Creates a batch if there are enough files; otherwise each is put in place at once.
    pub(super) fn of(location: &'a FolderLocation, count: usize) -> Self {
        Staging { location, staged: (count >= location.disk.many()).then(Vec::new), new_folders: BTreeMap::new() }
    }

    /// Writes a file atomically, at once or with the batch: over the `seen` one, or as a new one.
    pub(super) fn put(
        &mut self,
        path: &Path,
        bytes: &[u8],
        ids: &[&ObjectId],
        seen: Option<&SeenFile>,
    ) -> Result<(), LocationError> {
        let disk = self.location.disk.as_ref();
        let new_folder = match self.staged.is_some() {
            true => self.new_folder(folder_of(path)).map_err(self.location.failed(path))?,
            false => None,
        };
        let Some(staged) = &mut self.staged else {
            if let (Some(seen), Some(id)) = (seen, ids.first())
                && !seen.is_still(path)
            {
                return Err(LocationError::Changed { object: (*id).clone() });
            }
            return disk::write_atomically(disk, path, bytes).map_err(self.location.failed(path));
        };
        let in_new_folder = new_folder.zip(path.file_name()).map(|(folder, name)| folder.join(name));
        let staging = match in_new_folder {
            Some(temporary) => disk.stage(&temporary, bytes).map(|()| temporary),
            None => disk::stage(disk, path, bytes),
        };
        let temporary = staging.map_err(self.location.failed(path))?;
        let ids = ids.iter().map(|id| (*id).clone()).collect();
        staged.push(Staged { temporary, path: path.to_path_buf(), seen: seen.cloned(), ids });
        Ok(())
    }

    /// Returns the temporary folder for the files of a folder that does not exist yet.
    fn new_folder(&mut self, folder: &Path) -> io::Result<Option<PathBuf>> {
        if let Some(temporary) = self.new_folders.get(folder) {
            return Ok(Some(temporary.clone()));
        }
        let is_new = folder.symlink_metadata().is_err() && folder_of(folder).is_dir();
        let Some(name) = folder.file_name().filter(|_| is_new) else { return Ok(None) };
        let temporary = folder_of(folder).join(format!("{}{}", disk::TEMPORARY, name.to_string_lossy()));
        self.location.disk.create_folder(&temporary)?;
        self.new_folders.insert(folder.to_path_buf(), temporary.clone());
        Ok(Some(temporary))
    }

    /// Puts the batch in place, in order, and returns the objects for which that failed.
    pub(super) fn move_into_place(mut self) -> BTreeMap<ObjectId, LocationError> {
        let mut failed: BTreeMap<ObjectId, LocationError> = BTreeMap::new();
        let Some(staged) = self.staged.take().filter(|staged| !staged.is_empty()) else { return failed };
        let disk = self.location.disk.as_ref();
        // One error of the disk applies to each file.
        let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        let synced = devices(&staged).into_iter().try_for_each(|folder| disk.sync_staged(&folder));
        let mut folders: BTreeMap<PathBuf, BTreeSet<ObjectId>> = BTreeMap::new();
        let placed_whole: BTreeSet<&Path> = match &synced {
            Ok(()) => {
                let is_free = |folder: &Path| folder.symlink_metadata().is_err();
                let whole = |(folder, temporary): &(&PathBuf, &PathBuf)| {
                    is_free(folder) && disk.rename(temporary, folder).is_ok()
                };
                self.new_folders.iter().filter(whole).map(|(folder, _)| folder.as_path()).collect()
            }
            Err(_) => BTreeSet::new(),
        };
        for Staged { temporary, path, seen, ids } in staged {
            // The object that it would name does not exist.
            let rests_on = ids.iter().find_map(|id| failed.get(id).cloned());
            let is_changed = || seen.as_ref().is_some_and(|seen| !seen.is_still(&path));
            let placed = match rests_on {
                _ if placed_whole.contains(folder_of(&path)) => {
                    folders.entry(folder_of(folder_of(&path)).to_path_buf()).or_default().extend(ids);
                    continue;
                }
                Some(error) => Err(error),
                None if is_changed() => {
                    // If it cannot be removed, the next run removes it.
                    let _ = disk.remove(&temporary);
                    failed.extend(ids.into_iter().map(|id| (id.clone(), LocationError::Changed { object: id })));
                    continue;
                }
                None => {
                    let renamed = synced.as_ref().map_err(again).and_then(|()| disk.rename(&temporary, &path));
                    renamed.map_err(self.location.failed(&path))
                }
            };
            match placed {
                Ok(()) => folders.entry(folder_of(&path).to_path_buf()).or_default().extend(ids),
                Err(error) => {
                    let _ = disk.remove(&temporary);
                    failed.extend(ids.into_iter().map(|id| (id, error.clone())));
                }
            }
        }
        for temporary in self.new_folders.values() {
            // It is empty if its files were renamed one by one. Otherwise the next run removes it.
            let _ = std::fs::remove_dir(temporary);
        }
        for (folder, ids) in folders {
            if let Err(error) = disk.sync_folder(&folder).map_err(self.location.failed(&folder)) {
                failed.extend(ids.into_iter().map(|id| (id, error.clone())));
            }
        }
        failed
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

/// Returns one folder on each disk that has staged files: a subfolder may be another disk.
fn devices(staged: &[Staged]) -> Vec<PathBuf> {
    let folders: BTreeSet<&Path> = staged.iter().map(|file| folder_of(&file.temporary)).collect();
    let device = |folder: &Path| std::fs::metadata(folder).map(|metadata| metadata.dev()).ok();
    let by_device: BTreeMap<Option<u64>, PathBuf> =
        folders.into_iter().map(|folder| (device(folder), folder.to_path_buf())).collect();
    by_device.into_values().collect()
}
