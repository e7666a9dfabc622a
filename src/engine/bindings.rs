//! All bindings of a tenant, and the users of each connection.

use super::model::inventory::Inventory;
use super::model::plan::{AffectedIntegration, Impact};
use super::resolve::{Replacements, Resolution, resolve_credentials, resolve_variable};
use crate::api::*;
use crate::parallel;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// A variable of an integration and what it resolves to.
#[derive(Debug)]
pub struct BindingOf<'a> {
    /// The name of the integration.
    pub integration: &'a str,
    pub variable: &'a Variable,
    /// The connection that the variable resolves to.
    pub resolution: Resolution,
}

/// All bindings of a tenant.
#[derive(Debug)]
pub struct Bindings<'a> {
    /// The bindings, sorted by integration and variable.
    pub rows: Vec<BindingOf<'a>>,
    inventory: &'a Inventory,
    /// The address of each bound connection with a position in `rows`; sorted.
    users: Vec<(usize, usize)>,
    /// Names of customer credentials, by the name of their connection.
    customers: HashMap<String, Vec<&'a str>>,
}

impl<'a> Bindings<'a> {
    /// Resolves all variables of a tenant.
    pub fn of(tenant: &str, inventory: &'a Inventory, replacements: &Replacements) -> Self {
        let integrations: Vec<_> = inventory.integrations.iter().collect();
        let rows = parallel::map(inventory.len(), &integrations, |(name, integration)| {
            let row = |variable: &'a Variable| {
                let resolution = resolve_variable(tenant, name, variable, inventory, replacements);
                BindingOf { integration: name, variable, resolution }
            };
            integration.spec.connections.iter().map(row).collect::<Vec<_>>()
        });
        let mut of_all: Vec<BindingOf<'_>> = Vec::with_capacity(rows.iter().map(Vec::len).sum());
        of_all.extend(rows.into_iter().flatten());
        let rows = of_all;
        let mut users: Vec<(usize, usize)> = Vec::with_capacity(rows.len());
        let bound = rows.iter().enumerate().filter_map(|(at, row)| Some((address(row.resolution.connection()?), at)));
        users.extend(bound);
        users.sort_unstable();
        let mut bindings = Bindings { rows, inventory, users, customers: HashMap::new() };
        for (name, credentials) in &inventory.customer_credentials {
            if let Some(connection) = resolve_credentials(tenant, credentials, inventory, replacements).connection() {
                bindings.customers.entry(connection.name().to_string()).or_default().push(name);
            }
        }
        bindings
    }

    /// The bindings to a connection, by its name.
    pub fn users(&self, connection: &str) -> impl Iterator<Item = &BindingOf<'a>> {
        let address = self.inventory.connections.get(connection).map(address);
        let from = self.users.partition_point(|(other, _)| Some(*other) < address);
        let of_it = self.users[from..].iter().take_while(move |(other, _)| Some(*other) == address);
        of_it.filter_map(|(_, at)| self.rows.get(*at))
    }

    /// The customer credentials for a connection, by its name.
    pub fn customers(&self, connection: &str) -> &[&'a str] {
        self.customers.get(connection).map_or(&[], Vec::as_slice)
    }

    /// The integrations and customers that a change of a connection affects.
    pub fn impact(&self, connection: &str, inventory: &Inventory) -> Impact {
        let integrations: BTreeSet<&str> = self.users(connection).map(|row| row.integration).collect();
        let affected = integrations.into_iter().map(|name| {
            let variables: Vec<&str> = self
                .users(connection)
                .filter(|row| row.integration == name)
                .map(|row| row.variable.name.as_str())
                .collect();
            affected(name, inventory.uses.get(name).map(AsRef::as_ref), |v| variables.contains(&v))
        });
        // A customer may have several sets.
        let credentials =
            self.customers(connection).iter().filter_map(|name| inventory.customer_credentials.get(*name));
        let customers: BTreeSet<&str> = credentials.map(|c| c.spec.customer.as_str()).collect();
        let facts = inventory.facts.get(connection);
        let told = facts.and_then(|facts| facts.customers).unwrap_or_default();
        let key = inventory.connections.get(connection).map(|c| c.spec.stable_key.as_str());
        let uses_it = |(_, keys): &(&String, &BTreeSet<String>)| key.is_some_and(|key| keys.contains(key));
        Impact {
            integrations: affected.collect(),
            customers: customers.len().max(told),
            workflows: inventory.workflows.iter().filter(uses_it).map(|(name, _)| name.clone()).collect(),
            instances: facts.and_then(|facts| facts.instances),
            redeploys: false,
        }
    }
}

/// The identity of a bound connection: its address in the inventory.
fn address(connection: &Arc<Object<ConnectionSpec>>) -> usize {
    Arc::as_ptr(connection).addr()
}

/// An integration with the flows and steps that use the given variables.
pub fn affected(name: &str, uses: Option<&Uses>, concerns: impl Fn(&str) -> bool) -> AffectedIntegration {
    let mut flows = BTreeSet::new();
    let mut steps = 0;
    let using = uses.into_iter().flat_map(|u| &u.variables).filter(|(v, _)| concerns(v)).flat_map(|(_, uses)| uses);
    for use_ in using {
        steps += 1;
        if let User::Step { flow, .. } = &use_.by {
            flows.insert(flow.as_str());
        }
    }
    AffectedIntegration { name: name.to_string(), flows: flows.len(), steps }
}
