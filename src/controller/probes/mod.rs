//! The probes of Kubernetes: whether the process is alive, whether it is ready, and whether it leads.

pub mod http;
pub mod liveness;
pub mod readiness;
pub mod role;
