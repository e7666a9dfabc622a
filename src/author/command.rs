//! Commands that a message names: complete, so that they can be pasted.

use crate::engine::model::command::EditCommand;
use crate::project::Project;

/// Returns a command for the root of a project.
pub(super) fn command(project: &Project, mut command: EditCommand) -> String {
    project.complete(&mut command);
    command.to_string()
}
