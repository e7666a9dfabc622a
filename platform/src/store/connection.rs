//! Components and connections, with the credentials of customers.

use crate::kinds::{FieldType, ManagedBy, Oauth2, Scope, Status, TreeLocation};
use std::fmt;

/// One version of a component.
#[derive(Clone, Debug, Default)]
pub struct Component {
    pub id: String,
    pub key: String,
    pub public: bool,
    pub label: String,
    pub description: Option<String>,
    pub category: Option<String>,
    pub version: i32,
    pub connections: Vec<ConnectionType>,
    pub created: u64,
}

impl Component {
    /// A component of the platform, in version 1.
    pub fn public(key: &str, label: &str) -> Self {
        Component { key: key.into(), label: label.into(), public: true, version: 1, ..Component::default() }
    }

    /// A component of the organization's own, in version 1.
    pub fn private(key: &str, label: &str) -> Self {
        Component { public: false, ..Component::public(key, label) }
    }

    #[must_use]
    pub fn version(mut self, version: i32) -> Self {
        self.version = version;
        self
    }

    #[must_use]
    pub fn connection(mut self, kind: ConnectionType) -> Self {
        self.connections.push(kind);
        self
    }
}

/// A type of connection that a component has.
#[derive(Clone, Debug, Default)]
pub struct ConnectionType {
    pub id: String,
    pub key: String,
    pub label: String,
    pub comments: Option<String>,
    pub oauth2: Option<Oauth2>,
    pub inputs: Vec<InputField>,
}

impl ConnectionType {
    pub fn new(key: &str, label: &str) -> Self {
        ConnectionType { key: key.into(), label: label.into(), ..ConnectionType::default() }
    }

    /// The authorization code grant, with its five inputs.
    pub fn authorization_code(key: &str, label: &str) -> Self {
        let kind = ConnectionType { oauth2: Some(Oauth2::AuthorizationCode), ..ConnectionType::new(key, label) };
        kind.input("authorizeUrl").input("tokenUrl").optional("scopes").input("clientId").secret("clientSecret")
    }

    /// The client credentials grant, with its four inputs.
    pub fn client_credentials(key: &str, label: &str) -> Self {
        let kind = ConnectionType { oauth2: Some(Oauth2::ClientCredentials), ..ConnectionType::new(key, label) };
        kind.input("tokenUrl").optional("scopes").input("clientId").secret("clientSecret")
    }

    /// Adds a required text.
    #[must_use]
    pub fn input(self, key: &str) -> Self {
        self.field_of(key, FieldType::String, true)
    }

    /// Adds a text that may be empty.
    #[must_use]
    pub fn optional(self, key: &str) -> Self {
        self.field_of(key, FieldType::String, false)
    }

    /// Adds a required password.
    #[must_use]
    pub fn secret(self, key: &str) -> Self {
        self.field_of(key, FieldType::Password, true)
    }

    fn field_of(mut self, key: &str, kind: FieldType, required: bool) -> Self {
        let label = words(key);
        self.inputs.push(InputField { key: key.into(), label, kind, required, ..InputField::default() });
        self
    }

    pub fn field(&self, key: &str) -> Option<&InputField> {
        self.inputs.iter().find(|field| field.key == key)
    }

    /// Whether a person must sign in before a connection of this type works.
    pub fn needs_consent(&self) -> bool {
        self.oauth2 == Some(Oauth2::AuthorizationCode)
    }
}

/// Turns a key into a label: `clientId` into `Client Id`.
fn words(key: &str) -> String {
    let mut label = String::new();
    for (at, letter) in key.chars().enumerate() {
        match (at, letter.is_uppercase()) {
            (0, _) => label.extend(letter.to_uppercase()),
            (_, true) => label.extend([' ', letter]),
            (_, false) => label.push(letter),
        }
    }
    label
}

/// A field of a connection type.
#[derive(Clone, Debug, Default)]
pub struct InputField {
    pub key: String,
    pub label: String,
    pub kind: FieldType,
    pub required: bool,
    pub default: Option<String>,
    pub comments: Option<String>,
}

/// A reusable connection.
#[derive(Clone, Default)]
pub struct Connection {
    pub id: String,
    pub key: String,
    pub stable_key: String,
    pub description: Option<String>,
    pub managed_by: ManagedBy,
    pub scope: Scope,
    pub status: Option<Status>,
    /// The connection type, by id.
    pub connection: Option<String>,
    /// The customer that it belongs to, by id.
    pub customer: Option<String>,
    /// The container of a leaf, by id.
    pub parent: Option<String>,
    pub inputs: Vec<Expression>,
    pub default_for_component: bool,
    /// Whether the user's role may not change it, and may not remove it.
    pub is_locked: bool,
    pub is_kept: bool,
    pub build_only: bool,
    pub redirect: Redirect,
    pub created: u64,
    pub updated: u64,
    pub configured: Option<u64>,
    pub last_refresh: Option<u64>,
    /// When the login is renewed next, as the client wrote it.
    pub refresh_at: Option<String>,
    /// Context of the login: JSON.
    pub context: Option<String>,
}

/// The context of a login may be a secret: no value is printed.
impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("id", &self.id)
            .field("stable_key", &self.stable_key)
            .field("status", &self.status)
            .field("inputs", &self.inputs)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub fn location(&self) -> TreeLocation {
        if self.parent.is_some() { TreeLocation::Leaf } else { TreeLocation::Root }
    }

    /// Ends the login. The connection waits for a new one.
    pub fn disconnect(&mut self) {
        self.status = Some(Status::Pending);
        self.last_refresh = None;
        self.refresh_at = None;
        self.context = None;
    }
}

/// Where an OAuth login returns to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redirect {
    pub success: Option<String>,
    pub failure: Option<String>,
}

/// A value of an input.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Expression {
    pub name: String,
    pub kind: Option<String>,
    pub value: Option<String>,
    /// JSON: who manages the value, and where it applies.
    pub meta: Option<String>,
}

impl Expression {
    /// A value without meta.
    pub fn new(name: &str, value: &str) -> Self {
        Expression { name: name.into(), kind: Some("value".into()), value: Some(value.into()), meta: None }
    }

    pub fn has_value(&self) -> bool {
        self.value.as_deref().is_some_and(|value| !value.is_empty())
    }
}

/// The value may be a secret: it is never printed.
impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expression")
            .field("name", &self.name)
            .field("has_value", &self.has_value())
            .finish_non_exhaustive()
    }
}

/// Credentials of a customer, or those for tests, for a connection.
#[derive(Clone, Debug, Default)]
pub struct Credential {
    pub id: String,
    /// Tells several credentials of one customer apart.
    pub key: Option<String>,
    /// The connection, by id.
    pub connection: String,
    pub customer: Option<String>,
    pub is_test: bool,
    pub status: Option<Status>,
    pub inputs: Vec<Expression>,
    pub created: u64,
    pub updated: u64,
    pub configured: Option<u64>,
    pub last_refresh: Option<u64>,
}

impl Credential {
    /// Ends the login. The credentials wait for a new one.
    pub fn disconnect(&mut self) {
        self.status = Some(Status::Pending);
        self.last_refresh = None;
    }
}

/// A customer of the organization.
#[derive(Clone, Debug, Default)]
pub struct Customer {
    pub id: String,
    pub name: String,
    pub external_id: Option<String>,
    pub description: Option<String>,
    pub created: u64,
}
