//! The ownership records in `stablekey.lock` that a change of a project's files alters: they decide what counts as drift, and
//! what may be deleted.

use super::Project;
use super::compared_trees::ComparedTrees;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Scope;
use crate::engine::model::record::Record;
use crate::tenant::directory::layout::FolderRole;
use crate::tenant::directory::lock_file;
use crate::tenant::location::Snapshot;
use std::collections::BTreeSet;

/// The records of a tenant's folder that differ.
pub struct ChangedRecords {
    /// The name of the tenant.
    pub tenant: String,
    /// Whether it is the folder of the tenant's source.
    pub is_source: bool,
    /// The records, sorted by object.
    pub records: Vec<ChangedRecord>,
}

/// The record of an object that differs.
pub struct ChangedRecord {
    pub object: ObjectId,
    pub change: RecordChange,
    /// Whether the object is there before and after the change: then nothing else of the change explains it.
    pub is_of_kept_object: bool,
}

/// What differs in a record. Hashes of values are not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordChange {
    /// The object counts as created by Stablekey now, so that it may be deleted.
    MadeAppears,
    /// The object counts as created by Stablekey no more.
    MadeDisappears,
    /// What was written to its fields.
    Fields,
}

impl ChangedRecords {
    /// Whether it decides what may be deleted: the mark of an object that the change keeps.
    pub fn is_sensitive(&self) -> bool {
        self.records.iter().any(|record| record.is_of_kept_object && record.change != RecordChange::Fields)
    }
}

/// Returns the records that differ, of tenants that are known in both states.
pub(super) fn records(before: &Project, after: &Project, scope: &Scope) -> Vec<ChangedRecords> {
    let in_scope = |name: &&String| scope.tenants.is_empty() || scope.tenants.contains(*name);
    let names = after.tenants.keys().filter(in_scope);
    let roles = [FolderRole::Location, FolderRole::Source];
    names.flat_map(|name| roles.into_iter().filter_map(|role| of_folder(before, after, name, role))).collect()
}

fn of_folder(before: &Project, after: &Project, tenant: &str, role: FolderRole) -> Option<ChangedRecords> {
    let lock = |project: &Project| project.folder(tenant, role).map(|folder| folder.join(lock_file::NAME));
    let (had, has) = (lock(before), lock(after)?);
    if had.as_ref() == Some(&has) && ComparedTrees::of(before, after).is_same(&has) {
        return None;
    }
    let is = after.recorded(tenant, role).ok()?;
    // What could not be read is no record that is new.
    let was = match had {
        Some(_) => before.recorded(tenant, role).ok()?,
        None if before.tenants.contains_key(tenant) || before.undecided().is_empty() => Snapshot::default(),
        None => return None,
    };
    let (was, is) = (&was.inventory, &is.inventory);
    let ids: BTreeSet<&ObjectId> = was.records.keys().chain(is.records.keys()).collect();
    let differing = |id: &ObjectId| {
        let of = |record: Option<&std::sync::Arc<Record>>| record.map(|it| (**it).clone()).unwrap_or_default();
        let (old, new) = (of(was.record(tenant, id)), of(is.record(tenant, id)));
        let is_same =
            (old.made, &old.fields, &old.sent, &old.endpoints) == (new.made, &new.fields, &new.sent, &new.endpoints);
        let change = match (old.made, new.made) {
            (false, true) => RecordChange::MadeAppears,
            (true, false) => RecordChange::MadeDisappears,
            _ => RecordChange::Fields,
        };
        let is_of_kept_object = was.has(id) && is.has(id);
        (!is_same).then(|| ChangedRecord { object: id.clone(), change, is_of_kept_object })
    };
    let records: Vec<ChangedRecord> = ids.into_iter().filter_map(differing).collect();
    let is_any = !records.is_empty();
    is_any.then(|| ChangedRecords { tenant: tenant.to_string(), is_source: role == FolderRole::Source, records })
}
