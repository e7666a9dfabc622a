//! Carries out a plan, as far as a person consented to it.

pub mod consent;
mod execute;
mod records;

pub use execute::*;
pub use records::write_records;
