//! Several syncs, and syncs that cannot be carried out.

use super::stage::*;
use serde_json::{Value, json};
use stablekey_clusters::{run_with_input, shared};

fn named(name: &str, mut sync: Value, change: Value) -> Value {
    sync["metadata"]["name"] = json!(name);
    for (field, value) in change.as_object().unwrap() {
        sync["spec"][field] = value.clone();
    }
    sync
}

fn until_state(stage: &Stage, sync: &str, target: &str, state: &str) {
    until_field(&stage.us, &format!("tenantsync/{sync}"), &of_target(target, "state"), state);
}

fn message(stage: &Stage, sync: &str, target: &str) -> String {
    field(&stage.us, &format!("tenantsync/{sync}"), &of_target(target, "message"))
}

/// Another tenant on the hub's cluster, which may be read.
fn second_source(stage: &Stage) -> stablekey_clusters::Namespace<'static> {
    let asia = stage.target("asia", shared("us"));
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us", "asia"]}))]);
    asia
}

#[test]
fn two_syncs_that_want_the_same_share_it_and_two_that_differ_leave_it_alone() {
    let stage = Stage::new("two");
    let asia = second_source(&stage);
    let _syncer = stage.syncer();
    let of = |scopes| [connection("crm", scopes), integration("lead", &["crm"])];
    stage.in_us(&of("api"));
    apply(&asia, &of("api"));
    apply(&asia, &[connection("erp", "api"), integration("billing", &["erp"])]);
    stage.in_us(&[sync("Apply"), named("asia-to-eu", sync("Apply"), json!({"from": "asia"}))]);
    until_stands(&stage, "eu", "InSync");
    until_state(&stage, "asia-to-eu", "eu", "InSync");
    apply(&asia, &[connection("crm", "of asia"), connection("erp", "more")]);
    // What is not in conflict goes on.
    until_field(&stage.eu, "connection/erp", SCOPES, "more");
    until_state(&stage, "asia-to-eu", "eu", "Blocked");
    assert!(message(&stage, "asia-to-eu", "eu").contains("SK0108"), "{}", message(&stage, "asia-to-eu", "eu"));
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "api");
    stage.in_us(&[connection("crm", "of asia")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "of asia");
    until_stands(&stage, "eu", "InSync");
    until_state(&stage, "asia-to-eu", "eu", "InSync");
}

/// "A sync counts against others (cycle, conflict) only where it is accepted and may write."
#[test]
fn a_sync_that_waits_makes_no_conflict_for_one_that_may_write() {
    let stage = Stage::new("waits");
    let asia = second_source(&stage);
    let _syncer = stage.syncer();
    stage.in_us(&[connection("crm", "of us"), connection("own", "0"), integration("lead", &["crm", "own"])]);
    apply(&asia, &[connection("crm", "of asia"), connection("erp", "0"), integration("billing", &["crm", "erp"])]);
    stage.in_us(&[named("asia-to-eu", sync("Plan"), json!({"from": "asia"}))]);
    until_state(&stage, "asia-to-eu", "eu", "AwaitingApproval");
    stage.in_us(&[sync("Apply")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "of us");
    for scopes in ["1", "2"] {
        stage.in_us(&[connection("own", scopes), connection("crm", &format!("of us {scopes}"))]);
        until_field(&stage.eu, "connection/crm", SCOPES, &format!("of us {scopes}"));
    }
    until_stands(&stage, "eu", "InSync");
    assert_eq!(field(&stage.eu, "connection/erp", ".metadata.name"), "", "it waits");
    // The one that waits is told of it.
    looked_again(&stage, "tenantsync/asia-to-eu", "now");
    let blocked = field(&stage.us, "tenantsync/asia-to-eu", &of_target("eu", "blocked"));
    assert!(blocked.contains("SK0108 sync/us-to-eu wants another value of inputs.scopes"), "{blocked}");
    let digest = field(&stage.us, "tenantsync/asia-to-eu", &of_target("eu", "digest"));
    kubectl(&stage.us, &["annotate", "tenantsync/asia-to-eu", &format!("stablekey.dev/approve={digest}")]);
    until_field(&stage.eu, "integration/billing", ".metadata.name", "billing");
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "of us 2");
}

