//! A tenant that is handed over to a sync: what is equal passes to the sync, what differs becomes an override, and the
//! plan changes nothing.

use stablekey::api::*;
use stablekey::engine::handover::{Handover, Taken, handover};
use stablekey::engine::model::field::Field;
use stablekey::engine::model::inventory::{Sync, View};
use stablekey::engine::model::item::ObjectId;
use stablekey::engine::model::record::Writer;
use stablekey_testing::world::{Given, path, world};
use std::collections::BTreeSet;
use std::sync::Arc;

const CRM: &str = "eu/Connection/crm";
const ROUTER: &str = "eu/Integration/router";

/// Two tenants that were configured one by one: `eu` has a source, which is applied.
fn two() -> Given {
    world()
        .tenant("us", |t| {
            t.connection("crm", "http/basic")
                .title("CRM")
                .input("scopes", "api")
                .input("site", "https://us.example")
                .secret("password", "app")
                .integration("router")
                .binds("CRM", "crm")
                .defined("one")
        })
        .tenant("eu", |t| {
            t.accepts("us")
                .declares()
                .connection("crm", "http/basic")
                .title("CRM")
                .input("scopes", "api")
                .input("site", "https://eu.example")
                .secret("password", "app-eu")
                .integration("router")
                .binds("CRM", "crm")
                .defined("one")
        })
        .applied()
}

fn mirror(given: &Given) -> Sync {
    let given = given.clone().sync("us-to-eu", "us", "eu").mirror();
    given.world.syncs.last().unwrap().clone()
}

fn of(given: &Given, sync: &Sync) -> Handover {
    handover(&given.world, sync, "eu", "as imported").unwrap()
}

/// The world with the sync, its overrides, and a source that declares only what is left to it.
fn handed_over(given: &Given, sync: &Sync) -> Given {
    let result = of(given, sync);
    let mut after = given.clone();
    let mut sync = sync.clone();
    Arc::make_mut(&mut sync.spec).overrides.extend(result.overrides);
    after.world.syncs.retain(|other| other.writer != sync.writer);
    after.world.syncs.push(sync);
    if let Some(View::Read(own)) = &mut after.world.tenants.get_mut("eu").unwrap().source {
        let own = Arc::make_mut(own);
        for (id, taken) in &result.taken {
            match taken {
                Taken::Whole => own.remove(id),
                Taken::Fields(fields) => {
                    let item = own.get(id).unwrap();
                    own.insert(fields.iter().fold(item, |item, field| item.with(field, None)));
                }
            }
        }
    }
    after
}

/// "what is equal is taken out (its fields pass from `source` to `sync/<name>`: the record follows, no action), what
/// differs becomes an override".
#[test]
fn what_is_equal_passes_to_the_sync_and_what_differs_becomes_an_override() {
    let given = two();
    let result = of(&given, &mirror(&given));
    let values: Vec<_> = result.overrides.iter().map(|o| (o.input.as_deref(), o.value.as_deref())).collect();
    assert_eq!(values, [(Some("password"), None), (Some("site"), Some("https://eu.example"))]);
    assert_eq!(result.overrides[0].secret_ref.as_ref().unwrap().name, "app-eu");
    assert!(result.overrides.iter().all(|o| o.reason == "as imported" && o.tenant == "eu"));
    assert!(result.taken.values().all(|taken| *taken == Taken::Whole), "{:?}", result.taken);
    assert_eq!(result.taken.len(), 2);
    let after = handed_over(&given, &mirror(&given));
    after.plan().only_records();
    let after = after.applied();
    after.plan().is_empty().exits(0);
    for field in ["title", "inputs.scopes", "inputs.site", "inputs.password"] {
        assert_eq!(after.writers(CRM, field), ["sync/us-to-eu"], "{field}");
    }
    assert_eq!(after.writers(ROUTER, "connections.CRM"), ["sync/us-to-eu"]);
}

