//! What waits for suspended syncs: the plan as if they were resumed, beside the plan.

use super::staged;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Note, Plan, Scope, Target, WaitsForResume};
use crate::engine::model::record::Writer;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The most suspended syncs that lead to the same tenants and are planned one by one. Of more, not all that waits is known
/// where they lead to.
pub const MOST_ALONE: usize = 8;

/// Adds what waits for the suspended syncs in scope: the number of actions of each, and the objects.
pub(super) fn add_waiting(world: &World, scope: &Scope, plan: &mut Plan) {
    let is_suspended = |sync: &&Sync| sync.spec.is_suspended() && scope.carries(&sync.writer);
    let suspended: Vec<&Sync> = world.syncs.iter().filter(is_suspended).collect();
    if suspended.is_empty() {
        return;
    }
    let would = staged::plan_with_waiting(&resumed(world, |_| true), scope);
    for target in &mut plan.targets {
        let there = would.targets.iter().find(|there| there.tenant == target.tenant);
        let actions = || there.into_iter().flat_map(|there| there.actions.iter().chain(&there.waiting));
        for sync in suspended.iter().filter(|sync| sync.spec.goes_to(&target.tenant)) {
            let waiting = actions().filter(|action| action.writers.contains(&sync.writer)).count();
            target.suspended_syncs.insert(sync.writer.to_string(), waiting);
        }
    }
    add_objects(world, would, |world| staged::plan_with_waiting(world, scope), plan);
}

/// Adds the objects of a part of a plan that wait for suspended syncs. `plan_again` plans the same part of a world.
pub fn add_waiting_objects(world: &World, plan_again: impl Fn(&World) -> Plan, plan: &mut Plan) {
    if world.syncs.iter().any(|sync| sync.spec.is_suspended()) {
        let would = plan_again(&resumed(world, |_| true));
        add_objects(world, would, plan_again, plan);
    }
}

/// The world with these suspended syncs resumed.
fn resumed(world: &World, is_meant: impl Fn(&Writer) -> bool) -> World {
    let mut resumed = world.clone();
    for sync in resumed.syncs.iter_mut().filter(|sync| sync.spec.is_suspended() && is_meant(&sync.writer)) {
        Arc::make_mut(&mut sync.spec).suspend = None;
    }
    resumed
}

/// Suspended syncs that lead to the same tenants, directly or by way of others, and these tenants.
#[derive(Default)]
struct MeetingSyncs<'w> {
    syncs: Vec<&'w Sync>,
    tenants: BTreeSet<&'w str>,
}

