//! `stablekey switch`.

use super::CommandFailure;
use super::choose::{choose, choose_step};
use super::edit::EditOptions;
use super::output::Output;
use crate::author::Draft;
use crate::author::designer::{Missing, Moved, SwitchConnection, switch};
use clap::{ArgGroup, Args};

/// Move uses of a connection to another one
///
/// One step or data source, all that use a variable, or all variables that are bound to a stable key. The definition and
/// the Integration change together. A moved step uses a variable that is bound to the new key; a new one has the title
/// of the connection, and a step that has no connection yet gets one. Without --to, the connections that fit are listed;
/// without --step, the steps and what they use.
///
/// The tenant can be left out where only one has the integration, or only one that no sync feeds. --all moves all
/// integrations of a tenant or none: where one cannot be changed and may use the key, it says which, and why.
///
/// An integration that a sync brings is changed where it comes from; a variable of it can be bound to another key in one
/// tenant, as an override of the sync, with --reason.
///
/// Examples:
///   stablekey switch lead-router --step 'Find lead' --to salesforce-eu
///   stablekey switch us-prod lead-router --variable CRM --to salesforce-eu
///   stablekey switch us-prod --all --from salesforce-oauth --to salesforce-eu
///   stablekey switch eu-prod lead-router --variable CRM --to sf-eu --reason EU
#[derive(Debug, Args)]
#[command(
    verbatim_doc_comment,
    override_usage = "stablekey switch [OPTIONS] [TENANT] <INTEGRATION>\n       stablekey switch [OPTIONS] <TENANT> --all"
)]
#[command(group = ArgGroup::new("moved").args(["step", "data_source", "variable", "from"]))]
pub(super) struct SwitchCommand {
    /// The tenant; by default the only one that has the integration, or the only one of them that no sync feeds
    #[arg(value_name = "TENANT", required_if_eq("all", "true"))]
    tenant: Option<String>,
    /// The integration
    integration: Option<String>,
    /// All integrations of the tenant; with --from
    #[arg(long, requires = "from", conflicts_with_all = ["integration", "step", "data_source", "variable"])]
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
            (Some(step), ..) => Some(Moved::Step(step)),
            (_, Some(variable), ..) => Some(Moved::DataSource(variable)),
            (_, _, Some(variable), _) => Some(Moved::Variable(variable)),
            (.., from) => from.map(Moved::Key),
        };
        let project = self.edit.open()?;
        let prompts = self.edit.prompts(output);
        let mut draft = Draft::new(&project);
        // One name is that of the integration, or of the tenant whose integrations are all meant.
        let (tenant, integration) = match self.integration {
            None if !self.all => (None, self.tenant),
            integration => (self.tenant, integration),
        };
        let mut asked =
            SwitchConnection { tenant, integration, moved, input: self.input, to: self.to, reason: self.reason };
        let left_out = loop {
            let switched = switch(&mut draft, &asked, self.all)?;
            match switched.missing {
                Some(Missing::Step(steps)) => {
                    let step = choose_step(&steps, prompts.as_ref())?;
                    let path = step.path.clone();
                    asked.moved = Some(if step.is_data_source { Moved::DataSource(path) } else { Moved::Step(path) });
                }
                Some(Missing::Connection(choices)) => asked.to = Some(choose(&choices, prompts.as_ref())?),
                None => break switched.left_out,
            }
        };
        left_out.iter().for_each(|note| output.note(note));
        self.edit.finish(draft, output)
    }
}
