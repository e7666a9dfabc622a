//! Side files: which integrations of a folder name which definition file.
//!
//! A definition is written to a free name, or to the file that only this object names. A file is removed only when no
//! object names it.

use super::disk;
use super::read::beside;
use crate::api::{Definition, Kind, Resource};
use crate::engine::model::item::ObjectId;
use crate::manifest::{DocumentsRead, SourcePlace, text_at};
use crate::platform::definition::MAX_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The definition files of a folder.
#[derive(Debug, Default)]
pub(super) struct SideFiles {
    named_by: BTreeMap<PathBuf, BTreeSet<ObjectId>>,
    /// Whether a document that cannot be read may name any of them.
    unknown: bool,
}

/// Maximum number of names that are tried.
const MOST: usize = 10_000;

impl SideFiles {
    /// Collects them from the documents of a folder, including invalid ones and duplicates.
    pub(super) fn of(reading: &DocumentsRead) -> Self {
        let mut files = SideFiles { unknown: !reading.unparsed.is_empty(), ..SideFiles::default() };
        for document in &reading.documents {
            if let Resource::Integration(integration) = &document.resource
                && let Some(Definition::File(file)) = &integration.spec.definition
            {
                files.add(&document.origin, file, integration.name());
            }
        }
        for invalid in reading.invalid.iter().filter(|invalid| invalid.kind == Kind::Integration) {
            if let Some(file) = text_at(&invalid.origin, &["spec", "definition", "file"]) {
                files.add(&invalid.origin, &file, &invalid.name);
            }
        }
        files
    }

    /// Returns the folders of the definition files.
    pub(super) fn folders(&self) -> impl Iterator<Item = PathBuf> {
        self.named_by.keys().filter_map(|file| Some(file.parent()?.to_path_buf()))
    }

    fn add(&mut self, origin: &SourcePlace, file: &str, integration: &str) {
        self.name(&beside(origin, file), &ObjectId::new(Kind::Integration, integration));
    }

    /// Records that an integration names a file.
    pub(super) fn name(&mut self, path: &Path, id: &ObjectId) {
        self.named_by.entry(real(path)).or_default().insert(id.clone());
    }

    /// Records that an integration no longer names a file.
    pub(super) fn forget(&mut self, path: &Path, id: &ObjectId) {
        if let Some(by) = self.named_by.get_mut(&real(path)) {
            by.remove(id);
        }
    }

    /// Whether a file may be written or removed for an integration: only this one names it, and it is not a link.
    pub(super) fn is_only_of(&self, path: &Path, id: &ObjectId) -> bool {
        let is_link = std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink());
        let by = self.named_by.get(&real(path));
        !self.unknown && !is_link && by.is_some_and(|by| by.iter().all(|other| other == id))
    }

    /// Returns a free name for the definition of an integration: of a file that does not exist, or that has these bytes
    /// already and that no object names, as a killed run leaves it.
    pub(super) fn free(&self, folder: &Path, integration: &str, bytes: &[u8]) -> io::Result<(PathBuf, String)> {
        let limit = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
        for number in 1..=MOST {
            let file = match number {
                1 => format!("{integration}.definition"),
                _ => format!("{integration}-{number}.definition"),
            };
            let path = folder.join(&file);
            if self.named_by.get(&real(&path)).is_some_and(|by| !by.is_empty()) {
                continue;
            }
            let is_free = match std::fs::symlink_metadata(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => true,
                Err(error) => return Err(error),
                Ok(metadata) => {
                    metadata.is_file()
                        && metadata.len() == bytes.len() as u64
                        && disk::read(&path, limit)?.is_some_and(|there| there == bytes)
                }
            };
            if is_free {
                return Ok((path, file));
            }
        }
        Err(io::Error::other(format!("every name for the definition of {integration} is taken")))
    }
}

/// Returns the canonical name of a file.
fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}
