//! The approvals in the message of a merge commit, and the lines there that look like one and approve nothing.

use crate::cli::options::consent;
use crate::git::{Commit, GitError, Repository};
use crate::text::shorten;

/// The name of the line that approves.
const NAME: &str = "Stablekey-Approve";
/// How the subject of a merge commit begins that GitHub words.
const MERGE_OF_GITHUB: &str = "Merge pull request #";
/// The most characters of a line that is quoted.
const LONGEST: usize = 120;
/// The most commits of one push that are looked through.
const MOST: usize = 100;

/// The approvals that a commit gives.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct MessageApprovals {
    pub digests: Vec<String>,
    /// Lines that approve nothing, and why.
    pub unused: Vec<String>,
}

impl MessageApprovals {
    /// Reads them. They count only in a merge commit that whoever merged made: one with two parents, of which the first is
    /// what the branch was `before`, which a pipeline must tell. Any other commit is its author's own, also a merge commit
    /// that arrived by fast-forward. An author can make such a commit too: `merge` asks the system, and returns the text of
    /// the request that was merged (`None` if it cannot be asked), or why the commit is none that a merge made. What that
    /// text has is its author's, also where the system copies it into the message.
    pub(super) fn of(
        repository: &Repository,
        head: &Commit,
        before: Option<&str>,
        in_pipeline: bool,
        merge: impl FnOnce() -> Result<Option<String>, String>,
    ) -> Result<Self, GitError> {
        let parents = repository.parents(head)?;
        let mut approvals = read(&repository.message(head)?);
        let refused = match (parents.first(), parents.len(), before) {
            (_, 0 | 1, _) => Some(
                "it approves only in a merge commit, whose message is written by whoever merges; a squash, a rebase and a \
                 fast-forward make none"
                    .to_string(),
            ),
            (Some(first), _, Some(before)) if first.to_string() != before => Some(format!(
                "that merge commit was not made by the merge: its first parent is {}, and the branch was at {}",
                first.short(),
                before.get(..10).unwrap_or(before)
            )),
            (_, _, None) if in_pipeline => {
                let why = "this run does not tell what the branch was before a push: it was started by hand or by schedule";
                Some(why.to_string())
            }
            _ if approvals.digests.is_empty() => None,
            _ => match merge() {
                Ok(text) => {
                    approvals.leave_out(&text.unwrap_or_default());
                    None
                }
                Err(why) => Some(why),
            },
        };
        if let (Some(why), false) = (refused, approvals.digests.is_empty()) {
            approvals.digests.clear();
            approvals.unused.push(format!("the line {NAME} in the last commit is not used: {why}"));
        }
        approvals.unused.extend(between(repository, parents.into_iter().next(), before)?);
        Ok(approvals)
    }
}

impl MessageApprovals {
    /// Leaves out what the text of the merged request has too.
    fn leave_out(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        let (theirs, ours) = std::mem::take(&mut self.digests)
            .into_iter()
            .partition(|digest: &String| text.contains(digest.strip_prefix("sha256:").unwrap_or(digest)));
        self.digests = ours;
        let why = "the title or the description of the request has it too, which its author wrote: approve by the job, or \
                   take it out there and write it in the merge only";
        self.unused
            .extend(theirs.into_iter().map(|digest: String| format!("the approval {digest} is not used: {why}")));
    }
}

/// Lines of earlier commits of the same push, which approve nothing: who made these is not known.
fn between(repository: &Repository, parent: Option<Commit>, before: Option<&str>) -> Result<Vec<String>, GitError> {
    let (mut next, mut unused) = (parent, Vec::new());
    let Some(before) = before else { return Ok(unused) };
    for _ in 0..MOST {
        match next {
            Some(commit) if commit.to_string() == before => return Ok(unused),
            Some(commit) if repository.has(&commit) => {
                if !read(&repository.message(&commit)?).digests.is_empty() {
                    unused.push(format!(
                        "the line {NAME} in commit {} is not used: only the last commit of a push approves",
                        commit.short()
                    ));
                }
                next = repository.parents(&commit)?.into_iter().next();
            }
            _ => break,
        }
    }
    // Without the commit where the push began, these may be old ones that were used long ago.
    Ok(Vec::new())
}

