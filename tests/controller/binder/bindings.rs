//! Binding Secrets: which there are, what is in them, whose they are, and whose they never become.

use super::stage::*;
use crate::replica::until;
use serde_json::json;

fn pairs(pairs: &[(&str, &str)]) -> Option<Vec<(String, String)>> {
    Some(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect())
}

#[test]
fn production_each_customer_and_the_test_have_a_secret_of_their_own() {
    let stage = Stage::new("table");
    let mut binder = stage.binder();
    let test = json!({"inputs": {"baseUrl": {"value": "https://test.example"}, "password": of_secret("app", "test")}});
    stage.apply(&[
        source("app", "crm,crm-each", pinned(), json!({"password": CANARY, "test": format!("test {CANARY}")})),
        with(global("crm"), "/spec/test", test.clone()),
        with(of_customers("crm-each"), "/spec/test", test),
        customer("acme", "Acme, Inc.", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
    ]);
    for object in ["connection/crm", "connection/crm-each", "customercredentials/acme"] {
        stage.ready(object, "True Complete");
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
    assert_eq!(stage.secret("crm.binding"), production);
    assert_eq!(stage.secret("acme.customer-binding"), of_acme);
    let of_test = with_kind(vec![("baseUrl", "https://test.example"), ("password", &test)]);
    assert_eq!(stage.secret("crm.test-binding"), of_test);
    let of_test = with_kind(vec![("baseUrl", "https://test.example"), ("note", "ours"), ("password", &test)]);
    assert_eq!(stage.secret("crm-each.test-binding"), of_test);
    assert_eq!(stage.secret("crm-each.binding"), None, "each customer has their own");
    assert_eq!(stage.field("connection/crm", ".status.binding.name"), "crm.binding");
    assert_eq!(stage.field("connection/crm", ".status.testBinding.name"), "crm.test-binding");
    assert_eq!(stage.field("connection/crm-each", ".status.binding.name"), "");
    assert_eq!(stage.field("connection/crm-each", ".status.customers"), "1");
    assert_eq!(stage.field("customercredentials/acme", ".status.binding.name"), "acme.customer-binding");
    let types = stage.kubectl("get secrets -l stablekey.dev/for=binding -o jsonpath={.items[*].type}");
    assert_eq!(types, ["servicebinding.io/salesforce"; 4].join(" "));
    let owners = stage
        .kubectl("get secrets -l stablekey.dev/for=binding -o jsonpath={.items[*].metadata.ownerReferences[*].name}");
    assert_eq!(owners, "acme", "a customer's goes with their credentials");
    stage.keeps_its_secrets(&mut binder);
}

#[test]
fn whatever_changes_is_in_its_secret() {
    let stage = Stage::new("changes");
    let mut binder = stage.binder();
    let test = json!({"inputs": {"password": of_secret("app", "test")}});
    let secret = |password: &str, test: &str| source("app", "*", pinned(), json!({"password": password, "test": test}));
    stage.apply(&[
        secret(CANARY, CANARY),
        with(global("crm"), "/spec/test", test.clone()),
        of_customers("crm-each"),
        customer("acme", "Acme, Inc.", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
    ]);
    stage.ready("connection/crm", "True Complete");
    stage.ready("customercredentials/acme", "True Complete");
    // A source Secret: in all that it is in.
    let next = format!("{CANARY}-2");
    stage.apply(&[secret(&next, CANARY)]);
    stage.until_secret("crm.binding", "password", &next);
    stage.until_secret("acme.customer-binding", "password", &next);
    // A test credential.
    let test = format!("{CANARY}-3");
    stage.apply(&[secret(&next, &test)]);
    stage.until_secret("crm.test-binding", "password", &test);
    // An input, and one of a customer's.
    stage.patch("connection/crm", &json!({"spec": {"inputs": {"baseUrl": {"value": "https://next.example"}}}}));
    stage.until_secret("crm.binding", "baseUrl", "https://next.example");
    stage.until_secret("crm.test-binding", "baseUrl", "https://next.example");
    stage
        .patch("customercredentials/acme", &json!({"spec": {"inputs": {"baseUrl": {"value": "https://zen.example"}}}}));
    stage.until_secret("acme.customer-binding", "baseUrl", "https://zen.example");
    // One that was deleted or edited is made as it was.
    stage.kubectl("delete secret crm.binding");
    stage.until_secret("crm.binding", "password", &next);
    stage.patch("secret/crm.binding", &json!({"stringData": {"password": "edited"}}));
    stage.until_secret("crm.binding", "password", &next);
    stage.ready("connection/crm", "True Complete");
    stage.keeps_its_secrets(&mut binder);
}

#[test]
fn somebodys_secret_is_never_written_over_and_nobody_waits_for_it() {
    let stage = Stage::new("taken");
    let mut binder = stage.binder();
    let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "crm.binding"}, "stringData": {"theirs": CANARY}});
    stage.apply(&[theirs, app(), global("crm"), global("other"), integration("lead", &["crm", "other"])]);
    let why = stage.ready("connection/crm", "False BindingNameTaken");
    assert!(why.starts_with("SK0140 Secret crm.binding is there and is not ours"), "{why}");
    stage.says("connection/crm", "Stalled", "True BindingNameTaken");
    stage.ready("connection/other", "True Complete");
    stage.ready("integration/lead", "False ConnectionNotReady");
    assert_eq!(stage.field("connection/crm", ".status.binding"), "");
    assert_eq!(stage.secret("crm.binding"), pairs(&[("theirs", CANARY)]));
    // Nothing tells that it goes: no change of it is watched.
    stage.kubectl("delete secret crm.binding");
    stage.ready("connection/crm", "True Complete");
    stage.ready("integration/lead", "True Bound");
    stage.until_secret("crm.binding", "password", CANARY);
    // One that somebody takes from us by taking the label away is theirs.
    stage.kubectl("label secret crm.binding stablekey.dev/for-");
    stage.ready("connection/crm", "False BindingNameTaken");
    stage.kubectl("label secret crm.binding stablekey.dev/for=binding");
    stage.ready("connection/crm", "True Complete");
    // One that opted in is somebody's too.
    stage.apply(&[source("other.binding", "*", json!({}), json!({"password": "x"}))]);
    stage.ready("connection/other", "False BindingNameTaken");
    assert!(stage.secret("other.binding").unwrap().contains(&("password".to_string(), "x".to_string())));
    stage.keeps_its_secrets(&mut binder);
}

