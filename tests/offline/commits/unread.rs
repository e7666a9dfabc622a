//! What cannot be read at a commit is unknown, not empty: it hides nothing that was read, and where it differs, nobody knows
//! what the change does.

use super::{applied, chat};
use stablekey::api::Credentials;
use stablekey_testing::objects::{Connection, Document as _, Integration, Sync, Tenant};
use stablekey_testing::project::CommandOutput;
use stablekey_testing::work_tree::WorkTree;
use stablekey_testing::yaml;
use std::os::unix::fs::symlink;

/// A file that could have any object.
const BROKEN: &str = "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\n  bad: [";

/// The project with something in the base, and a branch.
fn with_base(files: &[(&str, &str)]) -> WorkTree {
    let tree = applied();
    files.iter().for_each(|(path, text)| tree.write(path, text));
    tree.commit("base");
    tree.branch("change");
    tree
}

fn plan(tree: &WorkTree) -> CommandOutput {
    tree.commit("change");
    tree.stablekey(&["ci", "plan", "--base", "main"])
}

/// Another connection that sends the same key of a Secret to another host.
fn evil() -> String {
    let evil = Connection::new("talk", "talk/basic").credentials(Credentials::OrganizationGlobal);
    evil.input("baseUrl", "https://evil.example").secret("clientSecret", "chat").yaml()
}

fn remove(tree: &WorkTree, path: &str) {
    std::fs::remove_file(tree.path(path)).unwrap();
}

#[test]
fn a_file_that_cannot_be_read_hides_nothing_that_was_read() {
    let tree = with_base(&[("dev/x.yaml", BROKEN)]);
    tree.write("dev/talk.yaml", &evil());
    let output = plan(&tree);
    assert!(output.out.contains("+ create  Connection/talk"), "{}", output.out);
    assert!(output.out.contains("SK0107") && output.out.contains("evil.example"), "{}", output.out);
    assert!(!output.out.contains("does nothing"), "{}", output.out);
    remove(&tree, "dev/talk.yaml");
    remove(&tree, "dev/greet.yaml");
    let output = plan(&tree);
    assert!(output.out.contains("- delete  Integration/greet"), "{}", output.out);
    // Nor a tenant that the change concerns.
    let far = "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {name: far}\nspec:\n  acceptFrom: [dev]\n  \
               location: {kubernetes: {namespace: far, kubeconfig: {context: nowhere}}}\n";
    let far = yaml::file(&[far.to_string(), Sync::new("on", "dev", "far").mirror().yaml()]);
    let tree = with_base(&[("dev/x.yaml", BROKEN), ("far.yaml", &far)]);
    tree.write("dev/notes.yaml", &Integration::new("notes").title("notes").binds("Chat", "chat").yaml());
    let output = plan(&tree);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("✗ far cannot be read: what the change does there is not known"), "{}", output.out);
}

#[test]
fn what_cannot_be_read_and_differs_is_not_known() {
    // The file goes, and what was in it could be what comes: all of that is shown, and what the change mends gates nothing.
    let tree = with_base(&[("dev/x.yaml", BROKEN)]);
    remove(&tree, "dev/x.yaml");
    tree.write("dev/talk.yaml", &evil());
    let output = plan(&tree);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("+ create  Connection/talk") && output.out.contains("SK0107"), "{}", output.out);
    assert!(output.out.contains("what it was before is not known"), "{}", output.out);
    assert!(
        output.out.contains("what else differs is not known: before the change, dev/x.yaml cannot be read"),
        "{}",
        output.out
    );
    // An object that was invalid, and is another one now.
    let invalid = |host: &str| chat(host, "Chat").replace("title: Chat", "titel: Chat");
    let tree = with_base(&[("dev/chat.yaml", &invalid("chat.example"))]);
    tree.write("dev/chat.yaml", &chat("evil.example", "Chat"));
    let output = plan(&tree);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("+ create  Connection/chat") && output.out.contains("evil.example"), "{}", output.out);
    assert!(output.out.contains("SK0107"), "{}", output.out);
    let comment = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    assert!(comment.contains("What it replaces cannot be read") && !comment.contains('✅'), "{comment}");
    assert!(comment.contains("The merge itself changes dev"), "{comment}");
    // Invalid, and another one that is.
    tree.write("dev/chat.yaml", &invalid("evil.example"));
    let output = plan(&tree);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("what differs is not known: Connection/chat cannot be read"), "{}", output.out);
    let comment = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    assert!(comment.contains("Part of what it does is not known"), "{comment}");
    // Doubled in both.
    let tree = with_base(&[("dev/again.yaml", &chat("chat.example", "Chat"))]);
    tree.write("dev/chat.yaml", &chat("evil.example", "Chat"));
    assert_eq!(plan(&tree).code, 3);
    // A definition that cannot be read.
    let notes = Integration::new("notes").title("notes").definition_file("notes.definition").yaml();
    let tree = with_base(&[("dev/notes.yaml", &notes), ("dev/notes.definition", "a: [")]);
    tree.write("dev/notes.definition", "b: [");
    assert_eq!(plan(&tree).code, 3);
}

