//! The laws of stages in virtual time: a hub of one source and some targets, with random histories of changes, readiness,
//! approvals, restarts and edits of the stages. What the worker and its passes decide is decided by the same functions
//! here; only watches, servers and clocks are left out.

use super::approvals::GivenApprovals;
use super::assess::{Evidence, SyncState, target_status};
use super::releases::{Releases, SourceState, StagedSync};
use super::select::{Limits, SyncConsent, select};
use crate::api::*;
use crate::engine::model::inventory::{Capabilities, Inventory, Ready, Sync, TenantView, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, Plan, Scope, Target};
use crate::engine::model::record::Writer;
use crate::engine::plan::{plan, simulate};
use crate::engine::stages;
use crate::engine::sync_rules::requested_at;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use serde_json::json;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const SYNC: &str = "releases";
const SOURCE: &str = "dev";
const TARGETS: [&str; 4] = ["a", "b", "c", "d"];
const INTEGRATIONS: [&str; 2] = ["i", "j"];

/// Reads random numbers; at their end every roll is 0.
struct Dice(Vec<u8>, usize);

impl Dice {
    fn below(&mut self, sides: usize) -> usize {
        let roll = self.0.get(self.1).copied().unwrap_or(0);
        self.1 += 1;
        usize::from(roll) % sides
    }

    fn target(&mut self) -> &'static str {
        TARGETS[self.below(TARGETS.len())]
    }

    /// Some targets in one to three stages; every target stands in one at most.
    fn stages(&mut self) -> Vec<Stage> {
        let mut left: Vec<&str> = TARGETS.into_iter().filter(|_| self.below(5) > 0).collect();
        let mut stages = Vec::new();
        while !left.is_empty() {
            let many = if stages.len() == 2 { left.len() } else { 1 + self.below(2).min(left.len() - 1) };
            let to = (0..many).map(|_| left.remove(self.below(left.len())).to_string()).collect();
            stages.push(Stage { to });
        }
        if stages.is_empty() { vec![Stage { to: vec!["a".to_string()] }] } else { stages }
    }

    /// Edits the targets of a sync: mostly in stages.
    fn edit(&mut self, spec: &mut TenantSyncSpec) {
        let stages = self.stages();
        (spec.to, spec.stages) = match self.below(3) {
            0 => (stages.into_iter().flat_map(|stage| stage.to).collect(), Vec::new()),
            _ => (Vec::new(), stages),
        };
    }
}

/// A hub, its targets, and what an operator keeps of them.
struct Hub {
    world: World,
    sync: Object<TenantSyncSpec>,
    /// How often it was created.
    created: usize,
    generation: i64,
    /// The number of changes of the source.
    changes: u64,
    /// What one process keeps.
    releases: Releases,
    states: BTreeMap<&'static str, TargetStatus>,
    /// By target, the request to reconcile that was handled last.
    handled: BTreeMap<&'static str, Option<String>>,
    /// The release that is on its way, kept by the rule alone.
    expected: Option<Expected>,
    /// The status as it was written last.
    written: TenantSyncStatus,
    /// The approvals of this moment, by target.
    approved: BTreeMap<&'static str, BTreeSet<String>>,
    time: u64,
    /// The number of writes to a later stage, and to any.
    later: usize,
    writes: usize,
}

/// The release that is on its way by the rule: "targets are fixed when it begins".
#[derive(Debug)]
struct Expected {
    release: String,
    /// None: every target is open.
    stages: Vec<Stage>,
    /// The targets that were found in sync with it since it began.
    received: BTreeSet<String>,
    asked: Option<String>,
}

fn connection(title: &str) -> Item {
    let spec = json!({"stableKey": "crm", "title": title, "component": {"key": "http"}, "type": "basic",
        "credentials": "OrganizationGlobal"});
    Item::Connection(Arc::new(Object::new("crm", serde_json::from_value(spec).unwrap())))
}

fn integration(name: &str, title: &str) -> Item {
    let spec = json!({"title": title, "connections": [{"name": "CRM", "stableKey": "crm"}]});
    Item::Integration(Arc::new(Object::new(name, serde_json::from_value(spec).unwrap())), None)
}

