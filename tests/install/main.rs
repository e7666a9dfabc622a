//! manifests/: the same objects from Kustomize and from the Helm chart, accepted by real API servers, with exactly the
//! permissions that the operator needs.

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
mod gitops;
mod installed;
mod operations;
mod people;
mod policies;
mod release;
mod renderings;
mod renewal;
mod rights;
mod statuses;
mod syncs;
mod tools;
mod upgrades;
mod workflows;
