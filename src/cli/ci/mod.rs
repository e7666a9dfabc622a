//! `stablekey ci`: what a pipeline runs for a change, and after it is merged.

mod apply;
mod approvals;
mod checkout;
mod comment;
mod live_files;
mod newest;
mod plan;
mod post;
mod promote;
mod run;
mod written;

pub(super) use run::CiRun;

use super::CommandFailure;
use super::output::Output;
use clap::{Args, Subcommand};

/// What a pipeline runs: plan a change, apply it after the merge, open a promotion
///
/// The commands find out from the environment of GitHub Actions and GitLab CI what they run for; elsewhere, give --base.
///
/// Examples:
///   stablekey ci plan
///   stablekey ci plan --base main
///   stablekey ci apply
///   stablekey ci promote dev prod
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Ci {
    #[command(subcommand)]
    command: CiCommand,
}

#[derive(Debug, Subcommand)]
enum CiCommand {
    Plan(plan::CiPlan),
    Apply(apply::CiApply),
    Comment(comment::CiComment),
    Promote(promote::CiPromote),
}

impl Ci {
    pub(crate) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        match self.command {
            CiCommand::Plan(command) => command.run(output),
            CiCommand::Apply(command) => command.run(output),
            CiCommand::Comment(command) => command.run(output),
            CiCommand::Promote(command) => command.run(output),
        }
    }
}
