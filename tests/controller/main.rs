//! The operator's processes on a real cluster: who leads, what they answer, how they end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod amid_restarts;
mod binder;
mod events;
mod house;
mod leaders;
#[path = "../support/manifests.rs"]
mod manifests;
#[path = "../support/proxy.rs"]
mod proxy;
mod replica;
#[path = "../support/rights.rs"]
mod rights;
mod syncer;
