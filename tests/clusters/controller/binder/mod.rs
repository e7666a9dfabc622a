//! The binder on real clusters, driven and observed with kubectl.

mod bindings;
mod conditions;
mod counted;
mod definitions;
mod endings;
pub mod env;
mod integrations;
mod quiet;
mod rights;
