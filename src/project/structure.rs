//! The structure of a project: which Tenants and TenantSyncs are valid, which are stopped and why, and the tenant of
//! each folder. Duplicate names and misplaced documents are invalid.

use super::ProjectArgs;
use crate::api::*;
use crate::engine::model::inventory::{Sync, Targets};
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::manifest::{FileProblem, SourcePlace, locate, problem, text_at};
use crate::tenant::directory::layout::{Folder, FolderLayout, FolderRole, Misplaced};
use crate::tenant::directory::overlay::Overlay;
use crate::tenant::directory::paths::normal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A Tenant or a TenantSync as it was read; `spec` is absent if the document violates its schema.
#[derive(Debug)]
pub(super) struct StructureResource<S> {
    /// The name of the resource.
    pub name: String,
    /// The position of the document.
    pub origin: SourcePlace,
    /// The spec, if it is valid.
    pub spec: Option<S>,
}

/// A tenant, and the reason if it is stopped.
#[derive(Debug)]
pub(super) struct DeclaredTenant {
    /// The spec of the Tenant, or the default if it is stopped without one.
    pub spec: TenantSpec,
    /// The reason why nothing is planned or written for the tenant.
    pub stopped: Option<String>,
}

/// The Tenants and TenantSyncs that apply to clusters only. Nothing is planned of them here; but who changes them changes
/// what may be written there.
#[derive(Clone, Debug, Default)]
pub struct ForClusters {
    /// The Tenants, by name.
    pub tenants: BTreeMap<String, TenantSpec>,
    /// The TenantSyncs, by name.
    pub syncs: BTreeMap<String, TenantSyncSpec>,
}

impl ForClusters {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.tenants.len() + self.syncs.len()
    }
}

/// The valid Tenants and TenantSyncs of a root.
#[derive(Debug, Default)]
pub(super) struct Structure {
    /// The tenants, by name.
    pub tenants: BTreeMap<String, DeclaredTenant>,
    /// The valid syncs.
    pub syncs: Vec<Sync>,
    /// Invalid syncs. They remain writers, and what they declared does not count as no longer declared.
    pub stopped: BTreeMap<Writer, Targets>,
    /// The Tenants and TenantSyncs that apply to clusters only.
    pub for_clusters: ForClusters,
    /// The tenant of each folder.
    pub layout: FolderLayout,
    /// Whether a tenant's folders are unknown: a document outside of all known folders may belong to it.
    pub folders_unknown: bool,
    /// The position of each Tenant and TenantSync.
    pub origins: BTreeMap<ObjectId, SourcePlace>,
    /// The problems that were found.
    pub problems: Vec<FileProblem>,
}

const LOCATION: &[&str] = &["spec", "location", "directory", "path"];
const SOURCE: &[&str] = &["spec", "source", "path"];
const NAME: &[&str] = &["metadata", "name"];

/// A folder that a Tenant claims, with the position of the claim.
struct Claim {
    role: FolderRole,
    at: &'static [&'static str],
    located: Result<PathBuf, Misplaced>,
}

/// A Tenant with the folders that it claims.
struct Claimant {
    tenant: StructureResource<TenantSpec>,
    claims: Vec<Claim>,
    misplaced: Option<String>,
}

/// Decides which Tenants and TenantSyncs are valid.
pub(super) fn decide(
    given: &ProjectArgs,
    tenants: Vec<StructureResource<TenantSpec>>,
    syncs: Vec<StructureResource<TenantSyncSpec>>,
    over: Overlay,
) -> Structure {
    let mut structure = Structure { layout: FolderLayout::new(&given.root, over), ..Structure::default() };
    let claims_of = |tenant| claims(&structure.layout, given, tenant);
    let mut claimants: Vec<Claimant> = tenants.into_iter().map(claims_of).collect();
    mark_misplaced(&mut claimants);
    let mut by_name: BTreeMap<String, Vec<Claimant>> = BTreeMap::new();
    for claimant in claimants {
        by_name.entry(claimant.tenant.name.clone()).or_default().push(claimant);
    }
    for (name, claimants) in by_name {
        structure.tenant(&name, claimants);
    }
    structure.nested();
    structure.take_syncs(syncs);
    structure
}

