//! `set`: alters one connection, where it is declared.

use crate::edges::files::*;
use serde_json::Value;
use stablekey::api::Credentials;
use stablekey_testing::terminal::{ENTER, OnTerminal};
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
    let refused = root.run(&[&set[..5], &["--title", "Team's chat", "--yes"]].concat());
    refused.exits(1).prints("sync/up brings title of chat-main to prod");
    // Both ways out are whole commands, which work.
    let everywhere = "stablekey set --tenant dev chat-main baseUrl=https://eu.chat.example --title 'Team'\\''s chat'";
    let here = everywhere.replace("--tenant dev", "--tenant prod") + " --reason REASON";
    for line in [everywhere, &here] {
        assert!(refused.has_line(line), "{line}\n{}", refused.all);
        root.pasted(&format!("{line} --dry-run --force")).exits(0).prints("Nothing was written");
    }
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
    refused(&["chat-main"], "has the inputs baseUrl, clientSecret, scopes; give INPUT=VALUE, --secret");
    refused(&["chat-main"], "\n    stablekey set --tenant dev chat-main baseUrl=VALUE\n");
    refused(&["Chat-Main", "scopes=a"], "did you mean chat-main?");
    refused(&["chat_main", "scopes=a", "--tenant", "dev"], "did you mean chat-main?");
    refused(&["billing", "scopes=a"], "there is chat-main");
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

/// "Without --tenant, with three tenants: the one that declares it and that no sync feeds; else a clear error listing them
/// with commands."
#[test]
fn without_a_tenant_it_is_the_one_that_no_sync_feeds_or_each_is_named() {
    let third = Tenant::new("qa").in_folder("qa").yaml();
    let tenants = format!("{}---\n{third}", tenants_yaml());
    let root = synced().with("tenants.yaml", &tenants).with_folder("qa");
    root.run(&["set", "chat-main", "scopes=all", "--dry-run"]).exits(0).prints(DEV);
    let root = root.with("qa/connections/chat-main.yaml", &connection("chat-main"));
    let before = root.files(".");
    let several = root.run(&["set", "chat-main", "scopes=all read", "--yes"]);
    several.exits(1).prints("chat-main is in dev, prod, qa").prints("say which one:");
    for (line, file) in [
        ("stablekey set --tenant dev chat-main 'scopes=all read'", DEV),
        ("stablekey set --tenant prod chat-main 'scopes=all read' --reason REASON", "syncs.yaml"),
        ("stablekey set --tenant qa chat-main 'scopes=all read'", "qa/connections/chat-main.yaml"),
    ] {
        assert!(several.has_line(line), "{}", several.all);
        root.pasted(&format!("{line} --dry-run")).exits(0).prints(file);
    }
    // A secret that is given as a value is not repeated.
    root.run(&["set", "chat-main", "clientSecret=CANARY", "--yes"]).exits(1).prints("SK0120").does_not_print("CANARY");
    root.run(&["set", "chat-main", "--yes"]).exits(1).prints("\n    stablekey set --tenant qa chat-main");
    assert_eq!(root.files("."), before);
}

/// A connection of two syncs in a row is changed where the first begins.
#[test]
fn the_advice_names_the_first_tenant_of_a_chain_of_syncs() {
    let third = Tenant::new("eu").in_folder("eu").accepts("prod").yaml();
    let second = Sync::new("on", "prod", "eu").mirror().yaml();
    let root = two_tenants()
        .with("tenants.yaml", &format!("{}---\n{third}", tenants_yaml()))
        .with("syncs.yaml", &format!("{}---\n{second}", sync_yaml()))
        .with("eu/components/chat.yaml", &component_yaml())
        .apply();
    let refused = root.run(&["set", "--tenant", "eu", "chat-main", "scopes=all", "--yes"]);
    refused.exits(1).prints("sync/on brings inputs.scopes");
    assert!(refused.has_line("stablekey set --tenant dev chat-main scopes=all"), "{}", refused.all);
    let removed = root.run(&["set", "--tenant", "eu", "chat-main", "--unset", "scopes", "--yes"]);
    assert!(removed.exits(1).has_line("stablekey set --tenant dev chat-main --unset scopes"), "{}", removed.all);
}

