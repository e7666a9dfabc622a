//! The contract of a location: one suite that every location passes.

mod cluster;
mod contract;
mod directory;
mod fixtures;
mod records;
mod remote;
mod transitions;
