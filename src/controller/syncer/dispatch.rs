//! What is due is begun: passes over what changed, and over everything; and what came of them.

use super::agenda::Job;
use super::followed::Followed;
use super::hub::{Event, Hub};
use super::pass::{Came, Pass, Whole};
use crate::api::SyncMode;
use crate::engine::closure::{Seeds, plan_closure};
use crate::engine::item::ObjectId;
use crate::engine::plan::{ActionKind, Plan, Scope, is_too_many};
use crate::engine::world::Inventory;
use crate::tenant::kubernetes::{ClusterPlace, Version};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{info, warn};

/// How many actions a pass over what changed carries out at most: what comes meanwhile waits no longer.
const IN_A_PASS: usize = 256;

impl Hub {
    /// Begins what is due.
    pub(super) fn dispatch(&mut self) {
        if !self.context.leadership.holds() {
            return;
        }
        let now = Instant::now();
        let names: Vec<String> = self.targets.keys().filter(|name| self.can_look_at(name)).cloned().collect();
        for name in names {
            while let Some(job) = self.targets.get_mut(&name).and_then(|target| target.agenda.take(now)) {
                let begun = match job {
                    Job::Whole => self.begin_whole(&name),
                    Job::Part(seeds) => self.begin_part(&name, &seeds, now),
                };
                if let Some(target) = self.targets.get_mut(&name).filter(|_| !begun) {
                    target.agenda.done();
                }
            }
        }
    }

    /// Plans what changed in a target or its sources, and begins to write it; whether there was anything.
    fn begin_part(&mut self, name: &str, seeds: &Seeds, now: Instant) -> bool {
        let Some(target) = self.targets.get(name).filter(|target| !target.syncs.apply.is_empty()) else { return false };
        let Some(place) = self.places.open(name) else { return false };
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
        let pass = (!nothing).then(|| self.pass(name, Some(&plan)));
        if let Some(target) = self.targets.get_mut(name) {
            if waits {
                target.agenda.look_at_everything(now);
            }
            target.agenda.changed(&later, now);
        }
        let Some(pass) = pass else { return false };
        let (tell, target) = (self.tell.clone(), name.to_string());
        self.tasks.spawn(async move {
            let came = spawn_blocking(move || pass.unattended(&plan)).await;
            let came = came.unwrap_or_else(|_| Came::broken(&target));
            drop(tell.send(Event::Part { target, came }));
        });
        true
    }

    /// Begins to look at everything in a target.
    fn begin_whole(&mut self, name: &str) -> bool {
        let Some(target) = self.targets.get(name) else { return false };
        let (pass, syncs, world) = (self.pass(name, None), target.syncs.clone(), self.world());
        let (tell, target) = (self.tell.clone(), name.to_string());
        self.tasks.spawn(async move {
            let whole = spawn_blocking(move || {
                let whole = pass.whole(&world, &syncs);
                // Before it is told: the mirrors must not have to copy what nobody looks at any more.
                drop((pass, world));
                whole
            });
            let event = match whole.await {
                Ok(whole) => Event::Whole { target, whole: Box::new(whole) },
                Err(_) => Event::Part { came: Came::broken(&target), target },
            };
            drop(tell.send(event));
        });
        true
    }

    /// What a pass over a target works with: of what is known only what `plan` speaks of, or all.
    fn pass(&self, name: &str, plan: Option<&Plan>) -> Pass {
        let place = self.places.open(name).map(|place| {
            let (inventory, versions) = match plan {
                Some(plan) => part_of(place, plan),
                None => (place.mirror.inventory().clone(), place.mirror.versions().clone()),
            };
            let there = ClusterPlace::new(name, place.server.clone(), place.paths.namespace());
            there.knowing(inventory, versions, self.places.listener(name, place.epoch))
        });
        let source =
            |(tenant, place): (&String, &Followed)| (tenant.clone(), (place.server.clone(), place.paths.clone()));
        let (leadership, stop) = (self.context.leadership.clone(), self.context.stop.clone());
        Pass {
            target: name.to_string(),
            place,
            sources: self.places.iter().map(source).collect(),
            leads: Arc::new(move || leadership.holds() && !stop.is_requested()),
        }
    }

    /// Takes in what came of a pass over what changed.
    pub(super) fn hear_of_pass(&mut self, name: &str, came: &Came) {
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

    /// Takes in what came of a look at everything.
    pub(super) fn hear_of_whole(&mut self, name: &str, whole: &Whole) {
        self.hear_of_pass(name, &whole.came);
        let syncs = self.syncs.iter().filter_map(|(sync, live)| {
            let spec = &live.read.as_ref().ok()?.spec;
            let is_into = spec.to.iter().any(|to| to == name);
            is_into.then(|| (sync.clone(), (spec.mode.unwrap_or(SyncMode::Plan), self.places.trouble(&spec.from))))
        });
        let syncs: BTreeMap<_, _> = syncs.collect();
        let now = Instant::now();
        let Some(target) = self.targets.get_mut(name) else { return };
        target.judge(name, whole, &syncs, now, &now_in_words());
        if whole.came.done.is_empty() {
            target.agenda.look_at_everything_by(now + self.context.resync);
        } else {
            // What is left, and the proof that nothing is.
            target.agenda.look_at_everything(now);
        }
    }
}

/// Of what is known of a place, that which a plan speaks of.
fn part_of(place: &Followed, plan: &Plan) -> (Arc<Inventory>, Arc<BTreeMap<ObjectId, Version>>) {
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

fn now_in_words() -> String {
    k8s_openapi::jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
