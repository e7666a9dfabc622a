//! What the binder reports besides statuses: events on transitions, log lines and metrics.

use super::super::context::Context;
use super::super::events::{Importance, Transition, reference};
use super::super::notify::{Fact, Notifier, ObjectFacts, Topic};
use super::evaluate::problem::{EXPIRING_SOON, PENDING, kind::CREDENTIALS, kind::READY, kind::TEST_CREDENTIALS};
use super::secret::desired::Because;
use crate::api::{Condition, Kind, NewCondition};
use crate::controller::metrics::ReconcileOutcome;
use crate::controller::role::Role;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::engine::model::opt_in::Expiry;
use crate::kubernetes::paths::Paths;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use std::time::Duration;
use tracing::{debug, info, warn};

/// The reasons that may disappear by themselves: each kind has its own watch, so a referenced object may arrive later.
const MAY_BE_LATE: [Code; 6] = [
    Code::DefinitionMissing,
    Code::BindingMissing,
    Code::ConnectionNotReady,
    Code::CustomerConnectionMissing,
    Code::SecretMissing,
    Code::SecretNotForKey,
];

/// The Ready condition before and after a write of the status.
#[derive(Debug, Default)]
pub(super) struct ReadyTransition {
    before: Option<(String, String)>,
    now: Option<NewCondition>,
}

impl ReadyTransition {
    pub(super) fn new(before: &[Condition], now: Option<&NewCondition>) -> Self {
        let before = before.iter().find(|c| c.type_ == READY).map(|c| (c.status.clone(), c.reason.clone()));
        ReadyTransition { before, now: now.cloned() }
    }

    pub(super) fn is_ready(&self) -> bool {
        self.now.as_ref().is_some_and(|now| now.holds == Some(true))
    }

    /// Returns the new reason of Ready.
    pub(super) fn reason(&self) -> Option<&str> {
        self.now.as_ref().map(|now| now.reason.as_str())
    }

    /// Returns the new reason, if it says that something is missing that may only be late, and the old one did not.
    pub(super) fn may_be_late(&self) -> Option<&str> {
        let was = self.before.as_ref().map(|(_, reason)| reason.as_str());
        self.reason().filter(|reason| Some(*reason) != was && MAY_BE_LATE.iter().any(|code| code.name() == *reason))
    }

    fn is_change(&self) -> bool {
        let status = if self.is_ready() { "True" } else { "False" };
        let is_same = |(before, reason): &(String, String)| before == status && Some(reason.as_str()) == self.reason();
        !self.before.as_ref().is_some_and(is_same)
    }
}

/// Reports what happens in one namespace. Cheap to clone.
#[derive(Clone, Debug)]
pub(super) struct Reporter {
    context: Context,
    paths: Paths,
    notifier: Notifier,
}

impl Reporter {
    pub(super) fn new(context: Context, paths: Paths, notifier: Notifier) -> Self {
        Reporter { context, paths, notifier }
    }

