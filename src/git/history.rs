//! The commits that changed a file, and where a person reads one.

use super::repository::Repository;
use gix::ObjectId;
use gix::bstr::ByteSlice as _;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The most commits that are searched for one file: the end of a longer history is not reached.
const MOST_SEARCHED: usize = 500;

/// A commit that changed a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileCommit {
    /// The id in full.
    pub id: String,
    /// The first line of its message.
    pub subject: String,
    /// The name of its author.
    pub author: String,
    /// When it was made, in seconds since 1970.
    pub seconds: i64,
    /// Whether a branch of the remote `origin` has it, as far as it was fetched or pushed here.
    pub is_pushed: bool,
}

/// The commits that changed a file, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileHistory {
    pub commits: Vec<FileCommit>,
    /// Whether older commits were not searched.
    pub is_cut: bool,
}

impl Repository {
    /// Finds the last commits that changed a file: those in which it differs from each of their parents. `path` is below
    /// the root of the work tree. Empty where there is no commit yet.
    pub fn history(&self, path: &Path, most: usize) -> FileHistory {
        let repository = self.thread_local();
        let mut history = FileHistory::default();
        let unpushed = unpushed(&repository);
        let Ok(head) = repository.head_id() else { return history };
        let walk = repository.rev_walk([head.detach()]).sorting(Sorting::ByCommitTime(CommitTimeOrder::NewestFirst));
        let Ok(walk) = walk.all() else { return history };
        // What a commit has at the path: nothing, or a blob. An error where it cannot be read, as in a shallow clone.
        let mut known: HashMap<ObjectId, Result<Option<ObjectId>, ()>> = HashMap::new();
        let mut entry = |id: ObjectId| {
            *known.entry(id).or_insert_with(|| {
                let tree = repository.find_commit(id).map_err(drop)?.tree().map_err(drop)?;
                let found = tree.lookup_entry_by_path(path).map_err(drop)?;
                Ok(found.map(|found| found.object_id()))
            })
        };
        for (searched, info) in walk.enumerate() {
            if searched == MOST_SEARCHED || history.commits.len() == most {
                history.is_cut = true;
                break;
            }
            // A parent that a shallow clone lacks ends the history.
            let Ok(info) = info else {
                history.is_cut = true;
                break;
            };
            let parents: Vec<ObjectId> = info.parent_ids().map(gix::Id::detach).collect();
            let now = entry(info.id);
            let before: Result<Vec<_>, ()> = parents.iter().map(|parent| entry(*parent)).collect();
            let (Ok(now), Ok(before)) = (now, before) else {
                history.is_cut = true;
                break;
            };
            let is_changed = match before.as_slice() {
                [] => now.is_some(),
                before => before.iter().all(|before| *before != now),
            };
            let Some(commit) = repository.find_commit(info.id).ok().filter(|_| is_changed) else { continue };
            let message = commit.message_raw().map(|text| text.to_str_lossy().into_owned()).unwrap_or_default();
            let author = commit.author().ok();
            history.commits.push(FileCommit {
                id: info.id.to_string(),
                subject: message.lines().next().unwrap_or_default().trim().to_string(),
                author: author.map(|author| author.name.to_str_lossy().into_owned()).unwrap_or_default(),
                seconds: commit.time().map(|time| time.seconds).unwrap_or_default(),
                is_pushed: unpushed.as_ref().is_some_and(|unpushed| !unpushed.contains(&info.id)),
            });
        }
        history
    }

    /// The page of a commit on the remote `origin`, where that has the commit, and its address is one that a browser can
    /// open.
    pub fn page_of(&self, commit: &FileCommit) -> Option<String> {
        if !commit.is_pushed {
            return None;
        }
        let url = self.thread_local().config_snapshot().string("remote.origin.url")?.to_str().ok()?.to_string();
        Some(format!("{}/commit/{}", page(&url)?, commit.id))
    }

    /// A file below the root of the work tree.
    pub fn below(&self, file: &Path) -> Option<PathBuf> {
        let root = self.work_tree()?.canonicalize().ok()?;
        file.canonicalize().ok()?.strip_prefix(root).ok().map(Path::to_path_buf)
    }
}

/// The commits of the branch that no branch of the remote `origin` has; `None` where that is not known.
fn unpushed(repository: &gix::Repository) -> Option<HashSet<ObjectId>> {
    let references = repository.references().ok()?;
    let branches = references.prefixed("refs/remotes/origin/").ok()?;
    let tips: Vec<ObjectId> = branches
        .filter_map(Result::ok)
        .filter_map(|mut branch| branch.peel_to_id().ok().map(gix::Id::detach))
        .collect();
    if tips.is_empty() {
        return None;
    }
    let walk = repository.rev_walk([repository.head_id().ok()?.detach()]).with_hidden(tips).all().ok()?;
    // Of a longer list of commits that were not pushed, the rest is not known.
    let found: Vec<ObjectId> = walk.take(MOST_SEARCHED + 1).map(|info| Some(info.ok()?.id)).collect::<Option<_>>()?;
    (found.len() <= MOST_SEARCHED).then(|| found.into_iter().collect())
}

