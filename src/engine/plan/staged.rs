//! Plans syncs with stages: decides which stages are open, and keeps what waits apart from the actions.
//!
//! Whether a target is done with a release follows from its plan, and its plan follows from what is open. So the stages
//! are opened one after the other, each by a plan in which the ones after it wait. A stage that was opened, and of which
//! a target before turns out not to be done, is closed for good: the plan that is returned satisfies its own gates.

use super::{GatedPlan, digest, plan_gated};
use crate::api::Kind;
use crate::engine::model::canonical::Digest;
use crate::engine::model::code::{Code, Severity};
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Sync, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, FieldChange, Op, Plan, Scope, State, Target};
use crate::engine::model::record::{Record, Writer, Wrote};
use crate::engine::model::stages::{Gates, Hindrance, Release, StageWait, Underway};
use crate::engine::stages::{Decision, decide, unready};
use std::collections::{BTreeMap, BTreeSet};

/// Whether stages hold for any sync of a world.
pub fn has_stages(world: &World) -> bool {
    world.syncs.iter().any(|sync| !world.stages_of(sync).is_empty())
}

/// Decides which syncs wait in which tenants, for a plan of this scope.
pub fn gates(world: &World, scope: &Scope) -> Gates {
    match &world.gates {
        Some(gates) => gates.clone(),
        None if has_stages(world) => decided(world, scope, &plan_gated(world, scope, &Gates::default())),
        None => Gates::default(),
    }
}

/// Plans what may be done now, and nothing else.
pub(super) fn plan_without_waiting(world: &World, scope: &Scope) -> Plan {
    if let Some(gates) = &world.gates {
        return plan_gated(world, scope, gates).plan;
    }
    let open = plan_gated(world, scope, &Gates::default());
    if !has_stages(world) {
        return open.plan;
    }
    let gates = decided(world, scope, &open);
    if gates.is_empty() { open.plan } else { now(world, scope, &gates, &open.plan) }
}

/// Plans what is to be done, and keeps apart what waits for an earlier stage: what is found and noted is that of the
/// whole.
pub(super) fn plan_with_waiting(world: &World, scope: &Scope) -> Plan {
    let open = plan_gated(world, scope, &Gates::default());
    if !has_stages(world) {
        return open.plan;
    }
    let gates = match &world.gates {
        Some(gates) => gates.clone(),
        None => decided(world, scope, &open),
    };
    if gates.is_empty() {
        return open.plan;
    }
    let now = now(world, scope, &gates, &open.plan);
    let mut plan = open.plan;
    for target in &mut plan.targets {
        let Some(of_now) = now.targets.iter().find(|t| t.tenant == target.tenant) else { continue };
        let done_now: BTreeSet<&str> = of_now.actions.iter().map(|action| action.id.as_str()).collect();
        let all = std::mem::replace(&mut target.actions, of_now.actions.clone());
        target.digests.clone_from(&of_now.digests);
        target.waiting = all.into_iter().filter(|action| !done_now.contains(action.id.as_str())).collect();
        let live = world.tenants.get(&target.tenant).and_then(|view| view.live.inventory());
        for action in &mut target.waiting {
            let before = live.and_then(|live| live.record(&target.tenant, &action.change.object)).map(AsRef::as_ref);
            leave_to_those_that_wait(action, before, &|writer| gates.is_closed(writer, &target.tenant));
        }
        let digests = digest::of_writers(&target.waiting);
        let waits = gates.of_tenant(&target.tenant).filter_map(|(writer, wait)| {
            let digest = digests.get(&writer.to_string())?.clone();
            Some((writer.clone(), StageWait { digest: Some(digest), ..wait.clone() }))
        });
        target.stages = waits.collect();
    }
    plan.recount();
    plan
}

