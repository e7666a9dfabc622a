//! `stablekey status`.

use super::hub::{self, HubOptions, OpenHub};
use super::options::{FormatOption, Narrowing, RootArgument};
use super::output::{Output, OutputFormat};
use super::{CommandFailure, planning};
use crate::project::hub::HubAddress;
use crate::project::planned::PlannedProject;
use crate::render::hub::{HubStatus, HubSyncStatus, HubTenantStatus};
use crate::render::{self, Invocation, JsonLayout, status_markdown, status_text, todo_markdown};
use crate::report;
use crate::report::components::ComponentsReport;
use crate::report::matrix::Matrix;
use crate::tenant::cluster::hub::HubTenant;
use clap::Args;

/// Show the state of every tenant
///
/// Components and their connections, the matrix of stable keys and tenants, what is out of sync, and with --todo the
/// manual steps. With --namespace and --context, it shows a hub: the state of each sync in each target, as its syncer
/// reports it. Exit codes are those of `plan`.
///
/// Example:
///   stablekey status --component sales
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    #[command(flatten)]
    hub: HubOptions,
    /// Only the manual steps, as a checklist
    #[arg(long)]
    todo: bool,
    /// Only the components whose key contains this, with their connections in every tenant; without a value all
    #[arg(long, value_name = "SEARCH", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["todo", "namespace"])]
    component: Option<String>,
}

impl StatusArgs {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        if let Some(address) = self.hub.address() {
            return self.run_on_hub(address, output);
        }
        let project = self.root.open()?;
        let planned = planning::make(&project, &self.narrowing.scope())?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let typed = self.root.invocation(&self.narrowing);
        let status = report::status::StatusReport::of(&planned.world, &planned.plan);
        if let Some(search) = &self.component {
            return self.show_components(&planned, &status.matrix, search, &typed, output);
        }
        if self.todo && self.format.output != OutputFormat::Json {
            output.folded(&todo_markdown(&status, &typed))?;
            return Ok(planned.plan.exit);
        }
        output.result(&match self.format.output {
            OutputFormat::Json => render::json(&status, JsonLayout::Pretty)
                .map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?,
            OutputFormat::Markdown => status_markdown(&status, &typed),
            OutputFormat::Text => status_text(&status, &typed, output.style()),
        })?;
        Ok(planned.plan.exit)
    }

    /// Shows components with their connections.
    fn show_components(
        &self,
        planned: &PlannedProject,
        matrix: &Matrix,
        search: &str,
        typed: &Invocation,
        output: &mut Output,
    ) -> Result<u8, CommandFailure> {
        let report = ComponentsReport::of(&planned.world, matrix, search);
        if report.components.is_empty() && !search.is_empty() {
            let near = ComponentsReport::near(&planned.world, search);
            let help = match near.as_slice() {
                [] => format!("{} lists all", typed.edit(["status", "--component"])),
                near => format!("did you mean {}?", near.join(" or ")),
            };
            return Err(CommandFailure::new(format!("no component's key contains {search}"), help));
        }
        output.result(&match self.format.output {
            OutputFormat::Json => render::json(&report, JsonLayout::Pretty)
                .map_err(|e| CommandFailure::new(e.to_string(), "internal error: report it"))?,
            OutputFormat::Text => render::components_text(&report, typed, output.style()),
            OutputFormat::Markdown => {
                return Err(CommandFailure::new("--component has no Markdown form", "give -o text or -o json"));
            }
        })?;
        Ok(planned.plan.exit)
    }

    /// Shows the state of a hub.
    fn run_on_hub(&self, address: HubAddress, output: &mut Output) -> Result<u8, CommandFailure> {
        hub::check_options(&self.root, &self.narrowing)?;
        if self.todo {
            let message =
                "--todo is a folder's: a hub's syncer counts manual steps, and names the first of each target";
            return Err(CommandFailure::new(message, format!("leave it away:\n    {}", hub::status_command(&address))));
        }
        let hub = OpenHub::open(address, self.root.servers(), output)?;
        let asked = hub.asked(&self.narrowing)?;
        let syncs = hub.statuses(&asked).into_iter().map(|part| {
            let mode = hub.contents.syncs.get(&part.hub.sync).map_or("Plan", hub::mode);
            HubSyncStatus::of(mode, part)
        });
        let scope = self.narrowing.scope();
        let is_asked = |name: &String| scope.tenants.is_empty() || scope.tenants.contains(name);
        let tenants = hub.contents.tenants.iter().filter(|(name, _)| is_asked(name));
        let tenants = tenants.map(|(name, tenant)| of_tenant(name, tenant)).collect();
        let status = HubStatus::of(&hub.address.namespace, tenants, syncs.collect(), Some(hub.syncer()));
        output.result(&match self.format.output {
            OutputFormat::Json => render::json(&status, JsonLayout::Pretty).map_err(|error| hub::no_json(&error))?,
            OutputFormat::Markdown => status.markdown(),
            OutputFormat::Text => status.text(output.style()),
        })?;
        Ok(status.exit())
    }
}

fn of_tenant(name: &str, tenant: &HubTenant) -> HubTenantStatus {
    match &tenant.spec {
        Ok(spec) => HubTenantStatus::of(name, &tenant.status, spec.region.clone(), spec.environment.clone()),
        Err(why) => HubTenantStatus::unreadable(name, why),
    }
}
