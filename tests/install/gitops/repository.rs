//! A team's Git repository: a copy of an example, commits, and what a tool fetches.

use crate::tools::{self, output_of};
use stablekey_testing::cli::copy_folder;
use stablekey_testing::project::Project;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

pub struct Repository {
    /// The clone of a person. Its parent folder has the repositories of the server.
    pub project: Project,
}

impl Repository {
    /// Commits a copy of an example to a repository `tenants`, and the manifests of this repository, with a tag of this
    /// version, to a repository `stablekey`.
    pub fn of(example: &str) -> Self {
        let repository = Repository { project: Project::example(example) };
        let install = repository.project.parent_folder().join("install");
        copy_folder(&tools::repository("manifests"), &install.join("manifests"));
        repository.publish(&install, "stablekey");
        output_of(git(&repository.server("stablekey")).args(["tag", concat!("v", env!("CARGO_PKG_VERSION")), "main"]));
        repository.publish(repository.project.root(), "tenants");
        repository
    }

    fn server(&self, name: &str) -> PathBuf {
        self.project.parent_folder().join(format!("{name}.git"))
    }

    /// Commits a folder, and pushes it to a new repository.
    fn publish(&self, folder: &Path, name: &str) {
        let server = self.server(name);
        output_of(git(folder).args(["init", "--quiet", "--initial-branch", "main"]));
        output_of(git(folder).args(["init", "--quiet", "--bare", "--initial-branch", "main"]).arg(&server));
        output_of(git(folder).args(["remote", "add", "origin"]).arg(&server));
        commit(folder, "Start");
    }

    /// Commits all changes of a person, and pushes them.
    pub fn commit(&self, message: &str) {
        commit(self.project.root(), message);
    }

    /// Reverts the last commit with a message, and pushes that.
    pub fn revert(&self, message: &str) {
        output_of(git(self.project.root()).args(["revert", "--no-edit", &format!(":/^{message}")]));
        output_of(git(self.project.root()).args(["push", "--quiet", "origin", "main"]));
    }

    /// Returns the script `check` of the example, with the programs that it calls.
    pub fn check_command(&self) -> Command {
        let mut check = Command::new(self.project.path("check"));
        let programs = [Path::new(env!("CARGO_BIN_EXE_stablekey")).to_owned(), tools::kubectl().get_program().into()];
        let folders = programs.iter().map(|program| program.parent().unwrap().display().to_string());
        let path: Vec<String> = folders.chain(std::env::var("PATH")).collect();
        check.env("PATH", path.join(":")).stdin(Stdio::null());
        check
    }

    pub fn check(&self) {
        output_of(&mut self.check_command());
    }

    /// Fetches a branch or a tag of https://git.example/NAME, as a tool does.
    #[track_caller]
    pub fn fetch(&self, url: &str, reference: &str) -> TempDir {
        let name = url.strip_prefix("https://git.example/").unwrap_or_else(|| panic!("{url}"));
        let folder = tempfile::tempdir().unwrap();
        let mut clone = git(folder.path());
        clone.args(["clone", "--quiet", "--depth", "1", "--branch", reference]);
        output_of(clone.arg(format!("file://{}", self.server(name).display())).arg("."));
        std::fs::remove_dir_all(folder.path().join(".git")).unwrap();
        folder
    }
}

fn commit(folder: &Path, message: &str) {
    output_of(git(folder).args(["add", "--all"]));
    output_of(git(folder).args(["commit", "--quiet", "--message", message]));
    output_of(git(folder).args(["push", "--quiet", "origin", "main"]));
}

/// Returns a git without the settings of whoever runs the tests.
fn git(folder: &Path) -> Command {
    let mut git = Command::new("git");
    git.current_dir(folder).stdin(Stdio::null());
    git.args(["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "advice.detachedHead=false"]);
    git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_TERMINAL_PROMPT", "0");
    git
}

/// Each file of an example has an owner, and those that decide about rights belong to the platform team.
#[test]
fn the_files_that_decide_about_rights_have_owners() {
    for (example, decides) in [
        (
            "flux",
            ["tenants.yaml", "syncs.yaml", ".stablekeyignore", ".github/CODEOWNERS", "namespaces/us-prod/tenant.yaml"],
        ),
        (
            "argocd",
            ["tenants.yaml", "argocd/projects.yaml", ".stablekeyignore", ".github/CODEOWNERS", "namespaces/prod.yaml"],
        ),
    ] {
        let folder = tools::repository("examples").join(example);
        let text = std::fs::read_to_string(folder.join(".github/CODEOWNERS")).unwrap();
        let rules: Vec<(&str, &str)> = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(|line| line.split_once(' ').unwrap())
            .collect();
        let owner = |file: &str| {
            let is_of = |pattern: &str| {
                let pattern = pattern.strip_prefix('/').unwrap();
                if pattern.ends_with('/') { file.starts_with(pattern) } else { file == pattern }
            };
            rules.iter().rfind(|(pattern, _)| is_of(pattern)).map(|(_, owners)| owners.trim())
        };
        for file in decides {
            assert!(folder.join(file).is_file(), "{file}");
            assert_eq!(owner(file), Some("@example/platform"), "{example}/{file}");
        }
        for (pattern, _) in &rules {
            assert!(folder.join(pattern.trim_start_matches('/')).exists(), "{example}: {pattern} is not there");
        }
        for file in stablekey_testing::cli::files(&folder).keys() {
            assert!(file == "README.md" || owner(file).is_some(), "{example}/{file} has no owner");
        }
    }
}
