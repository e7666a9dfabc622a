//! Writes of connections.

use crate::client::{ask, connection, customer, data, kind, problems, us};
use serde_json::{Value, json};
use stablekey_platform::Server;

pub const CREATE: &str =
    "mutation($input: CreateScopedConfigVariableInput!) {createScopedConfigVariable(input: $input) {
    scopedConfigVariable {id key stableKey managedBy variableScope status authorizeUrl treeLocation description meta
        inputs {nodes {name value hasValue meta}}}
    errors {field messages} clientMutationId}}";
pub const UPDATE: &str =
    "mutation($input: UpdateScopedConfigVariableInput!) {updateScopedConfigVariable(input: $input) {
    scopedConfigVariable {id key description status defaultForComponent meta inputs {nodes {name value hasValue}}}
    errors {field messages}}}";
pub const DELETE: &str = "mutation($id: ID) {deleteScopedConfigVariable(input: {id: $id}) {
    scopedConfigVariable {id stableKey} errors {field messages}}}";

fn input(server: &Server, more: Value) -> Value {
    let mut input = json!({
        "key": "New", "stableKey": "new", "variableScope": "org", "managedBy": "org",
        "connection": kind(server, "acme", false, "apiKey"),
        "inputs": [{"name": "host", "type": "value", "value": "https://x"}, {"name": "apiKey", "type": "value", "value": "s"}],
    });
    input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!({"input": input})
}

#[test]
fn a_connection_is_created() {
    let server = us();
    let before = server.read(|store| store.connections.len());
    let made = data(&server, CREATE, input(&server, json!({"clientMutationId": "m", "description": "d"})));
    let made = &made["createScopedConfigVariable"];
    assert_eq!((&made["errors"], &made["clientMutationId"]), (&json!([]), &json!("m")));
    let node = &made["scopedConfigVariable"];
    assert_eq!(
        (&node["managedBy"], &node["variableScope"], &node["status"], &node["authorizeUrl"], &node["treeLocation"]),
        (&json!("ORG"), &json!("ORG"), &json!("ACTIVE"), &Value::Null, &json!("ROOT"))
    );
    assert_eq!(node["inputs"]["nodes"][1], json!({"name": "apiKey", "value": null, "hasValue": true, "meta": null}));
    assert_eq!(server.read(|store| store.connections.len()), before + 1);
}

#[test]
fn a_connection_that_needs_consent_waits_for_it() {
    let server = us();
    let oauth = json!({
        "connection": kind(&server, "slack", true, "oauth2"),
        "variableScope": "customer",
        "inputs": [{"name": "clientId", "value": "c", "meta": "{\"managedBy\":\"org\",\"inputScope\":\"org\"}"}],
        "oAuthRedirectConfig": {"oAuthSuccessRedirectUri": "https://ok"},
    });
    let made =
        data(&server, CREATE, input(&server, oauth))["createScopedConfigVariable"]["scopedConfigVariable"].take();
    assert_eq!(made["status"], "PENDING");
    assert!(made["authorizeUrl"].is_string());
    assert_eq!(made["meta"], r#"{"oAuthSuccessRedirectUri":"https://ok"}"#);
    let set = "mutation($input: UpdateScopedOAuth2ConnectionInput!) {updateScopedOAuth2Connection(input: $input) {
        scopedConfigVariable {status authorizeUrl refreshAt lastSuccessfulRefreshAt} errors {field messages}}}";
    let login = json!({"input": {"id": made["id"], "accessToken": "a", "refreshToken": "r", "expiresIn": 60,
        "refreshAt": "2026-02-01T00:00:00+00:00", "context": "{}"}});
    let active = data(&server, set, login)["updateScopedOAuth2Connection"]["scopedConfigVariable"].take();
    assert_eq!((&active["status"], &active["authorizeUrl"]), (&json!("ACTIVE"), &Value::Null));
    assert_eq!(active["refreshAt"], "2026-02-01T00:00:00+00:00");
    assert!(active["lastSuccessfulRefreshAt"].is_string());
    let disconnect = "mutation($id: ID) {disconnectScopedConnection(input: {id: $id}) {scopedConfigVariable {status authorizeUrl} errors {field messages}}}";
    let gone =
        data(&server, disconnect, json!({"id": made["id"]}))["disconnectScopedConnection"]["scopedConfigVariable"]
            .take();
    assert_eq!(gone["status"], "PENDING");
    assert!(gone["authorizeUrl"].is_string());
    let other = data(&server, disconnect, json!({"id": connection(&server, "acme-erp")}));
    assert_eq!(problems(&other, "disconnectScopedConnection")[0].0, "__all__");
    let bad = json!({"input": {"id": made["id"], "status": "ACTIVE"}});
    assert_eq!(problems(&data(&server, set, bad), "updateScopedOAuth2Connection")[0].0, "status");
}

