//! What is due is begun: passes over what changed, and over everything; and what came of them.

use super::super::context::Context;
use super::super::metrics::Outcome;
use super::agenda::{IN_A_PASS, Job, PassId, Writing};
use super::followed::ConnectedTenant;
use super::hub::{Event, HubWorker, sources};
use super::judge::SyncCondition;
use super::narrow::{leave_out, leave_out_conflicts, rests_on};
use super::pass::{Going, Pass, PassOutcome, Source, Whole};
use super::targets::{LookedAt, SyncInto};
use crate::api::{Kind, SyncMode, TargetStatus};
use crate::engine::closure::{Seeds, plan_closure};
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::plan::{is_too_many, measured_by};
use crate::kubernetes::object::Version;
use crate::tenant::cluster::ClusterLocation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::Span;

/// How soon what waits for a quiet source is looked at again at the earliest.
const SOON: Duration = Duration::from_millis(200);

impl HubWorker {
    /// Begins what is due.
    pub(super) fn dispatch(&mut self) {
        if !self.context.leadership.holds() {
            return;
        }
        let now = Instant::now();
        let names: Vec<String> = self.targets.keys().filter(|name| self.can_look_at(name)).cloned().collect();
        for name in names {
            while let Some((job, since)) = self.targets.get_mut(&name).and_then(|target| {
                let (_, since) = target.agenda.due(now);
                Some((target.agenda.take(now, PassId(self.passes + 1), &self.index)?, since))
            }) {
                match job {
                    Job::Whole => self.begin_whole(&name),
                    Job::Part(seeds) => self.begin_part(&name, &seeds, now),
                }
                self.context.metrics.waited(self.context.role, since.map_or(Duration::ZERO, |since| now - since));
            }
        }
    }

    /// Notes how many objects a target has before anything is done in it.
    fn begins(&mut self, name: &str) {
        let objects = self.locations.open(name).map_or(0, |location| location.mirror.inventory().len());
        if let Some(target) = self.targets.get_mut(name) {
            target.guard.begins(objects);
        }
    }

    /// Plans what changed in a target or its sources, and begins to write it.
    fn begin_part(&mut self, name: &str, seeds: &Seeds, now: Instant) {
        self.begins(name);
        let Some((mut plan, share)) = self.plan_part(name, seeds) else { return };
        let inventory = self.locations.open(name).map_or(0, |location| location.mirror.inventory().len());
        let Some(target) = self.targets.get_mut(name) else { return };
        let Some(planned) = plan.targets.iter_mut().find(|target| target.tenant == name) else { return };
        let in_hand = target.agenda.in_hand().map(|(pass, objects)| {
            let going = objects.iter().filter(|(_, writing)| writing.kind == ActionKind::Delete);
            (pass, objects.keys().cloned().collect(), going.map(|(id, _)| id.clone()).collect())
        });
        for (pass, objects, going) in in_hand.collect::<Vec<(PassId, BTreeSet<ObjectId>, BTreeSet<ObjectId>)>>() {
            // What would use an object that is about to go waits until it is gone.
            let waits =
                leave_out(planned, |action| objects.contains(&action.change.object) || rests_on(action, &going));
            target.agenda.changed_after(pass, waits.iter().map(|action| &action.change.object), now);
        }
        let updates = planned.actions.iter().filter(|action| action.action == ActionKind::Update).count();
        // What waits may be updates too.
        let updates = updates + target.agenda.waiting();
        let base = measured_by(target.guard.base(), inventory, share);
        let too_many = is_too_many(target.changes() + updates, base, share);
        let all_ids: BTreeSet<String> = planned.actions.iter().map(|action| action.id.clone()).collect();
        // Deletes, and what many changes together mean, are decided on the whole.
        let left_out = leave_out(planned, |action| {
            // It rests on what did not change just now, and is still to be done.
            !action.after.is_subset(&all_ids)
                || action.action == ActionKind::Delete
                || !action.needs_approval.is_empty()
                || (too_many && action.action == ActionKind::Update)
        });
        if !left_out.is_empty() {
            target.agenda.look_at_everything(now);
        }
        let later = planned.actions.split_off(planned.actions.len().min(IN_A_PASS));
        planned.actions.shrink_to_fit();
        if planned.actions.is_empty() {
            return;
        }
        self.passes += 1;
        let pass = PassId(self.passes);
        let writing = |a: &Action| (a.change.object.clone(), Writing { kind: a.action, after: a.change.after.clone() });
        target.agenda.begun(pass, planned.actions.iter().map(writing).collect());
        target.agenda.changed_after(pass, later.iter().map(|action| &action.change.object), now);
        let work = self.pass(name, pass, Some(&plan));
        let (tell, target, span) = (self.tell.clone(), name.to_string(), self.span(name));
        self.tasks.spawn(async move {
            let came = spawn_blocking(move || span.in_scope(|| work.part(&plan))).await;
            let came = came.unwrap_or_else(|_| PassOutcome::broken(&target));
            drop(tell.send(Event::Part { target, pass, came }));
        });
    }

