//! The binder with exactly the permissions of its manifests.

use super::env::*;
use serde_json::json;
use stablekey_clusters::audit::Request;
use stablekey_testing::permissions::{permissions_of, requested};
use stablekey_testing::replica::until;

#[test]
fn the_permissions_of_its_manifests_are_exactly_enough() {
    let env = TestEnv::new("rights");
    let mut replica = env.binder();
    let user = format!("system:serviceaccount:{}:stablekey-binder", env.here.name());
    let theirs = secret("taken.binding", json!({"theirs": "x"}));
    let labels = json!({"stablekey.dev/definition": "true"});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d", "labels": labels}, "data": {"definition": "definitionVersion: 7\nname: Lead\nflows: []\n"}});
    env.apply_as_the_syncer(&[map]);
    env.apply(&[
        app(),
        theirs,
        global("crm"),
        global("taken"),
        of_customers("each"),
        customer("acme", "Acme", "each", json!({"baseUrl": {"value": "https://acme.example"}})),
        with(integration("lead", &["crm", "each"]), "/spec/definition", json!({"configMap": {"name": "d"}})),
    ]);
    env.ready("integration/lead", "True Bound");
    env.ready("customercredentials/acme", "True Complete");
    env.ready("connection/taken", "False BindingNameTaken");
    env.until_field("configmap/d", ".metadata.ownerReferences[0].name", "lead");
    until("it is said", || !env.events("integration/lead").is_empty());
    env.kubectl("delete cc acme");
    until("its copy goes", || env.secret("acme.customer-binding").is_none());
    replica.signal("-TERM");
    assert!(replica.end().success());
    let requests = env.here.audit().unwrap();
    let asked_for = || requests.iter().filter(|request| request.user == user);
    let deleted = asked_for().filter(|request| request.verb.starts_with("delete"));
    assert!(
        deleted.clone().all(|r| r.resource == "secrets" && r.name == "acme.customer-binding") && deleted.count() > 0
    );
    // Only Secrets with Stablekey's label are listed, and every permission is used.
    let is_list = |request: &&Request| request.resource == "secrets" && ["list", "watch"].contains(&&*request.verb);
    let lists: Vec<_> = asked_for().filter(is_list).collect();
    let is_ours = |request: &&Request| request.uri.contains("labelSelector=stablekey.dev%2Ffor+in+");
    assert!(lists.len() >= 2 && lists.iter().all(is_ours), "{lists:?}");
    let granted = permissions_of(env.here.cluster(), "binder");
    let asked = requested(&requests, &user, env.here.name());
    assert_eq!(granted.difference(&asked).collect::<Vec<_>>(), [""; 0], "granted and not used");
}
