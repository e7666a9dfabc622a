//! Binding Secrets: which ones exist, their content, their owners, and that no foreign Secret becomes one.

use super::env::*;
use serde_json::json;
use stablekey_testing::replica::until;

fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

#[test]
fn production_tests_and_each_customer_have_separate_secrets() {
    let env = TestEnv::new("table");
    let mut binder = env.binder();
    let test = json!({"inputs": {"baseUrl": {"value": "https://test.example"}, "password": of_secret("app", "test")}});
    env.apply(&[
        source("app", "crm,crm-each", pinned(), json!({"password": CANARY, "test": format!("test {CANARY}")})),
        with(global("crm"), "/spec/test", test.clone()),
        with(of_customers("crm-each"), "/spec/test", test),
        customer("acme", "Acme, Inc.", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
    ]);
    for object in ["connection/crm", "connection/crm-each", "customercredentials/acme"] {
        env.ready(object, "True Complete");
    }
    let kind = [("provider", "stablekey"), ("type", "salesforce")];
    let with_kind = |mut data: Vec<(&str, &str)>| {
        data.extend(kind);
        data.sort_unstable();
        pairs(&data)
    };
    let test = format!("test {CANARY}");
    let production = with_kind(vec![("baseUrl", "https://login.example"), ("password", CANARY)]);
    let of_acme = with_kind(vec![("baseUrl", "https://acme.example"), ("note", "ours"), ("password", CANARY)]);
    assert_eq!(env.secret("crm.binding"), production);
    assert_eq!(env.secret("acme.customer-binding"), of_acme);
    let of_test = with_kind(vec![("baseUrl", "https://test.example"), ("password", &test)]);
    assert_eq!(env.secret("crm.test-binding"), of_test);
    let of_test = with_kind(vec![("baseUrl", "https://test.example"), ("note", "ours"), ("password", &test)]);
    assert_eq!(env.secret("crm-each.test-binding"), of_test);
    assert_eq!(env.secret("crm-each.binding"), None, "each customer has their own");
    assert_eq!(env.field("connection/crm", ".status.binding.name"), "crm.binding");
    assert_eq!(env.field("connection/crm", ".status.testBinding.name"), "crm.test-binding");
    assert_eq!(env.field("connection/crm-each", ".status.binding.name"), "");
    assert_eq!(env.field("connection/crm-each", ".status.customers"), "1");
    assert_eq!(env.field("customercredentials/acme", ".status.binding.name"), "acme.customer-binding");
    let types = env.kubectl("get secrets -l stablekey.dev/for=binding -o jsonpath={.items[*].type}");
    assert_eq!(types, ["servicebinding.io/salesforce"; 4].join(" "));
    let owners = env
        .kubectl("get secrets -l stablekey.dev/for=binding -o jsonpath={.items[*].metadata.ownerReferences[*].name}");
    assert_eq!(owners, "acme", "a customer's goes with their credentials");
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn every_change_is_written_to_its_secret() {
    let env = TestEnv::new("changes");
    let mut binder = env.binder();
    let test = json!({"inputs": {"password": of_secret("app", "test")}});
    let secret = |password: &str, test: &str| source("app", "*", pinned(), json!({"password": password, "test": test}));
    env.apply(&[
        secret(CANARY, CANARY),
        with(global("crm"), "/spec/test", test.clone()),
        of_customers("crm-each"),
        customer("acme", "Acme, Inc.", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
    ]);
    env.ready("connection/crm", "True Complete");
    env.ready("customercredentials/acme", "True Complete");
    // A source Secret: in every binding Secret that uses it.
    let next = format!("{CANARY}-2");
    env.apply(&[secret(&next, CANARY)]);
    env.until_secret("crm.binding", "password", &next);
    env.until_secret("acme.customer-binding", "password", &next);
    // A test credential.
    let test = format!("{CANARY}-3");
    env.apply(&[secret(&next, &test)]);
    env.until_secret("crm.test-binding", "password", &test);
    // An input, and one of a customer's.
    env.patch("connection/crm", &json!({"spec": {"inputs": {"baseUrl": {"value": "https://next.example"}}}}));
    env.until_secret("crm.binding", "baseUrl", "https://next.example");
    env.until_secret("crm.test-binding", "baseUrl", "https://next.example");
    env.patch("customercredentials/acme", &json!({"spec": {"inputs": {"baseUrl": {"value": "https://zen.example"}}}}));
    env.until_secret("acme.customer-binding", "baseUrl", "https://zen.example");
    // A deleted or edited binding Secret is restored.
    env.kubectl("delete secret crm.binding");
    env.until_secret("crm.binding", "password", &next);
    env.patch("secret/crm.binding", &json!({"stringData": {"password": "edited"}}));
    env.until_secret("crm.binding", "password", &next);
    env.ready("connection/crm", "True Complete");
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn a_foreign_secret_is_never_overwritten_and_blocks_nothing() {
    let env = TestEnv::new("taken");
    let mut binder = env.binder();
    let theirs = secret("crm.binding", json!({"theirs": CANARY}));
    env.apply(&[theirs, app(), global("crm"), global("other"), integration("lead", &["crm", "other"])]);
    let why = env.ready("connection/crm", "False BindingNameTaken");
    assert!(why.starts_with("SK0140 Secret crm.binding belongs to somebody else"), "{why}");
    env.wait_for_condition("connection/crm", "Stalled", "True BindingNameTaken");
    env.ready("connection/other", "True Complete");
    env.ready("integration/lead", "False ConnectionNotReady");
    assert_eq!(env.field("connection/crm", ".status.binding"), "");
    assert_eq!(env.secret("crm.binding"), pairs(&[("theirs", CANARY)]));
    // No watch event reports that it is deleted.
    env.kubectl("delete secret crm.binding");
    env.ready("connection/crm", "True Complete");
    env.ready("integration/lead", "True Bound");
    env.until_secret("crm.binding", "password", CANARY);
    // A binding Secret whose label somebody removes becomes theirs.
    env.kubectl("label secret crm.binding stablekey.dev/for-");
    env.ready("connection/crm", "False BindingNameTaken");
    env.kubectl("label secret crm.binding stablekey.dev/for=binding");
    env.ready("connection/crm", "True Complete");
    // A Secret that opted in is somebody's too.
    env.apply(&[source("other.binding", "*", json!({}), json!({"password": "x"}))]);
    env.ready("connection/other", "False BindingNameTaken");
    assert!(env.secret("other.binding").unwrap().contains(&("password".to_string(), "x".to_string())));
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn a_forged_binding_secret_is_foreign() {
    let env = TestEnv::new("looks-like");
    let labels = json!({"stablekey.dev/for": "binding"});
    let annotations = json!({"stablekey.dev/binding-of": "Connection/crm"});
    let metadata = json!({"name": "crm.binding", "labels": labels, "annotations": annotations});
    let copied = json!({"apiVersion": "v1", "kind": "Secret", "type": "servicebinding.io/salesforce", "metadata": metadata, "stringData": {"theirs": "x"}});
    env.apply(&[copied, app(), global("crm")]);
    let _binder = env.binder();
    env.ready("connection/crm", "False BindingNameTaken");
    assert_eq!(env.secret("crm.binding"), pairs(&[("theirs", "x")]));
    env.kubectl("delete secret crm.binding");
    env.ready("connection/crm", "True Complete");
}

#[test]
fn a_secret_is_deleted_with_its_connection_only_if_allowed() {
    let env = TestEnv::of(with_controllers(), "owned");
    let _binder = env.binder();
    env.apply(&[app(), global("stays"), with(global("goes"), "/spec/deletionPolicy", json!("Delete"))]);
    env.ready("connection/stays", "True Complete");
    env.ready("connection/goes", "True Complete");
    let owner = |secret: &str| env.field(&format!("secret/{secret}"), ".metadata.ownerReferences[*].uid");
    assert_eq!(owner("stays.binding"), "");
    assert_eq!(owner("goes.binding"), env.field("connection/goes", ".metadata.uid"));
    // A new object of the same name owns the existing Secret.
    env.kubectl("delete connection goes stays");
    until("it is collected", || env.secret("goes.binding").is_none());
    env.apply(&[with(global("goes"), "/spec/deletionPolicy", json!("Delete"))]);
    env.ready("connection/goes", "True Complete");
    assert_eq!(owner("goes.binding"), env.field("connection/goes", ".metadata.uid"));
    // The owner is removed once the connection must be kept.
    env.apply(&[with(global("goes"), "/spec/deletionPolicy", json!("Retain"))]);
    until("it has no owner", || owner("goes.binding").is_empty());
    env.kubectl("delete connection goes");
    assert!(env.secret("stays.binding").is_some());
    assert!(env.secret("goes.binding").is_some());
}

#[test]
fn an_unneeded_secret_is_kept_and_reported() {
    let env = TestEnv::new("left");
    let _binder = env.binder();
    let test = json!({"inputs": {"password": of_secret("app", "password")}});
    env.apply(&[app(), with(global("crm"), "/spec/test", test)]);
    env.until_field("connection/crm", ".status.testBinding.name", "crm.test-binding");
    env.apply(&[global("crm")]);
    env.until_field("connection/crm", ".status.testBinding.name", "");
    until("it is said", || env.events("connection/crm").contains("BindingLeft"));
    assert!(env.events("connection/crm").contains("crm.test-binding is no longer needed and is kept"));
    assert!(env.secret("crm.test-binding").is_some());
}

/// A copy belongs to one object. It is deleted if its opt-in is withdrawn, or with its CustomerCredentials; after the
/// deletion of its connection it is kept and reported.
///
/// "opt-in withdrawn: the copy goes". "CustomerCredentials deleted: their binding goes with them". "connection
/// deleted: … else it stays and is listed as left".
#[test]
fn a_copy_belongs_to_one_object_and_is_deleted_with_its_source() {
    let env = TestEnv::new("copies");
    let _binder = env.binder();
    let url = |host: &str| json!({"baseUrl": {"value": format!("https://{host}.example")}});
    env.apply(&[app(), global("crm"), of_customers("each"), customer("acme", "First", "each", url("acme"))]);
    env.until_field("customercredentials/acme", ".status.binding.name", "acme.customer-binding");
    env.until_field("connection/crm", ".status.binding.name", "crm.binding");
    // Customer and connection are immutable.
    for (field, value) in [("customer", "Second"), ("connection", "crm")] {
        let patch = json!({"spec": {field: value}}).to_string();
        let refused =
            stablekey_clusters::run(env.here.kubectl().args(["patch", "cc/acme", "--type=merge", "-p", &patch]))
                .unwrap_err();
        assert!(refused.to_string().contains("never changes"), "{refused}");
    }
    // Another customer under the same name gets nothing of the first.
    env.kubectl("delete cc acme");
    env.apply(&[customer("acme", "Second", "each", json!({}))]);
    env.ready("customercredentials/acme", "False CustomerInputMissing");
    until("the first's copy is gone", || env.secret("acme.customer-binding").is_none());
    assert_eq!(env.field("customercredentials/acme", ".status.binding"), "");
    env.apply(&[customer("acme", "Second", "each", url("second"))]);
    env.until_secret("acme.customer-binding", "baseUrl", "https://second.example");
    env.until_field("customercredentials/acme", ".status.binding.name", "acme.customer-binding");
    // The credentials are deleted, and their Secret with them.
    env.kubectl("delete cc acme");
    until("it goes with them", || env.secret("acme.customer-binding").is_none());
    // The opt-in is withdrawn.
    env.kubectl("label secret app stablekey.dev/for-");
    until("the copy goes", || env.secret("crm.binding").is_none());
    env.until_field("connection/crm", ".status.binding.name", "");
    env.kubectl("label secret app stablekey.dev/for=connections");
    env.until_secret("crm.binding", "password", CANARY);
    // The connection is deleted: its copy is kept and reported.
    env.kubectl("delete connection crm");
    until("it is told of", || {
        let of_it =
            "get events.events.k8s.io --field-selector reason=BindingLeft -o jsonpath={.items[*].regarding.name}";
        env.kubectl(of_it).contains("crm.binding")
    });
    assert!(env.secret("crm.binding").is_some());
}

/// A binding Secret without a connection is reported by an event and a metric as long as it exists, each deletion is
/// reported, and a withdrawn opt-in deletes it.
#[test]
fn a_leftover_is_reported_and_deleted_when_its_source_is_withdrawn() {
    let env = TestEnv::new("revoked");
    let mut binder = env.binder();
    let metric = format!("stablekey_left_binding_secrets{{tenant_namespace=\"{}\"}}", env.here.name());
    let left = |binder: &stablekey_testing::replica::Replica, count: f64| {
        until(format!("{count} are left"), || binder.metric(&metric) == Some(count));
    };
    let told = |reason: &str, object: &str| -> usize {
        let of_it = format!(
            "get events.events.k8s.io --field-selector reason={reason} -o jsonpath={{.items[*].regarding.name}}"
        );
        env.kubectl(&of_it).split_whitespace().filter(|name| *name == object).count()
    };
    env.apply(&[app(), global("crm")]);
    env.ready("connection/crm", "True Complete");
    for times in 1..=2 {
        env.kubectl("delete connection crm");
        left(&binder, 1.0);
        until("it is told of each time", || told("BindingLeft", "crm.binding") == times);
        env.apply(&[global("crm")]);
        left(&binder, 0.0);
        env.ready("connection/crm", "True Complete");
    }
    // Somebody follows the event's advice.
    env.kubectl("delete connection crm");
    left(&binder, 1.0);
    env.kubectl("delete secret crm.binding");
    left(&binder, 0.0);
    // The label is removed, the key is removed, the Secret is deleted.
    for withdraw in [
        "label secret app stablekey.dev/for-",
        "annotate --overwrite secret app stablekey.dev/keys=x",
        "delete secret app",
    ] {
        env.apply(&[app(), global("crm")]);
        env.kubectl("label --overwrite secret app stablekey.dev/for=connections");
        env.ready("connection/crm", "True Complete");
        env.kubectl("delete connection crm");
        left(&binder, 1.0);
        env.kubectl(withdraw);
        until("the copy goes", || env.secret("crm.binding").is_none());
        left(&binder, 0.0);
    }
    until("it is told of", || told("BindingDeleted", "crm.binding") == 3);
    // If the connection exists, the event is about it, and the log has the reason.
    env.apply(&[app(), global("crm")]);
    env.ready("connection/crm", "True Complete");
    env.kubectl("label secret app stablekey.dev/for-");
    until("its connection is told", || told("BindingDeleted", "crm") == 1);
    let said = binder.wait_for_log("\"message\":\"deleted a binding Secret\"");
    assert!(said["why"].as_str().unwrap().starts_with("Secret app, from which its values came, "), "{said}");
    env.assert_no_secret_leaked(&mut binder);
}
