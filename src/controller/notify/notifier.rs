//! The task that sends the notifications of one namespace, while its role leads.

use super::super::context::Context;
use super::super::events::{Importance, Transition};
use super::super::metrics::NotificationOutcome;
use super::super::named_secret::NamedSecret;
use super::NotificationOptions;
use super::delivered::{Delivered, Delivery, ObservedFact};
use super::destination::{Destination, Destinations};
use super::fact::{ObjectFacts, Subject};
use super::send::{SendFailure, send};
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::ApiRequest;
use crate::kubernetes::config_maps::NOTIFIED;
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::body::to_bytes;
use k8s_openapi::api::core::v1::ObjectReference;
use serde::Deserialize;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{info, warn};

/// The key of the record in its ConfigMap.
const RECORD: &str = "delivered.json";
/// Maximum size of the record, in bytes: an object in Kubernetes cannot be much larger.
const LARGEST_RECORD: usize = 900_000;
/// Maximum number of messages that are sent to a destination before the record is written.
const BATCH: usize = 16;
/// How often the destinations are read again.
const REREAD: Duration = Duration::from_secs(60);
/// The destinations are not read more often than this.
const RECENT: Duration = Duration::from_secs(1);
/// The shortest time between two steps: what happens meanwhile is one change.
const PAUSE: Duration = Duration::from_millis(200);
/// The wait after a failure. It doubles each time.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// Takes what is so now. Cheap to clone. Does nothing if no notifications are sent.
#[derive(Clone, Debug, Default)]
pub(in crate::controller) struct Notifier(Option<Arc<Observed>>);

#[derive(Debug, Default)]
struct Observed {
    all: Mutex<AllFacts>,
    changed: Notify,
}

impl Observed {
    fn all(&self) -> MutexGuard<'_, AllFacts> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The facts about all objects of a namespace.
#[derive(Debug, Default)]
struct AllFacts {
    /// Since when every object that was there at the beginning is among them.
    complete: Option<Instant>,
    facts: BTreeMap<Subject, ObservedFact>,
    /// All objects, also those without facts, with the uid if it is known.
    objects: BTreeMap<ObjectId, Option<String>>,
}

impl AllFacts {
    fn take(&mut self, object: ObjectId, new: ObjectFacts, now: Instant) {
        let uid = new.uid.clone();
        if self.objects.insert(object.clone(), Some(uid.clone())).flatten().is_some_and(|before| before != uid) {
            self.facts.retain(|subject, _| subject.object != object);
        }
        let tenants = new.tenants().clone();
        let is_left = |subject: &Subject| subject.tenant.as_ref().is_none_or(|tenant| tenants.contains(tenant));
        self.facts.retain(|subject, _| subject.object != object || is_left(subject));
        for ((tenant, topic), fact) in new.into_facts() {
            let subject = Subject { object: object.clone(), tenant, topic };
            if self.facts.get(&subject).is_none_or(|known| known.fact != fact) {
                let same = self.facts.get(&subject).filter(|known| known.fact.hash() == fact.hash());
                let since = same.map_or(now, |known| known.since);
                self.facts.insert(subject, ObservedFact { fact, since, uid: uid.clone() });
            }
        }
    }

    fn drop_objects(&mut self, is_there: impl Fn(&ObjectId) -> bool) {
        self.objects.retain(|object, _| is_there(object));
        self.facts.retain(|subject, _| is_there(&subject.object));
    }
}

impl Notifier {
    fn all(&self) -> Option<MutexGuard<'_, AllFacts>> {
        self.0.as_ref().map(|observed| observed.all())
    }

    fn wake(&self) {
        self.0.iter().for_each(|observed| observed.changed.notify_one());
    }

    /// Whether notifications are sent.
    pub(in crate::controller) fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the facts about an object. What is not among them stays as it was.
    pub(in crate::controller) fn observe(&self, object: ObjectId, facts: ObjectFacts) {
        if let Some(mut all) = self.all() {
            all.take(object, facts, Instant::now());
        }
        self.wake();
    }

    /// Takes the names of all objects that are there, and forgets the others. What was so at the beginning was observed:
    /// only now anything is sent.
    pub(in crate::controller) fn only(&self, objects: impl IntoIterator<Item = ObjectId>) {
        let Some(mut all) = self.all() else { return };
        let there: BTreeSet<ObjectId> = objects.into_iter().collect();
        all.drop_objects(|object| there.contains(object));
        for object in there {
            all.objects.entry(object).or_default();
        }
        all.complete.get_or_insert_with(Instant::now);
        drop(all);
        self.wake();
    }

    /// Forgets an object.
    pub(in crate::controller) fn gone(&self, object: &ObjectId) {
        if let Some(mut all) = self.all() {
            all.drop_objects(|known| known != object);
        }
        self.wake();
    }
}

