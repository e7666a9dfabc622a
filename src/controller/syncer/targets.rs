//! One target: the syncs into it, what is due, and what is known of how they stand.

use super::agenda::{PassId, TargetQueue};
use super::approvals::Given;
use super::guard::ChangeBudget;
use super::judge::{self, Evidence};
use super::pass::{PassOutcome, Retry, Whole};
use super::syncs::Syncs;
use crate::api::{ReceiptStatus, SyncMode, TargetStatus};
use crate::engine::model::canonical::{Digest, Digesting};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{ActionKind, Note, Plan, State, Target};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};
use tokio::time::Instant;

/// One target.
#[derive(Debug, Default)]
pub struct TargetState {
    /// What has to be looked at.
    pub agenda: TargetQueue,
    /// What was changed in it lately.
    pub guard: ChangeBudget,
    /// The syncs into it.
    pub syncs: Syncs,
    /// Which requests to reconcile the pass that runs, or ran last, has answered, by sync.
    pub requested: BTreeMap<String, String>,
    /// How each sync stands, by its name, with the request that this answers.
    pub standing: BTreeMap<String, (TargetStatus, Option<String>)>,
    /// What was done since a receipt was written.
    done: Vec<Digest>,
    /// The last receipt, by sync.
    receipts: BTreeMap<String, ReceiptStatus>,
    /// What is known of the digests in the annotation of each sync.
    pub given: BTreeMap<String, Given>,
    /// How far what is carried out now is: done, of so many.
    pub progress: Option<(usize, usize)>,
    /// Since when something drifted and is left so.
    drifts_since: Option<SystemTime>,
}

/// How much of a target was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookedAt {
    /// What changed, by this pass.
    Part(PassId),
    /// Everything, by this pass.
    Whole(PassId),
}

/// A sync into a target.
#[derive(Debug)]
pub struct SyncInto {
    /// Whether it waits for approval.
    pub mode: SyncMode,
    /// Whether it writes nothing.
    pub is_suspended: bool,
    /// Why its source cannot be read.
    pub source_trouble: Option<String>,
    /// Whether there is such a source.
    pub knows_source: bool,
}

impl TargetState {
    /// Takes over what an operator before this one wrote down.
    pub fn resume(&mut self, sync: &str, status: &TargetStatus, now: Instant) {
        if let Some(receipt) = &status.receipt {
            self.receipts.insert(sync.to_string(), receipt.clone());
        }
        let changed = status.changed.and_then(|changed| usize::try_from(changed).ok()).unwrap_or(0);
        let base = status.base.and_then(|base| usize::try_from(base).ok());
        if changed > self.guard.count() || (base.is_some() && self.guard.base().is_none()) {
            self.guard = ChangeBudget::resumed(changed.max(self.guard.count()), base, now);
        }
    }

    /// How many objects were changed in it lately, with those that are being changed.
    pub fn changes(&self) -> usize {
        self.guard.count_with(self.agenda.being_updated())
    }

    /// Takes in what was carried out, and says when to go on: what can only be refused again waits for `resync`.
    /// `now_is` tells what is known of an object.
    pub fn came(
        &mut self,
        came: &PassOutcome,
        looked_at: LookedAt,
        now_is: impl Fn(&ObjectId) -> Option<Item>,
        resync: Duration,
        now: Instant,
    ) {
        self.done.extend(came.done.iter().map(|(_, _, digest)| digest.clone()));
        if came.approved {
            self.guard.approved();
        } else {
            let changes = |kind: &ActionKind| matches!(kind, ActionKind::Update | ActionKind::Delete);
            let changed = came.done.iter().filter(|(_, kind, _)| changes(kind)).map(|(id, _, _)| id.clone());
            self.guard.changed(changed, now);
            if !came.done.is_empty() {
                self.guard.touched(now);
            }
        }
        match looked_at {
            LookedAt::Part(pass) => self.agenda.part_done(pass, now_is, now),
            LookedAt::Whole(pass) => {
                self.progress = None;
                self.agenda.part_done(pass, now_is, now);
                self.agenda.whole_done(pass);
            }
        }
        match came.retry() {
            Some(Retry::Soon) => self.agenda.failed(now),
            Some(Retry::Seldom) => self.agenda.refused(resync, now),
            Some(Retry::Resync) | None if matches!(looked_at, LookedAt::Whole(_)) => self.agenda.recovered(),
            // What else failed before is still to be tried again.
            Some(Retry::Resync) | None => {}
        }
    }

