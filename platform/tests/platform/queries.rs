//! What the official tools ask, and the filters.

use crate::client::{ask, connection, customer, data, integration, us};
use serde_json::{Value, json};

/// The texts under a field of the nodes of a root list.
fn texts(data: &Value, list: &str, field: &str) -> Vec<String> {
    let nodes = data[list]["nodes"].as_array().unwrap_or_else(|| panic!("{data}"));
    nodes.iter().map(|node| node[field].as_str().unwrap_or("null").to_string()).collect()
}

#[test]
fn connections_are_filtered() {
    let server = us();
    let keys = |arguments: &str| {
        let query = format!(
            "{{scopedConfigVariables({arguments} sortBy: {{field: CREATED_AT, direction: ASC}}) {{nodes {{stableKey}}}}}}"
        );
        texts(&data(&server, &query, json!({})), "scopedConfigVariables", "stableKey")
    };
    let hooli = customer(&server, "Hooli");
    let erp = connection(&server, "acme-erp");
    assert_eq!(keys("stableKey: \"acme-erp\""), ["acme-erp"]);
    assert_eq!(keys("key: \"Acme ERP\""), ["acme-erp"]);
    assert_eq!(keys("key_Icontains: \"SLACK\"").len(), 4);
    assert_eq!(keys(&format!("id_In: [\"{erp}\", \"x\"]")), ["acme-erp"]);
    assert_eq!(keys("managedBy: \"customer\""), ["salesforce-crm"]);
    assert_eq!(keys("managedBy_In: [\"system\"]"), ["slack-build-only"]);
    assert_eq!(keys("managedBy: \"CUSTOMER\""), Vec::<String>::new());
    assert_eq!(keys("managedBy_In: [\"org\"] variableScope: \"customer\""), ["slack-notifications"]);
    assert_eq!(keys("variableScope_In: [\"user\"]"), ["slack-personal"; 3]);
    assert_eq!(keys(&format!("customer: \"{hooli}\"")), ["hooli-api"]);
    assert_eq!(keys("customer_Isnull: false"), ["hooli-api"]);
    assert_eq!(keys("connection_Component_In: [{key: \"acme\", isPublic: false}]"), ["acme-erp"]);
    assert_eq!(keys("connection_Component_In: [{key: \"acme\", isPublic: true}]"), Vec::<String>::new());
}

#[test]
fn a_connection_has_every_field() {
    let server = us();
    let query = "query($key: String) {scopedConfigVariables(stableKey: $key) {nodes {
        key description managedBy variableScope status treeLocation defaultForComponent isInUse hasDeployedInstances
        allowUpdate allowRemove authorizeUrl createdAt updatedAt lastConfiguredAt lastSuccessfulRefreshAt refreshAt meta
        customer {name externalId}
        connection {key label oauth2Type component {key public label versionNumber} inputs {nodes {id key type required default}}}
        inputs {totalCount nodes {name type value hasValue meta}}
        customerConfigVariables(isTest: true) {totalCount nodes {status}}
        customers {totalCount} instances {totalCount} integrations {nodes {name}}
    }}}";
    let node = |key: &str| data(&server, query, json!({"key": key}))["scopedConfigVariables"]["nodes"][0].take();
    let crm = node("salesforce-crm");
    assert_eq!(
        (&crm["managedBy"], &crm["variableScope"], &crm["status"], &crm["treeLocation"]),
        (&json!("CUSTOMER"), &json!("CUSTOMER"), &json!("ACTIVE"), &json!("ROOT"))
    );
    assert_eq!(
        (&crm["isInUse"], &crm["hasDeployedInstances"], &crm["defaultForComponent"], &crm["authorizeUrl"]),
        (&json!(true), &json!(true), &json!(true), &Value::Null)
    );
    assert_eq!((&crm["customers"]["totalCount"], &crm["instances"]["totalCount"]), (&json!(2), &json!(3)));
    assert_eq!(crm["integrations"]["nodes"], json!([{"name": "Order Sync"}]));
    assert_eq!(crm["connection"]["oauth2Type"], "AUTHORIZATION_CODE");
    assert_eq!(
        crm["connection"]["component"],
        json!({"key": "salesforce", "public": true, "label": "Salesforce", "versionNumber": 50})
    );
    assert!(crm["createdAt"].as_str().unwrap().starts_with("2026-01-01T"));
    let waiting = node("slack-internal");
    assert_eq!(waiting["status"], "PENDING");
    assert!(waiting["authorizeUrl"].as_str().unwrap().starts_with(&server.url()), "{waiting}");
    assert_eq!(node("legacy-billing")["status"], "ERROR");
    assert_eq!(node("hooli-api")["customer"], json!({"name": "Hooli", "externalId": "hooli"}));
    assert_eq!(node("acme-erp")["customerConfigVariables"], json!({"totalCount": 1, "nodes": [{"status": "ACTIVE"}]}));
    let build_only = node("slack-build-only");
    assert_eq!((&build_only["managedBy"], &build_only["allowUpdate"]), (&json!("SYSTEM"), &json!(false)));
}

