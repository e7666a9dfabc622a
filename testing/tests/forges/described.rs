//! The fake of GitHub, and requests to it, against GitHub's own description.

use crate::github::{Client, writer};
use serde_json::{Value, json};
use stablekey_testing::forge::{Description, Fault, GitHub, Rights};
use std::sync::OnceLock;

pub fn description() -> &'static Description {
    static DESCRIPTION: OnceLock<Description> = OnceLock::new();
    DESCRIPTION.get_or_init(Description::installed)
}

#[test]
fn every_answer_is_as_described() {
    let github = GitHub::start();
    let number = github.open_pull_request("change", "main");
    for _ in 0..3 {
        github.write_comment(number, "bob", "x");
    }
    github.push(number, "a1");
    let run = github.add_run("snapshot.yml", "main", "a1", "push", "success");
    let artifact = github.add_artifact(run, "snapshot", &[("snapshot.json", b"{}")]);
    github.add_file("main", "us/tenants.yaml", b"x");
    let client = writer(&github);
    let comments = format!("/issues/{number}/comments");
    for path in [
        "",
        &format!("{comments}?per_page=2&page=1"),
        "/issues/99/comments",
        "/pulls?state=open&head=acme:change&base=main",
        "/pulls/1",
        "/commits/a1/pulls",
        "/pulls/9",
        "/actions/workflows/snapshot.yml/runs?branch=main&event=push&status=success&per_page=1",
        &format!("/actions/runs/{run}"),
        &format!("/actions/runs/{run}/artifacts?name=snapshot"),
        "/actions/artifacts?name=snapshot&per_page=100",
        &format!("/actions/artifacts/{artifact}/zip"),
        "/contents/us/tenants.yaml?ref=main",
    ] {
        client.get(path);
    }
    let second = client.get(&format!("{comments}?per_page=2"));
    client.get(second.link("next").unwrap());
    let comment = client.post(&comments, json!({"body": "x"})).json()["id"].clone();
    client.send("PATCH", &format!("/issues/comments/{comment}"), Some(json!({"body": "y"})));
    client.post(&comments, json!({"body": "x".repeat(65_537)}));
    let annotation = json!({"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"});
    let output = json!({"title": "t", "summary": "s", "annotations": [annotation]});
    let check = client.post("/check-runs", json!({"name": "plan", "head_sha": "abc", "output": output}));
    let done = json!({"status": "completed", "conclusion": "success"});
    client.send("PATCH", &format!("/check-runs/{}", check.json()["id"]), Some(done));
    client
        .post("/statuses/abc", json!({"state": "pending", "context": "stablekey", "target_url": "https://ci.example"}));
    client.post("/pulls", json!({"head": "promote-1", "base": "main", "title": "Promote"}));
    client.send("PATCH", "/pulls/1", Some(json!({"title": "t", "body": "b"})));
    Client { github: &github, rights: Some(Rights::Read) }.post(&comments, json!({"body": "x"}));
    github.fail("GET", "/pulls", Fault::Status(502), 1);
    client.get("/pulls");
    assert_eq!(description().problems(&github.exchanges()), [""; 0]);
    assert_eq!(github.exchanges().len(), 25);
}

#[test]
fn a_request_that_is_not_as_described_is_noticed() {
    let annotation = json!({"path": "a", "start_line": "1", "end_line": 1, "annotation_level": "warn", "message": "m"});
    let post = |path: &str, body: Value| ("POST", path.to_string(), Some(body));
    let get = |path: &str| ("GET", path.to_string(), None);
    for ((method, path, body), why) in [
        (get("/issue/1/comments"), "there is no such path"),
        (get("/issues/one/comments"), "parameter issue_number"),
        (get("/issues/1/comments?per-page=5"), "there is no parameter per-page"),
        (get("/issues/1/comments?page=two"), "parameter page"),
        (post("/issues/1/comments", json!({"text": "x"})), "required property"),
        (post("/issues/1/comments", json!({"body": 7})), "not of type"),
        (post("/issues/1/comments", json!({"body": "x", "marker": "y"})), "/marker: there is no such field"),
        (("PUT", "/issues/comments/1".to_string(), Some(json!({"body": "x"}))), "has no put"),
        (
            post(
                "/check-runs",
                json!({"name": "n", "head_sha": "s", "output": {"title": "t", "summary": "s", "annotations": [annotation]}}),
            ),
            "start_line",
        ),
        (post("/statuses/abc", json!({"state": "succeeded"})), "is not one of"),
    ] {
        let github = GitHub::start();
        github.open_pull_request("change", "main");
        writer(&github).send(method, &path, body);
        let problems = description().problems(&github.exchanges());
        assert!(problems.iter().any(|problem| problem.contains(why)), "{path} {why}: {problems:?}");
    }
}
