//! The `git` command, for what changes a repository or needs the user's own credentials. Each call has a time limit, and
//! nobody is asked for a password.

use crate::text;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time limit of one `git` command.
const LIMIT: Duration = Duration::from_secs(60);
/// How long its output is awaited once a command ended.
const AFTER_END: Duration = Duration::from_secs(5);
/// How often a running command is asked whether it ended.
const LOOK: Duration = Duration::from_millis(5);
/// Maximum number of characters of git's own words in a message.
const WORDS: usize = 300;
/// The most output that is read, in bytes.
const LARGEST: u64 = 256_000_000;

/// The arguments by which git finds a repository only by a `.git`. Else the files of a commit could be one, and say what
/// git runs.
pub const BY_WORK_TREE: [&str; 2] = ["-c", "safe.bareRepository=explicit"];

/// The outcome of a command of git.
pub struct GitOutput {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl GitOutput {
    /// Whether the command ended with 0.
    pub fn has_succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// Returns what a command that must succeed printed; else git's words.
    pub fn of_success(self) -> Result<Vec<u8>, String> {
        if self.has_succeeded() { Ok(self.stdout) } else { Err(words(&self.stderr)) }
    }
}

/// Runs git in a folder, within the time limit.
pub fn run(
    folder: &Path,
    arguments: &[&str],
    input: Option<&[u8]>,
    variables: &[(&str, String)],
) -> Result<GitOutput, String> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(BY_WORK_TREE).args(arguments);
    // Texts are compared, so they are in one language; nobody can answer a question for a password.
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    if std::env::var_os("GIT_SSH_COMMAND").is_none() && std::env::var_os("GIT_SSH").is_none() {
        command.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes");
    }
    // A hook of Git names its own work tree and index.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"] {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (*name, value.as_str())));
    command.stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own, so that what git started ends with it at the time limit.
    command.process_group(0);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => "the git command is not there: install git".to_string(),
        _ => format!("git cannot be started: {error}"),
    })?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    if let (Some(mut stdin), Some(input)) = (stdin, input.map(<[u8]>::to_vec)) {
        // A command that ends early says itself why.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let (stdout, stderr) = (Collected::of(stdout, LARGEST), Collected::of(stderr, LARGEST));
    let code = ended(&mut child)?;
    let (stdout, stderr) = (stdout.bytes(LARGEST)?, stderr.bytes(LARGEST)?);
    Ok(GitOutput { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() })
}

/// Returns git's last words that are no progress and no hint, on one line.
pub fn words(stderr: &str) -> String {
    let is_noise = |line: &&str| line.trim().is_empty() || line.starts_with("hint:") || line.starts_with("To ");
    let lines: Vec<&str> = stderr.lines().filter(|line| !is_noise(line)).collect();
    let important = lines.iter().find(|line| line.starts_with("fatal:") || line.starts_with("error:"));
    shown(important.or(lines.last()).copied().unwrap_or("git gave no reason"))
}

/// Returns a text of git's without the password of a URL.
pub fn shown(line: &str) -> String {
    let without_password = line.split(' ').map(|word| match (word.find("://"), word.rfind('@')) {
        (Some(scheme), Some(at)) if scheme < at => format!("{}…{}", &word[..scheme + 3], &word[at..]),
        _ => word.to_string(),
    });
    let line = without_password.collect::<Vec<_>>().join(" ");
    text::shorten(&text::line(line.trim()), WORDS).into_owned()
}

/// Returns the variables that name the author of a commit where git knows none: a runner's configuration has no name.
pub fn author(tree: &Path) -> Vec<(&'static str, String)> {
    let known = run(tree, &["var", "GIT_COMMITTER_IDENT"], None, &[]).is_ok_and(|output| output.has_succeeded());
    if known {
        return Vec::new();
    }
    let (name, email) = ("stablekey".to_string(), "stablekey@localhost".to_string());
    vec![
        ("GIT_AUTHOR_NAME", name.clone()),
        ("GIT_AUTHOR_EMAIL", email.clone()),
        ("GIT_COMMITTER_NAME", name),
        ("GIT_COMMITTER_EMAIL", email),
    ]
}

/// What a thread reads from a pipe.
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    /// Disconnected when all was read.
    end: Receiver<()>,
}

impl Collected {
    /// Reads at most one byte more than this.
    fn of(pipe: Option<impl std::io::Read + Send + 'static>, most: u64) -> Self {
        let (sender, end) = channel();
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&bytes);
        std::thread::spawn(move || {
            let _open: Sender<()> = sender;
            let Some(pipe) = pipe else { return };
            let mut pipe = pipe.take(most.saturating_add(1));
            let mut piece = [0; 8192];
            loop {
                match pipe.read(&mut piece) {
                    Ok(0) => break,
                    Ok(count) => {
                        into.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&piece[..count]);
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
        });
        Collected { bytes, end }
    }

    /// All that was read, unless it is more than this: a part would look like all. What git left running, such as a
    /// shared connection of ssh, may keep the pipe open.
    fn bytes(self, most: u64) -> Result<Vec<u8>, String> {
        let _ = self.end.recv_timeout(AFTER_END);
        let bytes = std::mem::take(&mut *self.bytes.lock().unwrap_or_else(PoisonError::into_inner));
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
            return Ok(bytes);
        }
        Err(format!("git printed more than {most} bytes, which is more than is read"))
    }
}

/// Waits for a command, and ends it after the time limit.
fn ended(child: &mut Child) -> Result<Option<i32>, String> {
    let end = Instant::now() + LIMIT;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.code()),
            Ok(None) if Instant::now() < end => std::thread::sleep(LOOK),
            Ok(None) => {
                let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
                let _ = group.map(|group| rustix::process::kill_process_group(group, rustix::process::Signal::KILL));
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("git took longer than {} s", LIMIT.as_secs()));
            }
            Err(error) => return Err(format!("git cannot be waited for: {error}")),
        }
    }
}

/// The result of merging two commits, without a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Merge {
    /// The id of the merged tree.
    Tree(String),
    /// The files that both changed, so that a person has to decide.
    Conflict(Vec<String>),
}

/// Merges two commits, and returns the tree of the result. Nothing of the work tree or the branches changes.
pub fn merge(folder: &Path, ours: &str, theirs: &str) -> Result<Merge, String> {
    let output =
        run(folder, &["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, theirs], None, &[])?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut parts = text.split('\0').filter(|part| !part.is_empty());
    match (output.code, parts.next()) {
        (Some(0), Some(tree)) => Ok(Merge::Tree(tree.to_string())),
        (Some(1), Some(_)) => Ok(Merge::Conflict(parts.map(str::to_string).collect())),
        _ if output.stderr.contains("usage: git merge-tree") => {
            Err("this git cannot merge without a checkout: it needs version 2.38 or newer".to_string())
        }
        _ => Err(words(&output.stderr)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    #[test]
    fn output_that_is_too_large_is_an_error() {
        let collected = |most| Collected::of(Some(Cursor::new(b"12345")), most).bytes(most);
        assert_eq!(collected(5), Ok(b"12345".to_vec()));
        assert!(collected(4).is_err());
    }
}
