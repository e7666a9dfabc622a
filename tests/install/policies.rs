//! Permissions of the accounts beyond RBAC: manifests/policies, with their real tokens.

use crate::installed::{Account, apply, install, us};
use crate::tools::{error_of, fails_with, output_of};
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run};

fn secret(name: &str, type_: &str, labels: Value) -> Value {
    let metadata = json!({"name": name, "labels": labels});
    json!({"apiVersion": "v1", "kind": "Secret", "type": type_, "metadata": metadata, "stringData": {"type": "crm"}})
}

fn binding() -> Value {
    json!({"stablekey.dev/for": "binding"})
}

#[track_caller]
fn refused(result: Result<String, String>, why: &str) {
    let said = result.unwrap_err();
    assert!(said.contains(why), "should be refused with {why}, and says {said}");
}

#[test]
fn the_binder_writes_only_binding_secrets() {
    let namespace = us().namespace("bindings");
    let binder = Account::new(install(&namespace, &["binder"]), "stablekey-binder");
    let only = "the binder writes Secrets of type servicebinding.io/… with the label";
    refused(binder.apply("", &secret("plain", "Opaque", binding())), only);
    refused(binder.apply("", &secret("plain", "servicebinding.io/crm", json!({}))), only);
    let opted_in = json!({"stablekey.dev/for": "connections"});
    refused(binder.apply("", &secret("plain", "servicebinding.io/crm", opted_in.clone())), only);
    // Nor a token for any account.
    let mut token = secret("token", "kubernetes.io/service-account-token", binding());
    token["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
    refused(binder.apply("", &token), only);

    binder.apply("", &secret("crm-binding", "servicebinding.io/crm", binding())).unwrap();
    let mut changed = secret("crm-binding", "servicebinding.io/crm", binding());
    changed["stringData"]["url"] = json!("https://crm.example");
    binder.apply("", &changed).unwrap();
    // It cannot change what its own Secrets are.
    let strip = r#"{"metadata":{"labels":{"stablekey.dev/for":null}}}"#;
    let mut kubectl = binder.kubectl("patch secret crm-binding --type=merge --patch");
    assert!(error_of(kubectl.arg(strip)).contains(only));

    // Foreign Secrets are not taken over, whatever they look like.
    let theirs = "the binder leaves alone every Secret that is not";
    for (name, type_) in [("theirs", "Opaque"), ("bound", "servicebinding.io/crm")] {
        apply(&namespace, &secret(name, type_, json!({})));
        let refusal = if type_ == "Opaque" { only } else { theirs };
        refused(binder.apply("", &secret(name, type_, binding())), refusal);
        let label = format!("label secret {name} stablekey.dev/for=binding");
        fails_with(&mut binder.kubectl(&label), refusal);
        fails_with(&mut binder.kubectl(&format!("delete secret {name} --wait=false")), theirs);
    }
    // Other writers of Secrets are not restricted.
    apply(&namespace, &secret("anybodys", "Opaque", opted_in));
    run(namespace.kubectl().args(["delete", "secret", "anybodys"])).unwrap();
}

/// Deletes with one request, like the syncer.
fn delete(account: &Account, namespace: &Namespace<'_>, what: &str) -> std::process::Command {
    account.kubectl(&format!("delete --raw {}", what.replace("NS", namespace.name())))
}

const CONNECTIONS: &str = "/apis/stablekey.dev/v1alpha1/namespaces/NS/connections";
const CONFIG_MAPS: &str = "/api/v1/namespaces/NS/configmaps";

/// The record of an object that a sync created, and of one that others created and it adopted.
const MADE: &str = r#"{"fields":{},"made":true,"tenant":"eu"}"#;
const TAKEN_OVER: &str = r#"{"fields":{"title":"0123456789abcdef@sync/a"},"made":false,"tenant":"eu"}"#;

fn connection(name: &str, record: Option<&str>) -> Value {
    let annotations = record.map_or_else(|| json!({}), |record| json!({"stablekey.dev/wrote": record}));
    json!({
        "apiVersion": "stablekey.dev/v1alpha1", "kind": "Connection",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"stableKey": name, "component": {"key": "crm"}, "type": "oauth2", "credentials": "Customer"},
    })
}

