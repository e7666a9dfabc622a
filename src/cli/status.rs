//! `stablekey status`.

use super::hub::{self, HubOptions};
use super::options::{ListFormatOption, Narrowing, RootArgument};
use super::output::{ListFormat, Output};
use super::{CommandFailure, planning};
use crate::git::Repository;
use crate::hub::{OpenHub, mode, status_command};
use crate::page;
use crate::project::Project;
use crate::project::hub::HubAddress;
use crate::project::planned::PlannedProject;
use crate::render::hub::{HubPart, HubStatus, HubSyncStatus, HubTenantStatus};
use crate::render::{
    self, Invocation, JsonLayout, ReceiptList, ReceiptRow, status_markdown, status_text, todo_markdown,
};
use crate::report;
use crate::report::components::ComponentsReport;
use crate::report::matrix::Matrix;
use crate::tenant::cluster::hub::HubTenant;
use clap::Args;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Show the state of every tenant
///
/// Components and their connections, the matrix of stable keys and tenants, what is out of sync, and with --todo the
/// manual steps. With --namespace and --context, it shows a hub: the state of each sync in each target, as its syncer
/// reports it. -o html writes the overview as one page without script: what is not in sync, and counts of the rest. Exit
/// codes are those of `plan`; with --receipts 0, or 1 if a tenant cannot be read.
///
/// Examples:
///   stablekey status
///   stablekey status --tenant eu-prod --todo
///   stablekey status -o name
///   stablekey status -n us-prod --context us
///   stablekey status --component sales
///   stablekey status -n us-prod --receipts
///   stablekey status -o html
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: ListFormatOption,
    #[command(flatten)]
    hub: HubOptions,
    /// Only the manual steps, as a checklist
    #[arg(long)]
    todo: bool,
    /// Only the components whose key contains this, with their connections in every tenant; without a value all
    #[arg(long, value_name = "SEARCH", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["todo", "namespace"])]
    component: Option<String>,
    /// Only the last changes that were carried out, newest first: of a hub's syncs, and of tenants on the platform
    #[arg(long, conflicts_with = "todo")]
    receipts: bool,
}

impl StatusArgs {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        if let Some(address) = self.hub.address() {
            return self.run_on_hub(address, output);
        }
        let project = self.root.open()?;
        if self.receipts {
            output.problems(&project.problems);
            let receipts = self.receipts_of_folder(&project)?;
            self.show(&receipts, output)?;
            return Ok(receipts.exit());
        }
        let planned = planning::make(&project, &self.narrowing.scope())?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        let typed = self.root.invocation(&self.narrowing);
        let status = report::status::StatusReport::of(&planned.world, &planned.plan);
        if let Some(search) = &self.component {
            return self.show_components(&planned, &status.matrix, search, &typed, output);
        }
        if self.todo && matches!(self.format.output, ListFormat::Text | ListFormat::Markdown) {
            output.folded(&todo_markdown(&status, &typed))?;
            return Ok(planned.plan.exit);
        }
        output.result(&match self.format.output {
            ListFormat::Json => render::json(&status, JsonLayout::Pretty).map_err(|error| no_form(&error))?,
            ListFormat::Yaml => render::yaml(&status).map_err(|error| no_form(&error))?,
            ListFormat::Name if self.todo => render::names(status.todo.iter().flat_map(|todo| todo.objects.clone())),
            ListFormat::Name => render::names(status.matrix.objects()),
            ListFormat::Markdown => status_markdown(&status, &typed),
            ListFormat::Text => status_text(&status, &typed, output.style()),
            ListFormat::Html if self.todo || !planned.plan.scope.is_whole() => {
                let help =
                    "leave --todo, --tenant, --integration and --sync away, or give -o text, json, yaml or markdown";
                return Err(CommandFailure::new("the page of the overview shows all tenants", help));
            }
            ListFormat::Html => {
                let overview = report::overview::Overview::of(&planned.world, &planned.plan);
                page::static_overview(&overview, &self.root.name(), &self.read_at(Timestamp::now()))
            }
        })?;
        Ok(planned.plan.exit)
    }

    /// When this was read, and from which commit, where it is in a work tree: a file outlasts both.
    fn read_at(&self, now: Timestamp) -> String {
        let commit = Repository::around(self.root.root()).and_then(|repository| repository.commit("HEAD"));
        let commit = commit.map(|commit| format!(", work tree at commit {}", commit.short())).unwrap_or_default();
        format!("Read on {}{commit}.", now.strftime("%Y-%m-%d at %H:%M UTC"))
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
            ListFormat::Json => render::json(&report, JsonLayout::Pretty).map_err(|error| no_form(&error))?,
            ListFormat::Yaml => render::yaml(&report).map_err(|error| no_form(&error))?,
            ListFormat::Name => render::names(report.objects()),
            ListFormat::Text => render::components_text(&report, typed, output.style()),
            ListFormat::Markdown | ListFormat::Html => {
                let help = "give -o text, json, yaml or name";
                return Err(CommandFailure::new("--component has no Markdown or HTML form", help));
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
            return Err(CommandFailure::new(message, format!("leave it away:\n    {}", status_command(&address))));
        }
        let hub = hub::open(address, self.root.servers(), output)?;
        if self.receipts {
            return self.show(&self.receipts_of_hub(&hub)?, output);
        }
        let status = of_hub(&hub, &self.narrowing, |_| true)?;
        show(&status, self.format.output, output)?;
        Ok(status.exit())
    }

    fn show(&self, receipts: &ReceiptList, output: &mut Output) -> Result<u8, CommandFailure> {
        output.result(&match self.format.output {
            ListFormat::Json => render::json(receipts, JsonLayout::Pretty).map_err(|error| no_form(&error))?,
            ListFormat::Yaml => render::yaml(receipts).map_err(|error| no_form(&error))?,
            ListFormat::Name => {
                return Err(CommandFailure::new(
                    "receipts are no objects: they have no names",
                    "give -o text, json or yaml",
                ));
            }
            ListFormat::Html => return Err(no_html("receipts have")),
            ListFormat::Markdown => receipts.markdown(),
            ListFormat::Text => receipts.text(output.style()),
        })?;
        Ok(0)
    }

    /// The receipts in the statuses of a hub.
    fn receipts_of_hub(&self, hub: &OpenHub) -> Result<ReceiptList, CommandFailure> {
        hub::asked(hub, &self.narrowing)?;
        let scope = self.narrowing.scope();
        let is_asked = |names: &BTreeSet<String>, name: &String| names.is_empty() || names.contains(name);
        let mut receipts = ReceiptList::default();
        for (name, sync) in hub.contents.syncs.iter().filter(|(name, _)| is_asked(&scope.syncs, name)) {
            let of_sync = sync.status.receipts.iter().filter(|receipt| is_asked(&scope.tenants, &receipt.tenant));
            receipts.add(of_sync.map(|receipt| ReceiptRow::of_sync(name, receipt)));
        }
        Ok(receipts)
    }

    /// The receipts that the locations of a folder's tenants keep.
    fn receipts_of_folder(&self, project: &Project) -> Result<ReceiptList, CommandFailure> {
        let scope = self.narrowing.scope();
        if !scope.syncs.is_empty() || !scope.integrations.is_empty() {
            let message = "--receipts are of tenants: a run carries out all that is planned";
            return Err(CommandFailure::new(message, "narrow by --tenant, or leave it away"));
        }
        for tenant in &scope.tenants {
            planning::known("tenant", tenant, project.tenants.keys())?;
        }
        let is_asked = |name: &String| scope.tenants.is_empty() || scope.tenants.contains(name);
        Ok(ReceiptList::of_project(project, is_asked))
    }
}

