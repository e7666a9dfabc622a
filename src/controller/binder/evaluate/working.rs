//! Whether a connection works, which decides between it and the connections linked to it by `replaces`.

use super::compare;
use super::inputs::{InputsQuestion, inputs_of, resolve_inputs};
use super::problem::Problem;
use crate::api::*;
use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::controller::binder::secret::naming::Purpose;
use crate::engine::check::missing_inputs;
use crate::engine::model::code::Code;
use jiff::Timestamp;

/// Whether a connection works: it has no problem, and its binding Secret exists. Time does not count here: an expired
/// Secret is reported by the objects that are bound to it.
pub(crate) fn works(cache: &TenantCache, connection: &Object<ConnectionSpec>) -> bool {
    let Some(connection) = cache.inventory.connections.get(connection.name()) else { return false };
    cache.working.of(connection.name(), || is_working(cache, connection))
}

/// Like [`works`], not memoized. It depends on the connection, its component, the Secrets that it names and its binding
/// Secret, and not on whether other connections work.
pub(crate) fn is_working(cache: &TenantCache, connection: &SharedConnection) -> bool {
    let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
    let (inputs, now) = (inputs_of(&connection.spec), Timestamp::MIN);
    let mut own = resolve_inputs(cache, &InputsQuestion { connection, inputs, whole: is_global, now });
    own.definition.splice(0..0, incomplete(cache, connection));
    let is_whole = own.definition.is_empty() && own.of_credentials().is_empty();
    is_whole && (!is_global || compare::has_binding(cache, (Purpose::Production, connection.name()), connection))
}

/// Returns the problems of its definition.
pub(crate) fn incomplete(cache: &TenantCache, connection: &Object<ConnectionSpec>) -> Vec<Problem> {
    let key = &connection.spec.stable_key;
    let missing = missing_inputs(&connection.spec, &cache.inventory);
    let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
    let lacks = (!missing.is_empty()).then(|| {
        let ways = if is_global { "a value or a secretRef" } else { "a value, a secretRef, or perCustomer: true" };
        Problem::new(Code::InputMissing, format!("{key} needs {}: give each {ways}", missing.join(", ")))
    });
    let per_customer = connection.spec.inputs.iter().filter(|(_, input)| is_global && input.is_per_customer());
    let per_customer: Vec<&str> = per_customer.map(|(name, _)| name.as_str()).collect();
    let differs = (!per_customer.is_empty()).then(|| {
        let text = format!("{key} has {} per customer: {}", per_customer.join(", "), rules::GLOBAL_PER_CUSTOMER);
        Problem::new(Code::PerCustomerOnGlobal, text)
    });
    lacks.into_iter().chain(differs).collect()
}
