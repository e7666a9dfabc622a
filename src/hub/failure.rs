//! Why a hub was not read or changed.

use crate::tenant::location::LocationError;

/// Why a hub was not read or changed, in words for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubFailure {
    /// The reason.
    pub message: String,
    /// What to do; commands to copy stand on lines of their own.
    pub help: String,
    /// The Role that grants what is missing, as YAML.
    pub role: Option<String>,
}

impl HubFailure {
    /// A failure that no Role helps.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        HubFailure { message: message.into(), help: help.into(), role: None }
    }

    /// The failure to read a hub.
    pub fn unread(error: &LocationError) -> Self {
        HubFailure {
            role: error.role().map(str::to_string),
            ..HubFailure::new(
                format!("the hub cannot be read: {error}"),
                "check --context and --namespace, and sign in there",
            )
        }
    }

    /// The same, where this Role grants what is missing.
    pub(super) fn granted_by(self, role: &str) -> Self {
        HubFailure { role: Some(role.to_string()), ..self }
    }
}
