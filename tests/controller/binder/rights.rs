//! The binder with the rights that its manifests give, and no others.

use super::stage::*;
use crate::replica::{Replica, command, until};
use serde_json::json;
use stablekey_clusters::{run, run_with_input};

#[test]
fn the_rights_that_its_manifests_give_are_enough_and_none_is_too_many() {
    let stage = Stage::new("rights");
    let rules = |role: &'static str| role.split_once("rules:\n").unwrap().1.split("---").next().unwrap();
    let house = rules(include_str!("../../../manifests/binder/lease.yaml"));
    let binder = rules(include_str!("../../../manifests/binder/role.yaml"));
    let role = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: binder}}\nrules:\n{house}{binder}"
    );
    run_with_input(stage.here.kubectl().args(["apply", "-f", "-"]), &role).unwrap();
    stage.kubectl("create rolebinding binder --role=binder --user=binder");
    let account = stage.here.cluster().user("binder", None).unwrap();
    let mut replica = Replica::by(command(&stage.here, &account, &ARGUMENTS));
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
    let asked: Vec<_> = stage.here.audit().unwrap().into_iter().filter(|request| request.user == "binder").collect();
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
    let granted = run(stage.here.kubectl().args(["get", "role", "binder", "-o", "json"])).unwrap();
    let granted: serde_json::Value = serde_json::from_str(&granted).unwrap();
    for rule in granted["rules"].as_array().unwrap() {
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
