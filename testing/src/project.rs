//! A project in a temporary folder, and the command line run in it.

use crate::cli;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A project. Its parent folder also has the state folder of the person who applies it.
pub struct Project {
    around: TempDir,
    root: PathBuf,
    state: PathBuf,
}

/// The output of a command, and its exit code.
#[derive(Debug)]
pub struct CommandOutput {
    pub code: i32,
    pub out: String,
    pub err: String,
    /// Standard output and error, concatenated.
    pub all: String,
}

impl Project {
    /// Creates a project without files.
    pub fn empty() -> Self {
        let around = tempfile::tempdir().unwrap();
        let [root, state] = ["root", "state"].map(|folder| around.path().join(folder));
        fs::create_dir(&root).unwrap();
        Project { around, root, state }
    }

    /// Creates a copy of an example.
    pub fn example(name: &str) -> Self {
        let project = Project::empty();
        cli::copy_folder(&cli::repository("examples").join(name), project.root());
        project
    }

    /// Returns the parent folder of the root.
    pub fn parent_folder(&self) -> &Path {
        self.around.path()
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the state folder, which does not exist until an approval is stored.
    pub fn state(&self) -> &Path {
        &self.state
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Creates an empty folder.
    pub fn with_folder(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).unwrap();
        self
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub fn with(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Replaces a part of a file.
    pub fn edit(self, path: &str, from: &str, to: &str) -> Self {
        let text = self.read(path);
        assert!(text.contains(from), "{path} has no {from}:\n{text}");
        self.write(path, &text.replacen(from, to, 1));
        self
    }

    pub fn link(self, target: &str, path: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub fn without(self, path: &str) -> Self {
        let path = self.path(path);
        if path.is_dir() {
            fs::remove_dir_all(path).unwrap()
        } else {
            fs::remove_file(path).unwrap()
        }
        self
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn has(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    /// Applies what needs no approval.
    pub fn apply(self) -> Self {
        let said = self.run(&["apply", "--yes"]);
        assert_eq!(said.code, 0, "{}", said.all);
        self
    }

    /// Returns every file of a folder.
    pub fn files(&self, folder: &str) -> BTreeMap<String, Vec<u8>> {
        cli::files(&self.path(folder))
    }

    /// Returns the command, as in CI: it stores no approval.
    pub fn command(&self, arguments: &[&str]) -> Command {
        cli::stablekey(&self.root, arguments)
    }

    /// Returns the command with a state folder, as a person runs it.
    pub fn command_with_state(&self, arguments: &[&str]) -> Command {
        cli::stablekey_of(&self.state, &self.root, arguments)
    }

    pub fn run(&self, arguments: &[&str]) -> CommandOutput {
        CommandOutput::of(&self.command(arguments).output().unwrap())
    }

    /// Runs a line that a message shows, as a person who pastes it into a shell.
    pub fn pasted(&self, line: &str) -> CommandOutput {
        let run = self.command(&[]);
        let folder = std::path::Path::new(run.get_program()).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).current_dir(&self.root).stdin(std::process::Stdio::null());
        shell.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        shell.env("PATH", format!("{}:{path}", folder.display()));
        CommandOutput::of(&shell.output().unwrap())
    }

    pub fn plan(&self) -> CommandOutput {
        self.run(&["plan"])
    }

    /// Returns the plan as JSON.
    pub fn plan_json(&self) -> serde_json::Value {
        serde_json::from_str(&self.run(&["plan", "-o", "json"]).out).unwrap()
    }
}

impl CommandOutput {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        CommandOutput { code: output.status.code().unwrap_or(-1), all: format!("{out}{err}"), out, err }
    }

    /// Returns the output without line wraps, to search in.
    pub fn words(&self) -> String {
        format!("{} {}", self.out, self.err).split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Whether a text stands alone on its line, so that it can be pasted.
    pub fn has_line(&self, line: &str) -> bool {
        self.out.lines().chain(self.err.lines()).any(|there| there.trim() == line)
    }

    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "{}", self.all);
        self
    }

    #[track_caller]
    pub fn prints(&self, text: &str) -> &Self {
        // Text is wrapped to the terminal's width.
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words(&self.all).contains(&words(text)), "it does not say {text:?}:\n{}", self.all);
        self
    }

    #[track_caller]
    pub fn does_not_print(&self, text: &str) -> &Self {
        assert!(!self.all.contains(text), "it says {text:?}:\n{}", self.all);
        self
    }
}

/// Returns the ids of a plan's actions.
pub fn actions(plan: &serde_json::Value) -> Vec<String> {
    let targets = plan["targets"].as_array().unwrap().iter();
    let actions = targets.flat_map(|target| target["actions"].as_array().unwrap());
    actions.map(|action| format!("{} {}", action["action"].as_str().unwrap(), action["id"].as_str().unwrap())).collect()
}
