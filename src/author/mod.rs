//! Typed edits of a project's files. An edit takes a project and gives the changes of files, their diff, and what the
//! plan says before and after. Commands and pages are thin over it; nothing here decides what the engine decides.
//!
//! An edit is a function that fills a [`Draft`]; [`Draft::finish`] makes it an [`Edited`], which is shown, and written by
//! [`Edited::write`]: all of its files or, where that fails, as many as the message names. To add an edit: a file here
//! that fills a draft.

mod again;
mod brought;
mod catalog;
mod command;
pub mod component;
pub mod connection;
mod consequences;
pub mod customer;
pub mod designer;
mod diff;
mod draft;
mod edited;
mod editor_settings;
mod error;
mod file_change;
pub mod forget;
mod home;
pub mod keep;
mod keys;
mod left_out;
mod named_field;
pub mod new_override;
pub mod overrides;
mod own_values;
mod pause;
pub mod project;
mod project_secrets;
pub mod promote;
mod public_diff;
pub mod question;
mod records;
pub mod rename_key;
mod secret_steps;
pub mod set;
mod structure;
pub mod suspend;
pub mod sync;
pub mod tenant;
mod unknown;
mod values;
mod write;

pub use brought::is_known;
pub use command::goes_on;
pub use consequences::Consequences;
pub use draft::Draft;
pub use edited::Edited;
pub use error::AuthorError;
pub use file_change::FileChange;
pub use home::{Home, home, tenant, tenants};
pub use named_field::named_field;
pub use pause::Pause;
pub use public_diff::{DiffLine, PublicDiff};
pub use values::{Values, secret_ref};
