//! Permissions of the accounts of manifests/, listed and tried with their real tokens.

use crate::installed::{Account, apply, install, us};
use crate::renderings::kustomized;
use crate::tools::{error_of, fails_with, output_of};
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run};

const FOLDERS: [(&str, &str); 5] = [
    ("binder", "stablekey-binder"),
    ("syncer", "stablekey-syncer"),
    ("sender", "stablekey-sender"),
    ("tenant-access/target", "stablekey-target"),
    ("tenant-access/source", "stablekey-source"),
];

fn accounts(namespace: &Namespace<'static>) -> [Account; 5] {
    install(namespace, &FOLDERS.map(|(folder, _)| folder));
    FOLDERS.map(|(_, account)| Account::new(namespace, account))
}

/// Snapshots of `kubectl auth can-i --list`, without what everybody may do.
#[test]
fn permissions_of_each_account() {
    let namespace = us().namespace("rights");
    for account in accounts(&namespace) {
        let said = output_of(&mut account.kubectl("auth can-i --list"));
        let others = ["selfsubject", "[/"];
        let mut lines: Vec<&str> =
            said.lines().filter(|line| !others.iter().any(|other| line.contains(other))).map(str::trim_end).collect();
        lines[1..].sort_unstable();
        let name = account.user.rsplit_once(':').unwrap().1.to_string();
        insta::assert_snapshot!(name, lines.join("\n"));
    }
}

/// With sources in Git: every kind may be written, and the Secret of Git servers read by its name.
#[test]
fn permissions_with_sources_in_git() {
    let namespace = us().namespace("rights-git");
    install(&namespace, &["syncer-git", "sender-git", "tenant-access/target", "tenant-access/git"]);
    for account in ["stablekey-syncer", "stablekey-sender", "stablekey-target"] {
        let account = Account::new(&namespace, account);
        let can = |words: &str| output_of(&mut account.kubectl(&format!("auth can-i {words}"))).starts_with("yes");
        let is_sender = account.user.ends_with("sender");
        assert_eq!(run(&mut account.kubectl("auth can-i patch components.stablekey.dev")).is_ok(), !is_sender);
        assert_eq!(
            run(&mut account.kubectl("auth can-i create customercredentials.stablekey.dev")).is_ok(),
            !is_sender
        );
        if !account.user.ends_with("target") {
            assert!(can("list secrets/stablekey-git"));
        }
        for words in ["list secrets", "get secrets/stablekey-git", "list secrets/app"] {
            assert!(run(&mut account.kubectl(&format!("auth can-i {words}"))).is_err(), "{} {words}", account.user);
        }
    }
}

#[test]
fn no_role_is_cluster_wide_or_has_a_star() {
    for (name, object) in kustomized(&crate::renderings::ALL) {
        assert!(!name.starts_with("ClusterRoleBinding"), "{name}");
        if name.starts_with("ClusterRole/") {
            // Roles for people, bound in a namespace, are for custom resources only.
            let groups = object["rules"].as_array().unwrap().iter().map(|rule| &rule["apiGroups"]);
            assert!(groups.eq([&json!(["stablekey.dev"])].repeat(object["rules"].as_array().unwrap().len())), "{name}");
        }
        for rule in object["rules"].as_array().into_iter().flatten() {
            assert!(!rule.to_string().contains('*'), "{name}: {rule}");
            let secrets = rule["resources"].as_array().unwrap().contains(&json!("secrets"));
            let named = rule["resourceNames"].as_array().is_some_and(|names| !names.is_empty());
            let may_list = ["Role/stablekey-binder", "Role/stablekey-secrets"].contains(&name.as_str());
            assert!(!secrets || named || may_list, "{name}: {rule}");
        }
    }
}

