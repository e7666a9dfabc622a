//! Mode `Plan`, approvals, and the share of changes that needs approval.

use super::env::*;
use http::StatusCode;
use serde_json::json;
use stablekey_testing::proxy::Fate;
use stablekey_testing::replica::until;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

fn target(env: &TestEnv, path: &str) -> String {
    field(&env.us, SYNC, &format!(".status.targets[0].{path}"))
}

fn approve(env: &TestEnv, digest: &str) {
    kubectl(&env.us, &["annotate", "--overwrite", SYNC, &format!("stablekey.dev/approve={digest}")]);
}

fn until_eu_state(env: &TestEnv, state: &str) {
    until_field(&env.us, SYNC, ".status.targets[0].state", state);
}

/// In mode `Plan` the status has the digest, counts and the first actions; exactly the approved digest is applied.
#[test]
fn in_mode_plan_exactly_the_approved_actions_are_applied() {
    let env = TestEnv::new("approvals");
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Plan")]);
    until_eu_state(&env, "AwaitingApproval");
    assert_eq!(target(&env, "counts.create"), "2");
    let actions = target(&env, "actions");
    assert!(actions.contains("create Connection/crm") && actions.contains("create Integration/lead"), "{actions}");
    let digest = target(&env, "digest");
    assert_eq!(kubectl(&env.eu, &["get", "connections,integrations", "-o", "name"]), "");

    approve(&env, "sha256:0000");
    // The digest does not match the plan: it is reconciled, and nothing is written.
    until("it was looked at again", || target(&env, "digest") == digest);
    assert_eq!(kubectl(&env.eu, &["get", "connections,integrations", "-o", "name"]), "");

    approve(&env, &digest);
    until_eu_state(&env, "InSync");
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.scopes.value"), "api");
    assert!(target(&env, "receipt.plan").starts_with("sha256:"));

    // The approval was for that digest, and not for later changes.
    env.in_us(&[connection("crm", "api refresh")]);
    until_eu_state(&env, "AwaitingApproval");
    assert_ne!(target(&env, "digest"), digest);
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.scopes.value"), "api");
}

/// A credential redirect always needs approval.
///
/// "A credential redirect always needs approval".
#[test]
fn in_mode_apply_a_redirect_waits_and_the_rest_continues() {
    let env = TestEnv::new("redirect");
    let _syncer = env.syncer();
    let with_url = |url: &str| {
        let mut crm = connection("crm", "api");
        crm["spec"]["inputs"]["tokenUrl"] = json!({"value": url});
        crm
    };
    env.in_us(&[
        with_url("https://a.example"),
        connection("other", "api"),
        integration("lead", &["crm", "other"]),
        sync("Apply"),
    ]);
    until_eu_state(&env, "InSync");
    env.in_us(&[with_url("https://evil.example"), connection("other", "more")]);
    until_field(&env.eu, "connection/other", ".spec.inputs.scopes.value", "more");
    until_eu_state(&env, "AwaitingApproval");
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.tokenUrl.value"), "https://a.example");
    assert!(target(&env, "actions").contains("SK0107"));
    approve(&env, &target(&env, "digest"));
    until_field(&env.eu, "connection/crm", ".spec.inputs.tokenUrl.value", "https://evil.example");
    until_eu_state(&env, "InSync");
}

/// Many small changes cannot avoid the share that needs approval.
///
/// "many small passes cannot beat the share that needs approval".
#[test]
fn small_changes_add_up_to_a_share_that_needs_approval() {
    let env = TestEnv::new("volume");
    let _syncer = env.syncer();
    let keys: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut all: Vec<_> = keys.iter().map(|key| connection(key, "api")).collect();
    all.push(integration("lead", &keys));
    all.push(sync("Apply"));
    env.in_us(&all);
    until_eu_state(&env, "InSync");
    // There are 11 objects: 30 % of them are 4.
    for key in &keys[..3] {
        env.in_us(&[connection(key, "more")]);
        until_field(&env.eu, &format!("connection/{key}"), ".spec.inputs.scopes.value", "more");
    }
    until_eu_state(&env, "InSync");
    env.in_us(&[connection("c3", "more")]);
    until_eu_state(&env, "AwaitingApproval");
    assert!(target(&env, "actions").contains("SK0112"), "{}", target(&env, "actions"));
    assert_eq!(field(&env.eu, "connection/c3", ".spec.inputs.scopes.value"), "api");
    assert_eq!(target(&env, "changed"), "3");
    approve(&env, &target(&env, "digest"));
    until_field(&env.eu, "connection/c3", ".spec.inputs.scopes.value", "more");
    until_eu_state(&env, "InSync");
}

