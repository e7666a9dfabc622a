//! The operator's processes on a real cluster: leadership, probes, shutdown.

mod amid_restarts;
mod binder;
mod events;
mod git;
mod leaders;
mod notifications;
mod operator;
mod probes;
mod sender;
pub mod syncer;
