//! What a change of a project's files does: what the commit changes by itself, and what an apply does then, beside what
//! was planned before it.

use super::changed_folders::{ChangedFolder, folders};
use super::changed_records::{ChangedRecords, records};
use super::compared_trees::ComparedTrees;
use super::ignore::Ignore;
use super::not_read::{KUSTOMIZATIONS, not_read};
use super::planned::{PlannedProject, plan};
use super::removed::advise;
use super::{Project, ProjectTenant, UNNAMED};
use crate::api::{APPROVE, Kind, Override};
use crate::engine::check;
use crate::engine::committed::{self, Setting, SettingChange, UnknownWhen};
use crate::engine::compare::{ComparedPlans, Multiset, compare, without_lines};
use crate::engine::model::finding::At;
use crate::engine::model::inventory::{Inventory, Sync, Targets};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Plan, Scope};
use crate::engine::model::record::Writer;
use crate::manifest::{FileProblem, SourcePlace, text_at, texts_below};
use crate::parallel;
use crate::tenant::directory::layout::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the names of Stablekey's own labels and annotations begin with.
const OURS: &str = "stablekey.dev/";

/// A project before and after a change of its files.
pub struct ChangedProject {
    /// The fields of Tenants and TenantSyncs that differ.
    pub settings: Vec<SettingChange>,
    /// How `.stablekeyignore` differs: what is read decides what is found.
    pub reading: Vec<String>,
    /// The tenants with a folder whose kustomization differs: what Flux, Argo CD and kubectl write is decided there.
    pub kustomizations: BTreeSet<String>,
    /// The ownership records that differ in tenants' folders.
    pub records: Vec<ChangedRecords>,
    /// The files outside tenants' folders that cannot be read before or after the change, and that differ: Tenants and
    /// TenantSyncs could be in them.
    pub unread_files: BTreeSet<String>,
    /// Whether one of them cannot be read after the change either.
    pub has_unread_files: bool,
    /// The resources that differ in tenants' folders.
    pub folders: Vec<ChangedFolder>,
    /// The files that differ, and that nobody reads here: those in tenants' folders and Git's own settings first.
    pub not_read: Vec<String>,
    /// The plan after the change, beside the plan before it.
    pub plans: ComparedPlans,
    /// The project after the change, planned.
    pub after: PlannedProject,
    /// The problems of files that only the later state has.
    pub problems: Vec<FileProblem>,
    /// The tenants that cannot be read, and that the change concerns: what an apply does in them is not known.
    pub unknown: BTreeSet<String>,
}

impl ChangedProject {
    /// Plans a project before and after a change, and compares both.
    pub fn of(before: &Project, after: &Project, scope: &Scope) -> Self {
        let (was, is) = parallel::both(after.objects(), || plan(before, scope), || plan(after, scope));
        let (documents_before, documents) = (Documents::of(before), Documents::of(after));
        let mut plans = compare(
            (&was.plan, &|finding| documents_before.around(finding.at.as_ref()?)),
            (&is.plan, &|finding| documents.around(finding.at.as_ref()?)),
        );
        let (mut was_set, mut is_set) = (settings_of(before), settings_of(after));
        add_unread(before, &mut was_set, &is_set);
        add_unread(after, &mut is_set, &was_set);
        let is_secret = |from: &str, one: &Override| is_secret_override(from, one, [before, after]);
        let has_same_text = |id: &ObjectId| has_same_text(before, after, id);
        let settings = committed::settings(&was_set, &is_set, &is_secret, &has_same_text);
        let folders = folders(before, after, scope);
        let records = records(before, after, scope);
        let unread_files = unread_files(before, after);
        // What the change mends gates nothing.
        let has_unread_files = after.undecided().iter().any(|file| unread_files.contains(*file));
        let problems = new_problems(before, after);
        add_help(&mut plans.added, &problems);
        advise(&mut plans, &folders, before);
        let mut unknown = concerned(&settings, &folders, [&before.syncs, &after.syncs]);
        // Of a folder that is below another root, it is not known whether the change concerns it.
        unknown.extend(after.elsewhere.iter().cloned());
        // Nor which tenant a file concerns that cannot be read.
        unknown.extend(plans.unread.keys().filter(|_| !unread_files.is_empty()).cloned());
        unknown.retain(|tenant| plans.unread.contains_key(tenant));
        let reading = reading(before, after);
        let kustomizations = kustomizations(before, after);
        let not_read = not_read(before, after);
        ChangedProject {
            settings,
            reading,
            kustomizations,
            records,
            unread_files,
            has_unread_files,
            folders,
            not_read,
            plans,
            after: is,
            problems,
            unknown,
        }
    }

