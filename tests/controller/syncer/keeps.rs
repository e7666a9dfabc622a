//! What is kept as declared: drift, removal, what goes away.

use super::stage::*;
use crate::replica::until;
use serde_json::json;

fn stands(stage: &Stage, state: &str) {
    until_field(&stage.us, SYNC, ".status.targets[0].state", state);
}

fn settled(prefix: &str) -> (Stage, crate::replica::Replica) {
    let stage = Stage::new(prefix);
    let syncer = stage.syncer();
    stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    stands(&stage, "InSync");
    (stage, syncer)
}

fn policy(stage: &Stage, policy: serde_json::Value) {
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "policy": policy}))]);
    let mut elsewhere = stage.eu_elsewhere();
    elsewhere["spec"]["policy"] = policy;
    stage.in_us(&[elsewhere]);
}

fn edit(stage: &Stage, scopes: &str) {
    let patch = json!({"spec": {"inputs": {"scopes": {"value": scopes}}}}).to_string();
    kubectl(&stage.eu, &["patch", "connection/crm", "--type=merge", "--field-manager=kubectl-edit", "-p", &patch]);
}

#[test]
fn drift_is_told_and_left_or_put_right() {
    let (stage, _syncer) = settled("drift");
    edit(&stage, "theirs");
    stands(&stage, "Drifted");
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "theirs");
    policy(&stage, json!({"drift": "Correct"}));
    until_field(&stage.eu, "connection/crm", SCOPES, "api");
    stands(&stage, "InSync");
    edit(&stage, "theirs again");
    until_field(&stage.eu, "connection/crm", SCOPES, "api");
    policy(&stage, json!({"drift": "Ignore"}));
    edit(&stage, "theirs for good");
    stands(&stage, "InSync");
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "theirs for good");
}

/// "suspend: … planned and reported, never written".
#[test]
fn what_is_suspended_is_planned_and_reported_and_never_written() {
    let (stage, _syncer) = settled("suspended");
    let message = |word: &str| {
        until_field(&stage.us, SYNC, ".status.targets[0].state", "Suspended");
        until("it says how many wait", || field(&stage.us, SYNC, ".status.targets[0].message").contains(word));
        assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "api");
    };
    let of_sync = |suspend: bool| {
        let mut sync = sync("Apply");
        sync["spec"]["suspend"] = json!(suspend);
        stage.in_us(&[sync]);
    };
    // The sync: a part of it is due at once, and then all of it.
    of_sync(true);
    message("nothing waits");
    stage.in_us(&[connection("crm", "api refresh")]);
    message("1 action waits");
    // It is still a writer: nothing that it wrote goes.
    kubectl(&stage.us, &["delete", "integration/lead"]);
    looked_again(&stage, SYNC, "1");
    kubectl(&stage.eu, &["get", "integration/lead"]);
    stage.in_us(&[integration("lead", &["crm"])]);
    // The target, as its own Tenant says.
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "suspend": true}))]);
    until_ready(&stage.us, "tenant/eu", "Suspended");
    of_sync(false);
    message("eu is suspended; 1 action waits");
    stage.in_us(&[connection("crm", "all")]);
    looked_again(&stage, SYNC, "2");
    message("1 action waits");
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"]}))]);
    until_field(&stage.eu, "connection/crm", SCOPES, "all");
    stands(&stage, "InSync");
}

#[test]
fn what_was_deleted_there_is_made_again() {
    let (stage, _syncer) = settled("made-again");
    kubectl(&stage.eu, &["delete", "connection/crm"]);
    until_field(&stage.eu, "connection/crm", SCOPES, "api");
}

#[test]
fn what_is_no_longer_declared_goes_only_where_that_is_allowed() {
    let (stage, _syncer) = settled("removal");
    let mut pruning = sync("Apply");
    pruning["spec"]["prune"] = json!(true);
    stage.in_us(&[pruning, integration("other", &["crm"])]);
    kubectl(&stage.eu, &["wait", "--for=create", "integration/other", "--timeout=60s"]);
    kubectl(&stage.us, &["delete", "integration/lead"]);
    looked_again(&stage, SYNC, "1");
    kubectl(&stage.eu, &["get", "integration/lead"]);
    policy(&stage, json!({"actions": ["Create", "Update", "Delete"]}));
    until("it is gone", || field(&stage.eu, "integration/lead", ".metadata.name").is_empty());
    stands(&stage, "InSync");
}

#[test]
fn deleting_the_sync_deletes_nothing() {
    let (stage, mut syncer) = settled("no-more");
    kubectl(&stage.us, &["delete", SYNC]);
    kubectl(&stage.us, &["delete", "tenant/eu"]);
    syncer.signal("-TERM");
    assert!(syncer.end().success());
    assert_eq!(
        kubectl(&stage.eu, &["get", "connections,integrations", "-o", "name"]),
        "connection.stablekey.dev/crm\nintegration.stablekey.dev/lead\n"
    );
}

#[test]
fn it_looks_again_when_it_is_asked_to() {
    let (stage, _syncer) = settled("asked");
    for (annotation, at) in
        [("stablekey.dev/requestedAt", "1"), ("reconcile.fluxcd.io/requestedAt", "2026-11-23T12:00:00Z")]
    {
        kubectl(&stage.us, &["annotate", SYNC, &format!("{annotation}={at}")]);
        until("it was handled", || field(&stage.us, SYNC, ".status.lastHandledReconcileAt").contains(at));
    }
}

#[test]
fn a_settled_hub_that_is_started_again_writes_nothing() {
    let (stage, mut syncer) = settled("settled");
    syncer.signal("-TERM");
    assert!(syncer.end().success());
    let (us, eu) = (stage.us.cluster().mark().unwrap(), stage.eu.cluster().mark().unwrap());
    let mut again = stage.syncer();
    again.says("\"leads\"");
    looked_again(&stage, SYNC, "now");
    let writes = |requests: Vec<stablekey_clusters::audit::Request>| -> Vec<String> {
        let ours = requests.into_iter().filter(|r| ["create", "update", "patch", "delete"].contains(&r.verb.as_str()));
        ours.map(|r| format!("{} {}", r.verb, r.resource)).collect()
    };
    assert_eq!(writes(stage.eu.audit_since(eu).unwrap()), [""; 0]);
    let here: Vec<String> =
        writes(stage.us.audit_since(us).unwrap()).into_iter().filter(|w| !w.contains("leases")).collect();
    // kubectl's annotation, and the status that answers it.
    assert_eq!(here.len(), 2, "{here:?}");
}

/// "One bad resource holds back itself and what needs it, nothing else."
#[test]
fn what_is_blocked_for_one_sync_is_not_for_another() {
    let stage = Stage::new("one-blocked");
    let _syncer = stage.syncer();
    let mut needs_more = sync("Apply");
    needs_more["metadata"]["name"] = json!("needs-more");
    needs_more["spec"]["integrations"] = json!(["needs-*"]);
    needs_more["spec"]["connections"] = json!("Match");
    let mut lead = sync("Apply");
    lead["spec"]["integrations"] = json!(["lead"]);
    stage.in_us(&[connection("crm", "api"), connection("chat", "api")]);
    stage.in_us(&[integration("lead", &["crm"]), integration("needs-chat", &["chat"]), lead, needs_more]);
    until_field(&stage.us, "tenantsync/needs-more", ".status.targets[0].state", "Blocked");
    stands(&stage, "InSync");
    assert!(field(&stage.us, "tenantsync/needs-more", ".status.targets[0].blocked").contains("SK0101"));
}
