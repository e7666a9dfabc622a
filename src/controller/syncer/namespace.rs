//! The worker of one namespace with Tenants and TenantSyncs: applies events, starts what is due, applies the results,
//! writes statuses. One task owns all of its state; slow work runs in other tasks, which send events back.

use super::super::context::Context;
use super::super::metrics::ReconcileOutcome;
use super::super::notify::{Notifier, NotifierTask};
use super::super::role::Role;
use super::approvals::Ledger;
use super::assess::SyncState;
use super::facts;
use super::git_commit::GitPollResult;
use super::git_reads::GitReads;
use super::git_source::GitTenantSource;
use super::git_sources::{DuePoll, GitSources};
use super::hub_objects::{HubObjects, SyncOwner};
use super::metrics::{self, SyncerBacklog};
use super::observe::HubObserver;
use super::outcome::{AppliedTarget, PassOutcome};
use super::polled::{PollResult, ReadOutcome};
use super::queue::{Job, PassId};
use super::reconcile::{self, ClusterSource, DefinitionSource, PassProgress, Reconciler, SelectedChanges};
use super::releases::{Releases, StagedSync};
use super::status::{self, StatusUpdate, StatusWrites};
use super::syncs::{SyncInto, Syncs};
use super::target::{PassOver, TargetState};
use super::tenant::ConnectedTenant;
use super::tenants::{Connection, DueRead, OnTenantEvent, SecretClaims, TenantConnections, TenantEvent};
use super::waiting_plans::StoredPlans;
use crate::api::*;
use crate::engine::closure::{Index, Seeds};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Plan;
use crate::engine::model::record::Writer;
use crate::engine::sync_rules::{approved_digests, requested_at};
use crate::kubernetes::cache::{ChangedObjects, Delta, NamespaceDelta};
use crate::kubernetes::kinds;
use crate::kubernetes::object;
use crate::kubernetes::object::{Depth, Live, Version};
use crate::kubernetes::paths::Paths;
use crate::kubernetes::watch::{Room, WatchEvent, WatchHandle, WatchHandler, WatchSet};
use crate::tenant::cluster::ClusterLocation;
use crate::tenant::location::Location;
use futures_util::future::join;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::sync::broadcast;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{Span, info, warn};

/// Maximum number of events that are applied before reconciles are started.
const AT_ONCE: usize = 2_000;
/// How long running reconciles may take when the process is asked to end: less than its grace period.
const LAST_WRITES: Duration = Duration::from_secs(4);
/// How often the loop runs without events, and how long it may be silent before it counts as stuck.
const HEARTBEAT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(60);
/// The minimum delay before a target that waits for a quiet source is reconciled again.
const SOON: Duration = Duration::from_millis(200);

/// An event for a worker.
enum SyncerEvent {
    Tenants(WatchEvent<Delta<Live<Object<TenantSpec>>>>),
    Syncs(WatchEvent<Delta<Live<Object<TenantSyncSpec>>>>),
    Tenant(TenantEvent),
    /// An incremental reconcile ended.
    Part {
        target: String,
        pass: PassId,
        outcome: PassOutcome,
    },
    /// The progress of a full reconcile.
    Progress {
        target: String,
        pass: PassId,
        progress: PassProgress,
    },
    /// A full reconcile ended; `None` if it panicked.
    Whole {
        target: String,
        pass: PassId,
        applied: Option<Box<AppliedTarget>>,
    },
    /// A status was written, or the write failed.
    Status {
        id: ObjectId,
        answer: Option<Vec<u8>>,
    },
    /// The removal of a withdrawn approval from the status of a TenantSync or Tenant ended.
    Forgot(ObjectId),
}

/// The worker of one namespace with Tenants and TenantSyncs.
pub(super) struct HubWorker {
    context: Context,
    paths: Paths,
    inbox: UnboundedReceiver<SyncerEvent>,
    outbox: UnboundedSender<SyncerEvent>,
    objects: HubObjects,
    tenants: TenantConnections,
    git: GitSources,
    git_reads: Arc<GitReads>,
    targets: BTreeMap<String, TargetState>,
    /// Number of reconciles so far.
    passes: u64,
    index: Index,
    approvals: Arc<Ledger>,
    releases: Releases,
    /// The plans that wait for approval.
    waiting_plans: Arc<StoredPlans>,
    /// Something happened that a status may report.
    are_statuses_due: bool,
    writing: StatusWrites<ObjectId>,
    /// Removals of withdrawn approvals from the statuses.
    forgetting: StatusWrites<ObjectId>,
    tasks: JoinSet<()>,
    backlog: Arc<SyncerBacklog>,
    notifier: Notifier,
    notifications: NotifierTask,
    /// The resource versions of which the notifier has the facts.
    observed: BTreeMap<ObjectId, String>,
    /// The addresses of Git repositories that a webhook is about.
    polls: broadcast::Receiver<Arc<BTreeSet<String>>>,
    _following: WatchHandle,
}

