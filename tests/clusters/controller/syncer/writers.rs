//! Several syncs, and syncs that cannot be applied.

use super::env::*;
use serde_json::{Value, json};
use stablekey_clusters::{run_with_input, shared};
use stablekey_testing::objects::*;

fn named(name: &str, mut sync: Value, change: Value) -> Value {
    sync["metadata"]["name"] = json!(name);
    for (field, value) in change.as_object().unwrap() {
        sync["spec"][field] = value.clone();
    }
    sync
}

fn until_sync_state(env: &TestEnv, sync: &str, target: &str, state: &str) {
    until_field(&env.us, &format!("tenantsync/{sync}"), &of_target(target, "state"), state);
}

fn message(env: &TestEnv, sync: &str, target: &str) -> String {
    field(&env.us, &format!("tenantsync/{sync}"), &of_target(target, "message"))
}

/// Creates another tenant on the hub's cluster, which may be read.
fn second_source(env: &TestEnv) -> stablekey_clusters::Namespace<'static> {
    let asia = env.target("asia", shared("us"));
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us", "asia"]}))]);
    asia
}

#[test]
fn two_syncs_share_equal_values_and_conflict_on_different_ones() {
    let env = TestEnv::new("two");
    let asia = second_source(&env);
    let _syncer = env.syncer();
    let of = |scopes| [connection("crm", scopes), integration("lead", &["crm"])];
    env.in_us(&of("api"));
    apply(&asia, &of("api"));
    apply(&asia, &[connection("erp", "api"), integration("billing", &["erp"])]);
    env.in_us(&[sync("Apply"), named("asia-to-eu", sync("Apply"), json!({"from": "asia"}))]);
    until_target_state(&env, "eu", "InSync");
    until_sync_state(&env, "asia-to-eu", "eu", "InSync");
    apply(&asia, &[connection("crm", "of asia"), connection("erp", "more")]);
    // Objects without a conflict are updated.
    until_field(&env.eu, "connection/erp", SCOPES, "more");
    until_sync_state(&env, "asia-to-eu", "eu", "Blocked");
    assert!(message(&env, "asia-to-eu", "eu").contains("SK0108"), "{}", message(&env, "asia-to-eu", "eu"));
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    env.in_us(&[connection("crm", "of asia")]);
    until_field(&env.eu, "connection/crm", SCOPES, "of asia");
    until_target_state(&env, "eu", "InSync");
    until_sync_state(&env, "asia-to-eu", "eu", "InSync");
}

/// A sync counts against others (cycle, conflict) only if it is accepted and may write.
///
/// "A sync counts against others (cycle, conflict) only where it is accepted and may write".
#[test]
fn a_waiting_sync_causes_no_conflict() {
    let env = TestEnv::new("waits");
    let asia = second_source(&env);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "of us"), connection("own", "0"), integration("lead", &["crm", "own"])]);
    apply(&asia, &[connection("crm", "of asia"), connection("erp", "0"), integration("billing", &["crm", "erp"])]);
    env.in_us(&[named("asia-to-eu", sync("Plan"), json!({"from": "asia"}))]);
    until_sync_state(&env, "asia-to-eu", "eu", "AwaitingApproval");
    env.in_us(&[sync("Apply")]);
    until_field(&env.eu, "connection/crm", SCOPES, "of us");
    for scopes in ["1", "2"] {
        env.in_us(&[connection("own", scopes), connection("crm", &format!("of us {scopes}"))]);
        until_field(&env.eu, "connection/crm", SCOPES, &format!("of us {scopes}"));
    }
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, "connection/erp", ".metadata.name"), "", "it waits");
    // The waiting sync reports it.
    reconcile_again(&env, "tenantsync/asia-to-eu", "now");
    let blocked = field(&env.us, "tenantsync/asia-to-eu", &of_target("eu", "blocked"));
    assert!(blocked.contains("SK0108 sync/us-to-eu wants another value of inputs.scopes"), "{blocked}");
    let digest = field(&env.us, "tenantsync/asia-to-eu", &of_target("eu", "digest"));
    kubectl(&env.us, &["annotate", "tenantsync/asia-to-eu", &format!("stablekey.dev/approve={digest}")]);
    until_field(&env.eu, "integration/billing", ".metadata.name", "billing");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "of us 2");
}

/// The same for cycles.
#[test]
fn a_waiting_sync_closes_no_cycle() {
    let env = TestEnv::new("ring");
    env.in_us(&[tenant("us", json!({"acceptFrom": ["eu"]}))]);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    env.in_us(&[named("back", sync("Plan"), json!({"from": "eu", "to": ["us"]}))]);
    until_sync_state(&env, "back", "us", "Invalid");
    assert!(message(&env, "back", "us").contains("SK0109"), "{}", message(&env, "back", "us"));
    env.in_us(&[connection("crm", "more")]);
    until_field(&env.eu, "connection/crm", SCOPES, "more");
    until_target_state(&env, "eu", "InSync");
}