fn claims(layout: &FolderLayout, given: &ProjectArgs, tenant: StructureResource<TenantSpec>) -> Claimant {
    let path_at = |at: &[&str]| text_at(&tenant.origin, at);
    let location = match &tenant.spec {
        Some(TenantSpec { location: Some(LocationSpec::Directory(directory)), .. }) => Some(directory.path.clone()),
        Some(_) => None,
        None => path_at(LOCATION),
    };
    let mut claims = Vec::new();
    claims.extend(location.map(|path| Claim {
        role: FolderRole::Location,
        at: LOCATION,
        located: layout.locate(&path),
    }));
    let source = match &tenant.spec {
        Some(spec) => spec.source_path().map(str::to_string),
        None => path_at(SOURCE),
    };
    let source = source.map(|path| layout.locate(&path));
    if let Some(path) = given.sources.get(&tenant.name) {
        let path = layout.locate_given(path);
        // The source that it declares is still its folder, but declares nothing now.
        let lies_apart = |own: &PathBuf| !own.starts_with(&path) && !path.starts_with(own);
        let own = source.filter(|own| own.as_ref().is_ok_and(lies_apart));
        claims.extend(own.map(|located| Claim { role: FolderRole::Unused, at: SOURCE, located }));
        claims.push(Claim { role: FolderRole::Source, at: NAME, located: Ok(path) });
    } else {
        claims.extend(source.map(|located| Claim { role: FolderRole::Source, at: SOURCE, located }));
    }
    Claimant { tenant, claims, misplaced: None }
}

/// Marks Tenants in the folder of another tenant: write access to one tenant's folder must not decide about other
/// tenants. A folder that a misplaced Tenant claims misplaces no other Tenant.
fn mark_misplaced(claimants: &mut [Claimant]) {
    let holders: Vec<Vec<usize>> = claimants
        .iter()
        .map(|claimant| {
            let file = normal(Path::new(&claimant.tenant.origin.file.path));
            let holds = |claim: &Claim| claim.located.as_ref().is_ok_and(|folder| file.starts_with(folder));
            (0..claimants.len()).filter(|at| claimants[*at].claims.iter().any(holds)).collect()
        })
        .collect();
    // `Some(None)`: valid; `Some(Some(by))`: misplaced. Decided from the outside inwards, until nothing changes.
    let mut verdicts: Vec<Option<Option<usize>>> = vec![None; claimants.len()];
    loop {
        let before = verdicts.clone();
        for at in (0..claimants.len()).filter(|at| before[*at].is_none()) {
            let by = holders[at].iter().find(|by| verdicts[**by] == Some(None));
            let none_holds = holders[at].iter().all(|by| matches!(verdicts[*by], Some(Some(_))));
            verdicts[at] = by.map(|by| Some(*by)).or(none_holds.then_some(None));
        }
        if verdicts == before {
            break;
        }
    }
    for (at, verdict) in verdicts.into_iter().enumerate() {
        // An undecided Tenant is in its own folder, or several are in each other's folders.
        let by = verdict.unwrap_or_else(|| holders[at].first().copied());
        claimants[at].misplaced = by.map(|by| claimants[by].tenant.name.clone());
    }
}

impl Structure {
    fn wrong(&mut self, origin: &SourcePlace, kind: Kind, path: &[&str], message: impl Into<String>, help: &str) {
        self.problems.push(problem(origin, kind, path, message, help));
    }

