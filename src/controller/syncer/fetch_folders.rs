//! The folders for what is fetched of a source in Git. A folder stays as long as a commit is read from it: a reconcile that
//! runs reads definitions of its commit, while a later one is fetched elsewhere.

use super::super::log::random;
use crate::git::ObjectId as CommitId;
use crate::git::failure::FetchError;
use crate::git::quota::{FetchQuota, QuotaShare};
use crate::git::reference::Reference;
use crate::git::remote::{Remote, is_worn};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The folders for what is fetched of one source.
#[derive(Debug)]
pub(super) struct FetchFolders {
    /// The path of each, but for its ending.
    path: PathBuf,
    quota: Arc<FetchQuota>,
    /// The folder that the next fetch may go on with.
    current: Mutex<Option<Arc<FetchFolder>>>,
}

/// A folder for what is fetched, removed when nobody uses it any more.
#[derive(Debug)]
pub(super) struct FetchFolder {
    path: PathBuf,
    share: Arc<QuotaShare>,
}

impl FetchFolders {
    /// Names folders that no other source has, below `parent`. The first fetch makes the first one.
    pub(super) fn below(parent: &Path, namespace: &str, tenant: &str, quota: Arc<FetchQuota>) -> Self {
        FetchFolders { path: parent.join(format!("{namespace}.{tenant}")), quota, current: Mutex::default() }
    }

    /// Returns the folder for the next fetch: the last one, or a fresh one after many fetches.
    pub(super) fn current(&self) -> Arc<FetchFolder> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        match &*current {
            Some(folder) if !is_worn(&folder.path) => folder.clone(),
            _ => {
                let mut path = self.path.clone().into_os_string();
                path.push(format!(".{:016x}", random()));
                let fresh = Arc::new(FetchFolder { path: path.into(), share: self.quota.share() });
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
        remote.fetch_within(reference, &self.path, &self.share)
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
    use std::fs;

    #[test]
    fn a_folder_stays_while_it_is_read_from() {
        let parent = tempfile::tempdir().unwrap();
        let folders = FetchFolders::below(parent.path(), "hub", "us", FetchQuota::new(1 << 20));
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
