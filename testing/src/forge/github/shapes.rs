//! The objects of GitHub's API, with every field that its description requires.

use super::{Artifact, CheckRun, Comment, CommitStatus, NAME, NO_COMMIT, OWNER, PullRequest, Run};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

const PAGE: &str = "https://github.com";
/// The largest file that an answer in JSON contains.
const LARGEST_FILE: usize = 1_000_000;

/// A time, in seconds of one day.
fn time(seconds: u64) -> String {
    let seconds = seconds % 86_400;
    format!("2026-01-01T{:02}:{:02}:{:02}Z", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

fn node(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{kind}{id}"))
}

fn address(api: &str, path: &str) -> String {
    format!("{api}/repos/{OWNER}/{NAME}{path}")
}

fn page(path: &str) -> String {
    format!("{PAGE}/{OWNER}/{NAME}{path}")
}

fn user(api: &str, login: &str) -> Value {
    let kind = if login.ends_with("[bot]") { "Bot" } else { "User" };
    let mut user = Map::new();
    for (field, path) in [
        ("url", ""),
        ("events_url", "/events{/privacy}"),
        ("followers_url", "/followers"),
        ("following_url", "/following{/other_user}"),
        ("gists_url", "/gists{/gist_id}"),
        ("organizations_url", "/orgs"),
        ("received_events_url", "/received_events"),
        ("repos_url", "/repos"),
        ("starred_url", "/starred{/owner}{/repo}"),
        ("subscriptions_url", "/subscriptions"),
    ] {
        user.insert(field.to_string(), json!(format!("{api}/users/{}{path}", login.replace(['[', ']'], ""))));
    }
    let id = login.bytes().map(u64::from).sum();
    user.extend([
        ("login".to_string(), json!(login)),
        ("id".to_string(), json!(id)),
        ("node_id".to_string(), json!(node("User", id))),
        ("avatar_url".to_string(), json!(format!("{PAGE}/avatars/{id}"))),
        ("gravatar_id".to_string(), json!("")),
        ("html_url".to_string(), json!(format!("{PAGE}/{}", login.replace(['[', ']'], "")))),
        ("type".to_string(), json!(kind)),
        ("site_admin".to_string(), json!(false)),
    ]);
    Value::Object(user)
}

/// A person, as the API shows them to themselves.
pub(super) fn account(api: &str, login: &str) -> Value {
    let mut account = user(api, login);
    for field in ["name", "company", "location", "email", "hireable", "bio"] {
        account[field] = Value::Null;
    }
    for field in ["public_repos", "public_gists", "followers", "following"] {
        account[field] = json!(0);
    }
    account["blog"] = json!("");
    account["user_view_type"] = json!("public");
    account["created_at"] = json!(time(0));
    account["updated_at"] = json!(time(0));
    account
}

/// The fields with addresses below that of the repository.
const ADDRESSES: [(&str, &str); 37] = [
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
    ("url", ""),
];

pub(super) fn repository(api: &str, is_private: bool) -> Value {
    let mut repository = json!({
        "id": 1,
        "node_id": node("Repository", 1),
        "name": NAME,
        "full_name": format!("{OWNER}/{NAME}"),
        "private": is_private,
        "visibility": if is_private { "private" } else { "public" },
        "owner": user(api, OWNER),
        "html_url": page(""),
        "clone_url": page(".git"),
        "git_url": format!("git://github.com/{OWNER}/{NAME}.git"),
        "ssh_url": format!("git@github.com:{OWNER}/{NAME}.git"),
        "svn_url": page(""),
        "description": null,
        "homepage": null,
        "language": null,
        "license": null,
        "mirror_url": null,
        "default_branch": "main",
        "created_at": time(0),
        "updated_at": time(0),
        "pushed_at": time(0),
    });
    let count = ["forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count"];
    let more = ["watchers", "watchers_count", "network_count", "subscribers_count"];
    for field in count.into_iter().chain(more) {
        repository[field] = json!(0);
    }
    let flags = ["archived", "disabled", "fork", "has_discussions", "has_downloads", "has_issues", "has_pages"];
    for field in flags.into_iter().chain(["has_projects", "has_wiki"]) {
        repository[field] = json!(false);
    }
    for (field, path) in ADDRESSES {
        repository[field] = json!(address(api, path));
    }
    repository
}

pub(super) fn comment(api: &str, comment: &Comment) -> Value {
    let Comment { id, number, author, body, is_edited } = comment;
    json!({
        "id": id,
        "node_id": node("IssueComment", *id),
        "url": address(api, &format!("/issues/comments/{id}")),
        "html_url": page(&format!("/pull/{number}#issuecomment-{id}")),
        "issue_url": address(api, &format!("/issues/{number}")),
        "user": user(api, author),
        "author_association": "CONTRIBUTOR",
        "created_at": time(*id),
        "updated_at": time(id + u64::from(*is_edited)),
        "body": body,
        "performed_via_github_app": null,
    })
}

pub(super) fn check(api: &str, check: &CheckRun) -> Value {
    let CheckRun { id, sha, name, status, conclusion, title, summary, annotations, .. } = check;
    let is_done = status == "completed";
    json!({
        "id": id,
        "node_id": node("CheckRun", *id),
        "head_sha": sha,
        "name": name,
        "url": address(api, &format!("/check-runs/{id}")),
        "html_url": page(&format!("/runs/{id}")),
        "details_url": page(&format!("/runs/{id}")),
        "external_id": "",
        "status": status,
        "conclusion": conclusion,
        "started_at": time(*id),
        "completed_at": is_done.then(|| time(*id)),
        "check_suite": {"id": 1},
        "app": null,
        "pull_requests": [],
        "output": {
            "title": title,
            "summary": summary,
            "text": null,
            "annotations_count": annotations.len(),
            "annotations_url": address(api, &format!("/check-runs/{id}/annotations")),
        },
    })
}

pub(super) fn status(api: &str, id: u64, login: &str, status: &CommitStatus) -> Value {
    let CommitStatus { sha, state, context, description, target_url } = status;
    json!({
        "id": id,
        "node_id": node("Status", id),
        "url": address(api, &format!("/statuses/{sha}")),
        "avatar_url": format!("{PAGE}/avatars/1"),
        "state": state,
        "description": description,
        "target_url": target_url,
        "context": context,
        "created_at": time(id),
        "updated_at": time(id),
        "creator": user(api, login),
    })
}

/// A pull request, with the fields of one alone, or of a list.
pub(super) fn pull(api: &str, pull: &PullRequest, is_private: bool, is_alone: bool) -> Value {
    let PullRequest { number, head, sha, base, title, body, merge_commit } = pull;
    let is_merged = merge_commit.is_some();
    let at = |path: &str| address(api, &format!("/pulls/{number}{path}"));
    let issue = address(api, &format!("/issues/{number}"));
    let side = |branch: &str, sha: &str| {
        json!({
            "label": format!("{OWNER}:{branch}"),
            "ref": branch,
            "sha": sha,
            "user": user(api, OWNER),
            "repo": repository(api, is_private),
        })
    };
    let html = page(&format!("/pull/{number}"));
    let link = |href: String| json!({"href": href});
    let mut shown = json!({
        "id": number,
        "node_id": node("PullRequest", *number),
        "number": number,
        "url": at(""),
        "html_url": html,
        "diff_url": format!("{html}.diff"),
        "patch_url": format!("{html}.patch"),
        "issue_url": issue,
        "comments_url": format!("{issue}/comments"),
        "commits_url": at("/commits"),
        "review_comments_url": at("/comments"),
        "review_comment_url": address(api, "/pulls/comments{/number}"),
        "statuses_url": address(api, &format!("/statuses/{sha}")),
        "state": if is_merged { "closed" } else { "open" },
        "locked": false,
        "draft": false,
        "title": title,
        "body": body,
        "user": user(api, "ann"),
        "labels": [],
        "milestone": null,
        "assignee": null,
        "author_association": "MEMBER",
        "auto_merge": null,
        "created_at": time(*number),
        "updated_at": time(*number),
        "closed_at": null,
        "merged_at": if is_merged { json!(time(*number)) } else { Value::Null },
        "merge_commit_sha": merge_commit,
        "head": side(head, sha),
        "base": side(base, NO_COMMIT),
        "_links": {
            "self": link(at("")),
            "html": link(html.clone()),
            "issue": link(issue.clone()),
            "comments": link(format!("{issue}/comments")),
            "commits": link(at("/commits")),
            "statuses": link(address(api, &format!("/statuses/{sha}"))),
            "review_comments": link(at("/comments")),
            "review_comment": link(address(api, "/pulls/comments{/number}")),
        },
    });
    if is_alone {
        for field in ["additions", "changed_files", "comments", "commits", "deletions", "review_comments"] {
            shown[field] = json!(1);
        }
        shown["mergeable"] = json!(true);
        shown["mergeable_state"] = json!("clean");
        shown["merged"] = json!(is_merged);
        shown["merged_by"] = Value::Null;
        shown["maintainer_can_modify"] = json!(false);
    }
    shown
}

pub(super) fn run(api: &str, run: &Run, is_private: bool) -> Value {
    let Run { id, workflow, branch, sha, event, conclusion } = run;
    let at = |path: &str| address(api, &format!("/actions/runs/{id}{path}"));
    let author = json!({"name": "ann", "email": "ann@example.com"});
    json!({
        "id": id,
        "node_id": node("WorkflowRun", *id),
        "name": workflow,
        "display_title": workflow,
        "run_number": 1,
        "workflow_id": 1,
        "path": format!(".github/workflows/{workflow}"),
        "head_branch": branch,
        "head_sha": sha,
        "event": event,
        "status": "completed",
        "conclusion": conclusion,
        "created_at": time(*id),
        "updated_at": time(*id),
        "url": at(""),
        "html_url": page(&format!("/actions/runs/{id}")),
        "jobs_url": at("/jobs"),
        "logs_url": at("/logs"),
        "cancel_url": at("/cancel"),
        "rerun_url": at("/rerun"),
        "artifacts_url": at("/artifacts"),
        "check_suite_url": address(api, "/check-suites/1"),
        "workflow_url": address(api, "/actions/workflows/1"),
        "pull_requests": [],
        "head_commit": {
            "id": sha,
            "tree_id": NO_COMMIT,
            "message": "Change",
            "timestamp": time(*id),
            "author": author,
            "committer": author,
        },
        "head_repository": repository(api, is_private),
        "repository": repository(api, is_private),
    })
}

pub(super) fn artifact(api: &str, artifact: &Artifact, runs: &[Run]) -> Value {
    let Artifact { id, run, name, content, is_expired, at } = artifact;
    let of_run = runs.iter().find(|of| of.id == *run);
    let of_run = of_run.map(|run| {
        json!({
            "id": run.id,
            "repository_id": 1,
            "head_repository_id": 1,
            "head_branch": run.branch,
            "head_sha": run.sha,
        })
    });
    let url = address(api, &format!("/actions/artifacts/{id}"));
    json!({
        "id": id,
        "node_id": node("Artifact", *id),
        "name": name,
        "size_in_bytes": content.len(),
        "url": url,
        "archive_download_url": format!("{url}/zip"),
        "expired": is_expired,
        "created_at": time(*at),
        "updated_at": time(*at),
        "expires_at": time(at + 1),
        "workflow_run": of_run,
    })
}

pub(super) fn file(api: &str, reference: &str, path: &str, content: &[u8]) -> Value {
    let url = address(api, &format!("/contents/{path}?ref={reference}"));
    let html = page(&format!("/blob/{reference}/{path}"));
    let is_small = content.len() <= LARGEST_FILE;
    json!({
        "type": "file",
        "encoding": if is_small { "base64" } else { "none" },
        "content": if is_small { STANDARD.encode(content) } else { String::new() },
        "size": content.len(),
        "name": path.rsplit('/').next(),
        "path": path,
        "sha": NO_COMMIT,
        "url": url,
        "git_url": address(api, &format!("/git/blobs/{NO_COMMIT}")),
        "html_url": html,
        "download_url": html,
        "_links": {"git": address(api, &format!("/git/blobs/{NO_COMMIT}")), "html": html, "self": url},
    })
}
