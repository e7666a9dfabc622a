//! Definitions' ConfigMaps: each that the syncer made goes with the last integration that names it, or when none does
//! any more; what people made is theirs.

use super::stage::*;
use crate::proxy::{Fate, Proxy};
use crate::replica::{Replica, account, command, until};
use http::StatusCode;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

fn map(name: &str) -> Value {
    let metadata = json!({"name": name, "labels": {"stablekey.dev/definition": "true"}});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "metadata": metadata, "data": {"definition": "definitionVersion: 7\n"}})
}

/// As the syncer writes them.
fn made_by_the_syncer(stage: &Stage, names: &[&str]) {
    let maps: Vec<Value> = names.iter().map(|name| map(name)).collect();
    stage.apply_as_the_syncer(&maps);
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
    made_by_the_syncer(&stage, &["shared", "first", "second"]);
    stage.apply(&[
        map("kept-by-hand"),
        map("by-people"),
        defined("d", "by-people"),
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
    // "People's objects are theirs."
    assert_eq!(owners("by-people"), "");
    stage.kubectl("delete integration d");
    stage.apply(&[defined("e", "second")]);
    until("it is looked at again", || owners("second") == "c e");
    assert!(there("by-people"));
    assert_eq!(owners("kept-by-hand"), "");
}

#[test]
fn an_owner_is_written_whatever_the_first_answer_was() {
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Say(StatusCode::CONFLICT, None)] {
        let stage = Stage::new("unheard");
        made_by_the_syncer(&stage, &["heard"]);
        stage.apply(&[defined("a", "heard")]);
        let is_first = AtomicBool::new(true);
        let proxy = Proxy::of(stage.here.cluster(), &account(&stage.here, "binder"), move |seen| {
            let is_it = seen.writes() && seen.path.contains("/configmaps/") && is_first.swap(false, Ordering::Relaxed);
            if is_it { fate.clone() } else { Fate::Pass }
        });
        let _binder = Replica::by(command(&stage.here, &proxy.kubeconfig, &["--role", "binder"]));
        let owners = || stage.field("configmap/heard", ".metadata.ownerReferences[*].name");
        until("it owns it", || owners() == "a");
    }
}
