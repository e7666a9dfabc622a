//! Reports the state of a role to probes, metrics and the log.

use super::http::Health;
use super::liveness::Heartbeat;
use super::readiness::Waiting;
use crate::controller::election::{Election, LeaderState};
use crate::controller::role::Role;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long a standby may go without reading the Lease, in addition to the Lease's duration.
const SILENCE: Duration = Duration::from_secs(60);

/// The state of one role in one process.
#[derive(Debug)]
pub(crate) struct RoleStatus<'h> {
    role: Role,
    health: &'h Health,
    /// The description of the wait for the Lease.
    lease: String,
    silence: Duration,
    shown: Mutex<RoleText>,
}

#[derive(Debug, Default)]
struct RoleText {
    /// Set while the Lease cannot be read.
    waiting: Option<Waiting>,
    /// Set while the role stands by. A leader has loops of its own.
    standing_by: Option<Heartbeat>,
}

impl<'h> RoleStatus<'h> {
    /// Registers the wait for the Lease.
    pub(crate) fn new(role: Role, health: &'h Health, election: &Election) -> Self {
        let lease = format!("Lease {} in namespace {}", election.name, election.namespace);
        let silence = SILENCE + election.timings.lasts();
        let waiting = Some(health.readiness.waits(role.as_str(), lease.clone()));
        health.metrics.runs(role);
        RoleStatus { role, health, lease, silence, shown: Mutex::new(RoleText { waiting, standing_by: None }) }
    }

    /// Reports a new state.
    pub(crate) fn set(&self, state: LeaderState) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        match state {
            LeaderState::Leads(leadership) => {
                self.health.metrics.leads(self.role, leadership.clone());
                self.health.readiness.leads(self.role, leadership);
                *shown = RoleText::default();
                return;
            }
            LeaderState::Standby => {
                self.health.readiness.stands_by(self.role);
                shown.waiting = None;
            }
            LeaderState::Waits(why) => {
                let waits = || self.health.readiness.waits(self.role.as_str(), self.lease.clone());
                shown.waiting.get_or_insert_with(waits).now_for(format!("{}: {why}", self.lease));
            }
        }
        shown.standing_by.get_or_insert_with(|| self.health.heartbeats.of(self.doing(), self.silence)).beat();
    }

    fn doing(&self) -> String {
        format!("standing by as {}", self.role)
    }
}
