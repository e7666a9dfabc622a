//! Stored states: nothing secret is in them, and a plan with one equals the plan with live for what a pull request shows.

use super::{brief, config, summary, whole, worlds};
use proptest::prelude::*;
use stablekey::api::{Input, Kind, SecretRef, TypeInput};
use stablekey::engine::model::canonical::FieldHash;
use stablekey::engine::model::field::{Field, FieldKind, FieldValue};
use stablekey::engine::model::inventory::{Inventory, View, World};
use stablekey::engine::model::item::ObjectId;
use stablekey::engine::model::plan::{Action, Plan};
use stablekey::engine::model::record::{Record, Writer, Wrote};
use stablekey::engine::stored::{KnownSecrets, StoredInventory};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use worlds::{Dice, worlds_with_history};

fn live<'w>(world: &'w World, tenant: &str) -> Option<&'w Arc<Inventory>> {
    world.tenants[tenant].live.inventory()
}

/// The state as another machine reads it.
fn carried(stored: &StoredInventory) -> StoredInventory {
    serde_json::from_str(&serde_json::to_string(stored).unwrap()).unwrap()
}

/// The world with one tenant as its stored state has it. The references of all files are known.
fn with_stored(world: &World, tenant: &str) -> World {
    let mut known = KnownSecrets::default();
    for (name, view) in &world.tenants {
        let other = view.live.inventory().filter(|_| name != tenant);
        let source = view.source.as_ref().and_then(View::inventory);
        other.into_iter().chain(source).for_each(|inventory| known.learn(inventory));
    }
    let overrides = world.syncs.iter().flat_map(|sync| &sync.spec.overrides);
    overrides.filter_map(|o| o.secret_ref.as_ref()).for_each(|reference| known.add(reference));
    let mut world = world.clone();
    let stored = carried(&StoredInventory::of(live(&world, tenant).unwrap(), &known));
    let source = world.tenants[tenant].source.as_ref().and_then(View::inventory).cloned();
    let inventory = stored.to_inventory(tenant, &known, source.as_deref()).unwrap();
    world.tenants.get_mut(tenant).unwrap().live = View::Read(Arc::new(inventory));
    world
}

/// Whether a field's value names a secret of unknown origin.
fn is_unknown(value: Option<&stablekey::engine::model::canonical::Json>) -> bool {
    value.is_some_and(|value| value.value().pointer("/secretRef/name").is_some_and(|name| name == ""))
}

/// The changed fields of connections and integrations, by action. What the state cannot know is left out.
fn shown(plan: &Plan, unknown: &BTreeSet<(String, String)>) -> BTreeMap<String, Vec<String>> {
    let of = |action: &Action| {
        let fields = action.fields.iter().filter(|change| {
            let is_label = matches!(change.field.kind, FieldKind::Label | FieldKind::Annotation);
            !is_label && !unknown.contains(&(action.id.clone(), change.field.to_string()))
        });
        let fields = fields.map(|change| format!("{:?} {} {:?} {:?}", change.op, change.field, change.from, change.to));
        (action.id.clone(), fields.collect::<Vec<_>>())
    };
    let is_shown = |action: &&Action| matches!(action.change.object.kind, Kind::Connection | Kind::Integration);
    let all = plan.actions().map(|(_, action)| action).filter(is_shown).map(of);
    all.filter(|(_, fields)| !fields.is_empty()).collect()
}

fn plan_equals(world: &World, tenant: &str) -> Result<usize, TestCaseError> {
    let (with_live, with_stored) = (whole(world), whole(&with_stored(world, tenant)));
    let changes = with_stored.actions().flat_map(|(_, action)| action.fields.iter().map(move |of| (action, of)));
    let unknown = changes.filter(|(_, of)| is_unknown(of.from.as_ref()) || is_unknown(of.to.as_ref()));
    let unknown: BTreeSet<_> = unknown.map(|(action, of)| (action.id.clone(), of.field.to_string())).collect();
    let story =
        || format!("{tenant}\n{}\nlive\n{}\nstored\n{}", summary(world), brief(&with_live), brief(&with_stored));
    let (of_live, of_stored) = (shown(&with_live, &unknown), shown(&with_stored, &unknown));
    prop_assert_eq!(&of_live, &of_stored, "{}", story());
    Ok(of_live.len())
}

fn canary(reference: &mut SecretRef) {
    reference.name = format!("CANARY-{}", reference.name);
    reference.key = format!("CANARY-{}", reference.key);
}

/// The same state, with a canary wherever a secret, a reference to one or a customer is.
fn with_canaries(inventory: &Inventory) -> Inventory {
    let mut inventory = inventory.clone();
    for connection in inventory.connections.values_mut() {
        let connection = Arc::make_mut(connection);
        connection.metadata.annotations.insert("note".to_string(), "CANARY".to_string());
        let spec = &mut connection.spec;
        let test = spec.test.iter_mut().flat_map(|test| test.inputs.values_mut());
        for input in spec.inputs.values_mut().chain(test) {
            if let Input::SecretRef(reference) = input {
                canary(reference);
            }
        }
        // What a person typed where no secret belongs.
        spec.inputs.insert("apiKey".to_string(), Input::value("CANARY"));
        spec.inputs.insert("site".to_string(), Input::value("https://ann:CANARY-word@acme.example/"));
        spec.description = Some("-----BEGIN PRIVATE KEY-----CANARY".to_string());
    }
    let credentials = std::mem::take(&mut inventory.customer_credentials);
    for (name, mut object) in credentials {
        let of = Arc::make_mut(&mut object);
        of.spec.customer = format!("CANARY {name}");
        of.metadata.name = format!("canary-{name}");
        of.spec.inputs.values_mut().for_each(|input| *input = Input::value("CANARY"));
        inventory.customer_credentials.insert(of.metadata.name.clone(), object);
    }
    inventory.unparsed.insert("CANARY.yaml".to_string());
    inventory.unread.insert("CANARY".to_string(), Some("CANARY".into()));
    inventory
}

