//! The statuses of Tenants and TenantSyncs: computes them from the assessed targets, and writes them. Each condition
//! that changed is reported by an event and a log line.

use super::super::context::Context;
use super::super::events::{Importance, Transition, reference};
use super::assess::{self, SyncState};
use super::git_sources::{GitSources, UNREAD};
use super::polled::PolledTenant;
use super::receipts;
use super::releases::Releases;
use super::target::TargetState;
use super::tenants::{Connection, TenantConnections};
use crate::api::*;
use crate::engine::model::inventory::View;
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::engine::sync_rules;
use crate::engine::sync_rules::{approved_digests, requested_at};
use crate::kubernetes::client::{ApiRequest, RequestFailure};
use crate::kubernetes::kubeconfig::TokenExpiry;
use crate::kubernetes::object::Live;
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::body::to_bytes;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::time::Instant;

/// How long to wait before a failed write of a status is retried.
const RETRY: Duration = Duration::from_secs(5);

/// A status to write.
pub(super) struct StatusUpdate<S> {
    pub id: ObjectId,
    pub uid: String,
    pub status: S,
    /// The current conditions.
    pub before: Vec<Condition>,
    /// The new conditions.
    pub now: Vec<Condition>,
}

/// The status writes in progress and those that failed, by object or sync: one write of each at a time, and a pause
/// after a failure.
#[derive(Debug)]
pub(super) struct StatusWrites<K>(BTreeMap<K, Option<Instant>>);

impl<K> Default for StatusWrites<K> {
    fn default() -> Self {
        StatusWrites(BTreeMap::new())
    }
}

impl<K: Ord> StatusWrites<K> {
    /// Begins a write, unless one is in progress or paused.
    pub(super) fn begin(&mut self, key: K) -> bool {
        match self.0.entry(key) {
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(None);
                true
            }
            std::collections::btree_map::Entry::Occupied(_) => false,
        }
    }

    /// Ends a write.
    pub(super) fn done(&mut self, key: &K) {
        self.0.remove(key);
    }

    /// Pauses writes after a failure.
    pub(super) fn pause(&mut self, key: K, now: Instant) {
        self.0.insert(key, Some(now + RETRY));
    }

    /// Ends the pauses that are over.
    pub(super) fn end_pauses(&mut self, now: Instant) {
        self.0.retain(|_, again| again.is_none_or(|again| again > now));
    }

    /// Returns when the pauses end.
    pub(super) fn wakes(&self) -> impl Iterator<Item = Instant> {
        self.0.values().flatten().copied()
    }
}

