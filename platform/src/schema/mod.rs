//! The schema, as far as official clients prove it.

mod component;
mod connection;
mod context;
mod customer;
mod filter;
mod inputs;
mod instance;
mod integration;
mod lists;
mod mutation;
mod order;
mod payloads;
mod query;
mod scalars;
mod user;
mod workflow;

pub use context::{Context, Tenancy};

use juniper::{EmptySubscription, RootNode};

/// Names of the root types.
pub const QUERY: &str = "RootQuery";
pub const MUTATION: &str = "RootMutation";

pub type Schema = RootNode<query::Query, mutation::Mutation, EmptySubscription<Context>>;

/// Builds the schema. Its limits are those of a server that takes long documents.
pub fn schema() -> Schema {
    Schema::new(query::Query, mutation::Mutation, EmptySubscription::new())
        .limit_tokens(1_000_000)
        .limit_fields(1_000_000)
}

/// Returns the schema in the schema definition language, for other checks of documents.
pub fn sdl() -> String {
    schema().as_sdl()
}

/// What the server says where there is no such record.
const NOT_FOUND: &str = "Record not found";
