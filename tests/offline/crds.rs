//! The CustomResourceDefinitions: crds/ matches the types, and the types have the columns of `kubectl get`.

use serde_json::{Value, json};
use stablekey::api::{Kind, crd, crd_yaml};
use std::path::Path;

fn spec(kind: Kind) -> Value {
    serde_json::to_value(crd(kind)).unwrap()["spec"].clone()
}

fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/crds"))
}

#[test]
fn crds_are_current() {
    for kind in Kind::ALL {
        let path = folder().join(format!("{}.yaml", kind.plural()));
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            there == crd_yaml(kind).unwrap(),
            "crds/{}.yaml is stale: run `make crds`, look at the difference, commit it",
            kind.plural()
        );
    }
}

#[test]
fn the_reference_is_current() {
    let there = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reference.md")).unwrap_or_default();
    assert!(there == stablekey::render::reference(), "docs/reference.md is stale: run `make crds`, and commit it");
}

#[test]
fn the_checks_are_current() {
    let there = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/checks.md")).unwrap_or_default();
    assert!(there == stablekey::render::checks(), "docs/checks.md is stale: run `make crds`, and commit it");
}

#[test]
fn the_crds_folder_has_no_other_file() {
    let mut names: Vec<String> =
        std::fs::read_dir(folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    let mut wanted: Vec<String> = Kind::ALL.iter().map(|kind| format!("{}.yaml", kind.plural())).collect();
    names.sort();
    wanted.sort();
    assert_eq!(names, wanted);
}

#[test]
fn short_names_and_the_category_exist() {
    let short = ["ten", "comp", "conn", "cc", "intg", "tsync"];
    let kinds = [
        Kind::Tenant,
        Kind::Component,
        Kind::Connection,
        Kind::CustomerCredentials,
        Kind::Integration,
        Kind::TenantSync,
    ];
    assert_eq!(kinds.len(), Kind::ALL.len());
    for (kind, short) in kinds.into_iter().zip(short) {
        let names = &spec(kind)["names"];
        assert_eq!(names["shortNames"], json!([short]), "{kind}");
        assert_eq!(names["categories"], json!(["stablekey"]), "{kind}");
        assert_eq!(spec(kind)["scope"], "Namespaced", "{kind}");
    }
}

/// Returns name, type and field of each column.
fn columns(kind: Kind) -> Vec<(String, String, String)> {
    let spec = spec(kind);
    let columns = spec["versions"][0]["additionalPrinterColumns"].as_array().unwrap().clone();
    let text = |column: &Value, what: &str| column[what].as_str().unwrap().to_string();
    columns.iter().map(|c| (text(c, "name"), text(c, "type"), text(c, "jsonPath"))).collect()
}

#[test]
fn columns_are_the_expected_ones() {
    let wanted: [(Kind, &[&str]); 6] = [
        (Kind::Tenant, &["Region", "Environment", "Ready", "Reason", "Age"]),
        (Kind::Component, &["Key", "Public", "Age"]),
        (
            Kind::Connection,
            &["Key", "Component", "Type", "Credentials", "Embedded", "Used By", "Ready", "Reason", "Age"],
        ),
        (Kind::CustomerCredentials, &["Customer", "Connection", "Origin", "Ready", "Reason", "Age"]),
        (Kind::Integration, &["Bound", "Ready", "Reason", "Age"]),
        (Kind::TenantSync, &["From", "To", "Mode", "In Sync", "Ready", "Reason", "Age"]),
    ];
    for (kind, wanted) in wanted {
        let names: Vec<String> = columns(kind).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, wanted, "{kind}");
    }
}

#[test]
fn every_column_shows_a_field_that_the_schema_has() {
    for kind in Kind::ALL {
        let schema = &spec(kind)["versions"][0]["schema"]["openAPIV3Schema"];
        for (name, type_, path) in columns(kind) {
            let path = path.strip_prefix('.').unwrap();
            let (of_list, path) = match path.split_once("[?") {
                Some((list, _)) => (true, list),
                None => (false, path),
            };
            if path == "metadata.creationTimestamp" {
                assert_eq!(type_, "date");
                continue;
            }
            let field = path.split('.').fold(schema, |schema, key| &schema["properties"][key]);
            assert!(field.is_object(), "{kind}: column {name} shows {path}, which the schema does not have");
            let wanted = if of_list || path == "spec.to" { "array" } else { type_.as_str() };
            assert_eq!(field["type"], wanted, "{kind}: column {name}");
        }
    }
}

#[test]
fn selectable_fields_are_declared() {
    let paths = |kind: Kind| -> Vec<String> {
        let spec = spec(kind);
        let fields = spec["versions"][0]["selectableFields"].as_array().cloned().unwrap_or_default();
        fields.iter().map(|f| f["jsonPath"].as_str().unwrap().to_string()).collect()
    };
    assert_eq!(paths(Kind::Connection), [".spec.component.key", ".spec.type", ".spec.embeddedWorkflows"]);
}

#[test]
fn uninstalling_keeps_them() {
    for kind in Kind::ALL {
        let crd = serde_json::to_value(crd(kind)).unwrap();
        let annotations = &crd["metadata"]["annotations"];
        assert_eq!(annotations["helm.sh/resource-policy"], "keep", "{kind}");
        assert_eq!(annotations["kustomize.toolkit.fluxcd.io/prune"], "disabled", "{kind}");
        assert_eq!(annotations["argocd.argoproj.io/sync-options"], "Prune=false,Delete=false", "{kind}");
    }
}

#[test]
fn no_defaults_are_written_into_objects() {
    fn defaults(schema: &Value) -> usize {
        match schema {
            Value::Object(map) => {
                usize::from(map.get("default").is_some_and(|d| !d.is_object() || map.contains_key("type")))
                    + map.values().map(defaults).sum::<usize>()
            }
            Value::Array(items) => items.iter().map(defaults).sum(),
            _ => 0,
        }
    }
    for kind in Kind::ALL {
        assert_eq!(defaults(&spec(kind)["versions"][0]["schema"]), 0, "{kind}");
    }
}
