//! `stablekey ci apply`.

use super::approvals::MessageApprovals;
use super::checkout;
use super::newest::{Newest, RemoteBranch};
use super::run::{CiRun, CiSystem};
use super::written::{Kept, WrittenFiles};
use crate::cli::CommandFailure;
use crate::cli::apply::{Apply, CarriedOut, exit_of_pipeline, known_digests};
use crate::cli::commits::ProjectRepository;
use crate::cli::options::{FormatOption, Narrowing, RootArgument, consent};
use crate::cli::output::{Output, OutputFormat};
use crate::cli::{plan, planning};
use crate::engine::model::plan::Plan;
use crate::project::planned;
use crate::render::{Invocation, trailer};
use crate::text::count;
use clap::Args;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Apply after a merge: what needs no approval, and what was approved
///
/// An approval is a line at the end of the merge commit's message, "Stablekey-Approve: sha256:…", or --approve, as the
/// input of a protected environment gives it; never a file or a comment that the pull request's run made. The commit must
/// have two parents, and the first must be what the branch was before the push, where the event says that. Where what is
/// live changed since, the approval is void: the rest is done, and the digest to approve is printed.
///
/// It writes only if the checkout has what its commit has, and the commit is the newest of its branch on the remote (of
/// --branch, or the pipeline's; outside of a pipeline without --branch, no remote is asked). If not, it shows what is left
/// to do, and writes nothing. It refuses to run for a pull request or a tag. What it writes to tenants in folders changes the checkout only:
/// with --push it commits these files to the branch, in a commit that starts no pipeline; without, it names them. Exit
/// codes: 0 all that is allowed was done and read back; 2 something waits for an approval or an earlier stage, or is left
/// because the branch has moved on; else 1.
///
/// Examples:
///   stablekey ci apply --push
///   stablekey ci apply --push --approve sha256:4f2a9c01be774f2a9c01be774f2a9c01
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
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', value_parser = consent)]
    approve: Vec<String>,
    /// The branch on the remote that must still be at the commit that is applied; by default that of the pipeline
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    /// Commit what it writes to tenants in folders, and push it to that branch
    #[arg(long)]
    push: bool,
}

impl CiApply {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let run = CiRun::of_environment();
        let name = self.branch(&run)?;
        let repository = ProjectRepository::around(self.root.root())?;
        let head = repository.repository().commit("HEAD")?;
        let folder = repository.repository().work_tree().unwrap_or(self.root.root()).to_path_buf();
        checkout::is_commit(&repository, &self.root, &folder, &head)?;
        let branch = name.map(|name| RemoteBranch { folder: folder.clone(), name, head: head.clone() });
        if self.push && branch.is_none() {
            let help = "give the branch that is applied: --branch main";
            return Err(CommandFailure::new("it is not known which branch to push to", help));
        }
        let newest = match &branch {
            Some(branch) => branch.newest()?,
            None => {
                output.note(
                    "No remote was asked whether a newer commit is there: to be sure, give the branch: --branch NAME",
                );
                Newest::Ours
            }
        };
        let merge = || run.merge_of(&head.to_string());
        let (git, before) = (repository.repository(), run.before.as_deref());
        let approvals = MessageApprovals::of(git, &head, before, run.system.is_some(), merge)?;
        let mut unused = approvals.unused;
        let approved: BTreeSet<String> = self.approve.iter().cloned().chain(approvals.digests).collect();
        let typed = self.root.invocation(&self.narrowing);
        let typed = Invocation { is_apply: true, in_pipeline: true, pushes: self.push, ..typed };
        if let (Newest::Other(tip), Some(branch)) = (newest, &branch) {
            let left = self.show(&typed, output)?;
            unused.iter().for_each(|unused| output.note(unused));
            return Ok(not_newest(branch, &tip, &left, &approved, &typed, output));
        }
        let project = self.root.open()?;
        let scope = self.narrowing.scope();
        let now = planned::plan(&project, &scope).plan;
        let digests = known_digests(&now);
        let (valid, void): (Vec<String>, Vec<String>) = approved
            .iter()
            .cloned()
            .partition(|approved| digests.iter().any(|digest| digest.starts_with(approved.as_str())));
        unused.extend(void.iter().map(|void| {
            format!("the approval {void} is void: what it approved is done, or is no longer what would be done")
        }));
        let written = WrittenFiles::before(&folder, &project)?;
        let is_text = self.format.output == OutputFormat::Text;
        let moved = RefCell::new(None);
        let may_write = || match branch.as_ref().map(RemoteBranch::newest).transpose()? {
            Some(Newest::Other(tip)) => {
                *moved.borrow_mut() = Some(tip);
                Err(CommandFailure::new("the branch has moved on", "nothing was written"))
            }
            Some(Newest::Ours) | None => Ok(()),
        };
        let push = self.push;
        let apply = Apply::of_pipeline(self.root, self.narrowing, self.format, valid);
        let done = apply.carry_out_whole(project, scope, None, &may_write, output);
        // Beside what is left, and not above the plan, where nobody looks for it.
        unused.iter().for_each(|unused| output.note(unused));
        if let (Some(tip), Some(branch)) = (moved.take(), &branch) {
            return Ok(not_newest(branch, &tip, &now, &approved, &typed, output));
        }
        // Also after a failure: what was done stays.
        let kept = match branch.as_ref().filter(|_| push) {
            Some(branch) => written.push(branch, output),
            None => written.say(run.system == Some(CiSystem::GitHub) && is_text, output),
        };
        if let (Err(_), Err(failure)) = (&done, &kept) {
            output.note(&format!("{}; {}", failure.message, failure.help));
        }
        let exit = finish(&done?, &typed, output);
        // What is lost with the checkout is left to do.
        Ok(if kept? == Kept::Moved && exit != 1 { 2 } else { exit })
    }

    /// The branch whose newest commit this must be; `None` outside of a pipeline.
    fn branch(&self, run: &CiRun) -> Result<Option<String>, CommandFailure> {
        if let Some(request) = &run.request {
            let word = run.request_word();
            let message = format!("this run is of {word} {}, which is not merged", request.number);
            return Err(CommandFailure::new(message, "apply on a push to the branch; here, run stablekey ci plan"));
        }
        let help = "run it on a push to the branch, or give the branch: --branch main";
        match (self.branch.as_ref().or(run.branch.as_ref()), &run.tag) {
            (Some(branch), _) => Ok(Some(branch.clone())),
            (None, Some(tag)) => Err(CommandFailure::new(format!("this run is of tag {tag}, and of no branch"), help)),
            (None, None) if run.system.is_some() => {
                Err(CommandFailure::new("it is not known which branch this run is of", help))
            }
            (None, None) => Ok(None),
        }
    }

    /// Shows what would be done, and returns it.
    fn show(&self, typed: &Invocation, output: &mut Output) -> Result<Plan, CommandFailure> {
        let project = self.root.open()?;
        let planned = planning::make(&project, &self.narrowing.scope())?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        output.result(&plan::show(&planned, &[], typed, self.format.output, output.style())?)?;
        Ok(planned.plan)
    }
}

