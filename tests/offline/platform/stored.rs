//! A snapshot of a tenant on the platform, and plans with it by somebody who has no token.

use super::{Workplace, every_kind};
use serde_json::Value;
use stablekey_platform::Region;
use stablekey_testing::project::Project;

const WITH: [&str; 2] = ["--snapshot", "../snapshot.json"];

/// The changed fields of a plan's actions.
fn fields(ours: &Workplace, more: &[&str]) -> Vec<Value> {
    let output = ours.command(&[&["plan", "--allow-loopback", "-o", "json"], more].concat()).output().unwrap();
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let targets = plan["targets"].as_array().unwrap();
    let actions = targets.iter().flat_map(|target| target["actions"].as_array().unwrap());
    actions.map(|action| serde_json::json!([action["id"], action["action"], action["fields"]])).collect()
}

/// "A fork's pull request plans with no credentials."
#[test]
fn a_plan_with_a_snapshot_needs_no_token() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.secrets("us-prod", &[("archive/password", "a"), ("salesforce-crm/clientSecret", "b")]);
    ours.run(&["snapshot", "--allow-loopback", "--out", "../snapshot.json"]).exits(0);
    let text = ours.read("../snapshot.json");
    for secret in super::SECRETS.iter().chain(&["CANARY", "clientSecret\": {\"secretRef", "acme-corp"]) {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    let yaml = ours.read("us-prod/connections/warehouse.yaml").replace("warehouse", "archive");
    ours.write("us-prod/connections/archive.yaml", &yaml.replace("Warehouse", "Archive"));
    ours.replace("us-prod/connections/salesforce-crm.yaml", "api refresh_token", "api refresh_token id");
    let live = fields(&ours, &[]);
    assert_eq!(live.len(), 2, "{live:?}");
    us.take_requests();
    // Nobody is asked, and there is no token.
    std::fs::remove_dir_all(ours.home()).unwrap();
    assert_eq!(fields(&ours, &WITH), live);
    ours.plan(&WITH).prints("us-prod is as the snapshot of 2").prints("credentials of customers");
    assert!(us.take_requests().is_empty());
    // The location is another one: what was there says nothing.
    ours.replace("tenants.yaml", &us.url(), "https://app.prismatic.io");
    ours.plan(&WITH).exits(1).prints("its location is another one than in the snapshot");
}

#[test]
fn a_snapshot_that_is_no_such_is_refused() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    ours.plan(&WITH).exits(1).prints("there is no file ../snapshot.json").prints("stablekey snapshot --out FILE");
    ours.run(&["snapshot", "--allow-loopback", "--out", "../snapshot.json"]).exits(0);
    let good = ours.read("../snapshot.json");
    let mut stored: Value = serde_json::from_str(&good).unwrap();
    let write = |stored: &Value| ours.write("../snapshot.json", &stored.to_string());
    let written = stored["written"].clone();
    stored["written"] = "2026-01-01T00:00:00Z".into();
    write(&stored);
    ours.plan(&WITH)
        .exits(1)
        .prints("it was written 2026-01-01T00:00:00Z, ")
        .prints(" ago, which is longer than --max-age allows")
        .prints("write it again");
    ours.plan(&[&WITH[..], &["--max-age", "900000h"]].concat()).exits(0);
    stored["written"] = "2126-01-01T00:00:00Z".into();
    write(&stored);
    ours.plan(&WITH).exits(1).prints("which is yet to come");
    stored["written"] = written;
    stored["tenants"]["us-prod"]["live"] = Value::Null;
    write(&stored);
    ours.plan(&WITH).exits(1).prints("could not be read when the snapshot was written");
    stored["tenants"] = serde_json::json!({});
    write(&stored);
    ours.plan(&WITH).exits(1).prints("it is not in the snapshot");
    for (text, words) in [
        ("", "it is no snapshot: line 1"),
        ("{}", "its schema is"),
        ("{\"schema\": \"stablekey.dev/plan/v1\"}", "its schema is \"stablekey.dev/plan/v1\""),
        ("{\"schema\": \"stablekey.dev/snapshot/v1\", \"tenants\": {}}", "it is no snapshot: line 1"),
        (&good.replacen("{", "{\"more\": 1,", 1), "it is no snapshot: line"),
    ] {
        ours.write("../snapshot.json", text);
        ours.plan(&WITH).exits(1).prints(words);
    }
    for age in ["0h", "1", "soon"] {
        ours.plan(&[&WITH[..], &["--max-age", age]].concat()).exits(1).prints("write a time");
    }
}

/// What could not be read is named as an error, with the file that is written all the same.
#[test]
fn a_snapshot_without_a_tenant_is_an_error_and_written() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    let output = ours.run(&["snapshot", "--out", "../snapshot.json"]);
    output.exits(1).prints("error: ../snapshot.json is written without what could not be read: us-prod: ");
    assert!(ours.read("../snapshot.json").contains("stablekey.dev/snapshot/v1"));
}

/// "Not written in a public repository unless asked for by name"; without an answer it is taken for public.
#[test]
fn a_public_repository_gets_no_snapshot_by_itself() {
    let us = every_kind(Region::Us);
    let ours = Workplace::with_profiles(&[("us", &us)]);
    ours.import("us-prod", &us, "us").exits(0);
    let event = |private: &str| ours.write("../event.json", &format!("{{\"repository\": {{\"private\": {private}}}}}"));
    let github = stablekey_testing::forge::GitHub::start();
    let repository = github.repository();
    let of_github = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_PATH", "../event.json")];
    let token = github.token(stablekey_testing::forge::Rights::Read);
    let by_api = [("GITHUB_API_URL", github.url()), ("GITHUB_REPOSITORY", &repository), ("GITHUB_TOKEN", token)];
    let gitlab = |visibility| [("GITLAB_CI", "true"), ("CI_PROJECT_VISIBILITY", visibility)];
    let run = |variables: &[(&str, &str)], more: &[&str]| {
        let mut command =
            ours.command(&[&["snapshot", "--allow-loopback", "--out", "../snapshot.json"], more].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() || text.contains("--public"), "{text}");
        assert!(!text.contains("CANARY"));
        let is_written = std::fs::remove_file(ours.root().join("../snapshot.json")).is_ok();
        assert_eq!(output.status.success(), is_written);
        is_written
    };
    event("true");
    assert!(run(&of_github, &[]));
    event("false");
    assert!(!run(&of_github, &[]) && run(&of_github, &["--public"]));
    // The event does not tell: the API does.
    ours.write("../event.json", "{\"schedule\": \"0 * * * *\"}");
    let asked = [&of_github[..], &by_api[..]].concat();
    assert!(run(&asked, &[]) && !run(&of_github, &[]));
    github.make_public();
    assert!(!run(&asked, &[]));
    github.fail("GET", "/repos", stablekey_testing::forge::Fault::Forbidden, 1);
    assert!(!run(&asked, &[]));
    assert!(run(&gitlab("private"), &[]) && run(&gitlab("internal"), &[]) && !run(&gitlab("public"), &[]));
    assert!(!run(&[("GITLAB_CI", "true")], &[]) && !run(&[("CI", "true")], &[]));
}

/// Tenants in folders are in the repository already.
#[test]
fn a_snapshot_of_folders_tells_nothing() {
    let project = Project::example("us-eu");
    let mut command = project.command(&["snapshot", "--out", "../snapshot.json"]);
    let output = command.env("CI", "true").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success() && text.contains("All tenants are folders of the tree"), "{text}");
}
