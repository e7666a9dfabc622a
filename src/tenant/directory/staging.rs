//! Files that are brought to the disk together: all are written, then synced once, then put in their locations, so that
//! each is old or new whatever happens.

use super::FolderLocation;
use crate::engine::model::item::ObjectId;
use crate::tenant::directory::disk;
use crate::tenant::location::LocationError;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Files on their way to the disk.
pub(super) struct Staging<'a> {
    location: &'a FolderLocation,
    /// Those that are written and not yet in their locations; `None`: each goes there at once.
    staged: Option<Vec<Staged>>,
    /// Folders that are not there yet, each made under a temporary name: the files of one go to their places at once.
    new_folders: BTreeMap<PathBuf, PathBuf>,
}

/// A file that waits to be put in its place.
struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    /// What it replaces, as it was read.
    seen: Option<SeenFile>,
    /// The objects that it is of.
    ids: Vec<ObjectId>,
}

/// How a file was when it was read: what others write meanwhile is not written over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SeenFile {
    inode: u64,
    length: u64,
    changed: (i64, i64),
}

impl SeenFile {
    /// A file as it is now; `None` where it is not there.
    pub fn of(path: &Path) -> Option<SeenFile> {
        let of = |metadata: Metadata| SeenFile {
            inode: metadata.ino(),
            length: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        };
        std::fs::metadata(path).ok().map(of)
    }

    /// Whether a file is as it was.
    pub fn is_still(&self, path: &Path) -> bool {
        SeenFile::of(path).as_ref() == Some(self)
    }
}

impl<'a> Staging<'a> {
    /// For so many files or more of which each can wait for the others; few go to their places at once.
    pub fn of(location: &'a FolderLocation, count: usize) -> Self {
        Staging { location, staged: (count >= location.disk.many()).then(Vec::new), new_folders: BTreeMap::new() }
    }

    /// Writes a file whole or not at all, at once or with the others: in place of the one that was `seen`, or of none.
    pub fn put(
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

    /// Where the files of a folder are staged that is not there yet.
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

    /// Puts what was staged in its place, in its order, and says of which objects that failed.
    pub fn location(mut self) -> BTreeMap<ObjectId, LocationError> {
        let mut failed: BTreeMap<ObjectId, LocationError> = BTreeMap::new();
        let Some(staged) = self.staged.take().filter(|staged| !staged.is_empty()) else { return failed };
        let disk = self.location.disk.as_ref();
        // One error of the disk is the error of each.
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
            // What it would name is not there.
            let rests_on = ids.iter().find_map(|id| failed.get(id).cloned());
            let is_changed = || seen.as_ref().is_some_and(|seen| !seen.is_still(&path));
            let placed = match rests_on {
                _ if placed_whole.contains(folder_of(&path)) => {
                    folders.entry(folder_of(folder_of(&path)).to_path_buf()).or_default().extend(ids);
                    continue;
                }
                Some(error) => Err(error),
                None if is_changed() => {
                    // Where it cannot be taken away, the next run does it.
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
            // Empty where its files went one by one; where they did not, the next run takes it away.
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

/// A folder on each of the disks that files were staged on: a folder below the tenant's may be another disk.
fn devices(staged: &[Staged]) -> Vec<PathBuf> {
    let folders: BTreeSet<&Path> = staged.iter().map(|file| folder_of(&file.temporary)).collect();
    let device = |folder: &Path| std::fs::metadata(folder).map(|metadata| metadata.dev()).ok();
    let by_device: BTreeMap<Option<u64>, PathBuf> =
        folders.into_iter().map(|folder| (device(folder), folder.to_path_buf())).collect();
    by_device.into_values().collect()
}
