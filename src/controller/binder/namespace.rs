//! One namespace: applies watch events to its store, and reconciles the objects that are due, several at a time.

use super::super::context::Context;
use super::super::notify::NotifierTask;
use super::cache::TenantCache;
use super::housekeeping::{check_obstacle, reconcile_leftover, reconcile_owners};
use super::metrics::{BindingGauge, QueueDepth};
use super::queue::Task;
use super::reconcile::reconcile;
use super::report::Reporter;
use super::secret::fingerprint::Salt;
use super::store::{NamespaceStore, SharedStore};
use super::watches::{self, BinderDelta, DEFINITIONS, KINDS, SECRETS};
use super::write::NamespaceWriter;
use crate::api::*;
use crate::controller::probes::liveness::Heartbeat;
use crate::controller::probes::readiness::Waiting;
use crate::controller::role::Role;
use crate::kubernetes::cache::Delta;
use crate::kubernetes::error::RequestError;
use crate::kubernetes::object::Live;
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{SERVER, WatchEvent, WatchHandle};
use futures_util::future::join;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Instrument as _, info, warn};

/// Maximum number of concurrent reconciles.
const MAX_IN_FLIGHT: usize = 32;
/// Maximum number of watch events that are applied before reconciles are started.
const MAX_EVENTS: usize = 256;
/// How often the loop runs if there is nothing to do.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the loop may be silent before it counts as stuck.
const SILENCE: Duration = Duration::from_secs(90);
/// How long running reconciles may take when the process is asked to end.
const LAST_WRITES: Duration = Duration::from_secs(4);
const TENANTS: &str = "tenants";

/// An event of a watch.
enum NamespaceEvent {
    Tenants(Box<WatchEvent<Delta<Live<Object<TenantSpec>>>>>),
    /// An event of the tenant's watches, with the generation of the tenant (see `began`).
    Watched(u64, Box<WatchEvent<BinderDelta>>),
}

/// The worker of one namespace.
pub(super) struct NamespaceWorker {
    context: Context,
    paths: Paths,
    salt: Arc<Salt>,
    store: SharedStore,
    writer: NamespaceWriter,
    report: Reporter,
    /// The running reconciles.
    tasks: JoinSet<()>,
    inbox: UnboundedReceiver<NamespaceEvent>,
    send: UnboundedSender<NamespaceEvent>,
    /// The Tenants of this namespace, and whether each is the namespace's own.
    tenants: BTreeMap<String, bool>,
    /// The resources that were not listed yet.
    unread: BTreeMap<&'static str, Waiting>,
    /// How often the namespace got another tenant.
    began: u64,
    watching: Option<WatchHandle>,
    _tenants: WatchHandle,
    resync: Instant,
    depth: QueueDepth,
    heartbeat: Heartbeat,
    notifications: NotifierTask,
}

impl NamespaceWorker {
    /// Creates the worker of a namespace in the operator's own cluster.
    pub(super) fn new(context: Context, namespace: &str, salt: Arc<Salt>, depth: QueueDepth) -> Self {
        let (send, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let sender = send.clone();
        let on_event = move |event| drop(sender.send(NamespaceEvent::Tenants(Box::new(event))));
        let tenants = watches::tenants(&context.server, &paths, Arc::new(on_event));
        let waits = context.readiness.waits("binder", format!("{TENANTS} of namespace {namespace}"));
        let (notifier, notifications) = NotifierTask::start(&context, &paths);
        let report = Reporter::new(context.clone(), paths.clone(), notifier);
        NamespaceWorker {
            store: new_store("", &context, &paths, &salt, &report),
            writer: NamespaceWriter::new(&context, paths.clone(), salt.clone()),
            report,
            tasks: JoinSet::new(),
            inbox,
            send,
            salt,
            tenants: BTreeMap::new(),
            unread: [(TENANTS, waits)].into(),
            began: 0,
            watching: None,
            _tenants: tenants,
            resync: Instant::now() + context.resync,
            depth,
            heartbeat: context.heartbeats.of(format!("binder of namespace {namespace}"), SILENCE),
            notifications,
            paths,
            context,
        }
    }

    /// Reconciles until the process is asked to end.
    pub(super) async fn run(mut self) -> Result<(), String> {
        loop {
            self.heartbeat.beat();
            self.depth.set(self.store.lock().queue.depth());
            let stop = self.context.stop.clone();
            let next = self.next_at();
            tokio::select! {
                event = self.inbox.recv() => {
                    let Some(event) = event else { return Ok(()) };
                    self.on_event(event);
                    for _ in 0..MAX_EVENTS {
                        let Ok(event) = self.inbox.try_recv() else { break };
                        self.on_event(event);
                    }
                }
                () = sleep_until(next) => {}
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    ended.map_err(|_| super::MISTAKE.to_string())?;
                }
                () = stop.requested() => break,
            }
            if self.is_read() {
                self.resync();
                self.dispatch();
            }
        }
        // Running reconciles finish; no new one begins.
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(LAST_WRITES, join(rest, self.notifications.ended())).await;
        Ok(())
    }