#[test]
fn user_connections_have_a_root_and_leaves() {
    let server = us();
    let query = "{scopedConfigVariables(managedBy_In: [\"org\"], variableScope_In: [\"user\"],
        sortBy: [{field: CREATED_AT, direction: ASC}]) {nodes {stableKey variableScope treeLocation status}}}";
    let nodes = data(&server, query, json!({}))["scopedConfigVariables"]["nodes"].take();
    let node = |location: &str, status: &str| json!({"stableKey": "slack-personal", "variableScope": "USER", "treeLocation": location, "status": status});
    assert_eq!(nodes, json!([node("ROOT", "ACTIVE"), node("LEAF", "ACTIVE"), node("LEAF", "PENDING")]));
}

#[test]
fn credentials_are_filtered() {
    let server = us();
    let count = |arguments: &str| {
        let query = format!("{{customerConfigVariables({arguments}) {{totalCount nodes {{id}}}}}}");
        data(&server, &query, json!({}))["customerConfigVariables"]["totalCount"].as_u64().unwrap()
    };
    let (hooli, crm) = (customer(&server, "Hooli"), connection(&server, "salesforce-crm"));
    assert_eq!(count("isTest: true"), 1);
    assert_eq!(count(&format!("customer: \"{hooli}\"")), 3);
    assert_eq!(count(&format!("customer: \"{hooli}\", scopedConfigVariable: \"{crm}\"")), 2);
    assert_eq!(count(&format!("customer: \"{hooli}\", key: \"Sales\"")), 1);
    let query = "{customerConfigVariables(sortBy: [{field: KEY, direction: DESC}], first: 1) {nodes {
        id key isTest status authorizeUrl customer {name} isInUse hasDeployedInstances instances {nodes {name}}
        scopedConfigVariable {stableKey} inputs {nodes {name value}}}}}";
    let node = data(&server, query, json!({}))["customerConfigVariables"]["nodes"][0].take();
    assert_eq!((&node["key"], &node["customer"]["name"]), (&json!("Service"), &json!("Hooli")));
    assert_eq!(node["instances"]["nodes"], json!([{"name": "Service orders of Hooli"}]));
    let one = data(&server, "query($id: ID!) {customerConfigVariable(id: $id) {key}}", json!({"id": node["id"]}));
    assert_eq!(one["customerConfigVariable"]["key"], "Service");
}

