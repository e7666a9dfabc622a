//! Random worlds: small enough for every kind of collision, and with a history.

use proptest::prelude::*;
use stablekey::api::*;
use stablekey::engine::model::inventory::{Inventory, View, World};
use stablekey::engine::model::item::ObjectId;
use stablekey::engine::model::plan::Scope;
use stablekey::engine::plan::{plan, simulate};
use stablekey_testing::world::{Given, GivenTenant, world};
use std::sync::Arc;

/// A string of dice; fewer and smaller ones make simpler worlds.
pub fn dice() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..600)
}

/// Reads a string of dice; at its end every roll is 0, which always means the simplest.
pub struct Dice {
    rolls: Vec<u8>,
    at: usize,
}

impl Dice {
    pub fn new(rolls: &[u8]) -> Self {
        Dice { rolls: rolls.to_vec(), at: 0 }
    }

    pub fn below(&mut self, sides: usize) -> usize {
        let roll = self.rolls.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(roll) % sides.max(1)
    }

    /// Returns true once in this many times.
    pub fn rarely(&mut self, once_in: usize) -> bool {
        self.below(once_in) + 1 == once_in
    }

    fn of<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// The first ones are more frequent.
const KEYS: [&str; 5] = ["a", "b", "c", "d", "C"];
const INTEGRATIONS: [&str; 3] = ["i", "j", "k"];
const VARIABLES: [&str; 2] = ["V", "W"];
const KINDS: [&str; 5] = ["http/basic", "http/basic", "http/basic", "http/basic", "http/oauth2"];
const INPUTS: [&str; 3] = ["scopes", "host", "pin"];
const VALUES: [&str; 3] = ["1", "2", "https://x"];
const TITLES: [&str; 2] = ["T", "U"];
const CUSTOMERS: [&str; 2] = ["Acme", "Bolt"];
const TENANTS: [&str; 4] = ["us", "eu", "ap", "dev"];
const SYNCS: [&str; 4] = ["s1", "s2", "s3", "s4"];

pub fn key(dice: &mut Dice) -> &'static str {
    let known = if dice.rarely(4) { KEYS.len() } else { 3 };
    KEYS[dice.below(known)]
}

pub fn integration(dice: &mut Dice) -> &'static str {
    dice.of(&INTEGRATIONS)
}

/// Returns a world as it was first written, and then twice after an apply and changes by concurrent writers and
/// sources.
pub fn worlds_with_history(dice: &mut Dice) -> Vec<World> {
    let mut worlds = vec![fresh(dice).world];
    for _ in 0..2 {
        let last = worlds.last().unwrap();
        let applied = simulate(last, &plan(last, &Scope::default()));
        worlds.push(changed(Given { world: applied }, dice).world);
    }
    worlds
}

fn fresh(dice: &mut Dice) -> Given {
    let mut given = world();
    let count = 2 + dice.below(3);
    for (at, name) in TENANTS.iter().take(count).enumerate() {
        given = given.tenant(name, |t| tenant(t, at, dice));
    }
    for name in SYNCS.iter().take(1 + dice.below(4)) {
        given = sync(given, name, count, dice);
    }
    given
}

fn tenant(mut t: GivenTenant, at: usize, dice: &mut Dice) -> GivenTenant {
    for from in TENANTS {
        if from != TENANTS[at] && !dice.rarely(12) {
            t = t.accepts(from);
        }
    }
    t = match dice.below(5) {
        0..3 => t.allows_delete(),
        3 => t,
        _ => t.allows(&[AllowedAction::Update]),
    };
    t = t.drift(dice.of(&[Drift::Detect, Drift::Correct, Drift::Ignore]));
    if at == 0 {
        t = well_stocked(t, dice);
    }
    for _ in 0..dice.below(3) {
        t = object(t, dice);
    }
    if dice.rarely(16) {
        t = t.suspended();
    }
    if dice.rarely(3) {
        if dice.below(2) == 1 {
            t = t.source_prunes();
        }
        t = t.declares();
        for _ in 0..=dice.below(3) {
            t = object(t, dice);
        }
        t = t.location();
    }
    if dice.rarely(40) { fault(t, dice) } else { t }
}

/// Fills a tenant with a connection for most keys and an integration that uses them.
fn well_stocked(mut t: GivenTenant, dice: &mut Dice) -> GivenTenant {
    if dice.below(2) == 1 {
        t = t.declares();
    }
    for key in &KEYS[..1 + dice.below(4)] {
        t = t.connection(key, KINDS[0]);
        for _ in 0..dice.below(3) {
            t = connection_field(t, dice);
        }
    }
    for name in &INTEGRATIONS[..1 + dice.below(3)] {
        t = t.integration(name).title("T");
        for _ in 0..=dice.below(2) {
            t = variable(t, dice);
        }
    }
    t.location()
}

