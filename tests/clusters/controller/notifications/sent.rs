//! What is sent, once for each transition.

use super::env::*;
use crate::controller::syncer::env::*;
use serde_json::json;
use stablekey_clusters::{run, shared};
use stablekey_testing::certificates::Authority;
use stablekey_testing::cli::repository;
use stablekey_testing::forge::{GitHub, GitLab, GitLabRights, Rights, WebhookReceiver};
use stablekey_testing::git_repository::GitRepository;
use stablekey_testing::git_server::{GitServer, PASSWORD, USER};
use stablekey_testing::objects::*;
use stablekey_testing::replica::until;
use std::process::{Command, Stdio};

const HOOK: &str = "webhook: {url: URL/hook/CANARY-notify, token: CANARY-notify-token, secret: CANARY-notify-key}";
const SLACK: &str = "slack: {url: URL/slack/CANARY-notify}\nproblemsOnly: true\ncluster: us";

/// "On sync, drift, approval wanted …: one per transition, … deduplicated over restarts."
#[test]
fn each_transition_is_sent_once_also_over_restarts() {
    let env = NotifyEnv::new("once");
    env.destinations(&[("ops", HOOK), ("team", SLACK)]);
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let syncer = env.syncer();
    until_target_state(&env.clusters, "eu", "InSync");
    assert_eq!(env.until_messages("/hook", 1), ["Sync InSync"]);
    let first = &env.receiver.messages("/hook")[0];
    assert_eq!(first["schema"], "stablekey.dev/notification/v1");
    assert_eq!(
        (first["object"].as_str(), first["tenant"].as_str(), first["namespace"].as_str()),
        (Some("TenantSync/us-to-eu"), Some("eu"), Some(env.clusters.us.name()))
    );
    assert_eq!(first["title"], "eu is in sync: 2 created");

    // Somebody changes a value in the target, and puts it back.
    let edit = |value: &str| {
        let patch = json!({"spec": {"inputs": {"scopes": {"value": value}}}}).to_string();
        kubectl(&env.clusters.eu, &["patch", "connection/crm", "--type=merge", "-p", &patch]);
    };
    edit("mine");
    assert_eq!(env.until_messages("/hook", 2)[1], "Drift Drifted");
    assert!(env.receiver.messages("/hook")[1]["text"].as_str().unwrap().contains("Connection/crm inputs.scopes"));
    env.until_recorded("ops", "Drift", 1);
    env.until_recorded("team", "Drift", 1);
    drop(syncer);
    let syncer = env.syncer();
    edit("api");
    assert_eq!(env.until_messages("/hook", 3)[2], "Drift Ended");

    // A plan that waits for approval.
    env.plans_only();
    env.clusters.in_us(&[connection("crm", "more")]);
    assert_eq!(env.until_messages("/hook", 4)[3], "Approval AwaitingApproval");
    let text = env.receiver.messages("/hook")[3]["text"].as_str().unwrap().to_string();
    assert!(text.contains("\nstablekey approve us-to-eu --tenant eu -n "), "{text}");
    env.until_recorded("ops", "Approval", 1);
    env.until_recorded("team", "Approval", 1);
    drop(syncer);
    let mut syncer = env.syncer();
    syncer.wait_for_log("\"message\":\"read\"");
    reconcile_again(&env.clusters, SYNC, "1");
    env.clusters.in_us(&[sync("Apply")]);
    assert_eq!(env.until_messages("/hook", 5)[4], "Sync InSync");
    assert_eq!(env.told("/hook").len(), 5, "{:?}", env.told("/hook"));

    // Slack was told of the problems only, and mentions nobody.
    let slack: Vec<String> =
        env.receiver.messages("/slack").iter().map(|message| message["text"].as_str().unwrap().to_string()).collect();
    assert_eq!(slack.len(), 2, "{slack:?}");
    assert!(slack[0].starts_with("⚠️ *eu has drift: 1 value changed by others*\nTenantSync/us-to-eu in namespace "));
    assert!(slack[0].contains(", cluster us\n```\nConnection/crm inputs.scopes: changed by kubectl-"), "{}", slack[0]);

    // Nothing secret is anywhere but in the requests.
    let record = env.record();
    assert!(record.contains("TenantSync/us-to-eu eu Drift") && !record.contains(CANARY), "{record}");
    assert!(!syncer.log.join("\n").contains(CANARY));
    let label = field(&env.clusters.us, "configmap/stablekey-notified-syncer", ".metadata.labels");
    assert_eq!(label, r#"{"stablekey.dev/notified":"true"}"#);
    let hook = &env.receiver.exchanges("/hook")[0];
    assert_eq!(hook.header("authorization"), Some("Bearer CANARY-notify-token"));
    assert_eq!(hook.header("idempotency-key"), hook.json()["id"].as_str());
}

/// The signature of a webhook is GitHub's: its own library verifies it.
#[test]
fn octokit_verifies_a_signature() {
    let env = NotifyEnv::new("signed");
    env.destinations(&[("ops", HOOK)]);
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let _syncer = env.syncer();
    env.until_messages("/hook", 1);
    let hook = env.receiver.exchanges("/hook").remove(0);
    let built = run(Command::new(repository("hack/forges/build")).stdin(Stdio::null())).unwrap();
    let verify = |key: &str| {
        let mut node = Command::new("node");
        node.arg(repository("hack/forges/signature.mjs")).stdin(Stdio::null());
        node.env("MODULES", built.trim_end()).env("KEY", key).env("BODY", String::from_utf8_lossy(&hook.body).as_ref());
        node.env("SIGNATURE", hook.header("x-stablekey-signature-256").unwrap());
        run(&mut node).unwrap().trim_end().to_string()
    };
    assert_eq!(verify("CANARY-notify-key"), "true");
    assert_eq!(verify("another key"), "false");
}

/// A hub that has run for long is not told again what was well before: only what is wrong.
#[test]
fn a_new_destination_is_told_of_what_is_wrong_now() {
    let env = NotifyEnv::new("new");
    env.clusters.in_us(&[connection("crm", "api"), integration("lead", &["crm"]), sync("Apply")]);
    let syncer = env.clusters.syncer();
    until_target_state(&env.clusters, "eu", "InSync");
    drop(syncer);
    env.destinations(&[("ops", HOOK)]);
    let _syncer = env.syncer();
    until("the destination is known", || env.record().contains("\"ops\""));
    let patch = json!({"spec": {"inputs": {"scopes": {"value": "mine"}}}}).to_string();
    kubectl(&env.clusters.eu, &["patch", "connection/crm", "--type=merge", "-p", &patch]);
    assert_eq!(env.until_messages("/hook", 1), ["Drift Drifted"]);
    // A second one, while it drifts.
    env.destinations(&[("ops", HOOK), ("late", "webhook: {url: URL/late}")]);
    kubectl(&env.clusters.us, &["annotate", SYNC, "stablekey.dev/requestedAt=1"]);
    assert_eq!(env.until_messages("/late", 1), ["Drift Drifted"]);
    assert_eq!(env.told("/hook"), ["Drift Drifted"]);
}

/// A Secret of a connection expires: the binder tells, and once.
#[test]
fn credentials_that_expire_are_told_by_the_binder() {
    let namespace = shared("us").namespace("expires-notify");
    let receiver = WebhookReceiver::start();
    write_destinations(
        &namespace,
        receiver.url(),
        &[("ops", "webhook: {url: URL/hook}\ntopics: [Credentials]\ntenants: [us]")],
    );
    let opted = |expires: &str| {
        let metadata = json!({
            "name": "app", "labels": {"stablekey.dev/for": "connections"},
            "annotations": {"stablekey.dev/keys": "crm", "stablekey.dev/expires": expires},
        });
        with(secret("app", json!({"clientSecret": "x"})), "/metadata", metadata)
    };
    let crm = Connection::new("crm", "salesforce/oauth2").secret("clientSecret", "app").json();
    apply(&namespace, &[tenant("us", json!({})), opted("2020-01-01T00:00:00Z"), crm]);
    let binder = operator_of(&namespace, "binder", ("", std::path::Path::new("/nowhere")));
    until("it expired", || told(&receiver, "/hook") == ["Credentials SecretExpired"]);
    drop(binder);
    let _binder = operator_of(&namespace, "binder", ("", std::path::Path::new("/nowhere")));
    apply(&namespace, &[opted("2099-01-01T00:00:00Z")]);
    until_ready(&namespace, "connection/crm", "Complete");
    apply(&namespace, &[opted("2021-01-01T00:00:00Z")]);
    until("it expired again", || told(&receiver, "/hook").len() == 2);
    assert_nothing_was_forbidden(&namespace, "binder");
}

/// The commit of a Tenant's source has a status on its server: it waits, and then it is applied.
#[test]
fn commits_have_a_status_on_their_server() {
    let namespace = shared("us").namespace("commits-notify");
    let (folder, authority, fetched) = (tempfile::tempdir().unwrap(), Authority::new(), tempfile::tempdir().unwrap());
    let server = GitServer::start(folder.path(), &authority);
    std::fs::create_dir(folder.path().join("acme")).unwrap();
    let repository = GitRepository::new(&folder.path().join("acme/connections.git"));
    let (github, gitlab, receiver) = (GitHub::start(), GitLab::start(), WebhookReceiver::start());
    let data = json!({"username": USER, "password": PASSWORD, "ca.crt": authority.pem});
    let credentials =
        with(secret("stablekey-git", data), "/metadata/annotations", json!({"stablekey.dev/hosts": server.host()}));
    let text = |kind: &str, api: &str, token: &str| {
        format!(
            "{kind}: {{host: '{}', api: '{api}', token: {token}, repositories: [acme/*]}}\ntenants: [us]",
            server.host()
        )
    };
    let destinations = json!({
        "github": text("github", github.url(), github.token(Rights::Write)),
        "gitlab": text("gitlab", gitlab.url(), gitlab.token(GitLabRights::Api)),
        "ops": format!("webhook: {{url: '{}/hook'}}", receiver.url()),
    });
    let hosts = [github.url(), gitlab.url().trim_end_matches("/api/v4"), receiver.url()].join(",");
    apply(
        &namespace,
        &[
            credentials,
            with(secret(SECRET, destinations), "/metadata/annotations", json!({"stablekey.dev/hosts": hosts})),
        ],
    );
    let git = json!({
        "url": server.url("acme/connections.git"), "branch": "main", "path": "tenants/us", "interval": "1s",
        "secretRef": {"name": "stablekey-git"},
    });
    let commit =
        |objects: &[serde_json::Value]| repository.commit("main", &crate::controller::git::env::source(objects));
    let first = commit(&[connection("crm", "api")]);
    apply(&namespace, &[tenant("us", json!({"source": {"git": git}}))]);
    let _syncer = operator_of(&namespace, "syncer", (&server.host(), fetched.path()));
    let last = |commit: &str| {
        let of_github = github.statuses().into_iter().rfind(|status| status.sha == commit);
        let of_gitlab = gitlab.statuses().into_iter().rfind(|status| status.sha == commit);
        let github = of_github.map(|status| (status.context, status.state));
        (github, of_gitlab.map(|status| (status.name, status.state)))
    };
    let name = format!("stablekey/{}/us", namespace.name());
    let is = |state: &str, of_gitlab: &str| {
        (Some((name.clone(), state.to_string())), Some((name.clone(), of_gitlab.to_string())))
    };
    until("the first commit is applied", || last(&first) == is("success", "success"));
    let second = commit(&[connection("crm", "more")]);
    until("the second commit is applied", || last(&second) == is("success", "success"));
    // A file that cannot be read.
    let broken = repository.commit("main", &{
        let mut files = crate::controller::git::env::source(&[connection("crm", "more")]);
        let text = b"apiVersion: stablekey.dev/v1alpha1\nkind: Connection\nmetadata: {name: bad}\nspec: {}\n".to_vec();
        files.insert("tenants/us/bad.yaml".to_string(), stablekey_testing::git_repository::File::Regular(text));
        files
    });
    until("the third commit is blocked", || last(&broken) == is("failure", "failed"));
    // One for each transition: it is being changed, and it is done.
    let of_second = github.statuses().into_iter().filter(|status| status.sha == second).map(|status| status.state);
    let of_second: Vec<String> = of_second.collect();
    assert!(of_second.len() <= 2 && of_second.last().unwrap() == "success", "{of_second:?}");
    // A webhook is told of the source too.
    until("the webhook was told", || told(&receiver, "/hook").last().is_some_and(|last| last == "Sync Blocked"));
}
