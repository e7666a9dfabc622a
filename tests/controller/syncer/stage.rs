//! Tenant `us` in a namespace of cluster `us`, which is the hub too; tenant `eu` in one of cluster `eu`.

use crate::replica::{Replica, until};
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run, run_with_input, shared_all};

pub struct Stage {
    pub us: Namespace<'static>,
    pub eu: Namespace<'static>,
}

impl Stage {
    /// Two tenants, of which `eu` takes what `us` gives.
    pub fn new(prefix: &str) -> Self {
        let [us, eu] = shared_all(["us", "eu"]);
        let stage = Stage { us: us.namespace(prefix), eu: eu.namespace(prefix) };
        stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"]}))]);
        let kubeconfig = std::fs::read_to_string(stage.eu.cluster().kubeconfig()).unwrap();
        stage.in_us(&[
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "eu-kubeconfig"}, "stringData": {"value": kubeconfig}}),
            tenant("us", json!({})),
            stage.eu_elsewhere(),
        ]);
        stage
    }

    /// The Tenant `eu` as the hub knows it.
    pub fn eu_elsewhere(&self) -> Value {
        let kubeconfig = json!({"secretRef": {"name": "eu-kubeconfig", "key": "value"}});
        tenant("eu", json!({"place": {"kubernetes": {"namespace": self.eu.name(), "kubeconfig": kubeconfig}}}))
    }

    pub fn in_us(&self, objects: &[Value]) {
        apply(&self.us, objects);
    }

    pub fn in_eu(&self, objects: &[Value]) {
        apply(&self.eu, objects);
    }

    /// A process that does the syncer's work in the namespace of `us`.
    pub fn syncer(&self) -> Replica {
        Replica::start(&self.us, &["--role", "syncer", "--lease-duration", "3s", "--request-timeout", "5s"])
    }
}

pub fn apply(namespace: &Namespace<'_>, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    run_with_input(namespace.kubectl().args(["apply", "--server-side", "--force-conflicts", "-f", "-"]), &list)
        .unwrap();
}

pub fn kubectl(namespace: &Namespace<'_>, arguments: &[&str]) -> String {
    run(namespace.kubectl().args(arguments)).unwrap()
}

/// What a field of an object says; empty where there is none.
pub fn field(namespace: &Namespace<'_>, object: &str, path: &str) -> String {
    run(namespace.kubectl().args(["get", object, "-o", &format!("jsonpath={{{path}}}")])).unwrap_or_default()
}

pub fn until_field(namespace: &Namespace<'_>, object: &str, path: &str, value: &str) {
    let mut last = String::new();
    let mut is = || {
        last = field(namespace, object, path);
        last == value
    };
    until(&format!("{object} {path} is {value}"), &mut is);
}

fn document(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

pub fn tenant(name: &str, spec: Value) -> Value {
    document("Tenant", name, spec)
}

pub fn connection(key: &str, scopes: &str) -> Value {
    let inputs = json!({
        "scopes": {"value": scopes},
        "clientSecret": {"secretRef": {"name": "app", "key": "clientSecret"}},
    });
    document(
        "Connection",
        key,
        json!({
            "stableKey": key, "component": {"key": "salesforce"}, "type": "oauth2",
            "credentials": "OrganizationCustomer", "inputs": inputs,
        }),
    )
}

pub fn integration(name: &str, keys: &[&str]) -> Value {
    let variables: Vec<Value> =
        keys.iter().map(|key| json!({"name": format!("Use of {key}"), "stableKey": key})).collect();
    document("Integration", name, json!({"connections": variables}))
}

pub fn sync(mode: &str) -> Value {
    let spec = json!({"from": "us", "to": ["eu"], "integrations": ["*"], "connections": "Mirror", "mode": mode});
    document("TenantSync", "us-to-eu", spec)
}
