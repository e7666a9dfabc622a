//! `stablekey bind`.

use super::CommandFailure;
use super::choose::{choose, choose_step};
use super::edit::EditOptions;
use super::output::Output;
use crate::author::Draft;
use crate::author::designer::{BindStep, Missing, bind};
use clap::Args;

/// Give a step of an integration its connection
///
/// The definition and the Integration change together. The step uses a variable that is bound to the stable key; a new
/// one has the title of the connection. The tenant can be left out where only one has the integration, or only one that
/// no sync feeds. Without --to, the connections that fit are listed; without --step, the steps that have none yet. A step
/// that has a connection gets another one with `stablekey switch`.
///
/// Examples:
///   stablekey bind lead-router --step 'Find lead' --to salesforce-oauth
///   stablekey bind us-prod lead-router --step 'Main/Find' --to salesforce-oauth
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, override_usage = "stablekey bind [OPTIONS] [TENANT] <INTEGRATION>")]
pub(super) struct BindCommand {
    /// The tenant; by default the only one that has the integration, or the only one of them that no sync feeds
    #[arg(value_name = "TENANT")]
    tenant: Option<String>,
    /// The integration
    integration: Option<String>,
    /// The step: its name, or its path FLOW/STEP/NESTED
    #[arg(long, value_name = "STEP")]
    step: Option<String>,
    /// The stable key of the connection
    #[arg(long, value_name = "KEY")]
    to: Option<String>,
    /// The input that takes the connection; by default as other steps of the component have it
    #[arg(long, value_name = "INPUT")]
    input: Option<String>,
    #[command(flatten)]
    edit: EditOptions,
}

impl BindCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        let prompts = self.edit.prompts(output);
        let mut draft = Draft::new(&project);
        // One name is that of the integration.
        let (tenant, integration) = match self.integration {
            Some(integration) => (self.tenant, Some(integration)),
            None => (None, self.tenant),
        };
        let mut asked = BindStep { tenant, integration, step: self.step, input: self.input, to: self.to };
        while let Some(missing) = bind(&mut draft, &asked)? {
            match missing {
                Missing::Step(steps) => asked.step = Some(choose_step(&steps, prompts.as_ref())?.path.clone()),
                Missing::Connection(choices) => asked.to = Some(choose(&choices, prompts.as_ref())?),
            }
        }
        self.edit.finish(draft, output)
    }
}