#[test]
fn wrong_inputs_are_told_in_the_payload() {
    let server = us();
    for (more, field, message) in [
        (json!({"variableScope": "ORG"}), "variableScope", "\"ORG\" is not a valid choice."),
        (json!({"managedBy": "Org"}), "managedBy", "\"Org\" is not a valid choice."),
        (json!({"managedBy": "customer"}), "managedBy", "A Customer can manage Customer-scoped variables only."),
        (json!({"key": " "}), "key", "This field may not be blank."),
        (json!({"stableKey": ""}), "stableKey", "This field may not be blank."),
        (json!({"stableKey": "acme-erp"}), "stableKey", "Scoped Config Variable with this Stable Key already exists."),
        (json!({"inputs": [{"name": "nope"}]}), "inputs", "\"nope\" is not an input of this Connection."),
        (json!({"inputs": [{"name": "host"}, {"name": "host"}]}), "inputs", "Input \"host\" is given twice."),
        (json!({"inputs": [{"name": "host", "meta": "{"}]}), "inputs", "The meta of \"host\" is not valid JSON."),
    ] {
        let answer = data(&server, CREATE, input(&server, more));
        assert_eq!(problems(&answer, "createScopedConfigVariable"), [(field.to_string(), message.to_string())]);
        assert_eq!(answer["createScopedConfigVariable"]["scopedConfigVariable"], Value::Null);
    }
    for more in [json!({"connection": "x"}), json!({"customer": "x"}), json!({"parent": "x"})] {
        let answer = ask(&server, CREATE, input(&server, more));
        assert_eq!(answer["errors"][0]["message"], "Record not found");
    }
    assert_eq!(server.read(|store| store.connections.iter().filter(|c| c.stable_key == "new").count()), 0);
}

#[test]
fn leaves_hang_below_their_container() {
    let server = us();
    let container = connection(&server, "slack-personal");
    let leaf = json!({
        "connection": kind(&server, "slack", true, "oauth2"), "variableScope": "user", "inputs": null,
        "stableKey": "slack-personal", "key": "eve@hooli.example.invalid", "parent": container,
        "customer": customer(&server, "Hooli"),
    });
    let made = data(&server, CREATE, input(&server, leaf))["createScopedConfigVariable"]["scopedConfigVariable"].take();
    assert_eq!((&made["treeLocation"], &made["variableScope"]), (&json!("LEAF"), &json!("USER")));
    // With the container go its leaves; two integrations of the seed still name it.
    server.change(|store| store.integrations.retain(|integration| integration.name != "Ticket Router"));
    server.change(|store| store.instances.retain(|instance| instance.name != "Tickets of Umbrella"));
    let gone = data(&server, DELETE, json!({"id": container}));
    assert_eq!(gone["deleteScopedConfigVariable"]["errors"], json!([]));
    assert_eq!(server.read(|store| store.connections.iter().filter(|c| c.stable_key == "slack-personal").count()), 0);
}

