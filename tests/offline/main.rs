//! Tests without servers of their own: the engine's rules and laws, the command line on folders, and on tenants of a
//! fake platform.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod authoring;
mod canary;
mod cel;
mod checks;
mod commits;
#[cfg(target_os = "linux")]
mod consent;
mod console;
mod contrast;
mod crds;
mod documentation;
mod edges;
#[cfg(target_os = "linux")]
mod fuzzed;
mod git;
mod import;
mod killed;
mod laws;
mod layers;
mod page;
mod platform;
mod power_cuts;
mod reader;
mod release;
mod rules;
mod scaffold;
#[cfg(target_os = "linux")]
mod terminal;
mod transcripts;
