//! The everyday commands of a kubectl user.

use crate::kubectl::support::{apply, connection, document, error_of, get, kubectl, list, no, output_of, set_status};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey_clusters::{Namespace, run, shared};
use std::io::Write;
use std::process::{Output, Stdio};

fn with(mut object: Value, field: &str, value: Value) -> Value {
    object["spec"][field] = value;
    object
}

fn patch(namespace: &Namespace, type_: &str, patch: &Value) -> Result<String, String> {
    let words = format!("patch connection crm --type={type_} --patch");
    run(kubectl(namespace, &words).arg(patch.to_string())).map_err(no)
}

#[test]
fn get_by_field() {
    let namespace = shared("us").namespace("everyday");
    let embedded = with(connection("embedded"), "embeddedWorkflows", json!(true));
    let not_embedded = with(connection("not-embedded"), "embeddedWorkflows", json!(false));
    let slack = with(with(connection("slack"), "component", json!({"key": "slack"})), "type", json!("bot"));
    let credentials = |name: &str, customer: &str| {
        document(Kind::CustomerCredentials, name, json!({"customer": customer, "connection": "embedded"}))
    };
    let component = document(Kind::Component, "slack", json!({"key": "slack"}));
    let objects =
        [embedded, not_embedded, slack, credentials("acme", "Acme"), credentials("globex", "Globex"), component];
    apply(&namespace, "", &list(&objects)).unwrap();

    for (kind, selector, wanted) in [
        ("connections", "spec.embeddedWorkflows=true", "embedded"),
        // Absent is not false here, although it is read so: select what is not true.
        ("connections", "spec.embeddedWorkflows=false", "not-embedded"),
        ("connections", "spec.embeddedWorkflows!=true", "not-embedded slack"),
        ("connections", "spec.type=oauth2", "embedded not-embedded"),
        ("connections", "spec.component.key=slack", "slack"),
        ("connections", "spec.component.key=salesforce,spec.embeddedWorkflows!=true", "not-embedded"),
        ("customercredentials", "spec.connection=embedded", "acme globex"),
        ("customercredentials", "spec.customer=Globex", "globex"),
        ("components", "spec.key=slack", "slack"),
    ] {
        let mut get = kubectl(&namespace, &format!("get {kind} --field-selector={selector}"));
        let found = output_of(get.arg("-o=jsonpath={.items[*].metadata.name}"));
        assert_eq!(found, wanted, "{selector}");
    }
    let said = error_of(&mut kubectl(&namespace, "get connections --field-selector=spec.title=x"));
    assert!(said.contains("field label not supported: spec.title"), "{said}");
}

#[test]
fn explain() {
    let us = shared("us");
    let explain = |what: &str| output_of(us.kubectl().args(["explain", what]));
    let inputs = explain("connection.spec.inputs");
    for wanted in [
        "GROUP:      stablekey.dev",
        "KIND:       Connection",
        "<map[string]Object>",
        "perCustomer",
        "secretRef",
        "Never a secret",
    ] {
        assert!(inputs.contains(wanted), "{wanted} in {inputs}");
    }
    assert!(!inputs.contains("<no value>"), "{inputs}");
    let reference = explain("conn.spec.inputs.secretRef");
    assert!(reference.contains("-required-") && reference.contains("A key of a Secret of the tenant"), "{reference}");
    // Every field of every kind has a description.
    for kind in Kind::ALL {
        let all = output_of(us.kubectl().args(["explain", "--recursive", kind.plural()]));
        assert!(all.contains("spec\t<"), "{all}");
        let spec = explain(&format!("{}.spec", kind.plural()));
        assert!(!spec.contains("<no description>") && !spec.contains("<empty>"), "{spec}");
    }
}

