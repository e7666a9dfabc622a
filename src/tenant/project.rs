//! A root folder: its tenants, its syncs, and which file belongs to which tenant.

use super::clusters::{self, InCluster};
use super::directory::{DirectoryPlace, definition_digest, read_definition};
use super::gather::{Documents, beside, gather};
use super::kubernetes::connect::Servers;
use super::{PlaceError, Snapshot, TenantPlace, sources};
use crate::api::*;
use crate::engine::item::ObjectId;
use crate::engine::plan::{At, DefinitionFrom};
use crate::engine::record::Writer;
use crate::engine::world::{Sync, TenantView, View, World};
use crate::manifest::{Document, Origin, Problem, Reading, locate, problem, read_paths};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Component as PathPart, Path, PathBuf};
use std::sync::Arc;

/// The name of the one tenant of files in which no Tenant stands.
pub const UNNAMED: &str = "(files)";

/// Everything below a root.
#[derive(Debug, Default)]
pub struct Project {
    /// The folder given to the command.
    pub root: PathBuf,
    /// By name.
    pub tenants: BTreeMap<String, ProjectTenant>,
    /// Every TenantSync.
    pub syncs: Vec<Sync>,
    /// Everything that is wrong in the files, in the order of files and lines.
    pub problems: Vec<Problem>,
    /// Those of them that are of files which belong to no tenant.
    pub own_problems: Vec<Problem>,
    /// Roles that would do where we may not read a tenant, as YAML.
    pub roles: BTreeSet<String>,
    /// Documents of other kinds.
    pub other_kinds: usize,
    /// Files met in folders that are neither regular files nor folders.
    pub passed_over: usize,
    /// Where each Tenant and TenantSync stands.
    pub origins: BTreeMap<ObjectId, Origin>,
}

/// A tenant of a project.
#[derive(Debug)]
pub struct ProjectTenant {
    /// What its Tenant says.
    pub spec: TenantSpec,
    /// Its place, where it can be asked.
    pub place: Option<TenantPlace>,
    /// What is in its place, or why it cannot be read.
    pub live: Result<Snapshot, String>,
    /// What its source declares.
    pub source: Option<Result<Snapshot, String>>,
}

/// What a command was given.
#[derive(Debug, Default)]
pub struct Given {
    /// The root.
    pub root: PathBuf,
    /// Files and folders, where not all of the root is meant; `-` is standard input.
    pub paths: Vec<PathBuf>,
    /// `--source TENANT=PATH`.
    pub sources: BTreeMap<String, PathBuf>,
    /// The clusters; `None`: none is asked, and a tenant in a cluster counts as what its source declares.
    pub servers: Option<Arc<Servers>>,
}

/// Reads a project. Whatever is wrong in files is in `problems`, and the rest is read.
pub fn open(given: &Given, stdin: &mut dyn Read) -> Project {
    let whole = [given.root.clone()];
    let paths: &[PathBuf] = if given.paths.is_empty() { &whole } else { &given.paths };
    let given = &Given {
        root: given.root.clone(),
        paths: paths.to_vec(),
        sources: sources::located(&given.root, &given.sources),
        servers: given.servers.clone(),
    };
    let mut reading = read_paths(&given.root, paths, stdin);
    reading.extend(sources::read_outside(&given.root, &given.sources));
    let mut project = Project {
        root: given.root.clone(),
        other_kinds: reading.other_kinds,
        passed_over: reading.passed_over,
        ..Project::default()
    };
    let (outside, inside) = split(reading);
    let tenants = project.declare(outside);
    if tenants.is_empty() {
        project.unnamed(inside);
    } else {
        project.fill(given, tenants, inside);
    }
    project.problems =
        project.own_problems.iter().chain(project.snapshots().flat_map(|s| &s.problems)).cloned().collect();
    project.problems.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
    project.problems.dedup();
    project
}

/// Tenants and TenantSyncs apart from what is in tenants.
fn split(reading: Reading) -> (Vec<Document>, Reading) {
    let (inside, outside): (Vec<_>, Vec<_>) =
        reading.documents.into_iter().partition(|d| d.resource.kind().in_tenant());
    (outside, Reading { documents: inside, ..reading })
}

