//! Other managers beside the operator: what Flux and Argo CD do, again and again.

use super::stage::*;
use crate::replica::until;
use serde_json::{Value, json};
use stablekey_clusters::{Namespace, run_with_input};

const SYNC: &str = "tenantsync/us-to-eu";
const SCOPES: &str = ".spec.inputs.scopes.value";
/// As Flux's kustomize-controller applies, and as Argo CD does by itself.
const TOOLS: [&str; 2] = ["--server-side --field-manager=kustomize-controller --force-conflicts", ""];

fn apply_by(tool: &str, namespace: &Namespace<'_>, objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let mut kubectl = namespace.kubectl();
    kubectl.arg("apply").args(tool.split_whitespace()).args(["-f", "-"]);
    run_with_input(&mut kubectl, &list).unwrap();
}

fn stands(stage: &Stage, state: &str) {
    until_field(&stage.us, SYNC, ".status.targets[0].state", state);
}

fn looked_again(stage: &Stage, at: &str) {
    kubectl(&stage.us, &["annotate", "--overwrite", SYNC, &format!("stablekey.dev/requestedAt={at}")]);
    until("it was handled", || field(&stage.us, SYNC, ".status.lastHandledReconcileAt") == at);
}

/// What the operator wrote to our kinds since a mark.
fn writes(namespace: &Namespace<'_>, mark: stablekey_clusters::audit::Mark) -> Vec<String> {
    let requests = namespace.audit_since(mark).unwrap().into_iter();
    let ours = requests.filter(|r| r.writes() && r.uri.contains("fieldManager=stablekey-syncer"));
    ours.map(|r| r.to_string()).collect()
}

#[test]
fn what_a_tool_applies_again_and_again_makes_nobody_write() {
    for tool in TOOLS {
        let stage = Stage::new("tools");
        let _syncer = stage.syncer();
        let all = [connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")];
        apply_by(tool, &stage.us, &all);
        stands(&stage, "InSync");
        // The target's own objects may come by a tool too.
        apply_by(tool, &stage.eu, &[connection("crm", "api"), integration("lead", &["crm"])]);
        looked_again(&stage, "before");
        let (us, eu) = (stage.us.cluster().mark().unwrap(), stage.eu.cluster().mark().unwrap());
        for time in 0..5 {
            apply_by(tool, &stage.us, &all);
            apply_by(tool, &stage.eu, &[connection("crm", "api"), integration("lead", &["crm"])]);
            looked_again(&stage, &format!("time-{time}"));
        }
        assert_eq!(writes(&stage.eu, eu), [""; 0], "{tool}");
        // A status that answers each request, and no more.
        let here = writes(&stage.us, us);
        assert_eq!(here.len(), 5, "{tool}: {here:?}");
        stands(&stage, "InSync");
    }
}

#[test]
fn where_a_tool_holds_another_value_it_is_told_and_nobody_fights() {
    for tool in TOOLS {
        let stage = Stage::new("tools-differ");
        let _syncer = stage.syncer();
        stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
        stands(&stage, "InSync");
        apply_by(tool, &stage.eu, &[connection("crm", "theirs")]);
        stands(&stage, "Drifted");
        let eu = stage.eu.cluster().mark().unwrap();
        for time in 0..3 {
            apply_by(tool, &stage.eu, &[connection("crm", "theirs")]);
            looked_again(&stage, &format!("time-{time}"));
        }
        assert_eq!(writes(&stage.eu, eu), [""; 0], "{tool}");
        assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "theirs");
    }
}