/// The status of a hub, of the syncs that `is_of` selects.
pub(super) fn of_hub(
    hub: &OpenHub,
    narrowing: &Narrowing,
    is_of: impl Fn(&HubPart) -> bool,
) -> Result<HubStatus, CommandFailure> {
    let asked = hub::asked(hub, narrowing)?;
    let syncs = hub.statuses(&asked).into_iter().filter(is_of).map(|part| {
        let mode = hub.contents.syncs.get(&part.hub.sync).map_or("Plan", mode);
        HubSyncStatus::of(mode, part)
    });
    let scope = narrowing.scope();
    let is_asked = |name: &String| scope.tenants.is_empty() || scope.tenants.contains(name);
    let tenants = hub.contents.tenants.iter().filter(|(name, _)| is_asked(name));
    let tenants = tenants.map(|(name, tenant)| of_tenant(name, tenant)).collect();
    Ok(HubStatus::of(&hub.address.namespace, tenants, syncs.collect(), Some(hub.syncer())))
}

/// Shows the status of a hub.
pub(super) fn show(status: &HubStatus, format: ListFormat, output: &mut Output) -> Result<(), CommandFailure> {
    output.result(&match format {
        ListFormat::Json => render::json(status, JsonLayout::Pretty).map_err(|error| no_form(&error))?,
        ListFormat::Yaml => render::yaml(status).map_err(|error| no_form(&error))?,
        ListFormat::Name => render::names(status.objects()),
        ListFormat::Html => return Err(no_html("a hub has")),
        ListFormat::Markdown => status.markdown(),
        ListFormat::Text => status.text(output.style()),
    })
}

/// The failure for what is no page.
fn no_html(what: &str) -> CommandFailure {
    CommandFailure::new(format!("{what} no HTML form"), "give -o text, json, yaml or markdown")
}

/// The failure to write the status in a form for programs.
fn no_form(error: &dyn std::error::Error) -> CommandFailure {
    CommandFailure::new(format!("the status cannot be written: {error}"), "internal error: report it")
}

fn of_tenant(name: &str, tenant: &HubTenant) -> HubTenantStatus {
    match &tenant.spec {
        Ok(spec) => {
            let about = (spec.region.clone(), spec.environment.clone());
            HubTenantStatus::of(name, &tenant.status, tenant.is_observed, about)
        }
        Err(why) => HubTenantStatus::unreadable(name, why),
    }
}
