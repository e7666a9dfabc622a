//! The source of a tenant in Git. Its server is asked from time to time where the branch or tag stands, and at once when
//! a webhook reports a push; a new commit is fetched and read.

use super::super::log::random;
use super::git_commit::{GitFailure, GitPoll, GitPollResult, GitTarget, ReadCommit};
use crate::controller::probes::readiness::Waiting;
use crate::engine::model::inventory::View;
use crate::git::ObjectId as CommitId;
use crate::git::url::GitUrl;
use crate::tenant::directory::layout::Folder;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{info, warn};

/// The first pause after a failure; it doubles each time.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause after failures, unless the interval is longer.
const LONGEST: Duration = Duration::from_secs(600);
/// The time between two questions, whoever asks for them.
const GAP: Duration = Duration::from_millis(200);

/// A commit, whether it can be read whole, and the folders of other tenants in it.
type CommitStanding = (CommitId, bool, Arc<Vec<Folder>>);

/// The source of a tenant in Git.
pub(super) struct GitTenantSource {
    /// The number of this connection. Reads of an earlier connection are ignored.
    pub epoch: u64,
    target: Arc<GitTarget>,
    /// The folders of other tenants in the same commits: a link into one of them is an error.
    beside: Arc<Vec<Folder>>,
    interval: Duration,
    /// The commit that was read last.
    commit: Option<Arc<ReadCommit>>,
    /// Why the last question was not answered.
    failure: Option<GitFailure>,
    failures: u32,
    is_reading: bool,
    /// Since when what was read may be out of date: nothing is reconciled with it.
    stale: Option<Instant>,
    /// A webhook came while it was being read.
    is_asked_again: bool,
    begun: Option<Instant>,
    /// When it is read again.
    next: Instant,
    /// Until when the server asks to wait, whoever asks for a read.
    not_before: Instant,
    changed_at: Instant,
    stirs: Arc<AtomicU64>,
    /// Set during the first read.
    waiting: Option<Waiting>,
}

impl GitTenantSource {
    /// Creates the connection. Nothing was read yet.
    pub(super) fn new(epoch: u64, target: GitTarget, interval: Duration, waiting: Waiting) -> Self {
        let now = Instant::now();
        waiting.now_for(format!("the source of tenant {} in Git", target.tenant));
        GitTenantSource {
            epoch,
            target: Arc::new(target),
            beside: Arc::default(),
            interval,
            commit: None,
            failure: None,
            failures: 0,
            is_reading: false,
            stale: None,
            is_asked_again: false,
            begun: None,
            next: now,
            not_before: now,
            changed_at: now,
            stirs: Arc::default(),
            waiting: Some(waiting),
        }
    }

    /// Begins a read, if one is due.
    pub(super) fn begin(&mut self, now: Instant) -> Option<GitPoll> {
        if self.is_reading || self.next > now {
            return None;
        }
        (self.is_reading, self.is_asked_again, self.begun) = (true, false, Some(now));
        let whole = self.commit.as_ref().filter(|commit| commit.is_whole());
        Some(GitPoll {
            target: self.target.clone(),
            beside: self.beside.clone(),
            known: whole.map(|commit| commit.id()),
            is_outdated: whole.is_some_and(|commit| *commit.beside() != self.beside),
            has_failed: self.failure.is_some(),
        })
    }

    /// Sets the folders of other tenants in the same commits. If they differ, what was read is read again: a file of its
    /// own may be a link into one of them.
    pub(super) fn set_beside(&mut self, beside: Vec<Folder>, now: Instant) {
        if *self.beside != beside {
            self.beside = Arc::new(beside);
            self.poll_now(now);
        }
    }

    /// Returns when the next read is due; `None` while one is in progress.
    pub(super) fn wakes(&self) -> Option<Instant> {
        (!self.is_reading).then_some(self.next)
    }