/// A new Secret comes with the manual step that supplies it.
#[test]
fn a_new_reference_says_how_to_supply_the_secret() {
    let root = two_tenants().without("syncs.yaml");
    let set = |options: &[&str]| root.run(&[&["set", "--tenant", "dev", "chat-main", "--dry-run"], options].concat());
    let create = |name: &str, key: &str| {
        format!(
            "kubectl create secret generic {name} --from-file={key}=/dev/stdin --dry-run=client -o yaml | \
             kubectl label --local -f - stablekey.dev/for=connections -o yaml | \
             kubectl annotate --local -f - stablekey.dev/keys=chat-main stablekey.dev/hosts=chat.example -o yaml | \
             kubectl create -f -"
        )
    };
    let new = set(&["--secret", "clientSecret=app/secret"]);
    new.exits(0).prints("create Secret app where folder dev is applied").does_not_print("namespace");
    assert!(new.has_line(&create("app", "secret")), "{}", new.all);
    let test = set(&["--test-secret", "clientSecret=app-test/secret"]);
    assert!(test.has_line(&create("app-test", "secret")), "{}", test.all);
    // Another key of the Secret that it has already.
    let more = set(&["--test-secret", "clientSecret=chat/test"]);
    let line = "kubectl create secret generic chat --from-file=test=/dev/stdin --dry-run=client -o json | \
                kubectl patch secret chat --type merge --patch-file /dev/stdin";
    assert!(more.has_line(line), "{}", more.all);
    // A new version of the same key, or another value, needs no Secret.
    set(&["--secret", "clientSecret=chat/clientSecret@2"]).exits(0).does_not_print("kubectl");
    set(&["scopes=all"]).exits(0).does_not_print("kubectl");
    // Through a sync, the Secret is one of the target.
    let root = synced();
    let set = ["set", "--tenant", "prod", "chat-main", "--secret", "clientSecret=own/secret", "--reason", "EU"];
    root.run(&[&set[..], &["--dry-run"]].concat()).exits(0).prints("create Secret own where folder prod is applied");
}

/// Fields are in the order in which people write them.
#[test]
fn a_new_field_stands_where_people_write_it() {
    let root = two_tenants();
    let set = ["set", "chat-main", "--description", "Of all", "--embedded", "on", "--yes"];
    root.run(&set).exits(0);
    let text = root.read(DEV);
    let at = |field: &str| text.find(&format!("\n  {field}:")).unwrap_or_else(|| panic!("no {field} in\n{text}"));
    assert!(at("title") < at("description") && at("description") < at("component"), "{text}");
    assert!(at("credentials") < at("embeddedWorkflows") && at("embeddedWorkflows") < at("inputs"), "{text}");
    // With comments, in braces, and where the order is a person's own.
    let root = root.with(DEV, BY_HAND);
    root.run(&["set", "chat-main", "--title", "Chat", "--yes"]).exits(0);
    let expected = BY_HAND.replace("# never changes\n", "# never changes\n  title: Chat\n");
    assert_eq!(root.read(DEV), expected);
}

/// "`set KEY` with no change on a terminal asks: which input, then its value."
#[test]
fn on_a_terminal_it_asks_what_changes() {
    let root = two_tenants();
    let ask = |keys: &[(&str, &[&str])]| {
        let mut terminal = OnTerminal::start(root.root(), &["set", "chat-main"], 100);
        for (text, keys) in keys {
            terminal.asks(text);
            for key in *keys {
                terminal.press(key);
            }
        }
        assert_eq!(terminal.exits(), 0, "{}", terminal.screen());
        assert!(terminal.is_usable());
        terminal.screen()
    };
    const WHAT: &str = "What changes of chat-main in dev?";
    let screen = ask(&[(WHAT, &["scop", ENTER]), ("scopes:", &[" all", ENTER]), ("Write 1 file?", &[ENTER])]);
    insta::assert_snapshot!(screen);
    assert!(root.read(DEV).contains("value: read all"), "{}", root.read(DEV));
    let secret: &[(&str, &[&str])] = &[
        (WHAT, &["clientSec", ENTER]),
        ("clientSecret:", &["hunter2", ENTER]),
        ("it is no reference to a Secret", &["app/secret", ENTER]),
        ("Write 1 file?", &[ENTER]),
    ];
    let screen = ask(secret);
    assert!(root.read(DEV).contains("name: app") && !screen.contains("hunter2"), "{screen}");
    ask(&[(WHAT, &["embedded", ENTER]), ("use for embedded workflows?", &["y", ENTER]), ("Write 1 file?", &[ENTER])]);
    assert!(root.read(DEV).contains("embeddedWorkflows: true"));
}