impl HubWorker {
    /// Creates the worker of a namespace in the operator's own cluster.
    pub(super) fn new(
        context: Context,
        namespace: &str,
        backlog: Arc<SyncerBacklog>,
        claims: SecretClaims,
        git_reads: Arc<GitReads>,
    ) -> Self {
        let (outbox, inbox) = unbounded_channel();
        let paths = Paths::of(namespace);
        let following = watch(&context, &paths, &outbox);
        let waiting = context.readiness.waits(context.role.as_str(), format!("its Tenants of namespace {namespace}"));
        let events = outbox.clone();
        let report: OnTenantEvent = Arc::new(move |event| drop(events.send(SyncerEvent::Tenant(event))));
        let approvals = Arc::new(Ledger::new(context.server.clone(), paths.clone()));
        let role = context.role;
        let (notifier, notifications) = NotifierTask::start(&context, &paths);
        HubWorker {
            tenants: TenantConnections::new(context.clone(), paths.clone(), report, claims),
            git: GitSources::new(context.clone(), namespace, git_reads.clone()),
            git_reads,
            polls: context.polls.subscribe(),
            context,
            paths,
            inbox,
            outbox,
            objects: HubObjects::new(namespace, role, waiting),
            targets: BTreeMap::new(),
            passes: 0,
            index: Index::default(),
            approvals,
            releases: Releases::default(),
            waiting_plans: Arc::default(),
            are_statuses_due: true,
            writing: StatusWrites::default(),
            forgetting: StatusWrites::default(),
            tasks: JoinSet::new(),
            backlog,
            notifier,
            notifications,
            observed: BTreeMap::new(),
            _following: following,
        }
    }

    /// Reconciles until the process is asked to end.
    pub(super) async fn run(mut self) {
        let role = self.context.role;
        let heartbeat = self.context.heartbeats.of(format!("{role} of namespace {}", self.paths.namespace()), SILENCE);
        loop {
            heartbeat.beat();
            let wakes = self.wakes();
            let stop = self.context.stop.clone();
            tokio::select! {
                event = self.inbox.recv() => {
                    let Some(event) = event else { return };
                    self.on_event(event).await;
                    for _ in 0..AT_ONCE {
                        let Ok(event) = self.inbox.try_recv() else { break };
                        self.on_event(event).await;
                    }
                }
                asked = self.polls.recv() => {
                    // One that was missed may have been about any of them.
                    let urls = asked.unwrap_or_default();
                    self.git.poll_all_now(&urls, Instant::now());
                }
                () = sleep_until(wakes) => self.are_statuses_due = true,
                Some(_) = self.tasks.join_next(), if !self.tasks.is_empty() => {}
                () = stop.requested() => break,
            }
            self.report_metrics();
            self.begin_reads();
            self.begin_due();
            self.write_statuses();
        }
        // Running reconciles finish; no new one begins.
        let rest = async { while self.tasks.join_next().await.is_some() {} };
        let _ = timeout(LAST_WRITES, join(rest, self.notifications.ended())).await;
    }

    fn wakes(&self) -> Instant {
        let (now, observer) = (Instant::now(), self.observer());
        let targets = self.targets.iter().filter(|(name, _)| observer.can_reconcile(name));
        let targets = targets.filter_map(|(_, target)| target.queue.wakes(now));
        let reads = self.tenants.wakes().chain(self.git.wakes());
        targets
            .chain(reads)
            .chain(self.writing.wakes())
            .chain(self.forgetting.wakes())
            .fold(now + HEARTBEAT, Instant::min)
    }

    fn report_metrics(&self) {
        let now = Instant::now();
        let depth = self.targets.values().map(|target| target.queue.depth(now));
        self.backlog.report(&self.context, self.paths.namespace(), depth);
        let states = self.targets.values().flat_map(TargetState::statuses);
        metrics::report_targets(&self.context, self.paths.namespace(), states);
    }

