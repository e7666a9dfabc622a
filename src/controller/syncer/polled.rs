//! A tenant on the platform. The platform reports no changes, so the sender reads it from time to time.

use super::super::log::random;
use crate::api::{Object, TenantSpec};
use crate::controller::probes::readiness::Waiting;
use crate::engine::model::inventory::{Inventory, View};
use crate::engine::model::item::Item;
use crate::engine::model::plan::Note;
use crate::engine::plan::manual;
use crate::tenant::location::Snapshot;
use crate::tenant::prismatic::{Expected, OrganizationLocation, PlatformSettings, Unreached};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::time::Instant;
use tracing::{debug, warn};

/// A full reconcile begins with a read that is at most this old.
const FRESH: Duration = Duration::from_secs(10);
/// The first pause after a failed read, as a multiple of the pause before a request is repeated, and the longest one.
const FAILED: u32 = 10;
const LONGEST: Duration = Duration::from_secs(600);
/// How many sign-ins a status names.
const FEW: usize = 3;

/// A tenant on the platform.
pub(super) struct PolledTenant {
    tenant: String,
    /// The number of this connection. Reads of an earlier connection are ignored.
    pub epoch: u64,
    settings: PlatformSettings,
    /// Every read is made with this connection.
    connection: OrganizationLocation,
    read: Option<ReadTenant>,
    /// Why the last read failed.
    failure: Option<Unreached>,
    failures: u32,
    /// Another tenant that is the same organization.
    same_as: Option<String>,
    is_reading: bool,
    /// Since when what was read may be out of date: nothing is reconciled with it.
    stale: Option<Instant>,
    /// When it is read again.
    next: Instant,
    /// Requests that were counted.
    counted: (usize, usize),
    changed_at: Instant,
    stirs: Arc<AtomicU64>,
    /// Set during the first read.
    waiting: Option<Waiting>,
}

/// What was read last.
struct ReadTenant {
    location: Arc<OrganizationLocation>,
    expected: Expected,
    inventory: Arc<Inventory>,
    organization: Option<String>,
    resend: BTreeSet<String>,
    at: Instant,
}

/// A read to be made, on a thread of its own.
pub(super) struct Poll {
    location: OrganizationLocation,
    expected: Expected,
    begun: Instant,
}

/// The result of a read.
pub(super) struct PollResult {
    location: OrganizationLocation,
    expected: Expected,
    begun: Instant,
    pub took: Duration,
    result: Result<(Snapshot, BTreeSet<String>), Unreached>,
}

/// What a read showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    /// Its content changed, or whether it can be read.
    Changed,
    /// Nothing changed since the last read.
    Unchanged,
    /// Nothing changed, and a reconcile that is still due asked for the read.
    Refreshed,
}

impl std::fmt::Debug for PollResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PollResult({:?})", self.location)
    }
}

impl Poll {
    /// Reads the tenant.
    pub(super) fn read(self) -> PollResult {
        let Poll { location, expected, begun } = self;
        let result = location.poll().map(|snapshot| (snapshot, location.resends()));
        PollResult { location, expected, begun, took: begun.elapsed(), result }
    }
}

impl PolledTenant {
    /// Creates the connection. Nothing was read yet.
    pub(super) fn new(
        tenant: &str,
        epoch: u64,
        connection: OrganizationLocation,
        settings: PlatformSettings,
        waiting: Waiting,
    ) -> Self {
        let now = Instant::now();
        waiting.now_for(format!("tenant {tenant} on the platform"));
        PolledTenant {
            tenant: tenant.to_string(),
            epoch,
            settings,
            connection,
            read: None,
            failure: None,
            failures: 0,
            same_as: None,
            is_reading: false,
            stale: None,
            next: now,
            counted: (0, 0),
            changed_at: now,
            stirs: Arc::default(),
            waiting: Some(waiting),
        }
    }

