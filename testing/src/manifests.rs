//! What is in manifests/, and the accounts that it gives.

use crate::cli::repository;
use serde_json::{Value, json};
use stablekey_clusters::{Cluster, run, run_with_input};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

/// Objects, by kind and name.
pub type Objects = BTreeMap<String, Value>;

/// The documents of a YAML text.
pub fn documents(yaml: &str) -> Vec<Value> {
    let mut documents: Vec<Value> = serde_saphyr::from_multiple(yaml).unwrap();
    documents.iter_mut().for_each(whole_numbers);
    documents
}

/// 0.0 and 0 are one number, which Kustomize writes as the latter.
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
        // The namespace apart: a kind that has none shows the same either way.
        format!("{kind}/{}", text(&metadata["name"]))
    };
    let objects: Objects = documents.into_iter().map(|object| (id(&object), object)).collect();
    assert_eq!(objects.len(), count, "two objects of one name");
    objects
}

/// What Kustomize makes of a folder of manifests/.
pub fn kustomized(mut kubectl: Command, folder: &str) -> Objects {
    let folder = repository("manifests").join(folder);
    let yaml = run(kubectl.arg("kustomize").arg(folder)).unwrap_or_else(|error| panic!("{error}"));
    by_name(documents(&yaml))
}

/// The same objects in a namespace, as an overlay would put them there.
pub fn placed(mut objects: Objects, namespace: &str) -> Objects {
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

/// Several objects as the one that kubectl takes.
pub fn list(objects: &Objects) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "items": objects.values().collect::<Vec<_>>()})
}

/// What Kustomize makes of a folder of manifests/, made once.
fn rendered(cluster: &Cluster, folder: &'static str) -> Objects {
    static RENDERED: Mutex<BTreeMap<&str, Objects>> = Mutex::new(BTreeMap::new());
    RENDERED.lock().unwrap().entry(folder).or_insert_with(|| kustomized(cluster.kubectl(), folder)).clone()
}

/// The Roles of a folder of manifests/.
pub fn roles(cluster: &Cluster, folder: &'static str) -> Vec<Value> {
    rendered(cluster, folder).into_values().filter(|object| object["kind"] == "Role").collect()
}

/// The kubeconfig of the account that a folder of manifests/ gives in a namespace: it and its Roles are there
/// then, and nothing else of the folder.
pub fn account(cluster: &Cluster, namespace: &str, folder: &'static str) -> PathBuf {
    static GIVEN: OnceLock<Mutex<BTreeMap<[String; 3], PathBuf>>> = OnceLock::new();
    let given = GIVEN.get_or_init(Mutex::default);
    let id = [cluster.server().to_string(), namespace.to_string(), folder.to_string()];
    if let Some(kubeconfig) = given.lock().unwrap().get(&id) {
        return kubeconfig.clone();
    }
    let mut objects = placed(rendered(cluster, folder), namespace);
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