    fn next_at(&self) -> Instant {
        let now = Instant::now();
        let latest = (now + HEARTBEAT).min(self.resync.max(now));
        if !self.is_read() || self.tasks.len() >= MAX_IN_FLIGHT {
            return latest;
        }
        self.store.lock().queue.next_at(now).map_or(latest, |next| next.min(latest))
    }

    /// Whether every watched resource was listed. Before that, a missing object may only be late.
    fn is_read(&self) -> bool {
        self.unread.is_empty()
    }

    fn resync(&mut self) {
        let now = Instant::now();
        if self.resync <= now {
            self.resync = now + self.context.resync;
            self.store.lock().enqueue_all(now);
        }
    }

    /// Starts the reconciles that are due.
    fn dispatch(&mut self) {
        while self.tasks.len() < MAX_IN_FLIGHT {
            let taken = self.store.lock().queue.take(Instant::now());
            let Some((task, waited)) = taken else { return };
            self.context.metrics.waited(Role::Binder, waited);
            self.begin(task);
        }
    }

    fn begin(&mut self, task: Task) {
        let (store, writer, report) = (self.store.clone(), self.writer.clone(), self.report.clone());
        let (namespace, resync) = (self.paths.namespace(), self.context.resync);
        let what = match &task {
            Task::Object(id) => format!("{namespace}/{id}"),
            Task::Definition(map) => format!("{namespace}/ConfigMap/{map}"),
            Task::Leftover(secret) | Task::Obstacle(secret) => format!("{namespace}/Secret/{secret}"),
        };
        let span = self.context.passes.span(Role::Binder, &what);
        let work = async move {
            match &task {
                Task::Object(id) => reconcile(&store, &writer, &report, id).await,
                Task::Definition(map) => reconcile_owners(&store, &writer, &report, map, resync).await,
                Task::Leftover(secret) => reconcile_leftover(&store, &writer, &report, secret).await,
                Task::Obstacle(secret) => check_obstacle(&store, &writer, secret).await,
            }
        };
        self.tasks.spawn(work.instrument(span));
    }

    fn on_event(&mut self, event: NamespaceEvent) {
        match event {
            NamespaceEvent::Tenants(event) => self.on_tenants(*event),
            NamespaceEvent::Watched(began, event) if began == self.began => self.on_watched(*event),
            NamespaceEvent::Watched(..) => {}
        }
    }

    fn on_watched(&mut self, event: WatchEvent<BinderDelta>) {
        let now = Instant::now();
        match event {
            WatchEvent::Changed(BinderDelta::Items(kind, delta), _room) => {
                let all = matches!(delta, Delta::All(_));
                self.store.lock().items(kind, delta, now);
                self.read(kind.plural(), all, now);
            }
            WatchEvent::Changed(BinderDelta::Secrets(delta), _room) => {
                let all = matches!(delta, Delta::All(_));
                self.store.lock().secrets(delta, now);
                self.read(SECRETS, all, now);
            }
            WatchEvent::Changed(BinderDelta::Definitions(delta), _room) => {
                let all = matches!(delta, Delta::All(_));
                self.store.lock().definitions(delta, now);
                self.read(DEFINITIONS, all, now);
            }
            WatchEvent::Lost(resource, error) => self.lost(resource, &error),
            // The server can be reached again: failed tasks are retried at once.
            WatchEvent::Watched(SERVER) => self.store.lock().queue.retry_now(now),
            WatchEvent::Watched(_) | WatchEvent::Rewound(_) => {}
        }
    }

