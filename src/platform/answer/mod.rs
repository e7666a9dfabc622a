//! A tenant as the platform has it: the query that a person runs, the answer, and its conversion to resources. Pure: the
//! platform is never called.

pub(crate) mod document;
pub(crate) mod list;
pub(crate) mod organization;
pub(crate) mod plan;

#[cfg(test)]
pub(crate) mod tests;

pub use document::{Answer, Gap, PlatformError, read_answer};
pub use plan::plan_tenant;

/// The GraphQL query whose answer [`read_answer`] reads.
///
/// Its fields are those of the platform's published types, except for two that no published text shows and that are
/// inferred from similar types: the form of `ScopedConfigVariable.inputs` (a list with nodes; edges and a plain list
/// are read too), and the argument `isTest: false`.
pub const QUERY: &str = include_str!("query.graphql");
