//! The largest object of each kind that its schema allows: no rule may exceed its cost limit.
//!
//! A CRD is accepted by an estimate of its rules' cost; the real cost has a tighter limit on each write. etcd's own
//! limits apply too: a request of 2 MiB, an object of 1.5 MiB. If a schema allows more than that, its long texts are as
//! long as possible.

use crate::kubectl::support::{apply, document, error_of, get, kubectl, no, output_of};
use serde_json::{Map, Value, json};
use stablekey::api::{Kind, rules};
use stablekey_clusters::{Namespace, run_with_input, shared};

/// Maximum length of a name in any custom resource.
const NAME: usize = 253;
/// Maximum length of a value.
const VALUE: usize = 8192;

/// Returns a text of `length` that begins with its number.
fn text(number: usize, length: usize) -> String {
    let mut text = format!("n{number:03}");
    text.extend(std::iter::repeat_n('x', length - text.len()));
    text
}

fn names(count: usize, length: usize) -> Vec<String> {
    (0..count).map(|number| text(number, length)).collect()
}

/// Returns the maximum number of inputs, each of maximum length.
fn inputs() -> Map<String, Value> {
    names(64, NAME).into_iter().map(|name| (name, json!({"value": text(0, VALUE)}))).collect()
}

/// Returns the largest connection. Global, so that the rule for these reads every input.
fn connection(key: &str) -> Value {
    json!({
        "stableKey": key, "title": text(0, NAME), "description": text(0, VALUE),
        "component": {"key": text(0, NAME), "public": true}, "type": text(0, NAME),
        "credentials": "OrganizationGlobal", "embeddedWorkflows": true,
        "inputs": inputs(), "test": {"inputs": inputs()},
        "replaces": names(16, 63), "deletionPolicy": "Retain",
    })
}

/// Returns the largest sync. 256 values and reasons of full length would be 4 MB, so these are as large as etcd
/// accepts.
pub fn sync() -> Value {
    let overriding = |name: String| {
        let long = text(0, 2500);
        json!({"tenant": name, "stableKey": text(0, 63), "input": name, "value": long, "reason": long})
    };
    let overrides: Vec<Value> = names(256, NAME).into_iter().map(overriding).collect();
    json!({
        "from": text(99, NAME), "to": names(32, NAME), "integrations": names(256, NAME),
        "connections": "Mirror", "prune": true, "mode": "Plan", "overrides": overrides,
        "suspend": false, "connectionDeletion": "Retain",
    })
}

/// Returns the largest sync, with stages of that many targets.
fn staged(stages: usize, targets: usize) -> Value {
    let mut sync = sync();
    let all = names(stages * targets, NAME);
    let stages: Vec<Value> = all.chunks(targets).map(|to| json!({"to": to})).collect();
    sync.as_object_mut().unwrap().remove("to");
    // No target is the source.
    (sync["from"], sync["stages"]) = (json!(text(999, NAME)), json!(stages));
    sync
}

/// Creates an object, then changes it: the rules on changes have a cost limit too.
fn stored_and_changed(namespace: &Namespace, kind: Kind, name: &str, spec: &Value, change: &Value) {
    let document = document(kind, name, spec.clone()).to_string();
    // Not client-side apply, which would store a copy of it in an annotation.
    run_with_input(kubectl(namespace, "create -f -").args(["--save-config=false"]), &document).unwrap();
    let named = format!("{}/{name}", kind.plural());
    assert_eq!(&get(namespace, &named)["spec"], spec);
    output_of(
        kubectl(namespace, &format!("patch {named} --type=merge --patch")).arg(json!({"spec": change}).to_string()),
    );
}

#[test]
fn the_largest_connection() {
    let namespace = shared("us").namespace("largest");
    let key = "k".repeat(63);
    let changed = json!({"title": "CRM", "component": {"key": text(0, NAME), "public": null}});
    stored_and_changed(&namespace, Kind::Connection, &key, &connection(&key), &changed);
    // Server-side apply too, which takes another path through the API server.
    let key = "s".repeat(63);
    apply(&namespace, "--server-side", &document(Kind::Connection, &key, connection(&key))).unwrap();
    apply(&namespace, "--server-side", &document(Kind::Connection, &key, connection(&key))).unwrap();
}