    /// Whether the change does nothing that is planned.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
            && self.reading.is_empty()
            && self.kustomizations.is_empty()
            && self.records.is_empty()
            && self.unread_files.is_empty()
            && self.folders.is_empty()
            && self.plans.added.exit == 0
            && self.plans.dropped.is_empty()
    }

    /// Whether something of what the change does is not known.
    pub fn is_unknown(&self) -> bool {
        let is_unknown =
            |change: &SettingChange| change.unknown.as_ref().is_some_and(|unknown| unknown.when != UnknownWhen::Before);
        !self.unknown.is_empty()
            || self.has_unread_files
            || self.folders.iter().any(|folder| folder.is_unknown)
            || self.settings.iter().any(is_unknown)
    }

    /// The exit code, by what the change adds: 1 an error, 3 something unresolved or not known, 2 it changes something, 0
    /// nothing.
    pub fn exit(&self) -> u8 {
        match self.plans.added.exit {
            1 => 1,
            _ if self.is_unknown() => 3,
            0 if !self.is_empty() => 2,
            exit => exit,
        }
    }
}

/// The tenants in which a change can do anything: those whose Tenant or folder differs, and those that a sync brings it
/// to.
fn concerned(settings: &[SettingChange], folders: &[ChangedFolder], syncs: [&[Sync]; 2]) -> BTreeSet<String> {
    let syncs: Vec<&Sync> = syncs.into_iter().flatten().collect();
    let of = |kind: Kind| settings.iter().filter(move |change| change.object.kind == kind).map(|c| &c.object.name);
    let changed: BTreeSet<&String> = of(Kind::TenantSync).collect();
    let is_changed = |sync: &&&Sync| matches!(&sync.writer, Writer::Sync(name) if changed.contains(name));
    let targets = syncs.iter().filter(is_changed).flat_map(|sync| sync.spec.targets());
    let folders = folders.iter().map(|folder| &folder.tenant);
    let mut concerned: BTreeSet<String> = of(Kind::Tenant).chain(targets).chain(folders).cloned().collect();
    loop {
        let from_there = syncs.iter().filter(|sync| concerned.contains(&sync.spec.from));
        let more: Vec<&String> = from_there.flat_map(|sync| sync.spec.targets()).collect();
        let known = concerned.len();
        concerned.extend(more.into_iter().cloned().collect::<Vec<_>>());
        if concerned.len() == known {
            return concerned;
        }
    }
}

/// Adds to findings about files that cannot be read what would help there.
fn add_help(plan: &mut Plan, problems: &[FileProblem]) {
    let mut helps: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for FileProblem { file, message, help, .. } in problems {
        helps.entry((file, message)).or_insert(help);
    }
    for finding in &mut plan.findings {
        let Some(at) = &finding.at else { continue };
        let help = helps.get(&(at.file.as_str(), finding.text.as_str()));
        if let Some(help) = help.filter(|help| !help.is_empty() && !finding.fix.contains(**help)) {
            finding.fix = format!("{help} ({})", finding.fix);
        }
    }
}

/// The tenants with a folder whose kustomization differs.
fn kustomizations(before: &Project, after: &Project) -> BTreeSet<String> {
    let folders = before.layout.folders().iter().chain(after.layout.folders());
    let trees = ComparedTrees::of(before, after);
    // Three names are one file to kubectl.
    let differs = |folder: &&Folder| KUSTOMIZATIONS.iter().any(|name| !trees.is_same(&folder.path.join(name)));
    folders.filter(differs).map(|folder| folder.tenant.clone()).collect()
}

