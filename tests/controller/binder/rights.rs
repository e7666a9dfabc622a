//! The binder with the rights that its manifests give, and no others.

use super::stage::*;
use crate::replica::until;
use serde_json::json;

#[test]
fn the_rights_that_its_manifests_give_are_enough_and_none_is_too_many() {
    let stage = Stage::new("rights");
    let mut replica = stage.binder();
    let user = format!("system:serviceaccount:{}:stablekey-binder", stage.here.name());
    let theirs = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "taken.binding"}, "stringData": {"theirs": "x"}});
    let labels = json!({"stablekey.dev/definition": "true"});
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "d", "labels": labels}, "data": {"definition": "definitionVersion: 7\n"}});
    stage.apply(&[
        app(),
        theirs,
        map,
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
    replica.signal("-TERM");
    assert!(replica.end().success());
    let asked: Vec<_> = stage.here.audit().unwrap().into_iter().filter(|request| request.user == user).collect();
    let refused: Vec<String> = asked.iter().filter(|request| request.code == 403).map(ToString::to_string).collect();
    assert_eq!(refused, [""; 0]);
    assert!(!asked.iter().any(|request| request.verb.starts_with("delete")));
    // Nobody else's Secrets are listed, and every right is used.
    let lists = asked
        .iter()
        .filter(|request| request.resource == "secrets" && ["list", "watch"].contains(&request.verb.as_str()));
    assert!(
        lists.clone().count() >= 2 && lists.clone().all(|r| r.uri.contains("labelSelector=stablekey.dev%2Ffor+in+")),
        "{asked:?}"
    );
    let granted = stage.kubectl("get role stablekey-binder stablekey-lease-binder -o json");
    let granted: serde_json::Value = serde_json::from_str(&granted).unwrap();
    let roles = granted["items"].as_array().unwrap().iter();
    for rule in roles.flat_map(|role| role["rules"].as_array().unwrap()) {
        for (resource, verb) in rule["resources"]
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|resource| rule["verbs"].as_array().unwrap().iter().map(move |verb| (resource, verb)))
        {
            let (resource, verb) = (resource.as_str().unwrap(), verb.as_str().unwrap());
            let named = |r: &&stablekey_clusters::audit::Request| {
                let name = if r.subresource.is_empty() {
                    r.resource.clone()
                } else {
                    format!("{}/{}", r.resource, r.subresource)
                };
                name == resource
            };
            // Making something by server-side apply takes both rights, and is logged as one.
            let used = asked
                .iter()
                .filter(named)
                .any(|r| r.verb == verb || (verb == "create" && r.verb == "patch" && r.code == 201));
            assert!(used, "{verb} of {resource} is granted and not used");
        }
    }
}
