//! The CEL rules of the CRDs and the same rules on files, each tried on a good and a bad object: both must agree.
//! (Tests on clusters try them on a real API server.)

use kube_cel::Validator;
use serde_json::{Value, json};
use stablekey::api::{Kind, crd};
use stablekey::manifest::read_text;
use stablekey_testing::objects::document;

fn schema(kind: Kind) -> Value {
    let crd = serde_json::to_value(crd(kind)).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone()
}

fn cel_errors(kind: Kind, object: &Value, old: Option<&Value>) -> Vec<String> {
    match Validator::new().validate(&schema(kind), object, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors.into_vec().into_iter().map(|e| e.to_string()).collect(),
    }
}

fn file_errors(object: &Value) -> Vec<String> {
    let reading = read_text("test.yaml", serde_json::to_string(object).unwrap());
    reading.problems().iter().map(|p| p.message.clone()).collect()
}

fn good(object: &Value, kind: Kind) {
    assert_eq!(cel_errors(kind, object, None), Vec::<String>::new(), "{object}");
    assert_eq!(file_errors(object), Vec::<String>::new(), "{object}");
}

fn bad(object: &Value, kind: Kind, says: &str) {
    let cel = cel_errors(kind, object, None);
    assert!(cel.iter().any(|e| e.contains(says)), "CEL should say {says:?} of {object}, and says {cel:?}");
    let file = file_errors(object);
    assert!(file.iter().any(|e| e.contains(says)), "files should say {says:?} of {object}, and say {file:?}");
}

fn connection(credentials: &str, inputs: Value) -> Value {
    document(
        Kind::Connection,
        "sales-force",
        json!({"stableKey": "Sales_Force", "component": {"key": "salesforce"}, "type": "oauth2", "credentials": credentials, "inputs": inputs}),
    )
}

#[test]
fn a_connection_is_named_by_its_stable_key() {
    let connection = connection("Customer", json!({}));
    good(&connection, Kind::Connection);
    let mut misnamed = connection;
    misnamed["metadata"]["name"] = json!("salesforce");
    bad(&misnamed, Kind::Connection, "the name must be the stable key");
}

#[test]
fn an_input_is_exactly_one_thing() {
    good(
        &connection(
            "Customer",
            json!({"a": {"value": "x"}, "b": {"perCustomer": true}, "c": {"secretRef": {"name": "s", "key": "k"}}}),
        ),
        Kind::Connection,
    );
    for input in [
        json!({}),
        json!({"value": "x", "perCustomer": true}),
        json!({"value": "x", "secretRef": {"name": "s", "key": "k"}}),
    ] {
        bad(
            &connection("Customer", json!({"a": input})),
            Kind::Connection,
            "exactly one of value, secretRef, perCustomer",
        );
    }
}

#[test]
fn a_global_connection_has_no_input_per_customer() {
    good(&connection("OrganizationGlobal", json!({"a": {"value": "x"}})), Kind::Connection);
    bad(
        &connection("OrganizationGlobal", json!({"a": {"perCustomer": true}})),
        Kind::Connection,
        "one set of credentials for all customers",
    );
}

#[test]
fn a_secret_is_never_a_literal_and_names_about_secrets_are_allowed() {
    for name in ["clientSecret", "password", "API-Key", "access_token", "privateKey", "connectionString", "bearer"] {
        bad(&connection("Customer", json!({name: {"value": "x"}})), Kind::Connection, "a secret is always a reference");
        good(&connection("Customer", json!({name: {"secretRef": {"name": "s", "key": "k"}}})), Kind::Connection);
    }
    for name in
        ["tokenUrl", "tokenType", "tokenExpiry", "apiKeyHeaderName", "passwordPolicy", "accessKeyId", "secretHost"]
    {
        good(&connection("Customer", json!({name: {"value": "x"}})), Kind::Connection);
    }
}

#[test]
fn the_length_of_an_input_name_is_bounded() {
    let named = |length: usize| connection("Customer", json!({"n".repeat(length): {"value": "x"}}));
    good(&named(253), Kind::Connection);
    bad(&named(254), Kind::Connection, "the name of an input is at most 253 characters");
}

#[test]
fn test_inputs_are_values_or_references() {
    let with_test = |inputs: Value| {
        let mut connection = connection("Customer", json!({}));
        connection["spec"]["test"] = json!({"inputs": inputs});
        connection
    };
    good(&with_test(json!({"username": {"value": "x"}})), Kind::Connection);
    bad(
        &with_test(json!({"username": {"perCustomer": true}})),
        Kind::Connection,
        "test inputs are what the test runner uses",
    );
    bad(&with_test(json!({"password": {"value": "x"}})), Kind::Connection, "a secret is always a reference");
}

