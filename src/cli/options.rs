//! Options that several commands share.

use super::output::{ListFormat, OutputFormat};
use super::{CommandFailure, planning};
use crate::api::{Kind, LocationSpec};
use crate::engine::model::canonical::{SHORT, TO_APPROVE};
use crate::engine::model::plan::Scope;
use crate::engine::model::revert::Revert;
use crate::file_tree::FileTree;
use crate::kubernetes::connect::Servers;
use crate::manifest::{is_manifest, read_file};
use crate::near_miss::near_misses;
use crate::project::sources;
use crate::project::stored::StoredProject;
use crate::project::{Project, ProjectArgs, open, open_beside};
use crate::render::Invocation;
use crate::tenant::prismatic::Platform;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Component as PathPart, Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The clusters and the platform that tenants are in.
#[derive(Debug, Args)]
pub(super) struct ServerOptions {
    /// API request timeout, in seconds; a cluster that takes longer counts as unreachable
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    request_timeout: Duration,
    /// Accept a platform at an address of this machine, and plain http there: for a fake in tests
    #[arg(long)]
    allow_loopback: bool,
    /// Network connections are kept open for the read after an apply.
    #[arg(skip)]
    servers: OnceLock<Arc<Servers>>,
    #[arg(skip)]
    platform: OnceLock<Arc<Platform>>,
}

impl ServerOptions {
    /// The API servers of this run.
    pub(super) fn servers(&self) -> Arc<Servers> {
        self.servers.get_or_init(|| Arc::new(Servers::with_timeout(self.request_timeout))).clone()
    }

    /// The platform, as this run reaches it.
    fn platform(&self) -> Arc<Platform> {
        self.platform.get_or_init(|| Arc::new(Platform::of_environment(self.allow_loopback))).clone()
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.strip_suffix('s').unwrap_or(text).parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.filter(|d| !d.is_zero()).ok_or_else(|| "write a number of seconds, more than 0".to_string())
}

/// The root as an argument of a command.
#[derive(Debug, Args)]
pub(super) struct RootArgument {
    /// The folder with the tenants; by default the current one
    #[arg(value_name = "ROOT")]
    argument: Option<PathBuf>,
    /// The same as an option
    #[arg(id = "root", long, short = 'C', value_name = "DIR", conflicts_with = "argument")]
    option: Option<PathBuf>,
    /// A folder of manifests that declare a tenant: TENANT=PATH; the folder may be anywhere. A plan file stores the path
    #[arg(long = "source", value_name = "TENANT=PATH", value_parser = tenant_and_path)]
    sources: Vec<(String, PathBuf)>,
    #[command(flatten)]
    clusters: ServerOptions,
}

/// The root as an option of a command.
#[derive(Debug, Args)]
pub(super) struct RootOption {
    /// The folder with the tenants
    #[arg(long, short = 'C', value_name = "DIR", default_value = ".")]
    pub root: PathBuf,
    #[command(flatten)]
    clusters: ServerOptions,
}

/// The sources as an option of a command.
#[derive(Debug, Default, Args)]
pub(super) struct SourceOption {
    /// A folder of manifests that declare a tenant: TENANT=PATH; the folder may be anywhere
    #[arg(id = "sources", long = "source", value_name = "TENANT=PATH", value_parser = tenant_and_path)]
    given: Vec<(String, PathBuf)>,
}

impl SourceOption {
    /// Whether no source was given.
    pub(super) fn is_empty(&self) -> bool {
        self.given.is_empty()
    }
}

/// The folders that are given to tenants as sources.
#[derive(Clone, Copy)]
struct GivenSources<'a> {
    root: &'a Path,
    given: &'a [(String, PathBuf)],
}

/// The option for the format of the result.
#[derive(Debug, Args)]
pub(super) struct FormatOption {
    /// The format of the result
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub output: OutputFormat,
}

/// The option for the format of a result that lists objects.
#[derive(Debug, Args)]
pub(super) struct ListFormatOption {
    /// The format of the result
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    pub output: ListFormat,
}

