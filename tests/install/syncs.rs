//! The syncer with exactly the accounts and Roles of manifests/: a hub that pushes, and a target that pulls. Nothing is
//! forbidden, and every permission is used or listed here with a reason.

use crate::installed::{Account, apply, eu, install, until, us};
use crate::renderings::kustomized;
use crate::tools::{of_each, repository, tool};
use serde_json::{Value, json};
use stablekey::api::{Credentials, DeletionPolicy, Kind};
use stablekey_clusters::audit::Request;
use stablekey_clusters::{Namespace, run};
use stablekey_testing::objects::*;
use stablekey_testing::permissions::{Permissions, granted, refused, requested};
use stablekey_testing::replica::{Replica, command};

/// Granted permissions that these tests do not use: account, permission, reason.
const UNUSED: [(&str, &str, &str); 8] = [
    ("stablekey-source", "get namespaces", "before something is deleted it looks whether the source is ending"),
    ("stablekey-syncer", "delete connections", "here the target that pulls has nothing to remove"),
    ("stablekey-syncer", "delete integrations", "here the target that pulls has nothing to remove"),
    ("stablekey-syncer", "get connections", "after a race or a lost answer it looks at what it wrote"),
    ("stablekey-target", "get configmaps", "where a target is another sync's source, its definitions are copied"),
    ("stablekey-target", "get connections", "after a race or a lost answer it looks at what it wrote"),
    ("stablekey-target", "get integrations", "the same, and before a definition is copied from there"),
    ("stablekey-target", "get namespaces", "where a target is another sync's source"),
];

fn connection(key: &str, scopes: &str) -> Value {
    let connection = Connection::new(key, "crm/oauth2").credentials(Credentials::Customer);
    connection.deletion(DeletionPolicy::Delete).input("scopes", scopes).json()
}

fn integration(name: &str, key: &str) -> Value {
    Integration::new(name).binds("CRM", key).definition_map(&format!("{name}-exported")).json()
}

fn definition(integration: &str) -> Value {
    let text = "definitionVersion: 7\nname: Lead\nrequiredConfigVars:\n- {key: CRM, dataType: connection, useScopedConfigVar: crm}\nflows: []\n";
    let metadata = json!({"name": format!("{integration}-exported"), "labels": {"stablekey.dev/definition": "true"}});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"definition": text}})
}

fn sync(from: &str, to: &str, mode: &str) -> Value {
    with(Sync::new("the-sync", from, to).mirror().prune().json(), "/spec/mode", mode)
}

/// Returns a Tenant with a kubeconfig.
fn remote_tenant(name: &str, there: &Namespace<'_>, policy: &Value) -> Value {
    let tenant = Tenant::new(name).in_namespace_by_secret(there.name(), "stablekey-kubeconfigs", name);
    with(tenant.json(), "/spec/policy", policy.clone())
}

fn text_of(account: &Account) -> String {
    std::fs::read_to_string(&account.kubeconfig).unwrap()
}

fn kubeconfigs(of: &str, text: &str) -> Value {
    secret("stablekey-kubeconfigs", json!({of: text}))
}

fn field(namespace: &Namespace<'_>, object: &str, path: &str) -> String {
    run(namespace.kubectl().args(["get", object, "-o", &format!("jsonpath={{{path}}}")])).unwrap_or_default()
}

#[track_caller]
fn until_field(namespace: &Namespace<'_>, object: &str, path: &str, value: &str) {
    until(&format!("{object} {path} is {value}"), || field(namespace, object, path) == value);
}

const STATE: &str = ".status.targets[0].state";
const SYNC: &str = "tenantsync/the-sync";

fn object(namespace: &Namespace<'_>, name: &str) -> Value {
    serde_json::from_str(&run(namespace.kubectl().args(["get", name, "-o", "json"])).unwrap()).unwrap()
}

/// Returns the result of kstatus, as Flux has it, and of the health check for Argo CD.
fn health(namespace: &Namespace<'_>, name: &str) -> [String; 2] {
    // They read one object per line.
    let object = object(namespace, name).to_string().replace("\\n", " ");
    let object = [serde_json::from_str(&object).unwrap()];
    let word = |said: Vec<String>| said[0].split(':').next().unwrap().to_string();
    let mut argo = tool("health");
    [
        word(of_each(&mut tool("kstatus"), &object)),
        word(of_each(argo.arg(repository("manifests/argocd/health.lua")), &object)),
    ]
}

/// Starts the syncer with its Deployment's arguments, outside the cluster.
fn syncer(namespace: &Namespace<'_>, account: &Account) -> Replica {
    Replica::by(command(namespace, &account.kubeconfig, &["--role", "syncer", "--lease-duration", "3s"]))
}

/// Returns the permissions that these Roles grant an account and that it did not use.
fn unused(account: &Account, requests: &[Request], roles: &[&str]) -> Permissions {
    let objects = kustomized(&crate::renderings::ALL);
    let granted: Permissions = roles.iter().flat_map(|role| granted(&objects[&format!("Role/{role}")])).collect();
    granted.difference(&requested(requests, &account.user, &account.namespace)).cloned().collect()
}

/// Approves what a sync in mode `Plan` shows, and waits until it is done.
fn approve_what_is_planned(hub: &Namespace<'_>) {
    let digest = field(hub, SYNC, ".status.targets[0].digest");
    run(hub.kubectl().args(["annotate", SYNC, &format!("stablekey.dev/approve={digest}")])).unwrap();
    until_field(hub, SYNC, STATE, "InSync");
}

