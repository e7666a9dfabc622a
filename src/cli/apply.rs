//! `stablekey apply`.

use super::kept::KeptApprovals;
use super::options::{FormatOption, Narrowing, RootArgument, digest, whole_digests};
use super::output::{Output, OutputFormat, Question};
use super::plan_file::PlanFile;
use super::{CommandFailure, plan, planning};
use crate::api::Stage;
use crate::apply;
use crate::apply::consent::{Approvals, StoredApproval};
use crate::apply::{Consent, Outcome, Refusal, Report};
use crate::engine::model::inventory::World;
use crate::engine::model::plan::{Action, Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::model::revert::Revert;
use crate::manifest::kustomization::KustomizationChanges;
use crate::project::Project;
use crate::project::planned::{self, PlannedProject};
use crate::render::{self, Applied, Invocation};
use crate::tenant::TenantLocation;
use crate::tenant::directory::FolderLocation;
use crate::tenant::location::LocationError;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Apply the plan, read back, and verify that no action is left
///
/// Shows the plan and asks for a typed yes on a terminal. Without a terminal, give --plan, --approve or --yes. Ctrl-C
/// finishes the current write and reports what is done and what is not. After a crash, the same --approve or --plan
/// finishes the rest: approvals are kept in your state folder until the receipt ($XDG_STATE_HOME or ~/.local/state;
/// nowhere if CI is set). The exit code is that of the plan after it. A kustomization.yaml in a tenant's folder is kept
/// up to date as well, with its files and its definitions: the plan shows it, and it needs the same consent.
///
/// A sync with stages goes on to the next stage in the same run where the one before is done and Ready: the plan is shown
/// again, and a typed yes is asked for each stage. What still waits is reported, and the exit code is 2.
///
/// Examples:
///   stablekey apply
///   stablekey apply --plan plan.json
///   stablekey apply --tenant eu-prod --yes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Apply {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    /// Apply what this plan file shows, with the sources that it was planned with; any other pending action voids it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["yes", "approve", "tenants", "integrations", "syncs"])]
    plan: Option<PathBuf>,
    /// Send the secrets of this connection again to the one --tenant, which must be on the platform: all, or one input's (repeatable)
    #[arg(long, value_name = "KEY[/INPUT]", requires = "tenants", conflicts_with = "plan")]
    resend: Vec<String>,
    /// Apply what needs no approval, without asking; kept approvals are not used
    #[arg(long)]
    yes: bool,
    /// Apply the actions with this digest of a writer, as the plan shows it (repeatable, or comma-separated)
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', value_parser = digest)]
    approve: Vec<String>,
    /// Whether a pipeline runs it: how to approve is said once, at the end, by the command that it is a part of.
    #[arg(skip)]
    in_pipeline: bool,
}

impl Apply {
    pub(super) fn run(mut self, output: &mut Output) -> Result<u8, CommandFailure> {
        self.narrowing.resend = std::mem::take(&mut self.resend);
        let file = self.plan.as_deref().map(PlanFile::read).transpose()?;
        let scope = match &file {
            Some(file) => {
                self.root.take_sources(&file.sources)?;
                self.narrowing = Narrowing::of(&file.scope);
                file.scope.clone()
            }
            None => self.narrowing.scope(),
        };
        let project = self.root.open()?;
        self.carry_out(project, scope, file, output)
    }

    /// An apply of what is put back in one object.
    pub(super) fn of_revert(root: RootArgument, revert: &Revert, consent: RevertConsent) -> Self {
        let narrowing =
            Narrowing { tenants: vec![revert.tenant.clone()], revert: Some(revert.clone()), ..Narrowing::default() };
        let RevertConsent { format, yes, approve } = consent;
        Apply { root, narrowing, format, plan: None, resend: Vec::new(), yes, approve, in_pipeline: false }
    }

    /// The scope of the plan that is applied.
    pub(super) fn scope(&self) -> Scope {
        self.narrowing.scope()
    }

    /// An apply of a pipeline: of all that needs no approval, and of what these digests approve.
    pub(super) fn of_pipeline(
        root: RootArgument,
        narrowing: Narrowing,
        format: FormatOption,
        approve: Vec<String>,
    ) -> Self {
        Apply { root, narrowing, format, plan: None, resend: Vec::new(), yes: true, approve, in_pipeline: true }
    }

    /// The command as it was typed.
    fn typed(&self) -> Invocation {
        Invocation { is_apply: true, in_pipeline: self.in_pipeline, ..self.root.invocation(&self.narrowing) }
    }

