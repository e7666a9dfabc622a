//! The task that sends the notifications of one namespace, while its role leads.

use super::super::context::Context;
use super::super::events::{Importance, Transition};
use super::super::metrics::NotificationOutcome;
use super::super::named_secret::NamedSecret;
use super::super::options::NotificationOptions;
use super::delivered::{Delivered, Delivery, Due, ObservedFact, Since};
use super::destination::{Destination, Destinations};
use super::fact::{ObjectFacts, Subject, Topic};
use super::send::{SendFailure, Sender};
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
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{error, info, warn};

/// The key of the record in its ConfigMap.
const RECORD: &str = "delivered.json";
/// Maximum size of the record, in bytes: an object in Kubernetes cannot be much larger.
const LARGEST_RECORD: usize = 900_000;
/// Maximum number of messages that are sent to a destination before the record is written.
const BATCH: usize = 16;
/// How many messages of a batch may fail before the others wait.
const MOST_FAILURES: usize = 3;
/// Destinations that were read within this time are current.
const RECENT: Duration = Duration::from_secs(1);
/// The shortest time between two steps: what happens meanwhile is one change.
const PAUSE: Duration = Duration::from_millis(200);
/// The wait after a failure. It doubles each time.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(600);
/// How long the answers to the last messages may take when the process is asked to end.
const LAST_ANSWERS: Duration = Duration::from_secs(3);
/// How long to wait after a panic, which is a bug.
const AFTER_PANIC: Duration = Duration::from_secs(10);
/// What is reported of the Secret, and of the record.
const SECRET: &str = "the Secret";
const RECORDED: &str = "the record";
const USABLE: &str = "all that are used";
/// The destination in metrics where none can be sent to.
const ALL: &str = "*";

/// Takes the current state. Cheap to clone. Does nothing if no notifications are sent.
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
    /// All objects, also those without facts.
    objects: BTreeMap<ObjectId, KnownObject>,
    /// The names that destinations can choose by, if all are known.
    names: Option<BTreeSet<String>>,
}

#[derive(Debug, Default)]
struct KnownObject {
    /// The uid and the targets, once its facts were observed.
    observed: Option<(String, BTreeSet<String>)>,
}

impl AllFacts {
    /// Takes the facts about an object. What is not among them is not known now: it stays with destinations as it was.
    fn take(&mut self, object: ObjectId, new: ObjectFacts, now: Instant) {
        let uid = new.uid.clone();
        let known = self.objects.entry(object.clone()).or_default();
        let is_same = known.observed.as_ref().is_some_and(|(before, _)| *before == uid);
        known.observed = Some((uid.clone(), new.tenants().clone()));
        let before = |subject: &Subject| self.facts.get(subject).filter(|_| is_same);
        let mut facts = Vec::new();
        for ((tenant, topic), fact) in new.into_facts() {
            let subject = Subject { object: object.clone(), tenant, topic };
            let since = before(&subject).filter(|known| known.is_same(&fact)).map_or(now, |known| known.since);
            let observed = ObservedFact::new(&subject, fact, &uid, since);
            facts.push((subject, observed));
        }
        self.drop_facts(&object);
        self.facts.extend(facts);
    }

