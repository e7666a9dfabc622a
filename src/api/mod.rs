//! The custom resources: what people write, what a cluster keeps. A file a kind.
//!
//! The same types read files and clusters. They depend on nothing else of this crate.

mod component;
mod condition;
mod connection;
mod crds;
mod customer_credentials;
mod definition;
mod integration;
mod kind;
pub mod names;
mod object;
pub mod rules;
pub mod sensitive;
mod tenant;
mod tenant_sync;
mod union;

pub use component::*;
pub use condition::Condition;
pub use connection::*;
pub use crds::{crd, crd_yaml};
pub use customer_credentials::*;
pub use definition::*;
pub use integration::*;
pub use kind::Kind;
pub use object::{Meta, Object, Resource};
pub use tenant::*;
pub use tenant_sync::*;

/// The API group of every resource of ours.
pub const GROUP: &str = "stablekey.dev";
/// The version of every resource of ours.
pub const VERSION: &str = "v1alpha1";
/// What stands in `apiVersion` of every document of ours.
pub const API_VERSION: &str = "stablekey.dev/v1alpha1";
/// Annotation: the record of what we wrote to the object, as JSON.
pub const WROTE: &str = "stablekey.dev/wrote";
/// Annotation on a Connection: `"true"` lets it be deleted while it is in use.
pub const ALLOW_DELETE: &str = "stablekey.dev/allow-delete";
/// Annotation on a TenantSync: the digests that a person approved, comma-separated.
pub const APPROVE: &str = "stablekey.dev/approve";
