//! A project at commits of its repository, for commands that compare two.

use super::CommandFailure;
use super::options::RootArgument;
use crate::file_tree::FileTree;
use crate::git::{GitError, Repository};
use crate::project::Project;
use clap::Args;
use std::path::{Path, PathBuf};

/// The options that name two commits.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct CommitOptions {
    /// Show what a change of the files does: from the files of this commit to those of --to. What is planned before the
    /// change already is told apart
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["namespace", "sources"])]
    pub from: Option<String>,
    /// The commit that --from is compared with; by default the files as they are on disk
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["namespace", "sources"])]
    pub to: Option<String>,
}

/// A project before and after a change of its files.
pub(super) struct ProjectSides {
    pub before: Project,
    pub after: Project,
    /// The names of both, as people read them.
    pub names: SideNames,
}

/// The names of the two states of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SideNames {
    pub from: String,
    pub to: String,
}

impl From<GitError> for CommandFailure {
    fn from(error: GitError) -> Self {
        CommandFailure::new(error.to_string(), error.help())
    }
}

/// The repository that a project lies in.
pub(super) struct ProjectRepository {
    repository: Repository,
    /// The folder of the repository that is the project's root.
    at: PathBuf,
    /// The root as the person wrote it.
    root: PathBuf,
}

impl ProjectRepository {
    /// Finds the repository around a root.
    pub(super) fn around(root: &Path) -> Result<Self, CommandFailure> {
        let repository = Repository::around(root)?;
        let at = repository.path_of(root)?;
        Ok(ProjectRepository { repository, at, root: root.to_path_buf() })
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Returns the files of a commit, with its name for people.
    pub(super) fn files(&self, revision: &str) -> Result<(FileTree, String), CommandFailure> {
        let commit = self.repository.commit(revision)?;
        let files = self.repository.files(&commit, &self.at, &self.root)?;
        let short = commit.short();
        let name = if revision.starts_with(&short) { short } else { format!("{revision} ({short})") };
        Ok((files, name))
    }

    /// Returns the line that finds the comment about this project again: a repository may have several.
    pub(super) fn marker(&self) -> String {
        let root: String =
            self.at.display().to_string().chars().filter(|c| c.is_ascii_alphanumeric() || "/._".contains(*c)).collect();
        format!("<!-- stablekey:change {} -->", if root.is_empty() { "." } else { &root })
    }

    /// Returns the path in the repository of a file of the project.
    pub(super) fn path_in_it(&self, file: &Path) -> Option<String> {
        let plain = |path: &Path| -> PathBuf {
            path.components().filter(|part| *part != std::path::Component::CurDir).collect()
        };
        let below = plain(file).strip_prefix(plain(&self.root)).ok()?.to_path_buf();
        Some(self.at.join(below).to_str()?.to_string())
    }

    /// Returns the files of a tree, by its id.
    pub(super) fn files_of_tree(&self, id: &str) -> Result<FileTree, CommandFailure> {
        Ok(self.repository.files_of_tree(id, &self.at, &self.root)?)
    }
}

impl CommitOptions {
    /// Reads the project at both commits, if they were given.
    pub(super) fn open(&self, root: &RootArgument) -> Result<Option<ProjectSides>, CommandFailure> {
        if self.from.is_none() && self.to.is_none() {
            return Ok(None);
        }
        let Some(from) = &self.from else {
            return Err(CommandFailure::new("--to needs --from", "give the commit to compare with: --from main"));
        };
        let repository = ProjectRepository::around(root.root())?;
        let (before, from) = repository.files(from)?;
        let (after, to) = match &self.to {
            Some(to) => repository.files(to)?,
            None => (FileTree::default(), "the files on disk".to_string()),
        };
        let after = root.open_in(after)?;
        let before = root.open_beside(before, &after);
        Ok(Some(ProjectSides { before, after, names: SideNames { from, to } }))
    }
}
