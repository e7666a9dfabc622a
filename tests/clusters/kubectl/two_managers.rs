//! Two managers of one input: a conflict names the other manager, and force takes the whole input.

use crate::kubectl::support::{apply, connection, document, get};
use serde_json::{Value, json};
use stablekey::api::Kind;
use stablekey_clusters::{Namespace, shared};

fn with_url(input: &Value) -> Value {
    let mut crm = connection("crm");
    crm["spec"]["inputs"] = json!({"url": input});
    crm
}

fn by(manager: &str) -> String {
    format!("--server-side --field-manager={manager}")
}

fn forced_by(manager: &str) -> String {
    format!("{} --force-conflicts", by(manager))
}

/// `ours` exists, written by one manager; `theirs` comes from another.
fn taken_over(namespace: &Namespace, ours: &Value, theirs: &Value, field: &str, at: impl Fn(&Value) -> Value) {
    let name = format!("{}/{}", ours["kind"].as_str().unwrap(), ours["metadata"]["name"].as_str().unwrap());
    apply(namespace, &forced_by("ours"), ours).unwrap();

    let said = apply(namespace, &by("theirs"), theirs).unwrap_err();
    let wanted = format!("conflict with \"ours\": {field}");
    assert!(said.contains(&wanted), "kubectl should say {wanted}, and says {said}");
    assert_eq!(at(&get(namespace, &name)), at(ours), "refused is refused");

    apply(namespace, &forced_by("theirs"), theirs).unwrap_or_else(|said| panic!("{at}: {said}", at = at(theirs)));
    assert_eq!(at(&get(namespace, &name)), at(theirs), "all of it is theirs, and nothing is left of ours");

    let said = apply(namespace, &by("ours"), ours).unwrap_err();
    assert!(said.contains(&format!("conflict with \"theirs\": {field}")), "{said}");
}

#[test]
fn an_input_of_any_kind() {
    let namespace = shared("us").namespace("managers");
    let value = json!({"value": "https://ours.example"});
    let secret = json!({"secretRef": {"name": "s", "key": "k"}});
    let per_customer = json!({"perCustomer": true});
    let other_value = json!({"value": "https://theirs.example"});
    for (ours, theirs) in [
        (&value, &secret),
        (&secret, &value),
        (&value, &per_customer),
        (&per_customer, &secret),
        (&value, &other_value),
    ] {
        let input = |object: &Value| object["spec"]["inputs"]["url"].clone();
        taken_over(&namespace, &with_url(ours), &with_url(theirs), ".spec.inputs.url", input);
    }
}

#[test]
fn a_variable_a_definition_and_a_location() {
    let namespace = shared("us").namespace("managers");
    let router = |variable: Value, definition: Value| {
        document(Kind::Integration, "router", json!({"connections": [variable], "definition": definition}))
    };
    let own = json!({"component": {"key": "http"}, "type": "basic"});
    let (ours, theirs) = (json!({"name": "CRM", "stableKey": "crm"}), json!({"name": "CRM", "own": own}));
    let file = json!({"file": "router.definition"});
    let variable = |object: &Value| object["spec"]["connections"][0].clone();
    let field = ".spec.connections[name=\"CRM\"]";
    taken_over(&namespace, &router(ours.clone(), file.clone()), &router(theirs, file.clone()), field, variable);

    let in_cluster = router(ours.clone(), json!({"configMap": {"name": "router-3f9a"}}));
    let definition = |object: &Value| object["spec"]["definition"].clone();
    taken_over(&namespace, &router(ours, file), &in_cluster, ".spec.definition", definition);

    let tenant = |location: Value| document(Kind::Tenant, "eu-prod", json!({"location": location}));
    let ours = tenant(json!({"directory": {"path": "eu-prod"}}));
    let theirs = tenant(json!({"kubernetes": {"namespace": "eu-prod", "kubeconfig": {"context": "eu"}}}));
    taken_over(&namespace, &ours, &theirs, ".spec.location", |object| object["spec"]["location"].clone());
}

/// Client-side apply merges only with what it wrote itself, so it would keep both.
#[test]
fn client_side_apply_over_anothers_input_is_refused() {
    let namespace = shared("us").namespace("managers");
    apply(&namespace, &by("ours"), &with_url(&json!({"value": "x"}))).unwrap();
    let said = apply(&namespace, "", &with_url(&json!({"perCustomer": true}))).unwrap_err();
    assert!(said.contains("spec.inputs[url]: Invalid value: an input is exactly one of value, secretRef"), "{said}");
    assert_eq!(get(&namespace, "connection/crm")["spec"]["inputs"], json!({"url": {"value": "x"}}));
}

#[test]
fn two_inputs_can_have_two_managers() {
    let namespace = shared("us").namespace("managers");
    let mut theirs = connection("crm");
    theirs["spec"]["inputs"] = json!({"scopes": {"value": "api"}});
    apply(&namespace, &by("ours"), &with_url(&json!({"value": "x"}))).unwrap();
    apply(&namespace, &by("theirs"), &theirs).unwrap();
    let inputs = get(&namespace, "connection/crm")["spec"]["inputs"].clone();
    assert_eq!(inputs, json!({"url": {"value": "x"}, "scopes": {"value": "api"}}));

    // A manager that no longer declares an input removes it, and only that.
    apply(&namespace, &by("theirs"), &connection("crm")).unwrap();
    assert_eq!(get(&namespace, "connection/crm")["spec"]["inputs"], json!({"url": {"value": "x"}}));
}