/// Returns the new status of a sync; `None` if it is unchanged, or while not all of its targets are assessed.
pub(super) fn of_sync(
    live: &Live<Object<TenantSyncSpec>>,
    namespace: &str,
    targets: &BTreeMap<String, TargetState>,
    releases: &Releases,
    now: &Time,
) -> Option<StatusUpdate<TenantSyncStatus>> {
    // Approvals are written separately.
    let before = TenantSyncStatus { approvals: Vec::new(), ..written(live).unwrap_or_default() };
    let sync = match &live.read {
        Ok(sync) => sync,
        Err(why) => {
            let conditions = conditions(&before.conditions, unreadable(why), live.generation, now);
            let status = TenantSyncStatus {
                observed_generation: Some(live.generation),
                conditions: conditions.clone(),
                ..before.clone()
            };
            return (status != before).then(|| update(Kind::TenantSync, live, status, before.conditions, conditions));
        }
    };
    let to: BTreeSet<&String> = sync.spec.targets().collect();
    let states = to.iter().map(|to| targets.get(*to)?.states.get(&live.name));
    let states: Vec<&(TargetStatus, Option<String>)> = states.collect::<Option<_>>()?;
    let asked = requested_at(&sync.metadata);
    let answered = asked.is_some() && states.iter().all(|(_, requested)| *requested == asked);
    let known = |digest: &str| {
        let writer = Writer::Sync(live.name.clone());
        let of_this = to.iter().filter_map(|to| targets.get(*to)?.given.get(&writer)).collect::<Vec<_>>();
        of_this.into_iter().any(|given| given.begun.contains(digest) || given.spent.contains(digest))
    };
    let going = |status: &TargetStatus| {
        let (done, all) = targets.get(&status.tenant)?.progress?;
        let message = Some(format!("{done} of {all} actions are done"));
        Some(TargetStatus { state: SyncState::Applying.as_str().to_string(), message, ..status.clone() })
    };
    let history = to.iter().filter_map(|to| Some(targets.get(*to)?.history.of(&live.name))).flatten();
    let targets: Vec<TargetStatus> =
        states.into_iter().map(|(status, _)| going(status).unwrap_or_else(|| status.clone())).collect();
    let given = sync.metadata.annotations.get(APPROVE).map(|text| approved_digests(text)).unwrap_or_default();
    let mut sync_conditions = assess::sync_conditions(&targets);
    sync_conditions.extend(stale((namespace, &live.name), &given, &targets, known));
    let status = TenantSyncStatus {
        observed_generation: Some(live.generation),
        to: Some(sync.spec.targets_in_words()),
        mode: Some(sync.spec.mode.unwrap_or(SyncMode::Plan)),
        conditions: conditions(&before.conditions, sync_conditions, live.generation, now),
        last_handled_reconcile_at: if answered { asked } else { before.last_handled_reconcile_at.clone() },
        receipts: receipts::merged(history, &before.receipts),
        release: releases.status(&live.name),
        targets,
        approvals: Vec::new(),
    };
    let (then, now) = (before.conditions.clone(), status.conditions.clone());
    (status != before).then(|| update(Kind::TenantSync, live, status, then, now))
}

/// Returns the new status of a Tenant; `None` if it is unchanged, or while the tenant or its source is being read.
pub(super) fn of_tenant(
    live: &Live<Object<TenantSpec>>,
    (namespace, tenants, git): (&str, &TenantConnections, &GitSources),
    targets: &BTreeMap<String, TargetState>,
    now: &Time,
) -> Option<StatusUpdate<TenantStatus>> {
    // Approvals are written separately.
    let before = TenantStatus { approvals: Vec::new(), ..written(live).unwrap_or_default() };
    let with_git = live.read.as_ref().ok().filter(|tenant| tenant.spec.git().is_some());
    let target = with_git.and_then(|_| targets.get(&live.name));
    let mut new_conditions = match &live.read {
        Err(why) => unreadable(why),
        Ok(_) if tenants.is_being_read(&live.name) => return None,
        Ok(tenant) => match tenants.get(&live.name)? {
            Err(refusal) => bad("Stalled", refusal.reason, &refusal.why),
            Ok(Connection::Polled(polled)) => of_platform(polled, tenant),
            Ok(location) => match location.view(tenant) {
                (spec, View::Read(_)) if spec.is_suspended() => {
                    let message = "it is read and watched; nothing is written to it while it is suspended";
                    vec![NewCondition::new("Ready", true, "Suspended", message)]
                }
                (_, View::Read(_)) => vec![NewCondition::new("Ready", true, "Watched", "it is read and watched")],
                (_, View::Unreachable(why)) => bad("Reconciling", "Unreachable", &why),
            },
        },
    };
    if with_git.is_some_and(|tenant| !tenant.spec.is_suspended()) && new_conditions.iter().all(is_good) {
        new_conditions = of_source(&live.name, git, target)?;
    }
    new_conditions.extend(tenants.expiry(&live.name).and_then(|expiry| expiring(expiry, now.0)));
    new_conditions.extend(with_git.zip(target).and_then(|(tenant, target)| stale_source(namespace, tenant, target)));
    let asked = with_git.and_then(|tenant| requested_at(&tenant.metadata));
    let answered = asked.is_some() && target.is_some_and(|target| target.source_handled == asked);
    let known = target.and_then(|target| target.source.clone());
    let status = TenantStatus {
        observed_generation: Some(live.generation),
        conditions: conditions(&before.conditions, new_conditions, live.generation, now),
        last_handled_reconcile_at: if answered { asked } else { before.last_handled_reconcile_at.clone() },
        source: known.or_else(|| before.source.clone().filter(|_| with_git.is_some())),
        approvals: Vec::new(),
    };
    let (then, now) = (before.conditions.clone(), status.conditions.clone());
    (status != before).then(|| update(Kind::Tenant, live, status, then, now))
}

