//! GitHub's REST API.

use super::comment::{Content, Entries};
use super::rest::{Rest, encoded};
use super::{ForgeError, OpenedRequest, Posted};
use crate::secret::Secret;
use http::Method;
use serde_json::{Value, json};

/// The most annotations of one request.
const BATCH: usize = 50;
/// The most characters of a check run's summary.
const LONGEST: usize = 65_000;

/// A repository on GitHub.
pub struct GitHub {
    rest: Rest,
    /// `/repos/OWNER/NAME`.
    repository: String,
}

impl GitHub {
    /// The repository `OWNER/NAME` of the API at an address.
    pub fn new(api: &str, repository: &str, token: &Secret) -> Result<Self, ForgeError> {
        let rest = Rest::new(api, ("authorization", "Bearer ", token))?;
        let rest = rest.with_header("accept", "application/vnd.github+json");
        let rest = rest.with_header("x-github-api-version", "2022-11-28");
        let parts: Vec<String> = repository.split('/').map(encoded).collect();
        Ok(GitHub { rest, repository: format!("/repos/{}", parts.join("/")) })
    }

    /// Writes the comment that begins with a marker, on a pull request. An earlier one of the token's own is updated.
    pub fn comment(&self, number: u64, marker: &str, text: &str) -> Result<Posted, ForgeError> {
        let person = self.person()?;
        let list = format!("{}/issues/{number}/comments", self.repository);
        let entries = Entries {
            rest: &self.rest,
            list: &list,
            query: "per_page=100",
            is_ours: &|comment| is_ours(comment, marker, person.as_deref()),
            number: "id",
            text: "body",
            page: "html_url",
            update: (Method::PATCH, &format!("{}/issues/comments", self.repository)),
            what: ["listing the comments", "updating the comment", "writing the comment"],
        };
        let body = json!({ "body": text });
        entries.keep(&Content { text, update: &body, create: &body }).map(|kept| kept.posted)
    }

    /// Opens a pull request, or gives the open one of these branches this title and text.
    pub fn request(&self, head: &str, base: &str, title: &str, text: &str) -> Result<OpenedRequest, ForgeError> {
        let list = format!("{}/pulls", self.repository);
        let owner = self.repository.trim_start_matches("/repos/").split('/').next().unwrap_or_default();
        let query = format!("state=open&head={owner}:{}&base={}&per_page=100", encoded(head), encoded(base));
        let entries = Entries {
            rest: &self.rest,
            list: &list,
            query: &query,
            is_ours: &|_| true,
            number: "number",
            text: "body",
            page: "html_url",
            update: (Method::PATCH, &list),
            what: ["listing the pull requests", "updating the pull request", "opening the pull request"],
        };
        let update = json!({ "title": title, "body": text });
        let create = json!({ "title": title, "head": head, "base": base, "body": text });
        entries.keep(&Content { text, update: &update, create: &create })
    }

