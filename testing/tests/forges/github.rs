//! GitHub: tokens, pages, limits, artifacts, faults.

use crate::client::{Got, send};
use serde_json::{Value, json};
use stablekey_testing::forge::{Fault, GitHub, Rights};

/// A client with a token, or without one.
pub struct Client<'a> {
    pub github: &'a GitHub,
    pub rights: Option<Rights>,
}

impl Client<'_> {
    pub fn send(&self, method: &str, path: &str, body: Option<Value>) -> Option<Got> {
        let url = match path.starts_with("http") {
            true => path.to_string(),
            false => format!("{}/repos/{}{path}", self.github.url(), self.github.repository()),
        };
        let token = self.rights.map(|rights| format!("Bearer {}", self.github.token(rights)));
        let mut headers = vec![("user-agent", "test"), ("accept", "application/vnd.github+json")];
        headers.extend(token.as_deref().map(|token| ("authorization", token)));
        send(method, &url, &headers, body.as_ref())
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Got {
        self.send("GET", path, None).unwrap()
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Got {
        self.send("POST", path, Some(body)).unwrap()
    }
}

pub fn writer(github: &GitHub) -> Client<'_> {
    Client { github, rights: Some(Rights::Write) }
}

#[test]
fn comments_are_read_over_pages_and_kept_up_to_date() {
    let github = GitHub::start();
    let number = github.open_pull_request("change", "main");
    for index in 0..5 {
        github.write_comment(number, "bob", &format!("comment {index}"));
    }
    let client = writer(&github);
    let comments = format!("/issues/{number}/comments");
    let mut seen = Vec::new();
    let mut next = Some(format!("{comments}?per_page=2"));
    while let Some(path) = next {
        let page = client.get(&path);
        seen.extend(
            page.json().as_array().unwrap().iter().map(|comment| comment["body"].as_str().unwrap().to_string()),
        );
        next = page.link("next").map(str::to_string);
    }
    assert_eq!(seen, ["comment 0", "comment 1", "comment 2", "comment 3", "comment 4"]);
    assert_eq!(client.get(&format!("{comments}?per_page=500")).header("link"), None);
    assert!(client.get(&format!("{comments}?per_page=2&page=9")).json().as_array().unwrap().is_empty());

    let made = client.post(&comments, json!({"body": "report"}));
    assert_eq!((made.status, made.json()["user"]["login"].as_str()), (201, Some("github-actions[bot]")));
    let path = format!("/issues/comments/{}", made.json()["id"]);
    assert_eq!(client.send("PATCH", &path, Some(json!({"body": "new report"}))).unwrap().status, 200);
    let last = github.comments(number).pop().unwrap();
    assert_eq!((last.body.as_str(), last.is_edited), ("new report", true));
    let too_long = client.post(&comments, json!({"body": "x".repeat(65_537)}));
    assert_eq!(too_long.status, 422);
    assert_eq!(client.post(&comments, json!({"body": "é".repeat(65_536)})).status, 201);
    assert_eq!(client.post("/issues/99/comments", json!({"body": "x"})).status, 404);
}

#[test]
fn a_token_may_what_its_rights_say() {
    let github = GitHub::start();
    let number = github.open_pull_request("fork", "main");
    let comments = format!("/issues/{number}/comments");
    let with = |rights| Client { github: &github, rights };
    let text = || json!({"body": "x"});
    assert_eq!(with(Some(Rights::Read)).get(&comments).status, 200);
    let refused = with(Some(Rights::Read)).post(&comments, text());
    assert_eq!(
        (refused.status, refused.json()["message"].as_str()),
        (403, Some("Resource not accessible by integration"))
    );
    assert_eq!(with(None).get(&comments).status, 404, "a private repository is not there for others");
    assert_eq!(with(None).post(&comments, text()).status, 401);
    let check = json!({"name": "plan", "head_sha": "abc"});
    assert_eq!(with(Some(Rights::Person)).post(&comments, text()).status, 201);
    assert_eq!(with(Some(Rights::Person)).post("/check-runs", check).status, 403);
    github.make_public();
    assert_eq!(with(None).get(&comments).status, 200);
    let headers = [("user-agent", "test"), ("authorization", "Bearer no-such")];
    let url = format!("{}/repos/acme/connections", github.url());
    assert_eq!(send("GET", &url, &headers, None).unwrap().status, 401);
    assert_eq!(send("GET", &url, &[], None).unwrap().status, 403, "it wants a User-Agent");
    assert_eq!(github.comments(number).len(), 1);
}

#[test]
fn annotations_come_in_batches() {
    let github = GitHub::start();
    let client = writer(&github);
    let annotation = |line: usize| json!({"path": "a.yaml", "start_line": line, "end_line": line, "annotation_level": "failure", "message": "SK0101"});
    let output = |count: usize| {
        let annotations: Vec<Value> = (1..=count).map(annotation).collect();
        json!({"title": "Plan", "summary": "120 findings", "annotations": annotations})
    };
    let run =
        |count: usize| json!({"name": "plan", "head_sha": "abc", "status": "in_progress", "output": output(count)});
    let refused = client.post("/check-runs", run(51));
    assert_eq!(refused.status, 422);
    assert!(refused.json()["errors"][0]["message"].as_str().unwrap().starts_with("No more than 50 items"));
    let made = client.post("/check-runs", run(50));
    let path = format!("/check-runs/{}", made.json()["id"]);
    for (count, done) in [(50, json!({})), (20, json!({"status": "completed", "conclusion": "failure"}))] {
        let mut body = done;
        body["output"] = output(count);
        assert_eq!(client.send("PATCH", &path, Some(body)).unwrap().status, 200);
    }
    let [check] = &github.check_runs()[..] else { panic!("{:?}", github.check_runs()) };
    assert_eq!((check.annotations.len(), &check.batches[..]), (120, &[50, 50, 20][..]));
    assert_eq!((check.status.as_str(), check.conclusion.as_deref()), ("completed", Some("failure")));
    let open = client.send("PATCH", &path, Some(json!({"status": "completed"})));
    assert_eq!(open.unwrap().status, 422, "a check that is completed has a conclusion");

    let status = |description: &str| json!({"state": "success", "context": "stablekey", "description": description});
    assert_eq!(client.post("/statuses/abc", status("1 to update")).status, 201);
    assert_eq!(client.post("/statuses/abc", status(&"x".repeat(141))).status, 422);
    assert_eq!(github.statuses()[0].description, "1 to update");
}

