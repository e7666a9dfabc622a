//! One namespace with Tenants and TenantSyncs, and the places of all its tenants: what is told, and what it
//! makes due. One task owns all of it; what takes time is done elsewhere, and told.

use super::super::context::Context;
use super::pass::{Came, Syncs, Whole};
use super::places::{Meet, Met, Places};
use super::report;
use super::statuses::{self, Said, requested_at};
use super::targets::TargetState;
use crate::api::*;
use crate::engine::closure::Index;
use crate::engine::item::ObjectId;
use crate::engine::record::Writer;
use crate::engine::world::{Sync, TenantView, World};
use crate::tenant::kubernetes::watch::{Follower, Following, Tell, Told};
use crate::tenant::kubernetes::{Due, Heard, Live, News, Paths, Reading, list, live};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{info, warn};

/// How much is taken in before something is done about it.
const AT_ONCE: usize = 2_000;
/// After how long a status that could not be written is written again.
const STATUS_AGAIN: Duration = Duration::from_secs(5);
/// How long what is in hand may take when the process is asked to end.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// What is told to a hub.
pub(super) enum Event {
    Tenants(Told<News<Live<Object<TenantSpec>>>>),
    Syncs(Told<News<Live<Object<TenantSyncSpec>>>>),
    Met(Met),
    Part { target: String, came: Came },
    Whole { target: String, whole: Box<Whole> },
    Status { id: ObjectId, answer: Option<Vec<u8>> },
}

/// One namespace with Tenants and TenantSyncs.
pub struct Hub {
    pub(super) context: Context,
    paths: Paths,
    inbox: UnboundedReceiver<Event>,
    pub(super) tell: UnboundedSender<Event>,
    tenants: BTreeMap<String, Live<Object<TenantSpec>>>,
    pub(super) syncs: BTreeMap<String, Live<Object<TenantSyncSpec>>>,
    /// Which of the two were read.
    read: BTreeSet<&'static str>,
    pub(super) places: Places,
    pub(super) targets: BTreeMap<String, TargetState>,
    pub(super) index: Index,
    /// Statuses that are being written, and when those that failed are written again.
    writing: BTreeMap<ObjectId, Option<Instant>>,
    pub(super) tasks: JoinSet<()>,
    _following: Following,
}

