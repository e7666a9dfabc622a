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
    /// A stable key; or a tenant and an integration
    #[arg(required = true, num_args = 1..=2, value_names = ["KEY|TENANT", "INTEGRATION"])]
    names: Vec<String>,
    #[command(flatten)]
    root: RootOption,
    /// Only what this flow uses
    #[arg(long)]
    flow: Option<String>,
    /// Only what this step uses
    #[arg(long)]
    step: Option<String>,
    #[command(flatten)]
    format: FormatOption,
}

impl Explain {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, Failure> {
        let project = self.root.open()?;
        output.problems(&project.problems);
        let world = project.world();
        let wrong = |error: render::ExplainError| {
            Failure::new(error.to_string(), "`stablekey status` shows every key and every integration")
        };
        let json = |e: serde_json::Error| Failure::new(e.to_string(), "this is a mistake of ours: report it");
        let text = match self.names.as_slice() {
            [tenant, integration] => {
                let explained =
                    explain_integration(&world, tenant, integration, self.flow.as_deref(), self.step.as_deref())
                        .map_err(wrong)?;
                match self.format.output {
                    Format::Text => explained.text(output.style()),
                    Format::Markdown => explained.markdown(),
                    Format::Json => render::json(&explained, Layout::Pretty).map_err(json)?,
                }
            }
            [key] => {
                let explained = explain_key(&world, key).map_err(wrong)?;
                match self.format.output {
                    Format::Text => explained.text(output.style()),
                    Format::Markdown => explained.markdown(),
                    Format::Json => render::json(&explained, Layout::Pretty).map_err(json)?,
                }
            }
            _ => return Err(Failure::new("too many names", "give a stable key, or a tenant and an integration")),
        };
        output.result(&text)?;
        Ok(u8::from(!project.problems.is_empty()))
    }
}
