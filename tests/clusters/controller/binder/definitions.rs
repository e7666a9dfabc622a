//! Definitions' ConfigMaps: one that the syncer made is deleted with the last integration that names it, or once none
//! names it; one that people made is kept.

use super::env::*;
use http::StatusCode;
use serde_json::{Value, json};
use stablekey_testing::proxy::{Fate, Proxy};
use stablekey_testing::replica::{Replica, account, command, until};
use std::sync::atomic::{AtomicBool, Ordering};

fn map(name: &str) -> Value {
    let metadata = json!({"name": name, "labels": {"stablekey.dev/definition": "true"}});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "immutable": true, "metadata": metadata, "data": {"definition": "definitionVersion: 7\n"}})
}

/// Creates ConfigMaps like the syncer.
fn made_by_the_syncer(env: &TestEnv, names: &[&str]) {
    let maps: Vec<Value> = names.iter().map(|name| map(name)).collect();
    env.apply_as_the_syncer(&maps);
}

fn defined(name: &str, map: &str) -> Value {
    with(integration(name, &[]), "/spec/definition", json!({"configMap": {"name": map}}))
}

#[test]
fn a_definition_is_collected_with_its_last_integration() {
    let env = TestEnv::of(with_controllers(), "defined");
    let _binder = env.binder_with(&["--resync", "1s"]);
    let owners = |name: &str| env.field(&format!("configmap/{name}"), ".metadata.ownerReferences[*].name");
    let there = |name: &str| !env.field(&format!("configmap/{name}"), ".metadata.name").is_empty();
    made_by_the_syncer(&env, &["shared", "first", "second"]);
    env.apply(&[
        map("kept-by-hand"),
        map("by-people"),
        defined("d", "by-people"),
        defined("a", "shared"),
        defined("b", "shared"),
        defined("c", "first"),
    ]);
    until("both own it", || owners("shared") == "a b");
    until("it owns it", || owners("first") == "c");
    let uid = env.field("configmap/first", ".metadata.ownerReferences[0].uid");
    assert_eq!(uid, env.field("integration/c", ".metadata.uid"));
    // A new definition: no integration names the earlier one, so it is collected.
    env.apply(&[defined("c", "second")]);
    until("it owns the next", || owners("second") == "c");
    until("the one before is collected", || !there("first"));
    // One of two integrations is deleted, then the other.
    env.kubectl("delete integration a");
    until("one owns it", || owners("shared") == "b");
    assert!(there("shared"));
    env.kubectl("delete integration b");
    until("it is collected", || !there("shared"));
    assert!(there("kept-by-hand") && there("second"));
    // ConfigMaps that people made have no owners.
    assert_eq!(owners("by-people"), "");
    env.kubectl("delete integration d");
    env.apply(&[defined("e", "second")]);
    until("it is looked at again", || owners("second") == "c e");
    assert!(there("by-people"));
    assert_eq!(owners("kept-by-hand"), "");
}

#[test]
fn an_owner_is_written_after_any_first_answer() {
    for fate in [Fate::CutBefore, Fate::CutAfter, Fate::Say(StatusCode::CONFLICT, None)] {
        let env = TestEnv::new("unheard");
        made_by_the_syncer(&env, &["heard"]);
        env.apply(&[defined("a", "heard")]);
        let is_first = AtomicBool::new(true);
        let proxy = Proxy::of(env.here.cluster(), &account(&env.here, "binder"), move |seen| {
            let is_it = seen.writes() && seen.path.contains("/configmaps/") && is_first.swap(false, Ordering::Relaxed);
            if is_it { fate.clone() } else { Fate::Pass }
        });
        let _binder = Replica::by(command(&env.here, &proxy.kubeconfig, &["--role", "binder"]));
        let owners = || env.field("configmap/heard", ".metadata.ownerReferences[*].name");
        until("it owns it", || owners() == "a");
    }
}
