//! What a sync carries: definitions, bindings by stable key, overrides.

use super::env::*;
use serde_json::{Value, json};

const WROTE: &str = ".metadata.annotations.stablekey\\.dev/wrote";

/// The ConfigMap of a definition that uses one connection variable.
fn definition(name: &str, integration: &str, key: &str, words: &str) -> Value {
    let text = format!(
        "definitionVersion: 7\nname: {integration}\ndescription: {words}\nconfigPages:\n  - name: Connections\n    elements:\n      - {{type: configVar, value: Use of {key}}}\n\
         requiredConfigVars:\n  - {{key: Use of {key}, dataType: connection, useScopedConfigVar: {key}}}\nflows:\n  - name: Flow\n    steps:\n      - name: Step\n        action:\n          key: query\n          \
         component: {{key: salesforce, isPublic: true, version: LATEST}}\n        inputs:\n          connection: {{type: configVar, value: Use of {key}}}\n"
    );
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "labels": {"stablekey.dev/definition": "true"}}, "data": {"definition": text},
    })
}

fn defined(name: &str, keys: &[&str], map: &str) -> Value {
    let mut integration = integration(name, keys);
    integration["spec"]["definition"] = json!({"configMap": {"name": map}});
    integration
}

#[test]
fn a_definition_goes_along_and_a_new_one_is_there_before_it_is_named() {
    let env = TestEnv::new("definitions");
    let _syncer = env.syncer();
    env.in_us(&[
        definition("lead-v1", "lead", "crm", "first"),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        sync("Apply"),
    ]);
    until_stands(&env, "eu", "InSync");
    let map = |env: &TestEnv| field(&env.eu, "integration/lead", ".spec.definition.configMap.name");
    let text = |env: &TestEnv, map: &str| field(&env.eu, &format!("configmap/{map}"), ".data.definition");
    let first = map(&env);
    assert_eq!(text(&env, &first), field(&env.us, "configmap/lead-v1", ".data.definition"));
    let mark = env.eu.cluster().mark().unwrap();
    env.in_us(&[definition("lead-v2", "lead", "crm", "second"), defined("lead", &["crm"], "lead-v2")]);
    stablekey_testing::replica::until("the new one is named", || map(&env) != first);
    until_stands(&env, "eu", "InSync");
    assert_eq!(text(&env, &map(&env)), field(&env.us, "configmap/lead-v2", ".data.definition"));
    // Once each, in this order.
    let writes = written(&env.eu, mark);
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].contains("configmaps/") && writes[1].contains("integrations/lead"), "{writes:?}");
}

/// Somebody puts something of his own where a definition will be, or takes it away.
#[test]
fn a_definition_is_what_it_is_named_by_or_the_integration_waits() {
    let env = TestEnv::new("preempted");
    let mut syncer = env.syncer();
    env.in_us(&[
        definition("lead-v1", "lead", "crm", "first"),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        sync("Plan"),
    ]);
    until_stands(&env, "eu", "AwaitingApproval");
    syncer.signal("-TERM");
    syncer.end();
    let text = field(&env.us, "configmap/lead-v1", ".data.definition");
    let digest = stablekey::tenant::directory::definition_digest(text.as_bytes());
    let name = format!("lead-{}", &digest[..16]);
    env.in_eu(&[
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"definition": "theirs"}}),
    ]);
    env.in_us(&[sync("Apply")]);
    let _syncer = env.syncer();
    until_stands(&env, "eu", "Failed");
    let message = field(&env.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains(&name) && message.contains("holds something else"), "{message}");
    assert_eq!(field(&env.eu, "integration/lead", ".metadata.name"), "");
    kubectl(&env.eu, &["delete", "configmap", &name]);
    until_stands(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, &format!("configmap/{name}"), ".data.definition"), text);
    // "Made again, as objects are", whatever drift says.
    kubectl(&env.eu, &["delete", "configmap", &name]);
    until_field(&env.eu, &format!("configmap/{name}"), ".data.definition", &text);
    until_stands(&env, "eu", "InSync");
}