/// Only objects that a sync created are deleted: someone with the syncer's token cannot forge that first.
///
/// "An object goes only where … made by us".
#[test]
fn the_syncer_deletes_only_what_it_created() {
    let namespace = us().namespace("records");
    install(&namespace, &["syncer", "tenant-access/target"]);
    let only = "the syncer deletes only objects that it made";
    for account in ["stablekey-syncer", "stablekey-target"].map(|name| Account::new(&namespace, name)) {
        apply(&namespace, &connection("theirs", None));
        let words = r#"{"fields":{"made":"\"made\":true"},"made":false}"#;
        for record in [None, Some(TAKEN_OVER), Some("{}"), Some(words), Some(r#"{"made" : true}"#)] {
            // An adoption writes the record of an object that others created.
            account.apply("", &connection("theirs", record)).unwrap();
            let said = error_of(&mut delete(&account, &namespace, &format!("{CONNECTIONS}/theirs")));
            assert!(said.contains(only), "{record:?}: {said}");
            refused(account.apply("", &connection("theirs", Some(MADE))), "the syncer did not make this object");
        }
        account.apply("", &connection("ours", Some(MADE))).unwrap();
        let mut changed = connection("ours", Some(&MADE.replace("{}", r#"{"title":"0123456789abcdef@sync/a"}"#)));
        changed["spec"]["title"] = json!("CRM");
        account.apply("", &changed).unwrap();
        output_of(&mut delete(&account, &namespace, &format!("{CONNECTIONS}/ours")));
    }
    // The policy does not apply to people.
    run(namespace.kubectl().args(["delete", "connection", "theirs"])).unwrap();
}

fn config_map(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": {"a": "b"}})
}

#[test]
fn the_syncer_writes_only_its_own_config_maps() {
    let namespace = us().namespace("config-maps");
    install(&namespace, &["syncer", "tenant-access/target"]);
    let (definition, plan) = (json!({"stablekey.dev/definition": "true"}), json!({"stablekey.dev/plan": "true"}));
    let both = json!({"stablekey.dev/definition": "true", "stablekey.dev/plan": "true"});
    for account in ["stablekey-syncer", "stablekey-target"].map(|name| Account::new(&namespace, name)) {
        let only = "the syncer writes only ConfigMaps with one of the labels";
        for labels in [json!({}), json!({"stablekey.dev/definition": "false"}), both.clone()] {
            refused(account.apply("", &config_map("any", labels)), only);
        }
        account.apply("", &config_map("definition", definition.clone())).unwrap();
        account.apply("", &config_map("waiting", plan.clone())).unwrap();
        for (name, labels) in [("definition", &definition), ("waiting", &plan)] {
            let mut changed = config_map(name, labels.clone());
            changed["data"]["a"] = json!("c");
            account.apply("", &changed).unwrap();
        }

        // A ConfigMap that people made cannot become one that it may write or delete.
        let stays = "the syncer does not change what a ConfigMap is";
        apply(&namespace, &config_map("theirs", json!({})));
        apply(&namespace, &config_map("exported", definition.clone()));
        apply(&namespace, &config_map("both", both.clone()));
        for (name, labels, why) in [
            ("theirs", json!({"stablekey.dev/definition": "true"}), stays),
            ("theirs", json!({"stablekey.dev/plan": "true"}), stays),
            ("exported", both.clone(), only),
            ("definition", both.clone(), only),
            ("waiting", both.clone(), only),
            ("both", both.clone(), only),
        ] {
            refused(account.apply("", &config_map(name, labels)), why);
        }
        for (name, patch, why) in [
            ("exported", r#"{"stablekey.dev/plan":"true"}"#, only),
            ("exported", r#"{"stablekey.dev/definition":null,"stablekey.dev/plan":"true"}"#, stays),
            ("exported", r#"{"stablekey.dev/definition":"no","stablekey.dev/plan":"true"}"#, stays),
            ("exported", r#"{"stablekey.dev/definition":null}"#, only),
            ("definition", r#"{"stablekey.dev/definition":null,"stablekey.dev/plan":"true"}"#, stays),
            ("waiting", r#"{"stablekey.dev/plan":null,"stablekey.dev/definition":"true"}"#, stays),
            ("both", r#"{"stablekey.dev/definition":null}"#, stays),
        ] {
            let mut kubectl = account.kubectl(&format!("patch configmap {name} --type=merge --patch"));
            let said = error_of(kubectl.arg(format!(r#"{{"metadata":{{"labels":{patch}}}}}"#)));
            assert!(said.contains(why), "{name} {patch}: {said}");
        }
        for kept in ["theirs", "exported", "definition", "both"] {
            let said = error_of(&mut delete(&account, &namespace, &format!("{CONFIG_MAPS}/{kept}")));
            // In a target its Role allows no delete at all.
            let words = match account.user.ends_with(":stablekey-syncer") {
                true => "the syncer deletes only ConfigMaps with the label",
                false => "cannot delete resource",
            };
            assert!(said.contains(words), "{kept}: {said}");
        }
        if account.user.ends_with(":stablekey-syncer") {
            output_of(&mut delete(&account, &namespace, &format!("{CONFIG_MAPS}/waiting")));
        }
    }
}

/// Whoever can write what was delivered can suppress notifications: only the role itself may.
#[test]
fn what_was_delivered_is_written_by_its_role_only() {
    let namespace = us().namespace("delivered");
    install(&namespace, &["binder", "syncer", "sender", "tenant-access/target"]);
    for role in ["binder", "syncer", "sender"] {
        stablekey_testing::manifests::add_roles(us(), namespace.name(), &format!("notifications/{role}"));
    }
    let notified = json!({"stablekey.dev/notified": "true"});
    let record = |role: &str| config_map(&format!("stablekey-notified-{role}"), notified.clone());
    apply(&namespace, &config_map("theirs", json!({})));
    for role in ["binder", "syncer", "sender"] {
        let account = Account::new(&namespace, &format!("stablekey-{role}"));
        account.apply("", &record(role)).unwrap();
        let mut changed = record(role);
        changed["data"]["a"] = json!("c");
        account.apply("", &changed).unwrap();
        refused(account.apply("", &config_map("any", notified.clone())), "stablekey-notified-");
        refused(account.apply("", &config_map("any", json!({}))), "stablekey.dev/notified");
        assert!(account.apply("", &config_map("theirs", notified.clone())).is_err());
        assert!(account.apply("", &config_map(&format!("stablekey-notified-{role}"), json!({}))).is_err());
    }
    let target = Account::new(&namespace, "stablekey-target");
    refused(target.apply("", &record("syncer")), "which only the syncer of its own namespace writes");
}

/// Accounts with similar names are not restricted; Stablekey's accounts are, in every namespace.
#[test]
fn accounts_of_other_names_are_not_restricted() {
    let namespace = us().namespace("others");
    let rights = [
        "create serviceaccount not-stablekey-binder",
        "create role writes --verb=get,create,patch,delete --resource=secrets",
        "create rolebinding writes --role=writes --serviceaccount=NS:not-stablekey-binder",
    ];
    for words in rights {
        run(namespace.kubectl().args(words.replace("NS", namespace.name()).split(' '))).unwrap();
    }
    let other = Account::new(&namespace, "not-stablekey-binder");
    other.apply("", &secret("theirs", "Opaque", json!({}))).unwrap();
    output_of(&mut other.kubectl("delete secret theirs --wait=false"));
}

#[test]
fn the_expressions_use_existing_fields() {
    let policies = [
        "approve-sources",
        "approve-syncs",
        "binder-configmaps",
        "binder-secrets",
        "connections-in-use",
        "sender-configmaps",
        "syncer-configmaps",
        "syncer-deletes",
    ];
    for policy in policies {
        crate::installed::until("the controller has looked at the policy", || {
            let name = format!("validatingadmissionpolicy/{policy}.stablekey.dev");
            let text = run(us().kubectl().args(["get", &name, "--output=json"])).unwrap();
            let policy: Value = serde_json::from_str(&text).unwrap();
            let status = &policy["status"];
            if status["observedGeneration"] != policy["metadata"]["generation"] {
                return false;
            }
            assert_eq!(status["typeChecking"], json!({}), "{status}");
            true
        });
    }
}

/// The sender writes no definition, and nobody's ConfigMap but records and waiting plans.
#[test]
fn the_sender_writes_only_records_and_plans() {
    let namespace = us().namespace("records-of-the-sender");
    let sender = Account::new(install(&namespace, &["sender"]), "stablekey-sender");
    let (record, plan) = (json!({"stablekey.dev/record": "true"}), json!({"stablekey.dev/plan": "true"}));
    let only = "the sender writes only ConfigMaps with one of the labels";
    for labels in [json!({}), json!({"stablekey.dev/definition": "true"}), json!({"stablekey.dev/record": "false"})] {
        refused(sender.apply("", &config_map("any", labels)), only);
    }
    let both = json!({"stablekey.dev/record": "true", "stablekey.dev/plan": "true"});
    refused(sender.apply("", &config_map("any", both)), only);
    sender.apply("", &config_map("record", record.clone())).unwrap();
    sender.apply("", &config_map("plan", plan.clone())).unwrap();
    refused(sender.apply("", &config_map("record", plan.clone())), "does not change what a ConfigMap is");
    apply(&namespace, &config_map("theirs", json!({})));
    refused(sender.apply("", &config_map("theirs", record)), "does not change what a ConfigMap is");
    let said = error_of(&mut delete(&sender, &namespace, &format!("{CONFIG_MAPS}/record")));
    assert!(said.contains("the sender deletes only ConfigMaps"), "{said}");
    output_of(&mut delete(&sender, &namespace, &format!("{CONFIG_MAPS}/plan")));
}
