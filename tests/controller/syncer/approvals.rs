//! Mode `Plan`, approvals, and the volume guard.

use super::stage::*;
use crate::replica::until;
use serde_json::json;

const SYNC: &str = "tenantsync/us-to-eu";

fn target(stage: &Stage, path: &str) -> String {
    field(&stage.us, SYNC, &format!(".status.targets[0].{path}"))
}

fn approve(stage: &Stage, digest: &str) {
    kubectl(&stage.us, &["annotate", "--overwrite", SYNC, &format!("stablekey.dev/approve={digest}")]);
}

fn stands(stage: &Stage, state: &str) {
    until_field(&stage.us, SYNC, ".status.targets[0].state", state);
}

/// "in `Plan` mode digest, counts and first actions in status, the whole by `stablekey plan`, applied exactly
/// when that digest is approved".
#[test]
fn in_mode_plan_exactly_what_was_approved_is_done() {
    let stage = Stage::new("approvals");
    let _syncer = stage.syncer();
    stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Plan")]);
    stands(&stage, "AwaitingApproval");
    assert_eq!(target(&stage, "counts.create"), "2");
    let actions = target(&stage, "actions");
    assert!(actions.contains("create Connection/crm") && actions.contains("create Integration/lead"), "{actions}");
    let digest = target(&stage, "digest");
    assert_eq!(kubectl(&stage.eu, &["get", "connections,integrations", "-o", "name"]), "");

    approve(&stage, "sha256:0000");
    // Nothing of that kind is planned: it is looked at, and nothing is done.
    until("it was looked at again", || target(&stage, "digest") == digest);
    assert_eq!(kubectl(&stage.eu, &["get", "connections,integrations", "-o", "name"]), "");

    approve(&stage, &digest);
    stands(&stage, "InSync");
    assert_eq!(field(&stage.eu, "connection/crm", ".spec.inputs.scopes.value"), "api");
    assert!(target(&stage, "receipt.plan").starts_with("sha256:"));

    // The approval was for that, and for nothing that comes later.
    stage.in_us(&[connection("crm", "api refresh")]);
    stands(&stage, "AwaitingApproval");
    assert_ne!(target(&stage, "digest"), digest);
    assert_eq!(field(&stage.eu, "connection/crm", ".spec.inputs.scopes.value"), "api");
}

/// "A credential redirect always needs approval".
#[test]
fn in_mode_apply_a_redirect_waits_and_the_rest_goes_on() {
    let stage = Stage::new("redirect");
    let _syncer = stage.syncer();
    let with_url = |url: &str| {
        let mut crm = connection("crm", "api");
        crm["spec"]["inputs"]["tokenUrl"] = json!({"value": url});
        crm
    };
    stage.in_us(&[
        with_url("https://a.example"),
        connection("other", "api"),
        integration("lead", &["crm", "other"]),
        sync("Apply"),
    ]);
    stands(&stage, "InSync");
    stage.in_us(&[with_url("https://evil.example"), connection("other", "more")]);
    until_field(&stage.eu, "connection/other", ".spec.inputs.scopes.value", "more");
    stands(&stage, "AwaitingApproval");
    assert_eq!(field(&stage.eu, "connection/crm", ".spec.inputs.tokenUrl.value"), "https://a.example");
    assert!(target(&stage, "actions").contains("SK0107"));
    approve(&stage, &target(&stage, "digest"));
    until_field(&stage.eu, "connection/crm", ".spec.inputs.tokenUrl.value", "https://evil.example");
    stands(&stage, "InSync");
}

/// "many small passes cannot beat the share that needs approval".
#[test]
fn small_changes_add_up_to_a_share_that_needs_approval() {
    let stage = Stage::new("volume");
    let _syncer = stage.syncer();
    let keys: Vec<String> = (0..10).map(|n| format!("c{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let mut all: Vec<_> = keys.iter().map(|key| connection(key, "api")).collect();
    all.push(integration("lead", &keys));
    all.push(sync("Apply"));
    stage.in_us(&all);
    stands(&stage, "InSync");
    // 11 objects are there: 30 % of them are 4.
    for key in &keys[..3] {
        stage.in_us(&[connection(key, "more")]);
        until_field(&stage.eu, &format!("connection/{key}"), ".spec.inputs.scopes.value", "more");
    }
    stands(&stage, "InSync");
    stage.in_us(&[connection("c3", "more")]);
    stands(&stage, "AwaitingApproval");
    assert!(target(&stage, "actions").contains("SK0112"), "{}", target(&stage, "actions"));
    assert_eq!(field(&stage.eu, "connection/c3", ".spec.inputs.scopes.value"), "api");
    assert_eq!(target(&stage, "changed"), "3");
    approve(&stage, &target(&stage, "digest"));
    until_field(&stage.eu, "connection/c3", ".spec.inputs.scopes.value", "more");
    stands(&stage, "InSync");
}
