//! Applies changes to the cache, and returns the affected objects: every object whose evaluation may change, and few
//! others.

use super::cache::{Published, Readable, TenantCache};
use super::evaluate::evaluation::Evaluation;
use super::evaluate::{alias, meaning, working};
use super::secret::naming::Purpose;
use super::secret::observed::ObservedSecret;
use crate::api::*;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::record::Record;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A change of the cache: a watch event, or the answer to a write.
#[derive(Debug)]
pub(super) enum CacheChange {
    /// An object exists and can be read.
    There(ReadObject),
    /// An object exists and cannot be read.
    Invalid {
        id: ObjectId,
        /// The error, without values.
        why: String,
    },
    Gone(ObjectId),
    /// A Secret exists: from the watch, from a write of the binder, or one that occupies the name of a binding Secret.
    Secret(ObservedSecret),
    /// A Secret was deleted, or is no longer watched.
    SecretGone(String),
    /// The API server refuses a write of a binding Secret, and a retry would not help.
    Refused {
        binding: String,
        /// The reason, without values.
        why: String,
    },
    /// A ConfigMap with a definition exists.
    Definition {
        config_map: String,
        readable: Readable,
    },
    DefinitionGone(String),
}

/// An object that can be read.
#[derive(Clone, Debug)]
pub(super) struct ReadObject {
    pub item: Item,
    pub uid: String,
    /// The ownership record, if Stablekey's field manager owns the annotation.
    pub record: Option<Arc<Record>>,
}

/// The objects to evaluate again, by kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Affected {
    pub connections: BTreeSet<String>,
    pub credentials: BTreeSet<String>,
    pub integrations: BTreeSet<String>,
}

impl CacheChange {
    /// Whether the change may decide whether a connection works.
    fn decides_who_works(&self) -> bool {
        let of_kind = |kind: Kind| matches!(kind, Kind::Connection | Kind::Component);
        match self {
            CacheChange::There(live) => of_kind(live.item.id().kind),
            CacheChange::Invalid { id, .. } | CacheChange::Gone(id) => of_kind(id.kind),
            CacheChange::Secret(_) | CacheChange::SecretGone(_) => true,
            CacheChange::Refused { .. } | CacheChange::Definition { .. } | CacheChange::DefinitionGone(_) => false,
        }
    }
}