/// The same, of rings.
#[test]
fn a_sync_that_waits_closes_no_ring_for_one_that_may_write() {
    let stage = Stage::new("ring");
    stage.in_us(&[tenant("us", json!({"acceptFrom": ["eu"]}))]);
    let _syncer = stage.syncer();
    stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&stage, "eu", "InSync");
    stage.in_us(&[named("back", sync("Plan"), json!({"from": "eu", "to": ["us"]}))]);
    until_state(&stage, "back", "us", "Invalid");
    assert!(message(&stage, "back", "us").contains("SK0109"), "{}", message(&stage, "back", "us"));
    stage.in_us(&[connection("crm", "more")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "more");
    until_stands(&stage, "eu", "InSync");
}

/// "No status says InSync while a change does not cross": a second Tenant without a location in a source's namespace.
#[test]
fn a_source_whose_namespace_has_two_tenants_is_not_in_sync() {
    let stage = Stage::new("second");
    let asia = second_source(&stage);
    let _syncer = stage.syncer();
    apply(&asia, &[connection("crm", "api"), integration("lead", &["crm"])]);
    stage.in_us(&[named("asia-to-eu", sync("Apply"), json!({"from": "asia"}))]);
    until_state(&stage, "asia-to-eu", "eu", "InSync");
    apply(&asia, &[tenant("another", json!({}))]);
    until_state(&stage, "asia-to-eu", "eu", "Unreachable");
    apply(&asia, &[connection("crm", "more")]);
    kubectl(&asia, &["delete", "tenant/another"]);
    until_field(&stage.eu, "connection/crm", SCOPES, "more");
    until_state(&stage, "asia-to-eu", "eu", "InSync");
}

/// "Warnings, kept and drifted fields by name are in conditions and events."
#[test]
fn what_is_kept_has_drifted_or_is_not_meant_so_is_named() {
    let stage = Stage::new("named");
    let _syncer = stage.syncer();
    stage.in_eu(&[connection("crm", "of eu")]);
    stage.in_us(&[
        connection("crm", "api"),
        connection("erp", "api"),
        integration("lead", &["crm", "erp"]),
        named("us-to-eu", sync("Apply"), json!({"integrations": ["*", "billing-*"], "prune": true})),
    ]);
    let said =
        |condition: &str| field(&stage.us, SYNC, &format!(".status.conditions[?(@.type==\"{condition}\")].message"));
    crate::replica::until("what is kept is named", || said("Kept").contains("Connection/crm inputs.scopes: kept by"));
    let warnings = said("Warnings");
    assert!(warnings.contains("SK0110") && warnings.contains("billing-* matches no integration"), "{warnings}");
    assert!(warnings.contains("SK0162") && warnings.contains("does not allow Delete"), "{warnings}");
    until_field(&stage.eu, "connection/erp", SCOPES, "api");
    stage.in_eu(&[connection("erp", "by hand")]);
    crate::replica::until("what drifted is named", || said("Drifted").contains("Connection/erp inputs.scopes"));
    for reason in ["Kept", "Warnings", "Drifted"] {
        crate::replica::until("an event tells of it", || {
            let events = ["get", "events.events.k8s.io", "--field-selector", &format!("reason={reason}"), "-o", "name"];
            !kubectl(&stage.us, &events).is_empty()
        });
    }
}

#[test]
fn syncs_that_cannot_be_carried_out_say_why_and_hinder_no_other() {
    let stage = Stage::new("cannot");
    let asia = second_source(&stage);
    stage.in_us(&[tenant("us", json!({"acceptFrom": ["asia"]}))]);
    let _syncer = stage.syncer();
    stage.in_us(&[
        connection("crm", "api"),
        integration("lead", &["crm"]),
        named("unknown-target", sync("Apply"), json!({"to": ["eu", "nowhere"]})),
        named("unknown-source", sync("Apply"), json!({"from": "nowhere"})),
        named("back", sync("Apply"), json!({"from": "asia", "to": ["us"]})),
        named("forth", sync("Apply"), json!({"from": "us", "to": ["asia"]})),
    ]);
    until_state(&stage, "unknown-target", "nowhere", "Invalid");
    until_state(&stage, "unknown-target", "eu", "InSync");
    assert!(message(&stage, "unknown-target", "nowhere").contains("SK0126"));
    until_state(&stage, "unknown-source", "eu", "Invalid");
    until_state(&stage, "back", "us", "Invalid");
    until_state(&stage, "forth", "asia", "Invalid");
    assert!(message(&stage, "forth", "asia").contains("SK0109"));
    assert_eq!(kubectl(&asia, &["get", "integrations", "-o", "name"]), "");
    kubectl(&stage.us, &["delete", "tenantsync/back"]);
    until_state(&stage, "forth", "asia", "InSync");

    // No longer accepted: nothing goes any more, and nothing is taken away.
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["asia"]}))]);
    until_state(&stage, "unknown-target", "eu", "NotAccepted");
    stage.in_us(&[connection("crm", "more")]);
    until_field(&asia, "connection/crm", SCOPES, "more");
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "api");
    assert_eq!(ready(&stage.us, "tenantsync/unknown-source", "status"), "False");
}

