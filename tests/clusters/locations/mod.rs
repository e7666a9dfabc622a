//! The contract of a location: one suite that every location passes.

mod cluster;
mod contract;
mod directory;
mod fixtures;
mod remote;
mod transitions;
