//! Paths as a tenant's folders are compared by.

use std::path::{Component, Path, PathBuf};

/// Returns the same path without `.`.
pub fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}
