//! Tests of the room for what is fetched: sources on a real Git server that share little of it.

use super::fetch_folders::FetchFolders;
use super::git_commit::GitTarget;
use super::git_reads::GitReads;
use super::git_source::GitTenantSource;
use crate::controller::probes::readiness::Readiness;
use crate::engine::model::inventory::View;
use crate::git::credentials::{CredentialKind, Credentials};
use crate::git::quota::{FetchQuota, SourceQuota};
use crate::git::reference::Reference;
use crate::git::remote::{Access, Limits, Remote};
use crate::git::{Authorities, Proxies, Secret};
use stablekey_testing::certificates::Authority;
use stablekey_testing::git_repository::{File, GitRepository, files};
use stablekey_testing::git_server::{GitServer, TOKEN};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// A server, and a folder to fetch into.
struct Workplace {
    folder: tempfile::TempDir,
    authority: Authority,
    server: GitServer,
    runtime: Runtime,
}

/// A source, and its repository.
struct Source {
    source: GitTenantSource,
    repository: GitRepository,
}

impl Workplace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let server = GitServer::start(folder.path(), &authority);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        Workplace { folder, authority, server, runtime }
    }

    fn fetched(&self) -> PathBuf {
        self.folder.path().join("fetched")
    }

    fn source(&self, tenant: &str, quota: Arc<SourceQuota>) -> Source {
        let name = format!("{tenant}.git");
        let repository = GitRepository::new(&self.folder.path().join(&name));
        let credentials = Credentials {
            from: "Secret git".to_string(),
            kind: CredentialKind::Bearer(Secret::new(TOKEN.to_string())),
            hosts: vec![self.server.host()],
        };
        let access = Access {
            credentials: Some(credentials),
            authorities: Some(Authorities::parse(self.authority.pem.as_bytes()).unwrap()),
            proxies: Proxies::none(),
            limits: Limits::default(),
            allows_loopback: true,
        };
        let target = GitTarget {
            tenant: tenant.to_string(),
            remote: Remote::new(&self.server.url(&name), access, self.runtime.handle().clone()).unwrap(),
            reference: Reference::branch("main").unwrap(),
            path: PathBuf::new(),
            folders: FetchFolders::below(&self.fetched(), "hub", tenant, quota),
            limit: 1 << 20,
        };
        let waiting = Readiness::of(1).waits("test", "nothing");
        Source { source: GitTenantSource::new(1, target, Duration::from_secs(60), waiting), repository }
    }
}

impl Source {
    /// Reads it once, at the time of its next read.
    fn poll(&mut self) {
        let now = self.source.wakes().unwrap();
        let poll = self.source.begin(now).unwrap();
        self.source.on_read(Some(poll.read()), now);
    }

    /// Commits a small file and a large one, and reads the commit without a failure in between.
    fn push(&mut self, text: &str, large: Vec<u8>) {
        self.commit(text, large);
        for _ in 0..2 {
            self.poll();
            assert_eq!(self.source.failure(), None);
            if matches!(self.source.view(), View::Read(_)) {
                return;
            }
            assert!(self.source.is_being_read(), "nothing is reconciled in between");
        }
        panic!("it is not read");
    }

    fn commit(&mut self, text: &str, large: Vec<u8>) {
        let mut all = files(&[("README.md", text)]);
        all.insert("large.bin".to_string(), File::Regular(large));
        let commit = self.repository.commit("main", &all);
        // A read that is due now.
        self.source.poll_now(Instant::now());
        assert_ne!(self.read(), commit);
    }

    /// The commit that was read last.
    fn read(&self) -> String {
        self.source.commit().map(|commit| commit.revision()).unwrap_or_default()
    }
}

/// The size of the files below a folder, in bytes.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { size(&path) } else { path.metadata().unwrap().len() }).sum()
}

/// Bytes that cannot be compressed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(length);
    while bytes.len() < length {
        bytes.extend(next());
    }
    bytes
}

/// "All fits", and still does when a worn folder is replaced: its source goes on without its earlier commit.
#[test]
fn a_source_goes_on_when_the_room_is_full() {
    const LARGE: usize = 1 << 20;
    // For two large files, and not for three.
    const ROOM: u64 = 5 << 19;
    let ours = Workplace::new();
    let quota = FetchQuota::new(ROOM);
    let mut us = ours.source("us", quota.source(ROOM));
    let mut eu = ours.source("eu", quota.source(ROOM));
    us.push("first", noise(1, LARGE));
    eu.push("first", noise(2, LARGE));
    let folder = || {
        let all = std::fs::read_dir(ours.fetched()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut all: Vec<_> = all.filter(|name| name.to_string_lossy().starts_with("hub.us.")).collect();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    };
    let first = folder();
    for number in 0..25 {
        us.push(&format!("commit {number}"), noise(1, LARGE));
    }
    assert_ne!(folder(), first, "it was replaced");
    assert!(quota.used() < ROOM);
    // A reconcile that still reads from a folder keeps it, and it is tried again.
    let held = us.source.commit().cloned().unwrap();
    us.commit("larger", noise(3, LARGE));
    us.poll();
    assert!(us.source.failure().is_none() && us.source.is_being_read());
    us.poll();
    let failure = us.source.failure().unwrap();
    assert_eq!((failure.reason, failure.is_stalled), ("StorageFailed", false));
    assert!(!us.source.is_being_read() && held.is_whole());
    drop(held);
    us.poll();
    assert_eq!(us.source.failure(), None);
    assert!(matches!(us.source.view(), View::Read(_)));
    assert!(matches!(eu.source.view(), View::Read(_)));
}

/// However much is pushed to one repository, others have room.
#[test]
fn one_source_does_not_take_the_room_of_others() {
    const LARGE: usize = 3 << 19;
    let ours = Workplace::new();
    let reads = GitReads::new(2 << 20);
    let mut us = ours.source("us", reads.source_quota());
    us.push("first", noise(1, 1 << 10));
    for seed in 2..6 {
        us.push("next", noise(seed, LARGE));
    }
    let mut eu = ours.source("eu", reads.source_quota());
    eu.push("first", noise(9, LARGE));
}

/// What a commit had that is not the last one goes with the next fetch, if it is much.
#[test]
fn a_folder_that_has_grown_much_is_replaced() {
    let ours = Workplace::new();
    let mut us = ours.source("us", GitReads::new(8 << 20).source_quota());
    us.push("first", noise(1, 1 << 10));
    us.push("a mistake", noise(2, 3 << 20));
    assert!(size(&ours.fetched()) > 3 << 20);
    us.push("its revert", noise(1, 1 << 10));
    assert!(size(&ours.fetched()) < 1 << 20);
}

/// A reconcile reads from the folder of its commit while a later one is fetched: a damaged folder is not replaced.
#[test]
fn a_folder_that_is_read_from_is_never_replaced() {
    let ours = Workplace::new();
    let reads = GitReads::new(64 << 20);
    let mut us = ours.source("us", reads.source_quota());
    us.push("first", noise(1, 1 << 10));
    let folder = std::fs::read_dir(ours.fetched()).unwrap().next().unwrap().unwrap().path();
    let held = us.source.commit().cloned().unwrap();
    // A lock of nobody: no fetch into this folder succeeds.
    std::fs::write(folder.join("shallow.lock"), "").unwrap();
    us.push("second", noise(2, 1 << 10));
    assert!(folder.join("shallow.lock").exists() && held.is_whole());
    assert_eq!(std::fs::read_dir(ours.fetched()).unwrap().count(), 2);
    drop(held);
    assert!(!folder.exists());
}