#[test]
fn one_that_only_looks_like_ours_is_somebodys() {
    let stage = Stage::new("looks-like");
    let labels = json!({"stablekey.dev/for": "binding"});
    let annotations = json!({"stablekey.dev/binding-of": "Connection/crm"});
    let metadata = json!({"name": "crm.binding", "labels": labels, "annotations": annotations});
    let copied = json!({"apiVersion": "v1", "kind": "Secret", "type": "servicebinding.io/salesforce", "metadata": metadata, "stringData": {"theirs": "x"}});
    stage.apply(&[copied, app(), global("crm")]);
    let _binder = stage.binder();
    stage.ready("connection/crm", "False BindingNameTaken");
    assert_eq!(stage.secret("crm.binding"), pairs(&[("theirs", "x")]));
    stage.kubectl("delete secret crm.binding");
    stage.ready("connection/crm", "True Complete");
}

#[test]
fn a_secret_goes_with_its_connection_only_where_that_may_be_deleted() {
    let stage = Stage::of(tended(), "owned");
    let _binder = stage.binder();
    stage.apply(&[app(), global("stays"), with(global("goes"), "/spec/deletionPolicy", json!("Delete"))]);
    stage.ready("connection/stays", "True Complete");
    stage.ready("connection/goes", "True Complete");
    let owner = |secret: &str| stage.field(&format!("secret/{secret}"), ".metadata.ownerReferences[*].uid");
    assert_eq!(owner("stays.binding"), "");
    assert_eq!(owner("goes.binding"), stage.field("connection/goes", ".metadata.uid"));
    // Made again, it is owned by the one that is there now.
    stage.kubectl("delete connection goes stays");
    until("it is collected", || stage.secret("goes.binding").is_none());
    stage.apply(&[with(global("goes"), "/spec/deletionPolicy", json!("Delete"))]);
    stage.ready("connection/goes", "True Complete");
    assert_eq!(owner("goes.binding"), stage.field("connection/goes", ".metadata.uid"));
    // The owner goes when the connection is to stay.
    stage.apply(&[with(global("goes"), "/spec/deletionPolicy", json!("Retain"))]);
    until("it has no owner", || owner("goes.binding").is_empty());
    stage.kubectl("delete connection goes");
    assert!(stage.secret("stays.binding").is_some());
    assert!(stage.secret("goes.binding").is_some());
}

#[test]
fn one_that_is_not_wanted_any_more_stays_and_is_said_to() {
    let stage = Stage::new("left");
    let _binder = stage.binder();
    let test = json!({"inputs": {"password": of_secret("app", "password")}});
    stage.apply(&[app(), with(global("crm"), "/spec/test", test)]);
    stage.until_field("connection/crm", ".status.testBinding.name", "crm.test-binding");
    stage.apply(&[global("crm")]);
    stage.until_field("connection/crm", ".status.testBinding.name", "");
    until("it is said", || stage.events("connection/crm").contains("BindingLeft"));
    assert!(stage.events("connection/crm").contains("crm.test-binding is not wanted any more and stays"));
    assert!(stage.secret("crm.test-binding").is_some());
}

