//! Does what a candidate decides: the requests about one Lease, and its answers.

use super::Election;
use super::candidate::{Candidate, CandidateStep, Moment, SeenLease};
use crate::kubernetes::client::{Ask, RequestFailure, Server};
use http::StatusCode;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout};
use tracing::warn;

/// A candidate and its way to the API server.
#[derive(Debug)]
pub struct LeaseClient {
    candidate: Candidate,
    election: Election,
    /// Of which each request ends in time for another.
    server: Server,
    /// Where the candidate's time begins.
    start: Instant,
    /// As it was read or written last.
    lease: Option<Lease>,
    /// A request was sent of which nothing was heard.
    unsure: bool,
    /// What was wrong, as it was logged last.
    logged: Option<String>,
}

impl LeaseClient {
    pub fn new(election: &Election) -> Self {
        LeaseClient {
            candidate: Candidate::new(&election.identity, election.timings),
            server: election.server.with_patience(election.timings.patience()),
            election: election.clone(),
            start: Instant::now(),
            lease: None,
            unsure: false,
            logged: None,
        }
    }

    /// Until when we hold the Lease, where we do.
    pub fn held_until(&self) -> Option<Instant> {
        self.candidate.holds(self.now()).then(|| self.start + self.candidate.until())
    }

    /// Whether the server may say that we hold it.
    pub fn may_hold(&self) -> bool {
        self.unsure || self.is_ours()
    }

    /// We act on it no more.
    pub fn resign(&mut self) {
        self.candidate.resign();
    }

    /// Does the next thing, which may be to wait. Says what is wrong where nothing is known of the Lease.
    pub async fn step(&mut self) -> Result<(), String> {
        let sent = self.now();
        let done = match self.candidate.step(sent) {
            CandidateStep::Rest(until) => {
                sleep_until((self.start + until).into()).await;
                return self.logged.clone().map_or(Ok(()), Err);
            }
            CandidateStep::Look => self.look().await,
            CandidateStep::Create => self.write(Ask::post(self.collection(), body(&self.held(None))), sent).await,
            CandidateStep::Replace(_) => {
                self.write(Ask::put(self.path(), body(&self.held(self.lease.as_ref()))), sent).await
            }
        };
        let why = done.err().and_then(|trouble| match trouble.code() {
            Some(StatusCode::CONFLICT) => None,
            Some(StatusCode::UNAUTHORIZED) => Some(self.server.credentials().not_accepted()),
            _ => Some(trouble.to_string()),
        });
        if let Some(why) = why.as_ref().filter(|why| self.logged.as_ref() != Some(why)) {
            warn!(lease = self.election.name, why, "the Lease cannot be asked for");
        }
        self.logged = why;
        self.logged.clone().map_or(Ok(()), Err)
    }

    /// Gives the Lease back, so that another need not wait for its end. Where that fails it ends by itself.
    pub async fn release(&mut self) {
        let tried = timeout(self.election.timings.patience(), async {
            loop {
                if !self.is_ours() || self.unsure {
                    self.look().await?;
                }
                let Some(lease) = self.lease.as_ref().filter(|_| self.is_ours()) else { return Ok(()) };
                let mut free = lease.clone();
                if let Some(spec) = &mut free.spec {
                    spec.holder_identity = Some(String::new());
                    spec.renew_time = Some(wall_clock());
                }
                match self.ask(Ask::put(self.path(), body(&free))).await {
                    // A renewal was faster: it is looked at again.
                    Err(trouble) if trouble.code() == Some(StatusCode::CONFLICT) => self.unsure = true,
                    done => return done.map(drop),
                }
            }
        });
        let why = match tried.await {
            Ok(Ok(())) => return,
            Ok(Err(trouble)) => trouble.to_string(),
            Err(_) => "no answer in time".to_string(),
        };
        warn!(lease = self.election.name, why, "the Lease was not released: it ends by itself");
    }

    async fn look(&mut self) -> Result<(), RequestFailure> {
        self.candidate.asking();
        let answer = match self.ask(Ask::get(self.path())).await {
            Err(trouble) if trouble.is_absent() => Ok(None),
            answer => answer.map(Some),
        };
        match answer {
            Ok(lease) => {
                self.candidate.looked(self.now(), lease.as_ref().map(|lease| self.seen(lease)));
                self.lease = lease;
                self.unsure = false;
                Ok(())
            }
            Err(trouble) => {
                self.candidate.failed(self.now());
                Err(trouble)
            }
        }
    }

    async fn write(&mut self, ask: Ask, sent: Moment) -> Result<(), RequestFailure> {
        self.candidate.asking();
        self.unsure = true;
        match self.ask(ask).await {
            Ok(lease) => {
                self.candidate.took(sent, self.seen(&lease));
                self.lease = Some(lease);
                self.unsure = false;
                Ok(())
            }
            Err(trouble) => {
                self.candidate.failed(self.now());
                Err(trouble)
            }
        }
    }

    async fn ask(&self, ask: Ask) -> Result<Lease, RequestFailure> {
        let answer = self.server.ask(&ask).await?;
        serde_json::from_slice(&answer).map_err(|error| RequestFailure::NoAnswer(format!("this is no Lease: {error}")))
    }

    /// The Lease as it is when we hold it.
    fn held(&self, before: Option<&Lease>) -> Lease {
        let now = wall_clock();
        let mut lease = before.cloned().unwrap_or_default();
        let metadata = ObjectMeta { name: Some(self.election.name.clone()), ..ObjectMeta::default() };
        if before.is_none() {
            lease.metadata = metadata;
        }
        let had = lease.spec.unwrap_or_default();
        let is_ours = had.holder_identity.as_deref() == Some(&self.election.identity);
        let transitions = had.lease_transitions.unwrap_or_default();
        let lasts = self.election.timings.lasts().as_secs();
        lease.spec = Some(LeaseSpec {
            holder_identity: Some(self.election.identity.clone()),
            lease_duration_seconds: Some(i32::try_from(lasts).unwrap_or(i32::MAX)),
            acquire_time: had.acquire_time.clone().filter(|_| is_ours).or_else(|| Some(now.clone())),
            renew_time: Some(now),
            lease_transitions: Some(if is_ours || before.is_none() {
                transitions
            } else {
                transitions.saturating_add(1)
            }),
            ..had
        });
        lease
    }

    fn seen(&self, lease: &Lease) -> SeenLease {
        let spec = lease.spec.as_ref();
        let lasts = spec.and_then(|spec| u64::try_from(spec.lease_duration_seconds?).ok());
        SeenLease {
            holder: spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty()),
            lasts: lasts.map_or(self.election.timings.lasts(), Duration::from_secs),
            version: lease.metadata.resource_version.clone().unwrap_or_default(),
        }
    }

    fn is_ours(&self) -> bool {
        let holder = self.lease.as_ref().and_then(|lease| lease.spec.as_ref()?.holder_identity.as_deref());
        holder == Some(self.election.identity.as_str())
    }

    fn now(&self) -> Moment {
        self.start.elapsed()
    }

    fn collection(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", self.election.namespace)
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection(), self.election.name)
    }
}

fn body(lease: &Lease) -> Vec<u8> {
    serde_json::to_vec(lease).unwrap_or_default()
}

/// For people only: nothing is decided by it.
fn wall_clock() -> MicroTime {
    MicroTime(Timestamp::now())
}