/// The files outside tenants' folders that cannot be read in one state, and that are not the same in the other.
fn unread_files(before: &Project, after: &Project) -> BTreeSet<String> {
    let trees = ComparedTrees::of(before, after);
    let (was, is) = (before.undecided(), after.undecided());
    let is_same = |file: &str| was.contains(file) && is.contains(file) && trees.is_there_and_same(Path::new(file));
    was.union(&is).filter(|file| !is_same(file)).map(ToString::to_string).collect()
}

/// Whether two states have the same documents of a Tenant or a TenantSync.
fn has_same_text(before: &Project, after: &Project, id: &ObjectId) -> bool {
    let of = |project: &Project| {
        let place = |place: &SourcePlace| (place.text().to_string(), place.item);
        let mut texts: Vec<_> = project.documents.get(id).into_iter().flatten().map(place).collect();
        texts.sort();
        texts
    };
    of(before) == of(after)
}

/// What is left out of one state, and not of the other.
fn reading(before: &Project, after: &Project) -> Vec<String> {
    let of = |project: &Project| Ignore::read(&project.tree, &project.root);
    let (was, is) = (of(before), of(after));
    let (was, is) = (was.patterns(), is.patterns());
    let new = is.iter().filter(|pattern| !was.contains(pattern)).map(|pattern| format!("leaves out {pattern} now"));
    let gone =
        was.iter().filter(|pattern| !is.contains(pattern)).map(|pattern| format!("leaves out {pattern} no more"));
    let mut found: Vec<String> = new.chain(gone).collect();
    let of_both = |one: &[&str], other: &[&str]| -> Vec<String> {
        one.iter().filter(|pattern| other.contains(pattern)).map(ToString::to_string).collect()
    };
    if of_both(&was, &is) != of_both(&is, &was) {
        found.push("has another order, which decides between its patterns".to_string());
    }
    found
}

/// The first lines of the Tenants and TenantSyncs of a project, by file.
struct Documents<'p>(BTreeMap<&'p str, BTreeMap<u32, &'p ObjectId>>);

impl<'p> Documents<'p> {
    fn of(project: &'p Project) -> Self {
        let mut files: BTreeMap<&str, BTreeMap<u32, &ObjectId>> = BTreeMap::new();
        for (id, origin) in &project.origins {
            files.entry(origin.file.path.as_str()).or_default().insert(origin.first_line, id);
        }
        Documents(files)
    }

    /// The document that a line lies in.
    fn around(&self, at: &At) -> Option<ObjectId> {
        let (_, id) = self.0.get(at.file.as_str())?.range(..=at.line).next_back()?;
        Some((*id).clone())
    }
}

/// The problems that only the later state has. A line that moved makes no new one.
fn new_problems(before: &Project, after: &Project) -> Vec<FileProblem> {
    let key = |problem: &FileProblem, documents: &Documents<'_>| {
        let at = At { file: problem.file.clone(), line: problem.line };
        (documents.around(&at), problem.file.clone(), without_lines(&problem.message))
    };
    let (was, is) = (Documents::of(before), Documents::of(after));
    let mut known: Multiset<_> = before.problems.iter().map(|problem| key(problem, &was)).collect();
    after.problems.iter().filter(|problem| !known.take(&key(problem, &is))).cloned().collect()
}

