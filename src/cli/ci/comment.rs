//! `stablekey ci comment`.

use super::run::{CiRun, CiSystem, ForgeAccess, TriggeringRun};
use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::cli::options::RootArgument;
use crate::cli::output::Output;
use crate::forge::{ForgeError, GitHub, GitLab, Posted};
use crate::render::{ChangeReport, LARGEST_REPORT, UnplannedChange};
use crate::tenant::directory::disk;
use clap::Args;
use std::path::PathBuf;

/// Comment a report that a run without rights left
///
/// A fork's pull request is planned by a run that may not comment; this run, of the base branch, may. The report may be
/// anybody's: only its form is trusted. It is bounded, every text of it is escaped, and it asks for no approval. The pull
/// request is the one of that run's repository whose last commit it was of, never one that the report names.
///
/// Examples:
///   stablekey ci comment --report stablekey-report/report.json
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CiComment {
    #[command(flatten)]
    root: RootArgument,
    /// The file report.json that `ci plan --report` wrote
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
}

impl CiComment {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let path = &self.report;
        let run = CiRun::of_environment();
        let marker = match ProjectRepository::around(self.root.root()) {
            Ok(repository) => repository.marker(),
            Err(_) => ProjectRepository::marker_of(self.root.root()),
        };
        // Where there is no report that can be used, an earlier one would be taken for that of this commit.
        let without = |what: &str, help: &str| UnplannedChange::new(what, help, Vec::new()).markdown(&marker, true);
        let (text, problem) = match self.text(&marker) {
            Ok(Some(text)) => (text, None),
            Ok(None) => {
                let message = format!("there is no file {}: the comment says so", path.display());
                let problem = CommandFailure::new(message, "see that the artifact of the other run was fetched");
                (without("the run for it left no report", "see its log: it ended before it could plan"), Some(problem))
            }
            Err(failure) => {
                let problem =
                    CommandFailure { message: format!("{}; the comment says so", failure.message), ..failure };
                (without("the report of the run for it cannot be read", "see its log, and its version"), Some(problem))
            }
        };
        let Some(system) = run.system else {
            let help = "run it in a pipeline of GitHub or GitLab";
            return Err(CommandFailure::new("it is not known where to comment", help));
        };
        let Some(access) = &run.access else {
            return Err(CommandFailure::new(format!("no comment is written: {}", run.no_access()), run.token_help()));
        };
        let posted = match system {
            CiSystem::GitHub => on_github(access, &run, &marker, &text),
            CiSystem::GitLab => on_gitlab(access, &run, &marker, &text),
        };
        match posted? {
            Posted::Created => output.note("The comment is written."),
            Posted::Updated | Posted::Unchanged => output.note("The comment is up to date."),
        }
        match problem {
            Some(problem) => Err(problem),
            None => Ok(0),
        }
    }

    /// The comment for the report; `None` if there is none.
    fn text(&self, marker: &str) -> Result<Option<String>, CommandFailure> {
        let path = &self.report;
        let bytes = disk::read(path, LARGEST_REPORT).map_err(|error| CommandFailure::reading(path, &error))?;
        let Some(bytes) = bytes else { return Ok(None) };
        if let Some(unplanned) = UnplannedChange::parse(&bytes) {
            return Ok(Some(unplanned.markdown(marker, false)));
        }
        let report = ChangeReport::parse(&bytes).map_err(|error| {
            let help = "it must be what stablekey ci plan wrote, of the same version";
            CommandFailure::new(format!("{}: {error}", path.display()), help)
        })?;
        Ok(Some(report.markdown(marker, "stablekey ci plan", false)))
    }
}

fn failed(error: ForgeError) -> CommandFailure {
    CommandFailure::new(format!("no comment is written: {error}"), "give the job a token that may write comments")
}

fn on_github(access: &ForgeAccess, run: &CiRun, marker: &str, text: &str) -> Result<Posted, CommandFailure> {
    let repository = GitHub::new(&access.api, &access.repository, &access.token).map_err(failed)?;
    let number = match (&run.request, &run.triggered_by) {
        (Some(request), _) => request.number,
        (None, Some(TriggeringRun { repository: None, .. })) => {
            let help = "its pull request cannot be found: open it again from a repository that is there";
            return Err(CommandFailure::new("the repository of the other run is gone", help));
        }
        (None, Some(TriggeringRun { commit, repository: Some(from) })) => {
            let all = repository.pull_requests_of(commit, from).map_err(failed)?;
            let [number] = all.as_slice() else {
                let message = format!(
                    "{} open pull requests of {from} have the commit of the other run as their last",
                    all.len()
                );
                return Err(CommandFailure::new(message, "it has newer commits meanwhile: the run of these comments"));
            };
            *number
        }
        (None, None) => {
            let help = "run it on workflow_run, after the workflow that plans";
            return Err(CommandFailure::new("it is not known which pull request it is", help));
        }
    };
    repository.comment(number, marker, text).map_err(failed)
}

fn on_gitlab(access: &ForgeAccess, run: &CiRun, marker: &str, text: &str) -> Result<Posted, CommandFailure> {
    let Some(request) = &run.request else {
        let help = "run it in a pipeline of a merge request";
        return Err(CommandFailure::new("it is not known which merge request it is", help));
    };
    let project = GitLab::new(&access.api, &access.repository, &access.token).map_err(failed)?;
    project.comment(request.number, marker, text).map_err(failed)
}
