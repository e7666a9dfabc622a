//! What a sync carries: definitions, bindings by stable key, overrides.

use super::stage::*;
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
    let stage = Stage::new("definitions");
    let _syncer = stage.syncer();
    stage.in_us(&[
        definition("lead-v1", "lead", "crm", "first"),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        sync("Apply"),
    ]);
    until_stands(&stage, "eu", "InSync");
    let map = |stage: &Stage| field(&stage.eu, "integration/lead", ".spec.definition.configMap.name");
    let text = |stage: &Stage, map: &str| field(&stage.eu, &format!("configmap/{map}"), ".data.definition");
    let first = map(&stage);
    assert_eq!(text(&stage, &first), field(&stage.us, "configmap/lead-v1", ".data.definition"));
    let mark = stage.eu.cluster().mark().unwrap();
    stage.in_us(&[definition("lead-v2", "lead", "crm", "second"), defined("lead", &["crm"], "lead-v2")]);
    crate::replica::until("the new one is named", || map(&stage) != first);
    until_stands(&stage, "eu", "InSync");
    assert_eq!(text(&stage, &map(&stage)), field(&stage.us, "configmap/lead-v2", ".data.definition"));
    // Once each, in this order.
    let writes = written(&stage.eu, mark);
    assert_eq!(writes.len(), 2, "{writes:?}");
    assert!(writes[0].contains("configmaps/") && writes[1].contains("integrations/lead"), "{writes:?}");
}

/// Somebody puts something of his own where a definition will be, or takes it away.
#[test]
fn a_definition_is_what_it_is_named_by_or_the_integration_waits() {
    let stage = Stage::new("preempted");
    let mut syncer = stage.syncer();
    stage.in_us(&[
        definition("lead-v1", "lead", "crm", "first"),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        sync("Plan"),
    ]);
    until_stands(&stage, "eu", "AwaitingApproval");
    syncer.signal("-TERM");
    syncer.end();
    let text = field(&stage.us, "configmap/lead-v1", ".data.definition");
    let digest = stablekey::tenant::directory::definition_digest(text.as_bytes());
    let name = format!("lead-{}", &digest[..16]);
    stage.in_eu(&[
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"definition": "theirs"}}),
    ]);
    stage.in_us(&[sync("Apply")]);
    let _syncer = stage.syncer();
    until_stands(&stage, "eu", "Failed");
    let message = field(&stage.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains(&name) && message.contains("holds something else"), "{message}");
    assert_eq!(field(&stage.eu, "integration/lead", ".metadata.name"), "");
    kubectl(&stage.eu, &["delete", "configmap", &name]);
    until_stands(&stage, "eu", "InSync");
    assert_eq!(field(&stage.eu, &format!("configmap/{name}"), ".data.definition"), text);
    // "Made again, as objects are", whatever drift says.
    kubectl(&stage.eu, &["delete", "configmap", &name]);
    until_field(&stage.eu, &format!("configmap/{name}"), ".data.definition", &text);
    until_stands(&stage, "eu", "InSync");
}

/// A larger one than a cluster is given waits until it is another; what else changes does not wait.
#[test]
fn a_definition_that_is_too_large_holds_back_only_its_integration() {
    let stage = Stage::new("too-large");
    let _syncer = stage.syncer();
    let words = "x".repeat(905_000);
    stage.in_us(&[
        definition("lead-v1", "lead", "crm", &words),
        connection("crm", "api"),
        defined("lead", &["crm"], "lead-v1"),
        integration("other", &["crm"]),
        sync("Apply"),
    ]);
    until_stands(&stage, "eu", "Failed");
    let message = field(&stage.us, SYNC, &of_target("eu", "message"));
    assert!(message.contains("Integration/lead: its definition is 905"), "{message}");
    assert!(message.contains("bytes, and eu takes at most 900000"), "{message}");
    until_field(&stage.eu, "integration/other", ".metadata.name", "other");
    assert_eq!(field(&stage.eu, "integration/lead", ".metadata.name"), "");
    stage.in_us(&[connection("crm", "api refresh_token")]);
    until_field(&stage.eu, "connection/crm", SCOPES, "api refresh_token");
    stage.in_us(&[definition("lead-v1", "lead", "crm", "shorter")]);
    until_stands(&stage, "eu", "InSync");
    until_field(&stage.eu, "integration/lead", ".metadata.name", "lead");
}

