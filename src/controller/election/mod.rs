//! Of several replicas one is active: leader election by a Lease, one a role.
//!
//! [`candidate`] decides, [`hand`] asks the API server, and this drives both: it stands by until the Lease
//! is held, runs the work, and keeps renewing beside it. When the Lease is lost, the work is dropped where
//! it stands; when the process is to stop, the work has some seconds to end, and the Lease is released, so
//! that another takes over at once.

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

/// How long work may take to end when the process is to stop.
const GRACE: Duration = Duration::from_secs(5);

/// A Lease, and who would hold it.
#[derive(Clone, Debug)]
pub struct Election {
    /// Where the Lease is.
    pub server: Server,
    /// In which namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Who we are: no other process is ever called so.
    pub identity: String,
    /// How long it lasts.
    pub timings: Timings,
}

/// How a candidate stands.
#[derive(Clone, Debug)]
pub enum LeaderState {
    /// The Lease can not be read or written, for this reason.
    Waits(String),
    /// Another holds it, or will.
    Standby,
    /// We hold it.
    Leads(Leadership),
}

impl Election {
    /// Does `work` whenever we hold the Lease, until it ends or `stop` is requested. `None` where it was
    /// stopped before the work had ended by itself.
    ///
    /// The work is dropped when the Lease is lost: what it spawns must end with it. It asks its
    /// [`Leadership`] before each write, and ends soon once `stop` is requested.
    pub async fn lead<T, F>(&self, stop: &Stop, tell: impl Fn(LeaderState), work: impl Fn(Leadership) -> F) -> Option<T>
    where
        F: Future<Output = T>,
    {
        let mut hand = LeaseClient::new(self);
        loop {
            let taken = tokio::select! {
                biased;
                () = stop.requested() => false,
                () = take(&mut hand, &tell) => true,
            };
            if !taken {
                // A request may have been on its way that makes it ours.
                if hand.may_hold() {
                    hand.release().await;
                }
                return None;
            }
            let keeper = Keeper::start(hand, self.clone());
            tell(LeaderState::Leads(keeper.leadership.clone()));
            info!(lease = self.name, identity = self.identity, "leads");
            let ended = tokio::select! {
                biased;
                () = keeper.leadership.lost() => Ended::Lost,
                () = over(stop) => Ended::Stopped,
                done = work(keeper.leadership.clone()) => Ended::Done(done),
            };
            hand = keeper.end().await;
            tell(LeaderState::Standby);
            let done = match ended {
                Ended::Lost => {
                    warn!(lease = self.name, identity = self.identity, "lost the Lease: stands by");
                    continue;
                }
                Ended::Stopped => {
                    warn!(lease = self.name, "the work did not end within {} s: it is dropped", GRACE.as_secs());
                    None
                }
                Ended::Done(done) => Some(done),
            };
            hand.release().await;
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

/// Waits until whoever was asked to stop has had the time for it.
async fn over(stop: &Stop) {
    stop.requested().await;
    sleep(GRACE).await;
}

/// Waits until we hold the Lease.
async fn take(hand: &mut LeaseClient, tell: &impl Fn(LeaderState)) {
    while hand.held_until().is_none() {
        match hand.step().await {
            Ok(()) => tell(LeaderState::Standby),
            Err(why) => tell(LeaderState::Waits(why)),
        }
    }
}

/// Renews a Lease that is held, in a task of its own: work that computes does not hold it up.
struct Keeper {
    leadership: Leadership,
    done: oneshot::Sender<()>,
    /// Ends with this value.
    task: JoinSet<LeaseClient>,
    election: Election,
}

impl Keeper {
    fn start(mut hand: LeaseClient, election: Election) -> Self {
        let (until, known) = watch::channel(hand.held_until());
        let (done, told) = oneshot::channel();
        let mut task = JoinSet::new();
        task.spawn(async move {
            tokio::select! {
                biased;
                _ = told => {}
                () = keep(&mut hand, &until) => {}
            }
            hand.resign();
            until.send_replace(None);
            hand
        });
        Keeper { leadership: Leadership::of(known), done, task, election }
    }

    /// Renews no more, and nobody acts on the Lease any more.
    async fn end(mut self) -> LeaseClient {
        let _ = self.done.send(());
        let hand = self.task.join_next().await.and_then(Result::ok);
        hand.unwrap_or_else(|| LeaseClient::new(&self.election))
    }
}

/// Renews until it is not held any more.
async fn keep(hand: &mut LeaseClient, until: &watch::Sender<Option<std::time::Instant>>) {
    while let Some(end) = hand.held_until() {
        until.send_replace(Some(end));
        if timeout_at(Instant::from_std(end), hand.step()).await.is_err() {
            return;
        }
    }
}
