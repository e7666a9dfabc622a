//! `stablekey plan`.

use super::options::{FormatOption, Narrowing, RootArgument};
use super::output::{Format, Output};
use super::{Failure, planning};
use crate::engine::plan::Plan;
use crate::render::{self, Invocation, Layout};
use crate::tenant::disk;
use clap::Args;
use std::path::{Path, PathBuf};

/// Show what would be done, and what is missing, before anything is touched
///
/// Compares what is declared (by sources and syncs) with what is live in every tenant. Nothing is
/// written. The schema of `-o json` is docs/plan.schema.json. Exit codes: 0 nothing to do, 1 an error, 2 there are actions, 3 something declared will not
/// be reached.
#[derive(Debug, Args)]
pub struct PlanCommand {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    /// Also ask each cluster, by a dry run, whether it would take every change: admission policies and
    /// quotas are then in the plan
    #[arg(long)]
    server: bool,
    /// Also write the plan to this file: what `apply --plan` takes as consent
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl PlanCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, Failure> {
        let project = self.root.open()?;
        let mut planned = planning::make(&project, &self.narrowing.scope())?;
        let mut roles = project.roles.clone();
        if self.server {
            roles.extend(planning::ask_servers(&project, &mut planned.plan));
        }
        output.problems(&project.problems);
        output.roles(roles.iter().map(String::as_str));
        let typed = self.root.invocation(&self.narrowing);
        output.result(&show(&planned, &typed, self.format.output, output)?)?;
        if let Some(path) = &self.out {
            save(&planned.plan, path)?;
        }
        Ok(planned.plan.exit)
    }
}

/// The plan in the form that was asked for.
pub fn show(
    planned: &planning::Planned,
    typed: &Invocation,
    format: Format,
    output: &Output,
) -> Result<String, Failure> {
    let plan = &planned.plan;
    Ok(match format {
        Format::Json => json(plan)?,
        Format::Markdown => render::plan_markdown(plan, typed),
        Format::Text => match one_screen(plan) {
            Some((tenant, integration)) => {
                render::bindings_text(&planned.world, plan, tenant, integration, typed, output.style())
            }
            None => render::plan_text(plan, typed, output.style()),
        },
    })
}

/// The tenant and the integration, where the plan was narrowed to one of each.
fn one_screen(plan: &Plan) -> Option<(&str, &str)> {
    let only = |names: &std::collections::BTreeSet<String>| names.len() == 1;
    let one = only(&plan.scope.tenants) && only(&plan.scope.integrations);
    Some((plan.scope.tenants.first()?.as_str(), plan.scope.integrations.first()?.as_str())).filter(|_| one)
}

fn json(plan: &Plan) -> Result<String, Failure> {
    render::json(plan, Layout::Pretty).map_err(|error| {
        Failure::new(format!("the plan has no JSON form: {error}"), "this is a mistake of ours: report it")
    })
}

/// Writes a plan file, for its owner's eyes only.
fn save(plan: &Plan, path: &Path) -> Result<(), Failure> {
    let text = json(plan)?;
    disk::write_privately(path, text.as_bytes()).map_err(|error| Failure::writing(path, &error))
}
