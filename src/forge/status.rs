//! The status of a commit, as a request to the API of GitHub or GitLab. Who writes it sends the request: once, and what the
//! answer says is in its code.

use super::rest::encoded;
use crate::secret::Secret;
use http::StatusCode;
use serde_json::{Value, json};

/// The status of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitStatus<'a> {
    /// The id of the commit.
    pub commit: &'a str,
    pub state: CommitState,
    /// The name of the status: another one of the same name replaces it.
    pub name: &'a str,
    /// A line, of at most 140 characters.
    pub description: &'a str,
}

/// The states of a commit that every server knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommitState {
    Pending,
    Success,
    Failure,
}

/// A request that writes a status.
pub struct StatusRequest {
    /// The path and the query, below the address of the API.
    pub path: String,
    /// The header with the token: its name, and its value.
    pub token: (&'static str, Secret),
    pub body: Value,
}

impl CommitStatus<'_> {
    /// The request to GitHub, for the repository `OWNER/NAME`.
    pub fn to_github(&self, repository: &str, token: &Secret) -> StatusRequest {
        let parts: Vec<String> = repository.split('/').map(encoded).collect();
        let state = match self.state {
            CommitState::Pending => "pending",
            CommitState::Success => "success",
            CommitState::Failure => "failure",
        };
        StatusRequest {
            path: format!("/repos/{}/statuses/{}", parts.join("/"), encoded(self.commit)),
            token: ("authorization", Secret::new(format!("Bearer {}", token.expose().trim()))),
            body: json!({ "state": state, "context": self.name, "description": self.description }),
        }
    }

    /// The request to GitLab, for a project by its path.
    pub fn to_gitlab(&self, project: &str, token: &Secret) -> StatusRequest {
        let state = match self.state {
            CommitState::Pending => "pending",
            CommitState::Success => "success",
            CommitState::Failure => "failed",
        };
        StatusRequest {
            path: format!("/projects/{}/statuses/{}", encoded(project), encoded(self.commit)),
            token: ("private-token", Secret::new(token.expose().trim().to_string())),
            body: json!({ "state": state, "name": self.name, "description": self.description }),
        }
    }

    /// Whether the answer says that the commit has this status. GitLab refuses a state that it has already.
    pub fn is_written(&self, answer: StatusCode, is_github: bool) -> bool {
        let is_already = !is_github && answer == StatusCode::BAD_REQUEST && self.state == CommitState::Pending;
        answer.is_success() || is_already
    }
}
