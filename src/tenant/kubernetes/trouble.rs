//! What an API server's no means for a place, in words that say what to do.

use super::paths::Paths;
use super::role::role;
use super::server::{Refused, Server, Trouble};
use crate::engine::model::item::ObjectId;
use crate::tenant::PlaceError;
use http::StatusCode;

/// What was being done.
pub struct Doing<'a> {
    /// list, get, patch, delete.
    pub verb: &'static str,
    /// Of what: the resource's name in a cluster.
    pub resource: &'a str,
    /// With what in particular.
    pub object: Option<&'a ObjectId>,
}

/// A request's trouble as that of a place.
pub fn of_place(trouble: Trouble, server: &Server, paths: &Paths, doing: &Doing<'_>) -> PlaceError {
    let what = format!("{} of {}", paths.namespace(), server.name());
    let failed = |why: String| PlaceError::Failed { what: what.clone(), why };
    let refused = match trouble {
        Trouble::NotAsked(why) => return failed(format!("cannot be reached: {why}")),
        Trouble::TooLarge => return failed(format!("{}: nothing of it is used", Trouble::TooLarge)),
        Trouble::NoAnswer(why) => {
            return match doing.object.filter(|_| doing.verb != "get") {
                Some(object) => PlaceError::Unsure { object: object.clone(), why },
                None => failed(format!("cannot be reached: {why}")),
            };
        }
        Trouble::Refused(refused) => refused,
    };
    let no_such_kind = refused.code == StatusCode::NOT_FOUND && !refused.is_status;
    match (refused.code, doing.object) {
        (StatusCode::UNAUTHORIZED, _) => failed(server.credentials().not_accepted()),
        (StatusCode::FORBIDDEN, _) if refused.is_of_rights() => PlaceError::Forbidden {
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
            PlaceError::TooLarge { object: object.clone(), why: words(&refused) }
        }
        (_, Some(object)) => PlaceError::Refused { object: object.clone(), why: words(&refused) },
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
