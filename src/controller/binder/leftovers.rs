//! Binding Secrets of objects that are no more: a customer's goes with the credentials that it was made of, a
//! connection's stays for those that still use it, and is told of, until a Secret that it was made from is withdrawn.

use super::agenda::{Priority, Task};
use super::desk::{Event, NamespaceWorker};
use super::report;
use super::state::{Binder, InventoryChange};
use super::wanted::{Because, Use, WantedBinding};
use super::write::{Deleted, There, Wrote};
use crate::api::{Credentials, Kind};
use crate::controller::events::{Importance, Transition};
use crate::engine::model::item::ObjectId;
use k8s_openapi::api::core::v1::ObjectReference;
use std::collections::BTreeSet;
use tokio::time::Instant;
use tracing::{info, warn};

/// What becomes of a binding Secret.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// It is of an object that is there, or goes with one of its owners.
    Stays,
    /// It was made of customer credentials that are gone.
    Goes(Box<WantedBinding>),
    /// A Secret that it was made from was withdrawn, as far as was watched, and no look at an object sees to it.
    Withdrawn(Box<WantedBinding>, Origins),
    /// It is of a connection that is gone, and was to be kept.
    Left(ObjectId),
}

/// The Secrets that a copy was made from, and the keys that they opted in for.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Origins {
    pub from: BTreeSet<String>,
    pub keys: BTreeSet<String>,
}

impl Binder {
    /// What becomes of the binding Secret of this name.
    pub(super) fn fate(&self, secret: &str) -> Fate {
        let Some(binding) = self.bindings.get(secret) else { return Fate::Stays };
        let Some((of, id)) = binding.ours.as_deref().and_then(Use::of_what) else { return Fate::Stays };
        if self.sees_to(of, &id) || of.name_for(&id.name) != secret {
            return Fate::Stays;
        }
        if let Some(origin) = self.withdrawn(binding) {
            let origins = Origins { from: binding.from.clone(), keys: binding.keys.clone() };
            return Fate::Withdrawn(Box::new(WantedBinding::withdrawn(binding, origin)), origins);
        }
        let is_there = self.inventory.has(&id) || self.inventory.invalid.contains_key(&id);
        match of {
            _ if is_there => Fate::Stays,
            Use::Customer => Fate::Goes(Box::new(WantedBinding::that_goes(binding, Because::CredentialsGone))),
            Use::Production | Use::Test if binding.is_owned => Fate::Stays,
            Use::Production | Use::Test => Fate::Left(id),
        }
    }

    /// Whether who looks at an object sees to this binding Secret of it: it can be read, and has such a one.
    fn sees_to(&self, of: Use, id: &ObjectId) -> bool {
        let connection = self.inventory.connections.get(&id.name);
        match of {
            Use::Customer => self.inventory.customer_credentials.contains_key(&id.name),
            Use::Production => connection.is_some_and(|c| c.spec.credentials == Credentials::OrganizationGlobal),
            Use::Test => connection.is_some_and(|c| c.spec.test.as_ref().is_some_and(|test| !test.inputs.is_empty())),
        }
    }

    /// The binding Secrets that may be of an object.
    pub(super) fn bindings_of(&self, id: &ObjectId) -> Vec<String> {
        let uses: &[Use] = match id.kind {
            Kind::Connection => &[Use::Production, Use::Test],
            Kind::CustomerCredentials => &[Use::Customer],
            _ => &[],
        };
        uses.iter().map(|of| of.name_for(&id.name)).filter(|name| self.is_ours(name)).collect()
    }

    /// Every binding Secret to which no look at an object sees.
    pub(super) fn leftovers(&self) -> Vec<String> {
        self.bindings.keys().filter(|name| self.fate(name) != Fate::Stays).cloned().collect()
    }

    /// Those of them that are this Secret, or were made from it.
    pub(super) fn leftovers_of(&self, secret: &str) -> Vec<String> {
        let copies = self.copies.get(secret).into_iter().flatten().map(String::as_str);
        copies.chain([secret]).filter(|name| self.fate(name) != Fate::Stays).map(str::to_string).collect()
    }
}

impl NamespaceWorker {
    /// The binding Secrets of these names may be of nothing any more.
    pub fn see_to_leftovers(&mut self, secrets: Vec<String>, haste: Priority, now: Instant) {
        for secret in secrets {
            self.agenda.due(Task::Leftover(secret), haste, now);
        }
    }

