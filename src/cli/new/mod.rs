//! `stablekey new`: writes new objects.

mod connection;

use super::CommandFailure;
use super::output::Output;
use clap::{Args, Subcommand};

/// Write a new object: a connection
///
/// The YAML, the file that it goes to, and what the plan would say are shown before anything is written.
///
/// Example:
///   stablekey new connection
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, arg_required_else_help = true)]
pub(super) struct New {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Connection(connection::NewConnectionCommand),
}

impl New {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        match self.what {
            What::Connection(command) => command.run(output),
        }
    }
}