/// Options that narrow a plan.
#[derive(Clone, Debug, Default, Args)]
pub(super) struct Narrowing {
    /// Only this tenant (repeatable)
    #[arg(long = "tenant", value_name = "TENANT")]
    pub tenants: Vec<String>,
    /// Only this integration and the connections that it uses (repeatable)
    #[arg(long = "integration", value_name = "NAME")]
    pub integrations: Vec<String>,
    /// Only this sync, and what it depends on; FROM:TO adds an ad-hoc sync (repeatable)
    #[arg(long = "sync", value_name = "NAME|FROM:TO")]
    pub syncs: Vec<String>,
    /// The secrets to send again, of a command that has that option.
    #[arg(skip)]
    pub resend: Vec<String>,
    /// What is to be put back, of the command that does that.
    #[arg(skip)]
    pub revert: Option<Revert>,
}

impl RootArgument {
    /// The folder with the tenants.
    pub(super) fn root(&self) -> &Path {
        self.argument.as_deref().or(self.option.as_deref()).unwrap_or(Path::new("."))
    }

    /// The name of the project: that of its folder.
    pub(super) fn name(&self) -> String {
        let root = self.root().canonicalize().unwrap_or_else(|_| self.root().to_path_buf());
        root.file_name().unwrap_or(root.as_os_str()).to_string_lossy().into_owned()
    }

    /// The arguments that the next command repeats.
    pub(super) fn invocation(&self, narrowing: &Narrowing) -> Invocation {
        let root = self.root().display().to_string();
        let narrowed = narrowing.arguments().chain(self.given().arguments()).collect();
        let revert = narrowing.revert.clone();
        Invocation { root: (root != ".").then_some(root), narrowed, revert, ..Invocation::default() }
    }

    /// The API servers of this run.
    pub(super) fn servers(&self) -> Arc<Servers> {
        self.clusters.servers()
    }

    /// Whether a source was given.
    pub(super) fn has_sources(&self) -> bool {
        !self.sources.is_empty()
    }

    /// Reads the project.
    pub(super) fn open(&self) -> Result<Project, CommandFailure> {
        is_folder(self.root())?;
        let given = ProjectArgs {
            root: self.root().to_path_buf(),
            sources: self.given().folders()?,
            servers: Some(self.clusters.servers()),
            platform: Some(self.clusters.platform()),
            ..ProjectArgs::default()
        };
        let project = read(given)?;
        self.given().are_of(&project)?;
        Ok(project)
    }

    /// Reads the project in a tree of files, to compare it with another.
    pub(super) fn open_in(&self, files: FileTree) -> Result<Project, CommandFailure> {
        self.has_no_source()?;
        open_tree(&self.arguments_in(files))
    }

    /// Fails for `--source`: a commit and a snapshot have nothing of a folder that a person gives here.
    fn has_no_source(&self) -> Result<(), CommandFailure> {
        match self.sources.first() {
            None => Ok(()),
            Some((tenant, path)) => {
                let message = format!("--source {tenant}={} is of the files on disk only", path.display());
                let help = "leave it away: commits and snapshots are read as their Tenants say (spec.source.path)";
                Err(CommandFailure::new(message, help))
            }
        }
    }

    /// Reads the files of the project in a tree, and nothing of servers.
    pub(super) fn open_files_in(&self, files: FileTree) -> Result<Project, CommandFailure> {
        let sources = self.given().folders()?;
        open_tree(&ProjectArgs { sources, servers: None, platform: None, ..self.arguments_in(files) })
    }

    /// Reads the project in a tree of files that is no clone here. The record of a tenant on the platform is in refs of the
    /// repository that only a clone reads, so these tenants are unreadable.
    pub(super) fn open_elsewhere(&self, files: FileTree) -> Result<Project, CommandFailure> {
        self.has_no_source()?;
        let given = ProjectArgs { platform: None, ..self.arguments_in(files) };
        let mut project = open_tree(&given)?;
        let why =
            "what Stablekey wrote there is recorded in the repository, and is read only in a clone: plan in a clone";
        for tenant in project.tenants.values_mut() {
            if let Some(LocationSpec::Prismatic(_)) = &tenant.spec.location {
                tenant.live = Err(why.to_string());
            }
        }
        Ok(project)
    }

