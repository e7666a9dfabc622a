//! An adoption changes no spec: every field in every sequence of states of the ownership record, in a folder and in a
//! cluster. After each apply each object differs in exactly the fields that the plan names.

use crate::locations::contract::{Harness, live, run};
use crate::locations::fixtures::*;
use stablekey::api::*;
use stablekey::engine::model::field::Field;
use stablekey::engine::model::inventory::{Inventory, View, World};
use stablekey::engine::model::item::Item;
use stablekey::engine::model::plan::{ActionKind, Op, Plan, Scope};
use stablekey::engine::plan::plan;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The writer.
#[derive(Clone, Copy, PartialEq)]
pub enum By {
    Sync,
    Source,
}

/// A step of a field. Values are numbered; `None`: the field is absent.
#[derive(Clone, Copy)]
enum Step {
    /// The writer declares this value.
    Declared(Option<usize>),
    /// Somebody edits it; the desired value is unchanged.
    Edited(Option<usize>),
}

use Step::{Declared, Edited};

const WAYS: [&[Step]; 7] = [
    // Recorded, removed, written again, updated.
    &[Declared(Some(0)), Declared(None), Declared(Some(0)), Declared(Some(1))],
    // Recorded, updated, removed.
    &[Declared(Some(0)), Declared(Some(1)), Declared(None), Declared(Some(0))],
    // The target's own: kept, then recorded as it is, then no longer desired.
    &[Declared(None), Edited(Some(2)), Declared(Some(0)), Declared(Some(2)), Declared(None)],
    // Drift, forgotten, the target's own.
    &[Declared(Some(0)), Edited(Some(2)), Declared(None), Declared(Some(1)), Declared(Some(2))],
    // Removed manually, another value desired, no longer desired.
    &[Declared(Some(0)), Edited(None), Declared(Some(1)), Declared(None), Declared(Some(0))],
    // Drift that is reverted manually.
    &[Declared(Some(0)), Edited(Some(2)), Edited(Some(0)), Declared(Some(1)), Declared(None)],
    // Desired as it is already.
    &[Declared(None), Edited(Some(0)), Declared(Some(0)), Declared(Some(1)), Declared(None)],
];

/// Whether this is the last step of a sequence in which a person wrote the field first: the field is released.
pub fn is_released(id: &str, step: usize) -> bool {
    let ended_at = WAYS.iter().map(|way| way.len() - 1).enumerate().filter(|(number, _)| [2, 6].contains(number));
    ended_at.into_iter().any(|(number, last)| step == last && id.ends_with(&format!("-{number}")))
}

/// Sets a field to a numbered value.
type Set = fn(&mut Item, Option<usize>);

fn of_connection(item: &mut Item, set: impl FnOnce(&mut ConnectionSpec)) {
    let Item::Connection(object) = item else { panic!() };
    set(&mut Arc::make_mut(object).spec);
}

fn of_integration(item: &mut Item, set: impl FnOnce(&mut IntegrationSpec)) {
    let Item::Integration(object, _) = item else { panic!() };
    set(&mut Arc::make_mut(object).spec);
}

fn put(inputs: &mut BTreeMap<String, Input>, name: &str, input: Option<Input>) {
    match input {
        Some(input) => drop(inputs.insert(name.to_string(), input)),
        None => drop(inputs.remove(name)),
    }
}

fn secret(number: usize) -> Input {
    Input::secret(format!("app-{number}"), "clientSecret")
}

