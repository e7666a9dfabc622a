//! From a project to a plan.

use super::Failure;
use crate::api::{Kind, TenantSyncSpec};
use crate::engine::closure::{Core, Index, Seeds};
use crate::engine::code::{Code, Severity};
use crate::engine::item::ObjectId;
use crate::engine::near_miss::{listed, near_misses};
use crate::engine::plan::{Action, ActionKind, At, Finding, Note, Plan, Scope, plan};
use crate::engine::record::Writer;
use crate::engine::world::{Inventory, Sync, World};
use crate::manifest::Problem;
use crate::tenant::project::{Project, UNNAMED};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A plan and the world that it was made from.
pub struct Planned {
    /// As it was read, unwritten syncs included.
    pub world: World,
    /// The plan.
    pub plan: Plan,
}

/// Plans a project within a scope.
pub fn make(project: &Project, scope: &Scope) -> Result<Planned, Failure> {
    let mut world = project.world();
    add_unwritten_syncs(&mut world, scope)?;
    check_names(project, &world, scope)?;
    let mut plan = plan(&world, scope);
    add_what_would_be_missing(&world, scope, &mut plan);
    if !scope.integrations.is_empty() {
        let seeds = Seeds { keys: BTreeSet::new(), integrations: scope.integrations.clone() };
        let core = Core::of(&Index::of(&world), &seeds);
        plan.retain(&|id| core.contains(id));
    }
    plan.skipped.other_kinds = project.other_kinds;
    plan.findings.extend(project.own_problems.iter().map(finding));
    plan.findings.sort_by_key(|f| f.severity);
    locate(project, &world.syncs, &mut plan);
    plan.settle();
    Ok(Planned { world, plan })
}

/// Asks the places whether they would take what is planned; what they would refuse becomes a finding.
///
/// Where rights are missing, the Roles that would do are given back.
pub fn ask_servers(project: &Project, plan: &mut Plan) -> BTreeSet<String> {
    let mut findings = Vec::new();
    let mut roles = BTreeSet::new();
    for target in plan.targets.iter().filter(|target| !target.actions.is_empty()) {
        let Some(place) = project.place(&target.tenant) else { continue };
        let actions: Vec<&Action> = target.actions.iter().collect();
        match place.dry_run(&actions) {
            Ok(refused) => findings.extend(refused.into_iter().map(|(object, error)| {
                roles.extend(error.role().map(str::to_string));
                let mend = "change what is declared, or what refuses it; apply would fail here";
                Finding::of(Code::ServerRefuses, &target.tenant, object, error.to_string(), mend)
            })),
            Err(error) => {
                roles.extend(error.role().map(str::to_string));
                let tenant = ObjectId::new(Kind::Tenant, &target.tenant);
                let text = format!("{} was not asked: {}", target.tenant, error);
                let mend = "mend that and plan again, or plan without --server";
                findings.push(Finding::of(Code::TenantUnreachable, &target.tenant, tenant, text, mend));
            }
        }
    }
    plan.findings.extend(findings);
    plan.findings.sort_by_key(|f| f.severity);
    plan.settle();
    roles
}

/// A problem of a file, told with the findings of the checks.
pub fn finding(problem: &Problem) -> Finding {
    Finding {
        code: Code::ObjectInvalid,
        severity: Severity::Error,
        tenant: None,
        object: None,
        text: problem.message.clone(),
        mend: problem.help.clone(),
        at: Some(At { file: problem.file.clone(), line: problem.line }),
    }
}

fn add_unwritten_syncs(world: &mut World, scope: &Scope) -> Result<(), Failure> {
    for (from, to) in scope.syncs.iter().filter_map(|s| s.split_once(':')) {
        for tenant in [from, to] {
            known("tenant", tenant, world.tenants.keys())?;
        }
        let spec = TenantSyncSpec {
            from: from.to_string(),
            to: vec![to.to_string()],
            integrations: vec!["*".to_string()],
            connections: None,
            prune: None,
            mode: None,
            overrides: Vec::new(),
        };
        world.syncs.push(Sync { writer: Writer::Promote(from.to_string()), spec: Arc::new(spec) });
    }
    Ok(())
}