    fn tenant(&mut self, name: &str, claimants: Vec<Claimant>) {
        let (misplaced, holding): (Vec<_>, Vec<_>) = claimants.into_iter().partition(|c| c.misplaced.is_some());
        for Claimant { tenant, misplaced: by, .. } in &misplaced {
            let by = by.as_deref().unwrap_or("a tenant");
            let message = format!("Tenant/{name} lies inside a folder of tenant {by}: it does not hold");
            let help = "move it out, for example to tenants.yaml beside the tenants' folders";
            self.wrong(&tenant.origin, Kind::Tenant, &["kind"], message, help);
        }
        let stopped = match holding.as_slice() {
            [] => Some("its Tenant lies inside a tenant's folder".to_string()),
            [one] => one.tenant.spec.is_none().then(|| format!("its Tenant is invalid ({})", at(&one.tenant.origin))),
            several => {
                let all: Vec<String> = several.iter().take(FEW).map(|one| at(&one.tenant.origin)).collect();
                for (position, one) in several.iter().enumerate().take(MOST) {
                    let others = others(&all, position, several.len());
                    let message = format!("Tenant/{name} is there twice: also at {others}");
                    self.wrong(
                        &one.tenant.origin,
                        Kind::Tenant,
                        NAME,
                        message,
                        "keep one of them: until then neither holds",
                    );
                }
                Some(format!("its Tenant is there {} times", several.len()))
            }
        };
        self.folders_unknown |= holding.iter().any(|c| c.tenant.spec.is_none() && c.claims.is_empty());
        let mut declared = DeclaredTenant { spec: TenantSpec::default(), stopped };
        for Claimant { tenant, claims, .. } in holding {
            let id = ObjectId::new(Kind::Tenant, name);
            self.origins.entry(id).or_insert_with(|| tenant.origin.clone());
            if let (Some(spec), None) = (tenant.spec, &declared.stopped) {
                if is_for_clusters(&spec) {
                    self.for_clusters.tenants.insert(name.to_string(), spec);
                    return;
                }
                declared.spec = spec;
            }
            for Claim { role, at, located } in claims {
                match located {
                    Ok(path) => {
                        let folder = Folder { tenant: name.to_string(), role, path };
                        if !self.layout.folders().contains(&folder) {
                            self.layout.add(folder);
                        }
                    }
                    Err(why) => {
                        self.wrong(&tenant.origin, Kind::Tenant, at, why.to_string(), BELOW);
                        declared.stopped.get_or_insert(why.to_string());
                        // The documents of this tenant are unknown.
                        self.folders_unknown = true;
                    }
                }
            }
        }
        self.tenants.insert(name.to_string(), declared);
    }

    /// Stops all tenants whose folders are nested.
    fn nested(&mut self) {
        let folders = self.layout.folders().to_vec();
        for (position, one) in folders.iter().enumerate() {
            // Duplicate Tenants are reported already.
            let twice = self.tenants.get(&one.tenant).is_some_and(|tenant| tenant.stopped.is_some());
            let lies = |other: &&Folder| {
                (!twice || other.tenant != one.tenant)
                    && (one.path.starts_with(&other.path) || other.path.starts_with(&one.path))
            };
            let others = folders.iter().enumerate().filter(|(at, _)| *at != position).map(|(_, other)| other);
            let Some(other) = others.filter(lies).min_by_key(|other| other.path.components().count()) else { continue };
            let message = match (one.path == other.path, one.tenant == other.tenant) {
                (true, true) => format!("{} is location and source of {}", one.path.display(), one.tenant),
                (true, false) => format!("{} is also a folder of tenant {}", one.path.display(), other.tenant),
                (false, _) => {
                    format!(
                        "{} and {} (of {}) lie in one another",
                        one.path.display(),
                        other.path.display(),
                        other.tenant
                    )
                }
            };
            let at = if one.role == FolderRole::Location { LOCATION } else { SOURCE };
            if let Some(origin) = self.origins.get(&ObjectId::new(Kind::Tenant, &one.tenant)).cloned() {
                self.wrong(
                    &origin,
                    Kind::Tenant,
                    at,
                    &message,
                    "give each tenant, and each source, a folder of its own",
                );
            }
            if let Some(declared) = self.tenants.get_mut(&one.tenant) {
                declared.stopped.get_or_insert(message);
            }
        }
    }

