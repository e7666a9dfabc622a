//! What an edit says about the plan: worse, fixed, and what the next apply does more.

use crate::edges::files::*;
use serde_json::Value;

const DEV: &str = "dev/connections/chat-main.yaml";
const PROD: &str = "prod/connections/chat-main.yaml";

/// "An edit that makes the plan worse says so and needs --force": also where a warning says that what was complete is
/// not any more.
#[test]
fn what_was_complete_and_is_not_any_more_is_worse() {
    let root = two_tenants();
    let unset = ["set", "chat-main", "--unset", "baseUrl", "--yes"];
    let said = root.run(&unset);
    said.exits(1).prints("SK0105").prints("the plan becomes worse").prints("--force");
    assert!(root.read(DEV).contains("baseUrl"));
    root.run(&[unset.as_slice(), &["--force"]].concat()).exits(0).prints("Worse:");
    // What is incomplete already does not become worse, and giving the input again fixes it.
    root.run(&["set", "chat-main", "--title", "Team", "--yes"]).exits(0);
    root.run(&["set", "chat-main", "baseUrl=https://chat.example", "--yes"]).exits(0).prints("Fixed:");
}

/// Drift that an error hid was there before: whoever ends the error makes nothing worse.
#[test]
fn drift_that_comes_to_light_is_not_worse() {
    let sync = Sync::new("up", "dev", "prod").mirror().overriding_input("prod", "chat-alt", "scopes", "all").yaml();
    let root = two_tenants().with("dev/integrations/other.yaml", &integration("other", "chat-main", "")).apply();
    let root = root.edit(PROD, "value: read", "value: write");
    root.plan().exits(3).prints("inputs.scopes");
    // An override that matches nothing stops the sync, so that nothing is compared.
    let root = root.with("dev/connections/chat-alt.yaml", &connection("chat-alt")).with("syncs.yaml", &sync);
    root.plan().exits(1).prints("SK0122").does_not_print("inputs.scopes");
    let switch = ["switch", "dev", "greet", "--from", "chat-main", "--to", "chat-alt", "--yes"];
    root.run(&switch).exits(0).does_not_print("Worse:").prints("Fixed:");
    root.plan().exits(3).prints("inputs.scopes");
}

/// The next apply is in front of whoever confirms the edit: the objects and fields, in each tenant.
#[test]
fn the_actions_that_the_edit_adds_are_named() {
    let root = synced();
    let set = ["set", "chat-main", "scopes=all", "--dry-run"];
    root.run(&set).exits(0).prints("The next apply does:\n  update prod/Connection/chat-main  inputs.scopes\n");
    let json: Value = serde_json::from_str(&root.run(&[set.as_slice(), &["-o", "json"]].concat()).out).unwrap();
    assert_eq!(json["actions"], serde_json::json!(["prod/Connection/chat-main"]));
    // What waited before is no consequence.
    let root = root.edit(DEV, "title: Chat", "title: Other");
    let said = root.run(&["set", "--tenant", "dev", "chat-main", "--embedded", "on", "--dry-run"]);
    said.exits(0).prints("update prod/Connection/chat-main  ").prints("embeddedWorkflows");
}

/// Who reads JSON sees what keeps an edit from being written.
#[test]
fn an_edit_that_is_refused_is_json_too() {
    let root = two_tenants();
    let before = root.files(".");
    let worse = root.run(&["set", "chat-main", "--unset", "baseUrl", "--yes", "-o", "json"]);
    let json: Value = serde_json::from_str(&worse.exits(1).out).unwrap();
    assert_eq!(json["written"], false);
    assert!(json["worse"].to_string().contains("SK0105"), "{json}");
    // Without a terminal and without --yes nothing is written either.
    let unasked = root.run(&["set", "chat-main", "scopes=all", "-o", "json"]);
    let json: Value = serde_json::from_str(&unasked.exits(1).out).unwrap();
    assert_eq!((&json["written"], json["files"].as_array().unwrap().len()), (&Value::Bool(false), 1));
    assert_eq!(root.files("."), before);
}
