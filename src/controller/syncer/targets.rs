//! One target: the syncs into it, what is due, and what is known of how they stand.

use super::agenda::Agenda;
use super::guard::Guard;
use super::judge::{self, Evidence};
use super::pass::{Came, Syncs, Whole};
use crate::api::{ReceiptStatus, SyncMode, TargetStatus};
use crate::engine::canonical::{Digest, Digesting};
use crate::engine::plan::{ActionKind, State, Target};
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::time::Instant;

/// One target.
#[derive(Debug, Default)]
pub struct TargetState {
    /// What has to be looked at.
    pub agenda: Agenda,
    /// What was changed in it lately.
    pub guard: Guard,
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
}

impl TargetState {
    /// Takes over what an operator before this one wrote down.
    pub fn resume(&mut self, sync: &str, status: &TargetStatus, now: Instant) {
        if let Some(receipt) = &status.receipt {
            self.receipts.insert(sync.to_string(), receipt.clone());
        }
        let changed = status.changed.and_then(|changed| usize::try_from(changed).ok()).unwrap_or(0);
        if changed > self.guard.count() {
            self.guard = Guard::resumed(changed, now);
        }
    }

    /// Takes in what was carried out, and says when to go on.
    pub fn came(&mut self, came: &Came, now: Instant) {
        self.done.extend(came.done.iter().map(|(_, _, digest)| digest.clone()));
        if came.approved {
            self.guard.approved();
        } else {
            let changes = |kind: &ActionKind| matches!(kind, ActionKind::Update | ActionKind::Delete);
            let changed = came.done.iter().filter(|(_, kind, _)| changes(kind)).map(|(id, _, _)| id.clone());
            self.guard.changed(changed, now);
        }
        if came.again || !came.failed.is_empty() {
            self.agenda.failed(now);
        } else {
            self.agenda.done();
        }
    }

    /// Takes in what a look at everything found: how each of `syncs` stands.
    pub fn judge(
        &mut self,
        target: &str,
        whole: &Whole,
        syncs: &BTreeMap<String, (SyncMode, Option<String>)>,
        now: Instant,
        time: &str,
    ) {
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
            digests: BTreeMap::new(),
            actions: Vec::new(),
            notes: Vec::new(),
        };
        let planned = whole.plan.targets.iter().find(|t| t.tenant == target).unwrap_or(&absent);
        let stand = |(sync, (mode, source_trouble)): (&String, &(SyncMode, Option<String>))| {
            let evidence = Evidence {
                sync,
                mode: *mode,
                target: planned,
                findings: &whole.plan.findings,
                source_trouble: source_trouble.as_deref(),
                failed: &whole.came.failed,
                void: whole.void.get(sync).map(String::as_str),
                changed: self.guard.count(),
                receipt: self.receipts.get(sync).cloned(),
            };
            (sync.clone(), (judge::target(&evidence), self.requested.get(sync).cloned()))
        };
        self.standing = syncs.iter().map(stand).collect();
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
