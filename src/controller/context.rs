//! What the work of a role is given.

use super::election::Leadership;
use super::events::Events;
use super::log::ReconcileIds;
use super::metrics::Metrics;
use super::probes::liveness::Pulses;
use super::probes::readiness::Readiness;
use super::role::Role;
use super::stop::Stop;
use crate::kubernetes::budget::Turns;
use crate::kubernetes::client::Server;
use crate::kubernetes::connect::Servers;
use std::sync::Arc;
use std::time::Duration;

/// All that a role works with while it leads. Cheap to clone; the work that has it ends when the Lease is
/// lost, and with it every task that it spawned.
#[derive(Clone, Debug)]
pub struct Context {
    /// What is done.
    pub role: Role,
    /// The cluster that the process is in, or that it was pointed to. Its requests are counted.
    pub server: Server,
    /// The other clusters.
    pub servers: Arc<Servers>,
    /// The namespaces of it that are looked after.
    pub namespaces: Arc<[String]>,
    /// Asked before each write.
    pub leadership: Leadership,
    /// When it is requested, no pass is begun any more, and the work ends soon.
    pub stop: Stop,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// What is waited for before the process is ready.
    pub readiness: Readiness,
    /// The loops that must turn for the process to be alive.
    pub pulses: Pulses,
    /// Where transitions are told.
    pub events: Events,
    /// Ids of passes.
    pub passes: Arc<ReconcileIds>,
    /// Full resync interval.
    pub resync: Duration,
    /// How long a source must have been whole and unchanged before anything is deleted because of it.
    pub rest: Duration,
    /// How many bytes are kept of one tenant.
    pub tenant_limit: usize,
    /// Whose turn it is to be read anew.
    pub turns: Turns,
}
