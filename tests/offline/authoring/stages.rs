//! The commands that edit files, where a sync has stages.

use crate::edges::files::*;

const STAGES: &str = "  stages:\n  - to: [dev-2]\n  - to: [us-prod, eu-prod]\n";

/// Returns what each tenant waits for, by its name.
fn waiting(root: &Project) -> Vec<(String, usize, usize)> {
    let plan = root.plan_json();
    let of = |target: &serde_json::Value| {
        let number = |of: &str| target[of].as_array().map_or(0, Vec::len);
        (target["tenant"].as_str().unwrap().to_string(), number("actions"), number("waiting"))
    };
    plan["targets"].as_array().unwrap().iter().map(of).filter(|(_, now, later)| now + later > 0).collect()
}

fn owned(of: &[(&str, usize, usize)]) -> Vec<(String, usize, usize)> {
    of.iter().map(|(tenant, now, later)| (tenant.to_string(), *now, *later)).collect()
}

#[test]
fn an_override_of_one_tenant_keeps_the_stages() {
    let root = Project::example("stages").apply();
    let new = ["new", "override", "releases", "--key", "billing", "--field", "title", "--value", "Ours", "--yes"];
    let with = |more: &[&str]| root.run(&[&new[..], &["--reason", "r"], more].concat());
    with(&[]).exits(1).prints("the sync has several targets").prints("dev-2, us-prod, eu-prod");
    with(&["--tenant", "us-prd"]).exits(1).prints("did you mean us-prod or eu-prod?");
    with(&["--tenant", "us-prod"]).exits(0);
    let text = root.read("tenants.yaml");
    assert!(text.contains(STAGES) && text.contains("tenant: us-prod"), "{text}");
    // An override is no new release: its target has it at once, for no earlier stage lacks anything.
    assert_eq!(waiting(&root), owned(&[("us-prod", 1, 0)]));
    let root = root.apply();
    root.plan().exits(0);
    let set = ["set", "billing", "--tenant", "us-prod", "--title", "Ours too", "--reason", "r", "--yes"];
    root.run(&set).exits(0);
    assert_eq!(root.read("tenants.yaml").matches("tenant: us-prod").count(), 1, "it is replaced");
    assert!(root.read("tenants.yaml").contains(STAGES));
    // While a release is on its way, an edit of a later stage waits too.
    let root = root.edit("dev/dev.yaml", "title: Invoices", "title: Bills");
    assert_eq!(waiting(&root), owned(&[("dev-2", 1, 0), ("eu-prod", 0, 1), ("us-prod", 0, 2)]));
}

#[test]
fn a_suspended_tenant_holds_back_the_stages_after_its_own() {
    let root = Project::example("stages").apply();
    let root = root.edit("dev/dev.yaml", "title: Invoices", "title: Bills");
    root.run(&["suspend", "dev-2", "--yes"]).exits(0);
    root.run(&["apply", "--yes"]).exits(2).prints("dev-2 is suspended, and 1 action waits there");
    assert!(!root.read("us-prod/integrations/invoices.yaml").contains("Bills"));
    root.run(&["resume", "dev-2", "--yes"]).exits(0);
    // One of a later stage holds back nobody.
    root.run(&["suspend", "eu-prod", "--yes"]).exits(0);
    root.run(&["apply", "--yes"]).exits(0);
    assert!(root.read("us-prod/integrations/invoices.yaml").contains("Bills"));
    assert!(!root.read("eu-prod/integrations/invoices.yaml").contains("Bills"));
    // A suspended sync is carried out nowhere, and waits for nothing.
    root.run(&["resume", "eu-prod", "--yes"]).exits(0);
    root.run(&["suspend", "releases", "--yes"]).exits(0);
    let plan = root.plan_json();
    assert_eq!(plan["targets"].as_array().unwrap().iter().filter(|t| t.get("stages").is_some()).count(), 0);
    assert!(root.read("tenants.yaml").contains(STAGES));
}

#[test]
fn a_renamed_key_goes_through_the_stages() {
    let root = Project::example("stages").apply();
    root.run(&["rename-key", "billing", "accounts", "--yes"]).exits(0);
    let text = root.read("tenants.yaml");
    assert!(text.contains(STAGES) && text.contains("stableKey: accounts"), "the override follows: {text}");
    root.run(&["plan"]).exits(2).prints("waits for stage 1");
    let root = root.apply();
    root.plan().exits(0);
    assert!(root.read("eu-prod/connections/accounts.yaml").contains("https://eu.billing.example"));
}

#[test]
fn a_sync_to_a_target_of_a_stage_is_not_made_twice() {
    let root = Project::example("stages").apply();
    root.run(&["new", "sync", "dev", "us-prod", "--yes"]).exits(1).prints("releases");
    let explained = root.run(&["explain", "us-prod", "-o", "json"]);
    explained.exits(0);
    assert!(explained.out.contains("releases"), "{}", explained.out);
}
