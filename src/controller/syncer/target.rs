//! One target: the syncs into it, its queue, and the state of each sync.

use super::approvals::GivenApprovals;
use super::assess::{Evidence, SyncState, target_status};
use super::budget::ChangeBudget;
use super::outcome::{AppliedTarget, DoneAction, PassOutcome, Retry};
use super::queue::{PassId, TargetQueue};
use super::receipts::{Receipts, digest_of};
use super::select::{Selected, Why};
use super::syncs::{SourceInto, SyncInto, Syncs};
use crate::api::{ReceiptStatus, SourceStatus, SyncMode, TargetStatus};
use crate::engine::model::canonical::Digest;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{ActionKind, Note, Plan, State, Target};
use crate::engine::model::record::Writer;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// One target.
#[derive(Debug, Default)]
pub(super) struct TargetState {
    pub queue: TargetQueue,
    /// The recent changes.
    pub budget: ChangeBudget,
    pub syncs: Syncs,
    /// By sync: the request to reconcile that the running or last full reconcile answers.
    pub requested: BTreeMap<String, String>,
    /// By sync: its status in this target, with the request to reconcile that it answers.
    pub states: BTreeMap<String, (TargetStatus, Option<String>)>,
    /// The request to reconcile of its Tenant that the running or last full reconcile answers.
    pub source_requested: Option<String>,
    /// The status of its own source in Git.
    pub source: Option<SourceStatus>,
    /// The request to reconcile that this status answers.
    pub source_handled: Option<String>,
    /// The commit that was applied last, and the receipt of the source.
    applied: (Option<String>, Option<ReceiptStatus>),
    /// The actions since the last receipt.
    done: Vec<Digest>,
    /// The last receipt, by sync.
    receipts: BTreeMap<String, ReceiptStatus>,
    /// By sync with stages: the last release that the target has a receipt for.
    releases: BTreeMap<String, String>,
    /// What each sync carried out, for the list of its last receipts.
    pub history: Receipts,
    /// By writer: the state of the digests in the annotation that approves what it wants.
    pub given: BTreeMap<Writer, GivenApprovals>,
    /// The progress of the running reconcile: number of done actions, and their total.
    pub progress: Option<(usize, usize)>,
    /// Since when there is drift that is not reverted.
    drifts_since: Option<SystemTime>,
}

/// The extent of a reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PassOver {
    /// What changed.
    Part(PassId),
    /// Everything.
    Whole(PassId),
}

impl TargetState {
    /// Restores what an earlier operator process wrote to the status.
    pub(super) fn resume(&mut self, sync: &str, status: &TargetStatus, now: Instant) {
        if let Some(receipt) = &status.receipt {
            self.receipts.insert(sync.to_string(), receipt.clone());
        }
        if let Some(release) = &status.release {
            self.releases.insert(sync.to_string(), release.clone());
        }
        self.resume_budget(status, now);
    }

    /// Restores what an earlier operator process wrote to the status of the Tenant.
    pub(super) fn resume_source(&mut self, status: &SourceStatus, now: Instant) {
        let receipt = status.target.as_ref().and_then(|target| target.receipt.clone());
        self.applied = (status.applied.clone(), receipt);
        status.target.iter().for_each(|target| self.resume_budget(target, now));
    }

    fn resume_budget(&mut self, status: &TargetStatus, now: Instant) {
        let changed = status.changed.and_then(|changed| usize::try_from(changed).ok()).unwrap_or(0);
        let base = status.base.and_then(|base| usize::try_from(base).ok());
        if changed > self.budget.count() || (base.is_some() && self.budget.base().is_none()) {
            self.budget = ChangeBudget::resumed(changed.max(self.budget.count()), base, now);
        }
    }

    /// Forgets what other syncs wrote, and what is known of them.
    pub(super) fn retain_syncs(&mut self, is_here: impl Fn(&str) -> bool) {
        self.states.retain(|sync, _| is_here(sync));
        self.releases.retain(|sync, _| is_here(sync));
        self.receipts.retain(|sync, _| is_here(sync));
        self.history.retain(|sync| is_here(sync));
    }

