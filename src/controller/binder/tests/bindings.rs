//! The content of binding Secrets, and when they are written.

use super::*;

/// Binding Secrets follow the Service Binding convention: type `servicebinding.io/<component>`, keys `type`, `provider`
/// and the inputs. A create carries `resourceVersion: "1"`.
#[test]
fn a_binding_secret_follows_the_convention() {
    let tenant = global();
    let evaluated = tenant.connection("crm");
    let wanted = &evaluated.bindings[0];
    let body: Value = serde_json::from_slice(wanted.body().expose()).unwrap();
    let expected = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "crm.binding", "resourceVersion": "1", "labels": {FOR: "binding"},
                     "annotations": {BINDING_OF: "Connection/crm", BINDING_ID: "uid-of-crm", BINDING_FROM: "sf-app",
                                     BINDING_KEYS: "crm"}},
        "type": "servicebinding.io/salesforce",
        "data": {"type": base64(b"salesforce"), "provider": base64(b"stablekey"),
                 "baseUrl": base64(b"https://login.example"), "password": base64(CANARY.as_bytes())},
    });
    assert_eq!(body, expected);
    assert!(wanted.body().expose().is_ascii());
}

/// The binding Secret for tests has the inputs, overridden by the test inputs, for all three kinds of credentials.
#[test]
fn test_credentials_are_the_inputs_with_the_test_inputs_over_them() {
    for credentials in ["OrganizationGlobal", "OrganizationCustomer", "Customer"] {
        let mut tenant = global();
        let mut spec = basic("crm", credentials, global_inputs());
        spec["test"] = json!({"inputs": {"baseUrl": {"value": "https://test.example"}, "note": {"value": "test"}}});
        tenant.put(Kind::Connection, "crm", spec);
        let evaluated = tenant.connection("crm");
        let test = evaluated.bindings.iter().find(|b| b.name == "crm.test-binding").unwrap();
        let text = |name: &str| data(test).iter().find(|(k, _)| k == name).map(|(_, v)| v.clone()).unwrap();
        assert_eq!(
            (text("baseUrl"), text("note"), text("password")),
            ("https://test.example".into(), "test".into(), CANARY.into())
        );
        tenant.settle();
        assert_eq!(tenant.connection("crm").status.test_binding, Some(BindingRef { name: "crm.test-binding".into() }));
        assert_eq!(
            condition_text(&tenant.connection("crm").conditions, "TestCredentialsReady"),
            "True Supplied: all test inputs are there"
        );
    }
}

/// Broken test credentials have a condition of their own: production continues.
#[test]
fn broken_test_credentials_block_nothing_else() {
    let mut tenant = of_customers();
    let mut spec = basic(
        "crm",
        "OrganizationCustomer",
        json!({"baseUrl": {"perCustomer": true},
                         "password": {"secretRef": {"name": "sf-app", "key": "password"}}}),
    );
    spec["test"] = json!({"inputs": {"note": {"value": "x"}}});
    tenant.put(Kind::Connection, "crm", spec);
    let evaluated = tenant.connection("crm");
    assert_eq!(ready(&evaluated.conditions), "True Complete");
    assert_eq!(
        condition_text(&evaluated.conditions, "TestCredentialsReady"),
        "False InputMissing: SK0105 the test credentials of crm lack baseUrl: give each a value or a secretRef in test.inputs"
    );
    assert!(evaluated.bindings.is_empty());
}

/// A second evaluation writes nothing. A changed input, source Secret or test credential is written to its binding
/// Secret at once.
#[test]
fn a_second_evaluation_writes_nothing_and_a_change_updates_what_was_read() {
    let mut tenant = global();
    assert_eq!(tenant.settle(), ["crm.binding"]);
    assert_eq!(tenant.settle(), [""; 0]);
    let due = tenant.source("sf-app", json!({}), &[("password", "new")]);
    assert_eq!(due.connections, ["crm".to_string()].into());
    let wanted = tenant.connection("crm").bindings.remove(0);
    assert!(
        matches!(&wanted.how, How::Update { uid, resource_version } if uid == "uid-of-secret" && !resource_version.is_empty())
    );
    let body: Value = serde_json::from_slice(wanted.body().expose()).unwrap();
    assert_eq!(body["metadata"]["uid"], "uid-of-secret");
    assert_ne!(body["metadata"]["resourceVersion"], "1");
    assert_eq!(tenant.settle(), ["crm.binding"]);
    assert_eq!(tenant.settle(), [""; 0]);
    // A changed value in the source that no input names changes nothing.
    tenant.source("sf-app", json!({}), &[("password", "new"), ("other", "x")]);
    assert_eq!(tenant.settle(), [""; 0]);
}

