//! A project at commits of its repository, for commands that compare two.

use super::CommandFailure;
use super::options::RootArgument;
use crate::file_tree::FileTree;
use crate::git::command::{GitOutput, run as git};
use crate::git::credentials::{Credentials, CredentialsError};
use crate::git::failure::FetchError;
use crate::git::fetched::{FetchedCommit, FetchedError};
use crate::git::reference::Reference;
use crate::git::remote::{Access, Limits, Remote, RemoteError};
use crate::git::url::{self, split_reference};
use crate::git::{Commit, GitError, Proxies, Repository};
use crate::project::Project;
use crate::project::stored::StoredProject;
use crate::text::{count, line};
use clap::Args;
use std::fmt::Display;
use std::path::{Component as PathPart, Path, PathBuf};
use tokio::runtime::Runtime;

/// The options that name two commits.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct CommitOptions {
    /// Show what a change of the files does: from the files of this commit to those of --to. What is planned before the
    /// change as well is listed separately
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["namespace", "sources"])]
    pub from: Option<String>,
    /// The commit that --from is compared with; by default the files as they are on disk
    #[arg(long, value_name = "COMMIT", conflicts_with_all = ["namespace", "sources"])]
    pub to: Option<String>,
    /// Read the project from a Git server, without a clone: the address of a repository and a branch, tag or commit; ROOT
    /// and --from are of that repository. The variables STABLEKEY_GIT_TOKEN, or STABLEKEY_GIT_USERNAME and
    /// STABLEKEY_GIT_PASSWORD, hold credentials, and STABLEKEY_GIT_HOSTS the hosts that they are sent to
    #[arg(long, value_name = "URL@REF", conflicts_with_all = ["namespace", "sources", "to"])]
    pub git: Option<String>,
}

