//! The writes of the binder, and the server's answers. No write is repeated blindly: if its result is unknown, the
//! object is read.

use super::super::context::Context;
use super::evaluate::leftover::Origins;
use super::secret::MANAGER;
use super::secret::desired::{Because, DesiredSecret, How};
use super::secret::fingerprint::Salt;
use super::secret::observed::ObservedSecret;
use crate::api::{FOR, FOR_CONNECTIONS};
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::{ApiRequest, RequestFailure, Server};
use crate::kubernetes::paths::{Paths, segment};
use crate::secret::SecretBytes;
use crate::tenant::cluster::body::to_bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use zeroize::Zeroize as _;

/// A list of Secrets, unparsed.
#[derive(Deserialize)]
struct OptedIn<'a> {
    #[serde(borrow)]
    items: Vec<&'a RawValue>,
}

/// Writes to one namespace, for as long as this replica leads and the namespace has this tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct NamespaceWriter {
    server: Server,
    pub paths: Paths,
    salt: Arc<Salt>,
    is_current: Arc<AtomicBool>,
}

/// A write of a binding Secret, and the server's answer.
#[derive(Debug)]
pub(super) struct SecretWrite {
    pub name: String,
    pub answer: SecretAnswer,
    pub changed: bool,
    /// The deleted Secret and the reason, if none was made in its place.
    pub deleted: Option<Deleted>,
}

/// A binding Secret that was deleted.
#[derive(Debug)]
pub(super) struct Deleted {
    /// The uid. The cache may have forgotten it already, since the watch is often faster than the answer.
    pub uid: String,
    pub because: Because,
}

/// The state of a binding Secret, according to the server.
#[derive(Debug)]
pub(super) enum SecretAnswer {
    There(ObservedSecret),
    Absent,
    /// The Secret is unchanged: the API server refuses the write, and a retry would not help.
    Refused {
        why: String,
        reason: &'static str,
    },
    Unknown {
        why: String,
        reason: &'static str,
    },
}

impl NamespaceWriter {
    pub(super) fn new(context: &Context, paths: Paths, salt: Arc<Salt>) -> Self {
        let is_current = Arc::new(AtomicBool::new(true));
        let (leadership, current) = (context.leadership.clone(), is_current.clone());
        let fence = Arc::new(move || leadership.holds() && current.load(Ordering::Relaxed));
        NamespaceWriter { server: context.server.guarded(fence), paths, salt, is_current }
    }

