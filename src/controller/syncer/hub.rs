//! One namespace with Tenants and TenantSyncs, and the places of all its tenants: what is told, and what it
//! makes due. One task owns all of it; what takes time is done elsewhere, and told.

use super::super::context::Context;
use super::agenda::PassId;
use super::approvals::Ledger;
use super::guard::ChangeBudget;
use super::locations::{Locations, Meet, Met};
use super::measured::{self, Measured};
use super::pass::{Going, PassOutcome, Whole};
use super::report;
use super::statuses::{self, Said};
use super::targets::TargetState;
use super::waiting::KeptPlans;
use crate::api::*;
use crate::controller::probes::readiness::Waiting;
use crate::engine::closure::Index;
use crate::engine::model::inventory::{Sync, Targets, TenantView, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::engine::sync_rules;
use crate::kubernetes::cache::Delta;
use crate::kubernetes::kinds;
use crate::kubernetes::object::{Live, Reading};
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{Follower, Following, Room, Tell, WatchEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::warn;

/// How much is taken in before something is done about it.
const AT_ONCE: usize = 2_000;
/// How long what is in hand may take when the process is asked to end: less than it is given.
const LAST_WRITES: Duration = Duration::from_secs(4);
/// How often it turns although nothing happens, and how long it may be silent until it counts as stuck.
const TURN: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);

/// What is told to a hub.
pub(super) enum Event {
    Tenants(WatchEvent<Delta<Live<Object<TenantSpec>>>>),
    Syncs(WatchEvent<Delta<Live<Object<TenantSyncSpec>>>>),
    Met(Met),
    Part {
        target: String,
        pass: PassId,
        came: PassOutcome,
    },
    /// What a look at everything is about to write, or how far it is.
    Going {
        target: String,
        pass: PassId,
        news: Going,
    },
    /// `None`: a mistake of ours ended it.
    Whole {
        target: String,
        pass: PassId,
        whole: Option<Box<Whole>>,
    },
    Status {
        id: ObjectId,
        answer: Option<Vec<u8>>,
    },
    /// An approval that was taken back was to go from the status of a sync.
    Forgot(String),
}

/// One namespace with Tenants and TenantSyncs.
pub struct HubWorker {
    pub(super) context: Context,
    pub(super) paths: Paths,
    inbox: UnboundedReceiver<Event>,
    pub(super) tell: UnboundedSender<Event>,
    pub(super) tenants: BTreeMap<String, Live<Object<TenantSpec>>>,
    pub(super) syncs: BTreeMap<String, Live<Object<TenantSyncSpec>>>,
    /// Which of the two were not read yet, and who is told of it.
    pub(super) unread: BTreeSet<&'static str>,
    pub(super) waiting: Option<Waiting>,
    pub(super) locations: Locations,
    pub(super) targets: BTreeMap<String, TargetState>,
    /// How many passes there were.
    pub(super) passes: u64,
    pub(super) index: Index,
    /// What was approved of its syncs.
    pub(super) approvals: Arc<Ledger>,
    /// What waits for approval.
    pub(super) waiting_plans: Arc<KeptPlans>,
    /// Something was told since statuses were looked at that they may speak of.
    pub(super) is_to_say: bool,
    /// Statuses that are being written, and when those that failed are written again.
    pub(super) writing: BTreeMap<ObjectId, Option<Instant>>,
    /// The same of approvals that were taken back, by sync.
    pub(super) forgetting: BTreeMap<String, Option<Instant>>,
    pub(super) tasks: JoinSet<()>,
    measured: Arc<Measured>,
    _following: Following,
}

impl HubWorker {
    /// Of a namespace of the operator's own cluster.
    pub fn new(context: Context, namespace: &str, measured: Arc<Measured>) -> Self {
        let (tell, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let following = follow(&context, &paths, &tell);
        let waiting = context.readiness.waits(context.role.as_str(), format!("its Tenants of namespace {namespace}"));
        let met = tell.clone();
        let meet: Meet = Arc::new(move |told| drop(met.send(Event::Met(told))));
        let approvals = Arc::new(Ledger::new(context.server.clone(), paths.clone()));
        HubWorker {
            locations: Locations::new(context.clone(), paths.clone(), meet),
            context,
            paths,
            inbox,
            tell,
            tenants: BTreeMap::new(),
            syncs: BTreeMap::new(),
            unread: [Kind::Tenant.plural(), Kind::TenantSync.plural()].into(),
            waiting: Some(waiting),
            targets: BTreeMap::new(),
            passes: 0,
            index: Index::default(),
            approvals,
            waiting_plans: Arc::default(),
            is_to_say: true,
            writing: BTreeMap::new(),
            forgetting: BTreeMap::new(),
            tasks: JoinSet::new(),
            measured,
            _following: following,
        }
    }

    /// Does its work until the process is asked to end.
    pub async fn run(mut self) {
        let pulse = self.context.pulses.of(format!("syncer of namespace {}", self.paths.namespace()), SILENCE);
        loop {
            pulse.beat();
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
                () = sleep_until(wakes) => self.is_to_say = true,
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                () = stop.requested() => break,
            }
            self.measure();
            self.dispatch();
            self.write_statuses();
        }
        // What is in hand is finished: nothing new is begun any more.
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(LAST_WRITES, rest).await;
    }

    fn wakes(&self) -> Instant {
        let now = Instant::now();
        let targets = self.targets.iter().filter(|(name, _)| self.can_look_at(name));
        let targets = targets.filter_map(|(_, target)| target.agenda.wakes(now));
        targets
            .chain(self.writing.values().chain(self.forgetting.values()).flatten().copied())
            .fold(now + TURN, Instant::min)
    }

    /// Tells how much is due, and how targets stand.
    fn measure(&self) {
        let now = Instant::now();
        let due = self.targets.values().map(|target| target.agenda.due(now));
        self.measured.due(&self.context, self.paths.namespace(), due);
        let standing = self.targets.values().flat_map(|target| target.standing.values());
        measured::targets(&self.context, self.paths.namespace(), standing.map(|(status, _)| status));
    }

    /// What the engine plans on. It shares what the mirrors keep: it must be gone before they hear more, or
    /// they have to copy it.
    pub(super) fn world(&self) -> World {
        let view = |(name, live): (&String, &Live<Object<TenantSpec>>)| {
            let (spec, live) = self.locations.view(live.read.as_ref().ok()?)?;
            let guard = self.targets.get(name).map(|target| &target.guard);
            let (recent, before) = (guard.map_or(0, ChangeBudget::count), guard.and_then(ChangeBudget::base));
            Some((name.clone(), TenantView { spec, live, source: None, recent, before }))
        };
        let sync = |(name, live): (&String, &Live<Object<TenantSyncSpec>>)| {
            let spec = Arc::new(live.read.as_ref().ok()?.spec.clone());
            Some(Sync { writer: Writer::Sync(name.clone()), spec })
        };
        let may_write = |(name, live): (&String, &Live<Object<TenantSyncSpec>>)| {
            let mode = live.read.as_ref().ok().and_then(|sync| sync.spec.mode);
            let waits_now = || {
                let standing = self.targets.iter().filter_map(|(to, target)| Some((to, target.standing.get(name)?)));
                standing.filter_map(|(to, (status, _))| Some((to.clone(), status.digest.clone()?))).collect::<Vec<_>>()
            };
            self.approvals.may_write(name, mode, || statuses::waits(live).into_iter().chain(waits_now()).collect())
        };
        let waiting = self.syncs.iter().filter(|sync| !may_write(*sync));
        World {
            waiting: waiting.map(|(name, _)| Writer::Sync(name.clone())).collect(),
            tenants: self.tenants.iter().filter_map(view).collect(),
            syncs: self.syncs.iter().filter_map(sync).collect(),
            // One that cannot be read is there all the same: it does not stop declaring.
            stopped: (self.syncs.iter().filter(|(_, live)| live.read.is_err()))
                .map(|(name, _)| (Writer::Sync(name.clone()), Targets::Unknown))
                .collect(),
            unread: BTreeSet::new(),
            misnamed: None,
        }
    }

    /// Why a tenant cannot be read, or does not hold.
    pub(super) fn why_unread(&self, tenant: &str) -> Option<String> {
        let tenant = self.tenants.get(tenant)?.read.as_ref().ok()?;
        match self.locations.view(tenant)? {
            (_, View::Unreachable(why)) => Some(why),
            (_, View::Read(_)) => None,
        }
    }

    /// The same, for what is planned in one target: elsewhere only what may be written counts.
    pub(super) fn world_of(&self, target: &str) -> World {
        sync_rules::world_of(self.world(), target)
    }

    /// Whether Tenants and TenantSyncs were read, and every tenant was looked for: before that one that is
    /// missing may only be late.
    fn is_read(&self) -> bool {
        self.unread.is_empty() && self.locations.len() == self.tenants.values().filter(|live| live.read.is_ok()).count()
    }

    /// Whether a target, and what is copied to it, was read, or is known not to be there.
    pub(super) fn can_look_at(&self, target: &str) -> bool {
        let being_read = |tenant: &str| self.locations.is_being_read(tenant);
        self.is_read() && !sources(&self.syncs, target).chain([target]).any(being_read)
    }

    fn write_statuses(&mut self) {
        if !self.is_to_say || !self.is_read() || !self.context.leadership.holds() {
            return;
        }
        self.is_to_say = false;
        let (now, time) = (Instant::now(), Time(k8s_openapi::jiff::Timestamp::now()));
        self.writing.retain(|_, again| again.is_none_or(|again| again > now));
        let syncs: Vec<_> = self
            .syncs
            .values()
            .filter_map(|live| statuses::of_sync(live, self.paths.namespace(), &self.targets, &time))
            .collect();
        let tenants: Vec<_> =
            self.tenants.values().filter_map(|live| statuses::of_tenant(live, &self.locations, &time)).collect();
        self.forgetting.retain(|_, again| again.is_none_or(|again| again > now));
        self.forget_approvals();
        syncs.into_iter().for_each(|said| self.write_status(said));
        tenants.into_iter().for_each(|said| self.write_status(said));
    }

    /// Approvals that were taken back go from the statuses: whoever gives one again waits for that.
    fn forget_approvals(&mut self) {
        for sync in self.approvals.to_forget() {
            if self.forgetting.contains_key(&sync) {
                continue;
            }
            self.forgetting.insert(sync.clone(), None);
            let (approvals, tell) = (self.approvals.clone(), self.tell.clone());
            self.tasks.spawn(async move {
                let forgotten = tokio::task::spawn_blocking({
                    let sync = sync.clone();
                    move || approvals.forget(&sync)
                });
                if let Ok(Err(error)) = forgotten.await {
                    warn!(sync, why = %error, "an approval that was taken back stands in its status");
                }
                drop(tell.send(Event::Forgot(sync)));
            });
        }
    }

    fn write_status<S: serde::Serialize + Send + std::marker::Sync + 'static>(&mut self, said: Said<S>) {
        if self.writing.contains_key(&said.id) {
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

/// The tenants that are copied to a target.
pub(super) fn sources<'s>(
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
            WatchEvent::Heard(event, _) => event,
            WatchEvent::Lost(resource, error) if resource == Kind::Tenant.plural() => {
                Event::Tenants(WatchEvent::Lost(resource, error))
            }
            WatchEvent::Lost(resource, error) => Event::Syncs(WatchEvent::Lost(resource, error)),
            WatchEvent::Followed(resource) | WatchEvent::Rewound(resource) => {
                Event::Syncs(WatchEvent::Followed(resource))
            }
        };
        drop(tell.send(event));
    });
    let mut follower = Follower::new(&context.server, paths, tell);
    follower.follow(kinds::objects(paths, Kind::Tenant, Reading::WithStatus), |news| {
        Event::Tenants(WatchEvent::Heard(news, Room::default()))
    });
    follower.follow(kinds::objects(paths, Kind::TenantSync, Reading::WithStatus), |news| {
        Event::Syncs(WatchEvent::Heard(news, Room::default()))
    });
    follower.done()
}