/// What the Tenants and TenantSyncs of a project say.
fn settings_of(project: &Project) -> BTreeMap<ObjectId, Setting> {
    let json = |spec: serde_json::Result<serde_json::Value>| spec.map_err(|error| error.to_string());
    let tenants = project.tenants.iter().filter(|(name, _)| *name != UNNAMED).map(|(name, tenant)| {
        // A Tenant that is invalid, doubled or misplaced has no spec that could be used.
        let stopped = tenant.live.as_ref().err().filter(|_| tenant.spec.location.is_none());
        let setting = stopped.map_or_else(|| json(serde_json::to_value(&tenant.spec)), |why| Err(why.clone()));
        (ObjectId::new(Kind::Tenant, name), setting)
    });
    let syncs = project.syncs.iter().filter_map(|sync| match &sync.writer {
        Writer::Sync(name) => Some((ObjectId::new(Kind::TenantSync, name), json(serde_json::to_value(&*sync.spec)))),
        _ => None,
    });
    let stopped = project.stopped.iter().filter_map(|(writer, targets)| match writer {
        Writer::Sync(name) => {
            let why = match targets {
                Targets::None => format!("TenantSync/{name} lies inside a folder of a tenant"),
                Targets::Named(_) => format!("TenantSync/{name} is there twice"),
                Targets::Unknown => format!("TenantSync/{name} is invalid"),
            };
            Some((ObjectId::new(Kind::TenantSync, name), Err(why)))
        }
        _ => None,
    });
    let of_clusters = &project.for_clusters;
    let other_tenants = of_clusters.tenants.iter();
    let other_tenants =
        other_tenants.map(|(name, spec)| (ObjectId::new(Kind::Tenant, name), json(serde_json::to_value(spec))));
    let other_syncs = of_clusters.syncs.iter();
    let other_syncs =
        other_syncs.map(|(name, spec)| (ObjectId::new(Kind::TenantSync, name), json(serde_json::to_value(spec))));
    // A sync of clusters only counts as stopped here.
    let all = stopped.chain(tenants).chain(syncs).chain(other_tenants).chain(other_syncs);
    all.map(|(id, setting)| (id.clone(), setting.map(|spec| with_metadata(project, &id, spec)))).collect()
}

/// Adds what decides beside the spec: whose it is in a cluster, what a person approved, and what else is said in labels and
/// annotations of Stablekey.
fn with_metadata(project: &Project, id: &ObjectId, mut spec: serde_json::Value) -> serde_json::Value {
    let fields = [("namespace", &["metadata", "namespace"][..]), ("approve", &["metadata", "annotations", APPROVE])];
    if let (Some(origin), Some(spec)) = (project.origins.get(id), spec.as_object_mut()) {
        let there = fields.iter().filter_map(|(name, path)| Some((name.to_string(), text_at(origin, path)?.into())));
        spec.extend(there);
        for name in ["annotations", "labels"] {
            let ours = texts_below(origin, &["metadata", name]).into_iter();
            let ours = ours.filter(|(key, _)| key.starts_with(OURS) && key != APPROVE);
            let ours: serde_json::Map<_, _> = ours.map(|(key, text)| (key, text.into())).collect();
            if !ours.is_empty() {
                spec.insert(name.to_string(), ours.into());
            }
        }
    }
    spec
}

/// Whether the value of an override is a secret by the types that either state knows. Those of a tenant that is in neither,
/// or that only an operator reads, are not known.
fn is_secret_override(from: &str, one: &Override, states: [&Project; 2]) -> bool {
    let names = [from, &one.tenant];
    let tenants = states.into_iter().flat_map(|state| names.map(|name| state.tenants.get(name)));
    let tenants: Vec<&ProjectTenant> = tenants.flatten().collect();
    let is_here = |name: &str| states.iter().any(|state| state.tenants.contains_key(name));
    let is_elsewhere = |name: &str| states.iter().any(|state| state.for_clusters.tenants.contains_key(name));
    let are_here = names.into_iter().all(|name| is_here(name) && !is_elsewhere(name));
    let read = || tenants.iter().flat_map(|tenant| Some(&tenant.live).into_iter().chain(&tenant.source));
    let known: Vec<&Inventory> = read().flatten().map(|snapshot| &*snapshot.inventory).collect();
    check::is_secret_override(one, &known, are_here && read().all(Result::is_ok))
}

/// Adds what only the other state has: a file that cannot be read could declare it.
fn add_unread(project: &Project, settings: &mut BTreeMap<ObjectId, Setting>, other: &BTreeMap<ObjectId, Setting>) {
    let Some(file) = project.undecided().into_iter().next() else { return };
    for id in other.keys() {
        settings.entry(id.clone()).or_insert_with(|| Err(format!("{file} cannot be read and could declare it")));
    }
}