/// Says why nothing was written, and what is left for the run of the newer commit. Returns the exit code.
fn not_newest(
    branch: &RemoteBranch,
    tip: &str,
    left: &Plan,
    approved: &BTreeSet<String>,
    typed: &Invocation,
    output: &mut Output,
) -> u8 {
    let RemoteBranch { name, head, .. } = branch;
    let at = format!("{name} is at {tip} by now, and this is {}: nothing is written", head.short());
    let exit = exit_of_pipeline(left);
    if exit == 0 {
        output.note(&format!("{at}, and nothing is left to do"));
        return 0;
    }
    let actions = count(left.actions().count(), "action is", "actions are");
    let mut text =
        format!("{at}. {actions} left, as the files of this commit have it: see that a run of {tip} applies it");
    let digests = known_digests(left);
    let unused: Vec<String> = approved
        .iter()
        .filter(|approved| digests.iter().any(|digest| digest.starts_with(approved.as_str())))
        .map(|approved| format!("\n  {}", typed.approve(approved, false)))
        .collect();
    if !unused.is_empty() {
        text.push_str(&format!(
            ". Approvals were not used; give them to that run, if it still asks for them:{}",
            unused.concat()
        ));
    }
    output.note(&text);
    if exit == 1 && left.exit == 1 { 1 } else { 2 }
}

/// The exit code, and what a person has to do.
fn finish(done: &CarriedOut, typed: &Invocation, output: &mut Output) -> u8 {
    let Some(left) = done.left.as_ref().filter(|_| !done.has_failed) else { return 1 };
    let waiting = waiting(left);
    if !waiting.is_empty() {
        let lines: Vec<String> = waiting
            .iter()
            .map(|(tenant, writer, digest)| {
                let command = typed.approve(digest, false);
                format!("  {tenant}, by {writer}:\n    {command}\n    {}", trailer(digest))
            })
            .collect();
        output.note(&format!(
            "Waits for approval, by the command or by the line in a merge commit's message:\n{}",
            lines.join("\n")
        ));
    }
    exit_of_pipeline(left)
}

/// The digests with actions that need approval: tenant, writer, digest.
fn waiting(plan: &Plan) -> Vec<(&str, &str, String)> {
    let mut waiting = Vec::new();
    for target in plan.targets.iter().filter(|target| !target.suspended) {
        let of = target.approvals().map(|(writer, digest)| (target.tenant.as_str(), writer, digest.to_string()));
        waiting.extend(of);
    }
    waiting
}
