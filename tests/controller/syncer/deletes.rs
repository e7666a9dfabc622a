//! Deletes wait for a source that is whole and has been unchanged for a while.

use super::stage::*;
use crate::manifests;
use crate::proxy::{Fate, Pieces, Proxy};
use crate::replica::{Replica, until};
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use stablekey_clusters::{Cluster, Namespace, Options, run, shared, shared_with};
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Nothing but what a source lacks keeps anything there.
fn all_may_go(stage: &Stage) {
    let policy = json!({"actions": ["Create", "Update", "Delete"], "approval": {"percent": 100, "from": 1000}});
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us", "asia"], "policy": policy}))]);
    let mut elsewhere = stage.eu_elsewhere();
    elsewhere["spec"]["policy"] = policy;
    stage.in_us(&[elsewhere]);
}

fn pruning(from: &str) -> serde_json::Value {
    let mut sync = sync("Apply");
    sync["spec"]["from"] = json!(from);
    sync["spec"]["prune"] = json!(true);
    sync
}

fn integrations(stage: &Stage) -> String {
    kubectl(&stage.eu, &["get", "integrations", "-o", "name"])
        .replace("integration.stablekey.dev/", "")
        .trim()
        .replace('\n', " ")
}

/// Looked at twice, it is still there.
fn stays(stage: &Stage, names: &str) {
    for at in ["first", "second"] {
        looked_again(stage, SYNC, at);
        assert_eq!(integrations(stage), names);
    }
}

#[test]
fn a_delete_waits_until_its_source_is_quiet_and_says_so() {
    let stage = Stage::new("quiet");
    all_may_go(&stage);
    let arguments = [&SYNCER[..6], &["--delete-after", "8s"]].concat();
    let _syncer = Replica::start(&stage.us, &arguments);
    stage.in_us(&[connection("crm", "a"), integration("one", &["crm"]), integration("two", &["crm"]), pruning("us")]);
    until_stands(&stage, "eu", "InSync");
    kubectl(&stage.us, &["delete", "integration", "two"]);
    until_stands(&stage, "eu", "Applying");
    let message = || field(&stage.us, SYNC, &of_target("eu", "message"));
    until("it says why", || message().contains("1 action waits: us must have been unchanged for 8 s"));
    assert_eq!(integrations(&stage), "one two");
    // What else changes goes on.
    stage.in_us(&[connection("crm", "b")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "b");
    until("it goes by itself", || integrations(&stage) == "one");
    until_stands(&stage, "eu", "InSync");
}

#[test]
fn a_kind_that_is_no_longer_served_takes_nothing_away() {
    let kindless: &'static Cluster = shared_with(Options::named("kindless"));
    let stage = Stage::on("kindless", kindless, shared("eu"));
    all_may_go(&stage);
    let _syncer = stage.syncer();
    stage.in_us(&[connection("crm", "a"), integration("one", &["crm"]), integration("two", &["crm"]), pruning("us")]);
    until_stands(&stage, "eu", "InSync");
    run(kindless.kubectl().args(["delete", "crd", "integrations.stablekey.dev", "--wait=false"])).unwrap();
    until_stands(&stage, "eu", "Unreachable");
    stays(&stage, "one two");
}

/// Tenant `asia` in a namespace that a controller really deletes.
fn in_asia(stage: &Stage, cluster: &'static Cluster) -> Namespace<'static> {
    let asia = stage.target("asia", cluster);
    apply(&asia, &[connection("crm", "a"), integration("one", &["crm"]), integration("two", &["crm"])]);
    stage.in_us(&[pruning("asia")]);
    asia
}

#[test]
fn a_namespace_that_ends_takes_nothing_away() {
    let stage = Stage::new("ends");
    all_may_go(&stage);
    let asia = in_asia(&stage, crate::binder::stage::tended());
    let _syncer = stage.syncer();
    until_stands(&stage, "eu", "InSync");
    run(asia.cluster().kubectl().args(["delete", "namespace", asia.name(), "--wait=false"])).unwrap();
    until("all of it is gone there", || {
        run(asia.kubectl().args(["get", "integrations", "-o", "name"])).is_ok_and(|names| names.is_empty())
    });
    until("it is told", || {
        let message = field(&stage.us, SYNC, &of_target("eu", "message"));
        message.contains("namespace") || field(&stage.us, SYNC, &of_target("eu", "state")) != "InSync"
    });
    stays(&stage, "one two");
}

/// A server whose etcd was restored from an older backup, in which nothing is.
#[test]
fn a_source_whose_history_goes_back_takes_nothing_away_unless_a_person_says_so() {
    let stage = Stage::new("restored");
    all_may_go(&stage);
    let asia = in_asia(&stage, shared("us"));
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
    stage.in_us(&[kubeconfig_secret("asia", &fs::read_to_string(&proxy.kubeconfig).unwrap())]);
    let _syncer = stage.syncer();
    until_stands(&stage, "eu", "InSync");
    is_restored.store(true, Ordering::Relaxed);
    // Its watches end, as with every restart.
    kubectl(&asia, &["annotate", "integration/two", "touched=now"]);
    proxy.cut_watches();
    let message = || field(&stage.us, SYNC, &of_target("eu", "message"));
    until("it is told", || message().contains("the history of asia went back"));
    stays(&stage, "one two");
    let digest = field(&stage.us, SYNC, &of_target("eu", "digest"));
    kubectl(&stage.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until("a person said so", || integrations(&stage) == "one");
}
