//! Deletes wait until a source has been complete and unchanged for a while.

use super::env::*;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use stablekey_clusters::{Cluster, Namespace, Options, run, shared, shared_with};
use stablekey_testing::manifests;
use stablekey_testing::proxy::{Fate, Pieces, Proxy};
use stablekey_testing::replica::{Replica, until};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Allows every delete, so that only the source can prevent one.
fn allow_all_deletes(env: &TestEnv) {
    let policy = json!({"actions": ["Create", "Update", "Delete"], "approval": {"percent": 100, "from": 1000}});
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us", "asia"], "policy": policy}))]);
    let mut elsewhere = env.remote_eu();
    elsewhere["spec"]["policy"] = policy;
    env.in_us(&[elsewhere]);
}

fn pruning(from: &str) -> serde_json::Value {
    let mut sync = sync("Apply");
    sync["spec"]["from"] = json!(from);
    sync["spec"]["prune"] = json!(true);
    sync
}

fn integrations(env: &TestEnv) -> String {
    kubectl(&env.eu, &["get", "integrations", "-o", "name"])
        .replace("integration.stablekey.dev/", "")
        .trim()
        .replace('\n', " ")
}

/// Asserts that the objects exist after two more reconciles.
fn assert_kept(env: &TestEnv, names: &str) {
    for at in ["first", "second"] {
        reconcile_again(env, SYNC, at);
        assert_eq!(integrations(env), names);
    }
}

#[test]
fn a_delete_waits_for_a_quiet_source_and_reports_it() {
    let env = TestEnv::new("quiet");
    allow_all_deletes(&env);
    let arguments = [&SYNCER[..6], &["--delete-after", "8s"]].concat();
    let _syncer = Replica::start(&env.us, &arguments);
    env.in_us(&[connection("crm", "a"), integration("one", &["crm"]), integration("two", &["crm"]), pruning("us")]);
    until_target_state(&env, "eu", "InSync");
    kubectl(&env.us, &["delete", "integration", "two"]);
    until_target_state(&env, "eu", "Applying");
    let message = || field(&env.us, SYNC, &of_target("eu", "message"));
    until("it says why", || message().contains("1 action waits: us must have been unchanged for 8 s"));
    assert_eq!(integrations(&env), "one two");
    // Other changes continue.
    env.in_us(&[connection("crm", "b")]);
    until_field(&env.eu, "connection/crm", SCOPES, "b");
    until("it goes by itself", || integrations(&env) == "one");
    until_target_state(&env, "eu", "InSync");
}

#[test]
fn a_kind_that_is_no_longer_served_deletes_nothing() {
    let kindless: &'static Cluster = shared_with(Options::named("kindless"));
    let env = TestEnv::on("kindless", kindless, shared("eu"));
    allow_all_deletes(&env);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "a"), integration("one", &["crm"]), integration("two", &["crm"]), pruning("us")]);
    until_target_state(&env, "eu", "InSync");
    run(kindless.kubectl().args(["delete", "crd", "integrations.stablekey.dev", "--wait=false"])).unwrap();
    until_target_state(&env, "eu", "Unreachable");
    assert_kept(&env, "one two");
}

/// Creates tenant `asia` in a namespace whose deletion a controller completes.
fn in_asia(env: &TestEnv, cluster: &'static Cluster) -> Namespace<'static> {
    let asia = env.target("asia", cluster);
    apply(&asia, &[connection("crm", "a"), integration("one", &["crm"]), integration("two", &["crm"])]);
    env.in_us(&[pruning("asia")]);
    asia
}

#[test]
fn an_ending_source_namespace_deletes_nothing() {
    let env = TestEnv::new("ends");
    allow_all_deletes(&env);
    let asia = in_asia(&env, crate::controller::binder::env::with_controllers());
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "InSync");
    run(asia.cluster().kubectl().args(["delete", "namespace", asia.name(), "--wait=false"])).unwrap();
    until("all of it is gone there", || {
        run(asia.kubectl().args(["get", "integrations", "-o", "name"])).is_ok_and(|names| names.is_empty())
    });
    until("it is told", || {
        let message = field(&env.us, SYNC, &of_target("eu", "message"));
        message.contains("namespace") || field(&env.us, SYNC, &of_target("eu", "state")) != "InSync"
    });
    assert_kept(&env, "one two");
}

/// A server whose etcd was restored from an older, empty backup.
#[test]
fn a_rewound_source_deletes_nothing_without_approval() {
    let env = TestEnv::new("restored");
    allow_all_deletes(&env);
    let asia = in_asia(&env, shared("us"));
    let account = manifests::account(asia.cluster(), asia.name(), "tenant-access/target");
    let is_restored = Arc::new(AtomicBool::new(false));
    let restored = is_restored.clone();
    let proxy = Proxy::of(asia.cluster(), &account, move |seen| {
        if !restored.load(Ordering::Relaxed) || !seen.path.contains("/integrations?") {
            return Fate::Pass;
        }
        if seen.path.contains("watch=1") {
            return Fate::Say(StatusCode::GONE, None);
        }
        let one = json!({"metadata": {"resourceVersion": "2"}, "items": [{
            "apiVersion": "stablekey.dev/v1alpha1", "kind": "Integration",
            "metadata": {"name": "one", "uid": "u", "resourceVersion": "1"},
            "spec": {"connections": [{"name": "Use of crm", "stableKey": "crm"}]},
        }]});
        let body = Bytes::from(one.to_string());
        Fate::Pieces(StatusCode::OK, Pieces(Arc::new(move |number| (number == 0).then(|| body.clone()))))
    });
    env.in_us(&[kubeconfig_secret("asia", &fs::read_to_string(&proxy.kubeconfig).unwrap())]);
    let _syncer = env.syncer();
    until_target_state(&env, "eu", "InSync");
    is_restored.store(true, Ordering::Relaxed);
    // Its watches end, as after every restart.
    kubectl(&asia, &["annotate", "integration/two", "touched=now"]);
    proxy.cut_watches();
    let message = || field(&env.us, SYNC, &of_target("eu", "message"));
    until("it is told", || message().contains("the history of asia went back"));
    assert_kept(&env, "one two");
    let digest = field(&env.us, SYNC, &of_target("eu", "digest"));
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until("a person said so", || integrations(&env) == "one");
}
