//! Editors and shells, as people use them: the YAML language server of editors with the schema, and completions in real
//! shells.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod language_server;
mod scripts;
#[cfg(target_os = "linux")]
mod shells;