fn sync(given: Given, name: &str, tenants: usize, dice: &mut Dice) -> Given {
    let (mut from, mut to) = (0, 1);
    if !dice.rarely(3) {
        from = dice.below(tenants - 1);
        to = from + 1 + dice.below(tenants - from - 1);
    }
    // Upward it may form a cycle.
    if dice.rarely(20) {
        (from, to) = (to, from);
    }
    // One tenant is not promoted to another in two ways at the same time.
    let promoted = given.world.syncs.iter().any(|s| s.spec.from == TENANTS[from] && s.spec.to == [TENANTS[to]]);
    let mut given = match dice.rarely(8) && !promoted {
        true => given.promotion(TENANTS[from], TENANTS[to]),
        false => given.sync(name, TENANTS[from], TENANTS[to]),
    };
    given = match dice.below(4) {
        0 | 1 => given.mirror(),
        2 => given.create(),
        _ => given,
    };
    if !dice.rarely(3) {
        given = given.prune();
    }
    if dice.rarely(4) {
        given = given.of_integrations(&[integration(dice)]);
    }
    if dice.rarely(4) {
        given = given.overriding_input(TENANTS[to], key(dice), dice.of(&INPUTS), dice.of(&VALUES));
    }
    if dice.rarely(4) {
        given = given.overriding_variable(TENANTS[to], integration(dice), dice.of(&VARIABLES), key(dice));
    }
    given = match dice.below(12) {
        1 => given.overriding_field(TENANTS[to], key(dice), "title", dice.of(&TITLES)),
        2 => given.overriding_secret(TENANTS[to], key(dice), dice.of(&INPUTS), dice.of(&["s1", "s2"])),
        3 => given.keeping(TENANTS[to], &format!("Connection/{}", key(dice).to_lowercase()), "title"),
        4 => given.keeping(TENANTS[to], &format!("Connection/{}", key(dice).to_lowercase()), "inputs.scopes"),
        5 => given.keeping(TENANTS[to], &format!("Integration/{}", integration(dice)), "definition"),
        6 => given.keeping(TENANTS[to], &format!("Integration/{}", integration(dice)), "connections.V"),
        _ => given,
    };
    if dice.rarely(4) {
        given = given.deletes_connections();
    }
    if dice.rarely(16) { given.suspended() } else { given }
}

fn object(t: GivenTenant, dice: &mut Dice) -> GivenTenant {
    match dice.below(8) {
        0..3 => {
            let mut t = t.integration(integration(dice));
            for _ in 0..=dice.below(2) {
                t = variable(t, dice);
            }
            if dice.rarely(3) {
                t = t.title(dice.of(&TITLES));
            }
            if dice.rarely(3) { t.defined(dice.of(&["d1", "d2"])) } else { t }
        }
        3..6 => {
            let mut t = t.connection(key(dice), dice.of(&KINDS));
            for _ in 0..dice.below(4) {
                t = connection_field(t, dice);
            }
            t
        }
        6 => {
            let t = t.component(dice.of(&KINDS));
            match dice.below(3) {
                0 => t.requires(dice.of(&INPUTS)),
                1 => t.has_endpoint(dice.of(&INPUTS)),
                _ => t.has_secret("pin"),
            }
        }
        _ => {
            let t = t.customer(dice.of(&CUSTOMERS), key(dice));
            let t = if dice.rarely(3) { t.origin(Origin::Customer) } else { t };
            t.input(dice.of(&INPUTS), dice.of(&VALUES))
        }
    }
}

fn variable(t: GivenTenant, dice: &mut Dice) -> GivenTenant {
    let name = dice.of(&VARIABLES);
    if dice.rarely(6) { t.owns(name, dice.of(&KINDS)) } else { t.binds(name, key(dice)) }
}

fn connection_field(t: GivenTenant, dice: &mut Dice) -> GivenTenant {
    match dice.below(9) {
        0 => t.title(dice.of(&TITLES)),
        1 | 2 => t.input(dice.of(&INPUTS), dice.of(&VALUES)),
        3 => t.secret(dice.of(&INPUTS), dice.of(&["s1", "s2"])),
        4 => t.per_customer(dice.of(&INPUTS)),
        5 => t.replaces(key(dice)),
        6 => t.deletion(dice.of(&[DeletionPolicy::Delete, DeletionPolicy::Retain])),
        7 => t.embedded(dice.below(2) == 1),
        _ => t.label("team", dice.of(&TITLES)),
    }
}

fn fault(t: GivenTenant, dice: &mut Dice) -> GivenTenant {
    match dice.below(4) {
        0 => t.invalid(&format!("Connection/{}", key(dice).to_lowercase())),
        1 => t.invalid(&format!("Integration/{}", integration(dice))),
        2 => t.unparsed("broken.yaml"),
        _ => t.unreachable(),
    }
}

