//! The operator's processes on a real cluster: who leads, what they answer, how they end.

mod amid_restarts;
mod binder;
mod events;
mod leaders;
mod probes;
mod syncer;
