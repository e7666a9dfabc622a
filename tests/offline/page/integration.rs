//! The page of an integration.

use super::served::Served;
use stablekey_testing::cli::example;

/// What the plan does with an integration, and what holds it back, stands beside its bindings, tenant by tenant.
#[test]
fn what_is_pending_and_what_is_blocked_stands_there() {
    let root = example("us-eu");
    let served = Served::open(root.path());
    let words = served.get("/integration?name=lead-router").words();
    let changes = words.split_once("Changes and problems 2").unwrap_or_else(|| panic!("{words}")).1;
    let of_us = changes.find("us-prod ~ to update Update").unwrap_or_else(|| panic!("{changes}"));
    assert!(changes.find("eu-prod ~ to update Update").is_some_and(|of_eu| of_eu < of_us), "{changes}");
    assert!(changes.contains("+ step New lead › Score lead (code/runCode)"), "{changes}");
    let words = served.get("/integration?name=support-digest").words();
    assert!(words.contains("\"Zendesk\" needs stable key zendesk-oauth, which eu-prod does not have"), "{words}");
    assert!(words.contains("stablekey new connection --tenant eu-prod --component zendesk"), "{words}");
    let quiet = served.get("/integration?name=order-export").words();
    assert!(!quiet.contains("Changes and problems"), "{quiet}");
}