fn is_good(condition: &NewCondition) -> bool {
    condition.type_ != "Ready" || condition.holds == Some(true)
}

/// Returns the conditions of a tenant that can be read, from its source in Git; `None` while that is being read.
fn of_source(tenant: &str, git: &GitSources, target: Option<&TargetState>) -> Option<Vec<NewCondition>> {
    let unread = |why: &str| format!("its source cannot be read: {why}");
    match git.get(tenant)? {
        Err(refusal) if refusal.reason == UNREAD => return None,
        Err(refusal) => return Some(bad("Stalled", refusal.reason, &unread(&refusal.why))),
        Ok(source) => {
            if let Some(failure) = source.failure() {
                let type_ = if failure.is_stalled { "Stalled" } else { "Reconciling" };
                return Some(bad(type_, failure.reason, &unread(&failure.why)));
            }
        }
    }
    let source = target?.source.as_ref()?;
    let status = source.target.clone()?;
    let not_applied = status.message.as_ref().map(|message| format!("; {message}")).unwrap_or_default();
    let mut conditions = assess::sync_conditions(&[status]);
    let applied = source.applied.as_deref().unwrap_or_default();
    for condition in conditions.iter_mut().filter(|condition| ["Ready", "InSync"].contains(&condition.type_)) {
        if condition.holds == Some(true) {
            condition.message = format!("it is as commit {applied} of its source declares{not_applied}");
        }
    }
    Some(conditions)
}

/// Returns the condition for an approved digest of a source that is not planned.
fn stale_source(namespace: &str, tenant: &Object<TenantSpec>, target: &TargetState) -> Option<NewCondition> {
    let given = tenant.metadata.annotations.get(APPROVE).map(|text| approved_digests(text)).unwrap_or_default();
    let now = target.source.as_ref().and_then(|source| source.target.as_ref()?.digest.as_deref());
    let known = target.given.get(&Writer::Source);
    let is_known =
        |digest: &str| known.is_some_and(|given| given.begun.contains(digest) || given.spent.contains(digest));
    let first = given.iter().find(|digest| now != Some(digest.as_str()) && !is_known(digest))?;
    let name = tenant.name();
    let message = format!(
        "an approval is of nothing that its source wants now: something changed since, or it was mistyped. See what is \
         planned, then approve that; or take the approval back\n\
         {first}\n\
         kubectl get -n {namespace} tenant {name} -o jsonpath='{{.status.source.target}}'\n\
         kubectl annotate -n {namespace} tenant {name} {APPROVE}-"
    );
    Some(NewCondition::new("StaleApproval", true, "MatchesNoPlan", message))
}

/// Returns the conditions of a tenant on the platform.
fn of_platform(polled: &PolledTenant, tenant: &Object<TenantSpec>) -> Vec<NewCondition> {
    if let Some(why) = polled.error() {
        let (reason, is_stalled) = polled.reason();
        return bad(if is_stalled { "Stalled" } else { "Reconciling" }, reason, &why);
    }
    let text = polled.text();
    match tenant.spec.is_suspended() {
        true => {
            let message = format!("{text}; nothing is written to it while it is suspended");
            vec![NewCondition::new("Ready", true, "Suspended", &message)]
        }
        false => vec![NewCondition::new("Ready", true, "Polled", &text)],
    }
}

