//! One look at an object: what must be written of it.

use super::desk::NamespaceWorker;
use super::known::ObjectMetaCache;
use super::problem::kind::READY;
use super::report::{self, Turn};
use super::verdict::{ConnectionVerdict, CredentialsVerdict, IntegrationVerdict};
use super::wanted::WantedBinding;
use crate::api::*;
use crate::engine::model::item::ObjectId;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Look {
    /// Binding Secrets that must be written.
    pub bindings: Vec<WantedBinding>,
    /// The status, where it says something else.
    pub status: Option<Value>,
    /// What turned with it.
    pub turn: Turn,
    /// When time alone may change what was found.
    pub look_again: Option<Timestamp>,
}

impl NamespaceWorker {
    /// Looks at an object; `None` where there is none, or it goes away. While `writes` are to come and there
    /// is a binding Secret to write, nothing is said of it yet.
    pub fn look(&mut self, id: &ObjectId, writes: bool, now: Instant) -> Option<Look> {
        let time = Timestamp::now();
        let is_gone = self.known.get(id).is_none_or(|known| known.is_going);
        match id.kind {
            Kind::Connection => {
                let verdict = self.binder.connection(&id.name, time);
                if let Some(look) = verdict.as_ref().and_then(|found| unwritten(&found.bindings)).filter(|_| writes) {
                    return Some(look);
                }
                let expires = verdict.as_ref().filter(|_| !is_gone).and_then(|found| found.status.expires.as_ref());
                report::expires(&self.context, &self.paths, &id.name, expires);
                let due = self.binder.tell_of_connection(&id.name, verdict.as_ref());
                self.due(due, now);
                let found = verdict.filter(|_| !is_gone)?;
                Some(self.of_connection(&id.name, self.known.get(id)?, found, time))
            }
            Kind::CustomerCredentials => {
                let found = self.binder.customer_credentials(&id.name, time).filter(|_| !is_gone)?;
                if let Some(look) = unwritten(&found.bindings).filter(|_| writes) {
                    return Some(look);
                }
                Some(self.of_credentials(&id.name, self.known.get(id)?, found, time))
            }
            Kind::Integration => {
                let found = self.binder.integration(&id.name, time).filter(|_| !is_gone)?;
                self.tally.is(&id.name, &found.status.bindings);
                Some(of_integration(&id.name, self.known.get(id)?, &found, time))
            }
            Kind::Component | Kind::Tenant | Kind::TenantSync => None,
        }
    }

    fn of_connection(&self, name: &str, known: &ObjectMetaCache, found: ConnectionVerdict, now: Timestamp) -> Look {
        let before: ConnectionStatus = known.status();
        let named = |status: &ConnectionStatus| [status.binding.clone(), status.test_binding.clone()];
        let left = self.left(named(&before), &named(&found.status));
        Look {
            status: found.body(name, &before, known.generation, &Time(now)),
            turn: Turn::of(&before.conditions, &found.conditions, left),
            bindings: due(found.bindings),
            look_again: found.look_again,
        }
    }

    fn of_credentials(&self, name: &str, known: &ObjectMetaCache, found: CredentialsVerdict, now: Timestamp) -> Look {
        let before: CustomerCredentialsStatus = known.status();
        let left = self.left([before.binding.clone()], std::array::from_ref(&found.status.binding));
        Look {
            status: found.body(name, &before, known.generation, &Time(now)),
            turn: Turn::of(&before.conditions, &found.conditions, left),
            bindings: due(found.bindings),
            look_again: found.look_again,
        }
    }

    /// The binding Secrets that were named, are not any more, and stay.
    fn left<const N: usize>(&self, before: [Option<BindingRef>; N], now: &[Option<BindingRef>; N]) -> Vec<String> {
        let before =
            before.into_iter().zip(now).filter(|(before, now)| before != *now).filter_map(|(before, _)| before);
        before.map(|binding| binding.name).filter(|name| self.binder.is_ours(name)).collect()
    }
}

fn of_integration(name: &str, known: &ObjectMetaCache, found: &IntegrationVerdict, now: Timestamp) -> Look {
    let before: IntegrationStatus = known.status();
    Look {
        status: found.body(name, &before, known.generation, &Time(now)),
        turn: Turn::of(&before.conditions, &found.conditions, Vec::new()),
        ..Look::default()
    }
}

/// The binding Secrets that must be written; `None` where there are none.
fn unwritten(bindings: &[WantedBinding]) -> Option<Look> {
    let bindings = due(bindings.to_vec());
    (!bindings.is_empty()).then(|| Look { bindings, ..Look::default() })
}

fn due(mut bindings: Vec<WantedBinding>) -> Vec<WantedBinding> {
    bindings.retain(WantedBinding::is_due);
    bindings
}

/// The verdict about Ready.
pub(super) fn ready(verdicts: &[Verdict]) -> Option<&Verdict> {
    verdicts.iter().find(|verdict| verdict.type_ == READY)
}
