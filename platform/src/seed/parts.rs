//! Connections and credentials of a seed.

use super::{SeedError, connection_id, customer_id, switches};
use crate::kinds::{ManagedBy, Scope, Status};
use crate::operations::{connection, credential};
use crate::store::{Expression, Store};

/// A reusable connection to be made.
#[derive(Clone, Debug)]
pub struct ConnectionSeed {
    new: connection::Create,
    /// Component and connection type: `slack/oauth2`.
    kind: String,
    managed_by: ManagedBy,
    customer: Option<String>,
    container: Option<String>,
    status: Option<Status>,
    default_for_component: bool,
}

impl ConnectionSeed {
    fn new(stable_key: &str, kind: &str, managed_by: ManagedBy, scope: Scope) -> Self {
        ConnectionSeed {
            new: connection::Create {
                key: stable_key.into(),
                stable_key: stable_key.into(),
                variable_scope: scope.lower().into(),
                managed_by: Some(managed_by.lower().into()),
                build_only: managed_by == ManagedBy::System,
                ..connection::Create::default()
            },
            kind: kind.into(),
            managed_by,
            customer: None,
            container: None,
            status: None,
            default_for_component: false,
        }
    }

    /// A connection with credentials that each customer supplies. `kind`: component and connection type, as
    /// `slack/oauth2`; a public component goes before a private one.
    pub fn customer(stable_key: &str, kind: &str) -> Self {
        ConnectionSeed::new(stable_key, kind, ManagedBy::Customer, Scope::Customer)
    }

    /// A connection with credentials that the organization supplies for each customer.
    pub fn organization_customer(stable_key: &str, kind: &str) -> Self {
        ConnectionSeed::new(stable_key, kind, ManagedBy::Org, Scope::Customer)
    }

    /// A connection with one set of credentials for all customers.
    pub fn organization_global(stable_key: &str, kind: &str) -> Self {
        ConnectionSeed::new(stable_key, kind, ManagedBy::Org, Scope::Org)
    }

    /// A connection with a login of each user: the container, unless it is a leaf.
    pub fn user(stable_key: &str, kind: &str) -> Self {
        ConnectionSeed::new(stable_key, kind, ManagedBy::Org, Scope::User)
    }

    /// The platform's own connection, which runs in tests only.
    pub fn build_only(stable_key: &str, kind: &str) -> Self {
        ConnectionSeed::new(stable_key, kind, ManagedBy::System, Scope::Org)
    }

    /// Sets the display name. Without one it is the stable key.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.new.key = key.into();
        self
    }

    #[must_use]
    pub fn description(mut self, text: &str) -> Self {
        self.new.description = Some(text.into());
        self
    }

    /// Adds a value that holds for all customers. Only connections for customers say so in `meta`.
    #[must_use]
    pub fn input(mut self, name: &str, value: &str) -> Self {
        let is_global = self.new.variable_scope == Scope::Org.lower();
        let meta = (!is_global).then(|| r#"{"managedBy":"org","inputScope":"org"}"#.to_string());
        self.new.inputs.push(Expression { meta, ..Expression::new(name, value) });
        self
    }

    /// Adds an input whose value each customer has by itself.
    #[must_use]
    pub fn customer_input(mut self, name: &str) -> Self {
        let meta = format!(r#"{{"managedBy":"{}","inputScope":"customer"}}"#, self.managed_by.lower());
        self.new.inputs.push(Expression { meta: Some(meta), ..Expression::new(name, "") });
        self
    }

    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    /// Makes it the connection of one customer, by name.
    #[must_use]
    pub fn owned_by(mut self, customer: &str) -> Self {
        self.customer = Some(customer.into());
        self
    }

    /// Makes it a leaf of a user connection, by that one's stable key.
    #[must_use]
    pub fn leaf_of(mut self, container: &str) -> Self {
        self.container = Some(container.into());
        self
    }

    #[must_use]
    pub fn default_for_component(mut self) -> Self {
        self.default_for_component = true;
        self
    }

    pub(super) fn stable_key(&self) -> &str {
        &self.new.stable_key
    }

    pub(super) fn add(self, store: &mut Store) -> Result<(), SeedError> {
        let mut new = self.new;
        new.connection = Some(kind_id(store, &self.kind)?);
        new.customer = self.customer.map(|name| customer_id(store, &name)).transpose()?;
        new.parent = self.container.map(|key| connection_id(store, &key)).transpose()?;
        let id = connection::create(store, &switches(), new)?;
        let now = store.tick();
        if let Some(made) = store.connection_mut(&id) {
            made.status = self.status.or(made.status);
            made.last_refresh = (self.status == Some(Status::Active)).then_some(now);
            made.default_for_component = self.default_for_component;
        }
        Ok(())
    }
}

fn kind_id(store: &Store, kind: &str) -> Result<String, SeedError> {
    let found = kind.split_once('/').and_then(|(component, key)| {
        let of = |public| store.component(component, public)?.connections.iter().find(|kind| kind.key == key);
        of(true).or_else(|| of(false))
    });
    Ok(found.ok_or_else(|| SeedError(format!("no connection type {kind}")))?.id.clone())
}

/// Credentials for a connection to be made.
#[derive(Clone, Debug)]
pub struct CredentialSeed {
    stable_key: String,
    customer: Option<String>,
    new: credential::Create,
    status: Option<Status>,
}

impl CredentialSeed {
    /// Credentials of a customer, by name.
    pub fn of(customer: &str, stable_key: &str) -> Self {
        CredentialSeed {
            stable_key: stable_key.into(),
            customer: Some(customer.into()),
            new: credential::Create::default(),
            status: None,
        }
    }

    /// Credentials for tests.
    pub fn test(stable_key: &str) -> Self {
        CredentialSeed {
            stable_key: stable_key.into(),
            customer: None,
            new: credential::Create { is_test: true, ..credential::Create::default() },
            status: None,
        }
    }

    /// Names one of several sets of credentials of a customer.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.new.key = Some(key.into());
        self
    }

    #[must_use]
    pub fn input(mut self, name: &str, value: &str) -> Self {
        self.new.inputs.push(Expression::new(name, value));
        self
    }

    #[must_use]
    pub fn status(mut self, status: Status) -> Self {
        self.status = Some(status);
        self
    }

    pub(super) fn stable_key(&self) -> &str {
        &self.stable_key
    }

    pub(super) fn add(self, store: &mut Store) -> Result<(), SeedError> {
        let mut new = self.new;
        new.connection = connection_id(store, &self.stable_key)?;
        new.customer = self.customer.map(|name| customer_id(store, &name)).transpose()?;
        let id = credential::create(store, new)?;
        let now = store.tick();
        if let Some(made) = store.credentials.iter_mut().find(|credential| credential.id == id) {
            made.status = self.status.or(made.status);
            made.last_refresh = (self.status == Some(Status::Active)).then_some(now);
        }
        Ok(())
    }
}
