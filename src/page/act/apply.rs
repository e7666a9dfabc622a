//! Applies what a page showed, with the consent that `stablekey apply` takes: all of it, or what needs no approval.

use crate::apply::consent::{Approvals, NotKept, StateFolder};
use crate::apply::{self, Consent, Outcome, Refusal, Report};
use crate::engine::model::plan::{FieldChange, Note, Plan, Scope};
use crate::page::consent::{applicable, digest_of_plan};
use crate::page::desk::PageDesk;
use crate::page::message;
use crate::page::plans_shown::{self, ShownActions};
use crate::page::refusals;
use crate::page::reply::{self, Reply};
use crate::page::request::Request;
use crate::page::running::{ApplyEnd, ApplyResult, ApplyRun};
use crate::page::shown::ShownProject;
use crate::page::view;
use crate::page::{OpenScope, PageFolder};
use crate::project::Project;
use crate::project::planned;
use crate::tenant::TenantLocation;
use jiff::Timestamp;
use maud::Markup;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Begins an apply of the whole plan.
pub(crate) fn begin(request: &Request, shown: &ShownProject) -> Reply {
    let plan = &shown.planned.plan;
    let again = |notice| view::plan::show_again(&request.for_view("/plan", &[]), shown, notice);
    let what = AppliedPart { title: "Apply".to_string(), scope: Scope::default(), address: "/plan".to_string() };
    begin_with(request, &shown.folder, plan, what, again)
}

/// What is applied: all of the plan, or what puts something back.
pub(in crate::page) struct AppliedPart {
    pub(in crate::page) title: String,
    pub(in crate::page) scope: Scope,
    /// The page that shows it, with its form.
    pub(in crate::page) address: String,
}

/// Begins an apply within a scope. `plan` is what would be shown now; `again` shows it with its form and a message.
pub(in crate::page) fn begin_with(
    request: &Request,
    folder: &Arc<PageFolder>,
    plan: &Plan,
    what: AppliedPart,
    again: impl FnOnce(Markup) -> Reply,
) -> Reply {
    let (fields, AppliedPart { title, scope, address }) = (&request.fields, what);
    let approves = match fields.text("what") {
        "all" => true,
        "rest" => false,
        _ => {
            return refusals::refused(
                request,
                400,
                "Nothing was changed",
                "The form does not say what is applied.",
                "Go back and try again.",
            );
        }
    };
    if applicable(plan).next().is_none() {
        let help = "Open the plan: it shows what there is to do.";
        return refusals::refused(request, 409, "Nothing was changed", "There is nothing to apply.", help);
    }
    if approves && needs_approval(plan) && !fields.has("approve") {
        return again(message::refusal(
            &format!("Nothing was changed. {NOT_TICKED}"),
            "Read them, tick the box, and apply again.",
        ));
    }
    let consent = if approves { Consent::All } else { Consent::Safe };
    let run = Arc::new(ApplyRun::new(title, applicable(plan).count(), Timestamp::now(), address));
    let (desk, folder, digest) = (Arc::clone(&request.desk), Arc::clone(folder), fields.text("digest").to_string());
    let given = GivenConsent { shown: desk.plans_shown.of(&digest), digest, is_ticked: fields.has("approve") };
    let work = move |run: &ApplyRun| {
        run.end(carry_out(&desk, &folder, run, &scope, &consent, &given));
        desk.read_again();
    };
    match request.desk.running.start(run, work) {
        true => reply::see_other("/apply"),
        false => refusals::refused(
            request,
            409,
            "Nothing was changed",
            "Another apply runs.",
            "Wait for its end: it is shown under /apply.",
        ),
    }
}

/// What a form says.
struct GivenConsent {
    /// The digest of the plan that was shown.
    digest: String,
    /// The actions of that plan, if they are remembered.
    shown: Option<Arc<ShownActions>>,
    /// Whether the box is ticked that says that what needs approval was read.
    is_ticked: bool,
}

/// What differs in the plan from the one that was shown.
fn what_changed(given: &GivenConsent, plan: &Plan) -> String {
    match &given.shown {
        None => "it is not known any more how it was".to_string(),
        Some(shown) => plans_shown::changes(shown, &plans_shown::actions(plan))
            .unwrap_or_else(|| "a tenant was suspended or resumed, or a kustomization is another".to_string()),
    }
}

const NOT_TICKED: &str = "Some actions need approval, and the box that says you read them is not ticked.";

fn needs_approval(plan: &Plan) -> bool {
    applicable(plan).any(|(_, action)| !action.needs_approval.is_empty())
}

