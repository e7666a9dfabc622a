//! Sources in Git: the syncer, a real Git server over HTTPS with a password, and real clusters.

mod applies;
mod approvals;
pub mod env;
mod faults;
mod rights;
mod webhooks;
