//! Carries out a plan, as far as a person consented to it.

pub mod consent;
mod execute;

pub use execute::*;
