//! What the binder writes, and what came of it. Each write is asked of the Lease, and none is made twice
//! blindly: where it is not known what is there, it is looked at.

use super::super::context::Context;
use super::MANAGER;
use super::fingerprint::Salt;
use super::seen::Seen;
use super::wanted::{How, WantedBinding};
use crate::api::Kind;
use crate::engine::item::ObjectId;
use crate::secret::SecretBytes;
use crate::tenant::kubernetes::{Ask, Paths, Trouble, to_bytes};
use serde_json::{Value, json};
use std::sync::Arc;
use zeroize::Zeroize as _;

/// What is said of a write that was not begun.
const NOT_LEADING: &str = "this process does not lead any more";

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
}

#[derive(Debug)]
pub(super) enum There {
    /// This.
    Seen(Seen),
    /// Nothing.
    Nothing,
    /// As before: the cluster says no, for good.
    Refused { why: String, reason: &'static str },
    /// Nobody knows.
    Unknown { why: String, reason: &'static str },
}

impl Writer {
    /// Asks, where we lead.
    async fn ask(&self, ask: &Ask) -> Result<Vec<u8>, Trouble> {
        if !self.context.leadership.holds() {
            return Err(Trouble::NotAsked(NOT_LEADING.to_string()));
        }
        self.context.server.ask(ask).await
    }

    /// Writes a binding Secret: where nothing is, or over the one, and the state of it, that was seen.
    pub async fn binding(&self, wanted: &WantedBinding) -> Wrote {
        if let How::Replace { uid, resource_version } | How::Delete { uid, resource_version } = &wanted.how {
            let there = self.delete(&wanted.name, uid, resource_version).await;
            let is_gone = matches!(there, There::Nothing);
            if !is_gone || matches!(wanted.how, How::Delete { .. }) {
                return Wrote { name: wanted.name.clone(), there, changed: is_gone };
            }
        }
        let mut ask = Ask::apply_by(self.paths.secret(&wanted.name), MANAGER, wanted.body().expose().to_vec());
        let answer = self.ask(&ask).await;
        ask.body.zeroize();
        let there = match answer {
            Ok(answer) => return self.wrote(wanted, answer),
            Err(trouble) if is_race(&trouble) || matches!(trouble, Trouble::NoAnswer(_)) => {
                self.look(&wanted.name).await
            }
            Err(trouble) => unwritten(&trouble, wanted),
        };
        Wrote { name: wanted.name.clone(), there, changed: false }
    }

    /// Takes away the one, and the state of it, that was seen.
    async fn delete(&self, name: &str, uid: &str, resource_version: &str) -> There {
        let preconditions = json!({"uid": uid, "resourceVersion": resource_version});
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
        match self.ask(&Ask::delete(self.paths.secret(name), options.to_string().into_bytes())).await {
            Ok(_) => There::Nothing,
            Err(trouble) if is_absent(&trouble) => There::Nothing,
            Err(trouble) if is_race(&trouble) || matches!(trouble, Trouble::NoAnswer(_)) => self.look(name).await,
            Err(trouble) => refused_or_unknown(trouble.to_string(), reason(&trouble)),
        }
    }

    fn wrote(&self, wanted: &WantedBinding, answer: Vec<u8>) -> Wrote {
        Wrote { name: wanted.name.clone(), there: self.read(answer), changed: true }
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
        match Seen::parse(answer.expose(), &self.salt) {
            Ok(seen) => There::Seen(seen),
            Err(why) => There::Unknown { why: why.to_string(), reason: "Unreadable" },
        }
    }

    /// Writes a status, and gives the object as it is then; `None` where it is gone.
    pub async fn status(&self, id: &ObjectId, body: &Value) -> Result<Option<Vec<u8>>, Trouble> {
        let path = format!("{}/status", self.paths.object(id));
        self.where_it_is(&Ask::apply_by(path, MANAGER, to_bytes(body))).await
    }

    /// Writes the owners of a ConfigMap, and gives it as it is then; `None` where it is gone.
    pub async fn owners(&self, ask: &Ask) -> Result<Option<Vec<u8>>, Trouble> {
        self.where_it_is(ask).await
    }

    async fn where_it_is(&self, ask: &Ask) -> Result<Option<Vec<u8>>, Trouble> {
        match self.ask(ask).await {
            Err(trouble) if is_absent(&trouble) => Ok(None),
            answer => answer.map(Some),
        }
    }
}

/// Whether somebody was faster: what is there now says.
pub(super) fn is_race(trouble: &Trouble) -> bool {
    let Trouble::Refused(refused) = trouble else { return false };
    let other_uid = || std::iter::once(&refused.message).chain(&refused.causes).any(|w| w.contains("metadata.uid"));
    refused.code.as_u16() == 409 || (refused.code.as_u16() == 422 && other_uid())
}

fn is_absent(trouble: &Trouble) -> bool {
    trouble.code().is_some_and(|code| code.as_u16() == 404)
}

fn unwritten(trouble: &Trouble, wanted: &WantedBinding) -> There {
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
pub(super) fn reason(trouble: &Trouble) -> &'static str {
    let Some(code) = trouble.code() else {
        return if matches!(trouble, Trouble::NotAsked(_)) { "NotAsked" } else { "NoAnswer" };
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
