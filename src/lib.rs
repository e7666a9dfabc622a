//! Stablekey: GitOps for connections. One stable key, every tenant.
//!
//! The modules of the crate, from the bottom up. An import only points down this list (`tests/offline/layers.rs`):
//!
//! - [`text`], [`io_error`], [`file_tree`], [`parallel`], [`near_miss`], [`secret`]: helpers without dependencies
//!   within the crate.
//! - [`http_client`]: the HTTP client of everything but the Kubernetes API.
//! - [`git`]: commits of Git repositories, and the files of each. [`forge`]: comments on pull requests.
//! - [`api`]: the custom resources, one file per kind.
//! - [`engine`]: the pure core, from what was read to a plan; `engine::model` is its data.
//! - [`manifest`]: reads, edits and writes YAML, with errors that tell what to do.
//! - [`platform`]: the integration platform's own formats.
//! - [`kubernetes`]: the API client, watches, and the cache of a namespace.
//! - [`tenant`]: locations of a tenant's resources, behind one trait.
//! - [`project`]: a root folder, its tenants and syncs.
//! - [`apply`]: carries out a plan and verifies the result.
//! - [`author`]: typed edits of a project's files, with their diff and the plan of the result.
//! - [`report`]: the content of reports on plans and tenants, as values. [`render`]: their text, JSON and Markdown.
//! - [`hub`]: a hub, read and changed with a person's own account.
//! - [`page`]: connections of all tenants in a browser.
//! - [`controller`]: the operator. [`cli`]: one file per subcommand.

#![deny(unreachable_pub)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod api;
pub mod apply;
pub mod author;
pub mod cli;
pub mod controller;
pub mod engine;
pub mod file_tree;
pub mod forge;
pub mod git;
mod http_client;
pub mod hub;
mod io_error;
pub mod kubernetes;
pub mod manifest;
mod near_miss;
pub mod page;
mod parallel;
pub mod platform;
pub mod project;
pub mod render;
pub mod report;
mod secret;
pub mod tenant;
pub mod text;
