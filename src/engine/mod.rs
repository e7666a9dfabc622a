//! The pure middle: what is declared against what is live. No I/O, no clock, no async.
//!
//! Data flows one way: [`world`] (what was read) → [`promote`] (what syncs declare) → [`resolve`]
//! (bindings) → [`check`] → [`diff`] (the record's table) → [`plan`].

pub mod adopt;
pub mod bindings;
pub mod canonical;
pub mod check;
pub mod closure;
pub mod code;
pub mod delivery;
pub mod diff;
pub mod edit;
pub mod field;
pub mod hashes;
pub mod item;
pub mod narrowing;
pub mod near_miss;
pub mod overrides;
pub mod parallel;
pub mod plan;
pub mod promote;
pub mod record;
pub mod redirect;
pub mod resolve;
pub mod syncs;
pub mod world;