    /// Returns the number of recently changed objects, including those being changed.
    pub(super) fn changes(&self) -> usize {
        self.budget.count_with(self.queue.being_updated())
    }

    /// Begins an incremental reconcile: queues the actions that were not selected, and keeps only the selected ones in
    /// `plan`. Returns whether there are any.
    pub(super) fn begin(&mut self, pass: PassId, plan: &mut Plan, mut selected: Selected, now: Instant) -> bool {
        let others: Vec<PassId> = self.queue.in_flight().map(|(other, _)| other).collect();
        for other in others {
            let theirs = selected.later_objects(plan, |why| *why == Why::InFlight(other));
            self.queue.changed_after(other, theirs, now);
        }
        if selected.later.values().any(Why::is_for_everything) {
            self.queue.everything_now(now);
        }
        if selected.now.is_empty() {
            return false;
        }
        let rest = selected.later_objects(plan, |why| *why == Why::PassFull);
        self.queue.begun(pass, std::mem::take(&mut selected.now));
        self.queue.changed_after(pass, rest, now);
        selected.narrow(plan, |_| true);
        true
    }

    /// Records the result of a reconcile, and schedules the retry of failures; a permanent refusal waits for `resync`.
    /// `now_is` returns the cached objects.
    pub(super) fn on_outcome(
        &mut self,
        outcome: &PassOutcome,
        over: PassOver,
        now_is: impl Fn(&ObjectId) -> Option<Item>,
        resync: Duration,
        now: Instant,
    ) {
        self.done.extend(outcome.done.iter().map(|done| done.digest.clone()));
        self.history.carried_out(&outcome.done);
        if outcome.approved {
            self.budget.approved();
        } else {
            let changes = |done: &&DoneAction| matches!(done.kind, ActionKind::Update | ActionKind::Delete);
            let changed = outcome.done.iter().filter(changes).map(|done| done.object.clone());
            self.budget.changed(changed, now);
            if !outcome.done.is_empty() {
                self.budget.touched(now);
            }
        }
        match over {
            PassOver::Part(pass) => self.queue.part_done(pass, now_is, now),
            PassOver::Whole(pass) => {
                self.progress = None;
                self.queue.part_done(pass, now_is, now);
                self.queue.whole_done(pass);
            }
        }
        match outcome.retry() {
            Some(Retry::Soon) => self.queue.failed(now),
            Some(Retry::Seldom) => self.queue.refused(resync, now),
            Some(Retry::Resync) | None if matches!(over, PassOver::Whole(_)) => self.queue.recovered(),
            // Other failures from before are still retried.
            Some(Retry::Resync) | None => {}
        }
    }