/// The fields of connections that a sync copies.
const OF_CONNECTIONS: [(&str, Set); 8] = [
    ("title", |item, to| of_connection(item, |spec| spec.title = to.map(|n| format!("title {n}")))),
    ("description", |item, to| of_connection(item, |spec| spec.description = to.map(|n| format!("text {n}")))),
    ("embedded", |item, to| of_connection(item, |spec| spec.embedded_workflows = to.map(|n| n == 1))),
    ("value", |item, to| of_connection(item, |s| put(&mut s.inputs, "x", to.map(|n| Input::value(format!("v{n}")))))),
    ("secret", |item, to| of_connection(item, |spec| put(&mut spec.inputs, "clientSecret", to.map(secret)))),
    ("per-customer", |item, to| {
        let input = |n| if n == 0 { Input::PER_CUSTOMER } else { Input::value(format!("v{n}")) };
        of_connection(item, |spec| put(&mut spec.inputs, "x", to.map(input)));
    }),
    ("kind", |item, to| {
        let input = |n| if n == 0 { Input::value("v") } else { secret(n) };
        of_connection(item, |spec| put(&mut spec.inputs, "x", to.map(input)));
    }),
    ("replaces", |item, to| {
        of_connection(item, |spec| {
            spec.replaces = to.map(|n| vec![format!("old-{}-{n}", spec.stable_key)]).unwrap_or_default()
        });
    }),
];

/// The fields that only a source declares.
const OF_CONNECTIONS_BY_SOURCE: [(&str, Set); 3] = [
    ("test-input", |item, to| {
        of_connection(item, |spec| {
            let mut test = spec.test.take().unwrap_or_default();
            put(&mut test.inputs, "user", to.map(|n| Input::value(format!("u{n}"))));
            spec.test = (!test.inputs.is_empty()).then_some(test);
        });
    }),
    ("deletion-policy", |item, to| {
        let policy = |n| if n == 1 { DeletionPolicy::Delete } else { DeletionPolicy::Retain };
        of_connection(item, |spec| spec.deletion_policy = to.map(policy));
    }),
    ("label", |item, to| {
        let Item::Connection(object) = item else { panic!() };
        let labels = &mut Arc::make_mut(object).metadata.labels;
        match to {
            Some(n) => drop(labels.insert("team".to_string(), format!("team-{n}"))),
            None => drop(labels.remove("team")),
        }
    }),
];

const OF_INTEGRATIONS: [(&str, Set); 3] = [
    ("i-title", |item, to| of_integration(item, |spec| spec.title = to.map(|n| format!("title {n}")))),
    ("i-variable", |item, to| {
        of_integration(item, |spec| {
            spec.connections.retain(|variable| variable.name != "Moves");
            spec.connections.extend(to.map(|n| Variable::bound("Moves", format!("base-{n}"))));
        });
    }),
    ("i-own", |item, to| {
        of_integration(item, |spec| {
            spec.connections.retain(|variable| variable.name != "Moves");
            let own =
                Means::Own(OwnConnection { component: ComponentRef::new("http", true), type_: "basic".to_string() });
            spec.connections.extend(to.map(|n| match n {
                0 => Variable { name: "Moves".to_string(), means: own },
                n => Variable::bound("Moves", format!("base-{n}")),
            }));
        });
    }),
];

/// An object for each field and sequence.
struct Case {
    item: Item,
    set: Set,
    way: &'static [Step],
    declared: Option<usize>,
}

fn cases(by: By) -> Vec<Case> {
    let of_source: &[(&str, Set)] = if by == By::Source { &OF_CONNECTIONS_BY_SOURCE } else { &[] };
    let mut cases = Vec::new();
    for (number, way) in WAYS.iter().enumerate() {
        for (name, set) in OF_CONNECTIONS.iter().chain(of_source) {
            let mut item = connection(&format!("{name}-{number}"), &[("scopes", Input::value("api"))]);
            of_connection(&mut item, |spec| (spec.title, spec.deletion_policy) = (None, None));
            cases.push(Case { item, set: *set, way, declared: None });
        }
        for (name, set) in OF_INTEGRATIONS {
            let item = integration(&format!("{name}-{number}"), &[("Stays", "base-0")], None);
            cases.push(Case { item, set, way, declared: None });
        }
        // The first entry of its map, and the last.
        for (name, set) in OF_CONNECTIONS.iter().filter(|(name, _)| ["value", "kind"].contains(name)) {
            let item = connection(&format!("only-{name}-{number}"), &[]);
            cases.push(Case { item, set: *set, way, declared: None });
        }
        let [_, (_, set), _] = OF_INTEGRATIONS;
        cases.push(Case { item: integration(&format!("i-only-{number}"), &[], None), set, way, declared: None });
    }
    cases
}

