//! The laws of stages, on random worlds in which some syncs have stages, applied round by round as the command line does.

use super::worlds::{self, Dice, shuffled, worlds_with_history};
use super::{brief, config, state, summary, whole};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stablekey::api::{Kind, Stage};
use stablekey::engine::model::code::Severity;
use stablekey::engine::model::inventory::{Ready, Sync, View, World};
use stablekey::engine::model::plan::{Action, ActionKind, FieldChange, Op, Plan, Scope, State, Target};
use stablekey::engine::model::record::Writer;
use stablekey::engine::model::stages::Underway;
use stablekey::engine::narrowing::plan_narrowed;
use stablekey::engine::plan::simulate;
use stablekey::engine::stages::live_release;
use stablekey_testing::world::Given;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// More rounds than any world has stages, and changes that bring further changes.
const MOST_ROUNDS: usize = 24;

/// Each world is planned many times, so fewer are tried.
fn fewer() -> ProptestConfig {
    let all = config();
    ProptestConfig { cases: all.cases.div_ceil(3), max_shrink_iters: 1_000, ..all }
}

/// Gives some syncs two or three stages of one or two tenants, and every integration a readiness.
fn with_stages(mut world: World, dice: &mut Dice) -> World {
    let names: Vec<String> = world.tenants.keys().cloned().collect();
    // Syncs of several tenants are mostly in conflict, and hold each other back: then no stage after the first opens.
    if dice.below(4) > 0 {
        world.syncs.sort_by(|a, b| a.writer.cmp(&b.writer));
        world.syncs.truncate(1);
    }
    for sync in &mut world.syncs {
        let mut others: Vec<String> = names.iter().filter(|name| **name != sync.spec.from).cloned().collect();
        let is_written = matches!(sync.writer, Writer::Sync(_));
        if !is_written || others.len() < 2 || dice.rarely(4) {
            continue;
        }
        let spec = Arc::make_mut(&mut sync.spec);
        spec.to.clear();
        while !others.is_empty() {
            let mut to = vec![others.remove(dice.below(others.len()))];
            if !others.is_empty() && dice.rarely(3) {
                to.push(others.remove(dice.below(others.len())));
            }
            spec.stages.push(Stage { to });
        }
    }
    evaluated(world, dice)
}

/// A binder evaluates every integration: most are ready.
fn evaluated(mut world: World, dice: &mut Dice) -> World {
    for view in world.tenants.values_mut() {
        let View::Read(live) = &mut view.live else { continue };
        let live = Arc::make_mut(live);
        let names: Vec<String> = live.integrations.keys().cloned().collect();
        live.ready_integrations.clear();
        for name in names {
            let ready = if dice.rarely(8) { Ready::No } else { Ready::Yes };
            live.ready_integrations.insert(name, ready);
        }
    }
    world
}

/// What was changed is evaluated again only later.
fn applied(world: &World, plan: &Plan) -> World {
    let mut after = simulate(world, plan);
    for (target, action) in plan.actions().filter(|(_, action)| action.change.object.kind == Kind::Integration) {
        let View::Read(live) = &mut after.tenants.get_mut(&target.tenant).unwrap().live else { continue };
        let ready = &mut Arc::make_mut(live).ready_integrations;
        ready.entry(action.change.object.name.clone()).and_modify(|ready| *ready = Ready::Was);
    }
    after
}

fn target<'p>(plan: &'p Plan, tenant: &str) -> Option<&'p Target> {
    plan.targets.iter().find(|target| target.tenant == tenant)
}

fn writes(target: &Target, sync: &Sync) -> bool {
    target.actions.iter().any(|action| action.writers.contains(&sync.writer))
}

