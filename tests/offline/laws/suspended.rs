//! What suspended syncs hold back, on random worlds.

use super::{brief, config, summary, whole};
use crate::laws::worlds::{self, Dice, worlds_with_history};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use stablekey::api::Kind;
use stablekey::engine::model::inventory::World;
use stablekey::engine::model::item::{Item, ObjectId};
use stablekey::engine::model::plan::{Note, Plan};
use stablekey::report::overview::{Overview, OverviewState};
use stablekey::report::status::{StatusReport, TenantState};
use std::cell::Cell;
use std::sync::Arc;

/// Where resuming suspended syncs would change something, in their targets or in those that copy from these, or something
/// keeps them from it, neither the overview nor the status says that it is in sync. Returns the number of cells that say
/// so, and of those that are in sync beside them.
fn what_waits_is_never_in_sync(world: &World, dice: &mut Dice) -> Result<[usize; 2], TestCaseError> {
    let mut suspended = world.clone();
    for sync in suspended.syncs.iter_mut().filter(|_| dice.below(2) == 0) {
        Arc::make_mut(&mut sync.spec).suspend = Some(true);
    }
    let plan = whole(&suspended);
    let (overview, status) = (Overview::of(&suspended, &plan), StatusReport::of(&suspended, &plan));
    let mut open = 0;
    // All are resumed, or one.
    for only in [None].into_iter().chain((0..suspended.syncs.len()).map(Some)) {
        let mut resumed = suspended.clone();
        for (at, sync) in resumed.syncs.iter_mut().enumerate() {
            if sync.spec.is_suspended() && only.is_none_or(|only| only == at) {
                Arc::make_mut(&mut sync.spec).suspend = None;
            }
        }
        let would = whole(&resumed);
        let story = || format!("{}\nsuspended\n{}\nresumed\n{}", summary(&suspended), brief(&plan), brief(&would));
        let differs = differing(&would);
        for (tenant, id, key) in &differs {
            let state = state(&overview, tenant, id.kind, key);
            let is_quiet = matches!(state, Some(OverviewState::InSync | OverviewState::Absent) | None);
            prop_assert!(!is_quiet, "{tenant} {id} ({key}) is {state:?}\n{}", story());
            let line = status.tenants.iter().find(|line| line.tenant == *tenant).unwrap();
            prop_assert!(line.state != TenantState::InSync, "{tenant} {id}\n{}", story());
        }
        open += differs.len();
    }
    let into = |tenant: &str| suspended.syncs.iter().any(|s| s.spec.is_suspended() && s.spec.goes_to(tenant));
    let columns = overview.tenants.iter().enumerate().filter(|(_, tenant)| into(&tenant.name)).map(|(at, _)| at);
    let quiet = |at: usize| overview.connections.iter().filter(move |row| row.cells[at].state == OverviewState::InSync);
    Ok([open, columns.map(|at| quiet(at).count()).sum()])
}

/// The connections and integrations that a plan changes, or is kept from changing, each with its tenant and the key of its
/// row.
fn differing(plan: &Plan) -> Vec<(String, ObjectId, String)> {
    let mut all = Vec::new();
    for target in &plan.targets {
        for action in target.actions.iter().chain(&target.waiting) {
            let item = action.change.after.as_ref().or(action.change.before.as_ref());
            let key = match item {
                Some(Item::Connection(connection)) => connection.spec.stable_key.clone(),
                Some(Item::Integration(integration, _)) => integration.name().to_string(),
                _ => continue,
            };
            all.push((target.tenant.clone(), action.change.object.clone(), key));
        }
        for note in &target.notes {
            let (Note::Blocked { object, .. } | Note::Drift { object, .. }) = note else { continue };
            // The rows of connections are found by key, and a blocked one may have none.
            if object.kind == Kind::Integration {
                all.push((target.tenant.clone(), object.clone(), object.name.clone()));
            }
        }
    }
    all
}

fn state(overview: &Overview, tenant: &str, kind: Kind, key: &str) -> Option<OverviewState> {
    let at = overview.tenants.iter().position(|there| *there.name == *tenant)?;
    let rows = if kind == Kind::Connection { &overview.connections } else { &overview.integrations };
    Some(rows.iter().find(|row| *row.key == *key)?.cells.get(at)?.state)
}

#[test]
fn what_waits_for_a_suspended_sync_is_never_in_sync() {
    let counts = Cell::new([0, 0]);
    let law = |rolls: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice::new(&rolls);
        for world in worlds_with_history(&mut dice) {
            let ([waits, quiet], [more, calm]) = (counts.get(), what_waits_is_never_in_sync(&world, &mut dice)?);
            counts.set([waits + more, quiet + calm]);
        }
        Ok(())
    };
    TestRunner::new(config()).run(&worlds::dice(), law).unwrap_or_else(|error| panic!("{error}"));
    assert!(counts.get().iter().all(|count| *count > 100), "the worlds say too little: {:?}", counts.get());
}