impl Affected {
    pub(super) fn len(&self) -> usize {
        self.connections.len() + self.credentials.len() + self.integrations.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn merge(&mut self, other: Affected) {
        self.connections.extend(other.connections);
        self.credentials.extend(other.credentials);
        self.integrations.extend(other.integrations);
    }

    /// Returns all of them, connections first.
    pub(super) fn objects(self) -> impl Iterator<Item = ObjectId> {
        let of = |kind: Kind| move |name: String| ObjectId::new(kind, name);
        let connections = self.connections.into_iter().map(of(Kind::Connection));
        let credentials = self.credentials.into_iter().map(of(Kind::CustomerCredentials));
        connections.chain(credentials).chain(self.integrations.into_iter().map(of(Kind::Integration)))
    }

    fn insert(&mut self, id: &ObjectId) {
        let name = id.name.clone();
        match id.kind {
            Kind::Connection => self.connections.insert(name),
            Kind::CustomerCredentials => self.credentials.insert(name),
            Kind::Integration => self.integrations.insert(name),
            Kind::Component | Kind::Tenant | Kind::TenantSync => false,
        };
    }
}

/// Publishes the evaluation of a connection to its integrations, and returns the integrations that it affects.
pub(super) fn publish(
    cache: &mut TenantCache,
    name: &str,
    evaluation: Option<&Evaluation<ConnectionStatus>>,
) -> Affected {
    let known = |evaluation: &Evaluation<ConnectionStatus>| Published {
        readiness: evaluation.readiness(),
        until: evaluation.evaluate_again_at,
        is_stale: false,
    };
    let before = cache.published.remove(name).map(|before| before.readiness);
    let now = evaluation.map(known);
    let is_same = before.as_ref() == now.as_ref().map(|now| &now.readiness);
    cache.published.extend(now.map(|now| (name.to_string(), now)));
    if is_same {
        return Affected::default();
    }
    let integrations = match cache.inventory.connections.get(name) {
        Some(connection) => meaning::users(cache, connection, usize::MAX).0.into_iter().collect(),
        // Its integrations were affected when it was deleted.
        None => BTreeSet::new(),
    };
    Affected { integrations, ..Affected::default() }
}

/// Applies a change, and returns the affected objects.
pub(super) fn change(cache: &mut TenantCache, change: CacheChange) -> Affected {
    let decides = change.decides_who_works();
    let mut affected = match change {
        CacheChange::There(live) => object(cache, live.item.id(), Ok(Some(live))),
        CacheChange::Invalid { id, why } => object(cache, id, Err(why)),
        CacheChange::Gone(id) => object(cache, id, Ok(None)),
        CacheChange::Secret(seen) => {
            let name = seen.name().to_string();
            if knows(cache, &seen) {
                return Affected::default();
            }
            let mut affected = of_secret(cache, &name);
            forget_secret(cache, &name);
            match seen {
                ObservedSecret::Source(source) => drop(cache.sources.insert(name.clone(), source)),
                ObservedSecret::Binding(binding) => {
                    for origin in &binding.from {
                        cache.copies.entry(origin.clone()).or_default().insert(name.clone());
                    }
                    cache.bindings.insert(name.clone(), binding);
                }
            }
            affected.merge(of_secret(cache, &name));
            affected
        }
        CacheChange::SecretGone(name) => {
            let affected = of_secret(cache, &name);
            forget_secret(cache, &name);
            affected
        }
        CacheChange::Refused { binding, why } => {
            let affected = of_binding(cache, &binding);
            cache.refused.insert(binding, why);
            affected
        }
        CacheChange::Definition { config_map, readable } => match cache.definitions.get(&config_map) {
            Some(known) if *known == readable => Affected::default(),
            _ => {
                let affected = of_definition(cache, &config_map);
                cache.definitions.insert(config_map, readable);
                affected
            }
        },
        CacheChange::DefinitionGone(config_map) => {
            cache.definitions.remove(&config_map);
            of_definition(cache, &config_map)
        }
    };
    if decides {
        add_aliases(cache, &mut affected);
    }
    affected.connections.iter().for_each(|name| cache.mark_stale(name));
    affected
}

/// Adds the objects that aliases affect. Whether a connection works decides about the keys that it replaces and that
/// replace it: if that changed, everything that names one of these keys is affected.
fn add_aliases(cache: &mut TenantCache, affected: &mut Affected) {
    let mut keys = BTreeSet::new();
    for name in &affected.connections {
        // Without an entry, nothing depended on it yet. What a deleted connection affects is found by its keys.
        let Some(before) = cache.working.forget(name) else { continue };
        let Some(connection) = cache.inventory.connections.get(name) else { continue };
        if working::works(cache, connection) != before && !keys.contains(&connection.spec.stable_key) {
            keys.extend(alias::closure(cache, &connection.spec.stable_key));
        }
    }
    of_keys(cache, &keys, affected);
}

/// Whether an object needs a Secret of this name.
pub(super) fn is_wanted(cache: &TenantCache, secret: &str) -> bool {
    !of_binding(cache, secret).is_empty()
}

/// Whether this version of a Secret is in the cache already.
fn knows(cache: &TenantCache, seen: &ObservedSecret) -> bool {
    let [known, new] = match seen {
        ObservedSecret::Source(new) => {
            [cache.sources.get(&new.name), Some(new)].map(|s| s.map(|s| (&s.uid, &s.resource_version)))
        }
        ObservedSecret::Binding(new) => {
            [cache.bindings.get(&new.name), Some(new)].map(|b| b.map(|b| (&b.uid, &b.resource_version)))
        }
    };
    known == new && !new.is_some_and(|(_, version)| version.is_empty())
}

fn forget_secret(cache: &mut TenantCache, name: &str) {
    cache.sources.remove(name);
    for origin in cache.bindings.remove(name).into_iter().flat_map(|binding| binding.from) {
        if let Some(copies) = cache.copies.get_mut(&origin) {
            copies.remove(name);
            if copies.is_empty() {
                cache.copies.remove(&origin);
            }
        }
    }
    // The Secret changed: the next write may succeed.
    cache.refused.remove(name);
}

fn object(cache: &mut TenantCache, id: ObjectId, now: Result<Option<ReadObject>, String>) -> Affected {
    let before = cache.inventory.get(&id);
    let was_invalid = cache.inventory.invalid.get(&id).cloned();
    let record = cache.inventory.records.get(&id).cloned();
    let reach = reach(cache, &id, before.as_ref());
    replace(cache, &id, before.as_ref(), now);
    let after = cache.inventory.get(&id);
    let validity = was_invalid.as_ref() != cache.inventory.invalid.get(&id);
    let effect = Effect {
        identity: validity
            || record != cache.inventory.records.get(&id).cloned()
            || identity(before.as_ref()) != identity(after.as_ref()),
        validity,
        inputs: inputs_differ(before.as_ref(), after.as_ref()),
    };
    let mut affected = spread(cache, &id, [before.as_ref(), after.as_ref()], reach, &effect);
    affected.insert(&id);
    affected
}

/// Replaces an object in the cache and its indexes.
fn replace(cache: &mut TenantCache, id: &ObjectId, before: Option<&Item>, now: Result<Option<ReadObject>, String>) {
    if let Some(before) = before {
        cache.index.take(before);
        cache.inventory.remove(id);
    }
    cache.inventory.invalid.remove(id);
    cache.inventory.records.remove(id);
    cache.uids.remove(id);
    match now {
        Err(why) => drop(cache.inventory.invalid.insert(id.clone(), why)),
        Ok(None) => {}
        Ok(Some(ReadObject { item, uid, record })) => {
            cache.index.put(&item);
            cache.inventory.insert(item);
            cache.uids.insert(id.clone(), uid);
            if let Some(record) = record {
                cache.inventory.records.insert(id.clone(), record);
            }
        }
    }
    if id.kind == Kind::Connection {
        let before = before.and_then(|item| match item {
            Item::Connection(c) => Some(c.as_ref()),
            _ => None,
        });
        cache.replacements.follow(&cache.tenant, &id.name, before, &cache.inventory);
    }
}

/// Returns what an object reaches in the current cache. Whatever it reaches before or after a change must be evaluated
/// again.
fn reach(cache: &TenantCache, id: &ObjectId, item: Option<&Item>) -> Reach {
    let mut reach = Reach::default();
    match item {
        Some(Item::Connection(c)) => reach.keys = alias::closure(cache, &c.spec.stable_key),
        Some(Item::CustomerCredentials(c)) => {
            let meant = meaning::customer_of(cache, &id.name);
            if let Some(connection) = meant.as_ref().and_then(|meant| meant.connection()) {
                reach.connections.insert(connection.name().to_string());
                reach.twins = meaning::credentials_of(cache, &c.spec, connection);
            }
        }
        Some(Item::Integration(..)) => reach.connections = meaning::bound_by(cache, &id.name),
        Some(Item::Component(_)) | None => {}
    }
    reach
}

fn spread<'a>(
    cache: &mut TenantCache,
    id: &ObjectId,
    [before, after]: [Option<&'a Item>; 2],
    was: Reach,
    effect: &Effect,
) -> Affected {
    let mut affected = Affected::default();
    let is = reach(cache, id, after);
    match id.kind {
        Kind::Component if effect.inputs => {
            let key = |item: Option<&'a Item>| match item {
                Some(Item::Component(component)) => Some(component.spec.key.as_str()),
                _ => None,
            };
            let keys: Vec<&str> = [before, after].into_iter().filter_map(key).collect();
            for name in cache.index.of_component(&id.name, &keys) {
                affected.credentials.extend(credentials_meaning(cache, name));
                affected.connections.insert(name.clone());
            }
        }
        Kind::Connection if effect.identity => {
            let mut keys: BTreeSet<String> = was.keys.union(&is.keys).cloned().collect();
            if effect.validity {
                // An object that cannot be read has no key: its name shows which keys it may have.
                keys.extend(cache.index.keys().filter(|key| names::is_of_stable_key(&id.name, key)).cloned());
            }
            let [was_named, is_named] = [before, after].map(|item| identity(item).map(|(key, ..)| key));
            for key in [was_named, is_named].into_iter().flatten().filter(|_| was_named != is_named) {
                let alike = cache.similar_keys.forget(key);
                affected.integrations.extend(alike.iter().flat_map(|key| cache.index.integrations(key)).cloned());
            }
            of_keys(cache, &keys, &mut affected);
        }
        Kind::Connection if effect.inputs => affected.credentials.extend(credentials_meaning(cache, &id.name)),
        Kind::CustomerCredentials if (&was.twins, &was.connections) != (&is.twins, &is.connections) => {
            affected.credentials.extend(was.twins.union(&is.twins).cloned());
            affected.connections.extend(was.connections.union(&is.connections).cloned());
        }
        Kind::Integration => {
            affected.connections.extend(was.connections.symmetric_difference(&is.connections).cloned());
        }
        _ => {}
    }
    affected
}

