//! Posts a report on the pull request that a pipeline runs for. Where it may not, the report is in the job's output.

use super::run::{CiRun, CiSystem, ForgeAccess, MergeRequest};
use crate::cli::output::Output;
use crate::forge::{CheckRun, ForgeError, GitHub, GitLab, Posted};
use crate::render::Annotation;

/// What is posted.
pub(super) struct Post<'a> {
    /// The line that the comment begins with.
    pub marker: &'a str,
    pub comment: &'a str,
    pub annotations: &'a [Annotation],
    /// Whether the change may be merged.
    pub passes: bool,
    /// Why, in a few words.
    pub title: &'a str,
}

impl Post<'_> {
    /// Posts it, and says what became of it. It decides nothing: a token without rights changes no exit code.
    pub(super) fn send(&self, run: &CiRun, output: &mut Output) {
        let (Some(system), Some(request)) = (run.system, &run.request) else { return };
        let Some(access) = &run.access else {
            output.note(&format!(
                "No comment is written: {}. The report is in the output of the job. For a comment, {}.",
                run.no_access(),
                run.token_help()
            ));
            return;
        };
        let posted = match system {
            CiSystem::GitHub => self.to_github(access, request, output),
            CiSystem::GitLab => self.to_gitlab(access, request),
        };
        match posted {
            Ok(Some(Posted::Created)) => output.note("The comment is written."),
            Ok(Some(Posted::Updated)) => output.note("The comment is up to date."),
            Ok(Some(Posted::Unchanged)) => {}
            Ok(None) => output.note(
                "No comment is written: the pull request has newer commits by now, and their run comments. The report is \
                 in the output of the job.",
            ),
            Err(error) => {
                output.note(&format!("No comment is written: {error}. The report is in the output of the job."));
            }
        }
    }

    /// Comments, unless there are newer commits: the report is of one that is not the last any more.
    fn to_github(
        &self,
        access: &ForgeAccess,
        request: &MergeRequest,
        output: &mut Output,
    ) -> Result<Option<Posted>, ForgeError> {
        let repository = GitHub::new(&access.api, &access.repository, &access.token)?;
        if request.head.is_some() && request.head != Some(repository.head_of(request.number)?) {
            return Ok(None);
        }
        let posted = repository.comment(request.number, self.marker, self.comment);
        if let Some(commit) = &request.head {
            let conclusion = if self.passes { "success" } else { "failure" };
            let annotations = self.annotations.iter().map(Annotation::check_run).collect();
            let (title, summary) = (self.title, self.comment);
            let check = CheckRun { name: "stablekey", commit, conclusion, title, summary, annotations };
            // A person's token may not write checks; the annotations are in the output of the job as well.
            if let Err(error) = repository.check_run(&check) {
                output.note(&format!("No check is written: {error}."));
            }
        }
        posted.map(Some)
    }

    fn to_gitlab(&self, access: &ForgeAccess, request: &MergeRequest) -> Result<Option<Posted>, ForgeError> {
        let project = GitLab::new(&access.api, &access.repository, &access.token)?;
        if request.head.is_some() && request.head != Some(project.head_of(request.number)?) {
            return Ok(None);
        }
        project.comment(request.number, self.marker, self.comment).map(Some)
    }
}