#[test]
fn reusable_connections_are_both_kinds() {
    let server = us();
    let query = "query($keys: [String], $scv: ID) {reusableConnections(stableKey_In: $keys, scopedConfigVariable: $scv,
        sortBy: [{field: CREATED_AT, direction: ASC}]) {totalCount nodes {
            __typename ... on ScopedConfigVariable {stableKey status} ... on CustomerConfigVariable {key}}}}";
    let list = data(&server, query, json!({"keys": ["acme-erp", "slack-internal"]}))["reusableConnections"].take();
    assert_eq!(
        list["nodes"],
        json!([
            {"__typename": "ScopedConfigVariable", "stableKey": "acme-erp", "status": "ACTIVE"},
            {"__typename": "ScopedConfigVariable", "stableKey": "slack-internal", "status": "PENDING"},
        ])
    );
    let of = data(&server, query, json!({"scv": connection(&server, "salesforce-crm")}))["reusableConnections"].take();
    assert_eq!(of["totalCount"], 3);
    assert_eq!(of["nodes"][0], json!({"__typename": "CustomerConfigVariable", "key": "Sales"}));
}

#[test]
fn components_are_the_newest_unless_all_versions_are_asked_for() {
    let server = us();
    let versions = |arguments: &str| {
        let query = format!(
            "{{components({arguments} sortBy: [{{field: VERSION_NUMBER, direction: ASC}}]) {{nodes {{versionNumber}}}}}}"
        );
        data(&server, &query, json!({}))["components"]["nodes"].take()
    };
    assert_eq!(versions("key: \"salesforce\""), json!([{"versionNumber": 50}]));
    assert_eq!(
        versions("key: \"salesforce\", allVersions: true"),
        json!([{"versionNumber": 49}, {"versionNumber": 50}])
    );
    assert_eq!(versions("key: \"salesforce\", versionNumber: 49"), json!([{"versionNumber": 49}]));
    assert_eq!(versions("key: \"acme\", public: true"), json!([]));
    // As prism asks for its list.
    let query = "query listComponents($showAllVersions: Boolean, $after: String, $filterQuery: JSONString) {
        components(allVersions: $showAllVersions, after: $after, filterQuery: $filterQuery) {
            nodes {id key public label description versionNumber category versionCreatedAt customer {id externalId name}}
            pageInfo {hasNextPage endCursor}}}";
    let list = data(&server, query, json!({"showAllVersions": false, "after": ""}))["components"].take();
    assert_eq!(list["nodes"].as_array().unwrap().len(), 9);
}

