//! Definitions' ConfigMaps: each goes with the last integration that names it, or when none does any more.

use super::stage::*;
use crate::replica::until;
use serde_json::{Value, json};

fn map(name: &str) -> Value {
    let metadata = json!({"name": name, "labels": {"stablekey.dev/definition": "true"}});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "metadata": metadata, "data": {"definition": "definitionVersion: 7\n"}})
}

fn defined(name: &str, map: &str) -> Value {
    with(integration(name, &[]), "/spec/definition", json!({"configMap": {"name": map}}))
}

#[test]
fn a_definition_goes_with_the_last_integration_that_names_it() {
    let stage = Stage::of(tended(), "defined");
    let _binder = stage.binder_with(&["--resync", "1s"]);
    let owners = |name: &str| stage.field(&format!("configmap/{name}"), ".metadata.ownerReferences[*].name");
    let there = |name: &str| !stage.field(&format!("configmap/{name}"), ".metadata.name").is_empty();
    stage.apply(&[
        map("shared"),
        map("first"),
        map("second"),
        map("kept-by-hand"),
        defined("a", "shared"),
        defined("b", "shared"),
        defined("c", "first"),
    ]);
    until("both own it", || owners("shared") == "a b");
    until("it owns it", || owners("first") == "c");
    let uid = stage.field("configmap/first", ".metadata.ownerReferences[0].uid");
    assert_eq!(uid, stage.field("integration/c", ".metadata.uid"));
    // A next definition: the one before is named by none, and collected.
    stage.apply(&[defined("c", "second")]);
    until("it owns the next", || owners("second") == "c");
    until("the one before is collected", || !there("first"));
    // One of two goes, then the other.
    stage.kubectl("delete integration a");
    until("one owns it", || owners("shared") == "b");
    assert!(there("shared"));
    stage.kubectl("delete integration b");
    until("it is collected", || !there("shared"));
    assert!(there("kept-by-hand") && there("second"));
    assert_eq!(owners("kept-by-hand"), "");
}
