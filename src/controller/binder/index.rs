//! Reverse indexes: from a changed object to the objects that name it.

use crate::api::*;
use crate::engine::model::item::{Item, ObjectId};
use crate::near_miss::meant;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

type Sets<K, V> = HashMap<K, BTreeSet<V>>;

/// Updated with every change of an object.
#[derive(Debug, Default)]
pub(super) struct ReverseIndex {
    /// Integrations, by a stable key that one of their variables names.
    integrations: Sets<String, String>,
    /// Customer credentials, by the stable key that they name and by customer.
    credentials: HashMap<String, BTreeMap<String, BTreeSet<String>>>,
    /// Connections, by the key of their component and whether the component is public.
    components: Sets<(String, bool), String>,
    /// Connections and customer credentials, by a Secret that one of their inputs names.
    secrets: Sets<String, ObjectId>,
    /// Stable keys of connections, by an older key that they replace.
    replacing: Sets<String, String>,
    /// Integrations, by the ConfigMap of their definition.
    definitions: Sets<String, String>,
}

impl ReverseIndex {
    pub(super) fn put(&mut self, item: &Item) {
        self.all(item, true);
    }

    pub(super) fn take(&mut self, item: &Item) {
        self.all(item, false);
    }

    fn all(&mut self, item: &Item, there: bool) {
        match item {
            Item::Component(_) => {}
            Item::Connection(c) => {
                let component = (c.spec.component.key.clone(), c.spec.component.is_public());
                set(&mut self.components, component, c.name().to_string(), there);
                for older in &c.spec.replaces {
                    set(&mut self.replacing, older.clone(), c.spec.stable_key.clone(), there);
                }
                let test = c.spec.test.iter().flat_map(|test| &test.inputs);
                for secret in c.spec.inputs.iter().chain(test).filter_map(|(_, input)| secret(input)) {
                    set(&mut self.secrets, secret, item.id(), there);
                }
            }
            Item::CustomerCredentials(c) => {
                let customers = self.credentials.entry(c.spec.connection.clone()).or_default();
                let of_one = customers.entry(c.spec.customer.clone()).or_default();
                if there {
                    of_one.insert(c.name().to_string());
                } else {
                    of_one.remove(c.name());
                    customers.retain(|_, names| !names.is_empty());
                }
                for secret in c.spec.inputs.values().filter_map(secret) {
                    set(&mut self.secrets, secret, item.id(), there);
                }
            }
            Item::Integration(i, _) => {
                for key in i.spec.connections.iter().filter_map(Variable::stable_key) {
                    set(&mut self.integrations, key.to_string(), i.name().to_string(), there);
                }
                if let Some(map) = named_by(&i.spec) {
                    set(&mut self.definitions, map.to_string(), i.name().to_string(), there);
                }
            }
        }
    }

    /// Returns the integrations that name a stable key.
    pub(super) fn integrations(&self, key: &str) -> impl Iterator<Item = &String> + Clone {
        self.integrations.get(key).into_iter().flatten()
    }

    /// Returns the integrations whose definition is in a ConfigMap.
    pub(super) fn defined_in(&self, config_map: &str) -> impl Iterator<Item = &String> {
        self.definitions.get(config_map).into_iter().flatten()
    }

    /// Returns how many integrations name a stable key.
    pub(super) fn integrations_len(&self, key: &str) -> usize {
        self.integrations.get(key).map_or(0, BTreeSet::len)
    }

    /// Returns the stable keys that integrations name.
    pub(super) fn keys(&self) -> impl Iterator<Item = &String> {
        self.integrations.keys().chain(self.credentials.keys())
    }

    /// Returns the credentials that name a stable key, by customer.
    pub(super) fn customers(&self, key: &str) -> Option<&BTreeMap<String, BTreeSet<String>>> {
        self.credentials.get(key)
    }

    /// Returns the connections that a component affects, given its name and its keys before and after a change: those
    /// of the component, and those of a missing component that may be a misspelling of it.
    pub(super) fn of_component<'a>(&'a self, component: &'a str, keys: &'a [&str]) -> impl Iterator<Item = &'a String> {
        let concerns = move |(key, is_public): &(String, bool)| {
            key == component
                || keys.contains(&key.as_str())
                || names::of_component(key, *is_public) == component
                || meant(key, keys.iter().copied()).is_some()
        };
        self.components.iter().filter(move |(of, _)| concerns(of)).flat_map(|(_, connections)| connections)
    }

    /// Returns the connections and customer credentials that name a Secret.
    pub(super) fn naming_secret(&self, secret: &str) -> impl Iterator<Item = &ObjectId> {
        self.secrets.get(secret).into_iter().flatten()
    }

    /// Returns the keys of the connections that replace an older key.
    pub(super) fn replacing(&self, older: &str) -> impl Iterator<Item = &String> {
        self.replacing.get(older).into_iter().flatten()
    }
}

fn secret(input: &Input) -> Option<String> {
    match input {
        Input::SecretRef(reference) => Some(reference.name.clone()),
        _ => None,
    }
}

fn set<K: Eq + Hash, V: Ord>(sets: &mut Sets<K, V>, key: K, value: V, there: bool) {
    if there {
        sets.entry(key).or_default().insert(value);
    } else if let Some(set) = sets.get_mut(&key) {
        set.remove(&value);
        if set.is_empty() {
            sets.remove(&key);
        }
    }
}

/// Returns the ConfigMap that an integration names.
pub(super) fn named_by(spec: &IntegrationSpec) -> Option<&str> {
    match &spec.definition {
        Some(Definition::ConfigMap(reference)) => Some(&reference.name),
        _ => None,
    }
}