    fn take_syncs(&mut self, syncs: Vec<StructureResource<TenantSyncSpec>>) {
        let mut by_name: BTreeMap<String, Vec<StructureResource<TenantSyncSpec>>> = BTreeMap::new();
        for sync in syncs {
            let owner = self.layout.owner(Path::new(&sync.origin.file.path)).map(|folder| folder.tenant.clone());
            let Some(owner) = owner else {
                by_name.entry(sync.name.clone()).or_default().push(sync);
                continue;
            };
            let message = format!("TenantSync/{} lies inside a folder of tenant {owner}: it does not hold", sync.name);
            let help = "move it out, for example to syncs.yaml beside the tenants' folders";
            self.wrong(&sync.origin, Kind::TenantSync, &["kind"], message, help);
            // Write access to one tenant's folder must not decide about other tenants.
            self.stopped.entry(Writer::Sync(sync.name)).or_insert(Targets::None);
        }
        for (name, mut syncs) in by_name {
            let writer = Writer::Sync(name.clone());
            if syncs.len() > 1 {
                let all: Vec<String> = syncs.iter().take(FEW).map(|one| at(&one.origin)).collect();
                for (position, sync) in syncs.iter().enumerate().take(MOST) {
                    let others = others(&all, position, syncs.len());
                    let message = format!("TenantSync/{name} is there twice: also at {others}");
                    let help = "keep one of them: until then neither holds";
                    self.problems.push(problem(&sync.origin, Kind::TenantSync, NAME, message, help));
                }
                let targets = |sync: &StructureResource<TenantSyncSpec>| {
                    sync.spec.as_ref().map(|spec| spec.targets().cloned().collect::<Vec<_>>())
                };
                let into: Option<Vec<_>> = syncs.iter().map(targets).collect();
                let reach = into.map_or(Targets::Unknown, |into| Targets::Named(into.into_iter().flatten().collect()));
                self.stopped.insert(writer, reach);
                continue;
            }
            let Some(StructureResource { origin, spec, .. }) = syncs.pop() else { continue };
            self.origins.insert(ObjectId::new(Kind::TenantSync, &name), origin);
            match spec {
                None => drop(self.stopped.insert(writer, Targets::Unknown)),
                Some(spec) if self.names_one_for_clusters(&spec) => {
                    self.for_clusters.syncs.insert(name, spec);
                    self.stopped.insert(writer, Targets::None);
                }
                Some(spec) => {
                    self.stopped.remove(&writer);
                    self.syncs.push(Sync { writer, spec: Arc::new(spec) });
                }
            }
        }
    }

    /// Whether a sync names an existing Tenant that applies to clusters only.
    fn names_one_for_clusters(&self, spec: &TenantSyncSpec) -> bool {
        let is = |name: &String| self.for_clusters.tenants.contains_key(name);
        is(&spec.from) || spec.targets().any(is)
    }
}

const BELOW: &str = "write a relative path to a folder below the root, without .. and without links that lead out";

/// Whether a Tenant applies to a cluster only: its location is the namespace that it is applied to, or its kubeconfig
/// or token is in a Secret, or its source is a repository that the operator reads.
fn is_for_clusters(spec: &TenantSpec) -> bool {
    if spec.git().is_some() {
        return true;
    }
    match &spec.location {
        None => true,
        Some(LocationSpec::Kubernetes(location)) => matches!(location.kubeconfig, Some(Kubeconfig::SecretRef(_))),
        Some(LocationSpec::Prismatic(location)) => matches!(location.token_from, Some(TokenFrom::SecretRef(_))),
        Some(LocationSpec::Directory(_)) => false,
    }
}

/// The number of other documents with the same name that a message lists, and the number of documents that get a
/// message: all of each would be quadratic.
const FEW: usize = 4;
const MOST: usize = 100;

/// The positions of the other documents with the same name.
fn others(all: &[String], this: usize, count: usize) -> String {
    let shown = all.iter().enumerate().filter(|(other, _)| *other != this).map(|(_, at)| at.as_str());
    let shown = shown.take(FEW - 1).collect::<Vec<_>>();
    match count.saturating_sub(1 + shown.len()) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn at(origin: &SourcePlace) -> String {
    format!("{}:{}", origin.file.path, locate(origin, NAME).map_or(origin.first_line, |p| p.line))
}
