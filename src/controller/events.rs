//! Kubernetes events: what `kubectl describe` and `kubectl events` show of an object's transitions.
//!
//! Events are for people, and nothing depends on them. They are sent in order, in a task of their own, from a queue
//! that drops the oldest. An event that cannot be sent is logged.

use super::election::Leadership;
use super::log::random;
use super::role::Role;
use crate::api::API_VERSION;
use crate::engine::model::item::ObjectId;
use crate::kubernetes::client::{ApiRequest, Server};
use crate::kubernetes::paths::Paths;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;
use tracing::warn;

/// Maximum number of events that wait to be sent.
const QUEUE: usize = 256;
/// Number of objects for which the last event is remembered.
const REMEMBERED: usize = 4_096;
/// Maximum length of the note, and of the reason and the action, in bytes.
const LONGEST_NOTE: usize = 1_024;
const LONGEST_WORD: usize = 128;
/// Maximum length of the object's name within the event's name.
const LONGEST_NAME: usize = 200;
/// Timeout of the request that sends one event.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The type of an event, as Kubernetes has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Importance {
    /// Nothing needs attention.
    Normal,
    /// Somebody should look at it.
    Warning,
}

/// A transition of an object, which becomes an event.
#[derive(Clone, Debug)]
pub struct Transition {
    pub object: ObjectReference,
    pub importance: Importance,
    /// The reason, as one word in CamelCase.
    pub reason: String,
    /// The action during which it happened, as one word in CamelCase. The last event of each action is not sent again.
    pub action: &'static str,
    /// The message, for people. It never contains the value of an input.
    pub note: String,
}

/// Returns the reference by which an event names a custom resource.
pub fn reference(paths: &Paths, id: &ObjectId, uid: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(API_VERSION.to_string()),
        kind: Some(id.kind.as_str().to_string()),
        name: Some(id.name.clone()),
        namespace: Some(paths.namespace().to_string()),
        uid: Some(uid.to_string()),
        ..ObjectReference::default()
    }
}

/// Sends transitions as events. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Events {
    server: Server,
    role: Role,
    /// Identifies the replica.
    instance: Arc<str>,
    leadership: Leadership,
    state: Arc<Mutex<EventQueue>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct EventQueue {
    waiting: VecDeque<Transition>,
    /// An event was taken from the queue and is being sent.
    is_sending: bool,
    dropped: u64,
    said: LastSent,
}

/// The last event of each object and action.
#[derive(Debug, Default)]
struct LastSent {
    last: HashMap<(String, &'static str), (String, String)>,
    order: VecDeque<(String, &'static str)>,
}

impl LastSent {
    /// Remembers a transition as the last one; returns whether it differs from the one before.
    fn is_new(&mut self, transition: &Transition) -> bool {
        let key = (id(&transition.object), transition.action);
        let words = (transition.reason.clone(), transition.note.clone());
        let before = self.last.insert(key.clone(), words.clone());
        if before.is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.last.remove(&oldest);
        }
        before != Some(words)
    }
}

fn id(object: &ObjectReference) -> String {
    let part = |part: &Option<String>| part.clone().unwrap_or_default();
    format!("{}/{}/{}/{}", part(&object.kind), part(&object.namespace), part(&object.name), part(&object.uid))
}

impl Events {
    /// Returns the events of a role. They are sent only while this replica leads.
    pub fn new(server: &Server, role: Role, instance: &str, leadership: Leadership) -> Self {
        Events {
            server: server.with_timeout(REQUEST_TIMEOUT),
            role,
            instance: cut(instance, LONGEST_WORD).into(),
            leadership,
            state: Arc::default(),
            arrived: Arc::default(),
        }
    }

