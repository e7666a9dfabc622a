//! Stablekey: GitOps for connections. One stable key, every tenant.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod engine;
pub mod manifest;
pub mod render;
pub mod secret;
