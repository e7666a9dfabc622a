//! The HTTP client of everything but the Kubernetes API: bounded in time and size, to one origin, with its certificates
//! checked.

pub(crate) mod client;
pub(crate) mod origin;