/// Returns the desired objects: the cases in their current step, and integrations that use all of their connections.
fn declared(cases: &[Case]) -> Vec<Item> {
    let mut all: Vec<Item> = (0..3).map(|n| connection(&format!("base-{n}"), &[])).collect();
    for case in cases {
        let mut item = case.item.clone();
        (case.set)(&mut item, case.declared);
        all.push(item);
    }
    let keys: Vec<String> = all.iter().filter(|i| matches!(i, Item::Connection(_))).map(|i| i.id().name).collect();
    for (number, some) in keys.chunks(60).enumerate() {
        let bindings: Vec<(&str, &str)> = some.iter().map(|key| (key.as_str(), key.as_str())).collect();
        all.push(integration(&format!("uses-{number}"), &bindings, None));
    }
    all
}

fn planned_by(by: By, source: &[Item], live: Arc<Inventory>) -> Plan {
    let mut world: World = world(source, live);
    if by == By::Source {
        world.syncs.clear();
        world.tenants.remove("us-prod");
        let tenant = world.tenants.get_mut(TENANT).unwrap();
        tenant.source = Some(View::Read(Arc::new(inventory(source))));
    }
    plan(&world, &Scope::default())
}

/// Returns the fields in which an object differs.
fn differing(before: &Item, after: &Item) -> BTreeSet<String> {
    let fields =
        |item: &Item| item.fields(true).into_iter().map(|(f, _)| f.into_owned()).collect::<BTreeSet<Field<'_>>>();
    let all: BTreeSet<_> = fields(before).union(&fields(after)).cloned().collect();
    let value = |item: &Item, field: &Field<'_>| item.written(field).map(|value| value.to_json());
    all.into_iter().filter(|field| value(before, field) != value(after, field)).map(|field| field.to_string()).collect()
}

/// Runs all sequences, and returns the contents after each step.
pub fn run_all_transitions(harness: &dyn Harness, by: By) -> Vec<BTreeMap<String, String>> {
    let mut cases = cases(by);
    let mut seen = Vec::new();
    for step in 0..WAYS.iter().map(|way| way.len()).max().unwrap() {
        for case in &mut cases {
            match case.way.get(step) {
                Some(Declared(to)) => case.declared = *to,
                Some(Edited(to)) => {
                    let mut item = live(harness).get(&case.item.id()).unwrap();
                    (case.set)(&mut item, *to);
                    harness.edits(&item);
                }
                None => {}
            }
        }
        let source = declared(&cases);
        let before = live(harness);
        let plan = planned_by(by, &source, before.clone());
        let report = run(harness, &plan, &[]);
        assert_eq!(report.undone().collect::<Vec<_>>(), vec![], "step {step}");
        let after = live(harness);
        let mut acted = BTreeSet::new();
        for action in actions(&plan) {
            let id = &action.change.object;
            acted.insert(id.clone());
            let (Some(was), Some(is)) = (before.get(id), after.get(id)) else {
                assert!(matches!(action.action, ActionKind::Create | ActionKind::Delete), "step {step}: {}", action.id);
                continue;
            };
            let named = action.fields.iter().filter(|change| matches!(change.op, Op::Set | Op::Remove));
            let named: BTreeSet<String> = named.map(|change| change.field.to_string()).collect();
            assert_eq!(differing(&was, &is), named, "step {step}: {} {:#?}", action.id, action.fields);
        }
        for item in before.items().filter(|item| !acted.contains(&item.id())) {
            assert_eq!(after.get(&item.id()).unwrap().to_json(), item.to_json(), "step {step}: no action names it");
        }
        let left = planned_by(by, &source, after.clone());
        assert!(left.is_empty(), "step {step}: {:#?}", actions(&left));
        seen.push(after.items().map(|item| (item.id().to_string(), item.to_json().to_string())).collect());
    }
    seen
}
