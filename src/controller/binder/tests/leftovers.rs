//! Binding Secrets that no reconcile of an object covers: which are kept, and that a withdrawn opt-in deletes them.

use super::super::evaluate::leftover::Fate;
use super::*;

fn fate(tenant: &Namespace, secret: &str) -> &'static str {
    match leftover::fate(&tenant.cache, secret) {
        Fate::Stays => "stays",
        Fate::Goes(_) => "goes",
        Fate::Withdrawn(wanted, _) => {
            assert!(matches!(wanted.how, How::Delete { because: Because::Withdrawn(_), .. }));
            "withdrawn"
        }
        Fate::Left(_) => "left",
    }
}

type Withdraw = fn(&mut Namespace);

/// All ways in which a person can withdraw an opt-in.
const WAYS: [Withdraw; 4] = [
    |tenant| drop(tenant.change(CacheChange::SecretGone("sf-app".into()))),
    |tenant| drop(tenant.source("sf-app", json!({KEYS: "slack"}), &[("password", CANARY)])),
    |tenant| drop(tenant.source("sf-app", json!({KEYS: ""}), &[("password", CANARY)])),
    |tenant| drop(tenant.secret(json!({"name": "sf-app", "uid": "u", "labels": {FOR: "nothing"}}), "Opaque", &[])),
];

/// A withdrawn opt-in deletes the copy, even if the connection is gone, in either order. Otherwise the copy of a
/// deleted connection is kept.
///
/// "Opt-in withdrawn: the copy goes … Connection deleted: its binding goes with `deletionPolicy: Delete`, else it
/// stays".
#[test]
fn a_leftover_is_deleted_once_its_source_is_withdrawn() {
    for withdraw in WAYS {
        let mut tenant = global();
        tenant.settle();
        assert_eq!(fate(&tenant, "crm.binding"), "stays");
        tenant.gone(Kind::Connection, "crm");
        assert_eq!(fate(&tenant, "crm.binding"), "left");
        // Other data, additional keys or a pin are not a withdrawal.
        tenant.source("sf-app", json!({KEYS: "slack, crm", HOSTS: "x.example"}), &[("other", CANARY)]);
        assert_eq!((fate(&tenant, "crm.binding"), leftover::leftovers_of(&tenant.cache, "sf-app").len()), ("left", 1));
        withdraw(&mut tenant);
        assert_eq!(fate(&tenant, "crm.binding"), "withdrawn");
        assert_eq!(leftover::leftovers_of(&tenant.cache, "sf-app"), ["crm.binding"]);
        // The opt-in is restored before the deletion.
        tenant.source("sf-app", json!({KEYS: "*"}), &[("password", CANARY)]);
        assert_eq!(fate(&tenant, "crm.binding"), "left");
        // The other order: the connection is deleted before its reconcile deletes the copy.
        let mut tenant = global();
        tenant.settle();
        withdraw(&mut tenant);
        tenant.gone(Kind::Connection, "crm");
        assert_eq!(fate(&tenant, "crm.binding"), "withdrawn");
        tenant.change(CacheChange::SecretGone("crm.binding".into()));
        assert_eq!((fate(&tenant, "crm.binding"), tenant.cache.copies.len()), ("stays", 0));
    }
}

/// A copy from a withdrawn Secret is overwritten at once where its connection no longer needs that Secret, and deleted
/// where it cannot be: so no application finds what may no longer be used, and none finds nothing without need.
#[test]
fn a_copy_of_what_is_withdrawn_is_overwritten_or_deleted() {
    for refused in [false, true] {
        let mut tenant = global();
        tenant.settle();
        let literal = json!({"baseUrl": {"value": "https://login.example"}, "note": {"value": "no password any more"}});
        let mut without = component();
        without["types"][0]["inputs"]["password"]["required"] = json!(false);
        tenant.put(Kind::Component, "salesforce", without);
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", literal));
        WAYS[0](&mut tenant);
        if refused {
            tenant.cache.refused.insert("crm.binding".into(), "a quota".into());
        }
        let wanted = tenant.connection("crm").bindings.remove(0);
        assert_eq!(matches!(wanted.how, How::Update { .. }), !refused, "{:?}", wanted.how);
        assert_eq!(matches!(wanted.how, How::Delete { .. }), refused, "{:?}", wanted.how);
        tenant.write(&wanted);
        tenant.cache.refused.clear();
        assert_eq!(tenant.settle().len(), usize::from(refused));
        assert_eq!(data(&tenant.connection("crm").bindings[0]).len(), 4);
    }
}

