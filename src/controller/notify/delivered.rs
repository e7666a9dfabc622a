//! What each destination received, and what is due: the difference between that and the current state. Pure.

use super::destination::Destination;
use super::fact::{Fact, Severity, Subject, Topic};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// The version of the record's form.
const VERSION: u32 = 1;
/// How many destinations are remembered. One that is missing for a while, and comes back, receives nothing twice.
const MOST_DESTINATIONS: usize = 32;
/// The part of the patience after which the next status of a commit may be written.
const COMMITS: u32 = 6;

/// A fact, and what is needed to compare it.
#[derive(Clone, Debug)]
pub(super) struct ObservedFact {
    pub fact: Fact,
    /// Since when it is so.
    pub since: Instant,
    /// The uid of its object.
    pub uid: String,
    key: String,
    hash: String,
}

impl ObservedFact {
    pub(super) fn new(subject: &Subject, fact: Fact, uid: &str, since: Instant) -> Self {
        ObservedFact { key: subject.to_string(), hash: fact.hash(), fact, since, uid: uid.to_string() }
    }

    pub(super) fn is_same(&self, fact: &Fact) -> bool {
        self.hash == fact.hash()
    }
}

/// What each destination received.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Delivered {
    version: u32,
    /// The number of messages and of what needed none, so that no two messages have one id.
    count: u64,
    /// By destination and subject.
    destinations: BTreeMap<String, BTreeMap<String, Received>>,
}

/// What a destination received about a subject.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Received {
    /// The beginning of the object's uid: another object of the same name is another subject.
    of: String,
    /// The hash of the last fact; empty if there is nothing to report.
    last: String,
    /// The number of the last message, or of the one that is being tried.
    number: u64,
    /// The hash of a fact that it may have received: it was about to be sent, and there is no answer.
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
    pub key: String,
    hash: String,
    of: String,
    number: u64,
    /// What was received and tried before.
    before: Received,
}

/// When a destination received its messages in this process, and when it came.
#[derive(Clone, Debug, Default)]
pub(super) struct Since {
    /// What was well before is nothing new to it.
    pub baseline: Option<Instant>,
    /// By key: when the last message was sent.
    pub sent: BTreeMap<String, Instant>,
    /// By key: when a message that failed is tried again.
    pub again: BTreeMap<String, Instant>,
}

/// What a destination is to receive.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub deliveries: Vec<Delivery>,
    /// When more is due.
    pub wakes: Option<Instant>,
    /// What is known without a message: key, and what is remembered.
    settled: Vec<(String, Received)>,
    is_new: bool,
}

impl Due {
    /// Whether the record changes, or something is sent.
    pub(super) fn is_anything(&self) -> bool {
        self.is_new || !self.settled.is_empty() || !self.deliveries.is_empty()
    }

    fn wakes_at(&mut self, at: Instant) {
        self.wakes = Some(self.wakes.map_or(at, |wakes| wakes.min(at)));
    }
}

