//! What the binder says beside statuses: events on transitions, and what is counted.

use super::super::context::Context;
use super::super::events::{Importance, Transition, reference};
use super::look::ready;
use super::problem::{PENDING, kind::READY};
use super::write::action;
use crate::api::{Condition, Verdict};
use crate::controller::metrics::Outcome;
use crate::controller::role::Role;
use crate::engine::code::Code;
use crate::engine::item::ObjectId;
use crate::tenant::kubernetes::Paths;
use jiff::Timestamp;
use tracing::debug;

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

    /// Tells of it.
    pub fn tell(&self, context: &Context, paths: &Paths, id: &ObjectId, uid: &str) {
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
        let Some(now) = &self.now else { return };
        let status = if now.holds == Some(true) { "True" } else { "False" };
        if self.before.as_ref().is_some_and(|(before, reason)| before == status && *reason == now.reason) {
            return;
        }
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
