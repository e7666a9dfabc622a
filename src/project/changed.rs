//! What a change of a project's files does: what the commit changes by itself, and what an apply does then, beside what
//! was planned before it.

use super::planned::{PlannedProject, plan};
use super::{Project, ProjectTenant};
use crate::api::{Kind, LocationSpec};
use crate::engine::committed::{self, CommittedChange, SettingChange};
use crate::engine::compare::{ComparedPlans, compare};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Scope;
use crate::engine::model::record::Writer;
use crate::manifest::FileProblem;
use crate::tenant::location::Snapshot;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A project before and after a change of its files.
pub struct ChangedProject {
    /// The fields of Tenants and TenantSyncs that differ.
    pub settings: Vec<SettingChange>,
    /// The resources that differ in tenants' folders.
    pub folders: Vec<ChangedFolder>,
    /// The plan after the change, beside the plan before it.
    pub plans: ComparedPlans,
    /// The project after the change, planned.
    pub after: PlannedProject,
    /// The problems of files that only the later state has.
    pub problems: Vec<FileProblem>,
}

/// The resources that differ in a tenant's folder.
pub struct ChangedFolder {
    /// The name of the tenant.
    pub tenant: String,
    /// Whether it is the folder of the tenant's source: an apply then brings the change to the tenant.
    pub is_source: bool,
    /// The resources.
    pub changes: Vec<CommittedChange>,
    /// Why they are not known, if one of the two states cannot be read.
    pub unknown: Option<String>,
}

impl ChangedProject {
    /// Plans a project before and after a change, and compares both.
    pub fn of(before: &Project, after: &Project, scope: &Scope) -> Self {
        let was = plan(before, scope);
        let is = plan(after, scope);
        let plans = compare(&was.plan, &is.plan);
        ChangedProject {
            settings: committed::settings(&settings_of(before), &settings_of(after)),
            folders: folders(before, after, scope),
            plans,
            after: is,
            problems: new_problems(before, after),
        }
    }

    /// Whether the change does nothing.
    pub fn is_empty(&self) -> bool {
        self.settings.is_empty()
            && self.folders.is_empty()
            && self.plans.added.exit == 0
            && self.plans.dropped.is_empty()
    }

    /// The exit code, by what the change adds: 1 an error, 3 something unresolved, 2 it changes something, 0 nothing.
    pub fn exit(&self) -> u8 {
        match self.plans.added.exit {
            0 if !self.is_empty() => 2,
            exit => exit,
        }
    }
}

/// The problems that only the later state has. A line that moved makes no new one.
fn new_problems(before: &Project, after: &Project) -> Vec<FileProblem> {
    let key = |problem: &FileProblem| (problem.file.clone(), problem.message.clone());
    let known: BTreeSet<_> = before.problems.iter().map(key).collect();
    after.problems.iter().filter(|problem| !known.contains(&key(problem))).cloned().collect()
}

/// The specs of the Tenants and TenantSyncs, as JSON.
fn settings_of(project: &Project) -> BTreeMap<ObjectId, Value> {
    let tenants =
        project.tenants.iter().filter(|(name, _)| project.origins.contains_key(&ObjectId::new(Kind::Tenant, *name)));
    let tenants = tenants.map(|(name, tenant)| (ObjectId::new(Kind::Tenant, name), serde_json::to_value(&tenant.spec)));
    let syncs = project.syncs.iter().filter_map(|sync| match &sync.writer {
        Writer::Sync(name) => Some((ObjectId::new(Kind::TenantSync, name), serde_json::to_value(&*sync.spec))),
        _ => None,
    });
    tenants.chain(syncs).map(|(id, spec)| (id, spec.unwrap_or(Value::Null))).collect()
}

/// The folders whose resources differ.
fn folders(before: &Project, after: &Project, scope: &Scope) -> Vec<ChangedFolder> {
    let names: BTreeSet<&String> = before.tenants.keys().chain(after.tenants.keys()).collect();
    let in_scope = names.into_iter().filter(|name| scope.tenants.is_empty() || scope.tenants.contains(*name));
    let of = |name: &String| {
        let (was, is) = (before.tenants.get(name), after.tenants.get(name));
        let pair = |is_source: bool, part: &dyn Fn(&ProjectTenant) -> Option<Result<Snapshot, String>>| {
            let (was, is) = (was.and_then(part), is.and_then(part));
            if was.is_none() && is.is_none() {
                return None;
            }
            changed(
                name,
                is_source,
                was.unwrap_or_else(|| Ok(Snapshot::default())),
                is.unwrap_or_else(|| Ok(Snapshot::default())),
            )
        };
        let location = pair(false, &|tenant| is_folder(tenant).then(|| tenant.live.clone()));
        let source = pair(true, &|tenant| tenant.source.clone());
        [location, source].into_iter().flatten().collect::<Vec<_>>()
    };
    in_scope.flat_map(of).collect()
}

/// Whether a tenant's location is a folder of the project.
fn is_folder(tenant: &ProjectTenant) -> bool {
    matches!(tenant.spec.location, Some(LocationSpec::Directory(_)))
}

fn changed(
    tenant: &str,
    is_source: bool,
    was: Result<Snapshot, String>,
    is: Result<Snapshot, String>,
) -> Option<ChangedFolder> {
    let (changes, unknown) = match (&was, &is) {
        (Ok(was), Ok(is)) => {
            let unread = committed::unread(&was.inventory, &is.inventory);
            // A state that cannot be read in part, and is the same otherwise, is no change.
            let is_same =
                was.inventory.unparsed == is.inventory.unparsed && was.inventory.invalid == is.inventory.invalid;
            let names: Vec<String> = unread.into_iter().collect();
            let unknown = (!is_same).then(|| format!("{} cannot be read", names.join(", ")));
            (committed::changes(tenant, &was.inventory, &is.inventory), unknown)
        }
        // Why it cannot be read is a finding already.
        (Err(why), Ok(_)) => (Vec::new(), Some(format!("before the change, {why}"))),
        (_, Err(why)) => (Vec::new(), Some(why.clone())),
    };
    let tenant = tenant.to_string();
    (!changes.is_empty() || unknown.is_some()).then_some(ChangedFolder { tenant, is_source, changes, unknown })
}
