//! A key is renamed, end to end: a syncer in the hub, a binder in the target.

use super::stage::*;
use crate::binder::stage::ARGUMENTS;
use crate::replica::{Replica, until};
use serde_json::{Value, json};

fn crm(key: &str, replaces: &[&str]) -> Value {
    let inputs = json!({
        "baseUrl": {"value": "https://login.example"},
        "password": {"secretRef": {"name": "app", "key": "password"}},
    });
    let spec = json!({"stableKey": key, "component": {"key": "salesforce"}, "type": "basic",
                      "credentials": "OrganizationGlobal", "inputs": inputs, "replaces": replaces});
    json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": {"name": key}, "spec": spec})
}

fn secret(keys: &str) -> Value {
    let annotations = json!({"stablekey.dev/keys": keys, "stablekey.dev/hosts": "login.example"});
    let metadata = json!({"name": "app", "labels": {"stablekey.dev/for": "connections"}, "annotations": annotations});
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"password": "x"}})
}

/// "A working binding waits for a working one": no moment is not Ready, and the move happens by itself.
#[test]
fn a_renamed_key_takes_no_working_target_down() {
    let stage = Stage::new("renamed");
    let _syncer = stage.syncer();
    let _binder = Replica::start(&stage.eu, &ARGUMENTS);
    stage.in_eu(&[secret("sf-main")]);
    stage.in_us(&[crm("sf-main", &[]), integration("lead", &["sf-main"]), sync("Apply")]);
    until_ready(&stage.eu, "integration/lead", "Bound");
    until_stands(&stage, "eu", "InSync");
    let since = || ready(&stage.eu, "integration/lead", "lastTransitionTime");
    let bound = || field(&stage.eu, "integration/lead", ".status.bindings[0].connection");
    let first = since();

    let mut moved = integration("lead", &[]);
    moved["spec"]["connections"] = json!([{"name": "Use of sf-main", "stableKey": "sf-new"}]);
    stage.in_us(&[crm("sf-new", &["sf-main"]), moved]);
    until_field(&stage.eu, "connection/sf-new", ".spec.stableKey", "sf-new");
    until_ready(&stage.eu, "connection/sf-new", "SecretNotForKey");
    until_stands(&stage, "eu", "Blocked");
    let message = field(&stage.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains("SK0157") && message.contains("sf-new, which is not ready there"), "{message}");
    looked_again(&stage, SYNC, "meanwhile");
    assert_eq!(
        (bound().as_str(), field(&stage.eu, "integration/lead", ".spec.connections[0].stableKey").as_str()),
        ("sf-main", "sf-main")
    );
    assert_eq!((ready(&stage.eu, "integration/lead", "status").as_str(), since()), ("True", first.clone()));

    // An hour later the Secret's owner lets it serve the new key.
    stage.in_eu(&[secret("sf-main,sf-new")]);
    until("it moved", || bound() == "sf-new");
    until_stands(&stage, "eu", "InSync");
    assert_eq!(field(&stage.eu, "integration/lead", ".spec.connections[0].stableKey"), "sf-new");
    assert_eq!(
        (ready(&stage.eu, "integration/lead", "status").as_str(), since()),
        ("True", first),
        "it never was not ready"
    );
}

/// Whether the connection that a variable moves to is ready is judged as it will be, not as it was.
#[test]
fn a_variable_does_not_move_to_a_connection_that_the_same_change_breaks() {
    let stage = Stage::new("broken");
    let _syncer = stage.syncer();
    let _binder = Replica::start(&stage.eu, &ARGUMENTS);
    stage.in_eu(&[secret("sf-main,sf-new")]);
    // So many that two changes are a small share.
    let others: Vec<String> = (0..8).map(|number| format!("other-{number}")).collect();
    stage.in_us(&others.iter().map(|key| connection(key, "api")).collect::<Vec<_>>());
    let used: Vec<&str> = others.iter().map(String::as_str).chain(["sf-new"]).collect();
    stage.in_us(&[
        crm("sf-main", &[]),
        crm("sf-new", &[]),
        integration("lead", &["sf-main"]),
        integration("other", &used),
        sync("Apply"),
    ]);
    until_ready(&stage.eu, "integration/lead", "Bound");
    until("it can be used", || ready(&stage.eu, "connection/sf-new", "status") == "True");
    until_stands(&stage, "eu", "InSync");
    let first = ready(&stage.eu, "integration/lead", "lastTransitionTime");

    let mut broken = crm("sf-new", &[]);
    broken["spec"]["inputs"]["extra"] = json!({"secretRef": {"name": "missing", "key": "password"}});
    let mut moved = integration("lead", &[]);
    moved["spec"]["connections"] = json!([{"name": "Use of sf-main", "stableKey": "sf-new"}]);
    stage.in_us(&[broken, moved]);
    until("it cannot be used any more", || ready(&stage.eu, "connection/sf-new", "status") == "False");
    until_stands(&stage, "eu", "Blocked");
    looked_again(&stage, SYNC, "meanwhile");
    assert_eq!(field(&stage.eu, "integration/lead", ".spec.connections[0].stableKey"), "sf-main");
    let still =
        (ready(&stage.eu, "integration/lead", "status"), ready(&stage.eu, "integration/lead", "lastTransitionTime"));
    assert_eq!(still, ("True".to_string(), first));

    let mut missing = secret("sf-new");
    missing["metadata"]["name"] = json!("missing");
    stage.in_eu(&[missing]);
    until_field(&stage.eu, "integration/lead", ".spec.connections[0].stableKey", "sf-new");
    until_stands(&stage, "eu", "InSync");
}
