//! GitHub's REST API.

use super::comment::{Marked, Thread};
use super::rest::{Rest, encoded};
use super::{ForgeError, OpenedRequest, Posted, page};
use crate::secret::Secret;
use http::Method;
use serde_json::{Value, json};
use std::cell::RefCell;

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

    /// Writes the comment that begins with a marker, on a pull request. An earlier one of ours is updated.
    pub fn comment(&self, number: u64, marker: &str, text: &str) -> Result<Posted, ForgeError> {
        let list = format!("{}/issues/{number}/comments", self.repository);
        let body = json!({ "body": text });
        let thread = Thread {
            list: &|| {
                let what = "listing the comments";
                let all = self.rest.all(&format!("{list}?per_page=100"), what)?;
                let ours = all.iter().filter(|comment| is_ours(comment, marker));
                ours.map(|comment| Marked::of(comment).ok_or(ForgeError::Form { what })).collect()
            },
            update: &|id| {
                let path = format!("{}/issues/comments/{id}", self.repository);
                self.rest.send(&Method::PATCH, &path, Some(&body), "updating the comment").map(drop)
            },
            create: &|| self.rest.send(&Method::POST, &list, Some(&body), "writing the comment").map(drop),
        };
        thread.keep(text)
    }

    /// Opens a pull request, or gives the open one of these branches this title and text.
    pub fn request(&self, head: &str, base: &str, title: &str, text: &str) -> Result<OpenedRequest, ForgeError> {
        let list = format!("{}/pulls", self.repository);
        let owner = self.repository.trim_start_matches("/repos/").split('/').next().unwrap_or_default();
        let of = format!("{list}?state=open&head={owner}:{}&base={}&per_page=100", encoded(head), encoded(base));
        let seen = RefCell::new(None);
        let see = |pull: &Value| *seen.borrow_mut() = page(pull, "html_url");
        let thread = Thread {
            list: &|| {
                let what = "listing the pull requests";
                let pulls = self.rest.all(&of, what)?;
                pulls.first().into_iter().for_each(see);
                pulls
                    .iter()
                    .map(|pull| Marked::numbered(pull, "number", "body").ok_or(ForgeError::Form { what }))
                    .collect()
            },
            update: &|number| {
                let body = json!({ "title": title, "body": text });
                let what = "updating the pull request";
                self.rest
                    .send(&Method::PATCH, &format!("{list}/{number}"), Some(&body), what)
                    .map(|pull| see(&pull.body))
            },
            create: &|| {
                let body = json!({ "title": title, "head": head, "base": base, "body": text });
                let what = "opening the pull request";
                self.rest.send(&Method::POST, &list, Some(&body), what).map(|pull| see(&pull.body))
            },
        };
        let posted = thread.keep(text)?;
        Ok(OpenedRequest { posted, page: seen.take() })
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

/// Whether a comment is the one that begins with a marker, and was written by an app or by somebody who may write to the
/// repository: anybody else could write the marker too.
fn is_ours(comment: &Value, marker: &str) -> bool {
    let text = |path: &str| comment.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let may_write = ["OWNER", "MEMBER", "COLLABORATOR"].contains(&text("/author_association"));
    text("/body").starts_with(marker) && (text("/user/type") == "Bot" || may_write)
}
