//! Whether a checkout has what its commit has: a pull request's plan is of the commit, and an apply reads the checkout.

use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::file_tree::{FileKind, FileTree};
use crate::git::{Commit, blob_id};
use crate::manifest::{is_manifest, limits};
use std::ffi::OsStr;
use std::path::Path;

/// Fails if a file of the project differs from that of the commit. A filter of Git can change what is checked out, and
/// `.gitattributes` of the commit names it.
pub(super) fn is_commit(repository: &ProjectRepository, commit: &Commit) -> Result<(), CommandFailure> {
    let tree = repository.files_of_commit(commit)?;
    let mut folders = vec![repository.root().to_path_buf()];
    while let Some(folder) = folders.pop() {
        // What cannot be read is a finding of the plan.
        for entry in tree.entries(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            match entry.kind {
                Ok(FileKind::Folder) => folders.push(path),
                Ok(FileKind::File) if is_read(&entry.name) && !is_same(&tree, &path) => {
                    let message =
                        format!("{} in the checkout is not what commit {} has", path.display(), commit.short());
                    let help =
                        "apply in a clean checkout; if a filter of Git changes the file, take it out of .gitattributes";
                    return Err(CommandFailure::new(message, help));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Whether a file with this name decides anything.
fn is_read(name: &OsStr) -> bool {
    let of_project = [".stablekeyignore", "stablekey.lock"].iter().any(|other| name == *other);
    of_project
        || is_manifest(name.as_encoded_bytes())
        || Path::new(name).extension().is_some_and(|of| of == "definition")
}

/// Whether a file on disk has the content that it has in a commit, whatever its line ends are.
fn is_same(tree: &FileTree, path: &Path) -> bool {
    let Ok(Some(bytes)) = FileTree::default().read(path, limits::FILE_BYTES) else { return false };
    let id = tree.content_id(path);
    let is_it = |bytes: &[u8]| id.is_some() && blob_id(bytes) == id;
    is_it(&bytes) || {
        let unix: Vec<u8> = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").into_bytes();
        is_it(&unix)
    }
}
