//! GitLab: tokens, pages, notes, statuses, artifacts.

use crate::client::{Got, send};
use serde_json::{Value, json};
use stablekey_testing::forge::{Fault, GitLab, GitLabRights};

fn ask(gitlab: &GitLab, rights: GitLabRights, method: &str, path: &str, body: Option<Value>) -> Got {
    let header = if rights == GitLabRights::Job { "job-token" } else { "private-token" };
    let url = format!("{}/projects/{}{path}", gitlab.url(), gitlab.project());
    send(method, &url, &[(header, gitlab.token(rights))], body.as_ref()).unwrap()
}

#[test]
fn notes_are_read_over_pages_and_kept_up_to_date() {
    let gitlab = GitLab::start();
    let iid = gitlab.open_merge_request("change", "main");
    for index in 0..5 {
        gitlab.write_note(iid, "bob", &format!("note {index}"));
    }
    let api = |method: &str, path: &str, body| ask(&gitlab, GitLabRights::Api, method, path, body);
    let notes = format!("/merge_requests/{iid}/notes");
    let first = api("GET", &format!("{notes}?per_page=2"), None);
    assert_eq!(first.json()[0]["body"], "note 4", "the newest comes first");
    assert_eq!((first.header("x-next-page"), first.header("x-total-pages")), (Some("2"), Some("3")));
    let (mut seen, mut page) = (Vec::new(), "1".to_string());
    while !page.is_empty() {
        let got = api("GET", &format!("{notes}?sort=asc&per_page=2&page={page}"), None);
        seen.extend(got.json().as_array().unwrap().iter().map(|note| note["body"].as_str().unwrap().to_string()));
        page = got.header("x-next-page").unwrap().to_string();
    }
    assert_eq!(seen, ["note 0", "note 1", "note 2", "note 3", "note 4"]);
    let made = api("POST", &notes, Some(json!({"body": "report"})));
    assert_eq!(made.status, 201);
    let path = format!("{notes}/{}", made.json()["id"]);
    assert_eq!(api("PUT", &path, Some(json!({"body": "new report"}))).status, 200);
    assert_eq!(gitlab.notes(iid).pop().unwrap().body, "new report");
    assert_eq!(api("POST", &notes, Some(json!({"body": "x".repeat(1_000_001)}))).status, 400);
    assert_eq!(api("POST", "/merge_requests/9/notes", Some(json!({"body": "x"}))).status, 404);
}

#[test]
fn a_job_token_reads_artifacts_and_writes_nothing() {
    let gitlab = GitLab::start();
    let iid = gitlab.open_merge_request("change", "main");
    gitlab.add_job("main", "snapshot", &[("snapshot.json", b"{}")]);
    let notes = format!("/merge_requests/{iid}/notes");
    let text = || Some(json!({"body": "x"}));
    assert_eq!(ask(&gitlab, GitLabRights::Job, "POST", &notes, text()).status, 403);
    assert_eq!(ask(&gitlab, GitLabRights::Job, "POST", "/statuses/abc", Some(json!({"state": "success"}))).status, 403);
    let artifacts = "/jobs/artifacts/main/download?job=snapshot";
    let got = ask(&gitlab, GitLabRights::Job, "GET", artifacts, None);
    assert!(got.status == 200 && got.body.starts_with(b"PK"), "{got:?}");
    assert_eq!(ask(&gitlab, GitLabRights::Job, "GET", "/jobs/artifacts/main/download?job=other", None).status, 404);
    assert_eq!(ask(&gitlab, GitLabRights::ReadApi, "GET", &notes, None).status, 200);
    let refused = ask(&gitlab, GitLabRights::ReadApi, "POST", &notes, text());
    assert_eq!((refused.status, refused.json()["error"].as_str()), (403, Some("insufficient_scope")));
    let project = format!("{}/projects/acme%2Fconnections", gitlab.url());
    assert_eq!(send("GET", &project, &[("private-token", "no-such")], None).unwrap().status, 401);
    assert_eq!(send("GET", &project, &[], None).unwrap().status, 404);
    gitlab.make_public();
    assert_eq!(send("GET", &project, &[], None).unwrap().json()["visibility"], "public");
    assert!(gitlab.notes(iid).is_empty() && gitlab.statuses().is_empty());
}

#[test]
fn statuses_merge_requests_and_faults() {
    let gitlab = GitLab::start();
    let api = |method: &str, path: &str, body| ask(&gitlab, GitLabRights::Api, method, path, body);
    let status = |state: &str| Some(json!({"state": state, "name": "stablekey", "description": "1 to update"}));
    assert_eq!(api("POST", "/statuses/abc", status("pending")).status, 201);
    assert_eq!(api("POST", "/statuses/abc", status("pending")).status, 400, "it is that already");
    assert_eq!(api("POST", "/statuses/abc", status("success")).status, 201);
    assert_eq!(api("POST", "/statuses/abc", status("fine")).status, 400);
    assert_eq!(gitlab.statuses().len(), 2);

    let new = || {
        Some(
            json!({"source_branch": "promote-1", "target_branch": "main", "title": "Promote", "description": "the plan"}),
        )
    };
    assert_eq!(api("POST", "/merge_requests", new()).status, 201);
    assert_eq!(api("POST", "/merge_requests", new()).status, 409);
    let found = api("GET", "/merge_requests?source_branch=promote-1&state=opened", None).json();
    assert_eq!(found[0]["iid"], 1);
    assert_eq!(api("PUT", "/merge_requests/1", Some(json!({"description": "a newer plan"}))).status, 200);
    assert_eq!(gitlab.merge_requests()[0].description, "a newer plan");
    gitlab.add_file("main", "us/a.yaml", b"x");
    assert_eq!(api("GET", "/repository/files/us%2Fa.yaml/raw?ref=main", None).body, b"x");

    gitlab.fail("GET", "/merge_requests/1", Fault::SecondaryLimit { status: 429, retry_after: Some(3) }, 1);
    let limited = api("GET", "/merge_requests/1", None);
    assert_eq!((limited.status, limited.header("retry-after")), (429, Some("3")));
    assert_eq!(api("GET", "/merge_requests/1", None).status, 200);
}
