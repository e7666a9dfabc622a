//! What `ci plan` posts on a pull request of GitHub and a merge request of GitLab: one comment, and a check.

use super::{applied, chat};
use serde_json::json;
use stablekey_testing::forge::{Fault, GitHub, GitLab, GitLabRights, Rights};
use stablekey_testing::objects::{Document as _, Integration};
use stablekey_testing::project::CommandOutput;
use stablekey_testing::work_tree::WorkTree;
use stablekey_testing::yaml;

const MARKER: &str = "<!-- stablekey:change . -->";

/// A pull request of a fake of GitHub, with the merge commit checked out.
pub struct PullRequest {
    pub tree: WorkTree,
    pub github: GitHub,
    pub number: u64,
    /// What the job's environment says of its token.
    pub token: Option<&'static str>,
}

impl PullRequest {
    /// A pull request with these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let github = GitHub::start();
        let number = github.open_pull_request("change", "main");
        let token = Some(github.token(Rights::Write));
        let request = PullRequest { tree: applied(), github, number, token };
        request.push(files);
        request
    }

    /// One that is unresolved: exit code 3.
    pub fn unresolved() -> Self {
        PullRequest::with(&[("dev/lost.yaml", &lost("lost"))])
    }

    /// Commits files to the branch, and checks out its merge with main.
    pub fn push(&self, files: &[(&str, &str)]) {
        self.tree.git(&["switch", "--quiet", "--force-create", "change", "main"]);
        files.iter().for_each(|(path, text)| self.tree.write(path, text));
        self.tree.commit("change");
        self.tree.git(&["checkout", "--quiet", "--detach", "main"]);
        self.tree.git(&["merge", "--quiet", "--no-ff", "--message", "merge", "change"]);
        let repository = json!({"full_name": self.github.repository()});
        let last = self.tree.git(&["rev-parse", "change"]);
        self.github.push(self.number, &last);
        let head = json!({"sha": last, "repo": repository});
        let request = json!({"number": self.number, "base": {"ref": "main", "repo": repository}, "head": head});
        std::fs::write(self.tree.path("../event.json"), json!({ "pull_request": request }).to_string()).unwrap();
    }

    pub fn plan(&self) -> CommandOutput {
        let event = self.tree.path("../event.json");
        let repository = self.github.repository();
        let mut variables = vec![
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
            ("GITHUB_API_URL", self.github.url()),
            ("GITHUB_REPOSITORY", &repository),
        ];
        variables.extend(self.token.map(|token| ("GITHUB_TOKEN", token)));
        let output = self.tree.run_with(&["ci", "plan"], &variables);
        assert!(!output.all.contains("CANARY"), "{}", output.all);
        output
    }

    /// The texts of the comments that begin with the marker.
    fn reports(&self) -> Vec<String> {
        let all = self.github.comments(self.number).into_iter().map(|comment| comment.body);
        all.filter(|body| body.starts_with(MARKER)).collect()
    }
}

fn lost(name: &str) -> String {
    Integration::new(name).title(name).binds("Nowhere", "nowhere").yaml()
}

