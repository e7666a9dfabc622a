//! A connection field by field: who wrote what, and a field is in sync only where that is certain.

use stablekey::api::{Drift, Input};
use stablekey::engine::model::record::Writer;
use stablekey::report::connection_fields::{
    ConnectionFields, FieldCell, FieldState, OverviewState, ShownValue, WrittenBy,
};
use stablekey_testing::world::*;
use std::sync::Arc;

fn fields(given: &Given) -> ConnectionFields {
    let planned = given.plan();
    ConnectionFields::of(&planned.world.world, &planned.plan, "crm")
}

fn cell<'f>(fields: &'f ConnectionFields, tenant: &str, label: &str) -> &'f FieldCell {
    let column = fields.tenants.iter().position(|t| t.tenant == tenant).unwrap();
    let row = fields.rows.iter().find(|row| row.label() == label);
    &row.unwrap_or_else(|| panic!("no {label} in {:?}", labels(fields))).cells[column]
}

fn labels(fields: &ConnectionFields) -> Vec<String> {
    fields.rows.iter().map(|row| row.label()).collect()
}

/// `in sync, x, by sync up`
fn shown(cell: &FieldCell) -> String {
    let to = cell.desired.as_ref().map(|to| format!(" → {}", to.words())).unwrap_or_default();
    format!("{}: {}{to}, by {}", cell.state.word(), cell.value.words(), cell.by.words())
}

fn mirrored() -> Given {
    world()
        .tenant("dev", |t| {
            t.connection("crm", "a/b")
                .title("CRM")
                .input("host", "x")
                .secret("token", "app")
                .integration("lead")
                .binds("C", "crm")
        })
        .tenant("prod", |t| t.accepts("dev"))
        .sync("up", "dev", "prod")
        .mirror()
}

fn edit(given: &mut Given, tenant: &str, input: &str, value: &str) {
    given.edit_live(tenant, |inventory| {
        let crm = inventory.connections.get_mut("crm").unwrap();
        Arc::make_mut(crm).spec.inputs.insert(input.into(), Input::value(value));
    });
}

#[test]
fn the_writer_of_each_field_is_told() {
    let before = fields(&mirrored());
    assert_eq!(shown(cell(&before, "dev", "host")), "not managed: x, by not managed");
    assert_eq!(shown(cell(&before, "prod", "host")), "to update: none → x, by sync up");
    assert_eq!(before.tenants[1].cell.state, OverviewState::Create);
    assert!(!before.tenants[1].is_there && before.is_anywhere());
    let after = fields(&mirrored().applied());
    assert_eq!(shown(cell(&after, "prod", "host")), "in sync: x, by sync up");
    assert_eq!(shown(cell(&after, "prod", "token")), "in sync: Secret app / token, by sync up");
    assert_eq!(cell(&after, "prod", "title").by.syncs(), ["up"]);
    assert!(cell(&after, "prod", "host").is_as_first);
    assert_eq!(labels(&after), ["title", "component", "type", "credentials", "embeddedWorkflows", "host", "token"]);
    assert_eq!(shown(cell(&after, "prod", "embeddedWorkflows")), "absent: none, by not managed");
    let used_by = &after.tenants[1].used_by;
    assert_eq!((used_by.len(), used_by[0].name.as_str(), after.tenants[1].open), (1, "lead", 0));
}

#[test]
fn drift_kept_and_overridden_values_show_what_is_declared() {
    let mut w = mirrored().applied();
    edit(&mut w, "prod", "host", "y");
    assert_eq!(shown(cell(&fields(&w), "prod", "host")), "drift: y → x, by drift: changed outside Stablekey");
    let ignored = w.clone().tenant("prod", |t| t.drift(Drift::Ignore));
    assert_eq!(cell(&fields(&ignored), "prod", "host").state, FieldState::DriftIgnored);
    assert!(!cell(&fields(&w), "prod", "host").is_as_first);
    w.edit_live("prod", |inventory| inventory.records.clear());
    let kept = fields(&w);
    let host = cell(&kept, "prod", "host");
    assert_eq!((host.state, host.desired.clone()), (FieldState::Kept, Some(ShownValue::Text("x".into()))));
    assert_eq!(host.by.words(), "kept: not managed by sync up");
    let own = mirrored().tenant("prod", |t| t.declares().connection("crm", "a/b").input("host", "own")).applied();
    assert_eq!(shown(cell(&fields(&own), "prod", "host")), "overridden: own → x, by source");
}

