//! Writes of customers' credentials.

use crate::client::{ask, connection, customer, data, problems, us, with};
use serde_json::{Value, json};
use stablekey_platform::{Server, Switches};

const CREATE: &str =
    "mutation($input: CreateCustomerConfigVariableInput!) {createCustomerConfigVariable(input: $input) {
    customerConfigVariable {id key isTest status authorizeUrl customer {name}} errors {field messages}}}";
const UPDATE: &str =
    "mutation($input: UpdateCustomerConfigVariableInput!) {updateCustomerConfigVariable(input: $input) {
    customerConfigVariable {id key status inputs {nodes {name value}}} errors {field messages}}}";
const DELETE: &str = "mutation($id: ID) {deleteCustomerConfigVariable(input: {id: $id}) {
    customerConfigVariable {id} errors {field messages}}}";

fn create(server: &Server, input: Value) -> Value {
    data(server, CREATE, json!({"input": input}))["createCustomerConfigVariable"].take()
}

fn credential(server: &Server, key: &str) -> String {
    server.read(|store| store.credentials.iter().find(|c| c.key.as_deref() == Some(key)).unwrap().id.clone())
}

#[test]
fn a_customer_may_have_several_credentials() {
    let server = us();
    let (crm, globex) = (connection(&server, "salesforce-crm"), customer(&server, "Globex"));
    let made = create(&server, json!({"scopedConfigVariable": crm, "customer": globex, "key": "Second"}));
    let node = &made["customerConfigVariable"];
    assert_eq!(
        (&node["key"], &node["status"], &node["customer"]["name"]),
        (&json!("Second"), &json!("PENDING"), &json!("Globex"))
    );
    assert!(node["authorizeUrl"].is_string());
    let again = create(&server, json!({"scopedConfigVariable": crm, "customer": globex, "key": "Second"}));
    assert_eq!(again["errors"][0]["field"], "key");
}

#[test]
fn test_credentials_have_no_customer() {
    let server = us();
    let (erp, hooli) = (connection(&server, "acme-erp"), customer(&server, "Hooli"));
    assert_eq!(
        create(&server, json!({"scopedConfigVariable": erp, "customer": hooli, "isTest": true}))["errors"][0]["field"],
        "customer"
    );
    assert_eq!(create(&server, json!({"scopedConfigVariable": erp}))["errors"][0]["field"], "customer");
    assert_eq!(
        create(&server, json!({"scopedConfigVariable": erp, "customer": hooli}))["errors"][0]["field"],
        "scopedConfigVariable"
    );
    let warehouse = connection(&server, "warehouse");
    let made =
        create(&server, json!({"scopedConfigVariable": warehouse, "customer": null, "isTest": true, "inputs": []}));
    assert_eq!(
        (&made["customerConfigVariable"]["isTest"], &made["customerConfigVariable"]["status"]),
        (&json!(true), &json!("ACTIVE"))
    );
    for input in
        [json!({"scopedConfigVariable": "x", "isTest": true}), json!({"scopedConfigVariable": erp, "customer": "x"})]
    {
        assert_eq!(ask(&server, CREATE, json!({"input": input}))["errors"][0]["message"], "Record not found");
    }
}

#[test]
fn an_update_reaches_instances_with_a_redeploy() {
    let server = us();
    let id = credential(&server, "Sales");
    let update = |value: &str, redeploy: bool| {
        let input = json!({"id": id, "inputs": [{"name": "instanceUrl", "value": value}], "redeploy": redeploy});
        data(&server, UPDATE, json!({"input": input}));
    };
    let deployed = || {
        server.read(|store| {
            let instance = store.instances.iter().find(|i| i.name == "Orders of Hooli").unwrap();
            let inputs = &instance.deployed["salesforce-crm"];
            inputs.iter().find(|input| input.name == "instanceUrl").unwrap().value.clone().unwrap()
        })
    };
    update("https://a", false);
    assert_eq!(deployed(), "https://hooli.salesforce.example.invalid");
    update("https://b", true);
    assert_eq!(deployed(), "https://b");
    let node =
        data(&server, UPDATE, json!({"input": {"id": id, "key": "Renamed"}}))["updateCustomerConfigVariable"].take();
    assert_eq!(node["customerConfigVariable"]["key"], "Renamed");
    assert_eq!(
        node["customerConfigVariable"]["inputs"]["nodes"],
        json!([{"name": "instanceUrl", "value": "https://b"}])
    );
    assert_eq!(ask(&server, UPDATE, json!({"input": {"id": "x"}}))["errors"][0]["message"], "Record not found");
}

#[test]
fn used_credentials_are_deleted_by_the_switch_only() {
    let server = us();
    let answer = data(&server, DELETE, json!({"id": credential(&server, "Sales")}));
    assert!(problems(&answer, "deleteCustomerConfigVariable")[0].1.contains("Orders of Hooli"));
    let server = with(Switches { deletes_in_use: true, ..Switches::default() });
    let answer = data(&server, DELETE, json!({"id": credential(&server, "Sales")}));
    assert_eq!(answer["deleteCustomerConfigVariable"]["errors"], json!([]));
    server.read(|store| {
        let instance = store.instances.iter().find(|i| i.name == "Orders of Hooli").unwrap();
        assert_eq!(instance.uses["salesforce-crm"].credential, None);
    });
}
