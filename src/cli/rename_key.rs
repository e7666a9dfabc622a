//! `stablekey rename-key`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use crate::api::Kind;
use crate::author::rename_key::{KeyRename, rename_key};
use clap::Args;

/// Rename a stable key in every tenant
///
/// A key never changes: a new Connection replaces the one with the old key, in the manifests of every tenant, and
/// the old key resolves to it. Integrations, their definitions and the overrides of syncs name the new key; customers'
/// credentials stay. The old Connection stays too, until nothing names its key any more. What only a target has for the
/// old key is a manual step, with the command that gives it to the new one. An interrupted rename is finished by the
/// same command.
///
/// Examples:
///   stablekey rename-key sf_old salesforce-oauth
///   stablekey rename-key sf_old salesforce-oauth --dry-run
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct RenameKeyCommand {
    /// The old stable key
    old: String,
    /// The new stable key
    new: String,
    #[command(flatten)]
    edit: EditOptions,
}

impl RenameKeyCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        let (old, new) = (Kind::Connection.name_in(&self.old), Kind::Connection.name_in(&self.new));
        let renamed = rename_key(&project, KeyRename { old, new })?;
        renamed.notes.iter().for_each(|note| output.note(note));
        self.edit.carry_out(&renamed.edited, output)
    }
}