/// The running task of a namespace. It ends when this is dropped.
#[derive(Debug, Default)]
pub(in crate::controller) struct NotifierTask {
    _running: JoinSet<()>,
}

impl NotifierTask {
    /// Starts to send the notifications of a namespace, if the options say so.
    pub(in crate::controller) fn start(context: &Context, paths: &Paths) -> (Notifier, NotifierTask) {
        let Some(options) = context.notifications.clone() else { return Default::default() };
        let observed = Arc::<Observed>::default();
        let worker = Worker {
            options,
            context: context.clone(),
            paths: paths.clone(),
            observed: observed.clone(),
            delivered: None,
            is_unwritten: false,
            record: Attempts::default(),
            destinations: KnownDestinations::default(),
            states: BTreeMap::new(),
            sending: JoinSet::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(worker.run());
        (Notifier(Some(observed)), NotifierTask { _running: task })
    }
}

/// When something that failed is tried again.
#[derive(Debug, Default)]
struct Attempts {
    failures: u32,
    again: Option<Instant>,
}

impl Attempts {
    fn is_due(&self, now: Instant) -> bool {
        self.again.is_none_or(|again| again <= now)
    }

    fn succeeded(&mut self) -> bool {
        std::mem::take(self).failures > 0
    }

    fn failed(&mut self, after: Option<Duration>, now: Instant) {
        let wait = SHORTEST_WAIT.saturating_mul(2_u32.saturating_pow(self.failures.min(16))).min(LONGEST_WAIT);
        self.failures += 1;
        self.again = Some(now + after.map_or(wait, |after| after.max(wait)));
    }
}

/// The destinations, as they were read last.
#[derive(Debug, Default)]
struct KnownDestinations {
    all: Vec<Arc<Destination>>,
    /// The names that are refused: what they know is kept.
    refused: Vec<String>,
    read: Option<Instant>,
    /// What was so until then is nothing new to a destination that was not there before.
    baseline: Option<Instant>,
    /// What was reported of them.
    reported: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct DestinationState {
    is_sending: bool,
    version: [u8; 32],
    attempts: Attempts,
}

/// The messages to send now, and when more are due.
#[derive(Default)]
struct DueBatches {
    batches: Vec<(Arc<Destination>, Vec<Delivery>)>,
    wakes: Option<Instant>,
}

/// What became of a batch.
struct Sent {
    destination: String,
    /// Delivered, or refused for good.
    settled: Vec<Delivery>,
    /// Those that surely did not arrive.
    not_arrived: Vec<Delivery>,
    failure: Option<(String, Option<Duration>)>,
}

struct Worker {
    options: NotificationOptions,
    context: Context,
    paths: Paths,
    observed: Arc<Observed>,
    /// What each destination knows; `None` until it was read.
    delivered: Option<Delivered>,
    is_unwritten: bool,
    record: Attempts,
    destinations: KnownDestinations,
    states: BTreeMap<String, DestinationState>,
    sending: JoinSet<Sent>,
}

impl Worker {
    async fn run(mut self) {
        loop {
            let wakes = self.step().await;
            sleep(PAUSE).await;
            tokio::select! {
                () = self.observed.changed.notified() => {}
                () = sleep_until(wakes) => {}
                Some(sent) = self.sending.join_next(), if !self.sending.is_empty() => {
                    // A task that panicked leaves its destination as it is sending: another leader goes on.
                    if let Ok(sent) = sent {
                        self.on_sent(sent);
                    }
                }
            }
        }
    }

    /// Begins what is due, and returns when the next step is.
    async fn step(&mut self) -> Instant {
        let now = Instant::now();
        let later = now + REREAD;
        let Some(complete) = self.observed.all().complete.filter(|_| self.context.leadership.holds()) else {
            return later;
        };
        self.destinations.baseline.get_or_insert(complete);
        if self.delivered.is_none() || self.is_unwritten {
            if !self.record.is_due(now) {
                return self.record.again.unwrap_or(later);
            }
            // Nothing is sent that could not be recorded: it would be sent again and again.
            if !self.read_record().await || !self.write_record().await {
                self.record.failed(None, now);
                return self.record.again.unwrap_or(later);
            }
            self.record.succeeded();
        }
        if self.destinations.read.is_none_or(|read| read + REREAD <= now) {
            self.read_destinations(now).await;
        }
        let mut due = self.due(now);
        if !due.batches.is_empty() && self.destinations.read.is_none_or(|read| read + RECENT <= now) {
            // The token or the address may be another one by now.
            self.read_destinations(now).await;
            due = self.due(now);
        }
        if let Some(delivered) = &mut self.delivered {
            for (destination, deliveries) in &due.batches {
                delivered.try_to_tell(&destination.name, deliveries);
                self.is_unwritten = true;
            }
        }
        if !self.write_record().await {
            self.record.failed(None, now);
            return self.record.again.unwrap_or(later);
        }
        for (destination, deliveries) in due.batches {
            self.states.entry(destination.name.clone()).or_default().is_sending = true;
            let (context, namespace) = (self.context.clone(), self.paths.namespace().to_string());
            self.sending.spawn(send_all(context, destination, deliveries, namespace));
        }
        let reread = self.destinations.read.map_or(later, |read| read + REREAD);
        due.wakes.map_or(reread, |wakes| wakes.min(reread))
    }

