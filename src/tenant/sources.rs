//! Sources that a person gives on the command line: they are read wherever they lie.

use crate::manifest::{Reading, read_folder};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// The folders as the root's files name them: below the root where they lie there, by whatever path or link
/// they were given; else as they were given.
pub fn located(root: &Path, sources: &BTreeMap<String, PathBuf>) -> BTreeMap<String, PathBuf> {
    sources.iter().map(|(tenant, path)| (tenant.clone(), below(root, path).unwrap_or_else(|| path.clone()))).collect()
}

/// What lies outside the root. No link in it may lead out of it.
pub fn read_outside(root: &Path, sources: &BTreeMap<String, PathBuf>) -> Reading {
    let mut reading = Reading::default();
    for path in sources.values().filter(|path| path.is_dir() && below(root, path).is_none()) {
        reading.extend(read_folder(path, path, &[]));
    }
    reading
}

/// A path below the root, where it leads there.
fn below(root: &Path, path: &Path) -> Option<PathBuf> {
    let (real_root, real) = (root.canonicalize().ok()?, path.canonicalize().ok()?);
    Some(root.join(real.strip_prefix(real_root).ok()?))
}

/// A path as seen from the root, so that it means the same in another copy of both; `None` where one of
/// them is not there.
pub fn seen_from(root: &Path, path: &Path) -> Option<PathBuf> {
    let (root, path) = (root.canonicalize().ok()?, path.canonicalize().ok()?);
    let shared = root.components().zip(path.components()).take_while(|(a, b)| a == b).count();
    let up = root.components().skip(shared).map(|_| Component::ParentDir);
    let seen: PathBuf = up.chain(path.components().skip(shared)).collect();
    Some(if seen.as_os_str().is_empty() { PathBuf::from(".") } else { seen })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_from_the_root_wherever_both_are() {
        let folder = tempfile::tempdir().unwrap();
        let made = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let (root, inside, outside) = (made("a/root"), made("a/root/declared/prod"), made("b/prod"));
        assert_eq!(seen_from(&root, &inside), Some("declared/prod".into()));
        assert_eq!(seen_from(&root, &outside), Some("../../b/prod".into()));
        assert_eq!(seen_from(&root, &root), Some(".".into()));
        assert_eq!(seen_from(&root, &root.join("nothing")), None);
        std::os::unix::fs::symlink(&inside, folder.path().join("link")).unwrap();
        assert_eq!(below(&root, &folder.path().join("link")), Some(root.join("declared/prod")));
        assert_eq!(below(&root, &outside), None);
    }
}
