//! Resolves variables to connections: bound, own, missing or unknown, with the rule and the rejected candidates.

use super::model::field::{Field, FieldKind};
use super::model::inventory::{Foreign, Inventory};
use super::model::item::ObjectId;
use super::model::record::{Record, Writer};
use crate::api::*;
use crate::near_miss;
use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The connection that a variable resolves to in a tenant.
#[derive(Clone, Debug)]
pub enum Binding {
    /// A reusable connection.
    Bound(Arc<Object<ConnectionSpec>>),
    /// The integration's own connection.
    Own,
    /// A connection that is not the tenant's own, such as one of the platform's.
    Foreign(Foreign),
    /// No connection.
    Missing,
    /// Unknown, for this reason.
    Unknown(String),
}

/// A binding and its derivation.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The result.
    pub binding: Binding,
    /// The rule that led to it.
    pub rule: Rule,
    /// The rejected candidates, with reasons.
    pub considered: Vec<Considered>,
}

/// The rule that matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The variable is the integration's own connection.
    Own,
    /// A connection with exactly this stable key.
    ExactKey,
    /// A connection that replaces the key; the keys from older to newer.
    Replaces(Vec<String>),
    /// No rule matched.
    None,
}

/// A connection that was considered and rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Considered {
    /// The stable key of the connection.
    pub key: String,
    /// The reason for the rejection.
    pub why_not: WhyNot,
}

/// The reason why a connection does not resolve a key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WhyNot {
    /// It replaces the key but differs in component, type or credentials.
    Differs,
    /// Another connection replaces the key too.
    Ambiguous,
    /// It is part of a cycle of replacements.
    Cycle,
    /// A sync created it that did not write the object with the key.
    NotOfThisSync,
    /// It lacks inputs that its type requires, and the connection that it replaces does not: a working binding waits
    /// for a working one.
    NotReady,
}

/// The replacements of stable keys in one tenant.
#[derive(Clone, Debug, Default)]
pub struct Replacements {
    /// Connections by their own stable keys: an index over the inventory.
    own: HashSet<ByKey>,
    by_older: BTreeMap<String, Vec<Replacement>>,
}

/// A connection that is hashed by its stable key.
#[derive(Clone, Debug)]
struct ByKey(Arc<Object<ConnectionSpec>>);

impl Borrow<str> for ByKey {
    fn borrow(&self) -> &str {
        &self.0.spec.stable_key
    }
}

impl Hash for ByKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.spec.stable_key.hash(state);
    }
}

impl PartialEq for ByKey {
    fn eq(&self, other: &Self) -> bool {
        self.0.spec.stable_key == other.0.spec.stable_key
    }
}

impl Eq for ByKey {}

#[derive(Clone, Debug)]
struct Replacement {
    connection: Arc<Object<ConnectionSpec>>,
    serves: Serves,
}

/// The objects that a replacement applies to: one that a sync created applies only to what that sync wrote.
#[derive(Clone, Debug)]
enum Serves {
    /// All objects: the tenant's own people created the replacement.
    Everything,
    /// Objects of any sync: a sync created it without recorded fields, so that the sync is unknown.
    AnySync,
    /// Objects that these syncs wrote.
    Syncs(Arc<BTreeSet<Writer>>),
}

impl Serves {
    fn of(record: Option<&Arc<Record>>) -> Self {
        let Some(record) = record else { return Serves::Everything };
        match record.fields.get(&Field::of(FieldKind::Replaces)) {
            Some(wrote) if wrote.writers.iter().all(Writer::is_sync) => Serves::Syncs(wrote.writers.clone()),
            None if record.made && record.fields.is_empty() => Serves::AnySync,
            _ => Serves::Everything,
        }
    }

    fn asker(&self, asker: Asker<'_>) -> bool {
        let mut writers = asker.writers.into_iter().flatten();
        match self {
            Serves::Everything => true,
            Serves::AnySync => writers.any(Writer::is_sync),
            Serves::Syncs(syncs) => writers.any(|writer| syncs.contains(writer)),
        }
    }
}

/// The context in which a key is resolved.
#[derive(Clone, Copy, Default)]
pub struct Asker<'a> {
    /// The writers of the object with the key; empty for the tenant's own people.
    pub writers: Option<&'a BTreeSet<Writer>>,
    /// The connection that the key is bound to in the sync's source.
    pub source_binding: Option<&'a ConnectionSpec>,
    /// Whether incomplete replacements take effect. This is used to find out what to copy, which must not depend on
    /// what exists already.
    pub ignores_readiness: bool,
    /// Whether a connection works, if the caller knows more than the inventory.
    pub works: Works<'a>,
}

