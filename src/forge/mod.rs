//! The comment on a pull request of GitHub or a merge request of GitLab, kept up to date; the check of a commit, and its
//! status.

mod comment;
mod github;
mod gitlab;
mod rest;
mod status;

pub use github::{CheckRun, GitHub};
pub use gitlab::GitLab;
pub use status::{CommitState, CommitStatus, StatusRequest};

use std::time::Duration;

/// What became of a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Posted {
    /// There was none.
    Created,
    /// The earlier one has the new text.
    Updated,
    /// The earlier one has this text already.
    Unchanged,
}

/// A pull request that was opened or brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedRequest {
    pub posted: Posted,
    /// The address of its page, if the answer has one.
    pub page: Option<String>,
}

/// Why a report was not posted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// The address of the API cannot be used.
    #[error("the address of the API cannot be used: {0}")]
    Address(String),
    /// The token is not known.
    #[error("the token is not accepted (401)")]
    Unauthenticated,
    /// The token has no right to it.
    #[error("the token may not do that ({status}): {what}")]
    Forbidden { what: &'static str, status: u16 },
    /// There were too many requests, and waiting did not help.
    #[error("too many requests: it asks to wait {} s", .0.as_secs())]
    Limited(Duration),
    /// It answered something else.
    #[error("{what} failed: it answered {status}")]
    Refused { what: &'static str, status: u16 },
    /// There is no answer.
    #[error("{what} failed: {why}")]
    Unreachable { what: &'static str, why: String },
    /// A list has more pages than are read: what is looked for may be on a later one.
    #[error(
        "{what} failed: the list goes on after {pages} pages, and what is looked for may be on a later one; delete what is \
         not needed of it, or close the pull request and open another one"
    )]
    TooLong { what: &'static str, pages: usize },
    /// The answer is not of the form that its API has.
    #[error("{what} failed: its answer cannot be read")]
    Form { what: &'static str },
}

impl ForgeError {
    /// Whether what was sent may have been carried out.
    fn is_lost(&self) -> bool {
        match self {
            ForgeError::Unreachable { .. } => true,
            ForgeError::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }
}
