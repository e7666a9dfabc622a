//! Clients that others wrote: octokit for GitHub, gitbeaker for GitLab, Slack's own for incoming webhooks.

use crate::described::description;
use serde_json::Value;
use stablekey_testing::cli::repository;
use stablekey_testing::forge::{Fault, GitHub, GitLab, GitLabRights, Rights, WebhookReceiver};
use std::process::{Command, Stdio};

/// Runs a script of hack/forges with these variables; returns the JSON that it prints.
#[track_caller]
fn run(script: &str, variables: &[(&str, &str)]) -> Value {
    let built =
        Command::new(repository("hack/forges/build")).stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    assert!(built.status.success(), "hack/forges/build failed; what it said is above");
    let modules = String::from_utf8(built.stdout).unwrap();
    let mut node = Command::new("node");
    node.arg(repository("hack/forges").join(script)).stdin(Stdio::null()).env_clear();
    node.env("PATH", std::env::var_os("PATH").unwrap()).env("MODULES", modules.trim_end());
    let output = node.envs(variables.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn octokit_is_content_with_the_fake_of_github() {
    let github = GitHub::start();
    let number = github.open_pull_request("change", "main");
    for index in 0..7 {
        github.write_comment(number, "bob", &format!("comment {index}"));
    }
    let run_of = github.add_run("snapshot.yml", "main", "a1", "push", "success");
    github.add_artifact(run_of, "snapshot", &[("snapshot.json", b"{}")]);
    github.add_file("main", "tenants.yaml", b"kind: Tenant\n");
    github.fail("DELETE", "/comments", Fault::SecondaryLimit { status: 403, retry_after: Some(9) }, 1);
    let said = run(
        "github.mjs",
        &[
            ("GITHUB_API_URL", github.url()),
            ("GITHUB_TOKEN", github.token(Rights::Write)),
            ("READ_TOKEN", github.token(Rights::Read)),
        ],
    );
    assert_eq!(said["comments"], 7, "over four pages");
    assert_eq!(said["file"], "kind: Tenant\n");
    assert_eq!(said["archive"], "PK");
    assert_eq!(said["refused"], 403);
    assert_eq!(said["limited"], "9");
    assert_eq!(said["visibility"], "private");
    assert_eq!(github.comments(number).pop().unwrap().body, "new report");
    assert_eq!(github.check_runs()[0].batches, [50, 10]);
    assert_eq!(github.statuses()[0].state, "success");
    assert_eq!(github.pull_requests()[1].title, "Promote");
    assert!(github.storage_exchanges().iter().all(|exchange| exchange.header("authorization").is_none()));
    let mut exchanges = github.exchanges();
    // The fake has no answer to that, but for the fault.
    exchanges.retain(|exchange| exchange.method != "DELETE");
    assert_eq!(description().problems(&exchanges), [""; 0]);
}

#[test]
fn gitbeaker_is_content_with_the_fake_of_gitlab() {
    let gitlab = GitLab::start();
    let iid = gitlab.open_merge_request("change", "main");
    for index in 0..7 {
        gitlab.write_note(iid, "bob", &format!("note {index}"));
    }
    gitlab.add_job("main", "snapshot", &[("snapshot.json", b"{}")]);
    let said = run(
        "gitlab.mjs",
        &[
            ("CI_SERVER_URL", gitlab.server_url()),
            ("API_TOKEN", gitlab.token(GitLabRights::Api)),
            ("JOB_TOKEN", gitlab.token(GitLabRights::Job)),
        ],
    );
    assert_eq!(said["notes"], 7, "over four pages");
    assert_eq!(said["archive"], "PK");
    assert_eq!(said["refused"], 403);
    assert_eq!(said["visibility"], "private");
    assert_eq!(gitlab.notes(iid).pop().unwrap().body, "new report");
    assert_eq!(gitlab.statuses()[0].name, "stablekey");
    assert_eq!(gitlab.merge_requests()[1].title, "Promote");
}

#[test]
fn the_client_of_slack_is_content_with_the_receiver() {
    let receiver = WebhookReceiver::start();
    let said = run("slack.mjs", &[("URL", &format!("{}/slack/T0/B0/x", receiver.url()))]);
    assert_eq!(said["text"], "ok");
    assert_eq!(said["empty"], "slack_webhook_http_error", "Slack has no message without a text");
    assert_eq!(receiver.messages("/slack").len(), 1);
}