    /// The name of the person whose token it is; `None` for the token of an app, which may not ask for that.
    fn person(&self) -> Result<Option<String>, ForgeError> {
        let what = "reading whose token it is";
        match self.rest.send(&Method::GET, "/user", None, what) {
            Ok(answer) => {
                let login = answer.body.get("login").and_then(Value::as_str);
                login.map(|login| Some(login.to_string())).ok_or(ForgeError::Form { what })
            }
            Err(ForgeError::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last commit of a pull request as it is now.
    pub fn head_of(&self, number: u64) -> Result<String, ForgeError> {
        let what = "reading the pull request";
        let pull = self.rest.send(&Method::GET, &format!("{}/pulls/{number}", self.repository), None, what)?;
        let head = pull.body.pointer("/head/sha").and_then(Value::as_str);
        head.map(str::to_string).ok_or(ForgeError::Form { what })
    }

    /// Whether not everybody can read the repository.
    pub fn is_private(&self) -> Result<bool, ForgeError> {
        let what = "reading the repository";
        let answer = self.rest.send(&Method::GET, &self.repository, None, what)?;
        answer.body.get("private").and_then(Value::as_bool).ok_or(ForgeError::Form { what })
    }

    /// The numbers of the open pull requests from a repository whose last commit this is. Another repository may have a
    /// branch of the same commit, and a pull request of its own.
    pub fn pull_requests_of(&self, commit: &str, from: &str) -> Result<Vec<u64>, ForgeError> {
        let what = "looking for the pull request of a commit";
        let path = format!("{}/commits/{}/pulls?per_page=100", self.repository, encoded(commit));
        let all = self.rest.all(&path, what)?;
        let is = |pull: &Value, path: &str, wanted: &str| pull.pointer(path).and_then(Value::as_str) == Some(wanted);
        let is_meant = |pull: &&Value| {
            is(pull, "/state", "open") && is(pull, "/head/sha", commit) && is(pull, "/head/repo/full_name", from)
        };
        let open = all.iter().filter(is_meant);
        open.map(|pull| pull.get("number").and_then(Value::as_u64).ok_or(ForgeError::Form { what })).collect()
    }

    /// The text of the pull request whose merge into a branch made this commit, its title first; `None` if there is none.
    pub fn merge_of(&self, commit: &str, branch: &str) -> Result<Option<String>, ForgeError> {
        let path = format!("{}/commits/{}/pulls?per_page=100", self.repository, encoded(commit));
        let all = self.rest.all(&path, "looking for the pull request of a commit")?;
        let text =
            |pull: &Value, path: &str| pull.pointer(path).and_then(Value::as_str).unwrap_or_default().to_string();
        let is_its_merge = |pull: &&Value| {
            text(pull, "/merge_commit_sha") == commit
                && text(pull, "/head/sha") != commit
                && !text(pull, "/merged_at").is_empty()
                && text(pull, "/base/ref") == branch
        };
        let found = all.iter().find(is_its_merge);
        Ok(found.map(|pull| format!("{}\n{}", text(pull, "/title"), text(pull, "/body"))))
    }

    /// Writes a check run with annotations, as many requests as they need. Only the token of an app may.
    pub fn check_run(&self, run: &CheckRun<'_>) -> Result<(), ForgeError> {
        let summary: String = run.summary.chars().take(LONGEST).collect();
        let output =
            |annotations: &[Value]| json!({ "title": run.title, "summary": summary, "annotations": annotations });
        let mut batches = run.annotations.chunks(BATCH);
        let first = batches.next().unwrap_or_default();
        let body = json!({
            "name": run.name, "head_sha": run.commit, "status": "completed", "conclusion": run.conclusion,
            "output": output(first)
        });
        let what = "writing the check";
        let made = self.rest.send(&Method::POST, &format!("{}/check-runs", self.repository), Some(&body), what)?;
        let id = made.body.get("id").and_then(Value::as_u64).ok_or(ForgeError::Form { what })?;
        for batch in batches {
            let path = format!("{}/check-runs/{id}", self.repository);
            self.rest.send(&Method::PATCH, &path, Some(&json!({ "output": output(batch) })), what)?;
        }
        Ok(())
    }
}

/// A check run.
pub struct CheckRun<'a> {
    pub name: &'a str,
    /// The id of the commit.
    pub commit: &'a str,
    /// `success`, `failure` or `neutral`.
    pub conclusion: &'a str,
    pub title: &'a str,
    pub summary: &'a str,
    pub annotations: Vec<Value>,
}

/// Whether a comment is the one that begins with a marker, and was written with such a token: by this person, or by an
/// app. Anybody else could write the marker too, and edit the comment later.
fn is_ours(comment: &Value, marker: &str, person: Option<&str>) -> bool {
    let text = |path: &str| comment.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let is_same = person.map_or_else(|| text("/user/type") == "Bot", |person| text("/user/login") == person);
    text("/body").starts_with(marker) && is_same
}