/// The part of a plan that may be done now: the syncs that wait declare nothing. An action that the whole plan does not
/// do, or does only after a credential redirect that waits, waits too.
fn now(world: &World, scope: &Scope, gates: &Gates, whole: &Plan) -> Plan {
    let mut now = plan_gated(world, scope, gates).plan;
    let conflicts: BTreeSet<(&str, &ObjectId)> = whole.findings.iter().filter_map(conflict).collect();
    let of_whole: BTreeMap<&str, &Action> = whole.actions().map(|(_, action)| (action.id.as_str(), action)).collect();
    let here: BTreeSet<String> = now.actions().map(|(_, action)| action.id.clone()).collect();
    let is_hidden_redirect = |id: &String| {
        let redirects = |a: &&Action| a.needs_approval.iter().any(|mark| mark.code == Code::CredentialRedirect);
        !here.contains(id) && of_whole.get(id.as_str()).is_some_and(redirects)
    };
    let waits = |target: &Target, action: &Action| {
        let same = of_whole.get(action.id.as_str());
        conflicts.contains(&(target.tenant.as_str(), &action.change.object))
            || action.action == ActionKind::Delete && same.is_none_or(|same| same.action != ActionKind::Delete)
            || same.is_some_and(|same| same.after.iter().any(is_hidden_redirect))
    };
    let mut out: BTreeSet<String> =
        now.actions().filter(|(target, action)| waits(target, action)).map(|(_, action)| action.id.clone()).collect();
    let mut known = 0;
    while out.len() > known {
        known = out.len();
        let depends = now.actions().map(|(_, action)| action).filter(|action| !action.after.is_disjoint(&out));
        let depends: Vec<String> = depends.map(|action| action.id.clone()).collect();
        out.extend(depends);
    }
    if !out.is_empty() {
        for target in &mut now.targets {
            target.actions.retain(|action| !out.contains(&action.id));
            target.digests = digest::of_writers(&target.actions);
        }
        now.recount();
    }
    now
}

/// The object for which two writers want something different.
fn conflict(finding: &Finding) -> Option<(&str, &ObjectId)> {
    let object = finding.object.as_ref().filter(|object| object.kind != Kind::TenantSync)?;
    (finding.code == Code::WriterConflict).then_some((finding.tenant.as_deref()?, object))
}

/// The syncs with stages that are carried out.
fn staged(world: &World) -> impl Iterator<Item = &Sync> {
    world.syncs.iter().filter(|sync| !world.stages_of(sync).is_empty() && !sync.spec.is_suspended())
}

/// Whether a target has a receipt for a release. An operator may remember another one: the source gets something with
/// this plan. If nobody remembers any, what is live is the receipt.
fn has_receipt(world: &World, sync: &Sync, release: &Release, tenant: &str) -> bool {
    let Some(underway) = &world.underway else { return true };
    let is_received =
        |underway: &Underway| underway.release == release.digest.to_string() && underway.has_receipt(tenant);
    underway.get(&sync.writer).is_some_and(is_received)
}

/// Decides which syncs wait, given the plan in which none does.
fn decided(world: &World, scope: &Scope, open: &GatedPlan) -> Gates {
    // Where nothing is to be done in a later stage, nothing has to wait.
    let is_needed = staged(world).any(|sync| {
        if !open.releases.contains_key(&sync.writer) {
            return false;
        }
        let first: BTreeSet<&String> = world.stages_of(sync).iter().take(1).flat_map(|stage| &stage.to).collect();
        let writes = |target: &Target| target.actions.iter().any(|action| action.writers.contains(&sync.writer));
        open.plan.targets.iter().any(|target| !first.contains(&target.tenant) && writes(target))
    });
    if !is_needed {
        return Gates::default();
    }
    let probe = Scope { tenants: with_earlier_stages(world, &scope.tenants), ..Scope::default() };
    let first = |sync: &Sync| Opening {
        decision: Decision { open: 1, held_by: Vec::new() },
        release: open.releases.get(&sync.writer).cloned(),
        is_final: false,
    };
    let mut states: BTreeMap<Writer, Opening> = staged(world).map(|sync| (sync.writer.clone(), first(sync))).collect();
    // Each round opens a stage, closes one for good, or is the last: a release changes only with what is open.
    loop {
        let gates = closed(world, &states);
        let probed = plan_gated(world, &probe, &gates);
        let mut is_changed = false;
        for sync in staged(world) {
            let (Some(release), Some(state)) = (probed.releases.get(&sync.writer), states.get_mut(&sync.writer)) else {
                continue;
            };
            let known = state.decision.open;
            let decision =
                decide(world.stages_of(sync), known, &|tenant| hindrance(world, &probed.plan, sync, release, tenant));
            let is_new = state.release.as_ref() != Some(release);
            state.release = Some(release.clone());
            if decision.open < known {
                state.is_final = true;
            }
            if decision.open < known || decision.open > known && !state.is_final {
                is_changed = true;
                state.decision = decision;
            } else {
                // A stage that was closed again stays so, although nothing holds it back now.
                state.decision.held_by = decision.held_by;
                is_changed |= is_new;
            }
        }
        if !is_changed {
            return closed(world, &states);
        }
    }
}