    /// Drops the facts about an object, without a look at all others: there may be thousands.
    fn drop_facts(&mut self, object: &ObjectId) {
        let first = Subject { object: object.clone(), tenant: None, topic: Topic::Sync };
        let of_object = self.facts.range(first..).map(|(subject, _)| subject);
        let all: Vec<Subject> = of_object.take_while(|subject| subject.object == *object).cloned().collect();
        for subject in all {
            self.facts.remove(&subject);
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

    /// Takes the facts about an object. What is not among them is not known now.
    pub(in crate::controller) fn observe(&self, object: ObjectId, facts: ObjectFacts) {
        if let Some(mut all) = self.all() {
            all.take(object, facts, Instant::now());
        }
        self.wake();
    }

    /// Takes all objects that are there, and forgets the others; and the names that destinations can choose by, if all are
    /// known. What was so at the beginning was observed: only now anything is sent.
    pub(in crate::controller) fn only(
        &self,
        objects: impl IntoIterator<Item = ObjectId>,
        names: Option<BTreeSet<String>>,
    ) {
        let Some(mut all) = self.all() else { return };
        let there: BTreeSet<ObjectId> = objects.into_iter().collect();
        all.drop_objects(|object| there.contains(object));
        for object in there {
            all.objects.entry(object).or_default();
        }
        all.names = names;
        all.complete.get_or_insert_with(Instant::now);
        drop(all);
        self.wake();
    }

    /// Forgets an object.
    pub(in crate::controller) fn gone(&self, object: &ObjectId) {
        if let Some(mut all) = self.all() {
            all.objects.remove(object);
            all.drop_facts(object);
        }
        self.wake();
    }
}

/// The running task of a namespace. It ends when this is dropped.
#[derive(Debug, Default)]
pub(in crate::controller) struct NotifierTask {
    running: JoinSet<()>,
}

impl NotifierTask {
    /// Starts to send the notifications of a namespace, if the options say so.
    pub(in crate::controller) fn start(context: &Context, paths: &Paths) -> (Notifier, NotifierTask) {
        let Some(options) = context.notifications.clone() else { return Default::default() };
        let observed = Arc::<Observed>::default();
        let mut task = NotifierTask::default();
        task.running.spawn(keep_running(options, context.clone(), paths.clone(), observed.clone()));
        (Notifier(Some(observed)), task)
    }

    /// Waits until it has recorded what it sent. It ends by itself when the process is asked to.
    pub(in crate::controller) async fn ended(&mut self) {
        while self.running.join_next().await.is_some() {}
    }
}

/// Runs the worker of a namespace until the process is asked to end. After a panic it begins again with what is recorded.
async fn keep_running(options: NotificationOptions, context: Context, paths: Paths, observed: Arc<Observed>) {
    loop {
        let mut worker = JoinSet::new();
        worker.spawn(Worker::new(options.clone(), context.clone(), paths.clone(), observed.clone()).run());
        if let Some(Ok(true)) = worker.join_next().await {
            return;
        }
        error!(namespace = paths.namespace(), "the notifications of a namespace failed, which is a bug: report it");
        context.metrics.notified(paths.namespace(), ALL, NotificationOutcome::Failed);
        sleep(AFTER_PANIC).await;
    }
}

/// When something that failed is tried again.
#[derive(Clone, Debug, Default)]
struct Attempts {
    failures: u32,
    again: Option<Instant>,
}

impl Attempts {
    fn is_due(&self, now: Instant) -> bool {
        self.again.is_none_or(|again| again <= now)
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
    read: Option<Instant>,
    /// When they were read before; at the beginning, when all objects were known.
    before: Option<Instant>,
    /// What was reported, by destination, and by what has no name that a destination can have.
    reported: BTreeMap<String, String>,
}

#[derive(Debug, Default)]
struct DestinationState {
    is_sending: bool,
    version: [u8; 32],
    baseline: Option<Instant>,
    /// It cannot be reached, or asks to wait.
    attempts: Attempts,
    /// By subject: a message that is not accepted.
    refused: BTreeMap<String, Attempts>,
    /// By subject: when the last message was sent.
    sent: BTreeMap<String, Instant>,
}

impl DestinationState {
    fn since(&self, now: Instant) -> Since {
        let again = self.refused.iter().filter_map(|(key, attempts)| Some((key.clone(), attempts.again?)));
        Since { baseline: self.baseline, sent: self.sent.clone(), again: again.filter(|(_, at)| *at > now).collect() }
    }
}

/// The messages to send now, and when more are due.
#[derive(Default)]
struct DueBatches {
    batches: Vec<(Arc<Destination>, Due)>,
    wakes: Option<Instant>,
}

/// What became of a batch.
#[derive(Default)]
struct Sent {
    destination: String,
    /// Delivered, or refused for good.
    settled: Vec<Delivery>,
    /// Those that surely did not arrive.
    not_arrived: Vec<Delivery>,
    /// The subjects that were not accepted.
    not_accepted: Vec<String>,
    /// The last failure, and how long the destination asks to wait; `None` if it was about single messages.
    failure: Option<(String, Option<Option<Duration>>)>,
}

struct Worker {
    options: NotificationOptions,
    context: Context,
    paths: Paths,
    observed: Arc<Observed>,
    /// What each destination received; `None` until it was read.
    delivered: Option<Delivered>,
    is_unwritten: bool,
    record: Attempts,
    destinations: KnownDestinations,
    states: BTreeMap<String, DestinationState>,
    sending: JoinSet<Sent>,
}

impl Worker {
    fn new(options: NotificationOptions, context: Context, paths: Paths, observed: Arc<Observed>) -> Self {
        Worker {
            options,
            context,
            paths,
            observed,
            delivered: None,
            is_unwritten: false,
            record: Attempts::default(),
            destinations: KnownDestinations::default(),
            states: BTreeMap::new(),
            sending: JoinSet::new(),
        }
    }

    /// Works until the process is asked to end; `false` if a message could not be sent because of a panic.
    async fn run(mut self) -> bool {
        let stop = self.context.stop.clone();
        loop {
            let wakes = self.step().await;
            sleep(PAUSE).await;
            tokio::select! {
                () = self.observed.changed.notified() => {}
                () = sleep_until(wakes) => {}
                Some(sent) = self.sending.join_next(), if !self.sending.is_empty() => {
                    // After a panic it is not known what was sent: the record is, and the worker begins with it again.
                    let Ok(sent) = sent else { return false };
                    self.on_sent(sent);
                }
                () = stop.requested() => break,
            }
        }
        let rest = async {
            while let Some(sent) = self.sending.join_next().await {
                sent.into_iter().for_each(|sent| self.on_sent(sent));
            }
        };
        let _ = timeout(LAST_ANSWERS, rest).await;
        self.write_record().await;
        true
    }

    /// Begins what is due, and returns when the next step is.
    async fn step(&mut self) -> Instant {
        let now = Instant::now();
        let later = now + self.options.reread;
        let complete = self.observed.all().complete;
        let Some(complete) = complete.filter(|_| self.context.leadership.holds() && !self.context.stop.is_requested())
        else {
            return later;
        };
        if !self.record.is_due(now) {
            return self.record.again.unwrap_or(later);
        }
        // Nothing is sent that could not be recorded: it would be sent again and again.
        if !self.read_record().await || !self.write_record().await {
            return self.record_failed(now);
        }
        self.destinations.before.get_or_insert(complete);
        if self.destinations.read.is_none_or(|read| read + self.options.reread <= now) {
            self.read_destinations(now).await;
        }
        let mut due = self.due(now);
        if !due.batches.is_empty() && self.destinations.read.is_none_or(|read| read + RECENT <= now) {
            // The token, the address or what it wants may be another by now.
            self.read_destinations(now).await;
            due = self.due(now);
        }
        if let Some(delivered) = &mut self.delivered {
            for (destination, due) in &due.batches {
                delivered.begin(&destination.name, due);
                self.is_unwritten = true;
            }
        }
        if !self.write_record().await {
            return self.record_failed(now);
        }
        self.record = Attempts::default();
        for (destination, due) in due.batches {
            if !due.deliveries.is_empty() {
                self.states.entry(destination.name.clone()).or_default().is_sending = true;
                let (context, namespace) = (self.context.clone(), self.paths.namespace().to_string());
                self.sending.spawn(send_all(context, destination, due.deliveries, namespace));
            }
        }
        let reread = self.destinations.read.map_or(later, |read| read + self.options.reread);
        due.wakes.map_or(reread, |wakes| wakes.min(reread))
    }

    fn record_failed(&mut self, now: Instant) -> Instant {
        self.context.metrics.notified(self.paths.namespace(), ALL, NotificationOutcome::Failed);
        self.record.failed(None, now);
        self.record.again.unwrap_or(now + self.options.reread)
    }

    fn name_of_record(&self) -> String {
        format!("stablekey-notified-{}", self.context.role)
    }

    /// Reads what each destination received; returns whether that is known.
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
        self.report(RECORDED, &format!("ConfigMap {name}: {why}: no notifications are sent"));
        false
    }

    /// Writes what each destination received; returns whether it is written.
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
                    self.destinations.reported.remove(RECORDED);
                    return true;
                }
                Err(failure) => failure.to_string(),
            }
        };
        self.report(RECORDED, &format!("ConfigMap {name} cannot be written: {why}: no notifications are sent"));
        false
    }

    /// Reads the destinations. Those that were read before stay where their Secret cannot be read.
    async fn read_destinations(&mut self, now: Instant) {
        if let Some(before) = self.destinations.read.replace(now) {
            self.destinations.before = Some(before);
        }
        let name = self.options.secret.clone();
        let secret = match self.context.server.request(&ApiRequest::get(self.paths.secret(&name))).await {
            Err(failure) if failure.is_absent() => {
                self.cannot(SECRET, &format!("there is no Secret {name}: no notifications are sent"));
                None
            }
            Err(failure) => return self.cannot(SECRET, &format!("Secret {name} cannot be read: {failure}")),
            Ok(bytes) => match NamedSecret::read(&String::from_utf8_lossy(&bytes)) {
                Some(secret) => Some(secret),
                None => return self.cannot(SECRET, &format!("Secret {name} cannot be read")),
            },
        };
        if secret.is_some() {
            self.destinations.reported.remove(SECRET);
        }
        let read = secret.map(|secret| Destinations::of(&secret, self.options.allows_loopback)).unwrap_or_default();
        for (destination, refusal) in &read.refused {
            self.context.metrics.notified(self.paths.namespace(), ALL, NotificationOutcome::Failed);
            self.report(destination, &format!("destination {destination} of Secret {name} is not used: {refusal}"));
        }
        let known: Vec<String> =
            read.usable.iter().map(|known| known.name.clone()).chain(read.refused.keys().cloned()).collect();
        for destination in &read.usable {
            let state = self.states.entry(destination.name.clone()).or_default();
            if state.version != destination.version {
                let (is_sending, sent) = (state.is_sending, std::mem::take(&mut state.sent));
                let (version, baseline) = (destination.version, self.destinations.before);
                *state = DestinationState { is_sending, version, baseline, sent, ..DestinationState::default() };
                self.destinations.reported.remove(&destination.name);
            }
        }
        self.destinations.all = read.usable.into_iter().map(Arc::new).collect();
        self.states.retain(|name, state| state.is_sending || known.contains(name));
        self.report_usable();
        self.report_unknown_names();
        let observed = self.observed.clone();
        let all = observed.all();
        let objects: BTreeMap<String, &KnownObject> =
            all.objects.iter().map(|(object, known)| (object.to_string(), known)).collect();
        // The targets of an object are known once its facts are.
        let has_subject = |object: &str, tenant: Option<&str>| {
            objects.get(object).is_some_and(|known| match (&known.observed, tenant) {
                (Some((_, tenants)), Some(tenant)) => tenants.contains(tenant),
                _ => true,
            })
        };
        if let Some(delivered) = &mut self.delivered {
            self.is_unwritten |= delivered.retain(|name| known.iter().any(|known| known == name), has_subject);
        }
    }

    /// Reports names that nothing here has: a destination that chooses by them would receive nothing.
    fn report_unknown_names(&mut self) {
        let Some(names) = self.observed.all().names.clone() else { return };
        for destination in self.destinations.all.clone() {
            let of = format!("{} names", destination.name);
            let unknown = destination.chosen().filter(|name| !names.contains(*name));
            let text = |name: &String| {
                let there = crate::near_miss::near_or_all(name, names.iter().map(String::as_str));
                format!("{name}, and no Tenant or TenantSync has that name; {there}")
            };
            let unknown: Vec<String> = unknown.map(text).collect();
            match unknown.is_empty() {
                true => drop(self.destinations.reported.remove(&of)),
                false => self.report(&of, &format!("destination {} chooses {}", destination.name, unknown.join(" "))),
            }
        }
    }

    /// Returns what is due for the destinations that are free, and when more is.
    fn due(&self, now: Instant) -> DueBatches {
        let all = self.observed.all();
        let mut due = DueBatches::default();
        let Some(delivered) = &self.delivered else { return due };
        for destination in &self.destinations.all {
            let Some(state) = self.states.get(&destination.name).filter(|state| !state.is_sending) else { continue };
            if !state.attempts.is_due(now) {
                due.wakes = earlier(due.wakes, state.attempts.again);
                continue;
            }
            let since = state.since(now);
            let mut of_this = delivered.due(destination, &all.facts, &since, now, self.options.patience);
            due.wakes = earlier(due.wakes, of_this.wakes);
            of_this.deliveries.truncate(BATCH);
            if of_this.is_anything() {
                due.batches.push((destination.clone(), of_this));
            }
        }
        due
    }

    fn on_sent(&mut self, sent: Sent) {
        let now = Instant::now();
        if let Some(delivered) = &mut self.delivered {
            sent.settled.iter().for_each(|delivery| delivered.settle(&sent.destination, delivery));
            sent.not_arrived.iter().for_each(|delivery| delivered.did_not_arrive(&sent.destination, delivery));
            self.is_unwritten = true;
        }
        if let Some(state) = self.states.get_mut(&sent.destination) {
            state.is_sending = false;
            for delivery in &sent.settled {
                state.sent.insert(delivery.key.clone(), now);
                state.refused.remove(&delivery.key);
            }
            state.sent.retain(|_, at| *at + LONGEST_WAIT > now);
            for key in &sent.not_accepted {
                state.refused.entry(key.clone()).or_default().failed(None, now);
            }
            match &sent.failure {
                Some((_, Some(after))) => state.attempts.failed(*after, now),
                Some((_, None)) | None => state.attempts = Attempts::default(),
            }
        }
        match sent.failure {
            Some((why, _)) => {
                let text = format!("destination {} does not accept notifications: {why}", sent.destination);
                self.report(&sent.destination, &text);
            }
            None => {
                if self.destinations.reported.remove(&sent.destination).is_some() {
                    let namespace = self.paths.namespace();
                    info!(namespace, destination = sent.destination, "notifications are sent again");
                }
            }
        }
    }

    /// Reports that nothing can be sent.
    fn cannot(&mut self, of: &str, text: &str) {
        self.context.metrics.notified(self.paths.namespace(), ALL, NotificationOutcome::Failed);
        self.report(of, text);
    }

    /// Reports a problem, once until there is another one.
    fn report(&mut self, of: &str, text: &str) {
        if self.destinations.reported.insert(of.to_string(), text.to_string()).as_deref() == Some(text) {
            return;
        }
        warn!(role = self.context.role.as_str(), namespace = self.paths.namespace(), "{text}");
        self.event(Importance::Warning, "NotificationsFailing", text);
    }

    /// Reports which destinations are used, when these change.
    fn report_usable(&mut self) {
        let names: Vec<&str> = self.destinations.all.iter().map(|destination| destination.name.as_str()).collect();
        let text = match names.as_slice() {
            [] => return drop(self.destinations.reported.remove(USABLE)),
            names => format!("notifications are sent to {}", names.join(", ")),
        };
        if self.destinations.reported.insert(USABLE.to_string(), text.clone()).as_ref() != Some(&text) {
            info!(role = self.context.role.as_str(), namespace = self.paths.namespace(), "{text}");
            self.event(Importance::Normal, "NotificationsConfigured", &text);
        }
    }

    /// Sends an event of the Secret. Each role has its own: the text begins with it.
    fn event(&self, importance: Importance, reason: &str, text: &str) {
        let object = ObjectReference {
            api_version: Some("v1".to_string()),
            kind: Some("Secret".to_string()),
            name: Some(self.options.secret.clone()),
            namespace: Some(self.paths.namespace().to_string()),
            ..ObjectReference::default()
        };
        let note = format!("{}: {text}", self.context.role);
        self.context.events.record(Transition {
            object,
            importance,
            reason: reason.to_string(),
            action: "Notify",
            note,
        });
    }
}