/// "One Markdown comment kept up to date (found by a hidden marker over all pages)".
#[test]
fn one_comment_is_kept_up_to_date() {
    let request = PullRequest::unresolved();
    for number in 0..120 {
        request.github.write_comment(request.number, "bob", &format!("comment {number}"));
    }
    // Anybody could write the marker.
    // Also somebody who may write to the repository: who could alter what the token keeps up to date.
    for author in ["mallory", "ann"] {
        request.github.write_comment(request.number, author, MARKER);
    }
    assert_eq!(request.plan().code, 3);
    let first = request.reports();
    assert!(first.len() == 3 && first[2].contains("SK0101"), "{first:?}");
    for number in 0..120 {
        request.github.write_comment(request.number, "bob", &format!("answer {number}"));
    }
    let written = request.github.exchanges().len();
    assert_eq!(request.plan().code, 3);
    let again = request.github.exchanges().split_off(written);
    assert!(again.iter().all(|exchange| !exchange.path.contains("comments") || exchange.method == "GET"));
    assert_eq!(again.iter().filter(|exchange| exchange.path.ends_with("/comments")).count(), 3, "all pages");

    // The check is written also where the comment is refused.
    let checks = request.github.check_runs().len();
    request.github.fail("POST", "/comments", Fault::Forbidden, 1);
    request.github.fail("PATCH", "/comments", Fault::Forbidden, 1);
    request.push(&[("dev/chat.yaml", &chat("chat.example", "Chat of the team"))]);
    assert_eq!(request.plan().code, 0);
    assert_eq!(request.github.check_runs().len(), checks + 1);
    request.push(&[("dev/chat.yaml", &chat("chat.example", "Team chat"))]);
    assert_eq!(request.plan().code, 0);
    let now = request.reports();
    assert!(now.len() == 3 && now[0] == MARKER && now[1] == MARKER && !now[2].contains("SK0101"), "{now:?}");
    assert_eq!(request.github.check_runs().last().unwrap().conclusion.as_deref(), Some("success"));
}

/// "Check runs in batches of 50 where a token may", "at most 65,536 characters".
#[test]
fn a_large_report_fits() {
    let long = "x".repeat(200);
    let all: Vec<String> = (0..420)
        .map(|number| Integration::new(&format!("i{number}")).title(&long).binds("Nowhere", "nowhere").yaml())
        .collect();
    let request = PullRequest::with(&[("dev/lost.yaml", &yaml::file(&all))]);
    let output = request.plan();
    assert_eq!(output.code, 3, "{}", output.err);
    let [report] = request.reports().try_into().unwrap();
    assert!(report.chars().count() <= 65_536 && report.contains("left out"), "{}", report.chars().count());
    let checks = request.github.check_runs();
    let check = checks.first().unwrap();
    assert!(check.annotations.len() >= 420, "{}", check.annotations.len());
    assert!(check.batches.iter().all(|batch| *batch <= 50), "{:?}", check.batches);
    assert_eq!(check.conclusion.as_deref(), Some("failure"));
    assert_eq!(check.sha, request.tree.git(&["rev-parse", "change"]));
}

/// "Without a token the report is an artefact and exit codes are unchanged".
#[test]
fn a_token_decides_no_exit_code() {
    let mut request = PullRequest::unresolved();
    request.token = None;
    let without = request.plan();
    assert_eq!(without.code, 3);
    assert!(without.err.contains("No comment is written: GITHUB_TOKEN is not set"), "{}", without.err);
    assert!(without.out.contains("SK0101") && request.github.exchanges().is_empty());
    for (token, words) in [
        (request.github.token(Rights::Read), "the token may not do that (403): writing the comment"),
        ("CANARY-of-nobody", "the token is not accepted (401)"),
        ("CANARY\u{e9}\n\r", "No comment is written"),
    ] {
        request.token = Some(token);
        let output = request.plan();
        assert_eq!(output.code, 3, "{}", output.all);
        assert!(output.err.contains(words), "{}", output.err);
        assert!(output.out == without.out && request.reports().is_empty());
    }
    // A person's token writes the comment, and no check.
    request.token = Some(request.github.token(Rights::Person));
    let output = request.plan();
    assert_eq!(output.code, 3);
    assert!(output.err.contains("No check is written: the token may not do that (403)"), "{}", output.err);
    assert!(request.reports().len() == 1 && request.github.check_runs().is_empty());
}