impl std::fmt::Debug for Asker<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Asker").field("writers", &self.writers).finish_non_exhaustive()
    }
}

impl Replacements {
    /// Whether a connection stands for its older keys wherever the tenant's own people name them: one whose `replaces`
    /// came by a sync serves only what that sync wrote.
    pub fn serves_everything(tenant: &str, connection: &str, inventory: &Inventory) -> bool {
        let record = inventory.record(tenant, &ObjectId::new(Kind::Connection, connection));
        matches!(Serves::of(record), Serves::Everything)
    }

    /// Collects the replacements of a tenant.
    pub fn of(tenant: &str, inventory: &Inventory) -> Self {
        Replacements::among(tenant, inventory, |_| true)
    }

    /// Collects the replacements among some connections of a tenant.
    pub fn among(tenant: &str, inventory: &Inventory, counts: impl Fn(&Object<ConnectionSpec>) -> bool) -> Self {
        let counting: Vec<_> = inventory.connections.values().filter(|connection| counts(connection)).collect();
        let own = counting.iter().map(|connection| ByKey((*connection).clone())).collect();
        let mut replacements = Replacements { own, ..Replacements::default() };
        // Where a location cannot answer for older keys, a connection stands for its own key only.
        for connection in counting.into_iter().filter(|_| inventory.can.resolves_older_keys) {
            replacements.add(tenant, connection, inventory);
        }
        replacements
    }

    /// Updates the index after a change of one connection, from its previous state to the one in `inventory`.
    pub fn follow(&mut self, tenant: &str, name: &str, before: Option<&Object<ConnectionSpec>>, inventory: &Inventory) {
        let after = inventory.connections.get(name);
        if let Some(before) = before {
            self.own.remove(before.spec.stable_key.as_str());
            for older in &before.spec.replaces {
                let Some(by) = self.by_older.get_mut(older) else { continue };
                by.retain(|r| r.connection.name() != name);
                if by.is_empty() {
                    self.by_older.remove(older);
                }
            }
        }
        if let Some(after) = after {
            self.own.insert(ByKey(after.clone()));
            self.add(tenant, after, inventory);
        }
    }

    /// Adds the keys that a connection replaces, sorted by connection.
    fn add(&mut self, tenant: &str, connection: &Arc<Object<ConnectionSpec>>, inventory: &Inventory) {
        if connection.spec.replaces.is_empty() {
            return;
        }
        let record = inventory.record(tenant, &ObjectId::new(Kind::Connection, connection.name()));
        let serves = Serves::of(record);
        for older in connection.spec.replaces.iter().collect::<BTreeSet<_>>() {
            let replacement = Replacement { connection: connection.clone(), serves: serves.clone() };
            let by = self.by_older.entry(older.clone()).or_default();
            by.insert(by.partition_point(|r| r.connection.name() < connection.name()), replacement);
        }
    }

    /// The connection with exactly this stable key.
    fn own(&self, key: &str) -> Option<&Arc<Object<ConnectionSpec>>> {
        self.own.get(key).map(|ByKey(connection)| connection)
    }

    /// Whether there are no replacements.
    pub fn is_empty(&self) -> bool {
        self.by_older.is_empty()
    }

    /// Older keys that two or more connections replace, with the keys of these connections.
    pub fn ambiguous(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.by_older
            .iter()
            .map(|(older, by)| (older, next_links(by.iter().collect())))
            .filter(|(_, by)| by.len() > 1)
            .map(|(older, by)| (older.as_str(), by.iter().map(|r| r.connection.spec.stable_key.as_str()).collect()))
    }

    /// Whether a key is part of a cycle of replacements.
    pub fn is_in_cycle(&self, key: &str) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![key];
        while let Some(older) = next.pop() {
            for newer in self.by_older.get(older).into_iter().flatten().map(|r| r.connection.spec.stable_key.as_str()) {
                if newer == key {
                    return true;
                }
                if seen.insert(newer) {
                    next.push(newer);
                }
            }
        }
        false
    }

    /// The keys of connections that are part of a cycle of replacements.
    pub fn cycles(&self) -> BTreeSet<String> {
        cycles(&self.by_older)
    }

    /// Connections that replace a key whose own connection exists and differs.
    pub fn differing<'a>(
        &'a self,
        inventory: &'a Inventory,
    ) -> impl Iterator<Item = (&'a str, &'a Arc<Object<ConnectionSpec>>)> {
        self.by_older.iter().flat_map(move |(older, by)| {
            let own = inventory.connection(older);
            by.iter()
                .filter(move |r| own.is_some_and(|own| !own.spec.is_same_kind_as(&r.connection.spec)))
                .map(move |r| (older.as_str(), &r.connection))
        })
    }
}

