//! A secret is always a reference, wherever it comes from.

use crate::edges::files::*;

/// Tokens of well-known services are refused in files (an annotation allows a false positive).
#[test]
fn a_token_of_a_well_known_service_is_refused_without_being_shown() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let file = "dev/connections/chat-main.yaml";
    let root = two_tenants().edit(file, "value: read", &format!("value: {token}"));
    root.plan().exits(1).prints("scopes looks like a GitHub token").prints("chat-main.yaml:13").does_not_print(&token);
    let honest = "metadata: {name: chat-main, annotations: {stablekey.dev/not-secret: scopes}}";
    root.edit(file, "metadata: {name: chat-main}", honest).plan().exits(2);
}

/// A blank value counts as absent.
#[test]
fn a_blank_value_counts_as_absent() {
    for blank in ["\"\"", "\"  \""] {
        let root = two_tenants().edit("dev/connections/chat-main.yaml", "\"https://chat.example\"", blank);
        root.run(&["validate"]).prints("SK0105").prints("chat-main needs baseUrl");
    }
}

/// A value is hidden if the other side of the change is a secretRef: a literal that becomes a reference, and the
/// reverse.
#[test]
fn a_value_beside_a_reference_is_hidden() {
    let (literal, reference) = ("pin: {value: CANARY}", "pin: {secretRef: {name: chat, key: pin}}");
    let with = |root: Project, pin: &str| {
        root.edit(
            "dev/connections/chat-main.yaml",
            "    scopes: {value: read}",
            &format!("    scopes: {{value: read}}\n    {pin}"),
        )
    };
    let untyped = || two_tenants().without("dev/components/chat.yaml").without("prod/components/chat.yaml");
    for (before, after) in [(literal, reference), (reference, literal)] {
        let root = with(untyped(), before);
        root.run(&["apply", "--yes"]).exits(0);
        let root = root.edit("dev/connections/chat-main.yaml", before, after);
        for form in ["text", "json", "markdown"] {
            root.run(&["plan", "-o", form]).does_not_print("CANARY");
        }
    }
}

/// A record never has the hash of a literal secret, so an object with one is not adopted.
#[test]
fn a_literal_secret_is_not_adopted() {
    let root = two_tenants()
        .with(
            "prod/components/chat.yaml",
            &component_yaml().replace("scopes: {}", "scopes: {}\n        pin: {secret: true}"),
        )
        .with("prod/connections/own.yaml", &connection("own").replace("scopes: {value: read}", "pin: {value: CANARY}"));
    root.run(&["adopt", "prod", "Connection/own"]).exits(1).prints("SK0120").prints("pin").does_not_print("CANARY");
    assert!(!root.has("prod/stablekey.lock"));
}

/// The types of a Component can be changed.
#[test]
fn an_input_can_be_added_to_a_type_in_any_order_of_keys() {
    let source = "location: {directory: {path: prod}}\n  source: {path: own}";
    let root = two_tenants()
        .without("prod/components/chat.yaml")
        .edit("tenants.yaml", "location: {directory: {path: prod}}", source)
        .with("own/components/chat.yaml", &component_yaml())
        .apply()
        .edit(
            "own/components/chat.yaml",
            "scopes: {}",
            "zone: {}\n        scopes: {}\n        alias: {required: false}",
        );
    root.run(&["apply", "--yes"]).exits(0);
    let text = root.read("prod/components/chat.yaml");
    assert!(text.contains("zone") && text.contains("alias"), "{text}");
}

/// A record never has the hash of a literal secret, even if it was written before the type marked it as one.
#[test]
fn the_hash_of_a_later_secret_is_forgotten() {
    let pin = "    scopes: {value: read}\n    pin: {value: CANARY}\n";
    let root = two_tenants().edit("dev/connections/chat-main.yaml", "    scopes: {value: read}\n", pin).apply();
    assert!(root.read("prod/stablekey.lock").contains("inputs.pin="));
    let typed = "        pin: {secret: true}\n        clientSecret";
    let root = root.edit("dev/components/chat.yaml", "        clientSecret", typed).edit(
        "prod/components/chat.yaml",
        "        clientSecret",
        typed,
    );
    root.plan().prints("no hash of a secret is kept").prints("SK0120").does_not_print("CANARY");
    root.run(&["apply", "--yes"]).does_not_print("CANARY");
    assert!(!root.read("prod/stablekey.lock").contains("inputs.pin="));
    root.plan().does_not_print("no hash of a secret is kept");
}
