//! The kubeconfigs of tenants: missing, refused, replaced, revoked.

use super::env::*;
use serde_json::json;
use stablekey_clusters::{run, shared};
use stablekey_testing::manifests;
use std::fs;

const TENANT: &str = "tenant/eu";

#[test]
fn a_missing_kubeconfig_is_reported_and_used_once_it_exists() {
    let env = TestEnv::new("missing");
    kubectl(&env.us, &["delete", KUBECONFIGS]);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_ready(&env.us, TENANT, "KubeconfigMissing");
    assert!(ready(&env.us, TENANT, "message").contains("there is no Secret stablekey-kubeconfigs"));
    until_target_state(&env, "eu", "Unreachable");
    let kubeconfig = target_access(&env.eu);
    let mut elsewhere = kubeconfig_secret("eu", &kubeconfig);
    elsewhere["stringData"] = json!({"other": kubeconfig});
    env.in_us(&[elsewhere]);
    until_field(
        &env.us,
        TENANT,
        ".status.conditions[?(@.type==\"Ready\")].message",
        "Secret stablekey-kubeconfigs has no key eu",
    );
    env.in_us(&[kubeconfig_secret("eu", &kubeconfig)]);
    until_target_state(&env, "eu", "InSync");
    until_ready(&env.us, TENANT, "Watched");
    // Deleted again: nothing of it is used any more.
    kubectl(&env.us, &["delete", KUBECONFIGS]);
    until_ready(&env.us, TENANT, "KubeconfigMissing");
    env.in_us(&[connection("crm", "more")]);
    until_target_state(&env, "eu", "Unreachable");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
}

/// A kubeconfig with exec, a file path, a proxy, impersonation or a link-local server is refused.
#[test]
fn a_dangerous_kubeconfig_is_refused_while_running_too() {
    let env = TestEnv::new("refused");
    let mut syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    let folder = tempfile::tempdir().unwrap();
    let (ran, token) = (folder.path().join("ran"), folder.path().join("token"));
    fs::write(&token, "CANARY-token").unwrap();
    let (ran_path, token_path) = (ran.display().to_string(), token.display().to_string());
    let good = target_access(&env.eu);
    let with = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut kubeconfig: serde_json::Value = serde_json::from_str(&good).unwrap();
        change(&mut kubeconfig);
        kubeconfig.to_string()
    };
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": "touch", "args": [ran_path], "interactiveMode": "Never"});
    let bad = [
        ("exec", with(&|c| c["users"][0]["user"] = json!({"exec": exec}))),
        (
            "auth-provider",
            with(&|c| {
                c["users"][0]["user"] = json!({"auth-provider": {"name": "gcp", "config": {"cmd-path": "touch"}}})
            }),
        ),
        ("tokenFile", with(&|c| c["users"][0]["user"] = json!({"tokenFile": token_path}))),
        (
            "client-certificate",
            with(&|c| c["users"][0]["user"] = json!({"client-certificate": token_path, "client-key": token_path})),
        ),
        ("certificate-authority", with(&|c| c["clusters"][0]["cluster"]["certificate-authority"] = json!(token_path))),
        ("proxy-url", with(&|c| c["clusters"][0]["cluster"]["proxy-url"] = json!("http://127.0.0.1:9"))),
        ("impersonation", with(&|c| c["users"][0]["user"]["as"] = json!("system:admin"))),
        ("insecure-skip-tls-verify", with(&|c| c["clusters"][0]["cluster"]["insecure-skip-tls-verify"] = json!(true))),
        ("link-local", with(&|c| c["clusters"][0]["cluster"]["server"] = json!("https://169.254.169.254"))),
        ("not https", with(&|c| c["clusters"][0]["cluster"]["server"] = json!("http://127.0.0.1:9"))),
        ("not a kubeconfig", "CANARY".to_string()),
    ];
    let mark = env.eu.cluster().mark().unwrap();
    let mut messages = Vec::new();
    for (why, kubeconfig) in bad {
        env.in_us(&[kubeconfig_secret("eu", &kubeconfig), connection("crm", why)]);
        let mut message = String::new();
        stablekey_testing::replica::until(why, || {
            message = ready(&env.us, TENANT, "message");
            message.contains(why) || (why == "not a kubeconfig" && message.contains("kubeconfig: it"))
        });
        assert_eq!(ready(&env.us, TENANT, "reason"), "KubeconfigRefused");
        messages.push(message);
    }
    until_target_state(&env, "eu", "Unreachable");
    // A write that began with the earlier kubeconfig may have ended; none used these.
    assert!(written(&env.eu, mark).len() <= 1, "{:?}", written(&env.eu, mark));
    assert!(!ran.exists());
    env.in_us(&[kubeconfig_secret("eu", &good)]);
    until_target_state(&env, "eu", "InSync");
    syncer.signal("-TERM");
    syncer.end();
    let said = syncer.log.join("\n") + &messages.join("\n");
    assert!(!said.contains("CANARY"), "{said}");
}

