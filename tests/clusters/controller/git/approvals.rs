//! What a source wants and a person must approve: at the Tenant, by a digest, once.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::{Value, json};
use stablekey_testing::git_repository::{File, Files};
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;

fn approve(env: &GitEnv, digest: &str) {
    kubectl(&env.us, &["annotate", "--overwrite", US, &format!("stablekey.dev/approve={digest}")]);
}

fn deletable(key: &str) -> Value {
    with(connection(key, "api"), "/spec/deletionPolicy", "Delete")
}

/// "A writer that has become empty needs approval", and "what recurs needs a new approval".
#[test]
fn an_empty_source_is_carried_out_once_it_is_approved() {
    let env = GitEnv::new("empty");
    let commit = env.commit(&[deletable("crm")]);
    env.in_us(&[env.pruning_tenant()]);
    let syncer = env.syncer();
    env.until_applied(&commit);
    let empty: Files = [("tenants/us/.gitkeep".to_string(), File::Regular(Vec::new()))].into();
    let emptied = env.repository.commit("main", &empty);
    until_ready(&env.us, US, "AwaitingApproval");
    let digest = env.status("target.digest");
    assert!(env.message().contains(&digest), "{}", env.message());
    approve(&env, "sha256:00");
    until("it is of nothing", || !field(&env.us, US, ".status.conditions[?(@.type==\"StaleApproval\")]").is_empty());
    assert_ne!(field(&env.us, "connection/crm", ".metadata.uid"), "");
    approve(&env, &digest);
    until("it is removed", || field(&env.us, "connection/crm", ".metadata.uid").is_empty());
    env.until_applied(&emptied);

    // The same again is another decision, in another process too.
    let again = env.commit(&[deletable("crm")]);
    env.until_applied(&again);
    drop(syncer);
    let _syncer = env.syncer();
    env.repository.commit("main", &empty);
    until_ready(&env.us, US, "AwaitingApproval");
    env.again("once-more");
    assert_ne!(field(&env.us, "connection/crm", ".metadata.uid"), "");
}

/// "…apply under the Tenant's policy": what it does not allow is not done, and too much at once needs approval.
#[test]
fn the_policy_of_the_tenant_holds_for_its_source() {
    let env = GitEnv::new("policy");
    let all =
        |scopes: &str| -> Vec<Value> { (0..10).map(|number| connection(&format!("crm-{number}"), scopes)).collect() };
    let commit = env.commit(&all("api"));
    env.in_us(&[env.tenant()]);
    let _syncer = env.syncer();
    env.until_applied(&commit);
    let many = env.commit(&all("more"));
    until_ready(&env.us, US, "AwaitingApproval");
    assert_eq!(field(&env.us, "connection/crm-0", SCOPES), "api");
    assert_eq!((env.status("seen"), env.status("applied")), (many.clone(), commit));
    approve(&env, &env.status("target.digest"));
    env.until_applied(&many);
    assert_eq!(field(&env.us, "connection/crm-9", SCOPES), "more");

    let mut tenant = env.tenant();
    tenant["spec"]["policy"] = json!({"actions": ["Create"]});
    env.in_us(&[tenant.clone()]);
    let mut some = all("more");
    some[0] = connection("crm-0", "forbidden");
    env.commit(&some);
    until_ready(&env.us, US, "Blocked");
    assert_eq!(field(&env.us, "connection/crm-0", SCOPES), "more");
    tenant["spec"]["suspend"] = json!(true);
    tenant["spec"]["policy"] = json!({"actions": ["Create", "Update"]});
    env.in_us(&[tenant]);
    until_ready(&env.us, US, "Suspended");
    env.again("suspended");
    assert_eq!(field(&env.us, "connection/crm-0", SCOPES), "more");
}

/// Drift in what Git declares is detected, and a value that the tenant had before is kept.
#[test]
fn what_others_changed_is_not_overwritten() {
    let env = GitEnv::new("drift");
    env.in_us(&[connection("own", "of the tenant")]);
    let commit = env.commit(&[connection("crm", "api"), connection("own", "of git")]);
    env.in_us(&[env.tenant()]);
    let _syncer = env.syncer();
    env.until_applied(&commit);
    assert_eq!(field(&env.us, "connection/own", SCOPES), "of the tenant");
    until("it is named", || env.status("target.kept").contains("Connection/own inputs.scopes"));
    env.in_us(&[connection("crm", "by hand")]);
    until_ready(&env.us, US, "Drifted");
    env.again("drifted");
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "by hand");
    let mut tenant = env.tenant();
    tenant["spec"]["policy"] = json!({"drift": "Correct"});
    env.in_us(&[tenant]);
    until_field(&env.us, "connection/crm", SCOPES, "api");
    env.until_applied(&commit);
}

/// A sync that waits for approval holds back nothing of the source.
#[test]
fn a_sync_that_waits_does_not_hold_back_the_source() {
    let env = GitEnv::new("beside");
    let other = env.us.cluster().namespace("beside-git-other");
    apply(&other, &[tenant("other", json!({})), connection("erp", "api"), integration("billing", &["erp"])]);
    let mut us = env.tenant();
    us["spec"]["acceptFrom"] = json!(["other"]);
    let mut sync = sync("Plan");
    sync["spec"]["from"] = json!("other");
    sync["spec"]["to"] = json!(["us"]);
    env.in_us(&[kubeconfig_secret("other", &source_access(&other)), remote_tenant("other", &other), us, sync]);
    let first = env.commit(&[connection("crm", "api")]);
    let _syncer = env.syncer();
    env.until_applied(&first);
    until_field(&env.us, SYNC, &of_target("us", "state"), "AwaitingApproval");
    let second = env.commit(&[connection("crm", "more")]);
    env.until_applied(&second);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "more");
    assert_eq!(field(&env.us, "connection/erp", ".metadata.uid"), "");
    let digest = field(&env.us, SYNC, &of_target("us", "digest"));
    kubectl(&env.us, &["annotate", SYNC, &format!("stablekey.dev/approve={digest}")]);
    until_field(&env.us, "integration/billing", ".metadata.name", "billing");
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "more");
}
