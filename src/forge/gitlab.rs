//! GitLab's REST API.

use super::comment::{Content, Entries};
use super::rest::{Rest, encoded};
use super::{ForgeError, OpenedRequest, Posted};
use crate::secret::Secret;
use http::Method;
use serde_json::{Value, json};

/// A project on GitLab.
pub struct GitLab {
    rest: Rest,
    /// `/projects/ID`.
    project: String,
}

impl GitLab {
    /// The project, by its number or path, of the API at an address.
    pub fn new(api: &str, project: &str, token: &Secret) -> Result<Self, ForgeError> {
        let rest = Rest::new(api, ("private-token", "", token))?;
        Ok(GitLab { rest, project: format!("/projects/{}", encoded(project)) })
    }

    /// Opens a merge request, or gives the open one of these branches this title and text.
    pub fn request(&self, source: &str, target: &str, title: &str, text: &str) -> Result<OpenedRequest, ForgeError> {
        let list = format!("{}/merge_requests", self.project);
        let branches = format!("source_branch={}&target_branch={}", encoded(source), encoded(target));
        let entries = Entries {
            rest: &self.rest,
            list: &list,
            query: &format!("state=opened&{branches}&per_page=100"),
            is_ours: &|_| true,
            number: "iid",
            text: "description",
            page: "web_url",
            update: (Method::PUT, &list),
            what: ["listing the merge requests", "updating the merge request", "opening the merge request"],
        };
        let update = json!({ "title": title, "description": text });
        let create = json!({ "title": title, "source_branch": source, "target_branch": target, "description": text });
        entries.keep(&Content { text, update: &update, create: &create })
    }

    /// The last commit of a merge request as it is now.
    pub fn head_of(&self, number: u64) -> Result<String, ForgeError> {
        let what = "reading the merge request";
        let request = self.rest.send(&Method::GET, &format!("{}/merge_requests/{number}", self.project), None, what)?;
        let head = request.body.get("sha").and_then(Value::as_str);
        head.map(str::to_string).ok_or(ForgeError::Form { what })
    }

    /// The text of the merge request whose merge into a branch made this commit, its title first; `None` if there is none. A
    /// commit of its author's own that arrived by fast-forward has none.
    pub fn merge_of(&self, commit: &str, branch: &str) -> Result<Option<String>, ForgeError> {
        let path = format!("{}/repository/commits/{}/merge_requests?per_page=100", self.project, encoded(commit));
        let all = self.rest.all(&path, "looking for the merge request of a commit")?;
        let text =
            |request: &Value, name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let is_its_merge = |request: &&Value| {
            text(request, "merge_commit_sha") == commit
                && text(request, "sha") != commit
                && text(request, "state") == "merged"
                && text(request, "target_branch") == branch
        };
        let found = all.iter().find(is_its_merge);
        Ok(found.map(|request| format!("{}\n{}", text(request, "title"), text(request, "description"))))
    }

    /// Writes the note that begins with a marker, on a merge request. An earlier one is updated: a note can only be
    /// changed by its author, so another's is passed over.
    pub fn comment(&self, number: u64, marker: &str, text: &str) -> Result<Posted, ForgeError> {
        let list = format!("{}/merge_requests/{number}/notes", self.project);
        let entries = Entries {
            rest: &self.rest,
            list: &list,
            query: "per_page=100&sort=asc&order_by=created_at",
            is_ours: &|note| is_marked(note, marker),
            number: "id",
            text: "body",
            page: "web_url",
            update: (Method::PUT, &list),
            what: ["listing the notes", "updating the note", "writing the note"],
        };
        let body = json!({ "body": text });
        entries.keep(&Content { text, update: &body, create: &body }).map(|kept| kept.posted)
    }
}

/// Whether a note begins with a marker, and was not written by GitLab itself.
fn is_marked(note: &Value, marker: &str) -> bool {
    let body = note.get("body").and_then(Value::as_str).unwrap_or_default();
    body.starts_with(marker) && note.get("system").and_then(Value::as_bool) != Some(true)
}
