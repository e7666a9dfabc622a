//! The last receipts of each sync into a target, for its status: what was carried out, and what a reconcile found
//! afterwards.

use super::assess::SyncState;
use super::outcome::DoneAction;
use crate::api::{RECEIPTS, ReceiptCounts, SyncReceipt, TargetStatus};
use crate::engine::model::canonical::{Digest, Digesting};
use crate::engine::model::record::Writer;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

/// What the syncs into one target carried out since this process began.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    /// By sync: what no receipt lists yet.
    unlisted: BTreeMap<String, Unlisted>,
    /// By sync: its last receipts, newest first.
    listed: BTreeMap<String, VecDeque<SyncReceipt>>,
}

#[derive(Debug, Default)]
struct Unlisted {
    done: Vec<Digest>,
    counts: ReceiptCounts,
}

impl Receipts {
    /// Takes the actions that a reconcile carried out.
    pub(super) fn carried_out(&mut self, done: &[DoneAction]) {
        for action in done {
            for writer in &action.writers {
                let Writer::Sync(sync) = writer else { continue };
                let unlisted = self.unlisted.entry(sync.clone()).or_default();
                unlisted.done.push(action.digest.clone());
                action.kind.count_in(&mut unlisted.counts);
            }
        }
    }

    /// Writes the receipts of what was carried out before, now that a reconcile found each sync in this state.
    pub(super) fn verified<'s>(&mut self, states: impl Iterator<Item = (&'s str, &'s TargetStatus)>, time: &str) {
        for (sync, status) in states {
            let Some(Unlisted { done, counts }) = self.unlisted.remove(sync) else { continue };
            let is_done = status.state == SyncState::InSync.as_str();
            let receipt = SyncReceipt {
                tenant: status.tenant.clone(),
                at: time.to_string(),
                digest: digest_of(&done).to_string(),
                counts,
                result: status.state.clone(),
                release: status.release.clone().filter(|_| is_done),
            };
            let listed = self.listed.entry(sync.to_string()).or_default();
            listed.push_front(receipt);
            listed.truncate(RECEIPTS);
        }
    }

    /// Forgets the other syncs.
    pub(super) fn retain(&mut self, is_here: impl Fn(&String) -> bool) {
        self.unlisted.retain(|sync, _| is_here(sync));
        self.listed.retain(|sync, _| is_here(sync));
    }

    /// The last receipts of a sync, newest first.
    pub(super) fn of(&self, sync: &str) -> impl Iterator<Item = &SyncReceipt> {
        self.listed.get(sync).into_iter().flatten()
    }
}

/// Returns the digest of actions that were carried out.
pub(super) fn digest_of(done: &[Digest]) -> Digest {
    let mut digesting = Digesting::default();
    digesting.value(&Value::Array(done.iter().map(|digest| Value::String(digest.to_string())).collect()));
    digesting.finish()
}

