//! Limits how much all fetches into one volume take together, so that none of them fills it for the others.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The room for everything that is fetched.
#[derive(Debug)]
pub struct FetchQuota {
    most: u64,
    used: AtomicU64,
}

/// What one folder takes of a quota, until this is dropped.
#[derive(Debug)]
pub struct QuotaShare {
    quota: Arc<FetchQuota>,
    taken: AtomicU64,
}

impl FetchQuota {
    /// Creates a quota of this many bytes.
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(FetchQuota { most, used: AtomicU64::new(0) })
    }

    /// Begins a share, which takes nothing yet.
    pub fn share(self: &Arc<Self>) -> Arc<QuotaShare> {
        Arc::new(QuotaShare { quota: self.clone(), taken: AtomicU64::new(0) })
    }

    /// Returns how many bytes are taken.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl QuotaShare {
    /// Takes more. Returns the limit of the quota if that is exceeded.
    pub(super) fn take(&self, bytes: u64) -> Result<(), u64> {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        let used = self.quota.used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        if used > self.quota.most { Err(self.quota.most) } else { Ok(()) }
    }

    /// Sets what the share takes to the size of a folder. Only one fetch into a folder runs at a time.
    pub(super) fn measure(&self, folder: &Path) {
        let now = size(folder);
        let before = self.taken.swap(now, Ordering::Relaxed);
        self.quota.used.fetch_add(now, Ordering::Relaxed);
        self.quota.used.fetch_sub(before, Ordering::Relaxed);
    }
}

impl Drop for QuotaShare {
    fn drop(&mut self) {
        self.quota.used.fetch_sub(self.taken.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Returns the size of the files below a folder, in bytes. A fetch makes the folder, so it has no links and few files.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.map(of).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_exceed_a_quota_together_and_give_it_back() {
        let quota = FetchQuota::new(100);
        let (one, other) = (quota.share(), quota.share());
        assert_eq!(one.take(60), Ok(()));
        assert_eq!(other.take(41), Err(100));
        // What is left on the disk counts, not what was received.
        let folder = tempfile::tempdir().unwrap();
        other.measure(folder.path());
        assert_eq!(quota.used(), 60);
        fs::create_dir(folder.path().join("objects")).unwrap();
        fs::write(folder.path().join("objects/pack"), [0; 30]).unwrap();
        other.measure(folder.path());
        assert_eq!(quota.used(), 90);
        drop(one);
        assert_eq!((quota.used(), other.take(70)), (30, Ok(())));
        drop(other);
        assert_eq!(quota.used(), 0);
    }
}
