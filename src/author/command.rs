//! Commands that a message names: complete, so that they can be pasted.

use crate::engine::model::command::EditCommand;
use crate::project::Project;
use crate::text::quoted;

/// The option that names the root of a project in a command: empty for the current folder.
pub(super) fn root_option(project: &Project) -> String {
    let root = project.root.display().to_string();
    if root == "." { String::new() } else { format!(" -C {}", quoted(&root)) }
}

/// Returns a command for the root of a project.
pub(super) fn command(project: &Project, mut command: EditCommand) -> String {
    let root = project.root.display().to_string();
    command.below(Some(root.as_str()).filter(|root| *root != "."));
    command.to_string()
}