impl Hub {
    fn new(dice: &mut Dice) -> Self {
        let namespace = |items: Vec<Item>| {
            let can = Capabilities { knows_readiness: false, ..Capabilities::CLUSTER };
            let mut inventory = Inventory { can, ..Inventory::default() };
            items.into_iter().for_each(|item| inventory.insert(item));
            View::Read(Arc::new(inventory))
        };
        let view = |live: View| {
            let policy = json!({"acceptFrom": [SOURCE], "policy": {"actions": ["Create", "Update", "Delete"],
                "approval": {"percent": 60, "from": 2}}});
            let spec: TenantSpec = serde_json::from_value(policy).unwrap();
            TenantView { resend: BTreeSet::new(), spec, live, source: None, recent: 0, before: None }
        };
        let source = view(namespace(vec![connection("0"), integration("i", "0")]));
        let mut tenants: BTreeMap<String, TenantView> = [(SOURCE.to_string(), source)].into();
        tenants.extend(TARGETS.map(|name| (name.to_string(), view(namespace(Vec::new())))));
        let spec = TenantSyncSpec {
            from: SOURCE.to_string(),
            stages: dice.stages(),
            integrations: vec!["*".to_string()],
            connections: Some(ConnectionMode::Mirror),
            prune: Some(true),
            mode: Some(if dice.below(2) == 0 { SyncMode::Apply } else { SyncMode::Plan }),
            ..TenantSyncSpec::default()
        };
        Hub {
            world: World { tenants, ..World::default() },
            sync: Object::new(SYNC, spec),
            created: 0,
            generation: 1,
            changes: 0,
            releases: Releases::default(),
            states: BTreeMap::new(),
            handled: BTreeMap::new(),
            expected: None,
            written: TenantSyncStatus::default(),
            approved: BTreeMap::new(),
            time: 0,
            later: 0,
            writes: 0,
        }
    }

    fn live(&self, tenant: &str) -> &Inventory {
        self.world.tenants[tenant].live.inventory().unwrap()
    }

    fn edit(&mut self, tenant: &str, edit: impl FnOnce(&mut Inventory)) {
        let view = &mut self.world.tenants.get_mut(tenant).unwrap().live;
        if let View::Read(live) = view {
            edit(Arc::make_mut(live));
        }
    }

    fn is_target(&self, tenant: &str) -> bool {
        self.sync.spec.goes_to(tenant)
    }

    fn uid(&self) -> String {
        format!("uid-{}", self.created)
    }

    fn as_sync(&self) -> Sync {
        Sync { writer: Writer::Sync(SYNC.to_string()), spec: Arc::new(self.sync.spec.clone()) }
    }

    /// The digest of what the sync carries now.
    fn release(&self) -> String {
        stages::live_release(&self.world, &self.as_sync()).unwrap().digest.to_string()
    }

    /// Goes on with the release by the rule: a new one begins with the stages of the spec; an edit counts once it is
    /// through, or when it is asked for.
    fn expect(&mut self) {
        let (release, stages) = (self.release(), self.sync.spec.stages.clone());
        let asked = requested_at(&self.sync.metadata);
        let expected = self.expected.get_or_insert_with(|| Expected {
            release: String::new(),
            stages: Vec::new(),
            received: BTreeSet::new(),
            asked: None,
        });
        let is_asked = asked.is_some() && asked != expected.asked;
        let mut all = expected.stages.iter().flat_map(|stage| &stage.to);
        if expected.release != release || expected.stages.is_empty() {
            (expected.release, expected.received) = (release, BTreeSet::new());
            expected.stages = stages;
        } else if is_asked || all.all(|target| expected.received.contains(target)) {
            expected.stages = stages;
        }
        expected.asked = asked;
    }

    /// What the worker does when it begins a full reconcile: it takes the release of now, and builds the world.
    fn observed(&mut self) -> World {
        self.expect();
        let (sync, uid) = (self.as_sync(), self.uid());
        let state = SourceState { epoch: 1, changes: self.changes, generation: self.generation };
        let is_stale = self.releases.is_stale(SYNC, &uid, state);
        let digest = stages::live_release(&self.world, &sync).filter(|_| is_stale).map(|release| release.digest);
        let staged = StagedSync { uid: &uid, object: &self.sync, written: &self.written };
        if self.releases.has_stages(SYNC, &self.sync.spec) {
            let computed = digest.as_ref().map(|digest| (digest, state));
            self.releases.observe(SYNC, staged, computed, &self.time.to_string());
        }
        let underway = self.releases.underway(SYNC).map(|underway| (sync.writer.clone(), underway.clone()));
        World { syncs: vec![sync], underway: Some(underway.into_iter().collect()), ..self.world.clone() }
    }

