//! The plan of a project: its world, planned by the engine, with what files and kustomizations add, and where each item
//! stands.

use super::{Project, UNNAMED, at};
use crate::api::{Kind, TenantSyncSpec};
use crate::engine::closure::{Index, PlannedPart, Seeds};
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::{At, Finding};
use crate::engine::model::inventory::{Inventory, ReadOnly, Sync, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, Note, OverrideOf, Plan, Scope, Skipped};
use crate::engine::model::record::Writer;
use crate::engine::narrowing::plan_narrowed;
use crate::manifest::kustomization::REFERENCES;
use crate::manifest::{FileProblem, SourcePlace, is_manifest};
use crate::tenant::TenantLocation;
use crate::tenant::directory::{self, KustomizationDue};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A plan and the world that it is made from.
pub struct PlannedProject {
    /// The world, ad-hoc syncs included.
    pub world: World,
    pub plan: Plan,
}

/// Plans again within a scope: a name that an apply has removed is no error.
pub fn plan(project: &Project, scope: &Scope) -> PlannedProject {
    let mut world = project.world();
    add_unwritten_syncs(&mut world, scope);
    for (_, view) in world.tenants.iter_mut().filter(|(name, _)| scope.tenants.contains(*name)) {
        view.resend.clone_from(&scope.resend);
    }
    let mut plan = plan_narrowed(&world, scope);
    // Changes that wait for these may need a manual edit too; each round marks more, so the loop ends.
    while mark_manual_edits(project, &plan, &mut world) {
        plan = plan_narrowed(&world, scope);
    }
    add_what_would_be_missing(&world, scope, &mut plan);
    plan.skipped = Skipped {
        other_kinds: project.other_kinds,
        for_clusters: project.for_clusters.count(),
        links: project.passed_over,
        cautions: project.cautions.clone(),
    };
    plan.findings.extend(project.own_problems.iter().map(finding));
    plan.findings
        .extend(kustomizations(project, &plan).iter().flat_map(|(tenant, edits)| of_kustomization(tenant, edits)));
    plan.findings.sort_by_key(|f| f.severity);
    locate(project, &world.syncs, &mut plan);
    place_problems(project, &mut plan);
    complete_commands(project, &mut plan);
    plan.recount();
    PlannedProject { world, plan }
}

/// Plans the closure of what changed in these tenants, and puts it into the plan of before. What depends on whole
/// targets stays as it was. `None` where it would take as long to plan all.
pub fn plan_part(
    project: &Project,
    before: &PlannedProject,
    live: &BTreeMap<String, Arc<Inventory>>,
    index: &Index,
    seeds: &Seeds,
) -> Option<(PlannedProject, PlannedPart)> {
    let mut world = before.world.clone();
    for (name, inventory) in live {
        if let Some(tenant) = world.tenants.get_mut(name) {
            tenant.live = View::Read(Arc::clone(inventory));
        }
    }
    let mut part = PlannedPart::of(&world, index, seeds, &before.plan)?;
    locate(project, &world.syncs, &mut part.plan);
    complete_commands(project, &mut part.plan);
    let plan = part.put_into(&before.plan);
    Some((PlannedProject { world, plan }, part))
}

/// Marks the objects whose planned change needs a manual edit of their file, so that the plan reports it before an
/// apply fails. Returns whether there are any new ones.
fn mark_manual_edits(project: &Project, plan: &Plan, world: &mut World) -> bool {
    let mut is_any = false;
    for target in &plan.targets {
        let Some(origins) = project.origins_of_folder(&target.tenant) else { continue };
        let live = world.tenants.get(&target.tenant).and_then(|tenant| tenant.live.inventory());
        let manual = live.map(|live| directory::manual(&target.actions, origins, live)).unwrap_or_default();
        let tenant = world.tenants.get_mut(&target.tenant).filter(|_| !manual.is_empty());
        let Some(View::Read(live)) = tenant.map(|tenant| &mut tenant.live) else { continue };
        let read_only = &mut Arc::make_mut(live).read_only;
        for (id, why) in manual {
            is_any |= read_only.insert(id, ReadOnly::Manual(why)).is_none();
        }
    }
    is_any
}

/// The outdated kustomizations of the tenants that a plan may write to.
pub fn kustomizations<'p>(project: &'p Project, plan: &Plan) -> Vec<(&'p str, KustomizationDue)> {
    let Scope { tenants, integrations, syncs, resend: _, revert } = &plan.scope;
    let is_narrow = !integrations.is_empty() || !syncs.is_empty() || revert.is_some();
    let is_written = |name: &String| plan.targets.iter().any(|t| t.tenant == *name && !t.actions.is_empty());
    let is_meant = |name: &String| (tenants.is_empty() || tenants.contains(name)) && (!is_narrow || is_written(name));
    let meant = project.tenants.iter().filter(|(name, tenant)| is_meant(name) && !tenant.spec.is_suspended());
    let edits = meant.filter_map(|(name, tenant)| {
        let folder = tenant.location.as_ref().and_then(TenantLocation::folder)?;
        Some((name.as_str(), folder.kustomization_due(tenant.live.as_ref().ok()?)?))
    });
    edits.collect()
}