/// What cannot be read is brought nowhere, and a target is not made to name it.
#[test]
fn an_integration_waits_for_a_definition_that_cannot_be_read() {
    let stage = Stage::new("unread");
    let _syncer = stage.syncer();
    let mut broken = definition("lead-v1", "lead", "crm", "first");
    broken["data"]["definition"] = json!("definitionVersion: 7\nname: lead\n");
    stage.in_us(&[broken, connection("crm", "api"), defined("lead", &["crm"], "lead-v1"), sync("Apply")]);
    until_stands(&stage, "eu", "Blocked");
    let said = field(&stage.us, SYNC, &of_target("eu", "blocked"));
    assert!(said.contains("SK0145") && said.contains("ConfigMap lead-v1"), "{said}");
    assert_eq!(field(&stage.eu, "integration/lead", ".metadata.name"), "");
    stage.in_us(&[definition("lead-v1", "lead", "crm", "fixed")]);
    until_stands(&stage, "eu", "InSync");
    assert!(field(&stage.eu, "integration/lead", ".spec.definition.configMap.name").starts_with("lead-"));
}

#[test]
fn an_integration_is_bound_again_by_stable_key_and_overrides_hold_for_one_target() {
    let stage = Stage::new("overrides");
    let west = stage.target("west", stablekey_clusters::shared("eu"));
    apply(&west, &[connection("crm-west", "of west")]);
    let mut sync = sync_to(&["eu", "west"], "Apply");
    sync["spec"]["overrides"] = json!([
        {"tenant": "eu", "stableKey": "crm", "input": "scopes", "value": "eu only", "reason": "EU org"},
        {"tenant": "west", "integration": "lead", "variable": "Use of crm", "stableKey": "crm-west", "reason": "its own"},
    ]);
    let _syncer = stage.syncer();
    stage.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync]);
    until_stands(&stage, "eu", "InSync");
    until_stands(&stage, "west", "InSync");
    let bound = ".spec.connections[?(@.name==\"Use of crm\")].stableKey";
    assert_eq!(field(&stage.eu, "connection/crm", SCOPES), "eu only");
    assert_eq!(field(&stage.eu, "integration/lead", bound), "crm");
    assert_eq!(field(&west, "integration/lead", bound), "crm-west");
    assert_eq!(field(&west, "connection/crm-west", SCOPES), "of west");
    assert_eq!(field(&west, "connection/crm-west", WROTE), "", "what a sync only binds to is not its own");
    // Nothing uses crm in west: it is not carried there.
    assert_eq!(kubectl(&west, &["get", "connections", "-o", "name"]), "connection.stablekey.dev/crm-west\n");
    // Of another variable: bound to what the target has under that key.
    apply(&stage.eu, &[connection("erp", "of eu")]);
    stage.in_us(&[connection("erp", "of us"), integration("other", &["erp"])]);
    until_field(&stage.eu, "integration/other", ".spec.connections[0].stableKey", "erp");
    until_stands(&stage, "eu", "InSync");
    assert_eq!(field(&stage.eu, "connection/erp", SCOPES), "of eu");
}

#[test]
fn what_a_target_lacks_blocks_what_needs_it_and_nothing_else() {
    let stage = Stage::new("lacks");
    let mut sync = sync("Apply");
    sync["spec"]["connections"] = json!("Match");
    stage.in_eu(&[connection("crm", "of eu")]);
    let _syncer = stage.syncer();
    stage.in_us(&[
        connection("crm", "api"),
        connection("erp", "api"),
        integration("lead", &["crm"]),
        integration("billing", &["erp"]),
        sync,
    ]);
    until_stands(&stage, "eu", "Blocked");
    assert!(field(&stage.us, SYNC, &of_target("eu", "blocked")).contains("Integration/billing: SK0101"));
    assert_eq!(kubectl(&stage.eu, &["get", "integrations", "-o", "name"]), "integration.stablekey.dev/lead\n");
    stage.in_eu(&[connection("erp", "of eu")]);
    until_stands(&stage, "eu", "InSync");
    assert_eq!(kubectl(&stage.eu, &["get", "integrations", "-o", "name"]).lines().count(), 2);
}