    /// Another process begins with what was written.
    fn restart(&mut self) {
        (self.releases, self.states, self.handled) = (Releases::default(), BTreeMap::new(), BTreeMap::new());
        self.releases.resume(SYNC, &self.uid(), &self.written);
        if let Some(Expected { stages, received, asked, .. }) = &mut self.expected {
            asked.clone_from(&self.written.last_handled_reconcile_at);
            // A receipt of a target that takes part from the next release on is not kept.
            received.retain(|target| stages.iter().any(|stage| stage.to.contains(target)));
        }
    }

    /// Removes the sync, and creates it again.
    fn create_again(&mut self) {
        self.created += 1;
        self.generation = 1;
        (self.states, self.handled, self.written) = (BTreeMap::new(), BTreeMap::new(), TenantSyncStatus::default());
        self.sync.metadata.annotations.clear();
        self.releases.resume(SYNC, &self.uid(), &self.written);
        self.expected = None;
    }

    /// The law for what is written at once, without a full reconcile: only targets of the first stage.
    fn writes_at_once_only_to_the_first_stage(&self) -> Result<(), TestCaseError> {
        let spec = &self.sync.spec;
        let expected = self.expected.as_ref().filter(|expected| expected.release == self.release());
        let stages = expected.map_or(&spec.stages, |expected| &expected.stages);
        for target in spec.targets().filter(|target| self.releases.is_first(SYNC, spec, target)) {
            let is_first = stages.first().is_none_or(|stage| stage.to.contains(target));
            prop_assert!(is_first, "{target} is written at once, by {stages:?}");
        }
        Ok(())
    }

    /// A full reconcile of one target: observe → plan → select → apply → assess.
    fn reconcile(&mut self, tenant: &'static str) -> Result<bool, TestCaseError> {
        if !self.is_target(tenant) {
            return Ok(false);
        }
        let world = self.observed();
        let scope = Scope { tenants: [tenant.to_string()].into(), ..Scope::default() };
        let mut planned = plan(&world, &scope);
        let left = planned.clone();
        let writer = Writer::Sync(SYNC.to_string());
        let digest = self.target(&planned, tenant).digests.get(&writer.to_string()).map(ToString::to_string);
        let is_approved =
            digest.as_ref().is_some_and(|digest| self.approved.get(tenant).is_some_and(|given| given.contains(digest)));
        let mode = self.sync.spec.mode.unwrap_or(SyncMode::Plan);
        let selected = match (is_approved, mode) {
            (true, _) => select(&planned, &Limits::default(), &SyncConsent::Approved([writer].into())),
            (false, SyncMode::Apply) => select(&planned, &Limits::default(), &SyncConsent::Unattended),
            (false, SyncMode::Plan) => Default::default(),
        };
        let now: BTreeSet<ObjectId> = selected.now.into_keys().collect();
        planned.targets.iter_mut().for_each(|target| target.actions.retain(|a| now.contains(&a.change.object)));
        let does: Vec<&Action> = planned.actions().map(|(_, action)| action).collect();
        if !does.is_empty() {
            self.later += usize::from(self.may_write(&world, tenant)?);
            self.writes += 1;
            self.approved.remove(tenant);
        }
        let written: Vec<ObjectId> = does.iter().map(|action| action.change.object.clone()).collect();
        let done = !written.is_empty();
        self.world.tenants = simulate(&world, &planned).tenants;
        self.edit(tenant, |live| {
            // A binder has not evaluated it again yet.
            for id in written.iter().filter(|id| id.kind == Kind::Integration) {
                live.ready_integrations.entry(id.name.clone()).and_modify(|ready| *ready = Ready::Was);
            }
        });
        self.assess(&left, tenant);
        self.handled.insert(tenant, requested_at(&self.sync.metadata));
        self.write_status();
        Ok(done)
    }