/// Adds to the records that each of these secrets was written, before its Component or its name called it one: where it is
/// still, where something else is now, and to an object that is gone. Returns their hashes.
fn with_recorded_canaries(inventory: &mut Inventory) -> BTreeSet<String> {
    let mut hashes = BTreeSet::new();
    let mut wrote = |value: FieldValue<'_>| {
        hashes.insert(value.hash().to_string());
        Wrote { hash: value.hash(), writers: Arc::new([Writer::Source].into()) }
    };
    let secret = TypeInput { secret: Some(true), ..TypeInput::default() };
    for component in inventory.components.values_mut() {
        for type_ in &mut Arc::make_mut(component).spec.types {
            type_.inputs.insert("pin".to_string(), secret.clone());
        }
    }
    let typed: BTreeSet<String> = inventory
        .connections
        .iter()
        .filter(|(_, connection)| inventory.types_of(&connection.spec).next().is_some())
        .map(|(name, _)| name.clone())
        .collect();
    let (pin, before) = (Input::value("4711"), Input::value("0815"));
    for (name, connection) in &mut inventory.connections {
        let spec = &mut Arc::make_mut(connection).spec;
        if typed.contains(name) {
            spec.inputs.insert("pin".to_string(), pin.clone());
        }
        let id = ObjectId::new(Kind::Connection, name);
        let record = inventory.records.entry(id).or_insert_with(|| Arc::new(Record::of("us")));
        let record = Arc::make_mut(record);
        let is_typed = typed.contains(name);
        let is_taken = |name: &str| ["apiKey", "site"].contains(&name) || is_typed && name == "pin";
        for (name, input) in spec.inputs.iter().filter(|(name, _)| is_taken(name)) {
            record.fields.insert(Field::named(FieldKind::Input, name).into_owned(), wrote(FieldValue::Input(input)));
        }
        let references = spec.inputs.iter().filter(|(_, input)| matches!(input, Input::SecretRef(_)));
        for (name, _) in references {
            record.fields.insert(Field::named(FieldKind::Input, name).into_owned(), wrote(FieldValue::Input(&before)));
        }
        let description = spec.description.as_deref().map(|text| wrote(FieldValue::Text(text)));
        record.fields.extend(description.map(|wrote| (Field::of(FieldKind::Description), wrote)));
        record.sent.insert(wrote(FieldValue::Input(&before)).hash, FieldHash::UNKNOWN);
    }
    let of_gone = |name| (Field::named(FieldKind::Input, name).into_owned(), FieldValue::Input(&pin));
    let gone = ["apiKey", "pin"].map(of_gone);
    let gone = gone.into_iter().filter(|(field, _)| field.name == "apiKey" || !inventory.components.is_empty());
    let fields = gone.map(|(field, value)| (field, wrote(value))).collect();
    let record = Record { fields, ..Record::of("us") };
    inventory.records.insert(ObjectId::new(Kind::Connection, "gone-long-ago"), Arc::new(record));
    hashes
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_stored_state_has_no_secret(dice in worlds::dice()) {
        for world in worlds_with_history(&mut Dice::new(&dice)) {
            for inventory in world.tenants.values().filter_map(|view| view.live.inventory()) {
                let mut inventory = with_canaries(inventory);
                let hashes = with_recorded_canaries(&mut inventory);
                let stored = StoredInventory::of(&inventory, &KnownSecrets::default());
                let text = serde_json::to_string(&stored).unwrap();
                prop_assert!(!text.to_lowercase().contains("canary"), "{text}");
                let hash = hashes.iter().find(|hash| text.contains(*hash));
                prop_assert!(hash.is_none(), "{hash:?} {text}");
            }
        }
    }
}

#[test]
fn a_plan_with_a_stored_state_equals_the_plan_with_live() {
    let compared = std::cell::Cell::new(0);
    let law = |dice: Vec<u8>| -> Result<(), TestCaseError> {
        let mut dice = Dice::new(&dice);
        for world in worlds_with_history(&mut dice) {
            let read: Vec<&String> = world.tenants.keys().filter(|tenant| live(&world, tenant).is_some()).collect();
            if !read.is_empty() {
                compared.set(compared.get() + plan_equals(&world, read[dice.below(read.len())])?);
            }
        }
        Ok(())
    };
    let mut runner = proptest::test_runner::TestRunner::new(config());
    runner.run(&worlds::dice(), law).unwrap_or_else(|error| panic!("{error}"));
    assert!(compared.get() > 200, "only {} actions were compared: the worlds say too little", compared.get());
}