/// A hub writes to a target elsewhere: with approval, unattended, and deletes.
fn push(hub: &Namespace<'static>, target: &Namespace<'static>, pushes: &Account, receives: &Account) {
    let policy = json!({"actions": ["Create", "Update", "Delete"]});
    apply(target, &document(Kind::Tenant, "eu", json!({"acceptFrom": ["us"], "policy": policy})));
    for object in [
        kubeconfigs("eu", &text_of(receives)),
        document(Kind::Tenant, "us", json!({})),
        remote_tenant("eu", target, &policy),
        definition("lead"),
        connection("crm", "api"),
        integration("lead", "crm"),
        sync("us", "eu", "Plan"),
    ] {
        apply(hub, &object);
    }
    let mut running = syncer(hub, pushes);
    until_field(hub, SYNC, STATE, "AwaitingApproval");
    assert_eq!(health(hub, SYNC), ["InProgress", "Suspended"]);
    approve_what_is_planned(hub);
    assert_eq!(health(hub, SYNC), ["Current", "Healthy"]);
    assert_eq!(health(hub, "tenant/eu"), ["Current", "Healthy"]);
    let copied = field(target, "integration/lead", ".spec.definition.configMap.name");
    let text = field(target, &format!("configmap/{copied}"), ".data.definition");
    assert!(text.starts_with("definitionVersion: 7"), "{copied}: {text}");

    apply(hub, &sync("us", "eu", "Apply"));
    apply(hub, &connection("crm", "api refresh"));
    until_field(target, "connection/crm", ".spec.inputs.scopes.value", "api refresh");
    for object in [definition("other"), connection("other", "api"), integration("other", "other")] {
        apply(hub, &object);
    }
    until_field(target, "integration/other", ".metadata.name", "other");
    let may_go = r#"{"spec":{"deletionPolicy":"Delete"}}"#;
    run(target.kubectl().args(["patch", "connection/other", "--type=merge", "--patch", may_go])).unwrap();
    run(hub.kubectl().args(["delete", "integration/other", "connection/other"])).unwrap();
    until_field(target, "integration/other", ".metadata.name", "");
    until_field(target, "connection/other", ".metadata.name", "");
    until_field(hub, SYNC, STATE, "InSync");

    apply(hub, &kubeconfigs("eu", ""));
    until_field(hub, "tenant/eu", ".status.conditions[0].status", "False");
    assert_eq!(health(hub, "tenant/eu"), ["Failed", "Degraded"]);
    running.signal("-TERM");
    assert!(running.end().success());
}

/// A target has the syncer, and an account that only reads the source.
fn pull(source: &Namespace<'static>, home: &Namespace<'static>, gives: &Account, pulls: &Account) {
    let us = document(Kind::Tenant, "us", json!({}));
    for object in [us, definition("lead"), connection("crm", "api"), integration("lead", "crm")] {
        apply(source, &object);
    }
    for object in [
        kubeconfigs("us", &text_of(gives)),
        document(Kind::Tenant, "eu", json!({"acceptFrom": ["us"]})),
        remote_tenant("us", source, &json!({})),
        sync("us", "eu", "Plan"),
    ] {
        apply(home, &object);
    }
    let mut running = syncer(home, pulls);
    until_field(home, SYNC, STATE, "AwaitingApproval");
    approve_what_is_planned(home);
    assert_eq!(field(home, "connection/crm", ".spec.inputs.scopes.value"), "api");
    running.signal("-TERM");
    assert!(running.end().success());
}

#[test]
fn every_verb_is_granted_and_used() {
    let begun = [us().mark().unwrap(), eu().mark().unwrap()];
    let (hub, target) = (us().namespace("hub"), eu().namespace("target"));
    let pushes = Account::new(install(&hub, &["syncer"]), "stablekey-syncer");
    let receives = Account::new(install(&target, &["tenant-access/target"]), "stablekey-target");
    push(&hub, &target, &pushes, &receives);

    let (source, home) = (us().namespace("source"), eu().namespace("home"));
    let gives = Account::new(install(&source, &["tenant-access/source"]), "stablekey-source");
    let pulls = Account::new(install(&home, &["syncer"]), "stablekey-syncer");
    pull(&source, &home, &gives, &pulls);

    let [in_us, in_eu] = [us().audit_since(begun[0]).unwrap(), eu().audit_since(begun[1]).unwrap()];
    for (requests, account) in [(&in_us, &pushes), (&in_us, &gives), (&in_eu, &receives), (&in_eu, &pulls)] {
        assert_eq!(refused(requests, &account.user, &Permissions::new()), [""; 0]);
    }
    let own = ["stablekey-syncer", "stablekey-lease-syncer"];
    let by_neither = &unused(&pushes, &in_us, &own) & &unused(&pulls, &in_eu, &own);
    let found = [
        ("stablekey-source", unused(&gives, &in_us, &["stablekey-source"])),
        ("stablekey-syncer", by_neither),
        ("stablekey-target", unused(&receives, &in_eu, &["stablekey-target"])),
    ];
    let found = found.iter().flat_map(|(account, rights)| rights.iter().map(move |right| (*account, right.as_str())));
    assert_eq!(found.collect::<Vec<_>>(), UNUSED.map(|(account, right, _)| (account, right)));
}
