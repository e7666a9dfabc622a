//! A syncer in the target's own cluster, which pulls.

use super::env::*;
use serde_json::json;
use stablekey_clusters::shared_all;

#[test]
fn a_syncer_in_the_targets_cluster_pulls_with_a_read_only_account() {
    let [us, eu] = shared_all(["us", "eu"]);
    let (us, eu) = (us.namespace("pulls-us"), eu.namespace("pulls-eu"));
    apply(&us, &[tenant("us", json!({})), connection("crm", "api"), integration("lead", &["crm"])]);
    let _syncer = syncer(&eu);
    apply(
        &eu,
        &[
            tenant("eu", json!({"acceptFrom": ["us"]})),
            kubeconfig_secret("us", &source_access(&us)),
            remote_tenant("us", &us),
            sync("Apply"),
        ],
    );
    until_field(&eu, SYNC, &of_target("eu", "state"), "InSync");
    assert_eq!(field(&eu, "connection/crm", SCOPES), "api");
    apply(&us, &[connection("crm", "api refresh")]);
    until_field(&eu, "connection/crm", SCOPES, "api refresh");
    assert_eq!(ready(&eu, "tenant/eu", "status"), "True");
    assert_eq!(ready(&eu, "tenant/us", "status"), "True");
    assert!(us.audit().unwrap().iter().all(|r| !r.writes() || r.agent.starts_with("kubectl")));
}
