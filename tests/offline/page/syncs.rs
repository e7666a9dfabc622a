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
        "the EU organization signs in at its own host",
    ] {
        assert!(words.contains(text), "{text}: {words}");
    }
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