/// Groups suspended syncs by the tenants that they lead to.
fn meeting<'w>(world: &'w World, suspended: &[&'w Sync]) -> Vec<MeetingSyncs<'w>> {
    let mut groups: Vec<MeetingSyncs<'w>> = Vec::new();
    for sync in suspended {
        let tenants = leads_to(world, sync);
        let (met, apart): (Vec<_>, Vec<_>) = groups.into_iter().partition(|group| !group.tenants.is_disjoint(&tenants));
        groups = apart;
        let mut one = MeetingSyncs { syncs: vec![*sync], tenants };
        for group in met {
            one.syncs.extend(group.syncs);
            one.tenants.extend(group.tenants);
        }
        groups.push(one);
    }
    groups
}

/// Adds the objects that wait, from the plan with all syncs resumed and from plans in which of the syncs that meet only one
/// is: a person resumes one at a time, and one may copy from where another writes.
fn add_objects(world: &World, all_resumed: Plan, plan_again: impl Fn(&World) -> Plan, plan: &mut Plan) {
    let suspended: Vec<&Sync> = world.syncs.iter().filter(|sync| sync.spec.is_suspended()).collect();
    let groups = meeting(world, &suspended);
    let (many, few): (Vec<&MeetingSyncs<'_>>, Vec<_>) = groups.iter().partition(|g| g.syncs.len() > MOST_ALONE);
    let most = few.iter().map(|group| group.syncs.len()).filter(|len| *len > 1).max().unwrap_or(0);
    // Syncs that do not meet are resumed at once.
    let mut others = (0..most).map(|at| {
        let one_of_each = |writer: &Writer| few.iter().any(|g| g.syncs.get(at).is_some_and(|s| s.writer == *writer));
        plan_again(&resumed(world, one_of_each))
    });
    let mut would = Some(all_resumed);
    let now = &plan.findings;
    for target in &mut plan.targets {
        let are_too_many = many.iter().any(|group| group.tenants.contains(target.tenant.as_str()));
        target.waits_for_resume.are_too_many = are_too_many;
        target.waits_for_resume.is_complete = !are_too_many;
    }
    while let Some(plan_then) = would {
        for target in &mut plan.targets {
            let into = suspended.iter().filter(|sync| sync.spec.goes_to(&target.tenant)).map(|sync| &sync.writer);
            let more = waits_for_resume(&plan_then, now, target, &into.collect::<Vec<_>>());
            target.waits_for_resume.objects.extend(more.objects);
            target.waits_for_resume.is_complete &= more.is_complete;
        }
        would = others.next();
    }
}

/// The tenants that a sync and those that copy from its targets write to.
fn leads_to<'w>(world: &'w World, sync: &'w Sync) -> BTreeSet<&'w str> {
    let mut tenants = BTreeSet::new();
    let mut next: Vec<&str> = sync.spec.targets().map(String::as_str).collect();
    while let Some(tenant) = next.pop() {
        if tenants.insert(tenant) {
            let from_there = world.syncs.iter().filter(|sync| sync.spec.from == tenant);
            next.extend(from_there.flat_map(|sync| sync.spec.targets().map(String::as_str)));
        }
    }
    tenants
}

/// The objects of a target in which the plan of resumed syncs, `would`, wants something else: what they and those that
/// copy from their targets would change, what keeps them from it, and what their reading finds. `into` are the suspended
/// syncs into the target.
fn waits_for_resume(would: &Plan, now: &[Finding], target: &Target, into: &[&Writer]) -> WaitsForResume {
    let Some(there) = would.targets.iter().find(|there| there.tenant == target.tenant) else {
        return WaitsForResume::default();
    };
    let known: HashMap<&ObjectId, &Action> =
        target.actions.iter().chain(&target.waiting).map(|action| (&action.change.object, action)).collect();
    let mut objects: BTreeSet<ObjectId> = BTreeSet::new();
    for action in there.actions.iter().chain(&there.waiting) {
        let id = &action.change.object;
        if !known.get(id).is_some_and(|known| is_same(known, action)) {
            objects.insert(id.clone());
        }
    }
    let noted: HashMap<&ObjectId, Vec<&Note>> = notes(target).fold(HashMap::new(), |mut all, note| {
        all.entry(note.object()).or_default().push(note);
        all
    });
    let is_new = |note: &&Note| !noted.get(note.object()).is_some_and(|known| known.contains(note));
    objects.extend(notes(there).filter(is_new).map(|note| note.object().clone()));
    let found = would.findings.iter().filter(|found| found.severity != Severity::Warning);
    let found = found.filter(|found| found.tenant.as_deref() == Some(target.tenant.as_str()) && !now.contains(found));
    objects.extend(found.filter_map(|found| found.object.clone()).filter(|id| id.kind.in_tenant()));
    let is_refused = |writer: &&Writer| would.findings.iter().any(|found| stops(found, writer, &target.tenant));
    WaitsForResume { objects, is_complete: there.known && !into.iter().any(is_refused), ..WaitsForResume::default() }
}

/// The notes of what is not in effect. What another writer decides is in effect.
fn notes(target: &Target) -> impl Iterator<Item = &Note> {
    target.notes.iter().filter(|note| !matches!(note, Note::Overridden { .. }))
}

/// Whether two actions on an object do the same. A record has the hashes of all that is written.
fn is_same(one: &Action, other: &Action) -> bool {
    one.action == other.action && one.writers == other.writers && one.change.record == other.change.record
}

/// Whether a finding says that a sync is not carried out in a tenant. Where it only names an integration that its source
/// does not have, the others are.
pub fn stops(finding: &Finding, writer: &Writer, tenant: &str) -> bool {
    finding.code != Code::IntegrationMissing && staged::refuses(finding, writer, tenant)
}