    /// Assesses each of `syncs` after a full reconcile.
    pub(super) fn assess(
        &mut self,
        (namespace, target): (&str, &str),
        applied: &AppliedTarget,
        syncs: &BTreeMap<String, SyncInto>,
        now: Instant,
        time: &str,
    ) {
        self.given = applied.given.clone();
        if let Some((declared, live)) = &applied.settled {
            self.budget.settled(now);
            if !self.done.is_empty() {
                let receipt = self.receipt(declared, live, time);
                self.receipts = syncs.keys().map(|sync| (sync.clone(), receipt.clone())).collect();
                self.applied.1 = Some(receipt);
            }
        }
        let absent = absent(target);
        let known = applied.plan.targets.iter().find(|t| t.tenant == target);
        let planned = known.unwrap_or(&absent);
        let evidence = |writer: Writer| Evidence {
            namespace,
            mode: SyncMode::Apply,
            is_suspended: false,
            target: planned,
            findings: &applied.plan.findings,
            source_error: None,
            problems: &[],
            unattended: applied.unattended.as_ref(),
            is_unknown: known.is_none(),
            failed: &applied.outcome.failed,
            void: applied.void.get(&writer).map(String::as_str),
            waiting_plan: None,
            not_stored: None,
            given: applied.given.get(&writer),
            changed: self.budget.count(),
            base: self.budget.base(),
            later: &applied.later,
            receipt: None,
            release: None,
            writer,
        };
        let status = |(sync, into): (&String, &SyncInto)| {
            let writer = Writer::Sync(sync.clone());
            let evidence = Evidence {
                mode: into.mode,
                is_suspended: into.is_suspended,
                source_error: into.source_error.as_deref(),
                is_unknown: known.is_none() || !into.knows_source,
                waiting_plan: applied.waiting_plans.kept.get(sync),
                not_stored: applied.waiting_plans.not_stored.get(sync).map(String::as_str),
                receipt: self.receipts.get(sync).cloned(),
                release: (applied.releases.get(sync))
                    .map(|release| release.here(target, self.releases.get(sync).map(String::as_str))),
                ..evidence(writer)
            };
            (sync.clone(), (target_status(&evidence), self.requested.get(sync).cloned()))
        };
        let states = syncs.iter().map(status).collect();
        let of_source = |source: &SourceInto| {
            let evidence = Evidence {
                source_error: source.error.as_deref(),
                problems: &source.problems,
                receipt: self.applied.1.clone(),
                ..evidence(Writer::Source)
            };
            (source.revision.clone(), target_status(&evidence))
        };
        let of_source = applied.source.as_ref().map(of_source);
        self.states = states;
        if let Some((revision, status)) = &of_source
            && status.state == SyncState::InSync.as_str()
        {
            self.applied.0.clone_from(revision);
        }
        self.source_handled.clone_from(&self.source_requested);
        self.source = of_source.map(|(seen, status)| SourceStatus {
            seen,
            applied: self.applied.0.clone(),
            target: Some(status),
        });
        for (sync, (status, _)) in &self.states {
            match &status.release {
                Some(release) => drop(self.releases.insert(sync.clone(), release.clone())),
                None => drop(self.releases.remove(sync)),
            }
        }
        if applied.outcome.did_nothing() {
            // This reconcile saw the result of those before it.
            let states = self.states.iter().map(|(sync, (status, _))| (sync.as_str(), status));
            self.history.verified(states, time);
        }
    }

    /// Returns the status of each sync in the target, and of its own source.
    pub(super) fn statuses(&self) -> impl Iterator<Item = &TargetStatus> {
        let source = self.source.as_ref().and_then(|source| source.target.as_ref());
        self.states.values().map(|(status, _)| status).chain(source)
    }

    /// Returns how many objects have drift that is not reverted, and since when the first has.
    pub(super) fn drifts(&mut self, target: &str, plan: &Plan, now: SystemTime) -> (usize, Option<SystemTime>) {
        let notes = plan.targets.iter().filter(|t| t.tenant == target).flat_map(|t| &t.notes);
        let left = notes.filter_map(|note| match note {
            Note::Drift { object, left: true, ignored: false, .. } => Some(object),
            _ => None,
        });
        let left = left.collect::<BTreeSet<_>>().len();
        self.drifts_since = (left > 0).then(|| self.drifts_since.unwrap_or(now));
        (left, self.drifts_since)
    }

    /// Returns the receipt of the actions since the last one.
    fn receipt(&mut self, declared: &Digest, live: &Digest, time: &str) -> ReceiptStatus {
        let done = std::mem::take(&mut self.done);
        ReceiptStatus {
            at: time.to_string(),
            plan: digest_of(&done).to_string(),
            declared: declared.to_string(),
            live: live.to_string(),
        }
    }
}

/// A target without a Tenant.
fn absent(target: &str) -> Target {
    let why = Some(format!("there is no Tenant {target} in this namespace"));
    Target { known: true, why, ..Target::empty(target, State::Unreachable) }
}

