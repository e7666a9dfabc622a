//! `stablekey keep`.

use super::edit::EditOptions;
use super::output::Output;
use super::{CommandFailure, revert};
use crate::apply::write_records;
use crate::author::keep::{KeepLive, Kept, keep};
use crate::engine::model::revert::Revert;
use crate::text::count;
use clap::Args;

/// Make a live value the desired one
///
/// Ends drift, and decides what a tenant keeps of its own: the live value is written where it is desired. That is the
/// file of the tenant's source, or an override of the sync that declares the field, with --reason; where no value can
/// say it, the override is keep: true. With FIELD it also keeps a value that the next apply would change. Afterwards the
/// plan shows no difference there. If it is interrupted, the same command finishes it. To put the desired value back
/// instead, use stablekey revert.
///
/// Examples:
///   stablekey keep eu-prod Connection/slack-bot title --reason 'EU team'
///   stablekey keep eu-prod Integration/lead-router connections.CRM --reason EU
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct KeepCommand {
    /// The tenant
    tenant: String,
    /// The object: KIND/NAME, for example Connection/salesforce-oauth or conn/salesforce-oauth
    #[arg(value_name = "KIND/NAME")]
    object: String,
    /// The field, as the plan shows it: inputs.scopes; by default all that differ
    field: Option<String>,
    /// Why the tenant differs, for an override of a sync
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl KeepCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        let found = revert::find(&project, &self.tenant, &self.object, self.field.as_deref(), output)?;
        let Revert { tenant, object, field } = found;
        let Kept { edited, records } =
            keep(&project, &KeepLive { tenant: tenant.clone(), object, field, reason: self.reason })?;
        let code = self.edit.carry_out(&edited, output)?;
        if edited.files.is_empty() && !records.is_empty() && !self.edit.dry_run {
            let objects = count(records.len(), "object", "objects");
            self.edit.consent(&format!("Write the ownership record of {objects} of {tenant}?"), output)?;
        }
        if !self.edit.dry_run && !records.is_empty() {
            write_records(&project, &tenant, &records.iter().collect::<Vec<_>>()).map_err(|why| {
                let message = format!("the files are written, and the ownership record of {tenant} is not: {why}");
                CommandFailure::new(message, "run the command again to finish")
            })?;
            output.note(&format!("The ownership record of {tenant} follows."));
        }
        Ok(code)
    }
}
