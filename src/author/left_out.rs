//! What an edit of all integrations of a tenant leaves out, or cannot be made without. What cannot be read is unknown, never empty: it may name a
//! stable key, unless its text does not.

use super::error::AuthorError;
use super::home::snapshots;
use super::unknown::{file_names, names_key};
use crate::api::Kind;
use crate::engine::model::inventory::World;
use crate::engine::model::item::ObjectId;
use crate::engine::model::record::Writer;
use crate::manifest::text_at;
use crate::project::Project;
use crate::tenant::directory::read::beside;
use crate::tenant::location::Snapshot;
use std::collections::BTreeSet;
use std::path::Path;

/// An integration, or a file, that an edit leaves out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LeftOut {
    /// What is left out: `Integration/greet`.
    pub what: String,
    /// Why.
    pub why: String,
    /// Whether it may name the key.
    pub may_name_key: bool,
}

impl std::fmt::Display for LeftOut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.what, self.why)
    }
}

/// What could not be read of a tenant, and of those that its syncs come from.
pub(super) fn unread(project: &Project, world: &World, tenant: &str, key: &str) -> Vec<LeftOut> {
    let mut out: Vec<LeftOut> = Vec::new();
    for read in project.tenants.get(tenant).into_iter().flat_map(snapshots) {
        let invalid = read.inventory.invalid.iter().filter(|(id, _)| id.kind == Kind::Integration);
        out.extend(invalid.map(|(id, why)| LeftOut {
            what: id.to_string(),
            why: why.clone(),
            may_name_key: invalid_names(read, id, key),
        }));
        out.extend(read.inventory.unparsed.iter().map(|file| LeftOut {
            what: file.clone(),
            why: "it cannot be read".to_string(),
            may_name_key: file_names(Path::new(file), key),
        }));
    }
    let accepted = world.tenants.get(tenant).map(|view| view.spec.accept_from.as_slice()).unwrap_or_default();
    let syncs = world.syncs.iter().filter(|sync| sync.spec.goes_to(tenant));
    let froms: BTreeSet<&str> = syncs.map(|sync| sync.spec.from.as_str()).collect();
    for from in froms.into_iter().filter(|from| accepted.iter().any(|other| other == from)) {
        let is_read = project.tenants.get(from).is_some_and(|from| snapshots(from).next().is_some());
        if !is_read {
            let what = format!("what a sync brings from {from}");
            out.push(LeftOut { what, why: format!("{from} cannot be read"), may_name_key: true });
        }
    }
    out
}

/// Fails if a file, or an invalid document, that was not read may use or hold a connection, in any tenant: an edit of the
/// whole project would leave it behind.
pub(super) fn all_read(project: &Project, key: &str) -> Result<(), AuthorError> {
    let why = || format!("it may use or hold {key}");
    let unread = |file: &String| AuthorError::Unreadable { what: file.clone(), why: why() };
    for (name, tenant) in &project.tenants {
        for read in snapshots(tenant) {
            if let Some(file) = read.inventory.unparsed.first() {
                return Err(unread(file));
            }
            let is_concerned =
                |id: &ObjectId| matches!(id.kind, Kind::Connection | Kind::Integration) && invalid_names(read, id, key);
            if let Some((id, reason)) = read.inventory.invalid.iter().find(|(id, _)| is_concerned(id)) {
                let what = read.origins.get(id).map_or_else(|| format!("{id} of {name}"), |at| at.file.path.clone());
                return Err(AuthorError::Unreadable { what, why: format!("{}: {id} is invalid: {reason}", why()) });
            }
        }
    }
    project.unread.first().map_or(Ok(()), |file| Err(unread(file)))?;
    // The overrides of an invalid sync.
    let names = |id: &ObjectId| project.origins.get(id).is_none_or(|at| names_key(at.text(), key));
    let stopped = project.stopped.keys().filter_map(|writer| match writer {
        Writer::Sync(name) => Some(ObjectId::new(Kind::TenantSync, name)),
        Writer::Source | Writer::Promote(_) | Writer::Adopt => None,
    });
    match stopped.into_iter().find(names) {
        Some(id) => Err(AuthorError::Unreadable { what: id.to_string(), why: why() }),
        None => Ok(()),
    }
}

/// Whether an invalid integration or connection may name a stable key, in its manifest or in its definition.
fn invalid_names(read: &Snapshot, id: &ObjectId, key: &str) -> bool {
    let Some(at) = read.origins.get(id) else { return true };
    let own = at.file.path.as_str();
    // Where several documents are this object, each may be meant.
    let others = read.problems.iter().filter(|problem| problem.message.starts_with(&format!("{id} ")));
    let in_definition = match text_at(at, &["spec", "definition", "file"]) {
        Some(file) => file_names(&beside(at, &file), key),
        None => text_at(at, &["spec", "definition", "configMap", "name"]).is_some(),
    };
    names_key(at.text(), key)
        || in_definition
        || others.filter(|problem| problem.file != own).any(|problem| file_names(Path::new(&problem.file), key))
}
