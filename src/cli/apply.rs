//! `stablekey apply`.

use super::options::{FormatOption, Narrowing, RootArgument};
use super::output::{Format, Output};
use super::{Failure, plan, planning};
use crate::apply::{self, Consent, Outcome, Refusal, Report};
use crate::engine::plan::{PLAN_SCHEMA, Scope};
use crate::render::{Applied, Invocation};
use crate::tenant::disk;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Do what the plan shows, read back, and prove that nothing is left
///
/// Asks for a typed yes on a terminal. Elsewhere give --plan, --approve or --yes. Ctrl-C finishes the
/// write in hand and says what is done and what is not. The exit code is that of the plan after it.
#[derive(Debug, Args)]
pub struct Apply {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    /// Do what this plan file shows; whatever else is to be done voids it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["yes", "approve", "tenants", "integrations", "syncs"])]
    plan: Option<PathBuf>,
    /// Do what needs no approval, without asking
    #[arg(long)]
    yes: bool,
    /// Do the actions of this writer's digest, as the plan shows it (repeatable, or comma-separated)
    #[arg(long, value_name = "DIGEST", value_delimiter = ',')]
    approve: Vec<String>,
}

/// What apply reads of a plan file: consent, no instructions.
#[derive(Deserialize)]
struct PlanFile {
    schema: String,
    scope: PlanFileScope,
    targets: Vec<PlanFileTarget>,
}

#[derive(Deserialize)]
struct PlanFileScope {
    tenants: BTreeSet<String>,
    integrations: BTreeSet<String>,
    syncs: BTreeSet<String>,
}

#[derive(Deserialize)]
struct PlanFileTarget {
    actions: Vec<PlanFileAction>,
}

#[derive(Deserialize)]
struct PlanFileAction {
    digest: String,
}

impl Apply {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, Failure> {
        let (scope, from_file) = match &self.plan {
            Some(path) => {
                let (scope, digests) = read_plan_file(path)?;
                (scope, Some(digests))
            }
            None => (self.narrowing.scope(), None),
        };
        let project = self.root.open()?;
        let planned = planning::make(&project, &scope)?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let typed = Invocation { is_apply: true, ..self.root.invocation(&self.narrowing) };
        let text = self.format.output == Format::Text;
        if text && from_file.is_none() {
            output.result(&plan::show(&planned, &typed, Format::Text, output)?)?;
        }
        if planned.plan.writes_nothing() {
            apply::forget_approvals(&project, &planned.plan).map_err(|error| refused(&error.into()))?;
            if !text || from_file.is_some() {
                output.result(&plan::show(&planned, &typed, self.format.output, output)?)?;
            }
            return Ok(planned.plan.exit_of_apply());
        }
        let consent = self.consent(from_file, planned.plan.counts.needs_approval, output)?;
        let stop = interruption();
        let progress = Progress::new(planned.plan.actions().count());
        let interrupted = || stop.load(Ordering::SeqCst);
        let result = apply::apply(&project, &planned.plan, &consent, &interrupted, &mut |id, outcome| {
            progress.tell(id, outcome)
        });
        progress.end();
        let report = result.map_err(|refusal| {
            if let Refusal::Place(error) = &refusal {
                output.roles(error.role());
            }
            refused(&refusal)
        })?;
        apply::forget_approvals(&project, &planned.plan).map_err(|error| refused(&error.into()))?;
        let done = apply::done(&planned.plan, &report);
        // Everything is read anew: both at once would take twice the memory.
        drop((project, planned));
        let after = planning::make(&self.root.open()?, &scope)?;
        let receipt = apply::receipt(done, &after.world);
        let applied = Applied { report: &report, receipt: &receipt, after: &after.plan };
        output.result(&match self.format.output {
            Format::Text => applied.text(&typed, output.style()),
            Format::Markdown => applied.markdown(),
            Format::Json => {
                applied.json().map_err(|e| Failure::new(e.to_string(), "this is a mistake of ours: report it"))?
            }
        })?;
        let failed = report.undone().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(error) => error.role(),
            _ => None,
        });
        output.roles(failed);
        Ok(exit(&report, after.plan.exit_of_apply()))
    }

    fn consent(
        &self,
        from_file: Option<BTreeSet<String>>,
        needing: usize,
        output: &mut Output,
    ) -> Result<Consent, Failure> {
        if let Some(digests) = from_file {
            return Ok(Consent::PlanFile(digests));
        }
        if !self.approve.is_empty() {
            let digests = self.approve.iter().cloned().collect();
            return Ok(Consent::Digests { digests, safe: self.yes, of: BTreeSet::new() });
        }
        if self.yes {
            return Ok(Consent::Safe);
        }
        let question = match needing {
            0 => "Do this? Type yes:".to_string(),
            1 => "Do this, the action that needs approval included? Type yes:".to_string(),
            n => format!("Do this, the {n} actions that need approval included? Type yes:"),
        };
        match output.confirm(&question) {
            Some(true) => Ok(Consent::All),
            Some(false) => Err(Failure::new("nothing was written: there was no yes", "run it again when you are sure")),
            None => Err(Failure::new(
                "nothing was written: there is no terminal to ask on",
                "give --plan FILE (from `stablekey plan --out FILE`), --approve DIGEST, or --yes for what needs no approval",
            )),
        }
    }
}

fn exit(report: &Report, after: u8) -> u8 {
    let failed = report.undone().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_) | Outcome::Interrupted));
    if failed { 1 } else { after }
}

fn read_plan_file(path: &Path) -> Result<(Scope, BTreeSet<String>), Failure> {
    let wrong = |why: String| {
        Failure::new(format!("{} is no plan file: {why}", path.display()), "make one with `stablekey plan --out FILE`")
    };
    let bytes = disk::read(path, crate::manifest::limits::FILE_BYTES).map_err(|e| wrong(e.to_string()))?;
    let bytes = bytes.ok_or_else(|| wrong("it is not there".to_string()))?;
    let file: PlanFile = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
    if file.schema != PLAN_SCHEMA {
        return Err(wrong(format!("its schema is {}, not {PLAN_SCHEMA}", file.schema)));
    }
    let PlanFileScope { tenants, integrations, syncs } = file.scope;
    let digests = file.targets.into_iter().flat_map(|t| t.actions).map(|a| a.digest).collect();
    Ok((Scope { tenants, integrations, syncs }, digests))
}

fn refused(refusal: &Refusal) -> Failure {
    let help = match refusal {
        Refusal::Void { .. } => "nothing was written: plan again and look at what is new",
        Refusal::UnknownDigest { .. } => "nothing was written",
        Refusal::Place(_) => "mend that, then apply again: what was done stays done",
    };
    Failure::new(refusal.to_string(), help)
}

/// Set by Ctrl-C and by SIGTERM; a second one ends the process.
fn interruption() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // Where the signals cannot be taken, Ctrl-C ends the process as it does elsewhere: each file
        // is old or new all the same.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop));
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    stop
}

/// A bar on a terminal, nothing elsewhere.
struct Progress(Option<ProgressBar>);

impl Progress {
    fn new(actions: usize) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Progress(terminal.then(|| {
            let bar = ProgressBar::new(actions as u64);
            if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
                bar.set_style(style);
            }
            bar
        }))
    }

    fn tell(&self, id: &str, outcome: &Outcome) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
            if *outcome == Outcome::Done {
                bar.set_message(id.to_string());
            }
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
