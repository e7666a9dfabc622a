//! The evaluation of a connection.

use super::compare::{self, Compared, compare};
use super::evaluation::Evaluation;
use super::inputs::{InputsQuestion, ResolvedInputs, inputs_of, resolve_inputs};
use super::problem::{self, EXPIRING_SOON, PENDING, Problem, kind};
use super::{meaning, working};
use crate::api::*;
use crate::controller::binder::cache::{SharedConnection, TenantCache};
use crate::controller::binder::secret::naming::Purpose;
use crate::engine::check::missing_inputs;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::WhyNot;
use jiff::Timestamp;

/// Maximum number of integrations that a status names.
const MOST_USERS: usize = 64;

/// Evaluates the connection of this name; `None` if there is none.
pub(crate) fn connection(cache: &TenantCache, name: &str, now: Timestamp) -> Option<Evaluation<ConnectionStatus>> {
    let Some(connection) = cache.inventory.connections.get(name) else {
        let conditions = problem::invalid(cache, &ObjectId::new(Kind::Connection, name))?;
        return Some(Evaluation::invalid(conditions));
    };
    let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
    let inputs = inputs_of(&connection.spec);
    let mut own = resolve_inputs(cache, &InputsQuestion { connection, inputs, whole: is_global, now });
    own.definition.splice(0..0, working::incomplete(cache, connection));
    let production = match is_global {
        true => connection_secret(cache, Purpose::Production, connection, &mut own),
        false => Compared::default(),
    };
    let test = test(cache, connection, now);
    let (users, count) = meaning::users(cache, connection, MOST_USERS);
    let expires = [Some(&own), test.as_ref().map(|(found, _)| found)].into_iter().flatten();
    let expires = expires.filter_map(|found| found.expires.as_ref()).min().map(|(_, text)| text.clone());
    let status = ConnectionStatus {
        used_by: users.into_iter().map(|name| UsedBy { kind: Kind::Integration.to_string(), name }).collect(),
        used_by_count: i64::try_from(count).ok(),
        binding: production.there.clone(),
        test_binding: test.as_ref().and_then(|(_, slot)| slot.there.clone()),
        customers: (!is_global).then(|| i64::try_from(meaning::customers(cache, connection)).ok()).flatten(),
        expires,
        ..ConnectionStatus::default()
    };
    let conditions = conditions(cache, connection, &own, &production, test.as_ref());
    let tests = test.as_ref().and_then(|(found, _)| found.evaluate_again_at);
    let evaluate_again_at = own.evaluate_again_at.into_iter().chain(tests).min();
    let desired = production.desired.into_iter().chain(test.and_then(|(_, slot)| slot.desired));
    Some(Evaluation { status, conditions, bindings: desired.collect(), evaluate_again_at })
}

fn connection_secret(
    cache: &TenantCache,
    of: Purpose,
    connection: &SharedConnection,
    found: &mut ResolvedInputs,
) -> Compared {
    let owner = compare::owner(cache, &connection.spec, Kind::Connection, connection.name());
    compare(cache, (of, connection.name()), connection, owner, found.content())
}

/// Evaluates the test credentials: the inputs, overridden by the test inputs. `None` if there are no test inputs.
fn test(cache: &TenantCache, connection: &SharedConnection, now: Timestamp) -> Option<(ResolvedInputs, Compared)> {
    let test = connection.spec.test.as_ref().filter(|test| !test.inputs.is_empty())?;
    let mut inputs = inputs_of(&connection.spec);
    inputs.extend(test.inputs.iter().map(|(name, input)| (name.as_str(), input)));
    let type_ = cache.inventory.connection_type(&connection.spec);
    let lacks = |name: &str| inputs.get(name).is_none_or(|input| input.is_per_customer());
    let missing = type_.into_iter().flat_map(|t| &t.inputs).filter(|(name, known)| known.is_required() && lacks(name));
    let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
    let mut found = resolve_inputs(cache, &InputsQuestion { connection, inputs, whole: true, now });
    if !missing.is_empty() {
        let text = format!(
            "the test credentials of {} lack {}: give each a value or a secretRef in test.inputs",
            connection.spec.stable_key,
            missing.join(", ")
        );
        found.definition.insert(0, Problem::new(Code::InputMissing, text));
    }
    let slot = connection_secret(cache, Purpose::Test, connection, &mut found);
    Some((found, slot))
}

