//! The binder with the rights that its manifests give, and no others.

use super::stage::*;
use crate::replica::until;
use crate::rights::{asked, rights_of};
use serde_json::json;
use stablekey_clusters::audit::Request;

#[test]
fn the_rights_that_its_manifests_give_are_enough_and_none_is_too_many() {
    let stage = Stage::new("rights");
    let mut replica = stage.binder();
    let user = format!("system:serviceaccount:{}:stablekey-binder", stage.here.name());
    let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "taken.binding"}, "stringData": {"theirs": "x"}});
    let labels = json!({"stablekey.dev/definition": "true"});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d", "labels": labels}, "data": {"definition": "definitionVersion: 7\nname: Lead\nflows: []\n"}});
    stage.apply_as_the_syncer(&[map]);
    stage.apply(&[
        app(),
        theirs,
        global("crm"),
        global("taken"),
        of_customers("each"),
        customer("acme", "Acme", "each", json!({"baseUrl": {"value": "https://acme.example"}})),
        with(integration("lead", &["crm", "each"]), "/spec/definition", json!({"configMap": {"name": "d"}})),
    ]);
    stage.ready("integration/lead", "True Bound");
    stage.ready("customercredentials/acme", "True Complete");
    stage.ready("connection/taken", "False BindingNameTaken");
    stage.until_field("configmap/d", ".metadata.ownerReferences[0].name", "lead");
    until("it is said", || !stage.events("integration/lead").is_empty());
    stage.kubectl("delete cc acme");
    until("its copy goes", || stage.secret("acme.customer-binding").is_none());
    replica.signal("-TERM");
    assert!(replica.end().success());
    let requests = stage.here.audit().unwrap();
    let asked_for = || requests.iter().filter(|request| request.user == user);
    let deleted = asked_for().filter(|request| request.verb.starts_with("delete"));
    assert!(
        deleted.clone().all(|r| r.resource == "secrets" && r.name == "acme.customer-binding") && deleted.count() > 0
    );
    // Nobody else's Secrets are listed, and every right is used.
    let is_list = |request: &&Request| request.resource == "secrets" && ["list", "watch"].contains(&&*request.verb);
    let lists: Vec<_> = asked_for().filter(is_list).collect();
    let is_ours = |request: &&Request| request.uri.contains("labelSelector=stablekey.dev%2Ffor+in+");
    assert!(lists.len() >= 2 && lists.iter().all(is_ours), "{lists:?}");
    let granted = rights_of(stage.here.cluster(), "binder");
    let asked = asked(&requests, &user, stage.here.name());
    assert_eq!(granted.difference(&asked).collect::<Vec<_>>(), [""; 0], "granted and not used");
}
