//! TODO

mod role;
pub mod readiness;
pub mod liveness;
pub mod http;

