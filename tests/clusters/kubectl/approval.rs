//! Approval policy: changes that give a sync more power need the verb approve (manifests/policies/approve-syncs.yaml).

use crate::kubectl::bounds;
use crate::kubectl::policies::{APPROVER, EDITOR, Guarded, guarded, sync};
use crate::kubectl::support::{get, kubectl, output_of};
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run};

const ANNOTATION: &str = "stablekey.dev/approve";

fn approved(digests: &str) -> Value {
    let mut sync = sync(json!({}));
    sync["metadata"]["annotations"] = json!({ANNOTATION: digests});
    sync
}

/// Creates a namespace with a sync, as the administrator.
fn with_sync(guarded: &Guarded, sync: &Value) -> Namespace<'static> {
    let namespace = guarded.namespace();
    guarded.apply(APPROVER, &namespace, sync).unwrap();
    namespace
}

/// Asserts that the editor is refused with a reason, and that the approver is not.
fn takes_approval(guarded: &Guarded, namespace: &Namespace, what: &str, words: &str) {
    let said = run(&mut guarded.kubectl(EDITOR, namespace, words)).unwrap_err().to_string();
    let why = format!(
        "{what} takes the verb approve on tenantsyncs.stablekey.dev, which editor does not have in namespace {}",
        namespace.name()
    );
    assert!(said.contains(&why), "{words}\nshould be refused with {why}\nand says {said}");
    output_of(&mut guarded.kubectl(APPROVER, namespace, words));
}

const PATCH: &str = "patch tenantsync us-to-eu --type=merge --patch";

#[test]
fn the_annotation() {
    let guarded = guarded();
    let namespace = with_sync(guarded, &sync(json!({})));
    let set = |digests: &str| format!("annotate --overwrite tenantsync us-to-eu {ANNOTATION}={digests}");
    let what = "the annotation stablekey.dev/approve";
    takes_approval(guarded, &namespace, what, &set("sha256:aa"));
    takes_approval(guarded, &namespace, what, &set("sha256:aa,sha256:bb"));
    takes_approval(guarded, &namespace, what, &set("sha256:bb"));
    takes_approval(
        guarded,
        &namespace,
        what,
        &format!(r#"{PATCH} {{"metadata":{{"annotations":{{"{ANNOTATION}":"sha256:cc"}}}}}}"#),
    );

    // An existing approval blocks nobody, and removing it needs no permission.
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &format!(r#"{PATCH} {{"spec":{{"prune":true}}}}"#)));
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &format!("annotate tenantsync us-to-eu {ANNOTATION}-")));
}

#[test]
fn creating_an_approved_or_applying_sync() {
    let guarded = guarded();
    let suspended = sync(json!({"mode": "Apply", "suspend": true}));
    for sync in [approved("sha256:aa"), sync(json!({"mode": "Apply"})), suspended] {
        let namespace = guarded.namespace();
        let said = guarded.apply(EDITOR, &namespace, &sync).unwrap_err();
        assert!(said.contains("takes the verb approve"), "{said}");
        guarded.apply(APPROVER, &namespace, &sync).unwrap();
        // Nor by deleting and creating it again.
        output_of(&mut guarded.kubectl(EDITOR, &namespace, "delete tenantsync us-to-eu"));
        guarded.apply(EDITOR, &namespace, &sync).unwrap_err();
    }
}

#[test]
fn mode_apply_and_every_change_of_spec_in_it() {
    let guarded = guarded();
    let namespace = with_sync(guarded, &sync(json!({"mode": "Plan"})));
    let patch = |spec: Value| format!("{PATCH} {}", json!({"spec": spec}));
    // An editor may change a sync in mode Plan.
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"to": ["eu-prod", "dev"]}))));

    takes_approval(guarded, &namespace, "mode Apply", &patch(json!({"mode": "Apply"})));
    for spec in [
        json!({"integrations": ["*"]}),
        json!({"to": ["eu-prod"]}),
        json!({"prune": true}),
        json!({"overrides": [{"tenant": "eu-prod", "stableKey": "crm", "input": "url", "value": "x", "reason": "r"}]}),
        json!({"overrides": null}),
    ] {
        takes_approval(guarded, &namespace, "changing a sync of mode Apply", &patch(spec));
    }

    // Back to mode Plan needs no approval.
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"mode": "Plan", "prune": false}))));
}

