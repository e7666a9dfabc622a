//! One namespace with Tenants and TenantSyncs, and the places of all its tenants: what is told, and what is
//! done because of it. One task owns all of it; what takes time is done elsewhere, and told.

use super::super::context::Context;
use super::followed::{Followed, Refusal, Whereabouts, whereabouts};
use super::kubeconfig::{self, KubeconfigSecret, fingerprint};
use super::pass::{Came, Pass, Syncs, Whole};
use super::report;
use super::targets::TargetState;
use crate::api::*;
use crate::engine::closure::{Index, Seeds, plan_closure};
use crate::engine::item::ObjectId;
use crate::engine::plan::{ActionKind, Plan, Scope, is_too_many};
use crate::engine::record::Writer;
use crate::engine::world::{Inventory, Sync, TenantView, View, World};
use crate::tenant::kubernetes::watch::{self, Follower, Following, Tell, Told};
use crate::tenant::kubernetes::{
    ClusterPlace, Due, Heard, Live, News, Paths, Reading, kubeconfig as vetting, list, live,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until};
use tracing::{info, warn};

/// How much is taken in before something is done about it.
const AT_ONCE: usize = 2_000;
/// How many actions a pass over what changed carries out at most: what comes meanwhile waits no longer.
const IN_A_PASS: usize = 256;
/// After how long a status that could not be written is written again.
const STATUS_AGAIN: Duration = Duration::from_secs(5);

/// The reason why a kubeconfig that is still being read is not used yet.
const UNREAD: &str = "KubeconfigUnread";

/// What is told to a hub.
enum Event {
    Tenants(Told<News<Live<Object<TenantSpec>>>>),
    Syncs(Told<News<Live<Object<TenantSyncSpec>>>>),
    Kubeconfig { secret: String, told: Told<News<KubeconfigSecret>> },
    Place { tenant: Arc<str>, epoch: u64, told: Told<Heard> },
    Part { target: String, came: Came },
    Whole { target: String, whole: Box<Whole> },
    Status { id: ObjectId, answer: Option<Vec<u8>> },
}

/// What is known of a Secret with kubeconfigs.
struct KnownSecret {
    /// `None`: it was not read yet, or cannot be.
    read: Option<Result<Option<KubeconfigSecret>, String>>,
    _following: Following,
}

/// A tenant's place as it was found, or why it was not.
type Found = Result<Followed, Refusal>;

/// One namespace with Tenants and TenantSyncs.
pub struct Hub {
    context: Context,
    paths: Paths,
    inbox: UnboundedReceiver<Event>,
    tell: UnboundedSender<Event>,
    tenants: BTreeMap<String, Live<Object<TenantSpec>>>,
    syncs: BTreeMap<String, Live<Object<TenantSyncSpec>>>,
    /// Whether Tenants and TenantSyncs were read.
    read: BTreeSet<&'static str>,
    secrets: BTreeMap<String, KnownSecret>,
    places: BTreeMap<String, Found>,
    /// What each place was found by.
    found_by: BTreeMap<String, (Whereabouts, Option<[u8; 32]>)>,
    epochs: u64,
    targets: BTreeMap<String, TargetState>,
    index: Index,
    /// Statuses that are being written, and when those that failed are written again.
    writing: BTreeMap<ObjectId, Option<Instant>>,
    tasks: JoinSet<()>,
    _following: Vec<Following>,
}

