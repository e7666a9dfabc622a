//! The chart's values, and what it does beyond the folders.

use crate::renderings::{helmed, helmed_in_order, set};
use crate::tools::{helm, refuses, repository};
use serde_json::{Value, json};

#[track_caller]
fn wrong(values: &str, why: &str) {
    let home = tempfile::tempdir().unwrap();
    let mut helm = helm(home.path());
    helm.args(["template", "stablekey"]).arg(repository("manifests/helm/stablekey")).args([set(values), values]);
    let said = refuses(&mut helm);
    assert!(said.contains("values don't meet the specifications") && said.contains(why), "{values}: {said}");
}

#[test]
fn a_wrong_value_is_refused_with_what_is_right() {
    wrong("binder.replicas=two", "at '/binder/replicas': got string, want integer");
    wrong("syncer.replicas=-1", "at '/syncer/replicas': minimum: got -1, want 0");
    wrong("tenantAccess=both", "at '/tenantAccess': value must be one of 'none', 'source', 'target'");
    wrong("sincer.enabled=true", "additional properties 'sincer' not allowed");
    wrong("binder.enabled=maybe", "at '/binder/enabled': got string, want boolean");
    wrong("namespaces={us_prod}", "at '/namespaces/0': 'us_prod' does not match pattern");
    wrong("namespaces=us-prod", "at '/namespaces': got string, want array");
    wrong("settings.logLevel=loud", "at '/settings/logLevel': value must be one of 'error', 'warn', 'info', 'debug'");
    wrong("settings.leaseDuration=1.5s", "at '/settings/leaseDuration': '1.5s' does not match pattern");
    wrong("image.tags=1", "additional properties 'tags' not allowed");
    wrong("syncer.kubeconfigSecrets={*}", "at '/syncer/kubeconfigSecrets/0': '*' does not match pattern");
    wrong("networkPolicy.apiServerPorts=[]", "at '/networkPolicy/apiServerPorts': minItems: got 0, want 1");
    wrong("binder.resources.limits.memory=lots", "'lots' does not match pattern");
}

fn environment(deployment: &Value) -> Value {
    deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone()
}

#[test]
fn several_namespaces_are_looked_after_by_one_operator() {
    let documents = helmed_in_order("home", &["namespaces={us,dev}", "tenantAccess=source"]);
    let deployments: Vec<&Value> = documents.iter().filter(|object| object["kind"] == "Deployment").collect();
    for deployment in &deployments {
        assert_eq!(environment(deployment)[2], json!({"name": "STABLEKEY_NAMESPACE", "value": "us,dev"}));
    }
    assert_eq!(deployments.len(), 2);
    let places = |kind: &str, name: &str| -> Vec<(Value, Value)> {
        let all = documents.iter().filter(|object| object["kind"] == kind && object["metadata"]["name"] == name);
        all.map(|object| (object["metadata"]["namespace"].clone(), object["subjects"][0]["namespace"].clone()))
            .collect()
    };
    let bound = places("RoleBinding", "stablekey-syncer");
    assert_eq!(bound, [(json!("us"), json!("home")), (json!("dev"), json!("home"))]);
    assert_eq!(places("RoleBinding", "stablekey-lease-syncer"), [(json!("home"), json!("home"))]);
    assert_eq!(places("RoleBinding", "stablekey-source"), [(json!("us"), json!("us")), (json!("dev"), json!("dev"))]);
}

#[test]
fn settings_are_what_the_operator_calls_them() {
    let settings = [
        "settings.leaseDuration=30s",
        "settings.logFormat=text",
        "settings.logLevel=debug",
        "settings.requestTimeout=10s",
        "settings.resync=1h",
    ];
    let objects = helmed("home", &settings);
    let told = environment(&objects["Deployment/stablekey-syncer"]);
    let documented = std::fs::read_to_string(repository("docs/operator.md")).unwrap();
    for (setting, name) in told.as_array().unwrap()[3..].iter().zip([
        "STABLEKEY_LEASE_DURATION",
        "STABLEKEY_LOG_FORMAT",
        "STABLEKEY_LOG_LEVEL",
        "STABLEKEY_REQUEST_TIMEOUT",
        "STABLEKEY_RESYNC",
    ]) {
        assert_eq!(setting["name"], name);
        assert!(documented.contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn a_syncer_without_kubeconfigs_reads_no_secret_at_all() {
    let rules = |values: &[&str]| helmed("home", values)["Role/stablekey-syncer"]["rules"].to_string();
    assert!(!rules(&["syncer.kubeconfigSecrets=[]", "crds=false"]).contains("secrets"));
    assert!(rules(&["syncer.kubeconfigSecrets={a,b}"]).contains(r#""resourceNames":["a","b"]"#));
}
