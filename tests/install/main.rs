//! manifests/: the same as Kustomize and as a Helm chart, accepted by real API servers, with the rights that
//! the operator needs and no others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    missing_docs
)]

mod accepted;
mod alerts;
mod chart;
mod documented;
mod installed;
#[allow(dead_code, reason = "the operator's own tests use more of it")]
#[path = "../support/manifests.rs"]
mod manifests;
mod people;
mod policies;
mod renderings;
mod renewal;
#[allow(dead_code, reason = "the operator's own tests use more of it")]
#[path = "../controller/replica.rs"]
mod replica;
mod rights;
#[allow(dead_code, reason = "the operator's own tests use more of it")]
#[path = "../support/rights.rs"]
mod rights_used;
mod statuses;
mod syncs;
mod tools;
