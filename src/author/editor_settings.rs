//! The editor's settings of a project: which folders and files its schema applies to.

use super::draft::Draft;
use super::error::AuthorError;
use super::structure::{SYNCS, TENANTS};
use crate::engine::model::command::EditCommand;
use crate::manifest::editor;
use crate::project::UNNAMED;
use crate::tenant::directory::disk;

/// Maximum size of settings, in bytes.
const MOST: u64 = 8_000_000;

/// The settings of a new project with tenants in these folders.
pub(super) fn new(folders: &[String]) -> Result<String, AuthorError> {
    let globs = globs(folders);
    editor::with_schema(None, editor::SCHEMA, &globs)
        .map_err(|error| AuthorError::refused(error.to_string(), "internal error: report it"))
}

fn globs(folders: &[String]) -> Vec<String> {
    editor::globs(folders.iter().map(String::as_str), [TENANTS, SYNCS])
}

/// Adds the folders of a new tenant. Settings that are not as a new project has them stay, and the command that
/// completes them is named.
pub(super) fn add(draft: &mut Draft<'_>, new_folders: &[String]) -> Result<(), AuthorError> {
    let project = draft.project;
    let path = project.root.join(editor::SETTINGS);
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(());
    }
    let Some(text) = disk::read(&path, MOST).ok().flatten().and_then(|bytes| String::from_utf8(bytes).ok()) else {
        return Ok(());
    };
    let tenants = project.tenants.iter().filter(|(name, _)| *name != UNNAMED);
    let before: Vec<String> = tenants.flat_map(|(_, tenant)| tenant.spec.folders()).collect();
    let after: Vec<String> = before.iter().chain(new_folders).cloned().collect();
    let completed = editor::with_schema(Some(&text), editor::SCHEMA, &globs(new_folders));
    if text == new(&before)? {
        draft.put(&path, Some(new(&after)?.into_bytes()))?;
    } else if text.contains(editor::SCHEMA) && completed.is_ok_and(|completed| completed != text) {
        let root = project.root.display().to_string();
        let mut command = EditCommand::of(&["schema", "--vscode"]);
        command.below(Some(root.as_str()).filter(|root| *root != "." && !root.is_empty()));
        draft.next(command.to_string());
    }
    Ok(())
}
