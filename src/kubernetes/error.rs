//! Explains failed requests, and what to do about them.

use super::role::role;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::{Refused, RequestFailure, Server};
use crate::kubernetes::paths::Paths;
use http::StatusCode;

/// The request that failed.
pub struct RequestContext<'a> {
    /// list, get, patch, delete.
    pub verb: &'static str,
    /// The resource's name in a cluster.
    pub resource: &'a str,
    /// The single object of the request, if there is one.
    pub object: Option<&'a ObjectId>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The server refuses the object as it is.
    #[error("{object}: {why}")]
    Refused {
        object: ObjectId,
        /// The reason, and what to do.
        why: String,
    },
    /// It is larger than the server accepts.
    #[error("{object}: {why}")]
    TooLarge {
        object: ObjectId,
        /// How large it is, and how large it may be.
        why: String,
    },
    /// The account has no permission.
    #[error("{what}: {why}")]
    Forbidden {
        /// The namespace and the server.
        what: String,
        /// What is forbidden, and to whom.
        why: String,
        /// The Role that grants it, as YAML.
        role: String,
    },
    #[error("{what}: {why}")]
    Failed {
        /// What was requested.
        what: String,
        why: String,
    },
    /// It may have been done: the answer was lost.
    #[error("{object}: it is not known whether the change was made: {why}")]
    Unsure { object: ObjectId, why: String },
}

/// Converts the failure of a request to an error with an explanation.
pub fn explained(failure: RequestFailure, server: &Server, paths: &Paths, doing: &RequestContext<'_>) -> RequestError {
    let what = format!("{} of {}", paths.namespace(), server.name());
    let failed = |why: String| RequestError::Failed { what: what.clone(), why };
    let refused = match failure {
        RequestFailure::NotAsked(why) => return failed(format!("cannot be reached: {why}")),
        RequestFailure::TooLarge => return failed(format!("{}: nothing of it is used", RequestFailure::TooLarge)),
        RequestFailure::NoAnswer(why) => {
            return match doing.object.filter(|_| doing.verb != "get") {
                Some(object) => RequestError::Unsure { object: object.clone(), why },
                None => failed(format!("cannot be reached: {why}")),
            };
        }
        RequestFailure::Refused(refused) => refused,
    };
    let no_such_kind = refused.code == StatusCode::NOT_FOUND && !refused.is_status;
    match (refused.code, doing.object) {
        (StatusCode::UNAUTHORIZED, _) => failed(server.credentials().not_accepted()),
        (StatusCode::FORBIDDEN, _) if refused.is_of_rights() => RequestError::Forbidden {
            what,
            // The server's message names the user, the verb, the resource and the namespace.
            why: format!("not allowed: {}", refused.message),
            role: role(paths.namespace()),
        },
        (StatusCode::NOT_FOUND, _) if no_such_kind => failed(format!(
            "the cluster does not know {}: install our custom resource definitions (stablekey crds | kubectl apply --server-side -f -)",
            doing.resource
        )),
        (StatusCode::NOT_FOUND, Some(_)) if refused.message.starts_with("namespaces ") => failed(format!(
            "there is no namespace {0}: make it first (kubectl create namespace {0})",
            paths.namespace()
        )),
        (_, Some(object)) if refused.is_too_large() => {
            RequestError::TooLarge { object: object.clone(), why: words(&refused) }
        }
        (_, Some(object)) => RequestError::Refused { object: object.clone(), why: words(&refused) },
        (_, None) => failed(words(&refused)),
    }
}

fn words(refused: &Refused) -> String {
    let message = refused.message.trim();
    let mut text = if message.is_empty() { format!("HTTP {}", refused.code) } else { message.to_string() };
    if message.contains("field not declared in schema") {
        text.push_str(
            "; the cluster's custom resource definitions are older than this stablekey: \
             stablekey crds | kubectl apply --server-side -f -",
        );
    }
    text
}
