//! The folders for what is fetched of a source in Git. A folder stays as long as a commit is read from it: a reconcile that
//! runs reads definitions of its commit, while a later one is fetched elsewhere.

use super::super::log::random;
use crate::git::ObjectId as CommitId;
use crate::git::failure::FetchError;
use crate::git::quota::{QuotaShare, SourceQuota};
use crate::git::reference::Reference;
use crate::git::remote::{Remote, is_worn};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A folder is worn when it has this many times the size that its first fetch had, as each fetch adds to it: then most of
/// it may be what commits before the last one had.
const GROWN: u64 = 2;
/// A smaller folder is not too large, in bytes.
const SMALL: u64 = 1 << 20;

/// The folders for what is fetched of one source.
#[derive(Debug)]
pub(super) struct FetchFolders {
    /// The path of each, but for its ending.
    path: PathBuf,
    quota: Arc<SourceQuota>,
    /// The folder that the next fetch may go on with.
    current: Mutex<Option<Arc<FetchFolder>>>,
}

/// A folder for what is fetched, removed when nobody uses it any more.
#[derive(Debug)]
pub(super) struct FetchFolder {
    path: PathBuf,
    share: Arc<QuotaShare>,
    /// The size after the first fetch, in bytes.
    first: OnceLock<u64>,
}

impl FetchFolders {
    /// Names folders that no other source has, below `parent`. The first fetch makes the first one.
    pub(super) fn below(parent: &Path, namespace: &str, tenant: &str, quota: Arc<SourceQuota>) -> Self {
        FetchFolders { path: parent.join(format!("{namespace}.{tenant}")), quota, current: Mutex::default() }
    }

    /// Returns the folder for the next fetch: the last one, or a fresh one if that is worn.
    pub(super) fn current(&self) -> Arc<FetchFolder> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(folder) if !folder.is_worn() => folder.clone(),
            _ => {
                let mut path = self.path.clone().into_os_string();
                path.push(format!(".{:016x}", random()));
                let (share, first) = (self.quota.share(), OnceLock::new());
                let fresh = Arc::new(FetchFolder { path: path.into(), share, first });
                *current = Some(fresh.clone());
                fresh
            }
        }
    }

    /// Makes the next fetch begin with an empty folder.
    pub(super) fn begin_afresh(&self) {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl FetchFolder {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Brings the commit that a reference names now into the folder.
    pub(super) fn fetch(&self, remote: &Remote, reference: &Reference) -> Result<CommitId, FetchError> {
        let fetched = remote.fetch_within(reference, &self.path, &self.share);
        if fetched.is_ok() {
            self.first.get_or_init(|| self.share.taken());
        }
        fetched
    }

    /// Whether anything was fetched into it before.
    pub(super) fn is_used(&self) -> bool {
        self.first.get().is_some()
    }

    /// Whether a fresh folder is expected to be much smaller.
    fn is_worn(&self) -> bool {
        let is_large = |first: &u64| self.share.taken() > (*first).max(SMALL).saturating_mul(GROWN);
        is_worn(&self.path) || self.first.get().is_some_and(is_large)
    }
}

impl Drop for FetchFolder {
    fn drop(&mut self) {
        // What stays is removed when the operator starts again.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::quota::FetchQuota;
    use std::fs;

    #[test]
    fn a_folder_stays_while_it_is_read_from() {
        let parent = tempfile::tempdir().unwrap();
        let folders = FetchFolders::below(parent.path(), "hub", "us", FetchQuota::new(1 << 20).source(1 << 20));
        let first = folders.current();
        fs::create_dir_all(first.path().join("objects/pack")).unwrap();
        assert_eq!(folders.current().path(), first.path());
        // After many fetches, and where something cannot be read, the next one begins afresh.
        for number in 0..50 {
            fs::write(first.path().join(format!("objects/pack/{number}")), "").unwrap();
        }
        let second = folders.current();
        assert_ne!(second.path(), first.path());
        folders.begin_afresh();
        assert_ne!(folders.current().path(), second.path());
        assert!(first.path().exists());
        let path = first.path().to_path_buf();
        drop(first);
        assert!(!path.exists());
    }
}