/// No verb on any Secret of a tenant, except the hub's own kubeconfig Secrets by name.
///
/// "no verb on any Secret of a tenant (its own kubeconfig Secrets by name)".
#[test]
fn only_the_binder_reads_a_tenants_secrets() {
    let namespace = us().namespace("secrets");
    let [binder, syncer, sender, target, source] = accounts(&namespace);
    for name in ["app", "stablekey-kubeconfigs"] {
        let secret =
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"a": "CANARY"}});
        apply(&namespace, &secret);
    }
    output_of(&mut binder.kubectl("get secret app"));
    for account in [&syncer, &sender, &target, &source] {
        let words = [
            "get secret app",
            "get secrets",
            "get secrets --field-selector=metadata.name=app",
            "get secrets --selector=stablekey.dev/for=connections",
            "get secrets --watch",
            "delete secret app",
            "patch secret app --type=merge --patch={\"data\":null}",
            "create secret generic another",
            "create token stablekey-binder",
        ];
        for words in words {
            let said = error_of(&mut account.kubectl(words));
            assert!(said.contains("forbidden") && !said.contains("CANARY"), "{} {words}: {said}", account.user);
        }
    }
    let kubeconfigs = "get secrets --field-selector=metadata.name=stablekey-kubeconfigs";
    output_of(&mut syncer.kubectl(kubeconfigs));
    for account in [&sender, &target, &source] {
        fails_with(&mut account.kubectl(kubeconfigs), "forbidden");
    }
}

#[test]
fn no_request_is_cluster_wide_or_in_another_namespace() {
    let namespace = us().namespace("elsewhere");
    let other = us().namespace("other");
    let kinds = ["connections", "integrations", "tenants", "tenantsyncs", "configmaps", "secrets", "leases"];
    for account in accounts(&namespace) {
        for scope in ["--all-namespaces".to_string(), format!("--namespace {}", other.name())] {
            let said = error_of(&mut account.kubectl(&format!("get {} {scope}", kinds.join(","))));
            assert_eq!(said.matches("(Forbidden)").count(), kinds.len(), "{}: {said}", account.user);
        }
    }
}

#[test]
fn no_account_can_approve_or_escalate() {
    let namespace = us().namespace("raises");
    for account in accounts(&namespace) {
        for words in [
            "annotate tenantsync any stablekey.dev/approve=sha256:00",
            "patch tenant any --type=merge --patch={\"spec\":{\"acceptFrom\":[\"dev\"]}}",
            "create rolebinding more --clusterrole=admin --serviceaccount=default:default",
            "create token default",
            "run any --image=any",
        ] {
            let said = error_of(&mut account.kubectl(words));
            assert!(said.contains("forbidden"), "{} {words}: {said}", account.user);
        }
    }
}

/// A tenant's namespace grants a syncer elsewhere what it grants its own, and no more than the Role for the command
/// line, except watch and the ConfigMaps in which the operator stores approvals.
#[test]
fn the_roles_are_consistent() {
    let objects = kustomized(&crate::renderings::ALL);
    let allowed = |role: &Value| -> Vec<(String, String)> {
        let words = |list: &Value| -> Vec<String> {
            list.as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_string()).collect()
        };
        let pairs = role["rules"].as_array().unwrap().iter().filter(|rule| rule["resourceNames"].is_null());
        let pairs = pairs.flat_map(|rule| {
            let verbs = words(&rule["verbs"]);
            words(&rule["resources"])
                .into_iter()
                .flat_map(move |resource| verbs.clone().into_iter().map(move |verb| (resource.clone(), verb)))
        });
        pairs.collect()
    };
    let of = |name: &str| allowed(&objects[&format!("Role/{name}")]);
    let includes = |more: &[(String, String)], fewer: &[(String, String)], but: &str| {
        for pair in fewer.iter().filter(|(_, verb)| verb != but) {
            assert!(more.contains(pair), "{pair:?}");
        }
    };
    includes(&of("stablekey-syncer"), &of("stablekey-target"), "");
    includes(&of("stablekey-target"), &of("stablekey-source"), "");
    let printed: Value = serde_saphyr::from_str(&stablekey::kubernetes::role::role("ns")).unwrap();
    let mut of_command_line = allowed(&printed);
    // Only the operator checks whether a namespace is ending.
    of_command_line.push(("namespaces".to_string(), "get".to_string()));
    includes(&of_command_line, &of("stablekey-target"), "watch");
}
