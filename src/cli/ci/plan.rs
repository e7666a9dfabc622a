//! `stablekey ci plan`.

use super::post::Post;
use super::run::{CiRun, CiSystem, MergeRequest};
use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::cli::options::{Narrowing, RootArgument};
use crate::cli::output::Output;
use crate::cli::planning;
use crate::cli::stored::SnapshotOptions;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::plan::Note;
use crate::file_tree::FileTree;
use crate::git::command::{Merge, merge};
use crate::git::{Commit, Repository};
use crate::manifest::FileProblem;
use crate::project::changed::ChangedProject;
use crate::project::{Project, at};
use crate::render::{
    Annotation, ChangeReport, Invocation, Level, ShownChange, UnplannedChange, code_quality, quoted, trailer,
};
use crate::tenant::directory::disk::{RealDisk, write_named};
use crate::text::line;
use clap::Args;
use std::path::{Path, PathBuf};

/// Plan a change: what it does in every tenant if it is merged, gated by what it adds
///
/// Plans the merge result: in a pull request of GitHub the merge commit that the job checked out, elsewhere what `git
/// merge-tree` makes of --base and --head. What the base has already is listed apart and gates nothing. Exit codes: 1 the
/// change adds an error, or cannot be merged or planned; 3 it adds something unresolved, or a tenant that it concerns,
/// or something that differs, cannot be read after it; else 0.
///
/// On the pull request it keeps one comment up to date, where GITHUB_TOKEN, or STABLEKEY_GITLAB_TOKEN with the scope api,
/// may write it; without a token the report is in the job's output, and the exit code is the same. A change that cannot be
/// planned gets a comment too: why. Files of --report: report.json, comment.md, plan.json, and
/// gl-code-quality-report.json for GitLab.
///
/// Examples:
///   stablekey ci plan
///   stablekey ci plan --base main --head HEAD
///   stablekey ci plan --base origin/main --report stablekey-report
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct CiPlan {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    /// The commit that the change is merged into; by default the target branch of the pull request
    #[arg(long, value_name = "COMMIT")]
    base: Option<String>,
    /// The last commit of the change
    #[arg(long, value_name = "COMMIT", default_value = "HEAD")]
    head: String,
    #[command(flatten)]
    stored: SnapshotOptions,
    /// Write the report to this folder too, as an artefact of the job
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
}

/// The files before and after a merge.
struct Merged {
    before: FileTree,
    after: FileTree,
    from: String,
    to: String,
}

/// A change that was planned.
struct PlannedChange {
    changed: ChangedProject,
    /// The project after the merge.
    after: Project,
    from: String,
    to: String,
    repository: ProjectRepository,
}