    /// Queues a transition, unless it is the same as the last one. Does not wait.
    pub fn record(&self, transition: Transition) {
        let mut state = self.state();
        if !state.said.is_new(&transition) {
            return;
        }
        state.waiting.push_back(transition);
        if state.waiting.len() > QUEUE {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        drop(state);
        self.arrived.notify_one();
    }

    /// Sends queued events forever. Each role runs this once, in parallel to its work.
    pub async fn send(&self) -> Infallible {
        loop {
            match self.next() {
                Some(transition) => {
                    self.send_one(&transition).await;
                    self.state().is_sending = false;
                }
                None => self.arrived.notified().await,
            }
        }
    }

    /// Waits until the queue is empty, at most for the timeout.
    pub async fn flush(&self, request_timeout: Duration) {
        let sent = timeout(request_timeout, async {
            let is_empty = || {
                let state = self.state();
                state.waiting.is_empty() && !state.is_sending
            };
            while !is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        });
        let _ = sent.await;
    }

    fn next(&self) -> Option<Transition> {
        let mut state = self.state();
        let dropped = std::mem::take(&mut state.dropped);
        let next = state.waiting.pop_front();
        state.is_sending = next.is_some();
        drop(state);
        if dropped > 0 {
            warn!(role = self.role.as_str(), dropped, "more events than could be sent: the oldest were dropped");
        }
        next
    }

    async fn send_one(&self, transition: &Transition) {
        if !self.leadership.holds() {
            return;
        }
        let event = self.event(transition, Timestamp::now());
        let namespace = event.metadata.namespace.as_deref().unwrap_or("default");
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let Ok(body) = serde_json::to_vec(&event) else { return };
        if let Err(failure) = self.server.request(&ApiRequest::post(path, body)).await {
            let (object, why) = (id(&transition.object), failure.to_string());
            warn!(role = self.role.as_str(), object, reason = transition.reason, why, "an event was not sent");
        }
    }

    fn event(&self, transition: &Transition, now: Timestamp) -> Event {
        let name = transition.object.name.as_deref().unwrap_or_default();
        let importance = match transition.importance {
            Importance::Normal => "Normal",
            Importance::Warning => "Warning",
        };
        Event {
            metadata: ObjectMeta {
                name: Some(format!("{}.{:016x}", cut(name, LONGEST_NAME).trim_end_matches(['.', '-']), random())),
                namespace: transition.object.namespace.clone(),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(now)),
            type_: Some(importance.to_string()),
            reason: Some(cut(&transition.reason, LONGEST_WORD).to_string()),
            action: Some(cut(transition.action, LONGEST_WORD).to_string()),
            note: Some(cut(&crate::text::lines(&transition.note), LONGEST_NOTE).to_string()),
            regarding: Some(transition.object.clone()),
            reporting_controller: Some(self.role.controller().to_string()),
            reporting_instance: Some(self.instance.to_string()),
            ..Event::default()
        }
    }

    fn state(&self) -> MutexGuard<'_, EventQueue> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Truncates a text to a number of bytes, at a character boundary.
fn cut(text: &str, longest: usize) -> &str {
    let end = (0..=longest.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    end.and_then(|end| text.get(..end)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transition(name: &str, reason: &str, note: &str) -> Transition {
        let object = ObjectReference {
            kind: Some("Connection".to_string()),
            namespace: Some("us-prod".to_string()),
            name: Some(name.to_string()),
            ..ObjectReference::default()
        };
        let (reason, note) = (reason.to_string(), note.to_string());
        Transition { object, importance: Importance::Normal, reason, action: "Check", note }
    }

    #[test]
    fn the_last_event_is_not_sent_again() {
        let mut said = LastSent::default();
        let arrived =
            [("crm", "Ready", "a"), ("crm", "Ready", "a"), ("crm", "InputMissing", "b"), ("crm", "Ready", "a")];
        let sent = arrived.map(|(name, reason, note)| said.is_new(&transition(name, reason, note)));
        assert_eq!(sent, [true, false, true, true], "a way back is a transition too");
        assert!(said.is_new(&transition("other", "Ready", "a")));
        assert!(said.is_new(&Transition { action: "Bind", ..transition("crm", "Ready", "a") }));
    }

    #[test]
    fn the_number_of_remembered_events_is_bounded() {
        let mut said = LastSent::default();
        for number in 0..=REMEMBERED {
            assert!(said.is_new(&transition(&number.to_string(), "Ready", "")));
        }
        assert_eq!((said.last.len(), said.order.len()), (REMEMBERED, REMEMBERED));
        assert!(said.is_new(&transition("0", "Ready", "")), "the oldest was forgotten");
    }

    #[test]
    fn a_text_is_truncated_at_a_character_boundary() {
        assert_eq!((cut("für", 2), cut("für", 3), cut("", 3)), ("f", "fü", ""));
    }
}
