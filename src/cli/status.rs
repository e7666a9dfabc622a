//! `stablekey status`.

use super::options::{FormatOption, Narrowing, RootArgument};
use super::output::{Format, Output};
use super::{Failure, planning};
use crate::render::{self, Layout};
use clap::Args;

/// Every tenant at a glance: the page one opens in the morning
///
/// Components and their connections, the matrix of stable keys and tenants, what is out of sync, and
/// with --todo what people must do by hand. Exit codes are those of `plan`.
#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    /// Only what people must do by hand, as a checklist
    #[arg(long)]
    todo: bool,
}

impl Status {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, Failure> {
        let project = self.root.open()?;
        let planned = planning::make(&project, &self.narrowing.scope())?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let typed = self.root.invocation(&self.narrowing);
        let status = render::Status::of(&planned.world, &planned.plan);
        if self.todo && self.format.output != Format::Json {
            output.folded(&status.todo_markdown(&typed))?;
            return Ok(planned.plan.exit);
        }
        output.result(&match self.format.output {
            Format::Json => render::json(&status, Layout::Pretty)
                .map_err(|e| Failure::new(e.to_string(), "this is a mistake of ours: report it"))?,
            Format::Markdown => status.markdown(&typed),
            Format::Text => status.text(&typed, output.style()),
        })?;
        Ok(planned.plan.exit)
    }
}