/// Returns the list for a status: the new receipts and those that are there, newest first.
pub(super) fn merged<'r>(new: impl Iterator<Item = &'r SyncReceipt>, there: &[SyncReceipt]) -> Vec<SyncReceipt> {
    let mut merged: Vec<SyncReceipt> = new.cloned().collect();
    let known = merged.len();
    merged.extend(there.iter().filter(|receipt| !merged[..known].contains(receipt)).cloned().collect::<Vec<_>>());
    // The times have one form and one length, and the sort is stable.
    merged.sort_by(|one, other| other.at.cmp(&one.at));
    merged.truncate(RECEIPTS);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Kind;
    use crate::engine::model::item::ObjectId;
    use crate::engine::model::plan::ActionKind;

    fn done(name: &str, kind: ActionKind, syncs: &[&str]) -> DoneAction {
        DoneAction {
            object: ObjectId::new(Kind::Connection, name),
            kind,
            digest: Digest::of(name.as_bytes()),
            writers: syncs.iter().map(|sync| Writer::Sync(sync.to_string())).collect(),
        }
    }

    /// The statuses of syncs in a target.
    fn states(target: &str, of: &[(&'static str, &str)]) -> Vec<(&'static str, TargetStatus)> {
        let status = |state: &str| TargetStatus {
            tenant: target.to_string(),
            state: state.to_string(),
            release: Some("sha256:r".to_string()),
            ..TargetStatus::default()
        };
        of.iter().map(|(sync, state)| (*sync, status(state))).collect()
    }

    fn verified(receipts: &mut Receipts, target: &str, of: &[(&'static str, &str)], time: &str) {
        let states = states(target, of);
        receipts.verified(states.iter().map(|(sync, status)| (*sync, status)), time);
    }

    fn at(second: usize) -> String {
        format!("2026-11-29T04:00:{second:02}Z")
    }

    /// "the last 16 receipts in status": each sync has what it carried out, and nothing without a change.
    #[test]
    fn a_receipt_has_what_its_sync_carried_out_and_what_was_found_afterwards() {
        let mut receipts = Receipts::default();
        verified(&mut receipts, "eu", &[("a", "InSync"), ("b", "InSync")], &at(0));
        assert_eq!(receipts.of("a").count(), 0);
        receipts.carried_out(&[done("x", ActionKind::Create, &["a"]), done("y", ActionKind::Update, &["a", "b"])]);
        receipts.carried_out(&[done("z", ActionKind::Update, &["a"])]);
        assert_eq!(receipts.of("a").count(), 0, "no reconcile has seen the result");
        verified(&mut receipts, "eu", &[("a", "InSync"), ("b", "Blocked")], &at(1));
        let of = |sync: &str| receipts.of(sync).cloned().collect::<Vec<_>>();
        let (a, b) = (of("a"), of("b"));
        assert_eq!((a.len(), a[0].result.as_str(), a[0].at.as_str()), (1, "InSync", at(1).as_str()));
        assert_eq!(a[0].counts, ReceiptCounts { create: 1, update: 2, ..ReceiptCounts::default() });
        assert_eq!((b[0].result.as_str(), b[0].counts.update), ("Blocked", 1));
        assert_ne!(a[0].digest, b[0].digest);
        verified(&mut receipts, "eu", &[("a", "InSync"), ("b", "InSync")], &at(2));
        assert_eq!((receipts.of("a").count(), receipts.of("b").count()), (1, 1), "none when nothing changed");
        receipts.retain(|sync| sync == "b");
        assert_eq!((receipts.of("a").count(), receipts.of("b").count()), (0, 1));
    }

    #[test]
    fn a_status_has_the_last_sixteen_and_is_written_once() {
        let mut receipts = Receipts::default();
        let mut status: Vec<SyncReceipt> = Vec::new();
        for second in 0..40 {
            // Two in one second differ in what was done.
            receipts.carried_out(&[done(&second.to_string(), ActionKind::Create, &["a"])]);
            verified(&mut receipts, "eu", &[("a", "InSync")], &at(second / 2));
            status = merged(receipts.of("a"), &status);
            assert_eq!(merged(receipts.of("a"), &status), status, "the same again");
        }
        assert_eq!(status.len(), RECEIPTS);
        let times: Vec<&str> = status.iter().map(|receipt| receipt.at.as_str()).collect();
        assert!(times.is_sorted_by(|one, other| one >= other), "{times:?}");
        assert_eq!(times[..3], [at(19), at(19), at(18)].each_ref().map(String::as_str));
        // Another process goes on with what is there.
        let mut next = Receipts::default();
        assert_eq!(merged(next.of("a"), &status), status);
        next.carried_out(&[done("next", ActionKind::Delete, &["a"])]);
        verified(&mut next, "eu", &[("a", "Failed")], &at(30));
        let after = merged(next.of("a"), &status);
        assert_eq!((after[0].result.as_str(), after[0].counts.delete, after.len()), ("Failed", 1, RECEIPTS));
        assert_eq!(after[1..], status[..RECEIPTS - 1]);
    }

    #[test]
    fn receipts_of_several_targets_are_one_list() {
        let of = |target: &str, seconds: &[usize]| {
            let mut receipts = Receipts::default();
            for second in seconds {
                receipts.carried_out(&[done(target, ActionKind::Create, &["a"])]);
                verified(&mut receipts, target, &[("a", "InSync")], &at(*second));
            }
            receipts
        };
        let (eu, us) = (of("eu", &[1, 3]), of("us", &[2, 3]));
        let list = merged(eu.of("a").chain(us.of("a")), &[]);
        let shown: Vec<(&str, &str)> = list.iter().map(|r| (r.tenant.as_str(), &r.at[17..19])).collect();
        assert_eq!(shown, [("eu", "03"), ("us", "03"), ("us", "02"), ("eu", "01")]);
        assert_eq!(merged(eu.of("a").chain(us.of("a")), &list), list);
    }
}
