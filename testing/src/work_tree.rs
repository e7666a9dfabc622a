//! A project in the work tree of a Git repository, and commands run in it as a pipeline runs them.

use crate::project::{CommandOutput, Project};
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Output};

/// A project that is committed.
pub struct WorkTree {
    pub project: Project,
}

impl Deref for WorkTree {
    type Target = Project;

    fn deref(&self) -> &Project {
        &self.project
    }
}

/// Variables of the systems that a test itself may run in.
const OF_SYSTEMS: [&str; 28] = [
    "GITHUB_ACTIONS",
    "GITHUB_API_URL",
    "GITHUB_EVENT_PATH",
    "GITHUB_REF",
    "GITHUB_REPOSITORY",
    "GITHUB_SERVER_URL",
    "GITHUB_STEP_SUMMARY",
    "GITHUB_TOKEN",
    "GITLAB_CI",
    "CI_API_V4_URL",
    "CI_COMMIT_BEFORE_SHA",
    "CI_COMMIT_BRANCH",
    "CI_COMMIT_SHA",
    "CI_COMMIT_TAG",
    "CI_MERGE_REQUEST_IID",
    "CI_MERGE_REQUEST_PROJECT_ID",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA",
    "CI_MERGE_REQUEST_SOURCE_PROJECT_ID",
    "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
    "CI_PROJECT_ID",
    "CI_PROJECT_VISIBILITY",
    "STABLEKEY_GITLAB_TOKEN",
    "STABLEKEY_GIT_CA",
    "STABLEKEY_GIT_HOSTS",
    "STABLEKEY_GIT_PASSWORD",
    "STABLEKEY_GIT_TOKEN",
    "STABLEKEY_GIT_USERNAME",
    "STABLEKEY_HOSTS",
];

impl WorkTree {
    /// Makes the project's folder a repository, and commits all of it on the branch main.
    pub fn of(project: Project) -> Self {
        let tree = WorkTree { project };
        tree.git(&["init", "--quiet", "--initial-branch=main"]);
        tree.commit("first");
        tree
    }

    /// Runs git, which must succeed, and returns what it printed.
    pub fn git(&self, arguments: &[&str]) -> String {
        git_in(self.root(), arguments)
    }

    /// Commits all files, and returns the id of the commit.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Begins a branch here.
    pub fn branch(&self, name: &str) {
        self.git(&["switch", "--quiet", "--create", name]);
    }

    pub fn switch(&self, name: &str) {
        self.git(&["switch", "--quiet", name]);
    }

    /// Runs the program as a pipeline does, with these variables.
    pub fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> CommandOutput {
        let mut command = crate::cli::stablekey(self.root(), arguments);
        for name in OF_SYSTEMS {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied());
        CommandOutput::of(&command.output().unwrap())
    }

    /// Runs the program in the repository.
    pub fn stablekey(&self, arguments: &[&str]) -> CommandOutput {
        self.run_with(arguments, &[])
    }
}

/// Runs git in a folder, without anybody's configuration. It must succeed.
pub fn git_in(folder: &Path, arguments: &[&str]) -> String {
    let output = git_command(folder, arguments);
    let said = crate::cli::said(&output);
    assert!(output.status.success(), "git {arguments:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_string()
}

fn git_command(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "protocol.file.allow=always"]).args(arguments);
    command.envs([
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Ann"),
        ("GIT_AUTHOR_EMAIL", "ann@acme.example"),
        ("GIT_COMMITTER_NAME", "Ann"),
        ("GIT_COMMITTER_EMAIL", "ann@acme.example"),
    ]);
    command.output().unwrap()
}
