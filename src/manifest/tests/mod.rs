//! Tests of what is read, what is rejected, and the messages.

mod hostile;
mod mistakes;
mod reading;
mod secrecy;

use crate::file_tree::FileTree;
use crate::manifest::{DocumentsRead, find, read_files, read_paths};
use std::path::{Path, PathBuf};

/// Reads the files of a folder.
fn of_folder(folder: &Path) -> DocumentsRead {
    let disk = FileTree::default();
    merged(read_files(&disk, &find(&disk, folder, &|_, _| false).files))
}

/// Reads paths that a person named.
fn of_paths(paths: &[PathBuf], stdin: &mut dyn std::io::Read) -> DocumentsRead {
    merged(read_paths(paths, stdin).into_iter().map(|(_, reading)| reading).collect())
}

fn merged(readings: Vec<DocumentsRead>) -> DocumentsRead {
    let mut all = DocumentsRead::default();
    readings.into_iter().for_each(|reading| all.extend(reading));
    all
}
