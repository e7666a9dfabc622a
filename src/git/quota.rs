//! Limits how much all fetches into one volume take together, and how much of that one source, so that none of them fills
//! it for the others.

use super::failure::FetchError;
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

/// What all folders of one source take of a quota.
#[derive(Debug)]
pub struct SourceQuota {
    quota: Arc<FetchQuota>,
    most: u64,
    used: AtomicU64,
}

/// What one folder of a source takes, until this is dropped.
#[derive(Debug)]
pub struct QuotaShare {
    source: Arc<SourceQuota>,
    taken: AtomicU64,
}

impl FetchQuota {
    /// Creates a quota of this many bytes.
    pub fn new(most: u64) -> Arc<Self> {
        Arc::new(FetchQuota { most, used: AtomicU64::new(0) })
    }

    /// Adds a source, which may take so many bytes of it.
    pub fn source(self: &Arc<Self>, most: u64) -> Arc<SourceQuota> {
        Arc::new(SourceQuota { quota: self.clone(), most, used: AtomicU64::new(0) })
    }

    /// Returns how many bytes are taken.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }
}

impl SourceQuota {
    /// Begins a share, which takes nothing yet.
    pub fn share(self: &Arc<Self>) -> Arc<QuotaShare> {
        Arc::new(QuotaShare { source: self.clone(), taken: AtomicU64::new(0) })
    }

    /// Adds to what is taken. Returns what the source and all of them take now.
    fn add(&self, bytes: u64) -> (u64, u64) {
        let add = |used: &AtomicU64| used.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes);
        (add(&self.used), add(&self.quota.used))
    }

    fn subtract(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
        self.quota.used.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl QuotaShare {
    /// Takes more, unless that exceeds what the source, or what all of them may take.
    pub(super) fn take(&self, bytes: u64) -> Result<(), FetchError> {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        let (of_source, of_all) = self.source.add(bytes);
        let (most_of_source, most_of_all) = (self.source.most, self.source.quota.most);
        if of_source > most_of_source {
            Err(FetchError::NoRoomBesideEarlier(most_of_source))
        } else if of_all > most_of_all {
            Err(FetchError::NoRoom(most_of_all))
        } else {
            Ok(())
        }
    }

    /// Returns how many bytes it takes.
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Sets what the share takes to the size of a folder. Only one fetch into a folder runs at a time.
    pub(super) fn measure(&self, folder: &Path) {
        let now = size(folder);
        let before = self.taken.swap(now, Ordering::Relaxed);
        self.source.add(now);
        self.source.subtract(before);
    }
}

impl Drop for QuotaShare {
    fn drop(&mut self) {
        self.source.subtract(self.taken());
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
        let (one, other) = (quota.source(100).share(), quota.source(100).share());
        assert_eq!(one.take(60), Ok(()));
        assert_eq!(other.take(41), Err(FetchError::NoRoom(100)));
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

    /// What one source takes, it does not take from the others.
    #[test]
    fn the_folders_of_one_source_do_not_take_all_of_a_quota() {
        let quota = FetchQuota::new(100);
        let source = quota.source(50);
        let (earlier, now) = (source.share(), source.share());
        assert_eq!(earlier.take(30), Ok(()));
        assert_eq!(now.take(30), Err(FetchError::NoRoomBesideEarlier(50)));
        drop(now);
        assert_eq!(quota.source(50).share().take(50), Ok(()), "for another source");
        let now = source.share();
        drop(earlier);
        assert_eq!((now.take(30), now.taken(), quota.used()), (Ok(()), 30, 30));
    }
}
