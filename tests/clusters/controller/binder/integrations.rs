//! The status of integrations: a row per variable, and Ready only if all rows are.

use super::env::*;
use serde_json::{Value, json};
use stablekey_testing::replica::until;

const LEAD: &str = "integration/lead-router";

fn rows(env: &TestEnv) -> Vec<String> {
    let text = env.kubectl(&format!("get {LEAD} -o json"));
    let object: Value = serde_json::from_str(&text).unwrap();
    let said = |row: &Value, field: &str| row[field].as_str().unwrap_or("-").to_string();
    let row = |row: &Value| {
        let candidates: Vec<&str> =
            row["candidates"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let words = [
            said(row, "stableKey"),
            said(row, "connection"),
            row["ready"].to_string(),
            said(row, "reason"),
            candidates.join(","),
        ];
        words.join(" ").trim_end().to_string()
    };
    object["status"]["bindings"].as_array().into_iter().flatten().map(row).collect()
}

#[test]
fn kubectl_wait_returns_once_every_row_is_bound_and_ready() {
    let env = TestEnv::new("wait");
    let mut binder = env.binder();
    binder.wait_for_log("\"read\"");
    let own = json!({"name": "Warehouse", "own": {"component": {"key": "postgres"}, "type": "postgres"}});
    let mut lead = integration("lead-router", &["salesforce-crm", "slack"]);
    lead["spec"]["connections"].as_array_mut().unwrap().push(own);
    let password = |secret: &str| json!({"baseUrl": {"value": "https://login.example"}, "password": of_secret(secret, "password")});
    // A similar key exists.
    env.apply(&[
        lead,
        connection("salesforce-crn", "OrganizationGlobal", password("app")),
        connection("slack", "OrganizationGlobal", password("slack")),
    ]);
    let mut waits = env.kubectl_wait(LEAD);
    env.ready(LEAD, "False BindingMissing");
    env.until_field(LEAD, ".status.bindings[1].reason", "ConnectionNotReady");
    assert_eq!(
        rows(&env),
        [
            "salesforce-crm - false BindingMissing salesforce-crn",
            "slack slack false ConnectionNotReady",
            "- - true Own",
        ]
    );
    assert_eq!(env.field(LEAD, ".status.bound"), "2/3");
    let why = env.field(LEAD, ".status.bindings[0].message");
    assert_eq!(
        why,
        "SK0101 \"Use of salesforce-crm\" names stable key salesforce-crm, which no connection has: did you mean salesforce-crn?"
    );
    assert!(waits.try_wait().unwrap().is_none());
    env.apply(&[connection("salesforce-crm", "OrganizationGlobal", password("app")), app()]);
    env.until_field(LEAD, ".status.bound", "3/3");
    env.until_field(LEAD, ".status.bindings[0].ready", "true");
    env.ready(LEAD, "False ConnectionNotReady");
    assert!(waits.try_wait().unwrap().is_none(), "slack is not ready");
    env.apply(&[source("slack", "slack", json!({}), json!({"password": CANARY}))]);
    assert!(waits.wait().unwrap().success());
    assert_eq!(rows(&env), ["salesforce-crm salesforce-crm true Bound", "slack slack true Bound", "- - true Own"]);
    assert_eq!(env.field("connection/slack", ".status.conditions[?(@.type==\"Ready\")].status"), "True");
    let metric = |ready: &str| {
        binder.metric(&format!("stablekey_bindings{{tenant_namespace=\"{}\",ready=\"{ready}\"}}", env.here.name()))
    };
    assert_eq!((metric("true"), metric("false")), (Some(3.0), Some(0.0)));
    let columns = env.kubectl("get integrations --no-headers");
    assert!(columns.contains("3/3") && columns.contains("True"), "{columns}");
    env.assert_no_secret_leaked(&mut binder);
}

/// An Integration is not Ready if its definition was not delivered (`definition: {file}`), or if its ConfigMap is
/// missing or cannot be read.
///
/// "An Integration that comes to a cluster with `definition: {file}` is not Ready (DefinitionNotDelivered)".
#[test]
fn an_integration_is_ready_once_its_definition_can_be_read() {
    let env = TestEnv::new("definitions");
    let mut binder = env.binder();
    let named = |definition: Value| with(integration("lead-router", &["crm"]), "/spec/definition", definition);
    let map = |name: &str, text: &str| {
        let metadata = json!({"name": name, "labels": {"stablekey.dev/definition": "true"}});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"definition": text}})
    };
    let text = |version: u64| format!("definitionVersion: {version}\nname: Lead router\nflows: []\n");
    let in_map = |name: &str| named(json!({"configMap": {"name": name}}));
    env.apply(&[app(), global("crm"), named(json!({"file": "lead-router.definition"}))]);
    let message = env.ready(LEAD, "False DefinitionNotDelivered");
    let command = format!("stablekey render us | kubectl apply --server-side --namespace {} -f -", env.here.name());
    assert!(message.starts_with("SK0145 ") && message.ends_with(&format!("\n{command}")), "{message}");
    assert_eq!(env.field(LEAD, ".status.bound"), "1/1");
    env.apply(&[in_map("lead-1")]);
    env.ready(LEAD, "False DefinitionMissing");
    env.apply(&[map("lead-1", "name: [")]);
    let message = env.ready(LEAD, "False DefinitionUnreadable");
    assert!(message.contains("ConfigMap lead-1 cannot be read: line 1"), "{message}");
    env.apply(&[map("lead-1", &text(9))]);
    let message = env.ready(LEAD, "False DefinitionUnread");
    assert!(message.starts_with("SK0147 ") && message.contains("version 9"), "{message}");
    env.apply(&[map("lead-2", &text(7)), in_map("lead-2")]);
    env.ready(LEAD, "True Bound");
    env.kubectl("delete configmap lead-2");
    env.ready(LEAD, "False DefinitionMissing");
    env.apply(&[map("lead-2", &text(7))]);
    env.ready(LEAD, "True Bound");
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn ready_does_not_flap_while_everything_changes_and_while_it_is_started() {
    let env = TestEnv::new("flap");
    let _binder = env.binder();
    env.apply(&[app(), global("crm"), integration("lead-router", &["crm"])]);
    env.ready(LEAD, "True Bound");
    let since = || env.field(LEAD, ".status.conditions[?(@.type==\"Ready\")].lastTransitionTime");
    let revision = || env.field(LEAD, ".metadata.resourceVersion");
    let (before, then) = (since(), revision());
    for number in 0..5 {
        let next = format!("{CANARY}-{number}");
        env.apply(&[source("app", "*", pinned(), json!({"password": next}))]);
        env.until_secret("crm.binding", "password", &next);
    }
    let mut again = env.binder();
    drop(_binder);
    again.wait_for_log("\"read\"");
    env.apply(&[app()]);
    env.until_secret("crm.binding", "password", CANARY);
    assert_eq!((since(), revision()), (before, then), "it was never written");
}

