//! Atomic file writes: temporary file, fsync, rename, fsync of the folder. Many new files are written first, then
//! synced together, then renamed. A trait, so that tests can cut the power after any step.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The prefix of temporary files. The next run removes those of a killed run.
pub const TEMPORARY: &str = ".stablekey-tmp-";

/// The steps of a write.
pub trait Disk: Send + Sync {
    /// Writes and syncs a new file.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes and syncs a new file that only its owner may read; fails if there is one.
    fn write_new_privately(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes a new file, which may not be on disk before [`Disk::sync_staged`].
    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write_new(path, bytes)
    }
    /// Returns from how many new files on staging pays off. Fewer files are fast one by one, and each is reported when
    /// it is done.
    fn many(&self) -> usize {
        512
    }
    /// Syncs all staged files of a folder.
    fn sync_staged(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }
    /// Renames a file over another.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Creates a folder and its parents.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Syncs a folder's entries.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        written(path, bytes)?.sync_all()
    }

    // On other systems each file is synced by itself.
    #[cfg(target_os = "linux")]
    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        written(path, bytes).map(drop)
    }

    #[cfg(target_os = "linux")]
    fn sync_staged(&self, folder: &Path) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(folder)?)?)
    }

    fn write_new_privately(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

/// Creates a new file with these bytes, not synced yet.
fn written(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = match File::create_new(path) {
        // A leftover of a killed run, or a link that somebody placed there, which is never followed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            File::create_new(path)?
        }
        other => other?,
    };
    file.write_all(bytes)?;
    Ok(file)
}

/// Writes a file under a temporary name, and returns it. [`Disk::sync_staged`] and [`Disk::rename`] complete the write.
pub fn stage(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<PathBuf> {
    let (folder, name) = parts(path)?;
    if !folder.is_dir() {
        disk.create_folder(folder)?;
    }
    let temporary = folder.join(format!("{TEMPORARY}{}", name.to_string_lossy()));
    disk.stage(&temporary, bytes)?;
    keep_permissions(path, &temporary)?;
    Ok(temporary)
}

/// Writes a file atomically, keeping the permissions of an existing one.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let (folder, name) = parts(path)?;
    if !folder.is_dir() {
        disk.create_folder(folder)?;
    }
    let temporary = folder.join(format!("{TEMPORARY}{}", name.to_string_lossy()));
    disk.write_new(&temporary, bytes)?;
    keep_permissions(path, &temporary)?;
    disk.rename(&temporary, path)?;
    disk.sync_folder(folder)
}

/// Copies the permissions of the file that will be replaced.
fn keep_permissions(path: &Path, temporary: &Path) -> io::Result<()> {
    fs::metadata(path).map_or(Ok(()), |metadata| fs::set_permissions(temporary, metadata.permissions()))
}

/// Returns a file's folder and its name.
fn parts(path: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((folder.unwrap_or(Path::new(".")), name))
}

/// Writes a file atomically that only its owner may read. Replaces only a regular file.
pub fn write_privately(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    may_be_replaced(path)?;
    let (folder, name) = parts(path)?;
    let temporary = folder.join(format!("{TEMPORARY}{}", name.to_string_lossy()));
    // A leftover of a killed run.
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = disk.write_new_privately(&temporary, bytes).and_then(|()| disk.rename(&temporary, path));
    if written.is_err() {
        // An incomplete file is useless. If it cannot be removed, the next run removes it.
        let _ = disk.remove(&temporary);
    }
    written.and_then(|()| disk.sync_folder(folder))
}

/// Writes a file atomically at a path that a person named. Replaces only a regular file: a rename would replace a
/// device, a FIFO or a link by a file.
pub fn write_named(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    may_be_replaced(path)?;
    write_atomically(disk, path, bytes)
}

fn may_be_replaced(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt;
    let kind = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.file_type(),
    };
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_symlink() => "a link",
        kind if kind.is_dir() => "a folder",
        kind if kind.is_fifo() => "a FIFO",
        kind if kind.is_block_device() || kind.is_char_device() => "a device",
        _ => "no regular file",
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, format!("it is {what}, and only a regular file is replaced")))
}

/// Removes a file, and syncs its folder.
pub fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))
}

/// Reads a regular file of at most `limit` bytes; `None` if there is none.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !metadata.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("larger than {limit} bytes")));
    }
    Ok(Some(bytes))
}

/// Removes the temporary files that a killed run left in these folders.
pub fn sweep<'a>(disk: &dyn Disk, folders: impl IntoIterator<Item = &'a PathBuf>) -> io::Result<()> {
    for folder in folders {
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries.flatten() {
            if !entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
                continue;
            }
            match entry.file_type()?.is_dir() {
                true => fs::remove_dir_all(entry.path()).and_then(|()| disk.sync_folder(folder))?,
                false => remove(disk, &entry.path())?,
            }
        }
    }
    Ok(())
}
