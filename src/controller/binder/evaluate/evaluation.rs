//! The result of evaluating one object: its status, its conditions, and its desired binding Secrets.

use super::problem::kind;
use crate::api::*;
use crate::controller::binder::cache::ConnectionReadiness;
use crate::controller::binder::secret::desired::DesiredSecret;
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// The result for an object with this type of status.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Evaluation<S> {
    /// The status without its conditions.
    pub status: S,
    pub conditions: Vec<NewCondition>,
    /// The desired binding Secrets, and how to write them. Incomplete ones are left out.
    pub bindings: Vec<DesiredSecret>,
    /// When the result may change without any event.
    pub evaluate_again_at: Option<Timestamp>,
}

/// A status that the binder writes.
pub(crate) trait BinderStatus: Serialize + DeserializeOwned + Default + Clone + PartialEq {
    const KIND: Kind;
    /// Returns the observed generation and the conditions.
    fn parts(&mut self) -> (&mut Option<i64>, &mut Vec<Condition>);
    /// Returns the binding Secrets that it names: for production, and for tests.
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
    /// Returns the result for an object that cannot be read.
    pub(crate) fn invalid(conditions: Vec<NewCondition>) -> Self {
        Evaluation { status: S::default(), conditions, bindings: Vec::new(), evaluate_again_at: None }
    }

    /// Returns the body of the server-side apply (forced, with the binder's field manager) that writes this status;
    /// `None` if `before` is the same. Conditions of other controllers are kept.
    pub(crate) fn body(&self, name: &str, before: &S, generation: i64, now: &Time) -> Option<Value> {
        let (mut before, mut after) = (before.clone(), self.status.clone());
        let (_, was) = before.parts();
        was.retain(|condition| kind::ALL.contains(&condition.type_.as_str()));
        let (observed, is) = after.parts();
        *observed = Some(generation);
        *is = conditions(was, self.conditions.clone(), generation, now);
        // The list is keyed by type: its order has no meaning.
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
    /// Returns the Ready condition.
    pub(crate) fn ready(&self) -> Option<&NewCondition> {
        self.conditions.iter().find(|condition| condition.type_ == kind::READY)
    }

    /// Returns what integrations need to know about it.
    pub(crate) fn readiness(&self) -> ConnectionReadiness {
        self.ready().map_or(ConnectionReadiness { ready: false, reason: String::new() }, |ready| ConnectionReadiness {
            ready: ready.holds == Some(true),
            reason: ready.reason.clone(),
        })
    }
}