fn conditions(
    cache: &TenantCache,
    connection: &SharedConnection,
    own: &ResolvedInputs,
    production: &Compared,
    test: Option<&(ResolvedInputs, Compared)>,
) -> Vec<NewCondition> {
    let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
    let problems = own.problems(production);
    let ready = if problems.is_empty() && production.is_pending() {
        NewCondition::new(kind::READY, false, PENDING, "its binding Secret is about to be written")
    } else {
        let well = if is_global { "all its inputs are there" } else { "its definition is complete" };
        problem::condition(kind::READY, &problems, ("Complete", format!("{well}{}", own.soon())))
    };
    let credentials = if own.soon.is_empty() { "Supplied" } else { EXPIRING_SOON };
    let supplied = format!("every Secret that its inputs name can be used{}{}", own.soon(), own.unpinned());
    let mut conditions =
        vec![ready, problem::condition(kind::CREDENTIALS, &own.of_credentials(), (credentials, supplied))];
    let pending_test = test.is_some_and(|(_, slot)| slot.is_pending());
    if let Some((found, slot)) = test {
        let problems = found.problems(slot);
        conditions.push(if problems.is_empty() && pending_test {
            NewCondition::new(kind::TEST_CREDENTIALS, false, PENDING, "their binding Secret is about to be written")
        } else {
            let supplied = format!("all test inputs are there{}", found.soon());
            problem::condition(kind::TEST_CREDENTIALS, &problems, ("Supplied", supplied))
        });
    }
    conditions.extend(older_keys(cache, connection));
    conditions.extend(problem::progress(&problems, production.is_pending() || pending_test));
    conditions
}

/// Evaluates whether the connection answers for the keys that it replaces. A problem here blocks nothing else.
fn older_keys(cache: &TenantCache, connection: &SharedConnection) -> Option<NewCondition> {
    let spec = &connection.spec;
    if spec.replaces.is_empty() {
        return None;
    }
    let mut of_sync = Vec::new();
    let mut problems = Vec::new();
    for older in &spec.replaces {
        let meant = meaning::meant_by(cache, older);
        let why = meant.considered.iter().find(|c| c.key == spec.stable_key).map(|c| &c.why_not);
        let in_cycle = cache.replacements.is_in_cycle(older).then_some(&WhyNot::Cycle);
        let why = in_cycle.or(why);
        let (code, text) = match why {
            Some(WhyNot::NotOfThisSync) => {
                of_sync.push(older.as_str());
                continue;
            }
            Some(WhyNot::Differs) => (
                Code::ReplacesDiffers,
                format!(
                    "{older} differs in component, type or credentials and keeps its own connection: \
                     bind what names it to {} yourself",
                    spec.stable_key
                ),
            ),
            Some(WhyNot::Ambiguous) => (
                Code::ReplacesAmbiguous,
                format!("another connection replaces {older} too and none answers: let one of them only replace it"),
            ),
            Some(WhyNot::Cycle) => (
                Code::ReplacesAmbiguous,
                format!("{older} and {} replace each other: take one of them out of replaces", spec.stable_key),
            ),
            Some(WhyNot::NotReady) => (
                Code::BindingWaits,
                match missing_inputs(spec, &cache.inventory).as_slice() {
                    [] => format!("{older} keeps its own connection until this one is ready: Ready says what it lacks"),
                    lacks => format!(
                        "{older} keeps its own connection until this one has all inputs that its type requires: \
                         give it {}",
                        lacks.join(", ")
                    ),
                },
            ),
            None => continue,
        };
        problems.push(Problem::new(code, text));
    }
    let well = match of_sync.is_empty() {
        true => ("Answered", format!("{} means this connection", spec.replaces.join(", "))),
        false => {
            ("AnsweredForSync", format!("{} means this connection only in what the sync wrote", of_sync.join(", ")))
        }
    };
    Some(problem::condition(kind::OLDER_KEYS, &problems, well))
}