/// Runs `kubectl diff` of a document; it exits 0 without differences, 1 with some, more on errors.
fn diff(namespace: &Namespace, flags: &str, document: &Value) -> (Option<i32>, String) {
    let mut diff = kubectl(namespace, &format!("diff {flags} -f -"));
    let mut process = diff.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let Output { status, stdout, stderr } = process.wait_with_output().unwrap();
    (status.code(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[test]
fn diff_exits_0_1_or_more() {
    let namespace = shared("us").namespace("everyday");
    let crm = with(connection("crm"), "title", json!("CRM"));
    for flags in ["", "--server-side"] {
        let (code, said) = diff(&namespace, flags, &crm);
        assert!(code == Some(1) && said.contains("+  stableKey: crm"), "not there yet: {code:?} {said}");
        apply(&namespace, flags, &crm).unwrap();
        assert_eq!(diff(&namespace, flags, &crm), (Some(0), String::new()));
        let (code, said) = diff(&namespace, flags, &with(crm.clone(), "title", json!("Salesforce")));
        assert!(code == Some(1) && said.contains("-  title: CRM\n+  title: Salesforce"), "{code:?} {said}");
        let (code, said) = diff(&namespace, flags, &with(crm.clone(), "type", json!("basic")));
        assert!(code > Some(1) && said.contains("the type never changes"), "{code:?} {said}");
        output_of(&mut kubectl(&namespace, "delete connection crm"));
    }
}

#[test]
fn wait_for_conditions_of_the_operator() {
    let namespace = shared("us").namespace("everyday");
    let waits = [
        "wait --for=create connection/crm --timeout=60s",
        "wait --for=jsonpath={.status.usedByCount}=2 connection/crm --timeout=60s",
        "wait --for=condition=Ready connection/crm --timeout=60s",
        "wait --for=delete connection/crm --timeout=60s",
    ];
    let ready = json!({"type": "Ready", "status": "True", "reason": "R", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let then: [&dyn Fn(); 4] = [
        &|| drop(apply(&namespace, "", &connection("crm")).unwrap()),
        &|| set_status(&namespace, "connection/crm", &json!({"usedByCount": 2})),
        &|| set_status(&namespace, "connection/crm", &json!({"conditions": [ready]})),
        &|| drop(output_of(&mut kubectl(&namespace, "delete connection crm"))),
    ];
    for (words, then) in waits.into_iter().zip(then) {
        let waiting = kubectl(&namespace, words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        then();
        let ended = waiting.wait_with_output().unwrap();
        assert!(ended.status.success(), "{words}: {}", String::from_utf8_lossy(&ended.stderr));
    }
    apply(&namespace, "", &connection("crm")).unwrap();
    let said = error_of(&mut kubectl(&namespace, "wait --for=condition=Ready connection/crm --timeout=0"));
    assert!(said.contains("condition not met") || said.contains("timed out"), "{said}");
}

#[test]
fn apply_creates_changes_and_removes() {
    let crm = with(connection("crm"), "inputs", json!({"url": {"value": "x"}, "scopes": {"value": "api"}}));
    let less = with(with(connection("crm"), "inputs", json!({"url": {"perCustomer": true}})), "title", json!("CRM"));
    for (flags, [created, unchanged, changed]) in
        [("", ["created", "unchanged", "configured"]), ("--server-side", ["serverside-applied"; 3])]
    {
        let namespace = shared("us").namespace("everyday");
        let applied = |document: &Value| apply(&namespace, flags, document).unwrap();
        assert_eq!(applied(&crm), format!("connection.stablekey.dev/crm {created}\n"));
        let first = get(&namespace, "connection/crm");
        assert_eq!(first["spec"], crm["spec"], "nothing is written into it that nobody wrote");
        assert_eq!(applied(&crm), format!("connection.stablekey.dev/crm {unchanged}\n"));
        assert_eq!(
            get(&namespace, "connection/crm")["metadata"]["resourceVersion"],
            first["metadata"]["resourceVersion"]
        );
        // One input is removed, another changes its kind, a title is added.
        assert_eq!(applied(&less), format!("connection.stablekey.dev/crm {changed}\n"));
        let second = get(&namespace, "connection/crm");
        assert_eq!(second["spec"], less["spec"]);
        assert_eq!(second["metadata"]["generation"], 2);
    }
}

#[test]
fn a_status_changes_no_generation_and_a_spec_no_status() {
    let namespace = shared("us").namespace("everyday");
    let mut crm = connection("crm");
    crm["status"] = json!({"usedByCount": 99});
    apply(&namespace, "", &crm).unwrap();
    assert_eq!(get(&namespace, "connection/crm")["status"], Value::Null, "the status is the operator's");
    set_status(&namespace, "connection/crm", &json!({"usedByCount": 1}));
    apply(&namespace, "", &with(crm, "title", json!("CRM"))).unwrap();
    let now = get(&namespace, "connection/crm");
    assert_eq!((&now["status"]["usedByCount"], &now["metadata"]["generation"]), (&json!(1), &json!(2)));
}

#[test]
fn patch_by_merge_and_by_operations() {
    let namespace = shared("us").namespace("everyday");
    apply(&namespace, "", &with(connection("crm"), "inputs", json!({"url": {"value": "x"}}))).unwrap();
    patch(&namespace, "merge", &json!({"spec": {"embeddedWorkflows": true}})).unwrap();
    patch(&namespace, "json", &json!([{"op": "replace", "path": "/spec/inputs/url", "value": {"perCustomer": true}}]))
        .unwrap();
    let spec = get(&namespace, "connection/crm")["spec"].clone();
    assert_eq!((&spec["embeddedWorkflows"], &spec["inputs"]), (&json!(true), &json!({"url": {"perCustomer": true}})));

    // A merge keeps the existing member beside the new one: that is refused, and null removes it.
    let value = json!({"spec": {"inputs": {"url": {"value": "y"}}}});
    let said = patch(&namespace, "merge", &value).unwrap_err();
    assert!(said.contains("spec.inputs[url]: Invalid value: an input is exactly one of value, secretRef"), "{said}");
    patch(&namespace, "merge", &json!({"spec": {"inputs": {"url": {"value": "y", "perCustomer": null}}}})).unwrap();
    assert_eq!(get(&namespace, "connection/crm")["spec"]["inputs"], json!({"url": {"value": "y"}}));
    let said = patch(&namespace, "merge", &json!({"spec": {"stableKey": "CRM"}})).unwrap_err();
    assert!(said.contains("spec.stableKey: Forbidden: a stable key never changes"), "{said}");
}

#[test]
fn delete_by_name_file_label_and_category() {
    let namespace = shared("us").namespace("everyday");
    let delete = |words: &str| output_of(&mut kubectl(&namespace, &format!("delete {words}")));
    for words in
        ["connection crm", "conn/crm", "connections.stablekey.dev crm", "conn -l team=sales", "stablekey --all"]
    {
        let mut crm = connection("crm");
        crm["metadata"]["labels"] = json!({"team": "sales"});
        apply(&namespace, "", &crm).unwrap();
        let said = delete(words);
        assert!(said.contains("connection.stablekey.dev \"crm\" deleted"), "{words}: {said}");
    }
    assert_eq!(delete("connection crm --ignore-not-found"), "");
    let said = error_of(&mut kubectl(&namespace, "delete connection crm"));
    assert!(said.contains("connections.stablekey.dev \"crm\" not found"), "{said}");
}
