//! Stablekey: GitOps for connections. One stable key, every tenant.
//!
//! The map of the crate, from the bottom up; an import points down this list only:
//!
//! - [`text`]: what is shown of texts of others, and how wide it is. [`io_error`]: what the system says of a
//!   file, in words.
//! - [`api`]: the custom resources, a file a kind. They read files and clusters alike.
//! - [`manifest`]: YAML in and out, with errors that say what to do, and edits in place; exported
//!   platform definitions. [`engine`]: the pure middle, from what was read to a plan. [`secret`]: the
//!   type that cannot be printed.
//! - [`tenant`]: locations, where a tenant's resources are: one trait, a file a kind of location.
//! - [`apply`]: carries out a plan and proves it done. [`render`]: plans, status and explanations as
//!   text, JSON and Markdown.
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
