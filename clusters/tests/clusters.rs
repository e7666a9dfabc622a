//! The features of a cluster.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "clusters/endings.rs"]
mod endings;
#[path = "clusters/support.rs"]
mod support;

use stablekey_clusters::{Cluster, Options, run, run_with_input, shared, shared_all, shared_with};
use support::until;

const CONNECTION: &str = r#"{"apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection", "metadata": {"name": "crm"},
    "spec": {"stableKey": "crm", "title": "CRM", "component": {"key": "salesforce"}, "type": "oauth2",
    "credentials": "OrganizationGlobal"}}"#;

#[test]
fn the_administrator_may_do_everything() {
    let us = shared("us");
    assert_eq!(run(us.kubectl().args(["get", "--raw=/readyz"])).unwrap(), "ok");
    assert_eq!(run(us.kubectl().args(["auth", "can-i", "*", "*"])).unwrap().trim(), "yes");
    assert_eq!(run(us.kubectl().args(["config", "current-context"])).unwrap().trim(), "us");
}

#[test]
fn the_crds_are_installed() {
    let namespace = shared("us").namespace("kinds");
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), CONNECTION).unwrap();
    let listed = run(namespace.kubectl().args(["get", "stablekey", "--no-headers"])).unwrap();
    assert!(listed.contains("crm"), "{listed}");
    let explained = run(namespace.kubectl().args(["explain", "connection.spec.inputs"])).unwrap();
    assert!(explained.contains("secretRef"), "{explained}");
}

#[test]
fn a_service_account_may_do_what_its_role_says_and_no_more() {
    let namespace = shared("us").namespace("accounts");
    let us = namespace.cluster();
    let account = format!("{}:reader", namespace.name());
    for words in [
        "create serviceaccount reader",
        "create role reader --verb=get,list --resource=configmaps",
        &format!("create rolebinding reader --role=reader --serviceaccount={account}"),
    ] {
        run(namespace.kubectl().args(words.split(' '))).unwrap();
    }

    let token = us.token(namespace.name(), "reader").unwrap();
    let reader = us.kubeconfig_of(&token).unwrap();
    let list = |resource| run(us.kubectl_as(&reader).args(["get", resource, "--namespace", namespace.name()]));
    list("configmaps").unwrap();
    let refused = list("secrets").unwrap_err().to_string();
    assert!(refused.contains("Forbidden") && refused.contains("cannot list resource \"secrets\""), "{refused}");

    let user = format!("system:serviceaccount:{account}");
    let mut asked = namespace.audit().unwrap();
    asked.retain(|request| request.user == user);
    let asked: Vec<_> =
        asked.iter().map(|request| (request.verb.as_str(), request.resource.as_str(), request.code)).collect();
    assert_eq!(asked, [("list", "configmaps", 200), ("list", "secrets", 403)]);
}

#[test]
fn a_user_has_a_name_and_a_group() {
    let us = shared("us");
    let ann = us.user("ann", Some("editors")).unwrap();
    let who = run(us.kubectl_as(&ann).args(["auth", "whoami", "--output=json"])).unwrap();
    let who: serde_json::Value = serde_json::from_str(&who).unwrap();
    assert_eq!(who["status"]["userInfo"]["username"], "ann");
    assert_eq!(who["status"]["userInfo"]["groups"], serde_json::json!(["editors", "system:authenticated"]));
}

#[test]
fn every_write_is_counted_and_no_other() {
    let namespace = shared("us").namespace("writes");
    let apply = ["apply", "--server-side", "-f", "-"];
    let writes = |mark| {
        let mut requests = namespace.audit_since(mark).unwrap();
        requests.retain(stablekey_clusters::audit::Request::writes);
        requests
    };

    let before = namespace.cluster().mark().unwrap();
    run_with_input(namespace.kubectl().args(apply), CONNECTION).unwrap();
    let written = writes(before);
    assert_eq!(written.len(), 1, "{written:?}");
    let write = &written[0];
    assert_eq!(
        (&*write.verb, &*write.group, &*write.resource, &*write.name, write.code, &*write.user),
        ("patch", "stablekey.dev", "connections", "crm", 201, "admin")
    );

    let before = namespace.cluster().mark().unwrap();
    run_with_input(namespace.kubectl().args(apply).arg("--dry-run=server"), CONNECTION).unwrap();
    run(namespace.kubectl().args(["get", "connections"])).unwrap();
    assert_eq!(writes(before), []);
}

#[test]
fn two_at_once_share_nothing() {
    let [us, eu] = shared_all(["us", "eu"]);
    assert_ne!(us.server(), eu.server());
    assert_ne!(us.folder(), eu.folder());
    let namespace = us.namespace("alone");
    run(eu.kubectl().args(["get", "namespace", namespace.name()])).unwrap_err();
    // Both at the same time, as contexts.
    let both = std::env::join_paths([us.kubeconfig(), eu.kubeconfig()]).unwrap();
    for cluster in [us, eu] {
        let mut kubectl = us.kubectl();
        kubectl.env("KUBECONFIG", &both).args(["--context", cluster.name(), "cluster-info"]);
        assert!(run(&mut kubectl).unwrap().contains(cluster.server()));
    }
}

#[test]
fn with_controllers_a_namespace_is_emptied() {
    let us = shared_with(Options::named("us").with_controllers());
    let namespace = us.namespace("emptied");
    run_with_input(namespace.kubectl().args(["apply", "-f", "-"]), CONNECTION).unwrap();
    run(us.kubectl().args(["delete", "namespace", namespace.name(), "--timeout=60s"])).unwrap();
}

#[test]
fn servers_can_be_killed_frozen_and_restarted() {
    let cluster = Cluster::start(&Options::named("own")).unwrap();
    let namespace = cluster.namespace("kept");
    let ask = || run(cluster.kubectl().args(["get", "namespace", namespace.name(), "--request-timeout=1s"]));

    cluster.pause().unwrap();
    assert!(ask().is_err());
    cluster.resume().unwrap();
    until("it answers again", || ask().is_ok());

    cluster.kill_apiserver().unwrap();
    let refused = ask().unwrap_err().to_string();
    assert!(refused.contains("refused"), "{refused}");
    cluster.restart_apiserver().unwrap();
    // Same address, same data.
    ask().unwrap();

    endings::when_the_supervisor_is_killed(cluster.pids());
    let folder = cluster.folder().to_owned();
    drop(namespace);
    drop(cluster);
    assert!(!folder.exists());
}

#[test]
fn an_unknown_flag_of_a_server_is_reported() {
    let options = Options { apiserver_flags: vec!["--no-such-flag".into()], ..Options::named("wrong") };
    let error = Cluster::start(&options).unwrap_err().to_string();
    assert!(error.contains("kube-apiserver ended by itself") && error.contains("--no-such-flag"), "{error}");
}
