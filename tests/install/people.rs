//! Permissions of people on custom resources, with the cluster's own roles and with manifests/rbac.

use crate::installed::{apply, install, until, us};
use crate::tools::{error_of, fails_with, output_of};
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run, run_with_input};
use std::process::Command;

const ROLES: [&str; 5] = ["view", "edit", "admin", "stablekey-approve", "stablekey-approve-sources"];

/// Returns a kubectl as a person who has only one role in the namespace.
fn person(namespace: &Namespace<'static>, role: &str, words: &str) -> Command {
    let mut kubectl = namespace.kubectl();
    kubectl.arg(format!("--as={role}-{}", namespace.name())).args(words.split_whitespace());
    kubectl
}

fn people(prefix: &str) -> Namespace<'static> {
    let namespace = us().namespace(prefix);
    install(&namespace, &["rbac"]);
    for role in ROLES {
        let user = format!("--user={role}-{}", namespace.name());
        run(namespace.kubectl().args(["create", "rolebinding", role, &format!("--clusterrole={role}"), &user]))
            .unwrap();
    }
    until("the cluster's own roles have ours", || {
        let can = |role, words| run(&mut person(&namespace, role, words)).is_ok();
        can("view", "auth can-i list connections.stablekey.dev")
            && can("edit", "auth can-i patch connections.stablekey.dev")
            && can("admin", "auth can-i patch tenants.stablekey.dev")
    });
    namespace
}

#[test]
fn permissions_of_people() {
    let namespace = people("people");
    for role in ROLES {
        let said = output_of(&mut person(&namespace, role, "auth can-i --list"));
        let mut lines: Vec<String> = said
            .lines()
            .filter(|line| line.contains("stablekey.dev"))
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        lines.sort_unstable();
        assert!(lines.iter().all(|line| !line.contains("/status") && !line.contains('*')), "{role}: {lines:?}");
        insta::assert_snapshot!(format!("people-{role}"), lines.join("\n"));
    }
}

fn sync(mode: &str) -> Value {
    let metadata = json!({"name": "us-to-eu"});
    let spec = json!({"from": "us", "to": ["eu"], "integrations": ["*"], "mode": mode});
    json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "TenantSync", "metadata": metadata, "spec": spec})
}

#[test]
fn only_approvers_can_approve() {
    let namespace = people("approves");
    run_with_input(&mut person(&namespace, "edit", "create -f -"), &sync("Plan").to_string()).unwrap();
    let approve = "annotate tenantsync us-to-eu --overwrite stablekey.dev/approve=sha256:00";
    let mode = r#"patch tenantsync us-to-eu --type=merge --patch={"spec":{"mode":"Apply"}}"#;
    let suspended = r#"patch tenantsync us-to-eu --type=merge --patch={"spec":{"mode":"Apply","suspend":true}}"#;
    for role in ["view", "edit", "admin"] {
        for words in [approve, mode, suspended] {
            let said = error_of(&mut person(&namespace, role, words));
            assert!(said.contains("orbidden") || said.contains("takes the verb approve"), "{role} {words}: {said}");
        }
        // Nobody can grant what they do not have.
        let words =
            format!("create rolebinding more --clusterrole=stablekey-approve --user={role}-{}", namespace.name());
        let said = error_of(&mut person(&namespace, role, &words));
        assert!(said.contains("forbidden"), "{role}: {said}");
    }
    for words in [approve, mode] {
        output_of(&mut person(&namespace, "stablekey-approve", words));
    }
    // Stopping an approved sync is harmless.
    output_of(&mut person(
        &namespace,
        "edit",
        r#"patch tenantsync us-to-eu --type=merge --patch={"spec":{"suspend":true}}"#,
    ));
    // And nothing else.
    for words in ["delete tenantsync us-to-eu", "get connections", "get secrets"] {
        fails_with(&mut person(&namespace, "stablekey-approve", words), "orbidden");
    }
}

#[test]
fn viewers_see_no_customer_values_and_nobody_writes_a_status() {
    let namespace = people("looks");
    let tenant =
        json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": "us"}, "spec": {}});
    apply(&namespace, &tenant);
    for kind in ["connections", "integrations", "components", "tenants", "tenantsyncs"] {
        output_of(&mut person(&namespace, "view", &format!("get {kind}")));
    }
    fails_with(&mut person(&namespace, "view", "get customercredentials"), "forbidden");
    output_of(&mut person(&namespace, "edit", "get customercredentials"));
    let accepts = r#"patch tenant us --type=merge --patch={"spec":{"acceptFrom":["dev"]}}"#;
    fails_with(&mut person(&namespace, "edit", accepts), "orbidden");
    output_of(&mut person(&namespace, "admin", accepts));
    for role in ROLES {
        let words = r#"patch tenant us --subresource=status --type=merge --patch={"status":{"observedGeneration":7}}"#;
        let said = error_of(&mut person(&namespace, role, words));
        assert!(said.contains("orbidden"), "{role}: {said}");
    }
}