    /// Reads the same project in another tree of files that is no clone.
    pub(super) fn open_elsewhere_beside(&self, files: FileTree, project: &Project) -> Project {
        open_beside(&ProjectArgs { may_be_new: true, platform: None, ..self.arguments_in(files) }, project)
    }

    /// Reads the project in two trees of files, to compare them.
    pub(super) fn open_both(
        &self,
        before: FileTree,
        after: FileTree,
        stored: Option<&StoredProject>,
    ) -> Result<(Project, Project), CommandFailure> {
        match stored {
            None => {
                let after = self.open_in(after)?;
                Ok((self.open_beside(before, &after), after))
            }
            Some(stored) => {
                let after = self.open_stored(after, stored)?;
                Ok((self.open_stored_beside(before, &after, stored), after))
            }
        }
    }

    /// Reads the project in a tree of files, with the tenants in clusters and on the platform as a snapshot has them.
    pub(super) fn open_stored(&self, files: FileTree, stored: &StoredProject) -> Result<Project, CommandFailure> {
        self.has_no_source()?;
        let mut project = open_tree(&ProjectArgs { servers: None, platform: None, ..self.arguments_in(files) })?;
        stored.fill(&mut project);
        Ok(project)
    }

    /// Reads the same project in another tree of files, with the same snapshot.
    pub(super) fn open_stored_beside(&self, files: FileTree, project: &Project, stored: &StoredProject) -> Project {
        let given = ProjectArgs { may_be_new: true, servers: None, platform: None, ..self.arguments_in(files) };
        let mut before = open_beside(&given, project);
        stored.fill(&mut before);
        before
    }

    /// Whether servers on this machine are reached: in tests.
    pub(super) fn allows_loopback(&self) -> bool {
        self.clusters.allow_loopback
    }

    /// Reads the project in another tree of files. What was read from servers is not read again. There may be none.
    pub(super) fn open_beside(&self, files: FileTree, project: &Project) -> Project {
        open_beside(&ProjectArgs { may_be_new: true, ..self.arguments_in(files) }, project)
    }

    fn arguments_in(&self, files: FileTree) -> ProjectArgs {
        ProjectArgs {
            root: self.root().to_path_buf(),
            files,
            servers: Some(self.clusters.servers()),
            platform: Some(self.clusters.platform()),
            for_edits: true,
            ..ProjectArgs::default()
        }
    }

    fn given(&self) -> GivenSources<'_> {
        GivenSources { root: self.root(), given: &self.sources }
    }

    /// The given sources for a plan file: relative to the root.
    pub(super) fn sources_seen_from_root(&self) -> Result<BTreeMap<String, String>, CommandFailure> {
        let seen = |path: &PathBuf| Some(sources::seen_from(self.root(), path)?.to_str()?.to_string());
        let sources = self.given().folders()?.into_iter().map(|(tenant, path)| match seen(&path) {
            Some(seen) => Ok((tenant, seen)),
            None => {
                let message = format!("{} cannot be kept in a plan file", path.display());
                Err(CommandFailure::new(message, "rename it: its name is no UTF-8"))
            }
        });
        sources.collect()
    }

    /// Uses the sources of a plan file. A source that is given as well must be the same.
    pub(super) fn take_sources(&mut self, planned: &BTreeMap<String, String>) -> Result<(), CommandFailure> {
        is_folder(self.root())?;
        let given = self.sources_seen_from_root()?;
        for (tenant, path) in &given {
            if planned.get(tenant) != Some(path) {
                let what = planned.get(tenant).map_or("no --source".to_string(), |planned| planned.clone());
                let message = format!("the plan file was planned with {what} for {tenant}, not with {path}");
                return Err(CommandFailure::new(message, "leave --source away, or plan again with it"));
            }
        }
        let root = self.root().to_path_buf();
        self.sources = planned.iter().map(|(tenant, path)| (tenant.clone(), root.join(path))).collect();
        Ok(())
    }
}