/// "a change in FROM is an update in TO".
#[test]
fn a_change_in_the_source_tenant_is_an_update_afterwards() {
    let given = two();
    let after = handed_over(&given, &mirror(&given)).applied();
    let after = after.tenant("us", |t| t.edit("Connection/crm").input("scopes", "api refresh"));
    after.plan().action(CRM).is_update();
    let after = after.applied();
    assert_eq!(after.value(CRM, "inputs.scopes").unwrap()["value"], "api refresh");
    assert_eq!(after.value(CRM, "inputs.site").unwrap()["value"], "https://eu.example");
}

/// A tenant without a source is handed over too: its values are recorded, and those that differ are its own.
#[test]
fn a_tenant_without_a_source_is_only_recorded() {
    let given = two().tenant("eu", |t| t.without_source());
    let mut given = given;
    given.edit_live("eu", |live| live.records.clear());
    let after = handed_over(&given, &mirror(&given));
    after.plan().only_records();
    after.applied().plan().is_empty().exits(0);
}

/// What no value can say is kept: an input that the tenant lacks. A definition stays in the source; where there is
/// none, it is kept.
#[test]
fn what_no_value_can_say_is_kept() {
    let given = two()
        .tenant("us", |t| t.edit("Connection/crm").input("note", "us").edit("Integration/router").defined("two"))
        .tenant("us", |t| t.edit("Integration/router").binds("More", "crm"));
    let result = of(&given, &mirror(&given));
    let kept: BTreeSet<_> =
        result.overrides.iter().filter(|o| o.keep.is_some()).filter_map(|o| o.field.clone()).collect();
    assert_eq!(kept, BTreeSet::from(["inputs.note", "connections.More"].map(String::from)));
    // The definition stays where it is declared: an override of it would have no effect.
    let router_id = ObjectId::new(Kind::Integration, "router");
    assert_eq!(result.stays[&router_id], BTreeSet::from([path("definition")]));
    let router = &result.taken[&ObjectId::new(Kind::Integration, "router")];
    assert_eq!(*router, Taken::Fields(BTreeSet::from([path("connections.CRM")])));
    let after = handed_over(&given, &mirror(&given));
    after.plan().only_records();
    after.applied().plan().is_empty().exits(0);
}

/// Without a source, a definition of its own is kept too.
#[test]
fn a_definition_of_its_own_is_kept() {
    let given =
        two().tenant("eu", |t| t.without_source()).tenant("us", |t| t.edit("Integration/router").defined("two"));
    let mut given = given;
    given.edit_live("eu", |live| live.records.clear());
    let result = of(&given, &mirror(&given));
    let kept: Vec<_> =
        result.overrides.iter().filter(|o| o.keep.is_some()).filter_map(|o| o.field.as_deref()).collect();
    assert_eq!(kept, ["definition"]);
    let after = handed_over(&given, &mirror(&given));
    after.plan().only_records();
    after.applied().plan().is_empty().exits(0);
}

/// What a sync never carries stays in the source, with what identifies the object.
#[test]
fn what_does_not_cross_stays_in_the_source() {
    let given = two().tenant("eu", |t| {
        t.declares().edit("Connection/crm").test_input("user", "tester").deletion(DeletionPolicy::Retain)
    });
    let given = given.applied();
    let result = of(&given, &mirror(&given));
    let Taken::Fields(fields) = &result.taken[&ObjectId::new(Kind::Connection, "crm")] else { panic!("{result:?}") };
    let names: Vec<String> = fields.iter().map(Field::to_string).collect();
    assert_eq!(names, ["title", "inputs.password", "inputs.scopes", "inputs.site"]);
    let after = handed_over(&given, &mirror(&given)).applied();
    after.plan().is_empty().exits(0);
    assert_eq!(after.writers(CRM, "test.inputs.user"), ["source"]);
    assert_eq!(after.value(CRM, "test.inputs.user").unwrap()["value"], "tester");
}

