//! The change of one file.

use crate::manifest::Content;
use std::path::PathBuf;

/// The change of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path, as shown to people.
    pub path: PathBuf,
    /// The content before; `None` if there is no file.
    pub before: Option<Content>,
    /// The content after; `None` if the file is removed.
    pub after: Option<Content>,
}

/// Does not print the content, which may contain secrets.
impl std::fmt::Debug for FileChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FileChange({} {})", self.what(), self.path.display())
    }
}

impl FileChange {
    /// `create`, `update` or `delete`.
    pub fn what(&self) -> &'static str {
        match (&self.before, &self.after) {
            (None, _) => "create",
            (_, Some(_)) => "update",
            (_, None) => "delete",
        }
    }
}