impl Hub {
    /// Of a namespace of the operator's own cluster.
    pub fn new(context: Context, namespace: &str) -> Self {
        let (tell, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let following = vec![follow_hub(&context, &paths, &tell)];
        Hub {
            context,
            paths,
            inbox,
            tell,
            tenants: BTreeMap::new(),
            syncs: BTreeMap::new(),
            read: BTreeSet::new(),
            secrets: BTreeMap::new(),
            places: BTreeMap::new(),
            found_by: BTreeMap::new(),
            epochs: 0,
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
                () = stop.requested() => return,
            }
            self.dispatch();
            self.write_statuses();
        }
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
            Event::Kubeconfig { secret, told } => {
                if let Some(known) = self.secrets.get_mut(&secret) {
                    known.hear(told);
                    self.settle_places().await;
                }
            }
            Event::Place { tenant, epoch, told } => self.hear_of_place(&tenant, epoch, told),
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

    /// Goes to where the Tenants say that they are, and leaves where none is any more.
    async fn settle_places(&mut self) {
        let wanted: BTreeMap<String, Result<Whereabouts, Refusal>> = (self.tenants.iter())
            .filter_map(|(name, live)| {
                Some((name.clone(), whereabouts(self.paths.namespace(), &live.read.as_ref().ok()?.spec)))
            })
            .collect();
        self.places.retain(|name, _| wanted.contains_key(name));
        self.found_by.retain(|name, _| wanted.contains_key(name));
        let secrets = wanted.values().flatten().filter_map(|there| there.kubeconfig.as_ref());
        let secrets: BTreeSet<String> = secrets.map(|secret| secret.name.clone()).collect();
        self.secrets.retain(|name, _| secrets.contains(name));
        for secret in secrets {
            let follow = || KnownSecret {
                read: None,
                _following: follow_secret(&self.context, &self.paths, &self.tell, &secret),
            };
            self.secrets.entry(secret.clone()).or_insert_with(follow);
        }
        for (name, there) in wanted {
            let found = match there {
                Ok(there) => self.find(&name, there).await,
                Err(refusal) => Some(Err(refusal)),
            };
            if let Some(found) = found {
                if let Err(refusal) = &found {
                    self.found_by.remove(&name);
                    info!(tenant = name, reason = refusal.reason, why = %refusal, "not followed");
                }
                self.places.insert(name, found);
            }
        }
        self.look_at_everything();
    }

    /// The place of a tenant; `None` where it is the one that is known already.
    async fn find(&mut self, name: &str, there: Whereabouts) -> Option<Found> {
        let kubeconfig = match &there.kubeconfig {
            None => None,
            Some(secret) => match self.kubeconfig(secret) {
                Ok(kubeconfig) => Some(kubeconfig),
                Err(refusal) => return Some(Err(refusal)),
            },
        };
        let by = (there.clone(), kubeconfig.map(fingerprint));
        if self.places.get(name).is_some_and(Result::is_ok) && self.found_by.get(name) == Some(&by) {
            return None;
        }
        let server = match kubeconfig {
            None => self.context.server.clone(),
            Some(text) => {
                let refused = |why: String| Refusal { reason: "KubeconfigRefused", why };
                let vetted =
                    vetting::vetted(text.expose()).map_err(|error| refused(format!("its kubeconfig: {error}")));
                let connected = match vetted {
                    Ok(vetted) => self.context.servers.connect_by(vetted, name).await.map_err(refused),
                    Err(refusal) => Err(refusal),
                };
                match connected {
                    Ok(server) => server.observed(self.context.metrics.observer(name)),
                    Err(refusal) => return Some(Err(refusal)),
                }
            }
        };
        self.found_by.insert(name.to_string(), by);
        self.epochs += 1;
        let (epoch, paths) = (self.epochs, Paths::of(&there.namespace));
        let tenant: Arc<str> = name.into();
        let tell = self.tell.clone();
        let tell: Tell<Heard> =
            Arc::new(move |told| drop(tell.send(Event::Place { tenant: tenant.clone(), epoch, told })));
        let following = watch::namespace(&server, &paths, Reading::Spec, tell);
        info!(tenant = name, namespace = there.namespace, cluster = server.name(), "followed");
        Some(Ok(Followed::new(epoch, server, paths, following)))
    }

    fn kubeconfig(&self, secret: &SecretKeyRef) -> Result<&crate::secret::Secret, Refusal> {
        let refuse = |reason, why: String| Err(Refusal { reason, why });
        match self.secrets.get(&secret.name).and_then(|known| known.read.as_ref()) {
            None => refuse(UNREAD, format!("Secret {} was not read yet", secret.name)),
            Some(Err(why)) => refuse("KubeconfigUnreadable", format!("Secret {} cannot be read: {why}", secret.name)),
            Some(Ok(None)) => refuse("KubeconfigMissing", format!("there is no Secret {}", secret.name)),
            Some(Ok(Some(known))) => known.kubeconfig(&secret.key).ok_or_else(|| Refusal {
                reason: "KubeconfigMissing",
                why: format!("Secret {} has no key {}", secret.name, secret.key),
            }),
        }
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
                let statuses =
                    self.syncs.iter().filter_map(|(sync, live)| Some((sync, status::<TenantSyncStatus, _>(live)?)));
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
        let Some(Ok(place)) = self.places.get_mut(tenant) else { return };
        if place.epoch != epoch {
            return;
        }
        let due = place.hear(told);
        let now = Instant::now();
        match due {
            Due::Objects(objects) if objects.is_empty() => {}
            Due::Objects(objects) => {
                let inventory = place.mirror.inventory();
                objects.iter().filter_map(|id| inventory.get(id)).for_each(|item| self.index.take(&item));
                let syncs: Vec<&Object<TenantSyncSpec>> =
                    self.syncs.values().filter_map(|live| live.read.as_ref().ok()).collect();
                let concerned = |target: &str| {
                    target == tenant
                        || syncs.iter().any(|s| s.spec.from == tenant && s.spec.to.iter().any(|to| to == target))
                };
                let targets = self.targets.iter_mut().filter(|(name, _)| concerned(name));
                targets.for_each(|(_, target)| target.agenda.changed(&objects, now));
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
    fn world(&self) -> World {
        let view = |(name, live): (&String, &Live<Object<TenantSpec>>)| {
            let tenant = live.read.as_ref().ok()?;
            let (spec, live) = match self.places.get(name)? {
                Ok(place) => place.view(tenant),
                Err(refusal) => (tenant.spec.clone(), View::Unreachable(refusal.why.clone())),
            };
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

    /// Whether Tenants, TenantSyncs and every place were read once, or told why they cannot be: before
    /// that a missing tenant may only be late.
    fn is_read(&self) -> bool {
        self.read.len() == 2 && self.places.len() == self.tenants.values().filter(|live| live.read.is_ok()).count()
    }

    /// Whether a target, and what is copied to it, was read, or is known not to be there.
    fn can_look_at(&self, target: &str) -> bool {
        let syncs = self.syncs.values().filter_map(|live| live.read.as_ref().ok());
        let sources = syncs.filter(|s| s.spec.to.iter().any(|to| to == target)).map(|s| s.spec.from.as_str());
        let is_being_read = |tenant: &str| match self.places.get(tenant) {
            Some(Ok(place)) => place.is_being_read(),
            Some(Err(refusal)) => refusal.reason == UNREAD,
            None => false,
        };
        self.is_read() && !sources.chain([target]).any(is_being_read)
    }

    fn dispatch(&mut self) {
        if !self.context.leadership.holds() {
            return;
        }
        let now = Instant::now();
        let names: Vec<String> = self.targets.keys().cloned().collect();
        for name in names.into_iter().filter(|name| self.can_look_at(name)).collect::<Vec<_>>() {
            while let Some(job) = self.targets.get_mut(&name).and_then(|target| target.agenda.take(now)) {
                match job {
                    super::agenda::Job::Whole => self.begin_whole(&name),
                    super::agenda::Job::Part(seeds) => {
                        if !self.begin_part(&name, &seeds, now)
                            && let Some(target) = self.targets.get_mut(&name)
                        {
                            target.agenda.done();
                        }
                    }
                }
            }
        }
    }

    /// Plans what changed in a target or its sources, and begins to write it; whether there was anything.
    fn begin_part(&mut self, name: &str, seeds: &Seeds, now: Instant) -> bool {
        let Some(target) = self.targets.get(name).filter(|target| !target.syncs.apply.is_empty()) else { return false };
        let Some(Ok(place)) = self.places.get(name) else { return false };
        if place.trouble().is_some() {
            return false;
        }
        let scope = Scope { tenants: [name.to_string()].into(), syncs: target.syncs.unattended(), ..Scope::default() };
        let world = self.world();
        let approval = world.tenants.get(name).map(|view| view.spec.approval()).unwrap_or_default();
        let mut plan = plan_closure(&world, &self.index, seeds, &scope);
        drop(world);
        let Some(planned) = plan.targets.iter_mut().find(|target| target.tenant == name) else { return false };
        let updates = planned.actions.iter().filter(|action| action.action == ActionKind::Update).count();
        let too_many = is_too_many(target.guard.count() + updates, place.mirror.inventory().len(), approval);
        let all = planned.actions.len();
        // Deletes, and what many changes together mean, are decided on the whole.
        planned.actions.retain(|action| {
            action.action != ActionKind::Delete
                && action.needs_approval.is_empty()
                && !(too_many && action.action == ActionKind::Update)
        });
        let waits = planned.actions.len() < all;
        let later: Vec<ObjectId> = planned.actions.iter().skip(IN_A_PASS).map(|a| a.change.object.clone()).collect();
        planned.actions.truncate(IN_A_PASS);
        let nothing = planned.actions.is_empty();
        let pass = (!nothing).then(|| self.pass(name, Some(&plan))).flatten();
        if let Some(target) = self.targets.get_mut(name) {
            if waits {
                target.agenda.look_at_everything(now);
            }
            target.agenda.changed(&later, now);
        }
        let Some(pass) = pass else { return false };
        let (tell, target) = (self.tell.clone(), name.to_string());
        self.tasks.spawn(async move {
            let came = spawn_blocking(move || pass.unattended(&plan)).await.unwrap_or_default();
            drop(tell.send(Event::Part { target, came }));
        });
        true
    }

    fn begin_whole(&mut self, name: &str) {
        let Some(pass) = self.pass(name, None) else { return };
        let Some(target) = self.targets.get(name) else { return };
        let (syncs, world) = (target.syncs.clone(), self.world());
        let (tell, target) = (self.tell.clone(), name.to_string());
        self.tasks.spawn(async move {
            let whole = spawn_blocking(move || {
                let whole = pass.whole(&world, &syncs);
                // Before it is told: the mirrors must not have to copy what nobody looks at any more.
                drop((pass, world));
                whole
            });
            if let Ok(whole) = whole.await {
                drop(tell.send(Event::Whole { target, whole: Box::new(whole) }));
            }
        });
    }

    /// What a pass over a target works with: of what is known only what `plan` speaks of, or all.
    fn pass(&self, name: &str, plan: Option<&Plan>) -> Option<Pass> {
        let sources = self.places.iter().filter_map(|(tenant, place)| {
            let place = place.as_ref().ok()?;
            Some((tenant.clone(), (place.server.clone(), place.paths.clone())))
        });
        let place = match self.places.get(name) {
            Some(Ok(place)) if place.trouble().is_none() => {
                let (inventory, versions) = match plan {
                    Some(plan) => part_of(place, plan),
                    None => (place.mirror.inventory().clone(), place.mirror.versions().clone()),
                };
                let (tell, tenant, epoch): (_, Arc<str>, _) = (self.tell.clone(), name.into(), place.epoch);
                let observer = Arc::new(move |heard| {
                    let told = Told::Heard(heard);
                    drop(tell.send(Event::Place { tenant: tenant.clone(), epoch, told }));
                });
                let there = ClusterPlace::new(name, place.server.clone(), place.paths.namespace());
                Some(there.knowing(inventory, versions, observer))
            }
            _ => None,
        };
        let (leadership, stop) = (self.context.leadership.clone(), self.context.stop.clone());
        let leads = Arc::new(move || leadership.holds() && !stop.is_requested());
        Some(Pass { target: name.to_string(), place, sources: sources.collect(), leads })
    }

    fn hear_of_pass(&mut self, name: &str, came: &Came) {
        for (id, kind, _) in &came.done {
            info!(tenant = name, object = %id, action = kind.as_str(), "done");
        }
        for (id, why) in &came.failed {
            warn!(tenant = name, action = id, why, "failed");
        }
        if let Some(target) = self.targets.get_mut(name) {
            target.came(came, Instant::now());
        }
    }

    fn hear_of_whole(&mut self, name: &str, whole: &Whole) {
        self.hear_of_pass(name, &whole.came);
        let now = Instant::now();
        let syncs = self.syncs.iter().filter_map(|(sync, live)| {
            let spec = &live.read.as_ref().ok()?.spec;
            let source_trouble = match self.places.get(&spec.from) {
                Some(Ok(place)) => place.trouble(),
                Some(Err(refusal)) => Some(refusal.why.clone()),
                None => None,
            };
            let mode = spec.mode.unwrap_or(SyncMode::Plan);
            spec.to.iter().any(|to| to == name).then(|| (sync.clone(), (mode, source_trouble)))
        });
        let syncs: BTreeMap<_, _> = syncs.collect();
        let resync = self.context.resync;
        let Some(target) = self.targets.get_mut(name) else { return };
        target.judge(name, whole, &syncs, now, &jiff_now());
        if !whole.came.done.is_empty() {
            // What is left, and the proof that nothing is.
            target.agenda.look_at_everything(now);
        } else {
            target.agenda.look_at_everything_by(now + resync);
        }
    }

    fn write_statuses(&mut self) {
        if !self.is_read() || !self.context.leadership.holds() {
            return;
        }
        let now = Instant::now();
        let syncs: Vec<_> = self.syncs.values().filter_map(|live| self.sync_status(live)).collect();
        let tenants: Vec<_> = self.tenants.values().filter_map(|live| self.tenant_status(live)).collect();
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

    /// What the status of a sync should be, where it says something else; `None` while not all of its targets
    /// were looked at.
    fn sync_status(&self, live: &Live<Object<TenantSyncSpec>>) -> Option<Said<TenantSyncStatus>> {
        let before: TenantSyncStatus = status(live).unwrap_or_default();
        let sync = live.read.as_ref().ok()?;
        let targets: BTreeSet<&String> = sync.spec.to.iter().collect();
        let standing = targets.iter().map(|to| self.targets.get(*to)?.standing.get(&live.name));
        let standing: Vec<&(TargetStatus, Option<String>)> = standing.collect::<Option<_>>()?;
        let asked = requested_at(&sync.metadata);
        let answered = asked.is_some() && standing.iter().all(|(_, requested)| *requested == asked);
        let targets: Vec<TargetStatus> = standing.into_iter().map(|(status, _)| status.clone()).collect();
        let verdicts = super::judge::verdicts(&targets);
        let now = Time(k8s_openapi::jiff::Timestamp::now());
        let status = TenantSyncStatus {
            observed_generation: Some(live.generation),
            conditions: conditions(&before.conditions, verdicts, live.generation, &now),
            last_handled_reconcile_at: if answered { asked } else { before.last_handled_reconcile_at.clone() },
            targets,
        };
        let (then, now) = (before.conditions.clone(), status.conditions.clone());
        (status != before).then(|| Said::of(Kind::TenantSync, live, status, then, now))
    }

    /// What the status of a Tenant should be, where it says something else.
    fn tenant_status(&self, live: &Live<Object<TenantSpec>>) -> Option<Said<TenantStatus>> {
        let before: TenantStatus = status(live).unwrap_or_default();
        let tenant = live.read.as_ref().ok()?;
        let verdict = match self.places.get(&live.name)? {
            Err(refusal) if refusal.reason == UNREAD => return None,
            Err(refusal) => vec![
                Verdict::new("Ready", false, refusal.reason, refusal.why.clone()),
                Verdict::new("Stalled", true, refusal.reason, refusal.why.clone()),
            ],
            Ok(place) => match place.view(tenant).1 {
                View::Read(_) => vec![Verdict::new("Ready", true, "Followed", "it is read, and followed")],
                View::Unreachable(_) if place.is_being_read() => return None,
                View::Unreachable(why) => vec![
                    Verdict::new("Ready", false, "Unreachable", why.clone()),
                    Verdict::new("Reconciling", true, "Unreachable", why),
                ],
            },
        };
        let now = Time(k8s_openapi::jiff::Timestamp::now());
        let status = TenantStatus {
            observed_generation: Some(live.generation),
            conditions: conditions(&before.conditions, verdict, live.generation, &now),
        };
        let (then, now) = (before.conditions.clone(), status.conditions.clone());
        (status != before).then(|| Said::of(Kind::Tenant, live, status, then, now))
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

/// A status that is to be written.
struct Said<S> {
    id: ObjectId,
    uid: String,
    status: S,
    /// The conditions that were there, and those that will be.
    before: Vec<Condition>,
    now: Vec<Condition>,
}

impl<S> Said<S> {
    fn of<O>(kind: Kind, live: &Live<O>, status: S, before: Vec<Condition>, now: Vec<Condition>) -> Self {
        Said { id: ObjectId::new(kind, &live.name), uid: live.version.uid.clone(), status, before, now }
    }
}

impl KnownSecret {
    fn hear(&mut self, told: Told<News<KubeconfigSecret>>) {
        match told {
            Told::Heard(News::All(all)) => self.read = Some(Ok(all.into_iter().next())),
            Told::Heard(News::Set(secret)) => self.read = Some(Ok(Some(secret))),
            Told::Heard(News::Gone { .. }) => self.read = Some(Ok(None)),
            // What was read last still holds.
            Told::Lost(_, error) if self.read.is_none() => self.read = Some(Err(error.to_string())),
            Told::Lost(..) | Told::Followed(_) => {}
        }
    }
}

fn follow_hub(context: &Context, paths: &Paths, tell: &UnboundedSender<Event>) -> Following {
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

fn follow_secret(context: &Context, paths: &Paths, tell: &UnboundedSender<Event>, name: &str) -> Following {
    let (tell, secret) = (tell.clone(), name.to_string());
    let tell: Tell<News<KubeconfigSecret>> =
        Arc::new(move |told| drop(tell.send(Event::Kubeconfig { secret: secret.clone(), told })));
    let mut follower = Follower::new(&context.server, paths, tell);
    follower.follow(kubeconfig::listing(paths, name), |news| news);
    follower.done()
}

/// Of what is known of a place, that which a plan speaks of.
fn part_of(
    place: &Followed,
    plan: &Plan,
) -> (Arc<Inventory>, Arc<BTreeMap<ObjectId, crate::tenant::kubernetes::Version>>) {
    let (whole, versions) = (place.mirror.inventory(), place.mirror.versions());
    let mut part = Inventory::default();
    let mut known = BTreeMap::new();
    for (_, action) in plan.actions() {
        let id = &action.change.object;
        whole.get(id).into_iter().for_each(|item| part.insert(item));
        part.invalid.extend(whole.invalid.get(id).map(|why| (id.clone(), why.clone())));
        part.records.extend(whole.records.get(id).map(|record| (id.clone(), record.clone())));
        known.extend(versions.get(id).map(|version| (id.clone(), version.clone())));
    }
    (Arc::new(part), Arc::new(known))
}

fn status<T: serde::de::DeserializeOwned, S>(live: &Live<Object<S>>) -> Option<T> {
    serde_json::from_str(live.status.as_ref()?.get()).ok()
}

/// The last request to reconcile: ours, or Flux's.
fn requested_at(metadata: &Meta) -> Option<String> {
    let asked = [REQUESTED_AT, FLUX_REQUESTED_AT].map(|name| metadata.annotations.get(name));
    let asked: Vec<&str> = asked.into_iter().flatten().map(String::as_str).collect();
    (!asked.is_empty()).then(|| asked.join(" "))
}

fn jiff_now() -> String {
    k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
