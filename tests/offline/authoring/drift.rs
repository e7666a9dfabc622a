//! `revert`, `keep` and `forget`: each ends a difference between a tenant and what is desired, and changes nothing else.

use crate::edges::files::*;
use serde_json::Value;
use stablekey_testing::project::CommandOutput;

const PROD: &str = "prod/connections/chat-main.yaml";
const OBJECT: &str = "Connection/chat-main";

/// A synced target in which a person changed two fields.
fn drifted() -> Project {
    synced().edit(PROD, "value: read", "value: write").edit(PROD, "https://chat.example", "https://other.example")
}

/// A tenant with a source, as applied.
fn sourced() -> Project {
    let tenant = Tenant::new("eu").in_folder("eu").source("declared").yaml();
    let chat = Connection::new("crm", "crm/basic").title("CRM").input("scopes", "read").input("note", "a").yaml();
    let integration = Integration::new("lead").title("Lead").binds("CRM", "crm").yaml();
    Project::empty()
        .with("tenants.yaml", &tenant)
        .with("declared/crm.yaml", &format!("# Ours.\n{chat}"))
        .with("declared/lead.yaml", &integration)
        .with_folder("eu")
        .apply()
}

#[test]
fn a_plan_names_the_commands_that_end_drift_complete() {
    let root = drifted();
    let plan = root.plan();
    plan.exits(3).prints("stablekey revert prod Connection/chat-main");
    plan.prints("stablekey keep prod Connection/chat-main --reason '…'");
    let root = synced().edit(PROD, "value: read", "value: write");
    root.plan().prints("stablekey revert prod Connection/chat-main inputs.scopes\n");
    root.plan().prints("stablekey keep prod Connection/chat-main inputs.scopes --reason '…'\n");
    let elsewhere = root.command(&["plan"]).current_dir("/").arg(root.root()).output().unwrap();
    let said = CommandOutput::of(&elsewhere);
    said.prints(&format!("stablekey revert prod Connection/chat-main inputs.scopes -C {}\n", root.root().display()));
    let markdown = root.run(&["plan", "-o", "markdown"]);
    markdown.prints("stablekey revert prod Connection/chat-main inputs.scopes\nstablekey keep prod");
}

/// "Puts the desired value back": of exactly that field, whatever the policy says.
#[test]
fn revert_puts_one_field_back_and_no_other() {
    for policy in ["Detect", "Ignore"] {
        let root = drifted();
        let root = root.edit("tenants.yaml", "policy: {", &format!("policy: {{drift: {policy}, "));
        root.run(&["revert", "prod", OBJECT, "inputs.scopes", "--yes"]).exits(0).prints("inputs.scopes  write → read");
        let text = root.read(PROD);
        assert!(text.contains("read") && !text.contains("write") && text.contains("https://other.example"), "{text}");
        // Once more there is nothing to do.
        root.run(&["revert", "prod", OBJECT, "inputs.scopes", "--yes"]).exits(0).prints("nothing to put back");
    }
}

#[test]
fn revert_of_an_object_puts_back_all_that_differs_and_leaves_pending_changes_to_apply() {
    let root = drifted().edit("dev/connections/chat-main.yaml", "title: Chat", "title: New title");
    let pending = root.read("dev/connections/chat-main.yaml").contains("New title");
    // The endpoint beside a secret needs an approval, as in an apply.
    let said = root.run(&["revert", "prod", OBJECT, "--yes"]);
    said.prints("SK0107").prints("stablekey revert prod Connection/chat-main --approve sha256:");
    assert!(root.read(PROD).contains("https://other.example"));
    let json = root.run(&["revert", "prod", OBJECT, "-o", "json"]);
    json.exits(1).prints("give --approve DIGEST, or --yes");
    let digest = said.all.split("--approve ").nth(1).unwrap().split_whitespace().next().unwrap().to_string();
    root.run(&["revert", "prod", OBJECT, "--approve", &digest]).exits(0).prints("Receipt:");
    let text = root.read(PROD);
    assert!(text.contains("https://chat.example") && !text.contains("write") && !text.contains("New title"), "{text}");
    assert_eq!(root.plan().all.contains("1 to update"), pending);
}

#[test]
fn revert_takes_back_what_a_tenant_keeps_of_its_own() {
    let root = two_tenants().with("prod/connections/chat-main.yaml", &connection("chat-main").replace("read", "own"));
    let root = root.apply();
    root.plan().exits(0).prints("· kept  Connection/chat-main");
    root.run(&["revert", "prod", OBJECT, "inputs.scopes", "--yes"]).exits(0);
    assert!(root.read(PROD).contains("read"));
    root.plan().exits(0).does_not_print("kept");
}

