//! `stablekey explain`.

use super::Failure;
use super::options::{FormatOption, RootOption};
use super::output::{Format, Output};
use crate::render::{self, Layout, explain_integration, explain_key};
use clap::Args;

/// Say which connection a variable means and why, or everything that depends on a stable key
///
///   stablekey explain us-prod lead-router --flow "New Lead" --step Notify
///   stablekey explain salesforce-oauth
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Explain {
    /// A stable key; or, with an integration, a tenant
    #[arg(value_name = "KEY|TENANT")]
    name: String,
    /// The integration to explain in that tenant
    integration: Option<String>,
    #[command(flatten)]
    root: RootOption,
    /// Only what this flow uses
    #[arg(long, requires = "integration")]
    flow: Option<String>,
    /// Only what this step uses
    #[arg(long, requires = "integration")]
    step: Option<String>,
    #[command(flatten)]
    format: FormatOption,
}

impl Explain {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, Failure> {
        let project = self.root.open()?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let world = project.world();
        let wrong = |error: render::ExplainError| {
            Failure::new(error.to_string(), "`stablekey status` shows every key and every integration")
        };
        let json = |e: serde_json::Error| Failure::new(e.to_string(), "this is a mistake of ours: report it");
        let text = match &self.integration {
            Some(integration) => {
                let explained =
                    explain_integration(&world, &self.name, integration, self.flow.as_deref(), self.step.as_deref())
                        .map_err(wrong)?;
                match self.format.output {
                    Format::Text => explained.text(output.style()),
                    Format::Markdown => explained.markdown(),
                    Format::Json => render::json(&explained, Layout::Pretty).map_err(json)?,
                }
            }
            None => {
                let explained = explain_key(&world, &self.name).map_err(wrong)?;
                match self.format.output {
                    Format::Text => explained.text(output.style()),
                    Format::Markdown => explained.markdown(),
                    Format::Json => render::json(&explained, Layout::Pretty).map_err(json)?,
                }
            }
        };
        output.result(&text)?;
        Ok(u8::from(!project.problems.is_empty()))
    }
}
