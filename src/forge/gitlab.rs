//! GitLab's REST API.

use super::comment::{Marked, Thread};
use super::rest::{Rest, encoded};
use super::{ForgeError, OpenedRequest, Posted, page};
use crate::secret::Secret;
use http::Method;
use serde_json::{Value, json};
use std::cell::RefCell;

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
        let of = format!("{list}?state=opened&{branches}&per_page=100");
        let seen = RefCell::new(None);
        let see = |request: &Value| *seen.borrow_mut() = page(request, "web_url");
        let thread = Thread {
            list: &|| {
                let what = "listing the merge requests";
                let open = self.rest.all(&of, what)?;
                open.first().into_iter().for_each(see);
                let marked = |of: &Value| Marked::numbered(of, "iid", "description").ok_or(ForgeError::Form { what });
                open.iter().map(marked).collect()
            },
            update: &|number| {
                let body = json!({ "title": title, "description": text });
                let what = "updating the merge request";
                let path = format!("{list}/{number}");
                self.rest.send(&Method::PUT, &path, Some(&body), what).map(|request| see(&request.body))
            },
            create: &|| {
                let body = json!({
                    "title": title, "source_branch": source, "target_branch": target, "description": text
                });
                let what = "opening the merge request";
                self.rest.send(&Method::POST, &list, Some(&body), what).map(|request| see(&request.body))
            },
        };
        let posted = thread.keep(text)?;
        Ok(OpenedRequest { posted, page: seen.take() })
    }

    /// The last commit of a merge request as it is now.
    pub fn head_of(&self, number: u64) -> Result<String, ForgeError> {
        let what = "reading the merge request";
        let request = self.rest.send(&Method::GET, &format!("{}/merge_requests/{number}", self.project), None, what)?;
        let head = request.body.get("sha").and_then(Value::as_str);
        head.map(str::to_string).ok_or(ForgeError::Form { what })
    }

    /// Writes the note that begins with a marker, on a merge request. An earlier one is updated: a note can only be
    /// changed by its author, so another's is passed over.
    pub fn comment(&self, number: u64, marker: &str, text: &str) -> Result<Posted, ForgeError> {
        let list = format!("{}/merge_requests/{number}/notes", self.project);
        let body = json!({ "body": text });
        let thread = Thread {
            list: &|| {
                let what = "listing the notes";
                let all = self.rest.all(&format!("{list}?per_page=100&sort=asc&order_by=created_at"), what)?;
                let notes = all.iter().filter(|note| is_marked(note, marker));
                notes.map(|note| Marked::of(note).ok_or(ForgeError::Form { what })).collect()
            },
            update: &|id| {
                self.rest.send(&Method::PUT, &format!("{list}/{id}"), Some(&body), "updating the note").map(drop)
            },
            create: &|| self.rest.send(&Method::POST, &list, Some(&body), "writing the note").map(drop),
        };
        thread.keep(text)
    }
}

/// Whether a note begins with a marker, and was not written by GitLab itself.
fn is_marked(note: &Value, marker: &str) -> bool {
    let body = note.get("body").and_then(Value::as_str).unwrap_or_default();
    body.starts_with(marker) && note.get("system").and_then(Value::as_bool) != Some(true)
}
