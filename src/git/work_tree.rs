//! A temporary work tree of a repository on this machine: a branch is made in it and pushed, and the person's own work tree
//! and branches stay as they are.

use super::command::{GitOutput, author, run};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// The line of a commit's message that says that it was made here: for which branch, and with which tree. A commit that a
/// person altered has another tree.
const TRAILER: &str = "Stablekey-Branch";
/// How the name of the temporary folder begins, and the name of the work tree in it.
const PREFIX: &str = "stablekey-";
const TREE: &str = "tree";
/// The refs of all temporary work trees of a repository, each named as the folder of its work tree is.
const REFS: &str = "refs/stablekey-promote";
/// A file of the repository, which each process with a temporary work tree has locked with others: whoever has it alone
/// knows that what is there was left by processes that were killed.
const LOCK: &str = "stablekey-promote";

/// A work tree at the commit of a branch of the remote. It is removed when it is dropped.
pub struct TemporaryWorkTree {
    /// The person's own work tree. The remote is reached from there: its address may be a relative path.
    repository: PathBuf,
    path: PathBuf,
    /// The commit that it is made of.
    base: String,
    /// The ref that fetches write, and no other process: an editor that fetches replaces FETCH_HEAD at any time.
    fetched: String,
    _folder: TempDir,
    /// Unlocked at the end. Where files cannot be locked, nothing is cleaned either.
    _lock: Option<File>,
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
    /// The remote has no such branch.
    #[error("the remote has no branch {0}")]
    NoBranch(String),
    /// Git ignores files of the change: the branch would lack them.
    #[error("Git ignores what the change writes: {}", .0.join(", "))]
    Ignored(Vec<String>),
}

impl BranchError {
    /// Returns what to do.
    pub fn help(&self) -> &'static str {
        match self {
            BranchError::Git { .. } => "see that git reaches the remote, and that its credentials may push",
            BranchError::NoBranch(_) => "give one that it has: git ls-remote --heads origin",
            BranchError::Ignored(_) => {
                "take these files out of .gitignore: without them, and without its record, what was promoted counts as written \
                 by a person"
            }
            BranchError::Foreign(_) => "merge or delete it; or give another name: --branch NAME",
        }
    }
}

impl TemporaryWorkTree {
    /// Fetches a branch of the remote, and makes a work tree of its newest commit.
    pub fn of_branch(repository: &Path, branch: &str) -> Result<Self, BranchError> {
        let what = || format!("the branch {branch} of the remote cannot be fetched");
        let no_folder = |error: std::io::Error| BranchError::Git { what: what(), why: error.to_string() };
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir().map_err(no_folder)?;
        let path = folder.path().canonicalize().map_err(no_folder)?;
        let unique = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut tree = TemporaryWorkTree {
            repository: repository.to_path_buf(),
            path: path.join(TREE),
            base: String::new(),
            fetched: format!("{REFS}/{unique}"),
            _folder: folder,
            _lock: lock(repository),
        };
        tree.base = tree.fetch(branch, what)?;
        let text = tree.path.display().to_string();
        let add = ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", &text, &tree.base];
        git(repository, &add, || "no work tree can be made".to_string())?;
        Ok(tree)
    }

