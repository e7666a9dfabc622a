//! The evaluation of an integration: whether its definition exists, and a row per variable.

use super::connection::connection;
use super::evaluation::Evaluation;
use super::meaning;
use super::problem::{self, Problem, kind};
use crate::api::*;
use crate::controller::binder::cache::{ConnectionReadiness, Published, Readable, TenantCache};
use crate::engine::delivery::NotDelivered;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::{Binding, WhyNot};
use crate::kubernetes::config_maps::DEFINITION;
use jiff::Timestamp;
use std::sync::Arc;

struct VariableRow {
    status: VariableStatus,
    /// Whether it resolves to a connection, ready or not.
    is_bound: bool,
    problem: Option<Problem>,
}

/// Evaluates the integration of this name; `None` if there is none.
pub(crate) fn integration(cache: &TenantCache, name: &str, now: Timestamp) -> Option<Evaluation<IntegrationStatus>> {
    let Some(integration) = cache.inventory.integrations.get(name) else {
        let conditions = problem::invalid(cache, &ObjectId::new(Kind::Integration, name))?;
        return Some(Evaluation::invalid(conditions));
    };
    let rows: Vec<VariableRow> = integration.spec.connections.iter().map(|v| row(cache, name, v, now)).collect();
    let (bound, all) = (rows.iter().filter(|row| row.is_bound).count(), rows.len());
    let undefined = integration.spec.definition.as_ref().and_then(|definition| undefined(cache, definition));
    let problems: Vec<Problem> =
        undefined.into_iter().chain(rows.iter().filter_map(|row| row.problem.clone())).collect();
    let well = if all == 0 { "it has no connection variables" } else { "every connection variable can be used" };
    let ready = problem::condition(kind::READY, &problems, ("Bound", well.to_string()));
    let status = IntegrationStatus {
        bound: Some(format!("{bound}/{all}")),
        bindings: rows.into_iter().map(|row| row.status).collect(),
        ..IntegrationStatus::default()
    };
    let conditions = std::iter::once(ready).chain(problem::progress(&problems, false)).collect();
    Some(Evaluation { status, conditions, bindings: Vec::new(), evaluate_again_at: None })
}

/// Returns why the definition that an integration names cannot be used.
fn undefined(cache: &TenantCache, definition: &Definition) -> Option<Problem> {
    let map = match definition {
        Definition::ConfigMap(map) => &map.name,
        Definition::File(file) => {
            let here = KubernetesLocation { namespace: cache.namespace.clone(), kubeconfig: None };
            let NotDelivered { text, command } = NotDelivered::new(file, &cache.tenant, Some(&here));
            let text = format!("{text}. Deliver it:\n{command}");
            return Some(Problem::new(Code::DefinitionMissing, text).because(problem::NOT_DELIVERED));
        }
    };
    match cache.definitions.get(map) {
        Some(Readable::Yes) => None,
        None => {
            let text = format!(
                "its definition is in ConfigMap {map}, which is not there or lacks the label {DEFINITION}: \"true\""
            );
            Some(Problem::new(Code::DefinitionMissing, text))
        }
        Some(Readable::No(why)) => {
            let text = format!("the definition in ConfigMap {map} cannot be read: {why}");
            Some(Problem::new(Code::DefinitionMissing, text).because(problem::UNREADABLE))
        }
        Some(Readable::Newer(what)) => {
            let text = format!(
                "the definition in ConfigMap {map} is of {what}, which is not read: update stablekey, or export the \
                 integration in a version that is read"
            );
            Some(Problem::new(Code::DefinitionUnread, text))
        }
    }
}

fn row(cache: &TenantCache, integration: &str, variable: &Variable, now: Timestamp) -> VariableRow {
    let meant = meaning::variable(cache, integration, variable);
    let key = variable.stable_key().unwrap_or_default();
    let name = &variable.name;
    let mut candidates: Arc<[String]> = Arc::new([]);
    let (reason, problem) = match &meant.binding {
        Binding::Own => ("Own", None),
        Binding::Foreign(_) => ("Foreign", None),
        Binding::Bound(connection) => match readiness(cache, connection.name(), now) {
            ConnectionReadiness { ready: true, .. } => ("Bound", None),
            ConnectionReadiness { reason, .. } => {
                let text = format!("{name:?} means Connection/{}, which is not ready ({reason})", connection.name());
                (Code::ConnectionNotReady.name(), Some(Problem::new(Code::ConnectionNotReady, text)))
            }
        },
        Binding::Unknown(why) => {
            let text = format!("{name:?} names stable key {key}: {why}");
            (Code::BindingUnknown.name(), Some(Problem::new(Code::BindingUnknown, text)))
        }
        Binding::Missing => {
            let differs = meant.considered.iter().find(|c| c.why_not == WhyNot::Differs);
            candidates = cache.similar_keys.of(key, &cache.inventory);
            let fix = match (differs, candidates.is_empty()) {
                (Some(c), _) => format!(
                    "{} replaces it but differs in component, type or credentials: bind the variable to it yourself",
                    c.key
                ),
                (None, true) => "make one, or bind the variable to another".to_string(),
                (None, false) => format!("did you mean {}?", candidates.join(" or ")),
            };
            let text = format!("{name:?} names stable key {key}, which no connection has: {fix}");
            (Code::BindingMissing.name(), Some(Problem::new(Code::BindingMissing, text)))
        }
    };
    let status = VariableStatus {
        name: name.clone(),
        stable_key: variable.stable_key().map(str::to_string),
        connection: meant.connection().map(|c| c.name().to_string()),
        ready: problem.is_none(),
        reason: reason.to_string(),
        message: problem.as_ref().map(|problem| problem.to_string()),
        candidates: candidates.to_vec(),
    };
    VariableRow {
        status,
        is_bound: matches!(meant.binding, Binding::Own | Binding::Bound(_) | Binding::Foreign(_)),
        problem,
    }
}

/// Returns whether a connection can be used: the published result, if it is still valid.
fn readiness(cache: &TenantCache, name: &str, now: Timestamp) -> ConnectionReadiness {
    let holds = |published: &&Published| !published.is_stale && published.until.is_none_or(|until| now < until);
    let published = cache.published.get(name).filter(holds).map(|published| published.readiness.clone());
    let found = || connection(cache, name, now).map(|evaluation| evaluation.readiness());
    published.or_else(found).unwrap_or(ConnectionReadiness { ready: false, reason: String::new() })
}