    /// Takes the names of all connections that are there.
    pub(super) fn connections<'c>(&self, names: impl Iterator<Item = &'c String>) {
        self.notifier.only(names.map(|name| ObjectId::new(Kind::Connection, name)), None);
    }

    /// Reports whether the credentials of a tenant's connection expire, if its conditions tell; `at` is the first expiry.
    pub(super) fn credentials(
        &self,
        tenant: &str,
        (id, uid): (&ObjectId, &str),
        conditions: &[NewCondition],
        at: Option<&String>,
    ) {
        if !self.notifier.is_on() {
            return;
        }
        let mut facts = ObjectFacts::of(uid);
        let tenant = Some(tenant).filter(|tenant| !tenant.is_empty());
        tenant.into_iter().for_each(|tenant| facts.has_target(tenant));
        let of_credentials = |condition: &&NewCondition| [CREDENTIALS, TEST_CREDENTIALS].contains(&condition.type_);
        let expiring = |condition: &&NewCondition| {
            condition.reason == EXPIRING_SOON || condition.reason == Code::SecretExpired.name()
        };
        let mut all = conditions.iter().filter(of_credentials);
        match all.clone().find(expiring) {
            Some(found) => {
                let at = at.map_or("", String::as_str);
                facts.add(tenant, Topic::Credentials, Fact::expires(&id.name, &found.reason, &found.message, at));
            }
            // What cannot be read may expire all the same.
            None if all.all(|condition| condition.holds == Some(true)) => {
                facts.add(tenant, Topic::Credentials, Fact::none());
            }
            None => {}
        }
        self.notifier.observe(id.clone(), facts);
    }

    /// Reports that a connection is gone.
    pub(super) fn connection_gone(&self, id: &ObjectId) {
        self.expires(&id.name, None);
        self.notifier.gone(id);
    }

    /// Reports that a write of the status changed Ready.
    pub(super) fn ready_changed(&self, id: &ObjectId, uid: &str, transition: &ReadyTransition) {
        if transition.is_change() {
            self.ready(id, uid, transition);
        }
    }

    /// Reports the current Ready condition.
    pub(super) fn ready(&self, id: &ObjectId, uid: &str, transition: &ReadyTransition) {
        let Some(now) = &transition.now else { return };
        // The message begins with a code; one code can have several reasons.
        if let Some(code) = Code::ALL.iter().find(|code| now.message.starts_with(code.as_str())) {
            self.context.metrics.failed(Role::Binder, code.as_str());
        }
        let is_well = now.holds == Some(true) || now.reason == PENDING;
        let importance = if is_well { Importance::Normal } else { Importance::Warning };
        let (reason, note) = (now.reason.clone(), now.message.clone());
        self.event(reference(&self.paths, id, uid), importance, &reason, action(id.kind), note);
    }

    /// Reports the result of a reconcile.
    pub(super) fn reconciled(
        &self,
        id: &ObjectId,
        outcome: ReconcileOutcome,
        transition: &ReadyTransition,
        again: Option<Timestamp>,
        took: Duration,
    ) {
        self.context.metrics.reconciled(Role::Binder, id.kind, outcome, took);
        let (reason, why) = transition.now.as_ref().map_or(("", ""), |now| (now.reason.as_str(), now.message.as_str()));
        let again = again.map(tracing::field::display);
        debug!(object = %id, outcome = outcome.as_str(), ready = transition.is_ready(), reason, why, again, "decided");
    }

    /// Reports that a binding Secret which the status named is no longer needed, and is kept.
    pub(super) fn secret_unwanted(&self, id: &ObjectId, uid: &str, secret: &str) {
        let note = format!("Secret {secret} is no longer needed and is kept: delete it when nothing uses it");
        self.event(reference(&self.paths, id, uid), Importance::Normal, "BindingLeft", RELEASE, note);
    }

    /// Reports that the binding Secret of an object was deleted.
    pub(super) fn secret_deleted(&self, id: &ObjectId, uid: &str, secret: &str, because: &Because) {
        let why = because.to_string();
        warn!(object = %id, secret, why, "deleted a binding Secret");
        // The deletion of another object's Secret does not matter to people who watch this object.
        if matches!(because, Because::Withdrawn(_)) {
            let note = format!("Secret {secret} was deleted: {why}");
            // With the action of Ready, the event is sent again if the Secret is deleted a second time.
            let object = reference(&self.paths, id, uid);
            self.event(object, Importance::Warning, "BindingDeleted", action(id.kind), note);
        }
    }

    /// Reports that a binding Secret without an object was deleted.
    pub(super) fn leftover_deleted(&self, secret: &str, uid: &str, because: &Because) {
        let (namespace, why) = (self.paths.namespace(), because.to_string());
        warn!(namespace, secret, why, "deleted a binding Secret");
        if matches!(because, Because::Withdrawn(_)) {
            let note = format!("Secret {secret} was deleted: {why}");
            let object = self.secret(secret, Some(uid.to_string()));
            self.event(object, Importance::Warning, "BindingDeleted", RELEASE, note);
        }
    }

    /// Reports that the connection of a binding Secret is gone and the Secret is kept.
    pub(super) fn leftover(&self, secret: &str, uid: Option<String>, of: &ObjectId) {
        let namespace = self.paths.namespace();
        let note = format!("{of} was deleted, and Secret {secret} is kept: delete it when nothing uses it any more");
        warn!(namespace, secret, object = %of, "the binding Secret of a deleted connection is kept");
        self.event(self.secret(secret, uid), Importance::Warning, "BindingLeft", RELEASE, note);
    }

    /// Reports that the connection of a kept binding Secret exists again.
    pub(super) fn leftover_in_use(&self, secret: &str, uid: Option<String>) {
        let note = format!("the connection of Secret {secret} exists again");
        info!(namespace = self.paths.namespace(), secret, "the connection of a binding Secret exists again");
        self.event(self.secret(secret, uid), Importance::Normal, "BindingInUse", RELEASE, note);
    }

    /// Sets the metric for the number of binding Secrets without a connection.
    pub(super) fn leftovers(&self, count: usize) {
        self.context.metrics.left(self.paths.namespace(), count);
    }

    /// Sets the metric for the first expiry among a connection's Secrets, if it can be parsed.
    pub(super) fn expires(&self, connection: &str, at: Option<&String>) {
        // As the evaluation reads it: a time, or a day.
        let at = at.and_then(|text| Expiry::parse(text).at).map(Timestamp::as_second);
        self.context.metrics.connection_expires(self.paths.namespace(), connection, at);
    }

    /// Counts a failure.
    pub(super) fn failed(&self, reason: &'static str) {
        self.context.metrics.failed(Role::Binder, reason);
    }

    fn event(&self, object: ObjectReference, importance: Importance, reason: &str, action: &'static str, note: String) {
        self.context.events.record(Transition { object, importance, reason: reason.to_string(), action, note });
    }

    /// Returns a reference to a Secret. A Secret that was made again has another uid and gets events of its own.
    fn secret(&self, name: &str, uid: Option<String>) -> ObjectReference {
        ObjectReference {
            api_version: Some("v1".to_string()),
            kind: Some("Secret".to_string()),
            name: Some(name.to_string()),
            namespace: Some(self.paths.namespace().to_string()),
            uid,
            ..ObjectReference::default()
        }
    }
}

