//! Each switch in both positions.

use crate::client::{connection, data, kind, problems, us, with};
use crate::connections::{CREATE, DELETE, UPDATE};
use crate::integrations::IMPORT;
use serde_json::{Value, json};
use stablekey_platform::{Server, Switches};

fn both(change: impl Fn(&mut Switches, bool)) -> (Server, Server) {
    let at = |position| {
        let mut switches = Switches::default();
        change(&mut switches, position);
        with(switches)
    };
    (at(true), at(false))
}

fn inputs(server: &Server, stable_key: &str) -> Vec<Value> {
    let query =
        "query($k: String) {scopedConfigVariables(stableKey: $k) {nodes {inputs {nodes {name value hasValue meta}}}}}";
    let found = data(server, query, json!({"k": stable_key}));
    found["scopedConfigVariables"]["nodes"][0]["inputs"]["nodes"].as_array().unwrap().clone()
}

fn names(inputs: &[Value]) -> Vec<&str> {
    inputs.iter().map(|input| input["name"].as_str().unwrap()).collect()
}

#[test]
fn unique_keys() {
    let (unique, free) = both(|switches, on| switches.unique_keys = on);
    let again = |server: &Server| {
        let input = json!({"key": "A", "stableKey": "acme-erp", "variableScope": "org", "connection": kind(server, "acme", false, "apiKey")});
        problems(&data(server, CREATE, json!({"input": input})), "createScopedConfigVariable").len()
    };
    assert_eq!((again(&unique), again(&free)), (1, 0));
    assert_eq!(free.read(|store| store.connections.iter().filter(|c| c.stable_key == "acme-erp").count()), 2);
}

#[test]
fn replaces_inputs() {
    let (replaces, merges) = both(|switches, on| switches.replaces_inputs = on);
    let update = |server: &Server, given: Value| {
        data(server, UPDATE, json!({"input": {"id": connection(server, "acme-erp"), "inputs": given}}));
        inputs(server, "acme-erp")
    };
    let host = json!([{"name": "host", "value": "https://new"}]);
    assert_eq!(names(&update(&replaces, host.clone())), ["host"]);
    let merged = update(&merges, host);
    assert_eq!(names(&merged), ["host", "apiKey"]);
    assert_eq!((&merged[0]["value"], &merged[1]["hasValue"]), (&json!("https://new"), &json!(true)));
    // Null and an empty list end everything where they replace, and nothing where they are merged.
    assert!(update(&replaces, Value::Null).is_empty());
    assert_eq!(update(&merges, Value::Null).len(), 2);
    assert_eq!(update(&merges, json!([])).len(), 2);
}

#[test]
fn readable_passwords() {
    let (readable, hidden) = both(|switches, on| switches.readable_passwords = on);
    let secret = |server: &Server| {
        (inputs(server, "acme-erp")[1]["value"].clone(), inputs(server, "acme-erp")[1]["hasValue"].clone())
    };
    assert_eq!(secret(&readable), (json!("us-erp-secret"), json!(true)));
    assert_eq!(secret(&hidden), (Value::Null, json!(true)));
    let test = |server: &Server| {
        let query = "{customerConfigVariables(isTest: true) {nodes {inputs {nodes {value hasValue}}}}}";
        data(server, query, json!({}))["customerConfigVariables"]["nodes"][0]["inputs"]["nodes"][0]["value"].take()
    };
    assert_eq!((test(&readable), test(&hidden)), (json!("test-erp-secret"), Value::Null));
    // What is write-only is never readable.
    let write_only = json!([{"name": "host", "value": "h", "meta": "{\"writeOnly\":true}"}]);
    data(&readable, UPDATE, json!({"input": {"id": connection(&readable, "acme-erp"), "inputs": write_only}}));
    assert_eq!(inputs(&readable, "acme-erp")[0]["value"], Value::Null);
}

#[test]
fn deletes_in_use() {
    let (deletes, refuses) = both(|switches, on| switches.deletes_in_use = on);
    let delete = |server: &Server| {
        let answer = data(server, DELETE, json!({"id": connection(server, "acme-erp")}));
        problems(&answer, "deleteScopedConfigVariable").len()
    };
    assert_eq!((delete(&deletes), delete(&refuses)), (0, 1));
    let left = |server: &Server| server.read(|store| store.connections.iter().any(|c| c.stable_key == "acme-erp"));
    assert_eq!((left(&deletes), left(&refuses)), (false, true));
    assert!(deletes.read(|store| store.credentials.iter().all(|credential| !credential.is_test)));
}

#[test]
fn refuses_unknown_keys() {
    let (refuses, makes) = both(|switches, on| switches.refuses_unknown_keys = on);
    let text = "definitionVersion: 7\nname: N\nflows: [{name: F}]\nrequiredConfigVars: [{key: Zendesk, dataType: connection, useScopedConfigVar: zendesk}]";
    let import = |server: &Server| problems(&data(server, IMPORT, json!({"definition": text})), "importIntegration");
    assert_eq!(import(&refuses)[0].1, "Scoped config variable with stableKey 'zendesk' not found");
    assert_eq!(import(&makes), []);
    let query = "{scopedConfigVariables(stableKey: \"zendesk\") {nodes {key status connection {id}}}}";
    let made = data(&makes, query, json!({}))["scopedConfigVariables"]["nodes"].take();
    assert_eq!(made, json!([{"key": "Zendesk", "status": "PENDING", "connection": null}]));
}

#[test]
fn upper_case_meta() {
    let (upper, as_given) = both(|switches, on| switches.upper_case_meta = on);
    let meta = |server: &Server| inputs(server, "salesforce-crm")[0]["meta"].as_str().unwrap().to_string();
    assert_eq!(meta(&upper), r#"{"inputScope":"ORG","managedBy":"ORG"}"#);
    assert_eq!(meta(&as_given), r#"{"inputScope":"org","managedBy":"org"}"#);
}

#[test]
fn update_disconnects() {
    let (disconnects, keeps) = both(|switches, on| switches.update_disconnects = on);
    let after = |server: &Server, stable_key: &str| {
        let id = connection(server, stable_key);
        data(server, UPDATE, json!({"input": {"id": id, "description": "new"}}));
        let query = "query($id: ID!) {scopedConfigVariable(id: $id) {status customerConfigVariables(isTest: false) {nodes {status}}}}";
        data(server, query, json!({"id": id}))["scopedConfigVariable"].take()
    };
    let status = |status: &str| json!({"status": status});
    assert_eq!(
        after(&disconnects, "salesforce-crm"),
        json!({"status": "PENDING", "customerConfigVariables": {"nodes": [status("PENDING"), status("PENDING"), status("PENDING")]}})
    );
    assert_eq!(
        after(&keeps, "salesforce-crm"),
        json!({"status": "ACTIVE", "customerConfigVariables": {"nodes": [status("ACTIVE"), status("ACTIVE"), status("ERROR")]}})
    );
    // Only a person's consent is lost.
    assert_eq!(after(&disconnects, "acme-erp")["status"], "ACTIVE");
}

// `has_tree_location` and `has_updated_at` are in `strict`.

#[test]
fn positions_can_change_while_a_server_runs() {
    let server = us();
    server.set_switches(Switches { readable_passwords: true, ..Switches::default() });
    assert_eq!(inputs(&server, "acme-erp")[1]["value"], "us-erp-secret");
}