    /// The exit code of this command, by the plan after it.
    fn exit_by(&self, left: &Plan) -> u8 {
        if self.in_pipeline { exit_of_pipeline(left) } else { left.exit_of_apply() }
    }

    /// Plans, asks, and applies within a scope. Returns the exit code. A later stage of a sync is applied in the same run,
    /// as soon as what was applied before is read back, and the stage before is done.
    pub(super) fn carry_out(
        self,
        project: Project,
        scope: Scope,
        file: Option<PlanFile>,
        output: &mut Output,
    ) -> Result<u8, CommandFailure> {
        Ok(self.carry_out_whole(project, scope, file, &|| Ok(()), output)?.exit)
    }

    /// Plans, asks, and applies within a scope. Returns what is left. `may_write` is asked once, before the first write.
    pub(super) fn carry_out_whole(
        mut self,
        project: Project,
        scope: Scope,
        file: Option<PlanFile>,
        may_write: &dyn Fn() -> Result<(), CommandFailure>,
        output: &mut Output,
    ) -> Result<CarriedOut, CommandFailure> {
        let planned = match &file {
            Some(file) => {
                file.is_of(&project)?;
                planning::make_from_file(&project, &scope, &file.integrations)?
            }
            None => planning::make(&project, &scope)?,
        };
        let kept = KeptApprovals::of(&project);
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let approved_before = kept.all(&project);
        kept.warn(&project, output);
        let typed = self.typed();
        let text = self.format.output == OutputFormat::Text;
        if text && file.is_none() {
            output.result(&plan::show(&planned, &approved_before, &typed, OutputFormat::Text, output.style())?)?;
        }
        let kustomizations = Kustomizations::of(&project, &planned.plan, file.as_ref());
        if planned.plan.writes_nothing() {
            forget(&kept, &planned.plan, &typed)?;
            if !text || file.is_some() {
                let shown = plan::show(&planned, &approved_before, &typed, self.format.output, output.style())?;
                output.result(&shown)?;
            }
            let exit = self.bring_up_to_date(&kustomizations, &planned, may_write, output)?;
            drop(kustomizations);
            return Ok(CarriedOut { exit, has_failed: false, left: Some(planned.plan) });
        }
        let consent = match &file {
            Some(file) => {
                file.shows(&planned.plan)?;
                Consent::PlanFile(file.covers.clone())
            }
            None => match self.consent(output, &planned, &kustomizations, &approved_before, &typed)? {
                Some(consent) => consent,
                None => {
                    output.note("Aborted. Nothing was changed.");
                    return Ok(CarriedOut { exit: 1, has_failed: true, left: None });
                }
            },
        };
        let consent = of_open_stages(consent, &planned.plan)?;
        may_write()?;
        let is_unmet = !scope.resend.is_empty() && planned.plan.exit == 1;
        let stop = interruption(1);
        let interrupted = || stop.load(Ordering::SeqCst);
        let mut run = Run::new(&planned);
        let (mut project, mut planned, mut consent) = (project, planned, consent);
        // What was sent again is not to be sent once more.
        let again = Scope { resend: Default::default(), ..scope };
        let (after, failure) = loop {
            let kustomizations = Kustomizations::of(&project, &planned.plan, file.as_ref());
            let result = run.apply(&project, kept.as_approvals(), &planned.plan, &consent, &interrupted);
            if let Err(refusal) = result {
                if let Refusal::Location(error) = &refusal {
                    output.roles(error.role());
                }
                let failure = refused(&refusal, &typed);
                if run.is_first() {
                    kept.warn_of_failures(output);
                    return Err(failure);
                }
                // What was done is reported first.
                break (Ok((project, planned)), Some(failure));
            }
            // From here on something may be written: after any failure, what was done is reported.
            let kustomized = if kustomizations.are_covered(&consent) {
                kustomizations.keep()
            } else {
                kustomizations.note_left(self.plan.is_some(), output);
                Ok(())
            };
            run.kustomized.extend(kustomizations.written());
            drop(kustomizations);
            let waiting = waiting(&planned.plan);
            // The project is read again; keeping both in memory would need twice as much.
            drop((project, planned));
            let after = self.root.open().map(|project| {
                let planned = planned::plan(&project, &again);
                (project, planned)
            });
            let (next_project, next) = match (after, kustomized) {
                (after @ Err(_), kustomized) => break (after, kustomized.err()),
                (after, Err(failure)) => break (after, Some(failure)),
                (Ok(after), Ok(())) => after,
            };
            if has_failed(&run.report) || interrupted() || !run.goes_on(&next, &waiting) {
                break (Ok((next_project, next)), None);
            }
            let approved = kept.all(&next_project);
            let consented = self.consent_of_stage(&consent, &next, file.as_ref(), &approved, output);
            match consented {
                Ok(Some(next_consent)) => {
                    (project, planned, consent) = (next_project, next, next_consent);
                }
                Ok(None) => break (Ok((next_project, next)), None),
                Err(failure) => break (Ok((next_project, next)), Some(failure)),
            }
        };
        let done = apply::digest_of(std::mem::take(&mut run.done));
        let after = after.map(|(_, after)| (apply::receipt(done, &after.world), after.plan));
        let read_back =
            after.as_ref().map(|(receipt, plan)| (receipt, plan)).map_err(|failure| failure.message.as_str());
        let failed = has_failed(&run.report);
        let exit = match &after {
            // What could not be sent again stays an error.
            Ok((_, plan)) if !failed && !is_unmet && failure.is_none() => self.exit_by(plan),
            _ => 1,
        };
        let applied = Applied { report: &run.report, kustomizations: &run.kustomized, after: read_back, exit };
        self.narrowing.resend.clear();
        let typed = self.typed();
        let reported = self.report(&applied, &typed, output);
        if let Ok((_, plan)) = &after {
            forget(&kept, plan, &typed)?;
        }
        kept.warn_of_failures(output);
        output.roles(run.report.errors().filter_map(LocationError::role));
        reported?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        Ok(CarriedOut { exit, has_failed: failed, left: after.ok().map(|(_, plan)| plan) })
    }