/// The action of events about binding Secrets that are kept.
const RELEASE: &str = "Release";

/// Returns the action of events about an object. Each action has its own last event.
const fn action(kind: Kind) -> &'static str {
    match kind {
        Kind::Integration => "Bind",
        _ => "Check",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Time;

    fn transition(before: Option<&str>, ready: bool, reason: &str) -> ReadyTransition {
        let before = before.map(|reason| Condition {
            type_: READY.to_string(),
            status: "False".to_string(),
            reason: reason.to_string(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::MIN),
        });
        ReadyTransition::new(before.as_slice(), Some(&NewCondition::new(READY, ready, reason, "")))
    }

    /// A ConfigMap, a connection or a Secret that arrives a moment later causes no event; an invalid field does at
    /// once.
    #[test]
    fn only_missing_objects_delay_an_event() {
        for code in MAY_BE_LATE {
            assert_eq!(transition(None, false, code.name()).may_be_late(), Some(code.name()));
            assert_eq!(transition(Some("InputMissing"), false, code.name()).may_be_late(), Some(code.name()));
            assert_eq!(transition(Some(code.name()), false, code.name()).may_be_late(), None, "it was said before");
        }
        for reason in ["Bound", "HostNotPinned", "InputMissing", "DefinitionUnreadable", "SecretExpired"] {
            assert_eq!(transition(None, reason == "Bound", reason).may_be_late(), None, "{reason}");
        }
    }
}
