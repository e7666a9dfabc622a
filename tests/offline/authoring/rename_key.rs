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
    let tenants = Tenant::new("us").in_folder("us").source("wanted").yaml();
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
    let root = two_tenants().with("syncs.yaml", &sync).apply().with("prod/customer-credentials/hooli.yaml", CUSTOMER);
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
    let tenants = Tenant::new("us").in_folder("us").source("wanted").yaml();
    let root = Project::empty().with("tenants.yaml", &tenants).with_folder("us");
    let root = root.with("wanted/connections/chat-main.yaml", &connection("chat-main")).apply();
    let renamed = root.with("wanted/connections/chat-main.yaml", &connection("chat-team"));
    renamed.plan().prints("stablekey rename-key chat-main chat-team");
    // Another connection is no rename.
    let other = connection("chat-team").replace("https://chat.example", "https://other.example");
    let other = renamed.with("wanted/connections/chat-main.yaml", &other);
    other.plan().does_not_print("rename-key");
}

/// What a target has of its own for the old key is given to the new one by the command that the output names, before an
/// apply makes the new connection.
#[test]
fn what_only_a_target_has_is_a_manual_step_with_its_command() {
    let prod = "prod/connections/chat-main.yaml";
    let root = project()
        .edit(prod, "value: read", "value: write")
        .edit(prod, "name: chat\n", "name: chat-prod\n")
        .edit(prod, "title: Chat", "title: Chat of prod")
        .edit(prod, "  inputs:", "  test:\n    inputs:\n      scopes:\n        value: probe\n  inputs:");
    let renamed = root.run(&RENAME);
    let set = "stablekey set --tenant prod chat-team --title 'Chat of prod' --secret \
               clientSecret=chat-prod/clientSecret scopes=write --reason 'as chat-main had it'";
    renamed.exits(0).prints("prod: chat-main has title, inputs.clientSecret, inputs.scopes of its own");
    assert!(renamed.has_line(set), "{}", renamed.all);
    let later = "stablekey set --tenant prod chat-team --test scopes=probe --reason 'as chat-main had it'";
    assert!(renamed.has_line(later), "{}", renamed.all);
    paste(&root, set);
    let sync = root.read("syncs.yaml");
    assert!(sync.contains("as chat-main had it") && sync.contains("chat-prod"), "{sync}");
    let root = root.apply();
    let connection = root.read("prod/connections/chat-team.yaml");
    for value in ["value: write", "name: chat-prod", "title: Chat of prod"] {
        assert!(connection.contains(value), "{value}\n{connection}");
    }
    paste(&root, later);
    assert!(root.read("prod/connections/chat-team.yaml").contains("probe"));
    root.plan().exits(0);
}

/// A secret that stands in a target as a value is never printed.
#[test]
fn a_secret_of_a_target_is_not_shown() {
    let root =
        project().edit("prod/connections/chat-main.yaml", "value: read", "value: https://ann:CANARY@chat.example");
    root.run(&RENAME).does_not_print("CANARY");
    let literal = "    clientSecret:\n      value: CANARY\n    other:\n";
    let root = project().edit("prod/connections/chat-main.yaml", "    clientSecret:\n", literal);
    root.run(&RENAME).does_not_print("CANARY");
}

fn paste(root: &Project, command: &str) {
    let run = std::process::Command::new("sh")
        .arg("-c")
        .arg(format!("{} --yes", command.replacen("stablekey", env!("CARGO_BIN_EXE_stablekey"), 1)))
        .current_dir(root.root())
        .output()
        .unwrap();
    assert!(run.status.success(), "{command}\n{}", String::from_utf8_lossy(&run.stderr));
}

/// A value that only a source changed is no value of the target's own.
#[test]
fn what_a_sync_wrote_is_no_manual_step() {
    let root = project().edit("dev/connections/chat-main.yaml", "value: read", "value: all");
    let renamed = root.run(&RENAME);
    renamed.exits(0).does_not_print("of its own").does_not_print("stablekey set");
}

/// "A target's own source gets the same rename": also where it declares a part of what the sync brings.
#[test]
fn the_source_of_a_target_is_renamed_too() {
    let prod = Tenant::new("prod").in_folder("prod").source("own").accepts("dev").allows_delete();
    let dev = Tenant::new("dev").in_folder("dev");
    let part = Connection::new("chat-main", "chat/oauth2").credentials(stablekey::api::Credentials::OrganizationGlobal);
    let root = two_tenants()
        .with("tenants.yaml", &yaml::file(&[dev.yaml(), prod.yaml()]))
        .with("own/connections/chat-main.yaml", &part.input("scopes", "own").yaml())
        .apply();
    root.run(&RENAME).exits(0);
    let renamed = root.read("own/connections/chat-team.yaml");
    assert!(renamed.contains("value: own") && renamed.contains("- chat-main"), "{renamed}");
    assert!(!renamed.contains("baseUrl"), "the sync brings the rest: {renamed}");
    assert!(!root.has("own/connections/chat-main.yaml"), "a part of it declares nothing useful");
    root.run(&RENAME).exits(0).prints("Nothing to change");
    let before = root.read("prod/connections/chat-main.yaml");
    let root = root.apply();
    let live = root.read("prod/connections/chat-team.yaml");
    assert!(live.contains("value: own") && live.contains("https://chat.example"), "{live}");
    assert_eq!(root.read("prod/connections/chat-main.yaml"), before);
    root.plan().exits(0);
}

/// A source that only uses what the sync brings does not take the connection over.
#[test]
fn a_source_that_only_uses_the_key_declares_no_connection() {
    let prod = Tenant::new("prod").in_folder("prod").source("own").accepts("dev").allows_delete();
    let dev = Tenant::new("dev").in_folder("dev");
    let root = two_tenants()
        .with("tenants.yaml", &yaml::file(&[dev.yaml(), prod.yaml()]))
        .with("own/integrations/local.yaml", &integration("local", "chat-main", ""))
        .apply();
    root.run(&RENAME).exits(0).prints("prod gets chat-team by sync/up, with the next apply");
    assert!(!root.has("own/connections/chat-team.yaml"));
    assert!(root.read("own/integrations/local.yaml").contains("stableKey: chat-team"));
    let root = root.apply();
    root.plan().exits(0);
}

/// Along a chain of syncs every override follows: one that matches nothing would hold back its sync.
#[test]
fn overrides_follow_along_a_chain_of_syncs() {
    let tenants = [
        Tenant::new("dev").in_folder("dev").yaml(),
        Tenant::new("prod").in_folder("prod").accepts("dev").yaml(),
        Tenant::new("eu").in_folder("eu").accepts("prod").yaml(),
    ];
    let next = Sync::new("next", "prod", "eu").mirror().overriding_input("eu", "chat-main", "scopes", "all");
    let root = two_tenants()
        .with("tenants.yaml", &yaml::file(&tenants))
        .with("next.yaml", &next.keeping("eu", "Connection/chat-main", "title").yaml())
        .with("eu/components/chat.yaml", &component_yaml())
        .apply();
    root.run(&RENAME).exits(0);
    let sync = root.read("next.yaml");
    assert!(sync.contains("stableKey: chat-team") && sync.contains("Connection/chat-team"), "{sync}");
    assert!(!sync.contains("chat-main"), "{sync}");
    let root = root.apply();
    assert!(root.read("eu/connections/chat-team.yaml").contains("value: all"));
    root.plan().exits(0);
}
