//! The content of the fake platform: one organization on one stack. It assigns every id.

mod connection;
mod integration;

pub use connection::{Component, Connection, ConnectionType, Credential, Customer, Expression, InputField, Redirect};
pub use integration::{Instance, Integration, Use, Version, Workflow};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fmt::Write as _;

/// An organization with everything in it.
#[derive(Clone, Default)]
pub struct Store {
    pub organization: String,
    pub tenant_id: String,
    /// The origin of the stack.
    pub url: String,
    pub components: Vec<Component>,
    pub connections: Vec<Connection>,
    pub credentials: Vec<Credential>,
    pub customers: Vec<Customer>,
    pub integrations: Vec<Integration>,
    pub instances: Vec<Instance>,
    pub workflows: Vec<Workflow>,
    /// Counts objects.
    counter: u64,
    /// Seconds since the beginning: it advances with each write.
    clock: u64,
}

impl Store {
    /// Creates an empty organization.
    pub fn new(organization: &str, tenant_id: &str) -> Self {
        Store {
            organization: organization.into(),
            tenant_id: tenant_id.into(),
            url: "https://platform.example.invalid".into(),
            ..Store::default()
        }
    }

    /// Returns a new id of this type: base64 of `Type:uuid`, as the platform has them.
    pub fn id(&mut self, kind: &str) -> String {
        self.counter += 1;
        self.derived_id(kind, &self.counter.to_string())
    }

    /// Returns the id of something that is part of another object, the same for the same seed.
    pub fn derived_id(&self, kind: &str, seed: &str) -> String {
        let hash = Sha256::digest(format!("{}\n{kind}\n{seed}", self.tenant_id));
        let mut uuid = String::new();
        for (at, byte) in hash.iter().take(16).enumerate() {
            if matches!(at, 4 | 6 | 8 | 10) {
                uuid.push('-');
            }
            let byte = match at {
                6 => byte & 0x0f | 0x40,
                8 => byte & 0x3f | 0x80,
                _ => *byte,
            };
            // Writing to a string cannot fail.
            let _ = write!(uuid, "{byte:02x}");
        }
        STANDARD.encode(format!("{kind}:{uuid}"))
    }

    /// Advances the clock, and returns the time of a write.
    pub fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    /// Finds the newest version of a component.
    pub fn component(&self, key: &str, public: bool) -> Option<&Component> {
        self.components.iter().filter(|c| c.key == key && c.public == public).max_by_key(|c| c.version)
    }

    /// Finds a connection type and its component by the type's id.
    pub fn connection_type(&self, id: &str) -> Option<(&Component, &ConnectionType)> {
        self.components.iter().find_map(|c| Some((c, c.connections.iter().find(|t| t.id == id)?)))
    }

    /// Finds the type of a connection.
    pub fn type_of(&self, connection: &Connection) -> Option<&ConnectionType> {
        self.connection_type(connection.connection.as_deref()?).map(|(_, kind)| kind)
    }

    pub fn connection(&self, id: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.id == id)
    }

    pub fn connection_mut(&mut self, id: &str) -> Option<&mut Connection> {
        self.connections.iter_mut().find(|connection| connection.id == id)
    }

    /// Finds the connection that an integration of this customer, or of none, binds by a stable key.
    pub fn bound(&self, stable_key: &str, customer: Option<&str>) -> Option<&Connection> {
        let roots = || self.connections.iter().filter(|c| c.stable_key == stable_key && c.parent.is_none());
        let own = customer.and_then(|customer| roots().find(|c| c.customer.as_deref() == Some(customer)));
        own.or_else(|| roots().find(|c| c.customer.is_none()))
    }

    pub fn credential(&self, id: &str) -> Option<&Credential> {
        self.credentials.iter().find(|credential| credential.id == id)
    }

    pub fn customer(&self, id: &str) -> Option<&Customer> {
        self.customers.iter().find(|customer| customer.id == id)
    }

    pub fn integration(&self, id: &str) -> Option<&Integration> {
        self.integrations.iter().find(|integration| integration.id == id)
    }

    pub fn integration_mut(&mut self, id: &str) -> Option<&mut Integration> {
        self.integrations.iter_mut().find(|integration| integration.id == id)
    }

    /// Finds an integration by its id, or by the id of one of its versions, with that version's number.
    pub fn integration_or_version(&self, id: &str) -> Option<(&Integration, Option<i32>)> {
        self.integrations.iter().find_map(|integration| {
            if integration.id == id {
                return Some((integration, None));
            }
            let version = integration.versions.iter().find(|version| version.id == id)?;
            Some((integration, Some(version.number)))
        })
    }

    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.iter().find(|instance| instance.id == id)
    }

    pub fn workflow(&self, id: &str) -> Option<&Workflow> {
        self.workflows.iter().find(|workflow| workflow.id == id)
    }

    /// The integrations whose draft or a version binds this connection.
    pub fn integrations_using(&self, connection: &Connection) -> impl Iterator<Item = &Integration> {
        self.integrations.iter().filter(|integration| {
            integration.names(&connection.stable_key)
                && self
                    .bound(&connection.stable_key, integration.customer.as_deref())
                    .is_some_and(|c| c.id == connection.id)
        })
    }

    /// The instances of customers that use this connection.
    pub fn instances_using(&self, connection: &str) -> impl Iterator<Item = &Instance> {
        let uses = move |instance: &&Instance| instance.uses.values().any(|used| used.connection == connection);
        self.instances.iter().filter(|instance| !instance.is_system).filter(uses)
    }

    /// The workflows that name this connection, or credentials of it.
    pub fn workflows_using(&self, connection: &Connection) -> impl Iterator<Item = &Workflow> {
        self.workflows.iter().filter(|workflow| {
            let names = |text: &str| workflow.definition.names(text);
            let credentials = || self.credentials.iter().filter(|c| c.connection == connection.id);
            (names(&connection.stable_key) && connection.parent.is_none())
                || names(&connection.id)
                || credentials().any(|credential| names(&credential.id))
        })
    }

    /// Whether an instance, a version of an integration or a workflow uses this connection.
    pub fn is_in_use(&self, connection: &Connection) -> bool {
        self.integrations_using(connection).next().is_some()
            || self.instances_using(&connection.id).next().is_some()
            || self.workflows_using(connection).next().is_some()
    }
}

/// Counts only: the content holds secrets.
impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("organization", &self.organization)
            .field("connections", &self.connections.len())
            .field("integrations", &self.integrations.len())
            .finish_non_exhaustive()
    }
}
