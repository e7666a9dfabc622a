//! An organization comes into Git in one command, and the plan after it is empty.

use super::{Ran, Workplace, every_kind};
use stablekey_platform::{Region, Server};
use stablekey_testing::cli::files;
use std::io::Write as _;
use std::process::{Command, Stdio};

/// "asks for everything, pages by itself, …, writes the folder, the Tenant with its location, and the record: afterwards
/// `plan` is empty".
#[test]
fn after_an_import_the_plan_is_empty() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0).prints("4 integrations, 5 components, 8 connections").prints(
        "Keys not imported: 2 - \"hooli-api\" (Hooli API): not imported: it belongs to one customer - \"slack-build-only\" \
         (Slack (test only)): not imported: the platform's own, for building only",
    );
    ours.import("eu-prod", &eu, "eu").exits(0);
    // "0 false missing": of every kind, and of what is not the tenant's own.
    ours.plan(&[])
        .exits(0)
        .does_not_print("SK0101")
        .does_not_print("SK0105")
        .does_not_print("SK0127")
        .does_not_print("missing")
        .prints("known on this machine only");
    ours.run(&["validate"]).exits(0);
    let tenants = ours.read("tenants.yaml");
    let url = us.url();
    assert!(tenants.contains(&format!("      url: {url}\n      tokenFrom:\n        profile: us\n")), "{tenants}");
    assert!(us.take_requests().iter().all(|request| !request.writes), "an import writes nothing there");
    // The four kinds of credentials.
    for (key, credentials) in [
        ("salesforce-crm", "Customer"),
        ("slack-notifications", "OrganizationCustomer"),
        ("warehouse", "OrganizationGlobal"),
        ("slack-personal", "User"),
    ] {
        let yaml = ours.read(&format!("us-prod/connections/{key}.yaml"));
        assert!(yaml.contains(&format!("credentials: {credentials}\n")), "{yaml}");
    }
    assert!(
        ours.read("us-prod/connections/acme-erp.yaml")
            .contains("  test:\n    inputs:\n      apiKey:\n        secretRef:")
    );
}

#[test]
fn a_second_import_changes_nothing() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    let before = files(&ours.root());
    us.take_requests();
    // The Tenant has the location now.
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    let after = files(&ours.root());
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, bytes) in &before {
        assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&after[path]), "{path}");
    }
    let asked = us.take_requests();
    assert!(!asked.iter().any(|request| request.query.contains("definition(")), "definitions did not change");
    ours.plan(&[]).exits(0);
}

/// "An answer from a pipe is accepted with and without a top-level `data`".
#[test]
fn an_answer_comes_through_a_pipe_with_or_without_data() {
    let us = every_kind(Region::Us);
    let query = Workplace::new().run(&["import", "--print-query"]).exits(0).text;
    let ask = |query: &str| {
        let body = serde_json::json!({"query": query}).to_string();
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--data", &body, "-H", "Content-Type: application/json"]);
        curl.args(["-H", &format!("Authorization: Bearer {}", us.token()), &format!("{}/api", us.url())]);
        let output = curl.output().unwrap();
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let answer = ask(&query);
    assert!(answer.get("errors").is_none(), "{answer}");
    for text in [answer.to_string(), answer["data"].to_string()] {
        let ours = Workplace::new();
        let mut command = ours.command(&["import", "--tenant", "us-prod", "-"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        Ran::of(&["import", "-"], &output).exits(0).prints("8 connections");
    }
}

/// The record goes to the Git remote, where a second clone reads it.
#[test]
fn in_a_git_clone_the_record_is_on_the_remote() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .current_dir(ours.root())
            .args(["-c", "user.name=x", "-c", "user.email=x@x.example"])
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let remote = ours.home().join("remote.git");
    git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", remote.to_str().unwrap()]);
    ours.import("us-prod", &us, "us").exits(0).prints("recorded in refs/stablekey/* on the Git remote origin");
    ours.plan(&[]).exits(0).does_not_print("this machine only");
    assert!(git(&["ls-remote", "origin"]).contains("refs/stablekey/us-prod"));
    git(&["add", "."]);
    git(&["commit", "--quiet", "-m", "Import us-prod"]);
    git(&["push", "--quiet", "origin", "HEAD:main"]);
    // A second laptop, with its own login.
    let other = Workplace::with_profiles(&[("us", &us)]);
    let mut clone = Command::new("git");
    clone.args(["clone", "--quiet", "--branch", "main", remote.to_str().unwrap(), "."]);
    assert!(clone.current_dir(other.root()).status().unwrap().success());
    other.plan(&[]).exits(0);
    // A pull request cannot change it, and a remote without it is no empty record.
    git(&["push", "--quiet", "origin", "--delete", "refs/stablekey/us-prod"]);
    other.plan(&[]).exits(1).prints("was deleted there").prints("git push --force origin");
}

/// Two Tenants that are one organization are errors on both.
#[test]
fn two_tenants_cannot_be_one_organization() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    let tenants = ours.read("tenants.yaml");
    let second = tenants.replace("us-prod", "copy");
    ours.write("tenants.yaml", &format!("{tenants}---\n{second}"));
    ours.write("copy/note.txt", "");
    let plan = ours.plan(&[]).exits(1);
    let plan = plan.prints("us-prod 1 unreachable");
    plan.prints("it is the same organization as copy");
}

/// "The first read keeps tenant id and organization in the record; another is an error".
#[test]
fn a_tenant_stays_the_organization_that_it_was() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    is_another_after(&ours, &us, &eu);
}

