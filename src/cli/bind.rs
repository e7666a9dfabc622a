//! `stablekey bind`.

use super::CommandFailure;
use super::choose::choose;
use super::edit::EditOptions;
use super::output::Output;
use crate::author::Draft;
use crate::author::designer::{BindStep, bind};
use clap::Args;

/// Give a step of an integration its connection
///
/// The definition and the Integration change together. The step uses a variable that is bound to the stable key; a new
/// one has the title of the connection. Without --to, the connections that fit are listed. A step that has a connection
/// gets another one with `stablekey switch`.
///
/// Examples:
///   stablekey bind us-prod lead-router --step 'Find lead' --to salesforce-oauth
///   stablekey bind us-prod lead-router --step 'Main/Find' --to salesforce-oauth
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct BindCommand {
    /// The tenant
    tenant: String,
    /// The integration
    integration: String,
    /// The step: its name, or its path FLOW/STEP/NESTED
    #[arg(long, value_name = "STEP")]
    step: String,
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
        let mut draft = Draft::new(&project);
        let mut asked = BindStep {
            tenant: self.tenant,
            integration: self.integration,
            step: self.step,
            input: self.input,
            to: self.to,
        };
        if let Some(choices) = bind(&mut draft, &asked)? {
            asked.to = Some(choose(&choices, output)?);
            bind(&mut draft, &asked)?;
        }
        self.edit.finish(draft, output)
    }
}