#[test]
fn the_identity_of_a_connection_is_immutable() {
    let old = connection("Customer", json!({}));
    let changed = |field: &str, value: Value| {
        let mut new = old.clone();
        new["spec"][field] = value;
        cel_errors(Kind::Connection, &new, Some(&old))
    };
    assert_eq!(changed("title", json!("new")), Vec::<String>::new());
    assert_eq!(
        changed("component", json!({"key": "salesforce", "public": true})),
        Vec::<String>::new(),
        "absent public is true"
    );
    for (field, value, says) in [
        ("component", json!({"key": "slack"}), "the component never changes"),
        ("component", json!({"key": "salesforce", "public": false}), "the component never changes"),
        ("type", json!("basic"), "the type never changes"),
        ("credentials", json!("OrganizationCustomer"), "whose credentials they are never changes"),
        ("stableKey", json!("sales_force"), "a stable key never changes"),
    ] {
        assert!(changed(field, value).iter().any(|e| e.contains(says)), "{field}");
    }
}

#[test]
fn customer_credentials_are_values_or_references() {
    let of = |inputs: Value| {
        document(
            Kind::CustomerCredentials,
            "acme",
            json!({"customer": "Acme, Inc.", "connection": "x", "inputs": inputs}),
        )
    };
    good(&of(json!({"instanceUrl": {"value": "https://acme.example"}})), Kind::CustomerCredentials);
    bad(&of(json!({"instanceUrl": {"perCustomer": true}})), Kind::CustomerCredentials, "the customer's own values");
    bad(&of(json!({"password": {"value": "x"}})), Kind::CustomerCredentials, "a secret is always a reference");
}

#[test]
fn a_variable_has_one_meaning() {
    let of = |variable: Value| document(Kind::Integration, "lead-router", json!({"connections": [variable]}));
    good(&of(json!({"name": "CRM", "stableKey": "x"})), Kind::Integration);
    good(&of(json!({"name": "CRM", "own": {"component": {"key": "http"}, "type": "basic"}})), Kind::Integration);
    bad(&of(json!({"name": "CRM"})), Kind::Integration, "exactly one of stableKey, own");
    bad(
        &of(json!({"name": "CRM", "stableKey": "x", "own": {"component": {"key": "http"}, "type": "basic"}})),
        Kind::Integration,
        "exactly one of stableKey, own",
    );
}

#[test]
fn a_definition_has_one_location() {
    let of = |definition: Value| document(Kind::Integration, "lead-router", json!({"definition": definition}));
    good(&of(json!({"file": "lead-router.definition"})), Kind::Integration);
    good(&of(json!({"configMap": {"name": "lead-router-3f9a"}})), Kind::Integration);
    bad(&of(json!({})), Kind::Integration, "exactly one of file, configMap");
    bad(&of(json!({"file": "x", "configMap": {"name": "y"}})), Kind::Integration, "exactly one of file, configMap");
}

#[test]
fn a_tenant_has_one_location() {
    let of = |location: Value| document(Kind::Tenant, "eu-prod", json!({"location": location}));
    good(&of(json!({"directory": {"path": "eu-prod"}})), Kind::Tenant);
    good(&of(json!({"kubernetes": {"namespace": "x", "kubeconfig": {"context": "eu"}}})), Kind::Tenant);
    bad(&of(json!({})), Kind::Tenant, "exactly one of directory, kubernetes");
    bad(
        &of(json!({"directory": {"path": "a"}, "kubernetes": {"namespace": "x"}})),
        Kind::Tenant,
        "exactly one of directory, kubernetes",
    );
    bad(
        &of(
            json!({"kubernetes": {"namespace": "x", "kubeconfig": {"context": "eu", "secretRef": {"name": "s", "key": "k"}}}}),
        ),
        Kind::Tenant,
        "exactly one of context, secretRef",
    );
}

