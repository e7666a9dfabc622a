//! The source of a tenant in Git. Its server is asked from time to time where the branch or tag stands, and at once when
//! a webhook reports a push; a new commit is fetched and read. What cannot be read is unknown, never empty.

use super::super::log::random;
use crate::api::{Definition, Kind};
use crate::controller::probes::readiness::Waiting;
use crate::engine::model::inventory::View;
use crate::engine::model::item::ObjectId;
use crate::file_tree::FileKind;
use crate::git::failure::FetchError;
use crate::git::reference::Reference;
use crate::git::remote::Remote;
use crate::git::{GitError, ObjectId as CommitId, Repository};
use crate::manifest::{self, FileProblem};
use crate::tenant::directory::layout::{Folder, FolderLayout, FolderRole};
use crate::tenant::directory::overlay::Overlay;
use crate::tenant::directory::read::{beside, gather};
use crate::tenant::directory::read_definition;
use crate::tenant::location::{LocationError, Snapshot};
use std::io;
use std::path::{Component, Path, PathBuf};
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
/// How many problems of files a status names.
const FEW: usize = 10;

/// What is read, and how.
#[derive(Debug)]
pub(super) struct GitTarget {
    pub tenant: String,
    pub remote: Remote,
    pub reference: Reference,
    /// The folder below the root of the repository; empty for all of it.
    pub path: PathBuf,
    /// Where commits are fetched to. Removed with this.
    pub folder: FetchFolder,
    /// Maximum size of the manifests, in bytes.
    pub limit: usize,
}

/// A folder for what is fetched, removed when nobody uses it any more.
#[derive(Debug)]
pub(super) struct FetchFolder(PathBuf);

impl FetchFolder {
    /// Names a folder that no other source has, below `parent`. The first fetch makes it.
    pub(super) fn below(parent: &Path, namespace: &str, tenant: &str) -> Self {
        FetchFolder(parent.join(format!("{namespace}.{tenant}.{:016x}", random())))
    }
}

