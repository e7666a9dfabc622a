//! The probes of Kubernetes: whether the process is alive, whether it is ready, and whether it leads.

pub(super) mod http;
pub(super) mod liveness;
pub(super) mod readiness;
pub(super) mod role;