/// Whether anything is left to do for a sync. An action that is another sync's too may only record that one for what this
/// sync wrote already: were it left to both, two syncs with the stages the other way round would wait for each other.
fn has_left(world: &World, target: &Target, sync: &Sync) -> bool {
    let live = world.tenants[&target.tenant].live.inventory().unwrap();
    let is_left = |action: &Action| {
        let before = live.record(&target.tenant, &action.change.object);
        let is_recorded = |change: &FieldChange| {
            let wrote = before.and_then(|record| record.wrote(&change.field));
            let then = action.change.record.as_ref().and_then(|record| record.wrote(&change.field));
            let is_of_sync = wrote.is_some_and(|wrote| wrote.writers.contains(&sync.writer));
            change.op == Op::Record && is_of_sync && wrote.map(|wrote| wrote.hash) == then.map(|then| then.hash)
        };
        // A field of another writer alone is none of this sync.
        let is_of_others = |change: &FieldChange| {
            let then = action.change.record.as_ref().and_then(|record| record.wrote(&change.field));
            let before = before.and_then(|record| record.wrote(&change.field));
            then.is_some() && then.into_iter().chain(before).all(|wrote| !wrote.writers.contains(&sync.writer))
        };
        let is_done = |change: &FieldChange| is_recorded(change) || is_of_others(change);
        action.writers.contains(&sync.writer)
            && (matches!(action.action, ActionKind::Create | ActionKind::Delete)
                || action.fields.is_empty()
                || !action.fields.iter().all(is_done))
    };
    target.actions.iter().any(is_left)
}

/// Nothing is written to a stage while a target before it has anything left of the sync, or is not Ready.
fn no_stage_overtakes(world: &World, plan: &Plan) -> Result<usize, TestCaseError> {
    let story = || format!("{}\n{}", summary(world), brief(plan));
    let mut later = 0;
    for sync in &world.syncs {
        for (number, stage) in sync.spec.stages.iter().enumerate().skip(1) {
            if !stage.to.iter().any(|to| target(plan, to).is_some_and(|target| writes(target, sync))) {
                continue;
            }
            later += 1;
            for before in sync.spec.stages.iter().take(number).flat_map(|stage| &stage.to) {
                let Some(done) = target(plan, before) else {
                    return Err(TestCaseError::fail(format!("{before} is not planned\n{}", story())));
                };
                let is_done = done.state == State::Read && !has_left(world, done, sync);
                prop_assert!(is_done, "{before} is not done\n{}", story());
                prop_assert!(done.waiting_of(&sync.writer).next().is_none(), "{before} waits itself\n{}", story());
                let is_left = done.notes_of(&sync.writer).any(|note| note.is_unresolved());
                prop_assert!(!is_left, "something is unresolved in {before}\n{}", story());
                let live = world.tenants[before].live.inventory().unwrap();
                let source = world.tenants[&sync.spec.from].live.inventory().unwrap();
                for name in source.integrations.keys().filter(|name| sync.spec.selects(name)) {
                    let is_planned = |action: &Action| action.id == format!("{}/Integration/{name}", sync.spec.from);
                    // What this plan changes in the source itself is not in the release of now.
                    let ready = live.ready_integrations.get(name) == Some(&Ready::Yes);
                    let moves = plan.actions().any(|(_, action)| is_planned(action));
                    prop_assert!(ready || moves, "{name} is not Ready in {before}\n{}", story());
                }
            }
        }
    }
    Ok(later)
}

/// Whatever waits says why, and is not done too.
fn what_waits_says_why(world: &World, plan: &Plan) -> Result<usize, TestCaseError> {
    let story = || format!("{}\n{}", summary(world), brief(plan));
    let mut waits = 0;
    for target in &plan.targets {
        let now: BTreeSet<&str> = target.actions.iter().map(|action| action.id.as_str()).collect();
        for action in &target.waiting {
            waits += 1;
            prop_assert!(!now.contains(action.id.as_str()), "{} is done and waits\n{}", action.id, story());
        }
        for (writer, wait) in &target.stages {
            prop_assert!(!wait.held_by.is_empty() || wait.waits_for > 1, "{writer}: {wait}\n{}", story());
            prop_assert!(target.waiting_of(writer).next().is_some(), "{writer} waits with nothing\n{}", story());
        }
    }
    prop_assert!(waits == 0 || plan.exit != 0, "{}", story());
    Ok(waits)
}