fn scopes(env: &TestEnv) -> String {
    field(&env.eu, "connection/crm", SCOPES)
}

/// An approval is bound to the annotation that gave it, and consumed when carried out: a recurring change needs a new
/// one.
///
/// "Bound to the annotation that gave it, and consumed when carried out: what recurs needs a new approval".
#[test]
fn a_recurring_change_needs_a_new_approval_each_time() {
    let env = TestEnv::new("forth");
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "a"), integration("lead", &["crm"]), sync("Plan")]);
    until_eu_state(&env, "AwaitingApproval");
    approve(&env, &target(&env, "digest"));
    until_field(&env.eu, "connection/crm", SCOPES, "a");
    let mut given = String::new();
    let mut digests = Vec::new();
    for wanted in ["b", "a"] {
        until_eu_state(&env, "InSync");
        env.in_us(&[connection("crm", wanted)]);
        until_eu_state(&env, "AwaitingApproval");
        digests.push(target(&env, "digest"));
        given = format!("{given},{}", target(&env, "digest"));
        approve(&env, &given);
        until_field(&env.eu, "connection/crm", SCOPES, wanted);
    }
    until_eu_state(&env, "InSync");
    env.in_us(&[connection("crm", "b")]);
    until_eu_state(&env, "AwaitingApproval");
    assert_eq!(target(&env, "digest"), digests[0], "the same again");
    // Old digests in another order, or beside another one, are not new approvals.
    approve(&env, &format!("{},{},sha256:0000", digests[1], digests[0]));
    reconcile_again(&env, SYNC, "once");
    reconcile_again(&env, SYNC, "twice");
    assert_eq!(scopes(&env), "a");
    let message = target(&env, "message");
    assert!(message.contains("needs a new approval"), "{message}");
    assert_eq!(message.lines().last(), Some(digests[0].as_str()), "the digest stands alone on its line");
    let stale = field(&env.us, SYNC, ".status.conditions[?(@.type==\"StaleApproval\")].message");
    assert!(stale.lines().any(|line| line == "sha256:0000"), "{stale}");
    assert!(stale.contains(&format!("\nstablekey approve us-to-eu -n {}\n", env.us.name())), "{stale}");
    // Withdrawn and given again, by an approver.
    kubectl(&env.us, &["annotate", SYNC, "stablekey.dev/approve-"]);
    until("it is forgotten", || field(&env.us, SYNC, ".status.conditions[?(@.type==\"StaleApproval\")]").is_empty());
    approve(&env, &digests[0]);
    until_field(&env.eu, "connection/crm", SCOPES, "b");
}

/// Nothing that an editor of custom resources, ConfigMaps or Secrets can write is an approval.
///
/// "Nothing that an editor of our kinds, ConfigMaps or Secrets can write is consent".
#[test]
fn nothing_that_an_editor_can_write_is_an_approval() {
    let env = TestEnv::new("forged");
    let _syncer = env.syncer();
    let with_url = |url: &str| {
        let mut crm = connection("crm", "api");
        crm["spec"]["inputs"]["tokenUrl"] = json!({"value": url});
        crm
    };
    env.in_us(&[with_url("https://a.example"), integration("lead", &["crm"]), sync("Apply")]);
    until_eu_state(&env, "InSync");
    env.in_us(&[with_url("https://evil.example")]);
    until_eu_state(&env, "AwaitingApproval");
    let digest = target(&env, "digest");
    let text = |label: &str| {
        let metadata =
            json!({"name": format!("forged-{label}"), "labels": {(format!("stablekey.dev/{label}")): "true"}});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"digests": digest, "plan": digest}})
    };
    for namespace in [&env.us, &env.eu] {
        apply(namespace, &[text("approved"), text("plan")]);
    }
    kubectl(&env.us, &["label", "--overwrite", SYNC, "stablekey.dev/approve=true"]);
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/requestedAt={digest}")]);
    until("it was handled", || field(&env.us, SYNC, ".status.lastHandledReconcileAt") == digest);
    reconcile_again(&env, SYNC, "again");
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.tokenUrl.value"), "https://a.example");
    until_eu_state(&env, "AwaitingApproval");

    // The sync is created again: approvals of the earlier one do not count.
    approve(&env, &digest);
    until_field(&env.eu, "connection/crm", ".spec.inputs.tokenUrl.value", "https://evil.example");
    env.in_us(&[with_url("https://a.example")]);
    until_eu_state(&env, "AwaitingApproval");
    approve(&env, &target(&env, "digest"));
    until_field(&env.eu, "connection/crm", ".spec.inputs.tokenUrl.value", "https://a.example");
    until_eu_state(&env, "InSync");
    kubectl(&env.us, &["delete", SYNC]);
    env.in_us(&[with_url("https://evil.example"), sync("Apply")]);
    until_eu_state(&env, "AwaitingApproval");
    reconcile_again(&env, SYNC, "made again");
    assert_eq!(field(&env.eu, "connection/crm", ".spec.inputs.tokenUrl.value"), "https://a.example");
}

