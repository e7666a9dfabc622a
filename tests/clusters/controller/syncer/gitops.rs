//! Other field managers beside the operator: repeated applies, like those of Flux and Argo CD.

use super::env::*;
use serde_json::Value;
use stablekey_clusters::{Namespace, run_with_input};
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;

const SYNC: &str = "tenantsync/us-to-eu";
const SCOPES: &str = ".spec.inputs.scopes.value";
/// The flags of Flux's kustomize-controller, and those of Argo CD.
const TOOLS: [&str; 2] = ["--server-side --field-manager=kustomize-controller --force-conflicts", ""];

fn apply_by(tool: &str, namespace: &Namespace<'_>, objects: &[Value]) {
    let list = list(objects).to_string();
    let mut kubectl = namespace.kubectl();
    kubectl.arg("apply").args(tool.split_whitespace()).args(["-f", "-"]);
    run_with_input(&mut kubectl, &list).unwrap();
}

fn until_eu_state(env: &TestEnv, state: &str) {
    until_field(&env.us, SYNC, ".status.targets[0].state", state);
}

fn reconcile_again(env: &TestEnv, at: &str) {
    kubectl(&env.us, &["annotate", "--overwrite", SYNC, &format!("stablekey.dev/requestedAt={at}")]);
    until("it was handled", || field(&env.us, SYNC, ".status.lastHandledReconcileAt") == at);
}

/// Returns the operator's writes of custom resources since a mark.
fn writes(namespace: &Namespace<'_>, mark: stablekey_clusters::audit::Mark) -> Vec<String> {
    let requests = namespace.audit_since(mark).unwrap().into_iter();
    let ours = requests.filter(|r| r.writes() && r.uri.contains("fieldManager=stablekey-syncer"));
    ours.map(|r| r.to_string()).collect()
}

#[test]
fn repeated_applies_of_a_tool_cause_no_writes() {
    for tool in TOOLS {
        let env = TestEnv::new("tools");
        let _syncer = env.syncer();
        let all = [connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")];
        apply_by(tool, &env.us, &all);
        until_eu_state(&env, "InSync");
        // The target's own objects may be applied by a tool too.
        apply_by(tool, &env.eu, &[connection("crm", "api"), integration("lead", &["crm"])]);
        reconcile_again(&env, "before");
        let (us, eu) = (env.us.cluster().mark().unwrap(), env.eu.cluster().mark().unwrap());
        for time in 0..5 {
            apply_by(tool, &env.us, &all);
            apply_by(tool, &env.eu, &[connection("crm", "api"), integration("lead", &["crm"])]);
            reconcile_again(&env, &format!("time-{time}"));
        }
        assert_eq!(writes(&env.eu, eu), [""; 0], "{tool}");
        // One status per request, and no more.
        let here = writes(&env.us, us);
        assert_eq!(here.len(), 5, "{tool}: {here:?}");
        until_eu_state(&env, "InSync");
    }
}

#[test]
fn a_conflicting_value_of_a_tool_is_reported_without_a_fight() {
    for tool in TOOLS {
        let env = TestEnv::new("tools-differ");
        let _syncer = env.syncer();
        env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
        until_eu_state(&env, "InSync");
        apply_by(tool, &env.eu, &[connection("crm", "theirs")]);
        until_eu_state(&env, "Drifted");
        let eu = env.eu.cluster().mark().unwrap();
        for time in 0..3 {
            apply_by(tool, &env.eu, &[connection("crm", "theirs")]);
            reconcile_again(&env, &format!("time-{time}"));
        }
        assert_eq!(writes(&env.eu, eu), [""; 0], "{tool}");
        assert_eq!(field(&env.eu, "connection/crm", SCOPES), "theirs");
    }
}
