//! Writes an edit: all files are staged before the first is put in place.

use super::edited::Edited;
use super::error::AuthorError;
use super::file_change::FileChange;
use crate::manifest::Content;
use crate::tenant::directory::disk::{self, Disk};
use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

/// Maximum size of a file that is compared with what was read, in bytes.
const FILE_BYTES: u64 = 256_000_000;

const NOTHING: &str = "nothing was written";

impl Edited {
    /// Writes the files, in order. Before the first is put in place, the folders are locked, each file is compared with
    /// what was read, and all new contents are on disk.
    pub fn write(&self, disk: &dyn Disk) -> Result<(), AuthorError> {
        let _locks = self.lock()?;
        let folders: BTreeSet<PathBuf> =
            self.files.iter().filter_map(|file| folder_of(&file.path)).map(Path::to_path_buf).collect();
        disk::sweep(disk, &folders).map_err(|error| AuthorError::write(&self.root, &error, NOTHING))?;
        for file in &self.files {
            file.is_as_read()?;
        }
        let mut staged = Vec::new();
        for file in &self.files {
            let Some(content) = &file.after else {
                staged.push((file, None));
                continue;
            };
            match disk::stage(disk, &file.path, content.as_bytes()) {
                Ok(temporary) => staged.push((file, Some(temporary))),
                Err(error) => {
                    give_up(disk, staged.iter().filter_map(|(_, temporary)| temporary.as_ref()));
                    return Err(AuthorError::write(&file.path, &error, NOTHING));
                }
            }
        }
        if let Some(folder) = self.files.first().and_then(|file| folder_of(&file.path)) {
            disk.sync_staged(folder).map_err(|error| AuthorError::write(folder, &error, NOTHING))?;
        }
        for (done, (file, temporary)) in staged.iter().enumerate() {
            let put = match temporary {
                Some(temporary) => disk.rename(temporary, &file.path),
                None => disk.remove(&file.path),
            };
            let put = put.and_then(|()| folder_of(&file.path).map_or(Ok(()), |folder| disk.sync_folder(folder)));
            if let Err(error) = put {
                give_up(disk, staged[done..].iter().filter_map(|(_, temporary)| temporary.as_ref()));
                let written: Vec<String> =
                    staged[..done].iter().map(|(file, _)| file.path.display().to_string()).collect();
                let written = match written.as_slice() {
                    [] => NOTHING.to_string(),
                    written => format!("{} written; run the command again to finish", written.join(", ")),
                };
                return Err(AuthorError::write(&file.path, &error, &written));
            }
        }
        Ok(())
    }

    /// Locks the root and the locations whose files change, as an apply does.
    fn lock(&self) -> Result<Vec<File>, AuthorError> {
        let mut locks = Vec::new();
        for folder in std::iter::once(&self.root).chain(&self.folders).filter(|folder| folder.is_dir()) {
            let failed = |error: &std::io::Error| AuthorError::write(folder, error, NOTHING);
            let lock = File::open(folder).map_err(|error| failed(&error))?;
            match lock.try_lock() {
                Ok(()) => locks.push(lock),
                Err(TryLockError::WouldBlock) => return Err(AuthorError::Busy(folder.clone())),
                Err(TryLockError::Error(error)) => return Err(failed(&error)),
            }
        }
        Ok(locks)
    }
}

impl FileChange {
    /// Fails if somebody changed the file since it was read, or if it is no regular file.
    fn is_as_read(&self) -> Result<(), AuthorError> {
        let now =
            disk::read(&self.path, FILE_BYTES).map_err(|error| AuthorError::write(&self.path, &error, NOTHING))?;
        match now.as_deref() == self.before.as_ref().map(Content::as_bytes) {
            true => self.may_be_written(),
            false => Err(AuthorError::Changed(self.path.clone())),
        }
    }

    /// Fails if the file is read-only: a rename would replace it all the same.
    fn may_be_written(&self) -> Result<(), AuthorError> {
        if self.before.is_none() {
            return Ok(());
        }
        let is_read_only = self.path.metadata().is_ok_and(|metadata| metadata.permissions().readonly());
        match is_read_only {
            true => Err(AuthorError::Write {
                path: self.path.clone(),
                why: "it is read-only".to_string(),
                help: format!("make it writable, if you may: chmod u+w {}", self.path.display()),
                written: NOTHING.to_string(),
            }),
            false => Ok(()),
        }
    }
}

/// Removes staged files. If that fails, the next apply or edit removes them.
fn give_up<'a>(disk: &dyn Disk, staged: impl Iterator<Item = &'a PathBuf>) {
    for temporary in staged {
        let _ = disk.remove(temporary);
    }
}

fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().map(|folder| if folder.as_os_str().is_empty() { Path::new(".") } else { folder })
}