/// An approval of one sync does not count for another that wants the same.
#[test]
fn two_syncs_are_approved_separately() {
    let env = TestEnv::new("one");
    let _syncer = env.syncer();
    let mut other = sync("Plan");
    other["metadata"]["name"] = json!("other");
    other["spec"]["integrations"] = json!(["billing"]);
    env.in_us(&[
        connection("crm", "api"),
        connection("erp", "api"),
        integration("lead", &["crm"]),
        integration("billing", &["erp"]),
        {
            let mut first = sync("Plan");
            first["spec"]["integrations"] = json!(["lead"]);
            first
        },
        other,
    ]);
    until_eu_state(&env, "AwaitingApproval");
    until_field(&env.us, "tenantsync/other", ".status.targets[0].state", "AwaitingApproval");
    let digest = target(&env, "digest");
    kubectl(&env.us, &["annotate", "tenantsync/other", &format!("stablekey.dev/approve={digest}")]);
    reconcile_again(&env, "tenantsync/other", "now");
    assert_eq!(kubectl(&env.eu, &["get", "connections,integrations", "-o", "name"]), "");
    approve(&env, &digest);
    until_field(&env.eu, "integration/lead", ".metadata.name", "lead");
    until_eu_state(&env, "InSync");
    assert_eq!(field(&env.eu, "integration/billing", ".metadata.name"), "");
}

/// An approval with an action that can never succeed blocks nobody else.
#[test]
fn an_approval_that_cannot_be_finished_blocks_no_other_sync() {
    let env = TestEnv::new("stuck");
    let refuses = Arc::new(AtomicBool::new(true));
    let _way = env.proxy_to_eu({
        let refuses = refuses.clone();
        move |seen| match seen.writes() && seen.path.contains("/connections/bad") && refuses.load(Ordering::SeqCst) {
            true => Fate::Say(StatusCode::FORBIDDEN, None),
            false => Fate::Pass,
        }
    });
    let _syncer = env.syncer();
    let mut other = sync("Apply");
    other["metadata"]["name"] = json!("other");
    other["spec"]["integrations"] = json!(["billing"]);
    let mut first = sync("Plan");
    first["spec"]["integrations"] = json!(["lead"]);
    env.in_us(&[
        connection("bad", "api"),
        connection("good", "api"),
        integration("lead", &["bad", "good"]),
        connection("erp", "0"),
        integration("billing", &["erp"]),
        first,
        other,
    ]);
    until_eu_state(&env, "AwaitingApproval");
    approve(&env, &target(&env, "digest"));
    until_field(&env.eu, "connection/good", SCOPES, "api");
    until_eu_state(&env, "Failed");
    env.in_us(&[connection("erp", "1")]);
    until_field(&env.eu, "connection/erp", SCOPES, "1");
    reconcile_again(&env, "tenantsync/other", "meanwhile");
    assert_eq!(field(&env.us, "tenantsync/other", ".status.targets[0].state"), "InSync");
    refuses.store(false, Ordering::SeqCst);
    // The rest of the approved actions needs no new approval.
    until_field(&env.eu, "connection/bad", SCOPES, "api");
    until_eu_state(&env, "InSync");
}

/// A sync counts against others only if it may write (mode Apply, or approved): an approval that matches no plan does
/// not count.
#[test]
fn an_approval_that_matches_nothing_does_not_count() {
    let env = TestEnv::new("nosay");
    let _syncer = env.syncer();
    let mut waits = sync("Plan");
    waits["metadata"]["name"] = json!("waits");
    waits["metadata"]["annotations"] = json!({"stablekey.dev/approve": format!("sha256:{}", "ab".repeat(32))});
    let overrides =
        json!([{"tenant": "eu", "stableKey": "crm", "input": "scopes", "value": "theirs", "reason": "a test"}]);
    waits["spec"]["overrides"] = overrides;
    env.in_us(&[connection("crm", "0"), integration("lead", &["crm"]), sync("Apply"), waits]);
    until_field(&env.eu, "connection/crm", SCOPES, "0");
    until_field(&env.us, "tenantsync/waits", ".status.conditions[?(@.type==\"StaleApproval\")].status", "True");
    env.in_us(&[connection("crm", "1")]);
    until_field(&env.eu, "connection/crm", SCOPES, "1");
    until_eu_state(&env, "InSync");
}
