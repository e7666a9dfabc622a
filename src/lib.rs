//! Stablekey: GitOps for connections. One stable key, every tenant.
//!
//! The map of the crate, from the bottom up. An import points down this list only (`tests/offline/layers.rs`):
//!
//! - [`text`], [`io_error`], [`parallel`], [`near_miss`], [`secret`]: what depends on nothing of ours.
//! - [`api`]: the custom resources, a file a kind.
//! - [`engine`]: the pure middle, from what was read to a plan; `engine::model` is its data.
//! - [`manifest`]: YAML in and out, with errors that say what to do, and edits in place.
//! - [`platform`]: the integration platform's own formats.
//! - [`kubernetes`]: the API client, watches, and a cache of a namespace.
//! - [`tenant`]: locations, where a tenant's resources are: one trait.
//! - [`project`]: a root folder, its tenants and syncs.
//! - [`apply`]: carries out a plan and proves it done.
//! - [`report`]: what is shown of plans and tenants, as values. [`render`]: text, JSON and Markdown of them.
//! - [`controller`]: the operator. [`cli`]: a file a subcommand.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod apply;
pub mod cli;
pub mod controller;
pub mod engine;
pub mod io_error;
pub mod kubernetes;
pub mod manifest;
pub mod near_miss;
pub mod parallel;
pub mod platform;
pub mod project;
pub mod render;
pub mod report;
pub mod secret;
pub mod tenant;
pub mod text;
