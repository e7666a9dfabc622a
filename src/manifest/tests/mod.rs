//! What is read, what is refused, and how that is said.

mod hostile;
mod mistakes;
mod reading;
mod secrecy;

use crate::manifest::{DocumentsRead, find, read_files, read_paths};
use std::path::{Path, PathBuf};

/// What a folder's own files hold.
fn of_folder(folder: &Path) -> DocumentsRead {
    merged(read_files(&find(folder, &|_, _| false).files))
}

/// What was read of paths that a person named.
fn of_paths(paths: &[PathBuf], stdin: &mut dyn std::io::Read) -> DocumentsRead {
    merged(read_paths(paths, stdin).into_iter().map(|(_, reading)| reading).collect())
}

fn merged(readings: Vec<DocumentsRead>) -> DocumentsRead {
    let mut all = DocumentsRead::default();
    readings.into_iter().for_each(|reading| all.extend(reading));
    all
}
