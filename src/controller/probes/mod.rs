//! What Kubernetes is told of the process: whether it lives, whether it is ready, and whether it leads.

pub mod http;
pub mod liveness;
pub mod readiness;
pub mod role;