impl Delivered {
    /// A record of nothing.
    pub(super) fn new() -> Self {
        Delivered { version: VERSION, ..Delivered::default() }
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

    /// Drops the subjects that are gone, and of too many destinations those that are gone; returns whether there were any.
    pub(super) fn retain(
        &mut self,
        has_destination: impl Fn(&str) -> bool,
        has_subject: impl Fn(&str, Option<&str>) -> bool,
    ) -> bool {
        let count = |all: &Self| (all.destinations.len(), all.destinations.values().map(BTreeMap::len).sum::<usize>());
        let before = count(self);
        if self.destinations.len() > MOST_DESTINATIONS {
            self.destinations.retain(|name, _| has_destination(name));
        }
        let is_there = |key: &str| {
            let mut parts = key.split(' ');
            let (object, tenant) = (parts.next().unwrap_or_default(), parts.next());
            has_subject(object, tenant.filter(|tenant| *tenant != "-"))
        };
        self.destinations.values_mut().for_each(|received| received.retain(|key, _| is_there(key)));
        count(self) != before
    }

    /// Compares the current state with what a destination received. What it does not want is not remembered, except that
    /// what it received before is over; and what was well before it came needs no message.
    pub(super) fn due(
        &self,
        destination: &Destination,
        facts: &BTreeMap<Subject, ObservedFact>,
        since: &Since,
        now: Instant,
        patience: Duration,
    ) -> Due {
        let received = self.destinations.get(&destination.name);
        let mut due = Due { is_new: received.is_none(), ..Due::default() };
        for (subject, observed) in facts {
            let ObservedFact { fact, key, hash, .. } = observed;
            let of: String = observed.uid.chars().take(8).collect();
            // What an earlier object of the name was about is no matter of this one.
            let known = received.and_then(|received| received.get(key)).filter(|known| known.of == of);
            let before = known.cloned().unwrap_or_default();
            if before.last == *hash && before.trying.is_none() {
                continue;
            }
            let is_end = fact.is_none();
            let is_well = fact.severity == Severity::Info && subject.topic != Topic::Commit;
            let was_there = known.is_none() && since.baseline.is_some_and(|baseline| observed.since <= baseline);
            let is_wanted = destination.wants(subject, fact);
            if !is_wanted && known.is_none() {
                continue;
            }
            let number = if known.is_some() { before.number } else { self.count };
            if !is_wanted || was_there && is_well || is_end && subject.topic != Topic::Drift {
                due.settled.push((key.clone(), Received { of, last: hash.clone(), number, trying: None }));
                continue;
            }
            let lasts = if fact.may_pass { observed.since + patience } else { now };
            let pause = if subject.topic == Topic::Commit { patience / COMMITS } else { patience };
            let rests = since.sent.get(key).map_or(now, |sent| *sent + pause);
            let from = lasts.max(rests).max(since.again.get(key).copied().unwrap_or(now));
            if from > now {
                due.wakes_at(from);
                continue;
            }
            let id = id(&[&destination.name, &observed.uid, key, hash, &number.to_string()]);
            let (key, hash, subject, fact) = (key.clone(), hash.clone(), subject.clone(), fact.clone());
            due.deliveries.push(Delivery { id, subject, fact, is_end, key, hash, of, number, before });
        }
        due
    }

    /// Records what needs no message, and that these messages are about to be sent: they may arrive, whatever happens then.
    pub(super) fn begin(&mut self, destination: &str, due: &Due) {
        let received = self.destinations.entry(destination.to_string()).or_default();
        received.extend(due.settled.iter().cloned());
        for Delivery { key, hash, of, number, before, .. } in &due.deliveries {
            let last = before.last.clone();
            let trying = Some(hash.clone());
            received.insert(key.clone(), Received { of: of.clone(), last, number: *number, trying });
        }
        self.count = self.count.wrapping_add(1);
    }

    /// Records that a message surely did not arrive.
    pub(super) fn did_not_arrive(&mut self, destination: &str, delivery: &Delivery) {
        if let Some(known) = self.entry(destination, delivery) {
            known.trying.clone_from(&delivery.before.trying);
        }
    }

    /// Records that a message was delivered, or will never be.
    pub(super) fn settle(&mut self, destination: &str, delivery: &Delivery) {
        let number = self.count;
        if let Some(known) = self.entry(destination, delivery) {
            (known.last, known.number, known.trying) = (delivery.hash.clone(), number, None);
        }
        self.count = self.count.wrapping_add(1);
    }

    /// The entry of a message that was sent, if its subject is still there.
    fn entry(&mut self, destination: &str, delivery: &Delivery) -> Option<&mut Received> {
        let known = self.destinations.get_mut(destination)?.get_mut(&delivery.key)?;
        Some(known).filter(|known| known.of == delivery.of)
    }
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

    type Facts = BTreeMap<Subject, ObservedFact>;

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

    fn drifted() -> Fact {
        fact("Drifted", Severity::Warning)
    }

    /// Facts about object `a`, which are so since a time.
    fn facts(all: &[(Topic, Fact)], uid: &str, since: Instant) -> Facts {
        let of = |(topic, fact): &(Topic, Fact)| {
            let subject = subject("a", *topic);
            (subject.clone(), ObservedFact::new(&subject, fact.clone(), uid, since))
        };
        all.iter().map(of).collect()
    }

    /// Delivers all that is due without patience, and returns the states.
    fn deliver(delivered: &mut Delivered, to: &Destination, facts: &Facts, baseline: Option<Instant>) -> Vec<String> {
        let since = Since { baseline, ..Since::default() };
        let due = delivered.due(to, facts, &since, Instant::now(), Duration::ZERO);
        if due.is_anything() {
            delivered.begin(&to.name, &due);
        }
        due.deliveries.iter().for_each(|delivery| delivered.settle(&to.name, delivery));
        due.deliveries.into_iter().map(|delivery| delivery.fact.state).collect()
    }

    #[test]
    fn a_new_destination_receives_problems_only() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let all = [(Topic::Sync, fact("InSync", Severity::Info)), (Topic::Drift, drifted())];
        let mut delivered = Delivered::new();
        assert_eq!(deliver(&mut delivered, &to, &facts(&all, "u", now), Some(now)), ["Drifted"]);
        assert_eq!(deliver(&mut delivered, &to, &facts(&all, "u", now), Some(now)), [""; 0], "once");
        // What becomes well later is new.
        let again = [(Topic::Sync, Fact { version: "2".into(), ..all[0].1.clone() }), (Topic::Drift, Fact::none())];
        assert_eq!(deliver(&mut delivered, &to, &facts(&again, "u", now), Some(now)), ["InSync", ""]);
        // And so is what became well before a destination that was read a moment later.
        let late = deliver(&mut delivered, &destination("late", ""), &facts(&again, "u", now), Some(now - PATIENCE));
        assert_eq!(late, ["InSync"], "the drift ended before it came");
        let approval = |fact: Fact| facts(&[(Topic::Approval, fact)], "u", now);
        let waits = approval(fact("AwaitingApproval", Severity::Warning));
        assert_eq!(deliver(&mut delivered, &to, &waits, None), ["AwaitingApproval"]);
        assert_eq!(deliver(&mut delivered, &to, &approval(Fact::none()), None), [""; 0], "the receipt follows");
        assert_eq!(deliver(&mut delivered, &to, &waits, None), ["AwaitingApproval"], "another one");
    }