/// The commands of findings work when they are pasted, also in a tenant that a sync feeds.
#[test]
fn the_commands_of_findings_work_where_a_sync_feeds_the_tenant() {
    let lacking = Connection::new("chat-main", "chat/oauth2").credentials(Credentials::OrganizationGlobal);
    let lacking = lacking.secret("clientSecret", "chat").yaml();
    let root = two_tenants().with(DEV, &lacking).apply();
    let plan = root.plan_json();
    let commands = |code: &str, tenant: &str| -> Vec<String> {
        let of_it = plan["findings"].as_array().unwrap().iter().filter(|f| f["code"] == code && f["tenant"] == tenant);
        let commands = of_it.filter_map(|finding| finding["commands"].as_array()).flatten();
        commands.map(|command| command.as_str().unwrap().to_string()).collect()
    };
    let dev = "stablekey set --tenant dev chat-main baseUrl=VALUE".to_string();
    let prod = "stablekey set --tenant prod chat-main baseUrl=VALUE --reason REASON".to_string();
    for code in ["SK0102", "SK0105"] {
        assert_eq!(commands(code, "dev"), std::slice::from_ref(&dev), "{code}");
        assert_eq!(commands(code, "prod"), [dev.clone(), prod.clone()], "{code}");
    }
    for command in [dev, prod] {
        let command = command.replace("VALUE", "https://a.example");
        root.pasted(&format!("{command} --dry-run")).exits(0).prints("Nothing was written");
    }
}

/// SK0177 names a free key and the connection that the new one is like, so that nothing is to be filled in.
#[test]
fn the_command_for_a_sign_in_makes_the_connection() {
    let component = Component::new("crm/oauth2").authorization_code().requires("tokenUrl").has_secret("clientSecret");
    let crm = Connection::new("crm-oauth2", "crm/oauth2").credentials(Credentials::OrganizationCustomer);
    let crm = crm.input("tokenUrl", "https://crm.example/token").secret("clientSecret", "crm");
    let root =
        two_tenants().with("dev/components/crm.yaml", &component.yaml()).with("dev/connections/crm.yaml", &crm.yaml());
    let plan = root.run(&["validate"]);
    let line =
        "stablekey new connection --tenant dev --like crm-oauth2 --credentials Customer --key crm-oauth2-customer";
    assert!(plan.prints("SK0177").has_line(line), "{}", plan.all);
    root.pasted(&format!("{line} --yes")).exits(0);
    let made = root.read("dev/connections/crm-oauth2-customer.yaml");
    assert!(made.contains("credentials: Customer") && made.contains("https://crm.example/token"), "{made}");
}

/// The text at the end of a manifest that makes it unreadable.
const UNREAD: &str = "  x: [\n";

/// What is unread is unknown, never absent: another tenant's connection of the same key is not meant, nor is a live file
/// that a sync feeds.
#[test]
fn a_file_that_cannot_be_read_may_hold_the_connection() {
    let root = synced();
    root.write(DEV, &format!("{}{UNREAD}", root.read(DEV)));
    let before = root.files(".");
    let set = ["set", "chat-main", "scopes=x", "--reason", "r", "--yes"];
    for tenant in [&[][..], &["--tenant", "dev"], &["--tenant", "prod"]] {
        let said = root.run(&[set.as_slice(), tenant].concat());
        said.exits(1).prints(&format!("{DEV} cannot be read: it may hold chat-main"));
        assert_eq!(root.files("."), before);
    }
    // What does not name the connection does not hold it, and a wrong name says the nearest.
    root.run(&["set", "chat-mian", "scopes=x", "--yes"]).exits(1).prints("did you mean chat-main?");
    let root = synced().with("dev/connections/other.yaml", "a: [\n");
    root.run(&["set", "chat-main", "scopes=x", "--dry-run", "--force"]).exits(0).prints(DEV);
}

#[test]
fn a_link_in_the_place_of_a_file_may_hold_the_connection() {
    let root = synced();
    let outside = Project::empty().with("chat-main.yaml", &connection("chat-main"));
    std::fs::remove_file(root.path(DEV)).unwrap();
    std::os::unix::fs::symlink(outside.path("chat-main.yaml"), root.path(DEV)).unwrap();
    for tenant in [&[][..], &["--tenant", "dev"], &["--tenant", "prod"]] {
        let set = ["set", "chat-main", "scopes=x", "--reason", "r", "--yes"];
        root.run(&[set.as_slice(), tenant].concat()).exits(1).prints(&format!("{DEV} cannot be read"));
    }
}

/// An override that `set` wrote is taken out by `set --unset`.
#[test]
fn unset_removes_an_override() {
    let root = synced();
    let before = root.read("syncs.yaml");
    let set = ["set", "--tenant", "prod", "chat-main", "--yes"];
    let with = ["baseUrl=https://eu.example", "--title", "EU", "--embedded", "on", "--reason", "EU"];
    root.run(&[set.as_slice(), &with].concat()).exits(0);
    assert_eq!(root.read("syncs.yaml").matches("reason: EU").count(), 3);
    // A further value of the same sync is written in the same edit.
    let unset = ["--unset", "baseUrl", "--unset", "embeddedWorkflows", "scopes=all", "--reason", "new"];
    let said = root.run(&[set.as_slice(), &unset].concat());
    said.exits(0).prints("The override of inputs.baseUrl of chat-main in prod is removed from sync/up.");
    let text = root.read("syncs.yaml");
    assert!(!text.contains("baseUrl") && !text.contains("embedded") && text.contains("scopes"), "{text}");
    root.run(&[set.as_slice(), &["--unset", "title", "--unset", "scopes"]].concat()).exits(0);
    assert_eq!(root.read("syncs.yaml"), before);
    root.run(&[set.as_slice(), &["--unset", "scopes"]].concat()).exits(1).prints("an override holds");
}

