//! Syncs: their stages, and what differs in a target.

use super::fixtures::edit;
use super::served::Served;
use stablekey_testing::cli::example;

#[test]
fn stages_are_in_order_and_say_what_waits() {
    let root = example("stages");
    let served = Served::open(root.path());
    let words = served.get("/syncs").words();
    let first = words.find("Stage 1: dev-2").unwrap_or_else(|| panic!("{words}"));
    let second = words.find("Stage 2: us-prod, eu-prod").unwrap_or_else(|| panic!("{words}"));
    assert!(first < second, "{words}");
}

#[test]
fn overrides_say_what_differs_where_and_why() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let words = served.get("/syncs").words();
    for text in [
        "eu-prod input authorizeUrl of salesforce-oauth: https://eu.login.example/authorize",
        "the EU organization signs in at its own host syncs.yaml:21",
        "us-to-eu syncs.yaml:12",
    ] {
        assert!(words.contains(text), "{text}: {words}");
    }
    // In the plan too: what the override sets is not found where the connection is declared.
    edit(root.path(), "syncs.yaml", "value: https://eu.login.example/authorize", "value: https://eu.login.example/a");
    served.wait_until(|served| served.get("/plan").words().contains("https://eu.login.example/a "));
    let words = served.get("/plan?q=salesforce-oauth&tenant=eu-prod").words();
    assert!(words.contains("“the EU organization signs in at its own host” syncs.yaml:21"), "{words}");
    edit(root.path(), "syncs.yaml", "value: https://eu.login.example/a", "value: https://eu.login.example/authorize");
    // A value that may be a secret is hidden.
    for tenant in ["us-prod", "eu-prod"] {
        edit(
            root.path(),
            &format!("{tenant}/components/salesforce.yaml"),
            "authorizeUrl: {",
            "authorizeUrl: {secret: true, ",
        );
    }
    served.post("/read", &[("back", "/")]);
    served.wait_until(|served| !served.get("/syncs").body.contains("eu.login.example"));
    let words = served.get("/syncs").words();
    assert!(words.contains("authorizeUrl of salesforce-oauth: hidden"), "{words}");
}
