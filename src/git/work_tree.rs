//! A temporary work tree of a repository on this machine: a branch is made in it and pushed, and the person's own work tree
//! and branches stay as they are.

use super::command::{GitOutput, author, run};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The line of a commit's message that says who made it.
const TRAILER: &str = "Stablekey-Branch";

/// A work tree at the commit of a branch of the remote. It is removed when it is dropped.
pub struct TemporaryWorkTree {
    /// The person's own work tree.
    repository: PathBuf,
    path: PathBuf,
    /// The commit that it is made of.
    base: String,
    _folder: TempDir,
}

/// What became of a branch, with the commit that it has now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// The remote has the commit now.
    Done(String),
    /// The remote had one of the same content already.
    Unchanged(String),
}

/// Why a branch cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BranchError {
    /// A command of git failed.
    #[error("{what}: {why}")]
    Git { what: String, why: String },
    /// The branch on the remote is somebody else's.
    #[error("the branch {0} of the remote has commits of somebody else")]
    Foreign(String),
}

impl BranchError {
    /// Returns what to do.
    pub fn help(&self) -> &'static str {
        match self {
            BranchError::Git { .. } => "see that git reaches the remote, and that its credentials may push",
            BranchError::Foreign(_) => "merge or delete it; or give another name: --branch NAME",
        }
    }
}

impl TemporaryWorkTree {
    /// Fetches a branch of the remote, and makes a work tree of its newest commit.
    pub fn of_branch(repository: &Path, branch: &str) -> Result<Self, BranchError> {
        let what = || format!("the branch {branch} of the remote cannot be fetched");
        let name = format!("refs/heads/{branch}");
        git(repository, &["fetch", "--quiet", "--no-tags", "origin", &name], what)?;
        let base = git(repository, &["rev-parse", "--verify", "FETCH_HEAD^{commit}"], what)?;
        let no_folder = |error: std::io::Error| BranchError::Git { what: what(), why: error.to_string() };
        let folder = tempfile::Builder::new().prefix("stablekey-").tempdir().map_err(no_folder)?;
        let path = folder.path().canonicalize().map_err(no_folder)?.join("tree");
        let text = path.display().to_string();
        let add = ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", &text, &base];
        git(repository, &add, || "no work tree can be made".to_string())?;
        Ok(TemporaryWorkTree { repository: repository.to_path_buf(), path, base, _folder: folder })
    }

    /// Its root.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The name of the commit that it was made of.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Commits all that changed, for a branch. Returns whether anything did.
    pub fn commit(&self, branch: &str, message: &str) -> Result<bool, BranchError> {
        let what = || "the change cannot be committed".to_string();
        git(&self.path, &["add", "--all"], what)?;
        if git(&self.path, &["status", "--porcelain"], what)?.is_empty() {
            return Ok(false);
        }
        let message = format!("{message}\n\n{TRAILER}: {branch}\n");
        let commit = ["-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--message", &message];
        run(&self.path, &commit, None, &author(&self.path))
            .and_then(GitOutput::of_success)
            .map_err(|why| BranchError::Git { what: what(), why })?;
        Ok(true)
    }

    /// Pushes the commit as a branch. One that it was pushed to before is replaced, if all of it was made here.
    pub fn push(&self, branch: &str) -> Result<Pushed, BranchError> {
        let what = || format!("the branch {branch} cannot be pushed");
        let name = format!("refs/heads/{branch}");
        let listed = git(&self.path, &["ls-remote", "origin", &name], what)?;
        let tip = listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, found)| *found == name);
        let tip = tip.map(|(tip, _)| tip.to_string());
        if let Some(tip) = &tip {
            git(&self.path, &["fetch", "--quiet", "--no-tags", "origin", &name], what)?;
            let of = |format: &str| git(&self.path, &["log", "-1", &format!("--format={format}"), tip], what);
            if !of("%B")?.lines().any(|line| line == format!("{TRAILER}: {branch}")) {
                return Err(BranchError::Foreign(branch.to_string()));
            }
            let tree = git(&self.path, &["log", "-1", "--format=%T", "HEAD"], what)?;
            if of("%T")? == tree && of("%P")? == self.base {
                return Ok(Pushed::Unchanged(tip.clone()));
            }
        }
        // Only what was seen is replaced.
        let lease = format!("--force-with-lease={name}:{}", tip.unwrap_or_default());
        let push = ["-c", "core.hooksPath=/dev/null", "push", "--quiet", &lease, "origin", &format!("HEAD:{name}")];
        git(&self.path, &push, what)?;
        git(&self.path, &["rev-parse", "HEAD"], what).map(Pushed::Done)
    }
}

impl Drop for TemporaryWorkTree {
    fn drop(&mut self) {
        let path = self.path.display().to_string();
        // What stays is found and dropped by git itself later.
        let _ = run(&self.repository, &["worktree", "remove", "--force", &path], None, &[]);
    }
}

/// Runs a command that must succeed, and returns what it printed.
fn git(folder: &Path, arguments: &[&str], what: impl Fn() -> String) -> Result<String, BranchError> {
    let output = run(folder, arguments, None, &[]).and_then(GitOutput::of_success);
    let output = output.map_err(|why| BranchError::Git { what: what(), why })?;
    Ok(String::from_utf8_lossy(&output).trim().to_string())
}