/// Of several connections that replace one key, those that replace none of the others: a connection that replaces
/// another one of them takes over from that one, so that they are one chain.
fn next_links(serving: Vec<&Replacement>) -> Vec<&Replacement> {
    if serving.len() < 2 {
        return serving;
    }
    let takes_over = |one: &&&Replacement| {
        let mut others = serving.iter().filter(|other| other.connection.name() != one.connection.name());
        others.any(|other| one.connection.spec.replaces.contains(&other.connection.spec.stable_key))
    };
    let next: Vec<&Replacement> = serving.iter().filter(|one| !takes_over(one)).copied().collect();
    if next.is_empty() { serving } else { next }
}

fn cycles(by_older: &BTreeMap<String, Vec<Replacement>>) -> BTreeSet<String> {
    let mut cycles = BTreeSet::new();
    for start in by_older.keys() {
        // A key is part of a cycle if its replacements lead back to it.
        let mut seen = BTreeSet::new();
        let mut next: Vec<&str> = vec![start];
        while let Some(key) = next.pop() {
            for newer in by_older.get(key).into_iter().flatten().map(|r| r.connection.spec.stable_key.as_str()) {
                if newer == start {
                    cycles.insert(start.clone());
                }
                if seen.insert(newer) {
                    next.push(newer);
                }
            }
        }
    }
    cycles
}

/// Resolves a stable key in a tenant.
pub fn resolve_key(key: &str, inventory: &Inventory, replacements: &Replacements, asker: Asker<'_>) -> Resolution {
    let mut considered = Vec::new();
    let mut newer_keys: Vec<String> = Vec::new();
    let mut current = key;
    while let Some(candidates) = replacements.by_older.get(current) {
        let (serving, others): (Vec<_>, Vec<_>) = candidates.iter().partition(|r| r.serves.asker(asker));
        let serving = next_links(serving);
        considered.extend(
            others
                .iter()
                .map(|r| Considered { key: r.connection.spec.stable_key.clone(), why_not: WhyNot::NotOfThisSync }),
        );
        let why_not = match serving.as_slice() {
            [] => break,
            [one] => {
                let newer = &one.connection.spec;
                let own = replacements.own(current).map(|c| &c.spec).or(asker.source_binding);
                // A cycle is detected here, not looked up: replacements that do not apply to the asker form no cycle
                // for it.
                let entry = newer_keys.iter().position(|key| *key == newer.stable_key);
                if newer.stable_key == key || entry.is_some() {
                    newer_keys.truncate(entry.map_or(0, |at| at + 1));
                    current = &newer.stable_key;
                    WhyNot::Cycle
                } else if own.is_some_and(|own| !own.is_same_kind_as(newer)) {
                    WhyNot::Differs
                } else {
                    newer_keys.push(newer.stable_key.clone());
                    current = &newer.stable_key;
                    continue;
                }
            }
            _ => WhyNot::Ambiguous,
        };
        considered.extend(
            serving.iter().map(|r| Considered { key: r.connection.spec.stable_key.clone(), why_not: why_not.clone() }),
        );
        break;
    }
    if !newer_keys.is_empty() && !asker.ignores_readiness {
        let works = |connection: &Object<ConnectionSpec>| match asker.works {
            Some(works) => works(connection),
            None => inventory.is_usable(connection),
        };
        let is_complete = |key: &str| replacements.own(key).is_some_and(|connection| works(connection));
        let was_complete = |key: &str| replacements.own(key).is_some_and(|c| inventory.was_usable(c));
        let chain = || std::iter::once(key).chain(newer_keys.iter().map(String::as_str)).enumerate();
        let last = |is: &dyn Fn(&str) -> bool| chain().filter(|(_, key)| is(key)).map(|(position, _)| position).last();
        // The newest complete connection, or one that was complete before its last change. Without one, no working
        // binding would have to wait.
        let working = last(&is_complete).or_else(|| last(&was_complete).filter(|_| asker.works.is_none()));
        if let Some(position) = working.filter(|position| *position < newer_keys.len()) {
            let waits = newer_keys.split_off(position);
            considered.extend(waits.into_iter().map(|key| Considered { key, why_not: WhyNot::NotReady }));
            current = newer_keys.last().and_then(|newest| replacements.own(newest)).map_or(key, |c| &c.spec.stable_key);
        }
    }
    let invalid = || inventory.invalid.get(&ObjectId::new(Kind::Connection, names::of_stable_key(current)));
    let (binding, rule) = if let Some(connection) = replacements.own(current) {
        let rule = match newer_keys.is_empty() {
            true => Rule::ExactKey,
            false => Rule::Replaces(std::iter::once(key.to_string()).chain(newer_keys).collect()),
        };
        (Binding::Bound(connection.clone()), rule)
    } else if let Some(foreign) = inventory.foreign.get(current) {
        (Binding::Foreign(*foreign), Rule::ExactKey)
    } else if let Some(why) = invalid() {
        (Binding::Unknown(format!("Connection {current} is invalid: {why}")), Rule::None)
    } else if let Some(file) = inventory.unparsed.first() {
        (Binding::Unknown(format!("{file} cannot be read and could hold it")), Rule::None)
    } else if inventory.is_not_asked
        && near_miss::meant(current, inventory.connections.values().map(|c| c.spec.stable_key.as_str())).is_none()
    {
        // A key that is nearly one of those that are there is a mistake; any other may be on the platform only.
        (Binding::Foreign(Foreign::NotAsked), Rule::None)
    } else {
        (Binding::Missing, Rule::None)
    };
    Resolution { binding, rule, considered }
}