#[cfg(test)]
mod tests {
    use super::super::outcome::ActionFailure;
    use super::super::queue::Writing;
    use super::*;
    use crate::api::Kind;
    use crate::engine::model::inventory::World;
    use crate::engine::model::plan::{Action, Reason, Scope};
    use crate::engine::plan::plan;

    const RESYNC: Duration = Duration::from_secs(600);

    /// Ends a full reconcile with these failures; returns when it is retried.
    fn after(target: &mut TargetState, retries: &[Retry], now: Instant) -> Option<Duration> {
        let failure = |retry: &Retry| ActionFailure { code: "Refused", why: String::new(), retry: *retry };
        let failed = retries.iter().enumerate().map(|(id, retry)| (id.to_string(), failure(retry))).collect();
        target.on_outcome(
            &PassOutcome { failed, ..PassOutcome::default() },
            PassOver::Whole(PassId(1)),
            |_| None,
            RESYNC,
            now,
        );
        target.queue.wakes(now).map(|at| at - now)
    }

    #[test]
    fn a_too_large_object_is_not_retried() {
        let (mut target, now) = (TargetState::default(), Instant::now());
        assert_eq!(after(&mut target, &[Retry::Resync], now), None);
        assert!(after(&mut target, &[Retry::Resync, Retry::Soon], now).is_some(), "what fails beside it is");
        assert_eq!(after(&mut target, &[Retry::Resync], now), None);
    }

    #[test]
    fn a_refusal_is_retried_at_growing_intervals() {
        let (mut target, now) = (TargetState::default(), Instant::now());
        let pauses: Vec<Duration> = (0..20).filter_map(|_| after(&mut target, &[Retry::Seldom], now)).collect();
        assert_eq!(pauses[..2], [Duration::from_millis(200), Duration::from_millis(400)]);
        assert_eq!(pauses[19], RESYNC);
        assert_eq!(after(&mut target, &[Retry::Seldom, Retry::Soon], now), Some(Duration::from_secs(60)));
    }

    #[test]
    fn selected_actions_are_in_flight_and_others_are_queued() {
        let id = |name: &str| ObjectId::new(Kind::Connection, name);
        let action =
            |name: &str| Action::of("eu", &id(name), ActionKind::Update, Reason { code: "x", text: String::new() });
        let writing = |name: &str| (id(name), Writing { kind: ActionKind::Update, after: None });
        let mut plan = plan(&World::default(), &Scope::default());
        plan.targets = vec![Target { actions: ["a", "b", "c", "d"].map(action).into(), ..absent("eu") }];
        let later = |name: &str, why| (format!("eu/Connection/{name}"), why);
        let (mut target, now) = (TargetState::default(), Instant::now());
        target.queue.begun(PassId(1), [writing("x")].into());
        // Nothing is written, so only the reconcile that writes the same object is waited for.
        let why = [later("a", Why::Conflict), later("b", Why::InFlight(PassId(1)))];
        let selected = Selected { now: BTreeMap::new(), later: why.into() };
        assert!(!target.begin(PassId(2), &mut plan, selected, now));
        assert_eq!((target.queue.depth(now), target.queue.wakes(now)), ((1, Some(now)), None));
        let why = [later("b", Why::PassFull), later("c", Why::InFlight(PassId(1))), later("d", Why::NeedsApproval)];
        let selected = Selected { now: [writing("a")].into(), later: why.into() };
        assert!(target.begin(PassId(2), &mut plan, selected, now));
        assert_eq!(plan.actions().map(|(_, action)| action.id.as_str()).collect::<Vec<_>>(), ["eu/Connection/a"]);
        let in_flight: Vec<_> = target.queue.in_flight().map(|(pass, writing)| (pass, writing.len())).collect();
        assert_eq!(in_flight, [(PassId(1), 1), (PassId(2), 1)]);
        assert_eq!(target.queue.depth(now), (4, Some(now)), "b, b, c, and everything");
    }
}
