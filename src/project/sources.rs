//! Sources that a person gives on the command line, at any path.

use std::path::{Component, Path, PathBuf};

/// A path relative to the root, so that it has the same meaning in another copy of both; `None` if one of them does not
/// exist.
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
    }
}
