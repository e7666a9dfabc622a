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

pub mod binder;
