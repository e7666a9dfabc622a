//! What the binder writes, and what came of it. Each write is asked of the Lease, and none is made twice
//! blindly: where it is not known what is there, it is looked at.

use super::super::context::Context;
use super::MANAGER;
use super::fingerprint::Salt;
use super::leftovers::Origins;
use super::seen::ObservedSecret;
use super::wanted::{Because, How, WantedBinding};
use crate::api::{FOR, FOR_CONNECTIONS, Kind};
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::{Ask, RequestFailure};
use crate::kubernetes::paths::{Paths, segment};
use crate::secret::SecretBytes;
use crate::tenant::cluster::body::to_bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroize as _;

/// What is said of a write that was not begun.
const NOT_LEADING: &str = "this process does not lead any more";

/// A list of Secrets, unread.
#[derive(Deserialize)]
struct OptedIn<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// Where to write.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub context: Context,
    pub paths: Paths,
    pub salt: Arc<Salt>,
}

/// What came of writing a binding Secret.
#[derive(Debug)]
pub(super) struct Wrote {
    /// The Secret's name.
    pub name: String,
    /// What is there now.
    pub there: There,
    /// Whether it was changed.
    pub changed: bool,
    /// Which was deleted and why, where one was and no other was made.
    pub deleted: Option<Deleted>,
}

/// A binding Secret that was deleted.
#[derive(Debug)]
pub(super) struct Deleted {
    /// Which of that name it was. It may be forgotten by now: that it is gone is often heard before the answer.
    pub uid: String,
    pub because: Because,
}

impl Wrote {
    /// Nothing was written.
    pub fn nothing(name: &str) -> Self {
        Wrote { name: name.to_string(), there: There::Nothing, changed: false, deleted: None }
    }
}

