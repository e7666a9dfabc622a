//! Why an edit cannot be made.

use crate::io_error::{self, Words};
use crate::manifest::EditError;
use crate::near_miss::{near_misses, near_or_all};
use std::path::{Path, PathBuf};

/// Why an edit cannot be made. Nothing was written, except where the text says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthorError {
    /// A name that does not exist.
    #[error("there is no {what} {name}")]
    Unknown {
        /// What was named: `tenant`, `connection`.
        what: String,
        /// The name.
        name: String,
        /// The nearest names, or all of a few.
        help: String,
        /// The nearest names.
        near: Vec<String>,
    },
    /// What would be edited was not read, or is invalid.
    #[error("{what} cannot be read: {why}")]
    Unreadable {
        /// The tenant or object.
        what: String,
        /// The reason.
        why: String,
    },
    /// A rule of the edit forbids it.
    #[error("{message}")]
    Refused {
        /// The reason.
        message: String,
        /// What to do next.
        help: String,
    },
    /// A change of what a sync brings, without the reason that an override needs.
    #[error("{message}")]
    NoReason {
        /// Which sync brings what.
        message: String,
        /// What to do next.
        help: String,
        /// The tenant that it comes from, where it is changed for all.
        from: Option<String>,
    },
    /// A tenant that is suspended.
    #[error("{tenant} is suspended: {why}")]
    Suspended {
        /// The tenant.
        tenant: String,
        /// What is not done there.
        why: String,
        /// What to do next.
        help: String,
    },
    /// A document that cannot be edited automatically.
    #[error("{file}:{line}: {why}")]
    Edit {
        /// The file, as shown to people.
        file: String,
        /// The line, from 1.
        line: u32,
        /// The reason.
        why: EditError,
    },
    /// A new file would replace another one.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// Somebody changed a file since it was read.
    #[error("{} changed while this ran: nothing was written", .0.display())]
    Changed(PathBuf),
    /// Another command writes the same files.
    #[error("another command writes in {}: nothing was written", .0.display())]
    Busy(PathBuf),
    /// A file cannot be written.
    #[error("{} cannot be written: {why}; {written}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
        /// What to do about it.
        help: String,
        /// What was written before.
        written: String,
    },
}

impl AuthorError {
    /// An unknown name, with the nearest ones.
    pub fn unknown<'a>(what: &str, name: &str, there: impl IntoIterator<Item = &'a str>) -> Self {
        let there: Vec<&str> = there.into_iter().collect();
        let help = match there.as_slice() {
            [] => format!("there is no {} at all", what.trim_end_matches(':')),
            there => near_or_all(name, there.iter().copied()),
        };
        let near = near_misses(name, there).into_iter().map(str::to_string).collect();
        AuthorError::Unknown { what: what.to_string(), name: name.to_string(), help, near }
    }

    /// A rule that forbids the edit.
    pub fn refused(message: impl Into<String>, help: impl Into<String>) -> Self {
        AuthorError::Refused { message: message.into(), help: help.into() }
    }

    /// A file that could not be written. `written` says what was written before it.
    pub(super) fn write(path: &Path, error: &std::io::Error, written: &str) -> Self {
        let Words { why, help } = io_error::writing(path, error);
        AuthorError::Write { path: path.to_path_buf(), why, help, written: written.to_string() }
    }

    /// What to do next.
    pub fn help(&self) -> String {
        match self {
            AuthorError::Unknown { help, .. }
            | AuthorError::Refused { help, .. }
            | AuthorError::NoReason { help, .. }
            | AuthorError::Suspended { help, .. }
            | AuthorError::Write { help, .. } => help.clone(),
            AuthorError::Unreadable { .. } => "fix that first: stablekey validate shows each line".to_string(),
            AuthorError::Edit { .. } => "nothing was written; change that line yourself".to_string(),
            AuthorError::Exists(_) => "move it, or change it instead".to_string(),
            AuthorError::Changed(_) => "run the command again".to_string(),
            AuthorError::Busy(_) => "wait until it is done, then run the command again".to_string(),
        }
    }
}