#[test]
fn integrations_are_listed_with_what_they_bind() {
    let server = us();
    // As prism asks for its list.
    let query = "query listIntegrations($all: Boolean, $after: String, $customer: ID, $null: Boolean, $search: String) {
        integrations(allVersions: $all, after: $after, customer: $customer, customer_Isnull: $null, name_Icontains: $search) {
            nodes {id name description versionNumber labels category customer {id name externalId}}
            pageInfo {hasNextPage endCursor}}}";
    let names = |variables| texts(&data(&server, query, variables), "integrations", "name");
    assert_eq!(
        names(json!({"after": ""})),
        ["Order Sync", "Warehouse Export", "Ticket Router", "Hooli Report", "Slack Alerts"]
    );
    assert_eq!(names(json!({"search": "sync"})), ["Order Sync"]);
    assert_eq!(names(json!({"null": false})), ["Hooli Report"]);
    assert_eq!(names(json!({"search": "sync", "all": true})).len(), 4);

    let query = "query($id: ID!) {integration(id: $id) {
        isCodeNative versionNumber updatedAt
        requiredConfigVariables {totalCount nodes {key stableKey dataType
            scopedConfigVariable {stableKey managedBy} connection {key component {key public}}}}
        flows {nodes {id name stableKey isSynchronous}}
        testConfigVariables(status: \"pending\") {nodes {id authorizeUrl}}
        systemInstance {id configState flowConfigs {nodes {id flow {id name} apiKeys}}
            configVariables {nodes {id key status authorizeUrl inputs {nodes {name value hasValue}}
                requiredConfigVariable {key scopedConfigVariable {id}}}}}
        instances(first: 10, isSystem: false) {totalCount nodes {name enabled}}
    }}";
    let one = |name: &str| data(&server, query, json!({"id": integration(&server, name)}))["integration"].take();
    let orders = one("Order Sync");
    assert_eq!((&orders["versionNumber"], &orders["instances"]["totalCount"]), (&json!(3), &json!(3)));
    assert_eq!(
        orders["requiredConfigVariables"]["nodes"][0],
        json!({"key": "CRM", "stableKey": null, "dataType": "CONNECTION",
               "scopedConfigVariable": {"stableKey": "salesforce-crm", "managedBy": "CUSTOMER"}, "connection": null})
    );
    assert_eq!(orders["requiredConfigVariables"]["nodes"][2]["dataType"], "SCHEDULE");
    assert_eq!(orders["testConfigVariables"]["nodes"], json!([]));
    assert_eq!(orders["systemInstance"]["configState"], "FULLY_CONFIGURED");
    assert_eq!(
        orders["systemInstance"]["flowConfigs"]["nodes"][1]["flow"],
        json!({"id": orders["flows"]["nodes"][1]["id"], "name": "Order status"})
    );

    let export = one("Warehouse Export");
    assert_eq!(
        export["requiredConfigVariables"]["nodes"][0]["connection"],
        json!({"key": "oauth2", "component": {"key": "salesforce", "public": true}})
    );
    assert_eq!(export["testConfigVariables"]["nodes"].as_array().unwrap().len(), 1);
    assert!(export["testConfigVariables"]["nodes"][0]["authorizeUrl"].is_string());
    assert_eq!(export["systemInstance"]["configState"], "NEEDS_INSTANCE_CONFIGURATION");
    assert_eq!(
        export["systemInstance"]["configVariables"]["nodes"][0]["inputs"]["nodes"][2],
        json!({"name": "clientSecret", "value": null, "hasValue": true})
    );
    assert_eq!(one("Ticket Router")["requiredConfigVariables"]["nodes"][0]["stableKey"], "acme-erp");
    assert_eq!(one("Ticket Router")["isCodeNative"], true);
}

#[test]
fn a_definition_comes_back_normalised() {
    let server = us();
    let query = "query($id: ID!, $v: Int, $latest: Boolean) {integration(id: $id) {definition(version: $v, useLatestComponentVersions: $latest)}}";
    let definition = |variables: Value| data(&server, query, variables)["integration"]["definition"].take();
    let id = integration(&server, "Order Sync");
    let text = definition(json!({"id": id, "v": 7, "latest": true}));
    let value: Value = serde_saphyr::from_str(text.as_str().unwrap()).unwrap();
    let sent = server.read(|store| store.integration(&id).unwrap().draft.clone());
    assert_eq!(value, sent.value);
    assert_ne!(text.as_str().unwrap(), sent.text);
    assert_eq!(definition(json!({"id": id, "v": 8})), Value::Null);
}

