//! Files that are brought to the disk together: all are written, then synced once, then put in their places, so that
//! each is old or new whatever happens.

use super::DirectoryPlace;
use crate::engine::item::ObjectId;
use crate::tenant::{PlaceError, disk};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// Files on their way to the disk.
pub(super) struct Staging<'a> {
    place: &'a DirectoryPlace,
    /// Those that are written and not yet in their places; `None`: each goes there at once.
    staged: Option<Vec<Staged>>,
}

/// A file that waits to be put in its place.
struct Staged {
    temporary: PathBuf,
    path: PathBuf,
    /// The objects that it is of.
    ids: Vec<ObjectId>,
}

impl<'a> Staging<'a> {
    /// For about this many files: few go to their places at once.
    pub fn of(place: &'a DirectoryPlace, count: usize) -> Self {
        Staging { place, staged: (count >= place.disk.many()).then(Vec::new) }
    }

    /// Writes a file whole or not at all, at once or with the others.
    pub fn put(&mut self, path: &Path, bytes: &[u8], ids: &[&ObjectId]) -> io::Result<()> {
        let disk = self.place.disk.as_ref();
        let Some(staged) = &mut self.staged else { return disk::write_atomically(disk, path, bytes) };
        let temporary = disk::stage(disk, path, bytes)?;
        let ids = ids.iter().map(|id| (*id).clone()).collect();
        staged.push(Staged { temporary, path: path.to_path_buf(), ids });
        Ok(())
    }

    /// Puts what was staged in its place, in its order, and says of which objects that failed.
    pub fn place(self) -> Vec<(ObjectId, PlaceError)> {
        let Some(staged) = self.staged.filter(|staged| !staged.is_empty()) else { return Vec::new() };
        let disk = self.place.disk.as_ref();
        // One error of the disk is the error of each.
        let again = |error: &io::Error| io::Error::new(error.kind(), error.to_string());
        let synced = disk.sync_staged(&self.place.folder);
        let mut failed: BTreeMap<ObjectId, PlaceError> = BTreeMap::new();
        let mut folders: BTreeMap<PathBuf, BTreeSet<ObjectId>> = BTreeMap::new();
        for Staged { temporary, path, ids } in staged {
            // What it would name is not there.
            let rests_on = ids.iter().find_map(|id| failed.get(id).cloned());
            let placed = match rests_on {
                Some(error) => Err(error),
                None => {
                    let renamed = synced.as_ref().map_err(again).and_then(|()| disk.rename(&temporary, &path));
                    renamed.map_err(self.place.failed(&path))
                }
            };
            match placed {
                Ok(()) => {
                    folders.entry(path.parent().map(Path::to_path_buf).unwrap_or_default()).or_default().extend(ids)
                }
                Err(error) => {
                    // Where it cannot be taken away, the next run does it.
                    let _ = disk.remove(&temporary);
                    failed.extend(ids.into_iter().map(|id| (id, error.clone())));
                }
            }
        }
        for (folder, ids) in folders {
            if let Err(error) = disk.sync_folder(&folder).map_err(self.place.failed(&folder)) {
                failed.extend(ids.into_iter().map(|id| (id, error.clone())));
            }
        }
        failed.into_iter().collect()
    }
}
