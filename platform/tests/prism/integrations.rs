//! Definitions of integrations: exported, imported, validated and published.

use crate::prism::{Prism, integration, us};
use serde_json::{Value, json};
use stablekey_platform::Server;
use stablekey_platform::definition::Definition;
use stablekey_platform::store::Integration;

fn parsed(text: &str) -> Value {
    Definition::parse(text).unwrap().value
}

fn found(server: &Server, id: &str) -> Integration {
    server.read(|store| store.integration(id).unwrap().clone())
}

/// The definition of a draft as it was imported.
fn text(server: &Server, name: &str) -> String {
    found(server, &integration(server, name)).draft.text.clone()
}

fn export(server: &Server, name: &str) -> String {
    Prism::of(server).run(&["integrations:export", &integration(server, name)]).text()
}

#[test]
fn an_exported_definition_is_the_imported_one() {
    let server = us();
    for name in ["Order Sync", "Ticket Router"] {
        let imported = found(&server, &integration(&server, name)).draft.value.clone();
        assert_eq!(parsed(&export(&server, name)), imported, "{name}");
    }
}

#[test]
fn an_exported_definition_has_what_the_server_adds() {
    const SHORT: &str = "
definitionVersion: 7
name: Short
flows:
  - name: One
    steps:
      - name: Get
        action: {key: get, component: {key: http, isPublic: true, version: 12}}
";
    let server = us();
    let prism = Prism::of(&server);
    let id = prism.run(&["integrations:import", "--path", &prism.file("short.yaml", SHORT)]).text();
    let export = ["integrations:export", id.trim_end()];
    let mut expected = parsed(SHORT);
    expected["documentation"] = json!("");
    expected["endpointType"] = json!("flow_specific");
    assert_eq!(parsed(&prism.run(&export).text()), expected);

    *expected.pointer_mut("/flows/0/steps/0/action/component/version").unwrap() = json!("LATEST");
    assert_eq!(parsed(&prism.run(&[&export[..], &["--latest-components"]].concat()).text()), expected);
}

#[test]
fn an_exported_definition_is_imported() {
    let server = us();
    let prism = Prism::of(&server);
    let text = export(&server, "Order Sync").replace("\nname: Order Sync\n", "\nname: Copy\n");
    let file = prism.file("copy.yaml", &text);
    let id = prism.run(&["integrations:import", "--path", &file]).text();
    let copy = found(&server, id.trim_end());
    assert_eq!((&*copy.name, copy.draft.value == parsed(&text), copy.versions.len()), ("Copy", true, 0));

    // Into the integration that exists.
    let file = prism.file("changed.yaml", &text.replace("category: Sales\n", "category: Other\n"));
    let again = prism.run(&["integrations:import", "--path", &file, "--integrationId", id.trim_end()]).text();
    assert_eq!((&again, found(&server, id.trim_end()).category.as_deref()), (&id, Some("Other")));
    assert_eq!(server.read(|store| store.integrations.len()), 6);
}

#[test]
fn a_code_native_definition_replaces_a_low_code_one_when_asked() {
    let server = us();
    let prism = Prism::of(&server);
    let id = integration(&server, "Order Sync");
    let file = prism.file("code.yaml", &text(&server, "Ticket Router"));
    let import = ["integrations:import", "--path", &file, "--integrationId", &id];
    let refused = prism.run(&import);
    let (code, error) = refused.failure();
    assert!(code == 1 && error.contains("replace each other with \"replace\" only"), "{error}");
    assert!(!found(&server, &id).is_code_native);

    // It warns that the draft is lost.
    let replaced = prism.run(&[&import[..], &["--replace", "--no-confirm"]].concat());
    assert_eq!((replaced.code, replaced.output.trim_end()), (Some(0), &*id), "{replaced:?}");
    assert!(found(&server, &id).is_code_native);
}

#[test]
fn a_definition_with_an_unknown_stable_key_is_refused() {
    let server = us();
    let prism = Prism::of(&server);
    let file = prism.file("unknown.yaml", &text(&server, "Order Sync").replace("salesforce-crm", "nope"));
    let error = "Error: definition: Scoped config variable with stableKey 'nope' not found";
    assert_eq!(prism.run(&["integrations:import", "--path", &file]).failure(), (1, error));
    assert_eq!(server.read(|store| store.integrations.len()), 5);
}

#[test]
fn a_draft_is_published() {
    let server = us();
    let id = integration(&server, "Order Sync");
    let address = "https://git.example.invalid/order-sync";
    let commit = ["--commitHash", "5f0e6a5", "--repoUrl", address];
    let publish = [&["integrations:publish", &*id, "--comment", "Faster"][..], &commit].concat();
    let version = Prism::of(&server).run(&publish).text();
    let published = found(&server, &id).versions.pop().unwrap();
    assert_eq!((&*published.id, published.number), (version.trim_end(), 4));
    assert_eq!(published.comment.as_deref(), Some("Faster"));
    let attributes: Value = serde_json::from_str(published.attributes.as_deref().unwrap()).unwrap();
    assert_eq!((&attributes["commitHash"], &attributes["repoUrl"]), (&json!("5f0e6a5"), &json!(address)));
}

#[test]
fn the_form_of_a_definition_is_validated() {
    let server = us();
    let prism = Prism::of(&server);
    // Only an import verifies stable keys.
    let valid = prism.file("valid.yaml", &text(&server, "Order Sync").replace("salesforce-crm", "nope"));
    assert_eq!(prism.run(&["integrations:validate-yaml", &valid]).text(), "✓ Integration YAML is valid\n");
    let invalid = prism.file("invalid.yaml", "definitionVersion: 8\n");
    let error = "Error: Validation failed: definition: Unsupported definition version 8";
    assert_eq!(prism.run(&["integrations:validate-yaml", &invalid]).failure(), (1, error));
    assert_eq!(server.read(|store| store.integrations.len()), 5);
}
