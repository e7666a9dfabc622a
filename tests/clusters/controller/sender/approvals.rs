//! Approvals of syncs into the platform.

use super::env::*;
use crate::controller::syncer::env::*;
use stablekey_testing::replica::until;

/// "mode Plan/Apply, approve annotation; waiting plan in a ConfigMap".
#[test]
fn a_plan_waits_for_its_approval() {
    let env = SenderEnv::new("approved");
    env.archive();
    env.archive_secret(&[]);
    env.in_us(&[sync_from_us("us-to-eu", "eu", "Plan")]);
    let _sender = env.sender();
    until_state(&env, SYNC, "eu", "AwaitingApproval");
    let digest = field(&env.us, SYNC, &of_target("eu", "digest"));
    assert!(digest.starts_with("sha256:"), "{digest}");
    let map = field(&env.us, SYNC, &of_target("eu", "waitingPlan.configMap"));
    assert!(!field(&env.us, &format!("configmap/{map}"), ".binaryData").is_empty());
    assert_eq!(mutations(&env.eu), [""; 0]);
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until_state(&env, SYNC, "eu", "InSync");
    assert_eq!(env.sent("archive", "host").as_deref(), Some("db.example"));
    // It is consumed: what recurs needs a new approval.
    env.eu.change(|store| store.connections.retain(|connection| connection.stable_key != "archive"));
    env.again(SYNC, "1");
    until("it waits again", || field(&env.us, SYNC, &of_target("eu", "state")) == "AwaitingApproval");
    assert_eq!(env.sent("archive", "host"), None);
}