impl Project {
    /// Takes in Tenants and TenantSyncs.
    fn declare(&mut self, documents: Vec<Document>) -> BTreeMap<String, TenantSpec> {
        let mut tenants = BTreeMap::new();
        let mut syncs = BTreeMap::new();
        for document in documents {
            let id = ObjectId::new(document.resource.kind(), document.resource.metadata().name.clone());
            if let Some(other) = self.origins.get(&id) {
                let message = format!("{id} is there twice: also at {}", shown(other, &["metadata", "name"]));
                self.wrong(
                    &document.origin,
                    document.resource.kind(),
                    &["metadata", "name"],
                    message,
                    "keep one of them",
                );
                continue;
            }
            self.origins.insert(id, document.origin);
            match document.resource {
                Resource::Tenant(o) => drop(tenants.insert(o.metadata.name.clone(), o.spec)),
                Resource::TenantSync(o) => drop(syncs.insert(o.metadata.name.clone(), o.spec)),
                _ => {}
            }
        }
        self.syncs =
            syncs.into_iter().map(|(name, spec)| Sync { writer: Writer::Sync(name), spec: Arc::new(spec) }).collect();
        tenants
    }

    /// All files as one tenant without a name.
    fn unnamed(&mut self, inside: Reading) {
        let live =
            gather(Documents { documents: inside.documents, invalid: inside.invalid, unparsed: inside.unparsed });
        let tenant = ProjectTenant { spec: TenantSpec::default(), place: None, live: Ok(live), source: None };
        self.tenants.insert(UNNAMED.to_string(), tenant);
    }

    /// Gives each file to the tenant in whose folder it lies.
    fn fill(&mut self, given: &Given, tenants: BTreeMap<String, TenantSpec>, inside: Reading) {
        let folders = self.folders(given, &tenants);
        let mut of_folder: BTreeMap<PathBuf, Documents> =
            folders.keys().map(|f| (f.clone(), Documents::default())).collect();
        for document in inside.documents {
            match owner(&folders, &document.origin.file.path) {
                Some(folder) => of_folder.entry(folder.clone()).or_default().documents.push(document),
                None => {
                    let message = format!(
                        "{}/{} lies outside every tenant's folders",
                        document.resource.kind(),
                        document.resource.metadata().name
                    );
                    let help =
                        "move it into the folder of a Tenant's place or source; only Tenant and TenantSync lie outside";
                    self.wrong(&document.origin, document.resource.kind(), &["kind"], message, help);
                }
            }
        }
        for invalid in inside.invalid {
            match owner(&folders, &invalid.origin.file.path).filter(|_| invalid.kind.in_tenant()) {
                Some(folder) => of_folder.entry(folder.clone()).or_default().invalid.push(invalid),
                None => self.own_problems.extend(invalid.problems),
            }
        }
        for unparsed in inside.unparsed {
            match owner(&folders, &unparsed.file) {
                Some(folder) => of_folder.entry(folder.clone()).or_default().unparsed.push(unparsed),
                None => self.own_problems.extend(unparsed.problems),
            }
        }
        let misplaced: Vec<(Origin, ObjectId)> = self
            .origins
            .iter()
            .filter(|(_, origin)| owner(&folders, &origin.file.path).is_some())
            .map(|(id, origin)| (origin.clone(), id.clone()))
            .collect();
        for (origin, id) in misplaced {
            let message = format!("{id} lies inside a tenant's folder");
            self.wrong(
                &origin,
                id.kind,
                &["kind"],
                message,
                "move it out, for example to tenants.yaml beside the tenants' folders",
            );
        }
        let mut read = |folder: &PathBuf| of_folder.remove(folder).map(gather).unwrap_or_default();
        let mut clusters =
            given.servers.as_deref().map(|servers| clusters::read(servers, &tenants)).unwrap_or_default();
        for (name, spec) in tenants {
            let tenant = self.tenant(given, &name, spec, &mut read, clusters.remove(&name));
            self.tenants.insert(name, tenant);
        }
    }

