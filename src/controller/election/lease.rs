//! Sends the requests that a candidate decides on, and records their answers.

use super::Election;
use super::candidate::{Candidate, CandidateStep, Moment, SeenLease};
use crate::kubernetes::client::{ApiRequest, RequestFailure, Server};
use http::StatusCode;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use std::time::{Duration, Instant};
use tokio::time::{sleep_until, timeout};
use tracing::warn;

/// A candidate with an API client.
#[derive(Debug)]
pub(super) struct LeaseClient {
    candidate: Candidate,
    election: Election,
    /// Its timeout leaves enough time for a second request.
    server: Server,
    /// The start of the candidate's clock.
    start: Instant,
    /// The Lease as it was last read or written.
    lease: Option<Lease>,
    /// A request was sent and not answered.
    unsure: bool,
    /// The last logged error.
    logged: Option<String>,
}

impl LeaseClient {
    pub(super) fn new(election: &Election) -> Self {
        LeaseClient {
            candidate: Candidate::new(&election.identity, election.timings),
            server: election.server.with_timeout(election.timings.request_timeout()),
            election: election.clone(),
            start: Instant::now(),
            lease: None,
            unsure: false,
            logged: None,
        }
    }

    /// Returns until when this process holds the Lease, if it does.
    pub(super) fn held_until(&self) -> Option<Instant> {
        self.candidate.holds(self.now()).then(|| self.start + self.candidate.until())
    }

    /// Whether the server may consider this process the holder.
    pub(super) fn may_hold(&self) -> bool {
        self.unsure || self.is_ours()
    }

    /// Stops acting on the Lease.
    pub(super) fn resign(&mut self) {
        self.candidate.resign();
    }

    /// Runs the next step, which may be to wait. Returns an error if nothing is known about the Lease.
    pub(super) async fn step(&mut self) -> Result<(), String> {
        let sent = self.now();
        let done = match self.candidate.step(sent) {
            CandidateStep::Rest(until) => {
                sleep_until((self.start + until).into()).await;
                return self.logged.clone().map_or(Ok(()), Err);
            }
            CandidateStep::Read => self.read().await,
            CandidateStep::Create => {
                self.write(ApiRequest::post(self.collection(), body(&self.renewed(None))), sent).await
            }
            CandidateStep::Replace(_) => {
                self.write(ApiRequest::put(self.path(), body(&self.renewed(self.lease.as_ref()))), sent).await
            }
        };
        let why = done.err().and_then(|failure| match failure.code() {
            Some(StatusCode::CONFLICT) => None,
            Some(StatusCode::UNAUTHORIZED) => Some(self.server.credentials().not_accepted()),
            _ => Some(failure.to_string()),
        });
        if let Some(why) = why.as_ref().filter(|why| self.logged.as_ref() != Some(why)) {
            warn!(lease = self.election.name, why, "the Lease cannot be read or written");
        }
        self.logged = why;
        self.logged.clone().map_or(Ok(()), Err)
    }

    /// Releases the Lease, so that another replica need not wait. If that fails, the Lease expires.
    pub(super) async fn release(&mut self) {
        let tried = timeout(self.election.timings.request_timeout(), async {
            loop {
                if !self.is_ours() || self.unsure {
                    self.read().await?;
                }
                let Some(lease) = self.lease.as_ref().filter(|_| self.is_ours()) else { return Ok(()) };
                let mut free = lease.clone();
                if let Some(spec) = &mut free.spec {
                    spec.holder_identity = Some(String::new());
                    spec.renew_time = Some(wall_clock());
                }
                match self.request(ApiRequest::put(self.path(), body(&free))).await {
                    // A renewal was faster: the Lease is read again.
                    Err(failure) if failure.code() == Some(StatusCode::CONFLICT) => self.unsure = true,
                    done => return done.map(drop),
                }
            }
        });
        let why = match tried.await {
            Ok(Ok(())) => return,
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "no answer in time".to_string(),
        };
        warn!(lease = self.election.name, why, "the Lease was not released: it expires");
    }

    async fn read(&mut self) -> Result<(), RequestFailure> {
        self.candidate.asking();
        let answer = match self.request(ApiRequest::get(self.path())).await {
            Err(failure) if failure.is_absent() => Ok(None),
            answer => answer.map(Some),
        };
        match answer {
            Ok(lease) => {
                self.candidate.looked(self.now(), lease.as_ref().map(|lease| self.seen(lease)));
                self.lease = lease;
                self.unsure = false;
                Ok(())
            }
            Err(failure) => {
                self.candidate.failed(self.now());
                Err(failure)
            }
        }
    }

    async fn write(&mut self, request: ApiRequest, sent: Moment) -> Result<(), RequestFailure> {
        self.candidate.asking();
        self.unsure = true;
        match self.request(request).await {
            Ok(lease) => {
                self.candidate.took(sent, self.seen(&lease));
                self.lease = Some(lease);
                self.unsure = false;
                Ok(())
            }
            Err(failure) => {
                self.candidate.failed(self.now());
                Err(failure)
            }
        }
    }

    async fn request(&self, request: ApiRequest) -> Result<Lease, RequestFailure> {
        let answer = self.server.request(&request).await?;
        serde_json::from_slice(&answer).map_err(|error| RequestFailure::NoAnswer(format!("this is no Lease: {error}")))
    }

    /// Returns the Lease with this process as holder.
    fn renewed(&self, before: Option<&Lease>) -> Lease {
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

/// The wall clock, shown to people. Nothing is decided by it.
fn wall_clock() -> MicroTime {
    MicroTime(Timestamp::now())
}
