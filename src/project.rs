//! A root folder: its tenants, its syncs, and the tenant of each file.

pub mod changed;
pub mod changed_folders;
pub mod changed_records;
pub mod clusters;
mod compared_trees;
pub mod deliver;
mod files;
pub mod hub;
mod ignore;
pub mod names;
mod not_read;
mod organizations;
pub mod planned;
mod removed;
pub mod sources;
pub mod stored;
mod structure;

use crate::api::*;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::At;
use crate::engine::model::inventory::{Inventory, ReadOnly, Sync, Targets, TenantView, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::DefinitionFrom;
use crate::engine::model::record::Writer;
use crate::file_tree::FileTree;
use crate::kubernetes::connect::Servers;
use crate::manifest::{FileProblem, SourcePlace, locate_all, problem};
use crate::near_miss::meant;
use crate::project::clusters::InCluster;
use crate::project::files::{Files, SortedFiles};
use crate::project::organizations::OnPlatform;
use crate::project::structure::{DeclaredTenant, ForClusters, Structure, StructureResource};
use crate::tenant::TenantLocation;
use crate::tenant::directory::layout::{Folder, FolderLayout, FolderRole};
use crate::tenant::directory::overlay::{NewFiles, Overlay};
use crate::tenant::directory::read::{beside, gather};
use crate::tenant::directory::{FolderLocation, KustomizationDue, definition_digest, read_definition};
use crate::tenant::location::{LocationError, Snapshot};
use crate::tenant::prismatic::{Expected, Platform};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the tenant that stands for files without a Tenant.
pub const UNNAMED: &str = "(files)";

/// The content of a root folder.
#[derive(Clone, Debug, Default)]
pub struct Project {
    /// The folder given to the command.
    pub root: PathBuf,
    /// The tree that the root is a folder of.
    pub tree: FileTree,
    /// The tenants, by name.
    pub tenants: BTreeMap<String, ProjectTenant>,
    /// All TenantSyncs.
    pub syncs: Vec<Sync>,
    /// All problems in files: those that stop whole tenants and syncs first, then in the order of files and lines.
    pub problems: Vec<FileProblem>,
    /// The problems in files outside tenants' folders.
    pub own_problems: Vec<FileProblem>,
    /// What every plan says about locations.
    pub cautions: Vec<String>,
    /// Roles that grant access to the tenants that could not be read, as YAML.
    pub roles: BTreeSet<String>,
    /// Documents of other kinds.
    pub other_kinds: usize,
    /// The number of links, FIFOs and other files outside tenants' folders that are not read.
    pub passed_over: usize,
    /// The Tenants and TenantSyncs that apply to clusters only.
    pub for_clusters: ForClusters,
    /// Invalid syncs, which remain writers.
    pub stopped: BTreeMap<Writer, Targets>,
    /// Unreadable files outside tenants' folders that may contain Stablekey's resources.
    pub unread: BTreeSet<String>,
    /// Whether no file that was read declares a Tenant.
    pub has_no_tenant: bool,
    /// The tenants in folders that are not below the root, and are below another one: this one was hardly meant.
    pub elsewhere: BTreeSet<String>,
    /// The tenant of each folder.
    layout: Arc<FolderLayout>,
    /// The position of each Tenant and TenantSync.
    pub origins: BTreeMap<ObjectId, SourcePlace>,
    /// The documents of each Tenant and TenantSync, also of those that are invalid or doubled.
    documents: BTreeMap<ObjectId, Vec<SourcePlace>>,
    /// All files as they were read, for edits: [`Project::after`].
    files: Option<Arc<Files>>,
    /// The values of `--source TENANT=PATH`.
    sources: BTreeMap<String, PathBuf>,
}

#[derive(Clone, Debug)]
pub struct ProjectTenant {
    /// The spec of the Tenant.
    pub spec: TenantSpec,
    /// The location, if it can be accessed.
    pub location: Option<TenantLocation>,
    /// The live state, or the reason why it is unreadable.
    pub live: Result<Snapshot, String>,
    /// The state that the source declares.
    pub source: Option<Result<Snapshot, String>>,
}

/// The arguments of a command.
#[derive(Debug, Default)]
pub struct ProjectArgs {
    pub root: PathBuf,
    /// The tree that the root is a folder of.
    pub files: FileTree,
    /// Whether the root may not be there yet: it then has no files.
    pub may_be_new: bool,
    /// The files and folders to read, unless all of the root is read; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// The values of `--source TENANT=PATH`.
    pub sources: BTreeMap<String, PathBuf>,
    /// The clusters. If `None`, no cluster is accessed, and a tenant in a cluster counts as its source declares it.
    pub servers: Option<Arc<Servers>>,
    /// The platform. If `None`, it is not accessed, and a tenant there counts as its source declares it.
    pub platform: Option<Arc<Platform>>,
    /// Whether the project will be edited: it then keeps what is needed to plan the result.
    pub for_edits: bool,
}

/// Reads a project. Problems in files are added to `problems`, and everything else is read.
pub fn open(given: &ProjectArgs, stdin: &mut dyn Read) -> Project {
    assemble(given, Files::read(given, stdin), Overlay::nothing_over(given.files.clone()), KnownBefore::Nothing, None)
}

/// Reads the same project in another tree of files, such as another commit. What was read from servers is not read
/// again, and neither are files that both trees have.
pub fn open_beside(given: &ProjectArgs, project: &Project) -> Project {
    let nothing = Files::default();
    let read = project.files.as_deref().unwrap_or(&nothing);
    let uses = project.uses_by_file();
    let uses = uses.into_iter().filter(|(path, _)| read.is_same_in(&given.files, path)).collect();
    let over = Overlay::new(given.files.clone(), NewFiles::new(), uses);
    assemble(given, Files::read_like(given, read), over, KnownBefore::Servers(project), None)
}

/// Reads a project again, from servers too. What is the same in files as before is in memory once.
pub fn open_again(given: &ProjectArgs, project: &Project) -> Project {
    reopen(given, project, KnownBefore::Nothing)
}

/// Reads a project again after its files changed. Clusters are not asked again, where a Tenant still names the same.
pub fn open_files_again(given: &ProjectArgs, project: &Project) -> Project {
    reopen(given, project, KnownBefore::Clusters(project))
}

fn reopen(given: &ProjectArgs, project: &Project, known: KnownBefore<'_>) -> Project {
    let nothing = Files::default();
    let read = project.files.as_deref().unwrap_or(&nothing);
    let over = Overlay::nothing_over(given.files.clone());
    assemble(given, Files::read_like(given, read), over, known, Some(project))
}

/// What is known of servers from an earlier reading, so that they are not asked again.
#[derive(Clone, Copy)]
enum KnownBefore<'p> {
    Nothing,
    /// All tenants, for planning: locations are not kept.
    Servers(&'p Project),
    /// The tenants in clusters, with their locations.
    Clusters(&'p Project),
}

/// Builds a project of its files. What is the same as in `like` is in memory once.
fn assemble(
    given: &ProjectArgs,
    mut files: Files,
    over: Overlay,
    known: KnownBefore<'_>,
    like: Option<&Project>,
) -> Project {
    let kept = given.for_edits.then(|| Arc::new(files.clone()));
    let (tenants, syncs) = files.take_structure();
    files.forget(
        &tenants.iter().filter_map(|tenant| secrets_folder(&given.root, tenant.spec.as_ref()?)).collect::<Vec<_>>(),
    );
    let sources = given.sources.clone();
    let mut project =
        Project { root: given.root.clone(), tree: given.files.clone(), files: kept, sources, ..Project::default() };
    let places = tenants.iter().map(|it| (Kind::Tenant, &it.name, &it.origin));
    for (kind, name, origin) in places.chain(syncs.iter().map(|it| (Kind::TenantSync, &it.name, &it.origin))) {
        project.documents.entry(ObjectId::new(kind, name)).or_default().push(origin.clone());
    }
    if tenants.is_empty() {
        project.has_no_tenant = true;
        project.unnamed(files, syncs, over);
    } else {
        let structure = structure::decide(given, tenants, syncs, over);
        project.fill(given, structure, files, known, like);
    }
    project.collect_problems();
    project
}

/// The folder with the secrets of a tenant.
fn secrets_folder(root: &Path, spec: &TenantSpec) -> Option<PathBuf> {
    match &spec.location {
        Some(LocationSpec::Prismatic(PrismaticLocation { secrets: Some(SecretsFrom::Directory(folder)), .. })) => {
            Some(root.join(folder))
        }
        _ => None,
    }
}

impl ProjectTenant {
    /// Takes from an earlier reading what is the same.
    fn share(&mut self, before: Option<&ProjectTenant>) {
        let Some(before) = before else { return };
        if let (Ok(now), Ok(then)) = (&mut self.live, &before.live) {
            now.share(then);
        }
        if let (Some(Ok(now)), Some(Ok(then))) = (&mut self.source, &before.source) {
            now.share(then);
        }
    }

    /// Whether its live state was not read: it counts as its source declares it.
    fn counts_as_declared(&self) -> bool {
        self.live.as_ref().is_ok_and(|live| live.inventory.is_not_asked)
    }
}

impl Project {
    /// Reads all files as one tenant without a name.
    fn unnamed(&mut self, files: Files, syncs: Vec<StructureResource<TenantSyncSpec>>, over: Overlay) {
        self.origins = syncs.into_iter().map(|s| (ObjectId::new(Kind::TenantSync, s.name), s.origin)).collect();
        let layout = FolderLayout::of_one(UNNAMED, &self.root, over);
        let whole = files.is_whole();
        let mut read = files.of_one(&layout, &layout.folders()[0].clone());
        self.other_kinds = read.reading.other_kinds;
        if whole {
            // Without a Tenant, nothing assigns documents to tenants; only files that may contain one are worth a
            // message.
            read.reading.documents.clear();
            read.reading.invalid.clear();
            read.reading.unparsed.retain(|unparsed| unparsed.ours);
        }
        let tenant = ProjectTenant {
            spec: TenantSpec::default(),
            location: None,
            live: Ok(gather(read.reading, &layout, UNNAMED)),
            source: None,
        };
        self.tenants.insert(UNNAMED.to_string(), tenant);
    }

    /// Assigns each file to the tenant whose folder contains it.
    fn fill(
        &mut self,
        given: &ProjectArgs,
        structure: Structure,
        files: Files,
        known: KnownBefore<'_>,
        like: Option<&Project>,
    ) {
        let Structure { mut tenants, syncs, stopped, for_clusters, layout, folders_unknown, origins, problems } =
            structure;
        (self.syncs, self.stopped, self.for_clusters, self.origins) = (syncs, stopped, for_clusters, origins);
        self.own_problems.extend(problems);
        // The prune setting of a Tenant applies only to the source that it declares itself.
        for (_, tenant) in tenants.iter_mut().filter(|(name, _)| given.sources.contains_key(*name)) {
            tenant.spec.source.iter_mut().for_each(|source| source.prune = None);
        }
        let layout = Arc::new(layout);
        self.layout = Arc::clone(&layout);
        let mut sorted = SortedFiles::of(&layout, files);
        self.own_problems.append(&mut sorted.problems);
        self.outside(&layout, &sorted, folders_unknown);
        self.other_kinds = sorted.other_kinds;
        self.passed_over = sorted.passed_over;
        let shared = sorted.shared();
        let mut read = |folder: &Folder| -> Snapshot {
            let mut snapshot = sorted
                .folders
                .remove(&folder.path)
                .map(|read| gather(read.reading, &layout, &folder.tenant))
                .unwrap_or_default();
            shared.mark(&mut snapshot);
            snapshot
        };
        let specs: BTreeMap<String, TenantSpec> = tenants
            .iter()
            .filter(|(_, tenant)| tenant.stopped.is_none())
            .map(|(name, tenant)| (name.clone(), tenant.spec.clone()))
            .collect();
        let mut clusters = match known {
            KnownBefore::Nothing => BTreeMap::new(),
            KnownBefore::Servers(before) => before.in_clusters(&specs, false),
            KnownBefore::Clusters(before) => before.in_clusters(&specs, true),
        };
        if let (KnownBefore::Nothing | KnownBefore::Clusters(_), Some(servers)) = (known, given.servers.as_deref()) {
            let mut unknown = specs.clone();
            unknown.retain(|name, _| !clusters.contains_key(name));
            clusters.extend(clusters::read(servers, &unknown));
        }
        for (name, DeclaredTenant { spec, stopped }) in tenants {
            let mut tenant = match stopped {
                Some(why) => ProjectTenant { spec, location: None, live: Err(why), source: None },
                None => self.tenant(&layout, &name, spec, &mut read, clusters.remove(&name)),
            };
            // At once: the tenants of folders are never all in memory twice.
            tenant.share(like.and_then(|like| like.tenants.get(&name)));
            self.tenants.insert(name, tenant);
        }
        if let Some(platform) = &given.platform {
            self.read_organizations(platform, &specs);
            let on_platform =
                |tenant: &&mut ProjectTenant| matches!(tenant.spec.location, Some(LocationSpec::Prismatic(_)));
            for (name, tenant) in self.tenants.iter_mut().filter(|(_, tenant)| on_platform(tenant)) {
                tenant.share(like.and_then(|like| like.tenants.get(name)));
            }
        }
        let KnownBefore::Servers(before) = known else { return };
        for (name, tenant) in &before.tenants {
            if let (Some(LocationSpec::Prismatic(_)), Some(now)) = (&tenant.spec.location, self.tenants.get_mut(name))
                && now.spec.location == tenant.spec.location
                && !tenant.counts_as_declared()
            {
                now.live.clone_from(&tenant.live);
            }
        }
    }

    /// The tenants in clusters, as they were read before.
    fn in_clusters(&self, specs: &BTreeMap<String, TenantSpec>, with_locations: bool) -> BTreeMap<String, InCluster> {
        let read = specs.iter().filter_map(|(name, spec)| {
            let before = self.tenants.get(name).filter(|before| before.spec.location == spec.location)?;
            // One that could not be read stays unread.
            let was_asked = before.location.is_some() || before.live.is_err();
            let is_in_cluster = matches!(spec.location, Some(LocationSpec::Kubernetes(_))) && was_asked;
            let location = before.location.clone().filter(|_| with_locations);
            is_in_cluster.then(|| (name.clone(), InCluster { location, ..InCluster::after(name, spec, &before.live) }))
        });
        read.collect()
    }

    /// The project with these live objects of tenants that were read before, as a watch of their clusters has them.
    pub fn with_live(&self, live: &BTreeMap<String, Arc<Inventory>>) -> Project {
        let mut project = self.clone();
        for (name, inventory) in live {
            if let Some(Ok(snapshot)) = project.tenants.get_mut(name).map(|tenant| &mut tenant.live) {
                snapshot.inventory = Arc::clone(inventory);
            }
        }
        project
    }

    /// Collects the problems of all files.
    fn collect_problems(&mut self) {
        let key = |problem: &FileProblem| (problem.file.clone(), problem.line, problem.column, problem.message.clone());
        self.own_problems.sort_by_key(key);
        let mut rest: Vec<FileProblem> = self.snapshots().flat_map(|s| &s.problems).cloned().collect();
        rest.sort_by_key(key);
        let mut seen = BTreeSet::new();
        let problems = self.own_problems.iter().chain(&rest).filter(|problem| seen.insert(key(problem)));
        self.problems = problems.cloned().collect();
    }

    /// The project as it would be after an edit of its files. Only these files are read again; what was read from
    /// clusters and the platform stays. The result is for planning: it has no location of a cluster or the platform.
    pub fn after(&self, new: NewFiles) -> Project {
        let over = Overlay::new(self.tree.clone(), new, self.uses_by_file());
        let given = ProjectArgs {
            root: self.root.clone(),
            files: self.tree.clone(),
            sources: self.sources.clone(),
            for_edits: true,
            ..ProjectArgs::default()
        };
        let files = match &self.files {
            Some(files) => files.after(&over),
            // It was not opened for edits.
            None => Files::read(&given, &mut std::io::empty()).after(&over),
        };
        assemble(&given, files, over, KnownBefore::Servers(self), Some(self))
    }

    /// What the definitions say, by their file.
    fn uses_by_file(&self) -> BTreeMap<PathBuf, Arc<Uses>> {
        let uses = self.snapshots().flat_map(|snapshot| {
            let of = |(name, uses): (&String, &Arc<Uses>)| {
                let origin = snapshot.origins.get(&ObjectId::new(Kind::Integration, name))?;
                match &snapshot.inventory.integrations.get(name)?.spec.definition {
                    Some(Definition::File(file)) => Some((beside(origin, file), Arc::clone(uses))),
                    _ => None,
                }
            };
            snapshot.inventory.uses.iter().filter_map(of).collect::<Vec<_>>()
        });
        uses.collect()
    }

    /// Makes a command one for this project: it names the root and the sources that were given.
    pub fn complete(&self, command: &mut EditCommand) {
        let root = self.root.display().to_string();
        command.below(Some(root.as_str()).filter(|root| *root != "." && !root.is_empty()));
        let sources: Vec<(String, String)> =
            self.sources.iter().map(|(tenant, path)| (tenant.clone(), path.display().to_string())).collect();
        command.with_sources(&sources);
    }

    /// Reads the tenants on the platform, which need the names that all others use.
    fn read_organizations(&mut self, platform: &Arc<Platform>, specs: &BTreeMap<String, TenantSpec>) {
        let mut expected = Expected::default();
        self.snapshots().for_each(|snapshot| expected.learn(&snapshot.inventory));
        let for_tenant = |name: &str| {
            let mut expected = expected.clone();
            let source = self.tenants.get(name).and_then(|tenant| tenant.source.as_ref()?.as_ref().ok());
            source.iter().for_each(|source| expected.declare(&source.inventory));
            expected
        };
        for (name, OnPlatform { location, live }) in organizations::read(platform, &self.root, specs, &for_tenant) {
            for caution in live.iter().flat_map(|live| &live.cautions) {
                if !self.cautions.contains(caution) {
                    self.cautions.push(caution.clone());
                }
            }
            if let Some(tenant) = self.tenants.get_mut(&name) {
                (tenant.location, tenant.live) = (location, live);
            }
        }
    }

    /// Reports files that are in no tenant's folder, and that no tenant links to.
    fn outside(&mut self, layout: &FolderLayout, sorted: &SortedFiles, folders_unknown: bool) {
        let outside = &sorted.outside;
        // A file that may contain a Tenant leaves the tenant of every document unknown.
        self.unread = outside.unparsed.iter().map(|unparsed| unparsed.file.clone()).collect();
        let is_missing =
            |folder: &Folder| folder.role == FolderRole::Location && !layout.over.tree().is_there(&folder.path);
        let unknown = folders_unknown || !self.unread.is_empty() || layout.folders().iter().any(is_missing);
        for document in outside.documents.iter().filter(|_| !unknown) {
            let kind = document.resource.kind();
            let message = format!("{kind}/{} lies outside every tenant's folders", document.resource.metadata().name);
            let help =
                "move it into the folder of a Tenant's location or source; only Tenant and TenantSync lie outside";
            self.wrong(&document.origin, kind, &["kind"], message, help);
        }
        for invalid in &outside.invalid {
            self.own_problems.extend(invalid.problems.iter().cloned());
        }
        for unparsed in &outside.unparsed {
            self.own_problems.extend(unparsed.problems.iter().cloned());
        }
    }

    fn tenant(
        &mut self,
        layout: &Arc<FolderLayout>,
        name: &str,
        spec: TenantSpec,
        read: &mut dyn FnMut(&Folder) -> Snapshot,
        cluster: Option<InCluster>,
    ) -> ProjectTenant {
        let source = layout.folder(name, FolderRole::Source).map(|folder| {
            if layout.over.is_folder(&folder.path) {
                Ok(read(folder))
            } else {
                Err(missing(layout.over.tree(), &folder.path, "source"))
            }
        });
        let (location, live) = match (&spec.location, layout.folder(name, FolderRole::Location)) {
            (Some(LocationSpec::Kubernetes(_)), _) => match cluster {
                Some(InCluster { spec, location, live, role }) => {
                    self.roles.extend(role);
                    return ProjectTenant { spec, location, live, source };
                }
                None => (None, source.clone().unwrap_or_else(|| Ok(Snapshot::default()))),
            },
            // Until the platform was read, or if it is not accessed, it counts as its source declares it.
            (Some(LocationSpec::Prismatic(_)), _) => {
                let mut live = source.clone().unwrap_or_else(|| Ok(Snapshot::default()));
                if let Ok(live) = &mut live {
                    Arc::make_mut(&mut live.inventory).is_not_asked = true;
                }
                (None, live)
            }
            (_, Some(folder)) if layout.over.is_folder(&folder.path) => {
                let location = FolderLocation::new(name, folder.path.clone()).in_layout(Arc::clone(layout));
                let live = location.with_records(read(folder)).map_err(|problem| {
                    let why = format!("{}: {}", problem.position(), problem.message);
                    self.own_problems.push(problem);
                    why
                });
                (Some(TenantLocation::Folder(location)), live)
            }
            (_, Some(folder)) => {
                // An import may create the folder.
                let location = FolderLocation::new(name, folder.path.clone()).in_layout(Arc::clone(layout));
                let declared = self.origins.get(&ObjectId::new(Kind::Tenant, name));
                let other = declared.and_then(|origin| other_root(layout.over.tree(), &spec, &folder.path, origin));
                self.elsewhere.extend(other.is_some().then(|| name.to_string()));
                let why = other.unwrap_or_else(|| missing(layout.over.tree(), &folder.path, "folder"));
                (Some(TenantLocation::Folder(location)), Err(why))
            }
            (_, None) => (None, Err("its Tenant names no folder".to_string())),
        };
        ProjectTenant { spec, location, live, source }
    }

    fn wrong(&mut self, origin: &SourcePlace, kind: Kind, path: &[&str], message: String, help: &str) {
        self.own_problems.push(problem(origin, kind, path, message, help));
    }

    /// The files that cannot be read and could declare a Tenant or a TenantSync. Without a readable Tenant, nothing assigns
    /// files: what cannot be read of them is that of no tenant.
    fn undecided(&self) -> BTreeSet<&str> {
        let unnamed = self.tenants.get(UNNAMED).and_then(|tenant| tenant.live.as_ref().ok());
        let unassigned = unnamed.into_iter().flat_map(|snapshot| &snapshot.inventory.unparsed);
        self.unread.iter().chain(unassigned).map(String::as_str).collect()
    }

    /// The snapshots of all locations and sources.
    fn snapshots<'a>(&'a self) -> impl Iterator<Item = &'a Snapshot> {
        let of_tenant = |tenant: &'a ProjectTenant| {
            let source = tenant.source.as_ref().and_then(|source| source.as_ref().ok());
            // A tenant that was not asked counts as its source declares it: both have the same documents.
            let is_its_own = |live: &&Snapshot| source.is_none() || !live.inventory.is_not_asked;
            let live = tenant.live.as_ref().ok().filter(is_its_own);
            // For a tenant in a cluster that counts as its source declares it, both are the same snapshot.
            let is_live = |source: &&Snapshot| live.is_some_and(|live| Arc::ptr_eq(&live.inventory, &source.inventory));
            live.into_iter().chain(source.filter(|source| !is_live(source)))
        };
        self.tenants.values().flat_map(of_tenant)
    }

    /// The tenant whose folder is this path, contains it or is inside it.
    pub fn owner(&self, path: &Path) -> Option<&str> {
        let path = self.layout.locate_given(path);
        let meets = |folder: &&Folder| path.starts_with(&folder.path) || folder.path.starts_with(&path);
        self.layout.folders().iter().find(meets).map(|folder| folder.tenant.as_str())
    }

    /// The tenant in whose location a path is.
    pub fn owner_of_live(&self, path: &Path) -> Option<&str> {
        let path = self.layout.locate_given(path);
        let holds = |folder: &&Folder| folder.role == FolderRole::Location && path.starts_with(&folder.path);
        self.layout.folders().iter().find(holds).map(|folder| folder.tenant.as_str())
    }

    /// The number of resources that were read.
    pub fn objects(&self) -> usize {
        self.origins.len() + self.snapshots().map(|s| s.inventory.len()).sum::<usize>()
    }

    /// Reads the definition beside its manifest, in a location or a source.
    fn definition_at(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        let id = ObjectId::new(Kind::Integration, &from.integration);
        let missing =
            || LocationError::Refused { object: id.clone(), why: format!("its definition is not in {}", from.tenant) };
        let tenant = self.tenants.get(&from.tenant).ok_or_else(missing)?;
        if !from.source
            && let Some(location) = &tenant.location
        {
            return location.as_location().definition(&from.integration);
        }
        let snapshot =
            if from.source { tenant.source.as_ref().and_then(|s| s.as_ref().ok()) } else { tenant.live.as_ref().ok() };
        let snapshot = snapshot.ok_or_else(missing)?;
        let (Some(object), Some(origin)) =
            (snapshot.inventory.integrations.get(&from.integration), snapshot.origins.get(&id))
        else {
            return Err(missing());
        };
        match &object.spec.definition {
            Some(Definition::File(file)) => read_definition(&self.layout, &from.tenant, &beside(origin, file)),
            _ => Err(missing()),
        }
    }

    /// Reads the definition of an integration of a tenant.
    pub fn definition_beside(&self, tenant: &str, integration: &str) -> Result<Vec<u8>, LocationError> {
        self.definition_at(&DefinitionFrom {
            tenant: tenant.to_string(),
            source: false,
            integration: integration.to_string(),
            digest: String::new(),
        })
    }

    /// Reads the definition of an integration in a folder of a tenant.
    pub fn definition_in(&self, tenant: &str, role: FolderRole, integration: &str) -> Result<Vec<u8>, LocationError> {
        self.definition_at(&DefinitionFrom {
            tenant: tenant.to_string(),
            source: role == FolderRole::Source,
            integration: integration.to_string(),
            digest: String::new(),
        })
    }

    /// The location of a tenant, for writing.
    pub fn location(&self, tenant: &str) -> Option<&dyn crate::tenant::location::Location> {
        self.tenants.get(tenant)?.location.as_ref().map(TenantLocation::as_location)
    }

    /// The positions of a tenant's objects in its folder; `None` without a folder.
    pub fn origins_of_folder(&self, tenant: &str) -> Option<&BTreeMap<ObjectId, SourcePlace>> {
        let tenant = self.tenants.get(tenant)?;
        tenant.location.as_ref()?.folder()?;
        Some(&tenant.live.as_ref().ok()?.origins)
    }

    /// Reads a definition, and fails if it is not the one that was planned.
    pub fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        let bytes = self.definition_at(from)?;
        if definition_digest(&bytes) == from.digest {
            return Ok(bytes);
        }
        Err(LocationError::Changed { object: ObjectId::new(Kind::Integration, &from.integration) })
    }

    /// Builds the input of the engine.
    pub fn world(&self) -> World {
        let view = |read: &Result<Snapshot, String>| match read {
            Ok(snapshot) => View::Read(snapshot.inventory.clone()),
            Err(why) => View::Unreachable(why.clone()),
        };
        let tenants = self.tenants.iter().map(|(name, tenant)| {
            let view = TenantView {
                spec: tenant.spec.clone(),
                live: view(&tenant.live),
                source: tenant.source.as_ref().map(view),
                recent: 0,
                before: None,
                resend: BTreeSet::new(),
            };
            (name.clone(), view)
        });
        World {
            waiting: BTreeSet::new(),
            tenants: tenants.collect(),
            syncs: self.syncs.clone(),
            stopped: self.stopped.clone(),
            unread: self.unread.clone(),
            misnamed: None,
            underway: None,
            gates: None,
            now: Some(jiff::Timestamp::now()),
        }
    }

    /// The folders of all tenants: their locations and sources.
    pub fn folders(&self) -> impl Iterator<Item = &Path> {
        self.layout.folders().iter().map(|folder| folder.path.as_path())
    }

    /// A folder of a tenant.
    pub fn folder(&self, tenant: &str, role: FolderRole) -> Option<&Path> {
        self.layout.folder(tenant, role).map(|folder| folder.path.as_path())
    }

    /// The updates that the kustomization of a tenant's folder needs, if there is one.
    pub fn kustomization_due(&self, tenant: &str, role: FolderRole) -> Option<KustomizationDue> {
        let (folder, snapshot) = self.folder_read(tenant, role)?;
        folder.kustomization_due(snapshot)
    }

    /// The text of the kustomization of a tenant's folder, if there is one.
    pub fn kustomization(&self, tenant: &str, role: FolderRole) -> Option<String> {
        self.folder_read(tenant, role)?.0.kustomization()
    }

    /// What was read of a tenant's folder, with the records beside it: in a source, what `promote` wrote there.
    pub fn recorded(&self, tenant: &str, role: FolderRole) -> Result<Snapshot, String> {
        let (folder, snapshot) = self.folder_read(tenant, role).ok_or_else(|| "it has no folder".to_string())?;
        let of_problem = |problem: FileProblem| format!("{}: {}", problem.position(), problem.message);
        folder.with_records(snapshot.clone()).map_err(of_problem)
    }

    fn folder_read(&self, tenant: &str, role: FolderRole) -> Option<(FolderLocation, &Snapshot)> {
        let folder = self.folder(tenant, role)?.to_path_buf();
        let read = self.tenants.get(tenant)?;
        let read = if role == FolderRole::Source { read.source.as_ref()? } else { &read.live };
        Some((FolderLocation::new(tenant, folder).in_layout(Arc::clone(&self.layout)), read.as_ref().ok()?))
    }

    /// Why a document is never written: its file lies outside the tenant's folder, and other tenants may use it.
    pub fn shared(&self, at: &SourcePlace) -> Option<String> {
        let is_it = |origin: &SourcePlace| origin.file.path == at.file.path;
        self.snapshots().find_map(|snapshot| {
            let shared = snapshot.inventory.read_only.iter().filter(|(_, why)| matches!(why, ReadOnly::Shared(_)));
            let mut of_it = shared.filter(|(id, _)| snapshot.origins.get(*id).is_some_and(is_it));
            of_it.next().map(|(id, why)| format!("{id}: {why}"))
        })
    }

    /// The document of an object in its location.
    pub fn origin(&self, tenant: Option<&str>, id: &ObjectId) -> Option<&SourcePlace> {
        let live = tenant.and_then(|t| self.tenants.get(t)).and_then(|t| t.live.as_ref().ok());
        let in_place = live.and_then(|s| s.origins.get(id));
        in_place.or_else(|| self.origins.get(id)).or_else(|| self.declared(tenant?, id))
    }

    /// The document in which a tenant's source declares an object.
    pub fn declared(&self, tenant: &str, id: &ObjectId) -> Option<&SourcePlace> {
        let source = self.tenants.get(tenant)?.source.as_ref()?.as_ref().ok()?;
        source.origins.get(id)
    }
}