/// The stages of a sync while they are being opened.
#[derive(Debug)]
struct Opening {
    decision: Decision,
    release: Option<Release>,
    /// A stage was closed again: none is opened any more.
    is_final: bool,
}

/// The tenants, and those of earlier stages, which decide about them; none for all tenants.
fn with_earlier_stages(world: &World, tenants: &BTreeSet<String>) -> BTreeSet<String> {
    let mut all = tenants.clone();
    let mut known = 0;
    while all.len() > known {
        known = all.len();
        for sync in staged(world) {
            let stages = world.stages_of(sync);
            let last = stages.iter().rposition(|stage| stage.to.iter().any(|to| all.contains(to)));
            all.extend(stages.iter().take(last.unwrap_or(0)).flat_map(|stage| stage.to.iter().cloned()));
        }
    }
    all
}

/// Closes every stage that is not open.
fn closed(world: &World, states: &BTreeMap<Writer, Opening>) -> Gates {
    let mut gates = Gates::default();
    for sync in staged(world) {
        let Some(Opening { decision, release, .. }) = states.get(&sync.writer) else { continue };
        // Without a release the source cannot be read, and the sync does nothing.
        let digest = release.as_ref().map_or_else(|| Digest::of(&[]), |release| release.digest.clone());
        let stages = world.stages_of(sync);
        for tenant in sync.spec.targets() {
            let stage = stages.iter().position(|stage| stage.to.contains(tenant));
            if stage.is_some_and(|stage| stage < decision.open) {
                continue;
            }
            let wait = StageWait {
                stage: stage.map(|stage| stage + 1),
                waits_for: decision.open,
                release: digest.clone(),
                held_by: decision.held_by.clone(),
                digest: None,
            };
            gates.close(&sync.writer, tenant, wait);
        }
    }
    gates
}

