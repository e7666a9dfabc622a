//! Helpers that the tests of Stablekey share.
//!
//! | Module | Content |
//! |---|---|
//! | [`objects`] | builders for the custom resources: the language of all tests |
//! | [`world`] | the engine's world, built with the same words, and assertions on its plan |
//! | [`project`] | a folder of files, and the command line run in it |
//! | [`work_tree`] | a project in a Git repository |
//! | [`yaml`] | a resource as a person writes it |
//! | [`cli`] | the command line, run in a folder |
//! | [`terminal`] | a command on a terminal, with its screen and keys |
//! | [`replica`] | a process of the operator |
//! | [`hub`], [`person`] | a hub and a tenant in two clusters, and a person with an account there |
//! | [`proxy`] | a proxy to an API server that counts requests and injects faults |
//! | [`certificates`], [`tunnel`] | a certificate authority, and a proxy that opens tunnels |
//! | [`git_server`], [`git_repository`] | a Git server over HTTPS with faults, and the commits that it serves |
//! | [`forge`] | fakes of the APIs of GitHub and GitLab |
//! | [`manifests`] | the objects of manifests/, and its accounts |
//! | [`fuzzing`] | what the fuzzer calls, and a test with the files of `fuzz/corpus` |
//! | [`permissions`] | what Roles grant, compared with the audit log |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says why"
)]

pub mod certificates;
pub mod cli;
pub mod forge;
pub mod fuzzing;
pub mod git_repository;
pub mod git_server;
pub mod hub;
pub mod manifests;
pub mod objects;
pub mod permissions;
pub mod person;
pub mod project;
pub mod proxy;
pub mod replica;
pub mod terminal;
pub mod tunnel;
pub mod work_tree;
pub mod world;
pub mod yaml;
