//! Tests on real API servers: the command line, the operator, the custom resources with kubectl, and the contract that
//! every location passes, folders included.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod command_line;
mod controller;
mod kubectl;
mod locations;