    /// Whether a read is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        !self.is_reading && self.next <= now
    }

    /// Begins a read. `expected` are the names that the sources use.
    pub(super) fn begin(&mut self, expected: Expected, now: Instant) -> Poll {
        self.is_reading = true;
        Poll { location: self.connection.again(expected.clone()), expected, begun: now }
    }

    /// Does not read it, for this reason, until the next read would be due. Returns whether that is new.
    pub(super) fn refuse(&mut self, reason: &'static str, why: String, now: Instant) -> bool {
        let failure = Some(Unreached { reason, why, after: None });
        let is_new = self.failure != failure;
        self.next = now + spread(self.settings.interval);
        if is_new {
            self.failure = failure;
            self.stir(now);
        }
        self.waiting = None;
        is_new
    }

    /// Returns when the next read is due; `None` while one is in progress.
    pub(super) fn wakes(&self) -> Option<Instant> {
        (!self.is_reading).then_some(self.next)
    }

    /// Takes the result of a read.
    pub(super) fn on_read(&mut self, poll: PollResult, now: Instant) -> ReadOutcome {
        self.is_reading = false;
        // What asked for the read is still in the queue.
        let is_scheduled = self.stale.is_none();
        self.stale = self.stale.filter(|since| *since > poll.begun);
        let could_be_read = self.error().is_none() && self.read.is_some();
        let is_changed = match poll.result {
            Ok((snapshot, resend)) => {
                for caution in &snapshot.cautions {
                    debug!(tenant = self.tenant, caution, "read");
                }
                (self.failure, self.failures) = (None, 0);
                self.next = now + spread(self.settings.interval);
                let before = self.read.as_ref().map(|read| &read.inventory);
                let is_changed = before.is_none_or(|before| !is_same(before, &snapshot.inventory));
                self.read = Some(ReadTenant {
                    location: Arc::new(poll.location),
                    expected: poll.expected,
                    inventory: snapshot.inventory,
                    organization: snapshot.organization,
                    resend,
                    // What changed since it began makes it stale, so its age is that of its end.
                    at: now,
                });
                is_changed || !could_be_read
            }
            Err(failure) => {
                let pause = self.settings.pause * FAILED * 2_u32.pow(self.failures.min(10));
                self.failures += 1;
                self.next = now + spread(pause.min(LONGEST).max(failure.after.unwrap_or_default()));
                if self.failure.as_ref() != Some(&failure) {
                    warn!(tenant = self.tenant, reason = failure.reason, why = failure.why, "cannot be read");
                }
                let is_new = self.failure.as_ref().is_none_or(|before| before.reason != failure.reason);
                self.failure = Some(failure);
                is_new
            }
        };
        if self.stale.is_some() && self.failure.is_none() {
            self.next = now;
        }
        if is_changed {
            self.stir(now);
        }
        // Its status reports that it cannot be read: readiness does not wait for it.
        self.waiting = None;
        match is_changed {
            true => ReadOutcome::Changed,
            false if is_scheduled => ReadOutcome::Unchanged,
            false => ReadOutcome::Refreshed,
        }
    }

    /// Handles a read that panicked.
    pub(super) fn on_broken_read(&mut self, now: Instant) {
        let why = "internal error: report it, with the last lines of the log".to_string();
        (self.is_reading, self.next, self.waiting) = (false, now + LONGEST, None);
        self.failure = Some(Unreached { reason: "Mistake", why, after: None });
        self.stir(now);
    }

    fn stir(&mut self, now: Instant) {
        self.changed_at = now;
        self.stirs.fetch_add(1, Ordering::Relaxed);
    }

    /// Reads it before anything else is reconciled with it. After a failure it is read when its pause ends.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.stale = Some(now);
        if self.failure.is_none() {
            self.next = self.next.min(now);
        }
    }

    /// Reads it now, because a person or a tool asked for it.
    pub(super) fn read_now(&mut self, now: Instant) {
        (self.stale, self.failures, self.next) = (Some(now), 0, now);
    }

    /// Whether a full reconcile may begin with what was read. What cannot be read is not waited for.
    pub(super) fn is_fresh(&self, expected: impl FnOnce() -> Expected, now: Instant) -> bool {
        self.error().is_some()
            || self.read.as_ref().is_some_and(|read| now.duration_since(read.at) < FRESH && read.expected == expected())
    }

    /// Sets the tenants that are the same organization.
    pub(super) fn is_same_as(&mut self, others: Option<String>, now: Instant) -> bool {
        let is_changed = self.same_as != others;
        if is_changed {
            self.same_as = others;
            self.stir(now);
        }
        is_changed
    }

    /// The organization that it is.
    pub(super) fn organization(&self) -> Option<&str> {
        self.read.as_ref()?.organization.as_deref()
    }

    /// Returns the requests since the last call: reads and writes.
    pub(super) fn requests(&mut self) -> (usize, usize) {
        let (reads, writes) = self.connection.calls();
        let before = std::mem::replace(&mut self.counted, (reads, writes));
        (reads - before.0.min(reads), writes - before.1.min(writes))
    }

    /// Whether there is nothing to reconcile with yet, and nothing went wrong.
    pub(super) fn is_being_read(&self) -> bool {
        self.failure.is_none() && (self.read.is_none() || self.stale.is_some())
    }

    /// Returns why it cannot be read.
    pub(super) fn error(&self) -> Option<String> {
        if let Some(others) = &self.same_as {
            return Some(format!(
                "it is the same organization as {others}: keep one of these Tenants, or give one of them the token of \
                 another organization"
            ));
        }
        self.failure.as_ref().map(|failure| failure.why.clone())
    }

    /// Returns the condition of a tenant that cannot be read: its reason, and whether it stays so until a person acts.
    pub(super) fn reason(&self) -> (&'static str, bool) {
        match &self.failure {
            _ if self.same_as.is_some() => ("SameOrganization", true),
            Some(failure) => {
                (failure.reason, matches!(failure.reason, "TokenRefused" | "Forbidden" | "SecretsShared" | "TooLarge"))
            }
            None => ("Unreachable", false),
        }
    }

    /// Returns what its status says while it can be read.
    pub(super) fn text(&self) -> String {
        let Some(read) = &self.read else { return String::new() };
        let seconds = self.settings.interval.as_secs().max(1);
        let inventory = &read.inventory;
        let (connections, integrations) = (inventory.connections.len(), inventory.integrations.len());
        let mut text = format!("it is read every {seconds} s: {connections} connections, {integrations} integrations");
        let steps = manual::of_sign_ins(inventory);
        let steps: Vec<&str> = steps
            .iter()
            .filter_map(|note| match note {
                Note::Manual { text, .. } => Some(text.as_str()),
                _ => None,
            })
            .collect();
        if !steps.is_empty() {
            let more = steps.len().saturating_sub(FEW);
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            text.push_str(&format!("; manual steps: {}{more}", steps[..steps.len().min(FEW)].join("; ")));
        }
        text
    }

    /// Returns its cached objects.
    pub(super) fn inventory(&self) -> Option<&Arc<Inventory>> {
        self.read.as_ref().map(|read| &read.inventory)
    }

    /// Returns the location as it was read, for writes.
    pub(super) fn location(&self) -> Option<Arc<OrganizationLocation>> {
        self.read.as_ref().map(|read| read.location.clone())
    }

    /// Returns the secrets to send again.
    pub(super) fn resend(&self) -> BTreeSet<String> {
        self.read.as_ref().map(|read| read.resend.clone()).unwrap_or_default()
    }

    /// Returns its spec and its objects.
    pub(super) fn view(&self, tenant: &Object<TenantSpec>) -> (TenantSpec, View) {
        let view = match (self.error(), self.inventory()) {
            (Some(why), _) => View::Unreachable(why),
            (None, Some(inventory)) => View::Read(inventory.clone()),
            (None, None) => View::Unreachable("it was not read yet".to_string()),
        };
        (tenant.spec.clone(), view)
    }

    /// Returns why nothing may be deleted because of objects that it lacks, and from when on it may.
    pub(super) fn unsettled(&self, delete_after: Duration, now: Instant) -> Option<(String, Option<Instant>)> {
        let then = self.changed_at + delete_after;
        let seconds = delete_after.as_secs();
        let why = || format!("{} must have been unchanged for {seconds} s before anything is removed", self.tenant);
        (then > now).then(|| (why(), Some(then)))
    }

    /// Returns the counter of changes, and its current value.
    pub(super) fn stirs(&self) -> (Arc<AtomicU64>, u64) {
        (self.stirs.clone(), self.stirs.load(Ordering::Relaxed))
    }

    /// Returns the shared flag that is true while it answers: a write waits for the platform on its own.
    pub(super) fn answers(&self) -> Arc<AtomicBool> {
        Arc::new(AtomicBool::new(true))
    }
}

