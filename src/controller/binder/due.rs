//! What is to be looked at again when something changed: everything that may be found to be otherwise,
//! and little else.

use super::seen::ObservedSecret;
use super::state::{Binder, InventoryChange, LiveObject};
use super::wanted::Use;
use crate::api::*;
use crate::engine::model::item::{Item, ObjectId};
use std::collections::BTreeSet;

/// Objects that are to be looked at, connections first: what is found of them decides about the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// Connections, by name: with [`Binder::look_at_connection`].
    pub connections: BTreeSet<String>,
    /// Customer credentials, by name.
    pub credentials: BTreeSet<String>,
    /// Integrations, by name.
    pub integrations: BTreeSet<String>,
}

impl Due {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.connections.len() + self.credentials.len() + self.integrations.len()
    }

    /// Whether there is nothing to look at.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.credentials.is_empty() && self.integrations.is_empty()
    }

    /// Both.
    pub fn merge(&mut self, other: Due) {
        self.connections.extend(other.connections);
        self.credentials.extend(other.credentials);
        self.integrations.extend(other.integrations);
    }

    /// All of them.
    pub fn objects(self) -> impl Iterator<Item = ObjectId> {
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

impl Binder {
    /// Takes a change in, and says what is to be looked at.
    pub fn change(&mut self, change: InventoryChange) -> Due {
        let decides = change.decides_who_works();
        let mut due = match change {
            InventoryChange::There(live) => self.object(live.item.id(), Ok(Some(live))),
            InventoryChange::Invalid { id, why } => self.object(id, Err(why)),
            InventoryChange::Gone(id) => self.object(id, Ok(None)),
            InventoryChange::Secret(seen) => {
                let name = seen.name().to_string();
                if self.knows(&seen) {
                    return Due::default();
                }
                let mut due = self.due_to_secret(&name);
                self.forget_secret(&name);
                match seen {
                    ObservedSecret::Source(source) => drop(self.sources.insert(name.clone(), source)),
                    ObservedSecret::Binding(binding) => {
                        for origin in &binding.from {
                            self.copies.entry(origin.clone()).or_default().insert(name.clone());
                        }
                        self.bindings.insert(name.clone(), binding);
                    }
                }
                due.merge(self.due_to_secret(&name));
                due
            }
            InventoryChange::SecretGone(name) => {
                let due = self.due_to_secret(&name);
                self.forget_secret(&name);
                due
            }
            InventoryChange::Refused { binding, why } => {
                let due = self.due_to_binding(&binding);
                self.refused.insert(binding, why);
                due
            }
            InventoryChange::Definition { config_map, readable } => match self.definitions.get(&config_map) {
                Some(known) if *known == readable => Due::default(),
                _ => {
                    let due = self.due_to_definition(&config_map);
                    self.definitions.insert(config_map, readable);
                    due
                }
            },
            InventoryChange::DefinitionGone(config_map) => {
                self.definitions.remove(&config_map);
                self.due_to_definition(&config_map)
            }
        };
        if decides {
            self.add_kin(&mut due);
        }
        due.connections.iter().for_each(|name| self.forget_told(name));
        due
    }

    /// Whether a connection works decides about what it replaces, and what replaces it: where that differs from what
    /// was said before, all that names one of their keys is due.
    fn add_kin(&mut self, due: &mut Due) {
        let mut kin = BTreeSet::new();
        for name in &due.connections {
            // What nobody asked for decided nothing; one that is gone was told of by its keys.
            let Some(before) = self.works.forget(name) else { continue };
            let Some(connection) = self.inventory.connections.get(name) else { continue };
            if self.works(connection) != before && !kin.contains(&connection.spec.stable_key) {
                kin.extend(self.kin(&connection.spec.stable_key));
            }
        }
        self.due_to_keys(&kin, due);
    }

    /// Whether this state of a Secret was taken in already.
    fn knows(&self, seen: &ObservedSecret) -> bool {
        let [known, new] = match seen {
            ObservedSecret::Source(new) => {
                [self.sources.get(&new.name), Some(new)].map(|s| s.map(|s| (&s.uid, &s.resource_version)))
            }
            ObservedSecret::Binding(new) => {
                [self.bindings.get(&new.name), Some(new)].map(|b| b.map(|b| (&b.uid, &b.resource_version)))
            }
        };
        known == new && !new.is_some_and(|(_, version)| version.is_empty())
    }

    fn forget_secret(&mut self, name: &str) {
        self.sources.remove(name);
        for origin in self.bindings.remove(name).into_iter().flat_map(|binding| binding.from) {
            if let Some(copies) = self.copies.get_mut(&origin) {
                copies.remove(name);
                if copies.is_empty() {
                    self.copies.remove(&origin);
                }
            }
        }
        // Something moved there: the next write may be let through.
        self.refused.remove(name);
    }

    fn object(&mut self, id: ObjectId, now: Result<Option<LiveObject>, String>) -> Due {
        let before = self.inventory.get(&id);
        let was_invalid = self.inventory.invalid.get(&id).cloned();
        let record = self.inventory.records.get(&id).cloned();
        let reach = self.reach(&id, before.as_ref());
        self.replace(&id, before.as_ref(), now);
        let after = self.inventory.get(&id);
        let validity = was_invalid.as_ref() != self.inventory.invalid.get(&id);
        let effect = Effect {
            identity: validity
                || record != self.inventory.records.get(&id).cloned()
                || identity(before.as_ref()) != identity(after.as_ref()),
            validity,
            inputs: inputs_differ(before.as_ref(), after.as_ref()),
        };
        let mut due = self.spread(&id, [before.as_ref(), after.as_ref()], reach, &effect);
        due.insert(&id);
        due
    }

    /// Puts an object in the place of what was there.
    fn replace(&mut self, id: &ObjectId, before: Option<&Item>, now: Result<Option<LiveObject>, String>) {
        if let Some(before) = before {
            self.index.take(before);
            self.inventory.remove(id);
        }
        self.inventory.invalid.remove(id);
        self.inventory.records.remove(id);
        self.uids.remove(id);
        match now {
            Err(why) => drop(self.inventory.invalid.insert(id.clone(), why)),
            Ok(None) => {}
            Ok(Some(LiveObject { item, uid, record })) => {
                self.index.put(&item);
                self.inventory.insert(item);
                self.uids.insert(id.clone(), uid);
                if let Some(record) = record {
                    self.inventory.records.insert(id.clone(), record);
                }
            }
        }
        if id.kind == Kind::Connection {
            let before = before.and_then(|item| match item {
                Item::Connection(c) => Some(c.as_ref()),
                _ => None,
            });
            self.replacements.follow(&self.tenant, &id.name, before, &self.inventory);
        }
    }

    /// What an object reaches, as things stand: from what it was, and again from what it is, follows what
    /// must be looked at.
    fn reach(&self, id: &ObjectId, item: Option<&Item>) -> Reach {
        let mut reach = Reach::default();
        match item {
            Some(Item::Connection(c)) => reach.keys = self.kin(&c.spec.stable_key),
            Some(Item::CustomerCredentials(c)) => {
                let meant = self.customer_of(&id.name);
                if let Some(connection) = meant.as_ref().and_then(|meant| meant.connection()) {
                    reach.connections.insert(connection.name().to_string());
                    reach.twins = self.credentials_of(&c.spec.customer, connection);
                }
            }
            Some(Item::Integration(..)) => reach.connections = self.bound_by(&id.name),
            Some(Item::Component(_)) | None => {}
        }
        reach
    }

    fn spread<'a>(
        &mut self,
        id: &ObjectId,
        [before, after]: [Option<&'a Item>; 2],
        was: Reach,
        effect: &Effect,
    ) -> Due {
        let mut due = Due::default();
        let is = self.reach(id, after);
        match id.kind {
            Kind::Component if effect.inputs => {
                let key = |item: Option<&'a Item>| match item {
                    Some(Item::Component(component)) => Some(component.spec.key.as_str()),
                    _ => None,
                };
                let keys: Vec<&str> = [before, after].into_iter().filter_map(key).collect();
                for name in self.index.of_component(&id.name, &keys) {
                    due.credentials.extend(self.credentials_meaning(name));
                    due.connections.insert(name.clone());
                }
            }
            Kind::Connection if effect.identity => {
                let mut keys: BTreeSet<String> = was.keys.union(&is.keys).cloned().collect();
                if effect.validity {
                    // What cannot be read has no key: its name says which keys may mean it.
                    keys.extend(self.index.keys().filter(|key| names::is_of_stable_key(&id.name, key)).cloned());
                }
                let [was_named, is_named] = [before, after].map(|item| identity(item).map(|(key, ..)| key));
                for key in [was_named, is_named].into_iter().flatten().filter(|_| was_named != is_named) {
                    let alike = self.candidates.forget(key);
                    due.integrations.extend(alike.iter().flat_map(|key| self.index.integrations(key)).cloned());
                }
                self.due_to_keys(&keys, &mut due);
            }
            Kind::Connection if effect.inputs => due.credentials.extend(self.credentials_meaning(&id.name)),
            Kind::CustomerCredentials if (&was.twins, &was.connections) != (&is.twins, &is.connections) => {
                due.credentials.extend(was.twins.union(&is.twins).cloned());
                due.connections.extend(was.connections.union(&is.connections).cloned());
            }
            Kind::Integration => {
                due.connections.extend(was.connections.symmetric_difference(&is.connections).cloned());
            }
            _ => {}
        }
        due
    }

    /// Whatever has one of these keys, or names it.
    fn due_to_keys(&self, keys: &BTreeSet<String>, due: &mut Due) {
        for key in keys {
            due.connections.extend(self.inventory.connection(key).map(|c| c.name().to_string()));
            due.integrations.extend(self.index.integrations(key).cloned());
            due.credentials.extend(self.credentials_naming(key));
        }
    }

    /// The integrations that are bound to a connection.
    pub(super) fn due_to_users(&self, connection: &str) -> Due {
        let integrations = match self.inventory.connections.get(connection) {
            Some(connection) => self.users(connection, usize::MAX).0.into_iter().collect(),
            // What was bound to it was told when it went.
            None => BTreeSet::new(),
        };
        Due { integrations, ..Due::default() }
    }

    fn due_to_secret(&self, name: &str) -> Due {
        let mut due = self.due_to_binding(name);
        for id in self.index.naming_secret(name) {
            due.insert(id);
            let connection = self.inventory.connections.get(&id.name).filter(|_| id.kind == Kind::Connection);
            let names = |input: &Input| matches!(input, Input::SecretRef(reference) if reference.name == name);
            if connection.is_some_and(|c| c.spec.inputs.values().any(names)) {
                due.credentials.extend(self.credentials_meaning(&id.name));
            }
        }
        // What was made from it may say so where the object does not name it any more.
        let copies = self.copies.get(name).into_iter().flatten().filter_map(|copy| self.bindings.get(copy));
        for (_, id) in copies.filter_map(|copy| Use::of_what(copy.ours.as_deref()?)) {
            if self.inventory.has(&id) {
                due.insert(&id);
            }
        }
        due
    }

    /// Whose binding Secret has this name.
    pub(super) fn due_to_binding(&self, name: &str) -> Due {
        let mut due = Due::default();
        let id = match Use::parse(name) {
            Some((Use::Production | Use::Test, object)) => Some(ObjectId::new(Kind::Connection, object)),
            Some((Use::Customer, object)) if Use::Customer.name_for(object) == name && name.len() < 200 => {
                Some(ObjectId::new(Kind::CustomerCredentials, object))
            }
            // A name that was cut does not say of what.
            Some((Use::Customer, _)) => {
                let cut = |object: &&String| Use::Customer.name_for(object) == name;
                let object = self.inventory.customer_credentials.keys().find(cut);
                object.map(|object| ObjectId::new(Kind::CustomerCredentials, object.clone()))
            }
            None => None,
        };
        id.iter().filter(|id| self.inventory.get(id).is_some()).for_each(|id| due.insert(id));
        due
    }

    /// The integrations whose definition is in a ConfigMap.
    fn due_to_definition(&self, config_map: &str) -> Due {
        Due { integrations: self.index.defined_in(config_map).cloned().collect(), ..Due::default() }
    }

    /// The credentials that name a stable key.
    fn credentials_naming(&self, key: &str) -> Vec<String> {
        self.index.customers(key).into_iter().flatten().flat_map(|(_, names)| names.iter().cloned()).collect()
    }

    /// The credentials that may be for a connection.
    fn credentials_meaning(&self, connection: &str) -> Vec<String> {
        let Some(connection) = self.inventory.connections.get(connection) else { return Vec::new() };
        self.kin(&connection.spec.stable_key).iter().flat_map(|key| self.credentials_naming(key)).collect()
    }
}