    /// Takes the result of a read; `None` if it panicked. Returns whether anything changed.
    pub(super) fn on_read(&mut self, result: Option<GitPollResult>, now: Instant) -> bool {
        self.is_reading = false;
        self.stale = self.stale.filter(|since| self.begun.is_none_or(|begun| *since > begun));
        let tenant = self.target.tenant.as_str();
        let before = self.standing();
        let result = result.unwrap_or_else(|| {
            let why = "internal error: report it, with the last lines of the log".to_string();
            GitPollResult(Err(GitFailure::stalled("Mistake", why)))
        });
        match result.0 {
            Ok(new) => {
                (self.failure, self.failures) = (None, 0);
                self.next = now + spread(self.interval);
                if let Some(commit) = new {
                    info!(tenant, commit = commit.revision(), problems = commit.problems().len(), "read from Git");
                    if let Some(failure) = commit.failure() {
                        warn!(tenant, reason = failure.reason, why = failure.why, "its source cannot be read");
                    }
                    self.commit = Some(commit);
                }
            }
            // Its own earlier commit may be what takes the room. Then it is of no use: nothing is reconciled with a source
            // whose last read failed.
            Err(failure) if failure.is_for_want_of_room && self.commit.is_some() => {
                info!(tenant, reason = failure.reason, why = failure.why, "fetched again without its earlier commit");
                (self.commit, self.failure) = (None, None);
                self.next = now + GAP;
            }
            Err(failure) => {
                let pause = (PAUSE * 2_u32.pow(self.failures.min(10))).min(LONGEST.max(self.interval));
                self.failures += 1;
                self.not_before = now + failure.after.unwrap_or_default();
                if self.not_before > now {
                    // Whoever asked meanwhile is not kept waiting as long as the server asks to wait.
                    self.stale = None;
                }
                self.next = (now + spread(pause.max(failure.after.unwrap_or_default()))).max(self.not_before);
                if self.failure.as_ref() != Some(&failure) {
                    warn!(tenant, reason = failure.reason, why = failure.why, "its source cannot be read");
                }
                self.failure = Some(failure);
            }
        }
        if self.is_asked_again {
            self.poll_now(now);
        }
        let is_changed = before != self.standing();
        if is_changed {
            self.changed_at = now;
            self.stirs.fetch_add(1, Ordering::Relaxed);
        }
        // Its status reports that it cannot be read: readiness does not wait for it.
        self.waiting = None;
        is_changed
    }

    /// Reads it before anything else is reconciled with it, because a person or a tool asked for it. While the server asks
    /// to wait, the failure that is known is the answer: nothing waits for a read that does not begin.
    pub(super) fn refresh(&mut self, now: Instant) {
        if self.is_reading || self.not_before <= now {
            self.stale = Some(now);
        }
        self.poll_now(now);
    }

    /// Reads it now, because of a webhook.
    pub(super) fn poll_now(&mut self, now: Instant) {
        self.is_asked_again = self.is_reading;
        let earliest = self.begun.map_or(now, |begun| (begun + GAP).max(now)).max(self.not_before);
        self.next = self.next.min(earliest);
    }

    /// Whether this may be the address of its repository. Many servers ignore the case of a path, and one question too
    /// many harms nobody.
    pub(super) fn is_at(&self, url: &str) -> bool {
        let own = self.target.remote.url().repository();
        GitUrl::parse(url).is_ok_and(|url| url.repository().eq_ignore_ascii_case(&own))
    }

    /// Whether there is nothing to reconcile with yet, and nothing went wrong.
    pub(super) fn is_being_read(&self) -> bool {
        self.stale.is_some() || self.commit.is_none() && self.failure.is_none()
    }

    /// Returns why it cannot be read.
    pub(super) fn failure(&self) -> Option<&GitFailure> {
        let of_commit = || self.commit.as_ref().and_then(|commit| commit.failure());
        self.failure.as_ref().or_else(of_commit)
    }

    /// Returns the commit that was read last.
    pub(super) fn commit(&self) -> Option<&Arc<ReadCommit>> {
        self.commit.as_ref()
    }

    /// What a change of is reported: the commit, whether it can be read whole, the folders that are not its own, and the
    /// reason of a failure.
    fn standing(&self) -> (Option<CommitStanding>, Option<&'static str>) {
        let commit = self.commit.as_ref().map(|commit| (commit.id(), commit.is_whole(), commit.beside().clone()));
        (commit, self.failure.as_ref().map(|failure| failure.reason))
    }

    /// Returns what it declares.
    pub(super) fn view(&self) -> View {
        match (&self.failure, &self.commit) {
            (Some(failure), _) => View::Unreachable(failure.why.clone()),
            (None, Some(commit)) => commit.view(),
            (None, None) => View::Unreachable("it was not read yet".to_string()),
        }
    }

    /// Returns why nothing may be deleted because of objects that it lacks, and from when on it may.
    pub(super) fn unsettled(&self, delete_after: Duration, now: Instant) -> Option<(String, Option<Instant>)> {
        let then = self.changed_at + delete_after;
        let (tenant, seconds) = (&self.target.tenant, delete_after.as_secs());
        let why =
            || format!("the source of {tenant} must have been unchanged for {seconds} s before anything is removed");
        (then > now).then(|| (why(), Some(then)))
    }

    /// Returns the counter of changes, and its current value.
    pub(super) fn stirs(&self) -> (Arc<AtomicU64>, u64) {
        (self.stirs.clone(), self.stirs.load(Ordering::Relaxed))
    }
}

