//! What was found of one object.

use super::wanted::WantedBinding;
use crate::api::*;
use jiff::Timestamp;

/// What was found of a connection.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectionVerdict {
    /// Its status, but for the conditions.
    pub status: ConnectionStatus,
    /// What its conditions are to say.
    pub conditions: Vec<Verdict>,
    /// The binding Secrets that should be there, and what it takes. One that cannot be whole is not here.
    pub bindings: Vec<WantedBinding>,
    /// When time alone may change this.
    pub look_again: Option<Timestamp>,
}

/// What was found of customer credentials.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialsVerdict {
    /// Their status, but for the conditions.
    pub status: CustomerCredentialsStatus,
    /// What their conditions are to say.
    pub conditions: Vec<Verdict>,
    /// The binding Secret that should be there, and what it takes, where it can be whole.
    pub bindings: Vec<WantedBinding>,
    /// When time alone may change this.
    pub look_again: Option<Timestamp>,
}

/// What was found of an integration.
#[derive(Clone, Debug, PartialEq)]
pub struct IntegrationVerdict {
    /// Its status, but for the conditions.
    pub status: IntegrationStatus,
    /// What its conditions are to say.
    pub conditions: Vec<Verdict>,
}

/// Whether an integration can use a connection, and why not: all that it needs to know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Readiness {
    pub ready: bool,
    pub reason: String,
}

impl ConnectionVerdict {
    pub(super) fn readiness(&self) -> Readiness {
        let ready = self.conditions.iter().find(|c| c.type_ == super::problem::kind::READY);
        ready.map_or(Readiness { ready: false, reason: String::new() }, |c| Readiness {
            ready: c.holds == Some(true),
            reason: c.reason.clone(),
        })
    }
}
