//! What the tests of Stablekey share.
//!
//! | Module | What it is |
//! |---|---|
//! | [`objects`] | the custom resources, in words: the language of all tests |
//! | [`world`] | the engine's world in the same words, and its plan, which can be asked questions |
//! | [`project`] | a folder of files, and the command line run in it |
//! | [`yaml`] | a resource as a person writes it |
//! | [`cli`] | the command line, run in a folder |
//! | [`replica`] | a process of the operator |
//! | [`proxy`] | a way to an API server on which requests are counted, and fail |
//! | [`manifests`] | the objects of manifests/, and the accounts that they give |
//! | [`permissions`] | what Roles grant, beside what the audit log shows |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on has failed, and says why"
)]

pub mod cli;
pub mod manifests;
pub mod objects;
pub mod permissions;
pub mod project;
pub mod proxy;
pub mod replica;
pub mod world;
pub mod yaml;