#[test]
fn a_sync_has_its_targets_in_one_list_or_in_stages() {
    let of = |targets: Value| {
        let mut spec = json!({"from": "dev", "integrations": ["*"]});
        spec.as_object_mut().unwrap().extend(targets.as_object().unwrap().clone());
        document(Kind::TenantSync, "releases", spec)
    };
    let stages =
        |stages: &[&[&str]]| of(json!({"stages": stages.iter().map(|to| json!({"to": to})).collect::<Vec<_>>()}));
    good(&of(json!({"to": ["us-prod"]})), Kind::TenantSync);
    good(&stages(&[&["dev-2"], &["us-prod", "eu-prod"]]), Kind::TenantSync);
    good(&stages(&[&["us-prod"]]), Kind::TenantSync);
    for both_or_none in [json!({}), json!({"to": ["us-prod"], "stages": [{"to": ["dev-2"]}]})] {
        bad(&of(both_or_none), Kind::TenantSync, "a sync has either `to` or `stages`");
    }
    bad(&stages(&[&["dev-2"], &["dev"]]), Kind::TenantSync, "a sync cannot copy a tenant to itself");
    bad(&stages(&[&["dev-2", "dev-2"]]), Kind::TenantSync, "each tenant may be listed once in a stage");
    bad(&stages(&[&["dev-2"], &["us-prod"], &["dev-2"]]), Kind::TenantSync, "each tenant stands in one stage");
    let names = |from: usize, to: usize| (from..to).map(|number| format!("t{number}")).collect::<Vec<_>>();
    let of_two = |all: usize| of(json!({"stages": [{"to": names(0, 16)}, {"to": names(16, all)}]}));
    good(&of_two(32), Kind::TenantSync);
    bad(&of_two(33), Kind::TenantSync, "a sync has at most 32 targets in all its stages");
}

