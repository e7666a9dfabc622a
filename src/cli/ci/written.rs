//! The files of tenants in folders that `ci apply` writes in its checkout, and their commit: without one they are lost
//! with the job.

use super::newest::{Newest, RemoteBranch};
use crate::api::sensitive;
use crate::cli::CommandFailure;
use crate::cli::output::Output;
use crate::engine::model::canonical::Digest;
use crate::git::command::{GitOutput, author, run as git, shown, words};
use crate::project::Project;
use crate::tenant::TenantLocation;
use crate::text::count;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// The files that an apply writes in the checkout.
pub(super) struct WrittenFiles<'p> {
    /// The root of the work tree.
    folder: &'p Path,
    /// The folders of tenants.
    folders: Vec<PathBuf>,
    /// Their files before, whether Git knows them or not.
    before: FolderContents,
}

/// Files, by their path in the work tree.
type FolderContents = BTreeMap<String, Digest>;

/// What became of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// None was written, or a person commits them.
    Nothing,
    /// They are on the branch of the remote.
    Pushed,
    /// The branch has moved on, and they are lost with this checkout: the run of the newest commit writes them again.
    Moved,
}

impl<'p> WrittenFiles<'p> {
    /// Looks at the work tree before an apply.
    pub(super) fn before(folder: &'p Path, project: &Project) -> Result<Self, CommandFailure> {
        let of = |location: &TenantLocation| Some(location.folder()?.folder().to_path_buf());
        let locations = project.tenants.values().filter_map(|tenant| tenant.location.as_ref());
        let folders: Vec<PathBuf> = locations.filter_map(of).collect();
        let before = contents(folder, &folders)?;
        Ok(WrittenFiles { folder, folders, before })
    }

    /// The files that differ since.
    fn written(&self) -> Result<Vec<String>, CommandFailure> {
        let after = contents(self.folder, &self.folders)?;
        let files: BTreeSet<&String> = self.before.keys().chain(after.keys()).collect();
        let is_other = |file: &&String| self.before.get(*file) != after.get(*file);
        Ok(files.into_iter().filter(is_other).cloned().collect())
    }

    /// Names the files, which a person, or a further step of the job, must commit.
    pub(super) fn say(&self, as_warning: bool, output: &mut Output) -> Result<Kept, CommandFailure> {
        let written = self.written()?;
        if written.is_empty() {
            return Ok(Kept::Nothing);
        }
        let what =
            format!("{} of tenants in folders changed in this checkout only", count(written.len(), "file", "files"));
        let then = "commit and push, or the job loses it; stablekey ci apply --push does so itself";
        output.note(&format!("{what}: {then}:{}", listed(&written)));
        if as_warning {
            output.result(&format!("::warning title=stablekey::{what}: {then}"))?;
        }
        Ok(Kept::Nothing)
    }

    /// Commits the files, and pushes the commit to the branch that the apply is of. It starts no pipeline.
    pub(super) fn push(&self, branch: &RemoteBranch, output: &mut Output) -> Result<Kept, CommandFailure> {
        let written = self.written()?;
        if written.is_empty() {
            return Ok(Kept::Nothing);
        }
        let RemoteBranch { name, head, .. } = branch;
        let what = format!("{} of tenants in folders", count(written.len(), "file", "files"));
        let failed = |what: &str, why: String, help: &str| {
            let files = listed(&written);
            CommandFailure::new(format!("{what}: {why}; changed in this checkout only:{files}"), help)
        };
        let ignored = self.ignored(&written);
        if !ignored.is_empty() {
            let message = format!("Git ignores what was written to tenants in folders:{}", listed(&ignored));
            let help = "take these files out of .gitignore, or the job loses them: without its record, what a sync wrote \
                        counts as written by a person";
            return Err(CommandFailure::new(message, help));
        }
        let message = format!(
            "Apply {} [skip ci]\n\nWritten by stablekey ci apply to tenants in folders, which the commit itself does not \
             change.\n",
            head.short()
        );
        let committed = self.commit(&written, &message);
        let commit = committed.map_err(|why| {
            failed(&format!("{what} cannot be committed"), why, "commit and push them, or the job loses them")
        })?;
        // The commit's parent is what the branch was at: if it moved on, the push is refused.
        let target = format!("HEAD:refs/heads/{name}");
        let push = ["-c", "core.hooksPath=/dev/null", "push", "--quiet", "origin", &target];
        if let Err(why) = self.pushed(&push) {
            let newest = branch.newest();
            if matches!(&newest, Ok(Newest::Other(tip)) if *tip == commit) {
                // The remote took it, and its answer was lost.
                output.note(&format!("Pushed {what} to {name}, as {commit}:{}", listed(&written)));
                return Ok(Kept::Pushed);
            }
            if let Ok(Newest::Other(tip)) = newest {
                output.note(&format!(
                    "{name} is at {tip} by now: {what} changed in this checkout only, and the run of {tip} writes them \
                     again:{}",
                    listed(&written)
                ));
                return Ok(Kept::Moved);
            }
            let help = format!(
                "see that the job may push to {name}. Where the branch takes pull requests only, run stablekey apply in a \
                 clone, and open a pull request with these files; or suspend the sync that writes them: stablekey suspend \
                 SYNC"
            );
            return Err(failed(&format!("{what} cannot be pushed to {name}"), why, &help));
        }
        output.note(&format!("Pushed {what} to {name}, as {commit}:{}", listed(&written)));
        Ok(Kept::Pushed)
    }

