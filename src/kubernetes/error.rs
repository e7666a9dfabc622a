//! Why a request failed, in words that say what to do.

use super::role::role;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::{Refused, RequestFailure, Server};
use crate::kubernetes::paths::Paths;
use http::StatusCode;

/// What was being done.
pub struct RequestContext<'a> {
    /// list, get, patch, delete.
    pub verb: &'static str,
    /// Of what: the resource's name in a cluster.
    pub resource: &'a str,
    /// With what in particular.
    pub object: Option<&'a ObjectId>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The object cannot be made as it is.
    #[error("{object}: {why}")]
    Refused {
        /// The object.
        object: ObjectId,
        /// Why, and what to do.
        why: String,
    },
    /// It is larger than the server takes.
    #[error("{object}: {why}")]
    TooLarge {
        /// The object.
        object: ObjectId,
        /// How large it is, and how large it may be.
        why: String,
    },
    /// The account may not.
    #[error("{what}: {why}")]
    Forbidden {
        /// The namespace and the server.
        what: String,
        /// What is not allowed, and to whom.
        why: String,
        /// The Role that would do, as YAML.
        role: String,
    },
    /// It failed.
    #[error("{what}: {why}")]
    Failed {
        /// What was asked.
        what: String,
        /// Why.
        why: String,
    },
    /// It may have been done: the answer was lost.
    #[error("{object}: it is not known whether the change was made: {why}")]
    Unsure {
        /// The object.
        object: ObjectId,
        /// Why.
        why: String,
    },
}

/// A request's trouble in words.
pub fn explained(trouble: RequestFailure, server: &Server, paths: &Paths, doing: &RequestContext<'_>) -> RequestError {
    let what = format!("{} of {}", paths.namespace(), server.name());
    let failed = |why: String| RequestError::Failed { what: what.clone(), why };
    let refused = match trouble {
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
            // It names the user, the verb, the resource and the namespace.
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
    let mut told = if message.is_empty() { format!("HTTP {}", refused.code) } else { message.to_string() };
    if message.contains("field not declared in schema") {
        told.push_str(
            "; the cluster's custom resource definitions are older than this stablekey: \
             stablekey crds | kubectl apply --server-side -f -",
        );
    }
    told
}
