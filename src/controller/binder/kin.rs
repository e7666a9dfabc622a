//! Who means a connection, through what it replaces too.

use super::state::Binder;
use crate::api::*;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::{Asker, Resolution, resolve_credentials_by, resolve_key, resolve_variable_by};
use std::collections::BTreeSet;
use std::sync::Arc;

type Connection = Arc<Object<ConnectionSpec>>;

impl Binder {
    /// The keys that replace a key or are replaced by it, by any number of steps, and the key itself.
    pub(super) fn kin(&self, key: &str) -> BTreeSet<String> {
        let mut kin = BTreeSet::new();
        let mut next = vec![key.to_string()];
        while let Some(key) = next.pop() {
            if !kin.contains(&key) {
                next.extend(self.index.replacing(&key).cloned());
                next.extend(self.inventory.connection(&key).into_iter().flat_map(|c| c.spec.replaces.iter().cloned()));
                kin.insert(key);
            }
        }
        kin
    }

    /// What a key means where the tenant's own people name it.
    pub(super) fn meant_by(&self, key: &str) -> Resolution {
        let works = |connection: &Object<ConnectionSpec>| self.works(connection);
        resolve_key(key, &self.inventory, &self.replacements, Asker { works: Some(&works), ..Asker::default() })
    }

    /// What a key would mean if all worked: for whom a Secret opted in does not depend on what is in it.
    pub(super) fn would_mean(&self, key: &str) -> Resolution {
        let asker = Asker { ignores_readiness: true, ..Asker::default() };
        resolve_key(key, &self.inventory, &self.replacements, asker)
    }

    pub(super) fn variable(&self, integration: &str, variable: &Variable) -> Resolution {
        let works = |connection: &Object<ConnectionSpec>| self.works(connection);
        let of = (self.tenant.as_str(), integration);
        resolve_variable_by(of, variable, &self.inventory, &self.replacements, Some(&works))
    }

    /// What customer credentials are for; `None` where there are none of this name.
    pub(super) fn customer_of(&self, credentials: &str) -> Option<Resolution> {
        let credentials = self.inventory.customer_credentials.get(credentials)?;
        let works = |connection: &Object<ConnectionSpec>| self.works(connection);
        let works = Some(&works as &dyn Fn(&Object<ConnectionSpec>) -> bool);
        Some(resolve_credentials_by(&self.tenant, credentials, &self.inventory, &self.replacements, works))
    }

    /// The names of the connections that an integration is bound to.
    pub(super) fn bound_by(&self, integration: &str) -> BTreeSet<String> {
        let object = self.inventory.integrations.get(integration);
        let variables = object.into_iter().flat_map(|i| &i.spec.connections);
        variables.filter_map(|v| Some(self.variable(integration, v).connection()?.name().to_string())).collect()
    }

    /// The first `most` integrations that are bound to a connection, and how many there are.
    pub(super) fn users(&self, connection: &Connection, most: usize) -> (Vec<String>, usize) {
        let key = &connection.spec.stable_key;
        let kin = self.kin(key);
        if kin.len() == 1 {
            // Nothing replaces anything here: whoever names the key means the connection.
            return (self.index.integrations(key).take(most).cloned().collect(), self.index.integrations_len(key));
        }
        let named: BTreeSet<&String> = kin.iter().flat_map(|key| self.index.integrations(key)).collect();
        let mut users: Vec<String> =
            named.into_iter().filter(|i| self.bound_by(i).contains(connection.name())).cloned().collect();
        let count = users.len();
        users.truncate(most);
        (users, count)
    }

    /// How many customers have credentials for a connection.
    pub(super) fn customers(&self, connection: &Connection) -> usize {
        let kin = self.kin(&connection.spec.stable_key);
        if kin.len() == 1 {
            return self.index.customers(&connection.spec.stable_key).map_or(0, |customers| customers.len());
        }
        let mut customers = BTreeSet::new();
        for key in &kin {
            // What no sync wrote means the same, whose ever it is: of many customers it is asked once.
            let meant = self.meant_by(key).connection().is_some_and(|c| c.name() == connection.name());
            let is_for = |credentials: &String| {
                let id = ObjectId::new(Kind::CustomerCredentials, credentials.as_str());
                if self.inventory.records.contains_key(&id) { self.is_for(credentials, connection) } else { meant }
            };
            let named = self.index.customers(key).into_iter().flatten();
            customers.extend(named.filter(|(_, all)| all.iter().any(is_for)).map(|(customer, _)| customer));
        }
        customers.len()
    }

    /// The credentials of one customer for a connection.
    pub(super) fn credentials_of(&self, customer: &str, connection: &Connection) -> BTreeSet<String> {
        let kin = self.kin(&connection.spec.stable_key);
        let named = kin.iter().filter_map(|key| self.index.customers(key)?.get(customer)).flatten();
        named.filter(|credentials| self.is_for(credentials, connection)).cloned().collect()
    }

    fn is_for(&self, credentials: &str, connection: &Connection) -> bool {
        self.customer_of(credentials).is_some_and(|r| r.connection().is_some_and(|c| c.name() == connection.name()))
    }
}
