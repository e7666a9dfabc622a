//! A bare repository whose commits a test writes, file by file: also what `git add` would refuse.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    Regular(Vec<u8>),
    Executable(Vec<u8>),
    /// A link with its target.
    Link(String),
    /// A commit of another repository.
    Submodule(String),
}

/// The files of a commit, by path.
pub type Files = BTreeMap<String, File>;

/// A bare repository.
pub struct GitRepository {
    path: PathBuf,
}

impl GitRepository {
    /// Makes an empty repository in a folder.
    pub fn new(path: &Path) -> Self {
        GitRepository::with(path, &[])
    }

    /// The same with further arguments of `git init`.
    pub fn with(path: &Path, arguments: &[&str]) -> Self {
        let repository = GitRepository { path: path.to_path_buf() };
        let mut init = Command::new("git");
        init.args(["init", "--quiet", "--bare", "--initial-branch=main"]).args(arguments).arg(path);
        must(isolated(&mut init));
        repository
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a commit that consists of these files and nothing else, as the next one of a branch. Returns its name.
    pub fn commit(&self, branch: &str, files: &Files) -> String {
        let name = format!("refs/heads/{branch}");
        let parent = self.git_may(&["rev-parse", "--verify", "--quiet", &name]);
        self.write(&name, parent.as_deref(), files)
    }

    /// The same, as the first commit of a branch: what was there before is forgotten.
    pub fn replace(&self, branch: &str, files: &Files) -> String {
        self.write(&format!("refs/heads/{branch}"), None, files)
    }

    /// Writes a commit that has two names for one folder, so many levels deep, and a file of this name in the last: it is
    /// small, and has 2^levels paths.
    pub fn commit_repeating(&self, branch: &str, levels: usize, file: &str) -> String {
        let blob = self.git_with(&["hash-object", "-w", "--stdin"], b"a: b\n");
        let mut tree = self.git_with(&["mktree"], format!("100644 blob {blob}\t{file}\n").as_bytes());
        for _ in 0..levels {
            tree = self.git_with(&["mktree"], format!("040000 tree {tree}\ta\n040000 tree {tree}\tb\n").as_bytes());
        }
        let commit = self.git(&["commit-tree", "-m", "repeats itself", &tree]);
        self.git(&["update-ref", &format!("refs/heads/{branch}"), &commit]);
        commit
    }

    fn write(&self, name: &str, parent: Option<&str>, files: &Files) -> String {
        let mut stream = Vec::new();
        let data = |stream: &mut Vec<u8>, bytes: &[u8]| {
            stream.extend(format!("data {}\n", bytes.len()).bytes());
            stream.extend(bytes);
            stream.push(b'\n');
        };
        let count: usize = parent.map_or(0, |_| self.git(&["rev-list", "--count", name]).parse().unwrap());
        stream.extend(format!("reset {name}\n\ncommit {name}\n").bytes());
        // Two commits of the same files have different names.
        stream.extend(format!("committer Ann <ann@acme.example> {} +0000\n", 1_700_000_000 + count).bytes());
        data(&mut stream, format!("commit {count}").as_bytes());
        if let Some(parent) = parent {
            stream.extend(format!("from {parent}\ndeleteall\n").bytes());
        }
        for (path, file) in files {
            match file {
                File::Submodule(commit) => stream.extend(format!("M 160000 {commit} {path}\n").bytes()),
                File::Regular(bytes) | File::Executable(bytes) => {
                    let mode = if matches!(file, File::Executable(_)) { "100755" } else { "100644" };
                    stream.extend(format!("M {mode} inline {path}\n").bytes());
                    data(&mut stream, bytes);
                }
                File::Link(target) => {
                    stream.extend(format!("M 120000 inline {path}\n").bytes());
                    data(&mut stream, target.as_bytes());
                }
            }
        }
        self.git_with(&["fast-import", "--quiet", "--force"], &stream);
        self.git(&["rev-parse", name])
    }

    /// Runs a command of git here that must succeed, and returns its output without the line break.
    pub fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    fn git_may(&self, arguments: &[&str]) -> Option<String> {
        let output = isolated(Command::new("git").arg("--git-dir").arg(&self.path).args(arguments)).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim_end().to_string())
    }

    fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut command = Command::new("git");
        let command = isolated(command.arg("--git-dir").arg(&self.path).args(arguments));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_string()
    }
}

/// Files with these texts.
pub fn files(texts: &[(&str, &str)]) -> Files {
    texts.iter().map(|(path, text)| (path.to_string(), File::Regular(text.as_bytes().to_vec()))).collect()
}

/// A command of git that reads no configuration of this machine, and writes commits as Ann.
fn isolated(command: &mut Command) -> &mut Command {
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Ann").env(format!("GIT_{who}_EMAIL"), "ann@acme.example");
    }
    command
}

fn must(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