#[test]
fn instances_run_versions_with_credentials() {
    let server = us();
    let query = "query($customer: ID, $integration: ID, $system: Boolean) {
        instances(customer: $customer, integration: $integration, isSystem: $system, sortBy: [{field: NAME, direction: ASC}]) {
            totalCount nodes {id name description enabled isSystem deployedVersion lastDeployedAt configState enablementBlockers
                customer {id name externalId} integration {id name versionNumber}
                configVariables {nodes {key status customerConfigVariable {key} requiredConfigVariable {
                    scopedConfigVariable {stableKey}}}}}}}";
    let hooli = customer(&server, "Hooli");
    let list = data(&server, query, json!({"customer": hooli, "integration": integration(&server, "Order Sync")}))["instances"].take();
    assert_eq!(list["totalCount"], 2);
    let service = &list["nodes"][1];
    assert_eq!((&service["name"], &service["deployedVersion"]), (&json!("Service orders of Hooli"), &json!(3)));
    assert_eq!(service["integration"]["versionNumber"], 3);
    assert_eq!(service["enablementBlockers"], json!([]));
    assert_eq!(
        service["configVariables"]["nodes"][0],
        json!({"key": "CRM", "status": "ACTIVE", "customerConfigVariable": {"key": "Service"},
               "requiredConfigVariable": {"scopedConfigVariable": {"stableKey": "salesforce-crm"}}})
    );
    // Instances of one version, by the version's id.
    let version = data(&server, query, json!({"integration": service["integration"]["id"]}))["instances"].take();
    assert_eq!((&version["totalCount"], &version["nodes"][0]["id"]), (&json!(1), &service["id"]));
    let all = data(&server, query, json!({}))["instances"]["totalCount"].as_u64().unwrap();
    let own = data(&server, query, json!({"system": false}))["instances"]["totalCount"].as_u64().unwrap();
    assert_eq!((all, own), (12, 7));
    let one = data(&server, "query($id: ID!) {instance(id: $id) {name}}", json!({"id": service["id"]}));
    assert_eq!(one["instance"]["name"], "Service orders of Hooli");
}

#[test]
fn customers_and_workflows_are_found() {
    let server = us();
    let names = |arguments: &str| {
        let query = format!("{{customers{arguments} {{nodes {{name externalId}}}}}}");
        texts(&data(&server, &query, json!({})), "customers", "name")
    };
    assert_eq!(names(""), ["Hooli", "Globex", "Umbrella GmbH", "Initech"]);
    assert_eq!(names("(externalId: \"hooli\", isSystem: false, after: \"\")"), ["Hooli"]);
    assert_eq!(names("(name_Icontains: \"UMB\")"), ["Umbrella GmbH"]);
    assert_eq!(names("(name: \"Globex\", first: 1)"), ["Globex"]);
    let list = data(&server, "{workflows {nodes {id name updatedAt}}}", json!({}))["workflows"].take();
    // As prism exports it.
    let query = "query exportWorkflow($workflow: ID!, $latest: Boolean) {
        workflow(id: $workflow) {definition(definitionType: WORKFLOW, useLatestComponentVersions: $latest)}}";
    let text = data(&server, query, json!({"workflow": list["nodes"][0]["id"]}))["workflow"]["definition"].take();
    assert!(text.as_str().unwrap().contains("slack-notifications"), "{text}");
}

#[test]
fn unknown_ids_are_errors_beside_null() {
    let server = us();
    for field in ["integration", "scopedConfigVariable", "customerConfigVariable", "instance", "workflow", "customer"] {
        let answer = ask(&server, &format!("{{{field}(id: \"x\") {{id}}}}"), json!({}));
        assert_eq!(answer["data"][field], Value::Null, "{answer}");
        assert_eq!(answer["errors"][0]["message"], "Record not found");
        assert_eq!(answer["errors"][0]["path"], json!([field]));
    }
}

#[test]
fn a_workflow_can_name_a_connection_by_id() {
    let server = us();
    let (erp, credential) = server.change(|store| {
        let erp = store.connections.iter().find(|c| c.stable_key == "warehouse").unwrap().id.clone();
        let credential = store.credentials[0].clone();
        for (name, id) in [("By connection", &erp), ("By credentials", &credential.id)] {
            let text = format!(
                "{{definitionVersion: 1, definitionType: workflow, name: {name}, flow: {{steps: [\
                 {{name: a, inputs: {{c: {{type: scopedConfigVar, value: \"{id}\"}}}}}}]}}}}"
            );
            stablekey_platform::operations::integration::create_workflow(store, &text, None).unwrap();
        }
        (erp, credential)
    });
    server.read(|store| {
        let users = |id: &str| {
            let connection = store.connection(id).unwrap();
            store.workflows_using(connection).map(|workflow| workflow.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(users(&erp), ["By connection"]);
        assert_eq!(users(&credential.connection), ["By credentials"]);
    });
}