/// A time within a tenth of this one, so that sources are not read all at once.
fn spread(time: Duration) -> Duration {
    let part = f64::from(u32::try_from(random() & 0xffff).unwrap_or_default()) / 65_536.0;
    time.mul_f64(0.95 + part / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::probes::readiness::Readiness;
    use std::path::Path;

    const SECOND: Duration = Duration::from_secs(1);

    fn source() -> GitTenantSource {
        let target = GitTarget::of_test("us", Path::new("/nonexistent"), 1 << 20);
        GitTenantSource::new(1, target, 60 * SECOND, Readiness::of(1).waits("test", "nothing"))
    }

    fn failed(source: &mut GitTenantSource, after: Option<Duration>, now: Instant) -> bool {
        assert!(source.begin(now).is_some());
        assert!(source.begin(now).is_none() && source.wakes().is_none(), "one at a time");
        let failure = GitFailure { after, ..GitFailure::stalled("Unreachable", "it failed".to_string()) };
        source.on_read(Some(GitPollResult(Err(failure))), now)
    }

    fn pause(source: &GitTenantSource, now: Instant) -> Duration {
        source.wakes().unwrap() - now
    }

    /// What cannot be read is unknown, and is asked again at growing intervals.
    #[test]
    fn a_server_that_fails_is_asked_again_more_seldom() {
        let (mut source, mut now) = (source(), Instant::now());
        assert!(source.is_being_read());
        assert!(failed(&mut source, None, now), "its failure is new");
        assert!(matches!(source.view(), View::Unreachable(_)) && !source.is_being_read());
        assert!(pause(&source, now) < 2 * SECOND);
        for _ in 0..20 {
            now = source.wakes().unwrap();
            assert!(!failed(&mut source, None, now), "the same failure");
        }
        assert!((540 * SECOND..660 * SECOND).contains(&pause(&source, now)));
        source.poll_now(now + SECOND);
        now += SECOND;
        failed(&mut source, Some(1_000 * SECOND), now);
        assert!(pause(&source, now) >= 1_000 * SECOND, "as the server says");
        source.poll_now(now + SECOND);
        assert!(pause(&source, now) >= 1_000 * SECOND, "whoever asks");
        assert!(source.begin(now).is_none());
        source.next = now;
        assert!(source.begin(now).is_some());
        assert!(source.on_read(Some(GitPollResult(Ok(None))), now), "it can be asked again");
        assert!((54 * SECOND..66 * SECOND).contains(&pause(&source, now)));
    }

    /// A webhook that comes while a read is in progress may be about a commit that this read does not see.
    #[test]
    fn a_webhook_during_a_read_asks_once_more() {
        let (mut source, now) = (source(), Instant::now());
        assert!(source.begin(now).is_some());
        source.poll_now(now);
        source.poll_now(now);
        source.on_read(Some(GitPollResult(Ok(None))), now + SECOND);
        assert_eq!(pause(&source, now + SECOND), Duration::ZERO);
        assert!(source.begin(now + SECOND).is_some());
        source.on_read(Some(GitPollResult(Ok(None))), now + SECOND);
        assert!(pause(&source, now + SECOND) > 50 * SECOND, "once");
        // Not more often than this, whoever asks.
        source.poll_now(now + SECOND);
        assert_eq!(pause(&source, now + SECOND), GAP);
    }

    #[test]
    fn what_a_person_asked_for_waits_for_a_read_that_began_later() {
        let (mut source, now) = (source(), Instant::now());
        failed(&mut source, None, now);
        source.next = now;
        assert!(source.begin(now).is_some());
        source.refresh(now + SECOND);
        source.on_read(Some(GitPollResult(Ok(None))), now + 2 * SECOND);
        assert!(source.is_being_read());
        assert!(source.begin(now + 2 * SECOND).is_some());
        assert!(source.on_read(None, now + 3 * SECOND), "a read that panicked is a failure");
        assert!(!source.is_being_read() && source.failure().unwrap().is_stalled);
    }

    /// What a person asks for is answered with what is known, as long as the server asks to wait: meanwhile syncs,
    /// approvals and drift of the target go on.
    #[test]
    fn a_server_that_asks_to_wait_holds_up_no_reconcile() {
        let (mut source, now) = (source(), Instant::now());
        failed(&mut source, Some(3_600 * SECOND), now);
        source.refresh(now + SECOND);
        assert!(!source.is_being_read() && matches!(source.view(), View::Unreachable(_)));
        assert!(source.begin(now + SECOND).is_none(), "nor is the server asked");
        // It asks to wait while somebody asks for a read.
        let later = now + 3_700 * SECOND;
        assert!(source.begin(later).is_some());
        source.refresh(later + SECOND);
        assert!(source.is_being_read());
        let after = Some(3_600 * SECOND);
        let failure = GitFailure { after, ..GitFailure::stalled("TooManyRequests", "it failed".to_string()) };
        source.on_read(Some(GitPollResult(Err(failure))), later + 2 * SECOND);
        assert!(!source.is_being_read());
        // Afterwards a request is waited for again.
        source.refresh(later + 3_603 * SECOND);
        assert!(source.is_being_read() && source.begin(later + 3_603 * SECOND).is_some());
    }

    #[test]
    fn an_address_is_found_however_it_is_written() {
        let source = source();
        for url in [
            "https://git.example/team/tenants",
            "https://git.example/Team/tenants.git/",
            "https://Git.Example:443/team/tenants.git",
        ] {
            assert!(source.is_at(url), "{url}");
        }
        assert!(!source.is_at("https://git.example/team/other.git"));
    }
}
