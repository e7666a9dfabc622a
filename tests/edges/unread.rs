//! "Unread is unknown, never empty. What cannot be read is unknown: what it may hold is neither removed,
//! released nor unbound, and the exit code says so."

use crate::world::*;

#[track_caller]
fn removes_nothing(root: &Root, why: &str) {
    let before = root.files("prod");
    root.plan().exits(1).says(why);
    let plan = root.plan_json();
    assert!(!actions(&plan).iter().any(|action| action.starts_with("delete")), "{plan:#}");
    root.run(&["apply", "--yes"]).exits(1);
    let after = root.files("prod");
    assert!(before.keys().all(|file| after.contains_key(file)), "{before:?}\n{after:?}");
}

/// "A file within a tenant's folder that … holds nothing but blanks, a dangling link, a link out of the root, a
/// FIFO or a device could hold anything."
#[test]
fn what_could_hold_anything_removes_nothing() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("o.yaml"), integration("greet", "chat-main", "")).unwrap();
    let greet = "dev/integrations/greet.yaml";
    let gone = || Root::applied().without(greet);
    removes_nothing(&gone().link("nowhere.yaml", greet), "this link leads nowhere");
    removes_nothing(&gone().link("nowhere", "dev/more"), "this link leads nowhere");
    removes_nothing(&gone().with(greet, "\n \n"), "the file is empty");
    removes_nothing(&gone().with(greet, "a: [\n"), greet);
    let out = outside.path().display().to_string();
    removes_nothing(&gone().link(&format!("{out}/o.yaml"), greet), "leads out of the root");
    removes_nothing(&gone().link(&out, "dev/more"), "leads out of the root");
    let root = gone();
    assert!(std::process::Command::new("mkfifo").arg(root.path().join(greet)).status().unwrap().success());
    removes_nothing(&root, "FIFO");
}

/// A group that is nearly ours, or a document whose kind or name cannot be read.
#[test]
fn a_group_that_is_nearly_ours_removes_nothing() {
    let greet = "dev/integrations/greet.yaml";
    for (from, to, why) in [
        ("stablekey.dev/v1alpha1", "stabelkey.dev/v1alpha1", "write `apiVersion: stablekey.dev/v1alpha1`"),
        ("stablekey.dev/v1alpha1", "Stablekey.dev/v1alpha1", "write `apiVersion: stablekey.dev/v1alpha1`"),
        ("stablekey.dev/v1alpha1", "v1alpha1", "write `apiVersion: stablekey.dev/v1alpha1`"),
        ("stablekey.dev/v1alpha1", "stablekey.dev/v9", "there is no version"),
        ("apiVersion: stablekey.dev/v1alpha1\n", "", "has no apiVersion"),
        ("kind: Integration", "kind: Integratoin", "did you mean `Integration`"),
        ("metadata: {name: greet}", "metadata: {}", "metadata.name is missing"),
    ] {
        removes_nothing(&Root::applied().edit(greet, from, to), why);
    }
}

/// "A folder that is not there" says nothing: SK0131.
#[test]
fn a_missing_location_removes_nothing() {
    let root = Root::applied();
    std::fs::rename(root.path().join("dev"), root.path().join("away")).unwrap();
    root.plan().says("dev is not there").does_not_say("nothing to do: dev");
    // What the folder held lies in nobody's folder now.
    std::fs::rename(root.path().join("away"), root.path().join(".away")).unwrap();
    removes_nothing(&root, "mkdir -p dev");
}

/// Also of a tenant that takes no part.
#[test]
fn a_missing_location_of_another_tenant_holds_up_nobody() {
    let other = "---\napiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: other}\nspec: {place: {directory: {path: other}}}\n";
    let root = Root::base().with("tenants.yaml", &format!("{TENANTS}{other}"));
    root.plan().exits(1).says("unreachable").says("mkdir -p other");
    let said = root.run(&["apply", "--yes"]);
    said.exits(1).says("2 done");
    assert!(root.has("prod/integrations/greet.yaml") && !root.has("other"));
}

