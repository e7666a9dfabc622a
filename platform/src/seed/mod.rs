//! Organizations to start from, in short words.

mod every_kind;
mod large;
mod parts;

pub use every_kind::{Region, every_kind};
pub use large::large;
pub use parts::{ConnectionSeed, CredentialSeed};

use crate::operations::{Refusal, integration};
use crate::store::{Component, Customer, Store};
use crate::switches::Switches;
use std::fmt;

/// A seed that names something which is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedError(String);

impl fmt::Display for SeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SeedError {}

impl From<Refusal> for SeedError {
    fn from(refusal: Refusal) -> Self {
        SeedError(match refusal {
            Refusal::NotFound => "something it names is not there".into(),
            Refusal::Denied => "this may not be changed".into(),
            Refusal::Invalid(problems) => {
                let messages: Vec<String> = problems.into_iter().flat_map(|problem| problem.messages).collect();
                messages.join("; ")
            }
        })
    }
}

/// An organization that is being built. Components come first, then customers and connections, then what uses them.
#[derive(Debug)]
pub struct Organization {
    store: Store,
    /// The first thing that went wrong.
    failed: Option<SeedError>,
}

impl Organization {
    pub fn new(name: &str, tenant_id: &str) -> Self {
        Organization { store: Store::new(name, tenant_id), failed: None }
    }

    /// Adds a component, or another version of one.
    #[must_use]
    pub fn component(mut self, mut component: Component) -> Self {
        component.id = self.store.id("Component");
        component.created = self.store.tick();
        for kind in &mut component.connections {
            kind.id = self.store.id("Connection");
        }
        self.store.components.push(component);
        self
    }

    #[must_use]
    pub fn customer(mut self, name: &str, external_id: Option<&str>) -> Self {
        let (id, created) = (self.store.id("Customer"), self.store.tick());
        let external_id = external_id.map(str::to_string);
        self.store.customers.push(Customer { id, name: name.into(), external_id, description: None, created });
        self
    }

    #[must_use]
    pub fn connection(self, connection: ConnectionSeed) -> Self {
        let what = format!("connection {}", connection.stable_key());
        self.tried(&what, |store| connection.add(store))
    }

    #[must_use]
    pub fn credential(self, credential: CredentialSeed) -> Self {
        let what = format!("credentials of {}", credential.stable_key());
        self.tried(&what, |store| credential.add(store))
    }

    /// Imports a definition as a new integration. It stays a draft.
    #[must_use]
    pub fn integration(self, definition: &str) -> Self {
        self.tried("integration", |store| import(store, definition, None, None))
    }

    /// Imports a definition as a new integration of a customer.
    #[must_use]
    pub fn integration_of(self, customer: &str, definition: &str) -> Self {
        self.tried("integration", |store| {
            let customer = customer_id(store, customer)?;
            import(store, definition, None, Some(customer))
        })
    }

    /// Imports a definition as the draft of an integration, by its name.
    #[must_use]
    pub fn draft(self, integration: &str, definition: &str) -> Self {
        self.tried(integration, |store| {
            let id = integration_id(store, integration)?;
            import(store, definition, Some(id), None)
        })
    }

    /// Publishes the draft of an integration, by its name.
    #[must_use]
    pub fn publish(self, integration: &str, comment: &str) -> Self {
        self.tried(integration, |store| {
            let id = integration_id(store, integration)?;
            integration::publish(store, &id, Some(comment.into()), None)?;
            Ok(())
        })
    }

    /// Deploys a version of an integration for a customer, both by name.
    #[must_use]
    pub fn instance(self, name: &str, integration: &str, version: i32, customer: &str) -> Self {
        self.instance_with(name, integration, version, customer, &[])
    }

    /// Deploys a version with chosen credentials: the stable key of the connection, and the key of the credentials.
    #[must_use]
    pub fn instance_with(
        self,
        name: &str,
        integration: &str,
        version: i32,
        customer: &str,
        credentials: &[(&str, &str)],
    ) -> Self {
        self.tried(name, |store| {
            let (integration, customer) = (integration_id(store, integration)?, customer_id(store, customer)?);
            let find = |(stable_key, key): &(&str, &str)| {
                let connection = connection_id(store, stable_key)?;
                let found = store.credentials.iter().find(|c| {
                    c.connection == connection
                        && c.customer.as_ref() == Some(&customer)
                        && c.key.as_deref() == Some(key)
                });
                let id = found.ok_or_else(|| SeedError(format!("no credentials {key}")))?.id.clone();
                Ok(((*stable_key).to_string(), id))
            };
            let credentials = credentials.iter().map(find).collect::<Result<Vec<_>, SeedError>>()?;
            integration::create_instance(store, name, &integration, version, &customer, &credentials)?;
            Ok(())
        })
    }

    /// Disables an instance, by its name.
    #[must_use]
    pub fn disable(self, instance: &str) -> Self {
        self.tried(instance, |store| {
            let found = store.instances.iter_mut().find(|i| i.name == instance);
            found.ok_or_else(|| SeedError("no such instance".into()))?.enabled = false;
            Ok(())
        })
    }

    #[must_use]
    pub fn workflow(self, definition: &str) -> Self {
        self.tried("workflow", |store| {
            integration::create_workflow(store, definition, None)?;
            Ok(())
        })
    }

    /// Changes the content directly.
    #[must_use]
    pub fn change(mut self, change: impl FnOnce(&mut Store)) -> Self {
        change(&mut self.store);
        self
    }

    /// Returns the content, or the first thing that went wrong.
    pub fn store(self) -> Result<Store, SeedError> {
        match self.failed {
            Some(error) => Err(error),
            None => Ok(self.store),
        }
    }

    fn tried(mut self, what: &str, step: impl FnOnce(&mut Store) -> Result<(), SeedError>) -> Self {
        if self.failed.is_none() {
            let done = step(&mut self.store);
            self.failed = done.err().map(|SeedError(error)| SeedError(format!("{what}: {error}")));
        }
        self
    }
}

/// The positions in which seeds are made: every stable key is taken, every reference must be there.
fn switches() -> Switches {
    Switches { unique_keys: false, ..Switches::default() }
}

fn import(
    store: &mut Store,
    definition: &str,
    integration: Option<String>,
    customer: Option<String>,
) -> Result<(), SeedError> {
    let request = integration::Import { definition: definition.into(), integration, customer, replace: false };
    integration::import(store, &switches(), request)?;
    Ok(())
}

fn customer_id(store: &Store, name: &str) -> Result<String, SeedError> {
    let found = store.customers.iter().find(|customer| customer.name == name);
    Ok(found.ok_or_else(|| SeedError(format!("no customer {name}")))?.id.clone())
}

fn integration_id(store: &Store, name: &str) -> Result<String, SeedError> {
    let found = store.integrations.iter().find(|integration| integration.name == name);
    Ok(found.ok_or_else(|| SeedError(format!("no integration {name}")))?.id.clone())
}

/// Finds a connection that is no leaf.
fn connection_id(store: &Store, stable_key: &str) -> Result<String, SeedError> {
    let found = store.connections.iter().find(|c| c.stable_key == stable_key && c.parent.is_none());
    Ok(found.ok_or_else(|| SeedError(format!("no connection {stable_key}")))?.id.clone())
}