    /// Commits the files and nothing else, and returns the beginning of the commit's id.
    fn commit(&self, written: &[String], message: &str) -> Result<String, String> {
        let names = written.iter().flat_map(|file| [file.as_bytes(), b"\0"]).collect::<Vec<_>>().concat();
        let of_files = ["--pathspec-from-file=-", "--pathspec-file-nul"];
        self.git(&[&["--literal-pathspecs", "add", "--all"], &of_files[..]].concat(), Some(&names))?;
        let commit = ["--literal-pathspecs", "-c", "core.hooksPath=/dev/null", "commit", "--quiet", "--only"];
        let message = ["--message", message];
        self.git(&[&commit[..], &message[..], &of_files[..]].concat(), Some(&names))?;
        self.git(&["rev-parse", "--short=10", "HEAD"], None)
    }

    /// The files among these that Git ignores, and that no commit has.
    fn ignored(&self, written: &[String]) -> Vec<String> {
        let names = written.iter().flat_map(|file| [file.as_bytes(), b"\0"]).collect::<Vec<_>>().concat();
        // It fails where there is none.
        let ignored = self.git(&["check-ignore", "-z", "--stdin"], Some(&names)).unwrap_or_default();
        ignored.split('\0').filter(|file| !file.is_empty()).map(str::to_string).collect()
    }

    /// Pushes; the error has the server's own reason too.
    fn pushed(&self, arguments: &[&str]) -> Result<(), String> {
        let output = git(self.folder, arguments, None, &author(self.folder))?;
        if output.has_succeeded() {
            return Ok(());
        }
        let why = words(&output.stderr);
        match reason_of_server(&output.stderr) {
            Some(reason) => Err(format!("{why}; the server says: {reason}")),
            None => Err(why),
        }
    }

    fn git(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<String, String> {
        let printed = git(self.folder, arguments, input, &author(self.folder)).and_then(GitOutput::of_success)?;
        Ok(String::from_utf8_lossy(&printed).trim().to_string())
    }
}

/// What a server gives as the reason for a refusal, in one line: whatever it writes, no secret of it is shown.
fn reason_of_server(stderr: &str) -> Option<String> {
    const MOST: usize = 8;
    let lines = stderr.lines().filter_map(|line| line.strip_prefix("remote:")).map(str::trim);
    let shown = |line: &str| if sensitive::has_secret(line) { "(hidden)".to_string() } else { shown(line) };
    let lines: Vec<String> = lines.filter(|line| !line.is_empty()).take(MOST).map(shown).collect();
    (!lines.is_empty()).then(|| lines.join("; "))
}

/// The files, each on a line.
fn listed(files: &[String]) -> String {
    const MOST: usize = 20;
    let mut lines: Vec<String> = files.iter().take(MOST).map(|file| format!("\n  {file}")).collect();
    if let Some(more) = files.len().checked_sub(MOST).filter(|more| *more > 0) {
        lines.push(format!("\n  … and {more} more"));
    }
    lines.concat()
}

/// The files in folders of a work tree. Links are not followed.
fn contents(work_tree: &Path, folders: &[PathBuf]) -> Result<FolderContents, CommandFailure> {
    let failed = |path: &Path, error: &io::Error| {
        let message = format!("{} cannot be compared before and after: {error}", path.display());
        CommandFailure::new(message, "what is written to tenants in folders must be committed: see that it can be read")
    };
    let root = work_tree.canonicalize().map_err(|error| failed(work_tree, &error))?;
    let mut found = FolderContents::new();
    for folder in folders {
        let mut ahead = match folder.canonicalize() {
            Ok(folder) => vec![folder],
            // An apply may make it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(folder, &error)),
        };
        while let Some(path) = ahead.pop() {
            let is = path.symlink_metadata().map_err(|error| failed(&path, &error))?.file_type();
            if is.is_dir() && path.file_name().is_none_or(|name| name != ".git") {
                let entries = path.read_dir().map_err(|error| failed(&path, &error))?;
                for entry in entries {
                    ahead.push(entry.map_err(|error| failed(&path, &error))?.path());
                }
            } else if is.is_file()
                && let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str)
            {
                let bytes = std::fs::read(&path).map_err(|error| failed(&path, &error))?;
                found.insert(name.to_string(), Digest::of(&bytes));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_server_is_kept_without_secrets() {
        let stderr = "remote: error: GH006: Protected branch update failed        \nremote: \nTo https://h/x\n ! [remote \
                      rejected] main -> main\nremote: see https://u:c4n4ry@h.example/x\nremote: a\u{1b}[31m ::error::b\nerror: \
                      failed to push";
        let reason = reason_of_server(stderr).unwrap();
        assert!(reason.starts_with("error: GH006: Protected branch update failed; "), "{reason}");
        assert!(!reason.contains("c4n4ry") && !reason.contains('\u{1b}') && !reason.contains('\n'), "{reason}");
        assert_eq!(reason_of_server("error: failed to push"), None);
    }
}