/// The findings about an outdated kustomization.
pub fn of_kustomization(tenant: &str, edits: &KustomizationDue) -> Vec<Finding> {
    let file = edits.path.display().to_string();
    let name = edits.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let of = |text: String, fix: String| Finding {
        code: Code::KustomizationDiffers,
        severity: Code::KustomizationDiffers.severity(),
        tenant: Some(tenant.to_string()),
        object: None,
        text,
        fix,
        commands: Vec::new(),
        path: Vec::new(),
        at: Some(At { file: file.clone(), line: 1 }),
    };
    let mut findings = Vec::new();
    match &edits.changes {
        Err(why) => {
            let fix = "correct that: until then it is not kept, and nothing is written that it would have to list";
            findings.push(of(format!("{name} cannot be kept: {why}"), fix.to_string()));
        }
        Ok(changes) if changes.is_empty() => {}
        Ok(changes) => {
            let some = |names: &[String]| some(&names.iter().map(String::as_str).collect::<Vec<_>>());
            let lacks = (!changes.come.is_empty()).then(|| format!("lacks {}", some(&changes.come)));
            let lists = (!changes.go.is_empty()).then(|| format!("lists {}, which was removed", some(&changes.go)));
            let what: Vec<String> = lacks.into_iter().chain(lists).collect();
            let aside = changes.come.iter().find(|entry| is_manifest(entry.as_bytes()) && *entry != REFERENCES);
            let aside = aside.map(|file| format!("; to leave a file out, list it as a comment there (# - {file})"));
            let fix = format!("apply brings it up to date, and asks before{}", aside.unwrap_or_default());
            findings.push(of(format!("{name} {}", what.join(", and ")), fix));
        }
    }
    if !edits.missing.is_empty() {
        let missing: Vec<&str> = edits.missing.iter().map(String::as_str).collect();
        let text = format!("{name} lists {}, which is not there", some(&missing));
        findings.push(of(text, "restore the file, or take it out of resources".to_string()));
    }
    findings
}

/// A list of names, cut after the first of many.
fn some(names: &[&str]) -> String {
    const MOST: usize = 6;
    match names.len().checked_sub(MOST).filter(|more| *more > 0) {
        None => names.join(", "),
        Some(more) => format!("{} and {more} more", names.get(..MOST).unwrap_or_default().join(", ")),
    }
}

/// Converts a problem of a file into a finding.
pub fn finding(problem: &FileProblem) -> Finding {
    Finding {
        code: Code::ObjectInvalid,
        severity: Severity::Error,
        tenant: None,
        object: None,
        text: problem.message.clone(),
        fix: problem.help.clone(),
        commands: Vec::new(),
        path: Vec::new(),
        at: Some(At { file: problem.file.clone(), line: problem.line }),
    }
}

fn add_unwritten_syncs(world: &mut World, scope: &Scope) {
    for (from, to) in scope.syncs.iter().filter_map(|s| s.split_once(':')) {
        let spec = TenantSyncSpec {
            from: from.to_string(),
            to: vec![to.to_string()],
            integrations: vec!["*".to_string()],
            ..TenantSyncSpec::default()
        };
        world.syncs.push(Sync { writer: Writer::Promote(from.to_string()), spec: Arc::new(spec) });
    }
}

/// Reports what a target would lack if it accepted an ad-hoc sync (`FROM:TO`).
fn add_what_would_be_missing(world: &World, scope: &Scope, made: &mut Plan) {
    let mut accepted = world.clone();
    let mut refused = false;
    for (from, to) in scope.syncs.iter().filter_map(|s| s.split_once(':')) {
        let Some(tenant) = accepted.tenants.get_mut(to) else { continue };
        if !tenant.spec.accept_from.iter().any(|accepted| accepted == from) {
            tenant.spec.accept_from.push(from.to_string());
            refused = true;
        }
    }
    if !refused {
        return;
    }
    for trial in plan_narrowed(&accepted, scope).targets {
        let Some(target) = made.targets.iter_mut().find(|t| t.tenant == trial.tenant) else { continue };
        for note in trial.notes {
            if matches!(note, Note::Blocked { .. }) && !target.notes.contains(&note) {
                target.notes.push(note);
            }
        }
    }
}

/// Names the project in the commands that make edits. Files without a Tenant are no project.
fn complete_commands(project: &Project, plan: &mut Plan) {
    let complete = |tenant: Option<&str>, commands: &mut Vec<EditCommand>| {
        if tenant == Some(UNNAMED) {
            commands.clear();
        }
        commands.iter_mut().for_each(|command| project.complete(command));
    };
    for finding in &mut plan.findings {
        complete(finding.tenant.as_deref(), &mut finding.commands);
    }
    for target in &mut plan.targets {
        for note in &mut target.notes {
            if let Note::Blocked { commands, .. } = note {
                complete(Some(&target.tenant), commands);
            }
        }
    }
}

