//! What a hub is told, and what that makes due.

use super::hub::{Event, HubWorker, sources};
use super::locations::Met;
use super::statuses::{self, requested_at};
use super::syncs::Syncs;
use crate::api::*;
use crate::engine::closure::Index;
use crate::engine::model::item::ObjectId;
use crate::engine::sync_rules::approved_digests;
use crate::kubernetes::cache::{Delta, Due, NamespaceDelta};
use crate::kubernetes::error::RequestError;
use crate::kubernetes::object;
use crate::kubernetes::object::{Live, is_after};
use crate::kubernetes::watch::WatchEvent;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{info, warn};

/// After how long a status that could not be written is written again.
const STATUS_AGAIN: Duration = Duration::from_secs(5);

impl HubWorker {
    /// Takes in one event.
    pub(super) async fn hear(&mut self, event: Event) {
        // Of single objects no status speaks.
        self.is_to_say |=
            !matches!(event, Event::Met(Met::Location { told: WatchEvent::Heard(NamespaceDelta::Items(..), _), .. }));
        match event {
            Event::Tenants(told) => {
                if self.hear_of_hub("tenants", told, |hub| &mut hub.tenants) {
                    self.settle_locations().await;
                }
            }
            Event::Syncs(told) => {
                if self.hear_of_hub("tenantsyncs", told, |hub| &mut hub.syncs) {
                    self.locations.settle(&self.tenants, &self.to()).await;
                    self.settle_syncs();
                }
            }
            Event::Met(Met::Kubeconfig { secret, told }) => {
                self.locations.hear_of_secret(&secret, told);
                self.settle_locations().await;
            }
            Event::Met(Met::Location { tenant, epoch, told }) => self.hear_of_location(&tenant, epoch, told),
            Event::Part { target, pass, came } => self.hear_of_part(&target, pass, &came),
            Event::Going { target, pass, news } => self.hear_of_going(&target, pass, news),
            Event::Whole { target, pass, whole: Some(whole) } => self.hear_of_whole(&target, pass, &whole),
            Event::Whole { target, pass, whole: None } => self.hear_of_broken_whole(&target, pass),
            Event::Forgot(sync) => drop(self.forgetting.insert(sync, Some(Instant::now() + STATUS_AGAIN))),
            Event::Status { id, answer } => self.hear_of_status(id, answer).await,
        }
    }

    /// Takes in what the server answered to a status: the object as it is, which somebody else may have
    /// changed meanwhile.
    async fn hear_of_status(&mut self, id: ObjectId, answer: Option<Vec<u8>>) {
        let Some(answer) = answer.filter(|answer| !answer.is_empty()) else {
            self.writing.insert(id, Some(Instant::now() + STATUS_AGAIN));
            return;
        };
        self.writing.remove(&id);
        let text = String::from_utf8_lossy(&answer);
        match id.kind {
            Kind::Tenant => {
                if object::read_whole(&text).is_some_and(|live| answered(&mut self.tenants, live)) {
                    self.settle_locations().await;
                }
            }
            _ => {
                if object::read_whole(&text).is_some_and(|live| answered(&mut self.syncs, live)) {
                    self.settle_syncs();
                }
            }
        }
    }

    /// Takes in what is told of the hub's own objects; whether what they say changed.
    fn hear_of_hub<S: PartialEq>(
        &mut self,
        resource: &'static str,
        told: WatchEvent<Delta<Live<Object<S>>>>,
        of: impl Fn(&mut Self) -> &mut BTreeMap<String, Live<Object<S>>>,
    ) -> bool {
        let news = match told {
            WatchEvent::Heard(news, _) => news,
            WatchEvent::Followed(_) | WatchEvent::Rewound(_) => return false,
            WatchEvent::Lost(_, error) => {
                let namespace = self.paths.namespace();
                warn!(namespace, resource, why = %error, "cannot be followed");
                if let Some(waiting) = &self.waiting {
                    waiting.now_for(format!("{resource} of namespace {namespace}: {error}"));
                    if matches!(error, RequestError::Forbidden { .. }) {
                        waiting.refused_in(namespace);
                    }
                }
                return false;
            }
        };
        let first = self.unread.remove(resource);
        if self.unread.is_empty() {
            self.waiting = None;
        }
        let objects = of(self);
        match news {
            Delta::All(all) => {
                *objects = all.into_iter().map(|live| (live.name.clone(), live)).collect();
                true
            }
            Delta::Set(live) => set(objects, live) || first,
            Delta::Again => false,
            Delta::Only { names, revision } => {
                let before = objects.len();
                objects
                    .retain(|name, known| names.contains(name) || is_after(&known.version.resource_version, &revision));
                objects.len() != before
            }
            Delta::Gone { name, .. } => objects.remove(&name).is_some(),
        }
    }

    async fn settle_locations(&mut self) {
        // Which of them are targets is not known before: none need be read twice.
        if self.unread.is_empty() {
            self.locations.settle(&self.tenants, &self.to()).await;
        }
        self.look_at_everything();
    }