#[test]
fn a_sync_has_another_target_and_valid_overrides() {
    let of = |to: Value, overrides: Value| {
        document(
            Kind::TenantSync,
            "us-to-eu",
            json!({"from": "us-prod", "to": to, "integrations": ["*"], "overrides": overrides}),
        )
    };
    good(
        &of(
            json!(["eu-prod"]),
            json!([
                {"tenant": "eu-prod", "stableKey": "x", "input": "authorizeUrl", "value": "https://eu.example", "reason": "EU org"},
                {"tenant": "eu-prod", "integration": "lead-router", "variable": "CRM", "stableKey": "y", "reason": "EU org"},
                {"tenant": "eu-prod", "stableKey": "x", "input": "clientSecret", "secretRef": {"name": "eu", "key": "k"}, "reason": "EU app"},
                {"tenant": "eu-prod", "stableKey": "x", "field": "title", "value": "EU", "reason": "EU org"},
                {"tenant": "eu-prod", "stableKey": "x", "field": "embeddedWorkflows", "value": "false", "reason": "EU org"},
                {"tenant": "eu-prod", "object": "Integration/lead-router", "field": "definition", "keep": true, "reason": "pilot"},
                {"tenant": "eu-prod", "object": "Connection/x", "field": "title", "keep": true, "reason": "pilot"}
            ]),
        ),
        Kind::TenantSync,
    );
    bad(&of(json!(["us-prod"]), json!([])), Kind::TenantSync, "a sync cannot copy a tenant to itself");
    good(&of(json!(["eu-prod", "eu-dev"]), json!([])), Kind::TenantSync);
    bad(&of(json!(["eu-prod", "eu-dev", "eu-prod"]), json!([])), Kind::TenantSync, "each tenant may be listed once");
    for shape in [
        json!({"tenant": "eu-prod", "stableKey": "x", "reason": "r"}),
        json!({"tenant": "eu-prod", "stableKey": "x", "input": "a", "reason": "r"}),
        json!({"tenant": "eu-prod", "stableKey": "x", "input": "a", "value": "b", "variable": "v", "integration": "i", "reason": "r"}),
        json!({"tenant": "eu-prod", "stableKey": "x", "input": "a", "value": "b", "secretRef": {"name": "s", "key": "k"}, "reason": "r"}),
        json!({"tenant": "eu-prod", "input": "a", "value": "b", "reason": "r"}),
        json!({"tenant": "eu-prod", "stableKey": "x", "field": "title", "reason": "r"}),
        json!({"tenant": "eu-prod", "stableKey": "x", "field": "title", "value": "t", "keep": true, "reason": "r"}),
        json!({"tenant": "eu-prod", "object": "Connection/x", "field": "title", "reason": "r"}),
        json!({"tenant": "eu-prod", "object": "Connection/x", "field": "title", "value": "t", "keep": true, "reason": "r"}),
        json!({"tenant": "eu-prod", "object": "Connection/x", "keep": true, "reason": "r"}),
    ] {
        bad(&of(json!(["eu-prod"]), json!([shape])), Kind::TenantSync, "an override is one of");
    }
    let field = |field: &str, value: &str| {
        let o = json!({"tenant": "eu-prod", "stableKey": "x", "field": field, "value": value, "reason": "r"});
        of(json!(["eu-prod"]), json!([o]))
    };
    bad(&field("credentials", "Customer"), Kind::TenantSync, "changes title, description or embeddedWorkflows");
    bad(&field("embeddedWorkflows", "yes"), Kind::TenantSync, r#"embeddedWorkflows is "true" or "false""#);
    bad(&field("title", &"t".repeat(254)), Kind::TenantSync, "a title has at most 253 characters");
    let secret = json!([{"tenant": "eu-prod", "stableKey": "x", "input": "clientSecret", "value": "b", "reason": "r"}]);
    bad(&of(json!(["eu-prod"]), secret), Kind::TenantSync, "a secret is always a reference");
}

#[test]
fn a_component_lists_each_type_once() {
    let of = |types: Value| document(Kind::Component, "salesforce", json!({"key": "salesforce", "types": types}));
    good(&of(json!([{"key": "oauth2"}, {"key": "basic"}])), Kind::Component);
    assert!(
        cel_errors(Kind::Component, &of(json!([{"key": "a"}, {"key": "a"}])), None)
            .iter()
            .any(|e| e.contains("listed once"))
    );
    assert!(file_errors(&of(json!([{"key": "a"}, {"key": "a"}]))).iter().any(|e| e.contains("listed twice")));
}

/// URLs with user:password and private keys are refused in inputs, test inputs, overrides and customer credentials, in
/// files and by CEL.
#[test]
fn a_secret_value_is_refused() {
    let says = "a URL with a password in it";
    for value in ["https://svc:CANARY@chat.example", " amqp://u:p@h/", "-----BEGIN PRIVATE KEY-----\nMII"] {
        bad(&connection("Customer", json!({"baseUrl": {"value": value}})), Kind::Connection, says);
        let mut test = connection("Customer", json!({}));
        test["spec"]["test"] = json!({"inputs": {"baseUrl": {"value": value}}});
        bad(&test, Kind::Connection, says);
        let credentials = json!({"customer": "Acme", "connection": "crm", "inputs": {"baseUrl": {"value": value}}});
        bad(&document(Kind::CustomerCredentials, "acme-crm", credentials), Kind::CustomerCredentials, says);
        let o = json!({"tenant": "eu", "stableKey": "crm", "input": "baseUrl", "value": value, "reason": "r"});
        let sync = json!({"from": "us", "to": ["eu"], "integrations": ["*"], "overrides": [o]});
        bad(&document(Kind::TenantSync, "s", sync), Kind::TenantSync, says);
    }
    // In free text too, because it is shown everywhere.
    let secret = "see https://svc:CANARY@chat.example";
    for field in ["title", "description"] {
        let mut with = connection("Customer", json!({}));
        with["spec"][field] = json!(secret);
        bad(&with, Kind::Connection, says);
        let o = json!({"tenant": "eu", "stableKey": "crm", "field": field, "value": secret, "reason": "r"});
        let sync = json!({"from": "us", "to": ["eu"], "integrations": ["*"], "overrides": [o]});
        bad(&document(Kind::TenantSync, "s", sync), Kind::TenantSync, says);
    }
    bad(&document(Kind::Integration, "i", json!({"title": secret, "connections": []})), Kind::Integration, says);
    for value in ["https://chat.example/x?y=a:b@c", "https://u:{{password}}@h", "https://user@host", "plain"] {
        good(&connection("Customer", json!({"baseUrl": {"value": value}})), Kind::Connection);
    }
}

#[test]
fn a_source_is_a_folder_or_a_repository_at_one_branch_tag_or_commit() {
    let git = |names: &[&str]| {
        let mut git = json!({"url": "https://git.example/x.git"});
        names.iter().for_each(|name| git[*name] = json!("0123456789012345678901234567890123456789"));
        git
    };
    let tenant = |source: Value| document(Kind::Tenant, "us", json!({"source": source}));
    good(&tenant(json!({"path": "x"})), Kind::Tenant);
    for name in ["branch", "tag", "commit"] {
        good(&tenant(json!({"git": git(&[name]), "prune": true})), Kind::Tenant);
    }
    for source in [json!({}), json!({"prune": true}), json!({"path": "x", "git": git(&["tag"])})] {
        bad(&tenant(source), Kind::Tenant, "exactly one of path, git");
    }
    for names in [&[][..], &["branch", "tag"], &["branch", "tag", "commit"]] {
        bad(&tenant(json!({"git": git(names)})), Kind::Tenant, "exactly one of branch, tag, commit");
    }
}
