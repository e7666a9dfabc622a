//! What was planned before a change and held back, and is free after it, counts as the change's own.

use super::{applied, chat};
use serde_json::Value;
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::work_tree::WorkTree;
use stablekey_testing::yaml;

/// Dev and prod, with a limit of changes in prod, and two changes of dev that wait for approval.
fn limited() -> WorkTree {
    let tree = applied();
    settings(&tree, |prod| prod.approval(1, 1));
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.write("dev/greet.yaml", &Integration::new("greet").title("Greetings").binds("Chat", "chat").yaml());
    tree.commit("many changes");
    tree.branch("change");
    tree
}

fn settings(tree: &WorkTree, change: impl FnOnce(Tenant) -> Tenant) {
    let prod = change(Tenant::new("prod").in_folder("prod").accepts("dev").allows_delete());
    let dev = Tenant::new("dev").in_folder("dev");
    let up = Sync::new("up", "dev", "prod").mirror().prune();
    tree.write("tenants.yaml", &yaml::file(&[dev.yaml(), prod.yaml(), up.yaml()]));
}

/// The objects that are released, and the text for people.
fn released(tree: &WorkTree) -> (Vec<String>, String) {
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]);
    let change: Value = serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}", output.all));
    let text = tree.stablekey(&["ci", "plan", "--base", "main"]);
    let actions = change["added"]["targets"].as_array().into_iter().flatten();
    let actions = actions.flat_map(|target| target["actions"].as_array().cloned().unwrap_or_default());
    (actions.map(|action| action["id"].as_str().unwrap().to_string()).collect(), text.all)
}

#[test]
fn what_needs_no_approval_any_more_is_done_because_of_the_change() {
    let tree = limited();
    settings(&tree, |prod| prod);
    tree.commit("no limit");
    let (added, text) = released(&tree);
    assert!(added.iter().any(|id| id.contains("Connection/chat")), "{added:?}\n{text}");
    assert!(text.contains("Waited before this change, and are released by it"), "{text}");
}

#[test]
fn a_tenant_that_is_suspended_no_more_is_written_because_of_the_change() {
    let tree = applied();
    settings(&tree, Tenant::suspended);
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("suspended");
    tree.branch("change");
    settings(&tree, |prod| prod);
    tree.commit("resumed");
    let (added, text) = released(&tree);
    assert!(added.iter().any(|id| id.contains("Connection/chat")), "{added:?}\n{text}");
    assert!(text.contains("Waited before this change, and is released by it: prod/Connection/chat"), "{text}");
}

/// What was held back twice, and is once now, is a part of what the change does, and is not released.
#[test]
fn what_still_needs_approval_is_not_called_released() {
    let tree = applied();
    settings(&tree, Tenant::suspended);
    tree.write("dev/chat.yaml", &chat("new.example", "Chat"));
    tree.commit("suspended");
    tree.branch("change");
    settings(&tree, |prod| prod);
    tree.commit("resumed");
    let (added, text) = released(&tree);
    assert!(added.iter().any(|id| id.contains("Connection/chat")), "{added:?}\n{text}");
    assert!(!text.contains("released by it"), "{text}");
}

/// What is as it was stays apart: it is not the change's.
#[test]
fn what_waits_before_and_after_is_none_of_the_change() {
    let tree = limited();
    tree.write("dev/more.yaml", &Connection::new("more", "chat/oauth2").yaml());
    tree.commit("more");
    let (added, text) = released(&tree);
    assert!(!added.iter().any(|id| id.contains("Connection/chat")), "{added:?}\n{text}");
    assert!(!text.contains("released by it"), "{text}");
}