#[test]
fn an_update_changes_what_it_names() {
    let server = us();
    let id = connection(&server, "salesforce-crm");
    let update = |more: Value| {
        let mut input = json!({"id": id});
        input.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data(&server, UPDATE, json!({"input": input}))["updateScopedConfigVariable"]["scopedConfigVariable"].take()
    };
    let node = update(json!({"key": "CRM", "defaultForComponent": false}));
    assert_eq!((&node["key"], &node["defaultForComponent"]), (&json!("CRM"), &json!(false)));
    assert_eq!(node["description"], "The customer's own CRM");
    assert_eq!(node["inputs"]["nodes"].as_array().unwrap().len(), 6);
    assert_eq!(update(json!({"description": null}))["description"], Value::Null);
    let node = update(json!({"oAuthRedirectConfig": {"oAuthFailureRedirectUri": "https://no"}}));
    assert_eq!(node["meta"], r#"{"oAuthFailureRedirectUri":"https://no"}"#);
    assert_eq!(update(json!({"unsetOAuthRedirectConfig": true}))["meta"], Value::Null);
    let system = ask(&server, UPDATE, json!({"input": {"id": connection(&server, "slack-build-only"), "key": "x"}}));
    assert_eq!(system["errors"][0]["message"], "You do not have permission to perform this action");
    let answer = ask(&server, UPDATE, json!({"input": {"id": "x"}}));
    assert_eq!(answer["errors"][0]["message"], "Record not found");
}

#[test]
fn instances_take_a_new_value_with_a_redeploy() {
    let server = us();
    let id = connection(&server, "acme-erp");
    let update = |value: &str, redeploy: bool| {
        let inputs = json!([{"name": "host", "value": "https://x"}, {"name": "apiKey", "value": value}]);
        data(&server, UPDATE, json!({"input": {"id": id, "inputs": inputs, "redeploy": redeploy}}));
    };
    let deployed = || {
        server.read(|store| {
            let instance = store.instances.iter().find(|i| i.name == "Orders of Hooli").unwrap();
            let inputs = &instance.deployed["acme-erp"];
            inputs.iter().find(|input| input.name == "apiKey").unwrap().value.clone().unwrap()
        })
    };
    update("second", false);
    assert_eq!(deployed(), "us-erp-secret");
    update("third", true);
    assert_eq!(deployed(), "third");
}

#[test]
fn what_is_used_is_not_deleted() {
    let server = us();
    let answer = data(&server, DELETE, json!({"id": connection(&server, "acme-erp")}));
    let message = "This connection cannot be deleted: \"Order Sync\" uses it.";
    assert_eq!(problems(&answer, "deleteScopedConfigVariable"), [("__all__".to_string(), message.to_string())]);
    // The first version of Order Sync names it, but no instance runs that: only it is lost.
    let answer = data(&server, DELETE, json!({"id": connection(&server, "legacy-billing")}));
    assert_eq!(answer["deleteScopedConfigVariable"]["scopedConfigVariable"]["stableKey"], "legacy-billing");
    let id = crate::client::integration(&server, "Order Sync");
    let query = "query($id: ID!) {integration(id: $id) {enablementBlockers versionSequence {nodes {id versionNumber enablementBlockers}}}}";
    let integration = data(&server, query, json!({"id": id}))["integration"].take();
    assert_eq!(integration["enablementBlockers"], json!([]));
    let versions = integration["versionSequence"]["nodes"].as_array().unwrap();
    let blocked: Vec<_> =
        versions.iter().map(|version| version["enablementBlockers"].as_array().unwrap().len()).collect();
    assert_eq!(blocked, [0, 0, 1]);
    let enable = "mutation($id: ID) {updateIntegrationVersionAvailability(input: {id: $id, available: true}) {integration {id} errors {field messages}}}";
    let answer = data(&server, enable, json!({"id": versions[2]["id"]}));
    assert_eq!(problems(&answer, "updateIntegrationVersionAvailability")[0].1, "It references a deleted connection.");
    // A new connection of that key does not help.
    data(&server, CREATE, input(&server, json!({"stableKey": "legacy-billing"})));
    let answer = data(&server, enable, json!({"id": versions[2]["id"]}));
    assert_eq!(problems(&answer, "updateIntegrationVersionAvailability").len(), 1);
    let answer = ask(&server, DELETE, json!({"id": "x"}));
    assert_eq!(answer["errors"][0]["message"], "Record not found");
}

#[test]
fn mutations_are_batched_by_alias() {
    let server = us();
    let query = "mutation($a: CreateScopedConfigVariableInput!, $b: UpdateScopedConfigVariableInput!) {
        one: createScopedConfigVariable(input: $a) {scopedConfigVariable {stableKey} errors {field messages}}
        two: updateScopedConfigVariable(input: $b) {scopedConfigVariable {id} errors {field messages}}
        three: createScopedConfigVariable(input: $a) {scopedConfigVariable {stableKey} errors {field messages}}}";
    let a = input(&server, json!({}))["input"].take();
    let answer = ask(&server, query, json!({"a": a, "b": {"id": "x"}}));
    assert_eq!(answer["data"]["one"]["scopedConfigVariable"]["stableKey"], "new");
    assert_eq!((&answer["data"]["two"], &answer["errors"][0]["path"]), (&Value::Null, &json!(["two"])));
    assert_eq!(problems(&answer["data"], "three")[0].0, "stableKey");
}
