//! "A secret is always a reference", in whatever door it comes.

use crate::edges::files::*;

/// "well-known token shapes in files (an annotation lets an honest value through)".
#[test]
fn a_token_of_a_well_known_service_is_refused_unseen() {
    let token = format!("ghp_{}", "a1B2".repeat(9));
    let file = "dev/connections/chat-main.yaml";
    let root = two_tenants().edit(file, "value: read", &format!("value: {token}"));
    root.plan().exits(1).says("scopes looks like a GitHub token").says("chat-main.yaml:13").does_not_say(&token);
    let honest = "metadata: {name: chat-main, annotations: {stablekey.dev/not-secret: scopes}}";
    root.edit(file, "metadata: {name: chat-main}", honest).plan().exits(2);
}

/// "empty or blank is absent": presence is not content.
#[test]
fn a_blank_value_is_none() {
    for blank in ["\"\"", "\"  \""] {
        let root = two_tenants().edit("dev/connections/chat-main.yaml", "\"https://chat.example\"", blank);
        root.run(&["validate"]).says("SK0105").says("chat-main needs baseUrl");
    }
}

/// "hidden where either side of a change is a secretRef": a literal that becomes a reference, and the other way.
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
            root.run(&["plan", "-o", form]).does_not_say("CANARY");
        }
    }
}

/// "no hash of a literal secret in a record": what a literal stands in is not adopted.
#[test]
fn a_literal_secret_is_not_adopted() {
    let root = two_tenants()
        .with(
            "prod/components/chat.yaml",
            &component_yaml().replace("scopes: {}", "scopes: {}\n        pin: {secret: true}"),
        )
        .with("prod/connections/own.yaml", &connection("own").replace("scopes: {value: read}", "pin: {value: CANARY}"));
    root.run(&["adopt", "prod", "Connection/own"]).exits(1).says("SK0120").says("pin").does_not_say("CANARY");
    assert!(!root.has("prod/stablekey.lock"));
}

/// "a Component's types can be changed".
#[test]
fn an_input_is_added_to_a_type_whatever_the_order_of_keys() {
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

/// "No hash of a literal secret in a record": of one that was written before its type said that it is one, either.
#[test]
fn a_hash_of_what_became_a_secret_is_forgotten() {
    let pin = "    scopes: {value: read}\n    pin: {value: CANARY}\n";
    let root = two_tenants().edit("dev/connections/chat-main.yaml", "    scopes: {value: read}\n", pin).apply();
    assert!(root.read("prod/stablekey.lock").contains("inputs.pin="));
    let typed = "        pin: {secret: true}\n        clientSecret";
    let root = root.edit("dev/components/chat.yaml", "        clientSecret", typed).edit(
        "prod/components/chat.yaml",
        "        clientSecret",
        typed,
    );
    root.plan().says("no hash of a secret is kept").says("SK0120").does_not_say("CANARY");
    root.run(&["apply", "--yes"]).does_not_say("CANARY");
    assert!(!root.read("prod/stablekey.lock").contains("inputs.pin="));
    root.plan().does_not_say("no hash of a secret is kept");
}