impl Drop for FetchFolder {
    fn drop(&mut self) {
        // What stays is removed when the operator starts again.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The source of a tenant in Git.
pub(super) struct GitTenantSource {
    /// The number of this connection. Reads of an earlier connection are ignored.
    pub epoch: u64,
    target: Arc<GitTarget>,
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

/// A commit that was read.
#[derive(Debug)]
pub(super) struct ReadCommit {
    tenant: String,
    id: CommitId,
    layout: FolderLayout,
    content: Result<Snapshot, GitFailure>,
}

/// Why a source cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GitFailure {
    /// One word in CamelCase.
    pub reason: &'static str,
    /// Why, and what to do.
    pub why: String,
    /// Whether it stays so until a person acts.
    pub is_stalled: bool,
    /// How long the server asks to wait.
    pub after: Option<Duration>,
}

/// A read to be made, on a thread of its own.
pub(super) struct GitPoll {
    target: Arc<GitTarget>,
    /// The commit that was read before.
    known: Option<CommitId>,
}

/// The result of a read: a new commit, or none.
#[derive(Debug)]
pub(super) struct GitPollResult(Result<Option<ReadCommit>, GitFailure>);

impl GitPoll {
    /// Asks for the commit, and reads it if it is new.
    pub(super) fn read(self) -> GitPollResult {
        GitPollResult(self.new_commit())
    }

    fn new_commit(&self) -> Result<Option<ReadCommit>, GitFailure> {
        let target = &self.target;
        let failed = |error: FetchError| GitFailure::of_fetch(target, &error);
        if self.known.is_some() && self.known == Some(target.remote.head(&target.reference).map_err(failed)?) {
            return Ok(None);
        }
        let id = target.remote.fetch(&target.reference, &target.folder.0).map_err(failed)?;
        if self.known == Some(id) { Ok(None) } else { ReadCommit::read(target, id).map(Some) }
    }
}

impl GitFailure {
    fn of_fetch(target: &GitTarget, error: &FetchError) -> Self {
        let is_transient = matches!(
            error,
            FetchError::Unreachable(_)
                | FetchError::Broken(_)
                | FetchError::Server(_)
                | FetchError::TimedOut(_)
                | FetchError::TooManyRequests { .. }
                | FetchError::Protocol
                | FetchError::Storage { .. }
        );
        GitFailure {
            reason: error.reason(),
            why: format!("{}: {error}; {}", target.remote.url(), error.help()),
            is_stalled: !is_transient,
            after: error.after(),
        }
    }

    /// The commit was fetched, and cannot be read from the disk.
    fn of_storage(target: &GitTarget, error: &GitError) -> Self {
        let why = format!("{}: what was fetched cannot be read: {error}", target.remote.url());
        GitFailure { reason: "StorageFailed", why, is_stalled: false, after: None }
    }

    fn stalled(reason: &'static str, why: String) -> Self {
        GitFailure { reason, why, is_stalled: true, after: None }
    }
}

impl ReadCommit {
    fn read(target: &GitTarget, id: CommitId) -> Result<Self, GitFailure> {
        let of_storage = |error: GitError| GitFailure::of_storage(target, &error);
        let repository = Repository::bare(&target.folder.0).map_err(of_storage)?;
        let commit = repository.commit(&id.to_string()).map_err(of_storage)?;
        let root = Path::new("");
        let tree = repository.files(&commit, root, root).map_err(of_storage)?;
        let mut layout = FolderLayout::new(root, Overlay::nothing_over(tree));
        let folder = Folder { tenant: target.tenant.clone(), role: FolderRole::Source, path: target.path.clone() };
        layout.add(folder.clone());
        let content = content(target, id, &layout, &folder);
        Ok(ReadCommit { tenant: target.tenant.clone(), id, layout, content })
    }

    /// The full name of the commit.
    pub(super) fn revision(&self) -> String {
        self.id.to_string()
    }

    /// Returns the problems in its files, the first ones in full.
    pub(super) fn problems(&self) -> Vec<String> {
        let Ok(snapshot) = &self.content else { return Vec::new() };
        let all = &snapshot.problems;
        let text = |problem: &FileProblem| {
            let line = if problem.line > 0 { format!(":{}", problem.line) } else { String::new() };
            format!("{}{line}: {}; {}", problem.file, problem.message, problem.help)
        };
        let more = all.len().saturating_sub(FEW);
        let more = (more > 0).then(|| format!("and {more} more problems in its files"));
        all.iter().take(FEW).map(text).chain(more).collect()
    }

    /// Reads the definition of an integration.
    pub(super) fn definition(&self, integration: &str) -> Result<Vec<u8>, LocationError> {
        let id = ObjectId::new(Kind::Integration, integration);
        let missing = || {
            let why = format!("its definition is not in commit {}", self.id);
            LocationError::Refused { object: id.clone(), why }
        };
        let snapshot = self.content.as_ref().map_err(|_| missing())?;
        let object = snapshot.inventory.integrations.get(integration);
        match (object.and_then(|object| object.spec.definition.as_ref()), snapshot.origins.get(&id)) {
            (Some(Definition::File(file)), Some(origin)) => {
                read_definition(&self.layout, &self.tenant, &beside(origin, file))
            }
            _ => Err(missing()),
        }
    }
}

/// Reads the manifests of a commit.
fn content(target: &GitTarget, id: CommitId, layout: &FolderLayout, folder: &Folder) -> Result<Snapshot, GitFailure> {
    let tree = layout.over.tree();
    let path = &folder.path;
    let shown = path.display();
    let at = |what: String| format!("{}: commit {id} {what}", target.remote.url());
    let restore = "restore the folder, or correct path: what it declared is unknown now, so nothing of it is removed";
    match tree.kind_of_target(path) {
        Ok(FileKind::Folder) => {}
        Ok(FileKind::Submodule) => {
            let why = format!("has a submodule at {shown}, whose content is in another repository; {restore}");
            return Err(GitFailure::stalled("PathNotFound", at(why)));
        }
        Ok(_) => {
            let why = format!("has no folder at {shown}, but a file; {restore}");
            return Err(GitFailure::stalled("PathNotFound", at(why)));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(GitFailure::stalled("PathNotFound", at(format!("has no folder {shown}; {restore}"))));
        }
        Err(error) => {
            return Err(GitFailure::stalled("PathNotFound", at(format!("has no folder {shown}: {error}; {restore}"))));
        }
    }
    let size: u64 = manifest::find(tree, path, &|_, _| false).files.iter().map(|file| file.size).sum();
    if size > u64::try_from(target.limit).unwrap_or(u64::MAX) {
        let why = format!(
            "has more than {} MiB of manifests at {shown} (--tenant-limit): nothing of it is used",
            target.limit >> 20
        );
        return Err(GitFailure::stalled("TooLarge", at(why)));
    }
    Ok(gather(layout.read(folder).reading, layout, &target.tenant))
}

/// Returns the folder that a source names; `None` if it leads out of the repository.
pub(super) fn folder(path: Option<&str>) -> Option<PathBuf> {
    let written = Path::new(path.unwrap_or_default());
    let below = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    let plain = |part: &Component<'_>| matches!(part, Component::Normal(_));
    written.components().all(below).then(|| written.components().filter(plain).collect())
}

impl GitTenantSource {
    /// Creates the connection. Nothing was read yet.
    pub(super) fn new(epoch: u64, target: GitTarget, interval: Duration, waiting: Waiting) -> Self {
        let now = Instant::now();
        waiting.now_for(format!("the source of tenant {} in Git", target.tenant));
        GitTenantSource {
            epoch,
            target: Arc::new(target),
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
        Some(GitPoll { target: self.target.clone(), known: self.commit.as_ref().map(|commit| commit.id) })
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
        let before = (self.revision(), self.failure.as_ref().map(|failure| failure.reason));
        let result = result.unwrap_or_else(|| {
            let why = "internal error: report it, with the last lines of the log".to_string();
            GitPollResult(Err(GitFailure { reason: "Mistake", why, is_stalled: true, after: None }))
        });
        match result.0 {
            Ok(new) => {
                (self.failure, self.failures) = (None, 0);
                self.next = now + spread(self.interval);
                if let Some(commit) = new {
                    info!(tenant, commit = commit.revision(), problems = commit.problems().len(), "read from Git");
                    if let Err(failure) = &commit.content {
                        warn!(tenant, reason = failure.reason, why = failure.why, "its source cannot be read");
                    }
                    self.commit = Some(Arc::new(commit));
                }
            }
            Err(failure) => {
                let pause = (PAUSE * 2_u32.pow(self.failures.min(10))).min(LONGEST.max(self.interval));
                self.failures += 1;
                self.not_before = now + failure.after.unwrap_or_default();
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
        let is_changed = before != (self.revision(), self.failure.as_ref().map(|failure| failure.reason));
        if is_changed {
            self.changed_at = now;
            self.stirs.fetch_add(1, Ordering::Relaxed);
        }
        // Its status reports that it cannot be read: readiness does not wait for it.
        self.waiting = None;
        is_changed
    }

    /// Reads it before anything else is reconciled with it, because a person or a tool asked for it.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.stale = Some(now);
        self.poll_now(now);
    }

    /// Reads it now, because of a webhook.
    pub(super) fn poll_now(&mut self, now: Instant) {
        self.is_asked_again = self.is_reading;
        let earliest = self.begun.map_or(now, |begun| (begun + GAP).max(now)).max(self.not_before);
        self.next = self.next.min(earliest);
    }

    /// Whether this is the address of its repository.
    pub(super) fn is_at(&self, url: &str) -> bool {
        let plain = |url: &str| url.trim_end_matches('/').trim_end_matches(".git").to_ascii_lowercase();
        plain(url) == plain(&self.target.remote.url().to_string())
    }

    /// Whether there is nothing to reconcile with yet, and nothing went wrong.
    pub(super) fn is_being_read(&self) -> bool {
        self.stale.is_some() || self.commit.is_none() && self.failure.is_none()
    }

    /// Returns why it cannot be read.
    pub(super) fn failure(&self) -> Option<&GitFailure> {
        let of_commit = || self.commit.as_ref().and_then(|commit| commit.content.as_ref().err());
        self.failure.as_ref().or_else(of_commit)
    }

    /// Returns the commit that was read last.
    pub(super) fn commit(&self) -> Option<&Arc<ReadCommit>> {
        self.commit.as_ref()
    }

    fn revision(&self) -> Option<CommitId> {
        self.commit.as_ref().map(|commit| commit.id)
    }

    /// Returns what it declares.
    pub(super) fn view(&self) -> View {
        match (self.failure(), self.commit.as_ref().and_then(|commit| commit.content.as_ref().ok())) {
            (None, Some(snapshot)) => View::Read(snapshot.inventory.clone()),
            (Some(failure), _) => View::Unreachable(failure.why.clone()),
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
    use crate::git::Proxies;
    use crate::git::remote::{Access, Limits};

    const SECOND: Duration = Duration::from_secs(1);

    fn source() -> GitTenantSource {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let access = Access {
            credentials: None,
            authorities: None,
            proxies: Proxies::none(),
            limits: Limits::default(),
            allows_loopback: false,
        };
        let target = GitTarget {
            tenant: "us".to_string(),
            remote: Remote::new("https://git.example/team/tenants.git", access, runtime.handle().clone()).unwrap(),
            reference: Reference::branch("main").unwrap(),
            path: "us".into(),
            folder: FetchFolder::below(Path::new("/nonexistent"), "hub", "us"),
            limit: 1 << 20,
        };
        GitTenantSource::new(1, target, 60 * SECOND, Readiness::of(1).waits("test", "nothing"))
    }

    fn failed(source: &mut GitTenantSource, after: Option<Duration>, now: Instant) -> bool {
        assert!(source.begin(now).is_some());
        assert!(source.begin(now).is_none() && source.wakes().is_none(), "one at a time");
        let failure = GitFailure { reason: "Unreachable", why: "it failed".to_string(), is_stalled: false, after };
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

    #[test]
    fn a_path_stays_in_its_repository_and_an_address_is_found_however_it_is_written() {
        assert_eq!(folder(None), Some(PathBuf::new()));
        assert_eq!(folder(Some("./tenants//us/")), Some("tenants/us".into()));
        for path in ["..", "a/../../b", "/etc"] {
            assert_eq!(folder(Some(path)), None, "{path}");
        }
        let source = source();
        for url in ["https://git.example/team/tenants", "https://git.example/Team/tenants.git/"] {
            assert!(source.is_at(url), "{url}");
        }
        assert!(!source.is_at("https://git.example/team/other.git"));
    }
}
