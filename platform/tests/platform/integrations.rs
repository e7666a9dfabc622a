//! Imports, versions and instances.

use crate::client::{ask, connection, customer, data, integration, problems, us, with};
use serde_json::{Value, json};
use stablekey_platform::{Server, Switches};

pub const IMPORT: &str = "mutation importIntegration($definition: String!, $integrationId: ID, $customer: ID, $replace: Boolean) {
    importIntegration(input: {definition: $definition, integrationId: $integrationId, customer: $customer, replace: $replace}) {
        integration {id name versionNumber customer {name} flows {nodes {id name}}
            testConfigVariables(status: \"pending\") {nodes {id authorizeUrl}}
            systemInstance {id flowConfigs {nodes {id flow {id name} apiKeys}}}}
        errors {field messages}}}";
const PUBLISH: &str = "mutation($id: ID!, $comment: String, $attributes: String) {
    publishIntegration(input: {id: $id, comment: $comment, attributes: $attributes}) {
        integration {id name versionNumber versionComment} errors {field messages}}}";
const VERSIONS: &str = "query($id: ID!, $available: Boolean, $first: Int) {integration(id: $id) {
    versionNumber versionSequence(versionIsAvailable: $available, first: $first, sortBy: [{field: VERSION_NUMBER, direction: DESC}]) {
        totalCount nodes {id versionNumber versionCreatedAt versionCreatedBy {email} versionComment versionIsAvailable definition}}}}";

fn definition(name: &str, more: &str) -> String {
    format!("definitionVersion: 7\nname: {name}\nflows: [{{name: Flow, steps: []}}]\n{more}")
}

fn bound(stable_key: &str) -> String {
    format!("requiredConfigVars: [{{key: C, dataType: connection, useScopedConfigVar: {stable_key}}}]\n")
}

fn import(server: &Server, variables: Value) -> Value {
    data(server, IMPORT, variables)["importIntegration"].take()
}

#[test]
fn an_import_makes_a_draft() {
    let server = us();
    let made = import(&server, json!({"definition": definition("New", &bound("acme-erp"))}));
    assert_eq!(made["errors"], json!([]));
    let node = &made["integration"];
    assert_eq!((&node["name"], &node["versionNumber"]), (&json!("New"), &json!(0)));
    assert_eq!(node["systemInstance"]["flowConfigs"]["nodes"][0]["flow"], node["flows"]["nodes"][0]);
    // The name is no identity: the same again makes another.
    let again = import(&server, json!({"definition": definition("New", "")}));
    assert_ne!(again["integration"]["id"], node["id"]);
    let named = "{integrations(name: \"New\") {totalCount}}";
    assert_eq!(data(&server, named, json!({}))["integrations"]["totalCount"], 2);
    // With an id the draft is replaced, and keeps its parts.
    let replaced = import(&server, json!({"definition": definition("Renamed", ""), "integrationId": node["id"]}));
    assert_eq!((&replaced["integration"]["id"], &replaced["integration"]["name"]), (&node["id"], &json!("Renamed")));
    assert_eq!(replaced["integration"]["flows"], node["flows"]);
    assert_eq!(replaced["integration"]["systemInstance"]["id"], node["systemInstance"]["id"]);
    for variables in [
        json!({"definition": definition("N", ""), "integrationId": "x"}),
        json!({"definition": definition("N", ""), "customer": "x"}),
    ] {
        assert_eq!(ask(&server, IMPORT, variables)["errors"][0]["message"], "Record not found");
    }
}