/// A narrowed plan does nothing of a sync that the whole plan lets wait.
fn narrowing_opens_nothing(world: &World, plan: &Plan, dice: &mut Dice) -> Result<(), TestCaseError> {
    let one = |name: &str| BTreeSet::from([name.to_string()]);
    let sync = world.syncs.get(dice.below(world.syncs.len())).map(|sync| sync.writer.to_string());
    let scope = match sync.filter(|_| dice.below(2) == 0) {
        Some(sync) => Scope { syncs: one(&sync), ..Scope::default() },
        None => Scope { integrations: one(worlds::integration(dice)), ..Scope::default() },
    };
    let narrowed = plan_narrowed(world, &scope);
    let waiting: BTreeSet<&str> = plan.waiting().map(|(_, action)| action.id.as_str()).collect();
    for (_, action) in narrowed.actions() {
        let waits = waiting.contains(action.id.as_str());
        prop_assert!(!waits, "{} in {scope:?}\n{}\n{}", action.id, summary(world), brief(plan));
    }
    Ok(())
}

/// Applies a world until nothing more can be done now, with a binder that evaluates in between.
fn goes_on_until_it_is_held_back(mut world: World, dice: &mut Dice) -> Result<(usize, usize), TestCaseError> {
    let (mut later, mut waits) = (0, 0);
    for _ in 0..MOST_ROUNDS {
        let plan = whole(&world);
        later += no_stage_overtakes(&world, &plan)?;
        waits += what_waits_says_why(&world, &plan)?;
        narrowing_opens_nothing(&world, &plan, dice)?;
        if plan.actions().next().is_none() {
            // All that is left is held back, or there is nothing left.
            let is_held = |target: &Target| target.waiting.is_empty() || !target.stages.is_empty() || plan.exit != 0;
            prop_assert!(plan.targets.iter().all(is_held), "{}\n{}", summary(&world), brief(&plan));
            return Ok((later, waits));
        }
        world = evaluated(applied(&world, &plan), dice);
    }
    let plan = whole(&world);
    Err(TestCaseError::fail(format!("it does not end\n{}\n{}", summary(&world), brief(&plan))))
}

#[test]
fn no_stage_overtakes_another() {
    let (later, waits) = (Cell::new(0), Cell::new(0));
    let law = |dice: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice::new(&dice);
        for world in worlds_with_history(&mut dice) {
            let (written, waited) = goes_on_until_it_is_held_back(with_stages(world, &mut dice), &mut dice)?;
            later.set(later.get() + written);
            waits.set(waits.get() + waited);
        }
        Ok(())
    };
    TestRunner::new(fewer()).run(&worlds::dice(), law).unwrap_or_else(|error| panic!("{error}"));
    assert!(later.get() > 20 && waits.get() > 100, "{} {}: the worlds say too little", later.get(), waits.get());
}

/// An operator remembers the releases of now, with some receipts.
fn remembered(world: &World, dice: &mut Dice) -> BTreeMap<Writer, Underway> {
    let staged = world.syncs.iter().filter(|sync| !sync.spec.stages.is_empty());
    let underway = |sync: &Sync| {
        let release = live_release(world, sync)?.digest.to_string();
        let received = sync.spec.targets().filter(|_| !dice.rarely(3)).cloned().collect();
        Some((sync.writer.clone(), Underway { release, stages: sync.spec.stages.clone(), received }))
    };
    staged.filter_map(underway).collect()
}

