//! The command line on real clusters, with and without faults.

mod commands;
mod counted;
mod env;
mod faults;
mod rights;