/// Returns why a target is not done with a release; `None` if it is.
fn hindrance(world: &World, plan: &Plan, sync: &Sync, release: &Release, tenant: &str) -> Option<Hindrance> {
    let writer = &sync.writer;
    let has_receipt = has_receipt(world, sync, release, tenant);
    if !sync.spec.goes_to(tenant) {
        // It is neither planned nor written any more: only its receipt counts.
        return (!has_receipt).then_some(Hindrance::TakenOut);
    }
    let Some(view) = world.tenants.get(tenant) else { return Some(Hindrance::Absent) };
    let live = match &view.live {
        View::Read(live) => live,
        View::Unreachable(why) => return Some(Hindrance::Unreadable(why.clone())),
    };
    let target = plan.targets.iter().find(|t| t.tenant == tenant).filter(|t| t.state == State::Read);
    let Some(target) = target else { return Some(Hindrance::Unreadable("it was not planned".to_string())) };
    if let Some(finding) = plan.findings.iter().find(|finding| refuses(finding, writer, tenant)) {
        return Some(Hindrance::Refused(format!("{} {}", finding.code, finding.text)));
    }
    let is_of_sync = |action: &&Action| {
        action.writers.contains(writer)
            && is_left_to(writer, action, live.record(tenant, &action.change.object).map(AsRef::as_ref))
    };
    let actions: Vec<&Action> = target.actions.iter().filter(is_of_sync).collect();
    if !actions.is_empty() && target.suspended {
        return Some(Hindrance::Suspended(actions.len()));
    }
    if !actions.is_empty() {
        let marked = actions.iter().filter(|action| !action.needs_approval.is_empty()).count();
        let need_approval = if world.waiting.contains(writer) { actions.len() } else { marked };
        return Some(Hindrance::Left { actions: actions.len(), need_approval });
    }
    let unresolved = target.notes_of(writer).filter(|note| note.is_unresolved()).count()
        + plan.findings.iter().filter(|finding| is_unresolved(finding, target, writer)).count();
    if unresolved > 0 {
        return Some(Hindrance::Unresolved(unresolved));
    }
    if !has_receipt {
        return Some(Hindrance::Unverified);
    }
    let unready = unready(tenant, live, release);
    (!unready.is_empty()).then_some(Hindrance::NotReady(unready))
}

/// Takes the writers out of a waiting action that do not wait themselves, and for which it does nothing: what another
/// sync waits for is none of theirs, and must not keep them from being done.
fn leave_to_those_that_wait(action: &mut Action, before: Option<&Record>, is_closed: &dyn Fn(&Writer) -> bool) {
    if action.writers.iter().any(is_closed) {
        let is_meant = |writer: &&Writer| is_closed(writer) || is_left_to(writer, action, before);
        action.writers = action.writers.iter().filter(is_meant).cloned().collect();
    }
}

/// Whether an action does something for one of its writers. One that another writer shares may only record that one:
/// two syncs that share an object would else wait for each other. `before` is the ownership record before the action.
fn is_left_to(writer: &Writer, action: &Action, before: Option<&Record>) -> bool {
    let then = action.change.record.as_deref();
    let is_of = |wrote: &&Wrote| wrote.writers.contains(writer);
    let concerns = |change: &FieldChange| {
        let was = before.and_then(|record| record.wrote(&change.field)).filter(is_of);
        let Some(then) = then.and_then(|record| record.wrote(&change.field)) else { return true };
        match change.op {
            Op::Record => is_of(&then) && was.is_none_or(|was| was.hash != then.hash),
            Op::Set => is_of(&then),
            Op::Remove | Op::Forget | Op::Release => was.is_some(),
        }
    };
    let is_whole = matches!(action.action, ActionKind::Create | ActionKind::Delete) || action.fields.is_empty();
    is_whole || action.fields.iter().any(concerns)
}

/// Whether a finding says that a sync is not carried out in a tenant.
pub(super) fn refuses(finding: &Finding, writer: &Writer, tenant: &str) -> bool {
    let is_of_sync = finding.object.as_ref().is_some_and(|object| {
        object.kind == Kind::TenantSync && matches!(writer, Writer::Sync(name) if *name == object.name)
    });
    // Another target that does not exist is reported for that one.
    is_of_sync
        && finding.severity != Severity::Warning
        && finding.code != Code::SyncUnknownTenant
        && finding.tenant.as_deref().is_none_or(|of| of == tenant)
}

/// Whether a finding says that something that a writer declares in a tenant is not as declared.
fn is_unresolved(finding: &Finding, target: &Target, writer: &Writer) -> bool {
    let Some(object) = finding.object.as_ref().filter(|object| object.kind.in_tenant()) else { return false };
    let is_here = finding.tenant.as_deref() == Some(target.tenant.as_str());
    let concerns =
        || target.concerned.get(object).is_some_and(|writers| writers.is_empty() || writers.contains(writer));
    is_here && (finding.code == Code::WriterConflict || finding.severity == Severity::Unreached && concerns())
}