/// A larger one than a cluster is given waits until it is another; what else changes does not wait.
#[test]
fn a_definition_that_is_too_large_holds_back_only_its_integration() {
    let env = TestEnv::new("too-large");
    let _syncer = env.syncer();
    let words = "x".repeat(905_000);
    env.in_us(&[
        definition("lead-v1", "lead", "crm", &words),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        integration("other", &["crm"]),
        sync("Apply"),
    ]);
    until_stands(&env, "eu", "Failed");
    let message = field(&env.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains("Integration/lead: its definition is 905"), "{message}");
    assert!(message.contains("bytes, and eu takes at most 900000"), "{message}");
    until_field(&env.eu, "integration/other", ".metadata.name", "other");
    assert_eq!(field(&env.eu, "integration/lead", ".metadata.name"), "");
    env.in_us(&[connection("crm", "api refresh_token")]);
    until_field(&env.eu, "connection/crm", SCOPES, "api refresh_token");
    env.in_us(&[definition("lead-v1", "lead", "crm", "shorter")]);
    until_stands(&env, "eu", "InSync");
    until_field(&env.eu, "integration/lead", ".metadata.name", "lead");
}

/// What cannot be read is brought nowhere, and a target is not made to name it.
#[test]
fn an_integration_waits_for_a_definition_that_cannot_be_read() {
    let env = TestEnv::new("unread");
    let _syncer = env.syncer();
    let mut broken = definition("lead-v1", "lead", "crm", "first");
    broken["data"]["definition"] = json!("definitionVersion: 7\nname: lead\n");
    env.in_us(&[broken, connection("crm", "api"), defined("lead", &["crm"], "lead-v1"), sync("Apply")]);
    until_stands(&env, "eu", "Blocked");
    let said = field(&env.us, SYNC, &of_target("eu", "blocked"));
    assert!(said.contains("SK0145") && said.contains("ConfigMap lead-v1"), "{said}");
    assert_eq!(field(&env.eu, "integration/lead", ".metadata.name"), "");
    env.in_us(&[definition("lead-v1", "lead", "crm", "fixed")]);
    until_stands(&env, "eu", "InSync");
    assert!(field(&env.eu, "integration/lead", ".spec.definition.configMap.name").starts_with("lead-"));
}

#[test]
fn an_integration_is_bound_again_by_stable_key_and_overrides_hold_for_one_target() {
    let env = TestEnv::new("overrides");
    let west = env.target("west", stablekey_clusters::shared("eu"));
    apply(&west, &[connection("crm-west", "of west")]);
    let mut sync = sync_to(&["eu", "west"], "Apply");
    sync["spec"]["overrides"] = json!([
        {"tenant": "eu", "stableKey": "crm", "input": "scopes", "value": "eu only", "reason": "EU org"},
        {"tenant": "west", "integration": "lead", "variable": "Use of crm", "stableKey": "crm-west", "reason": "its own"},
    ]);
    let _syncer = env.syncer();
    env.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync]);
    until_stands(&env, "eu", "InSync");
    until_stands(&env, "west", "InSync");
    let bound = ".spec.connections[?(@.name==\"Use of crm\")].stableKey";
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "eu only");
    assert_eq!(field(&env.eu, "integration/lead", bound), "crm");
    assert_eq!(field(&west, "integration/lead", bound), "crm-west");
    assert_eq!(field(&west, "connection/crm-west", SCOPES), "of west");
    assert_eq!(field(&west, "connection/crm-west", WROTE), "", "what a sync only binds to is not its own");
    // Nothing uses crm in west: it is not carried there.
    assert_eq!(kubectl(&west, &["get", "connections", "-o", "name"]), "connection.stablekey.dev/crm-west\n");
    // Of another variable: bound to what the target has under that key.
    apply(&env.eu, &[connection("erp", "of eu")]);
    env.in_us(&[connection("erp", "of us"), integration("other", &["erp"])]);
    until_field(&env.eu, "integration/other", ".spec.connections[0].stableKey", "erp");
    until_stands(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, "connection/erp", SCOPES), "of eu");
}

#[test]
fn what_a_target_lacks_blocks_what_needs_it_and_nothing_else() {
    let env = TestEnv::new("lacks");
    let mut sync = sync("Apply");
    sync["spec"]["connections"] = json!("Match");
    env.in_eu(&[connection("crm", "of eu")]);
    let _syncer = env.syncer();
    env.in_us(&[
        connection("crm", "api"),
        connection("erp", "api"),
        integration("lead", &["crm"]),
        integration("billing", &["erp"]),
        sync,
    ]);
    until_stands(&env, "eu", "Blocked");
    assert!(field(&env.us, SYNC, &of_target("eu", "blocked")).contains("Integration/billing: SK0101"));
    assert_eq!(kubectl(&env.eu, &["get", "integrations", "-o", "name"]), "integration.stablekey.dev/lead\n");
    env.in_eu(&[connection("erp", "of eu")]);
    until_stands(&env, "eu", "InSync");
    assert_eq!(kubectl(&env.eu, &["get", "integrations", "-o", "name"]).lines().count(), 2);
}
