//! The command line on real clusters: what it does when all is well, and when it is not.

mod commands;
mod counted;
mod env;
mod faults;
mod rights;