fn open_tree(given: &ProjectArgs) -> Result<Project, CommandFailure> {
    if !given.files.is_folder(&given.root) {
        let message = format!("there is no folder {} in that commit", given.root.display());
        return Err(CommandFailure::new(message, "give the folder in which the Tenants and their folders lie"));
    }
    with_tenants(open(given, &mut std::io::empty()))
}

impl SourceOption {
    /// The option as it was given, for the next command.
    pub(super) fn arguments(&self) -> Vec<String> {
        GivenSources { root: Path::new("."), given: &self.given }.arguments().collect()
    }
}

impl GivenSources<'_> {
    /// The options of a command that is given the same sources.
    fn arguments(&self) -> impl Iterator<Item = String> {
        self.given.iter().flat_map(|(t, p)| ["--source".to_string(), format!("{t}={}", p.display())])
    }

    /// Rejects a source of an unknown tenant, and one that is inside a tenant's folder: those files belong to that
    /// tenant.
    fn are_of(&self, project: &Project) -> Result<(), CommandFailure> {
        for (tenant, _) in self.given {
            planning::known("tenant", tenant, project.tenants.keys())?;
        }
        let below = |path: &str| self.root.join(path).canonicalize().ok();
        let given = |name: &String| self.given.iter().any(|(tenant, _)| tenant == name);
        let folders = project.tenants.iter().flat_map(|(name, tenant)| {
            let location = match &tenant.spec.location {
                Some(LocationSpec::Directory(directory)) => below(&directory.path),
                _ => None,
            };
            let source = tenant.spec.source_path().filter(|_| !given(name)).and_then(below);
            [location.map(|folder| (name, "location", folder)), source.map(|folder| (name, "source", folder))]
        });
        let folders: Vec<(&String, &str, PathBuf)> = folders.flatten().collect();
        for (tenant, path) in self.given {
            let Ok(real) = path.canonicalize() else { continue };
            let other = folders.iter().find(|(_, _, folder)| real.starts_with(folder) || folder.starts_with(&real));
            if let Some((name, what, _)) = other {
                let message = format!("--source {tenant}={}: the {what} of {name} lies there", path.display());
                return Err(CommandFailure::new(message, "give a folder of its own"));
            }
        }
        Ok(())
    }

    /// Checks the given sources: each is a readable folder for one tenant.
    fn folders(&self) -> Result<BTreeMap<String, PathBuf>, CommandFailure> {
        let mut sources: BTreeMap<String, PathBuf> = BTreeMap::new();
        let mut folders: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (tenant, path) in self.given {
            let folder = folder_of_source(self.root, tenant, path)?;
            let before = folders.insert(folder.clone(), tenant.clone());
            if let Some(other) = before.filter(|other| other != tenant) {
                let message = format!("--source gives {} to {other} and to {tenant}", path.display());
                return Err(CommandFailure::new(message, "give each tenant a folder of its own"));
            }
            if let Some(other) = sources.insert(tenant.clone(), path.clone())
                && other.canonicalize().ok().as_ref() != Some(&folder)
            {
                let message =
                    format!("--source gives {tenant} two folders: {} and {}", other.display(), path.display());
                return Err(CommandFailure::new(message, "give it one"));
            }
        }
        Ok(sources)
    }
}