/// "Never another's, never a stale one named"; "opt-in withdrawn: the copy goes"; "CustomerCredentials deleted: their
/// binding goes with them"; "connection deleted: … else it stays and is listed as left".
#[test]
fn a_copy_is_of_one_object_and_goes_with_what_it_came_from() {
    let stage = Stage::new("copies");
    let _binder = stage.binder();
    let url = |host: &str| json!({"baseUrl": {"value": format!("https://{host}.example")}});
    stage.apply(&[app(), global("crm"), of_customers("each"), customer("acme", "First", "each", url("acme"))]);
    stage.until_field("customercredentials/acme", ".status.binding.name", "acme.customer-binding");
    stage.until_field("connection/crm", ".status.binding.name", "crm.binding");
    // Whose they are, and what they are for, never changes.
    for (field, value) in [("customer", "Second"), ("connection", "crm")] {
        let patch = json!({"spec": {field: value}}).to_string();
        let refused =
            stablekey_clusters::run(stage.here.kubectl().args(["patch", "cc/acme", "--type=merge", "-p", &patch]))
                .unwrap_err();
        assert!(refused.to_string().contains("never changes"), "{refused}");
    }
    // Another's under the same name: nothing of the first is left to them.
    stage.kubectl("delete cc acme");
    stage.apply(&[customer("acme", "Second", "each", json!({}))]);
    stage.ready("customercredentials/acme", "False CustomerInputMissing");
    until("the first's copy is gone", || stage.secret("acme.customer-binding").is_none());
    assert_eq!(stage.field("customercredentials/acme", ".status.binding"), "");
    stage.apply(&[customer("acme", "Second", "each", url("second"))]);
    stage.until_secret("acme.customer-binding", "baseUrl", "https://second.example");
    stage.until_field("customercredentials/acme", ".status.binding.name", "acme.customer-binding");
    // The customer goes, and takes it along.
    stage.kubectl("delete cc acme");
    until("it goes with them", || stage.secret("acme.customer-binding").is_none());
    // The opt-in is withdrawn.
    stage.kubectl("label secret app stablekey.dev/for-");
    until("the copy goes", || stage.secret("crm.binding").is_none());
    stage.until_field("connection/crm", ".status.binding.name", "");
    stage.kubectl("label secret app stablekey.dev/for=connections");
    stage.until_secret("crm.binding", "password", CANARY);
    // The connection is deleted: its copy stays, and is told of.
    stage.kubectl("delete connection crm");
    until("it is told of", || {
        let of_it =
            "get events.events.k8s.io --field-selector reason=BindingLeft -o jsonpath={.items[*].regarding.name}";
        stage.kubectl(of_it).contains("crm.binding")
    });
    assert!(stage.secret("crm.binding").is_some());
}

/// "Opt-in withdrawn: the copy goes … Connection deleted: … else it stays and is listed as left (event, metric)": what is
/// left is listed as long as it is, each deletion is told of, and revocation goes before it.
#[test]
fn what_is_left_is_listed_while_it_is_and_goes_when_its_origin_is_withdrawn() {
    let stage = Stage::new("revoked");
    let mut binder = stage.binder();
    let metric = format!("stablekey_left_binding_secrets{{tenant_namespace=\"{}\"}}", stage.here.name());
    let left = |binder: &crate::replica::Replica, count: f64| {
        until(format!("{count} are left"), || binder.metric(&metric) == Some(count));
    };
    let told = |reason: &str, object: &str| -> usize {
        let of_it = format!(
            "get events.events.k8s.io --field-selector reason={reason} -o jsonpath={{.items[*].regarding.name}}"
        );
        stage.kubectl(&of_it).split_whitespace().filter(|name| *name == object).count()
    };
    stage.apply(&[app(), global("crm")]);
    stage.ready("connection/crm", "True Complete");
    for times in 1..=2 {
        stage.kubectl("delete connection crm");
        left(&binder, 1.0);
        until("it is told of each time", || told("BindingLeft", "crm.binding") == times);
        stage.apply(&[global("crm")]);
        left(&binder, 0.0);
        stage.ready("connection/crm", "True Complete");
    }
    // Somebody does what the event asks for.
    stage.kubectl("delete connection crm");
    left(&binder, 1.0);
    stage.kubectl("delete secret crm.binding");
    left(&binder, 0.0);
    // The label is taken off, the key is taken out, the Secret is deleted.
    for withdraw in [
        "label secret app stablekey.dev/for-",
        "annotate --overwrite secret app stablekey.dev/keys=x",
        "delete secret app",
    ] {
        stage.apply(&[app(), global("crm")]);
        stage.kubectl("label --overwrite secret app stablekey.dev/for=connections");
        stage.ready("connection/crm", "True Complete");
        stage.kubectl("delete connection crm");
        left(&binder, 1.0);
        stage.kubectl(withdraw);
        until("the copy goes", || stage.secret("crm.binding").is_none());
        left(&binder, 0.0);
    }
    until("it is told of", || told("BindingDeleted", "crm.binding") == 3);
    // Of one that is there its connection is told, and the log says why.
    stage.apply(&[app(), global("crm")]);
    stage.ready("connection/crm", "True Complete");
    stage.kubectl("label secret app stablekey.dev/for-");
    until("its connection is told", || told("BindingDeleted", "crm") == 1);
    let said = binder.says("\"message\":\"deleted a binding Secret\"");
    assert!(said["why"].as_str().unwrap().starts_with("Secret app, from which its values came, "), "{said}");
    stage.keeps_its_secrets(&mut binder);
}
