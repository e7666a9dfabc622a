//! Narrows a plan to a scope, and keeps every mark that the whole plan sets on the remaining actions.

use super::closure::{Core, Index, Seeds, retain};
use super::model::code::Code;
use super::model::finding::Finding;
use super::model::inventory::World;
use super::model::item::ObjectId;
use super::model::plan::{Action, ActionKind, Approval, Note, Plan, Scope, Target};
use super::model::record::Writer;
use super::model::revert::Revert;
use super::plan::{digests, plan};
use crate::api::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// Plans a scope, and keeps every mark that the whole plan sets on its actions: narrowing hides other actions, but
/// never makes an action safer.
pub fn plan_narrowed(world: &World, scope: &Scope) -> Plan {
    let mut narrowed = plan(world, scope);
    let is_narrowed = !scope.syncs.is_empty() || !scope.integrations.is_empty() || scope.revert.is_some();
    if !scope.syncs.is_empty() {
        let all_syncs = plan(world, &Scope { syncs: BTreeSet::new(), ..scope.clone() });
        drop_conflicts(&mut narrowed, &all_syncs);
        keep_waiting(&mut narrowed, &all_syncs);
        keep_sync_dependencies(&mut narrowed, scope);
        keep_marks(&mut narrowed, &all_syncs);
    }
    // Without actions there is nothing to mark.
    if !scope.tenants.is_empty() && !narrowed.is_empty() {
        keep_marks(&mut narrowed, &plan(world, &Scope { revert: scope.revert.clone(), ..Scope::default() }));
    }
    if !scope.integrations.is_empty() {
        let seeds = Seeds { keys: BTreeSet::new(), integrations: scope.integrations.clone() };
        let core = Core::of(&Index::of(world), &seeds);
        retain(&mut narrowed, &|id| core.contains(id));
    }
    if let Some(revert) = &scope.revert {
        only_reverted(&mut narrowed, revert);
    }
    if is_narrowed && !narrowed.is_empty() {
        let whole = plan(world, &Scope { syncs: BTreeSet::new(), integrations: BTreeSet::new(), ..scope.clone() });
        drop_hidden_redirects(&mut narrowed, &whole);
    }
    narrowed
}

/// Keeps what is put back, and what concerns that object or its tenant as a whole.
fn only_reverted(plan: &mut Plan, revert: &Revert) {
    let all: BTreeSet<String> = plan.actions().map(|(_, action)| action.id.clone()).collect();
    let of_tenant = |tenant: &str| tenant == revert.tenant;
    retain(plan, &|id| *id == revert.object);
    plan.targets.retain(|target| of_tenant(&target.tenant));
    plan.findings.retain(|finding| {
        finding.tenant.as_deref().is_some_and(of_tenant)
            && finding.object.as_ref().is_some_and(|id| *id == revert.object || id.kind == Kind::Tenant)
    });
    for target in &mut plan.targets {
        // What it depends on is not part of this plan.
        let waits = |action: &Action| action.after.iter().find(|id| all.contains(*id)).cloned();
        let waiting: Vec<String> = target.actions.iter().filter_map(waits).collect();
        if waiting.is_empty() {
            continue;
        }
        target.actions.clear();
        target.waiting.clear();
        target.digests.clear();
        target.notes.push(Note::Blocked {
            object: revert.object.clone(),
            code: Code::BindingWaits,
            text: format!("it waits for {}, which is not done yet", waiting.join(", ")),
            fix: format!("apply the plan of {} first", revert.tenant),
            commands: Vec::new(),
        });
    }
    plan.recount();
}

/// Adds the marks that another plan sets on the same objects. A mark of a whole target applies to all of its updates
/// and deletes.
fn keep_marks(plan: &mut Plan, whole: &Plan) {
    for target in &mut plan.targets {
        let Some(of_whole) = whole.targets.iter().find(|t| t.tenant == target.tenant) else { continue };
        let marked: BTreeMap<&str, &Action> = of_whole.actions.iter().map(|a| (a.id.as_str(), a)).collect();
        let too_many = marks(of_whole).find(|mark| mark.code == Code::TooManyChanges);
        for action in &mut target.actions {
            let changes = matches!(action.action, ActionKind::Update | ActionKind::Delete);
            let own = marked.get(action.id.as_str()).into_iter().flat_map(|a| &a.needs_approval);
            for mark in own.chain(too_many.filter(|_| changes)) {
                match action.needs_approval.iter_mut().find(|there| there.code == mark.code) {
                    // The text from the whole plan counts more changes.
                    Some(there) if mark.code.is_of_whole_target() => *there = mark.clone(),
                    Some(_) => {}
                    None => action.needs_approval.push(mark.clone()),
                }
            }
        }
    }
    plan.recount();
}