    /// Takes in what a look at everything found: how each of `syncs` stands.
    pub fn judge(
        &mut self,
        (namespace, target): (&str, &str),
        whole: &Whole,
        syncs: &BTreeMap<String, SyncInto>,
        now: Instant,
        time: &str,
    ) {
        self.given = whole.given.clone();
        if let Some((declared, live)) = &whole.settled {
            self.guard.settled(now);
            if !self.done.is_empty() {
                let receipt = self.receipt(declared, live, time);
                self.receipts = syncs.keys().map(|sync| (sync.clone(), receipt.clone())).collect();
            }
        }
        let absent = Target {
            tenant: target.to_string(),
            state: State::Unreachable,
            why: Some(format!("there is no Tenant {target} in this namespace")),
            suspended: false,
            suspended_syncs: BTreeMap::new(),
            known: true,
            digests: BTreeMap::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            concerned: BTreeMap::new(),
        };
        let known = whole.plan.targets.iter().find(|t| t.tenant == target);
        let planned = known.unwrap_or(&absent);
        let stand = |(sync, into): (&String, &SyncInto)| {
            let evidence = Evidence {
                sync,
                namespace,
                mode: into.mode,
                is_suspended: into.is_suspended,
                target: planned,
                findings: &whole.plan.findings,
                source_trouble: into.source_trouble.as_deref(),
                unattended: whole.unattended.as_ref(),
                is_unknown: known.is_none() || !into.knows_source,
                failed: &whole.came.failed,
                void: whole.void.get(sync).map(String::as_str),
                waiting_plan: whole.waiting.kept.get(sync),
                unkept: whole.waiting.unkept.get(sync).map(String::as_str),
                given: whole.given.get(sync),
                changed: self.guard.count(),
                base: self.guard.base(),
                later: &whole.later,
                receipt: self.receipts.get(sync).cloned(),
            };
            (sync.clone(), (judge::target(&evidence), self.requested.get(sync).cloned()))
        };
        self.standing = syncs.iter().map(stand).collect();
    }

    /// How many objects of it drifted and are left so, and since when the first is.
    pub fn drifts(&mut self, target: &str, plan: &Plan, now: SystemTime) -> (usize, Option<SystemTime>) {
        let notes = plan.targets.iter().filter(|t| t.tenant == target).flat_map(|t| &t.notes);
        let left = notes.filter_map(|note| match note {
            Note::Drift { object, left: true, ignored: false, .. } => Some(object),
            _ => None,
        });
        let left = left.collect::<BTreeSet<_>>().len();
        self.drifts_since = (left > 0).then(|| self.drifts_since.unwrap_or(now));
        (left, self.drifts_since)
    }

    /// The proof of what was done since the last one.
    fn receipt(&mut self, declared: &Digest, live: &Digest, time: &str) -> ReceiptStatus {
        let mut plan = Digesting::default();
        let done = std::mem::take(&mut self.done);
        plan.value(&Value::Array(done.iter().map(|digest| Value::String(digest.to_string())).collect()));
        ReceiptStatus {
            at: time.to_string(),
            plan: plan.finish().to_string(),
            declared: declared.to_string(),
            live: live.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pass::Failure;
    use super::*;

    const RESYNC: Duration = Duration::from_secs(600);

    /// What follows from a look at everything of which these failed.
    fn after(target: &mut TargetState, retries: &[Retry], now: Instant) -> Option<Duration> {
        let failure = |retry: &Retry| Failure { code: "Refused", why: String::new(), retry: *retry };
        let failed = retries.iter().enumerate().map(|(id, retry)| (id.to_string(), failure(retry))).collect();
        target.came(
            &PassOutcome { failed, ..PassOutcome::default() },
            LookedAt::Whole(PassId(1)),
            |_| None,
            RESYNC,
            now,
        );
        target.agenda.wakes(now).map(|at| at - now)
    }

    #[test]
    fn what_is_too_large_is_not_tried_again() {
        let (mut target, now) = (TargetState::default(), Instant::now());
        assert_eq!(after(&mut target, &[Retry::Resync], now), None);
        assert!(after(&mut target, &[Retry::Resync, Retry::Soon], now).is_some(), "what fails beside it is");
        assert_eq!(after(&mut target, &[Retry::Resync], now), None);
    }

    #[test]
    fn what_is_refused_is_tried_again_ever_more_seldom() {
        let (mut target, now) = (TargetState::default(), Instant::now());
        let pauses: Vec<Duration> = (0..20).filter_map(|_| after(&mut target, &[Retry::Seldom], now)).collect();
        assert_eq!(pauses[..2], [Duration::from_millis(200), Duration::from_millis(400)]);
        assert_eq!(pauses[19], RESYNC);
        assert_eq!(after(&mut target, &[Retry::Seldom, Retry::Soon], now), Some(Duration::from_secs(60)));
    }
}