/// Adds every object that has or names one of these keys.
fn of_keys(cache: &TenantCache, keys: &BTreeSet<String>, affected: &mut Affected) {
    for key in keys {
        affected.connections.extend(cache.inventory.connection(key).map(|c| c.name().to_string()));
        affected.integrations.extend(cache.index.integrations(key).cloned());
        affected.credentials.extend(credentials_naming(cache, key));
    }
}

fn of_secret(cache: &TenantCache, name: &str) -> Affected {
    let mut affected = of_binding(cache, name);
    for id in cache.index.naming_secret(name) {
        affected.insert(id);
        let connection = cache.inventory.connections.get(&id.name).filter(|_| id.kind == Kind::Connection);
        let names = |input: &Input| matches!(input, Input::SecretRef(reference) if reference.name == name);
        if connection.is_some_and(|c| c.spec.inputs.values().any(names)) {
            affected.credentials.extend(credentials_meaning(cache, &id.name));
        }
    }
    // A copy that was made from the Secret names its object, even if the object no longer names the Secret.
    let copies = cache.copies.get(name).into_iter().flatten().filter_map(|copy| cache.bindings.get(copy));
    for (_, id) in copies.filter_map(|copy| Purpose::of_what(copy.ours.as_deref()?)) {
        if cache.inventory.has(&id) {
            affected.insert(&id);
        }
    }
    affected
}

