//! `set`: alters one connection, where it is declared.

use crate::edges::files::*;
use serde_json::Value;
use std::fs::File;
use std::os::unix::fs::PermissionsExt;

const DEV: &str = "dev/connections/chat-main.yaml";
const PROD: &str = "prod/connections/chat-main.yaml";

/// A connection as a person writes it.
const BY_HAND: &str = "# The chat of the whole company.\napiVersion: stablekey.dev/v1alpha1\nkind: Connection\n\
                       metadata: {name: chat-main}\nspec:\n  stableKey: 'chat-main'   # never changes\n\n  \
                       component: {key: chat}\n  type: oauth2\n  credentials: OrganizationGlobal\n  inputs:\n    \
                       baseUrl: {value: \"https://chat.example\"} # ours\n    # asked for by the bot team\n    scopes:\n      \
                       value: read\n    clientSecret: {secretRef: {name: chat, key: clientSecret}}\n";

#[test]
fn only_the_value_changes_and_all_else_stays_byte_for_byte() {
    for newline in ["\n", "\r\n"] {
        let text = BY_HAND.replace('\n', newline);
        let root = two_tenants().with(DEV, &text);
        root.run(&["set", "chat-main", "scopes=read write", "--yes"]).exits(0).prints("+      value: read write");
        assert_eq!(root.read(DEV), text.replace("value: read", "value: read write"));
        // Once more there is nothing to do.
        root.run(&["set", "chat-main", "scopes=read write", "--yes"]).exits(0).prints("Nothing to change");
    }
}

#[test]
fn every_kind_of_value_is_written() {
    let root = two_tenants().without("syncs.yaml");
    let set = ["set", "Connection/chat-main", "--tenant", "dev", "--title", "Team chat", "--embedded", "on", "--yes"];
    let more = ["--test", "scopes=test", "--test-secret", "clientSecret=chat-test/secret", "--unset", "scopes"];
    root.run(&[set.as_slice(), more.as_slice(), &["--secret", "clientSecret=other/key@2"]].concat()).exits(0);
    let text = root.read(DEV);
    for line in ["title: Team chat", "embeddedWorkflows: true", "version: \"2\"", "name: chat-test"] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(!text.contains("value: read"), "{text}");
    root.run(&["set", "chat-main", "--tenant", "dev", "--unset", "test.scopes", "--unset", "title", "--yes"]).exits(0);
    assert!(!root.read(DEV).contains("title:") && !root.read(DEV).contains("scopes"), "{}", root.read(DEV));
}

/// "In a tenant that a sync feeds it is written in that tenant's source where that declares the field, else as an
/// override with a reason."
#[test]
fn where_a_sync_brings_the_field_an_override_says_why_it_differs() {
    let root = synced();
    let set = ["set", "--tenant", "prod", "chat-main", "baseUrl=https://eu.chat.example", "--yes"];
    root.run(&set).exits(1).prints("sync/up brings inputs.baseUrl of chat-main to prod").prints("--reason");
    root.run(&[set.as_slice(), &["--reason", "EU has its own host"]].concat()).exits(0);
    assert!(root.read("syncs.yaml").contains("reason: EU has its own host"), "{}", root.read("syncs.yaml"));
    assert!(!root.read(PROD).contains("eu.chat"));
    // A second one replaces its value, and is not added.
    let again =
        ["set", "--tenant", "prod", "chat-main", "baseUrl=https://eu2.chat.example", "--yes", "--reason", "new"];
    root.run(&again).exits(0);
    assert_eq!(root.read("syncs.yaml").matches("input: baseUrl").count(), 1);
    // Without a tenant it is the source that declares it.
    root.run(&["set", "chat-main", "scopes=read all", "--yes"]).exits(0);
    assert!(root.read(DEV).contains("read all"));
    root.run(&["apply", "--yes", "--approve", root.plan_json()["targets"][1]["digests"]["sync/up"].as_str().unwrap()]);
    assert!(root.read(PROD).contains("https://eu2.chat.example") && root.read(PROD).contains("read all"));
    root.plan().exits(0);
}

#[test]
fn a_source_that_declares_the_field_is_edited_and_else_says_what_no_override_can() {
    let tenants = tenants_yaml().replace("  acceptFrom:", "  source: {path: wanted}\n  acceptFrom:");
    let partial = connection("chat-main").replace("    scopes: {value: read}\n", "");
    let root = synced().with("tenants.yaml", &tenants).with("wanted/connections/chat-main.yaml", &partial);
    root.run(&["set", "--tenant", "prod", "chat-main", "baseUrl=https://p.example", "--yes", "--force"]).exits(0);
    assert!(root.read("wanted/connections/chat-main.yaml").contains("https://p.example"));
    // scopes comes from dev.
    root.run(&["set", "--tenant", "prod", "chat-main", "scopes=x", "--yes"]).exits(1).prints("--reason");
    root.run(&["set", "--tenant", "prod", "chat-main", "--unset", "scopes", "--yes"])
        .exits(1)
        .prints("an override holds");
    // Test credentials cross no sync.
    root.run(&["set", "--tenant", "prod", "chat-main", "--test", "scopes=t", "--yes"]).exits(0);
    assert!(root.read("wanted/connections/chat-main.yaml").contains("test:"));
}

