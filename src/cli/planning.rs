//! Plans a project whose names a person gave.

use super::CommandFailure;
use crate::api::Kind;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Plan, Scope};
use crate::near_miss::near_or_all;
use crate::project::planned::{PlannedProject, plan};
use crate::project::{Project, UNNAMED};
use std::collections::BTreeSet;

/// Plans a project within a scope. All names in the scope must exist.
pub(super) fn make(project: &Project, scope: &Scope) -> Result<PlannedProject, CommandFailure> {
    check_names(project, scope, &BTreeSet::new())?;
    Ok(plan(project, scope))
}

/// Plans a project within the scope of a plan file. The integrations in `planned` may have been removed since.
pub(super) fn make_from_file(
    project: &Project,
    scope: &Scope,
    planned: &BTreeSet<String>,
) -> Result<PlannedProject, CommandFailure> {
    check_names(project, scope, planned)?;
    Ok(plan(project, scope))
}

/// Asks the locations, by a dry run, whether they accept the planned changes; a refusal becomes a finding.
///
/// Returns the Roles that grant missing rights.
pub(super) fn ask_servers(project: &Project, plan: &mut Plan) -> BTreeSet<String> {
    let mut findings = Vec::new();
    let mut roles = BTreeSet::new();
    for target in plan.targets.iter().filter(|target| !target.actions.is_empty()) {
        let Some(location) = project.location(&target.tenant) else { continue };
        let actions: Vec<&Action> = target.actions.iter().collect();
        match location.dry_run(&actions) {
            Ok(refused) => findings.extend(refused.into_iter().map(|(object, error)| {
                roles.extend(error.role().map(str::to_string));
                let fix = "change what is declared, or what refuses it; apply would fail here";
                Finding::of(Code::ServerRefuses, &target.tenant, object, error.to_string(), fix)
            })),
            Err(error) => {
                roles.extend(error.role().map(str::to_string));
                let tenant = ObjectId::new(Kind::Tenant, &target.tenant);
                let text = format!("{} was not checked: {}", target.tenant, error);
                let fix = "fix that and plan again, or plan without --server";
                findings.push(Finding::of(Code::TenantUnreachable, &target.tenant, tenant, text, fix));
            }
        }
    }
    plan.findings.extend(findings);
    plan.findings.sort_by_key(|f| f.severity);
    plan.recount();
    roles
}

/// Rejects names that exist neither before nor after a change of the project.
pub(super) fn check_names_of_either(before: &Project, after: &Project, scope: &Scope) -> Result<(), CommandFailure> {
    let nothing = BTreeSet::new();
    check_names(after, scope, &nothing).or_else(|failure| check_names(before, scope, &nothing).map_err(|_| failure))
}

/// Rejects unknown names: the plan would be empty.
fn check_names(project: &Project, scope: &Scope, planned: &BTreeSet<String>) -> Result<(), CommandFailure> {
    let unwritten = scope.syncs.iter().filter_map(|sync| sync.split_once(':')).flat_map(|(from, to)| [from, to]);
    for tenant in scope.tenants.iter().map(String::as_str).chain(unwritten) {
        known("tenant", tenant, project.tenants.keys())?;
    }
    let syncs: Vec<String> =
        project.syncs.iter().filter_map(|s| s.writer.to_string().strip_prefix("sync/").map(str::to_string)).collect();
    for sync in scope.syncs.iter().filter(|s| !s.contains(':')) {
        known("sync", sync, syncs.iter())?;
    }
    let views = || project.tenants.values().flat_map(|t| [Some(&t.live), t.source.as_ref()]).flatten();
    // A tenant that cannot be read may have any integration; the plan reports that it is unreadable.
    if views().any(|view| view.is_err()) {
        return Ok(());
    }
    let inventories = || views().flatten().map(|snapshot| &snapshot.inventory);
    let named = inventories().flat_map(|i| i.invalid.keys().chain(i.records.keys()));
    let named = named.filter(|id| id.kind == Kind::Integration).map(|id| &id.name);
    let there = inventories().flat_map(|i| i.integrations.keys()).chain(named).chain(planned);
    let integrations: BTreeSet<&String> = there.collect();
    for integration in &scope.integrations {
        known("integration", integration, integrations.iter().copied())?;
    }
    Ok(())
}

/// Fails with the known names if this one is unknown.
pub(super) fn known<'a>(what: &str, name: &str, there: impl Iterator<Item = &'a String>) -> Result<(), CommandFailure> {
    let there: Vec<&str> = there.map(String::as_str).filter(|t| *t != UNNAMED).collect();
    if there.contains(&name) {
        return Ok(());
    }
    let help = match there.as_slice() {
        [] => format!("there is no {what} at all: is this the right root?"),
        there => near_or_all(name, there.iter().copied()),
    };
    Err(CommandFailure::new(format!("there is no {what} {name}"), help))
}