/// Returns the object whose binding Secret has this name.
fn of_binding(cache: &TenantCache, name: &str) -> Affected {
    let mut affected = Affected::default();
    let id = match Purpose::parse(name) {
        Some((Purpose::Production | Purpose::Test, object)) => Some(ObjectId::new(Kind::Connection, object)),
        Some((Purpose::Customer, object)) if Purpose::Customer.name_for(object) == name && name.len() < 200 => {
            Some(ObjectId::new(Kind::CustomerCredentials, object))
        }
        // A truncated name does not contain the object's name.
        Some((Purpose::Customer, _)) => {
            let cut = |object: &&String| Purpose::Customer.name_for(object) == name;
            let object = cache.inventory.customer_credentials.keys().find(cut);
            object.map(|object| ObjectId::new(Kind::CustomerCredentials, object.clone()))
        }
        None => None,
    };
    id.iter().filter(|id| cache.inventory.get(id).is_some()).for_each(|id| affected.insert(id));
    affected
}

/// Returns the integrations whose definition is in a ConfigMap.
fn of_definition(cache: &TenantCache, config_map: &str) -> Affected {
    Affected { integrations: cache.index.defined_in(config_map).cloned().collect(), ..Affected::default() }
}

/// Returns the customer credentials that name a stable key.
fn credentials_naming(cache: &TenantCache, key: &str) -> Vec<String> {
    cache.index.customers(key).into_iter().flatten().flat_map(|(_, names)| names.iter().cloned()).collect()
}

/// Returns the customer credentials that may be for a connection.
fn credentials_meaning(cache: &TenantCache, connection: &str) -> Vec<String> {
    let Some(connection) = cache.inventory.connections.get(connection) else { return Vec::new() };
    alias::closure(cache, &connection.spec.stable_key).iter().flat_map(|key| credentials_naming(cache, key)).collect()
}

/// The objects and keys that an object has to do with.
#[derive(Default)]
struct Reach {
    /// For a connection: its key, and all keys linked to it by `replaces`.
    keys: BTreeSet<String>,
    /// The connections that the object is bound to, or is for.
    connections: BTreeSet<String>,
    /// For customer credentials: all credentials of the same customer for the same connection.
    twins: BTreeSet<String>,
}

/// The parts of a change that matter to other objects.
struct Effect {
    /// The object appeared or disappeared, or the keys that it answers for changed.
    identity: bool,
    /// The object became readable or unreadable, or the error changed.
    validity: bool,
    /// The inputs that other objects' binding Secrets contain changed.
    inputs: bool,
}

/// Returns the fields that decide which keys a connection answers for.
fn identity(item: Option<&Item>) -> Option<(&str, &ComponentRef, &str, Credentials, &[String])> {
    match item {
        Some(Item::Connection(c)) => {
            let c = &c.spec;
            Some((&c.stable_key, &c.component, &c.type_, c.credentials, &c.replaces))
        }
        _ => None,
    }
}

/// Whether the inputs that other objects' binding Secrets contain differ.
fn inputs_differ(before: Option<&Item>, after: Option<&Item>) -> bool {
    match (before, after) {
        (Some(Item::Connection(a)), Some(Item::Connection(b))) => {
            a.spec.inputs != b.spec.inputs || a.spec.may_be_deleted() != b.spec.may_be_deleted()
        }
        (Some(Item::Component(a)), Some(Item::Component(b))) => a.spec != b.spec,
        (before, after) => before.is_some() != after.is_some(),
    }
}
