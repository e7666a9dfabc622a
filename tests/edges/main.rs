//! The edges: what is read, what is obeyed, what is said. Each test quotes the sentence of the design that it
//! holds the command line to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../support/mod.rs"]
mod support;

mod definitions;
mod edits;
mod kustomization;
mod links;
mod names;
mod secrets;
mod side_files;
mod structure;
mod unread;
mod world;