/// Gives findings about a file that could not be read the line of the problem in it: the document may have no origin, or
/// the problem is far below its first line.
fn place_problems(project: &Project, plan: &mut Plan) {
    // Several problems may have the same words.
    let mut lines: BTreeMap<(&str, &str), Vec<u32>> = BTreeMap::new();
    for problem in project.problems.iter().filter(|problem| problem.line > 0) {
        lines.entry((problem.file.as_str(), problem.message.as_str())).or_default().push(problem.line);
    }
    for finding in &mut plan.findings {
        if let Some(at) = &mut finding.at
            && let Some(lines) = lines.get(&(at.file.as_str(), finding.text.as_str()))
            && !lines.contains(&at.line)
        {
            // The document begins at or above it.
            let below = lines.iter().copied().filter(|line| *line >= at.line).min();
            at.line = below.or(lines.first().copied()).unwrap_or(at.line);
        }
    }
}

/// A part of a document whose line is needed.
type WantedOrigin<'p> = (&'p SourcePlace, Vec<String>);

/// Adds the file and line of each item of the plan.
fn locate(project: &Project, syncs: &[Sync], plan: &mut Plan) {
    let actions = plan.targets.iter().flat_map(|target| target.actions.iter().map(move |action| (target, action)));
    let of_actions: Vec<Option<WantedOrigin<'_>>> =
        actions.map(|(target, action)| where_declared(project, syncs, &target.tenant, action)).collect();
    let unplaced = |finding: &&Finding| finding.at.is_none();
    let of_findings: Vec<Option<WantedOrigin<'_>>> =
        plan.findings.iter().filter(unplaced).map(|finding| where_found(project, finding)).collect();
    let wanted: Vec<WantedOrigin<'_>> = of_actions.iter().chain(&of_findings).flatten().cloned().collect();
    let mut found = at(&wanted).into_iter();
    let mut next = |wanted: &Option<WantedOrigin<'_>>| wanted.as_ref().and_then(|_| found.next());
    let actions = plan.targets.iter_mut().flat_map(|target| &mut target.actions);
    actions.zip(&of_actions).for_each(|(action, wanted)| action.at = next(wanted));
    let findings = plan.findings.iter_mut().filter(|finding| finding.at.is_none());
    findings.zip(&of_findings).for_each(|(finding, wanted)| finding.at = next(wanted));
}

/// The position of the declaration, where it can be changed; a delete has none.
fn where_declared<'p>(project: &'p Project, syncs: &[Sync], tenant: &str, action: &Action) -> Option<WantedOrigin<'p>> {
    // A created or deleted object is shown as a whole.
    let is_of_fields = !matches!(action.action, ActionKind::Create | ActionKind::Delete);
    let changed = action.fields.first().filter(|_| is_of_fields);
    let path = changed.map(|c| c.field.document_path()).unwrap_or_default();
    let id = &action.change.object;
    let first = changed.map(|c| &c.field);
    let by_override = action.overrides.iter().find(|o| Some(&o.field) == first);
    if let Some(OverrideOf { writer: writer @ Writer::Sync(_), position, .. }) = by_override {
        return where_overridden(project, writer, *position);
    }
    let mut writers = action.writers.iter().filter(|_| action.action != ActionKind::Delete);
    let declared = writers.find_map(|writer| match writer {
        Writer::Source => project.declared(tenant, id),
        _ => project.origin(Some(&syncs.iter().find(|s| s.writer == *writer)?.spec.from), id),
    });
    Some((declared.or_else(|| project.origin(Some(tenant), id))?, path))
}

/// The file and line of a sync.
pub fn place_of_sync(project: &Project, writer: &Writer) -> Option<At> {
    let Writer::Sync(sync) = writer else { return None };
    at(&[(project.origin(None, &ObjectId::new(Kind::TenantSync, sync))?, Vec::new())]).pop()
}

/// The files and lines of the first overrides of a sync.
pub fn places_of_overrides(project: &Project, writer: &Writer, number: usize) -> Vec<At> {
    let wanted = (0..number).map(|position| where_overridden(project, writer, position));
    match wanted.collect::<Option<Vec<WantedOrigin<'_>>>>() {
        Some(wanted) => at(&wanted),
        None => Vec::new(),
    }
}

fn where_overridden<'p>(project: &'p Project, writer: &Writer, position: usize) -> Option<WantedOrigin<'p>> {
    let Writer::Sync(sync) = writer else { return None };
    let path = vec!["spec".to_string(), "overrides".to_string(), position.to_string()];
    Some((project.origin(None, &ObjectId::new(Kind::TenantSync, sync))?, path))
}

fn where_found<'p>(project: &'p Project, finding: &Finding) -> Option<WantedOrigin<'p>> {
    // The location of a tenant can be corrected in its Tenant, as its source can.
    if let (Code::TenantUnreachable, Some(tenant)) = (finding.code, &finding.tenant)
        && let Some(origin) = project.origin(None, &ObjectId::new(Kind::Tenant, tenant))
    {
        let location = || ["spec", "location"].map(str::to_string).to_vec();
        return Some((origin, if finding.path.is_empty() { location() } else { finding.path.clone() }));
    }
    let origin = project.origin(finding.tenant.as_deref(), finding.object.as_ref()?)?;
    Some((origin, finding.path.clone()))
}