/// Resolves a variable of an integration in its tenant.
pub fn resolve_variable(
    tenant: &str,
    integration: &str,
    variable: &Variable,
    inventory: &Inventory,
    replacements: &Replacements,
) -> Resolution {
    resolve_variable_by((tenant, integration), variable, inventory, replacements, None)
}

/// A function that decides whether a connection works.
pub type Works<'a> = Option<&'a dyn Fn(&Object<ConnectionSpec>) -> bool>;

/// Resolves a variable, with a caller that knows better than the inventory whether a connection works.
pub fn resolve_variable_by(
    (tenant, integration): (&str, &str),
    variable: &Variable,
    inventory: &Inventory,
    replacements: &Replacements,
    works: Works<'_>,
) -> Resolution {
    match &variable.means {
        Means::Own(_) => Resolution { binding: Binding::Own, rule: Rule::Own, considered: Vec::new() },
        // The writers of the variable matter only if there are replacements.
        Means::StableKey(key) if replacements.by_older.is_empty() => {
            resolve_key(key, inventory, replacements, Asker::default())
        }
        Means::StableKey(key) => {
            let record = inventory.record(tenant, &ObjectId::new(Kind::Integration, integration));
            let wrote = record.and_then(|r| r.wrote(&Field::named(FieldKind::Variable, &variable.name)));
            let asker = Asker { writers: wrote.map(|w| w.writers.as_ref()), works, ..Asker::default() };
            resolve_key(key, inventory, replacements, asker)
        }
    }
}

/// Resolves the connection of customer credentials.
pub fn resolve_credentials(
    tenant: &str,
    credentials: &Object<CustomerCredentialsSpec>,
    inventory: &Inventory,
    replacements: &Replacements,
) -> Resolution {
    resolve_credentials_by(tenant, credentials, inventory, replacements, None)
}

/// Resolves the connection, with a caller that knows better than the inventory whether a connection works.
pub fn resolve_credentials_by(
    tenant: &str,
    credentials: &Object<CustomerCredentialsSpec>,
    inventory: &Inventory,
    replacements: &Replacements,
    works: Works<'_>,
) -> Resolution {
    let record = inventory.record(tenant, &ObjectId::new(Kind::CustomerCredentials, credentials.name()));
    let wrote = record.and_then(|r| r.wrote(&Field::of(FieldKind::ConnectionKey)));
    let asker = Asker { writers: wrote.map(|w| w.writers.as_ref()), works, ..Asker::default() };
    resolve_key(&credentials.spec.connection, inventory, replacements, asker)
}

impl Resolution {
    /// The connection, if there is one.
    pub fn connection(&self) -> Option<&Arc<Object<ConnectionSpec>>> {
        match &self.binding {
            Binding::Bound(connection) => Some(connection),
            _ => None,
        }
    }
}