/// Plans again, and applies if that is what was shown.
fn carry_out(
    desk: &PageDesk,
    from: &PageFolder,
    run: &ApplyRun,
    scope: &Scope,
    consent: &Consent,
    given: &GivenConsent,
) -> ApplyEnd {
    let before = desk.reading().shown;
    let refused = |message: String, help: &str| ApplyEnd::Refused { message, help: help.to_string() };
    let project = match (from.open)(opening(before.as_deref())) {
        Ok(project) => project,
        Err(failure) => return refused(failure.message, &failure.help),
    };
    let plan = planned::plan(&project, scope).plan;
    if digest_of_plan(&project, &plan) != given.digest {
        let what = what_changed(given, &plan);
        let message = format!("The plan changed since it was shown ({what}).");
        return refused(message, "Nothing was written. Look at what it would do now, and apply that.");
    }
    // The plan that the page had when the form came may have needed no approval.
    if *consent == Consent::All && !given.is_ticked && needs_approval(&plan) {
        return refused(NOT_TICKED.to_string(), "Nothing was written. Read the plan again, and tick the box.");
    }
    let folder = from.state_folder.as_ref().map(|folder| StateFolder::of(folder, &project));
    let approvals: &dyn Approvals = match &folder {
        Some(folder) => folder,
        None => &NotKept,
    };
    let mut progress = |id: &str, outcome: &apply::Outcome| {
        run.add(id, outcome);
        desk.step();
    };
    let interrupted = || run.is_stopping();
    let report = match apply::apply(&project, approvals, &plan, consent, &interrupted, &mut progress) {
        Ok(report) => report,
        Err(refusal) => {
            let help = match &refusal {
                Refusal::Void { .. } | Refusal::UnknownDigest { .. } => "Nothing was written. Read the plan again.",
                Refusal::Location(_) => "Fix that, then apply again: what was done stays done.",
            };
            return refused(refusal.to_string(), help);
        }
    };
    let fields = fields_of(&report, &plan);
    let kustomized = keep_kustomizations(&project, &plan);
    let done = apply::digest_of(apply::done(&plan, &report));
    // The project is read again; keeping both in memory would need twice as much.
    drop(project);
    let after = (from.open)(opening(before.as_deref())).map_err(|failure| failure.message).map(|project| {
        let after = planned::plan(&project, scope);
        (apply::receipt(done, &after.world), after.plan)
    });
    let forgotten = after.as_ref().map(|(_, plan)| apply::forget_approvals(approvals, plan));
    let mut warnings: Vec<String> = folder.iter().flat_map(StateFolder::take_warnings).collect();
    if let Ok(Err(error)) = forgotten {
        warnings.push(error.to_string());
    }
    let mut left = left_to_people(&report, &plan);
    left.extend(after.iter().flat_map(|(_, after)| left_to_people(&report, after)));
    ApplyEnd::Done(Box::new(ApplyResult { report, fields, after, left, kustomized, warnings }))
}

/// The changed fields of the first actions that were carried out.
fn fields_of(report: &Report, plan: &Plan) -> BTreeMap<String, Vec<FieldChange>> {
    let done = report.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done).take(view::receipt::MOST);
    let done: BTreeSet<&str> = done.map(|(id, _)| id.as_str()).collect();
    let done = plan.actions().filter(|(_, action)| done.contains(action.id.as_str()));
    done.map(|(_, action)| (action.id.clone(), action.fields.clone())).collect()
}

/// The manual steps that a plan names for objects that were written. Once they are, the plan after them names fewer.
fn left_to_people(report: &Report, plan: &Plan) -> BTreeSet<(String, String, String)> {
    let done: BTreeSet<&str> =
        report.outcomes.iter().filter(|(_, outcome)| *outcome == Outcome::Done).map(|(id, _)| id.as_str()).collect();
    let mut steps = BTreeSet::new();
    for target in &plan.targets {
        for note in &target.notes {
            if let Note::Manual { object, who, text, .. } = note
                && done.contains(format!("{}/{object}", target.tenant).as_str())
            {
                steps.insert((target.tenant.clone(), who.to_string(), text.clone()));
            }
        }
    }
    steps
}

/// Brings the kustomizations of folders up to date that the plan showed.
fn keep_kustomizations(project: &Project, plan: &Plan) -> Vec<(String, Result<(), String>)> {
    let due = planned::kustomizations(project, plan);
    let due = due.iter().filter(|(_, due)| due.changes.as_ref().is_ok_and(|changes| !changes.is_empty()));
    let folder = |name: &str| project.tenants.get(name)?.location.as_ref().and_then(TenantLocation::folder);
    due.filter_map(|(tenant, _)| {
        let kept = folder(tenant)?.keep_kustomization().map_err(|error| error.to_string());
        Some((tenant.to_string(), kept))
    })
    .collect()
}

/// Stops the apply that runs after its current write.
pub(crate) fn stop(request: &Request) -> Reply {
    if let Some(run) = request.desk.running.last() {
        run.stop();
    }
    reply::see_other("/apply")
}

/// Everything is read again: what is written must be what is there now.
fn opening(before: Option<&ShownProject>) -> OpenScope<'_> {
    before.map_or(OpenScope::First, |shown| OpenScope::Everything(&shown.project))
}