    /// The plan of what changed in a target or its sources, and the share of changes that needs approval there;
    /// `None` where nothing is done unattended.
    fn plan_part(&self, name: &str, seeds: &Seeds) -> Option<(Plan, (u32, u32))> {
        let target = self.targets.get(name).filter(|target| !target.syncs.apply.is_empty())?;
        let mut world = self.world();
        // What waits for an approval is planned with everything: it holds up nothing.
        let waiting = &world.waiting;
        world.syncs.retain(|sync| !waiting.contains(&sync.writer));
        let scope = Scope { tenants: [name.to_string()].into(), syncs: target.syncs.unattended(), ..Scope::default() };
        let tenant = world.tenants.get(name).filter(|tenant| !tenant.spec.is_suspended())?;
        let share = tenant.spec.approval();
        let mut plan = plan_closure(&world, &self.index, seeds, &scope);
        if !scope.syncs.is_empty() {
            // A sync that waits for approval may want something else of the same objects.
            let all = Scope { syncs: BTreeSet::new(), ..scope };
            leave_out_conflicts(&mut plan, &plan_closure(&world, &self.index, seeds, &all));
        }
        Some((plan, share))
    }

    /// Why nothing is deleted in a target yet, from when on it may be, and whether an approval overrides that.
    fn unsettled(&self, name: &str) -> Option<(String, Option<Instant>, bool)> {
        let now = Instant::now();
        let sources = sources(&self.syncs, name).filter_map(|source| self.locations.open(source));
        let waits = sources.filter_map(|source| Some((source.unsettled(self.context.rest, now)?, source.is_rewound())));
        let (mut why, mut then, mut rewound) = (None, None, false);
        for ((one, until), is_rewound) in waits {
            (why, rewound) = (why.or(Some(one)), rewound || is_rewound);
            then = [then, until].into_iter().flatten().max();
        }
        // Of what only went back a person decides; what still changes nobody has seen whole.
        why.map(|why| (why, then, rewound && then.is_none()))
    }

    /// Takes in what is told of a look at everything that goes on.
    pub(super) fn hear_of_going(&mut self, name: &str, pass: PassId, news: Going) {
        let Some(target) = self.targets.get_mut(name).filter(|target| target.agenda.is_whole(pass)) else { return };
        match news {
            Going::Begins(objects, approved) => target.agenda.whole_begun(pass, objects, approved, Instant::now()),
            Going::Done(done, all) => target.progress = Some((done, all)),
        }
    }

    /// Begins to look at everything in a target.
    fn begin_whole(&mut self, name: &str) {
        self.begins(name);
        self.passes += 1;
        let id = PassId(self.passes);
        let Some(target) = self.targets.get(name) else { return };
        let (pass, syncs, world) = (self.pass(name, id, None), target.syncs.clone(), self.world_of(name));
        let (tell, target, span) = (self.tell.clone(), name.to_string(), self.span(name));
        self.tasks.spawn(async move {
            let whole = spawn_blocking(move || {
                let whole = span.in_scope(|| pass.whole(&world, &syncs));
                // Before it is told: the mirrors must not have to copy what nobody looks at any more.
                drop((pass, world));
                whole
            });
            let whole = whole.await.ok().map(Box::new);
            drop(tell.send(Event::Whole { target, pass: id, whole }));
        });
    }

    fn span(&self, name: &str) -> Span {
        self.context.passes.span(self.context.role, name)
    }

    /// What a pass over a target works with: of what is known only what `plan` speaks of, or all.
    fn pass(&self, name: &str, id: PassId, plan: Option<&Plan>) -> Pass {
        let location = self.locations.open(name).map(|location| {
            let (inventory, versions) = match plan {
                Some(plan) => part_of(location, plan),
                None => (location.mirror.inventory().clone(), location.mirror.versions().clone()),
            };
            let there = ClusterLocation::new(name, location.server.clone(), location.paths.namespace());
            there.knowing(inventory, versions, self.locations.listener(name, location.epoch))
        });
        let source = |(tenant, location): (&String, &ConnectedTenant)| {
            let (server, paths, answers) = (location.server.clone(), location.paths.clone(), location.answers());
            (tenant.clone(), Source { server, paths, answers })
        };
        let (leadership, stop) = (self.context.leadership.clone(), self.context.stop.clone());
        let answers = self.locations.open(name).map(ConnectedTenant::answers);
        let answers = move || answers.as_ref().is_none_or(|answers| answers.load(Ordering::Relaxed));
        Pass {
            target: name.to_string(),
            location,
            sources: self.locations.iter().map(source).collect(),
            goes_on: Arc::new(move || leadership.holds() && !stop.is_requested() && answers()),
            approvals: self.approvals.clone(),
            feeds: sources(&self.syncs, name).map(str::to_string).collect(),
            unsettled: self.unsettled(name).map(|(why, _, overridden)| (why, overridden)),
            is_quiet: {
                let sources = sources(&self.syncs, name).filter_map(|source| self.locations.open(source));
                let stirs: Vec<_> = sources.map(ConnectedTenant::stirs).collect();
                Arc::new(move || stirs.iter().all(|(stirs, then)| stirs.load(Ordering::Relaxed) == *then))
            },
            tell: {
                let (tell, target) = (self.tell.clone(), name.to_string());
                Arc::new(move |news| drop(tell.send(Event::Going { target: target.clone(), pass: id, news })))
            },
            waiting: self.waiting_plans.clone(),
            hub: (self.context.clone(), self.paths.clone()),
        }
    }

