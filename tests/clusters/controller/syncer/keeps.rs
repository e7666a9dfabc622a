//! Keeps a target in sync: drift, removal, deletion.

use super::env::*;
use serde_json::json;
use stablekey_testing::replica::until;

fn until_eu_state(env: &TestEnv, state: &str) {
    until_field(&env.us, SYNC, ".status.targets[0].state", state);
}

fn settled(prefix: &str) -> (TestEnv, stablekey_testing::replica::Replica) {
    let env = TestEnv::new(prefix);
    let syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_eu_state(&env, "InSync");
    (env, syncer)
}

fn policy(env: &TestEnv, policy: serde_json::Value) {
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "policy": policy}))]);
    let mut elsewhere = env.remote_eu();
    elsewhere["spec"]["policy"] = policy;
    env.in_us(&[elsewhere]);
}

fn edit(env: &TestEnv, scopes: &str) {
    let patch = json!({"spec": {"inputs": {"scopes": {"value": scopes}}}}).to_string();
    kubectl(&env.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &patch]);
}

#[test]
fn drift_is_reported_and_kept_or_reverted() {
    let (env, _syncer) = settled("drift");
    edit(&env, "theirs");
    until_eu_state(&env, "Drifted");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "theirs");
    policy(&env, json!({"drift": "Correct"}));
    until_field(&env.eu, "connection/crm", SCOPES, "api");
    until_eu_state(&env, "InSync");
    edit(&env, "theirs again");
    until_field(&env.eu, "connection/crm", SCOPES, "api");
    policy(&env, json!({"drift": "Ignore"}));
    edit(&env, "theirs for good");
    until_eu_state(&env, "InSync");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "theirs for good");
}

/// With `suspend` changes are planned and reported, never written.
///
/// "suspend: … planned and reported, never written".
#[test]
fn a_suspended_sync_is_planned_and_reported_and_never_written() {
    let (env, _syncer) = settled("suspended");
    let message = |word: &str| {
        until_field(&env.us, SYNC, ".status.targets[0].state", "Suspended");
        until("it says how many wait", || field(&env.us, SYNC, ".status.targets[0].message").contains(word));
        assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    };
    let of_sync = |suspend: bool| {
        let mut sync = sync("Apply");
        sync["spec"]["suspend"] = json!(suspend);
        env.in_us(&[sync]);
    };
    // The sync: first an incremental reconcile, then a full one.
    of_sync(true);
    message("nothing waits");
    env.in_us(&[connection("crm", "api refresh")]);
    message("1 action waits");
    // It is still a writer: nothing that it wrote is deleted.
    kubectl(&env.us, &["delete", "integration/lead"]);
    reconcile_again(&env, SYNC, "1");
    kubectl(&env.eu, &["get", "integration/lead"]);
    env.in_us(&[integration("lead", &["crm"])]);
    // The target, suspended by its own Tenant.
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "suspend": true}))]);
    until_ready(&env.us, "tenant/eu", "Suspended");
    of_sync(false);
    message("eu is suspended; 1 action waits");
    env.in_us(&[connection("crm", "all")]);
    reconcile_again(&env, SYNC, "2");
    message("1 action waits");
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"]}))]);
    until_field(&env.eu, "connection/crm", SCOPES, "all");
    until_eu_state(&env, "InSync");
}

#[test]
fn a_deleted_object_is_created_again() {
    let (env, _syncer) = settled("made-again");
    kubectl(&env.eu, &["delete", "connection/crm"]);
    until_field(&env.eu, "connection/crm", SCOPES, "api");
}

#[test]
fn an_undesired_object_is_deleted_only_if_allowed() {
    let (env, _syncer) = settled("removal");
    let mut pruning = sync("Apply");
    pruning["spec"]["prune"] = json!(true);
    env.in_us(&[pruning, integration("other", &["crm"])]);
    kubectl(&env.eu, &["wait", "--for=create", "integration/other", "--timeout=60s"]);
    kubectl(&env.us, &["delete", "integration/lead"]);
    reconcile_again(&env, SYNC, "1");
    kubectl(&env.eu, &["get", "integration/lead"]);
    policy(&env, json!({"actions": ["Create", "Update", "Delete"]}));
    until("it is gone", || field(&env.eu, "integration/lead", ".metadata.name").is_empty());
    until_eu_state(&env, "InSync");
}

#[test]
fn deleting_the_sync_deletes_nothing() {
    let (env, mut syncer) = settled("no-more");
    kubectl(&env.us, &["delete", SYNC]);
    kubectl(&env.us, &["delete", "tenant/eu"]);
    syncer.signal("-TERM");
    assert!(syncer.end().success());
    assert_eq!(
        kubectl(&env.eu, &["get", "connections,integrations", "-o", "name"]),
        "connection.stablekey.dev/crm\nintegration.stablekey.dev/lead\n"
    );
}

#[test]
fn a_requested_reconcile_runs() {
    let (env, _syncer) = settled("asked");
    for (annotation, at) in
        [("stablekey.dev/requestedAt", "1"), ("reconcile.fluxcd.io/requestedAt", "2026-11-23T12:00:00Z")]
    {
        kubectl(&env.us, &["annotate", SYNC, &format!("{annotation}={at}")]);
        until("it was handled", || field(&env.us, SYNC, ".status.lastHandledReconcileAt").contains(at));
    }
}

#[test]
fn a_settled_hub_that_is_started_again_writes_nothing() {
    let (env, mut syncer) = settled("settled");
    syncer.signal("-TERM");
    assert!(syncer.end().success());
    let (us, eu) = (env.us.cluster().mark().unwrap(), env.eu.cluster().mark().unwrap());
    let mut again = env.syncer();
    again.wait_for_log("\"leads\"");
    reconcile_again(&env, SYNC, "now");
    let writes = |requests: Vec<stablekey_clusters::audit::Request>| -> Vec<String> {
        let ours = requests.into_iter().filter(|r| ["create", "update", "patch", "delete"].contains(&r.verb.as_str()));
        ours.map(|r| format!("{} {}", r.verb, r.resource)).collect()
    };
    assert_eq!(writes(env.eu.audit_since(eu).unwrap()), [""; 0]);
    let here: Vec<String> =
        writes(env.us.audit_since(us).unwrap()).into_iter().filter(|w| !w.contains("leases")).collect();
    // kubectl's annotation, and the status that answers it.
    assert_eq!(here.len(), 2, "{here:?}");
}

/// One invalid resource blocks only itself and what needs it.
///
/// "One bad resource holds back itself and what needs it, nothing else".
#[test]
fn a_blocked_sync_does_not_block_another() {
    let env = TestEnv::new("one-blocked");
    let _syncer = env.syncer();
    let mut needs_more = sync("Apply");
    needs_more["metadata"]["name"] = json!("needs-more");
    needs_more["spec"]["integrations"] = json!(["needs-*"]);
    needs_more["spec"]["connections"] = json!("Match");
    let mut lead = sync("Apply");
    lead["spec"]["integrations"] = json!(["lead"]);
    env.in_us(&[connection("crm", "api"), connection("chat", "api")]);
    env.in_us(&[integration("lead", &["crm"]), integration("needs-chat", &["chat"]), lead, needs_more]);
    until_field(&env.us, "tenantsync/needs-more", ".status.targets[0].state", "Blocked");
    until_eu_state(&env, "InSync");
    assert!(field(&env.us, "tenantsync/needs-more", ".status.targets[0].blocked").contains("SK0101"));
}