fn earlier(a: Option<Instant>, b: Option<Instant>) -> Option<Instant> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Sends messages to a destination one after the other, until it cannot be reached, or several were not accepted.
async fn send_all(context: Context, to: Arc<Destination>, deliveries: Vec<Delivery>, namespace: String) -> Sent {
    let mut sent = Sent { destination: to.name.clone(), ..Sent::default() };
    let count = |outcome| context.metrics.notified(&namespace, &to.name, outcome);
    let sender = Sender::to(&to);
    let mut deliveries = deliveries.into_iter();
    for delivery in deliveries.by_ref() {
        if !context.leadership.holds() || context.stop.is_requested() {
            sent.not_arrived.push(delivery);
            break;
        }
        let at = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let (object, topic) = (delivery.subject.object.to_string(), delivery.subject.topic.as_str());
        let answer = match &sender {
            Ok(sender) => sender.send(&to, &delivery, &namespace, &at).await,
            Err(failure) => Err(failure.clone()),
        };
        match answer {
            Ok(()) => {
                info!(namespace, destination = to.name, object, topic, id = delivery.id, "notified");
                count(NotificationOutcome::Sent);
                sent.settled.push(delivery);
            }
            Err(SendFailure::Refused(why)) => {
                warn!(namespace, destination = to.name, object, topic, why, "a notification was refused");
                count(NotificationOutcome::Refused);
                sent.failure = Some((format!("{why}, so that {object} is not reported"), None));
                sent.settled.push(delivery);
            }
            Err(SendFailure::NotNow { why, may_have_arrived, is_about_message, after }) => {
                count(NotificationOutcome::Failed);
                sent.failure = Some((why, (!is_about_message).then_some(after)));
                sent.not_accepted.extend(is_about_message.then(|| delivery.key.clone()));
                sent.not_arrived.extend((!may_have_arrived).then_some(delivery));
                if !is_about_message || sent.not_accepted.len() >= MOST_FAILURES {
                    break;
                }
            }
        }
    }
    sent.not_arrived.extend(deliveries);
    sent
}

