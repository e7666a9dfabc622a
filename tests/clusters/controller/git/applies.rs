//! What a commit declares is applied, and nothing else happens.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::json;
use stablekey_clusters::shared;
use stablekey_testing::git_repository::File;
use stablekey_testing::git_server::Step;
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;

/// "Fetch, read at that commit with the reader of files, plan, apply under the Tenant's policy; status: revision seen,
/// revision applied, receipt."
#[test]
fn a_commit_is_applied_and_the_next_one_too() {
    let env = GitEnv::new("applies");
    let salesforce = Component::new("salesforce/oauth2").has_input("scopes").has_secret("clientSecret");
    let customer = CustomerCredentials::new("Acme", "crm").input("instanceUrl", "https://acme.example");
    let crm =
        |scopes: &str| Connection::new("crm", "salesforce/oauth2").input("scopes", scopes).per_customer("instanceUrl");
    let others = [salesforce.json(), customer.json(), integration("lead", &["crm"])];
    let first = env.commit(&[&[crm("api").json()], &others[..]].concat());
    let _syncer = env.syncer();
    env.in_us(&[env.tenant()]);
    env.until_applied(&first);
    assert_eq!(env.status("seen"), first);
    for object in ["connection/crm", "component/salesforce", "integration/lead"] {
        assert_ne!(field(&env.us, object, ".metadata.uid"), "", "{object}");
    }
    assert_eq!(kubectl(&env.us, &["get", "customercredentials", "-o", "jsonpath={.items[*].spec.customer}"]), "Acme");
    let receipt = env.status("target.receipt.plan");
    assert!(receipt.starts_with("sha256:"), "{receipt}");
    let wrote = field(&env.us, "connection/crm", ".metadata.annotations.stablekey\\.dev/wrote");
    assert!(wrote.contains("@source"), "{wrote}");

    let second = env.commit(&[&[crm("api refresh").json()], &others[..]].concat());
    env.until_applied(&second);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "api refresh");
    assert_ne!(env.status("target.receipt.plan"), receipt);
}

/// "A poll that finds nothing new: 2 requests of at most 1 kB, 0 API server writes".
#[test]
fn a_poll_that_finds_nothing_new_is_two_requests_and_writes_nothing() {
    let env = GitEnv::new("quiet");
    let first = env.commit(&[connection("crm", "api"), integration("lead", &["crm"])]);
    let _syncer = env.syncer();
    env.in_us(&[env.tenant()]);
    env.until_applied(&first);
    env.server.take_seen();
    let mark = env.us.cluster().mark().unwrap();
    let mut seen = Vec::new();
    until("there were some polls", || {
        seen.extend(env.server.take_seen());
        seen.len() >= 6
    });
    assert!(seen.iter().all(|seen| seen.step != Step::Fetch && seen.sent + seen.answered <= 1000), "{seen:?}");
    assert_eq!(crate::controller::syncer::env::written(&env.us, mark), [""; 0]);
}

/// "Pruned only where the source prunes."
#[test]
fn what_a_commit_drops_stays_unless_the_source_prunes() {
    let env = GitEnv::new("prunes");
    let old = with(connection("old", "api"), "/spec/deletionPolicy", "Delete");
    let first = env.commit(&[old, connection("crm", "api")]);
    let _syncer = env.syncer();
    env.in_us(&[env.tenant()]);
    env.until_applied(&first);
    let second = env.commit(&[connection("crm", "more")]);
    env.until_applied(&second);
    assert_eq!(field(&env.us, "connection/crm", SCOPES), "more");
    assert_ne!(field(&env.us, "connection/old", ".metadata.uid"), "");
    env.in_us(&[env.pruning_tenant()]);
    until("it is pruned", || field(&env.us, "connection/old", ".metadata.uid").is_empty());
    env.until_applied(&second);
}

/// A tenant in another cluster has its source in the hub's Git too; a tag and a commit are read as a branch is.
#[test]
fn a_tenant_elsewhere_has_a_source_by_tag_and_by_commit() {
    let env = GitEnv::new("elsewhere");
    let eu = shared("eu").namespace("elsewhere-git-eu");
    apply(&eu, &[tenant("eu", json!({}))]);
    let of_tenant = |git: serde_json::Value| {
        let mut tenant = remote_tenant("eu", &eu);
        tenant["spec"]["source"] = json!({"git": git});
        tenant
    };
    let files = |scopes: &str| {
        let text = connection("crm", scopes).to_string();
        [("eu/connections/crm.yaml".to_string(), File::Regular(text.into_bytes()))].into()
    };
    let first = env.repository.commit("main", &files("api"));
    env.repository.git(&["tag", "v1", "main"]);
    let second = env.repository.commit("main", &files("more"));
    env.in_us(&[
        kubeconfig_secret("eu", &target_access(&eu)),
        of_tenant(env.git(json!({"branch": null, "tag": "v1", "path": "eu"}))),
    ]);
    let _syncer = env.syncer();
    until_field(&env.us, "tenant/eu", ".status.source.applied", &first);
    assert_eq!(field(&eu, "connection/crm", SCOPES), "api");
    env.in_us(&[of_tenant(env.git(json!({"branch": null, "tag": null, "commit": second, "path": "eu"})))]);
    until_field(&eu, "connection/crm", SCOPES, "more");
    until_field(&env.us, "tenant/eu", ".status.source.applied", &second);
}

/// The definition of an integration is a file of the commit, and a ConfigMap in the cluster.
#[test]
fn a_definition_comes_with_its_commit() {
    let env = GitEnv::new("definition");
    let definition = include_str!("../../../../platform/src/seed/definitions/warehouse-export.yaml");
    let integration = Integration::new("warehouse-export")
        .title("Warehouse Export")
        .binds("Database", "warehouse")
        .owns("Reports", "salesforce/oauth2")
        .definition_file("warehouse-export.definition");
    let warehouse = Connection::new("warehouse", "postgres/postgres").input("host", "db.example");
    let mut files = source(&[warehouse.json(), integration.json()]);
    let at = "tenants/us/integrations/warehouse-export.definition".to_string();
    files.insert(at, File::Regular(definition.as_bytes().to_vec()));
    let first = env.repository.commit("main", &files);
    let _syncer = env.syncer();
    env.in_us(&[env.tenant()]);
    env.until_applied(&first);
    let map = field(&env.us, "integration/warehouse-export", ".spec.definition.configMap.name");
    assert!(map.starts_with("warehouse-export-"), "{map}");
    assert_eq!(field(&env.us, &format!("configmap/{map}"), ".data.definition").trim_end(), definition.trim_end());
}

/// A source of a tenant that is also the source of a sync: what Git declares arrives in the sync's targets too.
#[test]
fn a_sync_carries_on_what_came_from_git() {
    let env = GitEnv::new("carries");
    let eu = shared("us").namespace("carries-git-eu");
    apply(&eu, &[tenant("eu", json!({"acceptFrom": ["us"]}))]);
    env.in_us(&[kubeconfig_secret("eu", &target_access(&eu)), remote_tenant("eu", &eu), env.tenant(), sync("Apply")]);
    env.commit(&[connection("crm", "api"), integration("lead", &["crm"])]);
    let _syncer = env.syncer();
    until_field(&eu, "integration/lead", ".metadata.name", "lead");
    env.commit(&[connection("crm", "more"), integration("lead", &["crm"])]);
    until_field(&eu, "connection/crm", SCOPES, "more");
    until_field(&env.us, SYNC, &of_target("eu", "state"), "InSync");
}
