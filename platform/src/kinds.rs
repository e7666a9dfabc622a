//! Enums of the API. Answers carry them in upper case; arguments of mutations are strings in lower case.

use juniper::GraphQLEnum;

/// Declares the lower-case spelling of an enum in arguments.
macro_rules! spelled {
    ($kind:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $kind {
            /// Parses the spelling of an argument: lower case only.
            pub fn parse(text: &str) -> Option<Self> {
                match text {
                    $($text => Some($kind::$variant),)+
                    _ => None,
                }
            }

            /// Returns the spelling of an argument.
            pub fn lower(self) -> &'static str {
                match self {
                    $($kind::$variant => $text,)+
                }
            }
        }
    };
}

/// Who supplies the credentials of a connection.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "ScopedConfigVariableManagedBy")]
pub enum ManagedBy {
    Customer,
    #[default]
    Org,
    /// The platform itself: for build-only connections.
    System,
}

spelled!(ManagedBy { Customer = "customer", Org = "org", System = "system" });

/// Whose credentials a connection holds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "ScopedConfigVariableVariableScope")]
pub enum Scope {
    Customer,
    #[default]
    Org,
    User,
}

spelled!(Scope { Customer = "customer", Org = "org", User = "user" });

/// State of a login or of credentials.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Status {
    Active,
    Error,
    Failed,
    Pending,
}

spelled!(Status { Active = "active", Error = "error", Failed = "failed", Pending = "pending" });

/// Declares one of the API's three equal status enums.
macro_rules! status {
    ($kind:ident, $name:literal) => {
        #[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
        #[graphql(name = $name)]
        pub enum $kind {
            Active,
            // A variant `Error` would be ambiguous in the derived code.
            #[graphql(name = "ERROR")]
            Erroneous,
            Failed,
            Pending,
        }

        impl From<Status> for $kind {
            fn from(status: Status) -> Self {
                match status {
                    Status::Active => $kind::Active,
                    Status::Error => $kind::Erroneous,
                    Status::Failed => $kind::Failed,
                    Status::Pending => $kind::Pending,
                }
            }
        }
    };
}

status!(ConnectionStatus, "ScopedConfigVariableStatus");
status!(CredentialStatus, "CustomerConfigVariableStatus");
status!(InstanceStatus, "InstanceConfigVariableStatus");

/// Position of a user connection in its tree. Every other connection is a root.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum TreeLocation {
    Leaf,
    Root,
}

/// OAuth 2.0 grant of a connection type.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "ConnectionOauth2Type")]
pub enum Oauth2 {
    AuthorizationCode,
    ClientCredentials,
}

/// Type of a field of a connection type.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "InputFieldType")]
pub enum FieldType {
    Boolean,
    Code,
    Conditional,
    Connection,
    Data,
    Date,
    Dynamicfieldselection,
    Dynamicobjectselection,
    Flow,
    Jsonform,
    Objectfieldmap,
    Objectselection,
    /// A secret.
    Password,
    #[default]
    String,
    /// Derived from other inputs.
    Template,
    Text,
    Timestamp,
}

/// Type of a config variable of an integration.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "RequiredConfigVariableDataType")]
pub enum DataType {
    Boolean,
    Code,
    Connection,
    Credential,
    Date,
    Jsonform,
    Number,
    Objectfieldmap,
    Objectselection,
    Picklist,
    Schedule,
    String,
    Timestamp,
}

impl DataType {
    /// Parses the spelling of a definition, in which some types have capitals.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_lowercase().as_str() {
            "boolean" => DataType::Boolean,
            "code" => DataType::Code,
            "connection" => DataType::Connection,
            "credential" => DataType::Credential,
            "date" => DataType::Date,
            "jsonform" => DataType::Jsonform,
            "number" => DataType::Number,
            "objectfieldmap" => DataType::Objectfieldmap,
            "objectselection" => DataType::Objectselection,
            "picklist" => DataType::Picklist,
            "schedule" => DataType::Schedule,
            "string" => DataType::String,
            "timestamp" => DataType::Timestamp,
            _ => return None,
        })
    }
}

/// Whether a connection of a config variable may run on premise.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "RequiredConfigVariableOnPremiseConnectionConfig")]
pub enum OnPremise {
    Allowed,
    Disallowed,
    Required,
}

spelled!(OnPremise { Allowed = "allowed", Disallowed = "disallowed", Required = "required" });

/// Progress of the configuration of an instance.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
#[graphql(name = "InstanceConfigState")]
pub enum ConfigState {
    FullyConfigured,
    NeedsInstanceConfiguration,
    NeedsUserLevelConfiguration,
}

/// Why a version or an instance cannot be enabled.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum EnablementBlocker {
    ReferencesDeletedConnection,
}

/// Format of a definition.
#[derive(Clone, Copy, Debug, Eq, PartialEq, GraphQLEnum)]
pub enum DefinitionType {
    Integration,
    Workflow,
}
