//! The command line: a file a subcommand.

pub mod export;
pub mod import;
