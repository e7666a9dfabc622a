//! Commands that a message names: complete, so that they can be pasted.

use crate::project::Project;
use crate::text::quoted;

/// Returns the command `stablekey …`, for the root of a project.
pub(super) fn command(project: &Project, words: &[&str]) -> String {
    let root = project.root.display().to_string();
    let root: &[&str] = if root == "." { &[] } else { &["-C", &root] };
    let words = std::iter::once(&"stablekey").chain(words).chain(root);
    words.map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
}
