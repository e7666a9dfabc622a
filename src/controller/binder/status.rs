//! The request that makes a status what was found; none where it is so already.

use super::problem::kind;
use super::verdict::{ConnectionVerdict, CredentialsVerdict, IntegrationVerdict};
use crate::api::*;
use serde::Serialize;
use serde_json::{Value, json};

/// A status that the binder writes.
pub trait Status: Serialize + Clone + PartialEq {
    /// Whose it is.
    const KIND: Kind;
    /// The generation that it speaks of, and its conditions.
    fn parts(&mut self) -> (&mut Option<i64>, &mut Vec<Condition>);
}

macro_rules! statuses {
    ($($status:ident of $kind:ident by $verdict:ident;)+) => {$(
        impl Status for $status {
            const KIND: Kind = Kind::$kind;
            fn parts(&mut self) -> (&mut Option<i64>, &mut Vec<Condition>) {
                (&mut self.observed_generation, &mut self.conditions)
            }
        }

        impl $verdict {
            /// The server-side apply of the status that says this; `None` where the status says it already.
            pub fn body(&self, name: &str, before: &$status, generation: i64, now: &Time) -> Option<Value> {
                status_body(name, before, &self.status, self.conditions.clone(), generation, now)
            }
        }
    )+};
}

statuses! {
    ConnectionStatus of Connection by ConnectionVerdict;
    CustomerCredentialsStatus of CustomerCredentials by CredentialsVerdict;
    IntegrationStatus of Integration by IntegrationVerdict;
}

/// The body of the server-side apply (forced, manager [`super::MANAGER`]) of a status; `None` where
/// `before` says the same. Conditions that others set are theirs.
pub fn status_body<S: Status>(
    name: &str,
    before: &S,
    found: &S,
    verdicts: Vec<Verdict>,
    generation: i64,
    now: &Time,
) -> Option<Value> {
    let mut before = before.clone();
    let (_, was) = before.parts();
    was.retain(|condition| kind::ALL.contains(&condition.type_.as_str()));
    let mut after = found.clone();
    let (observed, now_says) = after.parts();
    *observed = Some(generation);
    *now_says = conditions(was, verdicts, generation, now);
    // The list is known by type: its order says nothing.
    was.sort_by(|a, b| a.type_.cmp(&b.type_));
    now_says.sort_by(|a, b| a.type_.cmp(&b.type_));
    (before != after).then(|| {
        json!({
            "apiVersion": API_VERSION,
            "kind": S::KIND.as_str(),
            "metadata": {"name": name},
            "status": serde_json::to_value(&after).unwrap_or_default(),
        })
    })
}
