//! What the binder says beside statuses: events on transitions, and what is counted.

use super::super::context::Context;
use super::super::events::{Importance, Transition, reference};
use super::look::ready;
use super::problem::{PENDING, kind::READY};
use super::wanted::Because;
use super::write::action;
use crate::api::{Condition, Verdict};
use crate::controller::metrics::Outcome;
use crate::controller::role::Role;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::paths::Paths;
use jiff::Timestamp;
use tracing::{debug, warn};

/// What says that something is missing: each kind is watched for itself, and what one names may come later.
const MAY_BE_LATE: [Code; 6] = [
    Code::DefinitionMissing,
    Code::BindingMissing,
    Code::ConnectionNotReady,
    Code::CustomerConnectionMissing,
    Code::SecretMissing,
    Code::SecretNotForKey,
];

/// What turned with a status.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Ready as it was, by status and reason, and as it is.
    before: Option<(String, String)>,
    now: Option<Verdict>,
    /// Binding Secrets that are not wanted any more.
    left: Vec<String>,
}

impl Turn {
    pub fn of(before: &[Condition], now: &[Verdict], left: Vec<String>) -> Self {
        let before = before.iter().find(|c| c.type_ == READY).map(|c| (c.status.clone(), c.reason.clone()));
        Turn { before, now: ready(now).cloned(), left }
    }

    /// Whether the object is ready.
    pub fn is_ready(&self) -> bool {
        self.now.as_ref().is_some_and(|now| now.holds == Some(true))
    }

    /// Why it is ready, or not.
    pub fn reason(&self) -> Option<&str> {
        self.now.as_ref().map(|now| now.reason.as_str())
    }

    /// The reason, where it says that something is missing which may only be late, and did not say so before.
    pub fn doubtful(&self) -> Option<&str> {
        let was = self.before.as_ref().map(|(_, reason)| reason.as_str());
        self.reason().filter(|reason| Some(*reason) != was && MAY_BE_LATE.iter().any(|code| code.name() == *reason))
    }

    /// Tells of binding Secrets that are not wanted any more.
    pub fn tell_of_left(&self, context: &Context, paths: &Paths, id: &ObjectId, uid: &str) {
        let object = reference(paths, id, uid);
        for secret in &self.left {
            let note = format!("Secret {secret} is not wanted any more and stays: delete it when nothing uses it");
            context.events.tell(Transition {
                object: object.clone(),
                importance: Importance::Normal,
                reason: "BindingLeft".to_string(),
                action: "Release",
                note,
            });
        }
    }

    /// Tells of Ready, where it turned.
    pub fn tell(&self, context: &Context, paths: &Paths, id: &ObjectId, uid: &str) {
        let status = if self.is_ready() { "True" } else { "False" };
        let is_same = |(before, reason): &(String, String)| before == status && Some(reason.as_str()) == self.reason();
        if !self.before.as_ref().is_some_and(is_same) {
            self.tell_again(context, paths, id, uid);
        }
    }

    /// Tells of Ready as it is.
    pub fn tell_again(&self, context: &Context, paths: &Paths, id: &ObjectId, uid: &str) {
        let Some(now) = &self.now else { return };
        let object = reference(paths, id, uid);
        // A message begins with its code, which has several reasons where a reader should tell them apart.
        if let Some(code) = Code::ALL.iter().find(|code| now.message.starts_with(code.as_str())) {
            context.metrics.failed(Role::Binder, code.as_str());
        }
        let is_well = now.holds == Some(true) || now.reason == PENDING;
        let importance = if is_well { Importance::Normal } else { Importance::Warning };
        context.events.tell(Transition {
            object,
            importance,
            reason: now.reason.clone(),
            action: action(id.kind),
            note: now.message.clone(),
        });
    }
}

/// Tells that the binding Secret of an object was deleted.
pub(super) fn deleted(context: &Context, paths: &Paths, (id, uid): (&ObjectId, &str), secret: &str, because: &Because) {
    let why = because.to_string();
    warn!(object = %id, secret, why, "deleted a binding Secret");
    if !matches!(because, Because::Withdrawn(_)) {
        // It was of another object, which is told nothing any more.
        return;
    }
    context.events.tell(Transition {
        object: reference(paths, id, uid),
        importance: Importance::Warning,
        reason: "BindingDeleted".to_string(),
        // As Ready's: once it is there again and goes again, that is said again.
        action: action(id.kind),
        note: format!("Secret {secret} was deleted: {why}"),
    });
}

/// Logs what was decided about an object, and why.
pub(super) fn decided(id: &ObjectId, outcome: Outcome, turn: &Turn, look_again: Option<Timestamp>) {
    let (reason, why) = turn.now.as_ref().map_or(("", ""), |now| (now.reason.as_str(), now.message.as_str()));
    let again = look_again.map(tracing::field::display);
    debug!(object = %id, outcome = outcome.as_str(), ready = turn.is_ready(), reason, why, again, "decided");
}

/// Measures when the first of a connection's Secrets expires, where one says so in a way that can be read.
pub(super) fn expires(context: &Context, paths: &Paths, connection: &str, at: Option<&String>) {
    let at = at.and_then(|text| text.parse::<Timestamp>().ok()).map(Timestamp::as_second);
    context.metrics.connection_expires(paths.namespace(), connection, at);
}

/// Counts what could not be done.
pub(super) fn failed(context: &Context, reason: &'static str) {
    context.metrics.failed(Role::Binder, reason);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Time;

    fn turn(before: Option<&str>, ready: bool, reason: &str) -> Turn {
        let before = before.map(|reason| Condition {
            type_: READY.to_string(),
            status: "False".to_string(),
            reason: reason.to_string(),
            message: String::new(),
            observed_generation: None,
            last_transition_time: Time(Timestamp::MIN),
        });
        Turn::of(before.as_slice(), &[Verdict::new(READY, ready, reason, "")], Vec::new())
    }

    /// A ConfigMap, a connection or a Secret that comes a moment later is no alarm; what somebody wrote wrongly is.
    #[test]
    fn only_what_may_be_late_waits_before_it_is_an_event() {
        for code in MAY_BE_LATE {
            assert_eq!(turn(None, false, code.name()).doubtful(), Some(code.name()));
            assert_eq!(turn(Some("InputMissing"), false, code.name()).doubtful(), Some(code.name()));
            assert_eq!(turn(Some(code.name()), false, code.name()).doubtful(), None, "it was said before");
        }
        for reason in ["Bound", "HostNotPinned", "InputMissing", "DefinitionUnreadable", "SecretExpired"] {
            assert_eq!(turn(None, reason == "Bound", reason).doubtful(), None, "{reason}");
        }
    }
}
