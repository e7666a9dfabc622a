//! One namespace: what is told of it, and what it makes due. One task owns all of it; what takes time is
//! done elsewhere, and told.

use super::super::context::Context;
use super::agenda::{Agenda, Haste, Task};
use super::definitions::{ConfigMap, Definitions, named_by};
use super::due::Due;
use super::fingerprint::Salt;
use super::follow::{self, DEFINITIONS, Heard, KINDS, SECRETS};
use super::known::Objects;
use super::pass::Pass;
use super::queues::Queue;
use super::seen::Seen;
use super::state::{self, Binder, Change};
use super::tally::Tally;
use super::write::{Writer, Wrote};
use crate::api::*;
use crate::controller::pulse::Pulse;
use crate::controller::readiness::Waiting;
use crate::engine::item::{Item, ObjectId};
use crate::tenant::kubernetes::watch::{Following, SERVER, Told};
use crate::tenant::kubernetes::{Live, News, Paths, Trouble, is_after, live};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

/// How much is taken in before something is done about it.
const AT_ONCE: usize = 256;
/// How often it turns where there is nothing to do.
const TURN: Duration = Duration::from_secs(15);
/// For how long it may be silent before it counts as stuck.
const SILENCE: Duration = Duration::from_secs(90);
/// How long what is in hand may take when the process is asked to end.
const LAST_WRITES: Duration = Duration::from_secs(4);
/// How soon a Secret that is in the way is asked for first.
const OBSTACLE_AGAIN: Duration = Duration::from_millis(200);
const TENANTS: &str = "tenants";

/// What is told to a desk.
pub(super) enum Event {
    /// Of the namespace's Tenants.
    Tenants(Told<News<Live<Object<TenantSpec>>>>),
    /// Of what is followed, by the number of the following.
    Heard(u64, Told<Heard>),
    /// Binding Secrets were written, or not.
    Bindings(ObjectId, Vec<Wrote>),
    /// A status was written, or not; `None`: the object is gone.
    Status(ObjectId, Result<Option<Vec<u8>>, Trouble>),
    /// The owners of a ConfigMap were written, or not; `None`: it is gone, or moved on.
    Owners(String, Result<Option<Vec<u8>>, Trouble>),
    /// A Secret that was in the way was looked at.
    Obstacle(Wrote),
}

/// One namespace.
pub(super) struct Desk {
    pub context: Context,
    pub writer: Writer,
    pub paths: Paths,
    pub binder: Binder,
    pub known: Objects,
    pub definitions: Definitions,
    pub agenda: Agenda,
    pub passes: HashMap<ObjectId, Pass>,
    pub tally: Tally,
    /// What is being written.
    pub tasks: JoinSet<()>,
    pub in_flight: usize,
    pub tell: UnboundedSender<Event>,
    inbox: UnboundedReceiver<Event>,
    salt: Arc<Salt>,
    /// The Tenants of this namespace, and which of them are its own.
    tenants: BTreeMap<String, bool>,
    /// What was not read yet.
    unread: BTreeMap<&'static str, Waiting>,
    followings: u64,
    following: Option<Following>,
    _tenants: Following,
    resync: Instant,
    queue: Queue,
    pulse: Pulse,
}

