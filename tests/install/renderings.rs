//! What Kustomize and Helm make of manifests/, and that it is the same.

use crate::tools::{helm, kubectl, repository, says};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Objects, by kind and name.
pub type Objects = BTreeMap<String, Value>;

fn documents(yaml: &str) -> Vec<Value> {
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

/// The same objects; what differs is shown, and nothing else.
#[track_caller]
fn same(these: &Objects, those: &Objects, what: &str) {
    let names = |objects: &Objects| objects.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(these), names(those), "{what}");
    for (name, object) in these {
        let (this, that) = (format!("{object:#}"), format!("{:#}", those[name]));
        let differs = this.lines().zip(that.lines()).find(|(this, that)| this != that);
        assert!(this == that, "{what}: {name} differs: {differs:?}");
    }
}

fn read(documents: Vec<Value>) -> Objects {
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

/// What Kustomize makes of folders of manifests/.
pub fn kustomized(folders: &[&str]) -> Objects {
    let folder = |folder: &&str| says(kubectl().arg("kustomize").arg(repository("manifests").join(folder)));
    folders.iter().flat_map(|name| read(documents(&folder(name)))).collect()
}

/// What Helm makes of the chart, for a namespace, with values.
pub fn helmed(namespace: &str, values: &[&str]) -> Objects {
    read(helmed_in_order(namespace, values))
}

/// The same, also where several objects have one name.
pub fn helmed_in_order(namespace: &str, values: &[&str]) -> Vec<Value> {
    let home = tempfile::tempdir().unwrap();
    let mut helm = helm(home.path());
    helm.args(["template", "stablekey", "--namespace", namespace]).arg(repository("manifests/helm/stablekey"));
    documents(&says(helm.args(values.iter().flat_map(|value| [set(value), *value]))))
}

/// The flag for a value: a list is given as JSON.
pub fn set(value: &str) -> &'static str {
    if value.contains("=[") { "--set-json" } else { "--set" }
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
    let cluster_wide = ["CustomResourceDefinition", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"];
    !cluster_wide.contains(&object["kind"].as_str().unwrap())
}

/// Everything that there is.
pub const ALL: [&str; 6] = ["crds", "policies", "binder", "syncer", "tenant-access/target", "tenant-access/source"];

#[track_caller]
fn agree(values: &[&str], folders: &[&str]) {
    let (chart, folders) = (helmed("somewhere", values), placed(kustomized(folders), "somewhere"));
    same(&chart, &folders, &format!("{values:?}"));
}

#[test]
fn the_chart_and_the_folders_are_the_same() {
    agree(&[], &["crds", "policies", "binder", "syncer"]);
    let neither = ["crds=false", "policies=false"];
    let with = |more: &'static str| [&neither[..], &more.split(' ').collect::<Vec<_>>()[..]].concat();
    agree(&with("syncer.enabled=false tenantAccess=target"), &["binder", "tenant-access/target"]);
    agree(&with("binder.enabled=false tenantAccess=source"), &["syncer", "tenant-access/source"]);
    agree(&with("syncer.enabled=false binder.enabled=false"), &[]);
}

/// As people write them: `examples/install`.
#[test]
fn an_overlay_puts_all_of_it_into_its_namespace() {
    for (namespace, folders) in [("us-prod", ["binder", "syncer"]), ("eu-prod", ["binder", "tenant-access/target"])] {
        let overlay = says(kubectl().arg("kustomize").arg(repository("examples/install").join(namespace)));
        same(&read(documents(&overlay)), &placed(kustomized(&folders), namespace), namespace);
    }
}

#[test]
fn kinds_and_policies_are_those_of_the_repository() {
    let text = |path: &str| std::fs::read_to_string(repository(path)).unwrap();
    let names = |folder: &str| -> Vec<String> {
        let entries = std::fs::read_dir(repository(folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|name| name.into_string().unwrap()).collect();
        names.retain(|name| name != "kustomization.yaml");
        names.sort();
        names
    };
    let chart = "manifests/helm/stablekey/files";
    for (from, copies) in [
        ("crds", vec!["manifests/crds".to_string(), format!("{chart}/crds")]),
        ("manifests/policies", vec![format!("{chart}/policies")]),
    ] {
        for copy in copies {
            assert_eq!(names(&copy), names(from), "make crds");
            for name in names(from) {
                assert!(text(&format!("{from}/{name}")) == text(&format!("{copy}/{name}")), "{copy}/{name}: make crds");
            }
        }
    }
}

#[test]
fn all_is_of_this_version() {
    let version = env!("CARGO_PKG_VERSION");
    let deployment = &kustomized(&["binder"])["Deployment/stablekey-binder"];
    assert_eq!(deployment["metadata"]["labels"]["app.kubernetes.io/version"], version);
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*image, format!("ghcr.io/stablekey/stablekey:{version}"));
    let chart = std::fs::read_to_string(repository("manifests/helm/stablekey/Chart.yaml")).unwrap();
    let chart: Value = serde_saphyr::from_str(&chart).unwrap();
    assert_eq!((&chart["version"], &chart["appVersion"]), (&json!(version), &json!(version)));
}