/// A variable that is bound to another key is an override, and the sync brings that connection.
#[test]
fn a_variable_bound_to_another_key_is_an_override() {
    let given = two().tenant("us", |t| t.connection("crm-eu", "http/basic").title("EU"));
    let given = given.tenant("eu", |t| {
        t.declares()
            .connection("crm-eu", "http/basic")
            .title("EU")
            .edit("Integration/router")
            .without_variable("CRM")
            .binds("CRM", "crm-eu")
    });
    let given = given.applied();
    let result = of(&given, &mirror(&given));
    let variable = result.overrides.iter().find(|o| o.variable.is_some()).unwrap();
    assert_eq!(variable.stable_key.as_deref(), Some("crm-eu"));
    assert_eq!(result.taken[&ObjectId::new(Kind::Connection, "crm-eu")], Taken::Whole);
    let after = handed_over(&given, &mirror(&given));
    after.plan().only_records();
    after.applied().plan().is_empty().exits(0);
}

/// "`Match` (none is written; the default)": connections stay in the source. So do those of `Create`, which belong to
/// the tenant once they are there.
#[test]
fn a_sync_that_writes_no_connection_takes_none() {
    let given = two();
    for sync in [given.clone().sync("s", "us", "eu"), given.clone().sync("s", "us", "eu").create()] {
        let result = of(&given, sync.world.syncs.last().unwrap());
        assert_eq!(result.overrides, []);
        assert_eq!(result.taken.keys().collect::<Vec<_>>(), [&ObjectId::new(Kind::Integration, "router")]);
    }
}

/// A connection of another type cannot be brought: it stays as it is, and is named.
#[test]
fn another_type_stays_in_the_source() {
    let given = two().tenant("us", |t| t.edit("Connection/crm").of_kind("http/oauth2"));
    let result = of(&given, &mirror(&given));
    let crm = ObjectId::new(Kind::Connection, "crm");
    assert_eq!(result.other_kind[&crm].to_string(), "type");
    assert!(!result.taken.contains_key(&crm));
    // The engine says that the integration would be bound to another type; nothing is changed.
    handed_over(&given, &mirror(&given)).plan().is_empty();
}

/// A sync that feeds the tenant already: its update that waits is no difference, and a second handover finds nothing.
#[test]
fn a_pending_update_of_the_sync_is_no_override() {
    let given = two();
    let after = handed_over(&given, &mirror(&given)).applied();
    let sync = after.world.syncs.last().unwrap().clone();
    assert_eq!(of(&after, &sync).overrides, []);
    let changed = after.tenant("us", |t| t.edit("Connection/crm").input("scopes", "api refresh"));
    let result = of(&changed, &sync);
    assert_eq!((result.overrides.len(), result.taken.len()), (0, 0));
    // An import writes down what is there.
    let imported = changed.tenant("eu", |t| {
        t.declares()
            .connection("crm", "http/basic")
            .title("CRM")
            .input("scopes", "api")
            .input("site", "https://eu.example")
    });
    let result = of(&imported, &sync);
    assert_eq!(result.overrides, []);
    assert_eq!(result.taken[&ObjectId::new(Kind::Connection, "crm")], Taken::Whole);
    let after = handed_over(&imported, &sync);
    after.plan().action(CRM).is_update();
}

/// What somebody changed in the tenant by hand is its own after an import.
#[test]
fn what_drifted_becomes_an_override() {
    let given = two();
    let after = handed_over(&given, &mirror(&given)).applied();
    let sync = after.world.syncs.last().unwrap().clone();
    let drifted = after.tenant("eu", |t| t.edit("Connection/crm").input("scopes", "theirs"));
    let result = of(&drifted, &sync);
    assert_eq!(result.overrides.len(), 1);
    assert_eq!(result.overrides[0].value.as_deref(), Some("theirs"));
    assert_eq!(sync.writer, Writer::Sync("us-to-eu".to_string()));
}