/// A variable that the tenant binds otherwise is unresolved until somebody decides.
#[test]
fn a_kept_variable_is_put_back_or_kept() {
    let root = || {
        let root = two_tenants()
            .with("prod/connections/chat-alt.yaml", &connection("chat-alt"))
            .with("prod/integrations/greet.yaml", &integration("greet", "chat-alt", ""));
        root.run(&["apply", "--yes"]);
        root
    };
    let reverted = root();
    reverted.plan().exits(3).prints("stablekey revert prod Integration/greet connections.Chat");
    reverted.run(&["revert", "prod", "Integration/greet", "connections.Chat", "--yes"]).exits(0);
    assert!(reverted.read("prod/integrations/greet.yaml").contains("stableKey: chat-main"));
    let kept = root();
    kept.run(&["keep", "prod", "Integration/greet", "connections.Chat", "--yes", "--reason", "prod's own"]).exits(0);
    let sync = kept.read("syncs.yaml");
    assert!(sync.contains("variable: Chat") && sync.contains("stableKey: chat-alt"), "{sync}");
    kept.plan().exits(0).does_not_print("kept  Integration/greet");
}

#[test]
fn a_wrong_name_says_the_nearest_and_nothing_is_written() {
    let root = drifted();
    let before = root.files(".");
    for command in ["revert", "keep"] {
        let refused = |arguments: &[&str], text: &str| {
            root.run(&[&[command], arguments, &["--yes"]].concat()).exits(1).prints(text);
        };
        refused(&["pord", OBJECT], "did you mean prod?");
        refused(&["prod", "Connection/chat-mian"], "did you mean chat-main?");
        refused(&["prod", "Conection/chat-main"], "did you mean Connection/chat-main?");
        refused(&["prod", OBJECT, "inputs.scops"], "did you mean inputs.scopes?");
        refused(&["prod", OBJECT, "scopes"], "did you mean inputs.scopes?");
    }
    root.run(&["forget", "prod", "sync/upp", "--yes"]).exits(1).prints("did you mean sync/up?");
    assert_eq!(root.files("."), before);
}

/// "Writes the live value where it is desired": "afterwards the plan shows no drift there and writes nothing".
#[test]
fn keep_edits_the_file_of_the_source_and_the_plan_is_empty() {
    let root = sourced().edit("eu/connections/crm.yaml", "value: read", "value: all").edit(
        "eu/connections/crm.yaml",
        "title: CRM",
        "title: Own",
    );
    let before = root.read("declared/crm.yaml");
    root.plan().exits(3);
    root.run(&["keep", "eu", "Connection/crm", "inputs.scopes", "--dry-run"]).exits(0).prints("scopes: {value: all}");
    assert_eq!(root.read("declared/crm.yaml"), before);
    root.run(&["keep", "eu", "conn/crm", "inputs.scopes", "--yes"]).exits(0);
    assert_eq!(root.read("declared/crm.yaml"), before.replace("value: read", "value: all"));
    root.run(&["keep", "eu", "Connection/crm", "--yes"]).exits(0);
    assert_eq!(root.read("declared/crm.yaml"), before.replace("value: read", "value: all").replace("CRM", "Own"));
    root.plan().exits(0).prints("Nothing to do");
    // A value that was taken away is no longer desired.
    let live = root.read("eu/connections/crm.yaml");
    let at = live.find("    note:").unwrap();
    let end = live[at..].find("    scopes:").unwrap();
    root.write("eu/connections/crm.yaml", &format!("{}{}", &live[..at], &live[at + end..]));
    root.plan().exits(3).prints("inputs.note (taken away");
    root.run(&["keep", "eu", "Connection/crm", "inputs.note", "--yes"]).exits(0);
    assert!(!root.read("declared/crm.yaml").contains("note"));
    root.plan().exits(0).prints("Nothing to do");
}

