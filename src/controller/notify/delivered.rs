//! What each destination knows, and what is due: the difference between that and what is so now. Pure.

use super::destination::Destination;
use super::fact::{Fact, Severity, Subject, Topic};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The version of the record's form.
const VERSION: u32 = 1;

/// A fact, since when it is so, and the uid of its object.
#[derive(Clone, Debug)]
pub(super) struct ObservedFact {
    pub fact: Fact,
    pub since: Instant,
    pub uid: String,
}

/// What each destination was told last, or would have been if it wanted it.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivered {
    version: u32,
    /// By destination and subject.
    destinations: BTreeMap<String, BTreeMap<String, Known>>,
}

/// What a destination knows of a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// The hash of the fact that it was told last; empty if there is nothing to tell.
    told: String,
    /// How many facts there were before: the same one again is another notification.
    count: u64,
    /// The hash of a fact that it may have been told: it was about to be sent, and there is no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trying: Option<String>,
}

/// Why a record cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeliveredError {
    #[error("it cannot be read")]
    Form,
    #[error("a newer version of Stablekey wrote it")]
    Newer,
}

/// A message to send.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// The same each time that this message is sent.
    pub id: String,
    pub subject: Subject,
    pub fact: Fact,
    /// What the message was about is over.
    pub is_end: bool,
    hash: String,
    /// What was being tried before.
    tried: Option<String>,
}

/// What a destination is to be told.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub deliveries: Vec<Delivery>,
    /// When a fact that may pass has lasted long enough.
    pub wakes: Option<Instant>,
    /// The record changed: something is known that needs no message.
    pub is_settled: bool,
}

impl Delivered {
    /// A record of nothing.
    pub(super) fn new() -> Self {
        Delivered { version: VERSION, destinations: BTreeMap::new() }
    }

    pub(super) fn parse(text: &str) -> Result<Self, DeliveredError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_str(text).map_err(|_| DeliveredError::Form)?;
        if version > VERSION {
            return Err(DeliveredError::Newer);
        }
        serde_json::from_str(text).map_err(|_| DeliveredError::Form)
    }

    pub(super) fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Drops the destinations and the objects that are gone; returns whether there were any.
    pub(super) fn retain(&mut self, has_destination: impl Fn(&str) -> bool, has_object: impl Fn(&str) -> bool) -> bool {
        let count = |all: &Self| (all.destinations.len(), all.destinations.values().map(BTreeMap::len).sum::<usize>());
        let before = count(self);
        self.destinations.retain(|name, _| has_destination(name));
        let object = |key: &str| key.split(' ').next().is_some_and(&has_object);
        self.destinations.values_mut().for_each(|known| known.retain(|key, _| object(key)));
        count(self) != before
    }

    /// Compares what is so with what a destination knows. What it does not want is known without a message, and so is what
    /// was well before the time `baseline`, for a destination that knows nothing yet.
    pub(super) fn due(
        &mut self,
        destination: &Destination,
        facts: &BTreeMap<Subject, ObservedFact>,
        (baseline, now): (Instant, Instant),
        patience: Duration,
    ) -> Due {
        let is_new = !self.destinations.contains_key(&destination.name);
        let known = self.destinations.entry(destination.name.clone()).or_default();
        let mut due = Due { is_settled: is_new, ..Due::default() };
        for (subject, observed) in facts {
            let (fact, key, hash) = (&observed.fact, subject.to_string(), observed.fact.hash());
            let before = known.get(&key).cloned().unwrap_or_default();
            if before.told == hash && before.trying.is_none() {
                continue;
            }
            let is_problem = fact.severity > Severity::Info;
            let is_wanted = destination.wants(subject, fact);
            let is_end = fact.is_none();
            let was_there = is_new && observed.since <= baseline;
            let was_well = was_there && subject.topic != Topic::Commit && !is_problem;
            if !is_wanted || was_well || is_end && subject.topic != Topic::Drift {
                settle(known, key, hash);
                due.is_settled = true;
                continue;
            }
            let from = observed.since + patience;
            if fact.may_pass && from > now {
                due.wakes = Some(due.wakes.map_or(from, |wakes| wakes.min(from)));
                continue;
            }
            let id = id(&[&destination.name, &observed.uid, &key, &hash, &before.count.to_string()]);
            let tried = before.trying;
            due.deliveries.push(Delivery { id, subject: subject.clone(), fact: fact.clone(), is_end, hash, tried });
        }
        due
    }

    /// Records that messages are about to be sent: they may have arrived, whatever happens then.
    pub(super) fn try_to_tell(&mut self, destination: &str, deliveries: &[Delivery]) {
        let known = self.destinations.entry(destination.to_string()).or_default();
        for delivery in deliveries {
            known.entry(delivery.subject.to_string()).or_default().trying = Some(delivery.hash.clone());
        }
    }

    /// Records that a message surely did not arrive.
    pub(super) fn did_not_arrive(&mut self, destination: &str, delivery: &Delivery) {
        let known =
            self.destinations.get_mut(destination).and_then(|known| known.get_mut(&delivery.subject.to_string()));
        if let Some(known) = known {
            known.trying.clone_from(&delivery.tried);
        }
    }

    /// Records that a message was delivered, or will never be.
    pub(super) fn settle(&mut self, destination: &str, delivery: &Delivery) {
        let known = self.destinations.entry(destination.to_string()).or_default();
        settle(known, delivery.subject.to_string(), delivery.hash.clone());
    }
}

