//! `stablekey new component`.

use crate::edges::files::*;

#[test]
fn a_component_is_written_from_flags() {
    let root = two_tenants();
    let new = ["new", "component", "acme", "--private", "--tenant", "dev", "--type", "oauth", "--type", "key"];
    let more = ["--oauth2", "oauth=ClientCredentials", "--input", "key.baseUrl:required,endpoint", "--input"];
    root.run(&[&new[..], &more, &["key.token:required,secret", "--yes"]].concat()).exits(0).prints("as given");
    let text = root.read("dev/components/acme.private.yaml");
    for part in ["public: false", "oauth2: ClientCredentials", "endpoint: true", "secret: true"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    root.run(&["validate"]).exits(0);
}

/// Another tenant describes it.
#[test]
fn a_component_is_taken_from_another_tenant() {
    let root = two_tenants().without("prod/components/chat.yaml");
    root.run(&["new", "component", "chat", "--tenant", "prod", "--yes"]).exits(0).prints("as dev describes it");
    assert!(root.read("prod/components/chat.yaml").contains("clientSecret"));
    root.run(&["new", "component", "chat", "--tenant", "prod", "--yes"]).exits(1).prints("has Component/chat already");
}

/// No tenant describes it: definitions that use it say what they use.
#[test]
fn a_component_is_inferred_from_definitions() {
    let root = two_tenants().without("dev/components/chat.yaml").without("prod/components/chat.yaml");
    let root = root
        .with(
            "dev/integrations/greet.yaml",
            &integration("greet", "chat-main", "  definition: {file: greet.definition}\n"),
        )
        .with("dev/integrations/greet.definition", &definition("Greet", "7", "chat-main"));
    root.run(&["new", "component", "chat", "--tenant", "dev", "--yes"]).exits(0).prints("inferred from definitions");
    assert!(root.read("dev/components/chat.yaml").contains("stablekey.dev/inferred"));
}

#[test]
fn wrong_names_are_named() {
    let root = two_tenants();
    let new = |more: &[&str]| root.run(&[&["new", "component"], more, &["--yes"]].concat());
    new(&["chatt", "--tenant", "prod"]).exits(1).prints("did you mean chat?").prints("--type KEY");
    new(&["chat"]).exits(1).prints("no tenant is given");
    new(&["x", "--tenant", "dev", "--from", "pord"]).exits(1).prints("did you mean prod?");
    let x = ["x", "--tenant", "dev", "--type", "key"];
    new(&[&x[..], &["--input", "kye.a"]].concat()).exits(1).prints("did you mean key?");
    new(&[&x[..], &["--input", "key.a:secrte"]].concat()).exits(1).prints("did you mean secret?");
    new(&[&x[..], &["--input", "key.a", "--input", "key.a"]].concat()).exits(1).prints("is given twice");
    new(&[&x[..], &["--oauth2", "key=Code"]].concat()).exits(1).prints("AuthorizationCode");
    new(&[&x[..], &["--type", "key"]].concat()).exits(1).prints("given twice");
}

/// In a project without components the suggested command makes the first one, when its placeholder is filled in.
#[test]
fn the_first_component_is_made_by_the_suggested_command() {
    let root = Project::empty();
    root.run(&["init", "--tenant", "us-prod"]).exits(0);
    root.run(&["status", "--component"]).exits(0).prints("no tenant has a component or a connection yet");
    let said = root.run(&["new", "connection", "--tenant", "us-prod", "--component", "slack", "--yes"]);
    said.exits(1).prints("declare it first:\n    stablekey new component slack --tenant us-prod --type TYPE\n");
    root.run(&["new", "component", "slack", "--tenant", "us-prod", "--type", "oauth2", "--yes"]).exits(0);
    root.run(&["status", "--component", "slack"]).exits(0).prints("types: oauth2");
}
