//! Records on the Git remote of the project, as `refs/stablekey/<tenant>`: beside the branches, so that no pull request
//! changes them. A write is a push that the remote accepts only if the ref is still the commit that was read. All is done
//! by the `git` command, with the user's own configuration and credentials.

use super::folder::FolderRecords;
use super::{LARGEST, RecordError, RecordStore, StoredRecord, TenantRecord};
use crate::git::command::{GitOutput, author, run, shown, words};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Where the refs are.
const REFS: &str = "refs/stablekey/";
/// The file in the commit's tree.
const FILE: &str = "record.json";

/// Records on a remote.
#[derive(Debug)]
pub struct GitRecords {
    /// The top folder of the work tree.
    tree: PathBuf,
    /// The name of the remote.
    remote: String,
    /// The records of the time before there was a remote.
    before: Option<FolderRecords>,
    listed: Mutex<Option<Listing>>,
}

/// The refs on the remote, as they were listed: for one look at each tenant. Who looks again wants to know what is there
/// now.
#[derive(Debug)]
struct Listing {
    refs: BTreeMap<String, String>,
    looked_at: BTreeSet<String>,
}

/// The records on the remote of the work tree that contains `root`; `None` if it is in none, or that has no remote.
/// `before` are those of the time before there was one.
pub fn git_records(root: &Path, before: Option<FolderRecords>) -> Result<Option<GitRecords>, String> {
    let top = match run(root, &["rev-parse", "--show-toplevel"], None, &[]).and_then(GitOutput::of_success) {
        Ok(top) => top,
        // Without a folder of git's there is no work tree. With one, the records may be on its remote: git may be missing,
        // or refuse a work tree that is another user's.
        Err(why) => {
            let is_in_tree = root.canonicalize().is_ok_and(|root| root.ancestors().any(|at| at.join(".git").exists()));
            return if is_in_tree { Err(why) } else { Ok(None) };
        }
    };
    let tree = PathBuf::from(String::from_utf8_lossy(&top).trim_end_matches('\n'));
    let listed = run(&tree, &["remote"], None, &[]).and_then(GitOutput::of_success)?;
    let remotes: Vec<String> = String::from_utf8_lossy(&listed).lines().map(str::to_string).collect();
    // The same for every branch: one that tracks a fork has no records of its own.
    let origin = || remotes.iter().find(|remote| *remote == "origin").cloned();
    let only = || remotes.first().filter(|_| remotes.len() == 1).cloned();
    match origin().or_else(only) {
        Some(remote) => Ok(Some(GitRecords { tree, remote, before, listed: Mutex::default() })),
        None if remotes.is_empty() => without_remote(&tree).map(|()| None),
        None => Err(format!("it has several remotes ({}), and none is called origin", remotes.join(", "))),
    }
}

/// Refuses a work tree that lost the remote with its records.
fn without_remote(tree: &Path) -> Result<(), String> {
    let seen = run(tree, &["for-each-ref", "--format=%(refname)", REFS], None, &[]).and_then(GitOutput::of_success)?;
    match String::from_utf8_lossy(&seen).lines().next() {
        None => Ok(()),
        Some(seen) => Err(format!("it has no remote any more, and {seen} was read from one: add the remote again")),
    }
}