#[test]
fn an_artifact_of_a_run_is_found_and_downloaded_without_the_token() {
    let github = GitHub::start();
    let client = writer(&github);
    let failed = github.add_run("snapshot.yml", "main", "a1", "push", "failure");
    let good = github.add_run("snapshot.yml", "main", "a2", "push", "success");
    let fork = github.add_run("snapshot.yml", "main", "a3", "pull_request", "success");
    for run in [failed, good, fork] {
        github.add_artifact(run, "snapshot", &[("snapshot.json", b"{}"), ("more.txt", &[b'x'; 5000])]);
    }
    let runs =
        client.get("/actions/workflows/snapshot.yml/runs?branch=main&event=push&status=success&per_page=1").json();
    assert_eq!((runs["total_count"].as_u64(), runs["workflow_runs"][0]["id"].as_u64()), (Some(1), Some(good)));
    let artifacts = client.get(&format!("/actions/runs/{good}/artifacts?name=snapshot")).json();
    assert_eq!(artifacts["total_count"], 1);
    assert_eq!(client.get("/actions/artifacts?name=snapshot").json()["total_count"], 3);
    let archive = artifacts["artifacts"][0]["archive_download_url"].as_str().unwrap();
    let moved = client.get(archive);
    assert_eq!(moved.status, 302);
    let stored = moved.header("location").unwrap();
    // A client that sends its token along gives it away, and gets nothing.
    assert_eq!(client.get(stored).status, 400);
    let got = send("GET", stored, &[], None).unwrap();
    assert_eq!(got.status, 200);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.zip"), &got.body).unwrap();
    let script = "import sys, zipfile\nz = zipfile.ZipFile(sys.argv[1])\nassert z.testzip() is None\nprint([(i.filename, i.file_size) for i in z.infolist()])";
    if let Ok(output) =
        std::process::Command::new("python3").args(["-c", script]).arg(folder.path().join("a.zip")).output()
    {
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim(), "[('snapshot.json', 2), ('more.txt', 5000)]", "{output:?}");
    }
    let id = artifacts["artifacts"][0]["id"].as_u64().unwrap();
    github.expire(id);
    assert_eq!(client.get(archive).status, 410);
    assert_eq!(client.get("/actions/workflows/other.yml/runs").status, 404);
    github.add_file("main", "tenants.yaml", b"kind: Tenant\n");
    assert_eq!(client.get("/contents/tenants.yaml?ref=main").json()["content"], "a2luZDogVGVuYW50Cg==");
    assert_eq!(client.get("/contents/other.yaml?ref=main").status, 404);
}

#[test]
fn faults_come_as_often_as_asked_for() {
    let github = GitHub::start();
    let number = github.open_pull_request("change", "main");
    let client = writer(&github);
    let comments = format!("/issues/{number}/comments");
    let post = || client.send("POST", &comments, Some(json!({"body": "x"})));
    let limit = Fault::SecondaryLimit { status: 403, retry_after: Some(7) };
    github.fail("POST", "/comments", limit, 2);
    for _ in 0..2 {
        let got = post().unwrap();
        assert_eq!((got.status, got.header("retry-after")), (403, Some("7")));
    }
    assert_eq!(post().unwrap().status, 201);
    for (fault, status) in [
        (Fault::BadCredentials, Some(401)),
        (Fault::Forbidden, Some(403)),
        (Fault::PrimaryLimit { reset: 1_800_000_000 }, Some(403)),
        (Fault::SecondaryLimit { status: 429, retry_after: None }, Some(429)),
        (Fault::Status(502), Some(502)),
        (Fault::Cut, None),
    ] {
        github.fail("POST", "/comments", fault, 1);
        assert_eq!(post().map(|got| got.status), status, "{fault:?}");
        assert_eq!(github.comments(number).len(), 1, "{fault:?}");
    }
    github.fail("POST", "/comments", Fault::CutAfter, 1);
    assert!(post().is_none());
    assert_eq!(github.comments(number).len(), 2);
    assert_eq!(github.exchanges().iter().filter(|exchange| exchange.status.is_none()).count(), 2);
}

#[test]
fn a_pull_request_is_opened_once() {
    let github = GitHub::start();
    let client = writer(&github);
    let new = || json!({"head": "promote-1", "base": "main", "title": "Promote", "body": "the plan"});
    assert_eq!(client.post("/pulls", new()).status, 201);
    assert_eq!(client.post("/pulls", new()).status, 422);
    let found = client.get("/pulls?head=acme:promote-1&base=main&state=open").json();
    assert_eq!(found[0]["number"], 1);
    assert_eq!(client.send("PATCH", "/pulls/1", Some(json!({"body": "a newer plan"}))).unwrap().status, 200);
    assert_eq!(github.pull_requests()[0].body, "a newer plan");
    assert_eq!(client.get("/pulls/2").status, 404);
    github.push(1, "abc");
    assert_eq!(client.get("/commits/abc/pulls").json()[0]["head"]["sha"], "abc");
    assert!(client.get("/commits/def/pulls").json().as_array().unwrap().is_empty());
}
