//! What the sources in Git of all hubs share: how many are read at once, and the room for what is fetched.

use crate::git::quota::{FetchQuota, SourceQuota};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Maximum number of sources that are read from one server at once. Each takes a thread until the server has answered.
const WORKING: usize = 8;
/// The same for sources whose last read failed: what takes long and fails again does not hold up what works.
const FAILING: usize = 4;
/// The room for what is fetched of all sources, as a multiple of the largest fetch. One source has room for the largest
/// fetch, so that it leaves as much to the others.
const ROOM: u64 = 2;

/// What the sources in Git of all hubs share.
#[derive(Debug)]
pub(super) struct GitReads {
    /// By host, of which the options of the operator name a few: a server that does not answer holds up no other.
    hosts: Mutex<BTreeMap<String, HostTurns>>,
    quota: Arc<FetchQuota>,
    /// Maximum size of a fetch, in bytes.
    largest: u64,
}

/// How many more sources may be read from a server now.
#[derive(Debug)]
struct HostTurns {
    working: Arc<Semaphore>,
    failing: Arc<Semaphore>,
}

impl Default for HostTurns {
    fn default() -> Self {
        HostTurns { working: Arc::new(Semaphore::new(WORKING)), failing: Arc::new(Semaphore::new(FAILING)) }
    }
}

impl GitReads {
    /// Creates it for fetches of at most this many bytes.
    pub(super) fn new(largest: u64) -> Self {
        GitReads { hosts: Mutex::default(), quota: FetchQuota::new(largest.saturating_mul(ROOM)), largest }
    }

    /// Returns the room for what is fetched of one source.
    pub(super) fn source_quota(&self) -> Arc<SourceQuota> {
        self.quota.source(self.largest)
    }

    /// Waits until one more source may be read from a host.
    pub(super) async fn turn(&self, host: &str, has_failed: bool) -> Option<OwnedSemaphorePermit> {
        self.turns(host, has_failed).acquire_owned().await.ok()
    }

    fn turns(&self, host: &str, has_failed: bool) -> Arc<Semaphore> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let turns = hosts.entry(host.to_string()).or_default();
        if has_failed { turns.failing.clone() } else { turns.working.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn sources_that_fail_and_servers_that_hang_hold_up_no_others() {
        let reads = GitReads::new(1 << 20);
        let turn = |host, has_failed| reads.turn(host, has_failed).now_or_never().flatten();
        let mut failing: Vec<_> = (0..FAILING).map(|_| turn("hangs", true).unwrap()).collect();
        assert!(turn("hangs", true).is_none());
        let working: Vec<_> = (0..WORKING).map(|_| turn("hangs", false).unwrap()).collect();
        assert!(turn("hangs", false).is_none());
        assert!(turn("works", false).is_some() && turn("works", true).is_some());
        failing.pop();
        assert!(turn("hangs", true).is_some());
        drop(working);
        assert!(turn("hangs", false).is_some());
    }
}