impl CiPlan {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let run = CiRun::of_environment();
        match self.change(&run) {
            Ok(change) => self.report(&change, &run, output),
            Err(failure) => {
                self.report_unplanned(&failure, &run, output);
                Err(failure)
            }
        }
    }

    /// Plans the change.
    fn change(&self, run: &CiRun) -> Result<PlannedChange, CommandFailure> {
        let root = self.root.root();
        if !root.is_dir() {
            let base = self.base.as_deref().map_or_else(|| root.display().to_string(), str::to_string);
            let help = format!(
                "give the folder of the project; a commit is given by its option:\nstablekey ci plan --base {}",
                quoted(&base)
            );
            return Err(CommandFailure::new(format!("{} is no folder", root.display()), help));
        }
        let repository = ProjectRepository::around(root)?;
        let Merged { before, after, from, to } = self.merged(&repository, run)?;
        let (before, after) = self.root.open_both(before, after, self.stored.read()?.as_ref())?;
        let scope = self.narrowing.scope();
        planning::check_names_of_either(&before, &after, &scope)?;
        let changed = ChangedProject::of(&before, &after, &scope);
        Ok(PlannedChange { changed, after, from, to, repository })
    }

    /// Shows what was planned, and posts it. Returns the exit code.
    fn report(&self, change: &PlannedChange, run: &CiRun, output: &mut Output) -> Result<u8, CommandFailure> {
        let PlannedChange { changed, after, from, to, repository } = change;
        output.problems(&changed.problems);
        output.roles(after.roles.iter().map(String::as_str));
        let shown = ShownChange { changed, from, to };
        let typed = self.typed(run);
        // A job has what its commit has.
        if run.system.is_none() && self.head == "HEAD" {
            repository.uncommitted().iter().for_each(|uncommitted| output.note(uncommitted));
        }
        output.result(&shown.text(&typed, output.style()))?;
        let report = ChangeReport::of(&shown);
        let marker = repository.marker();
        let comment = report.markdown(&marker, &typed.plan(), true);
        let annotations = annotations(changed, after, repository);
        if run.system == Some(CiSystem::GitHub) {
            let lines: Vec<String> = annotations.iter().map(Annotation::github_line).collect();
            output.result(&lines.join("\n"))?;
        }
        let exit = gate(changed);
        let title = match exit {
            0 => "The change can be merged",
            1 => "The change adds an error",
            _ if changed.plans.added.exit == 3 => "The change adds something unresolved",
            _ => "What the change does is not known",
        };
        let (marker, passes) = (&marker, exit == 0);
        Post { marker, comment: &comment, annotations: &annotations, passes, title }.send(run, output);
        let trailers: Vec<String> =
            report.approvals.iter().map(|approval| format!("  {}", trailer(&approval.digest))).collect();
        if !trailers.is_empty() {
            let below = match run.system {
                Some(CiSystem::GitLab) => "a blank line",
                Some(CiSystem::GitHub) | None => {
                    "a blank line (on GitHub below the title of the pull request, which it writes there itself)"
                }
            };
            let how = format!(
                "To approve what needs approval, end the message of the merge commit with this as its last paragraph, below \
                 {below}:"
            );
            output.note(&format!("{how}\n{}", trailers.join("\n")));
        }
        if let Some(path) = &run.summary {
            append(path, &comment)?;
        }
        if let Some(folder) = &self.report {
            let report = serde_json::to_string_pretty(&report).map_err(|error| no_json(&error))?;
            let plan = shown.json().map_err(|error| no_json(&error))?;
            let quality = code_quality(&annotations).map_err(|error| no_json(&error))?;
            write_report(
                folder,
                &[
                    ("report.json", &report),
                    ("comment.md", &comment),
                    ("plan.json", &plan),
                    ("gl-code-quality-report.json", &quality),
                ],
            )?;
        }
        Ok(exit)
    }

    /// Says on the pull request that the change could not be planned: an earlier report would be taken for this one's.
    fn report_unplanned(&self, failure: &CommandFailure, run: &CiRun, output: &mut Output) {
        let root = self.root.root();
        let marker = ProjectRepository::around(root)
            .map_or_else(|_| ProjectRepository::marker_of(root), |repository| repository.marker());
        let problems =
            failure.problems.iter().map(|problem| format!("{}:{}: {}", problem.file, problem.line, problem.message));
        let unplanned = UnplannedChange::new(&failure.message, &failure.help, problems.collect());
        let comment = unplanned.markdown(&marker, true);
        let title = "The change could not be planned";
        Post { marker: &marker, comment: &comment, annotations: &[], passes: false, title }.send(run, output);
        let summary = run.summary.as_deref().map(|path| append(path, &comment));
        let json = unplanned.json().unwrap_or_default();
        let files = [("report.json", json.as_str()), ("comment.md", &comment), ("gl-code-quality-report.json", "[]\n")];
        let report = self.report.as_deref().map(|folder| write_report(folder, &files));
        // The failure itself is the command's: what could not be written is said beside it.
        for failed in [summary, report].into_iter().flatten().filter_map(Result::err) {
            output.note(&failed.message);
        }
    }

    /// The command that shows this plan again.
    fn typed(&self, run: &CiRun) -> Invocation {
        let base = self.base.as_deref().or(run.request.as_ref().map(|request| request.target.as_str()));
        let snapshot = self.stored.snapshot.as_ref().map(|path| path.display().to_string());
        let head = Some(self.head.as_str()).filter(|head| *head != "HEAD");
        let typed = Invocation { in_pipeline: true, ..self.root.invocation(&self.narrowing) };
        typed.shown_by(&["ci", "plan"], &[("--base", base), ("--head", head), ("--snapshot", snapshot.as_deref())])
    }

    /// The files before and after the merge.
    fn merged(&self, repository: &ProjectRepository, run: &CiRun) -> Result<Merged, CommandFailure> {
        let git = repository.repository();
        let head = git.commit(&self.head)?;
        if self.base.is_none()
            && run.system == Some(CiSystem::GitHub)
            && let Some(MergeRequest { target, head: Some(last), .. }) = &run.request
        {
            if let Some(base) = base_of_merge(git, &head, last)? {
                if !git.has(&base) {
                    let message =
                        "the merge commit's parents are not in this clone, which is shallow: it has a depth of 1";
                    return Err(CommandFailure::new(message, "set fetch-depth: 2 for actions/checkout"));
                }
                let (before, _) = repository.files(&base.to_string())?;
                let (after, to) = repository.files(&self.head)?;
                return Ok(Merged { before, after, from: format!("{target} ({})", base.short()), to });
            }
            // The base itself, as pull_request_target checks it out, would be a change that does nothing.
            if self.head == "HEAD" && head.to_string() != *last {
                let message = format!("{} is checked out, which is not of this pull request", head.short());
                let help = "check out what actions/checkout does by default on pull_request; or give --base and --head";
                return Err(CommandFailure::new(message, help));
            }
        }
        let base = match (&self.base, &run.request) {
            (Some(base), _) => base.clone(),
            (None, Some(request)) if !request.target.is_empty() => request.target.clone(),
            _ => {
                let help = "give the commit that the change is merged into: --base main";
                return Err(CommandFailure::new("it is not known what the change is merged into", help));
            }
        };
        // What the system calls the target is a branch, and nothing else of that name.
        let target = if self.base.is_some() { git.commit(&base)? } else { git.branch(&base)? };
        let before = repository.files_of_commit(&target)?;
        let from = repository.name_of(&target, &base);
        let folder = git.work_tree().unwrap_or(self.root.root()).to_path_buf();
        let merged = merge(&folder, &target.to_string(), &head.to_string()).map_err(|why| {
            CommandFailure::new(
                format!("{base} and {} cannot be merged: {why}", self.head),
                "fetch the history of both, in a job with fetch-depth: 0 or GIT_DEPTH: 0, here:\ngit fetch --unshallow",
            )
        })?;
        match merged {
            Merge::Tree(tree) => {
                let after = repository.files_of_tree(&tree)?;
                Ok(Merged { before, after, from, to: format!("its merge with {} ({})", self.head, head.short()) })
            }
            Merge::Conflict(files) => {
                let files: Vec<_> = files.iter().map(|file| line(file)).collect();
                let message = format!("{} conflicts with {base} in {}", self.head, files.join(", "));
                Err(CommandFailure::new(message, format!("merge {base} into it, and resolve the conflict there")))
            }
        }
    }
}

