//! What a sync copies: definitions, bindings by stable key, overrides.

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
fn a_definition_is_copied_before_it_is_named() {
    let env = TestEnv::new("definitions");
    let _syncer = env.syncer();
    env.in_us(&[
        definition("lead-v1", "lead", "crm", "first"),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        sync("Apply"),
    ]);
    until_target_state(&env, "eu", "InSync");
    let map = |env: &TestEnv| field(&env.eu, "integration/lead", ".spec.definition.configMap.name");
    let text = |env: &TestEnv, map: &str| field(&env.eu, &format!("configmap/{map}"), ".data.definition");
    let first = map(&env);
    assert_eq!(text(&env, &first), field(&env.us, "configmap/lead-v1", ".data.definition"));
    let mark = env.eu.cluster().mark().unwrap();
    env.in_us(&[definition("lead-v2", "lead", "crm", "second"), defined("lead", &["crm"], "lead-v2")]);
    stablekey_testing::replica::until("the new one is named", || map(&env) != first);
    until_target_state(&env, "eu", "InSync");
    assert_eq!(text(&env, &map(&env)), field(&env.us, "configmap/lead-v2", ".data.definition"));
    // Once each, in this order.
    let writes = written(&env.eu, mark);
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].contains("configmaps/") && writes[1].contains("integrations/lead"), "{writes:?}");
}

/// Somebody creates an object with the name of a definition, or deletes the definition.
#[test]
fn an_integration_waits_until_its_definition_has_the_named_digest() {
    let env = TestEnv::new("preempted");
    let mut syncer = env.syncer();
    env.in_us(&[
        definition("lead-v1", "lead", "crm", "first"),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        sync("Plan"),
    ]);
    until_target_state(&env, "eu", "AwaitingApproval");
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
    until_target_state(&env, "eu", "Failed");
    let message = field(&env.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains(&name) && message.contains("holds something else"), "{message}");
    assert_eq!(field(&env.eu, "integration/lead", ".metadata.name"), "");
    kubectl(&env.eu, &["delete", "configmap", &name]);
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, &format!("configmap/{name}"), ".data.definition"), text);
    // A deleted definition is created again, whatever the drift policy.
    kubectl(&env.eu, &["delete", "configmap", &name]);
    until_field(&env.eu, &format!("configmap/{name}"), ".data.definition", &text);
    until_target_state(&env, "eu", "InSync");
}

/// A definition that is too large for a cluster blocks until it changes; other changes continue.
#[test]
fn a_definition_that_is_too_large_blocks_only_its_integration() {
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
    until_target_state(&env, "eu", "Failed");
    let message = field(&env.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains("Integration/lead: its definition is 905"), "{message}");
    assert!(message.contains("bytes, and eu takes at most 900000"), "{message}");
    until_field(&env.eu, "integration/other", ".metadata.name", "other");
    assert_eq!(field(&env.eu, "integration/lead", ".metadata.name"), "");
    env.in_us(&[connection("crm", "api refresh_token")]);
    until_field(&env.eu, "connection/crm", SCOPES, "api refresh_token");
    env.in_us(&[definition("lead-v1", "lead", "crm", "shorter")]);
    until_target_state(&env, "eu", "InSync");
    until_field(&env.eu, "integration/lead", ".metadata.name", "lead");
}

/// A definition that cannot be read is not copied, and no target is made to name it.
#[test]
fn an_integration_waits_for_a_definition_that_cannot_be_read() {
    let env = TestEnv::new("unread");
    let _syncer = env.syncer();
    let mut broken = definition("lead-v1", "lead", "crm", "first");
    broken["data"]["definition"] = json!("definitionVersion: 7\nname: lead\n");
    env.in_us(&[broken, connection("crm", "api"), defined("lead", &["crm"], "lead-v1"), sync("Apply")]);
    until_target_state(&env, "eu", "Blocked");
    let said = field(&env.us, SYNC, &of_target("eu", "blocked"));
    assert!(said.contains("SK0145") && said.contains("ConfigMap lead-v1"), "{said}");
    assert_eq!(field(&env.eu, "integration/lead", ".metadata.name"), "");
    env.in_us(&[definition("lead-v1", "lead", "crm", "fixed")]);
    until_target_state(&env, "eu", "InSync");
    assert!(field(&env.eu, "integration/lead", ".spec.definition.configMap.name").starts_with("lead-"));
}

#[test]
fn an_integration_is_bound_by_stable_key_and_overrides_apply_to_one_target() {
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
    until_target_state(&env, "eu", "InSync");
    until_target_state(&env, "west", "InSync");
    let bound = ".spec.connections[?(@.name==\"Use of crm\")].stableKey";
    assert_eq!(field(&env.eu, "connection/crm", SCOPES), "eu only");
    assert_eq!(field(&env.eu, "integration/lead", bound), "crm");
    assert_eq!(field(&west, "integration/lead", bound), "crm-west");
    assert_eq!(field(&west, "connection/crm-west", SCOPES), "of west");
    assert_eq!(field(&west, "connection/crm-west", WROTE), "", "what a sync only binds to is not its own");
    // Nothing uses crm in west: it is not copied there.
    assert_eq!(kubectl(&west, &["get", "connections", "-o", "name"]), "connection.stablekey.dev/crm-west\n");
    // For another variable: bound to the target's own connection of that key.
    apply(&env.eu, &[connection("erp", "of eu")]);
    env.in_us(&[connection("erp", "of us"), integration("other", &["erp"])]);
    until_field(&env.eu, "integration/other", ".spec.connections[0].stableKey", "erp");
    until_target_state(&env, "eu", "InSync");
    assert_eq!(field(&env.eu, "connection/erp", SCOPES), "of eu");
}

#[test]
fn a_missing_object_blocks_only_what_needs_it() {
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
    until_target_state(&env, "eu", "Blocked");
    assert!(field(&env.us, SYNC, &of_target("eu", "blocked")).contains("Integration/billing: SK0101"));
    assert_eq!(kubectl(&env.eu, &["get", "integrations", "-o", "name"]), "integration.stablekey.dev/lead\n");
    env.in_eu(&[connection("erp", "of eu")]);
    until_target_state(&env, "eu", "InSync");
    assert_eq!(kubectl(&env.eu, &["get", "integrations", "-o", "name"]).lines().count(), 2);
}