/// The command that a message names takes the override out.
#[test]
fn messages_about_an_override_name_the_command_that_removes_it() {
    let tenants = tenants_yaml().replace("  acceptFrom:", "  source: {path: wanted}\n  acceptFrom:");
    let sync = Sync::new("up", "dev", "prod").mirror().overriding_input("prod", "chat-main", "scopes", "all").yaml();
    let root = two_tenants().with("tenants.yaml", &tenants).with("syncs.yaml", &sync);
    let root = root.with("wanted/connections/chat-main.yaml", &connection("chat-main"));
    let remove = "stablekey set chat-main --tenant prod --unset scopes";
    let plan = root.plan();
    plan.exits(1).prints("SK0181");
    assert!(plan.has_line(remove), "{}", plan.all);
    let again = ["new", "override", "up", "--tenant", "prod", "--key", "chat-main", "--input", "scopes"];
    let said = root.run(&[again.as_slice(), &["--value", "x", "--reason", "r", "--yes"]].concat());
    said.exits(1).prints("has an override of input scopes of chat-main in prod already");
    assert!(said.has_line(remove), "{}", said.all);
    root.pasted(&format!("{remove} --yes")).exits(0);
    assert!(!root.read("syncs.yaml").contains("overrides"));
    root.plan().does_not_print("SK0181");
}

#[test]
fn a_new_override_takes_on_and_off_and_refuses_an_unknown_field() {
    let root = synced();
    let new = ["new", "override", "up", "--reason", "r", "--yes"];
    let run = |more: &[&str]| root.run(&[new.as_slice(), more].concat());
    let embedded = ["--key", "chat-main", "--field", "embeddedWorkflows", "--value"];
    run(&[embedded.as_slice(), &["maybe"]].concat()).exits(1).prints("--value on or --value off");
    run(&[embedded.as_slice(), &["on"]].concat()).exits(0);
    assert!(root.read("syncs.yaml").contains("value: 'true'") || root.read("syncs.yaml").contains("value: \"true\""));
    let keep = |field: &str| run(&["--object", "Connection/chat-main", "--field", field, "--keep"]);
    keep("inputs.scops").exits(1).prints("did you mean inputs.scopes?");
    keep("inputs.scopes").exits(0);
    root.write(DEV, &format!("{}{UNREAD}", root.read(DEV)));
    let said = run(&["--key", "chat-main", "--input", "scopes", "--value", "x"]);
    said.exits(1);
    let said = run(&["--key", "chat-main", "--input", "baseUrl", "--value", "x"]);
    said.exits(1).prints(&format!("{DEV} cannot be read: it may hold chat-main"));
}

/// "`--yes`": nothing is asked, on a terminal either; what is missing is named.
#[cfg(target_os = "linux")]
#[test]
fn who_says_yes_is_asked_nothing() {
    let root = two_tenants();
    for (command, text) in [
        (["set", "chat-main", "--tenant", "dev", "--yes"].as_slice(), "scopes"),
        (&["new", "connection", "--yes"], "--tenant"),
        (&["new", "component", "--yes"], "the component"),
    ] {
        let mut terminal = OnTerminal::start(root.root(), command, 100);
        assert_eq!(terminal.exits(), 1, "{command:?}");
        assert!(terminal.screen().contains(text), "{command:?}: {}", terminal.screen());
    }
}

/// "Nothing is written to it": a folder that is a location is live, a source is not.
#[test]
fn a_suspended_tenant_is_edited_in_its_source_only() {
    let live = two_tenants();
    live.run(&["suspend", "dev", "--yes"]).exits(0);
    let before = live.read(DEV);
    let refused = live.run(&["set", "--tenant", "dev", "chat-main", "scopes=write", "--yes"]);
    refused.exits(1).prints("dev is suspended: its folder is its location");
    assert!(refused.all.contains("stablekey resume dev"), "{}", refused.all);
    live.run(&["new", "component", "--tenant", "dev", "mail", "--yes"]).exits(1);
    assert_eq!(live.read(DEV), before);
    // The Tenant itself may change.
    live.run(&["resume", "dev", "--yes"]).exits(0);
    live.run(&["set", "--tenant", "dev", "chat-main", "scopes=write", "--yes"]).exits(0);
}