#[test]
fn an_override_that_a_source_makes_void_is_an_error_at_its_line() {
    let tenants = tenants_yaml().replace("  acceptFrom:", "  source: {path: wanted}\n  acceptFrom:");
    let sync = Sync::new("up", "dev", "prod").mirror().overriding_input("prod", "chat-main", "scopes", "all").yaml();
    let root = two_tenants().with("tenants.yaml", &tenants).with("syncs.yaml", &sync);
    let root = root.with("wanted/connections/chat-main.yaml", &connection("chat-main"));
    root.plan().exits(1).prints("SK0181").prints("syncs.yaml:").prints("the source of prod declares inputs.scopes");
}

#[test]
fn a_secret_is_never_written_as_a_value_and_a_wrong_name_says_the_nearest() {
    let root = two_tenants();
    let before = root.files(".");
    let refused = |arguments: &[&str], text: &str| {
        let said = root.run(&[&["set", "--yes"], arguments].concat());
        said.exits(1).prints(text).does_not_print("CANARY");
    };
    refused(&["chat-main", "clientSecret=CANARY"], "SK0120");
    refused(&["chat-main", "--secret", "clientSecret=CANARY"], "--secret clientSecret=NAME/KEY");
    refused(&["chat-main", "CANARY"], "INPUT=VALUE");
    refused(&["chat-main", "scops=CANARY"], "did you mean scopes?");
    refused(&["chat-main", "--unset", "scop"], "scopes");
    refused(&["chat-mian", "scopes=a"], "did you mean chat-main?");
    refused(&["chat-main", "scopes=a", "--tenant", "pord"], "did you mean prod?");
    refused(&["chat-main"], "nothing is to be changed");
    refused(&["chat-main", "scopes=a", "scopes=b"], "scopes is given twice");
    assert_eq!(root.files("."), before);
}

#[test]
fn without_a_terminal_it_needs_a_yes_and_a_dry_run_writes_nothing() {
    let root = two_tenants();
    let before = root.files(".");
    root.run(&["set", "chat-main", "scopes=a"]).exits(1).prints("+    scopes:").prints("give --yes");
    root.run(&["set", "chat-main", "scopes=a", "--dry-run"]).exits(0).prints("Nothing was written");
    let json = root.run(&["set", "chat-main", "scopes=a", "--dry-run", "-o", "json"]);
    let json: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json["files"][0]["path"], DEV);
    assert_eq!((&json["files"][0]["op"], &json["written"]), (&Value::from("update"), &Value::from(false)));
    assert!(json["diff"].as_str().unwrap().contains("value: a"));
    assert_eq!(root.files("."), before);
}

#[test]
fn an_edit_that_makes_the_plan_worse_needs_force() {
    let root = two_tenants();
    let set = ["set", "chat-main", "--per-customer", "scopes", "--yes"];
    root.run(&set).exits(1).prints("the plan becomes worse").prints("SK0125").prints("--force");
    assert!(!root.read(DEV).contains("perCustomer"));
    root.run(&[set.as_slice(), &["--force"]].concat()).exits(0);
    assert!(root.read(DEV).contains("perCustomer"));
}

/// "Nothing is half-written; read-only files, a stablekey.lock with conflict markers, a concurrent apply: one clear
/// error."
#[test]
fn what_stands_in_the_way_is_one_clear_error() {
    let root = synced();
    let set = ["set", "chat-main", "scopes=a", "--yes"];
    let before = root.files(".");
    {
        let lock = File::open(root.path("dev")).unwrap();
        lock.lock().unwrap();
        root.run(&set).exits(1).prints("another command writes in").prints("run the command again");
    }
    std::fs::set_permissions(root.path(DEV), PermissionsExt::from_mode(0o444)).unwrap();
    root.run(&set).exits(1).prints("it is read-only").prints(&format!("chmod u+w {DEV}"));
    std::fs::set_permissions(root.path(DEV), PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!(root.files("."), before);
    let lock = root.read("prod/stablekey.lock");
    root.write("prod/stablekey.lock", &format!("<<<<<<< ours\n{lock}"));
    let set = ["set", "--tenant", "prod", "chat-main", "scopes=a", "--yes", "--reason", "x"];
    root.run(&set).exits(1).prints("prod cannot be read").prints("stablekey.lock");
}
