//! Typed edits of a project's files. An edit takes a project and gives the changes of files, their diff, and what the
//! plan says before and after. Commands and pages are thin over it; nothing here decides what the engine decides.
//!
//! An edit is a function that fills a [`Draft`]; [`Draft::finish`] makes it an [`Edited`], which is shown, and written by
//! [`Edited::write`]: all of its files or, where that fails, as many as the message names. To add an edit: a file here
//! that fills a draft.

mod diff;
mod draft;
mod edited;
mod error;
mod home;
pub mod keep;
pub mod overrides;
mod records;
pub mod set;
mod values;
mod write;

pub use draft::Draft;
pub use edited::{Edited, FileChange};
pub use error::AuthorError;
pub use home::{Home, home, tenant};
pub use values::Values;