/// Returns the status of a sync that no role carries out, because its targets belong to two; `None` if it is unchanged.
pub(super) fn of_mixed(
    live: &Live<Object<TenantSyncSpec>>,
    namespace: &str,
    now: &Time,
) -> Option<StatusUpdate<TenantSyncStatus>> {
    let sync = live.read.as_ref().ok()?;
    let before = TenantSyncStatus { approvals: Vec::new(), ..written(live).unwrap_or_default() };
    let why = format!(
        "some of its targets are in clusters and some are on the platform, and different roles write to them: make two \
         syncs, one for each\n\
         kubectl edit -n {namespace} tenantsync {}",
        live.name
    );
    let status = TenantSyncStatus {
        observed_generation: Some(live.generation),
        to: Some(sync.spec.targets_in_words()),
        mode: Some(sync.spec.mode.unwrap_or(SyncMode::Plan)),
        conditions: conditions(&before.conditions, bad("Stalled", "MixedTargets", &why), live.generation, now),
        targets: Vec::new(),
        // There is nothing to do for a request.
        last_handled_reconcile_at: requested_at(&sync.metadata).or(before.last_handled_reconcile_at.clone()),
        ..before.clone()
    };
    let (then, now) = (before.conditions.clone(), status.conditions.clone());
    (status != before).then(|| update(Kind::TenantSync, live, status, then, now))
}

/// Returns the condition for a token that should have been renewed.
fn expiring(expiry: TokenExpiry, now: Timestamp) -> Option<NewCondition> {
    if now < expiry.renew_before {
        return None;
    }
    let (at, renew) = (expiry.at, "write a kubeconfig with a new one to its Secret");
    let (reason, message) = match expiry.at <= now {
        true => ("Expired", format!("the token in its kubeconfig expired at {at}: {renew}")),
        false => ("ExpiringSoon", format!("the token in its kubeconfig expires at {at}: {renew}")),
    };
    Some(NewCondition::new("CredentialsExpiring", true, reason, message))
}

fn bad(type_: &'static str, reason: &str, why: &str) -> Vec<NewCondition> {
    vec![NewCondition::new("Ready", false, reason, why), NewCondition::new(type_, true, reason, why)]
}

fn unreadable(why: &str) -> Vec<NewCondition> {
    bad("Stalled", "Unreadable", why)
}

fn update<S, O>(kind: Kind, live: &Live<O>, status: S, before: Vec<Condition>, now: Vec<Condition>) -> StatusUpdate<S> {
    StatusUpdate { id: ObjectId::new(kind, &live.name), uid: live.version.uid.clone(), status, before, now }
}

/// Returns the condition for an approved digest that no plan has: by mistake, or because the plan changed since.
fn stale(
    (namespace, sync): (&str, &str),
    given: &BTreeSet<String>,
    targets: &[TargetStatus],
    known: impl Fn(&str) -> bool,
) -> Option<NewCondition> {
    let is_current = |digest: &&String| targets.iter().any(|target| target.digest.as_ref() == Some(digest));
    let stale: Vec<&String> = given.iter().filter(|d| !is_current(d) && !known(d)).collect();
    let first = stale.first()?;
    let more = if stale.len() > 1 { format!(" (and {} more)", stale.len() - 1) } else { String::new() };
    let message = format!(
        "an approval{more} is of nothing that is planned now: something changed since, or it was mistyped. See what \
         is planned; then approve that, which takes the other away, or take all approvals back\n\
         {first}\n\
         stablekey plan -n {namespace} --sync {sync}\n\
         stablekey approve {sync} -n {namespace}\n\
         kubectl annotate -n {namespace} tenantsync {sync} {APPROVE}-"
    );
    Some(NewCondition::new("StaleApproval", true, "MatchesNoPlan", message))
}