/// No status is InSync while a change is not copied: a second Tenant without a location in a source's namespace.
#[test]
fn a_source_whose_namespace_has_two_tenants_is_not_in_sync() {
    let env = TestEnv::new("second");
    let asia = second_source(&env);
    let _syncer = env.syncer();
    apply(&asia, &[connection("crm", "api"), integration("lead", &["crm"])]);
    env.in_us(&[named("asia-to-eu", sync("Apply"), json!({"from": "asia"}))]);
    until_sync_state(&env, "asia-to-eu", "eu", "InSync");
    apply(&asia, &[tenant("another", json!({}))]);
    until_sync_state(&env, "asia-to-eu", "eu", "Unreachable");
    apply(&asia, &[connection("crm", "more")]);
    kubectl(&asia, &["delete", "tenant/another"]);
    until_field(&env.eu, "connection/crm", SCOPES, "more");
    until_sync_state(&env, "asia-to-eu", "eu", "InSync");
}

/// Warnings, kept and drifted fields are named in conditions and events.
#[test]
fn kept_drifted_and_suspicious_fields_are_named() {
    let env = TestEnv::new("named");
    let _syncer = env.syncer();
    env.in_eu(&[connection("crm", "of eu")]);
    env.in_us(&[
        connection("crm", "api"),
        connection("erp", "api"),
        integration("lead", &["crm", "erp"]),
        named("us-to-eu", sync("Apply"), json!({"integrations": ["*", "billing-*"], "prune": true})),
    ]);
    let said =
        |condition: &str| field(&env.us, SYNC, &format!(".status.conditions[?(@.type==\"{condition}\")].message"));
    stablekey_testing::replica::until("what is kept is named", || {
        said("Kept").contains("Connection/crm inputs.scopes: kept by")
    });
    let warnings = said("Warnings");
    assert!(warnings.contains("SK0110") && warnings.contains("billing-* matches no integration"), "{warnings}");
    assert!(warnings.contains("SK0162") && warnings.contains("does not allow Delete"), "{warnings}");
    until_field(&env.eu, "connection/erp", SCOPES, "api");
    env.in_eu(&[connection("erp", "by hand")]);
    stablekey_testing::replica::until("what drifted is named", || {
        said("Drifted").contains("Connection/erp inputs.scopes")
    });
    for reason in ["Kept", "Warnings", "Drifted"] {
        stablekey_testing::replica::until("an event tells of it", || {
            let events = ["get", "events.events.k8s.io", "--field-selector", &format!("reason={reason}"), "-o", "name"];
            !kubectl(&env.us, &events).is_empty()
        });
    }
}

#[test]
fn syncs_that_cannot_be_applied_report_why_and_block_no_other() {
    let env = TestEnv::new("cannot");
    let asia = second_source(&env);
    env.in_us(&[tenant("us", json!({"acceptFrom": ["asia"]}))]);
    let _syncer = env.syncer();
    env.in_us(&[
        connection("crm", "api"),
        integration("lead", &["crm"]),
        named("unknown-target", sync("Apply"), json!({"to": ["eu", "nowhere"]})),
        named("unknown-source", sync("Apply"), json!({"from": "nowhere"})),
        named("back", sync("Apply"), json!({"from": "asia", "to": ["us"]})),
        named("forth", sync("Apply"), json!({"from": "us", "to": ["asia"]})),
    ]);
    until_sync_state(&env, "unknown-target", "nowhere", "Invalid");
    until_sync_state(&env, "unknown-target", "eu", "InSync");
    assert!(message(&env, "unknown-target", "nowhere").contains("SK0126"));
    until_sync_state(&env, "unknown-source", "eu", "Invalid");
    until_sync_state(&env, "back", "us", "Invalid");
    until_sync_state(&env, "forth", "asia", "Invalid");
    assert!(message(&env, "forth", "asia").contains("SK0109"));
    assert_eq!(kubectl(&asia, &["get", "integrations", "-o", "name"]), "");
    kubectl(&env.us, &["delete", "tenantsync/back"]);
    until_sync_state(&env, "forth", "asia", "InSync");

    // No longer accepted: nothing is copied any more, and nothing is deleted.
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["asia"]}))]);
    until_sync_state(&env, "unknown-target", "eu", "NotAccepted");
    env.in_us(&[connection("crm", "more")]);
    until_field(&asia, "connection/crm", SCOPES, "more");
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    assert_eq!(ready(&env.us, "tenantsync/unknown-source", "status"), "False");
}

