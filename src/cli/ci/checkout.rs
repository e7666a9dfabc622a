//! Whether a checkout has what its commit has: a pull request's plan is of the commit, and an apply reads the checkout.

use crate::cli::CommandFailure;
use crate::cli::commits::ProjectRepository;
use crate::file_tree::{FileKind, FileTree};
use crate::git::command::{GitOutput, run as git};
use crate::git::{Commit, blob_id};
use crate::manifest::{is_manifest, limits};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Fails if Git takes a file of the project for that of the commit, and its content is another one: a filter of Git
/// changes what is checked out, and `.gitattributes` of the commit names it. What an apply wrote is no such difference.
pub(super) fn is_commit(repository: &ProjectRepository, folder: &Path, commit: &Commit) -> Result<(), CommandFailure> {
    let tree = repository.files_of_commit(commit)?;
    let (mut folders, mut other) = (vec![repository.root().to_path_buf()], Vec::new());
    while let Some(folder) = folders.pop() {
        // What cannot be read is a finding of the plan.
        for entry in tree.entries(&folder).unwrap_or_default() {
            let path = folder.join(&entry.name);
            match entry.kind {
                Ok(FileKind::Folder) => folders.push(path),
                Ok(FileKind::File) if is_read(&entry.name) && !is_same(&tree, &path) => other.push(path),
                _ => {}
            }
        }
    }
    if other.is_empty() {
        return Ok(());
    }
    let diff = ["diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "HEAD"];
    let changed = git(folder, &diff, None, &[]).and_then(GitOutput::of_success).map_err(|why| {
        let message = format!("it is not known whether the checkout is commit {}: {why}", commit.short());
        CommandFailure::new(message, "see that git diff HEAD works")
    })?;
    let changed: BTreeSet<&[u8]> = changed.split(|byte| *byte == 0).collect();
    let is_known = |path: &&PathBuf| repository.path_in_it(path).is_some_and(|name| changed.contains(name.as_bytes()));
    match other.iter().find(|path| !is_known(path)) {
        None => Ok(()),
        Some(path) => {
            let message = format!("{} in the checkout is not what commit {} has", path.display(), commit.short());
            let help = "a filter of Git changes the file when it is checked out: take it out of .gitattributes";
            Err(CommandFailure::new(message, help))
        }
    }
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
    let bytes = match FileTree::default().read(path, limits::FILE_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return false,
        // What is too large, or cannot be read, is a finding of the plan.
        Err(_) => return true,
    };
    let id = tree.content_id(path);
    let is_it = |bytes: &[u8]| id.is_some() && blob_id(bytes) == id;
    is_it(&bytes) || {
        let unix: Vec<u8> = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").into_bytes();
        is_it(&unix)
    }
}
