//! `rename-key`: a stable key gets another name in every tenant, and nothing loses its connection.

use crate::edges::files::*;
use serde_json::Value;

const CUSTOMER: &str = "apiVersion: stablekey.dev/v1alpha1\nkind: CustomerCredentials\nmetadata: {name: hooli}\nspec:\n  \
                        customer: Hooli\n  connection: chat-main\n  inputs: {}\n";

/// dev by hand, prod by a sync that mirrors; the integration has a definition.
fn project() -> Project {
    two_tenants()
        .with("dev/connections/chat-main.yaml", &format!("# The chat.\n{}", connection("chat-main")))
        .with(
            "dev/integrations/greet.yaml",
            &integration("greet", "chat-main", "  definition: {file: greet.definition}\n"),
        )
        .with("dev/integrations/greet.definition", &definition("greet", "7", "chat-main"))
        .apply()
}

const RENAME: [&str; 4] = ["rename-key", "chat-main", "chat-team", "--yes"];

#[test]
fn the_connection_replaces_the_old_key_and_all_that_names_it_follows() {
    let root = project();
    root.run(&RENAME).exits(0).prints("written").prints("stablekey.dev/keys=chat-main,chat-team");
    let connection = root.read("dev/connections/chat-team.yaml");
    for line in ["name: chat-team", "stableKey: chat-team", "chat-main"] {
        assert!(connection.contains(line), "{line}\n{connection}");
    }
    assert!(root.read("dev/connections/chat-main.yaml").starts_with("# The chat.\n"), "the old one stays");
    assert!(root.read("dev/integrations/greet.yaml").contains("stableKey: chat-team"));
    assert!(root.read("dev/integrations/greet.definition").contains("useScopedConfigVar: chat-team"));
    // What a sync brings comes with the next apply.
    assert!(!root.has("prod/connections/chat-team.yaml"));
    root.run(&RENAME).exits(0).prints("Nothing to change");
    let root = root.apply();
    root.plan().exits(0);
    assert!(root.read("prod/integrations/greet.yaml").contains("stableKey: chat-team"));
}

/// "killed after each write, the same command finishes".
#[test]
fn killed_after_each_write_the_same_command_finishes() {
    let edited = project();
    let report = edited.run(&["rename-key", "chat-main", "chat-team", "--dry-run", "-o", "json"]).exits(0).out.clone();
    let report: Value = serde_json::from_str(&report).unwrap();
    let files: Vec<&str> = report["files"].as_array().unwrap().iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(files.len(), 3, "{files:?}");
    edited.run(&RENAME).exits(0);
    let all = edited.files("");
    for written in 0..=files.len() {
        let killed = project();
        files[..written].iter().for_each(|file| killed.write(file, &edited.read(file)));
        killed.run(&RENAME).exits(0);
        assert_eq!(killed.files(""), all, "killed after {written} of {files:?}");
    }
}

/// "A→B→C works", also where the source does not prune, so that every older connection stays live.
#[test]
fn a_key_is_renamed_again_and_again() {
    let tenants = yaml::file(&[Tenant::new("us").in_folder("us").yaml()]);
    let tenants = tenants.replace("  location:", "  source: {path: wanted}\n  location:");
    let root = Project::empty()
        .with("tenants.yaml", &tenants)
        .with_folder("us")
        .with("wanted/components/chat.yaml", &component_yaml())
        .with("wanted/connections/chat-main.yaml", &connection("chat-main"))
        .with("wanted/integrations/greet.yaml", &integration("greet", "chat-main", ""));
    let mut root = root.apply();
    for (old, new) in [("chat-main", "chat-team"), ("chat-team", "chat-all"), ("chat-all", "chat-last")] {
        root.run(&["rename-key", old, new, "--yes"]).exits(0);
        root = root.apply();
        root.plan().exits(0).does_not_print("SK0118");
        assert!(root.read("us/integrations/greet.yaml").contains(&format!("stableKey: {new}")));
    }
    let connection = root.read("wanted/connections/chat-last.yaml");
    let list = connection.split("replaces:").nth(1).unwrap();
    let at = |key: &str| list.find(key).unwrap_or_else(|| panic!("{key}: {connection}"));
    assert!(at("chat-all") < at("chat-team") && at("chat-team") < at("chat-main"), "{connection}");
    // A key does not come back.
    root.run(&["rename-key", "chat-last", "chat-main", "--yes"]).exits(1).prints("chat-main");
}

#[test]
fn overrides_follow_and_credentials_of_customers_stay() {
    let sync = Sync::new("up", "dev", "prod").mirror().overriding_input("prod", "chat-main", "scopes", "all").yaml();
    let root = two_tenants().with("syncs.yaml", &sync).with("prod/customer-credentials/hooli.yaml", CUSTOMER);
    root.run(&RENAME).exits(0);
    assert!(root.read("syncs.yaml").contains("stableKey: chat-team"), "{}", root.read("syncs.yaml"));
    assert_eq!(root.read("prod/customer-credentials/hooli.yaml"), CUSTOMER);
}

/// "says who signs in again where the location cannot answer older keys".
#[test]
fn on_the_platform_it_says_who_signs_in_again() {
    let location = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: us}\nspec:\n  location: \
                    {prismatic: {url: \"https://app.example\"}}\n  source: {path: us}\n";
    let chat = Connection::new("chat-main", "chat/oauth2").credentials(stablekey::api::Credentials::Customer).yaml();
    let root = Project::empty().with("tenants.yaml", location).with("us/connections/chat-main.yaml", &chat);
    root.run(&RENAME).exits(0).prints("sign in");
}

#[test]
fn a_wrong_name_says_the_nearest_and_nothing_is_written() {
    let root = two_tenants().with("dev/connections/mail.yaml", &connection("mail"));
    let before = root.files("");
    let refused = |old: &str, new: &str, text: &str| {
        root.run(&["rename-key", old, new, "--yes"]).exits(1).prints(text);
    };
    refused("chat-mian", "chat-team", "did you mean chat-main?");
    refused("chat-main", "mail_", "is no stable key");
    refused("chat-main", "chat-main", "is the old key");
    refused("chat-main", "chat_main", "differ only in case");
    refused("chat-main", "no key", "is no stable key");
    assert_eq!(root.files(""), before);
    root.run(&["rename-key", "chat-main", "chat-team", "--dry-run"]).exits(0).prints("Nothing was written");
    assert_eq!(root.files(""), before);
}

/// "the plan suggests it where a rename in place is seen (one key gone, one new, all else equal)".
#[test]
fn the_plan_suggests_it_where_a_key_was_changed_in_place() {
    let tenants = yaml::file(&[Tenant::new("us").in_folder("us").yaml()]);
    let tenants = tenants.replace("  location:", "  source: {path: wanted}\n  location:");
    let root = Project::empty().with("tenants.yaml", &tenants).with_folder("us");
    let root = root.with("wanted/connections/chat-main.yaml", &connection("chat-main")).apply();
    let renamed = root.with("wanted/connections/chat-main.yaml", &connection("chat-team"));
    renamed.plan().prints("stablekey rename-key chat-main chat-team");
    // Another connection is no rename.
    let other = connection("chat-team").replace("https://chat.example", "https://other.example");
    let other = renamed.with("wanted/connections/chat-main.yaml", &other);
    other.plan().does_not_print("rename-key");
}