/// A sync that is only tried (`FROM:TO`) and not accepted still says what the target would miss.
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
    for trial in plan(&accepted, scope).targets {
        let Some(target) = made.targets.iter_mut().find(|t| t.tenant == trial.tenant) else { continue };
        for note in trial.notes {
            if matches!(note, Note::Blocked { .. }) && !target.notes.contains(&note) {
                target.notes.push(note);
            }
        }
    }
}

/// A name that nothing has is a mistake, not an empty plan.
fn check_names(project: &Project, world: &World, scope: &Scope) -> Result<(), Failure> {
    for tenant in &scope.tenants {
        known("tenant", tenant, world.tenants.keys())?;
    }
    let syncs: Vec<String> =
        project.syncs.iter().filter_map(|s| s.writer.to_string().strip_prefix("sync/").map(str::to_string)).collect();
    for sync in scope.syncs.iter().filter(|s| !s.contains(':')) {
        known("sync", sync, syncs.iter())?;
    }
    let views = world.tenants.values().flat_map(|t| [Some(&t.live), t.source.as_ref()]).flatten();
    // One that is invalid is there: what is wrong with it is said where it is planned.
    let invalid = |id: &'_ ObjectId| id.kind == Kind::Integration;
    let of_inventory = |i: &'_ Arc<Inventory>| {
        i.integrations
            .keys()
            .chain(i.invalid.keys().filter(|id| invalid(id)).map(|id| &id.name))
            .cloned()
            .collect::<Vec<_>>()
    };
    let integrations: BTreeSet<String> = views.filter_map(|v| v.inventory()).flat_map(of_inventory).collect();
    for integration in &scope.integrations {
        known("integration", integration, integrations.iter())?;
    }
    Ok(())
}

/// An error that names what there is.
pub fn known<'a>(what: &str, name: &str, there: impl Iterator<Item = &'a String>) -> Result<(), Failure> {
    let there: Vec<&str> = there.map(String::as_str).filter(|t| *t != UNNAMED).collect();
    if there.contains(&name) {
        return Ok(());
    }
    let near = near_misses(name, there.iter().copied());
    let help = match (near.as_slice(), there.as_slice()) {
        (_, []) => format!("there is no {what} at all: is this the right root?"),
        ([], there) => format!("there is {}", listed(there)),
        (near, _) => format!("did you mean {}?", near.join(" or ")),
    };
    Err(Failure::new(format!("there is no {what} {name}"), help))
}

/// Writes down where a person would look for what the plan speaks of.
fn locate(project: &Project, syncs: &[Sync], plan: &mut Plan) {
    for target in &mut plan.targets {
        for action in &mut target.actions {
            // Of what is made or goes the whole is meant.
            let is_of_fields = !matches!(action.action, ActionKind::Create | ActionKind::Delete);
            let changed = action.fields.first().filter(|_| is_of_fields);
            let path = changed.map(|c| c.field.document_path()).unwrap_or_default();
            // Where it is declared is where it can be changed; a delete is declared nowhere.
            let id = &action.change.object;
            let mut writers = action.writers.iter().filter(|_| action.action != ActionKind::Delete);
            let declared = writers.find_map(|writer| match writer {
                Writer::Source => project.declared_at(&target.tenant, id, &path),
                _ => {
                    let sync = syncs.iter().find(|s| s.writer == *writer)?;
                    project.at(Some(&sync.spec.from), id, &path)
                }
            });
            action.at = declared.or_else(|| project.at(Some(&target.tenant), id, &path));
        }
    }
    for finding in plan.findings.iter_mut().filter(|f| f.at.is_none()) {
        if let Some(id) = &finding.object {
            finding.at = project.at(finding.tenant.as_deref(), id, &[]);
        }
        // Where a tenant is said to be is where that can be corrected.
        if let (Code::TenantUnreachable, Some(tenant)) = (finding.code, &finding.tenant) {
            let place = ["spec", "place"].map(str::to_string);
            finding.at = project.at(None, &ObjectId::new(Kind::Tenant, tenant), &place);
        }
    }
}