/// A project before and after a change of its files.
pub(super) struct ProjectSides {
    pub before: Project,
    pub after: Project,
    /// The names of both, as people read them.
    pub names: SideNames,
    /// What a person may take for the change, and is not.
    pub cautions: Vec<String>,
    /// What was fetched to read them.
    _fetched: Vec<FetchedCommit>,
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
        if !root.is_dir() {
            let help = "give the folder of the project; commits are given with --from and --to";
            return Err(CommandFailure::new(format!("{} is no folder", root.display()), help));
        }
        let repository = Repository::around(root).map_err(|error| match &error {
            GitError::NoRepository { .. } => {
                CommandFailure::new(error.to_string(), "give the folder of a project in a clone")
            }
            _ => error.into(),
        })?;
        let at = repository.path_of(root)?;
        Ok(ProjectRepository { repository, at, root: root.to_path_buf() })
    }

    pub(super) fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The folder of the repository that is the project's root.
    pub(super) fn root_in_it(&self) -> &Path {
        &self.at
    }

    /// Returns the files of a commit, with its name for people.
    pub(super) fn files(&self, revision: &str) -> Result<(FileTree, String), CommandFailure> {
        let commit = self.repository.commit(revision)?;
        let files = self.repository.files(&commit, &self.at, &self.root)?;
        Ok((files, self.name_of(&commit, revision)))
    }

    /// Returns the name of a commit for people.
    pub(super) fn name_of(&self, commit: &Commit, revision: &str) -> String {
        let short = commit.short();
        if revision.starts_with(&short) { short } else { format!("{revision} ({short})") }
    }

    /// Returns the line that finds the comment about this project again: a repository may have several.
    pub(super) fn marker(&self) -> String {
        ProjectRepository::marker_of(&self.at)
    }

    /// Returns the same for the folder of the repository that is the project's root.
    pub(super) fn marker_of(at: &Path) -> String {
        let plain: PathBuf = at.components().filter(|part| *part != PathPart::CurDir).collect();
        // Different folders have different markers, and `--` would end a comment of HTML.
        let is_shown = |byte: u8| byte.is_ascii_alphanumeric() || b"/._".contains(&byte);
        let shown = |byte: u8| if is_shown(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
        let root: String = plain.as_os_str().as_encoded_bytes().iter().map(|byte| shown(*byte)).collect();
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

    /// Says that files of the project are changed on disk, which no commit has; `None` if none is, or Git does not tell.
    pub(super) fn uncommitted(&self) -> Option<String> {
        let status = ["status", "--porcelain", "-z", "--no-renames", "--", "."];
        let printed = git(&self.root, &status, None, &[]).and_then(GitOutput::of_success).ok()?;
        let files = printed.split(|byte| *byte == 0).filter(|line| !line.is_empty()).count();
        (files > 0).then(|| {
            let is = count(files, "file is", "files are");
            format!("{is} changed on disk and in no commit: that is not in this comparison (git status)")
        })
    }

    /// Returns the files of a commit that was found.
    pub(super) fn files_of_commit(&self, commit: &Commit) -> Result<FileTree, CommandFailure> {
        Ok(self.repository.files(commit, &self.at, &self.root)?)
    }

    /// Returns the files of a tree, by its id.
    pub(super) fn files_of_tree(&self, id: &str) -> Result<FileTree, CommandFailure> {
        Ok(self.repository.files_of_tree(id, &self.at, &self.root)?)
    }
}

impl CommitOptions {
    /// Reads the project at both commits, if they were given.
    pub(super) fn open(
        &self,
        root: &RootArgument,
        remote: Option<&RemoteProject>,
        stored: Option<&StoredProject>,
    ) -> Result<Option<ProjectSides>, CommandFailure> {
        let from = match (&self.from, &self.to) {
            (Some(from), _) => from,
            (None, None) => return Ok(None),
            (None, Some(_)) => {
                return Err(CommandFailure::new("--to needs --from", "give the commit to compare with: --from main"));
            }
        };
        if let Some(remote) = remote {
            return remote.sides(root, from, stored).map(Some);
        }
        let repository = ProjectRepository::around(root.root()).map_err(|failure| {
            let without = "; or, without a clone, --git URL@REF";
            let help = if root.root().is_dir() { failure.help.clone() + without } else { failure.help.clone() };
            CommandFailure { help, ..failure }
        })?;
        let cautions = self.cautions(&repository, from)?;
        let (before, from) = repository.files(from)?;
        let (after, to) = match &self.to {
            Some(to) => repository.files(to)?,
            None => (FileTree::default(), "the files on disk".to_string()),
        };
        let (before, after) = root.open_both(before, after, stored)?;
        Ok(Some(ProjectSides { before, after, names: SideNames { from, to }, cautions, _fetched: Vec::new() }))
    }

    /// What a person may take for the change, and is not.
    fn cautions(&self, repository: &ProjectRepository, from: &str) -> Result<Vec<String>, CommandFailure> {
        let git = repository.repository();
        let to = self.to.as_deref().unwrap_or("HEAD");
        let mut cautions = Vec::new();
        if let Some(behind) = git.count_beyond(&git.commit(from)?, &git.commit(to)?).filter(|behind| *behind > 0) {
            cautions.push(format!(
                "{to} lacks {} of {from}, which this comparison shows backwards. To see what a merge does:\n  \
                 stablekey ci plan --base {from}",
                count(behind, "commit", "commits")
            ));
        }
        cautions.extend(self.to.as_ref().filter(|to| *to == "HEAD").and_then(|_| repository.uncommitted()));
        Ok(cautions)
    }

    /// The repository of `--git`, if it was given.
    pub(super) fn remote(&self, root: &RootArgument) -> Result<Option<RemoteProject>, CommandFailure> {
        self.git.as_deref().map(|given| RemoteProject::of(given, root)).transpose()
    }
}

/// A project in a repository on a Git server.
pub(super) struct RemoteProject {
    remote: Remote,
    /// The branch, tag or commit, as the person wrote it.
    revision: String,
    /// Drives the requests.
    _runtime: Runtime,
}

impl RemoteProject {
    fn of(given: &str, root: &RootArgument) -> Result<Self, CommandFailure> {
        if !["https:", "http:"].iter().any(|scheme| given.trim_start().to_ascii_lowercase().starts_with(scheme)) {
            let message = format!("--git {} does not begin with https://", url::shown(given));
            let help =
                "clone it with git, and give the folder of the clone: -C DIR, with --from and --to for its commits";
            return Err(CommandFailure::new(message, help));
        }
        let Some((url, revision)) = split_reference(given) else {
            let message = format!("--git {} names no branch, tag or commit", url::shown(given));
            return Err(CommandFailure::new(message, "add it: --git https://HOST/PATH@main"));
        };
        let is_below = |part: PathPart<'_>| matches!(part, PathPart::CurDir | PathPart::Normal(_));
        if !root.root().components().all(is_below) {
            let message = format!("{} is no folder of a repository", root.root().display());
            return Err(CommandFailure::new(message, "with --git, ROOT is the folder in that repository"));
        }
        let variable = |name: &str| std::env::var(name).ok();
        let access = Access {
            credentials: Credentials::of_environment(&variable),
            authorities: None,
            proxies: Proxies::of(&variable),
            limits: Limits::default(),
            allows_loopback: root.allows_loopback(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| CommandFailure::new(error.to_string(), "run it again"))?;
        let remote = Remote::new(url, access, runtime.handle().clone()).map_err(|error| {
            let help = match &error {
                RemoteError::Url { .. } => "give the address as git clone takes it: https://HOST/PATH",
                RemoteError::Loopback(_) => "use a clone, with -C; --allow-loopback is for tests",
                RemoteError::Credentials(CredentialsError::Malformed { .. }) => "set the variable again",
                RemoteError::Credentials(_) => "set STABLEKEY_GIT_HOSTS to the hosts that they may be sent to",
                RemoteError::Client { .. } => "see that the address is right",
            };
            CommandFailure::new(format!("--git: {error}"), help)
        })?;
        Ok(RemoteProject { remote, revision: revision.to_string(), _runtime: runtime })
    }

    /// Fetches a branch, tag or commit.
    fn fetch(&self, revision: &str, root: &RootArgument) -> Result<(FetchedCommit, FileTree, String), CommandFailure> {
        let failed = |why: &dyn Display, help: String| {
            CommandFailure::new(format!("{} at {}: {why}", self.remote.url(), line(revision)), help)
        };
        let reference = Reference::parse(revision)
            .map_err(|error| failed(&error, "give a branch, a tag, or a commit by its full name".to_string()))?;
        let commit = FetchedCommit::of(&self.remote, &reference).map_err(|error| match &error {
            FetchedError::Fetch(FetchError::Unauthenticated { has_credentials: false }) => {
                let help =
                    "set STABLEKEY_GIT_PASSWORD to a token that may read it, and STABLEKEY_GIT_HOSTS to its host";
                failed(&error, help.to_string())
            }
            FetchedError::Fetch(FetchError::Certificate(_)) => {
                failed(&error, "set SSL_CERT_FILE to a file with the certificate of its authority".to_string())
            }
            error => failed(error, error.help()),
        })?;
        let files = commit.files(root.root(), root.root()).map_err(|error| failed(&error, error.help()))?;
        let short = commit.short();
        let name = if revision.starts_with(&short) { short } else { format!("{revision} ({short})") };
        Ok((commit, files, name))
    }

    /// Reads the project, with the name of the commit.
    pub(super) fn open(
        &self,
        root: &RootArgument,
        stored: Option<&StoredProject>,
    ) -> Result<(Project, FetchedCommit, String), CommandFailure> {
        let (commit, files, name) = self.fetch(&self.revision, root)?;
        let project = match stored {
            Some(stored) => root.open_stored(files, stored)?,
            None => root.open_elsewhere(files)?,
        };
        Ok((project, commit, format!("{} at {name}", self.remote.url())))
    }

    /// Reads the project at another commit too, to compare both.
    fn sides(
        &self,
        root: &RootArgument,
        from: &str,
        stored: Option<&StoredProject>,
    ) -> Result<ProjectSides, CommandFailure> {
        let (before_commit, before, from) = self.fetch(from, root)?;
        let (after, commit, to) = self.open(root, stored)?;
        let before = match stored {
            Some(stored) => root.open_stored_beside(before, &after, stored),
            None => root.open_elsewhere_beside(before, &after),
        };
        let names = SideNames { from, to };
        Ok(ProjectSides { before, after, names, cautions: Vec::new(), _fetched: vec![before_commit, commit] })
    }
}