/// Removes changes of objects on which two writers conflict, or which one removes and another keeps, and reports them:
/// a plan of only one of the writers cannot detect this.
fn drop_conflicts(plan: &mut Plan, all: &Plan) {
    let is_conflict = |finding: &&Finding| finding.code == Code::WriterConflict;
    let object = |f: &Finding| Some((f.tenant.clone()?, f.object.clone()?));
    let conflicts: BTreeMap<(String, ObjectId), &Finding> =
        all.findings.iter().filter(is_conflict).filter_map(|f| Some((object(f)?, f))).collect();
    let mut found = Vec::new();
    let mut out = BTreeSet::new();
    for (target, action) in plan.actions() {
        if let Some(finding) = conflicts.get(&(target.tenant.clone(), action.change.object.clone())) {
            found.push((*finding).clone());
            out.insert(action.id.clone());
        }
    }
    // Objects that another sync declares, or may declare, are kept.
    let whole: BTreeMap<&str, ActionKind> = all.actions().map(|(_, a)| (a.id.as_str(), a.action)).collect();
    let is_delete = |a: &&Action| a.action == ActionKind::Delete;
    let deletes = plan.actions().map(|(_, a)| a).filter(is_delete).map(|a| a.id.clone());
    out.extend(deletes.filter(|id| whole.get(id.as_str()) != Some(&ActionKind::Delete)));
    loop {
        let depends = |action: &&Action| !out.contains(&action.id) && !action.after.is_disjoint(&out);
        let more: Vec<String> = plan.actions().map(|(_, a)| a).filter(depends).map(|a| a.id.clone()).collect();
        if more.is_empty() {
            break;
        }
        out.extend(more);
    }
    keep_actions(plan, &|action| !out.contains(&action.id));
    plan.findings.extend(found.into_iter().filter(|f| !plan.findings.contains(f)).collect::<Vec<_>>());
    plan.findings.sort_by_key(|finding| finding.severity);
    plan.recount();
}

/// Lets wait what waits in the whole plan: a plan of only some of the syncs cannot detect that an action depends on one
/// of a sync that waits for an earlier stage.
fn keep_waiting(plan: &mut Plan, whole: &Plan) {
    let waiting: BTreeSet<&str> = whole.waiting().map(|(_, action)| action.id.as_str()).collect();
    for target in &mut plan.targets {
        let waits = |action: &mut Action| waiting.contains(action.id.as_str());
        let more: Vec<Action> = target.actions.extract_if(.., waits).collect();
        if !more.is_empty() {
            target.waiting.extend(more);
            target.digests = digests(&target.actions);
        }
    }
    plan.recount();
}

/// Removes actions that the whole plan does only after a credential redirect that is out of scope: once they are done,
/// that redirect would look harmless.
fn drop_hidden_redirects(plan: &mut Plan, whole: &Plan) {
    let is_redirect = |action: &&Action| action.needs_approval.iter().any(|a| a.code == Code::CredentialRedirect);
    let redirects: BTreeSet<&str> =
        whole.actions().map(|(_, a)| a).filter(is_redirect).map(|a| a.id.as_str()).collect();
    let here: BTreeSet<String> = plan.actions().map(|(_, a)| a.id.clone()).collect();
    let waits = |action: &&Action| action.after.iter().any(|id| redirects.contains(id.as_str()) && !here.contains(id));
    let out: BTreeSet<&str> = whole.actions().map(|(_, a)| a).filter(waits).map(|a| a.id.as_str()).collect();
    keep_actions(plan, &|action| !out.contains(action.id.as_str()));
    plan.recount();
}

/// Keeps the actions of the syncs in scope, and the actions that these depend on.
fn keep_sync_dependencies(plan: &mut Plan, scope: &Scope) {
    let named = |writers: &BTreeSet<Writer>| writers.iter().any(|writer| writer.is_sync() && scope.carries(writer));
    let mut kept = BTreeSet::new();
    let all = || plan.actions().chain(plan.waiting()).map(|(_, action)| action);
    let mut next: Vec<String> = all().filter(|a| named(&a.writers)).map(|a| a.id.clone()).collect();
    let after: BTreeMap<&str, &BTreeSet<String>> = all().map(|a| (a.id.as_str(), &a.after)).collect();
    while let Some(id) = next.pop() {
        next.extend(after.get(id.as_str()).into_iter().copied().flatten().filter(|id| !kept.contains(*id)).cloned());
        kept.insert(id);
    }
    keep_actions(plan, &|action| kept.contains(&action.id));
    for target in &mut plan.targets {
        target.waiting.retain(|action| kept.contains(&action.id));
        let written: BTreeSet<&ObjectId> =
            target.actions.iter().chain(&target.waiting).map(|a| &a.change.object).collect();
        let concerned = &target.concerned;
        let concerns = |id: &ObjectId| concerned.get(id).is_none_or(|writers| writers.is_empty() || named(writers));
        target.notes.retain(|note| written.contains(note.object()) || concerns(note.object()));
    }
    plan.recount();
}

fn keep_actions(plan: &mut Plan, wanted: &dyn Fn(&Action) -> bool) {
    for target in &mut plan.targets {
        target.actions.retain(|action| wanted(action));
        target.digests = digests(&target.actions);
    }
}

fn marks(target: &Target) -> impl Iterator<Item = &Approval> {
    target.actions.iter().flat_map(|action| &action.needs_approval)
}