/// A time within a fifth of this one, so that tenants are not read all at once.
fn spread(time: Duration) -> Duration {
    let part = f64::from(u32::try_from(random() & 0xffff).unwrap_or_default()) / 65_536.0;
    time.mul_f64(0.9 + part / 5.0)
}

/// Whether two reads have the same objects.
fn is_same(before: &Inventory, now: &Inventory) -> bool {
    let (mut before, mut now) = (before.items(), now.items());
    loop {
        match (before.next(), now.next()) {
            (None, None) => return true,
            (before, now) => {
                if !Item::same(before.as_ref(), now.as_ref()) {
                    return false;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{PrismaticLocation, SecretKeyRef};
    use crate::controller::probes::readiness::Readiness;
    use crate::kubernetes::client::Server;
    use crate::secret::Secret;
    use crate::tenant::prismatic::{Operator, Platform, TokenSecret};

    const SECOND: Duration = Duration::from_secs(1);

    fn tenant() -> PolledTenant {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let config = kube::Config::new("http://127.0.0.1:1".parse().unwrap());
        let client = runtime.block_on(async { kube::Client::try_from(config).unwrap() });
        let settings = PlatformSettings { allows_loopback: true, ..PlatformSettings::default() };
        let platform = Arc::new(Platform::in_cluster(Operator {
            server: Server::new(client, Arc::new(runtime), "nowhere", SECOND),
            namespace: "hub".to_string(),
            fence: Arc::new(|| true),
            name: "sender".to_string(),
            limit: 1 << 20,
            settings,
        }));
        let location = serde_json::json!({
            "url": "http://127.0.0.1:1", "tokenFrom": {"secretRef": {"name": "tokens", "key": "eu"}},
        });
        let location: PrismaticLocation = serde_json::from_value(location).unwrap();
        let token = TokenSecret {
            at: SecretKeyRef { name: "tokens".into(), key: "eu".into() },
            hosts: Some("127.0.0.1:1".into()),
            token: Secret::new("CANARY".into()),
        };
        let connection = platform.location_in_cluster("eu", &location, &token).unwrap();
        PolledTenant::new("eu", 1, connection, settings, Readiness::of(1).waits("test", "nothing"))
    }

    /// Ends the read that is due with this result.
    fn read(tenant: &mut PolledTenant, result: Result<(), Unreached>, now: Instant) -> ReadOutcome {
        assert!(tenant.is_due(now));
        let Poll { location, expected, begun } = tenant.begin(Expected::default(), now);
        assert!(!tenant.is_due(now), "one at a time");
        let result = result.map(|()| (Snapshot::default(), BTreeSet::new()));
        tenant.on_read(PollResult { location, expected, begun, took: Duration::ZERO, result }, now)
    }

    fn pause(tenant: &PolledTenant, now: Instant) -> Duration {
        tenant.wakes().unwrap() - now
    }

    fn failed(reason: &'static str, after: Option<Duration>) -> Result<(), Unreached> {
        Err(Unreached { reason, why: "it failed".to_string(), after })
    }

    /// "the operator polls (60 s, with jitter)", and backoff after "too many requests".
    #[test]
    fn a_tenant_is_read_every_minute_and_more_seldom_after_failures() {
        let (mut tenant, now) = (tenant(), Instant::now());
        assert!(tenant.is_being_read() && !tenant.is_fresh(Expected::default, now));
        assert_eq!(read(&mut tenant, Ok(()), now), ReadOutcome::Changed, "it can be read");
        assert!((54 * SECOND..66 * SECOND).contains(&pause(&tenant, now)));
        let mut longest = Duration::ZERO;
        for failures in 0..12 {
            tenant.next = now;
            let outcome = read(&mut tenant, failed("TooManyRequests", None), now);
            assert_eq!(outcome == ReadOutcome::Changed, failures == 0);
            assert!(pause(&tenant, now) > longest.mul_f64(0.8), "{failures}");
            longest = pause(&tenant, now);
        }
        assert!((540 * SECOND..660 * SECOND).contains(&longest), "{longest:?}");
        assert_eq!(tenant.reason(), ("TooManyRequests", false));
        // What is due meanwhile does not hasten it, and a person does.
        tenant.refresh(now);
        assert_eq!(pause(&tenant, now), longest);
        tenant.read_now(now);
        let refused = failed("TokenRefused", Some(700 * SECOND));
        assert_eq!(read(&mut tenant, refused, now), ReadOutcome::Changed);
        assert!(pause(&tenant, now) >= 630 * SECOND && tenant.reason().1);
        tenant.read_now(now);
        assert_eq!(read(&mut tenant, Ok(()), now), ReadOutcome::Changed);
        assert!(tenant.error().is_none());
        tenant.next = now;
        assert_eq!(read(&mut tenant, Ok(()), now), ReadOutcome::Unchanged);
    }

    #[test]
    fn what_was_written_is_read_before_it_is_planned_again() {
        let (mut tenant, now) = (tenant(), Instant::now());
        read(&mut tenant, Ok(()), now);
        assert!(tenant.is_fresh(Expected::default, now) && !tenant.is_fresh(Expected::default, now + FRESH));
        assert!(!tenant.is_being_read());
        tenant.refresh(now + SECOND);
        assert!(tenant.is_being_read() && pause(&tenant, now) <= SECOND);
        // A read that began before the write does not count.
        let begun = tenant.begin(Expected::default(), now + SECOND);
        tenant.refresh(now + 2 * SECOND);
        let Poll { location, expected, begun } = begun;
        let result = Ok((Snapshot::default(), BTreeSet::new()));
        tenant.on_read(PollResult { location, expected, begun, took: SECOND, result }, now + 3 * SECOND);
        assert!(tenant.is_being_read());
        // The reconcile that failed is tried again at its own pace: the read does not hasten it.
        assert_eq!(read(&mut tenant, Ok(()), now + 3 * SECOND), ReadOutcome::Refreshed);
        assert!(!tenant.is_being_read());
    }
}