/// The folder that `--source` names, with links resolved.
fn folder_of_source(root: &Path, tenant: &str, path: &Path) -> Result<PathBuf, CommandFailure> {
    let wrong =
        |why: &str, help: String| CommandFailure::new(format!("--source {tenant}={}: {why}", path.display()), help);
    let real = path.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => wrong("there is no such folder", near_folders(root, path)),
        _ => wrong(&error.to_string(), "give a folder that you can read".to_string()),
    })?;
    if !real.is_dir() {
        return Err(wrong("this is no folder", "give the folder with the manifests".to_string()));
    }
    let real_root = root.canonicalize().map_err(|error| wrong(&error.to_string(), "give a root".to_string()))?;
    if real_root.starts_with(&real) {
        let help = "give a folder of its own: a source holds the manifests of one tenant";
        return Err(wrong("the root lies within it", help.to_string()));
    }
    // Whoever changes the tree must not decide what is read outside of it.
    if plain(path).starts_with(plain(root)) && !real.starts_with(&real_root) {
        return Err(wrong("this is a link that leads out of the root", format!("give {} itself", real.display())));
    }
    Ok(real)
}

/// Suggests existing folders for a folder that does not exist.
fn near_folders(root: &Path, path: &Path) -> String {
    let below = root.join(path);
    if path.is_relative() && below.is_dir() {
        return format!("did you mean {}? a relative path starts at the current folder", below.display());
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let folders =
        entries.filter(|entry| entry.path().is_dir()).filter_map(|entry| entry.file_name().into_string().ok());
    let folders: Vec<String> = folders.filter(|name| !name.starts_with('.')).collect();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let near = near_misses(&name, folders.iter().map(String::as_str));
    match near.as_slice() {
        [] => "a relative path starts at the current folder".to_string(),
        near => format!("did you mean {}?", near.join(" or ")),
    }
}

/// An absolute path, with `.` and `..` resolved without the file system.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).components() {
        match part {
            PathPart::CurDir => {}
            PathPart::ParentDir => drop(plain.pop()),
            part => plain.push(part),
        }
    }
    plain
}

impl RootOption {
    /// The same root, for a command that plans and applies.
    pub(super) fn into_argument(self, sources: SourceOption) -> RootArgument {
        RootArgument { argument: None, option: Some(self.root), sources: sources.given, clusters: self.clusters }
    }

    /// The error for an unknown tenant. If its name is a folder, the folder was probably meant as the root.
    pub(super) fn or_as_root(&self, tenant: &str, wrong: CommandFailure) -> CommandFailure {
        let is_folder = self.typed().is_none() && Path::new(tenant).is_dir();
        let help = || format!("{tenant} is a folder: give it as the root: --root {tenant}");
        if is_folder { CommandFailure { help: help(), ..wrong } } else { wrong }
    }

    /// The API servers of this run.
    pub(super) fn servers(&self) -> Arc<Servers> {
        self.clusters.servers()
    }

    /// The root as the person typed it, unless it is the current folder.
    pub(super) fn typed(&self) -> Option<String> {
        Some(self.root.display().to_string()).filter(|root| root != ".")
    }

    /// Reads the project.
    pub(super) fn open(&self) -> Result<Project, CommandFailure> {
        read(self.arguments())
    }

    /// Reads the project, to edit it.
    pub(super) fn open_for_edits(&self, sources: &SourceOption) -> Result<Project, CommandFailure> {
        is_folder(&self.root)?;
        let given = GivenSources { root: &self.root, given: &sources.given };
        let project = read(ProjectArgs { for_edits: true, sources: given.folders()?, ..self.arguments() })?;
        given.are_of(&project)?;
        Ok(project)
    }

    /// Reads the project again in one of the ways that there are, to edit it.
    pub(super) fn reopen_for_edits(
        &self,
        sources: &SourceOption,
        before: &Project,
        again: fn(&ProjectArgs, &Project) -> Project,
    ) -> Result<Project, CommandFailure> {
        is_folder(&self.root)?;
        let given = GivenSources { root: &self.root, given: &sources.given };
        let arguments = ProjectArgs { for_edits: true, sources: given.folders()?, ..self.arguments() };
        let project = with_tenants(again(&arguments, before))?;
        given.are_of(&project)?;
        Ok(project)
    }

