//! `stablekey new override`.

use crate::edges::files::*;

fn new(root: &Project, more: &[&str]) -> stablekey_testing::project::CommandOutput {
    root.run(&[&["new", "override", "up"], more, &["--yes"]].concat())
}

#[test]
fn an_override_is_added_with_its_reason() {
    let root = synced();
    new(&root, &["--key", "chat-main", "--field", "title", "--value", "Talk", "--reason", "prod talks"]).exits(0);
    let syncs = root.read("syncs.yaml");
    let wanted = "overrides: [{tenant: prod, stableKey: chat-main, field: title, value: Talk, reason: prod talks}]";
    assert!(syncs.contains(wanted), "{syncs}");
    assert_eq!(actions(&root.plan_json()), ["update prod/Connection/chat-main"]);
    let more =
        ["--key", "chat-main", "--input", "clientSecret", "--secret", "chat-prod/clientSecret", "--reason", "ours"];
    new(&root, &more).exits(0);
    new(&root, &["--object", "Integration/greet", "--field", "title", "--keep", "--reason", "ours"]).exits(0);
    assert_eq!(root.read("syncs.yaml").matches("tenant: prod").count(), 3);
    root.run(&["validate"]).exits(0);
    new(&root, &["--key", "chat-main", "--field", "title", "--value", "X", "--reason", "y"])
        .exits(1)
        .prints("has an override of title of chat-main in prod already");
}

#[test]
fn wrong_names_are_named() {
    let root = synced();
    let before = root.files("");
    let title = ["--field", "title", "--value", "x", "--reason", "y"];
    root.run(&[&["new", "override", "upp", "--key", "chat-main"], &title[..], &["--yes"]].concat())
        .exits(1)
        .prints("did you mean up?");
    new(&root, &[&["--key", "chat-man"], &title[..]].concat()).exits(1).prints("did you mean chat-main?");
    new(&root, &[&["--tenant", "prd", "--key", "chat-main"], &title[..]].concat())
        .exits(1)
        .prints("did you mean prod?");
    new(&root, &["--key", "chat-main", "--field", "titel", "--value", "x", "--reason", "y"])
        .exits(1)
        .prints("did you mean title?");
    new(&root, &["--key", "chat-main", "--input", "scops", "--value", "x", "--reason", "y"])
        .exits(1)
        .prints("did you mean scopes?");
    new(&root, &["--integration", "gret", "--variable", "Chat", "--key", "chat-main", "--reason", "y"])
        .exits(1)
        .prints("greet");
    new(&root, &["--integration", "greet", "--variable", "Chta", "--key", "chat-main", "--reason", "y"])
        .exits(1)
        .prints("Chat");
    new(&root, &["--object", "Connection/chat-man", "--field", "title", "--keep", "--reason", "y"])
        .exits(1)
        .prints("chat-main");
    new(&root, &["--key", "chat-main", "--reason", "y"]).exits(1).prints("what differs is not given");
    new(&root, &["--key", "chat-main", "--field", "title", "--value", "x", "--reason", " "])
        .exits(1)
        .prints("no reason");
    let secret = ["--key", "chat-main", "--input", "clientSecret", "--secret", "CANARY", "--reason", "y"];
    new(&root, &secret).exits(1).does_not_print("CANARY");
    assert_eq!(root.files(""), before);
}
