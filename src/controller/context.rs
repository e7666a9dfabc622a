//! The dependencies that every role gets.

use super::election::Leadership;
use super::events::Events;
use super::log::ReconcileIds;
use super::metrics::Metrics;
use super::options::{GitOptions, NotificationOptions};
use super::probes::liveness::HeartbeatMonitor;
use super::probes::readiness::Readiness;
use super::role::Role;
use super::stop::Stop;
use super::webhooks::PollRequests;
use crate::kubernetes::budget::Turns;
use crate::kubernetes::client::Server;
use crate::kubernetes::connect::Servers;
use crate::tenant::prismatic::PlatformSettings;
use std::sync::Arc;
use std::time::Duration;

/// Everything that a role works with while it leads. Cheap to clone. When the Lease is lost, the role's work is
/// dropped, and with it every task that it spawned.
#[derive(Clone, Debug)]
pub struct Context {
    pub role: Role,
    /// The operator's own cluster, or the one that its options name. Its requests are counted.
    pub server: Server,
    pub servers: Arc<Servers>,
    /// The namespaces of its own cluster that the operator reconciles.
    pub namespaces: Arc<[String]>,
    /// Checked before each write.
    pub leadership: Leadership,
    /// Once requested, no new reconcile begins, and the work ends soon.
    pub stop: Stop,
    pub metrics: Metrics,
    /// Tracks what must be read before the process is ready.
    pub readiness: Readiness,
    /// The heartbeats of the loops; the process is alive while they beat.
    pub heartbeats: HeartbeatMonitor,
    pub events: Events,
    pub passes: Arc<ReconcileIds>,
    /// Full resync interval.
    pub resync: Duration,
    /// How long a source must have been complete and unchanged before objects are deleted because of it.
    pub delete_after: Duration,
    /// Maximum number of bytes that are cached of one tenant.
    pub tenant_limit: usize,
    /// Limits how many tenants are read again at the same time.
    pub turns: Turns,
    /// The name of this replica.
    pub replica: Arc<str>,
    /// How the platform is reached.
    pub platform: PlatformSettings,
    /// How sources in Git are read.
    pub git: Arc<GitOptions>,
    /// Asks for polls of Git servers.
    pub polls: PollRequests,
    /// How notifications are sent; `None`: none are.
    pub notifications: Option<NotificationOptions>,
}
