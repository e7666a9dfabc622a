//! What a connection is found to be.

use super::gather::{Gathered, Inputs, Question};
use super::problem::{self, PENDING, Problem, kind};
use super::slot::Slot;
use super::state::Binder;
use super::verdict::ConnectionVerdict;
use super::wanted::Use;
use crate::api::*;
use crate::engine::check::missing_inputs;
use crate::engine::model::code::Code;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::WhyNot;
use jiff::Timestamp;
use std::sync::Arc;

/// How many integrations a status names.
const MOST_USERS: usize = 64;

type Connection = Arc<Object<ConnectionSpec>>;

impl Binder {
    /// What the connection of this name is found to be; `None` where there is none.
    pub fn connection(&self, name: &str, now: Timestamp) -> Option<ConnectionVerdict> {
        let Some(connection) = self.inventory.connections.get(name) else {
            let conditions = self.invalid(&ObjectId::new(Kind::Connection, name))?;
            return Some(ConnectionVerdict {
                status: ConnectionStatus::default(),
                conditions,
                bindings: Vec::new(),
                look_again: None,
            });
        };
        let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
        let inputs = inputs(&connection.spec);
        let mut own = self.gather(&Question { connection, inputs, whole: is_global, now });
        own.definition.splice(0..0, self.incomplete(connection));
        let production = match is_global {
            true => self.connection_slot(Use::Production, connection, &mut own),
            false => Slot::default(),
        };
        let test = self.test(connection, now);
        let (users, count) = self.users(connection, MOST_USERS);
        let expires = [Some(&own), test.as_ref().map(|(found, _)| found)].into_iter().flatten();
        let expires = expires.filter_map(|found| found.expires.as_ref()).min().map(|(_, text)| text.clone());
        let status = ConnectionStatus {
            used_by: users.into_iter().map(|name| UsedBy { kind: Kind::Integration.to_string(), name }).collect(),
            used_by_count: i64::try_from(count).ok(),
            binding: production.there.clone(),
            test_binding: test.as_ref().and_then(|(_, slot)| slot.there.clone()),
            customers: (!is_global).then(|| i64::try_from(self.customers(connection)).ok()).flatten(),
            expires,
            ..ConnectionStatus::default()
        };
        let conditions = self.conditions(connection, &own, &production, test.as_ref());
        let tests = test.as_ref().and_then(|(found, _)| found.look_again);
        let look_again = own.look_again.into_iter().chain(tests).min();
        let wanted = production.wanted.into_iter().chain(test.and_then(|(_, slot)| slot.wanted));
        Some(ConnectionVerdict { status, conditions, bindings: wanted.collect(), look_again })
    }

    /// Whether a connection works: nothing that it needs is in the way, and its binding Secret is there. Time does not
    /// count: what expires is said of who is bound.
    pub(super) fn works(&self, connection: &Object<ConnectionSpec>) -> bool {
        let Some(connection) = self.inventory.connections.get(connection.name()) else { return false };
        self.works.of(connection.name(), || self.is_working(connection))
    }

    /// The same, not remembered. It rests on the connection, its component, the Secrets that it names and its binding
    /// Secret, and not on whether others work.
    pub(super) fn is_working(&self, connection: &Connection) -> bool {
        let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
        let (inputs, now) = (inputs(&connection.spec), Timestamp::MIN);
        let mut own = self.gather(&Question { connection, inputs, whole: is_global, now });
        own.definition.splice(0..0, self.incomplete(connection));
        let is_whole = own.definition.is_empty() && own.of_credentials().is_empty();
        is_whole && (!is_global || self.has_binding((Use::Production, connection.name()), connection))
    }

