//! The contract of a place: one suite that every place passes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cluster;
mod contract;
mod directory;
mod fixtures;
mod remote;
mod transitions;
