//! The formats of the integration platform: exported definitions, what a tenant has, and what an import makes of it.
//! Pure: nothing here asks the platform.

pub mod answer;
pub mod definition;
pub mod import;