impl Hub {
    /// Of a namespace of the operator's own cluster.
    pub fn new(context: Context, namespace: &str) -> Self {
        let (tell, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let following = follow(&context, &paths, &tell);
        let met = tell.clone();
        let meet: Meet = Arc::new(move |told| drop(met.send(Event::Met(told))));
        Hub {
            places: Places::new(context.clone(), paths.clone(), meet),
            context,
            paths,
            inbox,
            tell,
            tenants: BTreeMap::new(),
            syncs: BTreeMap::new(),
            read: BTreeSet::new(),
            targets: BTreeMap::new(),
            index: Index::default(),
            writing: BTreeMap::new(),
            tasks: JoinSet::new(),
            _following: following,
        }
    }

    /// Does its work until the process is asked to end.
    pub async fn run(mut self) {
        loop {
            let wakes = self.wakes();
            let stop = self.context.stop.clone();
            tokio::select! {
                event = self.inbox.recv() => {
                    let Some(event) = event else { return };
                    self.hear(event).await;
                    for _ in 0..AT_ONCE {
                        let Ok(event) = self.inbox.try_recv() else { break };
                        self.hear(event).await;
                    }
                }
                () = sleep_until(wakes.unwrap_or_else(Instant::now)), if wakes.is_some() => {}
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                () = stop.requested() => break,
            }
            self.dispatch();
            self.write_statuses();
        }
        // What is in hand is finished: nothing new is begun any more.
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(LAST_WRITES, rest).await;
    }

    fn wakes(&self) -> Option<Instant> {
        let targets = self.targets.iter().filter(|(name, _)| self.can_look_at(name));
        let targets = targets.filter_map(|(_, target)| target.agenda.wakes());
        targets.chain(self.writing.values().flatten().copied()).min()
    }

    async fn hear(&mut self, event: Event) {
        match event {
            Event::Tenants(told) => {
                if self.hear_of_hub("tenants", told, |hub| &mut hub.tenants) {
                    self.settle_places().await;
                }
            }
            Event::Syncs(told) => {
                if self.hear_of_hub("tenantsyncs", told, |hub| &mut hub.syncs) {
                    self.settle_syncs();
                }
            }
            Event::Met(Met::Kubeconfig { secret, told }) => {
                self.places.hear_of_secret(&secret, told);
                self.settle_places().await;
            }
            Event::Met(Met::Place { tenant, epoch, told }) => self.hear_of_place(&tenant, epoch, told),
            Event::Part { target, came } => self.hear_of_pass(&target, &came),
            Event::Whole { target, whole } => self.hear_of_whole(&target, &whole),
            Event::Status { id, answer } => match answer {
                Some(answer) => {
                    self.writing.remove(&id);
                    let text = String::from_utf8_lossy(&answer);
                    match id.kind {
                        Kind::Tenant => take(&mut self.tenants, live::read_whole(&text)),
                        _ => take(&mut self.syncs, live::read_whole(&text)),
                    }
                }
                None => drop(self.writing.insert(id, Some(Instant::now() + STATUS_AGAIN))),
            },
        }
    }

    /// Takes in what is told of the hub's own objects; whether what they say changed.
    fn hear_of_hub<S: PartialEq>(
        &mut self,
        resource: &'static str,
        told: Told<News<Live<Object<S>>>>,
        of: impl Fn(&mut Self) -> &mut BTreeMap<String, Live<Object<S>>>,
    ) -> bool {
        let news = match told {
            Told::Heard(news) => news,
            Told::Followed(_) => return false,
            Told::Lost(_, error) => {
                warn!(namespace = self.paths.namespace(), resource, why = %error, "cannot be followed");
                return false;
            }
        };
        let first = self.read.insert(resource);
        let objects = of(self);
        match news {
            News::All(all) => {
                *objects = all.into_iter().map(|live| (live.name.clone(), live)).collect();
                true
            }
            News::Set(live) => {
                let before = objects.get(&live.name);
                let same =
                    before.is_some_and(|before| before.read == live.read && before.version.uid == live.version.uid);
                take(objects, Some(live));
                first || !same
            }
            News::Gone { name, .. } => objects.remove(&name).is_some(),
        }
    }

    async fn settle_places(&mut self) {
        self.places.settle(&self.tenants).await;
        self.look_at_everything();
    }

    /// Takes in which syncs go where.
    fn settle_syncs(&mut self) {
        let now = Instant::now();
        let mut wanted: BTreeMap<String, Syncs> = BTreeMap::new();
        let mut requested: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (name, live) in &self.syncs {
            let Ok(sync) = &live.read else { continue };
            let approved: BTreeSet<String> =
                sync.metadata.annotations.get(APPROVE).map_or_else(BTreeSet::new, |text| {
                    text.split(',')
                        .map(|digest| digest.trim().to_string())
                        .filter(|digest| !digest.is_empty())
                        .collect()
                });
            for target in &sync.spec.to {
                let syncs = wanted.entry(target.clone()).or_default();
                match sync.spec.mode {
                    Some(SyncMode::Apply) => syncs.apply.insert(name.clone()),
                    Some(SyncMode::Plan) | None => syncs.plan.insert(name.clone()),
                };
                if !approved.is_empty() {
                    syncs.approved.insert(name.clone(), approved.clone());
                }
                if let Some(at) = requested_at(&sync.metadata) {
                    requested.entry(target.clone()).or_default().insert(name.clone(), at);
                }
            }
        }
        self.targets.retain(|name, _| wanted.contains_key(name));
        for (name, syncs) in wanted {
            let is_new = !self.targets.contains_key(&name);
            let target = self.targets.entry(name.clone()).or_default();
            if is_new {
                let statuses = self
                    .syncs
                    .iter()
                    .filter_map(|(sync, live)| Some((sync, statuses::written::<TenantSyncStatus, _>(live)?)));
                for (sync, status) in statuses {
                    let of_this = status.targets.iter().filter(|target| target.tenant == name);
                    of_this.for_each(|status| target.resume(sync, status, now));
                }
            }
            target.syncs = syncs;
            target.standing.retain(|sync, _| target.syncs.apply.contains(sync) || target.syncs.plan.contains(sync));
            let requested = requested.remove(&name).unwrap_or_default();
            if requested != target.requested {
                target.requested = requested;
                target.agenda.hurry(now);
            }
        }
        self.look_at_everything();
    }

    fn look_at_everything(&mut self) {
        self.index = Index::of(&self.world());
        let now = Instant::now();
        self.targets.values_mut().for_each(|target| target.agenda.look_at_everything(now));
    }

    fn hear_of_place(&mut self, tenant: &str, epoch: u64, told: Told<Heard>) {
        let Some((due, place)) = self.places.hear(tenant, epoch, told) else { return };
        let now = Instant::now();
        match due {
            Due::Objects(objects) if objects.is_empty() => {}
            Due::Objects(objects) => {
                let inventory = place.mirror.inventory();
                objects.iter().filter_map(|id| inventory.get(id)).for_each(|item| self.index.take(&item));
                let fed = |target: &str| sources(&self.syncs, target).any(|source| source == tenant);
                let concerned = self.targets.iter_mut().filter(|(target, _)| *target == tenant || fed(target));
                concerned.for_each(|(_, target)| target.agenda.changed(&objects, now));
            }
            Due::Everything => {
                match place.trouble() {
                    Some(why) => warn!(tenant, why, "cannot be read"),
                    None => info!(tenant, objects = place.mirror.inventory().len(), "read"),
                }
                self.look_at_everything();
            }
        }
    }

    /// What the engine plans on. It shares what the mirrors keep: it must be gone before they hear more, or
    /// they have to copy it.
    pub(super) fn world(&self) -> World {
        let view = |(name, live): (&String, &Live<Object<TenantSpec>>)| {
            let (spec, live) = self.places.view(live.read.as_ref().ok()?)?;
            let recent = self.targets.get(name).map_or(0, |target| target.guard.count());
            Some((name.clone(), TenantView { spec, live, source: None, recent }))
        };
        let sync = |(name, live): (&String, &Live<Object<TenantSyncSpec>>)| {
            let spec = Arc::new(live.read.as_ref().ok()?.spec.clone());
            Some(Sync { writer: Writer::Sync(name.clone()), spec })
        };
        World {
            tenants: self.tenants.iter().filter_map(view).collect(),
            syncs: self.syncs.iter().filter_map(sync).collect(),
        }
    }

    /// Whether Tenants and TenantSyncs were read, and every tenant was looked for: before that one that is
    /// missing may only be late.
    fn is_read(&self) -> bool {
        self.read.len() == 2 && self.places.len() == self.tenants.values().filter(|live| live.read.is_ok()).count()
    }

    /// Whether a target, and what is copied to it, was read, or is known not to be there.
    pub(super) fn can_look_at(&self, target: &str) -> bool {
        let being_read = |tenant: &str| self.places.is_being_read(tenant);
        self.is_read() && !sources(&self.syncs, target).chain([target]).any(being_read)
    }

    fn write_statuses(&mut self) {
        if !self.is_read() || !self.context.leadership.holds() {
            return;
        }
        let (now, time) = (Instant::now(), Time(k8s_openapi::jiff::Timestamp::now()));
        let syncs: Vec<_> =
            self.syncs.values().filter_map(|live| statuses::of_sync(live, &self.targets, &time)).collect();
        let tenants: Vec<_> =
            self.tenants.values().filter_map(|live| statuses::of_tenant(live, &self.places, &time)).collect();
        syncs.into_iter().for_each(|said| self.write_status(said, now));
        tenants.into_iter().for_each(|said| self.write_status(said, now));
    }

    fn write_status<S: serde::Serialize + Send + std::marker::Sync + 'static>(&mut self, said: Said<S>, now: Instant) {
        let waits = |again: &Option<Instant>| again.is_none_or(|at| at > now);
        if self.writing.get(&said.id).is_some_and(waits) {
            return;
        }
        self.writing.insert(said.id.clone(), None);
        let (context, paths, tell) = (self.context.clone(), self.paths.clone(), self.tell.clone());
        self.tasks.spawn(async move {
            let result = report::write_status(&context, &paths, &said.id, &said.status).await;
            match &result {
                Ok(_) => report::tell_transition(&context, &paths, &said.id, &said.uid, &said.before, &said.now),
                Err(trouble) => warn!(object = %said.id, why = %trouble, "its status cannot be written"),
            }
            drop(tell.send(Event::Status { id: said.id, answer: result.ok() }));
        });
    }
}