    fn observer(&self) -> HubObserver<'_> {
        HubObserver {
            objects: &self.objects,
            tenants: &self.tenants,
            git: &self.git,
            targets: &self.targets,
            approvals: &self.approvals,
            releases: &self.releases,
            delete_after: self.context.delete_after,
        }
    }

    /// Applies one event.
    async fn on_event(&mut self, event: SyncerEvent) {
        // No status reports single objects.
        self.are_statuses_due |= !matches!(
            event,
            SyncerEvent::Tenant(TenantEvent::Location { event: WatchEvent::Changed(NamespaceDelta::Items(..), _), .. })
        );
        match event {
            SyncerEvent::Tenants(event) => {
                if self.objects.on_tenants(event) {
                    self.connect_tenants().await;
                }
            }
            SyncerEvent::Syncs(event) => {
                if self.objects.on_syncs(event) {
                    self.connect_all().await;
                    self.update_targets();
                }
            }
            SyncerEvent::Tenant(TenantEvent::Read { tenant, epoch, result }) => self.on_read(&tenant, epoch, result),
            SyncerEvent::Tenant(TenantEvent::Source { tenant, epoch, result }) => {
                self.on_source(&tenant, epoch, result)
            }
            SyncerEvent::Tenant(TenantEvent::Secret { secret, event }) => {
                self.tenants.on_secret(&secret, event);
                self.connect_tenants().await;
            }
            SyncerEvent::Tenant(TenantEvent::Location { tenant, epoch, event }) => {
                self.on_location(&tenant, epoch, event);
            }
            SyncerEvent::Part { target, pass, outcome } => self.on_part(&target, pass, &outcome),
            SyncerEvent::Progress { target, pass, progress } => self.on_progress(&target, pass, progress),
            SyncerEvent::Whole { target, pass, applied: Some(applied) } => self.on_whole(&target, pass, &applied),
            SyncerEvent::Whole { target, pass, applied: None } => self.on_broken_whole(&target, pass),
            SyncerEvent::Forgot(object) => self.forgetting.pause(object, Instant::now()),
            SyncerEvent::Status { id, answer } => self.on_status(id, answer).await,
        }
    }

    /// Applies the server's answer to a status: the object as it is now, which another client may have changed.
    async fn on_status(&mut self, id: ObjectId, answer: Option<Vec<u8>>) {
        let Some(answer) = answer.filter(|answer| !answer.is_empty()) else {
            return self.writing.pause(id, Instant::now());
        };
        self.writing.done(&id);
        let text = String::from_utf8_lossy(&answer);
        match id.kind {
            Kind::Tenant => {
                if object::read_whole(&text).is_some_and(|live| self.objects.on_tenant_written(live)) {
                    self.connect_tenants().await;
                }
            }
            _ => {
                if object::read_whole(&text).is_some_and(|live| self.objects.on_sync_written(live)) {
                    self.update_targets();
                }
            }
        }
    }

    fn on_location(&mut self, tenant: &str, epoch: u64, event: WatchEvent<NamespaceDelta>) {
        let Some((depth, has_turned, connected)) = self.tenants.on_event(tenant, epoch, event) else { return };
        let now = Instant::now();
        match depth {
            ChangedObjects::Objects(objects) if objects.is_empty() => {}
            ChangedObjects::Objects(objects) => {
                let inventory = connected.cache.inventory();
                objects.iter().filter_map(|id| inventory.get(id)).for_each(|item| self.index.take(&item));
                let feeds = |target: &str| self.objects.sources(target).any(|source| source == tenant);
                for (name, target) in &mut self.targets {
                    if feeds(name) && self.context.role == Role::Sender {
                        // The platform is read before anything is written: a part of it cannot be.
                        target.queue.everything_when_quiet(now);
                    } else if feeds(name) {
                        target.queue.changed(&objects, now);
                    }
                    if name == tenant {
                        target.queue.changed_here(&objects, now);
                    }
                }
            }
            ChangedObjects::Everything if connected.is_being_read() => {}
            ChangedObjects::Everything => {
                match connected.error() {
                    Some(why) => warn!(tenant, why, "cannot be read"),
                    None => info!(tenant, objects = connected.cache.inventory().len(), "read"),
                }
                self.enqueue_everything();
            }
        }
        if has_turned {
            // A burst of integrations that become Ready is one change.
            for target in self.later_stages(tenant, |_| true) {
                self.targets.get_mut(&target).into_iter().for_each(|target| target.queue.everything_when_quiet(now));
            }
        }
    }

    /// Returns the targets of later stages that may wait for a target, for the syncs that `is_of` selects. Stages are in
    /// one order, so that targets never wake each other in turn.
    fn later_stages(&self, name: &str, is_of: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let mut later = BTreeSet::new();
        for (sync, object) in self.objects.staged_into(&self.releases, name).filter(|(sync, _)| is_of(sync)) {
            let waits = |target: &&String| {
                let Some(state) = self.targets.get(*target) else { return false };
                let awaits = |(status, _): &(TargetStatus, _)| status.state == SyncState::AwaitingStage.as_str();
                // A running full reconcile was planned before the change.
                state.queue.is_whole_running() || state.states.get(sync).is_some_and(awaits)
            };
            let is_before = |stage: &&Stage| !stage.to.iter().any(|to| to == name);
            let after = self.releases.stages(sync, &object.spec).iter().skip_while(is_before).skip(1);
            later.extend(after.flat_map(|stage| &stage.to).filter(waits).cloned());
        }
        later
    }

    /// Takes what was read of a tenant on the platform.
    fn on_read(&mut self, tenant: &str, epoch: u64, result: Option<Box<PollResult>>) {
        let now = Instant::now();
        let Some(result) = result else { return self.tenants.on_broken_read(tenant, epoch, now) };
        match self.tenants.on_read(tenant, epoch, *result, now) {
            Some(ReadOutcome::Changed) => self.enqueue_everything(),
            // Secrets, instances and sign-ins may have changed.
            Some(ReadOutcome::Unchanged) => {
                self.targets.get_mut(tenant).into_iter().for_each(|target| target.queue.everything_now(now));
            }
            Some(ReadOutcome::Refreshed) | None => {}
        }
    }

    /// Takes what was read of a source in Git.
    fn on_source(&mut self, tenant: &str, epoch: u64, result: Option<GitPollResult>) {
        let now = Instant::now();
        if self.git.on_read(tenant, epoch, result, now) {
            self.index = Index::of(&self.observer().world());
            self.targets.get_mut(tenant).into_iter().for_each(|target| target.queue.everything_now(now));
        }
    }

    /// Starts the reads of tenants on the platform, and of sources in Git, that are due.
    fn begin_reads(&mut self) {
        if !self.context.leadership.holds() || !self.objects.are_read() {
            return;
        }
        for DuePoll { tenant, epoch, poll } in self.git.begin_polls(Instant::now()) {
            let (outbox, span, reads) = (self.outbox.clone(), self.span(&tenant), self.git_reads.clone());
            let (host, stop) = (poll.host(), self.context.stop.clone());
            self.tasks.spawn(async move {
                let turn = tokio::select! {
                    turn = reads.turn(&host, poll.has_failed) => turn,
                    () = stop.requested() => return,
                };
                if !poll.is_wanted() {
                    return;
                }
                let result = spawn_blocking(move || span.in_scope(|| poll.read())).await.ok();
                drop(turn);
                drop(outbox.send(SyncerEvent::Tenant(TenantEvent::Source { tenant, epoch, result })));
            });
        }
        for due in self.tenants.begin_reads(&self.objects, &self.git, Instant::now()) {
            let DueRead::Read { tenant, epoch, poll } = due else {
                self.are_statuses_due = true;
                self.enqueue_everything();
                continue;
            };
            let outbox = self.outbox.clone();
            let span = self.span(&tenant);
            self.tasks.spawn(async move {
                let result = spawn_blocking(move || span.in_scope(|| Box::new(poll.read()))).await.ok();
                drop(outbox.send(SyncerEvent::Tenant(TenantEvent::Read { tenant: tenant.into(), epoch, result })));
            });
        }
    }

    async fn connect_tenants(&mut self) {
        // Before both are listed, the targets are unknown. Waiting avoids reading any tenant twice.
        if self.objects.are_read() {
            self.connect_all().await;
            // A Tenant may have moved to a location of another role.
            self.update_targets();
        } else {
            self.enqueue_everything();
        }
    }

    async fn connect_all(&mut self) {
        self.tenants.connect_all(&self.objects).await;
        let tenants = &self.tenants;
        self.git.connect_all(&self.objects, &|name| tenants.secret(name, ["SecretUnreadable", "SecretMissing"]));
    }

    fn enqueue_everything(&mut self) {
        self.index = Index::of(&self.observer().world());
        let now = Instant::now();
        self.targets.values_mut().for_each(|target| target.queue.everything_now(now));
    }

    /// Updates the targets from the TenantSyncs.
    fn update_targets(&mut self) {
        let now = Instant::now();
        let mut wanted: BTreeMap<String, Syncs> = BTreeMap::new();
        let mut requested: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let own = self.objects.syncs.iter().filter(|(_, live)| self.objects.is_own_sync(live));
        for (name, live) in own {
            let Ok(sync) = &live.read else { continue };
            if self.objects.owner(sync) == SyncOwner::Mixed {
                continue;
            }
            let approve = sync.metadata.annotations.get(APPROVE).map_or("", String::as_str);
            let written = status::written::<TenantSyncStatus, _>(live).unwrap_or_default();
            if self.releases.resume(name, &live.version.uid, &written) {
                // It was created again.
                self.targets.values_mut().for_each(|target| target.retain_syncs(|sync| sync != name));
            }
            let id = ObjectId::new(Kind::TenantSync, name);
            self.approvals.observe(&id, &live.version.uid, approved_digests(approve), &written.approvals);
            for target in sync.spec.targets() {
                let syncs = wanted.entry(target.clone()).or_default();
                match sync.spec.mode {
                    Some(SyncMode::Apply) => syncs.apply.insert(name.clone()),
                    Some(SyncMode::Plan) | None => syncs.plan.insert(name.clone()),
                };
                if let Some(at) = requested_at(&sync.metadata) {
                    requested.entry(target.clone()).or_default().insert(name.clone(), at);
                }
            }
        }
        let mut asked: BTreeMap<String, Option<String>> = BTreeMap::new();
        for (name, live) in self.objects.tenants.iter().filter(|(name, _)| self.objects.with_git(name).is_some()) {
            let Ok(tenant) = &live.read else { continue };
            wanted.entry(name.clone()).or_default().source = true;
            asked.insert(name.clone(), requested_at(&tenant.metadata));
            let approve = tenant.metadata.annotations.get(APPROVE).map_or("", String::as_str);
            let written = status::written::<TenantStatus, _>(live).unwrap_or_default().approvals;
            let id = ObjectId::new(Kind::Tenant, name);
            self.approvals.observe(&id, &live.version.uid, approved_digests(approve), &written);
        }
        let objects = &self.objects;
        let is_own = |sync: &str| objects.syncs.get(sync).is_some_and(|live| objects.is_own_sync(live));
        self.approvals.retain(|object| match object.kind {
            Kind::Tenant => objects.with_git(&object.name).is_some(),
            _ => is_own(&object.name),
        });
        // A sync that has no stages any more, or cannot be read, goes on with its release.
        self.releases.retain(is_own);
        self.drop_waiting_plans();
        for name in self.targets.keys().filter(|name| !wanted.contains_key(*name)) {
            self.context.metrics.forget_tenant(name);
        }
        self.targets.retain(|name, _| wanted.contains_key(name));
        for (name, syncs) in wanted {
            let is_new = !self.targets.contains_key(&name);
            let target = self.targets.entry(name.clone()).or_default();
            if is_new {
                let of_source = self.objects.with_git(&name).and_then(status::written::<TenantStatus, _>);
                of_source.and_then(|status| status.source).iter().for_each(|status| target.resume_source(status, now));
                let statuses = self
                    .objects
                    .syncs
                    .iter()
                    .filter_map(|(sync, live)| Some((sync, status::written::<TenantSyncStatus, _>(live)?)));
                for (sync, status) in statuses {
                    let of_this = status.targets.iter().filter(|target| target.tenant == name);
                    for status in of_this {
                        target.resume(sync, status, now);
                        if let Some(waiting) = &status.waiting_plan {
                            self.waiting_plans.resume(sync, &name, status.digest.as_deref(), waiting);
                        }
                    }
                }
            }
            target.syncs = syncs;
            let Syncs { apply, plan, .. } = target.syncs.clone();
            target.retain_syncs(|sync| apply.contains(sync) || plan.contains(sync));
            let requested = requested.remove(&name).unwrap_or_default();
            if requested != target.requested {
                target.requested = requested;
                target.queue.retry_now(now);
                self.tenants.read_now(&name, now);
                self.waiting_plans.write_again(&name);
            }
            let asked = asked.remove(&name).flatten();
            if asked != target.source_requested {
                target.source_requested = asked;
                target.queue.retry_now(now);
                self.tenants.read_now(&name, now);
                self.git.refresh(&name, now);
            }
        }
        self.enqueue_everything();
    }

    /// Deletes the waiting plans of syncs that are gone or have other targets.
    fn drop_waiting_plans(&mut self) {
        let there: BTreeSet<(String, String)> = (self.objects.readable_syncs())
            .flat_map(|(name, sync)| sync.spec.targets().map(|to| (name.clone(), to.clone())))
            .collect();
        let syncs: Vec<_> = self.objects.syncs.iter().filter(|(_, live)| self.objects.is_own_sync(live)).collect();
        let unread: BTreeSet<&str> =
            syncs.iter().filter(|(_, live)| live.read.is_err()).map(|(name, _)| name.as_str()).collect();
        let is_there =
            |sync: &str, to: &str| unread.contains(sync) || there.contains(&(sync.to_string(), to.to_string()));
        // An earlier operator process may have left plans for targets that are gone.
        for (sync, live) in syncs {
            let targets = status::written::<TenantSyncStatus, _>(live).unwrap_or_default().targets;
            for target in targets.iter().filter(|target| !is_there(sync, &target.tenant)) {
                if let Some(waiting) = &target.waiting_plan {
                    self.waiting_plans.resume(sync, &target.tenant, None, waiting);
                }
            }
        }
        let gone = self.waiting_plans.take_gone(is_there);
        if gone.is_empty() {
            return;
        }
        let (kept, context, paths) = (self.waiting_plans.clone(), self.context.clone(), self.paths.clone());
        self.tasks.spawn(async move {
            let _ = spawn_blocking(move || kept.remove(&context, &paths, gone)).await;
        });
    }

    /// Starts the reconciles that are due.
    fn begin_due(&mut self) {
        if !self.context.leadership.holds() {
            return;
        }
        let (now, observer) = (Instant::now(), self.observer());
        let names: Vec<String> = self.targets.keys().filter(|name| observer.can_reconcile(name)).cloned().collect();
        for name in names {
            let is_due = |target: &TargetState| target.queue.is_everything_due(now);
            if self.targets.get(&name).is_some_and(is_due)
                && !self.tenants.is_fresh(&name, &self.objects, &self.git, now)
            {
                // It is read first.
                continue;
            }
            while let Some((job, since)) = self.targets.get_mut(&name).and_then(|target| {
                let (_, since) = target.queue.depth(now);
                Some((target.queue.take(now, PassId(self.passes + 1), &self.index)?, since))
            }) {
                let objects = self.observer().objects(&name);
                if let Some(target) = self.targets.get_mut(&name) {
                    target.budget.begins(objects);
                }
                match job {
                    Job::Whole => self.begin_whole(&name, now),
                    Job::Part(seeds) => self.begin_part(&name, &seeds, now),
                }
                self.context.metrics.waited(self.context.role, since.map_or(Duration::ZERO, |since| now - since));
            }
        }
    }

    /// Starts an incremental reconcile of a target.
    fn begin_part(&mut self, name: &str, seeds: &Seeds, now: Instant) {
        let Some(observed) = self.observer().changes(name) else { return };
        let SelectedChanges { mut plan, selected } = reconcile::changes(observed, seeds, &self.index);
        let pass = PassId(self.passes + 1);
        let Some(target) = self.targets.get_mut(name) else { return };
        if !target.begin(pass, &mut plan, selected, now) {
            return;
        }
        self.passes += 1;
        let reconciler = self.reconciler(name, pass, Some(&plan));
        let (outbox, target, span) = (self.outbox.clone(), name.to_string(), self.span(name));
        self.tasks.spawn(async move {
            let outcome = spawn_blocking(move || span.in_scope(|| reconciler.apply_changes(&plan))).await;
            let outcome = outcome.unwrap_or_else(|_| PassOutcome::broken(&target));
            drop(outbox.send(SyncerEvent::Part { target, pass, outcome }));
        });
    }

    /// Starts a full reconcile of a target.
    fn begin_whole(&mut self, name: &str, now: Instant) {
        self.passes += 1;
        let pass = PassId(self.passes);
        self.observe_releases(name);
        let Some(observed) = self.observer().everything(name, now) else { return };
        let reconciler = self.reconciler(name, pass, None);
        let (outbox, target, span) = (self.outbox.clone(), name.to_string(), self.span(name));
        self.tasks.spawn(async move {
            let applied = spawn_blocking(move || {
                let applied = span.in_scope(|| reconciler.everything(&observed));
                // Dropped before the report, so that the caches need not copy data that nobody uses any more.
                drop((reconciler, observed));
                applied
            });
            let applied = applied.await.ok().map(Box::new);
            drop(outbox.send(SyncerEvent::Whole { target, pass, applied }));
        });
    }

    /// Takes the releases of the syncs with stages into a target as they are now. A new one begins.
    fn observe_releases(&mut self, target: &str) {
        let staged = self.objects.staged_into(&self.releases, target);
        let names: Vec<String> = staged.map(|(name, _)| name.clone()).collect();
        let time = now_in_words();
        for name in names {
            let Some(live) = self.objects.syncs.get(&name) else { continue };
            let Ok(object) = &live.read else { continue };
            let (observer, uid) = (self.observer(), live.version.uid.as_str());
            let state = observer.source_state(&object.spec, live.generation);
            let stale = state.filter(|state| self.releases.is_stale(&name, uid, *state));
            let release = stale.and_then(|state| Some((observer.release(&name, &object.spec)?, state)));
            let written = status::written(live).unwrap_or_default();
            let sync = StagedSync { uid, object, written: &written };
            let computed = release.as_ref().map(|(digest, state)| (digest, *state));
            self.releases.observe(&name, sync, computed, &time);
        }
    }

    fn span(&self, name: &str) -> Span {
        self.context.passes.span(self.context.role, name)
    }

    /// Creates the reconciler of a target with the tenants' objects that `plan` uses, or with all of them.
    fn reconciler(&self, name: &str, pass: PassId, plan: Option<&Plan>) -> Reconciler {
        let location = self.tenants.open(name).and_then(|tenant| {
            let tenant = match tenant {
                Connection::Polled(tenant) => return Some(tenant.location()? as Arc<dyn Location>),
                Connection::Watched(tenant) => tenant,
            };
            let (inventory, versions) = match plan {
                Some(plan) => part_of(tenant, plan),
                None => (tenant.cache.inventory().clone(), tenant.cache.versions().clone()),
            };
            let there = ClusterLocation::new(name, tenant.server.clone(), tenant.paths.namespace());
            Some(Arc::new(there.knowing(inventory, versions, self.tenants.listener(name, tenant.epoch))))
        });
        let source = |(name, tenant): (&String, &Connection)| {
            let source = match tenant {
                Connection::Watched(tenant) => {
                    let (server, paths, answers) = (tenant.server.clone(), tenant.paths.clone(), tenant.answers());
                    DefinitionSource::Cluster(Box::new(ClusterSource { server, paths, answers }))
                }
                Connection::Polled(tenant) => DefinitionSource::Platform(tenant.location()?),
            };
            Some((name.clone(), source))
        };
        let (leadership, stop) = (self.context.leadership.clone(), self.context.stop.clone());
        let answers = self.tenants.open(name).map(Connection::answers);
        let answers = move || answers.as_ref().is_none_or(|answers| answers.load(Ordering::Relaxed));
        Reconciler {
            target: name.to_string(),
            location,
            sources: self.tenants.iter().filter_map(source).collect(),
            commit: self.observer().commit(name),
            feeds: self.objects.sources(name).map(str::to_string).collect(),
            goes_on: Arc::new(move || leadership.holds() && !stop.is_requested() && answers()),
            is_quiet: {
                let sources = self.objects.sources(name).filter_map(|source| self.tenants.open(source));
                let own = self.git.get(name).and_then(Result::ok).map(GitTenantSource::stirs);
                let stirs: Vec<_> = sources.map(Connection::stirs).chain(own).collect();
                Arc::new(move || stirs.iter().all(|(stirs, then)| stirs.load(Ordering::Relaxed) == *then))
            },
            approvals: self.approvals.clone(),
            waiting_plans: self.waiting_plans.clone(),
            report: {
                let (outbox, target) = (self.outbox.clone(), name.to_string());
                Arc::new(move |progress| {
                    drop(outbox.send(SyncerEvent::Progress { target: target.clone(), pass, progress }));
                })
            },
            hub: (self.context.clone(), self.paths.clone()),
        }
    }

    /// Applies the result of an incremental reconcile.
    fn on_part(&mut self, name: &str, pass: PassId, outcome: &PassOutcome) {
        let is_written = outcome.failed.is_empty() && !outcome.again;
        self.count(outcome, if is_written { ReconcileOutcome::Written } else { ReconcileOutcome::Failed });
        self.apply_outcome(name, outcome, PassOver::Part(pass));
    }

    fn on_progress(&mut self, name: &str, pass: PassId, progress: PassProgress) {
        let Some(target) = self.targets.get_mut(name).filter(|target| target.queue.is_whole(pass)) else { return };
        match progress {
            PassProgress::Begins(objects, approved) => {
                target.queue.whole_begun(pass, objects, approved, Instant::now());
            }
            PassProgress::Done(done, all) => target.progress = Some((done, all)),
        }
    }

    /// Handles a full reconcile that panicked.
    fn on_broken_whole(&mut self, name: &str, pass: PassId) {
        let outcome = PassOutcome::broken(name);
        self.count(&outcome, ReconcileOutcome::Failed);
        if self.is_current(name, pass) {
            self.apply_outcome(name, &outcome, PassOver::Whole(pass));
        }
    }

    /// Applies and assesses the result of a full reconcile.
    fn on_whole(&mut self, name: &str, pass: PassId, applied: &AppliedTarget) {
        if !self.is_current(name, pass) {
            return;
        }
        let there = self.observer().syncs_into(name);
        let planned = applied.into.iter().filter(|(sync, _)| there.contains_key(*sync));
        let syncs: BTreeMap<String, SyncInto> = planned.map(|(sync, into)| (sync.clone(), into.clone())).collect();
        self.apply_outcome(name, &applied.outcome, PassOver::Whole(pass));
        let now = Instant::now();
        if !applied.outcome.is_idle() {
            self.tenants.refresh(name, now);
        }
        let settles = self.observer().unsettled(name, now).and_then(|unsettled| unsettled.until);
        let Some(target) = self.targets.get_mut(name) else { return };
        target.assess((self.paths.namespace(), name), applied, &syncs, now, &now_in_words());
        for (sync, release) in &applied.releases {
            let status = target.states.get(sync).map(|(status, _)| status);
            if status.is_some_and(|status| status.state == SyncState::InSync.as_str()) {
                self.releases.received(sync, name, release.number);
            }
        }
        if applied.outcome.done.is_empty() {
            target.queue.everything_by(now + self.context.resync);
            if !applied.later.is_empty() {
                // A namespace that is ending sends no further change.
                let then = settles.unwrap_or(now + self.context.delete_after).max(now + SOON);
                target.queue.everything_by(then);
            }
        } else {
            // A second full reconcile handles the rest, or proves that nothing is left.
            target.queue.everything_now(now);
        }
        // What waits now may have been approved before the wait was known.
        let is_approved = |(sync, (status, _)): (&String, &(TargetStatus, Option<String>))| {
            let given = self.approvals.given(&Writer::Sync(sync.clone()), name);
            applied.waited.contains(&Writer::Sync(sync.clone()))
                && status.digest.as_ref().is_some_and(|digest| given.usable.contains(digest))
        };
        if target.states.iter().any(is_approved) {
            target.queue.everything_now(now);
        }
        let (drifted, since) = target.drifts(name, &applied.plan, SystemTime::now());
        self.context.metrics.drift(name, drifted, since);
        let is_any = |state: SyncState| target.statuses().any(|status| status.state == state.as_str());
        let held_back = target.statuses().any(|status| status.state != SyncState::InSync.as_str());
        let outcome = match &applied.outcome {
            outcome if outcome.again || !outcome.failed.is_empty() => ReconcileOutcome::Failed,
            outcome if !outcome.done.is_empty() => ReconcileOutcome::Written,
            _ if held_back => ReconcileOutcome::HeldBack,
            _ => ReconcileOutcome::Unchanged,
        };
        if outcome != ReconcileOutcome::Failed && !is_any(SyncState::Unreachable) {
            self.context.metrics.tenant_succeeded(name);
        }
        self.count(&applied.outcome, outcome);
        self.go_on_with_stages(name, now);
    }

    /// Reconciles the later stages of the syncs that a target is in sync with, and all targets of a sync whose stages
    /// were edited during the release that is through now.
    fn go_on_with_stages(&mut self, name: &str, now: Instant) {
        let Some(target) = self.targets.get(name) else { return };
        let is_done =
            |sync: &str| target.states.get(sync).is_some_and(|(status, _)| status.state == SyncState::InSync.as_str());
        let mut due = self.later_stages(name, is_done);
        for (sync, object) in self.objects.staged_into(&self.releases, name) {
            if self.releases.has_edit_due(sync, &object.spec) {
                due.extend(object.spec.targets().cloned());
            }
        }
        for target in due {
            self.targets.get_mut(&target).into_iter().for_each(|target| target.queue.everything_now(now));
        }
    }

    /// Whether this is the full reconcile that a target waits for. If a target was removed and added again, an earlier
    /// one may still end.
    fn is_current(&self, name: &str, pass: PassId) -> bool {
        self.targets.get(name).is_some_and(|target| target.queue.is_whole(pass))
    }

    fn apply_outcome(&mut self, name: &str, outcome: &PassOutcome, over: PassOver) {
        let known = self.tenants.open(name).and_then(Connection::inventory);
        if let Some(target) = self.targets.get_mut(name) {
            let now_is = |id: &ObjectId| known.and_then(|known| known.get(id));
            target.on_outcome(outcome, over, now_is, self.context.resync, Instant::now());
        }
    }

    fn count(&self, applied: &PassOutcome, outcome: ReconcileOutcome) {
        let Context { metrics, role, .. } = &self.context;
        metrics.reconciled(*role, Kind::TenantSync, outcome, applied.took);
        applied.failed.values().for_each(|failure| metrics.failed(*role, failure.code));
    }

    fn write_statuses(&mut self) {
        if !self.are_statuses_due || !self.observer().is_read() || !self.context.leadership.holds() {
            return;
        }
        self.are_statuses_due = false;
        self.notify();
        let (now, time) = (Instant::now(), Time(k8s_openapi::jiff::Timestamp::now()));
        self.writing.end_pauses(now);
        self.forgetting.end_pauses(now);
        let syncs = self.objects.syncs.values().filter(|live| self.objects.is_own_sync(live));
        let tenants = self.objects.tenants.values().filter(|live| self.objects.is_own_tenant(&live.name));
        let of_sync = |live: &Live<Object<TenantSyncSpec>>| match &live.read {
            Ok(sync) if self.objects.owner(sync) == SyncOwner::Mixed => {
                status::of_mixed(live, self.paths.namespace(), &time)
            }
            _ => status::of_sync(live, self.paths.namespace(), &self.targets, &self.releases, &time),
        };
        let syncs: Vec<_> = syncs.filter_map(of_sync).collect();
        let of_tenant = |live: &Live<Object<TenantSpec>>| {
            status::of_tenant(live, (self.paths.namespace(), &self.tenants, &self.git), &self.targets, &time)
        };
        let tenants: Vec<_> = tenants.filter_map(of_tenant).collect();
        self.forget_approvals();
        syncs.into_iter().for_each(|update| self.write_status(update));
        tenants.into_iter().for_each(|update| self.write_status(update));
    }

    /// Hands the facts of the statuses that changed to the notifier.
    fn notify(&mut self) {
        if !self.notifier.is_on() {
            return;
        }
        let namespace = self.paths.namespace();
        let mut there = BTreeMap::new();
        for live in self.objects.syncs.values().filter(|live| self.objects.is_own_sync(live)) {
            let Version { uid, resource_version, .. } = &live.version;
            let id = ObjectId::new(Kind::TenantSync, &live.name);
            if self.observed.get(&id) != Some(resource_version) {
                let status = status::written(live).unwrap_or_default();
                self.notifier.observe(id.clone(), facts::of_sync(&live.name, namespace, uid, &status));
            }
            there.insert(id, resource_version.clone());
        }
        for live in self.objects.tenants.values().filter(|live| self.objects.is_own_tenant(&live.name)) {
            let Version { uid, resource_version, .. } = &live.version;
            let id = ObjectId::new(Kind::Tenant, &live.name);
            if self.observed.get(&id) != Some(resource_version) {
                let status = status::written(live).unwrap_or_default();
                let url = live.read.as_ref().ok().and_then(|tenant| Some(tenant.spec.git()?.url.as_str()));
                self.notifier.observe(id.clone(), facts::of_tenant(&live.name, namespace, uid, url, &status));
            }
            there.insert(id, resource_version.clone());
        }
        if self.observed.is_empty() || self.observed.keys().ne(there.keys()) {
            let names = self.objects.tenants.keys().chain(self.objects.syncs.keys()).cloned().collect();
            self.notifier.only(there.keys().cloned(), Some(names));
        }
        self.observed = there;
    }

    fn write_status<S: serde::Serialize + Send + Sync + 'static>(&mut self, update: StatusUpdate<S>) {
        if !self.writing.begin(update.id.clone()) {
            return;
        }
        let (context, paths, outbox) = (self.context.clone(), self.paths.clone(), self.outbox.clone());
        self.tasks.spawn(async move {
            let result = status::write(&context, &paths, &update.id, &update.status).await;
            match &result {
                Ok(_) => {
                    status::report_transition(&context, &paths, &update.id, &update.uid, &update.before, &update.now);
                }
                Err(error) => warn!(object = %update.id, why = %error, "its status cannot be written"),
            }
            drop(outbox.send(SyncerEvent::Status { id: update.id, answer: result.ok() }));
        });
    }

    /// Removes withdrawn approvals from the statuses. One that is given again waits for that.
    fn forget_approvals(&mut self) {
        for object in self.approvals.to_forget() {
            if !self.forgetting.begin(object.clone()) {
                continue;
            }
            let (approvals, outbox) = (self.approvals.clone(), self.outbox.clone());
            self.tasks.spawn(async move {
                let forgotten = spawn_blocking({
                    let object = object.clone();
                    move || approvals.forget(&object)
                });
                if let Ok(Err(error)) = forgotten.await {
                    warn!(%object, why = %error, "a withdrawn approval cannot be removed from its status");
                }
                drop(outbox.send(SyncerEvent::Forgot(object)));
            });
        }
    }
}

