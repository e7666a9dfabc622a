//! Whether a commit is the newest of its branch on the remote: what a later run did must not be undone.

use crate::cli::CommandFailure;
use crate::git::Commit;
use crate::git::command::{GitOutput, run as git};
use std::path::PathBuf;

/// A branch of the remote, and the commit of it that is applied.
pub(super) struct RemoteBranch {
    /// A folder of the clone.
    pub folder: PathBuf,
    pub name: String,
    pub head: Commit,
}

/// What the remote has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Newest {
    /// The commit that is applied.
    Ours,
    /// Another one.
    Other(String),
}

impl RemoteBranch {
    /// Asks the remote. Fails if it does not answer, and if the commit was never pushed.
    pub(super) fn newest(&self) -> Result<Newest, CommandFailure> {
        let RemoteBranch { folder, name, head } = self;
        let failed = |why: String| {
            let help =
                "whether a newer commit is there decides what may be written: see that git reaches the remote origin";
            CommandFailure::new(format!("the branch {name} of the remote cannot be read: {why}"), help)
        };
        let full = format!("refs/heads/{name}");
        let listed = git(folder, &["ls-remote", "origin", &full], None, &[]).and_then(GitOutput::of_success);
        let listed = String::from_utf8_lossy(&listed.map_err(failed)?).into_owned();
        let tip = listed.lines().filter_map(|line| line.split_once('\t')).find(|(_, found)| *found == full);
        let Some((tip, _)) = tip else {
            let help = "give one that it has: git ls-remote --heads origin";
            return Err(CommandFailure::new(format!("the remote has no branch {name}"), help));
        };
        let head = head.to_string();
        if tip == head {
            return Ok(Newest::Ours);
        }
        let is_ahead = git(folder, &["merge-base", "--is-ancestor", tip, &head], None, &[]);
        if is_ahead.is_ok_and(|output| output.has_succeeded()) {
            let message = format!("this commit is not on the branch {name} of the remote, which is at {}", short(tip));
            return Err(CommandFailure::new(message, "push it first: only what is merged is applied"));
        }
        Ok(Newest::Other(short(tip)))
    }
}

fn short(commit: &str) -> String {
    commit.get(..10).unwrap_or(commit).to_string()
}