fn settle(known: &mut BTreeMap<String, Known>, key: String, told: String) {
    let count = known.get(&key).map_or(0, |known| known.count + 1);
    known.insert(key, Known { told, count, trying: None });
}

fn id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::super::destination::Destinations;
    use super::*;
    use crate::api::Kind;
    use crate::controller::named_secret::NamedSecret;
    use crate::engine::model::item::ObjectId;
    use proptest::prelude::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn destination(name: &str, more: &str) -> Destination {
        let text = format!("slack: {{url: 'https://a.example'}}\n{more}");
        let secret = NamedSecret::of(&[(name, &text)], Some("a.example"));
        Destinations::of(&secret, false).usable.pop().unwrap()
    }

    fn subject(object: &str, topic: Topic) -> Subject {
        Subject { object: ObjectId::new(Kind::TenantSync, object), tenant: Some("eu".into()), topic }
    }

    fn fact(state: &str, severity: Severity) -> Fact {
        Fact { state: state.into(), version: "1".into(), severity, ..Fact::none() }
    }

    fn observed(fact: Fact, since: Instant) -> ObservedFact {
        ObservedFact { fact, since, uid: "u".into() }
    }

    /// Sends all that is due, and returns the states.
    fn told(delivered: &mut Delivered, to: &Destination, facts: &BTreeMap<Subject, ObservedFact>) -> Vec<String> {
        let due = delivered.due(to, facts, (Instant::now(), Instant::now()), PATIENCE);
        due.deliveries.iter().for_each(|delivery| delivered.settle(&to.name, delivery));
        due.deliveries.into_iter().map(|delivery| delivery.fact.state).collect()
    }

    #[test]
    fn a_new_destination_is_told_of_problems_only() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let (sync, drift) = (subject("a", Topic::Sync), subject("a", Topic::Drift));
        let mut facts = BTreeMap::from([
            (sync.clone(), observed(fact("InSync", Severity::Info), now)),
            (drift.clone(), observed(fact("Drifted", Severity::Warning), now)),
        ]);
        let mut delivered = Delivered::new();
        assert_eq!(told(&mut delivered, &to, &facts), ["Drifted"]);
        assert_eq!(told(&mut delivered, &to, &facts), [""; 0], "once");
        // A sync that comes later was never in sync before.
        facts.insert(subject("b", Topic::Sync), observed(fact("InSync", Severity::Info), now));
        assert_eq!(told(&mut delivered, &to, &facts), ["InSync"]);
        facts.insert(drift, observed(Fact::none(), now));
        assert_eq!(told(&mut delivered, &to, &facts), [""], "drift that ended");
        // What became well after the beginning is told to a destination that was read a moment later.
        let late = delivered.due(&destination("late", ""), &facts, (now - PATIENCE, now), PATIENCE).deliveries;
        assert_eq!(late.len(), 2);
        facts.insert(subject("a", Topic::Approval), observed(fact("AwaitingApproval", Severity::Warning), now));
        assert_eq!(told(&mut delivered, &to, &facts), ["AwaitingApproval"]);
        facts.insert(subject("a", Topic::Approval), observed(Fact::none(), now));
        assert_eq!(told(&mut delivered, &to, &facts), [""; 0], "the receipt follows");
    }

    #[test]
    fn the_same_again_is_another_notification_and_a_retry_is_not() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let mut delivered = Delivered::new();
        let with = |fact: Fact| BTreeMap::from([(subject("a", Topic::Approval), observed(fact, now))]);
        let waits = with(fact("AwaitingApproval", Severity::Warning));
        let id = |delivered: &mut Delivered| delivered.due(&to, &waits, (now, now), PATIENCE).deliveries[0].id.clone();
        let first = id(&mut delivered);
        assert_eq!(id(&mut delivered), first, "it was not delivered");
        let restarted = Delivered::parse(&delivered.to_json()).unwrap();
        assert_eq!(restarted, delivered);
        assert_eq!(told(&mut delivered, &to, &waits).len(), 1);
        told(&mut delivered, &to, &with(Fact::none()));
        assert_ne!(id(&mut delivered), first);
    }

    #[test]
    fn what_may_have_arrived_is_told_again_or_taken_back() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let with = |fact: Fact| BTreeMap::from([(subject("a", Topic::Drift), observed(fact, now))]);
        let drifts = with(fact("Drifted", Severity::Warning));
        let mut delivered = Delivered::new();
        let first = delivered.due(&to, &drifts, (now, now), PATIENCE).deliveries;
        delivered.try_to_tell(&to.name, &first);
        // The operator ends before there is an answer.
        let restarted = || Delivered::parse(&delivered.to_json()).unwrap();
        let again = restarted().due(&to, &drifts, (now, now), PATIENCE).deliveries;
        assert_eq!((again.len(), &again[0].id), (1, &first[0].id));
        let taken_back = restarted().due(&to, &with(Fact::none()), (now, now), PATIENCE).deliveries;
        assert!(taken_back[0].is_end);
        // It surely did not arrive: there is nothing to take back.
        let mut refused = restarted();
        refused.did_not_arrive(&to.name, &first[0]);
        assert_eq!(refused.due(&to, &with(Fact::none()), (now, now), PATIENCE).deliveries.len(), 0);
        // It may have arrived the first time, and did not the second.
        let mut unknown = restarted();
        unknown.try_to_tell(&to.name, &again);
        unknown.did_not_arrive(&to.name, &again[0]);
        assert!(unknown.due(&to, &with(Fact::none()), (now, now), PATIENCE).deliveries[0].is_end);
    }

    #[test]
    fn what_may_pass_is_told_when_it_lasts() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let fact = Fact { may_pass: true, ..fact("Unreachable", Severity::Error) };
        let facts = BTreeMap::from([(subject("a", Topic::Sync), observed(fact, now))]);
        let mut delivered = Delivered::new();
        let due = delivered.due(&to, &facts, (now, now), PATIENCE);
        assert_eq!((due.deliveries.len(), due.wakes), (0, Some(now + PATIENCE)));
        let due = delivered.due(&to, &facts, (now, now + PATIENCE), PATIENCE);
        assert_eq!((due.deliveries.len(), due.wakes), (1, None));
    }

    #[test]
    fn what_a_destination_does_not_want_is_not_told_later_either() {
        let now = Instant::now();
        let facts = BTreeMap::from([(subject("a", Topic::Drift), observed(fact("Drifted", Severity::Warning), now))]);
        let mut delivered = Delivered::new();
        assert_eq!(told(&mut delivered, &destination("team", "topics: [Sync]"), &facts), [""; 0]);
        assert_eq!(told(&mut delivered, &destination("team", ""), &facts), [""; 0]);
        assert_eq!(told(&mut delivered, &destination("other", ""), &facts), ["Drifted"]);
    }

    #[test]
    fn what_is_gone_is_forgotten() {
        let now = Instant::now();
        let facts = BTreeMap::from([(subject("a", Topic::Drift), observed(fact("Drifted", Severity::Warning), now))]);
        let mut delivered = Delivered::new();
        let to = destination("team", "");
        told(&mut delivered, &to, &facts);
        assert!(!delivered.retain(|_| true, |object| object == "TenantSync/a"));
        assert!(delivered.retain(|_| true, |_| false));
        assert_eq!(told(&mut delivered, &to, &facts), ["Drifted"]);
        assert!(delivered.retain(|_| false, |_| true));
        assert_eq!(delivered, Delivered::new());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_not_taken_for_an_empty_one() {
        for (text, error) in [
            ("", DeliveredError::Form),
            ("{}", DeliveredError::Form),
            (r#"{"version":1}"#, DeliveredError::Form),
            (r#"{"version":2,"destinations":[]}"#, DeliveredError::Newer),
        ] {
            assert_eq!(Delivered::parse(text), Err(error), "{text}");
        }
    }

    proptest! {
        /// Whatever happens, with restarts in between: a destination is told of each change once, and knows in the end
        /// what is so.
        #[test]
        fn each_transition_is_told_once(steps in prop::collection::vec((0..3usize, 0..4usize, any::<bool>()), 1..40)) {
            let (now, to) = (Instant::now(), destination("team", ""));
            let states = ["", "AwaitingApproval", "Drifted", "InSync"];
            let mut delivered = Delivered::new();
            // It is there before everything else.
            delivered.due(&to, &BTreeMap::new(), (now, now), PATIENCE);
            let mut facts = BTreeMap::new();
            let mut last: BTreeMap<usize, usize> = BTreeMap::new();
            for (object, state, restarts) in steps {
                let fact = match states[state] {
                    "" => Fact::none(),
                    name => fact(name, Severity::Warning),
                };
                facts.insert(subject(&object.to_string(), Topic::Drift), observed(fact, now));
                let told = told(&mut delivered, &to, &facts);
                let is_change = last.insert(object, state).unwrap_or(0) != state;
                prop_assert_eq!(told, if is_change { vec![states[state].to_string()] } else { vec![] });
                if restarts {
                    delivered = Delivered::parse(&delivered.to_json()).unwrap();
                }
            }
        }
    }
}