#[test]
fn an_override_is_the_writer_of_its_field() {
    let w = mirrored()
        .overriding("prod", |o| {
            (o.stable_key, o.input, o.value) = (Some("crm".into()), Some("host".into()), Some("eu".into()));
            o.reason = "its own host".into();
        })
        .applied();
    let fields = fields(&w);
    assert_eq!(shown(cell(&fields, "prod", "host")), "in sync: eu, by override \"its own host\" of sync up");
    let by = &cell(&fields, "prod", "host").by;
    assert!(matches!(by, WrittenBy::Override { sync: Writer::Sync(name), position: 0, .. } if name == "up"));
    assert_eq!(shown(cell(&fields, "prod", "title")), "in sync: CRM, by sync up");
}

#[test]
fn a_field_is_in_sync_only_where_that_is_certain() {
    let state = |given: Given| {
        let fields = fields(&given);
        (cell(&fields, "prod", "host").state, fields.tenants[1].cell.state)
    };
    let unknown = (FieldState::Unknown, OverviewState::Unknown);
    assert_eq!(state(mirrored().applied().tenant("prod", |t| t.unparsed("x.yaml"))), unknown);
    assert_eq!(state(mirrored().applied().tenant("dev", |t| t.unparsed("x.yaml"))), unknown);
    assert_eq!(state(mirrored().applied().tenant("dev", |t| t.unreachable())), unknown);
    assert_eq!(state(mirrored().applied().tenant("prod", |t| t.accepts_nobody())), unknown);
    assert_eq!(state(mirrored().applied().without_sync("up")), unknown);
    assert_eq!(state(mirrored().applied().suspended()), (FieldState::InSync, OverviewState::InSync));
    let pending = mirrored().applied().tenant("dev", |t| t.connection("crm", "a/b").input("host", "y")).suspended();
    assert_eq!(state(pending), (FieldState::Waiting, OverviewState::Waiting));
    let conflict = mirrored()
        .applied()
        .tenant("other", |t| t.connection("crm", "a/b").input("host", "z").integration("lead").binds("C", "crm"))
        .tenant("prod", |t| t.accepts("other"))
        .sync("too", "other", "prod")
        .mirror();
    let fields = fields(&conflict);
    assert_eq!(cell(&fields, "prod", "title").state, FieldState::Unknown);
    assert_eq!(fields.tenants.iter().find(|t| t.tenant == "prod").unwrap().cell.state, OverviewState::Blocked);
}

#[test]
fn a_gone_writer_of_a_folder_manages_nothing() {
    let w = mirrored().tenant("prod", |t| t.in_folder()).applied().without_sync("up");
    assert_eq!(shown(cell(&fields(&w), "prod", "host")), "not managed: x, by sync up");
}

#[test]
fn no_secret_is_shown() {
    let w = world()
        .tenant("dev", |t| {
            t.component("a/b")
                .has_secret("pin")
                .requires("host")
                .has_input("area")
                .connection("crm", "a/b")
                .input("area", "1")
                .input("zone", "2")
        })
        .tenant("prod", |t| t.declares().connection("crm", "a/b").input("pin", "CANARY").input("password", "CANARY"))
        .tenant("test", |t| {
            t.connection("crm", "a/b")
                .input("pin", "CANARY")
                .input("url", "https://u:CANARY@h")
                .test_input("token", "CANARY")
        });
    let fields = fields(&w);
    assert_eq!(cell(&fields, "test", "pin").value, ShownValue::Hidden);
    assert_eq!(cell(&fields, "test", "url").value, ShownValue::Hidden);
    assert!(!format!("{fields:?}").contains("CANARY"), "{fields:#?}");
    let planned = w.plan();
    let overview = stablekey::report::overview::Overview::of(&planned.world.world, &planned.plan);
    assert!(!format!("{overview:?}").contains("CANARY"), "{overview:#?}");
    let inputs: Vec<String> = labels(&fields).into_iter().skip(5).collect();
    assert_eq!(inputs, ["host", "area", "pin", "password", "url", "zone", "token"]);
    let row = fields.rows.iter().find(|row| row.label() == "host").unwrap();
    assert!(row.is_required && !row.is_secret && row.cells.iter().all(|cell| cell.value == ShownValue::Absent));
    assert!(fields.rows.iter().any(|row| row.label() == "pin" && row.is_secret));
}