    /// Fetches a branch of the remote, and returns its newest commit.
    fn fetch(&self, branch: &str, what: impl Fn() -> String) -> Result<String, BranchError> {
        let refspec = format!("+refs/heads/{branch}:{}", self.fetched);
        let fetch = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "origin", &refspec];
        let fetched = git(&self.repository, &fetch, &what);
        if fetched.is_err() && self.is_missing(branch) {
            return Err(BranchError::NoBranch(branch.to_string()));
        }
        fetched?;
        git(&self.repository, &["rev-parse", "--verify", &format!("{}^{{commit}}", self.fetched)], what)
    }

    /// Whether the remote says that it has no such branch.
    fn is_missing(&self, branch: &str) -> bool {
        let name = format!("refs/heads/{branch}");
        git(&self.repository, &["ls-remote", "origin", &name], String::new).is_ok_and(|listed| listed.is_empty())
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
        // A new work tree has nothing that is not of its commit.
        let ignored = git(&self.path, &["ls-files", "--others", "--ignored", "--exclude-standard", "-z"], what)?;
        let ignored: Vec<String> = ignored.split('\0').filter(|file| !file.is_empty()).map(str::to_string).collect();
        if !ignored.is_empty() {
            return Err(BranchError::Ignored(ignored));
        }
        if git(&self.path, &["status", "--porcelain"], what)?.is_empty() {
            return Ok(false);
        }
        let tree = git(&self.path, &["write-tree"], what)?;
        let message = format!("{message}\n\n{}\n", trailer(branch, &tree));
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
        let listed = git(&self.repository, &["ls-remote", "origin", &name], what)?;
        let is_there = listed.lines().filter_map(|line| line.split_once('\t')).any(|(_, found)| found == name);
        let head = git(&self.path, &["rev-parse", "HEAD"], what)?;
        let tip = if is_there { Some(self.fetch(branch, what)?) } else { None };
        if let Some(tip) = &tip {
            let range = format!("{}..{tip}", self.base);
            let log = ["log", "-z", "--format=%T%n%B", &range];
            if !git(&self.repository, &log, what)?.split('\0').all(|commit| is_ours(commit, branch)) {
                return Err(BranchError::Foreign(branch.to_string()));
            }
            let of = |format: &str, commit: &str| {
                git(&self.repository, &["log", "-1", &format!("--format={format}"), commit], what)
            };
            if of("%T", tip)? == of("%T", &head)? && of("%P", tip)? == self.base {
                return Ok(Pushed::Unchanged(tip.clone()));
            }
        }
        // Only what was seen is replaced.
        let lease = format!("--force-with-lease={name}:{}", tip.unwrap_or_default());
        let push = ["-c", "core.hooksPath=/dev/null", "push", "--quiet", &lease, "origin", &format!("{head}:{name}")];
        git(&self.repository, &push, what)?;
        Ok(Pushed::Done(head))
    }
}

/// Takes the lock of those who have a temporary work tree. Whoever is alone first removes what others left.
fn lock(repository: &Path) -> Option<File> {
    let what = || "the repository cannot be found".to_string();
    // Relative to the work tree, or absolute.
    let common = repository.join(git(repository, &["rev-parse", "--git-common-dir"], what).ok()?);
    let file = File::options().create(true).truncate(false).write(true).open(common.join(LOCK)).ok()?;
    if file.try_lock().is_ok() {
        remove_left(repository);
        file.unlock().ok()?;
    }
    file.lock_shared().ok()?;
    Some(file)
}

/// Removes the refs and work trees of processes that were killed. What cannot be removed stays for the next time.
fn remove_left(repository: &Path) {
    let list = |arguments: &[&str]| git(repository, arguments, String::new).unwrap_or_default();
    let refs = list(&["for-each-ref", "--format=%(refname)", REFS]);
    if refs.is_empty() {
        return;
    }
    let trees = list(&["worktree", "list", "--porcelain"]);
    let trees: Vec<&Path> = trees.lines().filter_map(|line| line.strip_prefix("worktree ")).map(Path::new).collect();
    for name in refs.lines() {
        let Some(unique) = name.rsplit('/').next().filter(|unique| unique.starts_with(PREFIX)) else { continue };
        for tree in trees.iter().filter(|tree| tree.ends_with(TREE)) {
            let Some(folder) = tree.parent().filter(|folder| folder.ends_with(unique)) else { continue };
            let path = tree.display().to_string();
            // The second time for one that was locked while it was made.
            let _ = run(repository, &["worktree", "remove", "--force", "--force", &path], None, &[]);
            let _ = fs::remove_dir(folder);
        }
        let _ = run(repository, &["update-ref", "-d", name], None, &[]);
    }
}

/// The line that says that a commit for a branch, with a tree, was made here.
fn trailer(branch: &str, tree: &str) -> String {
    format!("{TRAILER}: {branch} {tree}")
}

/// Whether a commit was made here: its tree, and below it its message. Of none nothing is lost.
fn is_ours(commit: &str, branch: &str) -> bool {
    let Some((tree, message)) = commit.trim().split_once('\n') else { return commit.trim().is_empty() };
    message.lines().any(|line| line == trailer(branch, tree))
}

impl Drop for TemporaryWorkTree {
    fn drop(&mut self) {
        let path = self.path.display().to_string();
        let _ = run(&self.repository, &["update-ref", "-d", &self.fetched], None, &[]);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_that_somebody_altered_is_theirs() {
        let ours = |tree: &str| format!("{tree}\nPromote dev to prod\n\nStablekey-Branch: promote/1 aaaa\n\n");
        assert!(is_ours(&ours("aaaa"), "promote/1") && is_ours("", "promote/1"));
        // `git commit --amend` keeps the message.
        assert!(!is_ours(&ours("bbbb"), "promote/1"));
        assert!(!is_ours(&ours("aaaa"), "promote/2"));
        assert!(!is_ours("aaaa", "promote/1") && !is_ours("aaaa\nby hand\n", "promote/1"));
    }
}
