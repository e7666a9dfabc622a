//! `stablekey keep`.

use super::edit::EditOptions;
use super::output::Output;
use super::{CommandFailure, revert};
use crate::author::keep::{KeepLive, keep};
use crate::engine::model::revert::Revert;
use clap::Args;

/// Make a live value the desired one
///
/// Ends drift, and decides what a tenant keeps of its own: the live value is written where it is desired. That is the
/// file of the tenant's source, or an override of the sync that declares the field, with --reason; where no value can
/// say it, the override is keep: true. With FIELD it also keeps a value that the next apply would change. Afterwards the
/// plan shows no difference there. To put the desired value back instead, use stablekey revert.
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
        let edited = keep(&project, &KeepLive { tenant, object, field, reason: self.reason })?;
        self.edit.carry_out(&edited, output)
    }
}
