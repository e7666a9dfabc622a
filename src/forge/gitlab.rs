//! GitLab's REST API.

use super::rest::{Rest, encoded};
use super::{ForgeError, Posted};
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

    /// Writes the note that begins with a marker, on a merge request. An earlier one is updated: a note can only be
    /// changed by its author, so another's is not found twice.
    pub fn comment(&self, number: u64, marker: &str, text: &str) -> Result<Posted, ForgeError> {
        let list = format!("{}/merge_requests/{number}/notes", self.project);
        let all = self.rest.all(&format!("{list}?per_page=100&sort=asc&order_by=created_at"), "listing the notes")?;
        let is_marked = |note: &&Value| {
            let body = note.get("body").and_then(Value::as_str).unwrap_or_default();
            body.starts_with(marker) && note.get("system").and_then(Value::as_bool) != Some(true)
        };
        for note in all.iter().filter(is_marked) {
            if note.get("body").and_then(Value::as_str) == Some(text) {
                return Ok(Posted::Unchanged);
            }
            let what = "updating the note";
            let id = note.get("id").and_then(Value::as_u64).ok_or(ForgeError::Form { what })?;
            match self.rest.send(&Method::PUT, &format!("{list}/{id}"), Some(&json!({ "body": text })), what) {
                Ok(_) => return Ok(Posted::Updated),
                // It is somebody else's, who wrote the marker.
                Err(ForgeError::Forbidden { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.rest.send(&Method::POST, &list, Some(&json!({ "body": text })), "writing the note")?;
        Ok(Posted::Created)
    }
}