    /// The consent to a stage that opened: it covers only what was shown for it. `None` without one.
    fn consent_of_stage(
        &self,
        before: &Consent,
        planned: &PlannedProject,
        file: Option<&PlanFile>,
        approved_before: &[(&str, Vec<StoredApproval>)],
        output: &mut Output,
    ) -> Result<Option<Consent>, CommandFailure> {
        let typed = self.typed();
        let text = self.format.output == OutputFormat::Text;
        if text && file.is_none() {
            output.result(&plan::show(planned, approved_before, &typed, OutputFormat::Text, output.style())?)?;
        }
        match before {
            Consent::Safe => Ok(Some(Consent::Safe)),
            Consent::PlanFile(covers) => {
                file.map_or(Ok(()), |file| file.shows(&planned.plan))?;
                Ok(Some(Consent::PlanFile(covers.clone())))
            }
            Consent::Digests { safe, .. } => {
                let digests = self.digests(planned, approved_before)?;
                let here = open_digests(&planned.plan);
                let digests: BTreeSet<String> = digests.into_iter().filter(|digest| here.contains(digest)).collect();
                Ok(match (digests.is_empty(), *safe) {
                    (false, safe) => Some(Consent::Digests { digests, safe }),
                    (true, true) => Some(Consent::Safe),
                    (true, false) => None,
                })
            }
            Consent::All => {
                if !text || !output.is_seen() {
                    output.show_aside(|style| plan::text(planned, approved_before, &typed, style));
                }
                let needing = planned.plan.counts.needs_approval;
                let changes = planned.plan.actions().count();
                Ok(output.confirm(&Question { changes, needing, files: 0 }).then_some(Consent::All))
            }
            Consent::Begun(_) => Ok(None),
        }
    }

    /// The given digests, each in full.
    fn digests(
        &self,
        planned: &PlannedProject,
        approved_before: &[(&str, Vec<StoredApproval>)],
    ) -> Result<BTreeSet<String>, CommandFailure> {
        let (open, waiting) = (open_digests(&planned.plan), waiting_digests(&planned.plan));
        let known: BTreeSet<String> = open.into_iter().chain(waiting).chain(given_before(approved_before)).collect();
        whole_digests(&self.approve, known.iter().map(String::as_str))
    }

