//! Shutdown: what is left when the operator or the namespace is deleted.

use super::env::*;
use serde_json::json;
use stablekey_testing::replica::until;

fn filled(prefix: &str) -> TestEnv {
    let env = TestEnv::of(with_controllers(), prefix);
    env.apply(&[
        app(),
        with(global("crm"), "/spec/deletionPolicy", json!("Delete")),
        of_customers("crm-each"),
        customer("acme", "Acme", "crm-each", json!({"baseUrl": {"value": "https://acme.example"}})),
        integration("lead", &["crm", "crm-each"]),
    ]);
    env
}

fn deletes_the_namespace(env: &TestEnv) {
    let name = env.here.name();
    env.kubectl(&format!("delete namespace {name} --wait=false"));
    until("the namespace is gone", || env.field(&format!("namespace/{name}"), ".metadata.name").is_empty());
}

#[test]
fn a_namespace_is_deleted_without_the_operator() {
    let env = filled("gone");
    let binder = env.binder();
    env.ready("integration/lead", "True Bound");
    env.until_field("connection/crm", ".status.usedByCount", "1");
    let finalizers = env.kubectl("get stablekey,secrets -o jsonpath={.items[*].metadata.finalizers}");
    assert_eq!(finalizers, "");
    binder.signal("-KILL");
    deletes_the_namespace(&env);
}

#[test]
fn a_namespace_is_deleted_while_the_operator_runs() {
    let env = filled("going");
    let mut binder = env.binder();
    env.ready("integration/lead", "True Bound");
    deletes_the_namespace(&env);
    assert_eq!(binder.get("/healthz").code, 200);
    binder.signal("-TERM");
    assert!(binder.end().success());
}

#[test]
fn without_the_operator_everything_is_kept() {
    let env = filled("stays");
    let mut binder = env.binder();
    env.ready("integration/lead", "True Bound");
    binder.signal("-TERM");
    assert!(binder.end().success());
    env.until_secret("crm.binding", "password", CANARY);
    env.until_secret("acme.customer-binding", "password", CANARY);
    env.ready("integration/lead", "True Bound");
}

#[test]
fn readiness_names_what_it_waits_for() {
    let cluster = stablekey_clusters::Cluster::start(&stablekey_clusters::Options::named("bare")).unwrap();
    let here = cluster.namespace("bare");
    let binder = stablekey_testing::replica::Replica::start(&here, &ARGUMENTS);
    until("it says so", || binder.get("/readyz").body.contains("binder: waits for tenants of namespace bare-0: "));
    let waits = binder.get("/readyz");
    assert!(waits.code == 503 && waits.body.contains("does not know tenants"), "{waits:?}");
}

#[test]
fn a_cluster_that_comes_back_is_reconciled_at_once() {
    let cluster: &'static stablekey_clusters::Cluster = Box::leak(Box::new(
        stablekey_clusters::Cluster::start(&stablekey_clusters::Options::named("restarts")).unwrap(),
    ));
    stablekey_clusters::run(
        cluster.kubectl().args(["apply", "--server-side", "-f"]).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/crds")),
    )
    .unwrap();
    stablekey_clusters::run(cluster.kubectl().args([
        "wait",
        "--for=condition=Established",
        "crds",
        "--all",
        "--timeout=60s",
    ]))
    .unwrap();
    let env = TestEnv::of(cluster, "restarts");
    let _binder = env.binder();
    env.apply(&[app(), global("crm"), integration("lead", &["crm"])]);
    env.ready("integration/lead", "True Bound");
    cluster.restart_apiserver().unwrap();
    env.apply(&[source("app", "*", pinned(), json!({"password": "next"}))]);
    env.until_secret("crm.binding", "password", "next");
    env.ready("integration/lead", "True Bound");
}