    /// Stops all writes of this writer and its clones: the namespace has another tenant now.
    pub(super) fn retire(&self) {
        self.is_current.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_retired(&self) -> bool {
        !self.is_current.load(Ordering::Relaxed)
    }

    /// Writes a binding Secret: creates it if there is none, or updates the version that was seen.
    pub(super) async fn secret(&self, desired: &DesiredSecret) -> SecretWrite {
        let mut deleted = None;
        if let How::Replace { uid, resource_version } | How::Delete { uid, resource_version, .. } = &desired.how {
            let answer = self.delete(&desired.name, uid, resource_version).await;
            let because = if let How::Delete { because, .. } = &desired.how { because } else { &Because::OfAnother };
            let is_gone = matches!(answer, SecretAnswer::Absent);
            deleted = is_gone.then(|| Deleted { uid: uid.clone(), because: because.clone() });
            if !is_gone || matches!(desired.how, How::Delete { .. }) {
                return SecretWrite { name: desired.name.clone(), answer, changed: is_gone, deleted };
            }
        }
        let mut request =
            ApiRequest::apply_by(self.paths.secret(&desired.name), MANAGER, desired.body().expose().to_vec());
        let answer = self.server.request(&request).await;
        request.body.zeroize();
        let changed = answer.is_ok();
        let answer = match answer {
            Ok(answer) => self.parse(answer),
            Err(failure) if failure.is_race() || matches!(failure, RequestFailure::NoAnswer(_)) => {
                self.read(&desired.name).await
            }
            Err(failure) => unwritten(&failure, desired),
        };
        let deleted = deleted.filter(|_| !changed);
        SecretWrite { name: desired.name.clone(), answer, changed, deleted }
    }

    /// Deletes the version that was seen.
    async fn delete(&self, name: &str, uid: &str, resource_version: &str) -> SecretAnswer {
        let preconditions = json!({"uid": uid, "resourceVersion": resource_version});
        let options = json!({"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": preconditions});
        match self.server.request(&ApiRequest::delete(self.paths.secret(name), options.to_string().into_bytes())).await
        {
            Ok(_) => SecretAnswer::Absent,
            Err(failure) if failure.is_absent() => SecretAnswer::Absent,
            Err(failure) if failure.is_race() || matches!(failure, RequestFailure::NoAnswer(_)) => {
                self.read(name).await
            }
            Err(failure) => refused_or_unknown(failure.to_string(), failure.reason()),
        }
    }

    /// Asks the server whether a source Secret of a copy may no longer be used for it. Only Secrets that opted in are
    /// read.
    pub(super) async fn is_withdrawn(&self, origins: &Origins) -> Result<bool, SecretAnswer> {
        for name in &origins.from {
            let path = format!("{}&fieldSelector=metadata.name%3D{}", self.opted_in(), segment(name));
            let answer = match self.server.request(&ApiRequest::get(path)).await {
                Ok(answer) => SecretBytes::new(answer),
                Err(failure) => {
                    return Err(SecretAnswer::Unknown { why: failure.to_string(), reason: failure.reason() });
                }
            };
            let unreadable = |why: String| SecretAnswer::Unknown { why, reason: "Unreadable" };
            let list: OptedIn<'_> = serde_json::from_slice(answer.expose())
                .map_err(|_| unreadable(format!("what the server says of Secret {name} is no list of Secrets")))?;
            let Some(secret) = list.items.first() else { return Ok(true) };
            match ObservedSecret::parse(secret.get().as_bytes(), &self.salt) {
                Ok(ObservedSecret::Source(source)) if source.name == *name => {
                    if !source.opt_in.keys.serve(&origins.keys) {
                        return Ok(true);
                    }
                }
                _ => return Err(unreadable(format!("Secret {name} cannot be read"))),
            }
        }
        Ok(false)
    }

    /// Returns the path of the list of Secrets that opted in.
    fn opted_in(&self) -> String {
        let label = FOR.replace('/', "%2F");
        format!("{}?labelSelector={label}+in+%28{FOR_CONNECTIONS}%29", self.paths.secrets())
    }

    /// Reads a binding Secret.
    pub(super) async fn read(&self, name: &str) -> SecretAnswer {
        match self.server.request(&ApiRequest::get(self.paths.secret(name))).await {
            Ok(answer) => self.parse(answer),
            Err(failure) if failure.is_absent() => SecretAnswer::Absent,
            Err(failure) => SecretAnswer::Unknown { why: failure.to_string(), reason: failure.reason() },
        }
    }

    fn parse(&self, answer: Vec<u8>) -> SecretAnswer {
        let answer = SecretBytes::new(answer);
        match ObservedSecret::parse(answer.expose(), &self.salt) {
            Ok(seen) => SecretAnswer::There(seen),
            Err(why) => SecretAnswer::Unknown { why: why.to_string(), reason: "Unreadable" },
        }
    }

    /// Writes a status, and returns the object as it is afterwards; `None` if it is gone.
    pub(super) async fn status(&self, id: &ObjectId, body: &Value) -> Result<Option<Vec<u8>>, RequestFailure> {
        let path = format!("{}/status", self.paths.object(id));
        self.where_it_is(&ApiRequest::apply_by(path, MANAGER, to_bytes(body))).await
    }

    /// Writes the owners of a ConfigMap, and returns it as it is afterwards; `None` if it is gone.
    pub(super) async fn owners(&self, request: &ApiRequest) -> Result<Option<Vec<u8>>, RequestFailure> {
        self.where_it_is(request).await
    }

    async fn where_it_is(&self, request: &ApiRequest) -> Result<Option<Vec<u8>>, RequestFailure> {
        match self.server.request(request).await {
            Err(failure) if failure.is_absent() => Ok(None),
            answer => answer.map(Some),
        }
    }
}

fn unwritten(failure: &RequestFailure, desired: &DesiredSecret) -> SecretAnswer {
    let (why, reason) = (failure.to_string(), failure.reason());
    // An admission policy may quote what it refuses.
    let why = if desired.is_quoted_by(&why) {
        format!("{reason} (its words are not shown: they quote a value)")
    } else {
        why
    };
    refused_or_unknown(why, reason)
}

fn refused_or_unknown(why: String, reason: &'static str) -> SecretAnswer {
    // A namespace that is being deleted deletes its objects: nothing to report.
    let is_refusal =
        matches!(reason, "Forbidden" | "Invalid" | "BadRequest" | "RequestEntityTooLarge" | "InternalError")
            && !why.contains("because it is being terminated");
    if is_refusal { SecretAnswer::Refused { why, reason } } else { SecretAnswer::Unknown { why, reason } }
}
