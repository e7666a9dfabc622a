//! Upgrade to a CRD with an additional field: existing objects are unchanged.

use crate::kubectl::support::{apply, connection, document, get, kubectl, list, output_of, set_status, until};
use serde_json::{Value, json};
use stablekey::api::{Kind, crd};
use stablekey_clusters::{Cluster, Namespace, Options, run, run_with_input};

/// Returns the CRD of connections with an additional optional field in its spec.
fn with_one_field_more() -> Value {
    let mut crd = serde_json::to_value(crd(Kind::Connection)).unwrap();
    let schema = &mut crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    schema["properties"]["spec"]["properties"]["owner"] = json!({"type": "string", "maxLength": 253, "nullable": true});
    crd
}

/// Creates one connection with every field and one with as few as possible, by both kinds of apply.
fn populate(namespace: &Namespace) {
    let mut full = connection("full");
    full["metadata"]["labels"] = json!({"team": "sales"});
    full["metadata"]["annotations"] = json!({"stablekey.dev/wrote": "{}"});
    full["spec"] = json!({
        "stableKey": "full", "title": "Full", "description": "All of it", "component": {"key": "salesforce", "public": false},
        "type": "oauth2", "credentials": "OrganizationCustomer", "embeddedWorkflows": true,
        "inputs": {"url": {"value": "x"}, "key": {"secretRef": {"name": "s", "key": "k"}}, "site": {"perCustomer": true}},
        "test": {"inputs": {"site": {"value": "y"}}}, "replaces": ["older"], "deletionPolicy": "Delete",
    });
    let router = document(Kind::Integration, "router", json!({"connections": [{"name": "CRM", "stableKey": "full"}]}));
    apply(namespace, "--server-side --field-manager=stablekey-syncer", &list(&[full, router])).unwrap();
    apply(namespace, "", &connection("small")).unwrap();
    set_status(
        namespace,
        "connection/full",
        &json!({"usedBy": [{"kind": "Integration", "name": "router"}], "usedByCount": 1}),
    );
}

fn everything(namespace: &Namespace) -> Value {
    get(namespace, "stablekey")["items"].clone()
}

#[test]
fn an_additional_field_loses_nothing_and_can_be_set() {
    let cluster = Cluster::start(&Options::named("upgraded")).unwrap();
    cluster.install_crds().unwrap();
    let namespace = cluster.namespace("upgrade");
    populate(&namespace);
    let before = everything(&namespace);
    let owner = json!({"spec": {"owner": "Sales"}}).to_string();
    let set_owner = |flags: &str| {
        let words = format!("patch connection full --type=merge -o=jsonpath={{.spec.owner}} {flags} --patch");
        run(kubectl(&namespace, &words).arg(&owner))
    };
    assert_ne!(set_owner("--dry-run=server").ok().as_deref(), Some("Sales"), "the field is not there yet");

    // Like `stablekey crds | kubectl apply --server-side -f -`.
    let mut upgrade = cluster.kubectl();
    upgrade.args(["apply", "--server-side", "-f", "-"]);
    run_with_input(&mut upgrade, &with_one_field_more().to_string()).unwrap();
    until("the new field is served", || set_owner("--dry-run=server").ok().filter(|owner| owner == "Sales"));
    assert_eq!(everything(&namespace), before, "to the last byte, resourceVersions too");

    assert_eq!(set_owner("").unwrap(), "Sales");
    let mut spec = get(&namespace, "connection/full")["spec"].clone();
    let full = before.as_array().unwrap().iter().find(|item| item["metadata"]["name"] == "full").unwrap();
    assert_eq!(spec.as_object_mut().unwrap().remove("owner"), Some(json!("Sales")));
    assert_eq!(spec, full["spec"]);

    // A client that does not know the field applies again: the field has another owner, and is kept.
    let mut known = full.clone();
    for server_side in ["managedFields", "resourceVersion", "uid", "generation", "creationTimestamp"] {
        known["metadata"].as_object_mut().unwrap().remove(server_side);
    }
    apply(&namespace, "--server-side --field-manager=stablekey-syncer", &known).unwrap();
    assert_eq!(get(&namespace, "connection/full")["spec"]["owner"], "Sales");
    // The rules are unchanged.
    let title = output_of(
        kubectl(&namespace, "patch connection small --type=merge -o=jsonpath={.spec.title} --patch")
            .arg(r#"{"spec":{"title":"Small"}}"#),
    );
    assert_eq!(title, "Small");
    let stays =
        run(kubectl(&namespace, "patch connection full --type=merge --patch").arg(r#"{"spec":{"type":"basic"}}"#));
    assert!(stays.unwrap_err().to_string().contains("the type never changes"));
}
