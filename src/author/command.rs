//! Commands that a message names: complete, so that they can be pasted.

use super::error::AuthorError;
use crate::engine::model::command::EditCommand;
use crate::project::Project;
use std::path::Path;

/// Returns a command for the root of a project.
pub(super) fn command(project: &Project, mut command: EditCommand) -> String {
    project.complete(&mut command);
    command.to_string()
}

/// Fails if a tenant is suspended: nothing is written there.
pub fn goes_on(project: &Project, tenant: &str) -> Result<(), AuthorError> {
    refused_where_suspended(project, tenant, "nothing is written there")
}

/// Fails if a file is live in a suspended tenant: its folder is its location. The manifests of its source may change, as
/// no apply writes them to the tenant.
pub(super) fn is_not_suspended(project: &Project, file: &Path) -> Result<(), AuthorError> {
    match project.owner_of_live(file) {
        Some(tenant) => {
            let why = "its folder is its location, so an edit there is a write to the tenant; nothing is written there";
            refused_where_suspended(project, tenant, why)
        }
        None => Ok(()),
    }
}

fn refused_where_suspended(project: &Project, tenant: &str, why: &str) -> Result<(), AuthorError> {
    match project.tenants.get(tenant).is_some_and(|known| known.spec.is_suspended()) {
        true => {
            let resume = command(project, EditCommand::resume(tenant));
            let help = format!("to go on there:\n{resume}");
            Err(AuthorError::Suspended { tenant: tenant.to_string(), why: why.to_string(), help })
        }
        false => Ok(()),
    }
}