    fn target<'p>(&self, plan: &'p Plan, tenant: &str) -> &'p Target {
        plan.targets.iter().find(|target| target.tenant == tenant).unwrap()
    }

    fn assess(&mut self, plan: &Plan, tenant: &'static str) {
        let begun = self.releases.begun(SYNC);
        let written = || self.written.targets.iter().find(|status| status.tenant == tenant);
        let before = self.states.get(tenant).or_else(written).and_then(|status| status.release.clone());
        let (failed, later) = (BTreeMap::new(), BTreeMap::new());
        let given = GivenApprovals::default();
        let evidence = Evidence {
            writer: Writer::Sync(SYNC.to_string()),
            namespace: "hub",
            mode: self.sync.spec.mode.unwrap_or(SyncMode::Plan),
            is_suspended: false,
            target: self.target(plan, tenant),
            findings: &plan.findings,
            source_error: None,
            problems: &[],
            unattended: None,
            is_unknown: false,
            failed: &failed,
            void: None,
            waiting_plan: None,
            not_stored: None,
            given: Some(&given),
            changed: 0,
            base: None,
            later: &later,
            receipt: None,
            release: begun.as_ref().map(|begun| begun.here(tenant, before.as_deref())),
        };
        let status = target_status(&evidence);
        if status.state == SyncState::InSync.as_str() {
            begun.iter().for_each(|begun| self.releases.received(SYNC, tenant, begun.number));
            self.expected.iter_mut().for_each(|expected| expected.received.extend([tenant.to_string()]));
        }
        self.states.insert(tenant, status);
    }

    fn write_status(&mut self) {
        let spec = &self.sync.spec;
        self.states.retain(|tenant, _| spec.goes_to(tenant));
        let old = self.written.targets.iter().filter(|status| !self.states.contains_key(status.tenant.as_str()));
        let old = old.filter(|status| spec.goes_to(&status.tenant)).cloned();
        let mut targets: Vec<TargetStatus> = self.states.values().cloned().chain(old).collect();
        targets.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        let asked = requested_at(&self.sync.metadata);
        if asked.is_some() && spec.targets().all(|target| self.handled.get(target.as_str()) == Some(&asked)) {
            self.written.last_handled_reconcile_at = asked;
        }
        self.written.release = self.releases.status(SYNC);
        self.written.targets = targets;
    }

    /// The law: a target is written only if every target of the stages before has a receipt for the release, has what
    /// the source has, and is Ready with it now. Returns whether it is in a later stage.
    fn may_write(&self, world: &World, tenant: &str) -> Result<bool, TestCaseError> {
        let (sync, source) = (&self.sync, self.live(SOURCE));
        prop_assert!(sync.spec.goes_to(tenant), "{tenant} was taken out");
        let Expected { stages, received, .. } = self.expected.as_ref().unwrap();
        if stages.is_empty() {
            return Ok(false);
        }
        let number = stages.iter().position(|stage| stage.to.iter().any(|to| to == tenant));
        prop_assert!(number.is_some(), "{tenant} is in no stage of the release that began: {stages:?}");
        for before in stages.iter().take(number.unwrap()).flat_map(|stage| &stage.to) {
            prop_assert!(received.contains(before), "{before} has no receipt before {tenant}: {stages:?}");
            if !sync.spec.goes_to(before) {
                // It was taken out after it had the release.
                continue;
            }
            let View::Read(live) = &world.tenants[before.as_str()].live else {
                return Err(TestCaseError::fail(format!("{before} cannot be read, and {tenant} is written")));
            };
            for item in source.items() {
                let there = live.get(&item.id());
                prop_assert!(Item::same(there.as_ref(), Some(&item)), "{before} lacks {} of the release", item.id());
            }
            for name in source.integrations.keys() {
                let ready = live.ready_integrations.get(name);
                prop_assert_eq!(ready, Some(&Ready::Yes), "{} is not Ready in {}", name, before);
            }
        }
        Ok(number > Some(0))
    }

    /// A binder evaluates a target.
    fn evaluate(&mut self, tenant: &str, is_well: impl Fn(&str) -> bool) {
        self.edit(tenant, |live| {
            let of = |name: &String| (name.clone(), if is_well(name) { Ready::Yes } else { Ready::No });
            live.ready_integrations = live.integrations.keys().map(of).collect();
        });
    }

    fn approve(&mut self, tenant: &'static str) {
        let digest = self.states.get(tenant).and_then(|status| status.digest.clone());
        self.approved.entry(tenant).or_default().extend(digest);
    }

    /// One random event.
    fn step(&mut self, dice: &mut Dice) -> Result<(), TestCaseError> {
        self.time += 1;
        match dice.below(22) {
            0..8 => {
                let target = dice.target();
                self.reconcile(target)?;
            }
            8..11 => {
                let (target, number) = (dice.target(), dice.below(6));
                self.evaluate(target, |name| number > 0 || name != "i");
            }
            11..13 => self.approve(dice.target()),
            13 | 14 => {
                let (title, name) = (dice.below(4).to_string(), INTEGRATIONS[dice.below(2)]);
                let kind = dice.below(4);
                self.changes += 1;
                self.edit(SOURCE, |live| match kind {
                    0 => live.insert(connection(&title)),
                    1 if live.integrations.len() > 1 => live.remove(&ObjectId::new(Kind::Integration, name)),
                    _ => live.insert(integration(name, &title)),
                });
            }
            15 => self.restart(),
            16 | 20 => {
                dice.edit(&mut self.sync.spec);
                self.generation += 1;
                self.write_status();
            }
            21 if dice.below(3) == 0 => self.create_again(),
            17 => {
                // Somebody changes a target.
                let (target, title) = (dice.target(), dice.below(4).to_string());
                self.edit(target, |live| {
                    if live.integrations.contains_key("i") {
                        live.insert(integration("i", &title));
                    }
                });
            }
            18 => {
                let view = self.world.tenants.get_mut(dice.target()).unwrap();
                view.spec.suspend = (!view.spec.is_suspended()).then_some(true);
            }
            _ => {
                self.time += 1;
                let asked = self.time.to_string();
                self.sync.metadata.annotations.insert(REQUESTED_AT.to_string(), asked);
            }
        }
        self.writes_at_once_only_to_the_first_stage()
    }

    /// From now on nothing changes, everything is ready once it is written, and a person approves what waits.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        self.sync.metadata.annotations.insert(REQUESTED_AT.to_string(), "last".to_string());
        for view in self.world.tenants.values_mut() {
            view.spec.suspend = None;
            view.spec.policy.get_or_insert_default().drift = Some(Drift::Correct);
        }
        // Each stage takes some passes of each of its targets.
        for _ in 0..12 {
            for target in TARGETS {
                self.evaluate(target, |_| true);
                self.reconcile(target)?;
                self.approve(target);
            }
        }
        Ok(())
    }
}