    /// What its definition lacks.
    pub(super) fn incomplete(&self, connection: &Object<ConnectionSpec>) -> Vec<Problem> {
        let key = &connection.spec.stable_key;
        let missing = missing_inputs(&connection.spec, &self.inventory);
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

    fn connection_slot(&self, of: Use, connection: &Connection, found: &mut Gathered) -> Slot {
        let owner = self.owner(&connection.spec, Kind::Connection, connection.name());
        self.slot((of, connection.name()), connection, owner, found.content())
    }

    /// The test credentials: the inputs, the test inputs over them. `None` where there are none.
    fn test(&self, connection: &Connection, now: Timestamp) -> Option<(Gathered, Slot)> {
        let test = connection.spec.test.as_ref().filter(|test| !test.inputs.is_empty())?;
        let mut inputs = inputs(&connection.spec);
        inputs.extend(test.inputs.iter().map(|(name, input)| (name.as_str(), input)));
        let type_ = self.inventory.connection_type(&connection.spec);
        let lacks = |name: &str| inputs.get(name).is_none_or(|input| input.is_per_customer());
        let missing =
            type_.into_iter().flat_map(|t| &t.inputs).filter(|(name, known)| known.is_required() && lacks(name));
        let missing: Vec<&str> = missing.map(|(name, _)| name.as_str()).collect();
        let mut found = self.gather(&Question { connection, inputs, whole: true, now });
        if !missing.is_empty() {
            let text = format!(
                "the test credentials of {} lack {}: give each a value or a secretRef in test.inputs",
                connection.spec.stable_key,
                missing.join(", ")
            );
            found.definition.insert(0, Problem::new(Code::InputMissing, text));
        }
        let slot = self.connection_slot(Use::Test, connection, &mut found);
        Some((found, slot))
    }

    fn conditions(
        &self,
        connection: &Connection,
        own: &Gathered,
        production: &Slot,
        test: Option<&(Gathered, Slot)>,
    ) -> Vec<Verdict> {
        let is_global = connection.spec.credentials == Credentials::OrganizationGlobal;
        let problems = own.problems(production);
        let ready = if problems.is_empty() && production.is_pending() {
            Verdict::new(kind::READY, false, PENDING, "its binding Secret is about to be written")
        } else {
            let well = if is_global { "all its inputs are there" } else { "its definition is complete" };
            problem::verdict(kind::READY, &problems, ("Complete", format!("{well}{}", own.soon())))
        };
        let credentials = if own.soon.is_empty() { "Supplied" } else { "ExpiringSoon" };
        let supplied = format!("every Secret that its inputs name can be used{}{}", own.soon(), own.unpinned());
        let mut conditions =
            vec![ready, problem::verdict(kind::CREDENTIALS, &own.of_credentials(), (credentials, supplied))];
        let pending_test = test.is_some_and(|(_, slot)| slot.is_pending());
        if let Some((found, slot)) = test {
            let problems = found.problems(slot);
            conditions.push(if problems.is_empty() && pending_test {
                Verdict::new(kind::TEST_CREDENTIALS, false, PENDING, "their binding Secret is about to be written")
            } else {
                let supplied = format!("all test inputs are there{}", found.soon());
                problem::verdict(kind::TEST_CREDENTIALS, &problems, ("Supplied", supplied))
            });
        }
        conditions.extend(self.older_keys(connection));
        conditions.extend(problem::progress(&problems, production.is_pending() || pending_test));
        conditions
    }

    /// Whether it answers for the keys that it replaces. Where it does not, nothing else is held back.
    fn older_keys(&self, connection: &Connection) -> Option<Verdict> {
        let spec = &connection.spec;
        if spec.replaces.is_empty() {
            return None;
        }
        let mut of_sync = Vec::new();
        let mut problems = Vec::new();
        for older in &spec.replaces {
            let meant = self.meant_by(older);
            let why = meant.considered.iter().find(|c| c.key == spec.stable_key).map(|c| &c.why_not);
            let in_ring = self.replacements.is_in_ring(older).then_some(&WhyNot::Ring);
            let why = in_ring.or(why);
            let (code, text) = match why {
                Some(WhyNot::NotOfThisSync) => {
                    of_sync.push(older.as_str());
                    continue;
                }
                Some(WhyNot::Differs) => (
                    Code::ReplacesDiffers,
                    format!(
                        "{older} differs in component, type or credentials and keeps its own connection: \
                         bind what names it to {} by hand",
                        spec.stable_key
                    ),
                ),
                Some(WhyNot::Ambiguous) => (
                    Code::ReplacesAmbiguous,
                    format!(
                        "another connection replaces {older} too and none answers: let one of them only replace it"
                    ),
                ),
                Some(WhyNot::Ring) => (
                    Code::ReplacesAmbiguous,
                    format!("{older} and {} replace each other: take one of them out of replaces", spec.stable_key),
                ),
                Some(WhyNot::NotReady) => (
                    Code::BindingWaits,
                    match missing_inputs(spec, &self.inventory).as_slice() {
                        [] => format!(
                            "{older} keeps its own connection until this one is ready: Ready says what it lacks"
                        ),
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
        Some(problem::verdict(kind::OLDER_KEYS, &problems, well))
    }

    /// The conditions of an object that cannot be read; `None` where there is no such object.
    pub(super) fn invalid(&self, id: &ObjectId) -> Option<Vec<Verdict>> {
        let why = self.inventory.invalid.get(id)?;
        let problems = [Problem::new(Code::ObjectInvalid, format!("{why}: correct it"))];
        let ready = problem::verdict(kind::READY, &problems, ("", String::new()));
        Some(std::iter::once(ready).chain(problem::progress(&problems, false)).collect())
    }
}

/// The inputs of a connection.
pub(super) fn inputs(spec: &ConnectionSpec) -> Inputs<'_> {
    spec.inputs.iter().map(|(name, input)| (name.as_str(), input)).collect()
}
