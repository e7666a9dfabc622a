//! Answers of other shapes than expected (tests/answers): nulls, new values of enumerations, more fields. What is not
//! understood is unknown, never absent.

use super::{Workplace, started};
use stablekey_platform::{Answer, Fault, Platform, Region, seed};
use stablekey_testing::cli::repository;
use std::fs;

/// Per answer to the question for connections: what a plan says, and its exit code. The source declares `warehouse`.
const ANSWERS: [(&str, &str, i32); 10] = [
    ("extra-fields", "nothing to do", 0),
    ("new-status", "warehouse has status suspended in us-prod", 0),
    ("new-scope", "the platform reports an unknown value for its credentials", 1),
    ("new-tree-location", "nothing to do", 0),
    ("no-connection", "the platform does not report its component and type", 1),
    ("no-component", "the platform does not report its component and type", 1),
    ("null-inputs", "its inputs came back as null", 1),
    ("number-value", "kept Connection/warehouse inputs.host", 2),
    ("null-list", "the platform returns no list of them", 1),
    ("other-list", "the platform returns no list of them", 1),
];

#[test]
fn answers_of_other_shapes_hide_nothing() {
    let files = fs::read_dir(repository("tests/answers")).unwrap().count();
    assert_eq!(files, ANSWERS.len(), "each answer is tried");
    let us = started(Platform::new(seed::every_kind(Region::Us).unwrap()));
    let ours = Workplace::with_profiles(&[("us", &us)]);
    let tenant = format!(
        "apiVersion: stablekey.dev/v1alpha1\nkind: Tenant\nmetadata: {{name: us-prod}}\nspec:\n  location: {{prismatic: {{url: \
         \"{}\", tokenFrom: {{profile: us}}}}}}\n  source: {{path: us-prod}}\n",
        us.url()
    );
    ours.write("tenants.yaml", &tenant);
    ours.write(
        "us-prod/warehouse.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: warehouse}\nspec:\n  stableKey: warehouse\n  \
         title: Warehouse\n  component: {key: postgres}\n  type: postgres\n  credentials: OrganizationGlobal\n  inputs:\n    host: \
         {value: db.example.invalid}\n",
    );
    // Only what concerns the connection is of interest: its integrations are not there either.
    us.change(|store| {
        store.integrations.clear();
        store.instances.clear();
        store.workflows.clear();
    });
    for (name, says, code) in ANSWERS {
        let text = fs::read_to_string(repository("tests/answers").join(format!("{name}.json"))).unwrap();
        us.clear_faults();
        us.fault_on("StablekeyConnections", 0, Fault::Answer(Answer::json(200, &text)));
        let plan = ours.plan(&["--output", "json"]);
        assert!(!plan.text.contains("\"action\": \"create\""), "{name}: it is there, or unknown\n{}", plan.text);
        us.fault_on("StablekeyConnections", 0, Fault::Answer(Answer::json(200, &text)));
        let plan = ours.plan(&[]);
        if code == 0 {
            // It only comes under management.
            plan.prints(if says == "nothing to do" { "warehouse" } else { says });
        } else {
            plan.exits(code).prints(says);
        }
    }
}
