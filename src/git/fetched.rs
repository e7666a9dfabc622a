//! A commit of a remote, fetched into a temporary folder to be read once.

use super::error::GitError;
use super::failure::FetchError;
use super::reference::Reference;
use super::remote::Remote;
use super::repository::{Commit, Repository};
use crate::file_tree::FileTree;
use std::path::Path;
use tempfile::TempDir;

/// A fetched commit. Its files can be read until it is dropped.
pub struct FetchedCommit {
    repository: Repository,
    commit: Commit,
    /// The folder of the repository, which is removed at the end.
    _folder: TempDir,
}

/// Why a commit of a remote cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchedError {
    /// It cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// It was fetched, and cannot be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl FetchedError {
    /// Returns what to do, for a person who runs a command.
    pub fn help(&self) -> String {
        match self {
            FetchedError::Git(error) => error.help(),
            FetchedError::Fetch(FetchError::TooManyRequests { .. } | FetchError::Server(_)) => {
                "run it again in a while".to_string()
            }
            FetchedError::Fetch(error) => error.help(),
        }
    }
}

impl FetchedCommit {
    /// Fetches the commit that a branch, a tag or a commit of a remote names now.
    pub fn of(remote: &Remote, reference: &Reference) -> Result<Self, FetchedError> {
        let storage = |error: std::io::Error| FetchError::Storage {
            folder: "the folder for temporary files".to_string(),
            why: error.to_string(),
        };
        let folder = tempfile::Builder::new().prefix("stablekey-").tempdir().map_err(storage)?;
        let into = folder.path().join("repository");
        let id = remote.fetch(reference, &into)?;
        let repository = Repository::bare(&into)?;
        let commit = repository.commit(&id.to_string())?;
        Ok(FetchedCommit { repository, commit, _folder: folder })
    }

    /// The beginning of the commit's id.
    pub fn short(&self) -> String {
        self.commit.short()
    }

    /// Returns its files: the folder `at` of the repository has the path `root` there.
    pub fn files(&self, at: &Path, root: &Path) -> Result<FileTree, FetchedError> {
        Ok(self.repository.files(&self.commit, at, root)?)
    }
}
