//! One namespace: what is told of it, and what it makes due. One task owns all of it; what takes time is
//! done elsewhere, and told.

use super::super::context::Context;
use super::agenda::{Priority, Task, WorkQueue};
use super::definitions::Definitions;
use super::doubts::Doubts;
use super::fingerprint::Salt;
use super::follow::{self, BinderDelta, DEFINITIONS, KINDS, SECRETS};
use super::known::Objects;
use super::pass::Pass;
use super::queues::Queue;
use super::state::Binder;
use super::tally::BindingGauge;
use super::write::{Writer, Wrote};
use crate::api::*;
use crate::controller::probes::liveness::Pulse;
use crate::controller::probes::readiness::Waiting;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::cache::Delta;
use crate::kubernetes::client::RequestFailure;
use crate::kubernetes::error::RequestError;
use crate::kubernetes::object::Live;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{Following, WatchEvent};
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
const TENANTS: &str = "tenants";

/// What is told to a desk.
pub(super) enum Event {
    /// Of the namespace's Tenants.
    Tenants(Box<WatchEvent<Delta<Live<Object<TenantSpec>>>>>),
    /// Of what is followed, by the number of the following.
    Heard(u64, WatchEvent<BinderDelta>),
    /// Binding Secrets were written, or not.
    Bindings(ObjectId, Vec<Wrote>),
    /// A status was written, or not; `None`: the object is gone.
    Status(ObjectId, Result<Option<Vec<u8>>, RequestFailure>),
    /// The owners of a ConfigMap were written, or not; `None`: it is gone.
    Owners(String, Result<Option<Vec<u8>>, RequestFailure>),
    /// A Secret that was in the way was looked at.
    Obstacle(Wrote),
    /// A binding Secret of nothing was taken away, or not; `None`: there is no reason to.
    Leftover(String, Option<Wrote>),
}

/// One namespace.
pub(super) struct NamespaceWorker {
    pub context: Context,
    pub writer: Writer,
    pub paths: Paths,
    pub binder: Binder,
    pub known: Objects,
    pub definitions: Definitions,
    pub agenda: WorkQueue,
    pub passes: HashMap<ObjectId, Pass>,
    pub tally: BindingGauge,
    pub doubts: Doubts,
    /// Binding Secrets of connections that are gone.
    pub left: BTreeSet<String>,
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

impl NamespaceWorker {
    /// Of a namespace of the operator's own cluster.
    pub fn new(context: Context, namespace: &str, salt: Arc<Salt>, queue: Queue) -> Self {
        let (tell, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let teller = tell.clone();
        let tenants = follow::tenants(
            &context.server,
            &paths,
            Arc::new(move |told| drop(teller.send(Event::Tenants(Box::new(told))))),
        );
        let waits = context.readiness.waits("binder", format!("{TENANTS} of namespace {namespace}"));
        NamespaceWorker {
            writer: Writer { context: context.clone(), paths: paths.clone(), salt: salt.clone() },
            binder: Binder::new("", salt.clone()),
            known: Objects::default(),
            definitions: Definitions::default(),
            agenda: WorkQueue::default(),
            passes: HashMap::new(),
            left: BTreeSet::new(),
            doubts: Doubts::default(),
            tally: BindingGauge::new(context.metrics.clone(), namespace),
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
    pub fn is_read(&self) -> bool {
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
            self.agenda.due(Task::Object(id.clone()), Priority::Routine, now);
        }
        for map in self.definitions.names() {
            self.agenda.due(Task::Definition(map.clone()), Priority::Routine, now);
        }
        self.see_to_leftovers(self.binder.leftovers(), Priority::Routine, now);
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Tenants(told) => self.hear_of_tenants(*told),
            Event::Heard(following, told) if following == self.followings => self.hear_of_namespace(told),
            Event::Heard(..) => {}
            Event::Bindings(id, wrote) => self.bindings_written(&id, wrote),
            Event::Status(id, answer) => self.status_written(&id, answer),
            Event::Owners(map, answer) => self.owners_written(&map, answer),
            Event::Obstacle(wrote) => self.obstacle_seen(wrote),
            Event::Leftover(name, wrote) => self.leftover_written(name, wrote),
        }
    }

    fn hear_of_tenants(&mut self, told: WatchEvent<Delta<Live<Object<TenantSpec>>>>) {
        let before = self.tenant();
        let is_own = |live: Live<Object<TenantSpec>>| {
            let own = live.read.is_ok_and(|tenant| tenant.spec.location.is_none());
            (live.name, own)
        };
        match told {
            WatchEvent::Heard(Delta::All(all), _) => self.tenants = all.into_iter().map(is_own).collect(),
            WatchEvent::Heard(Delta::Set(tenant), _) => self.tenants.extend([is_own(tenant)]),
            WatchEvent::Heard(Delta::Again, _) => {}
            WatchEvent::Heard(Delta::Only { names, .. }, _) => self.tenants.retain(|name, _| names.contains(name)),
            WatchEvent::Heard(Delta::Gone { name, .. }, _) => drop(self.tenants.remove(&name)),
            WatchEvent::Lost(resource, error) => return self.lost(resource, &error),
            WatchEvent::Followed(_) | WatchEvent::Rewound(_) => return,
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
        self.binder = Binder::new(tenant, self.salt.clone()).in_namespace(self.paths.namespace());
        (self.known, self.definitions, self.agenda) = Default::default();
        self.passes.clear();
        self.tally.clear();
        self.left.clear();
        self.doubts.clear();
        self.context.metrics.left(namespace, 0);
        self.context.metrics.forget_connections(namespace);
        let resources = KINDS.map(Kind::plural).into_iter().chain([SECRETS, DEFINITIONS]);
        let waits = |what: &'static str| {
            (what, self.context.readiness.waits("binder", format!("{what} of namespace {namespace}")))
        };
        self.unread = resources.map(waits).collect();
        let (tell, following) = (self.tell.clone(), self.followings);
        let tell = Arc::new(move |told| drop(tell.send(Event::Heard(following, told))));
        self.following = Some(follow::namespace(&self.context.server, &self.paths, &self.salt, tell));
    }

    /// Something cannot be followed for now.
    pub fn lost(&self, resource: &'static str, why: &RequestError) {
        let namespace = self.paths.namespace();
        warn!(namespace, resource, %why, "cannot be followed");
        if let Some(waiting) = self.unread.get(resource) {
            waiting.now_for(format!("{resource} of namespace {namespace}: {why}"));
            if matches!(why, RequestError::Forbidden { .. }) {
                waiting.refused_in(namespace);
            }
        }
    }

    /// A resource was read.
    pub fn is_read_now(&mut self, resource: &'static str) {
        if self.unread.remove(resource).is_some() && self.is_read() {
            let (namespace, objects) = (self.paths.namespace(), self.binder.inventory().len());
            info!(namespace, objects, "read");
            self.see_to_leftovers(self.binder.leftovers(), Priority::Changed, Instant::now());
        }
    }
}