#[test]
fn customers_are_counts() {
    let w = world().tenant("dev", |t| {
        t.connection("crm", "a/b")
            .per_customer("host")
            .customer("ada", "crm")
            .input("host", "CANARY")
            .customer("bob", "crm")
    });
    let fields = fields(&w);
    let host = cell(&fields, "dev", "host");
    assert_eq!((&host.value, host.given, fields.tenants[0].customers), (&ShownValue::PerCustomer, 1, 2));
    assert!(!format!("{fields:?}").contains("CANARY") && !format!("{fields:?}").contains("ada"));
}

#[test]
fn an_older_key_counts_for_what_replaces_it() {
    let w = world().tenant("dev", |t| {
        t.connection("crm", "a/b").replaces("old").connection("old", "a/b").integration("lead").binds("C", "old")
    });
    let fields = fields(&w);
    assert_eq!(fields.tenants[0].used_by.len(), 1);
    assert_eq!(shown(cell(&fields, "dev", "replaces")), "not managed: old, by not managed");
    let planned = w.plan();
    let nothing = ConnectionFields::of(&planned.world.world, &planned.plan, "none");
    assert!(!nothing.is_anywhere() && nothing.rows.is_empty());
}

#[test]
fn what_is_only_to_be_recorded_is_in_sync() {
    let w = world().tenant("prod", |t| {
        t.connection("crm", "a/b")
            .input("host", "x")
            .input("area", "1")
            .declares()
            .connection("crm", "a/b")
            .input("host", "x")
    });
    let before = fields(&w);
    assert_eq!(before.tenants[0].cell.state, OverviewState::Adopt);
    assert_eq!(shown(cell(&before, "prod", "host")), "in sync: x, by source");
    assert_eq!(shown(cell(&before, "prod", "area")), "not managed: 1, by not managed");
    let after = fields(&w.applied());
    assert_eq!(shown(cell(&after, "prod", "host")), "in sync: x, by source");
    assert_eq!(after.tenants[0].cell.state, OverviewState::InSync);
}

#[test]
fn what_a_writer_takes_out_is_shown_as_removed() {
    let of = |t: GivenTenant| t.declares().connection("crm", "a/b").input("host", "x");
    let w = world().tenant("prod", |t| of(t).title("CRM")).applied().tenant("prod", |t| t.declares_nothing());
    let w = w.tenant("prod", of);
    assert_eq!(shown(cell(&fields(&w), "prod", "title")), "to update: CRM → none, by source");
    let suspended = w.tenant("prod", |t| t.suspended());
    assert_eq!(shown(cell(&fields(&suspended), "prod", "title")), "waits: CRM → none, by source");
}

#[test]
fn a_field_that_one_tenant_lacks_differs() {
    let differing = |given: &Given| {
        let fields = fields(given);
        let rows = fields.rows.iter().filter(|row| fields.differs(row));
        rows.map(|row| row.label()).collect::<Vec<String>>()
    };
    let crm = |t: GivenTenant| t.connection("crm", "a/b").title("CRM").input("host", "x");
    let same = world().tenant("dev", crm).tenant("prod", crm);
    assert!(differing(&same).is_empty(), "{:?}", differing(&same));
    // Whichever tenant comes first.
    let less = |t: GivenTenant| t.connection("crm", "a/b").title("CRM");
    for given in [world().tenant("dev", crm).tenant("prod", less), world().tenant("dev", less).tenant("prod", crm)] {
        assert_eq!(differing(&given), ["host"]);
    }
    // A tenant without the connection lacks no field of it, and an absent toggle is off.
    let alone = world().tenant("dev", crm).tenant("prod", |t| t);
    assert!(differing(&alone).is_empty(), "{:?}", differing(&alone));
}