#[test]
fn an_expiring_token_is_reported_until_it_is_renewed() {
    let env = TestEnv::new("expiring");
    let good = target_access(&env.eu);
    let mut expired: serde_json::Value = serde_json::from_str(&good).unwrap();
    // {"iat":1700000000,"exp":1700003600}
    expired["users"][0]["user"]["token"] =
        json!("eyJhbGciOiJub25lIn0.eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMzYwMH0.CANARY");
    env.in_us(&[kubeconfig_secret("eu", &expired.to_string())]);
    let syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let expiring = |field: &str| format!(".status.conditions[?(@.type==\"CredentialsExpiring\")].{field}");
    until_field(&env.us, TENANT, &expiring("reason"), "Expired");
    let message = field(&env.us, TENANT, &expiring("message"));
    assert!(message.starts_with("the token in its kubeconfig expired at 2023-11-14T23:13:20Z: write"), "{message}");
    let metric = |name: &str| syncer.metric(&format!("stablekey_{name}{{tenant=\"eu\"}}"));
    assert_eq!(metric("kubeconfig_expires_timestamp_seconds"), Some(1_700_003_600.0));
    assert_eq!(metric("kubeconfig_expiring"), Some(1.0));
    assert_eq!(metric("tenant_last_success_timestamp_seconds"), None);
    env.in_us(&[kubeconfig_secret("eu", &good)]);
    until_target_state(&env, "eu", "InSync");
    until_field(&env.us, TENANT, &expiring("reason"), "");
    assert_eq!(metric("kubeconfig_expiring"), Some(0.0));
    assert!(metric("tenant_last_success_timestamp_seconds").unwrap() > 1_700_003_600.0);
}

/// A tenant's kubeconfig is replaced while the syncer runs.
#[test]
fn a_replaced_kubeconfig_reaches_no_other_tenant() {
    let env = TestEnv::new("swapped");
    let other = shared("us").namespace("swapped-other");
    apply(&other, &[tenant("other", json!({"acceptFrom": ["us", "eu"]})), connection("crm", "of the other")]);
    // The same namespace name in the other cluster.
    run(env.us.cluster().kubectl().args(["create", "namespace", env.eu.name()])).unwrap();
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    let mark = env.us.cluster().mark().unwrap();

    // Only the cluster differs: the namespace exists there, and is nobody's.
    let theirs = manifests::account(env.us.cluster(), env.eu.name(), "tenant-access/target");
    let theirs = fs::read_to_string(theirs).unwrap();
    env.in_us(&[connection("crm", "1"), kubeconfig_secret("eu", &theirs), connection("crm", "2")]);
    until_target_state(&env, "eu", "NotAccepted");

    // It belongs to another tenant.
    env.in_us(&[kubeconfig_secret("eu", &target_access(&other)), remote_tenant("eu", &other), connection("crm", "3")]);
    until_ready(&env.us, TENANT, "Unreachable");
    assert!(ready(&env.us, TENANT, "message").contains("its namespace is that of tenant other"));
    until_target_state(&env, "eu", "Unreachable");
    assert_eq!(field(&other, "connection/crm", SCOPES), "of the other");
    let everywhere = env.us.cluster().audit_since(mark).unwrap();
    let strays =
        everywhere.iter().filter(|r| r.writes() && [env.eu.name(), other.name()].contains(&r.namespace.as_str()));
    assert_eq!(strays.filter(|r| !r.agent.starts_with("kubectl")).count(), 0);

    // The tenant moved: existing objects are kept, and the others are created.
    let moved = shared("us").namespace("swapped-moved");
    apply(&moved, &[tenant("eu", json!({"acceptFrom": ["us"]})), connection("crm", "made by hand")]);
    env.in_us(&[kubeconfig_secret("eu", &target_access(&moved)), remote_tenant("eu", &moved)]);
    env.in_us(&[connection("erp", "3"), integration("lead", &["crm", "erp"])]);
    until_field(&moved, "connection/erp", SCOPES, "3");
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&moved, "connection/crm", SCOPES), "made by hand");
    assert_eq!(field(&env.us, SYNC, &of_target("eu", "counts.kept")), "1");

    // Back to where it was all the time.
    let kubeconfig = target_access(&env.eu);
    env.in_us(&[kubeconfig_secret("eu", &kubeconfig), env.remote_eu()]);
    until_field(&env.eu, "connection/crm", SCOPES, "3");
    until_target_state(&env, "eu", "InSync");
}

#[test]
fn a_revoked_kubeconfig_is_reported_and_a_new_one_continues() {
    let env = TestEnv::new("revoked");
    let secret = |name: &str| kubeconfig_secret("eu", &another_account(&env.eu, name));
    env.in_us(&[secret("first")]);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    kubectl(&env.eu, &["delete", "serviceaccount", "first"]);
    until_ready(&env.us, TENANT, "Unreachable");
    let message = ready(&env.us, TENANT, "message");
    let said = "the kubeconfig of tenant eu (Secret stablekey-kubeconfigs, key eu) are not accepted: they expired or were \
                revoked; write a kubeconfig with a new token to that Secret";
    assert!(message.contains(said), "{message}");
    until_target_state(&env, "eu", "Unreachable");
    env.in_us(&[connection("crm", "1"), secret("second")]);
    until_field(&env.eu, "connection/crm", SCOPES, "1");
    until_target_state(&env, "eu", "InSync");
    // One of its permissions is removed: the message names it.
    kubectl(&env.eu, &["delete", "rolebinding", "second"]);
    env.in_us(&[connection("crm", "2")]);
    until_target_state(&env, "eu", "Failed");
    assert!(field(&env.us, SYNC, &of_target("eu", "message")).contains("cannot patch resource \"connections\""));
}
