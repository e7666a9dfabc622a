//! Leader election: of several replicas one is active, by one Lease per role.
//!
//! [`candidate`] decides, [`lease`] sends the requests, and this module runs both: it stands by until the Lease
//! is held, runs the work, and keeps renewing in parallel. When the Lease is lost, the work is dropped immediately.
//! When the process is to stop, the work gets some seconds to end and the Lease is released, so that another replica
//! takes over at once.

pub mod candidate;
mod leadership;
mod lease;

pub use candidate::{LONGEST, Timings};
pub use leadership::Leadership;

use super::stop::Stop;
use crate::controller::election::lease::LeaseClient;
use crate::kubernetes::client::Server;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

/// How long the work may take to end when the process is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// A Lease and a candidate for it.
#[derive(Clone, Debug)]
pub struct Election {
    /// The cluster of the Lease.
    pub server: Server,
    pub namespace: String,
    pub name: String,
    /// The identity of this process, unique among all processes.
    pub identity: String,
    /// The timings that follow from its duration.
    pub timings: Timings,
}

/// The state of a candidate.
#[derive(Clone, Debug)]
pub enum LeaderState {
    /// The Lease cannot be read or written, for this reason.
    Waits(String),
    /// Another replica holds it, or will.
    Standby,
    /// This process holds it.
    Leads(Leadership),
}

impl Election {
    /// Runs `work` whenever this process holds the Lease, until `work` ends or `stop` is requested. Returns `None` if
    /// it was stopped before the work ended by itself.
    ///
    /// The work is dropped when the Lease is lost, so its tasks must end with it. It checks its [`Leadership`] before
    /// each write, and must end soon after `stop` is requested.
    pub async fn lead<T, F>(
        &self,
        stop: &Stop,
        on_state: impl Fn(LeaderState),
        work: impl Fn(Leadership) -> F,
    ) -> Option<T>
    where
        F: Future<Output = T>,
    {
        let mut lease_client = LeaseClient::new(self);
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.requested() => false,
                () = take(&mut lease_client, &on_state) => true,
            };
            if !taken {
                // A request in flight may have made this process the holder.
                if lease_client.may_hold() {
                    lease_client.release().await;
                }
                return None;
            }
            let keeper = Keeper::start(lease_client, self.clone());
            on_state(LeaderState::Leads(keeper.leadership.clone()));
            info!(lease = self.name, identity = self.identity, "leads");
            let ended = tokio::select! {
                biased;
                () = keeper.leadership.lost() => Ended::Lost,
                () = over(stop) => Ended::Stopped,
                done = work(keeper.leadership.clone()) => Ended::Done(done),
            };
            lease_client = keeper.end().await;
            on_state(LeaderState::Standby);
            let done = match ended {
                Ended::Lost => {
                    warn!(lease = self.name, identity = self.identity, "lost the Lease: stands by");
                    continue;
                }
                Ended::Stopped => {
                    warn!(lease = self.name, "the work did not end within {} s: it is aborted", GRACE.as_secs());
                    None
                }
                Ended::Done(done) => Some(done),
            };
            lease_client.release().await;
            info!(lease = self.name, identity = self.identity, "released the Lease");
            return done;
        }
    }
}

enum Ended<T> {
    Lost,
    Stopped,
    Done(T),
}

/// Waits until the grace period after a stop request is over.
async fn over(stop: &Stop) {
    stop.requested().await;
    sleep(GRACE).await;
}

/// Waits until this process holds the Lease.
async fn take(lease_client: &mut LeaseClient, on_state: &impl Fn(LeaderState)) {
    while lease_client.held_until().is_none() {
        match lease_client.step().await {
            Ok(()) => on_state(LeaderState::Standby),
            Err(why) => on_state(LeaderState::Waits(why)),
        }
    }
}

/// Renews a held Lease in a task of its own, so that busy work does not delay it.
struct Keeper {
    leadership: Leadership,
    done: oneshot::Sender<()>,
    /// Aborted when this value is dropped.
    task: JoinSet<LeaseClient>,
    election: Election,
}

impl Keeper {
    fn start(mut lease_client: LeaseClient, election: Election) -> Self {
        let (until, known) = watch::channel(lease_client.held_until());
        let (done, is_done) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            tokio::select! {
                biased;
                _ = is_done => {}
                () = keep(&mut lease_client, &until) => {}
            }
            lease_client.resign();
            until.send_replace(None);
            lease_client
        });
        Keeper { leadership: Leadership::of(known), done, task, election }
    }

    /// Stops renewing and acting on the Lease.
    async fn end(mut self) -> LeaseClient {
        let _ = self.done.send(());
        let lease_client = self.task.join_next().await.and_then(Result::ok);
        lease_client.unwrap_or_else(|| LeaseClient::new(&self.election))
    }
}

/// Renews the Lease until it is no longer held.
async fn keep(lease_client: &mut LeaseClient, until: &watch::Sender<Option<std::time::Instant>>) {
    while let Some(end) = lease_client.held_until() {
        until.send_replace(Some(end));
        if timeout_at(Instant::from_std(end), lease_client.step()).await.is_err() {
            return;
        }
    }
}
