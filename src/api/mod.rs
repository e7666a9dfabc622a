//! The custom resources: what people write, and what a cluster stores. One file per kind.
//!
//! The same types serve files and clusters. They depend only on `text`.

#![warn(missing_docs)]
// The derives of the specs emit private copies of them.
#![allow(unreachable_pub)]

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
pub use condition::{Condition, NewCondition, Time, conditions};
pub use connection::*;
pub use crds::{crd, crd_yaml};
pub use customer_credentials::*;
pub use definition::*;
pub use integration::*;
pub use kind::Kind;
pub use object::{Meta, Object, Resource};
pub use tenant::*;
pub use tenant_sync::*;

/// The API group of Stablekey's custom resources.
pub const GROUP: &str = "stablekey.dev";
/// The API version of Stablekey's custom resources.
pub const VERSION: &str = "v1alpha1";
/// The value of `apiVersion` in Stablekey's documents.
pub const API_VERSION: &str = "stablekey.dev/v1alpha1";
/// Annotation with the ownership record of an object: what Stablekey wrote to it, as JSON.
pub const WROTE: &str = "stablekey.dev/wrote";
/// Annotation on a TenantSync: the digests that a person approved, comma-separated.
pub const APPROVE: &str = "stablekey.dev/approve";
/// Label that lets the binder read a Secret for connections, with the value [`FOR_CONNECTIONS`].
pub const FOR: &str = "stablekey.dev/for";
/// The value of [`FOR`] on a Secret that the binder may read.
pub const FOR_CONNECTIONS: &str = "connections";
/// The value of [`FOR`] on a binding Secret that the binder made.
pub const FOR_BINDING: &str = "binding";
/// Annotation on a binding Secret with the object that it is for (`Connection/crm`, `Connection/crm/test`,
/// `CustomerCredentials/acme-crm`). The binder must be its only field manager: otherwise somebody copied the Secret.
pub const BINDING_OF: &str = "stablekey.dev/binding-of";
/// Annotation on a binding Secret with the uid of its object and, for customer credentials, a hash of customer and
/// connection. A Secret with another value is deleted.
pub const BINDING_ID: &str = "stablekey.dev/binding-id";
/// Annotation on a binding Secret with the source Secrets of its values, comma-separated. If one of them opts out, the
/// binding Secret is deleted.
pub const BINDING_FROM: &str = "stablekey.dev/binding-from";
/// Annotation on a binding Secret with the stable keys that the source Secrets may have opted in for, comma-separated.
/// If they opt out of all of them, the binding Secret is deleted, even if the connection is gone.
pub const BINDING_KEYS: &str = "stablekey.dev/binding-keys";
/// Annotation on a Secret with the stable keys that it may serve, comma-separated; `*` for all.
pub const KEYS: &str = "stablekey.dev/keys";
/// Annotation on a Secret with the only hosts that endpoints of its connections may name.
pub const HOSTS: &str = "stablekey.dev/hosts";
/// Annotation with the expiry of a Secret, or of the credentials of a Connection or CustomerCredentials: RFC 3339, or a day.
pub const EXPIRES: &str = "stablekey.dev/expires";
/// Annotation on a Secret with the version of its content: another one means that the content changed. The sender then
/// sends it again.
pub const SECRET_VERSION: &str = "stablekey.dev/version";
/// Annotation that requests a reconciliation; each new value is a new request.
pub const REQUESTED_AT: &str = "stablekey.dev/requestedAt";
/// The annotation of Flux with the same meaning.
pub const FLUX_REQUESTED_AT: &str = "reconcile.fluxcd.io/requestedAt";