/// Watches the Tenants and TenantSyncs of a namespace.
fn watch(context: &Context, paths: &Paths, outbox: &UnboundedSender<SyncerEvent>) -> WatchHandle {
    let outbox = outbox.clone();
    let report: WatchHandler<SyncerEvent> = Arc::new(move |event| {
        let event = match event {
            WatchEvent::Changed(event, _) => event,
            WatchEvent::Lost(resource, error) if resource == Kind::Tenant.plural() => {
                SyncerEvent::Tenants(WatchEvent::Lost(resource, error))
            }
            WatchEvent::Lost(resource, error) => SyncerEvent::Syncs(WatchEvent::Lost(resource, error)),
            WatchEvent::Watched(resource) | WatchEvent::Rewound(resource) => {
                SyncerEvent::Syncs(WatchEvent::Watched(resource))
            }
        };
        drop(outbox.send(event));
    });
    let mut follower = WatchSet::new(&context.server, paths, report);
    follower.watch(kinds::objects(paths, Kind::Tenant, Depth::WithStatus), |delta| {
        SyncerEvent::Tenants(WatchEvent::Changed(delta, Room::default()))
    });
    follower.watch(kinds::objects(paths, Kind::TenantSync, Depth::WithStatus), |delta| {
        SyncerEvent::Syncs(WatchEvent::Changed(delta, Room::default()))
    });
    follower.done()
}

/// Returns the part of a tenant's cache that a plan uses.
fn part_of(tenant: &ConnectedTenant, plan: &Plan) -> (Arc<Inventory>, Arc<BTreeMap<ObjectId, Version>>) {
    let (whole, versions) = (tenant.cache.inventory(), tenant.cache.versions());
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

fn now_in_words() -> String {
    k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
