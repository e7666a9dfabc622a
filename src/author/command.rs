//! Commands that a message names: complete, so that they can be pasted.

use super::error::AuthorError;
use crate::engine::model::command::EditCommand;
use crate::project::Project;

/// Returns a command for the root of a project.
pub(super) fn command(project: &Project, mut command: EditCommand) -> String {
    project.complete(&mut command);
    command.to_string()
}

/// Fails if a tenant is suspended: nothing is written there.
pub fn goes_on(project: &Project, tenant: &str) -> Result<(), AuthorError> {
    match project.tenants.get(tenant).is_some_and(|known| known.spec.is_suspended()) {
        true => {
            let resume = command(project, EditCommand::resume(tenant));
            let message = format!("{tenant} is suspended: nothing is written there");
            Err(AuthorError::refused(message, format!("to go on there:\n{resume}")))
        }
        false => Ok(()),
    }
}