/// Reads the last paragraph of a message, and says which lines elsewhere were meant.
fn read(message: &str) -> MessageApprovals {
    let lines: Vec<&str> = message.trim_end().lines().map(str::trim_end).collect();
    // A message that is only a subject has no lines below it.
    let begin = lines.iter().rposition(|line| line.is_empty()).map(|blank| blank + 1);
    // GitHub writes the title of the pull request below the subject of its own: that is the author's.
    let is_title = lines.first().is_some_and(|subject| subject.starts_with(MERGE_OF_GITHUB))
        && begin.is_some_and(|begin| lines.iter().take(begin).skip(1).all(|line| line.is_empty()));
    let mut approvals = MessageApprovals::default();
    for (number, line) in lines.iter().enumerate() {
        if !line.to_ascii_lowercase().contains(&NAME.to_ascii_lowercase()) {
            continue;
        }
        let value = line.split_once(':').filter(|(name, _)| name.trim().eq_ignore_ascii_case(NAME)).map(|(_, of)| of);
        let mut unused = |why: &str| {
            let line = shorten(line.trim(), LONGEST);
            approvals.unused.push(format!("the line {line:?} of the last commit's message approves nothing: {why}"));
        };
        match (value, begin) {
            // A sentence about approvals is no attempt at one.
            (None, _) if !line.contains("sha256:") => {}
            (None, _) => unused(&format!("it must begin with {NAME}: and have nothing but digests after it")),
            (Some(_), None) => unused("it is the subject; it must be in a paragraph of its own at the end"),
            (Some(_), Some(begin)) if number < begin => {
                unused("it is not in the last paragraph of the message, where no blank line follows it");
            }
            (Some(_), _) if is_title => {
                unused(
                    "GitHub writes the title of the pull request there, its author's; write it in a paragraph below",
                );
            }
            (Some(value), _) => {
                for part in value.split(',') {
                    match consent(part) {
                        Ok(digest) => approvals.digests.push(digest),
                        Err(why) => unused(&why),
                    }
                }
            }
        }
    }
    approvals
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:4f2a9c01be774f2a9c01be774f2a9c01";
    const B: &str = "sha256:0123456789abcdef0123456789abcdef";

    #[test]
    fn the_last_paragraph_approves() {
        let of = |message: String| {
            let approvals = read(&message);
            assert_eq!(approvals.unused, [] as [&str; 0], "{message}");
            approvals.digests
        };
        let line = format!("Stablekey-Approve: {A}");
        let lines = format!("Merge\n\n{line}\nSigned-off-by: x\nstablekey-approve:{B}\n");
        assert_eq!(of(lines.clone()), [A, B]);
        assert_eq!(of(lines.replace('\n', "\r\n")), [A, B], "as a browser sends it");
        assert_eq!(of(format!("Merge\n\n{line}, {B}\n\n\n")), [A, B], "as --approve takes them");
        assert_eq!(of(format!("Merge\n \n{line}")), [A], "a blank line with a blank");
        let below = format!("Merge pull request #1 from acme/x\n\nThe title\n\n{line}");
        assert_eq!(of(below), [A]);
        for none in ["", "Merge", "Merge\n\nSee Stablekey-Approve in the documentation."] {
            assert!(of(none.to_string()).is_empty(), "{none}");
        }
    }

    #[test]
    fn a_line_that_was_meant_and_approves_nothing_is_named() {
        for (message, why) in [
            (format!("Merge pull request #1 from acme/x\n\nStablekey-Approve: {A}"), "the title of the pull request"),
            (
                format!("Merge\n\nStablekey-Approve: {A}\n\nCo-authored-by: x <x@x.example>\n"),
                "not in the last paragraph",
            ),
            (format!("Merge\n\n- `Stablekey-Approve: {A}`\n"), "must begin with Stablekey-Approve:"),
            (format!("Merge\n\nStablekey-Approve: garbage {A}\n"), "a digest is sha256:"),
            ("Merge\n\nStablekey-Approve:\n".to_string(), "a digest is sha256:"),
            (format!("Stablekey-Approve: {A}"), "it is the subject"),
            (format!("Merge\n\nStablekey-Approve: {}", &A[..38]), "32 or more digits"),
        ] {
            let approvals = read(&message);
            assert!(approvals.digests.is_empty(), "{message}");
            let [unused] = approvals.unused.try_into().unwrap_or_else(|all| panic!("{message}: {all:?}"));
            assert!(unused.contains(why), "{message}: {unused}");
        }
        // What is right beside it counts.
        let both = read(&format!("Merge\n\nStablekey-Approve: {A}, x\n"));
        assert_eq!((both.digests, both.unused.len()), (vec![A.to_string()], 1));
    }
}