#[test]
fn a_connection_lists_its_users_and_is_kept_while_in_use() {
    let env = TestEnv::of(with_controllers(), "used");
    let mut binder = env.binder();
    env.apply(&[app(), global("crm"), integration("lead-router", &["crm"]), integration("other", &["crm"])]);
    env.until_field("connection/crm", ".status.usedByCount", "2");
    assert_eq!(env.field("connection/crm", ".status.usedBy[*].name"), "lead-router other");
    until("the policy holds", || {
        let said = env.kubectl_error("delete connection crm --dry-run=server");
        said.contains("connection crm is in use by Integration lead-router, Integration other. First")
    });
    env.apply(&[integration("other", &["elsewhere"])]);
    env.kubectl("delete integration lead-router");
    env.until_field("connection/crm", ".status.usedByCount", "0");
    env.kubectl("delete connection crm");
    env.assert_no_secret_leaked(&mut binder);
}

#[test]
fn an_older_key_resolves_to_its_replacement_for_customers_and_secrets() {
    let env = TestEnv::new("older");
    let _binder = env.binder();
    let url = json!({"baseUrl": {"value": "https://acme.example"}});
    env.apply(&[
        source("app", "sf_old", pinned(), json!({"password": CANARY})),
        integration("lead-router", &["sf_old"]),
        customer("acme", "Acme", "sf_old", url),
    ]);
    env.ready(LEAD, "False BindingMissing");
    env.ready("customercredentials/acme", "False CustomerConnectionMissing");
    env.apply(&[with(of_customers("crm"), "/spec/replaces", json!(["sf_old"]))]);
    env.ready(LEAD, "True Bound");
    assert_eq!(rows(&env), ["sf_old crm true Bound"]);
    env.ready("customercredentials/acme", "True Complete");
    env.until_secret("acme.customer-binding", "password", CANARY);
    env.until_field("connection/crm", ".status.customers", "1");
    env.until_field("connection/crm", ".status.usedByCount", "1");
}

#[test]
fn a_copied_replaces_serves_nobody_else() {
    let env = TestEnv::new("replaces");
    let mut binder = env.binder();
    env.apply(&[
        source("app", "prod-key", pinned(), json!({"password": CANARY})),
        integration("lead-router", &["prod-key"]),
    ]);
    // Applied like the syncer: its field manager owns the ownership record.
    let record = json!({"tenant": "us", "made": true, "fields": {"replaces": "0123456789abcdef@sync/dev"}}).to_string();
    let mut evil = with(global("evil"), "/spec/replaces", json!(["prod-key"]));
    evil["metadata"]["annotations"] = json!({"stablekey.dev/wrote": record});
    let by = ["apply", "--server-side", "--field-manager=stablekey-syncer", "-f", "-"];
    stablekey_clusters::run_with_input(env.here.kubectl().args(by), &evil.to_string()).unwrap();
    env.ready("connection/evil", "False SecretNotForKey");
    env.ready(LEAD, "False BindingMissing");
    env.wait_for_condition("connection/evil", "OlderKeysAnswered", "True AnsweredForSync");
    // The record names the tenant. Without a Tenant the record counts nevertheless.
    env.kubectl("delete tenant us");
    binder.wait_for_log("\"tenant\":\"\"");
    binder.wait_for_log("\"read\"");
    env.apply(&[integration("second", &["prod-key"])]);
    env.ready("integration/second", "False BindingMissing");
    env.ready("connection/evil", "False SecretNotForKey");
}
