//! A tenant on the platform that was configured by hand, imported, and handed over to a sync.

use super::{Workplace, every_kind};
use stablekey_platform::Region;

/// Both tenants, imported; the target has its secrets.
fn imported(us: &stablekey_platform::Server, eu: &stablekey_platform::Server) -> Workplace {
    let ours = Workplace::with_profiles(&[("us", us), ("eu", eu)]);
    ours.import("us-prod", us, "us").exits(0);
    ours.import("eu-prod", eu, "eu").exits(0);
    ours.plan(&[]).exits(0);
    ours
}

const NEW: [&str; 10] = [
    "new",
    "sync",
    "us-prod",
    "eu-prod",
    "--connections",
    "Mirror",
    "--integration",
    "order-sync",
    "--yes",
    "--allow-loopback",
];

/// "what is equal is taken out (its fields pass from `source` to `sync/<name>`: the record follows, no action), what
/// differs becomes an override, reason \"as imported\"; afterwards plan is empty, and a change in FROM is an update in
/// TO".
#[test]
fn what_is_there_is_handed_over_and_a_change_is_an_update() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = imported(&us, &eu);
    eu.take_requests();
    ours.run(&NEW)
        .exits(0)
        .prints("kept by overrides of sync/us-prod-to-eu-prod")
        .prints("follows sync/us-prod-to-eu-prod");
    assert!(eu.take_requests().iter().all(|request| !request.writes), "nothing is written to the platform");
    ours.plan(&[]).exits(0);
    let syncs = ours.read("syncs.yaml");
    assert!(syncs.contains("reason: as imported") && syncs.contains("https://eu.erp.example.invalid"), "{syncs}");
    // What the sync brings is taken out of the source of eu-prod; what it does not bring stays.
    assert!(ours.root().join("eu-prod/connections/warehouse.yaml").exists());
    let wrote = ours.record("eu-prod")["objects"]["Connection/salesforce-crm"]["wrote"].as_str().unwrap().to_string();
    assert!(
        wrote.contains("@sync/us-prod-to-eu-prod") && !wrote.contains("title=") || !wrote.contains("title=@source"),
        "{wrote}"
    );
    // A second run finds nothing.
    ours.run(&NEW).exits(0).prints("Nothing to change");
    // A change in us-prod is an update in eu-prod.
    let file = "us-prod/connections/salesforce-crm.yaml";
    let title = ours.read(file).lines().find(|line| line.trim_start().starts_with("title:")).unwrap().to_string();
    ours.replace(file, &title, "  title: CRM everywhere");
    ours.plan(&[]).prints("eu-prod 1 to update").prints("CRM everywhere");
}

/// "(and `import` into a target of a sync) leave in the target's source only what the sync does not bring".
#[test]
fn an_import_into_a_target_of_a_sync_is_handed_over() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    // The sync is there before its target was imported.
    let url = eu.url();
    let new = ["new", "tenant", "eu-prod", "--url", &url, "--profile", "eu", "--accept-from", "us-prod", "--yes"];
    ours.run(&[&new[..], &["--allow-loopback"]].concat()).exits(0);
    ours.write(
        "syncs.yaml",
        "apiVersion: stablekey.dev/v1alpha1\nkind: TenantSync\nmetadata: {name: across}\nspec:\n  from: us-prod\n  to: \
         [eu-prod] # Europe\n  integrations: [order-sync]\n  connections: Mirror\n",
    );
    let import = ["import", "--tenant", "eu-prod", "--allow-loopback"];
    ours.run(&import).exits(0).prints("kept by overrides of sync/across");
    ours.plan(&[]).exits(0);
    let syncs = ours.read("syncs.yaml");
    assert!(syncs.contains("[eu-prod] # Europe") && syncs.contains("reason: as imported"), "{syncs}");
    let left = ours.read("eu-prod/connections/salesforce-crm.yaml");
    // The platform does not tell the toggle, so that no sync brings it from there.
    assert!(!left.contains("inputs:") && left.contains("embeddedWorkflows: true"), "the sync brings the rest:\n{left}");
    // A second import changes nothing.
    let before = stablekey_testing::cli::files(&ours.root());
    ours.run(&import).exits(0);
    assert_eq!(stablekey_testing::cli::files(&ours.root()), before);
    ours.plan(&[]).exits(0);
    // An update that waits is not kept as a difference by the next import.
    ours.replace("us-prod/connections/salesforce-crm.yaml", "title: ", "title: New ");
    ours.run(&import).exits(0);
    assert_eq!(ours.read("syncs.yaml"), syncs);
    ours.plan(&[]).prints("eu-prod 1 to update");
}