    /// Takes in what came of a pass over what changed.
    pub(super) fn hear_of_part(&mut self, name: &str, pass: PassId, came: &PassOutcome) {
        let outcome = if came.failed.is_empty() && !came.again { Outcome::Written } else { Outcome::Failed };
        self.count(came, outcome);
        self.came(name, came, LookedAt::Part(pass));
    }

    /// A look at everything ended by a mistake of ours.
    pub(super) fn hear_of_broken_whole(&mut self, name: &str, pass: PassId) {
        let came = PassOutcome::broken(name);
        self.count(&came, Outcome::Failed);
        if self.is_current(name, pass) {
            self.came(name, &came, LookedAt::Whole(pass));
        }
    }

    /// Whether this is the look at everything that a target awaits: where a target went and came back, one of before
    /// may still end.
    fn is_current(&self, name: &str, pass: PassId) -> bool {
        self.targets.get(name).is_some_and(|target| target.agenda.is_whole(pass))
    }

    fn came(&mut self, name: &str, came: &PassOutcome, looked_at: LookedAt) {
        let known = self.locations.open(name).map(|location| location.mirror.inventory());
        if let Some(target) = self.targets.get_mut(name) {
            let now_is = |id: &ObjectId| known.and_then(|known| known.get(id));
            target.came(came, looked_at, now_is, self.context.resync, Instant::now());
        }
    }

    /// Takes in what came of a look at everything.
    pub(super) fn hear_of_whole(&mut self, name: &str, pass: PassId, whole: &Whole) {
        if !self.is_current(name, pass) {
            return;
        }
        let syncs = self.syncs.iter().filter_map(|(sync, live)| {
            let spec = &live.read.as_ref().ok()?.spec;
            let is_into = spec.to.iter().any(|to| to == name);
            let into = || SyncInto {
                mode: spec.mode.unwrap_or(SyncMode::Plan),
                is_suspended: spec.is_suspended(),
                source_trouble: self.why_unread(&spec.from),
                knows_source: self.tenants.get(&spec.from).is_some_and(|tenant| tenant.read.is_ok()),
            };
            is_into.then(|| (sync.clone(), into()))
        });
        let syncs: BTreeMap<_, _> = syncs.collect();
        self.came(name, &whole.came, LookedAt::Whole(pass));
        let now = Instant::now();
        let settles = self.unsettled(name).and_then(|(_, then, _)| then);
        let Some(target) = self.targets.get_mut(name) else { return };
        target.judge((self.paths.namespace(), name), whole, &syncs, now, &now_in_words());
        if whole.came.done.is_empty() {
            target.agenda.look_at_everything_by(now + self.context.resync);
            if !whole.later.is_empty() {
                // A namespace that is ending tells nothing more.
                let then = settles.unwrap_or(now + self.context.rest).max(now + SOON);
                target.agenda.look_at_everything_by(then);
            }
        } else {
            // What is left, and the proof that nothing is.
            target.agenda.look_at_everything(now);
        }
        // What waits now may have been approved before it was known: then it does not wait any more.
        let is_approved = |(sync, (status, _)): (&String, &(TargetStatus, Option<String>))| {
            let given = self.approvals.given(sync, name);
            whole.waited.contains(&Writer::Sync(sync.clone()))
                && status.digest.as_ref().is_some_and(|digest| given.usable.contains(digest))
        };
        if target.standing.iter().any(is_approved) {
            target.agenda.look_at_everything(now);
        }
        let (drifted, since) = target.drifts(name, &whole.plan, SystemTime::now());
        self.context.metrics.drift(name, drifted, since);
        let held_back = target.standing.values().any(|(status, _)| status.state != SyncCondition::InSync.as_str());
        let outcome = match &whole.came {
            came if came.again || !came.failed.is_empty() => Outcome::Failed,
            came if !came.done.is_empty() => Outcome::Written,
            _ if held_back => Outcome::HeldBack,
            _ => Outcome::Unchanged,
        };
        let is_read = target.standing.values().all(|(status, _)| status.state != SyncCondition::Unreachable.as_str());
        if outcome != Outcome::Failed && is_read {
            self.context.metrics.tenant_succeeded(name);
        }
        self.count(&whole.came, outcome);
    }

    fn count(&self, came: &PassOutcome, outcome: Outcome) {
        let Context { metrics, role, .. } = &self.context;
        metrics.reconciled(*role, Kind::TenantSync, outcome, came.took);
        came.failed.values().for_each(|failure| metrics.failed(*role, failure.code));
    }
}

/// Of what is known of a location, that which a plan speaks of.
fn part_of(location: &ConnectedTenant, plan: &Plan) -> (Arc<Inventory>, Arc<BTreeMap<ObjectId, Version>>) {
    let (whole, versions) = (location.mirror.inventory(), location.mirror.versions());
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
