//! Scalars of the API that GraphQL does not have.

use crate::time::rfc3339;
use juniper::GraphQLScalar;

/// JSON as a string.
#[derive(Clone, Debug, GraphQLScalar)]
#[graphql(name = "JSONString", transparent)]
pub struct JsonString(pub String);

/// A time in RFC 3339.
#[derive(Clone, Debug, GraphQLScalar)]
#[graphql(name = "DateTime", transparent)]
pub struct DateTime(pub String);

impl DateTime {
    /// So many seconds after the beginning of the fake's time.
    pub fn at(seconds: u64) -> Self {
        DateTime(rfc3339(seconds))
    }
}
