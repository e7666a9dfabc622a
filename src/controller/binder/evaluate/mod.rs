//! The desired state of an object, computed from the cache. Pure; the current time is an argument.

pub(super) mod alias;
pub(super) mod compare;
pub(super) mod connection;
pub(super) mod credentials;
pub(super) mod evaluation;
pub(super) mod inputs;
pub(super) mod integration;
pub(super) mod leftover;
pub(super) mod meaning;
pub(super) mod problem;
pub(super) mod working;

use super::cache::TenantCache;
use super::secret::desired::DesiredSecret;
use crate::api::*;
use crate::engine::model::item::ObjectId;
use evaluation::Evaluation;
use jiff::Timestamp;

/// The evaluation of an object of any kind that the binder reconciles.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Evaluated {
    Connection(Evaluation<ConnectionStatus>),
    CustomerCredentials(Evaluation<CustomerCredentialsStatus>),
    Integration(Evaluation<IntegrationStatus>),
}

impl Evaluated {
    /// Returns the binding Secrets that must be written.
    pub(super) fn secrets_due(&self) -> Vec<DesiredSecret> {
        let desired = match self {
            Evaluated::Connection(evaluation) => &evaluation.bindings,
            Evaluated::CustomerCredentials(evaluation) => &evaluation.bindings,
            Evaluated::Integration(evaluation) => &evaluation.bindings,
        };
        desired.iter().filter(|desired| desired.is_due()).cloned().collect()
    }
}

/// Evaluates an object; `None` if there is none.
pub(super) fn evaluate(cache: &TenantCache, id: &ObjectId, now: Timestamp) -> Option<Evaluated> {
    match id.kind {
        Kind::Connection => connection::connection(cache, &id.name, now).map(Evaluated::Connection),
        Kind::CustomerCredentials => {
            credentials::customer_credentials(cache, &id.name, now).map(Evaluated::CustomerCredentials)
        }
        Kind::Integration => integration::integration(cache, &id.name, now).map(Evaluated::Integration),
        Kind::Component | Kind::Tenant | Kind::TenantSync => None,
    }
}
