//! The evaluation of customer credentials: the connection's inputs, completed by the customer's.

use super::compare::{self, Compared, compare};
use super::evaluation::Evaluation;
use super::inputs::{InputsQuestion, ResolvedInputs, inputs_of, resolve_inputs};
use super::problem::{self, PENDING, Problem, kind};
use super::{meaning, working};
use crate::api::*;
use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::controller::binder::secret::desired::DesiredSecret;
use crate::controller::binder::secret::naming::Purpose;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::Binding;
use jiff::Timestamp;
use std::sync::Arc;

type Theirs = Arc<Object<CustomerCredentialsSpec>>;

/// Evaluates the customer credentials of this name; `None` if there are none.
pub(crate) fn customer_credentials(
    cache: &TenantCache,
    name: &str,
    now: Timestamp,
) -> Option<Evaluation<CustomerCredentialsStatus>> {
    let Some(theirs) = cache.inventory.customer_credentials.get(name) else {
        let conditions = problem::invalid(cache, &ObjectId::new(Kind::CustomerCredentials, name))?;
        return Some(Evaluation::invalid(conditions));
    };
    let meant = meaning::customer_of(cache, name)?;
    let (found, slot) = match meant.connection() {
        Some(connection) => of_connection(cache, theirs, connection, now),
        None => {
            let mut found = ResolvedInputs::default();
            found.definition.push(unanswered(&theirs.spec.connection, &meant.binding));
            (found, kept(cache, name))
        }
    };
    let problems = found.problems(&slot);
    let ready = if problems.is_empty() && slot.is_pending() {
        NewCondition::new(kind::READY, false, PENDING, "their binding Secret is about to be written")
    } else {
        let well = format!("all inputs are there{}", found.soon());
        problem::condition(kind::READY, &problems, ("Complete", well))
    };
    let progress = problem::progress(&problems, slot.is_pending());
    Some(Evaluation {
        status: CustomerCredentialsStatus { binding: slot.there, ..CustomerCredentialsStatus::default() },
        conditions: std::iter::once(ready).chain(progress).collect(),
        bindings: slot.desired.into_iter().collect(),
        evaluate_again_at: found.evaluate_again_at,
    })
}

fn of_connection(
    cache: &TenantCache,
    theirs: &Theirs,
    connection: &SharedConnection,
    now: Timestamp,
) -> (ResolvedInputs, Compared) {
    let spec = &connection.spec;
    let mut merged = inputs_of(spec);
    for (name, input) in &theirs.spec.inputs {
        // Only inputs that the connection marks as per customer: else a customer could redirect the organization's
        // secret.
        if spec.inputs.get(name).is_some_and(Input::is_per_customer) {
            merged.insert(name, input);
        }
    }
    let refused = refused_inputs(cache, theirs, connection);
    let mut found = ResolvedInputs::default();
    if refused.is_empty() {
        found = resolve_inputs(cache, &InputsQuestion { connection, inputs: merged, whole: true, now });
        found.definition.splice(0..0, working::incomplete(cache, connection));
    } else {
        found.definition = refused;
    }
    let owner = compare::owner(cache, spec, Kind::CustomerCredentials, theirs.name());
    let slot = compare(cache, (Purpose::Customer, theirs.name()), connection, owner, found.content());
    (found, slot)
}

/// Returns the inputs that must not be written for these credentials.
fn refused_inputs(cache: &TenantCache, theirs: &Theirs, connection: &SharedConnection) -> Vec<Problem> {
    let (spec, name) = (&connection.spec, connection.name());
    if let Some(why) = spec.credentials.why_not_per_customer() {
        let text = format!("{} {why}: take these away", spec.stable_key);
        return vec![Problem::new(Code::CustomerOnGlobal, text)];
    }
    let mut problems = Vec::new();
    let twins = meaning::credentials_of(cache, &theirs.spec, connection);
    if twins.len() > 1 {
        let names: Vec<&str> = twins.iter().map(String::as_str).take(8).collect();
        let text = format!(
            "the same customer has {} credentials for Connection/{name}: keep one of {}, or give each set a name of its own",
            twins.len(),
            names.join(", ")
        );
        problems.push(Problem::new(Code::CustomerTwice, text));
    }
    let is_theirs = |input: &str| spec.inputs.get(input).is_some_and(Input::is_per_customer);
    for input in theirs.spec.inputs.keys().filter(|input| !is_theirs(input)) {
        let text = format!(
            "input {input} is not per customer in {}: take it out, or mark it perCustomer: true in Connection/{name}",
            spec.stable_key
        );
        problems.push(Problem::new(Code::CustomerInputNotPerCustomer, text));
    }
    let type_ = cache.inventory.connection_type(spec);
    let gives = |input: &str| theirs.spec.inputs.get(input).is_some_and(|given| !given.is_per_customer());
    let required = type_.into_iter().flat_map(|t| &t.inputs).filter(|(_, known)| known.is_required());
    let lacking = required.map(|(input, _)| input.as_str()).filter(|input| is_theirs(input) && !gives(input));
    problems.extend(lacking.map(|input| {
        let text = format!("{} needs input {input} of each customer: give it a value or a secretRef", spec.stable_key);
        Problem::new(Code::CustomerInputMissing, text)
    }));
    problems
}

/// Returns the existing binding Secret of credentials whose connection is unknown: it is kept, unless one of its source
/// Secrets is withdrawn.
fn kept(cache: &TenantCache, name: &str) -> Compared {
    let Some(binding) = cache.bindings.get(&Purpose::Customer.name_for(name)) else { return Compared::default() };
    let is_ours = binding.ours.as_deref() == Some(&Purpose::Customer.of(name));
    if let Some(secret) = compare::withdrawn(cache, binding).filter(|_| is_ours) {
        return Compared { desired: Some(DesiredSecret::withdrawn(binding, secret)), ..Compared::default() };
    }
    let is_theirs = is_ours && binding.id.as_ref() == Some(&compare::id_of(cache, Purpose::Customer, name));
    Compared { there: is_theirs.then(|| BindingRef { name: binding.name.clone() }), ..Compared::default() }
}

fn unanswered(key: &str, binding: &Binding) -> Problem {
    match binding {
        Binding::Unknown(why) => Problem::new(Code::BindingUnknown, format!("they are for {key}: {why}")),
        _ => Problem::new(
            Code::CustomerConnectionMissing,
            format!("they are for stable key {key}, which no connection has: make the Connection, or correct the key"),
        ),
    }
}