    fn name_of_record(&self) -> String {
        format!("stablekey-notified-{}", self.context.role)
    }

    /// Reads what each destination knows; returns whether that is known.
    async fn read_record(&mut self) -> bool {
        #[derive(Deserialize)]
        struct Read {
            #[serde(default)]
            data: BTreeMap<String, String>,
        }
        if self.delivered.is_some() {
            return true;
        }
        let name = self.name_of_record();
        let why = match self.context.server.request(&ApiRequest::get(self.paths.config_map(&name))).await {
            Err(failure) if failure.is_absent() => {
                self.delivered = Some(Delivered::new());
                return true;
            }
            Err(failure) => failure.to_string(),
            Ok(bytes) => {
                let read = serde_json::from_slice::<Read>(&bytes).map(|mut read| read.data.remove(RECORD));
                match read.ok().flatten().as_deref().map(Delivered::parse) {
                    Some(Ok(delivered)) => {
                        self.delivered = Some(delivered);
                        return true;
                    }
                    Some(Err(error)) => format!("{error}; delete it, and all that is wrong now is sent again"),
                    None => format!("it has no {RECORD}; delete it, and all that is wrong now is sent again"),
                }
            }
        };
        self.report(&name, &format!("ConfigMap {name}: {why}: no notifications are sent"));
        false
    }

    /// Writes what each destination knows; returns whether it is written.
    async fn write_record(&mut self) -> bool {
        let Some(delivered) = self.delivered.as_ref().filter(|_| self.is_unwritten) else { return true };
        let (name, text) = (self.name_of_record(), delivered.to_json());
        let why = if text.len() > LARGEST_RECORD {
            "there are too many notifications to remember: let destinations choose topics, objects or tenants"
                .to_string()
        } else {
            let body = json!({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "labels": {NOTIFIED: "true"}},
                "data": {RECORD: text},
            });
            let path = self.paths.config_map(&name);
            let request = ApiRequest::apply_by(path, self.context.role.manager(), to_bytes(&body));
            match self.context.server.request(&request).await {
                Ok(_) => {
                    self.is_unwritten = false;
                    self.destinations.reported.remove(&name);
                    return true;
                }
                Err(failure) => failure.to_string(),
            }
        };
        self.report(&name, &format!("ConfigMap {name} cannot be written: {why}: no notifications are sent"));
        false
    }

    /// Reads the destinations. Those that were read before stay where their Secret cannot be read.
    async fn read_destinations(&mut self, now: Instant) {
        if let Some(before) = self.destinations.read.replace(now) {
            self.destinations.baseline = Some(before);
        }
        let name = self.options.secret.clone();
        let secret = match self.context.server.request(&ApiRequest::get(self.paths.secret(&name))).await {
            Err(failure) if failure.is_absent() => {
                self.report(&name, &format!("there is no Secret {name}: no notifications are sent"));
                None
            }
            Err(failure) => {
                self.report(&name, &format!("Secret {name} cannot be read: {failure}"));
                return;
            }
            Ok(bytes) => match NamedSecret::read(&String::from_utf8_lossy(&bytes)) {
                Some(secret) => Some(secret),
                None => return self.report(&name, &format!("Secret {name} cannot be read")),
            },
        };
        if secret.is_some() {
            self.destinations.reported.remove(&name);
        }
        let read = secret.map(|secret| Destinations::of(&secret, self.options.allows_loopback)).unwrap_or_default();
        for (destination, refusal) in &read.refused {
            self.report(destination, &format!("destination {destination} of Secret {name} is not used: {refusal}"));
        }
        for destination in &read.usable {
            let state = self.states.entry(destination.name.clone()).or_default();
            if state.version != destination.version {
                state.version = destination.version;
                state.attempts = Attempts::default();
                self.destinations.reported.remove(&destination.name);
            }
        }
        self.destinations.all = read.usable.into_iter().map(Arc::new).collect();
        self.destinations.refused = read.refused.into_keys().collect();
        let KnownDestinations { all, refused, .. } = &self.destinations;
        let is_there =
            |name: &str| all.iter().any(|known| known.name == name) || refused.iter().any(|known| known == name);
        self.states.retain(|name, state| state.is_sending || is_there(name));
        let objects: Vec<String> = self.observed.all().objects.keys().map(ToString::to_string).collect();
        let has_object = |object: &str| objects.iter().any(|known| known == object);
        if let Some(delivered) = &mut self.delivered {
            self.is_unwritten |= delivered.retain(is_there, has_object);
        }
    }