    fn on_tenants(&mut self, event: WatchEvent<Delta<Live<Object<TenantSpec>>>>) {
        let before = self.tenant();
        let is_own = |live: Live<Object<TenantSpec>>| {
            let own = live.read.is_ok_and(|tenant| tenant.spec.location.is_none());
            (live.name, own)
        };
        match event {
            WatchEvent::Changed(Delta::All(all), _) => self.tenants = all.into_iter().map(is_own).collect(),
            WatchEvent::Changed(Delta::Set(tenant), _) => self.tenants.extend([is_own(tenant)]),
            WatchEvent::Changed(Delta::Again, _) => {}
            WatchEvent::Changed(Delta::Only { names, .. }, _) => self.tenants.retain(|name, _| names.contains(name)),
            WatchEvent::Changed(Delta::Gone { name, .. }, _) => drop(self.tenants.remove(&name)),
            WatchEvent::Lost(resource, error) => return self.lost(resource, &error),
            WatchEvent::Watched(_) | WatchEvent::Rewound(_) => return,
        }
        let tenant = self.tenant();
        if self.watching.is_none() || tenant != before {
            self.watch(&tenant);
        }
    }

    /// Returns the name of the namespace's tenant: empty if it has no Tenant of its own, or several.
    fn tenant(&self) -> String {
        let mut own = self.tenants.iter().filter(|(_, own)| **own).map(|(name, _)| name);
        own.next().filter(|_| own.next().is_none()).cloned().unwrap_or_default()
    }

    /// Starts the watches for a tenant. Ownership records count only for the tenant that they name.
    fn watch(&mut self, tenant: &str) {
        let namespace = self.paths.namespace();
        info!(namespace, tenant, "watches a namespace");
        self.began += 1;
        // A running reconcile ends with the store that it began with, and writes nothing more.
        self.writer.retire();
        self.writer = NamespaceWriter::new(&self.context, self.paths.clone(), self.salt.clone());
        self.store = new_store(tenant, &self.context, &self.paths, &self.salt, &self.report);
        self.report.leftovers(0);
        self.context.metrics.forget_connections(namespace);
        let resources = KINDS.map(Kind::plural).into_iter().chain([SECRETS, DEFINITIONS]);
        let waits = |what: &'static str| {
            (what, self.context.readiness.waits("binder", format!("{what} of namespace {namespace}")))
        };
        self.unread = resources.map(waits).collect();
        let (send, began) = (self.send.clone(), self.began);
        let on_event = Arc::new(move |event| drop(send.send(NamespaceEvent::Watched(began, Box::new(event)))));
        self.watching = Some(watches::namespace(&self.context.server, &self.paths, &self.salt, on_event));
    }

    /// Reports that a resource cannot be watched for now.
    fn lost(&self, resource: &'static str, why: &RequestError) {
        let namespace = self.paths.namespace();
        warn!(namespace, resource, %why, "cannot be watched");
        if let Some(waiting) = self.unread.get(resource) {
            waiting.now_for(format!("{resource} of namespace {namespace}: {why}"));
            if matches!(why, RequestError::Forbidden { .. }) {
                waiting.refused_in(namespace);
            }
        }
    }

    /// Records that a resource was read: all of it (`all`), or one change.
    fn read(&mut self, resource: &'static str, all: bool, now: Instant) {
        if all && self.unread.remove(resource).is_some() && self.is_read() {
            let mut store = self.store.lock();
            let (namespace, objects) = (self.paths.namespace(), store.cache.inventory.len());
            info!(namespace, objects, "read");
            self.report.connections(store.cache.inventory.connections.keys());
            store.all_is_read(now);
        }
    }
}

fn new_store(tenant: &str, context: &Context, paths: &Paths, salt: &Arc<Salt>, report: &Reporter) -> SharedStore {
    let gauge = BindingGauge::new(context.metrics.clone(), paths.namespace());
    let cache = TenantCache::new(tenant, paths.namespace(), salt.clone());
    SharedStore::new(NamespaceStore::new(cache, gauge, report.clone()))
}
