//! Files and folders: which are read, and how to read one that may be anything.

use super::bytes::too_large;
use super::problem::Problem;
use super::read::{Reading, read_bytes};
use super::{limits, threads};
use crate::io_error;
use std::collections::BTreeSet;
use std::fs::{self, DirEntry, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Reads files, folders and, for `-`, standard input. Links may not lead out of `root`.
pub fn read_paths(root: &Path, paths: &[PathBuf], stdin: &mut dyn Read) -> Reading {
    let mut walk = Walk::new(root, &[]);
    let mut reading = Reading::default();
    for path in paths {
        if path == Path::new("-") {
            reading.extend(read_stream("-", stdin));
        } else {
            walk.named(path);
        }
    }
    reading.extend(walk.read());
    reading
}

/// Reads all of a folder below `root` but the folders in `leave_out` (paths as `folder` is one).
pub fn read_folder(root: &Path, folder: &Path, leave_out: &[PathBuf]) -> Reading {
    let mut walk = Walk::new(root, leave_out);
    walk.named(folder);
    walk.read()
}

/// The files to read, and what was met on the way.
struct Walk {
    root: PathBuf,
    leave_out: BTreeSet<PathBuf>,
    /// Real paths that were met, so that links in a ring end and nothing is read twice.
    met: BTreeSet<PathBuf>,
    files: Vec<(PathBuf, u64)>,
    reading: Reading,
}

impl Walk {
    fn new(root: &Path, leave_out: &[PathBuf]) -> Self {
        Walk {
            root: fs::canonicalize(root).unwrap_or_else(|_| root.to_path_buf()),
            leave_out: leave_out.iter().filter_map(|path| fs::canonicalize(path).ok()).collect(),
            met: BTreeSet::new(),
            files: Vec::new(),
            reading: Reading::default(),
        }
    }

    /// A path that somebody named: whatever cannot be read is an error.
    fn named(&mut self, path: &Path) {
        let (real, metadata) = match fs::canonicalize(path).and_then(|real| fs::metadata(&real).map(|m| (real, m))) {
            Ok(found) => found,
            Err(error) => return self.wrong(path, cannot_read(path, &error)),
        };
        if self.leads_out(path, &real) {
            return self
                .wrong(path, ("this is a link that leads out of the root", "copy what it names below the root"));
        }
        if metadata.is_dir() {
            self.folder(path, real, 0);
        } else if !metadata.is_file() {
            self.wrong(path, NO_FILE);
        } else if self.met.insert(real) {
            self.files.push((path.to_path_buf(), metadata.len()));
        }
    }

    /// Whether a path that looks as if it were below the root is not.
    fn leads_out(&self, path: &Path, real: &Path) -> bool {
        if real.starts_with(&self.root) {
            return false;
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let is_link = fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        is_link && fs::canonicalize(parent).is_ok_and(|parent| parent.starts_with(&self.root))
    }

    fn folder(&mut self, path: &Path, real: PathBuf, depth: usize) {
        if self.leave_out.contains(&real) || !self.met.insert(real.clone()) {
            return;
        }
        if depth > limits::FOLDER_DEPTH {
            return self.wrong(path, ("folders are nested too deep here", "give a folder further down"));
        }
        let entries = fs::read_dir(path).and_then(Iterator::collect);
        let mut entries: Vec<DirEntry> = match entries {
            Ok(entries) => entries,
            Err(error) => return self.wrong(path, cannot_read(path, &error)),
        };
        entries.sort_by_cached_key(DirEntry::file_name);
        for entry in entries {
            self.entry(&entry, &real, depth);
        }
    }

    /// What a folder holds: passed over where it is neither a file to read nor a folder. `folder` is the
    /// folder's real path.
    fn entry(&mut self, entry: &DirEntry, folder: &Path, depth: usize) {
        let (path, name) = (&entry.path(), entry.file_name());
        let name = name.as_encoded_bytes();
        if name.starts_with(b".") {
            return;
        }
        // Only a link leads elsewhere.
        let real = match entry.file_type() {
            Ok(kind) if !kind.is_symlink() => Ok(folder.join(entry.file_name())),
            _ => fs::canonicalize(path),
        };
        let found = real.and_then(|real| fs::metadata(&real).map(|metadata| (real, metadata)));
        match found {
            Ok((real, metadata)) if real.starts_with(&self.root) && metadata.is_dir() => {
                self.folder(path, real, depth + 1);
            }
            Ok((real, metadata)) if real.starts_with(&self.root) && metadata.is_file() => {
                if is_manifest(name) && self.met.insert(real) {
                    self.files.push((path.to_path_buf(), metadata.len()));
                }
            }
            _ => self.reading.passed_over += 1,
        }
    }

    fn wrong(&mut self, path: &Path, (message, help): (impl Into<String>, impl Into<String>)) {
        let path = shown(path);
        let problem = Problem::of_file(path.clone(), message, help);
        self.reading.unparsed(path, vec![problem]);
    }

    fn read(self) -> Reading {
        let mut reading = self.reading;
        let read = |files: &[(PathBuf, u64)]| {
            let mut part = Reading::default();
            files.iter().for_each(|(path, _)| part.extend(read_file(path)));
            part
        };
        // A file costs more than its bytes: it is opened.
        let size = |file: &(PathBuf, u64)| usize::try_from(file.1).unwrap_or(usize::MAX).saturating_add(4096);
        for part in threads::in_parts(&self.files, size, read) {
            reading.extend(part);
        }
        reading
    }
}

const NO_FILE: (&str, &str) = ("this is no regular file", "give a file or a folder; use `-` to read from a pipe");

/// Reads one regular file. Whatever is not one is never opened: a FIFO would wait for ever.
pub fn read_file(path: &Path) -> Reading {
    let name = shown(path);
    let wrong = |(message, help): (String, String)| Reading::of_problem(Problem::of_file(name.clone(), message, help));
    let plain = |(message, help): (&str, &str)| wrong((message.to_string(), help.to_string()));
    let Some(_) = path.to_str() else {
        return plain(("the file's name is no UTF-8", "rename it"));
    };
    match fs::metadata(path) {
        Err(error) => return wrong(cannot_read(path, &error)),
        Ok(metadata) if !metadata.is_file() => return plain(NO_FILE),
        Ok(metadata) if metadata.len() > limits::FILE_BYTES => return Reading::of_problem(too_large(&name)),
        Ok(_) => {}
    }
    match File::open(path) {
        Ok(mut file) => read_stream(&name, &mut file),
        Err(error) => wrong(cannot_read(path, &error)),
    }
}

/// Reads a stream to its end, but no more than a file may hold.
fn read_stream(name: &str, stream: &mut dyn Read) -> Reading {
    let mut bytes = Vec::new();
    match stream.take(limits::FILE_BYTES + 1).read_to_end(&mut bytes) {
        Err(error) => {
            let (message, help) = cannot_read(Path::new(name), &error);
            Reading::of_problem(Problem::of_file(name, message, help))
        }
        Ok(_) if u64::try_from(bytes.len()).map_or(true, |length| length > limits::FILE_BYTES) => {
            Reading::of_problem(too_large(name))
        }
        Ok(_) => read_bytes(name, bytes),
    }
}

fn is_manifest(name: &[u8]) -> bool {
    [b".yaml".as_slice(), b".yml", b".json"].iter().any(|ending| name.ends_with(ending))
}

fn cannot_read(path: &Path, error: &io::Error) -> (String, String) {
    let words = io_error::reading(path, error);
    (words.why, words.help)
}

/// A path as people write it.
fn shown(path: &Path) -> String {
    path.strip_prefix("./").unwrap_or(path).display().to_string()
}