impl Desk {
    /// Of a namespace of the operator's own cluster.
    pub fn new(context: Context, namespace: &str, salt: Arc<Salt>, queue: Queue) -> Self {
        let (tell, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let teller = tell.clone();
        let tenants =
            follow::tenants(&context.server, &paths, Arc::new(move |told| drop(teller.send(Event::Tenants(told)))));
        let waits = context.readiness.waits("binder", format!("{TENANTS} of namespace {namespace}"));
        Desk {
            writer: Writer { context: context.clone(), paths: paths.clone(), salt: salt.clone() },
            binder: Binder::new("", salt.clone()),
            known: Objects::default(),
            definitions: Definitions::default(),
            agenda: Agenda::default(),
            passes: HashMap::new(),
            tally: Tally::new(context.metrics.clone(), namespace),
            tasks: JoinSet::new(),
            in_flight: 0,
            tell,
            inbox,
            salt,
            tenants: BTreeMap::new(),
            unread: [(TENANTS, waits)].into(),
            followings: 0,
            following: None,
            _tenants: tenants,
            resync: Instant::now() + context.resync,
            queue,
            pulse: context.pulses.of(format!("binder of namespace {namespace}"), SILENCE),
            paths,
            context,
        }
    }

    /// Does its work until the process is asked to end.
    pub async fn run(mut self) -> Result<(), String> {
        loop {
            self.pulse.beat();
            self.queue.is(self.agenda.depth());
            let stop = self.context.stop.clone();
            let wakes = self.wakes();
            tokio::select! {
                event = self.inbox.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    self.hear(event);
                    for _ in 0..AT_ONCE {
                        let Ok(event) = self.inbox.try_recv() else { break };
                        self.hear(event);
                    }
                }
                () = sleep_until(wakes) => {}
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    ended.map_err(|_| super::MISTAKE.to_string())?;
                }
                () = stop.requested() => break,
            }
            if self.is_read() {
                self.look_at_everything_now_and_then();
                self.dispatch();
            }
        }
        // What is in hand is finished: nothing new is begun any more.
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(LAST_WRITES, rest).await;
        Ok(())
    }

    fn wakes(&self) -> Instant {
        let now = Instant::now();
        let latest = (now + TURN).min(self.resync.max(now));
        let next = self.agenda.wakes(now).filter(|_| self.is_read() && self.has_a_hand_free());
        next.map_or(latest, |next| next.min(latest))
    }

    /// Whether all that is followed was read: before that, what is missing may only be late.
    fn is_read(&self) -> bool {
        self.unread.is_empty()
    }

    fn look_at_everything_now_and_then(&mut self) {
        let now = Instant::now();
        if self.resync <= now {
            self.resync = now + self.context.resync;
            self.look_at_everything(now);
        }
    }

    fn look_at_everything(&mut self, now: Instant) {
        for id in self.known.ids().filter(|id| id.kind != Kind::Component) {
            self.agenda.due(Task::Object(id.clone()), Haste::Routine, now);
        }
        for map in self.definitions.names() {
            self.agenda.due(Task::Definition(map.clone()), Haste::Routine, now);
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Tenants(told) => self.hear_of_tenants(told),
            Event::Heard(following, told) if following == self.followings => self.hear_of_namespace(told),
            Event::Heard(..) => {}
            Event::Bindings(id, wrote) => self.bindings_written(&id, wrote),
            Event::Status(id, answer) => self.status_written(&id, answer),
            Event::Owners(map, answer) => self.owners_written(&map, answer),
            Event::Obstacle(wrote) => self.obstacle_seen(wrote),
        }
    }

    fn hear_of_tenants(&mut self, told: Told<News<Live<Object<TenantSpec>>>>) {
        let before = self.tenant();
        let is_own = |live: Live<Object<TenantSpec>>| {
            let own = live.read.is_ok_and(|tenant| tenant.spec.place.is_none());
            (live.name, own)
        };
        match told {
            Told::Heard(News::All(all)) => self.tenants = all.into_iter().map(is_own).collect(),
            Told::Heard(News::Set(tenant)) => self.tenants.extend([is_own(tenant)]),
            Told::Heard(News::Gone { name, .. }) => drop(self.tenants.remove(&name)),
            Told::Lost(resource, error) => return self.lost(resource, &error.to_string()),
            Told::Followed(_) => return,
        }
        let tenant = self.tenant();
        if self.following.is_none() || tenant != before {
            self.begin(&tenant);
        }
    }

    /// What the namespace's tenant is called: nothing where it has no Tenant of its own, or several.
    fn tenant(&self) -> String {
        let mut own = self.tenants.iter().filter(|(_, own)| **own).map(|(name, _)| name);
        own.next().filter(|_| own.next().is_none()).cloned().unwrap_or_default()
    }

    /// Begins to follow the namespace as a tenant's: records say something to the tenant that they name.
    fn begin(&mut self, tenant: &str) {
        let namespace = self.paths.namespace();
        info!(namespace, tenant, "follows a namespace");
        self.followings += 1;
        self.binder = Binder::new(tenant, self.salt.clone());
        (self.known, self.definitions, self.agenda) = Default::default();
        self.passes.clear();
        self.tally.clear();
        let resources = KINDS.map(Kind::plural).into_iter().chain([SECRETS, DEFINITIONS]);
        let waits = |what: &'static str| {
            (what, self.context.readiness.waits("binder", format!("{what} of namespace {namespace}")))
        };
        self.unread = resources.map(waits).collect();
        let (tell, following) = (self.tell.clone(), self.followings);
        let tell = Arc::new(move |told| drop(tell.send(Event::Heard(following, told))));
        self.following = Some(follow::namespace(&self.context.server, &self.paths, &self.salt, tell));
    }

    fn lost(&self, resource: &'static str, why: &str) {
        let namespace = self.paths.namespace();
        warn!(namespace, resource, why, "cannot be followed");
        if let Some(waiting) = self.unread.get(resource) {
            waiting.now_for(format!("{resource} of namespace {namespace}: {why}"));
        }
    }

    fn hear_of_namespace(&mut self, told: Told<Heard>) {
        let now = Instant::now();
        match told {
            Told::Heard(Heard::Items(kind, news)) => self.hear_of_items(kind, news, now),
            Told::Heard(Heard::Secrets(news)) => self.hear_of_secrets(news, now),
            Told::Heard(Heard::Definitions(news)) => self.hear_of_definitions(news, now),
            Told::Lost(resource, error) => self.lost(resource, &error.to_string()),
            // It is there again: whatever failed meanwhile need not wait.
            Told::Followed(SERVER) => self.agenda.hurry(now),
            Told::Followed(_) => {}
        }
    }

    fn is_read_now(&mut self, resource: &'static str) {
        if self.unread.remove(resource).is_some() && self.is_read() {
            let (namespace, objects) = (self.paths.namespace(), self.binder.inventory().len());
            info!(namespace, objects, "read");
        }
    }

    fn hear_of_items(&mut self, kind: Kind, news: News<Live<Item>>, now: Instant) {
        match news {
            News::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|live| live.name.as_str()).collect();
                let gone = self.known.ids().filter(|id| id.kind == kind && !there.contains(id.name.as_str()));
                for id in gone.cloned().collect::<Vec<_>>() {
                    self.item_gone(&id, None, now);
                }
                all.into_iter().for_each(|live| self.item(kind, live, now));
                self.is_read_now(kind.plural());
            }
            News::Set(live) => self.item(kind, live, now),
            News::Gone { name, revision } => self.item_gone(&ObjectId::new(kind, name), Some(&revision), now),
        }
    }

    /// Takes in an object as it is.
    fn item(&mut self, kind: Kind, mut live: Live<Item>, now: Instant) {
        let id = ObjectId::new(kind, live.name.clone());
        let uid_before = self.known.get(&id).map(|known| known.uid.clone());
        if !self.known.put(&id, &mut live) {
            return;
        }
        let Live { read, version, record, .. } = live;
        let record = record.map(|mut record| {
            if self.binder.tenant().is_empty() {
                // Which tenant this is nobody can say: that something came by a sync is believed all the same.
                record.tenant.clear();
            }
            Arc::new(record)
        });
        let before = self.definition_of(&id);
        let inventory = self.binder.inventory();
        let same = uid_before.as_ref() == Some(&version.uid)
            && match &read {
                Ok(item) => {
                    inventory.records.get(&id) == record.as_ref()
                        && inventory.get(&id).is_some_and(|known| says_the_same(&known, item))
                }
                Err(why) => inventory.invalid.get(&id) == Some(why),
            };
        if same {
            // Its status, or what is of no interest, changed.
            if kind != Kind::Component {
                self.agenda.due(Task::Object(id), Haste::Changed, now);
            }
            return;
        }
        let uid = version.uid.clone();
        let due = self.binder.change(match read {
            Ok(item) => Change::There(state::Live { item, uid: version.uid, record }),
            Err(why) => Change::Invalid { id: id.clone(), why },
        });
        self.due(due, now);
        self.definition_named(&id, &uid, before, now);
    }

    fn item_gone(&mut self, id: &ObjectId, revision: Option<&str>, now: Instant) {
        let before = self.definition_of(id);
        if !self.known.gone(id, revision) {
            return;
        }
        let due = self.binder.change(Change::Gone(id.clone()));
        match id.kind {
            Kind::Connection => {
                let due = self.binder.tell_of_connection(&id.name, None);
                self.due(due, now);
            }
            Kind::Integration => self.tally.gone(&id.name),
            _ => {}
        }
        self.due(due, now);
        self.agenda.forget(&Task::Object(id.clone()), now);
        self.definition_named(id, "", before, now);
    }

    fn definition_of(&self, id: &ObjectId) -> Option<String> {
        let integration =
            self.binder.inventory().integrations.get(&id.name).filter(|_| id.kind == Kind::Integration)?;
        named_by(&integration.spec).map(str::to_string)
    }

    fn definition_named(&mut self, id: &ObjectId, uid: &str, was: Option<String>, now: Instant) {
        if id.kind != Kind::Integration {
            return;
        }
        let is = self.definition_of(id);
        for map in self.definitions.name(&id.name, uid, was.as_deref(), is.as_deref()) {
            self.agenda.due(Task::Definition(map), Haste::Changed, now);
        }
    }

    fn hear_of_secrets(&mut self, news: News<Seen>, now: Instant) {
        match news {
            News::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(Seen::name).collect();
                let gone = self.binder.watched_secrets().filter(|name| !there.contains(name));
                for name in gone.map(str::to_string).collect::<Vec<_>>() {
                    self.change_secret(Change::SecretGone(name), now);
                }
                all.into_iter().for_each(|seen| self.secret(seen, now));
                self.is_read_now(SECRETS);
            }
            News::Set(seen) => self.secret(seen, now),
            News::Gone { name, revision } => {
                let late = |known: &str| is_after(known, &revision);
                if !self.binder.secret_version(&name).is_some_and(late) {
                    self.change_secret(Change::SecretGone(name), now);
                }
            }
        }
    }

    /// Takes in a Secret as it is.
    pub fn secret(&mut self, seen: Seen, now: Instant) {
        let name = seen.name().to_string();
        let late = |known: &str| is_after(known, seen.revision());
        if self.binder.secret_version(&name).is_some_and(late) {
            return;
        }
        self.change_secret(Change::Secret(seen), now);
        let obstacle = Task::Obstacle(name.clone());
        if self.binder.is_in_the_way(&name) && !self.agenda.is_open(&obstacle) {
            self.agenda.at(obstacle, now + OBSTACLE_AGAIN);
        }
    }

    pub fn change_secret(&mut self, change: Change, now: Instant) {
        let due = self.binder.change(change);
        self.due(due, now);
    }

    fn hear_of_definitions(&mut self, news: News<ConfigMap>, now: Instant) {
        match news {
            News::All(all) => {
                let there: BTreeSet<&str> = all.iter().map(|map| map.name.as_str()).collect();
                let gone = self.definitions.names().filter(|name| !there.contains(name.as_str()));
                for name in gone.cloned().collect::<Vec<_>>() {
                    self.definition_gone(&name, now);
                }
                all.into_iter().for_each(|map| self.definition(map, now));
                self.is_read_now(DEFINITIONS);
            }
            News::Set(map) => self.definition(map, now),
            News::Gone { name, .. } => self.definition_gone(&name, now),
        }
    }

    pub fn definition(&mut self, map: ConfigMap, now: Instant) {
        let task = Task::Definition(map.name.clone());
        if self.definitions.put(map) {
            self.agenda.due(task, Haste::Changed, now);
        }
    }

    fn definition_gone(&mut self, name: &str, now: Instant) {
        self.definitions.gone(name);
        self.agenda.forget(&Task::Definition(name.to_string()), now);
    }

    /// These are to be looked at.
    pub fn due(&mut self, due: Due, now: Instant) {
        for id in due.objects() {
            self.agenda.due(Task::Object(id), Haste::Changed, now);
        }
    }

    /// Takes in the answer to a write of ours.
    pub fn answered(&mut self, kind: Kind, answer: &[u8], now: Instant) {
        let text = String::from_utf8_lossy(answer);
        if let Some(live) = live::item_whole(kind, &text) {
            self.item(kind, live, now);
        }
    }
}

/// Whether two objects say the same, as far as the binder reads them.
fn says_the_same(a: &Item, b: &Item) -> bool {
    match (a, b) {
        (Item::Component(a), Item::Component(b)) => a.spec == b.spec,
        (Item::Connection(a), Item::Connection(b)) => a.spec == b.spec,
        (Item::CustomerCredentials(a), Item::CustomerCredentials(b)) => a.spec == b.spec,
        (Item::Integration(a, _), Item::Integration(b, _)) => a.spec == b.spec,
        _ => false,
    }
}