/// Changes locations like concurrent writers, and sources like people.
fn changed(mut given: Given, dice: &mut Dice) -> Given {
    let names: Vec<String> = given.world.tenants.keys().cloned().collect();
    if dice.below(2) == 1 {
        given = without_integration(given, integration(dice));
    }
    for _ in 0..dice.below(8) {
        let name = &names[dice.below(names.len())];
        let view = &given.world.tenants[name];
        let reachable = |view: &View| view.inventory().is_some();
        let in_source = dice.below(2) == 0 && view.source.as_ref().is_some_and(reachable);
        if !in_source && !reachable(&view.live) {
            continue;
        }
        let there: Vec<ObjectId> = match (in_source, &view.source) {
            (true, Some(source)) => source.inventory().unwrap().items().map(|i| i.id()).collect(),
            _ => view.live.inventory().unwrap().items().map(|i| i.id()).collect(),
        };
        given = given.tenant(name, |t| {
            let t = if in_source { t.declares() } else { t.location() };
            change(t, &there, dice).location()
        });
    }
    if dice.rarely(8) && !given.world.syncs.is_empty() {
        let at = dice.below(given.world.syncs.len());
        given.world.syncs.remove(at);
    }
    given
}

/// Removes an integration from the first tenant, and allows the deletion of its connections.
fn without_integration(mut given: Given, integration: &str) -> Given {
    for view in given.world.tenants.values_mut() {
        let View::Read(live) = &mut view.live else { continue };
        for connection in Arc::make_mut(live).connections.values_mut() {
            Arc::make_mut(connection).spec.deletion_policy = Some(DeletionPolicy::Delete);
        }
    }
    let Some(first) = given.world.tenants.get_mut(TENANTS[0]) else { return given };
    for view in [Some(&mut first.live), first.source.as_mut()].into_iter().flatten() {
        if let View::Read(inventory) = view {
            Arc::make_mut(inventory).remove(&ObjectId::new(Kind::Integration, integration));
        }
    }
    given
}

fn change(t: GivenTenant, there: &[ObjectId], dice: &mut Dice) -> GivenTenant {
    if there.is_empty() || dice.rarely(4) {
        return object(t, dice);
    }
    let id = &there[dice.below(there.len())];
    let name = id.to_string();
    match (dice.below(6), id.kind) {
        (0, _) | (5, Kind::Integration) => t.without(&name),
        (5, Kind::Connection) => t.edit(&name).deletion(DeletionPolicy::Delete),
        (1, _) if dice.rarely(12) => fault(t, dice),
        (2, Kind::Connection) => t.edit(&name).without_input(dice.of(&INPUTS)),
        (2, Kind::Integration) => t.edit(&name).without_variable(dice.of(&VARIABLES)),
        (3, Kind::Connection) => t.edit(&name).holds(dice.of(&["title", "inputs.scopes"]), "kubectl-edit").location(),
        (_, Kind::Connection) => connection_field(t.edit(&name), dice),
        (_, Kind::Integration) if dice.below(2) == 0 => variable(t.edit(&name), dice),
        (_, Kind::Integration) => t.edit(&name).defined(dice.of(&["d1", "d2", "d3"])),
        _ => t,
    }
}

/// Returns the same world, built in another order.
pub fn shuffled(world: &World, dice: &mut Dice) -> World {
    let mut other = World::default();
    for (name, view) in world.tenants.iter().rev() {
        let mut view = view.clone();
        for view in [Some(&mut view.live), view.source.as_mut()].into_iter().flatten() {
            if let View::Read(inventory) = view {
                *inventory = Arc::new(shuffled_inventory(inventory, dice));
            }
        }
        other.tenants.insert(name.clone(), view);
    }
    let mut syncs = world.syncs.clone();
    while !syncs.is_empty() {
        other.syncs.push(syncs.remove(dice.below(syncs.len())));
    }
    other
}

fn shuffled_inventory(inventory: &Inventory, dice: &mut Dice) -> Inventory {
    let mut anew = Inventory { can: inventory.can, ..Inventory::default() };
    let mut items: Vec<_> = inventory.items().collect();
    while !items.is_empty() {
        anew.insert(items.remove(dice.below(items.len())));
    }
    anew.records.extend(inventory.records.clone().into_iter().rev());
    anew.holders.extend(inventory.holders.clone().into_iter().rev());
    anew.invalid.extend(inventory.invalid.clone().into_iter().rev());
    anew.unparsed.extend(inventory.unparsed.iter().rev().cloned());
    anew.ready_integrations.extend(inventory.ready_integrations.clone().into_iter().rev());
    anew
}
