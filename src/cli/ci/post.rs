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
    /// The exit code of the gate.
    pub exit: u8,
}

impl Post<'_> {
    /// Posts it, and says what became of it. It decides nothing: a token without rights changes no exit code.
    pub(super) fn send(&self, run: &CiRun, output: &mut Output) {
        let (Some(system), Some(request)) = (run.system, &run.request) else { return };
        let Some(access) = &run.access else {
            output.note("No comment is written: there is no token. The report is in the output of the job.");
            return;
        };
        let posted = match system {
            CiSystem::GitHub => self.to_github(access, request, output),
            CiSystem::GitLab => GitLab::new(&access.api, &access.repository, &access.token)
                .and_then(|project| project.comment(request.number, self.marker, self.comment)),
        };
        match posted {
            Ok(Posted::Created) => output.note("The comment is written."),
            Ok(Posted::Updated) => output.note("The comment is up to date."),
            Ok(Posted::Unchanged) => {}
            Err(error) => {
                output.note(&format!("No comment is written: {error}. The report is in the output of the job."));
            }
        }
    }

    fn to_github(
        &self,
        access: &ForgeAccess,
        request: &MergeRequest,
        output: &mut Output,
    ) -> Result<Posted, ForgeError> {
        let repository = GitHub::new(&access.api, &access.repository, &access.token)?;
        let posted = repository.comment(request.number, self.marker, self.comment)?;
        if let Some(commit) = &request.head {
            let (conclusion, title) = match self.exit {
                0 => ("success", "The change can be merged"),
                1 => ("failure", "The change adds an error"),
                _ => ("failure", "The change adds something unresolved"),
            };
            let annotations = self.annotations.iter().map(Annotation::check_run).collect();
            let check = CheckRun { name: "stablekey", commit, conclusion, title, summary: self.comment, annotations };
            // A person's token may not write checks; the annotations are in the output of the job as well.
            if let Err(error) = repository.check_run(&check) {
                output.note(&format!("No check is written: {error}."));
            }
        }
        Ok(posted)
    }
}
