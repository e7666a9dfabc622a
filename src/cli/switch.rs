//! `stablekey switch`.

use super::CommandFailure;
use super::choose::choose;
use super::edit::EditOptions;
use super::output::Output;
use crate::author::Draft;
use crate::author::designer::{Moved, SwitchConnection, switch};
use clap::{ArgGroup, Args};

/// Move uses of a connection to another one
///
/// One step or data source, all that use a variable, or all variables that are bound to a stable key. The definition and
/// the Integration change together. A moved step uses a variable that is bound to the new key; a new one has the title
/// of the connection. Without --to, the connections that fit are listed.
///
/// An integration that a sync brings is changed where it comes from; a variable of it can be bound to another key in one
/// tenant, as an override of the sync, with --reason.
///
/// Examples:
///   stablekey switch us-prod lead-router --step 'Find lead' --to salesforce-eu
///   stablekey switch us-prod lead-router --variable CRM --to salesforce-eu
///   stablekey switch us-prod --all --from salesforce-oauth --to salesforce-eu
///   stablekey switch eu-prod lead-router --variable CRM --to sf-eu --reason EU
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, override_usage = "stablekey switch [OPTIONS] <TENANT> [INTEGRATION]")]
#[command(group = ArgGroup::new("moved").required(true).args(["step", "data_source", "variable", "from"]))]
pub(super) struct SwitchCommand {
    /// The tenant
    tenant: String,
    /// The integration
    #[arg(required_unless_present = "all")]
    integration: Option<String>,
    /// All integrations of the tenant; with --from
    #[arg(long, requires = "from", conflicts_with = "integration")]
    all: bool,
    /// The step: its name, or its path FLOW/STEP/NESTED
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// The config variable whose data source uses the connection
    #[arg(long, value_name = "VARIABLE")]
    data_source: Option<String>,
    /// The variable that all its users are moved with
    #[arg(long, value_name = "VARIABLE")]
    variable: Option<String>,
    /// The stable key whose variables are moved
    #[arg(long, value_name = "KEY")]
    from: Option<String>,
    /// The stable key of the new connection
    #[arg(long, value_name = "KEY")]
    to: Option<String>,
    /// The input, where a step has several connections
    #[arg(long, value_name = "INPUT")]
    input: Option<String>,
    /// Why the variable differs in this tenant, for an override
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl SwitchCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let moved = match (self.step, self.data_source, self.variable, self.from) {
            (Some(step), ..) => Moved::Step(step),
            (_, Some(variable), ..) => Moved::DataSource(variable),
            (_, _, Some(variable), _) => Moved::Variable(variable),
            (.., from) => Moved::Key(from.unwrap_or_default()),
        };
        let project = self.edit.open()?;
        let mut draft = Draft::new(&project);
        let mut asked = SwitchConnection {
            tenant: self.tenant,
            integration: self.integration,
            moved,
            input: self.input,
            to: self.to,
            reason: self.reason,
        };
        if let Some(choices) = switch(&mut draft, &asked)? {
            asked.to = Some(choose(&choices, output)?);
            switch(&mut draft, &asked)?;
        }
        self.edit.finish(draft, output)
    }
}