/// Setting `suspend: true` needs only update; removing it in mode Apply needs `approve`.
///
/// "`suspend: true` takes no verb beyond update; taking it away in mode Apply takes `approve`".
#[test]
fn suspending_needs_no_approval_and_resuming_does() {
    let guarded = guarded();
    let namespace = with_sync(guarded, &sync(json!({"mode": "Apply"})));
    let patch = |spec: Value| format!("{PATCH} {}", json!({"spec": spec}));
    // Stopping a sync is harmless, but only if nothing else changes with it.
    let changing = "changing a sync of mode Apply";
    for more in [
        json!({"suspend": true, "integrations": ["*"]}),
        json!({"suspend": true, "prune": true}),
        json!({"suspend": true, "to": ["eu-prod", "dev"], "prune": null}),
        json!({"suspend": true, "integrations": ["lead-*"], "to": ["eu-prod"], "connections": "Mirror"}),
    ] {
        takes_approval(guarded, &namespace, changing, &patch(more));
        guarded.apply(APPROVER, &namespace, &sync(json!({"mode": "Apply", "prune": true}))).unwrap();
        takes_approval(guarded, &namespace, changing, &patch(json!({"suspend": true, "prune": null})));
        guarded.apply(APPROVER, &namespace, &sync(json!({"mode": "Apply"}))).unwrap();
    }
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"suspend": true}))));
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"suspend": true}))));
    // While it is suspended it writes nothing, but still prevents deletes by others.
    takes_approval(guarded, &namespace, changing, &patch(json!({"integrations": ["*"]})));
    takes_approval(guarded, &namespace, changing, &patch(json!({"from": "another"})));
    let what = "taking suspend away from a sync of mode Apply";
    for spec in [json!({"suspend": false}), json!({"suspend": null}), json!({"suspend": null, "prune": true})] {
        takes_approval(guarded, &namespace, what, &patch(spec));
        output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"suspend": true}))));
    }
    // In mode Plan it needs no approval; leaving that mode does, suspended or not.
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"mode": "Plan", "suspend": null}))));
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"suspend": true}))));
    takes_approval(guarded, &namespace, "mode Apply", &patch(json!({"mode": "Apply"})));
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &patch(json!({"mode": "Plan", "suspend": null}))));
    takes_approval(guarded, &namespace, "mode Apply", &patch(json!({"mode": "Apply", "suspend": true})));
}

#[test]
fn labels_and_the_status_need_no_approval() {
    let guarded = guarded();
    let namespace = with_sync(guarded, &sync(json!({"mode": "Apply"})));
    output_of(&mut guarded.kubectl(EDITOR, &namespace, "label tenantsync us-to-eu team=sales"));
    output_of(&mut guarded.kubectl(EDITOR, &namespace, "annotate tenantsync us-to-eu stablekey.dev/requestedAt=now"));
    let mut same = sync(json!({"mode": "Apply"}));
    same["metadata"]["labels"] = json!({"team": "platform"});
    guarded.apply(EDITOR, &namespace, &same).unwrap();

    // A write of the status changes nothing else.
    let smuggled = json!({
        "metadata": {"annotations": {ANNOTATION: "sha256:aa"}},
        "spec": {"prune": true},
        "status": {"observedGeneration": 1},
    });
    let words = format!("{PATCH} {smuggled} --subresource=status");
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &words));
    let sync = get(&namespace, "tenantsync/us-to-eu");
    assert_eq!(sync["status"]["observedGeneration"], 1);
    assert_eq!(sync["metadata"]["annotations"][ANNOTATION], Value::Null);
    assert_eq!(sync["spec"]["prune"], Value::Null);
}

#[test]
fn the_largest_sync_is_within_the_cost_limit() {
    let guarded = guarded();
    let mut largest = sync(bounds::sync());
    largest["spec"]["mode"] = json!("Apply");
    let namespace = with_sync(guarded, &largest);
    output_of(&mut guarded.kubectl(EDITOR, &namespace, "label tenantsync us-to-eu team=sales"));
    let last = json!([{"op": "replace", "path": "/spec/overrides/255/value", "value": "y"}]);
    let words = format!("patch tenantsync us-to-eu --type=json --patch {last}");
    takes_approval(guarded, &namespace, "changing a sync of mode Apply", &words);
    output_of(&mut guarded.kubectl(EDITOR, &namespace, &format!(r#"{PATCH} {{"spec":{{"suspend":true}}}}"#)));
}

#[test]
fn the_verb_may_be_granted_for_one_sync() {
    let guarded = guarded();
    let namespace = with_sync(guarded, &sync(json!({})));
    for words in [
        "create role approve-one --verb=approve --resource=tenantsyncs.stablekey.dev --resource-name=us-to-eu",
        "create rolebinding approve-one --role=approve-one --user=editor",
    ] {
        output_of(&mut kubectl(&namespace, words));
    }
    let apply = format!("{PATCH} {}", json!({"spec": {"mode": "Apply"}}));
    // RBAC takes effect with a short delay too.
    crate::kubectl::support::until("the editor may approve this one", || {
        run(&mut guarded.kubectl(EDITOR, &namespace, &format!("{apply} --dry-run=server"))).ok()
    });
    let mut other = sync(json!({"mode": "Apply"}));
    other["metadata"]["name"] = json!("another");
    guarded.apply(EDITOR, &namespace, &other).unwrap_err();
}