    #[test]
    fn the_same_again_has_another_id_and_a_retry_has_the_same() {
        let (now, to, since) = (Instant::now(), destination("team", ""), Since::default());
        let drifts = facts(&[(Topic::Drift, drifted())], "u", now);
        let mut delivered = Delivered::new();
        let id = |delivered: &Delivered| delivered.due(&to, &drifts, &since, now, PATIENCE).deliveries[0].id.clone();
        let first = id(&delivered);
        delivered.begin(&to.name, &delivered.due(&to, &drifts, &since, now, PATIENCE));
        let mut delivered = Delivered::parse(&delivered.to_json()).unwrap();
        assert_eq!(id(&delivered), first, "it may have arrived");
        assert_eq!(deliver(&mut delivered, &to, &drifts, None).len(), 1);
        deliver(&mut delivered, &to, &facts(&[(Topic::Drift, Fact::none())], "u", now), None);
        assert_ne!(id(&delivered), first);
        // The subject was forgotten meanwhile, and comes back.
        assert!(delivered.retain(|_| true, |_, _| false));
        assert_ne!(id(&delivered), first);
    }

    #[test]
    fn what_may_have_arrived_is_sent_again_or_taken_back() {
        let (now, to, since) = (Instant::now(), destination("team", ""), Since::default());
        let drifts = facts(&[(Topic::Drift, drifted())], "u", now);
        let over = facts(&[(Topic::Drift, Fact::none())], "u", now);
        let mut delivered = Delivered::new();
        let first = delivered.due(&to, &drifts, &since, now, PATIENCE);
        delivered.begin(&to.name, &first);
        // The operator ends before there is an answer.
        let restarted = || Delivered::parse(&delivered.to_json()).unwrap();
        let ends = |delivered: &Delivered| {
            let due = delivered.due(&to, &over, &since, now, PATIENCE);
            due.deliveries.iter().filter(|delivery| delivery.is_end).count()
        };
        assert_eq!(ends(&restarted()), 1);
        // It surely did not arrive: there is nothing to take back.
        let mut refused = restarted();
        refused.did_not_arrive(&to.name, &first.deliveries[0]);
        assert_eq!(ends(&refused), 0);
        // It may have arrived the first time, and did not the second.
        let mut unknown = restarted();
        let again = unknown.due(&to, &drifts, &since, now, PATIENCE);
        unknown.begin(&to.name, &again);
        unknown.did_not_arrive(&to.name, &again.deliveries[0]);
        assert_eq!(ends(&unknown), 1);
    }

