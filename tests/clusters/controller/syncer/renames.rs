//! A key is renamed, end to end: a syncer in the hub, a binder in the target.

use super::env::*;
use crate::controller::binder::env::ARGUMENTS;
use serde_json::{Value, json};
use stablekey::api::Credentials;
use stablekey_testing::objects::*;
use stablekey_testing::replica::{Replica, until};

fn crm(key: &str, replaces: &[&str]) -> Value {
    let connection = Connection::new(key, "salesforce/basic").credentials(Credentials::OrganizationGlobal);
    let connection = connection.input("baseUrl", "https://login.example").secret("password", "app");
    replaces.iter().fold(connection, |connection, older| connection.replaces(older)).json()
}

fn app(keys: &str) -> Value {
    let annotations = json!({"stablekey.dev/keys": keys, "stablekey.dev/hosts": "login.example"});
    let app = secret("app", json!({"password": "x"}));
    let labels = json!({"stablekey.dev/for": "connections"});
    with(with(app, "/metadata/annotations", annotations), "/metadata/labels", labels)
}

/// A working binding waits until its replacement works: it is never not Ready, and then moves by itself.
///
/// "A working binding waits for a working one".
#[test]
fn a_renamed_key_breaks_no_working_target() {
    let env = TestEnv::new("renamed");
    let _syncer = env.syncer();
    let _binder = Replica::start(&env.eu, &ARGUMENTS);
    env.in_eu(&[app("sf-main")]);
    env.in_us(&[crm("sf-main", &[]), integration("lead", &["sf-main"]), sync("Apply")]);
    until_ready(&env.eu, "integration/lead", "Bound");
    until_target_state(&env, "eu", "InSync");
    let since = || ready(&env.eu, "integration/lead", "lastTransitionTime");
    let bound = || field(&env.eu, "integration/lead", ".status.bindings[0].connection");
    let first = since();

    let mut moved = integration("lead", &[]);
    moved["spec"]["connections"] = json!([{"name": "Use of sf-main", "stableKey": "sf-new"}]);
    env.in_us(&[crm("sf-new", &["sf-main"]), moved]);
    until_field(&env.eu, "connection/sf-new", ".spec.stableKey", "sf-new");
    until_ready(&env.eu, "connection/sf-new", "SecretNotForKey");
    until_target_state(&env, "eu", "Blocked");
    let message = field(&env.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains("SK0157") && message.contains("sf-new, which is not ready there"), "{message}");
    reconcile_again(&env, SYNC, "meanwhile");
    assert_eq!(
        (bound().as_str(), field(&env.eu, "integration/lead", ".spec.connections[0].stableKey").as_str()),
        ("sf-main", "sf-main")
    );
    assert_eq!((ready(&env.eu, "integration/lead", "status").as_str(), since()), ("True", first.clone()));

    // An hour later the Secret's owner lets it serve the new key.
    env.in_eu(&[app("sf-main,sf-new")]);
    until("it moved", || bound() == "sf-new");
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, "integration/lead", ".spec.connections[0].stableKey"), "sf-new");
    assert_eq!(
        (ready(&env.eu, "integration/lead", "status").as_str(), since()),
        ("True", first),
        "it never was not ready"
    );
}

/// The connection that a variable moves to must be ready after the change, not before it.
#[test]
fn a_variable_does_not_move_to_a_connection_that_the_same_change_breaks() {
    let env = TestEnv::new("broken");
    let _syncer = env.syncer();
    let _binder = Replica::start(&env.eu, &ARGUMENTS);
    env.in_eu(&[app("sf-main,sf-new")]);
    // So many that two changes are a small share.
    let others: Vec<String> = (0..8).map(|number| format!("other-{number}")).collect();
    env.in_us(&others.iter().map(|key| connection(key, "api")).collect::<Vec<_>>());
    let used: Vec<&str> = others.iter().map(String::as_str).chain(["sf-new"]).collect();
    env.in_us(&[
        crm("sf-main", &[]),
        crm("sf-new", &[]),
        integration("lead", &["sf-main"]),
        integration("other", &used),
        sync("Apply"),
    ]);
    until_ready(&env.eu, "integration/lead", "Bound");
    until("it can be used", || ready(&env.eu, "connection/sf-new", "status") == "True");
    until_target_state(&env, "eu", "InSync");
    let first = ready(&env.eu, "integration/lead", "lastTransitionTime");

    let mut broken = crm("sf-new", &[]);
    broken["spec"]["inputs"]["extra"] = json!({"secretRef": {"name": "missing", "key": "password"}});
    let mut moved = integration("lead", &[]);
    moved["spec"]["connections"] = json!([{"name": "Use of sf-main", "stableKey": "sf-new"}]);
    env.in_us(&[broken, moved]);
    until("it cannot be used any more", || ready(&env.eu, "connection/sf-new", "status") == "False");
    until_target_state(&env, "eu", "Blocked");
    reconcile_again(&env, SYNC, "meanwhile");
    assert_eq!(field(&env.eu, "integration/lead", ".spec.connections[0].stableKey"), "sf-main");
    let still =
        (ready(&env.eu, "integration/lead", "status"), ready(&env.eu, "integration/lead", "lastTransitionTime"));
    assert_eq!(still, ("True".to_string(), first));

    let mut missing = app("sf-new");
    missing["metadata"]["name"] = json!("missing");
    env.in_eu(&[missing]);
    until_field(&env.eu, "integration/lead", ".spec.connections[0].stableKey", "sf-new");
    until_target_state(&env, "eu", "InSync");
}