/// The file and line of parts of documents, in the given order.
pub fn at(wanted: &[(&SourcePlace, Vec<String>)]) -> Vec<At> {
    let lines = locate_all(wanted);
    let of = |((origin, _), line): (&(&SourcePlace, Vec<String>), Option<u32>)| At {
        file: origin.file.path.clone(),
        line: line.unwrap_or(origin.first_line),
    };
    wanted.iter().zip(lines).map(of).collect()
}

/// The help for a missing folder that does exist relative to the file that declares it: probably another root was
/// meant.
fn other_root(tree: &FileTree, spec: &TenantSpec, folder: &Path, declared: &SourcePlace) -> Option<String> {
    let Some(LocationSpec::Directory(directory)) = &spec.location else { return None };
    let path = &directory.path;
    let meant = Path::new(&declared.file.path).parent().filter(|meant| !meant.as_os_str().is_empty())?;
    (!tree.is_there(folder) && tree.is_folder(&meant.join(path))).then(|| {
        let (folder, meant) = (folder.display(), meant.display());
        format!(
            "its folder {folder} is not there, and {meant}/{path} is: did you mean the root {meant}? Give it with --root, \
             or as the argument of plan, apply, status and validate"
        )
    })
}

/// The problem with a folder of a tenant that does not exist or is not a folder; `what` is "folder" or "source".
fn missing(tree: &FileTree, folder: &Path, what: &str) -> String {
    if tree.is_there(folder) {
        return format!("its {what} {} is no folder: move away what has its name", folder.display());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let beside = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = tree.entries(beside).into_iter().flatten().map(|entry| entry.name);
    let folders = entries.filter(|name| tree.is_folder(&beside.join(name)));
    let folders: Vec<String> = folders.filter_map(|name| name.into_string().ok()).collect();
    let folder = folder.display();
    match meant(&name, folders.iter().map(String::as_str)) {
        Some(near) => format!("its {what} {folder} is not there; did you mean {near}?"),
        // Git keeps no folder without a file.
        None => format!(
            "its {what} {folder} is not there, and its content is unknown: restore it, or if it should be empty, commit a \
             file in it, such as {folder}/.gitkeep: mkdir -p {folder} && touch {folder}/.gitkeep"
        ),
    }
}