/// "403, secondary limits".
#[test]
fn limits_are_awaited_or_named() {
    let request = PullRequest::unresolved();
    let limit = |status, retry_after| Fault::SecondaryLimit { status, retry_after };
    for fault in [limit(403, Some(600)), limit(429, Some(600)), limit(403, None), Fault::PrimaryLimit { reset: 1 }] {
        request.github.fail("POST", "/comments", fault, 1);
        let output = request.plan();
        assert_eq!(output.code, 3);
        assert!(output.err.contains("too many requests: it asks to wait "), "{fault:?}: {}", output.err);
        assert_eq!(request.reports().len(), 0);
    }
    request.github.fail("GET", "/comments", limit(429, Some(0)), 2);
    request.github.fail("POST", "/comments", limit(403, Some(1)), 1);
    assert_eq!(request.plan().code, 3);
    assert_eq!(request.reports().len(), 1);
}

/// What was sent is looked for before it is sent again.
#[test]
fn a_lost_answer_makes_no_second_comment() {
    for fault in [Fault::Cut, Fault::CutAfter, Fault::Status(502)] {
        let request = PullRequest::unresolved();
        request.github.fail("POST", "/comments", fault, 1);
        let output = request.plan();
        assert!(output.err.contains("The comment is written."), "{fault:?}: {}", output.err);
        assert_eq!((output.code, request.reports().len()), (3, 1));
    }
    let request = PullRequest::unresolved();
    request.github.fail("POST", "/comments", Fault::Status(500), 2);
    let output = request.plan();
    assert!(output.err.contains("writing the comment failed: it answered 500"), "{}", output.err);
    assert!(output.code == 3 && !output.err.contains("Unicorn"));
}

/// The run of an older commit that ends later does not replace the comment of a newer one.
#[test]
fn only_the_last_commit_is_commented() {
    let request = PullRequest::unresolved();
    request.github.push(request.number, "1111111111111111111111111111111111111111");
    let output = request.plan();
    assert_eq!(output.code, 3, "{}", output.all);
    assert!(output.err.contains("the pull request has newer commits by now"), "{}", output.err);
    assert!(request.reports().is_empty() && request.github.check_runs().is_empty());
    let gitlab = GitLab::start();
    let iid = gitlab.open_merge_request("change", "main");
    let last = request.tree.git(&["rev-parse", "change"]);
    let api = Some(gitlab.token(GitLabRights::Api));
    request.tree.switch("change");
    let plan = || plan_on_gitlab(&request.tree, &gitlab, iid, api, &[("CI_COMMIT_SHA", &last)]);
    assert!(plan().err.contains("the pull request has newer commits by now"));
    assert!(gitlab.notes(iid).is_empty());
    gitlab.push(iid, &last);
    assert!(plan().err.contains("The comment is written."));
}

/// A report that is there is not that of a change which could not be planned.
#[test]
fn a_change_that_cannot_be_planned_gets_a_comment() {
    let request = PullRequest::with(&[("dev/chat.yaml", &chat("chat.example", "Team chat"))]);
    assert_eq!(request.plan().code, 0);
    assert!(request.reports()[0].contains("Team chat"));
    // The base moved on, and the branch conflicts with it: GitHub makes no merge commit.
    request.tree.switch("main");
    request.tree.write("dev/chat.yaml", &chat("chat.example", "Other"));
    request.tree.commit("other");
    request.tree.switch("change");
    let output = request.plan();
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(output.err.contains("HEAD conflicts with main in dev/chat.yaml"), "{}", output.err);
    let [report] = request.reports().try_into().unwrap();
    assert!(report.contains("could not be planned") && report.contains("dev/chat.yaml"), "{report}");
    assert!(!report.contains("Team chat"), "{report}");
    let checks = request.github.check_runs();
    let check = checks.last().unwrap();
    assert_eq!(
        (check.conclusion.as_deref(), check.title.as_str()),
        (Some("failure"), "The change could not be planned")
    );

    let gitlab = GitLab::start();
    let iid = gitlab.open_merge_request("change", "main");
    let output = plan_on_gitlab(&request.tree, &gitlab, iid, Some(gitlab.token(GitLabRights::Api)), &[]);
    assert_eq!(output.code, 1, "{}", output.all);
    assert!(gitlab.notes(iid)[0].body.contains("could not be planned"));
}

