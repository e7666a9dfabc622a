//! "Definitions are compared as values."

use crate::edges::files::*;
use sha2::{Digest, Sha256};

const FILE: &str = "definition: {file: greet.definition}\n";

fn hex(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the platform gives back of a definition.
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

/// Case 09: "no difference (key order, injected empty defaults)", and what comes next is a change, not drift.
#[test]
fn what_a_platform_gives_back_is_no_difference() {
    let root = applied().with("prod/integrations/greet.definition", &read_back("1"));
    root.plan().exits(0).says("Nothing to do");
    root.run(&["status"]).says("in sync");
    let step = "      - {name: T, action: {key: runCode, component: {key: code, isPublic: true}}}\n";
    let newer = format!("{}{step}", definition("greet", "7", "chat-main"));
    let root = root.with("dev/integrations/greet.definition", &newer);
    root.plan().exits(2).says("~ update").says("+ step F › T (code/runCode)");
    for (form, says) in [("json", "+ step F › T (code/runCode)"), ("markdown", "+ step F › T (code/runCode)")] {
        root.run(&["plan", "-o", form]).says(says);
    }
    root.run(&["apply", "--yes"]).exits(0).says("no action is left");
}

/// "the component's version as a difference of its own".
#[test]
fn the_version_of_a_component_is_said_to_be_one() {
    let root = applied().with("prod/integrations/greet.definition", &read_back("2"));
    root.plan().exits(3).says("drifted").says("~ step F › S (chat/x): version of a component");
}

/// "The records of today go on fitting": of the bytes of a definition.
#[test]
fn a_record_of_a_definitions_bytes_fits() {
    let root = applied();
    let lock = root.read("prod/stablekey.lock");
    let at = lock.find(" definition=").unwrap() + " definition=".len();
    let (hash, bytes) = (lock[at..at + 16].to_string(), root.read("prod/integrations/greet.definition"));
    let older = hex(&format!("{{\"sha256\":\"{}\"}}", hex(&bytes)))[..16].to_string();
    assert_ne!(hash, older);
    let root = root.edit("prod/stablekey.lock", &hash, &older);
    root.plan().exits(0).says("Nothing to do");
    let root = root.edit("dev/integrations/greet.definition", "name: S,", "name: Begin,");
    root.plan().exits(2).says("~ update").says("- step F › S (chat/x)").says("+ step F › Begin (chat/x)");
}

/// "component versions are one that a sync can leave out (`ignoreComponentVersions`)".
#[test]
fn a_sync_can_leave_versions_of_components_out() {
    let mirror = "connections: Mirror";
    let root = applied().edit("syncs.yaml", mirror, "connections: Mirror, ignoreComponentVersions: true");
    root.run(&["apply", "--yes"]).exits(0);
    let root = root.with("prod/integrations/greet.definition", &read_back("2"));
    root.plan().exits(0).says("Nothing to do");
    let newer = definition("greet", "7", "chat-main").replace("name: S,", "name: Begin,");
    let root = root.with("dev/integrations/greet.definition", &newer);
    root.plan().exits(2).says("~ update").says("+ step F › Begin (chat/x)");
    root.run(&["apply", "--yes"]).exits(0).says("no action is left");
    // Taken out again, a version is a difference again.
    let root = root.edit("syncs.yaml", ", ignoreComponentVersions: true", "");
    root.plan().exits(0);
    root.edit("dev/integrations/greet.definition", "version: 1", "version: 3")
        .plan()
        .exits(2)
        .says("version of a component");
}

/// Case 10: "emptied inputs stay on the manual list until filled, and `export` names them".
#[test]
fn what_import_emptied_stays_on_the_list() {
    let own = "  - key: Chat\n    dataType: connection\n    connection: {key: oauth2, component: {key: chat, isPublic: true}}\n    \
               inputs: {clientSecret: {type: value, value: CANARY-1234, meta: {orgOnly: true}}}\n";
    let text =
        definition("greet", "7", "x").replace("  - {key: Chat, dataType: connection, useScopedConfigVar: x}\n", own);
    let root = Project::empty().with("exported/greet.yml", &text);
    root.run(&["import", "--root", "ours", "--tenant", "us", "exported/greet.yml"]).exits(0).does_not_say("CANARY");
    let says = "fill in on the platform, once it is imported there: connection \"Chat\", input clientSecret";
    root.run(&["status", "ours", "--todo"]).says(says);
    let exported = root.run(&["export", "--root", "ours", "us", "greet"]);
    exported.exits(0).says("input clientSecret").does_not_say("CANARY");
    // Bound to a reusable connection it has nothing to fill in.
    let file = "ours/us/integrations/greet.yaml";
    let bound = root.read(file);
    let at = bound.find("    own:").unwrap();
    let end = bound.find("  definition:").unwrap();
    root.write(file, &format!("{}    stableKey: chat-main\n{}", &bound[..at], &bound[end..]));
    root.write("ours/us/connections/chat-main.yaml", &connection("chat-main"));
    root.run(&["export", "--root", "ours", "us", "greet"]).exits(0).does_not_say("input clientSecret");
    root.run(&["status", "ours", "--todo"]).does_not_say("input clientSecret");
}

/// "… never two hashes alone": of what is the tenant's own, and of what an override leaves alone, too.
#[test]
fn what_of_a_definition_stays_is_said() {
    let keep =
        "overrides: [{tenant: prod, object: Integration/greet, field: definition, keep: true, reason: pilot}]}\n";
    let newer = definition("greet", "7", "chat-main").replace("name: S,", "name: T,");
    let kept = applied()
        .edit("syncs.yaml", "prune: true}\n", &format!("prune: true, {keep}"))
        .with("dev/integrations/greet.definition", &newer);
    // The same of both is no difference.
    applied().edit("syncs.yaml", "prune: true}\n", &format!("prune: true, {keep}")).plan().does_not_say("overridden");
    for (form, says) in [("text", "+ step F › T (chat/x)"), ("json", "+ step F › T"), ("markdown", "+ step F › T")]
    {
        kept.run(&["plan", "-o", form]).exits(0).says(says);
    }
    let own = two_tenants()
        .with("prod/integrations/greet.yaml", &integration("greet", "chat-main", &format!("  {FILE}")))
        .with("prod/integrations/greet.definition", &definition("greet", "7", "chat-main"))
        .edit("dev/integrations/greet.yaml", "spec:\n", &format!("spec:\n  {FILE}"))
        .with("dev/integrations/greet.definition", &newer);
    own.plan().says("· kept Integration/greet").says("+ step F › T (chat/x)");
}