#[test]
fn a_wrong_definition_is_refused_whole() {
    let server = us();
    let before = server.read(|store| (store.integrations.len(), store.connections.len()));
    let components = "requiredConfigVars: [{key: C, dataType: connection, connection: {key: x, component: {key: nope, isPublic: true, version: LATEST}}}]\n";
    let step = "a: {steps: [{action: {key: b, component: {key: acme, isPublic: true, version: LATEST}}}]}\n";
    let old = "a: {action: {component: {key: acme, isPublic: false, version: 99}}}\n";
    for (text, messages) in [
        ("a: [".to_string(), vec!["The definition is not valid YAML"]),
        (definition("A", "").replace(": 7", ": 8"), vec!["Unsupported definition version 8"]),
        ("name: A".to_string(), vec!["The definition has no definitionVersion"]),
        ("definitionVersion: 7\nflows: [{}]".to_string(), vec!["The definition has no name"]),
        ("definitionVersion: 7\nname: A".to_string(), vec!["The definition has no flows"]),
        (definition("A", &bound("nope")), vec!["Scoped config variable with stableKey 'nope' not found"]),
        (
            definition("A", &format!("{components}{step}")),
            vec!["Public component 'nope' not found", "Public component 'acme' not found"],
        ),
        (definition("A", old), vec!["Private component 'acme' with version 99 not found"]),
    ] {
        let answer = data(&server, IMPORT, json!({"definition": text}));
        let told: Vec<_> = problems(&answer, "importIntegration").into_iter().map(|(_, message)| message).collect();
        let sorted = |mut all: Vec<String>| {
            all.sort();
            all
        };
        assert_eq!(sorted(told), sorted(messages.into_iter().map(str::to_string).collect()), "{text}");
    }
    assert_eq!(server.read(|store| (store.integrations.len(), store.connections.len())), before);
}

#[test]
fn a_schema_is_validated_without_its_references() {
    let server = us();
    let query = "mutation validateIntegrationSchema($definition: String!) {
        validateIntegrationSchema(input: {definition: $definition}) {result {isValid} errors {field messages}}}";
    let valid = |definition: String| {
        data(&server, query, json!({"definition": definition}))["validateIntegrationSchema"].take()
    };
    assert_eq!(valid(definition("A", &bound("nope"))), json!({"result": {"isValid": true}, "errors": []}));
    assert_eq!(valid("name: A".into())["result"]["isValid"], false);
}

#[test]
fn a_customer_and_its_own_connections_go_before() {
    let server = us();
    let hooli = customer(&server, "Hooli");
    let text = definition("Of Hooli", &bound("hooli-api"));
    let answer = import(&server, json!({"definition": text}));
    assert_eq!(answer["errors"][0]["messages"], json!(["Scoped config variable with stableKey 'hooli-api' not found"]));
    let made = import(&server, json!({"definition": text, "customer": hooli}));
    assert_eq!(made["integration"]["customer"]["name"], "Hooli");
}

#[test]
fn low_code_and_code_native_replace_each_other_on_request() {
    let server = us();
    let id = integration(&server, "Ticket Router");
    let variables = json!({"definition": definition("Ticket Router", ""), "integrationId": id});
    assert_eq!(import(&server, variables.clone())["errors"][0]["field"], "definition");
    let mut replace = variables;
    replace["replace"] = json!(true);
    assert_eq!(import(&server, replace)["errors"], json!([]));
}

#[test]
fn a_publish_makes_the_next_version() {
    let server = us();
    let id = integration(&server, "Order Sync");
    let text = server.read(|store| store.integration(&id).unwrap().draft.text.replace("Order status", "Order state"));
    import(&server, json!({"definition": text, "integrationId": id}));
    let versions = |variables| data(&server, VERSIONS, variables)["integration"].take();
    let before = versions(json!({"id": id}));
    assert_eq!((&before["versionNumber"], &before["versionSequence"]["totalCount"]), (&json!(3), &json!(3)));
    let published =
        data(&server, PUBLISH, json!({"id": id, "comment": "Fourth", "attributes": "{\"commitHash\":\"c\"}"}));
    let version = &published["publishIntegration"]["integration"];
    assert_eq!((&version["versionNumber"], &version["versionComment"]), (&json!(4), &json!("Fourth")));
    let after = versions(json!({"id": id, "first": 1}));
    assert_eq!(after["versionSequence"]["nodes"][0]["id"], version["id"]);
    // The version keeps its definition, and can be asked for by its id.
    assert!(after["versionSequence"]["nodes"][0]["definition"].as_str().unwrap().contains("Order state"));
    assert_eq!(versions(json!({"id": version["id"]}))["versionNumber"], 4);
    let set = "mutation markAvailability($id: ID!, $available: Boolean!) {
        updateIntegrationVersionAvailability(input: {id: $id, available: $available}) {integration {id} errors {field messages}}}";
    data(&server, set, json!({"id": version["id"], "available": false}));
    assert_eq!(versions(json!({"id": id, "available": true}))["versionSequence"]["totalCount"], 3);
    let wrong = data(&server, PUBLISH, json!({"id": id, "attributes": "{"}));
    assert_eq!(problems(&wrong, "publishIntegration")[0].0, "attributes");
    assert_eq!(ask(&server, PUBLISH, json!({"id": "x"}))["errors"][0]["message"], "Record not found");
}