/// Also where the tenant was written by hand, and only planned.
#[test]
fn the_first_plan_records_the_organization() {
    let (us, eu) = (every_kind(Region::Us), every_kind(Region::Eu));
    let ours = Workplace::with_profiles(&[("us", &us), ("eu", &eu)]);
    ours.import("us-prod", &us, "us").exits(0);
    let records = ours.home().join(".local/state/stablekey/records");
    std::fs::remove_dir_all(&records).unwrap();
    ours.plan(&[]);
    is_another_after(&ours, &us, &eu);
}

/// Plans after the tenant was pointed from the one organization to the other.
fn is_another_after(ours: &Workplace, us: &Server, eu: &Server) {
    let (from, to) = (us.url(), eu.url());
    ours.replace("tenants.yaml", &from, &to);
    ours.replace("tenants.yaml", "profile: us", "profile: eu");
    let plan = ours.plan(&[]).exits(1).prints("it was organization Acme Corp (US)");
    plan.prints("and the token is for Acme Corp (EU)");
}

/// An integration that got another title keeps its name here: it is known by its id.
#[test]
fn a_changed_title_makes_no_second_integration() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    us.change(|store| {
        let now = store.tick();
        let integration = store.integrations.iter_mut().find(|i| i.name == "Order Sync").unwrap();
        let text = integration.draft.text.replace("name: Order Sync", "name: Orders");
        integration.draft = stablekey_platform::definition::Definition::parse(&text).unwrap().into();
        integration.name = "Orders".into();
        integration.updated = now;
    });
    let again = ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    again.prints("integrations/order-sync.yaml (replaced)").prints("integrations/slack-alerts.yaml (unchanged)");
    assert!(ours.read("us-prod/integrations/order-sync.yaml").contains("title: Orders"));
    assert!(!ours.root().join("us-prod/integrations/orders.yaml").exists());
    ours.plan(&[]).exits(0);
}

/// What is neither declared nor there any more is not recorded any more: the plan is empty, and nothing counts as edited.
#[test]
fn what_is_gone_on_the_platform_is_forgotten() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    for (from, to) in [("ERP", "ERP Two"), ("ERP Two", "ERP Three")] {
        let (from, to) = (from.to_string(), to.to_string());
        us.change(move |store| {
            let now = store.tick();
            let integration = store.integrations.iter_mut().find(|i| i.name == "Order Sync").unwrap();
            let text = integration.draft.text.replace(&format!("key: {from}\n"), &format!("key: {to}\n"));
            let text = text.replace(&format!("value: {from}\n"), &format!("value: {to}\n"));
            integration.draft = stablekey_platform::definition::Definition::parse(&text).unwrap().into();
            integration.updated = now;
        });
        let again = ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
        again.prints("integrations/order-sync.yaml (replaced)");
        ours.plan(&[]).exits(0).does_not_print("adopt");
    }
}

/// One gets another title, and another gets the title that it had: each keeps its id, so its name.
#[test]
fn a_title_that_goes_to_another_integration_makes_a_second_one() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    us.change(|store| {
        let now = store.tick();
        let id = store.id("Integration");
        let integration = store.integrations.iter_mut().find(|i| i.name == "Order Sync").unwrap();
        let newer = stablekey_platform::store::Integration { id, created: now, updated: now, ..integration.clone() };
        let text = integration.draft.text.replace("name: Order Sync", "name: Order Sync Old");
        integration.draft = stablekey_platform::definition::Definition::parse(&text).unwrap().into();
        integration.name = "Order Sync Old".into();
        integration.updated = now;
        store.integrations.push(newer);
    });
    ours.plan(&[]).does_not_print("2 integrations that are called");
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    assert!(ours.read("us-prod/integrations/order-sync.yaml").contains("title: Order Sync Old"));
    ours.plan(&[]).exits(0);
}