    /// Updates the kustomizations if the plan has no action. It needs consent as any write does.
    fn bring_up_to_date(
        &self,
        kustomizations: &Kustomizations<'_>,
        planned: &PlannedProject,
        may_write: &dyn Fn() -> Result<(), CommandFailure>,
        output: &mut Output,
    ) -> Result<u8, CommandFailure> {
        let exit = planned.plan.exit_of_apply();
        if kustomizations.edited.is_empty() {
            return Ok(exit);
        }
        let names: Vec<&str> = kustomizations.edited.iter().map(|(tenant, _)| *tenant).collect();
        let is_given = self.yes || self.plan.is_some() && kustomizations.is_shown;
        if !is_given && (self.plan.is_some() || !self.approve.is_empty() || !output.can_ask()) {
            kustomizations.note_left(self.plan.is_some(), output);
            return Ok(exit);
        }
        if !is_given {
            if self.format.output != OutputFormat::Text || !output.is_seen() {
                output.show_aside(|style| plan::text(planned, &[], &Invocation::default(), style));
            }
            if !output.confirm(&Question { changes: 0, needing: 0, files: names.len() }) {
                output.note("Aborted. Nothing was changed.");
                return Ok(1);
            }
        }
        may_write()?;
        kustomizations.keep()?;
        let written = kustomizations.written();
        match self.format.output {
            OutputFormat::Text => output.result(&render::kustomizations_text(&written, output.style()))?,
            OutputFormat::Json | OutputFormat::Markdown => {
                output.show_aside(|style| render::kustomizations_text(&written, style))
            }
        }
        Ok(exit)
    }

    /// Writes the result. If that fails, reports the result and the failure.
    fn report(&self, applied: &Applied<'_>, typed: &Invocation, output: &mut Output) -> Result<(), CommandFailure> {
        let result = match self.format.output {
            OutputFormat::Text => Ok(applied.text(typed, output.style())),
            OutputFormat::Markdown => Ok(applied.markdown()),
            OutputFormat::Json => applied.json(),
        };
        let result = result.map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"));
        let reported = result.and_then(|result| output.result(&result));
        if reported.is_err() {
            output.show_aside(|style| applied.text(typed, style));
        }
        reported
    }

    /// The consent of the person; `None` without one.
    fn consent(
        &self,
        output: &mut Output,
        planned: &PlannedProject,
        kustomizations: &Kustomizations<'_>,
        approved_before: &[(&str, Vec<StoredApproval>)],
        typed: &Invocation,
    ) -> Result<Option<Consent>, CommandFailure> {
        if !self.approve.is_empty() {
            let digests = self.digests(planned, approved_before)?;
            return Ok(Some(Consent::Digests { digests, safe: self.yes }));
        }
        if self.yes {
            return Ok(Some(Consent::Safe));
        }
        if !output.can_ask() {
            let plan_file =
                if self.narrowing.revert.is_some() { "" } else { "--plan FILE (from `stablekey plan --out FILE`), " };
            let help = format!("give {plan_file}--approve DIGEST, or --yes for what needs no approval");
            return Err(CommandFailure::new("nothing was written: there is no terminal to ask on", help));
        }
        // Consent covers only what was shown.
        if self.format.output != OutputFormat::Text || !output.is_seen() {
            output.show_aside(|style| plan::text(planned, approved_before, typed, style));
        }
        let needing = planned.plan.counts.needs_approval;
        let files = kustomizations.edited.len();
        let question = Question { changes: planned.plan.actions().count(), needing, files };
        Ok(output.confirm(&question).then_some(Consent::All))
    }
}

/// How a person consents to what is put back.
#[derive(Debug, Args)]
pub(super) struct RevertConsent {
    #[command(flatten)]
    format: FormatOption,
    /// Put back what needs no approval, without asking
    #[arg(long)]
    yes: bool,
    /// Approve the actions with this digest, as the plan shows it (repeatable, or comma-separated)
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', value_parser = digest)]
    approve: Vec<String>,
}

/// The kustomizations of the folders that an apply may write to.
struct Kustomizations<'p> {
    /// Outdated kustomizations that may be updated, by tenant.
    edited: Vec<(&'p str, &'p FolderLocation)>,
    /// Their content before the apply, by tenant.
    before: Vec<(&'p str, &'p FolderLocation, String)>,
    /// Whether the plan file, if there is one, shows all pending updates.
    is_shown: bool,
}

