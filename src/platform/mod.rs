//! The formats of the integration platform: exported definitions, the content of a tenant, and their import. Pure: the
//! platform is never called.

pub mod answer;
pub mod definition;
pub mod import;
