//! Forgets a writer that does not exist any more.

use super::command::goes_on;
use super::draft::Draft;
use super::edited::Edited;
use super::error::AuthorError;
use super::home::tenant;
use super::records;
use crate::api::AllowedAction;
use crate::engine::forget::forget as forgotten;
use crate::engine::model::inventory::{Sync, Targets};
use crate::engine::model::plan::Action;
use crate::engine::model::record::Writer;
use crate::project::Project;
use crate::tenant::directory::layout::FolderRole;
use std::collections::BTreeSet;

/// The changes of a tenant's ownership records.
#[derive(Debug)]
pub struct Forgotten {
    /// The tenant.
    pub tenant: String,
    /// The writer.
    pub writer: Writer,
    /// The record of each object after it.
    pub actions: Vec<Action>,
    /// The edit of `stablekey.lock`, if the records are kept there.
    pub edited: Option<Edited>,
}

/// Drops a writer from the ownership records of a tenant. Fails if the writer exists, or may exist.
pub fn forget(project: &Project, name: &str, writer: &str) -> Result<Forgotten, AuthorError> {
    let (name, found) = tenant(project, name)?;
    let unread = |why: &String| AuthorError::Unreadable { what: name.to_string(), why: why.clone() };
    let inventory = &found.live.as_ref().map_err(unread)?.inventory;
    let records = || inventory.records.values().filter(|record| record.tenant == name);
    let left: BTreeSet<String> = records().flat_map(|record| record.writers()).map(ToString::to_string).collect();
    let typed = Writer::parse(writer).unwrap_or_else(|| Writer::Sync(writer.to_string()));
    if !left.contains(&typed.to_string()) {
        let there = left.iter().map(String::as_str);
        if left.is_empty() {
            let message = format!("no writer left anything in the record of {name}");
            return Err(AuthorError::refused(message, "there is nothing to forget"));
        }
        return Err(AuthorError::unknown(&format!("writer in the record of {name}:"), writer, there));
    }
    exists_not(project, name, &typed)?;
    goes_on(project, name)?;
    if !found.spec.allows(AllowedAction::Update) {
        let message = format!("the policy of {name} does not allow Update");
        return Err(AuthorError::refused(
            message,
            "the record is written wherever Update is allowed: add it to policy.actions",
        ));
    }
    let actions = forgotten(name, inventory, &typed);
    let edited = match project.folder(name, FolderRole::Location) {
        None => None,
        Some(_) => {
            let mut draft = Draft::new(project);
            records::follow(&mut draft, name, &actions.iter().collect::<Vec<_>>())?;
            Some(draft.finish()?)
        }
    };
    Ok(Forgotten { tenant: name.to_string(), writer: typed, actions, edited })
}

/// Fails if a writer exists for a tenant, or if it cannot be known.
fn exists_not(project: &Project, tenant: &str, writer: &Writer) -> Result<(), AuthorError> {
    let name = match writer {
        // These never declare again.
        Writer::Promote(_) | Writer::Adopt => return Ok(()),
        Writer::Source => {
            let declares =
                project.tenants.get(tenant).is_some_and(|found| found.spec.source.is_some() || found.source.is_some());
            return match declares {
                false => Ok(()),
                true => {
                    let help = format!("it is there: take source out of Tenant {tenant} first");
                    Err(AuthorError::refused(format!("{tenant} has a source, which is not forgotten"), help))
                }
            };
        }
        Writer::Sync(name) => name,
    };
    if let Some(file) = project.unread.first() {
        let message = format!("{file} cannot be read, and could hold TenantSync/{name}");
        return Err(AuthorError::refused(message, "fix it first"));
    }
    let is_meant = |sync: &&Sync| {
        let spec = &sync.spec;
        let names_unknown = spec.targets().chain([&spec.from]).any(|named| !project.tenants.contains_key(named));
        sync.writer == *writer && (names_unknown || spec.goes_to(tenant))
    };
    let is_stopped = project.stopped.get(writer).is_some_and(|targets| *targets != Targets::None);
    if project.syncs.iter().any(|sync| is_meant(&sync)) || is_stopped {
        let help = format!(
            "it is there: to stop it, take {tenant} out of to of TenantSync/{name}, or remove TenantSync/{name}, first"
        );
        return Err(AuthorError::refused(format!("{writer} may write to {tenant}, and is not forgotten"), help));
    }
    Ok(())
}
