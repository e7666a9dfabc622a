//! The operator: keeps every tenant in sync with the desired state, continuously. Two roles of one binary, each with an
//! account and a Lease of its own:
//!
//! - binder: connections, customer credentials and integrations of the tenants of its own cluster. It reads the Secrets
//!   that opted in, and writes binding Secrets and statuses.
//! - syncer: Tenants and TenantSyncs. It watches sources and targets, and applies the plans of the engine. It reads the
//!   sources of Tenants in Git, and asks at once where one of the [`webhooks`] reports a push.
//!
//! Both work the same way: watched objects are cached; a change enqueues the objects that it affects; the pure engine
//! computes their desired state; differences are written. An event never causes a write by itself: it only says which
//! objects to reconcile.
//!
//! The modules around the roles are what every operator needs: [`election`] (of several replicas one is active),
//! [`probes`], [`metrics`], [`log`], [`events`], [`notify`]. A role gets all of them as a [`Context`].

pub mod bearer;
pub mod binder;
pub mod context;
pub mod election;
pub mod events;
mod http_server;
pub mod log;
pub mod metrics;
mod named_secret;
mod notify;
pub mod options;
mod probes;
mod process;
pub mod role;
pub mod stop;
mod syncer;
pub mod webhooks;

pub use crate::controller::process::{Fault, run};
pub use context::Context;
pub use options::{NotificationOptions, Options};
pub use role::Role;
