//! `stablekey ci promote`.

use super::run::{CiRun, CiSystem};
use crate::author::promote::{PromotionNotes, promote};
use crate::author::{Draft, FileChange};
use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::cli::edit::becomes_worse;
use crate::cli::options::{RootOption, SourceOption};
use crate::cli::output::Output;
use crate::cli::promote::PromotionArguments;
use crate::forge::{ForgeError, GitHub, GitLab, OpenedRequest, Posted};
use crate::git::command::{GitOutput, run as git};
use crate::git::reference::Reference;
use crate::git::work_tree::{BranchError, Pushed, TemporaryWorkTree};
use crate::project::changed::ChangedProject;
use crate::render::{ChangeReport, ChangeRequest, Invocation, ShownChange};
use crate::tenant::directory::disk::RealDisk;
use crate::tenant::directory::lock_file;
use clap::Args;
use std::ffi::OsStr;
use std::path::Path;

/// Open a promotion as a branch and a pull request, with the plan as its text
///
/// Makes the edit of `stablekey promote` on the newest commit of the base branch, in a commit of its own, pushes it as a
/// branch, and opens a pull request or updates the one that is open. Your own work tree and branches stay as they are.
/// Run again, it replaces the branch by what is to be promoted then; a branch with commits of others is left alone.
/// Without a token the branch is pushed, and the text is printed.
///
/// Examples:
///   stablekey ci promote dev prod
///   stablekey ci promote dev prod 'lead-*' --base main
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CiPromote {
    #[command(flatten)]
    promotion: PromotionArguments,
    /// Open it even if the plan becomes worse
    #[arg(long)]
    force: bool,
    /// The branch that it is merged into; by default that of the pipeline, or the current one
    #[arg(long, value_name = "BRANCH")]
    base: Option<String>,
    /// The branch that is pushed; by default stablekey/promote-FROM-TO
    #[arg(long, value_name = "BRANCH")]
    branch: Option<String>,
    #[command(flatten)]
    root: RootOption,
}

/// What a person should know about the edit.
struct Edit {
    notes: Vec<String>,
    /// What a merge approves.
    needs_approval: Vec<String>,
    /// The steps that only people can do.
    steps: Vec<String>,
}

impl From<BranchError> for CommandFailure {
    fn from(error: BranchError) -> Self {
        CommandFailure::new(error.to_string(), error.help())
    }
}

impl CiPromote {
    pub(super) fn run(mut self, output: &mut Output) -> Result<u8, CommandFailure> {
        let run = CiRun::of_environment();
        let repository = ProjectRepository::around(&self.root.root)?;
        let Some(own_tree) = repository.repository().work_tree().map(Path::to_path_buf) else {
            return Err(CommandFailure::new("a bare repository has no project", "run it in a clone"));
        };
        let base = self.base_of(&run, &own_tree)?;
        let branch = self
            .branch
            .clone()
            .unwrap_or_else(|| format!("stablekey/promote-{}-{}", self.promotion.from, self.promotion.to));
        for name in [&base, &branch] {
            let is_right = |error| CommandFailure::new(format!("{name}: {error}"), "give the name of a branch");
            Reference::branch(name).map_err(is_right)?;
        }
        if base == branch {
            return Err(CommandFailure::new(
                format!("{branch} is the base itself"),
                "give another name: --branch NAME",
            ));
        }
        let tree = TemporaryWorkTree::of_branch(&own_tree, &base)?;
        let edit = self.edit(tree.path(), &repository);
        let edit = edit.map_err(|failure| of_remote(failure, &tree, &base))?;
        let Some(Edit { notes, needs_approval, steps }) = edit else {
            output.note(&format!(
                "Nothing to promote: {} has the same already. Only its record would change: stablekey promote writes that.",
                self.promotion.to
            ));
            return Ok(0);
        };
        if let Some(uncommitted) = repository.uncommitted().filter(|_| run.system.is_none()) {
            output.note(&format!("What is promoted is what {base} of the remote has: {uncommitted}."));
        }
        let title = self.title();
        if !tree.commit(&branch, &title)? {
            output.note(&format!("Nothing to promote: {} has it already.", self.promotion.to));
            return Ok(0);
        }
        let commit = match tree.push(&branch)? {
            Pushed::Done(commit) => {
                output.note(&format!("The branch {branch} is pushed."));
                commit
            }
            Pushed::Unchanged(commit) => {
                output.note(&format!("The branch {branch} is up to date."));
                commit
            }
        };
        // The plan is of the two commits, as everybody who looks at the branch has it.
        let repository = ProjectRepository::around(&self.root.root)?;
        let (before, from) = repository.files(tree.base())?;
        let (after, to) = repository.files(&commit)?;
        let (before, after) = self.root.open_both(before, after)?;
        let changed = ChangedProject::of(&before, &after, &Default::default());
        let shown = ShownChange { changed: &changed, from: &from, to: &to };
        let typed = Invocation { root: self.root.typed(), ..Invocation::default() };
        let whole = typed.shown_by(&["ci", "plan"], &[("--base", Some(&base)), ("--head", Some(&branch))]).plan();
        let report = ChangeReport::of(&shown);
        let text = ChangeRequest { report: &report, approvals: &needs_approval, notes: &notes, steps: &steps };
        let text = text.text(&whole);
        let word = run.request_word();
        let Some((system, access)) = run.system.zip(run.access.as_ref()) else {
            let why = if run.system.is_some() { run.no_access() } else { "this is no pipeline".to_string() };
            output.note(&format!("No {word} is opened: {why}. Open it from the branch, with this text:"));
            output.markdown(&text)?;
            return Ok(0);
        };
        let opened = match system {
            CiSystem::GitHub => GitHub::new(&access.api, &access.repository, &access.token)
                .and_then(|repository| repository.request(&branch, &base, &title, &text)),
            CiSystem::GitLab => GitLab::new(&access.api, &access.repository, &access.token)
                .and_then(|project| project.request(&branch, &base, &title, &text)),
        };
        match opened {
            Ok(OpenedRequest { posted, page }) => {
                let page = page.map(|page| format!(" {page}")).unwrap_or_default();
                output.note(&match posted {
                    Posted::Created => format!("The {word} is open.{page}"),
                    Posted::Updated | Posted::Unchanged => format!("The {word} is up to date.{page}"),
                });
            }
            Err(error) => {
                output.markdown(&text)?;
                return Err(not_opened(&error, word));
            }
        }
        Ok(0)
    }