/// "Outside tenants' folders only an unparsable file in which `stablekey.dev` occurs … counts, and stops removal
/// everywhere; any other is passed over."
#[test]
fn a_broken_file_outside_tenants_removes_nothing_anywhere() {
    let gone = || Root::applied().without("dev/integrations/greet.yaml");
    removes_nothing(&gone().with("more.yaml", "# stablekey.dev\na: [\n"), "more.yaml");
    removes_nothing(&gone().with("more.yaml", "kind: TenantSync\na: [\n"), "more.yaml");
    for theirs in
        ["{{- range . }}\nkind: Deployment\n", "a: [\n", "apiVersion: backstage.io/v1\nkind: Component\nx: [\n"]
    {
        let root =
            gone().with("theirs.yaml", theirs).with("chart/Chart.yaml", "name: x\n").with("chart/t.yaml", "{{ x }}");
        let plan = root.plan_json();
        assert!(actions(&plan).contains(&"delete prod/Integration/greet".to_string()), "{plan:#}");
        root.plan().does_not_say("theirs.yaml");
    }
}

/// … and a sync that a broken file may hold is not gone.
#[test]
fn a_sync_that_cannot_be_read_does_not_stop_declaring() {
    for broken in
        ["# stablekey.dev\na: [\n".to_string(), SYNC.replace("to: [prod]", "to: prod"), format!("{SYNC}---\n{SYNC}")]
    {
        let root = Root::applied().with("syncs.yaml", &broken).without("dev/integrations/greet.yaml");
        removes_nothing(&root, "syncs.yaml");
        root.plan().does_not_say("is gone").does_not_say("SK0128");
    }
}

fn with_definition(version: &str) -> Root {
    let more = "  definition: {file: greet.definition}\n";
    Root::base()
        .with("dev/integrations/greet.yaml", &integration("greet", "chat-main", more))
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"))
        .apply()
        .with("dev/integrations/greet.definition", &definition("Greet", version, "chat-main"))
}

/// A definition of a version that is not read: "bindings stay, uses unknown, not carried, nothing removed".
#[test]
fn a_definition_of_a_version_that_is_not_read_is_unknown() {
    for version in ["8", "7.0", "seven", "[7]", "{a: b}", "99999999999999999999999", "-7"] {
        let root = with_definition(version);
        removes_nothing(&root, "SK0147");
        root.run(&["status"]).says("1 connection, 1 integration, 1 of 1 bound 1 error");
        assert!(root.read("prod/integrations/greet.definition").contains("definitionVersion: 7"), "{version}");
        // The connection that it may use stays, though nothing that is read names it.
        let root = root.edit(
            "dev/integrations/greet.yaml",
            "stableKey: chat-main",
            "own: {component: {key: chat}, type: oauth2}",
        );
        removes_nothing(&root, "SK0147");
    }
}

/// … in an import too: what is there stays, and the exit code is 1.
#[test]
fn an_import_of_a_version_that_is_not_read_leaves_what_is_there() {
    for version in ["8", "7.0", "seven", "[7]"] {
        let root = Root::base()
            .without("dev/integrations/greet.yaml")
            .with("v7.yml", &definition("Greet", "7", "chat-main"))
            .with("new.yml", &definition("Greet", version, "chat-main"));
        root.run(&["import", "--tenant", "dev", "v7.yml"]).exits(0);
        let root = root.apply();
        let before = root.files("dev");
        root.run(&["import", "--tenant", "dev", "new.yml"]).exits(1).says("nothing of it was imported");
        assert_eq!(root.files("dev"), before, "{version}");
        root.plan().exits(0);
    }
}

/// An older format says nothing of its connections either: what was bound stays.
#[test]
fn an_import_of_an_older_version_unbinds_nothing() {
    let root =
        Root::base().without("dev/integrations/greet.yaml").with("v7.yml", &definition("Greet", "7", "chat-main"));
    root.run(&["import", "--tenant", "dev", "v7.yml"]).exits(0);
    let root = root.with("v4.yml", &definition("Greet", "4", "chat-main"));
    root.run(&["import", "--tenant", "dev", "v4.yml"]).exits(0);
    assert!(root.read("dev/integrations/greet.yaml").contains("stableKey: chat-main"));
}

/// An integration of the target that cannot be read may use any of its connections.
#[test]
fn a_connection_that_an_unreadable_integration_may_use_stays() {
    let root = Root::applied()
        .with("prod/integrations/theirs.yaml", &integration("theirs", "chat-main", "  bogus: true\n"))
        .edit("prod/connections/chat-main.yaml", "spec:\n", "spec:\n  deletionPolicy: Delete\n")
        .without("dev/integrations/greet.yaml")
        .without("dev/connections/chat-main.yaml");
    let plan = root.plan_json();
    assert_eq!(actions(&plan), ["delete prod/Integration/greet"], "{plan:#}");
    root.plan().exits(1).says("Integration/theirs cannot be read and may use it");
}
