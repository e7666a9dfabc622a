//! `stablekey new override`.

use crate::api::{Override, True};
use crate::author::{Draft, new_override, secret_ref};
use crate::cli::CommandFailure;
use crate::cli::edit::EditOptions;
use crate::cli::output::Output;
use clap::Args;

/// Write an override of a sync: what differs in one target, with a reason
///
/// Examples:
///   stablekey new override us-to-eu --tenant eu-prod --key salesforce-oauth \
///     --input scopes --value 'api' --reason 'EU org'
///   stablekey new override us-to-eu --key slack-bot --field title \
///     --value 'Slack EU' --reason 'EU'
///   stablekey new override us-to-eu --integration lead-router \
///     --variable 'Slack Connection' --key slack-eu --reason 'own workspace'
///   stablekey new override us-to-eu --object Integration/lead-router \
///     --field definition --keep --reason pilot
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct NewOverrideCommand {
    /// The sync
    sync: String,
    /// The target that differs; by default the only one of the sync
    #[arg(long)]
    tenant: Option<String>,
    /// The stable key of the connection that differs, or that the variable is bound to
    #[arg(long)]
    key: Option<String>,
    /// The input that differs
    #[arg(long, value_name = "INPUT", conflicts_with_all = ["field", "variable"])]
    input: Option<String>,
    /// The field that differs: title, description or embeddedWorkflows; with --keep the path of any field
    #[arg(long)]
    field: Option<String>,
    /// The value in that target
    #[arg(long, conflicts_with_all = ["secret", "keep"])]
    value: Option<String>,
    /// The key of a Secret in that target, for the input
    #[arg(long, value_name = "NAME/KEY", requires = "input")]
    secret: Option<String>,
    /// The integration of the variable
    #[arg(long, value_name = "NAME", requires = "variable")]
    integration: Option<String>,
    /// The variable that is bound to another connection there
    #[arg(long, value_name = "NAME", requires_all = ["integration", "key"])]
    variable: Option<String>,
    /// The object whose field the sync leaves as it is there: Connection/NAME or Integration/NAME
    #[arg(long, value_name = "KIND/NAME", requires = "keep")]
    object: Option<String>,
    /// The sync neither writes nor compares the field there
    #[arg(long, requires_all = ["object", "field"])]
    keep: bool,
    /// Why it differs, for later readers
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    edit: EditOptions,
}

impl NewOverrideCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        // It may be the secret itself.
        let wrong = || {
            let help = "name a Secret and its key, not the secret itself: --secret NAME/KEY";
            CommandFailure::new("--secret: it is no reference to a Secret", help)
        };
        let secret = self.secret.as_deref().map(|given| secret_ref(given).ok_or_else(wrong)).transpose()?;
        let asked = Override {
            tenant: self.tenant.unwrap_or_default(),
            stable_key: self.key,
            input: self.input,
            value: self.value,
            secret_ref: secret,
            field: self.field,
            integration: self.integration,
            variable: self.variable,
            object: self.object,
            keep: self.keep.then_some(True),
            reason: self.reason,
        };
        let mut draft = Draft::new(&project);
        new_override::add(&mut draft, &self.sync, asked)?;
        self.edit.finish(draft, output)
    }
}
