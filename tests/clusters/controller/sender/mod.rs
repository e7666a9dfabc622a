//! The sender on a real cluster and fakes of the platform, driven and observed with kubectl.

mod approvals;
pub mod env;
mod faults;
mod rights;
mod secrets;
mod sends;
