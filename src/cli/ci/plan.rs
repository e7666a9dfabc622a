//! `stablekey ci plan`.

use super::post::Post;
use super::run::{CiRun, CiSystem};
use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::cli::options::{Narrowing, RootArgument};
use crate::cli::output::Output;
use crate::cli::stored::SnapshotOptions;
use crate::engine::model::code::Severity;
use crate::engine::model::plan::Note;
use crate::file_tree::FileTree;
use crate::git::command::{Merge, merge};
use crate::project::changed::ChangedProject;
use crate::project::{Project, at};
use crate::render::{Annotation, ChangeReport, Level, ShownChange, code_quality};
use crate::tenant::directory::disk::{RealDisk, write_named};
use clap::Args;
use std::path::{Path, PathBuf};

/// Plan a change: what it does in every tenant if it is merged, gated by what it adds
///
/// Plans the merge result: in a pull request of GitHub the merge commit that the job checked out, elsewhere what `git
/// merge-tree` makes of --base and --head. What the base has already is listed apart and gates nothing. Exit codes: 1 the
/// change adds an error, or cannot be merged; 3 it adds something unresolved; else 0.
///
/// On the pull request it keeps one comment up to date, where GITHUB_TOKEN, or STABLEKEY_GITLAB_TOKEN with the scope api,
/// may write it; without a token the report is in the job's output, and the exit code is the same. Files of --report: report.json, comment.md, plan.json, and gl-code-quality-report.json for GitLab.
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

impl CiPlan {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let run = CiRun::of_environment();
        let repository = ProjectRepository::around(self.root.root())?;
        let Merged { before, after, from, to } = self.merged(&repository, &run)?;
        let (before, after) = self.root.open_both(before, after, self.stored.read()?.as_ref())?;
        let scope = self.narrowing.scope();
        let changed = ChangedProject::of(&before, &after, &scope);
        output.problems(&changed.problems);
        output.roles(after.roles.iter().map(String::as_str));
        let shown = ShownChange { changed: &changed, from: &from, to: &to };
        let typed = self.root.invocation(&self.narrowing);
        output.result(&shown.text(&typed, output.style()))?;
        let report = ChangeReport::of(&shown);
        let comment = report.markdown(&repository.marker(), &typed.plan(), true);
        let annotations = annotations(&changed, &after, &repository);
        if run.system == Some(CiSystem::GitHub) {
            let lines: Vec<String> = annotations.iter().map(Annotation::github_line).collect();
            output.result(&lines.join("\n"))?;
        }
        if let Some(path) = &run.summary {
            append(path, &comment)?;
        }
        if let Some(folder) = &self.report {
            write_report(folder, &shown, &report, &comment, &annotations)?;
        }
        let exit = gate(&changed);
        let marker = repository.marker();
        Post { marker: &marker, comment: &comment, annotations: &annotations, exit }.send(&run, output);
        Ok(exit)
    }

    /// The files before and after the merge.
    fn merged(&self, repository: &ProjectRepository, run: &CiRun) -> Result<Merged, CommandFailure> {
        let git = repository.repository();
        let head = git.commit(&self.head)?;
        if self.base.is_none() && run.system == Some(CiSystem::GitHub) && run.request.is_some() {
            // The job has checked out the merge commit, whose first parent is the base.
            let (parents, all) = git.parents(&head)?;
            match (parents.as_slice(), all) {
                ([base, _], 2) => {
                    let (before, _) = repository.files(&base.to_string())?;
                    let (after, to) = repository.files(&self.head)?;
                    let target = run.request.as_ref().map(|request| request.target.as_str()).unwrap_or_default();
                    return Ok(Merged { before, after, from: format!("{target} ({})", base.short()), to });
                }
                (_, 2) => {
                    let message =
                        "the merge commit's parents are not in this clone, which is shallow: it has a depth of 1";
                    let help = "set fetch-depth: 2 for actions/checkout";
                    return Err(CommandFailure::new(message, help));
                }
                _ => {}
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
        let target = git.commit(&base)?;
        let (before, from) = repository.files(&base)?;
        let folder = git.work_tree().unwrap_or(self.root.root()).to_path_buf();
        let merged = merge(&folder, &target.to_string(), &head.to_string()).map_err(|why| {
            CommandFailure::new(
                format!("{base} and {} cannot be merged: {why}", self.head),
                "fetch the history of both: fetch-depth: 0, or GIT_DEPTH: 0",
            )
        })?;
        match merged {
            Merge::Tree(tree) => {
                let after = repository.files_of_tree(&tree)?;
                Ok(Merged { before, after, from, to: format!("its merge with {} ({})", self.head, head.short()) })
            }
            Merge::Conflict(files) => {
                let message = format!("{} conflicts with {base} in {}", self.head, files.join(", "));
                Err(CommandFailure::new(message, format!("merge {base} into it, and resolve the conflict there")))
            }
        }
    }
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
    let findings = added.findings.iter().filter_map(|finding| {
        let at = finding.at.as_ref()?;
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

fn write_report(
    folder: &Path,
    shown: &ShownChange<'_>,
    report: &ChangeReport,
    comment: &str,
    annotations: &[Annotation],
) -> Result<(), CommandFailure> {
    let no_json = |error: serde_json::Error| {
        CommandFailure::new(format!("the report has no JSON form: {error}"), "internal error: report it")
    };
    let files = [
        ("report.json", serde_json::to_string_pretty(report).map_err(no_json)?),
        ("comment.md", comment.to_string()),
        ("plan.json", shown.json().map_err(no_json)?),
        ("gl-code-quality-report.json", code_quality(annotations).map_err(no_json)?),
    ];
    std::fs::create_dir_all(folder).map_err(|error| CommandFailure::writing(folder, &error))?;
    for (name, text) in files {
        let path = folder.join(name);
        write_named(&RealDisk, &path, text.as_bytes()).map_err(|error| CommandFailure::writing(&path, &error))?;
    }
    Ok(())
}