    /// Returns what is due for the destinations that are free, and when more is.
    fn due(&mut self, now: Instant) -> DueBatches {
        let observed = self.observed.clone();
        let facts = &observed.all().facts;
        let mut due = DueBatches::default();
        let baseline = self.destinations.baseline.unwrap_or(now);
        let Some(delivered) = &mut self.delivered else { return due };
        for destination in &self.destinations.all {
            let state = self.states.entry(destination.name.clone()).or_default();
            if state.is_sending {
                continue;
            }
            if !state.attempts.is_due(now) {
                due.wakes = earlier(due.wakes, state.attempts.again);
                continue;
            }
            let mut of_this = delivered.due(destination, facts, (baseline, now), self.options.patience);
            self.is_unwritten |= of_this.is_settled;
            due.wakes = earlier(due.wakes, of_this.wakes);
            of_this.deliveries.truncate(BATCH);
            if !of_this.deliveries.is_empty() {
                due.batches.push((destination.clone(), of_this.deliveries));
            }
        }
        due
    }

    fn on_sent(&mut self, sent: Sent) {
        let now = Instant::now();
        if let Some(delivered) = &mut self.delivered {
            for delivery in &sent.settled {
                delivered.settle(&sent.destination, delivery);
            }
            for delivery in &sent.not_arrived {
                delivered.did_not_arrive(&sent.destination, delivery);
            }
            self.is_unwritten = true;
        }
        let Some(state) = self.states.get_mut(&sent.destination) else { return };
        state.is_sending = false;
        match sent.failure {
            None => {
                if state.attempts.succeeded() {
                    info!(
                        namespace = self.paths.namespace(),
                        destination = sent.destination,
                        "notifications are sent again"
                    );
                }
                self.destinations.reported.remove(&sent.destination);
            }
            Some((why, after)) => {
                state.attempts.failed(after, now);
                let text = format!("destination {} does not accept notifications: {why}", sent.destination);
                self.report(&sent.destination, &text);
            }
        }
    }

    /// Reports a problem, once until there is another one.
    fn report(&mut self, of: &str, text: &str) {
        if self.destinations.reported.insert(of.to_string(), text.to_string()).as_deref() == Some(text) {
            return;
        }
        warn!(role = self.context.role.as_str(), namespace = self.paths.namespace(), "{text}");
        let object = ObjectReference {
            api_version: Some("v1".to_string()),
            kind: Some("Secret".to_string()),
            name: Some(self.options.secret.clone()),
            namespace: Some(self.paths.namespace().to_string()),
            ..ObjectReference::default()
        };
        self.context.events.record(Transition {
            object,
            importance: Importance::Warning,
            reason: "NotificationsFailing".to_string(),
            action: "Notify",
            note: text.to_string(),
        });
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Sends messages to a destination one after the other, until one fails.
async fn send_all(context: Context, to: Arc<Destination>, deliveries: Vec<Delivery>, namespace: String) -> Sent {
    let (settled, not_arrived) = (Vec::new(), Vec::new());
    let mut sent = Sent { destination: to.name.clone(), settled, not_arrived, failure: None };
    let count = |outcome| context.metrics.notified(&namespace, &to.name, outcome);
    let mut deliveries = deliveries.into_iter();
    for delivery in deliveries.by_ref() {
        if !context.leadership.holds() {
            sent.not_arrived.push(delivery);
            break;
        }
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (object, topic) = (delivery.subject.object.to_string(), delivery.subject.topic.as_str());
        match send(&to, &delivery, &namespace, &at).await {
            Ok(()) => {
                info!(namespace, destination = to.name, object, topic, id = delivery.id, "notified");
                count(NotificationOutcome::Sent);
                sent.settled.push(delivery);
            }
            Err(SendFailure::Refused(why)) => {
                warn!(namespace, destination = to.name, object, topic, why, "a notification was refused");
                count(NotificationOutcome::Refused);
                sent.settled.push(delivery);
            }
            Err(SendFailure::NotNow { why, after, may_have_arrived }) => {
                count(NotificationOutcome::Failed);
                sent.failure = Some((why, after));
                sent.not_arrived.extend((!may_have_arrived).then_some(delivery));
                break;
            }
        }
    }
    sent.not_arrived.extend(deliveries);
    sent
}
