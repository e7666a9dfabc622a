//! The contract of a place: one suite that every place passes.

mod contract;
mod directory;
mod fixtures;
mod remote;