/// Takes in an object, where it is no older than what is known.
fn take<S>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Option<Live<Object<S>>>) {
    let Some(live) = live else { return };
    let known = objects.get(&live.name).map(|known| &known.version);
    if !known.is_some_and(|known| known.is_after(&live.version)) {
        objects.insert(live.name.clone(), live);
    }
}

/// The tenants that are copied to a target.
fn sources<'s>(
    syncs: &'s BTreeMap<String, Live<Object<TenantSyncSpec>>>,
    target: &'s str,
) -> impl Iterator<Item = &'s str> {
    let syncs = syncs.values().filter_map(|live| live.read.as_ref().ok());
    syncs.filter(move |sync| sync.spec.to.iter().any(|to| to == target)).map(|sync| sync.spec.from.as_str())
}

fn follow(context: &Context, paths: &Paths, tell: &UnboundedSender<Event>) -> Following {
    let tell = tell.clone();
    let tell: Tell<Event> = Arc::new(move |told| {
        let event = match told {
            Told::Heard(event) => event,
            Told::Lost(resource, error) if resource == Kind::Tenant.plural() => {
                Event::Tenants(Told::Lost(resource, error))
            }
            Told::Lost(resource, error) => Event::Syncs(Told::Lost(resource, error)),
            Told::Followed(resource) => Event::Syncs(Told::Followed(resource)),
        };
        drop(tell.send(event));
    });
    let mut follower = Follower::new(&context.server, paths, tell);
    follower.follow(list::objects(paths, Kind::Tenant, Reading::WithStatus), |news| Event::Tenants(Told::Heard(news)));
    follower
        .follow(list::objects(paths, Kind::TenantSync, Reading::WithStatus), |news| Event::Syncs(Told::Heard(news)));
    follower.done()
}