#[test]
fn keep_makes_an_override_of_the_sync_with_the_reason() {
    let root = drifted().edit("prod/integrations/greet.yaml", "title: greet", "title: Welcome");
    let keep = ["keep", "prod", OBJECT, "inputs.scopes", "--yes"];
    root.run(&keep).exits(1).prints("sync/up declares inputs.scopes").prints("--reason 'REASON'");
    root.run(&[keep.as_slice(), &["--reason", "EU bots write"]].concat()).exits(0);
    let sync = root.read("syncs.yaml");
    assert!(sync.contains("reason: EU bots write") && sync.contains("input: scopes"), "{sync}");
    // No value of an override can say this.
    root.run(&["keep", "prod", "Integration/greet", "--yes", "--reason", "own"]).exits(0);
    assert!(root.read("syncs.yaml").contains("keep: true"), "{}", root.read("syncs.yaml"));
    root.run(&["keep", "prod", OBJECT, "--yes", "--reason", "moved"]).exits(0);
    root.plan().exits(0).does_not_print("drift").does_not_print("to adopt").does_not_print("to update");
}

/// A value replaces an override of the same field, in whichever form it is.
#[test]
fn keep_never_leaves_two_overrides_of_one_field() {
    let root = synced().edit(PROD, "value: read", "value: write");
    root.run(&["keep", "prod", OBJECT, "inputs.scopes", "--yes", "--reason", "first"]).exits(0);
    let text = root.read(PROD).replace("value: write", "value: all");
    root.write(PROD, &text);
    root.run(&["keep", "prod", OBJECT, "inputs.scopes", "--yes", "--reason", "second"]).exits(0);
    let sync = root.read("syncs.yaml");
    assert_eq!(sync.matches("input: scopes").count(), 1, "{sync}");
    assert!(sync.contains("value: all") && sync.contains("second") && !sync.contains("first"), "{sync}");
    root.plan().exits(0);
}

#[test]
fn a_secret_that_stands_there_as_a_value_is_never_written() {
    let root = synced();
    let text = root.read(PROD);
    let at = text.find("    clientSecret:").unwrap();
    let end = at + text[at..].find("    scopes:").unwrap_or(text.len() - at);
    root.write(PROD, &format!("{}    clientSecret: {{value: CANARY}}\n{}", &text[..at], &text[end..]));
    root.run(&["keep", "prod", OBJECT, "--yes", "--reason", "x"]).does_not_print("CANARY");
    root.run(&["revert", "prod", OBJECT, "--yes"]).does_not_print("CANARY");
    assert!(!root.read("syncs.yaml").contains("CANARY"));
}

/// "Drops what a vanished writer left in the record": no byte of spec changes.
#[test]
fn forget_ends_what_a_vanished_writer_left() {
    let root = synced();
    root.run(&["forget", "prod", "sync/up", "--yes"]).exits(1).prints("is not forgotten").prints("TenantSync/up");
    let root = root.without("syncs.yaml");
    root.plan().prints("SK0128").prints("stablekey forget prod sync/up");
    let (manifests, lock) = (root.files("prod/connections"), root.read("prod/stablekey.lock"));
    root.run(&["forget", "prod", "up", "--dry-run"]).exits(0).prints("stablekey.lock");
    assert_eq!(root.read("prod/stablekey.lock"), lock);
    root.run(&["forget", "prod", "sync/up", "--yes"]).exits(0);
    assert!(!root.read("prod/stablekey.lock").contains("sync/up"), "{}", root.read("prod/stablekey.lock"));
    assert_eq!(root.files("prod/connections"), manifests);
    root.plan().exits(0).does_not_print("SK0128");
    root.run(&["forget", "prod", "sync/up", "--yes"]).exits(1).prints("there is nothing to forget");
}

/// A difference whose value becomes the tenant's own is not fixed: the sync of another name leaves it there.
#[test]
fn forget_says_what_becomes_the_tenants_own() {
    let sync = synced().read("syncs.yaml").replace("name: up", "name: up-again");
    let root = synced().edit(PROD, "value: read", "value: write").with("syncs.yaml", &sync);
    let forget = ["forget", "prod", "sync/up", "--dry-run"];
    let own = "prod/Connection/chat-main inputs.scopes";
    let output = root.run(&forget);
    output.exits(0).prints(&format!("Kept:\n  {own} becomes the tenant's own\n"));
    output.does_not_print(&format!("drift: {own}"));
    let json: Value = serde_json::from_str(&root.run(&[forget.as_slice(), &["-o", "json"]].concat()).out).unwrap();
    assert_eq!(json["kept"], serde_json::json!([format!("{own} becomes the tenant's own")]));
    assert!(!json["fixed"].to_string().contains("drift: "), "{json}");
    root.run(&["forget", "prod", "sync/up", "--yes"]).exits(0);
    assert!(root.read(PROD).contains("value: write"));
    root.plan().exits(2).prints("prod keeps its own value");
}

