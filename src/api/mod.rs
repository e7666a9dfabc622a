//! The custom resources: what people write, what a cluster keeps. A file a kind.
//!
//! The same types read files and clusters. They depend on nothing else of this crate but `text`.

#![warn(missing_docs)]

mod component;
mod condition;
mod connection;
mod crds;
mod customer_credentials;
mod definition;
pub mod endpoint;
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
pub use condition::{Condition, Time, Verdict, conditions};
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
/// Annotation on a TenantSync: the digests that a person approved, comma-separated.
pub const APPROVE: &str = "stablekey.dev/approve";
/// Label on a Secret: with the value [`FOR_CONNECTIONS`] it may be read for connections.
pub const FOR: &str = "stablekey.dev/for";
/// The value of [`FOR`] of a Secret that may be read.
pub const FOR_CONNECTIONS: &str = "connections";
/// The value of [`FOR`] of a binding Secret, which the binder made.
pub const FOR_BINDING: &str = "binding";
/// Annotation on a binding Secret: what it is for (`Connection/crm`, `Connection/crm/test`,
/// `CustomerCredentials/acme-crm`). Held by the binder alone: a copy of the Secret is somebody's.
pub const BINDING_OF: &str = "stablekey.dev/binding-of";
/// Annotation on a binding Secret: of which object of that name it is, by uid, and of customer credentials of which
/// customer and connection, by a hash: what says another is no longer wanted.
pub const BINDING_ID: &str = "stablekey.dev/binding-id";
/// Annotation on a binding Secret: the Secrets that its values come from, comma-separated: where one of them opts out,
/// the copy goes.
pub const BINDING_FROM: &str = "stablekey.dev/binding-from";
/// Annotation on a binding Secret: the stable keys that those Secrets may have opted in for, comma-separated: where none
/// of them is served any more the copy goes, also where the connection that would say so is gone.
pub const BINDING_KEYS: &str = "stablekey.dev/binding-keys";
/// Annotation on a Secret: the stable keys that it may serve, comma-separated; `*` for all.
pub const KEYS: &str = "stablekey.dev/keys";
/// Annotation on a Secret: the only hosts that the endpoints of its connections may name.
pub const HOSTS: &str = "stablekey.dev/hosts";
/// Annotation on a Secret: when it expires (RFC 3339).
pub const EXPIRES: &str = "stablekey.dev/expires";
/// Annotation: reconcile now; a new value is a new request.
pub const REQUESTED_AT: &str = "stablekey.dev/requestedAt";
/// Flux's annotation of the same meaning.
pub const FLUX_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