/// A merge request of a fake of GitLab.
fn plan_on_gitlab(
    tree: &WorkTree,
    gitlab: &GitLab,
    iid: u64,
    token: Option<&str>,
    more: &[(&str, &str)],
) -> CommandOutput {
    let iid = iid.to_string();
    let mut variables = vec![
        ("GITLAB_CI", "true"),
        ("CI_API_V4_URL", gitlab.url()),
        ("CI_PROJECT_ID", gitlab.project()),
        ("CI_MERGE_REQUEST_PROJECT_ID", gitlab.project()),
        ("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", gitlab.project()),
        ("CI_MERGE_REQUEST_IID", &iid),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
    ];
    variables.extend(token.map(|token| ("STABLEKEY_GITLAB_TOKEN", token)));
    variables.extend(more);
    let output = tree.run_with(&["ci", "plan"], &variables);
    assert!(!output.all.contains("CANARY"), "{}", output.all);
    output
}

#[test]
fn one_note_is_kept_up_to_date() {
    let gitlab = GitLab::start();
    let iid = gitlab.open_merge_request("change", "main");
    let tree = applied();
    tree.branch("change");
    tree.write("dev/lost.yaml", &lost("lost"));
    tree.commit("lost");
    for number in 0..230 {
        gitlab.write_note(iid, "bob", &format!("note {number}"));
    }
    let reports = || {
        let bodies = gitlab.notes(iid).into_iter().map(|note| note.body);
        bodies.filter(|body| body.starts_with(MARKER)).collect::<Vec<String>>()
    };
    // The exit code is that of the plan, whatever the token may do.
    for (token, words) in [
        (None, "STABLEKEY_GITLAB_TOKEN is not set"),
        (Some(gitlab.token(GitLabRights::ReadApi)), "the token may not do that (403)"),
        (Some("CANARY-of-nobody"), "the token is not accepted (401)"),
    ] {
        let output = plan_on_gitlab(&tree, &gitlab, iid, token, &[]);
        assert!(output.code == 3 && output.err.contains(words), "{}", output.err);
        assert_eq!(reports().len(), 0);
    }
    let api = Some(gitlab.token(GitLabRights::Api));
    gitlab.fail("POST", "/notes", Fault::CutAfter, 1);
    gitlab.fail("GET", "/notes", Fault::SecondaryLimit { status: 429, retry_after: Some(0) }, 1);
    assert_eq!(plan_on_gitlab(&tree, &gitlab, iid, api, &[]).code, 3);
    assert!(reports().len() == 1 && reports()[0].contains("SK0101"), "{:?}", reports());
    let _ = std::fs::remove_file(tree.path("dev/lost.yaml"));
    tree.write("dev/chat.yaml", &chat("chat.example", "Team chat"));
    tree.commit("title");
    let output = plan_on_gitlab(&tree, &gitlab, iid, api, &[]);
    assert!(output.err.contains("The comment is up to date."), "{}", output.all);
    assert!(reports().len() == 1 && reports()[0].contains("Team chat"), "{:?}", reports());
    // Another's note with the marker cannot be changed: a new one is written.
    let other = gitlab.open_merge_request("change", "release");
    gitlab.write_note(other, "mallory", MARKER);
    gitlab.fail("PUT", "/notes/", Fault::Forbidden, 1);
    let output = plan_on_gitlab(&tree, &gitlab, other, api, &[]);
    assert!(output.err.contains("The comment is written."), "{}", output.all);
    assert_eq!(gitlab.notes(other).len(), 2);
}

/// What a workflow of the base branch runs after the one of a fork.
fn comment(request: &PullRequest, report: &str, commit: &str) -> CommandOutput {
    comment_of(request, report, json!({"head_sha": commit, "head_repository": {"full_name": "acme/connections"}}))
}