/// Comments of people in a definition are no change of it, and stay.
#[test]
fn comments_in_a_definition_stay() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    let path = "us-prod/integrations/order-sync.definition";
    ours.write(path, &format!("# keep\n{}", ours.read(path)));
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0).prints("order-sync.yaml (unchanged)");
    assert!(ours.read(path).starts_with("# keep\n"));
}

/// A person gives the manifest another name: it is the same integration.
#[test]
fn a_manifest_with_another_name_is_the_same_integration_after_an_import() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.replace("us-prod/integrations/order-sync.yaml", "name: order-sync\n", "name: crm-sync\n");
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    assert!(!ours.root().join("us-prod/integrations/order-sync-2.yaml").exists());
    ours.plan(&[]).exits(0);
}

/// The platform has no labels and annotations: those of people are theirs.
#[test]
fn labels_stay_in_the_files() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    for name in ["connections/warehouse", "integrations/order-sync"] {
        let path = format!("us-prod/{name}.yaml");
        ours.replace(&path, "metadata:\n", "metadata:\n  labels: {team: crm}\n");
    }
    ours.plan(&[]).exits(0);
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0).prints("order-sync.yaml (unchanged)");
    assert!(ours.read("us-prod/integrations/order-sync.yaml").contains("team: crm"));
}

/// What a person edited since the last import is never replaced: nothing is lost that is not in Git yet.
#[test]
fn what_was_edited_here_stays() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.replace("us-prod/integrations/order-sync.definition", "*/5 * * * *", "*/9 * * * *");
    ours.replace(
        "us-prod/integrations/slack-alerts.yaml",
        "stableKey: slack-notifications",
        "stableKey: slack-internal",
    );
    let again = ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    again
        .prints("integration order-sync stays as it is here")
        .prints("integration slack-alerts stays as it is here")
        .does_not_print("(replaced)");
    assert!(ours.read("us-prod/integrations/order-sync.definition").contains("*/9 * * * *"));
    assert!(ours.read("us-prod/integrations/slack-alerts.yaml").contains("stableKey: slack-internal"));
    // As the note says: once it is removed, the platform's comes.
    std::fs::remove_file(ours.root().join("us-prod/integrations/order-sync.yaml")).unwrap();
    std::fs::remove_file(ours.root().join("us-prod/integrations/order-sync.definition")).unwrap();
    ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(0);
    assert!(ours.read("us-prod/integrations/order-sync.definition").contains("*/5 * * * *"));
}

/// What keeps a part from being written is found before anything is written.
#[test]
fn an_import_into_what_cannot_be_used_writes_nothing() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    std::fs::write(ours.home().join("tenants.yaml"), "").unwrap();
    std::os::unix::fs::symlink(ours.home().join("tenants.yaml"), ours.root().join("tenants.yaml")).unwrap();
    ours.import("us-prod", &us, "us").exits(1).prints("tenants.yaml is a link, and is not written through");
    assert!(!ours.root().join("us-prod").exists());
    std::fs::remove_file(ours.root().join("tenants.yaml")).unwrap();
    ours.import("us-prod", &us, "us").exits(0);
    ours.write("us-prod/integrations/order-sync.definition", "flows: [");
    let before = files(&ours.root());
    let import = ours.run(&["import", "--tenant", "us-prod", "--allow-loopback"]).exits(1);
    import.prints("Integration/order-sync").prints("nothing was written");
    assert_eq!(before, files(&ours.root()));
}

/// One organization under a second name is refused before it is imported twice.
#[test]
fn an_organization_is_not_imported_under_a_second_name() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    let before = files(&ours.root());
    let second = ours.import("again", &us, "us").exits(1);
    second.prints("organization Acme Corp (US)").prints("is tenant us-prod already: import into us-prod");
    assert_eq!(before, files(&ours.root()));
}

#[test]
fn an_import_that_cannot_be_made_writes_nothing() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    us.fault_on("StablekeyComponents", 0, stablekey_platform::Fault::NullNode);
    ours.import("us-prod", &us, "us").exits(1).prints("the list of components could not be read");
    assert!(files(&ours.root()).is_empty());
    let url = us.url();
    let twice = ours.run(&["import", "--tenant", "us-prod", "--from", &url, "--profile", "nobody", "--allow-loopback"]);
    twice.exits(1).prints("prism has no profile \"nobody\"");
    ours.run(&["import", "--tenant", "us-prod"]).exits(1).prints("there is no tenant us-prod yet");
    let no_loopback = ours.run(&["import", "--tenant", "us-prod", "--from", &url, "--profile", "us"]);
    no_loopback.exits(1).prints("needs --allow-loopback");
    assert!(files(&ours.root()).is_empty());
}