#[test]
fn no_target_is_written_before_the_stage_before_has_the_release_and_is_ready_with_it() {
    let (later, settled) = (Cell::new(0), Cell::new(0));
    let law = |rolls: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice(rolls, 0);
        let mut hub = Hub::new(&mut dice);
        for _ in 0..60 {
            hub.step(&mut dice)?;
        }
        hub.settle()?;
        later.set(later.get() + hub.later);
        // Everything arrives.
        let source: Vec<Item> = hub.live(SOURCE).items().collect();
        let targets: Vec<&str> = TARGETS.into_iter().filter(|target| hub.is_target(target)).collect();
        for target in &targets {
            let status = hub.written.targets.iter().find(|status| status.tenant == *target).unwrap();
            prop_assert_eq!(&status.state, SyncState::InSync.as_str(), "{}: {:?}", target, status.message);
            let release = hub.written.release.as_ref().map(|release| &release.digest);
            prop_assert_eq!(status.release.as_ref(), release);
            for item in &source {
                let there = hub.live(target).get(&item.id());
                prop_assert!(Item::same(there.as_ref(), Some(item)), "{target} lacks {}", item.id());
            }
        }
        let release = hub.written.release.clone().unwrap_or_default();
        prop_assert_eq!((&release.stages, release.stage), (&hub.sync.spec.stages, None));
        // And then nothing is written any more, not even a status.
        let (written, writes) = (hub.written.clone(), hub.writes);
        for target in targets.iter().chain(&targets) {
            let target = TARGETS.into_iter().find(|known| known == target).unwrap();
            hub.time += 1;
            prop_assert!(!hub.reconcile(target)?, "{target} is written without a change");
        }
        prop_assert_eq!(&hub.written, &written);
        prop_assert_eq!(hub.writes, writes);
        // Nor by another process.
        hub.restart();
        for target in TARGETS {
            prop_assert!(!hub.reconcile(target)?, "{target} is written by another process");
        }
        prop_assert_eq!(&hub.written, &written);
        settled.set(settled.get() + 1);
        Ok(())
    };
    let config = ProptestConfig {
        cases: 100,
        rng_seed: RngSeed::Fixed(2026),
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..ProptestConfig::default()
    };
    let rolls = proptest::collection::vec(any::<u8>(), 0..240);
    TestRunner::new(config).run(&rolls, law).unwrap_or_else(|error| panic!("{error}"));
    assert!(later.get() > 50, "{} writes to a later stage: the histories say too little", later.get());
    assert!(settled.get() >= 100);
}