#[derive(Debug)]
pub(super) enum There {
    /// This.
    Seen(ObservedSecret),
    /// Nothing.
    Nothing,
    /// As before: the cluster says no, for good.
    Refused { why: String, reason: &'static str },
    /// Nobody knows.
    Unknown { why: String, reason: &'static str },
}

impl Writer {
    /// Asks, where we lead.
    async fn ask(&self, ask: &Ask) -> Result<Vec<u8>, RequestFailure> {
        if !self.context.leadership.holds() {
            return Err(RequestFailure::NotAsked(NOT_LEADING.to_string()));
        }
        self.context.server.ask(ask).await
    }

    /// Writes a binding Secret: where nothing is, or over the one, and the state of it, that was seen.
    pub async fn binding(&self, wanted: &WantedBinding) -> Wrote {
        let mut deleted = None;
        if let How::Replace { uid, resource_version } | How::Delete { uid, resource_version, .. } = &wanted.how {
            let there = self.delete(&wanted.name, uid, resource_version).await;
            let because = if let How::Delete { because, .. } = &wanted.how { because } else { &Because::OfAnother };
            let is_gone = matches!(there, There::Nothing);
            deleted = is_gone.then(|| Deleted { uid: uid.clone(), because: because.clone() });
            if !is_gone || matches!(wanted.how, How::Delete { .. }) {
                return Wrote { there, changed: is_gone, deleted, ..Wrote::nothing(&wanted.name) };
            }
        }
        let mut ask = Ask::apply_by(self.paths.secret(&wanted.name), MANAGER, wanted.body().expose().to_vec());
        let answer = self.ask(&ask).await;
        ask.body.zeroize();
        let there = match answer {
            Ok(answer) => return self.wrote(wanted, answer),
            Err(trouble) if is_race(&trouble) || matches!(trouble, RequestFailure::NoAnswer(_)) => {
                self.look(&wanted.name).await
            }
            Err(trouble) => unwritten(&trouble, wanted),
        };
        Wrote { there, deleted, ..Wrote::nothing(&wanted.name) }
    }

    /// Takes away the one, and the state of it, that was seen.
    async fn delete(&self, name: &str, uid: &str, resource_version: &str) -> There {
        let preconditions = json!({"uid": uid, "resourceVersion": resource_version});
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
        match self.ask(&Ask::delete(self.paths.secret(name), options.to_string().into_bytes())).await {
            Ok(_) => There::Nothing,
            Err(trouble) if is_absent(&trouble) => There::Nothing,
            Err(trouble) if is_race(&trouble) || matches!(trouble, RequestFailure::NoAnswer(_)) => {
                self.look(name).await
            }
            Err(trouble) => refused_or_unknown(trouble.to_string(), reason(&trouble)),
        }
    }

    fn wrote(&self, wanted: &WantedBinding, answer: Vec<u8>) -> Wrote {
        Wrote { there: self.read(answer), changed: true, ..Wrote::nothing(&wanted.name) }
    }

    /// Whether a Secret that a copy was made from may no longer be used for it, by what the server says now. Only what
    /// opted in is read.
    pub async fn is_withdrawn(&self, origins: &Origins) -> Result<bool, There> {
        for name in &origins.from {
            let path = format!("{}&fieldSelector=metadata.name%3D{}", self.opted_in(), segment(name));
            let answer = match self.context.server.ask(&Ask::get(path)).await {
                Ok(answer) => SecretBytes::new(answer),
                Err(trouble) => return Err(There::Unknown { why: trouble.to_string(), reason: reason(&trouble) }),
            };
            let unreadable = |why: String| There::Unknown { why, reason: "Unreadable" };
            let list: OptedIn<'_> = serde_json::from_slice(answer.expose())
                .map_err(|_| unreadable(format!("what the server says of Secret {name} is no list of Secrets")))?;
            let Some(secret) = list.items.first() else { return Ok(true) };
            match ObservedSecret::parse(secret.get().as_bytes(), &self.salt) {
                Ok(ObservedSecret::Source(source)) if source.name == *name => {
                    if !source.keys.serve(&origins.keys) {
                        return Ok(true);
                    }
                }
                _ => return Err(unreadable(format!("Secret {name} cannot be read"))),
            }
        }
        Ok(false)
    }

    /// Where the Secrets are that opted in.
    fn opted_in(&self) -> String {
        let label = FOR.replace('/', "%2F");
        format!("{}?labelSelector={label}+in+%28{FOR_CONNECTIONS}%29", self.paths.secrets())
    }

    /// What is at the name of a binding Secret.
    pub async fn look(&self, name: &str) -> There {
        match self.context.server.ask(&Ask::get(self.paths.secret(name))).await {
            Ok(answer) => self.read(answer),
            Err(trouble) if is_absent(&trouble) => There::Nothing,
            Err(trouble) => There::Unknown { why: trouble.to_string(), reason: reason(&trouble) },
        }
    }

    fn read(&self, answer: Vec<u8>) -> There {
        let answer = SecretBytes::new(answer);
        match ObservedSecret::parse(answer.expose(), &self.salt) {
            Ok(seen) => There::Seen(seen),
            Err(why) => There::Unknown { why: why.to_string(), reason: "Unreadable" },
        }
    }

    /// Writes a status, and gives the object as it is then; `None` where it is gone.
    pub async fn status(&self, id: &ObjectId, body: &Value) -> Result<Option<Vec<u8>>, RequestFailure> {
        let path = format!("{}/status", self.paths.object(id));
        self.where_it_is(&Ask::apply_by(path, MANAGER, to_bytes(body))).await
    }

    /// Writes the owners of a ConfigMap, and gives it as it is then; `None` where it is gone.
    pub async fn owners(&self, ask: &Ask) -> Result<Option<Vec<u8>>, RequestFailure> {
        self.where_it_is(ask).await
    }

    async fn where_it_is(&self, ask: &Ask) -> Result<Option<Vec<u8>>, RequestFailure> {
        match self.ask(ask).await {
            Err(trouble) if is_absent(&trouble) => Ok(None),
            answer => answer.map(Some),
        }
    }
}

/// Whether somebody was faster: what is there now says.
pub(super) fn is_race(trouble: &RequestFailure) -> bool {
    let RequestFailure::Refused(refused) = trouble else { return false };
    let other_uid = || std::iter::once(&refused.message).chain(&refused.causes).any(|w| w.contains("metadata.uid"));
    refused.code.as_u16() == 409 || (refused.code.as_u16() == 422 && other_uid())
}

fn is_absent(trouble: &RequestFailure) -> bool {
    trouble.code().is_some_and(|code| code.as_u16() == 404)
}

fn unwritten(trouble: &RequestFailure, wanted: &WantedBinding) -> There {
    let (why, reason) = (trouble.to_string(), reason(trouble));
    // A policy may quote what it refuses.
    let why =
        if wanted.is_quoted_by(&why) { format!("{reason} (its words are not shown: they quote a value)") } else { why };
    refused_or_unknown(why, reason)
}

fn refused_or_unknown(why: String, reason: &'static str) -> There {
    // A namespace that goes away takes all with it: there is nothing to be said.
    let is_refusal =
        matches!(reason, "Forbidden" | "Invalid" | "BadRequest" | "RequestEntityTooLarge" | "InternalError")
            && !why.contains("because it is being terminated");
    if is_refusal { There::Refused { why, reason } } else { There::Unknown { why, reason } }
}

/// A trouble as one word, for metrics.
pub(super) fn reason(trouble: &RequestFailure) -> &'static str {
    let Some(code) = trouble.code() else {
        return if matches!(trouble, RequestFailure::NotAsked(_)) { "NotAsked" } else { "NoAnswer" };
    };
    match code.as_u16() {
        400 => "BadRequest",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "NotFound",
        409 => "Conflict",
        413 => "RequestEntityTooLarge",
        422 => "Invalid",
        429 => "TooManyRequests",
        500 => "InternalError",
        503 => "ServiceUnavailable",
        504 => "Timeout",
        _ => "Other",
    }
}

/// What is done with an object, as one word: events with another word are of another matter.
pub(super) const fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::Integration => "Bind",
        _ => "Check",
    }
}