#[test]
fn instances_stay_on_their_version_until_they_are_moved() {
    let server = us();
    let id = integration(&server, "Order Sync");
    let versions = || {
        server.read(|store| {
            let own = store.instances.iter().filter(|i| i.integration == id && !i.is_system);
            own.map(|i| (i.version, i.deployed_version.unwrap())).collect::<Vec<_>>()
        })
    };
    data(&server, PUBLISH, json!({"id": id}));
    assert_eq!(versions(), [(2, 2), (2, 2), (3, 3)]);
    let query = "mutation($id: ID!) {bulkUpdateInstancesToLatestIntegrationVersion(input: {id: $id}) {
        integration {id name versionNumber} errors {field messages}}}";
    let moved = data(&server, query, json!({"id": id}));
    assert_eq!(moved["bulkUpdateInstancesToLatestIntegrationVersion"]["integration"]["versionNumber"], 4);
    assert_eq!(versions(), [(4, 4); 3]);
    // Credentials that an instance chose stay.
    server.read(|store| {
        let instance = store.instances.iter().find(|i| i.name == "Service orders of Hooli").unwrap();
        let credential = store.credential(instance.uses["salesforce-crm"].credential.as_deref().unwrap()).unwrap();
        assert_eq!(credential.key.as_deref(), Some("Service"));
    });
}

#[test]
fn an_integration_with_instances_is_not_deleted() {
    let server = us();
    let query = "mutation($id: ID!) {deleteIntegration(input: {id: $id}) {integration {id} errors {field messages}}}";
    let answer = data(&server, query, json!({"id": integration(&server, "Order Sync")}));
    assert!(problems(&answer, "deleteIntegration")[0].1.contains("Orders of Hooli"));
    let id = integration(&server, "Warehouse Export");
    let answer = data(&server, query, json!({"id": id}));
    assert_eq!(answer["deleteIntegration"], json!({"integration": {"id": id}, "errors": []}));
    assert!(server.read(|store| store.instances.iter().all(|instance| instance.integration != id)));
    // Nothing uses its connection any more.
    let answer = data(&server, crate::connections::DELETE, json!({"id": connection(&server, "warehouse")}));
    assert_eq!(answer["deleteScopedConfigVariable"]["errors"], json!([]));
}

#[test]
fn what_names_a_deleted_connection_is_never_enabled_again() {
    let server = with(Switches { deletes_in_use: true, ..Switches::default() });
    let id = integration(&server, "Order Sync");
    data(&server, crate::connections::DELETE, json!({"id": connection(&server, "acme-erp")}));
    let query = "query($id: ID!) {integration(id: $id) {enablementBlockers
        requiredConfigVariables(key: \"ERP\") {nodes {scopedConfigVariable {id}}}
        versionSequence {nodes {enablementBlockers}}
        instances(isSystem: false) {nodes {name enablementBlockers}}}}";
    let node = data(&server, query, json!({"id": id}))["integration"].take();
    let blocked = json!(["REFERENCES_DELETED_CONNECTION"]);
    assert_eq!(node["enablementBlockers"], blocked);
    assert_eq!(node["requiredConfigVariables"]["nodes"], json!([{"scopedConfigVariable": null}]));
    let versions: Vec<_> =
        node["versionSequence"]["nodes"].as_array().unwrap().iter().map(|v| &v["enablementBlockers"]).collect();
    assert_eq!(versions, [&blocked, &blocked, &json!([])]);
    assert!(node["instances"]["nodes"].as_array().unwrap().iter().all(|i| i["enablementBlockers"] == blocked));
    let answer = data(&server, PUBLISH, json!({"id": id}));
    assert_eq!(
        problems(&answer, "publishIntegration")[0].1,
        "Scoped config variable with stableKey 'acme-erp' not found"
    );
    let workflow = "{workflows {nodes {enablementBlockers}}}";
    data(&server, crate::connections::DELETE, json!({"id": connection(&server, "slack-notifications")}));
    assert_eq!(data(&server, workflow, json!({}))["workflows"]["nodes"], json!([{"enablementBlockers": blocked}]));
}