    /// The tenants that something may be copied to.
    fn to(&self) -> BTreeSet<String> {
        let syncs = self.syncs.values().filter_map(|live| live.read.as_ref().ok());
        syncs.flat_map(|sync| sync.spec.to.iter().cloned()).collect()
    }

    /// Takes in which syncs go where.
    fn settle_syncs(&mut self) {
        let now = Instant::now();
        let mut wanted: BTreeMap<String, Syncs> = BTreeMap::new();
        let mut requested: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (name, live) in &self.syncs {
            let Ok(sync) = &live.read else { continue };
            let approve = sync.metadata.annotations.get(APPROVE).map_or("", String::as_str);
            let written = statuses::written::<TenantSyncStatus, _>(live).unwrap_or_default().approvals;
            self.approvals.observe(name, &live.version.uid, approved_digests(approve), &written);
            for target in &sync.spec.to {
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
        self.approvals.retain(|sync| self.syncs.contains_key(sync));
        self.drop_waiting_plans();
        for name in self.targets.keys().filter(|name| !wanted.contains_key(*name)) {
            self.context.metrics.forget_tenant(name);
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
                    for status in of_this {
                        target.resume(sync, status, now);
                        if let Some(waiting) = &status.waiting_plan {
                            self.waiting_plans.resume(sync, &name, status.digest.as_deref(), waiting);
                        }
                    }
                }
            }
            target.syncs = syncs;
            target.standing.retain(|sync, _| target.syncs.apply.contains(sync) || target.syncs.plan.contains(sync));
            let requested = requested.remove(&name).unwrap_or_default();
            if requested != target.requested {
                target.requested = requested;
                target.agenda.hurry(now);
                self.waiting_plans.write_again(&name);
            }
        }
        self.look_at_everything();
    }

    /// Plans of syncs that are no more, or lead elsewhere, wait for nobody.
    fn drop_waiting_plans(&mut self) {
        let there: BTreeSet<(String, String)> = (self.syncs.iter())
            .filter_map(|(name, live)| Some((name, live.read.as_ref().ok()?)))
            .flat_map(|(name, sync)| sync.spec.to.iter().map(|to| (name.clone(), to.clone())))
            .collect();
        let unread: BTreeSet<String> =
            self.syncs.iter().filter(|(_, live)| live.read.is_err()).map(|(name, _)| name.clone()).collect();
        let is_there =
            |sync: &str, to: &str| unread.contains(sync) || there.contains(&(sync.to_string(), to.to_string()));
        // An operator before this one may have left some of targets that are no more.
        for (sync, live) in &self.syncs {
            let targets = statuses::written::<TenantSyncStatus, _>(live).unwrap_or_default().targets;
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

    fn look_at_everything(&mut self) {
        self.index = Index::of(&self.world());
        let now = Instant::now();
        self.targets.values_mut().for_each(|target| target.agenda.look_at_everything(now));
    }

    fn hear_of_location(&mut self, tenant: &str, epoch: u64, told: WatchEvent<NamespaceDelta>) {
        let Some((due, location)) = self.locations.hear(tenant, epoch, told) else { return };
        let now = Instant::now();
        match due {
            Due::Objects(objects) if objects.is_empty() => {}
            Due::Objects(objects) => {
                let inventory = location.mirror.inventory();
                objects.iter().filter_map(|id| inventory.get(id)).for_each(|item| self.index.take(&item));
                let feeds = |target: &str| sources(&self.syncs, target).any(|source| source == tenant);
                for (name, target) in &mut self.targets {
                    if feeds(name) {
                        target.agenda.changed(&objects, now);
                    }
                    if name == tenant {
                        target.agenda.changed_here(&objects, now);
                    }
                }
            }
            Due::Everything if location.is_being_read() => {}
            Due::Everything => {
                match location.trouble() {
                    Some(why) => warn!(tenant, why, "cannot be read"),
                    None => info!(tenant, objects = location.mirror.inventory().len(), "read"),
                }
                self.look_at_everything();
            }
        }
    }
}

/// Takes in the answer to a write. An object that was deleted meanwhile stays so.
fn answered<S: PartialEq>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Live<Object<S>>) -> bool {
    let is_there = objects.get(&live.name).is_some_and(|known| known.version.uid == live.version.uid);
    is_there && set(objects, live)
}

/// Takes in an object; whether what it says changed. One that is older than what is known says nothing.
fn set<S: PartialEq>(objects: &mut BTreeMap<String, Live<Object<S>>>, live: Live<Object<S>>) -> bool {
    let known = objects.get(&live.name);
    if known.is_some_and(|known| known.version.is_after(&live.version)) {
        return false;
    }
    let same = known.is_some_and(|known| known.read == live.read && known.version.uid == live.version.uid);
    objects.insert(live.name.clone(), live);
    !same
}