impl GitRecords {
    fn git(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<GitOutput, String> {
        run(&self.tree, arguments, input, &[])
    }

    /// Runs a command that must succeed, and returns its output.
    fn must(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<Vec<u8>, String> {
        self.git(arguments, input)?.of_success()
    }

    /// The first line of a command that must succeed.
    fn line(&self, arguments: &[&str], input: Option<&[u8]>) -> Result<String, String> {
        Ok(String::from_utf8_lossy(&self.must(arguments, input)?).trim().to_string())
    }

    fn unreachable(&self, tenant: &str, doing: &'static str, why: String) -> RecordError {
        let help = format!(
            "see that git reaches it:\n  git ls-remote {} '{REFS}*'\nand that your account may push refs below {REFS}",
            self.remote
        );
        RecordError::Place { tenant: tenant.to_string(), place: self.place(), doing, why, help }
    }

    /// The commit of a tenant's record on the remote. All refs are listed at once.
    fn on_remote(&self, tenant: &str) -> Result<Option<String>, String> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        if listed.as_ref().is_none_or(|listing| listing.looked_at.contains(tenant)) {
            let output = self.must(&["ls-remote", "--refs", &self.remote, &format!("{REFS}*")], None)?;
            let refs = String::from_utf8_lossy(&output)
                .lines()
                .filter_map(|line| {
                    let (commit, name) = line.split_once('\t')?;
                    Some((name.strip_prefix(REFS)?.to_string(), commit.to_string()))
                })
                .collect();
            *listed = Some(Listing { refs, looked_at: BTreeSet::new() });
        }
        let Some(listing) = listed.as_mut() else { return Ok(None) };
        listing.looked_at.insert(tenant.to_string());
        Ok(listing.refs.get(tenant).cloned())
    }

    fn forget_list(&self) {
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// The commit that was read last in this clone.
    fn seen(&self, tenant: &str) -> Result<Option<String>, String> {
        let name = format!("{REFS}{tenant}");
        let listed = self.must(&["for-each-ref", "--format=%(refname) %(objectname)", &name], None)?;
        let listed = String::from_utf8_lossy(&listed).into_owned();
        let mut refs = listed.lines().filter_map(|line| line.split_once(' '));
        Ok(refs.find(|(found, _)| *found == name).map(|(_, commit)| commit.to_string()))
    }

    /// Brings a commit here, and checks that it follows from the one that was read last.
    fn fetch(&self, tenant: &str, commit: &str, seen: Option<&str>) -> Result<bool, String> {
        let ref_name = format!("{REFS}{tenant}");
        if seen != Some(commit) {
            self.must(&["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &self.remote, commit], None)
                .or_else(|_| {
                    // Not every server gives a commit by its name.
                    self.must(
                        &["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", &self.remote, &ref_name],
                        None,
                    )
                })?;
        }
        let Some(seen) = seen.filter(|seen| *seen != commit) else { return Ok(true) };
        let output = self.git(&["merge-base", "--is-ancestor", seen, commit], None)?;
        match output.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => Err(words(&output.stderr)),
        }
    }

    /// Remembers which commit was read.
    fn remember(&self, tenant: &str, commit: &str) -> Result<(), String> {
        self.must(&["update-ref", &format!("{REFS}{tenant}"), commit], None).map(drop)
    }

    fn gone(&self, tenant: &str, what: &'static str, seen: &str) -> RecordError {
        let help = format!(
            "if nobody meant to, bring it back as this clone read it last:\n  git push --force {} {seen}:{REFS}{tenant}\n\
             if it was meant, forget it here:\n  git update-ref -d {REFS}{tenant}",
            self.remote
        );
        RecordError::Gone { tenant: tenant.to_string(), place: self.place(), what, help }
    }
}

impl RecordStore for GitRecords {
    fn read(&self, tenant: &str) -> Result<StoredRecord, RecordError> {
        let unreachable = |why| self.unreachable(tenant, "read", why);
        let form =
            |why: &str| RecordError::Form { tenant: tenant.to_string(), place: self.place(), why: why.to_string() };
        let seen = self.seen(tenant).map_err(unreachable)?;
        let Some(commit) = self.on_remote(tenant).map_err(unreachable)? else {
            if let Some(seen) = seen {
                return Err(self.gone(tenant, "deleted there", &seen));
            }
            // What was recorded before there was a remote goes there with the next write.
            return match &self.before {
                Some(before) if before.has(tenant) => Ok(StoredRecord { version: None, ..before.read(tenant)? }),
                _ => Ok(StoredRecord { record: TenantRecord::of(tenant), version: None }),
            };
        };
        if !self.fetch(tenant, &commit, seen.as_deref()).map_err(unreachable)? {
            let seen = seen.unwrap_or_default();
            return Err(self.gone(tenant, "replaced there by one that does not follow from it", &seen));
        }
        let size = self.line(&["cat-file", "-s", &format!("{commit}:{FILE}")], None);
        match size.map(|size| size.parse::<u64>()) {
            Ok(Ok(size)) if size <= LARGEST => {}
            Ok(_) => return Err(form("it is too large")),
            Err(_) => return Err(form(&format!("the commit has no {FILE}"))),
        }
        let bytes = self.must(&["cat-file", "blob", &format!("{commit}:{FILE}")], None).map_err(unreachable)?;
        let record = TenantRecord::parse(tenant, &bytes).map_err(|why| form(&why))?;
        self.remember(tenant, &commit).map_err(unreachable)?;
        Ok(StoredRecord { record, version: Some(commit) })
    }

    fn write(&self, record: &TenantRecord, replaces: Option<&str>, message: &str) -> Result<String, RecordError> {
        let tenant = record.tenant.as_str();
        let failed = |why| self.unreachable(tenant, "written", why);
        let blob = self.line(&["hash-object", "-w", "--stdin"], Some(record.to_text().as_bytes())).map_err(failed)?;
        let entry = format!("100644 blob {blob}\t{FILE}\n");
        let tree = self.line(&["mktree"], Some(entry.as_bytes())).map_err(failed)?;
        let mut arguments = vec!["commit-tree", tree.as_str(), "-m", message];
        arguments.extend(replaces.iter().flat_map(|parent| ["-p", parent]));
        let commit = run(&self.tree, &arguments, None, &author(&self.tree)).and_then(GitOutput::of_success);
        let commit = commit.map_err(failed)?;
        let commit = String::from_utf8_lossy(&commit).trim().to_string();
        let lease = format!("--force-with-lease={REFS}{tenant}:{}", replaces.unwrap_or_default());
        let refspec = format!("{commit}:{REFS}{tenant}");
        let arguments = ["push", "--porcelain", "--no-verify", &lease, &self.remote, &refspec];
        let pushed = self.git(&arguments, None);
        self.forget_list();
        match pushed {
            Ok(output) if output.has_succeeded() => {}
            Ok(output) => {
                let there = self.on_remote(tenant).map_err(failed)?;
                // The answer to a push that the remote carried out can be lost.
                if there.as_deref() != Some(commit.as_str()) {
                    if there.as_deref() != replaces {
                        let by = self.read(tenant).ok().and_then(|stored| stored.record.run).map(|run| run.who);
                        return Err(RecordError::Lost { tenant: tenant.to_string(), by });
                    }
                    return Err(failed(refused(&output)));
                }
            }
            Err(why) => {
                let there = self.on_remote(tenant).map_err(failed)?;
                if there.as_deref() != Some(commit.as_str()) {
                    return Err(failed(why));
                }
            }
        }
        self.remember(tenant, &commit).map_err(failed)?;
        Ok(commit)
    }

    /// Pushes a ref beside the records, and removes it: a dry run would not ask the remote's own rules.
    fn probe(&self, tenant: &str) -> Result<(), RecordError> {
        self.read(tenant)?;
        let failed = |why| self.unreachable(tenant, "written", why);
        let record = TenantRecord::of(tenant).to_text();
        let blob = self.line(&["hash-object", "-w", "--stdin"], Some(record.as_bytes())).map_err(failed)?;
        let tree = self.line(&["mktree"], Some(format!("100644 blob {blob}\t{FILE}\n").as_bytes())).map_err(failed)?;
        let arguments = ["commit-tree", tree.as_str(), "-m", "stablekey doctor"];
        let commit = run(&self.tree, &arguments, None, &author(&self.tree)).and_then(GitOutput::of_success);
        let commit = String::from_utf8_lossy(&commit.map_err(failed)?).trim().to_string();
        // One name per tenant, so that a remote that deletes no refs keeps one at most.
        let name = format!("refs/stablekey-doctor/{tenant}");
        let push = |from: &str| {
            let refspec = format!("{from}:{name}");
            let output = self.git(&["push", "--porcelain", "--no-verify", "--force", &self.remote, &refspec], None)?;
            if output.has_succeeded() { Ok(()) } else { Err(refused(&output)) }
        };
        push(&commit).map_err(failed)?;
        // That it stays there does no harm.
        let _ = push("");
        Ok(())
    }

    fn place(&self) -> String {
        format!("{REFS}* on the Git remote {}", self.remote)
    }
}

/// Why the remote refused a push: its own line for the ref, else git's words.
fn refused(output: &GitOutput) -> String {
    let stdout = String::from_utf8_lossy(&output.stdout);
    let line = stdout.lines().find(|line| line.starts_with('!')).and_then(|line| line.split('\t').nth(2));
    match line {
        Some(line) => format!("the remote refuses it: {}", shown(line)),
        None => words(&output.stderr),
    }
}