/// Of two policies the stricter applies, and acceptFrom is that of the target's own Tenant.
///
/// "of two policies the stricter holds, and acceptFrom is the far side's".
#[test]
fn the_stricter_policy_of_the_target_applies() {
    let env = TestEnv::new("stricter");
    let generous = json!({"actions": ["Create", "Update", "Delete"], "drift": "Correct", "approval": {"percent": 100, "from": 10}});
    let mut hub = env.remote_eu();
    hub["spec"]["policy"] = generous;
    hub["spec"]["acceptFrom"] = json!(["us"]);
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "policy": {"actions": ["Create"], "drift": "Detect"}}))]);
    let _syncer = env.syncer();
    env.in_us(&[hub, connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_target_state(&env, "eu", "InSync");
    env.in_us(&[connection("crm", "more"), connection("erp", "api"), integration("billing", &["erp"])]);
    until_field(&env.eu, "integration/billing", ".metadata.name", "billing");
    until_target_state(&env, "eu", "Blocked");
    assert!(message(&env, "us-to-eu", "eu").contains("SK0129"), "{}", message(&env, "us-to-eu", "eu"));
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "api");
    env.in_eu(&[tenant("eu", json!({"policy": {"actions": ["Create", "Update"]}}))]);
    until_target_state(&env, "eu", "NotAccepted");
    env.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "policy": {"actions": ["Create", "Update"]}}))]);
    until_field(&env.eu, "connection/crm", SCOPES, "more");
}

/// Removes the schema from the CRDs of a cluster, like older or foreign definitions.
fn remove_schemas(cluster: &'static stablekey_clusters::Cluster) {
    for kind in ["connections", "integrations", "tenantsyncs", "tenants"] {
        let loose = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let patch = json!([
            {"op": "replace", "path": "/spec/versions/0/schema/openAPIV3Schema", "value": loose},
            {"op": "replace", "path": "/spec/versions/0/selectableFields", "value": []},
        ]);
        let crd = format!("{kind}.stablekey.dev");
        let patch_only = json!([patch[0]]);
        let has = stablekey_clusters::run(cluster.kubectl().args([
            "get",
            "crd",
            &crd,
            "-o",
            "jsonpath={.spec.versions[0].selectableFields}",
        ]))
        .unwrap();
        let patch = if has.is_empty() { patch_only } else { patch };
        let mut command = cluster.kubectl();
        command.args(["patch", "crd", &crd, "--type=json", "-p", &patch.to_string()]);
        stablekey_clusters::run(&mut command).unwrap();
    }
}

#[test]
fn an_object_that_cannot_be_decoded_affects_only_itself() {
    let loose = shared("loose");
    let env = TestEnv::on("undecodable", loose, loose);
    remove_schemas(loose);
    let broken = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    // The server uses a changed definition with a short delay.
    let odd = [
        broken("Connection", "odd", json!({"stableKey": {"not": "a text"}})),
        broken("Integration", "odd", json!({"connections": 7})),
        broken("Integration", "none", json!("CANARY")),
        broken("TenantSync", "odd", json!({"from": ["us"], "to": "eu"})),
        broken("Tenant", "odd", json!({"acceptFrom": {"us": true}})),
    ];
    stablekey_testing::replica::until("the loose definitions are in force", || {
        let list = list(&odd).to_string();
        let mut kubectl = env.us.kubectl();
        run_with_input(kubectl.args(["create", "--dry-run=server", "-f", "-"]), &list).is_ok()
    });
    let create = |namespace: &stablekey_clusters::Namespace<'_>, objects: &[Value]| {
        let list = list(objects).to_string();
        run_with_input(namespace.kubectl().args(["create", "-f", "-"]), &list).unwrap();
    };
    create(&env.us, &odd);
    create(&env.eu, &odd[..2]);
    let mut syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_field(&env.eu, "connection/crm", SCOPES, "api");
    env.in_us(&[connection("crm", "more")]);
    until_field(&env.eu, "connection/crm", SCOPES, "more");
    until_ready(&env.us, "tenantsync/odd", "Unreadable");
    until_ready(&env.us, "tenant/odd", "Unreadable");
    until_target_state(&env, "eu", "InSync");
    // An existing object that can no longer be read is neither deleted nor overwritten.
    let patch = json!({"spec": {"connections": 7}}).to_string();
    kubectl(&env.eu, &["patch", "integration/lead", "--type=merge", "-p", &patch]);
    env.in_us(&[connection("erp", "api"), integration("billing", &["erp"])]);
    until_field(&env.eu, "integration/billing", ".metadata.name", "billing");
    assert_eq!(field(&env.eu, "integration/lead", ".spec.connections"), "7");
    // Once fixed, it continues.
    kubectl(&env.us, &["delete", "tenantsync/odd", "tenant/odd", "integration/none", "integration/odd"]);
    kubectl(&env.eu, &["delete", "integration/lead"]);
    until_field(&env.eu, "integration/lead", ".metadata.name", "lead");
    until_target_state(&env, "eu", "InSync");
    syncer.signal("-TERM");
    syncer.end();
    assert!(!syncer.log.join("\n").contains("CANARY"));
}