    /// Makes the edit in a work tree; `None` if only the record changes, which nobody can judge.
    fn edit(&mut self, tree: &Path, repository: &ProjectRepository) -> Result<Option<Edit>, CommandFailure> {
        let own = std::mem::replace(&mut self.root.root, tree.join(repository.root_in_it()));
        let project = self.root.open_for_edits(&SourceOption::default());
        self.root.root = own;
        let project = project?;
        let mut draft = Draft::new(&project);
        let PromotionNotes { notes, needs_approval } = promote(&mut draft, &self.promotion.clone().into())?;
        let edited = draft.finish()?;
        let worse = &edited.consequences.worse;
        if !worse.is_empty() && !self.force {
            let message = becomes_worse(worse, "no branch is made");
            return Err(CommandFailure::new(message, "change what it names; or open it all the same: --force"));
        }
        let is_record = |file: &FileChange| {
            [lock_file::NAME, lock_file::ATTRIBUTES].iter().any(|name| file.path.file_name() == Some(OsStr::new(name)))
        };
        if !edited.files.is_empty() && edited.files.iter().all(is_record) {
            return Ok(None);
        }
        edited.write(&RealDisk)?;
        Ok(Some(Edit { notes, needs_approval, steps: edited.manual }))
    }

    fn title(&self) -> String {
        let PromotionArguments { from, to, integrations, .. } = &self.promotion;
        let what = match integrations.as_slice() {
            [] => String::new(),
            names => format!("{} ", names.join(", ")),
        };
        if what.is_empty() { format!("Promote {from} to {to}") } else { format!("Promote {what}from {from} to {to}") }
    }

    fn base_of(&self, run: &CiRun, tree: &Path) -> Result<String, CommandFailure> {
        if let Some(base) = self.base.clone().or_else(|| run.branch.clone()) {
            return Ok(base);
        }
        let current = git(tree, &["symbolic-ref", "--short", "HEAD"], None, &[]).and_then(GitOutput::of_success);
        let current = current.map_err(|_| {
            CommandFailure::new("it is not known what it is merged into", "give the branch: --base main")
        })?;
        Ok(String::from_utf8_lossy(&current).trim().to_string())
    }
}

/// The failure of an edit, which names what was read: the remote's branch, in a work tree that nobody knows.
fn of_remote(mut failure: CommandFailure, tree: &TemporaryWorkTree, base: &str) -> CommandFailure {
    let path = tree.path().display().to_string();
    let plain = |text: &str| text.replace(&format!("{path}/"), "").replace(&path, ".");
    let commit = tree.base().get(..10).unwrap_or(tree.base());
    failure.message = format!("{base} at {commit}, as the remote has it: {}", plain(&failure.message));
    failure.help = plain(&failure.help);
    failure.problems.iter_mut().for_each(|problem| problem.file = plain(&problem.file));
    failure
}

fn not_opened(error: &ForgeError, word: &str) -> CommandFailure {
    let help = format!("open it from the branch, with the text above; or give the job a token that may open {word}s");
    CommandFailure::new(format!("no {word} is opened: {error}"), help)
}