    #[test]
    fn what_may_pass_is_sent_when_it_lasts_and_nothing_too_often() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let delivered = Delivered::new();
        let due = |fact: Fact, topic, since: &Since, now: Instant| {
            let due =
                delivered.due(&to, &facts(&[(topic, fact)], "u", Instant::now() - PATIENCE / 2), since, now, PATIENCE);
            (due.deliveries.len(), due.wakes.map(|wakes| wakes > now))
        };
        let passing = Fact { may_pass: true, ..fact("Unreachable", Severity::Error) };
        assert_eq!(due(passing.clone(), Topic::Sync, &Since::default(), now), (0, Some(true)));
        assert_eq!(due(passing, Topic::Sync, &Since::default(), now + PATIENCE), (1, None));
        let key = subject("a", Topic::Drift).to_string();
        let sent = Since { sent: [(key.clone(), now)].into(), ..Since::default() };
        assert_eq!(due(drifted(), Topic::Drift, &sent, now), (0, Some(true)));
        assert_eq!(due(drifted(), Topic::Drift, &sent, now + PATIENCE), (1, None));
        let failed = Since { again: [(key, now + PATIENCE)].into(), ..Since::default() };
        assert_eq!(due(drifted(), Topic::Drift, &failed, now), (0, Some(true)));
    }

    #[test]
    fn what_a_destination_does_not_want_is_not_remembered() {
        let now = Instant::now();
        let drifts = facts(&[(Topic::Drift, drifted())], "u", now);
        let mut delivered = Delivered::new();
        assert_eq!(deliver(&mut delivered, &destination("team", "topics: [Sync]"), &drifts, None), [""; 0]);
        assert!(!delivered.to_json().contains("Drift"));
        // It begins to want it: what is wrong now is new to it.
        assert_eq!(deliver(&mut delivered, &destination("team", ""), &drifts, None), ["Drifted"]);
        // It wants it no more, and later again.
        let over = facts(&[(Topic::Drift, Fact::none())], "u", now);
        assert_eq!(deliver(&mut delivered, &destination("team", "topics: [Sync]"), &over, None), [""; 0]);
        assert_eq!(deliver(&mut delivered, &destination("team", ""), &drifts, None), ["Drifted"]);
    }

    #[test]
    fn another_object_of_the_name_is_another_subject() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let drifts = |uid: &str| facts(&[(Topic::Drift, drifted())], uid, now);
        let mut delivered = Delivered::new();
        assert_eq!(deliver(&mut delivered, &to, &drifts("first"), None), ["Drifted"]);
        assert_eq!(deliver(&mut delivered, &to, &drifts("first"), None), [""; 0]);
        assert_eq!(deliver(&mut delivered, &to, &drifts("second"), None), ["Drifted"]);
    }

    #[test]
    fn subjects_that_are_gone_are_forgotten_and_destinations_are_not() {
        let (now, to) = (Instant::now(), destination("team", ""));
        let drifts = facts(&[(Topic::Drift, drifted())], "u", now);
        let mut delivered = Delivered::new();
        deliver(&mut delivered, &to, &drifts, None);
        assert!(!delivered.retain(|_| false, |object, tenant| object == "TenantSync/a" && tenant == Some("eu")));
        assert_eq!(deliver(&mut delivered, &to, &drifts, None), [""; 0], "its Secret was missing for a moment");
        assert!(delivered.retain(|_| true, |_, tenant| tenant != Some("eu")), "the target was taken out");
        assert_eq!(deliver(&mut delivered, &to, &drifts, None), ["Drifted"]);
        for number in 0..MOST_DESTINATIONS {
            deliver(&mut delivered, &destination(&format!("d{number}"), ""), &drifts, None);
        }
        assert!(delivered.retain(|name| name == "team", |_, _| true));
        assert_eq!(delivered.destinations.len(), 1);
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

    /// What happens to a message.
    #[derive(Clone, Copy, Debug)]
    enum Fate {
        Arrives,
        /// It arrives, and the operator ends before it knows.
        ArrivesUnknown,
        /// The operator ends before it is sent.
        IsLost,
        /// It surely does not arrive.
        IsRefused,
    }

    proptest! {
        /// Whatever happens to messages, with restarts in between: once they arrive, the destination knows what is so, and
        /// no message that it received before has the id of another one.
        #[test]
        fn the_last_message_is_what_is_so(
            steps in prop::collection::vec((0..2usize, 0..3usize, prop::sample::select(vec![
                Fate::Arrives, Fate::ArrivesUnknown, Fate::IsLost, Fate::IsRefused,
            ])), 1..40),
        ) {
            let (now, to, since) = (Instant::now(), destination("team", ""), Since::default());
            let states = ["", "Drifted", "DriftedOtherwise"];
            let mut delivered = Delivered::new();
            let (mut knows, mut ids) = (BTreeMap::<String, String>::new(), BTreeMap::<String, String>::new());
            let mut current = Facts::new();
            let all = steps.iter().copied().chain([(0, 0, Fate::Arrives), (1, 1, Fate::Arrives), (1, 1, Fate::Arrives)]);
            for (object, state, fate) in all {
                let fact = if state == 0 { Fact::none() } else { fact(states[state], Severity::Warning) };
                let subject = subject(&object.to_string(), Topic::Drift);
                current.insert(subject.clone(), ObservedFact::new(&subject, fact, "u", now));
                let due = delivered.due(&to, &current, &since, now, PATIENCE);
                if due.is_anything() {
                    delivered.begin(&to.name, &due);
                }
                for delivery in &due.deliveries {
                    if matches!(fate, Fate::Arrives | Fate::ArrivesUnknown) {
                        let state = delivery.fact.state.clone();
                        knows.insert(delivery.key.clone(), state.clone());
                        // A receiver drops what it has: it must be the same.
                        let content = format!("{} {state}", delivery.key);
                        let same = ids.insert(delivery.id.clone(), content.clone()).is_none_or(|known| known == content);
                        prop_assert!(same, "{}", content);
                    }
                    match fate {
                        Fate::Arrives => delivered.settle(&to.name, delivery),
                        Fate::IsRefused => delivered.did_not_arrive(&to.name, delivery),
                        Fate::ArrivesUnknown | Fate::IsLost => {}
                    }
                }
                delivered = Delivered::parse(&delivered.to_json()).unwrap();
            }
            for (subject, observed) in &current {
                let known = knows.get(&subject.to_string()).cloned().unwrap_or_default();
                prop_assert_eq!(&known, &observed.fact.state, "{}", subject);
            }
        }
    }
}