/// "targets are fixed when it begins": while a release is on its way, an edit of the stages changes nothing of the plan,
/// also one to `to`.
#[test]
fn an_edit_of_the_stages_changes_no_plan_while_a_release_is_on_its_way() {
    let waits = Cell::new(0);
    let law = |dice: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice::new(&dice);
        for world in worlds_with_history(&mut dice) {
            let mut world = with_stages(world, &mut dice);
            world.underway = Some(remembered(&world, &mut dice));
            let mut edited = world.clone();
            let known: BTreeSet<Writer> = world.underway.iter().flatten().map(|(writer, _)| writer.clone()).collect();
            for sync in edited.syncs.iter_mut().filter(|sync| known.contains(&sync.writer)) {
                let targets: Vec<String> = sync.spec.targets().cloned().collect();
                let spec = Arc::make_mut(&mut sync.spec);
                (spec.to, spec.stages) = match dice.below(3) {
                    0 => (targets, Vec::new()),
                    1 => (Vec::new(), vec![Stage { to: targets }]),
                    _ => (Vec::new(), targets.into_iter().rev().map(|to| Stage { to: vec![to] }).collect()),
                };
            }
            let (before, after) = (whole(&world), whole(&edited));
            let of = |plan: &Plan| {
                let ids = |actions: &[Action]| actions.iter().map(|action| action.id.clone()).collect::<Vec<_>>();
                let of = |target: &Target| {
                    (target.digests.clone(), ids(&target.actions), ids(&target.waiting), target.stages.clone())
                };
                plan.targets.iter().map(of).collect::<Vec<_>>()
            };
            prop_assert_eq!(of(&before), of(&after), "{}\n{}", summary(&edited), brief(&after));
            waits.set(waits.get() + after.waiting().count());
        }
        Ok(())
    };
    TestRunner::new(fewer()).run(&worlds::dice(), law).unwrap_or_else(|error| panic!("{error}"));
    assert!(waits.get() > 100, "{} wait: the worlds say too little", waits.get());
}

#[test]
fn stages_do_not_depend_on_the_order_of_reading() {
    let law = |dice: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice::new(&dice);
        for world in worlds_with_history(&mut dice) {
            let world = with_stages(world, &mut dice);
            let (a, b) = (Given { world: world.clone() }.plan(), Given { world: shuffled(&world, &mut dice) }.plan());
            prop_assert_eq!(a.json(), b.json());
        }
        Ok(())
    };
    TestRunner::new(fewer()).run(&worlds::dice(), law).unwrap_or_else(|error| panic!("{error}"));
}

/// Where everything is ready and nothing is in the way, everything arrives.
#[test]
fn everything_arrives_where_nothing_is_in_the_way() {
    let arrived = Cell::new(0);
    let law = |dice: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice::new(&dice);
        for world in worlds_with_history(&mut dice) {
            let staged = with_stages(world, &mut dice);
            let mut unstaged = staged.clone();
            for sync in &mut unstaged.syncs {
                let targets = sync.spec.targets().cloned().collect();
                let spec = Arc::make_mut(&mut sync.spec);
                (spec.to, spec.stages) = (targets, Vec::new());
            }
            // Only if the same without stages comes to an end with nothing in the way.
            let end = settled(unstaged);
            let plan = whole(&end);
            let is_clear = plan.is_empty()
                && plan.exit == 0
                && plan.findings.iter().all(|finding| finding.severity == Severity::Warning)
                && plan.targets.iter().all(|target| !target.suspended && target.notes.is_empty())
                && staged.syncs.iter().all(|sync| !sync.spec.is_suspended());
            if !is_clear {
                continue;
            }
            let by_stages = settled(staged);
            prop_assert!(whole(&by_stages).is_empty(), "{}\n{}", summary(&by_stages), brief(&whole(&by_stages)));
            let values = |world: &World| state(world).into_iter().map(|(id, (item, _))| (id, item)).collect::<Vec<_>>();
            prop_assert_eq!(values(&by_stages), values(&end));
            arrived.set(arrived.get() + 1);
        }
        Ok(())
    };
    TestRunner::new(config()).run(&worlds::dice(), law).unwrap_or_else(|error| panic!("{error}"));
    assert!(arrived.get() > 60, "{} worlds arrive: they say too little", arrived.get());
}

/// A world applied until nothing is left that can be done, where everything is ready at once.
fn settled(mut world: World) -> World {
    for _ in 0..MOST_ROUNDS {
        for view in world.tenants.values_mut() {
            let View::Read(live) = &mut view.live else { continue };
            let live = Arc::make_mut(live);
            live.ready_integrations = live.integrations.keys().map(|name| (name.clone(), Ready::Yes)).collect();
        }
        let plan = whole(&world);
        if plan.actions().next().is_none() {
            break;
        }
        world = simulate(&world, &plan);
    }
    world
}
