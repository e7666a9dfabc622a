//! Why something could not be read from Git.

use super::reference::Reference;
use crate::text::quoted;
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
    /// The repository has no commit at all.
    #[error("this repository has no commit yet")]
    Empty,
    /// Two commits where one is needed.
    #[error("{revision} is a range of commits")]
    Range {
        /// The range that was given.
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
    /// A folder is a link in the repository.
    #[error("{} is a link in the repository: the files of a commit must not say where another one is read", .link.display())]
    LinkedRoot {
        /// The link.
        link: PathBuf,
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
            GitError::NoCommit { revision } => match branch(revision) {
                Some(name) => format!("list the branches: git branch --all; or fetch it:\n{}", fetch_of(name, "")),
                None => "list the branches: git branch --all; or fetch it: git fetch origin".to_string(),
            },
            GitError::Empty => "commit the files first: git add --all && git commit".to_string(),
            GitError::Range { revision } => match revision.split_once("..") {
                Some((from, to)) if !from.is_empty() && !to.trim_start_matches('.').is_empty() => {
                    format!("give each by itself: --from {from} --to {}", to.trim_start_matches('.'))
                }
                _ => "give each by itself: --from main --to HEAD".to_string(),
            },
            GitError::Shallow { revision, .. } => {
                let fetch =
                    branch(revision).map_or("git fetch --unshallow".to_string(), |name| fetch_of(name, "--unshallow "));
                format!(
                    "in a job of GitHub set fetch-depth: 0 for actions/checkout, in one of GitLab GIT_DEPTH: 0; here \
                     fetch it with the whole history:\n{fetch}"
                )
            }
            GitError::Ambiguous { revision } => format!(
                "write which one: refs/heads/{revision}, refs/remotes/origin/{revision} or refs/tags/{revision}; or delete \
                 the tag"
            ),
            GitError::LinkedRoot { .. } => "give the folder that it leads to, with -C".to_string(),
            GitError::NotInWorkTree { .. } => "give the root of the project as it is in the clone, with -C".to_string(),
        }
    }
}

/// The name of a branch that a revision may mean: no id, and no way from another commit such as `HEAD^`.
fn branch(revision: &str) -> Option<&str> {
    let name = revision.strip_prefix("origin/").unwrap_or(revision);
    let is_head = name.split(['^', '~', '@']).next() == Some("HEAD");
    (!is_head && Reference::branch(name).is_ok() && Reference::commit(name).is_err()).then_some(name)
}

/// The command that fetches a branch: a clone of one branch has no other, and `git fetch origin` brings none.
fn fetch_of(branch: &str, options: &str) -> String {
    let refspec = format!("+refs/heads/{branch}:refs/remotes/origin/{branch}");
    format!("git fetch {options}origin {}", quoted(&refspec))
}

/// Returns the text of an error in one line.
pub(super) fn words(error: &gix::Error) -> String {
    let text = error.to_string();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_branch_that_is_not_here_is_fetched_by_its_name() {
        let shallow = |revision: &str| GitError::Shallow { revision: revision.to_string(), depth: 1 }.help();
        let fetch = "git fetch --unshallow origin +refs/heads/main:refs/remotes/origin/main";
        assert!(shallow("main").ends_with(fetch) && shallow("origin/main").ends_with(fetch), "{}", shallow("main"));
        for revision in ["HEAD^", "main~2", "0123456789abcdef0123456789abcdef01234567"] {
            assert!(shallow(revision).ends_with("\ngit fetch --unshallow"), "{revision}: {}", shallow(revision));
        }
        let none = GitError::NoCommit { revision: "main".to_string() }.help();
        assert!(none.ends_with("git fetch origin +refs/heads/main:refs/remotes/origin/main"), "{none}");
        assert!(GitError::NoCommit { revision: "-x".to_string() }.help().ends_with("git fetch origin"));
    }
}
