//! `stablekey set`.

use super::CommandFailure;
use super::edit::EditOptions;
use super::output::Output;
use super::values::ValueOptions;
use crate::api::Kind;
use crate::author::Draft;
use crate::author::set::{SetConnection, set};
use clap::Args;

/// Alter a connection in its manifest
///
/// In a tenant that a sync feeds, a value is written where the tenant's own source declares it, else as an override of
/// the sync, with --reason. The diff and what the plan would say are shown before anything is written; an edit that
/// makes the plan worse needs --force. Secrets are references, never values.
///
/// Examples:
///   stablekey set salesforce-oauth scopes='api refresh_token'
///   stablekey set --tenant eu-prod salesforce-oauth scopes=api --reason 'EU app'
///   stablekey set salesforce-oauth --secret clientSecret=sf-app/clientSecret
///   stablekey set salesforce-oauth --embedded on --test username=tester \
///     --test-secret password=salesforce-test/password
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct SetCommand {
    /// The stable key of the connection
    key: String,
    #[command(flatten)]
    values: ValueOptions,
    /// Remove an input, or test.INPUT, title or description (repeatable)
    #[arg(long, value_name = "INPUT")]
    unset: Vec<String>,
    /// The tenant; by default the one that declares the connection
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Why the value differs in this tenant, for an override
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl SetCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let values = self.values.values(&self.unset)?;
        if values.is_empty() {
            let help =
                "give INPUT=VALUE, --secret, --per-customer, --test, --test-secret, --embedded, --title or --unset";
            return Err(CommandFailure::new("nothing is to be changed", help));
        }
        let project = self.edit.open()?;
        let mut draft = Draft::new(&project);
        let key = Kind::Connection.name_in(&self.key).to_string();
        set(&mut draft, &SetConnection { tenant: self.tenant, key, values, reason: self.reason })?;
        self.edit.finish(draft, output)
    }
}