/// The same, after a run that its event describes.
fn comment_of(request: &PullRequest, report: &str, run: serde_json::Value) -> CommandOutput {
    let event = request.tree.path("../run.json");
    std::fs::write(&event, json!({ "workflow_run": run }).to_string()).unwrap();
    let repository = request.github.repository();
    let mut variables = vec![
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ("GITHUB_API_URL", request.github.url()),
        ("GITHUB_REPOSITORY", &repository),
    ];
    variables.extend(request.token.map(|token| ("GITHUB_TOKEN", token)));
    request.tree.run_with(&["ci", "comment", "--report", report], &variables)
}

/// "One without rights plans and leaves JSON, one of the base branch reads that as hostile input and comments."
#[test]
fn a_report_of_a_fork_is_commented_by_the_base_branch() {
    let mut request = PullRequest::unresolved();
    let report = request.tree.path("../report");
    let report = report.to_str().unwrap();
    let planned = request.tree.run_with(&["ci", "plan", "--base", "main", "--head", "change", "--report", report], &[]);
    assert_eq!(planned.code, 3, "{}", planned.all);
    let file = format!("{report}/report.json");
    let last = request.tree.git(&["rev-parse", "change"]);
    request.github.push(request.number, &last);
    let token = request.token.take();
    let output = comment(&request, &file, &last);
    assert!(output.code == 1 && output.err.contains("GITHUB_TOKEN is not set"), "{}", output.all);
    request.token = token;
    // A fork may have the commit of somebody else's pull request.
    for (repository, words) in [
        (json!({"full_name": "mallory/connections"}), "0 open pull requests of mallory/connections"),
        (serde_json::Value::Null, "the repository of the other run is gone"),
    ] {
        let output = comment_of(&request, &file, json!({"head_sha": last, "head_repository": repository}));
        assert!(output.code == 1 && output.err.contains(words) && request.reports().is_empty(), "{}", output.all);
    }
    let output = comment(&request, &file, &last);
    assert_eq!(output.code, 0, "{}", output.all);
    let [first] = request.reports().try_into().unwrap();
    assert!(first.contains("SK0101") && first.contains("anybody could have written this"), "{first}");
    assert!(!first.contains("Stablekey-Approve"));
    // The warning stands before anything that the report says.
    let at = |words: &str| first.find(words).unwrap_or_else(|| panic!("{words}: {first}"));
    assert!(at("anybody could have written this") < at("From main"), "{first}");
    assert!(at("anybody could have written this") < at("The report says: "), "{first}");
    assert_eq!(comment(&request, &file, &last).code, 0);
    assert_eq!(request.reports().len(), 1);

    // What is hostile stays text, and is bounded; it promises nothing.
    let stored: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let write = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut stored = stored.clone();
        change(&mut stored);
        std::fs::write(&file, stored.to_string()).unwrap();
    };
    for (list, words) in
        [(json!([]), "The report says: The change does nothing"), (stored["folders"].clone(), "It can be merged.")]
    {
        write(&|stored| {
            (stored["exit"], stored["folders"], stored["tenants"]) = (0.into(), list.clone(), json!([]));
        });
        assert_eq!(comment(&request, &file, &last).code, 0);
        let [text] = request.reports().try_into().unwrap();
        assert!(!text.contains('✅') && text.contains(words), "{text}");
        assert!(text.trim_end().lines().next_back().unwrap().starts_with("The report says: "), "{text}");
    }
    write(&|stored| {
        stored["from"] = "@everybody <img src=x> [a](https://evil.example) `x".into();
        stored["approvals"] = json!([{"tenant": "prod", "writer": "sync/up", "digest": "sha256:4f2a9c01be77"}]);
        stored["asides"] = json!(vec!["x".repeat(1_200); 3_000]);
    });
    assert_eq!(comment(&request, &file, &last).code, 0);
    let [text] = request.reports().try_into().unwrap();
    assert!(!text.contains("@everybody") && !text.contains("<img") && !text.contains("](http"), "{text}");
    assert!(!text.contains("4f2a9c01be77") && text.chars().count() <= 65_536);
    // The last line is bounded too, and the marker always fits; no line is a command of GitLab's.
    for name in ["@".repeat(1_000), "\u{301}".repeat(5_000), "!1".repeat(900)] {
        write(&|stored| {
            stored["merged"] = json!(vec![name.clone(); 20]);
            stored["asides"] = json!(["/approve", "/merge", "---", "1. x", "    x"]);
        });
        assert_eq!(comment(&request, &file, &last).code, 0);
        let [text] = request.reports().try_into().unwrap();
        assert!(text.chars().count() <= 65_536 && text.starts_with("<!-- stablekey:change"), "{}", text.len());
        assert!(text.contains("- /approve") && !text.lines().any(|line| line.trim_start().starts_with('/')), "{text}");
    }
    // A report that cannot be used leaves no earlier one there, which would be taken for that of this commit.
    let refused = |words: &str| {
        let output = comment(&request, &file, &last);
        assert!(output.code == 1 && output.err.contains(words), "{words}: {}", output.all);
        let [text] = request.reports().try_into().unwrap();
        assert!(text.contains("cannot be read") && !text.contains("The report says"), "{text}");
    };
    write(&|stored| stored["number"] = 99.into());
    refused("a field is wrong");
    write(&|_| {});
    assert_eq!(comment(&request, &file, &last).code, 0);
    write(&|stored| stored["schema"] = "stablekey.dev/plan/v1".into());
    refused("stablekey.dev/plan/v1");
    std::fs::write(&file, vec![b' '; 4_000_001]).unwrap();
    refused("larger than 4000000 bytes");
    // A command is not for copying: anybody could have written it.
    write(&|stored| {
        let item = json!({"mark": "note", "head": "x", "text": "y", "lines": [], "commands": ["rm -rf ."]});
        stored["everywhere"] = json!([item]);
    });
    assert_eq!(comment(&request, &file, &last).code, 0);
    let [text] = request.reports().try_into().unwrap();
    assert!(text.contains("The report says") && !text.contains("rm -rf"), "{text}");
    // It was pushed to meanwhile.
    let output = comment(&request, &file, &request.tree.git(&["rev-parse", "main"]));
    assert!(output.code == 1 && output.err.contains("0 open pull requests of acme/connections have the commit"));
    assert_eq!(request.reports(), [text]);
    // Where a run left no report, an earlier one would be taken for that of this commit.
    std::fs::remove_file(&file).unwrap();
    let output = comment(&request, &file, &last);
    assert!(output.code == 1 && output.err.contains("the comment says so"), "{}", output.all);
    let [text] = request.reports().try_into().unwrap();
    assert!(text.contains("left no report") && !text.contains("SK0101"), "{text}");
}

/// A fork's change that cannot be planned replaces the report that is there too.
#[test]
fn a_change_of_a_fork_that_cannot_be_planned_gets_a_comment() {
    let request = PullRequest::with(&[("dev/chat.yaml", &chat("chat.example", "Team chat"))]);
    request.tree.switch("main");
    request.tree.write("dev/chat.yaml", &chat("chat.example", "Other"));
    request.tree.commit("other");
    let report = request.tree.path("../report");
    let report = report.to_str().unwrap();
    let planned = request.tree.run_with(&["ci", "plan", "--base", "main", "--head", "change", "--report", report], &[]);
    assert_eq!(planned.code, 1, "{}", planned.all);
    let last = request.tree.git(&["rev-parse", "change"]);
    let output = comment(&request, &format!("{report}/report.json"), &last);
    assert_eq!(output.code, 0, "{}", output.all);
    let [text] = request.reports().try_into().unwrap();
    assert!(text.contains("could not be planned") && text.contains("anybody could have written this"), "{text}");
}