    fn tenant(
        &mut self,
        given: &Given,
        name: &str,
        spec: TenantSpec,
        read: &mut dyn FnMut(&PathBuf) -> Snapshot,
        cluster: Option<InCluster>,
    ) -> ProjectTenant {
        let source = source_of(given, name, &spec).map(|path| {
            let folder = normal(&path);
            if folder.is_dir() {
                Ok(read(&folder))
            } else {
                Err(format!("its source {} is no folder", folder.display()))
            }
        });
        let (place, live) = match &spec.place {
            Some(Place::Directory(directory)) => {
                let folder = normal(&self.root.join(&directory.path));
                let place = DirectoryPlace::new(name, folder.clone());
                let live = with_records(read(&folder), &place).map_err(|problem| {
                    let why = problem.message.clone();
                    self.own_problems.push(problem);
                    why
                });
                (Some(TenantPlace::Folder(place)), live)
            }
            Some(Place::Kubernetes(_)) => match cluster {
                Some(InCluster { spec, place, live, role }) => {
                    self.roles.extend(role);
                    return ProjectTenant { spec, place, live, source };
                }
                None => (None, source.clone().unwrap_or_else(|| Ok(Snapshot::default()))),
            },
            None => (None, Err("its Tenant names no place: write place: {directory: {path: …}}".to_string())),
        };
        ProjectTenant { spec, place, live, source }
    }

    /// The folders of all tenants; none may lie in another, or outside the root.
    fn folders(&mut self, given: &Given, tenants: &BTreeMap<String, TenantSpec>) -> BTreeMap<PathBuf, String> {
        let mut folders: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (name, spec) in tenants {
            let place = match &spec.place {
                Some(Place::Directory(d)) => {
                    Some((d.path.clone(), self.root.join(&d.path), ["spec", "place", "directory", "path"].as_slice()))
                }
                _ => None,
            };
            let given_source =
                given.sources.get(name).map(|p| (p.display().to_string(), p.clone(), ["spec", "source"].as_slice()));
            let source = spec
                .source
                .as_ref()
                .map(|s| (s.path.clone(), self.root.join(&s.path), ["spec", "source", "path"].as_slice()));
            for (written, path, at) in place.into_iter().chain(given_source.or(source)) {
                let id = ObjectId::new(Kind::Tenant, name);
                let Some(origin) = self.origins.get(&id).cloned() else { continue };
                if !given.sources.contains_key(name) && leads_out(&written) {
                    self.wrong(
                        &origin,
                        Kind::Tenant,
                        at,
                        format!("{written} leads out of the root"),
                        "write a relative path below the root, without ..",
                    );
                    continue;
                }
                let folder = normal(&path);
                let nested = folders.iter().find(|(other, _)| folder.starts_with(other) || other.starts_with(&folder));
                if let Some((other, owner)) = nested {
                    let message =
                        format!("{} and {} (of {owner}) lie in one another", folder.display(), other.display());
                    self.wrong(
                        &origin,
                        Kind::Tenant,
                        at,
                        message,
                        "give each tenant, and each source, a folder of its own",
                    );
                    continue;
                }
                folders.insert(folder, name.clone());
            }
        }
        folders
    }

    fn wrong(&mut self, origin: &Origin, kind: Kind, path: &[&str], message: String, help: &str) {
        self.own_problems.push(problem(origin, kind, path, message, help));
    }