#[test]
fn names_that_exceed_the_cost_limit_are_refused() {
    let namespace = shared("us").namespace("largest");
    // A schema has no bound for the names of a map: only etcd has.
    let long: Map<String, Value> = names(64, 9000).into_iter().map(|name| (name, json!({"value": "x"}))).collect();
    let spec = json!({"stableKey": "long", "component": {"key": "c"}, "type": "t", "credentials": "Customer",
        "inputs": long, "test": {"inputs": long}});
    let document = document(Kind::Connection, "long", spec).to_string();
    let said = run_with_input(&mut kubectl(&namespace, "create -f -"), &document).map_err(no).unwrap_err();
    for at in ["spec.inputs", "spec.test.inputs"] {
        assert!(said.contains(&format!("* {at}: Invalid value: {}", rules::INPUT_NAME)), "{said}");
    }
    assert!(!said.contains("cost"), "{said}");
    // Each stage may have as many targets as a sync has in all.
    let stages = self::document(Kind::TenantSync, "stages", staged(8, 32)).to_string();
    let said = run_with_input(&mut kubectl(&namespace, "create -f -"), &stages).map_err(no).unwrap_err();
    assert!(said.contains(rules::STAGES_TARGETS) && !said.contains("cost"), "{said}");
}

#[test]
fn the_largest_of_each_other_kind() {
    let namespace = shared("us").namespace("largest");
    let flags = json!({"required": true, "secret": true, "endpoint": true});
    let type_inputs: Map<String, Value> = names(64, NAME).into_iter().map(|name| (name, flags.clone())).collect();
    let types: Vec<Value> = names(32, NAME)
        .into_iter()
        .map(|key| json!({"key": key, "oauth2": "ClientCredentials", "inputs": type_inputs}))
        .collect();
    let own = json!({"component": {"key": text(0, NAME), "public": false}, "type": text(0, NAME)});
    let variables: Vec<Value> = names(64, NAME).into_iter().map(|name| json!({"name": name, "own": own})).collect();
    let secret_ref = json!({"secretRef": {"name": text(0, NAME), "key": text(0, NAME)}});

    for (kind, spec, change) in [
        (Kind::Component, json!({"key": text(0, NAME), "public": true, "types": types}), json!({"public": false})),
        (
            Kind::CustomerCredentials,
            json!({"customer": text(0, NAME), "connection": text(0, 63), "origin": "Organization", "inputs": inputs()}),
            json!({"origin": "Customer"}),
        ),
        (
            Kind::Integration,
            json!({"title": text(0, NAME), "connections": variables, "definition": {"file": text(0, NAME)}}),
            json!({"title": "Leads"}),
        ),
        (
            Kind::Tenant,
            json!({
                "region": text(0, NAME), "environment": text(0, NAME), "acceptFrom": names(32, NAME),
                "location": {"kubernetes": {"namespace": text(0, 63), "kubeconfig": secret_ref}},
                "policy": {"actions": ["Create", "Update", "Delete"], "drift": "Correct", "approval": {"percent": 100, "from": i32::MAX}},
            }),
            json!({"region": "eu"}),
        ),
        (Kind::TenantSync, sync(), json!({"mode": "Apply"})),
    ] {
        stored_and_changed(&namespace, kind, "largest", &spec, &change);
    }
    stored_and_changed(&namespace, Kind::TenantSync, "largest-staged", &staged(8, 4), &json!({"mode": "Apply"}));
}

#[test]
fn one_more_is_refused_and_kubectl_shows_the_limit() {
    let namespace = shared("us").namespace("bounds");
    let input = json!({"value": "x"});
    let many: Map<String, Value> = names(65, 10).into_iter().map(|name| (name, input.clone())).collect();
    let of = |inputs: Value| json!({"stableKey": "crm", "component": {"key": "c"}, "type": "t", "credentials": "Customer", "inputs": inputs});
    let overriding = json!({"tenant": "t", "stableKey": "k", "input": "i", "value": "v", "reason": "r"});
    let sync = json!({"from": "a", "to": ["b"], "integrations": ["*"], "overrides": vec![overriding; 257]});
    for (kind, name, spec, says) in [
        (Kind::Connection, "crm", of(json!(many)), "spec.inputs: Too many: 65: must have at most 64 items"),
        (Kind::Connection, "crm", of(json!({"a": {"value": text(0, VALUE + 1)}})), "may not be more than 8192 bytes"),
        (Kind::TenantSync, "sync", sync, "spec.overrides: Too many: 257: must have at most 256 items"),
    ] {
        let said = apply(&namespace, "--dry-run=server", &document(kind, name, spec)).unwrap_err();
        assert!(said.contains(says), "{said}");
    }
    let said = error_of(&mut kubectl(&namespace, "get connection crm"));
    assert!(said.contains("NotFound"), "{said}");
}