/// "of two policies the stricter holds, and acceptFrom is the far side's".
#[test]
fn the_policy_of_the_target_holds_where_it_is_stricter() {
    let stage = Stage::new("stricter");
    let generous = json!({"actions": ["Create", "Update", "Delete"], "drift": "Correct", "approval": {"percent": 100, "from": 10}});
    let mut hub = stage.eu_elsewhere();
    hub["spec"]["policy"] = generous;
    hub["spec"]["acceptFrom"] = json!(["us"]);
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "policy": {"actions": ["Create"], "drift": "Detect"}}))]);
    let _syncer = stage.syncer();
    stage.in_us(&[hub, connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_stands(&stage, "eu", "InSync");
    stage.in_us(&[connection("crm", "more"), connection("erp", "api"), integration("billing", &["erp"])]);
    until_field(&stage.eu, "integration/billing", ".metadata.name", "billing");
    until_stands(&stage, "eu", "Blocked");
    assert!(message(&stage, "us-to-eu", "eu").contains("SK0129"), "{}", message(&stage, "us-to-eu", "eu"));
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "api");
    stage.in_eu(&[tenant("eu", json!({"policy": {"actions": ["Create", "Update"]}}))]);
    until_stands(&stage, "eu", "NotAccepted");
    stage.in_eu(&[tenant("eu", json!({"acceptFrom": ["us"], "policy": {"actions": ["Create", "Update"]}}))]);
    until_field(&stage.eu, "connection/crm", SCOPES, "more");
}

/// Takes the schema out of the kinds of a cluster, as older or foreign definitions would have it.
fn loosen(cluster: &'static stablekey_clusters::Cluster) {
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
fn an_object_that_cannot_be_decoded_hurts_only_itself() {
    let loose = shared("loose");
    let stage = Stage::on("undecodable", loose, loose);
    loosen(loose);
    let broken = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "stablekey.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    // The server takes a changed definition into use a moment after it has it.
    let odd = [
        broken("Connection", "odd", json!({"stableKey": {"not": "a text"}})),
        broken("Integration", "odd", json!({"connections": 7})),
        broken("Integration", "none", json!("CANARY")),
        broken("TenantSync", "odd", json!({"from": ["us"], "to": "eu"})),
        broken("Tenant", "odd", json!({"acceptFrom": {"us": true}})),
    ];
    crate::replica::until("the loose definitions are in force", || {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": odd}).to_string();
        let mut kubectl = stage.us.kubectl();
        run_with_input(kubectl.args(["create", "--dry-run=server", "-f", "-"]), &list).is_ok()
    });
    let create = |namespace: &stablekey_clusters::Namespace<'_>, objects: &[Value]| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
        run_with_input(namespace.kubectl().args(["create", "-f", "-"]), &list).unwrap();
    };
    create(&stage.us, &odd);
    create(&stage.eu, &odd[..2]);
    let mut syncer = stage.syncer();
    stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "api");
    stage.in_us(&[connection("crm", "more")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "more");
    until_ready(&stage.us, "tenantsync/odd", "Unreadable");
    until_ready(&stage.us, "tenant/odd", "Unreadable");
    until_stands(&stage, "eu", "InSync");
    // What was there before and cannot be read any more is not removed, nor written over.
    let patch = json!({"spec": {"connections": 7}}).to_string();
    kubectl(&stage.eu, &["patch", "integration/lead", "--type=merge", "-p", &patch]);
    stage.in_us(&[connection("erp", "api"), integration("billing", &["erp"])]);
    until_field(&stage.eu, "integration/billing", ".metadata.name", "billing");
    assert_eq!(field(&stage.eu, "integration/lead", ".spec.connections"), "7");
    // Mended, it goes on.
    kubectl(&stage.us, &["delete", "tenantsync/odd", "tenant/odd", "integration/none", "integration/odd"]);
    kubectl(&stage.eu, &["delete", "integration/lead"]);
    until_field(&stage.eu, "integration/lead", ".metadata.name", "lead");
    until_stands(&stage, "eu", "InSync");
    syncer.signal("-TERM");
    syncer.end();
    assert!(!syncer.log.join("\n").contains("CANARY"));
}