/// Fields that others add are kept; fields that others took over are taken back.
#[test]
fn only_owned_fields_are_compared() {
    let mut tenant = global();
    let wanted = tenant.connection("crm").bindings.remove(0);
    let mut there = stored(&wanted, MANAGER, 1000);
    there["data"]["extra"] = json!(base64(b"theirs"));
    there["metadata"]["ownerReferences"] = json!([{"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "p"}]);
    let tell = |tenant: &mut Namespace, there: &Value| {
        let seen = ObservedSecret::parse(there.to_string().as_bytes(), &tenant.cache.salt).unwrap();
        tenant.change(CacheChange::Secret(seen));
        tenant.connection("crm").bindings.remove(0).how
    };
    assert_eq!(tell(&mut tenant, &there), How::AsItIs);
    there["data"]["password"] = json!(base64(b"altered"));
    there["metadata"]["resourceVersion"] = json!("1001");
    there["metadata"]["managedFields"][0]["fieldsV1"]["f:data"].as_object_mut().unwrap().remove("f:password");
    assert!(matches!(tell(&mut tenant, &there), How::Update { .. }));
}

/// An incomplete binding Secret (a secret is missing) is not written, and an existing one is kept as it is.
#[test]
fn a_binding_secret_is_kept_while_it_is_incomplete() {
    let mut tenant = global();
    tenant.settle();
    tenant.source("sf-app", json!({}), &[("other", "x")]);
    let evaluated = tenant.connection("crm");
    assert_eq!(ready(&evaluated.conditions), "False SecretKeyMissing");
    assert!(evaluated.bindings.is_empty());
    assert_eq!(evaluated.status.binding, Some(BindingRef { name: "crm.binding".into() }));
    // A second Secret that nobody supplied yet is no reason to delete a working binding Secret.
    let mut inputs = global_inputs();
    inputs["token"] = json!({"secretRef": {"name": "later", "key": "token"}});
    tenant.source("sf-app", json!({}), &[("password", CANARY)]);
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", inputs));
    let evaluated = tenant.connection("crm");
    assert_eq!(ready(&evaluated.conditions), "False SecretMissing");
    assert!(evaluated.bindings.is_empty() && evaluated.status.binding.is_some());
}

/// A withdrawn opt-in deletes the copy.
///
/// "Opt-in withdrawn: the copy goes".
#[test]
fn a_withdrawn_opt_in_deletes_the_copy() {
    type Withdraw = fn(&mut Namespace);
    let ways: [Withdraw; 3] = [
        |tenant| drop(tenant.change(CacheChange::SecretGone("sf-app".into()))),
        |tenant| drop(tenant.source("sf-app", json!({KEYS: "slack"}), &[("password", CANARY)])),
        |tenant| drop(tenant.source("sf-app", json!({KEYS: ""}), &[("password", CANARY)])),
    ];
    for withdraw in ways {
        let mut tenant = global();
        tenant.settle();
        withdraw(&mut tenant);
        let evaluated = tenant.connection("crm");
        assert_eq!(evaluated.status.binding, None, "what goes is not named");
        assert!(matches!(&evaluated.bindings[0].how, How::Delete { uid, .. } if uid == "uid-of-secret"));
        assert_eq!(tenant.settle(), ["crm.binding"]);
        assert_eq!(tenant.settle(), [""; 0]);
        // With the opt-in restored, the copy is made again.
        tenant.source("sf-app", json!({KEYS: "crm"}), &[("password", CANARY)]);
        assert_eq!(tenant.settle(), ["crm.binding"]);
        assert!(tenant.connection("crm").status.binding.is_some());
    }
}

/// A status names only the binding Secret of its own uid.
///
/// "A status names only the binding of its own uid".
#[test]
fn a_new_connection_does_not_name_the_binding_of_an_earlier_one() {
    let mut tenant = global();
    tenant.settle();
    tenant.source("sf-app", json!({KEYS: "slack"}), &[("password", CANARY)]);
    tenant.put_again(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", global_inputs()));
    let evaluated = tenant.connection("crm");
    assert_eq!((evaluated.status.binding, evaluated.bindings.len()), (None, 0), "it stays for those who use it");
    tenant.source("sf-app", json!({KEYS: "crm"}), &[("password", CANARY)]);
    let evaluated = tenant.connection("crm");
    assert_eq!(evaluated.status.binding, None);
    assert!(matches!(evaluated.bindings[0].how, How::Replace { .. }));
    assert_eq!(tenant.settle(), ["crm.binding"]);
    assert!(tenant.connection("crm").status.binding.is_some());
}

/// A binding Secret has an ownerReference, with the current uid, only with `deletionPolicy: Delete`.
#[test]
fn an_owner_is_set_only_with_deletion_policy_delete_and_removed() {
    let mut tenant = global();
    tenant.settle();
    let mut spec = basic("crm", "OrganizationGlobal", global_inputs());
    spec["deletionPolicy"] = json!("Delete");
    tenant.put(Kind::Connection, "crm", spec.clone());
    let owned: Value = serde_json::from_slice(tenant.connection("crm").bindings[0].body().expose()).unwrap();
    let owner = json!([{"apiVersion": API_VERSION, "kind": "Connection", "name": "crm", "uid": "uid-of-crm"}]);
    assert_eq!(owned["metadata"]["ownerReferences"], owner);
    assert_eq!(tenant.settle(), ["crm.binding"]);
    assert_eq!(tenant.settle(), [""; 0]);
    // Created again under the same name: the uid of the earlier object would have it collected at once.
    let live = ReadObject { item: item(Kind::Connection, "crm", spec), uid: "another".into(), record: None };
    tenant.change(CacheChange::There(live));
    let owned: Value = serde_json::from_slice(tenant.connection("crm").bindings[0].body().expose()).unwrap();
    assert_eq!(owned["metadata"]["ownerReferences"][0]["uid"], "another");
    tenant.settle();
    tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", global_inputs()));
    let free: Value = serde_json::from_slice(tenant.connection("crm").bindings[0].body().expose()).unwrap();
    assert_eq!(free["metadata"].get("ownerReferences"), None);
    assert_eq!(tenant.settle(), ["crm.binding"]);
    assert_eq!(tenant.settle(), [""; 0]);
}

/// Sizes and names are checked before the write.
///
/// "sizes are checked before".
#[test]
fn invalid_secrets_are_refused_before_the_write() {
    let mut tenant = global();
    let big = "x".repeat(1_048_576);
    tenant.source("sf-app", json!({}), &[("password", &big)]);
    assert_eq!(ready(&tenant.connection("crm").conditions), "False BindingTooLarge");
    for name in ["type", "provider", "two words"] {
        let mut inputs = global_inputs();
        inputs[name] = json!({"value": "x"});
        tenant.put(Kind::Connection, "crm", basic("crm", "OrganizationGlobal", inputs));
        assert_eq!(ready(&tenant.connection("crm").conditions), "False InputNotInBinding");
        assert!(tenant.connection("crm").bindings.is_empty());
    }
}

/// A refusal of the API server is reported until the Secret changes.
#[test]
fn a_refusal_is_reported_until_the_secret_exists() {
    let mut tenant = global();
    let why = "exceeded quota".to_string();
    let due = tenant.change(CacheChange::Refused { binding: "crm.binding".into(), why });
    assert_eq!(due.connections, ["crm".to_string()].into());
    let evaluated = tenant.connection("crm");
    assert_eq!(
        condition_text(&evaluated.conditions, "Ready"),
        "False ServerRefuses: SK0132 the cluster does not let Secret crm.binding be written: exceeded quota"
    );
    // The write is tried again.
    assert_eq!(tenant.settle(), ["crm.binding"]);
    assert_eq!(ready(&tenant.connection("crm").conditions), "True Complete");
}