    /// What was read of every place and source.
    fn snapshots<'a>(&'a self) -> impl Iterator<Item = &'a Snapshot> {
        let of_tenant = |tenant: &'a ProjectTenant| {
            let live = tenant.live.as_ref().ok();
            let source = tenant.source.as_ref().and_then(|source| source.as_ref().ok());
            // Where a tenant in a cluster counts as what its source declares, both are one reading.
            let is_live = |source: &&Snapshot| live.is_some_and(|live| Arc::ptr_eq(&live.inventory, &source.inventory));
            live.into_iter().chain(source.filter(|source| !is_live(source)))
        };
        self.tenants.values().flat_map(of_tenant)
    }

    /// How many resources were read.
    pub fn objects(&self) -> usize {
        self.origins.len() + self.snapshots().map(|s| s.inventory.len()).sum::<usize>()
    }

    /// The bytes of a definition that stands beside its manifest, in a place or a source.
    fn definition_at(&self, from: &DefinitionFrom) -> Result<Vec<u8>, PlaceError> {
        let id = ObjectId::new(Kind::Integration, &from.integration);
        let missing =
            || PlaceError::Refused { object: id.clone(), why: format!("its definition is not in {}", from.tenant) };
        let tenant = self.tenants.get(&from.tenant).ok_or_else(missing)?;
        if !from.source
            && let Some(place) = &tenant.place
        {
            return place.as_place().definition(&from.integration);
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
            Some(Definition::File(file)) => read_definition(&beside(origin, file)),
            _ => Err(missing()),
        }
    }

    /// The bytes of the definition of a tenant's integration.
    pub fn definition_beside(&self, tenant: &str, integration: &str) -> Result<Vec<u8>, PlaceError> {
        self.definition_at(&DefinitionFrom {
            tenant: tenant.to_string(),
            source: false,
            integration: integration.to_string(),
            digest: String::new(),
        })
    }

    /// The place of a tenant, to be written.
    pub fn place(&self, tenant: &str) -> Option<&dyn super::Place> {
        self.tenants.get(tenant)?.place.as_ref().map(TenantPlace::as_place)
    }

    /// The bytes of a definition, where they are those that were planned.
    pub fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, PlaceError> {
        let bytes = self.definition_at(from)?;
        if definition_digest(&bytes) == from.digest {
            return Ok(bytes);
        }
        Err(PlaceError::Changed { object: ObjectId::new(Kind::Integration, &from.integration) })
    }

    /// What the engine plans on.
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
            };
            (name.clone(), view)
        });
        World { tenants: tenants.collect(), syncs: self.syncs.clone() }
    }

    /// Where a person would look for an object of a place, or for a part of it.
    pub fn at(&self, tenant: Option<&str>, id: &ObjectId, path: &[String]) -> Option<At> {
        let live = tenant.and_then(|t| self.tenants.get(t)).and_then(|t| t.live.as_ref().ok());
        let in_place = live.and_then(|s| s.origins.get(id));
        in_place
            .or_else(|| self.origins.get(id))
            .map(|origin| at(origin, path))
            .or_else(|| self.declared_at(tenant?, id, path))
    }

    /// Where a tenant's source declares an object, or a part of it.
    pub fn declared_at(&self, tenant: &str, id: &ObjectId, path: &[String]) -> Option<At> {
        let source = self.tenants.get(tenant)?.source.as_ref()?.as_ref().ok()?;
        source.origins.get(id).map(|origin| at(origin, path))
    }
}

fn at(origin: &Origin, path: &[String]) -> At {
    let steps: Vec<&str> = path.iter().map(String::as_str).collect();
    At { file: origin.file.path.clone(), line: locate(origin, &steps).map_or(origin.first_line, |p| p.line) }
}

fn shown(origin: &Origin, path: &[&str]) -> String {
    format!("{}:{}", origin.file.path, locate(origin, path).map_or(origin.first_line, |p| p.line))
}

fn source_of(given: &Given, name: &str, spec: &TenantSpec) -> Option<PathBuf> {
    let written = || spec.source.as_ref().map(|s| given.root.join(&s.path));
    given.sources.get(name).cloned().or_else(written)
}

fn with_records(mut snapshot: Snapshot, place: &DirectoryPlace) -> Result<Snapshot, Problem> {
    let records = place.records()?;
    Arc::make_mut(&mut snapshot.inventory).records = records;
    Ok(snapshot)
}

/// The folder that a file lies in.
fn owner<'a>(folders: &'a BTreeMap<PathBuf, String>, file: &str) -> Option<&'a PathBuf> {
    let file = normal(Path::new(file));
    folders.keys().find(|folder| file.starts_with(folder))
}

/// Whether a path that should be below the root is not.
fn leads_out(path: &str) -> bool {
    Path::new(path).components().any(|part| !matches!(part, PathPart::Normal(_) | PathPart::CurDir))
}

/// The same path without `.`.
fn normal(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, PathPart::CurDir)).collect()
}
