//! `plan --from --to`: what a change does, told apart from what was there before.

use super::{applied, chat};
use serde_json::Value;
use stablekey_testing::objects::{Document as _, Integration};
use stablekey_testing::work_tree::WorkTree;

fn json(tree: &WorkTree, arguments: &[&str]) -> Value {
    let output = tree.stablekey(&[&["plan", "-o", "json"], arguments].concat());
    serde_json::from_str(&output.out).unwrap_or_else(|error| panic!("{error}: {}", output.all))
}

#[test]
fn a_change_of_a_source_is_an_update_of_its_targets() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("rename");
    // What lies on disk is not what is planned.
    tree.write("dev/chat.yaml", "broken: [");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert_eq!(output.code, 2, "{}", output.all);
    let change = json(&tree, &["--from", "main", "--to", "change"]);
    assert_eq!(change["folders"][0]["tenant"], "dev");
    assert_eq!(change["folders"][0]["changes"][0]["object"], "Connection/chat");
    let actions = change.pointer("/added/targets").unwrap().as_array().unwrap();
    let of: Vec<&str> =
        actions.iter().flat_map(|t| t["actions"].as_array().unwrap()).map(|a| a["id"].as_str().unwrap()).collect();
    assert_eq!(of, ["prod/Connection/chat"]);
    assert_eq!(change["exit"], 2);
    tree.git(&["checkout", "--quiet", "."]);
    assert_eq!(tree.stablekey(&["plan", "--from", "main", "--to", "main"]).code, 0);
    // Without --to, the files on disk count.
    tree.write("dev/chat.yaml", &chat("chat.example", "On disk"));
    let change = json(&tree, &["--from", "change"]);
    assert_eq!(change["folders"][0]["changes"][0]["fields"][0]["to"], "On disk");
}

#[test]
fn what_was_there_before_is_told_apart_and_gates_nothing() {
    let tree = applied();
    // The base has a binding that leads nowhere, and something to apply.
    tree.write("dev/lost.yaml", &Integration::new("lost").title("lost").binds("Nowhere", "nowhere").yaml());
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("base");
    tree.branch("change");
    tree.write("dev/notes.yaml", &Integration::new("notes").title("notes").binds("Chat", "chat").yaml());
    tree.commit("change");
    let change = json(&tree, &["--from", "main", "--to", "HEAD"]);
    assert_eq!(change["exit"], 2, "{change}");
    let ids = |part: &str| {
        let targets = change[part]["targets"].as_array().unwrap();
        let actions = targets.iter().flat_map(|target| target["actions"].as_array().unwrap());
        actions.map(|action| action["id"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids("added"), ["prod/Integration/notes"]);
    assert_eq!(ids("already"), ["prod/Connection/chat"]);
    assert_eq!(change["already"]["exit"], 3);
    assert_eq!(tree.stablekey(&["ci", "plan", "--base", "main"]).code, 0);
    // A change that adds the same kind of fault is told from the one that was there.
    tree.write("dev/more.yaml", &Integration::new("more").title("more").binds("Nowhere", "nowhere").yaml());
    tree.commit("worse");
    assert_eq!(tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]).code, 3);
    assert_eq!(tree.stablekey(&["ci", "plan", "--base", "main"]).code, 3);
}

#[test]
fn a_secret_that_would_go_to_another_host_is_named() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", &chat("evil.example", "Chat"));
    tree.commit("move");
    let change = json(&tree, &["--from", "main", "--to", "HEAD"]);
    let redirect = change.pointer("/folders/0/changes/0/redirect").unwrap().as_str().unwrap();
    assert!(redirect.contains("evil.example"), "{redirect}");
    assert_eq!(change.pointer("/added/counts/needsApproval").unwrap(), 1);
    let markdown = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    assert!(markdown.contains("Stablekey-Approve: sha256:"), "{markdown}");
    assert!(markdown.trim_end().lines().last().unwrap().contains("approval"), "{markdown}");
}

#[test]
fn what_decides_who_may_write_is_shown_first() {
    let tree = applied();
    tree.branch("change");
    let tenants = tree.read("tenants.yaml");
    tree.write("tenants.yaml", &tenants.replace("acceptFrom:", "suspend: true\n  acceptFrom:"));
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("policy");
    let markdown = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    let at = |text: &str| markdown.find(text).unwrap_or_else(|| panic!("{text}: {markdown}"));
    assert!(at("Tenant/prod** suspend") < at("<details"), "{markdown}");
}

/// Unread is unknown, never empty.
#[test]
fn a_file_that_cannot_be_read_is_no_removal() {
    let tree = applied();
    tree.branch("change");
    tree.write("dev/chat.yaml", "kind: Connection\nspec: [");
    tree.commit("broken");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]);
    assert_eq!(output.code, 1);
    let change: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(change.pointer("/folders/0/changes").unwrap(), &Value::Array(Vec::new()), "{change}");
    assert!(change.pointer("/folders/0/unknown").unwrap().as_str().unwrap().contains("dev/chat.yaml"));
    assert!(output.err.contains("dev/chat.yaml:2"), "{}", output.err);
    // A document that is invalid is unknown as well.
    tree.write("dev/chat.yaml", &chat("chat.example", "Chat").replace("oauth2", "oauth2\n  unheardOf: 1"));
    tree.commit("invalid");
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert_eq!(output.code, 1);
    assert!(!output.out.contains("- delete"), "{}", output.out);
}

#[test]
fn a_tenant_that_is_new_or_gone_is_a_change_of_settings() {
    let tree = applied();
    tree.branch("change");
    tree.git(&["rm", "--quiet", "-r", "tenants.yaml"]);
    tree.git(&["commit", "--quiet", "--message", "gone"]);
    let output = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD"]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.err.contains("no Tenant"), "{}", output.err);
    // The other way round the project begins.
    let change = json(&tree, &["--from", "HEAD", "--to", "main"]);
    let settings = change["settings"].as_array().unwrap();
    assert_eq!(settings.iter().filter(|one| one["path"] == "").count(), 3, "{settings:?}");
    assert_eq!(settings[0]["object"], "Tenant/dev");
}
