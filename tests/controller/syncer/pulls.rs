//! A syncer in the target's own cluster, which pulls.

use super::stage::*;
use serde_json::json;
use stablekey_clusters::shared_all;

#[test]
fn a_syncer_beside_its_target_pulls_by_an_account_that_may_only_read_the_source() {
    let [us, eu] = shared_all(["us", "eu"]);
    let (us, eu) = (us.namespace("pulls-us"), eu.namespace("pulls-eu"));
    apply(&us, &[tenant("us", json!({})), connection("crm", "api"), integration("lead", &["crm"])]);
    kubectl(&us, &["create", "serviceaccount", "reader"]);
    let kinds = "tenants,components,connections,customercredentials,integrations".split(',');
    let kinds: Vec<String> = kinds.map(|kind| format!("{kind}.stablekey.dev")).collect();
    let kinds = format!("--resource={},configmaps", kinds.join(","));
    kubectl(&us, &["create", "role", "reader", "--verb=get,list,watch", &kinds]);
    kubectl(
        &us,
        &["create", "rolebinding", "reader", "--role=reader", &format!("--serviceaccount={}:reader", us.name())],
    );
    let reader = us.cluster().kubeconfig_of(&us.cluster().token(us.name(), "reader").unwrap()).unwrap();
    let reader = std::fs::read_to_string(reader).unwrap();

    let _syncer = syncer(&eu);
    apply(
        &eu,
        &[
            tenant("eu", json!({"acceptFrom": ["us"]})),
            kubeconfig_secret("us", &reader),
            elsewhere("us", &us),
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
