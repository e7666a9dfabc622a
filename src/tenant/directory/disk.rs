//! Files, written so that each is old or new whatever happens: temporary file, fsync, rename, fsync
//! of the folder. Of many new ones all are written, then brought to the disk at once, then renamed. A trait, so that
//! tests can cut the power after any step.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// The prefix of temporary files; what a killed run left is taken away by the next.
pub const TEMPORARY: &str = ".stablekey-tmp-";

/// The steps of which writing consists.
pub trait Disk: Send + Sync {
    /// Writes a new file and brings it to the disk.
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// The same where no file is yet, for its owner's eyes only.
    fn write_new_privately(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes a new file, which may not be on the disk before [`Disk::sync_staged`].
    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write_new(path, bytes)
    }
    /// From how many new files on it pays to stage them: few are quick one by one, and each is told of when it is there.
    fn many(&self) -> usize {
        512
    }
    /// Brings all that was staged in a folder to the disk.
    fn sync_staged(&self, _folder: &Path) -> io::Result<()> {
        Ok(())
    }
    /// Puts a file in the place of another.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Takes a file away.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a folder and those above it.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// Brings a folder's entries to the disk.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
}

/// The file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn write_new(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        written(path, bytes)?.sync_all()
    }

    // Elsewhere each file is brought to the disk by itself.
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

/// A new file with these bytes, not yet on the disk.
fn written(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file = match File::create_new(path) {
        // What a killed run left, or a link that somebody laid there, which is never followed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            File::create_new(path)?
        }
        other => other?,
    };
    file.write_all(bytes)?;
    Ok(file)
}

/// Writes a file under a temporary name, and gives that back. [`Disk::sync_staged`] and
/// [`Disk::rename`] make it what it should be.
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

/// Writes a file whole or not at all, keeping the permissions of one that is there.
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

/// Gives a file the permissions of the one that it will replace.
fn keep_permissions(path: &Path, temporary: &Path) -> io::Result<()> {
    fs::metadata(path).map_or(Ok(()), |metadata| fs::set_permissions(temporary, metadata.permissions()))
}

/// A file's folder and its name there.
fn parts(path: &Path) -> io::Result<(&Path, &OsStr)> {
    let name = path.file_name().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file"))?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((folder.unwrap_or(Path::new(".")), name))
}

/// Writes a file that only its owner may read, whole or not at all. Only a regular file is replaced.
pub fn write_privately(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    may_be_replaced(path)?;
    let (folder, name) = parts(path)?;
    let temporary = folder.join(format!("{TEMPORARY}{}", name.to_string_lossy()));
    // What a killed run left.
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = disk.write_new_privately(&temporary, bytes).and_then(|()| disk.rename(&temporary, path));
    if written.is_err() {
        // Half a file helps nobody; where it cannot be taken away, the next run does it.
        let _ = disk.remove(&temporary);
    }
    written.and_then(|()| disk.sync_folder(folder))
}

/// Writes a file that a person named, whole or not at all. Only a regular file is replaced: a rename
/// would put a file in the place of a device, a FIFO or a link.
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

/// Takes a file away and brings that to the disk.
pub fn remove(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    match disk.remove(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    path.parent().map_or(Ok(()), |folder| disk.sync_folder(folder))
}

/// The bytes of a regular file of at most `limit` bytes; `None` where there is none.
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

/// Takes away the temporary files that a killed run left in these folders.
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