#[test]
fn forget_leaves_other_writers_and_refuses_what_it_cannot_know() {
    let root = sourced();
    root.run(&["forget", "eu", "source", "--yes"]).exits(1).prints("eu has a source");
    root.run(&["forget", "eu", "sorce", "--yes"]).exits(1).prints("did you mean source?");
    let lock = root.read("eu/stablekey.lock").replace("@source", "@promote/us,source");
    root.write("eu/stablekey.lock", &lock);
    root.run(&["forget", "eu", "promote/us", "--yes"]).exits(0);
    assert_eq!(root.read("eu/stablekey.lock"), lock.replace("promote/us,", ""));
    // A file that cannot be read could hold the sync.
    let root = synced().without("syncs.yaml").with("broken.yaml", "apiVersion: stablekey.dev/v1alpha1\nkind: [\n");
    root.run(&["forget", "prod", "sync/up", "--yes"]).exits(1).prints("broken.yaml");
}

/// `--source` as for plan: every command that edits files sees the same writers, and names it in the next one.
#[test]
fn a_source_given_by_hand_is_a_writer_for_edits_too() {
    let around = sourced();
    let outside = around.parent_folder().join("declared");
    std::fs::rename(around.path("declared"), &outside).unwrap();
    let root = around.with("tenants.yaml", &Tenant::new("eu").in_folder("eu").yaml()).edit(
        "eu/connections/crm.yaml",
        "value: read",
        "value: all",
    );
    let given = format!("eu={}", outside.display());
    let option = ["--source", given.as_str()];
    let plan = root.run(&[&["plan"], &option[..]].concat());
    plan.exits(3).prints(&format!("stablekey keep eu Connection/crm inputs.scopes --reason '…' --source {given}"));
    let keep = ["keep", "eu", "Connection/crm", "inputs.scopes", "--yes"];
    let kept = root.run(&[&keep[..], &option[..]].concat());
    kept.exits(0).prints(&format!("stablekey plan --source {given}"));
    assert!(std::fs::read_to_string(outside.join("crm.yaml")).unwrap().contains("value: all"));
    root.run(&[&["plan"], &option[..]].concat()).exits(0);
    let set = ["set", "crm", "scopes=more", "--yes"];
    root.run(&[&set[..], &option[..]].concat()).exits(0);
    assert!(std::fs::read_to_string(outside.join("crm.yaml")).unwrap().contains("value: more"));
    // A wrong one is refused as by plan.
    let wrong = format!("ue={}", outside.display());
    root.run(&[&set[..], &["--source", &wrong]].concat()).exits(1).prints("there is no tenant ue");
    root.run(&[&set[..], &["--source", "eu=nowhere"]].concat()).exits(1).prints("there is no such folder");
}

/// Where what is desired cannot be read, it is unknown whether a tenant differs.
#[test]
fn what_cannot_be_judged_is_no_nothing() {
    let commands = |root: &Project, text: &str| {
        let before = root.files(".");
        for command in [
            &["revert", "prod", OBJECT, "inputs.scopes", "--yes"][..],
            &["keep", "prod", OBJECT, "inputs.scopes", "--reason", "r", "--yes"],
            &["keep", "prod", OBJECT, "--reason", "r", "--yes"],
        ] {
            root.run(command).exits(1).prints(text);
        }
        assert_eq!(root.files("."), before);
    };
    let root = drifted();
    let dev = "dev/connections/chat-main.yaml";
    root.write(dev, &format!("{}  x: [\n", root.read(dev)));
    commands(&root, "dev/connections/chat-main.yaml cannot be read: it may hold chat-main");
    let root = drifted();
    std::fs::remove_dir_all(root.path("dev")).unwrap();
    commands(&root, "its folder dev is not there");
}

/// "With FIELD it also keeps a value that the next apply would change": also where another tenant gets it first.
#[test]
fn a_change_that_comes_along_a_chain_of_syncs_is_kept() {
    let root = Project::example("us-eu");
    let keep = ["keep", "eu-prod", "Integration/lead-router", "definition", "--reason", "pilot", "--yes"];
    root.run(&keep).exits(0);
    assert!(root.read("syncs.yaml").contains("reason: pilot"), "{}", root.read("syncs.yaml"));
    let plan = root.plan_json();
    let actions = plan["targets"].as_array().unwrap().iter().flat_map(|t| t["actions"].as_array().unwrap());
    let ids: Vec<&str> = actions.map(|action| action["id"].as_str().unwrap()).collect();
    assert!(!ids.contains(&"eu-prod/Integration/lead-router"), "{ids:?}");
}
