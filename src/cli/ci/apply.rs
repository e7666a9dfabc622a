//! `stablekey ci apply`.

use super::run::CiRun;
use crate::cli::CommandFailure;
use crate::cli::apply::{Apply, CarriedOut, known_digests};
use crate::cli::commits::ProjectRepository;
use crate::cli::options::{FormatOption, Narrowing, RootArgument, digest};
use crate::cli::output::Output;
use crate::engine::model::plan::{Action, Plan};
use crate::git::command::{GitOutput, run as git};
use crate::git::{Commit, Repository};
use crate::project::planned;
use crate::render::trailer;
use clap::Args;
use std::collections::BTreeSet;
use std::path::Path;

/// Apply after a merge: what needs no approval, and what was approved
///
/// An approval is a line at the end of the merge commit's message, "Stablekey-Approve: sha256:…", or --approve, as the
/// input of a protected environment gives it; never a file or a comment that the pull request's run made. Where what is
/// live changed since, the approval is void: the rest is done, and the digest to approve is printed. If the branch has
/// moved on meanwhile, nothing is written: the run of the newer commit does it. Exit codes: 0 all that is allowed was done
/// and read back; 2 something waits for an approval or for an earlier stage; else 1.
///
/// Examples:
///   stablekey ci apply
///   stablekey ci apply --approve sha256:4f2a9c01be77
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CiApply {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    /// Apply the actions with this digest of a writer too (repeatable, or comma-separated)
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', value_parser = digest)]
    approve: Vec<String>,
    /// The branch on the remote that must still be at the commit that is applied; by default that of the pipeline
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
}

impl CiApply {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let repository = ProjectRepository::around(self.root.root())?;
        let head = repository.repository().commit("HEAD")?;
        let branch = self.branch.clone().or_else(|| CiRun::of_environment().branch);
        if let Some(newer) = newer(repository.repository(), self.root.root(), &head, branch.as_deref())? {
            output.note(&format!("{newer}: nothing is written; the run of the newer commit applies both"));
            return Ok(0);
        }
        let mut approved: BTreeSet<String> = self.approve.iter().cloned().collect();
        approved.extend(approvals_in(repository.repository(), &head, output)?);
        let project = self.root.open()?;
        let scope = self.narrowing.scope();
        let now = planned::plan(&project, &scope).plan;
        let digests = known_digests(&now);
        let (valid, void): (Vec<String>, Vec<String>) = approved
            .into_iter()
            .partition(|approved| digests.iter().any(|digest| digest.starts_with(approved.as_str())));
        for void in &void {
            output.note(&format!(
                "the approval {void} is void: what it approved is done, or is no longer what would be done"
            ));
        }
        let apply = Apply::without_questions(self.root, self.narrowing, self.format).approving(valid);
        let done = apply.carry_out_whole(project, scope, None, output)?;
        Ok(finish(&done, output))
    }
}

/// The exit code, and what a person has to do.
fn finish(done: &CarriedOut, output: &mut Output) -> u8 {
    let Some(left) = done.left.as_ref().filter(|_| !done.has_failed) else { return 1 };
    let waiting = waiting(left);
    if !waiting.is_empty() {
        let lines: Vec<String> = waiting
            .iter()
            .map(|(tenant, writer, digest)| {
                format!("  {tenant}, by {writer}:\n    stablekey ci apply --approve {digest}\n    {}", trailer(digest))
            })
            .collect();
        output.note(&format!(
            "Waits for approval, by the command or by the line in a merge commit's message:\n{}",
            lines.join("\n")
        ));
    }
    match left.exit {
        1 => 1,
        _ if !waiting.is_empty() || left.awaits_stage() => 2,
        _ if !left.writes_nothing() => 1,
        _ => 0,
    }
}

/// The digests with actions that need approval: tenant, writer, digest.
fn waiting(plan: &Plan) -> Vec<(&str, &str, String)> {
    let of = plan.targets.iter().filter(|target| !target.suspended).flat_map(|target| {
        let needs = |writer: &str| {
            let is = |action: &&Action| {
                !action.needs_approval.is_empty() && action.writers.iter().any(|other| other.to_string() == writer)
            };
            target.actions.iter().any(|action| is(&action))
        };
        let digests = target.digests.iter().filter(move |(writer, _)| needs(writer));
        digests.map(|(writer, digest)| (target.tenant.as_str(), writer.as_str(), digest.to_string()))
    });
    of.collect()
}

/// The approvals in the message of a merge commit. In any other commit they are its author's own.
fn approvals_in(repository: &Repository, head: &Commit, output: &mut Output) -> Result<Vec<String>, CommandFailure> {
    let message = repository.message(head)?;
    let found: Vec<String> = trailers(&message).filter_map(|found| digest(found).ok()).collect();
    let (_, parents) = repository.parents(head)?;
    if parents < 2 && !found.is_empty() {
        output.note(
            "the line Stablekey-Approve in the last commit is not used: it approves only in a merge commit, whose message \
             is written by whoever merges; give --approve in a protected environment instead",
        );
        return Ok(Vec::new());
    }
    Ok(found)
}

/// The values of the trailers in the last paragraph of a message.
fn trailers(message: &str) -> impl Iterator<Item = &str> {
    let last = message.trim_end().rsplit("\n\n").next().unwrap_or_default();
    // A message that is only a subject has no trailers.
    let is_subject = message.trim_end().len() == last.len();
    let lines = last.lines().filter(move |_| !is_subject);
    lines.filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("Stablekey-Approve").then(|| value.trim())
    })
}

/// Why the commit is not the newest of the branch on the remote, if it is not: a later run must not be undone.
fn newer(
    repository: &Repository,
    root: &Path,
    head: &Commit,
    branch: Option<&str>,
) -> Result<Option<String>, CommandFailure> {
    let Some(branch) = branch else { return Ok(None) };
    let folder = repository.work_tree().unwrap_or(root);
    let run = |arguments: &[&str]| git(folder, arguments, None, &[]);
    let failed = |why: String| {
        let help = "whether a newer commit is there decides what may be written: see that git reaches the remote";
        CommandFailure::new(format!("the branch {branch} of the remote cannot be looked at: {why}"), help)
    };
    let remotes = run(&["remote"]).and_then(GitOutput::of_success).map_err(failed)?;
    if remotes.is_empty() {
        return Ok(None);
    }
    let name = format!("refs/heads/{branch}");
    let listed = run(&["ls-remote", "origin", &name]).and_then(GitOutput::of_success).map_err(failed)?;
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let tip = listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, found)| *found == name);
    let Some((tip, _)) = tip else {
        return Err(failed("it is not there any more".to_string()));
    };
    if tip == head.to_string() {
        return Ok(None);
    }
    Ok(Some(format!("{branch} is at {} by now, and this is {}", tip.get(..10).unwrap_or(tip), head.short())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_paragraph_has_trailers() {
        let of = |message: &str| trailers(message).map(str::to_string).collect::<Vec<_>>();
        assert_eq!(
            of("Merge\n\nStablekey-Approve: sha256:aa\nSigned-off-by: x\nstablekey-approve:sha256:bb\n"),
            ["sha256:aa", "sha256:bb"]
        );
        assert_eq!(of("Merge\n\nStablekey-Approve: sha256:aa\n\nMore text.\n"), [] as [&str; 0]);
        assert_eq!(of("Stablekey-Approve: sha256:aa"), [] as [&str; 0]);
        assert_eq!(of(""), [] as [&str; 0]);
    }
}