/// A Secret may have opted in for an older key. The deletion of the connection, which listed that key, withdraws
/// nothing.
#[test]
fn an_opt_in_for_an_older_key_outlives_the_connection() {
    let mut tenant = global();
    let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
    spec["replaces"] = json!(["sf_old"]);
    tenant.put(Kind::Connection, "crm", spec);
    tenant.source("sf-app", json!({KEYS: "sf_old"}), &[("password", CANARY)]);
    assert_eq!(tenant.settle(), ["crm.binding"]);
    tenant.gone(Kind::Connection, "crm");
    assert_eq!(fate(&tenant, "crm.binding"), "left");
    tenant.source("sf-app", json!({KEYS: "sf_older"}), &[("password", CANARY)]);
    assert_eq!(fate(&tenant, "crm.binding"), "withdrawn");
}

/// A copy of an older version does not record its keys: what is unknown withdraws nothing.
#[test]
fn a_copy_with_unknown_keys_is_kept_while_its_source_serves_any() {
    let mut tenant = global();
    let mut there = stored(&tenant.connection("crm").bindings[0], MANAGER, 1000);
    there["metadata"]["annotations"].as_object_mut().unwrap().remove(BINDING_KEYS);
    let seen = ObservedSecret::parse(there.to_string().as_bytes(), &tenant.cache.salt).unwrap();
    tenant.change(CacheChange::Secret(seen));
    tenant.gone(Kind::Connection, "crm");
    for (keys, expected) in [("crm", "left"), ("slack", "left"), ("", "withdrawn")] {
        tenant.source("sf-app", json!({KEYS: keys}), &[("password", CANARY)]);
        assert_eq!(fate(&tenant, "crm.binding"), expected, "{keys}");
    }
    tenant.change(CacheChange::SecretGone("sf-app".into()));
    assert_eq!(fate(&tenant, "crm.binding"), "withdrawn");
}

/// The other cases: an invalid connection, unneeded test credentials, customer credentials without a connection, and a
/// copy of a Secret that its connection no longer names.
#[test]
fn no_copy_outlives_its_opt_in() {
    let id = ObjectId::new(Kind::Connection, "crm");
    for withdraw in WAYS {
        let mut tenant = global();
        tenant.settle();
        tenant.change(CacheChange::Invalid { id: id.clone(), why: "a field is missing".into() });
        assert_eq!(fate(&tenant, "crm.binding"), "stays");
        withdraw(&mut tenant);
        assert_eq!(fate(&tenant, "crm.binding"), "withdrawn");

        let mut tenant = global();
        let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
        spec["test"] = json!({"inputs": {"baseUrl": {"value": "https://test.example"}}});
        tenant.put(Kind::Connection, "crm", spec);
        tenant.settle();
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", global_inputs()));
        assert_eq!(fate(&tenant, "crm.test-binding"), "stays");
        withdraw(&mut tenant);
        assert_eq!((fate(&tenant, "crm.test-binding"), fate(&tenant, "crm.binding")), ("withdrawn", "stays"));

        let mut tenant = of_customers();
        tenant.put(Kind::CustomerCredentials, "a", acme(acme_url()));
        tenant.settle();
        tenant.gone(Kind::Connection, "crm");
        let kept = tenant.credentials("a");
        assert!(kept.status.binding.is_some() && kept.bindings.is_empty());
        withdraw(&mut tenant);
        let kept = tenant.credentials("a");
        assert!(kept.status.binding.is_none() && matches!(kept.bindings[0].how, How::Delete { .. }));

        let mut tenant = global();
        tenant.settle();
        let mut inputs = global_inputs();
        inputs["password"]["secretRef"]["name"] = json!("later");
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", inputs));
        assert!(tenant.connection("crm").bindings.is_empty());
        let due = tenant.source("sf-app", json!({KEYS: "*"}), &[("password", "new")]);
        assert!(due.connections.contains("crm"));
        withdraw(&mut tenant);
        assert!(matches!(tenant.connection("crm").bindings[0].how, How::Delete { .. }));
    }
}
