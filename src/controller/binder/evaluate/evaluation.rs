//! What one object is found to be: its status, its conditions, and the binding Secrets that should be there.

use super::problem::kind;
use crate::api::*;
use crate::controller::binder::cache::ConnectionReadiness;
use crate::controller::binder::secret::desired::DesiredSecret;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// What is found of an object with this status.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation<S> {
    /// The status, but for the conditions.
    pub status: S,
    pub conditions: Vec<Verdict>,
    /// The binding Secrets that should be there, and what it takes. One that cannot be whole is not here.
    pub bindings: Vec<DesiredSecret>,
    /// When time alone may change this.
    pub evaluate_again_at: Option<Timestamp>,
}

/// A status that the binder writes.
pub trait BinderStatus: Serialize + DeserializeOwned + Default + Clone + PartialEq {
    const KIND: Kind;
    /// The generation that it speaks of, and its conditions.
    fn parts(&mut self) -> (&mut Option<i64>, &mut Vec<Condition>);
    /// The binding Secrets that it names: for production, and for tests.
    fn bindings(&self) -> [Option<&BindingRef>; 2];
}

macro_rules! statuses {
    ($($status:ident of $kind:ident names $of:ident $bindings:expr;)+) => {$(
        impl BinderStatus for $status {
            const KIND: Kind = Kind::$kind;
            fn parts(&mut self) -> (&mut Option<i64>, &mut Vec<Condition>) {
                (&mut self.observed_generation, &mut self.conditions)
            }
            fn bindings(&self) -> [Option<&BindingRef>; 2] {
                let $of = self;
                $bindings
            }
        }
    )+};
}

statuses! {
    ConnectionStatus of Connection names status [status.binding.as_ref(), status.test_binding.as_ref()];
    CustomerCredentialsStatus of CustomerCredentials names status [status.binding.as_ref(), None];
    IntegrationStatus of Integration names _status [None, None];
}

impl<S: BinderStatus> Evaluation<S> {
    /// Of an object that cannot be read.
    pub fn invalid(conditions: Vec<Verdict>) -> Self {
        Evaluation { status: S::default(), conditions, bindings: Vec::new(), evaluate_again_at: None }
    }

    /// The body of the server-side apply (forced, by the binder's field manager) of the status that says this; `None`
    /// where `before` says the same. Conditions that others set are theirs.
    pub fn body(&self, name: &str, before: &S, generation: i64, now: &Time) -> Option<Value> {
        let (mut before, mut after) = (before.clone(), self.status.clone());
        let (_, was) = before.parts();
        was.retain(|condition| kind::ALL.contains(&condition.type_.as_str()));
        let (observed, is) = after.parts();
        *observed = Some(generation);
        *is = conditions(was, self.conditions.clone(), generation, now);
        // The list is known by type: its order says nothing.
        was.sort_by(|a, b| a.type_.cmp(&b.type_));
        is.sort_by(|a, b| a.type_.cmp(&b.type_));
        (before != after).then(|| {
            json!({
                "apiVersion": API_VERSION,
                "kind": S::KIND.as_str(),
                "metadata": {"name": name},
                "status": serde_json::to_value(&after).unwrap_or_default(),
            })
        })
    }
}

impl<S> Evaluation<S> {
    /// The condition that says whether the object is ready.
    pub fn ready(&self) -> Option<&Verdict> {
        self.conditions.iter().find(|verdict| verdict.type_ == kind::READY)
    }

    /// What integrations need to know of it.
    pub fn readiness(&self) -> ConnectionReadiness {
        self.ready().map_or(ConnectionReadiness { ready: false, reason: String::new() }, |ready| ConnectionReadiness {
            ready: ready.holds == Some(true),
            reason: ready.reason.clone(),
        })
    }
}
