//! Notices changes of the project's files.

use crate::project::Project;
use crate::tenant::directory::paths::normal;
use notify::event::{EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

/// A watch of some folders.
pub(super) struct FileWatch {
    watcher: Option<RecommendedWatcher>,
    /// The folders, each with what tells it from one that replaced it.
    folders: BTreeMap<PathBuf, Option<FolderIdentity>>,
    /// Those that could not be followed.
    unfollowed: BTreeSet<PathBuf>,
    failure: Arc<Mutex<Option<String>>>,
    /// Whether a folder became another one while it was read, or was read before it was followed.
    has_missed: bool,
}

/// What tells a folder from another one of the same name.
#[derive(Clone, Copy, PartialEq, Eq)]
struct FolderIdentity {
    device: u64,
    inode: u64,
    created: Option<SystemTime>,
}

impl FileWatch {
    /// A watch that says when something changed, from a thread of its own.
    pub(super) fn new(changed: impl Fn() + Send + 'static) -> Self {
        let failure = Arc::new(Mutex::new(None));
        let heard = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may stand for lost events: what changed is then read all the same.
            if event.is_ok_and(|event| !event.need_rescan() && !changes(&event)) {
                return;
            }
            changed();
        });
        let watcher = match heard {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                None
            }
        };
        FileWatch { watcher, folders: BTreeMap::new(), unfollowed: BTreeSet::new(), failure, has_missed: false }
    }

    /// Follows these folders and no others. One that was replaced is followed again. If that comes after a reading, it may
    /// have missed something, as of a folder that was not followed before: it is then read once more.
    pub(super) fn follow(&mut self, folders: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else { return };
        let mut failure = None;
        let gone: Vec<PathBuf> = self.folders.keys().filter(|known| !folders.contains(known)).cloned().collect();
        for folder in gone {
            let _ = watcher.unwatch(&folder);
            self.folders.remove(&folder);
        }
        for folder in folders {
            let now = identity(folder);
            self.has_missed |= self.folders.get(folder) != Some(&now);
            let is_followed = self.folders.get(folder).is_some_and(|known| *known == now && now.is_some());
            if is_followed && !self.unfollowed.remove(folder) {
                continue;
            }
            let _ = watcher.unwatch(folder);
            match watcher.watch(folder, RecursiveMode::Recursive) {
                Ok(()) => drop(self.folders.insert(folder.clone(), now)),
                Err(error) => {
                    // It is tried again with each reading.
                    self.folders.insert(folder.clone(), now);
                    self.unfollowed.insert(folder.clone());
                    failure = Some(format!("{}: {error}", folder.display()));
                }
            }
        }
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Begins a reading: what is there now is followed, and will be read.
    pub(super) fn begin(&mut self) {
        self.follow_again();
        self.has_missed = false;
    }

    /// Follows the same folders again, those that were replaced.
    pub(super) fn follow_again(&mut self) {
        let folders: Vec<PathBuf> = self.folders.keys().cloned().collect();
        self.follow(&folders);
    }

    /// Whether a folder is another one than the one that is followed: no event tells of a link that leads elsewhere, or
    /// of a folder above that was renamed. Also if that happened during the last reading.
    pub(super) fn is_replaced(&self) -> bool {
        self.has_missed
            || self.watcher.is_some() && self.folders.iter().any(|(folder, known)| identity(folder) != *known)
    }

    /// Why changes may go unnoticed.
    pub(super) fn failure(&self) -> Option<String> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether an event may change what is read. Reading is none, and neither is what Git writes for itself.
fn changes(event: &notify::Event) -> bool {
    let is_change = !matches!(
        event.kind,
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(notify::event::MetadataKind::AccessTime))
    );
    let of_git = |path: &PathBuf| path.components().any(|part| part.as_os_str() == ".git");
    is_change && (event.paths.is_empty() || !event.paths.iter().all(of_git))
}

fn identity(folder: &Path) -> Option<FolderIdentity> {
    let metadata = folder.metadata().ok()?;
    Some(FolderIdentity { device: metadata.dev(), inode: metadata.ino(), created: metadata.created().ok() })
}

/// The folders that a project is read from: its root, and folders of tenants elsewhere.
pub(super) fn folders(root: &Path, project: &Project) -> Vec<PathBuf> {
    with_those_elsewhere(root, project.folders())
}

/// The root, and those of the folders that are not below it or each other.
fn with_those_elsewhere<'p>(root: &Path, folders: impl Iterator<Item = &'p Path>) -> Vec<PathBuf> {
    let mut followed = vec![root.to_path_buf()];
    for folder in folders {
        if !followed.iter().any(|known| is_below(folder, known)) {
            followed.push(folder.to_path_buf());
        }
    }
    followed
}

/// Whether a path is another one or below it, however both are written. Where that cannot be seen, it is not.
fn is_below(path: &Path, other: &Path) -> bool {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    normal(path).strip_prefix(normal(other)).is_ok_and(|rest| rest.components().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_below_the_root_is_followed_once_however_the_root_is_written() {
        let followed = |root: &str, folders: &[&str]| {
            let followed = with_those_elsewhere(Path::new(root), folders.iter().map(Path::new));
            followed.iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(followed(".", &["dev", "eu-prod"]), ["."]);
        assert_eq!(followed("./", &["dev"]), ["./"]);
        assert_eq!(followed("project/.", &["project/dev"]), ["project/."]);
        assert_eq!(followed("/project", &["/project/dev", "/project-2/dev"]), ["/project", "/project-2/dev"]);
        assert_eq!(followed("..", &["../dev"]), [".."]);
        assert_eq!(followed(".", &["dev", "/elsewhere/eu", "../eu", "../eu/prod"]), [".", "/elsewhere/eu", "../eu"]);
        assert_eq!(followed("..", &["../../eu"]), ["..", "../../eu"]);
        assert_eq!(followed("/project", &["/project/../eu"]), ["/project", "/project/../eu"]);
    }

    #[test]
    fn what_was_read_before_it_was_followed_is_read_again() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let [root, elsewhere] = folders.each_ref().map(|folder| folder.path().to_path_buf());
        let mut watch = FileWatch::new(|| {});
        watch.follow(std::slice::from_ref(&root));
        watch.begin();
        assert!(!watch.is_replaced());
        // The first reading finds a folder elsewhere: what changed there meanwhile made no event.
        watch.follow(&[root.clone(), elsewhere.clone()]);
        assert!(watch.is_replaced());
        watch.begin();
        watch.follow(&[root.clone(), elsewhere.clone()]);
        assert!(!watch.is_replaced());
        std::fs::remove_dir(&elsewhere).unwrap();
        assert!(watch.is_replaced());
    }
}
