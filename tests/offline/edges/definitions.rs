//! Definitions are compared as values.

use crate::edges::files::*;
use sha2::{Digest, Sha256};

const FILE: &str = "definition: {file: greet.definition}\n";

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns a definition as the platform returns it.
fn read_back(version: &str) -> String {
    format!(
        "definitionVersion: 7\ndocumentation: ''\nendpointType: flow_specific\nflows:\n- name: F\n  steps:\n  - action:\n      \
         component:\n        isPublic: true\n        key: chat\n        version: {version}\n      key: x\n    inputs:\n      \
         connection:\n        type: configVar\n        value: Chat\n    isTrigger: true\n    name: S\nname: greet\n\
         requiredConfigVars:\n- dataType: connection\n  key: Chat\n  useScopedConfigVar: chat-main\n"
    )
}

fn applied() -> Project {
    two_tenants()
        .edit("dev/integrations/greet.yaml", "spec:\n", &format!("spec:\n  {FILE}"))
        .with("dev/integrations/greet.definition", &definition("greet", "7", "chat-main"))
        .apply()
}

/// Key order and injected empty defaults are not a difference, and a later change is a change, not drift.
#[test]
fn a_definition_returned_by_the_platform_is_equal() {
    let root = applied().with("prod/integrations/greet.definition", &read_back("1"));
    root.plan().exits(0).prints("Nothing to do");
    root.run(&["status"]).prints("in sync");
    let step = "      - {name: T, action: {key: runCode, component: {key: code, isPublic: true}}}\n";
    let newer = format!("{}{step}", definition("greet", "7", "chat-main"));
    let root = root.with("dev/integrations/greet.definition", &newer);
    root.plan().exits(2).prints("~ update").prints("+ step F › T (code/runCode)");
    for (form, says) in [("json", "+ step F › T (code/runCode)"), ("markdown", "+ step F › T (code/runCode)")] {
        root.run(&["plan", "-o", form]).prints(says);
    }
    root.run(&["apply", "--yes"]).exits(0).prints("no action is left");
}

/// The version of a component is reported as a difference of its own.
#[test]
fn a_component_version_is_a_difference_of_its_own() {
    let root = applied().with("prod/integrations/greet.definition", &read_back("2"));
    root.plan().exits(3).prints("drifted").prints("~ step F › S (chat/x): version of a component");
}

/// A record with the hash of a definition's bytes is still valid.
#[test]
fn a_record_of_a_definitions_bytes_is_valid() {
    let root = applied();
    let lock = root.read("prod/stablekey.lock");
    let at = lock.find(" definition=").unwrap() + " definition=".len();
    let (hash, bytes) = (lock[at..at + 16].to_string(), root.read("prod/integrations/greet.definition"));
    let older = hex(&format!("{{\"sha256\":\"{}\"}}", hex(&bytes)))[..16].to_string();
    assert_ne!(hash, older);
    let root = root.edit("prod/stablekey.lock", &hash, &older);
    root.plan().exits(0).prints("Nothing to do");
    let root = root.edit("dev/integrations/greet.definition", "name: S,", "name: Begin,");
    root.plan().exits(2).prints("~ update").prints("- step F › S (chat/x)").prints("+ step F › Begin (chat/x)");
}

/// A sync can ignore component versions (`ignoreComponentVersions`).
#[test]
fn a_sync_can_ignore_component_versions() {
    let mirror = "connections: Mirror";
    let root = applied().edit("syncs.yaml", mirror, "connections: Mirror, ignoreComponentVersions: true");
    root.run(&["apply", "--yes"]).exits(0);
    let root = root.with("prod/integrations/greet.definition", &read_back("2"));
    root.plan().exits(0).prints("Nothing to do");
    let newer = definition("greet", "7", "chat-main").replace("name: S,", "name: Begin,");
    let root = root.with("dev/integrations/greet.definition", &newer);
    root.plan().exits(2).prints("~ update").prints("+ step F › Begin (chat/x)");
    root.run(&["apply", "--yes"]).exits(0).prints("no action is left");
    // Without the option, a version is a difference again.
    let root = root.edit("syncs.yaml", ", ignoreComponentVersions: true", "");
    root.plan().exits(0);
    root.edit("dev/integrations/greet.definition", "version: 1", "version: 3")
        .plan()
        .exits(2)
        .prints("version of a component");
}

/// Emptied inputs are manual steps until they are filled, and `export` names them.
#[test]
fn emptied_inputs_are_manual_steps() {
    let own = "  - key: Chat\n    dataType: connection\n    connection: {key: oauth2, component: {key: chat, isPublic: true}}\n    \
               inputs: {clientSecret: {type: value, value: CANARY-1234, meta: {orgOnly: true}}}\n";
    let text =
        definition("greet", "7", "x").replace("  - {key: Chat, dataType: connection, useScopedConfigVar: x}\n", own);
    let root = Project::empty().with("exported/greet.yml", &text);
    root.run(&["import", "--root", "ours", "--tenant", "us", "exported/greet.yml"]).exits(0).does_not_print("CANARY");
    let says = "fill in on the platform, once it is imported there: connection \"Chat\", input clientSecret";
    root.run(&["status", "ours", "--todo"]).prints(says);
    let exported = root.run(&["export", "--root", "ours", "us", "greet"]);
    exported.exits(0).prints("input clientSecret").does_not_print("CANARY");
    // Bound to a reusable connection it has nothing to fill in.
    let file = "ours/us/integrations/greet.yaml";
    let bound = root.read(file);
    let at = bound.find("    own:").unwrap();
    let end = bound.find("  definition:").unwrap();
    root.write(file, &format!("{}    stableKey: chat-main\n{}", &bound[..at], &bound[end..]));
    root.write("ours/us/connections/chat-main.yaml", &connection("chat-main"));
    root.run(&["export", "--root", "ours", "us", "greet"]).exits(0).does_not_print("input clientSecret");
    root.run(&["status", "ours", "--todo"]).does_not_print("input clientSecret");
}

/// Kept and overridden parts of a definition are described, never shown as two hashes alone.
#[test]
fn kept_parts_of_a_definition_are_described() {
    let keep =
        "overrides: [{tenant: prod, object: Integration/greet, field: definition, keep: true, reason: pilot}]}\n";
    let newer = definition("greet", "7", "chat-main").replace("name: S,", "name: T,");
    let kept = applied()
        .edit("syncs.yaml", "prune: true}\n", &format!("prune: true, {keep}"))
        .with("dev/integrations/greet.definition", &newer);
    // Equal definitions are not a difference.
    applied().edit("syncs.yaml", "prune: true}\n", &format!("prune: true, {keep}")).plan().does_not_print("overridden");
    for (form, says) in [("text", "+ step F › T (chat/x)"), ("json", "+ step F › T"), ("markdown", "+ step F › T")]
    {
        kept.run(&["plan", "-o", form]).exits(0).prints(says);
    }
    let own = two_tenants()
        .with("prod/integrations/greet.yaml", &integration("greet", "chat-main", &format!("  {FILE}")))
        .with("prod/integrations/greet.definition", &definition("greet", "7", "chat-main"))
        .edit("dev/integrations/greet.yaml", "spec:\n", &format!("spec:\n  {FILE}"))
        .with("dev/integrations/greet.definition", &newer);
    own.plan().prints("· kept Integration/greet").prints("+ step F › T (chat/x)");
}
