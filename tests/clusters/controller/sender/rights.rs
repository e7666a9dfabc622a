//! The permissions of the sender, by the audit log, and what its account cannot do.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::json;
use stablekey_clusters::{run, run_with_input};
use stablekey_testing::manifests;
use stablekey_testing::objects::Document as _;
use stablekey_testing::permissions::{permissions_of, requested};

/// No permission is unused. A refused request fails each test: see [`SenderEnv`].
#[test]
fn its_requests_are_those_of_its_role() {
    let env = SenderEnv::new("audited");
    env.archive();
    env.archive_secret(&[]);
    env.in_us(&[sync_from_us("us-to-eu", "eu", "Plan")]);
    let _sender = env.sender();
    until_state(&env, SYNC, "eu", "AwaitingApproval");
    let digest = field(&env.us, SYNC, &of_target("eu", "digest"));
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until_state(&env, SYNC, "eu", "InSync");
    // A delete asks whether the namespace of the source is ending.
    let mut pruning = sync_from_us("us-to-eu", "eu", "Apply");
    pruning["spec"]["prune"] = json!(true);
    let mut eu = env.on_platform("eu", &env.eu, Some(&env.secrets));
    eu["spec"]["policy"] = json!({"actions": ["Create", "Update", "Delete"]});
    env.in_us(&[pruning, eu]);
    env.again(SYNC, "1");
    kubectl(&env.us, &["delete", "integration", "archive-export"]);
    let asked = || requested(&env.us.audit().unwrap(), &env.user(), env.us.name());
    stablekey_testing::replica::until("it asks for its namespace", || asked().contains("get namespaces"));
    let granted = permissions_of(env.us.cluster(), "sender");
    let asked = asked();
    let unused: Vec<&String> = granted.iter().filter(|permission| !asked.contains(*permission)).collect();
    assert_eq!(unused, [""; 0]);
    let there = requested(&env.secrets.audit().unwrap(), &env.user(), env.secrets.name());
    assert_eq!(there.iter().map(String::as_str).collect::<Vec<_>>(), ["list secrets"]);
}

/// "no other Secret, and of our kinds only status".
#[test]
fn its_account_reads_no_other_secret_and_writes_no_spec() {
    let env = SenderEnv::new("attacked");
    env.archive();
    apply(&env.us, &[stablekey_testing::objects::secret("other", json!({"s": "CANARY-other"}))]);
    let elsewhere = env.us.cluster().namespace("attacked-elsewhere");
    apply(&elsewhere, &[stablekey_testing::objects::secret("app", json!({"s": "CANARY-elsewhere"}))]);
    let account = manifests::account(env.us.cluster(), env.us.name(), "sender");
    let here = env.us.name();
    let attack = |words: &str| {
        let mut kubectl = env.us.cluster().kubectl_as(&account);
        let said = run(kubectl.args(words.split(' '))).unwrap_err().to_string();
        assert!(said.contains("forbidden") || said.contains("Forbidden"), "{words}: {said}");
        assert!(!said.contains("CANARY"), "{words}: {said}");
    };
    for words in [
        format!("-n {here} get secret other"),
        format!("-n {here} get secrets"),
        format!("-n {here} get secrets --selector=stablekey.dev/for=connections"),
        format!("-n {} get secrets", elsewhere.name()),
        format!("-n {} get secrets --selector=stablekey.dev/for=connections", elsewhere.name()),
        format!("-n {} delete secret archive-db", env.secrets.name()),
        format!("-n {} create secret generic another", env.secrets.name()),
        format!("-n {here} delete connection archive"),
        format!("-n {here} delete integration archive-export"),
        format!("-n {here} create token stablekey-sender"),
        format!("-n {here} create rolebinding more --clusterrole=admin --serviceaccount=default:default"),
    ] {
        attack(&words);
    }
    // Specs, as it would write them.
    for spec in [
        tenant("eu", json!({"acceptFrom": ["dev"]})),
        sync_from_us("us-to-eu", "eu", "Apply"),
        archive("evil.example").json(),
        integration("archive-export", &["archive"]),
    ] {
        let mut kubectl = env.us.cluster().kubectl_as(&account);
        kubectl.args(["-n", here, "apply", "--server-side", "--force-conflicts", "-f", "-"]);
        let said = run_with_input(&mut kubectl, &spec.to_string()).unwrap_err().to_string();
        assert!(said.contains("cannot patch resource"), "{said}");
    }
}