impl<'p> Kustomizations<'p> {
    fn of(project: &'p Project, plan: &Plan, file: Option<&PlanFile>) -> Self {
        let folder = |name: &str| project.tenants.get(name)?.location.as_ref().and_then(TenantLocation::folder);
        let edited = planned::kustomizations(project, plan);
        let is_shown =
            file.is_none_or(|file| edited.iter().all(|(tenant, edited)| file.shows_kustomization(tenant, edited)));
        let can_be_kept =
            edited.iter().filter(|(_, edited)| edited.changes.as_ref().is_ok_and(|changes| !changes.is_empty()));
        let names = project.tenants.keys().map(String::as_str);
        Kustomizations {
            edited: can_be_kept.filter_map(|(tenant, _)| Some((*tenant, folder(tenant)?))).collect(),
            before: names.filter_map(|name| Some((name, folder(name)?, folder(name)?.kustomization()?))).collect(),
            is_shown,
        }
    }

    /// Whether a consent covers the kustomizations too. One that is given for a writer's digest covers only that
    /// writer.
    fn are_covered(&self, consent: &Consent) -> bool {
        match consent {
            Consent::All | Consent::Safe | Consent::Digests { safe: true, .. } => true,
            Consent::PlanFile(_) => self.is_shown,
            Consent::Digests { .. } | Consent::Begun(_) => false,
        }
    }

    /// Reports that pending updates were not written, and how to write them.
    fn note_left(&self, by_plan_file: bool, output: &mut Output) {
        let names: Vec<&str> = self.edited.iter().map(|(tenant, _)| *tenant).collect();
        if !names.is_empty() {
            // A plan file and --yes exclude each other.
            let how = if by_plan_file { "apply without --plan, with --yes" } else { "give --yes" };
            let names = names.join(", ");
            output.note(&format!("kustomization.yaml of {names} is as it was: {how}, and it is brought up to date"));
        }
    }

    /// Updates the kustomizations so that they list the content of their folders.
    fn keep(&self) -> Result<(), CommandFailure> {
        self.edited.iter().try_for_each(|(_, folder)| {
            folder.keep_kustomization().map_err(|error| {
                CommandFailure::new(error.to_string(), "correct that, then apply again: what was done stays done")
            })
        })
    }

    /// The changes that were written, by tenant.
    fn written(&self) -> Vec<(String, KustomizationChanges)> {
        let changed = self.before.iter().filter_map(|(tenant, folder, before)| {
            let after = folder.kustomization()?;
            (after != *before).then(|| (tenant.to_string(), KustomizationChanges::between(before, &after)))
        });
        changed.collect()
    }
}

/// What an apply has done so far, stage by stage.
struct Run {
    report: Report,
    /// The digests of the actions that were done.
    done: Vec<String>,
    /// The changes of kustomizations, by tenant.
    kustomized: Vec<(String, KustomizationChanges)>,
    /// The stages of each sync when the run began: a change of them counts from the next run on.
    stages: BTreeMap<Writer, Vec<Stage>>,
}

impl Run {
    fn new(planned: &PlannedProject) -> Self {
        Run { report: Report::default(), done: Vec::new(), kustomized: Vec::new(), stages: stages(&planned.world) }
    }

    /// Whether nothing was applied yet.
    fn is_first(&self) -> bool {
        self.report.outcomes.is_empty() && self.report.unsettled.is_empty()
    }

    fn apply(
        &mut self,
        project: &Project,
        approvals: &dyn Approvals,
        plan: &Plan,
        consent: &Consent,
        interrupted: &dyn Fn() -> bool,
    ) -> Result<(), Refusal> {
        let progress = Progress::new(plan.actions().count());
        let mut show = |id: &str, outcome: &Outcome| progress.report(id, outcome);
        let report = apply::apply(project, approvals, plan, consent, interrupted, &mut show);
        progress.end();
        let report = report?;
        self.done.extend(apply::done(plan, &report));
        // An action that was not approved in one stage is seen again in the next.
        let again: BTreeSet<&String> = report.outcomes.iter().map(|(id, _)| id).collect();
        self.report.outcomes.retain(|(id, outcome)| *outcome == Outcome::Done || !again.contains(id));
        self.report.outcomes.extend(report.outcomes);
        self.report.unsettled.extend(report.unsettled);
        self.report.calls.extend(report.calls);
        Ok(())
    }

    /// Whether something that waited may be done now, by stages that are still those of the beginning.
    fn goes_on(&self, next: &PlannedProject, waiting: &BTreeSet<String>) -> bool {
        let opened = |action: &Action| waiting.contains(&action.id);
        let written = next.plan.targets.iter().filter(|target| !target.suspended);
        stages(&next.world) == self.stages && written.flat_map(|target| &target.actions).any(opened)
    }
}

