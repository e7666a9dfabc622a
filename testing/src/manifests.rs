//! The objects of manifests/, and its accounts.

use crate::cli::repository;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, run, run_with_input};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// Objects, by kind and name.
pub type Objects = BTreeMap<String, Value>;

/// Parses the documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<Value> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    documents.iter_mut().for_each(whole_numbers);
    documents
}

/// Converts 0.0 to 0, as Kustomize writes it.
fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) if number.as_f64().is_some_and(|n| n.fract() == 0.0 && n.abs() < 1e9) => {
            *value = json!(number.as_f64().unwrap() as i64);
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

pub fn by_name(documents: Vec<Value>) -> Objects {
    let count = documents.len();
    let id = |object: &Value| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
        let (kind, metadata) = (text(&object["kind"]), &object["metadata"]);
        // Without the namespace: cluster-wide kinds have none.
        format!("{kind}/{}", text(&metadata["name"]))
    };
    let objects: Objects = documents.into_iter().map(|object| (id(&object), object)).collect();
    assert_eq!(objects.len(), count, "two objects of one name");
    objects
}

/// Renders a folder of manifests/ with Kustomize.
pub fn kustomized(mut kubectl: Command, folder: &str) -> Objects {
    let folder = repository("manifests").join(folder);
    let yaml = run(kubectl.arg("kustomize").arg(folder)).unwrap_or_else(|error| panic!("{error}"));
    by_name(documents(&yaml))
}

/// Puts the objects into a namespace, like an overlay.
pub fn in_namespace(mut objects: Objects, namespace: &str) -> Objects {
    for object in objects.values_mut().filter(|object| is_namespaced(object)) {
        object["metadata"]["namespace"] = json!(namespace);
        for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
            subject["namespace"] = json!(namespace);
        }
    }
    objects
}

pub fn is_namespaced(object: &Value) -> bool {
    let cluster_wide =
        ["ClusterRole", "CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    !cluster_wide.contains(&object["kind"].as_str().unwrap())
}

/// Returns several objects as one List for kubectl.
pub fn list(objects: &Objects) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects.values().collect::<Vec<_>>()})
}

/// Renders a folder of manifests/ with Kustomize, once per process.
fn rendered(cluster: &Cluster, folder: &'static str) -> Objects {
    static RENDERED: Mutex<BTreeMap<&str, Objects>> = Mutex::new(BTreeMap::new());
    RENDERED.lock().unwrap().entry(folder).or_insert_with(|| kustomized(cluster.kubectl(), folder)).clone()
}

/// Returns the Roles of a folder of manifests/.
pub fn roles(cluster: &Cluster, folder: &'static str) -> Vec<Value> {
    rendered(cluster, folder).into_values().filter(|object| object["kind"] == "Role").collect()
}

/// Creates the account of a folder of manifests/ in a namespace, with its Roles and nothing else of the folder; returns
/// its kubeconfig.
pub fn account(cluster: &Cluster, namespace: &str, folder: &'static str) -> PathBuf {
    static GIVEN: OnceLock<Mutex<BTreeMap<[String; 3], PathBuf>>> = OnceLock::new();
    let given = GIVEN.get_or_init(Mutex::default);
    let id = [cluster.server().to_string(), namespace.to_string(), folder.to_string()];
    if let Some(kubeconfig) = given.lock().unwrap().get(&id) {
        return kubeconfig.clone();
    }
    let mut objects = in_namespace(rendered(cluster, folder), namespace);
    let of_rights = ["ServiceAccount", "Role", "RoleBinding"];
    objects.retain(|_, object| of_rights.contains(&object["kind"].as_str().unwrap()));
    let names = objects.keys().find_map(|name| name.strip_prefix("ServiceAccount/").map(str::to_string));
    run_with_input(cluster.kubectl().args(["apply", "--server-side", "-f", "-"]), &list(&objects).to_string())
        .unwrap_or_else(|error| panic!("{error}"));
    let token = cluster.token(namespace, &names.unwrap()).unwrap();
    let kubeconfig = cluster.kubeconfig_of(&token).unwrap();
    given.lock().unwrap().insert(id, kubeconfig.clone());
    kubeconfig
}

/// Adds the Roles of a component of manifests/ to the account that it is for; returns the Roles.
pub fn add_roles(cluster: &Cluster, namespace: &str, component: &str) -> Vec<Value> {
    let path = repository("manifests").join(component).join("role.yaml");
    let objects = in_namespace(by_name(documents(&std::fs::read_to_string(path).unwrap())), namespace);
    run_with_input(cluster.kubectl().args(["apply", "--server-side", "-f", "-"]), &list(&objects).to_string())
        .unwrap_or_else(|error| panic!("{error}"));
    objects.into_values().filter(|object| object["kind"] == "Role").collect()
}
