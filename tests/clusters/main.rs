//! The command line on real clusters: what it does when all is well, and when it is not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod commands;
mod counted;
#[path = "../support/proxy.rs"]
mod proxy;
mod rights;
mod stage;
#[path = "../support/mod.rs"]
mod support;
mod trouble;
