//! The contract of a location: one suite that every location passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cluster;
mod contract;
mod directory;
mod fixtures;
mod remote;
mod transitions;
