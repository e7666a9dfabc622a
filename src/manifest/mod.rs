//! YAML in and out: documents with their places in files, limits, errors that say what to do, edits
//! in place, exported platform definitions.

pub mod definition;
pub mod import;
pub mod platform;
mod write;

pub use write::{WriteError, to_yaml};
