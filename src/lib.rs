//! Stablekey: GitOps for connections. One stable key, every tenant.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod cli;
pub mod manifest;
pub mod secret;