    /// Looks at one of them.
    pub fn look_at_leftover(&mut self, secret: String, now: Instant) {
        let task = Task::Leftover(secret.clone());
        match self.binder.fate(&secret) {
            Fate::Stays => {
                self.is_not_left(&secret);
                self.agenda.done(&task, now);
            }
            Fate::Left(id) => {
                if self.left.insert(secret.clone()) {
                    self.tell_of_left(&secret, &id);
                }
                self.context.metrics.left(self.paths.namespace(), self.left.len());
                self.agenda.done(&task, now);
            }
            Fate::Goes(wanted) => {
                let (writer, tell) = (self.writer.clone(), self.tell.clone());
                self.spawn(async move {
                    let wrote = writer.binding(&wanted).await;
                    drop(tell.send(Event::Leftover(secret, Some(wrote))));
                });
            }
            Fate::Withdrawn(wanted, origins) => {
                let (writer, tell) = (self.writer.clone(), self.tell.clone());
                self.spawn(async move {
                    // Nobody would make it again: what was watched may be late, and what cannot be asked is unknown.
                    let wrote = match writer.is_withdrawn(&origins).await {
                        Ok(true) => Some(writer.binding(&wanted).await),
                        Ok(false) => None,
                        Err(there) => Some(Wrote { there, ..Wrote::nothing(&secret) }),
                    };
                    drop(tell.send(Event::Leftover(secret, wrote)));
                });
            }
        }
    }

    pub fn leftover_written(&mut self, name: String, wrote: Option<Wrote>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let now = Instant::now();
        let task = Task::Leftover(name.clone());
        let Some(Wrote { there, deleted, .. }) = wrote else { return self.agenda.done(&task, now) };
        if let Some(deleted) = deleted {
            self.tell_of_deleted(&name, deleted);
        }
        match there {
            There::Nothing => {
                self.change_secret(InventoryChange::SecretGone(name), now);
                self.agenda.done(&task, now);
            }
            There::Seen(seen) => {
                self.secret(seen, now);
                self.agenda.failed(&task, now);
            }
            There::Refused { why, reason } | There::Unknown { why, reason } => {
                warn!(secret = name, why, "a binding Secret of nothing cannot be taken away");
                report::failed(&self.context, reason);
                self.agenda.failed(&task, now);
            }
        }
    }

    /// A binding Secret is gone, or its connection is there again.
    pub fn is_not_left(&mut self, secret: &str) {
        if !self.left.remove(secret) {
            return;
        }
        self.context.metrics.left(self.paths.namespace(), self.left.len());
        if self.binder.is_ours(secret) {
            let note = format!("the connection of Secret {secret} is there again");
            info!(namespace = self.paths.namespace(), secret, "the connection of a binding Secret is there again");
            self.tell_of_secret(secret, self.uid_of(secret), Importance::Normal, "BindingInUse", note);
        }
    }

    fn tell_of_deleted(&self, secret: &str, Deleted { uid, because }: Deleted) {
        let (namespace, why) = (self.paths.namespace(), because.to_string());
        warn!(namespace, secret, why, "deleted a binding Secret");
        if matches!(because, Because::Withdrawn(_)) {
            let note = format!("Secret {secret} was deleted: {why}");
            self.tell_of_secret(secret, Some(uid), Importance::Warning, "BindingDeleted", note);
        }
    }

    fn tell_of_left(&self, secret: &str, of: &ObjectId) {
        let namespace = self.paths.namespace();
        let note = format!("{of} is gone, and Secret {secret} stays: delete it when nothing uses it any more");
        warn!(namespace, secret, object = %of, "the binding Secret of a connection that is gone is left");
        self.tell_of_secret(secret, self.uid_of(secret), Importance::Warning, "BindingLeft", note);
    }

    /// Which of that name it is.
    fn uid_of(&self, secret: &str) -> Option<String> {
        self.binder.bindings.get(secret).map(|binding| binding.uid.clone())
    }

    /// Tells of one. One that is made again is another: what was said of the one before is not said of it.
    fn tell_of_secret(&self, secret: &str, uid: Option<String>, importance: Importance, reason: &str, note: String) {
        let object = ObjectReference {
            api_version: Some("v1".to_string()),
            kind: Some("Secret".to_string()),
            name: Some(secret.to_string()),
            namespace: Some(self.paths.namespace().to_string()),
            uid,
            ..ObjectReference::default()
        };
        self.context.events.tell(Transition {
            object,
            importance,
            reason: reason.to_string(),
            action: "Release",
            note,
        });
    }
}