/// The stages of each sync that has some.
fn stages(world: &World) -> BTreeMap<Writer, Vec<Stage>> {
    let staged = world.syncs.iter().filter(|sync| !sync.spec.stages.is_empty());
    staged.map(|sync| (sync.writer.clone(), sync.spec.stages.clone())).collect()
}

/// The ids of the actions that wait for an earlier stage.
fn waiting(plan: &Plan) -> BTreeSet<String> {
    plan.waiting().map(|(_, action)| action.id.clone()).collect()
}

/// The exit code of an apply in a pipeline: 1 something that is allowed was not done, 2 something waits for an approval or
/// an earlier stage.
pub(super) fn exit_of_pipeline(left: &Plan) -> u8 {
    let written = left.targets.iter().filter(|target| !target.suspended);
    let awaits_approval = written.flat_map(|target| &target.actions).any(|action| !action.needs_approval.is_empty());
    match left.exit {
        1 => 1,
        _ if awaits_approval || left.awaits_stage() => 2,
        _ if !left.writes_nothing() => 1,
        _ => 0,
    }
}

/// The digests that an approval of this plan may give.
pub(super) fn known_digests(plan: &Plan) -> BTreeSet<String> {
    open_digests(plan).into_iter().chain(waiting_digests(plan)).collect()
}

/// The digests of what may be done now.
fn open_digests(plan: &Plan) -> BTreeSet<String> {
    plan.targets.iter().flat_map(|target| target.digests.values()).map(ToString::to_string).collect()
}

/// The digests of what waits for an earlier stage.
fn waiting_digests(plan: &Plan) -> BTreeSet<String> {
    let waits = plan.targets.iter().flat_map(|target| target.stages.values());
    waits.filter_map(|wait| wait.digest.as_ref()).map(ToString::to_string).collect()
}

/// The part of a consent that concerns what may be done now. A digest of a later stage is used when that opens.
fn of_open_stages(consent: Consent, plan: &Plan) -> Result<Consent, CommandFailure> {
    let Consent::Digests { digests, safe } = consent else { return Ok(consent) };
    let later = waiting_digests(plan);
    let now: BTreeSet<String> = digests.iter().filter(|digest| !later.contains(*digest)).cloned().collect();
    match (now.is_empty(), safe, digests.first()) {
        (true, true, _) => Ok(Consent::Safe),
        (true, false, Some(digest)) => Err(CommandFailure::new(
            format!("nothing was written: {digest} approves what waits for an earlier stage"),
            "approve the stage before as well, or wait until it is done",
        )),
        _ => Ok(Consent::Digests { digests: now, safe }),
    }
}

/// The digests that were given to an apply that did not finish.
fn given_before(approved: &[(&str, Vec<StoredApproval>)]) -> impl Iterator<Item = String> {
    approved.iter().flat_map(|(_, kept)| kept).flat_map(|kept| kept.given.iter().cloned())
}

/// Removes the kept approvals of actions that are done.
fn forget(kept: &KeptApprovals, plan: &Plan, typed: &Invocation) -> Result<(), CommandFailure> {
    apply::forget_approvals(kept.as_approvals(), plan).map_err(|error| refused(&error.into(), typed))
}

fn has_failed(report: &Report) -> bool {
    let failed = report.undone().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_) | Outcome::Interrupted));
    failed || !report.unsettled.is_empty()
}

/// What is left after an apply.
pub(super) struct CarriedOut {
    /// The exit code of the apply.
    pub exit: u8,
    /// Whether something that was allowed was not done.
    pub has_failed: bool,
    /// The plan after it; `None` if nothing could be read back, or nobody consented.
    pub left: Option<Plan>,
}

fn refused(refusal: &Refusal, typed: &Invocation) -> CommandFailure {
    let help = match refusal {
        Refusal::Void { .. } => format!("nothing was written: review what is new: {}", typed.plan()),
        Refusal::UnknownDigest { .. } => format!("nothing was written: {} shows the digests of now", typed.plan()),
        Refusal::Location(_) => "fix that, then apply again: what was done stays done".to_string(),
    };
    CommandFailure::new(refusal.to_string(), help)
}

/// A flag that Ctrl-C and SIGTERM set; a second signal ends the process with this exit code.
pub(super) fn interruption(exit: i32) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        // If the signal handlers cannot be installed, Ctrl-C ends the process as usual: each file is still old or new.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, exit, Arc::clone(&stop));
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    stop
}

/// A progress bar on a terminal; nothing elsewhere.
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

    fn report(&self, id: &str, outcome: &Outcome) {
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