/// The base of a change, if HEAD is the merge commit that GitHub made of it: its second parent is the change's last commit.
/// A change whose last commit is a merge itself, and that the job checked out, is none.
fn base_of_merge(git: &Repository, head: &Commit, change: &str) -> Result<Option<Commit>, CommandFailure> {
    let mut parents = git.parents(head)?.into_iter();
    Ok(match (parents.next(), parents.next(), parents.next()) {
        (Some(base), Some(merged), None) if merged.to_string() == change => Some(base),
        _ => None,
    })
}

/// The exit code: what the change adds.
fn gate(changed: &ChangedProject) -> u8 {
    match changed.exit() {
        exit @ (1 | 3) => exit,
        _ => 0,
    }
}

/// What the change adds, at the files and lines of the repository.
fn annotations(changed: &ChangedProject, project: &Project, repository: &ProjectRepository) -> Vec<Annotation> {
    let added = &changed.plans.added;
    let file = |path: &str| repository.path_in_it(Path::new(path));
    let is_found = |text: &str| added.findings.iter().any(|finding| finding.text == text && finding.at.is_some());
    let problems = changed.problems.iter().filter(|problem| !is_found(&problem.message)).filter_map(|problem| {
        Some(Annotation {
            level: Level::Error,
            file: file(&problem.file)?,
            line: problem.line.max(1),
            title: "cannot be read".to_string(),
            message: format!("{}\n→ {}", problem.message, problem.help),
        })
    });
    // A document with several problems has each at its own line: the finding about all of them would be one more.
    let is_of_several = |finding: &Finding, at: &At| {
        let is_part = |problem: &&FileProblem| problem.file == at.file && finding.text.contains(&problem.message);
        changed.problems.iter().filter(is_part).any(|problem| problem.message != finding.text)
    };
    let findings = added.findings.iter().filter_map(|finding| {
        let at = finding.at.as_ref().filter(|at| !is_of_several(finding, at))?;
        let level = match finding.severity {
            Severity::Error => Level::Error,
            Severity::Unreached => Level::Unresolved,
            Severity::Warning => Level::Warning,
        };
        let object = finding.object.as_ref().map(|object| format!(" {object}")).unwrap_or_default();
        let fix = if finding.fix.is_empty() { String::new() } else { format!("\n→ {}", finding.fix) };
        Some(Annotation {
            level,
            file: file(&at.file)?,
            line: at.line.max(1),
            title: format!("{}{object}", finding.code),
            message: format!("{}{fix}", finding.text),
        })
    });
    let notes = added.targets.iter().flat_map(|target| target.notes.iter().map(move |note| (&target.tenant, note)));
    let blocked = notes.filter_map(|(tenant, note)| {
        let Note::Blocked { object, code, text, fix, .. } = note else { return None };
        let origin = project.origin(Some(tenant), object)?;
        let at = at(&[(origin, Vec::new())]).into_iter().next()?;
        Some(Annotation {
            level: Level::Unresolved,
            file: file(&at.file)?,
            line: at.line.max(1),
            title: format!("{code} {tenant} {object}"),
            message: format!("{text}\n→ {fix}"),
        })
    });
    let mut all: Vec<Annotation> = problems.chain(findings).chain(blocked).collect();
    all.sort();
    all.dedup();
    all
}

fn append(path: &Path, text: &str) -> Result<(), CommandFailure> {
    use std::io::Write as _;
    let file = std::fs::OpenOptions::new().append(true).create(true).open(path);
    file.and_then(|mut file| writeln!(file, "{text}")).map_err(|error| CommandFailure::writing(path, &error))
}

fn no_json(error: &serde_json::Error) -> CommandFailure {
    CommandFailure::new(format!("the report has no JSON form: {error}"), "internal error: report it")
}

fn write_report(folder: &Path, files: &[(&str, &str)]) -> Result<(), CommandFailure> {
    // The files of a commit could be a link to anywhere.
    if folder.is_symlink() {
        let message = format!("{} is a link: the report is not written through it", folder.display());
        return Err(CommandFailure::new(message, "give --report another folder"));
    }
    std::fs::create_dir_all(folder).map_err(|error| CommandFailure::writing(folder, &error))?;
    for (name, text) in files {
        let path = folder.join(name);
        write_named(&RealDisk, &path, text.as_bytes()).map_err(|error| CommandFailure::writing(&path, &error))?;
    }
    Ok(())
}