    /// Reads the project in two trees of files, to compare them.
    pub(super) fn open_both(&self, before: FileTree, after: FileTree) -> Result<(Project, Project), CommandFailure> {
        let given = |files| ProjectArgs { files, for_edits: true, ..self.arguments() };
        let after = open_tree(&given(after))?;
        let before = open_beside(&ProjectArgs { may_be_new: true, ..given(before) }, &after);
        Ok((before, after))
    }

    /// Reads a project that may have no Tenant yet, to edit it.
    pub(super) fn open_new_for_edits(&self, sources: &SourceOption) -> Result<Project, CommandFailure> {
        let given = GivenSources { root: &self.root, given: &sources.given };
        let arguments =
            ProjectArgs { for_edits: true, may_be_new: true, sources: given.folders()?, ..self.arguments() };
        let project = open(&arguments, &mut std::io::empty());
        given.are_of(&project)?;
        Ok(project)
    }

    /// Reads the project without access to clusters: a tenant in a cluster counts as its source declares it.
    pub(super) fn open_files(&self) -> Result<Project, CommandFailure> {
        read(ProjectArgs { root: self.root.clone(), ..ProjectArgs::default() })
    }

    /// Reads a project that may have no Tenant yet, without access to the platform: a tenant there counts as its source
    /// declares it.
    pub(super) fn open_new(&self) -> Project {
        open(&ProjectArgs { platform: None, ..self.arguments() }, &mut std::io::empty())
    }

    fn arguments(&self) -> ProjectArgs {
        ProjectArgs {
            root: self.root.clone(),
            servers: Some(self.clusters.servers()),
            platform: Some(self.clusters.platform()),
            ..ProjectArgs::default()
        }
    }

    /// The platform, as this run reaches it.
    pub(super) fn platform(&self) -> Arc<Platform> {
        self.clusters.platform()
    }
}

/// Reads a project that must have a tenant: without one, every result would be misleading.
fn read(given: ProjectArgs) -> Result<Project, CommandFailure> {
    is_folder(&given.root)?;
    with_tenants(open(&given, &mut std::io::empty()))
}

/// Returns the project if one of its tenants can be planned.
pub(super) fn with_tenants(mut project: Project) -> Result<Project, CommandFailure> {
    let root = project.root.display().to_string();
    let nothing = if project.has_no_tenant {
        let help = match root_above(&project.root) {
            Some(above) => format!("there is one in {}: give that folder", above.display()),
            None => "write one, for example in tenants.yaml; or bring a tenant into files: stablekey import; to check \
                     files as one tenant, name them: stablekey validate FILES"
                .to_string(),
        };
        CommandFailure::new(format!("there is no Tenant in {root} or below it"), help)
    } else if project.tenants.is_empty() {
        let count = project.for_clusters.count();
        let message = format!(
            "no Tenant in {root} has its location in files: {count} of its Tenants and TenantSyncs are for clusters"
        );
        CommandFailure::new(
            message,
            "apply them there with kubectl, then give --namespace, and --context, to see what waits; a Tenant for \
             files has location: {directory: {path: …}}",
        )
    } else {
        return Ok(project);
    };
    Err(CommandFailure { problems: std::mem::take(&mut project.problems), ..nothing })
}

/// The nearest parent folder with a file that declares a Tenant.
fn root_above(root: &Path) -> Option<PathBuf> {
    let real = std::fs::canonicalize(root).ok()?;
    let has_tenant = |folder: &&Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let manifests = entries.filter(|entry| is_manifest(entry.file_name().as_encoded_bytes()));
        manifests.take(FEW).any(|entry| {
            let reading = read_file(&FileTree::default(), &entry.path());
            reading.documents.iter().any(|document| document.resource.kind() == Kind::Tenant)
        })
    };
    real.ancestors().skip(1).take(NEAR).find(has_tenant).map(Path::to_path_buf)
}

/// How many parent folders are searched, and how many files in each.
const NEAR: usize = 4;
const FEW: usize = 64;

