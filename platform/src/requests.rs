//! The log of requests, as the server saw them.

use crate::validation::Outline;
use serde_json::Value;
use std::fmt;

/// A request to the API.
#[derive(Clone, PartialEq)]
pub struct Request {
    pub query: String,
    /// The names of the document's operations.
    pub operations: Vec<String>,
    /// The fields that the document selects of the root.
    pub fields: Vec<String>,
    /// Whether the document has a mutation.
    pub writes: bool,
    pub variables: Value,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `Prismatic-Client` header.
    pub client: Option<String>,
    /// The organization of the access token, if that is valid.
    pub tenant_id: Option<String>,
}

impl Request {
    pub(crate) fn new(query: String, outline: Outline, variables: Value) -> Self {
        Request {
            query,
            operations: outline.operations,
            fields: outline.fields,
            writes: outline.writes,
            variables,
            authorization: None,
            client: None,
            tenant_id: None,
        }
    }
}

/// The token and the variables are secrets, and literals of the document may be: none of them is printed.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("operations", &self.operations)
            .field("fields", &self.fields)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// `/auth/refresh`, `/auth/meta`, `/auth/revoke` or `/oauth/token`.
    pub path: String,
    pub tenant_id: Option<String>,
    pub status: u16,
}