#[cfg(test)]
mod tests {
    use super::super::fact::Fact;
    use super::*;
    use crate::api::Kind;

    const LATER: Duration = Duration::from_secs(60);

    fn facts(uid: &str, targets: &[&str], facts: &[(&str, Topic, &str)]) -> ObjectFacts {
        let mut all = ObjectFacts::of(uid);
        targets.iter().for_each(|target| all.has_target(target));
        for (target, topic, state) in facts {
            all.add(Some(target), *topic, Fact { state: state.to_string(), ..Fact::none() });
        }
        all
    }

    fn shown(all: &AllFacts) -> Vec<String> {
        all.facts.iter().map(|(subject, observed)| format!("{subject} {}", observed.fact.state)).collect()
    }

    #[test]
    fn what_is_not_known_now_is_compared_with_nothing() {
        let sync = ObjectId::new(Kind::TenantSync, "s");
        let (mut all, now) = (AllFacts::default(), Instant::now());
        let later = now + LATER;
        all.take(sync.clone(), facts("u", &["eu"], &[("eu", Topic::Sync, "Unreachable")]), now);
        assert_eq!(shown(&all), ["TenantSync/s eu Sync Unreachable"]);
        // It waits for an approval again: whether it is unreachable is known no more.
        all.take(sync.clone(), facts("u", &["eu"], &[("eu", Topic::Approval, "AwaitingApproval")]), later);
        assert_eq!(shown(&all), ["TenantSync/s eu Approval AwaitingApproval"]);
        // The same fact is so since it was first observed.
        all.take(sync.clone(), facts("u", &["eu"], &[("eu", Topic::Approval, "AwaitingApproval")]), later + LATER);
        assert!(all.facts.values().all(|observed| observed.since == later));
        // Another object of the name.
        all.take(sync.clone(), facts("v", &["eu"], &[("eu", Topic::Approval, "AwaitingApproval")]), later + LATER);
        assert!(all.facts.values().all(|observed| observed.since == later + LATER));
        all.drop_objects(|object| *object != sync);
        assert_eq!((shown(&all).len(), all.objects.len()), (0, 0));
    }

    #[test]
    fn waits_grow_to_ten_minutes() {
        let (mut attempts, now) = (Attempts::default(), Instant::now());
        for seconds in [1, 2, 4, 8] {
            attempts.failed(None, now);
            assert_eq!(attempts.again, Some(now + Duration::from_secs(seconds)));
        }
        attempts.failed(Some(Duration::from_secs(90)), now);
        assert_eq!(attempts.again, Some(now + Duration::from_secs(90)));
        (0..40).for_each(|_| attempts.failed(None, now));
        assert_eq!(attempts.again, Some(now + LONGEST_WAIT));
    }
}