/// "What the base has already gates nothing": the same bytes are no change, wherever their document stands.
#[test]
fn what_cannot_be_read_and_is_the_same_is_no_change() {
    let invalid = chat("chat.example", "Chat").replace("title: Chat", "titel: Chat");
    let twice = Integration::new("greet").title("again").binds("Chat", "chat").yaml();
    let notes = Integration::new("notes").title("notes").definition_file("notes.definition").yaml();
    let tree = with_base(&[
        ("dev/x.yaml", BROKEN),
        ("dev/chat.yaml", &invalid),
        ("dev/again.yaml", &twice),
        ("dev/notes.yaml", &notes),
        ("dev/notes.definition", "a: ["),
        ("more.yaml", BROKEN),
        ("syncs.yaml", &yaml::file(&[Sync::new("two", "dev", "prod").yaml(), Sync::new("two", "dev", "prod").yaml()])),
    ]);
    tree.write("README.md", "more");
    let output = plan(&tree);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("The change does nothing that is planned"), "{}", output.out);
    // Nor is it on disk.
    let output = tree.stablekey(&["plan", "--from", "main"]);
    assert_eq!(output.code, 0, "{}", output.all);
    tree.git(&["mv", "dev/chat.yaml", "dev/talk.yaml"]);
    let output = plan(&tree);
    assert_eq!(output.code, 0, "{}", output.all);
    assert!(output.out.contains("The change does nothing"), "{}", output.out);
}

/// Outside of tenants' folders are Tenants and TenantSyncs.
#[test]
fn what_decides_about_tenants_and_cannot_be_read_is_not_known() {
    let tree = with_base(&[("more.yaml", BROKEN)]);
    tree.write("more.yaml", &format!("{BROKEN}\n# more"));
    let output = plan(&tree);
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.out.contains("! more.yaml  cannot be read in one of the two commits"), "{}", output.out);
    let json = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "json"]).out;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["unreadFiles"], &json["exit"]), (&serde_json::json!(["more.yaml"]), &3.into()));
    let comment = tree.stablekey(&["plan", "--from", "main", "--to", "HEAD", "-o", "markdown"]).out;
    assert!(comment.contains("**more.yaml** cannot be read"), "{comment}");
    remove(&tree, "more.yaml");
    let output = plan(&tree);
    assert!(output.code == 0 && output.out.contains("more.yaml"), "{}", output.all);
    // A tenant with all that is in its folder.
    let tree = with_base(&[("more.yaml", BROKEN)]);
    tree.write("north.yaml", &Tenant::new("north").in_folder("north").yaml());
    tree.write("north/talk.yaml", &evil());
    let output = plan(&tree);
    assert!(output.out.contains("+ create  Connection/talk"), "{}", output.out);
    assert!(output.out.contains("before the change, more.yaml cannot be read"), "{}", output.out);
    // One that is invalid or doubled in both.
    let invalid = |host: &str| {
        let sync = Sync::new("over", "dev", "prod").overriding_input("prod", "chat", "baseUrl", host);
        sync.yaml().replace("connections:", "connection:")
    };
    let invalid = |host: &str| format!("{}\n  unheardOf: 1\n", invalid(host).trim_end());
    let tree = with_base(&[("over.yaml", &invalid("https://chat.example"))]);
    tree.write("over.yaml", &invalid("https://evil.example"));
    let output = plan(&tree);
    assert_eq!(output.code, 3, "{}", output.all);
    let words = output.out.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("TenantSync/over differs, and what it says is not known: TenantSync/over is"), "{words}");
}

/// What is in a submodule, or behind a link out of the repository, is not in a commit. Where it points is.
#[test]
fn a_pointer_to_something_unread_that_moves_is_not_known() {
    for path in ["dev/more", "more"] {
        let tree = applied();
        let point = |to: &str| {
            tree.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{to},{path}")]);
            tree.git(&["commit", "--quiet", "--message", "submodule"]);
        };
        let commit = tree.git(&["rev-parse", "HEAD"]);
        point(&commit);
        tree.branch("change");
        tree.write("README.md", "more");
        tree.git(&["add", "README.md"]);
        tree.git(&["commit", "--quiet", "--message", "elsewhere"]);
        let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
        assert_eq!(output.code, 0, "{path}: {}", output.all);
        point(&"1".repeat(40));
        let output = tree.stablekey(&["ci", "plan", "--base", "main"]);
        assert_eq!(output.code, 3, "{path}: {}", output.all);
        assert!(!output.out.contains("does nothing"), "{path}: {}", output.out);
    }
    let tree = applied();
    let link = |to: &str| {
        let _ = std::fs::remove_file(tree.path("dev/more.yaml"));
        symlink(to, tree.path("dev/more.yaml")).unwrap();
    };
    link("/srv/one.yaml");
    tree.commit("base");
    tree.branch("change");
    tree.write("README.md", "more");
    assert_eq!(plan(&tree).code, 0);
    link("/srv/two.yaml");
    assert_eq!(plan(&tree).code, 3);
}