/// What an object reaches.
#[derive(Default)]
struct Reach {
    /// Of a connection: the keys that it has to do with.
    keys: BTreeSet<String>,
    /// The connections that it is bound to, or for.
    connections: BTreeSet<String>,
    /// Of customer credentials: all that the customer has for the connection.
    twins: BTreeSet<String>,
}

/// What of a change matters to others.
struct Effect {
    /// Whether it is there, what it is, or for whom it answers.
    identity: bool,
    /// Whether it can be read, or why not.
    validity: bool,
    /// What binding Secrets of others are made of.
    inputs: bool,
}

/// What decides for whom a connection answers.
fn identity(item: Option<&Item>) -> Option<(&str, &ComponentRef, &str, Credentials, &[String])> {
    match item {
        Some(Item::Connection(c)) => {
            let c = &c.spec;
            Some((&c.stable_key, &c.component, &c.type_, c.credentials, &c.replaces))
        }
        _ => None,
    }
}

/// Whether what others' binding Secrets are made of differs.
fn inputs_differ(before: Option<&Item>, after: Option<&Item>) -> bool {
    match (before, after) {
        (Some(Item::Connection(a)), Some(Item::Connection(b))) => {
            a.spec.inputs != b.spec.inputs || a.spec.may_be_deleted() != b.spec.may_be_deleted()
        }
        (Some(Item::Component(a)), Some(Item::Component(b))) => a.spec != b.spec,
        (before, after) => before.is_some() != after.is_some(),
    }
}