/// Returns the current status.
pub(super) fn written<T: DeserializeOwned, O>(live: &Live<O>) -> Option<T> {
    serde_json::from_str(live.status.as_ref()?.get()).ok()
}

/// Returns what waits in the targets of a sync according to its status: tenant and digest.
pub(super) fn waits(live: &Live<Object<TenantSyncSpec>>) -> BTreeSet<(String, String)> {
    sync_rules::waits(&written::<TenantSyncStatus, _>(live).unwrap_or_default().targets)
}

/// Writes the status of a Tenant or TenantSync, and returns the object as it is afterwards; `None` if it is gone.
pub(super) async fn write<S: Serialize>(
    context: &Context,
    paths: &Paths,
    id: &ObjectId,
    status: &S,
) -> Result<Vec<u8>, RequestFailure> {
    let body = json!({
        "apiVersion": API_VERSION,
        "kind": id.kind.as_str(),
        "metadata": {"name": id.name},
        "status": status,
    });
    let request = ApiRequest::apply(format!("{}/status", paths.object(id)), to_bytes(&body));
    match context.server.request(&request).await {
        Err(failure) if failure.is_absent() => Ok(Vec::new()),
        answer => answer,
    }
}

/// Reports the conditions that changed, by an event and a log line: Ready if its status or reason changed; the others
/// (warnings, kept and drifted fields, stale approvals) if their message changed.
pub(super) fn report_transition(
    context: &Context,
    paths: &Paths,
    id: &ObjectId,
    uid: &str,
    before: &[Condition],
    now: &[Condition],
) {
    for condition in now.iter().filter(|now| is_new(before, now)) {
        let object = reference(paths, id, uid);
        let importance = match (condition.type_.as_str(), condition.status.as_str(), condition.reason.as_str()) {
            ("Ready", "True", _) | ("Ready", _, "Applying" | "AwaitingApproval" | "AwaitingStage" | "Suspended") => {
                Importance::Normal
            }
            ("Kept", ..) => Importance::Normal,
            _ => Importance::Warning,
        };
        let (reason, why) = (&condition.reason, &condition.message);
        match importance {
            Importance::Normal => {
                tracing::info!(object = %id, condition = condition.type_, reason, why, "condition changed")
            }
            Importance::Warning => {
                tracing::warn!(object = %id, condition = condition.type_, reason, why, "condition changed")
            }
        }
        let action = if id.kind == Kind::Tenant { "Watch" } else { "Sync" };
        let reason = if condition.type_ == "Ready" { reason } else { &condition.type_ };
        let transition = Transition { object, importance, reason: reason.clone(), action, note: why.clone() };
        context.events.record(transition);
    }
}

fn is_new(before: &[Condition], now: &Condition) -> bool {
    let before = before.iter().find(|before| before.type_ == now.type_);
    match now.type_.as_str() {
        "Ready" => !before.is_some_and(|before| before.status == now.status && before.reason == now.reason),
        // They follow from Ready.
        "InSync" | "Reconciling" | "Stalled" => false,
        _ => before.is_none_or(|before| before.message != now.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_expiring_until_it_is_renewed() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let expiry = TokenExpiry { at: at(2_000_000_000), renew_before: at(1_999_000_000) };
        assert_eq!(expiring(expiry, at(1_998_999_999)), None);
        for (now, reason, words) in [
            (1_999_000_000, "ExpiringSoon", "expires at 2033-05-18T03:33:20Z: write"),
            (2_000_000_000, "Expired", "expired at 2033-05-18T03:33:20Z: write"),
        ] {
            let verdict = expiring(expiry, at(now)).unwrap();
            assert_eq!(
                (verdict.type_, verdict.holds, verdict.reason.as_str()),
                ("CredentialsExpiring", Some(true), reason)
            );
            assert!(verdict.message.contains(words), "{}", verdict.message);
        }
    }
}
