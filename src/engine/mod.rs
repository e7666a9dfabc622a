//! The pure core: compares the desired state with the live state. No I/O, no clock, no async.
//!
//! Data flows one way: [`model::inventory`] (what was read) → [`promote`] (what syncs declare) → [`resolve`] (bindings) →
//! [`check`] → [`diff`] (ownership per field) → [`plan`].

pub mod adopt;
pub mod bindings;
pub mod check;
pub mod closure;
pub mod committed;
pub mod compare;
pub mod delivery;
pub mod diff;
pub mod edit;
pub mod feeds;
pub mod forget;
pub mod handover;
pub mod hashes;
pub mod model;
pub mod narrowing;
pub mod overrides;
pub mod pinned;
pub mod plan;
pub mod promote;
pub mod redirect;
pub mod resolve;
pub mod stages;
pub mod stored;
pub mod sync_rules;
pub mod syncs;
