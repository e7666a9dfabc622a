//! What all commands that edit files share: the options, the diff, the question, the write.

use super::CommandFailure;
use super::options::{RootOption, SourceOption};
use super::output::{Output, OutputFormat};
use super::prompt::Prompts;
use crate::author::{AuthorError, Draft, Edited};
use crate::project::Project;
use crate::render::{self, Invocation, JsonLayout};
use crate::tenant::directory::disk::RealDisk;
use crate::text::{count, one_or_lines};
use clap::Args;

/// The options of a command that edits files.
#[derive(Debug, Args)]
pub(super) struct EditOptions {
    #[command(flatten)]
    pub root: RootOption,
    #[command(flatten)]
    pub sources: SourceOption,
    /// Write without a question
    #[arg(long, short)]
    pub yes: bool,
    /// Show the diff and what the plan would say, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Write even if the plan becomes worse
    #[arg(long)]
    pub force: bool,
    /// The format of the result: text or json
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub output: OutputFormat,
}

impl From<AuthorError> for CommandFailure {
    fn from(error: AuthorError) -> Self {
        CommandFailure::new(error.to_string(), error.help())
    }
}

/// The message of an edit that makes the plan worse.
pub(super) fn becomes_worse(reasons: &[String], so: &str) -> String {
    match reasons {
        [one] => format!("the plan becomes worse: {one}; {so}"),
        several => format!("the plan becomes worse, and {so}: {}", one_or_lines(several, "reasons")),
    }
}

impl EditOptions {
    /// Reads the project, to edit it.
    pub(super) fn open(&self) -> Result<Project, CommandFailure> {
        self.root.open_for_edits(&self.sources)
    }

    /// Reads a project that may have no Tenant yet, to edit it.
    pub(super) fn open_new(&self) -> Result<Project, CommandFailure> {
        self.root.open_new_for_edits(&self.sources)
    }

    /// Shows the edit, asks, and writes it. Returns the exit code.
    pub(super) fn finish(&self, draft: Draft<'_>, output: &mut Output) -> Result<u8, CommandFailure> {
        self.carry_out(&draft.finish()?, output)
    }

    /// Shows an edit, asks, and writes it. Returns the exit code.
    pub(super) fn carry_out(&self, edited: &Edited, output: &mut Output) -> Result<u8, CommandFailure> {
        let is_json = match self.output {
            OutputFormat::Text => false,
            OutputFormat::Json => true,
            OutputFormat::Markdown => {
                return Err(CommandFailure::new("an edit has no Markdown form", "give -o text or -o json"));
            }
        };
        if edited.files.is_empty() {
            return self.report(edited, false, "Nothing to change: the files say so already.", output);
        }
        if !is_json {
            output.result(&render::edit_text(edited, output.style()))?;
        }
        if self.dry_run {
            return self.report(edited, false, "Nothing was written (--dry-run).", output);
        }
        let worse = &edited.consequences.worse;
        if !worse.is_empty() && !self.force {
            let help = match (&edited.advice, edited.fix_of_worse()) {
                (Some(advice), _) => format!("{advice}; or write it all the same: --force"),
                (None, Some(command)) => format!("write it all the same with --force, or first run:\n{command}"),
                (None, None) => "change what it names; or write it all the same: --force".to_string(),
            };
            self.json_of_unwritten(edited, output)?;
            return Err(CommandFailure::new(becomes_worse(worse, "nothing was written"), help));
        }
        if let Err(failure) = self.is_agreed(edited, is_json, output) {
            self.json_of_unwritten(edited, output)?;
            return Err(failure);
        }
        if let Err(error) = edited.write(&RealDisk) {
            self.json_of_unwritten(edited, output)?;
            return Err(error.into());
        }
        let typed = Invocation { root: self.root.typed(), narrowed: self.sources.arguments(), ..Invocation::default() };
        self.report(edited, true, &render::edit_written(edited, &typed), output)
    }

    /// The questions of a command on a terminal; none with --yes, which never waits for an answer.
    pub(super) fn prompts(&self, output: &Output) -> Option<Prompts> {
        Prompts::open(output).filter(|_| !self.yes)
    }

    /// Asks before something that is in no file is written. Fails unless a person says yes, or gave --yes.
    pub(super) fn consent(&self, question: &str, output: &mut Output) -> Result<(), CommandFailure> {
        self.ask(question, false, output)
    }

    fn ask(&self, question: &str, default: bool, output: &mut Output) -> Result<(), CommandFailure> {
        if self.yes {
            return Ok(());
        }
        let Some(prompts) = Prompts::open(output) else {
            let help = "give --yes to write without a question, or --dry-run to see what would be written";
            return Err(CommandFailure::new("nothing was written: there is no terminal to ask on", help));
        };
        match prompts.confirm(question, "", default)? {
            true => Ok(()),
            false => Err(CommandFailure::new("Aborted. Nothing was changed.", "run it again, and answer with y")),
        }
    }

    /// Asks before the files are written. An edit that makes the plan worse is not written by Enter alone.
    fn is_agreed(&self, edited: &Edited, is_json: bool, output: &mut Output) -> Result<(), CommandFailure> {
        if is_json && !self.yes && output.can_ask() {
            output.show_aside(|style| render::edit_text(edited, style));
        }
        let files = count(edited.files.len(), "file", "files");
        self.ask(&format!("Write {files}?"), edited.consequences.worse.is_empty(), output)
    }

    /// Shows an edit that is not written to who reads JSON: what it is, and what keeps it from being written.
    fn json_of_unwritten(&self, edited: &Edited, output: &mut Output) -> Result<(), CommandFailure> {
        match self.output {
            OutputFormat::Json => self.report(edited, false, "", output).map(drop),
            _ => Ok(()),
        }
    }

    fn report(&self, edited: &Edited, written: bool, line: &str, output: &mut Output) -> Result<u8, CommandFailure> {
        match self.output {
            OutputFormat::Json => {
                let json = render::edit_json(edited, written);
                let text = render::json(&json, JsonLayout::Pretty).map_err(|error| {
                    CommandFailure::new(format!("the edit has no JSON form: {error}"), "internal error: report it")
                })?;
                output.result(&text)?;
            }
            _ => output.result(line)?,
        }
        Ok(0)
    }
}
