//! Why something could not be read from Git.

use std::path::PathBuf;

/// Why something could not be read from Git.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GitError {
    /// The folder lies in no repository.
    #[error("{} is in no Git repository", .folder.display())]
    NoRepository {
        /// The folder.
        folder: PathBuf,
    },
    /// The repository is there, and cannot be read.
    #[error("the Git repository of {} cannot be read: {why}", .folder.display())]
    Unreadable {
        /// A folder in it.
        folder: PathBuf,
        why: String,
    },
    /// The repository has no such commit.
    #[error("there is no commit {revision} in this repository")]
    NoCommit {
        /// The name that was given.
        revision: String,
    },
    /// A tag and a branch have the name.
    #[error("{revision} is both a tag and a branch")]
    Ambiguous {
        /// The name that was given.
        revision: String,
    },
    /// The clone is shallow, and the commit may be beyond what it has.
    #[error("{revision} is not in this clone, which is shallow: it has a depth of {depth}")]
    Shallow {
        /// The name that was given.
        revision: String,
        /// The number of commits from HEAD to the end of the clone, HEAD included.
        depth: usize,
    },
    /// A commit, a folder or a file of the repository is not there.
    #[error("{what} cannot be read from Git: {why}")]
    Object {
        /// What it is.
        what: String,
        why: String,
    },
    /// The folder lies in another part of the disk than the work tree.
    #[error("{} is not in the work tree of its Git repository", .folder.display())]
    NotInWorkTree {
        /// The folder.
        folder: PathBuf,
    },
}

impl GitError {
    /// Returns what to do.
    pub fn help(&self) -> String {
        match self {
            GitError::NoRepository { .. } => {
                "give a folder in a clone with -C; or, without a clone, --git URL@REF".to_string()
            }
            GitError::Unreadable { .. } | GitError::Object { .. } => "check the clone: git fsck".to_string(),
            GitError::NoCommit { .. } => {
                "list the branches: git branch --all; or fetch it: git fetch origin".to_string()
            }
            GitError::Ambiguous { revision } => format!(
                "write which one: refs/heads/{revision}, refs/remotes/origin/{revision} or refs/tags/{revision}; or delete \
                 the tag"
            ),
            GitError::Shallow { depth, .. } => format!(
                "fetch more of the history: git fetch --deepen={depth}; in a job of GitHub set fetch-depth: 0 for \
                 actions/checkout, in one of GitLab GIT_DEPTH: 0"
            ),
            GitError::NotInWorkTree { .. } => "give the root of the project as it is in the clone, with -C".to_string(),
        }
    }
}

/// Returns the text of an error in one line.
pub(super) fn words(error: &gix::Error) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}
