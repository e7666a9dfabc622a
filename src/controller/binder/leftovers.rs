//! Binding Secrets of objects that are no more: a customer's goes with the credentials that it was made of, a
//! connection's stays for those that still use it, and is told of.

use super::agenda::{Haste, Task};
use super::desk::{Desk, Event};
use super::report;
use super::state::{Binder, Change};
use super::wanted::{Use, WantedBinding};
use super::write::{There, Wrote};
use crate::api::Kind;
use crate::controller::events::{Importance, Transition};
use crate::engine::item::ObjectId;
use k8s_openapi::api::core::v1::ObjectReference;
use tokio::time::Instant;
use tracing::{info, warn};

/// What becomes of a binding Secret.
#[derive(Debug, PartialEq)]
pub(super) enum Fate {
    /// It is of an object that is there, or goes with one of its owners.
    Stays,
    /// It was made of customer credentials that are gone.
    Goes(Box<WantedBinding>),
    /// It is of a connection that is gone, and was to be kept.
    Left(ObjectId),
}

impl Binder {
    /// What becomes of the binding Secret of this name.
    pub(super) fn fate(&self, secret: &str) -> Fate {
        let Some(binding) = self.bindings.get(secret) else { return Fate::Stays };
        let Some((of, id)) = binding.ours.as_deref().and_then(Use::of_what) else { return Fate::Stays };
        let is_there = self.inventory.has(&id) || self.inventory.invalid.contains_key(&id);
        match of {
            _ if is_there || of.name_for(&id.name) != secret => Fate::Stays,
            Use::Customer => Fate::Goes(Box::new(WantedBinding::that_goes(binding))),
            Use::Production | Use::Test if binding.is_owned => Fate::Stays,
            Use::Production | Use::Test => Fate::Left(id),
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

    /// Every binding Secret whose object is gone.
    pub(super) fn leftovers(&self) -> Vec<String> {
        self.bindings.keys().filter(|name| self.fate(name) != Fate::Stays).cloned().collect()
    }
}

impl Desk {
    /// The binding Secrets of these names may be of nothing any more.
    pub fn see_to_leftovers(&mut self, secrets: Vec<String>, now: Instant) {
        for secret in secrets {
            self.agenda.due(Task::Leftover(secret), Haste::Changed, now);
        }
    }

    /// Looks at one of them.
    pub fn look_at_leftover(&mut self, secret: String, now: Instant) {
        let task = Task::Leftover(secret.clone());
        match self.binder.fate(&secret) {
            Fate::Stays => {
                self.left.remove(&secret);
                self.agenda.done(&task, now);
            }
            Fate::Left(id) => {
                if self.left.insert(secret.clone()) {
                    self.tell_of_left(&secret, &id);
                }
                self.agenda.done(&task, now);
            }
            Fate::Goes(wanted) => {
                let (writer, tell) = (self.writer.clone(), self.tell.clone());
                self.spawn(async move {
                    let wrote = writer.binding(&wanted).await;
                    drop(tell.send(Event::Leftover(wrote)));
                });
            }
        }
        self.context.metrics.left(self.paths.namespace(), self.left.len());
    }

    pub fn leftover_written(&mut self, Wrote { name, there, .. }: Wrote) {
        self.in_flight = self.in_flight.saturating_sub(1);
        let now = Instant::now();
        let task = Task::Leftover(name.clone());
        match there {
            There::Nothing => {
                info!(secret = name, "took away the binding Secret of customer credentials that are gone");
                self.change_secret(Change::SecretGone(name), now);
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

    fn tell_of_left(&self, secret: &str, of: &ObjectId) {
        let namespace = self.paths.namespace();
        let note = format!("{of} is gone, and Secret {secret} stays: delete it when nothing uses it any more");
        warn!(namespace, secret, object = %of, "the binding Secret of a connection that is gone is left");
        let object = ObjectReference {
            api_version: Some("v1".to_string()),
            kind: Some("Secret".to_string()),
            name: Some(secret.to_string()),
            namespace: Some(namespace.to_string()),
            ..ObjectReference::default()
        };
        self.context.events.tell(Transition {
            object,
            importance: Importance::Warning,
            reason: "BindingLeft".to_string(),
            action: "Release",
            note,
        });
    }
}
