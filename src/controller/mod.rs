//! The operator: keeps every tenant at what was declared, continuously. Two roles of one binary, each with
//! an account and a Lease of its own:
//!
//! - binder: connections, customer credentials, integrations of the tenants of its own cluster. It reads
//!   the Secrets that opted in and writes binding Secrets and statuses.
//! - syncer: Tenants and TenantSyncs. It watches sources and targets, and carries out what the engine plans.
//!
//! Both are the same in the small: what was watched is kept in memory; a change makes a few objects due;
//! the pure engine says what they should be; what differs is written. Nothing is done because of an event:
//! an event only says where to look.
//!
//! Around its work a process has what an operator owes its cluster: [`election`] (of several replicas one is
//! active), [`probes`], [`metrics`], [`log`], [`events`]. The work is given all of it as a [`Context`].

pub mod bearer;
pub mod binder;
pub mod context;
pub mod election;
pub mod events;
pub mod log;
pub mod metrics;
pub mod options;
mod probes;
mod process;
pub mod role;
pub mod stop;
mod syncer;

pub use crate::controller::process::{Fault, run};
pub use context::Context;
pub use options::Options;
pub use role::Role;
