//! Edge cases of the command line on folders: which files are read, which rules apply, what is reported.

mod definitions;
mod edits;
pub mod files;
mod kustomization;
mod links;
mod names;
mod secrets;
mod side_files;
mod structure;
mod unread;