/// The page of a repository. What stands before the host, which may be a password, is no part of it.
fn page(url: &str) -> Option<String> {
    let (host, path) = match url.split_once("://") {
        Some(("https" | "ssh", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // git@host:owner/name
        None => url.split_once(':')?,
    };
    let host = host.rsplit('@').next()?;
    let host = if url.starts_with("https://") { host } else { host.split(':').next()? };
    let path = path.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    let is_plain = |text: &str, more: &[u8]| {
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b) || more.contains(&b))
    };
    let is_page = is_plain(host, b":") && host.contains('.') && is_plain(path, b"/") && !path.contains("..");
    is_page.then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(folder: &Path, arguments: &[&str]) {
        let who = ["-c", "user.name=Ann", "-c", "user.email=ann@acme.example", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").current_dir(folder).args(who).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn commit(folder: &Path, file: &str, text: &str, message: &str) {
        std::fs::write(folder.join(file), text).unwrap();
        git(folder, &["add", "."]);
        git(folder, &["commit", "-q", "-m", message]);
    }

    #[test]
    fn the_history_of_a_file_is_what_changed_it() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "-q", "-b", "main"]);
        let repository = || Repository::around(root).unwrap();
        assert_eq!(repository().history(Path::new("a.yaml"), 8), FileHistory::default());
        commit(root, "a.yaml", "1", "Add a\n\nBecause.");
        commit(root, "b.yaml", "1", "Add b");
        git(root, &["checkout", "-q", "-b", "side"]);
        commit(root, "a.yaml", "2", "Change a");
        git(root, &["checkout", "-q", "main"]);
        commit(root, "b.yaml", "2", "Change b");
        git(root, &["merge", "-q", "--no-ff", "-m", "Merge side", "side"]);
        let found = repository().history(Path::new("a.yaml"), 8);
        let subjects: Vec<(&str, &str)> =
            found.commits.iter().map(|commit| (commit.subject.as_str(), commit.author.as_str())).collect();
        assert_eq!(subjects, [("Change a", "Ann"), ("Add a", "Ann")]);
        assert!(!found.is_cut);
        let first = repository().history(Path::new("a.yaml"), 1);
        assert_eq!((first.commits.len(), first.is_cut), (1, true));
        assert_eq!(repository().history(Path::new("c.yaml"), 8).commits, []);
        assert_eq!(repository().below(&root.join("a.yaml")), Some(PathBuf::from("a.yaml")));
        assert_eq!(repository().page_of(&first.commits[0]), None);
    }

    #[test]
    fn a_commit_that_the_remote_lacks_has_no_page() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        git(root, &["init", "-q", "-b", "main"]);
        commit(root, "a.yaml", "1", "Add a");
        git(root, &["remote", "add", "origin", "git@github.com:acme/connections.git"]);
        let pages = || {
            let repository = Repository::around(root).unwrap();
            let commits = repository.history(Path::new("a.yaml"), 8).commits;
            commits.iter().map(|commit| (commit.subject.clone(), repository.page_of(commit))).collect::<Vec<_>>()
        };
        assert_eq!(pages(), [("Add a".to_string(), None)]);
        // What a push leaves here.
        git(root, &["update-ref", "refs/remotes/origin/main", "HEAD"]);
        commit(root, "a.yaml", "2", "Change a");
        let found = pages();
        assert_eq!(found[0], ("Change a".to_string(), None));
        assert!(found[1].1.as_ref().unwrap().starts_with("https://github.com/acme/connections/commit/"), "{found:?}");
        // Of another branch there, too.
        git(root, &["update-ref", "refs/remotes/origin/side", "HEAD"]);
        assert!(pages().iter().all(|(_, page)| page.is_some()), "{:?}", pages());
    }

    #[test]
    fn the_page_of_a_remote_has_no_password() {
        for (url, expected) in [
            ("https://github.com/acme/connections.git", Some("https://github.com/acme/connections")),
            ("https://ann:hunter2@git.acme.example:8443/a/b/", Some("https://git.acme.example:8443/a/b")),
            ("git@gitlab.com:acme/team/connections.git", Some("https://gitlab.com/acme/team/connections")),
            ("ssh://git@git.acme.example:2222/a/b", Some("https://git.acme.example/a/b")),
            ("http://git.acme.example/a/b", None),
            ("file:///srv/a.git", None),
            ("/srv/a.git", None),
            ("../a", None),
            ("https://git.acme.example/a b", None),
            ("javascript:alert(1)", None),
            ("https://git.acme.example/../x", None),
        ] {
            assert_eq!(page(url).as_deref(), expected, "{url}");
        }
    }
}