pub(super) fn is_folder(root: &Path) -> Result<(), CommandFailure> {
    if root.is_dir() {
        return Ok(());
    }
    let message = format!("{} is no folder", root.display());
    Err(CommandFailure::new(message, "give the folder in which the Tenants and their folders lie"))
}

impl Narrowing {
    /// The options that narrow a plan to this scope.
    pub(super) fn of(scope: &Scope) -> Self {
        Narrowing {
            tenants: scope.tenants.iter().cloned().collect(),
            integrations: scope.integrations.iter().cloned().collect(),
            syncs: scope.syncs.iter().cloned().collect(),
            resend: scope.resend.iter().cloned().collect(),
            revert: scope.revert.clone(),
        }
    }

    /// The options as arguments.
    fn arguments(&self) -> impl Iterator<Item = String> {
        let of = |option: &str, values: &[String]| {
            values.iter().flat_map(|v| [option.to_string(), v.clone()]).collect::<Vec<_>>()
        };
        let all = [
            of("--tenant", &self.tenants),
            of("--integration", &self.integrations),
            of("--sync", &self.syncs),
            of("--resend", &self.resend),
        ];
        all.into_iter().flatten()
    }

    /// The scope that the options select.
    pub(super) fn scope(&self) -> Scope {
        Scope {
            tenants: self.tenants.iter().map(|name| Kind::Tenant.name_in(name).to_string()).collect(),
            integrations: self.integrations.iter().map(|name| Kind::Integration.name_in(name).to_string()).collect(),
            // A plan shows a sync as a writer: sync/us-to-eu.
            syncs: self
                .syncs
                .iter()
                .map(|name| Kind::TenantSync.name_in(name.strip_prefix("sync/").unwrap_or(name)).to_string())
                .collect(),
            resend: self.resend.iter().map(|asked| Kind::Connection.name_in(asked).to_string()).collect(),
            revert: self.revert.clone(),
        }
    }
}

/// Parses a digest as a plan shows it: in full, or its first digits.
pub(super) fn digest(text: &str) -> Result<String, String> {
    let digest = text.trim().to_ascii_lowercase();
    let hex = digest.strip_prefix("sha256:").unwrap_or(&digest);
    if (SHORT..=64).contains(&hex.len()) && hex.chars().all(|c| c.is_ascii_hexdigit()) {
        Ok(format!("sha256:{hex}"))
    } else {
        Err(format!("a digest is sha256: and {SHORT} or more hexadecimal digits, as the plan shows it"))
    }
}

/// Parses a digest that approves in a pipeline.
pub(super) fn consent(text: &str) -> Result<String, String> {
    let digest = digest(text)?;
    match digest.len() >= "sha256:".len() + TO_APPROVE {
        true => Ok(digest),
        false => Err(format!("in a pipeline a digest has {TO_APPROVE} or more digits, as the plan there shows it")),
    }
}

/// Completes each given digest to the one of `known` that it begins; without a match it stays unchanged.
pub(super) fn whole_digests<'k>(
    given: &[String],
    known: impl IntoIterator<Item = &'k str> + Clone,
) -> Result<BTreeSet<String>, CommandFailure> {
    let whole = |given: &String| {
        let begun: BTreeSet<&str> =
            known.clone().into_iter().filter(|digest| digest.starts_with(given.as_str())).collect();
        match begun.len() {
            0 => Ok(given.clone()),
            1 => Ok(begun.first().map_or_else(|| given.clone(), ToString::to_string)),
            many => {
                let help = "give more of its digits: --output json shows all of them";
                Err(CommandFailure::new(format!("{given} is the beginning of {many} digests"), help))
            }
        }
    };
    given.iter().map(whole).collect()
}

fn tenant_and_path(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((tenant, path)) if !tenant.is_empty() && !path.is_empty() => Ok((tenant.to_string(), PathBuf::from(path))),
        _ => Err("write TENANT=PATH".to_string()),
    }
}
