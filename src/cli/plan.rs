//! `stablekey plan`.

use super::commits::{CommitOptions, ProjectSides, RemoteProject};
use super::hub::{self, HubOptions, OwnContexts};
use super::kept::KeptApprovals;
use super::options::{FormatOption, Narrowing, RootArgument};
use super::output::{Output, OutputFormat};
use super::stored::SnapshotOptions;
use super::{CommandFailure, plan_file, planning};
use crate::apply::consent::StoredApproval;
use crate::engine::model::plan::Plan;
use crate::file_tree::FileTree;
use crate::hub::waiting;
use crate::project::changed::ChangedProject;
use crate::project::hub::HubAddress;
use crate::project::planned;
use crate::project::stored::StoredProject;
use crate::render::hub::HubPlan;
use crate::render::{self, ChangeReport, Invocation, JsonLayout, ShownChange, Style};
use clap::Args;
use std::path::{Path, PathBuf};

/// Show what apply would do, and what is missing
///
/// Compares the desired state (sources and syncs) with the live state of every tenant. Nothing is written. With --from
/// and --to, it shows what a change of the files does, such as a pull request: what differs with the commit itself, and
/// what an apply does then. With --namespace and --context, it shows the plans that wait in a hub, as its syncer stores
/// them there. The schema of `-o json` is docs/plan.schema.json. Exit codes: 0 nothing to do, 1 an error, 2 there are
/// actions, 3 something declared is unresolved.
///
/// Examples:
///   stablekey plan examples/us-eu
///   stablekey plan --tenant eu-prod --integration lead-router
///   stablekey plan --sync us-prod:eu-prod --out plan.json
///   stablekey plan --from main --to HEAD
///   stablekey plan --git https://github.com/acme/connections@change --from main
///   stablekey plan -n us-prod --context us
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct PlanCommand {
    #[command(flatten)]
    root: RootArgument,
    #[command(flatten)]
    narrowing: Narrowing,
    #[command(flatten)]
    format: FormatOption,
    #[command(flatten)]
    hub: HubOptions,
    #[command(flatten)]
    own: OwnContexts,
    #[command(flatten)]
    commits: CommitOptions,
    #[command(flatten)]
    stored: SnapshotOptions,
    /// Show what `apply --resend` would do: send the secrets of this connection again to the one --tenant (repeatable)
    #[arg(long, value_name = "KEY[/INPUT]", requires = "tenants", conflicts_with_all = ["namespace", "from", "git", "snapshot"])]
    resend: Vec<String>,
    /// Also ask each cluster, by a dry run, whether it would accept every change: the plan then includes admission
    /// policies and quotas
    #[arg(long, conflicts_with_all = ["namespace", "from", "git", "snapshot"])]
    server: bool,
    /// Also write the plan to this file: `apply --plan` takes it as consent. Only a regular file is replaced; - is
    /// standard output, and the plan is then shown on standard error
    #[arg(long, value_name = "FILE", conflicts_with_all = ["namespace", "from", "git", "snapshot"])]
    out: Option<PathBuf>,
}

impl PlanCommand {
    pub(super) fn run(mut self, output: &mut Output) -> Result<u8, CommandFailure> {
        self.narrowing.resend = std::mem::take(&mut self.resend);
        if let Some(address) = self.hub.address() {
            return self.run_on_hub(address, output);
        }
        let remote = self.commits.remote(&self.root)?;
        let stored = self.stored.read()?;
        if let Some(sides) = self.commits.open(&self.root, remote.as_ref(), stored.as_ref())? {
            return self.run_on_commits(&sides, output);
        }
        if let Some(remote) = remote {
            return self.run_on_remote(&remote, stored.as_ref(), output);
        }
        let project = match &stored {
            Some(stored) => self.root.open_stored(FileTree::default(), stored)?,
            None => self.root.open()?,
        };
        let mut planned = planning::make(&project, &self.narrowing.scope())?;
        let mut roles = project.roles.clone();
        if self.server {
            roles.extend(planning::ask_servers(&project, &mut planned.plan));
        }
        output.problems(&project.problems);
        output.roles(roles.iter().map(String::as_str));
        let plan_file = self.out.as_ref().filter(|path| *path != Path::new("-")).map(|path| path.display().to_string());
        let typed = Invocation { plan_file, ..self.root.invocation(&self.narrowing) };
        let approvals = KeptApprovals::of(&project);
        let kept = approvals.all(&project);
        approvals.warn(&project, output);
        let format = self.format.output;
        match &self.out {
            // Standard output has the plan file, so the rest goes to standard error.
            Some(path) if path == Path::new("-") => {
                let mut text = Ok(String::new());
                output.show_aside(|style| {
                    text = show(&planned, &kept, &typed, format, style);
                    text.as_ref().map_or(String::new(), Clone::clone)
                });
                text?;
            }
            _ => output.result(&show(&planned, &kept, &typed, format, output.style())?)?,
        }
        if format != OutputFormat::Text
            && let Some(text) = render::kept_text(&planned.plan, &kept, &typed, output.style())
        {
            output.note(text.trim_end());
        }
        if let Some(path) = &self.out {
            plan_file::save(&project, &planned.plan, &self.root.sources_seen_from_root()?, path, output)?;
        }
        Ok(planned.plan.exit)
    }

    /// Shows the plan of a repository on a Git server.
    fn run_on_remote(
        &self,
        remote: &RemoteProject,
        stored: Option<&StoredProject>,
        output: &mut Output,
    ) -> Result<u8, CommandFailure> {
        let (project, _fetched, name) = remote.open(&self.root, stored)?;
        let planned = planning::make(&project, &self.narrowing.scope())?;
        output.problems(&project.problems);
        output.roles(project.roles.iter().map(String::as_str));
        output.note(&format!("This is the plan of {name}. To apply it, run stablekey apply in a clone."));
        let typed = self.typed();
        output.result(&show(&planned, &[], &typed, self.format.output, output.style())?)?;
        Ok(planned.plan.exit)
    }

    /// Shows what the change from one commit to another does.
    fn run_on_commits(&self, sides: &ProjectSides, output: &mut Output) -> Result<u8, CommandFailure> {
        let scope = self.narrowing.scope();
        planning::check_names_of_either(&sides.before, &sides.after, &scope)?;
        let changed = ChangedProject::of(&sides.before, &sides.after, &scope);
        sides.cautions.iter().for_each(|caution| output.note(caution));
        output.problems(&changed.problems);
        output.roles(sides.after.roles.iter().map(String::as_str));
        let shown = ShownChange { changed: &changed, from: &sides.names.from, to: &sides.names.to };
        output.result(&match self.format.output {
            OutputFormat::Text => shown.text(&self.typed(), output.style()),
            OutputFormat::Markdown => ChangeReport::of(&shown).markdown("", &self.typed().plan(), true),
            OutputFormat::Json => shown.json().map_err(|error| no_json(&error))?,
        })?;
        Ok(changed.exit())
    }

    /// The command that shows a plan of commits again.
    fn typed(&self) -> Invocation {
        let CommitOptions { from, to, git } = &self.commits;
        let snapshot = self.stored.snapshot.as_ref().map(|path| path.display().to_string());
        let options = [("--git", git), ("--from", from), ("--to", to), ("--snapshot", &snapshot)];
        let options = options.map(|(option, value)| (option, value.as_deref()));
        self.root.invocation(&self.narrowing).shown_by(&["plan"], &options)
    }

    /// Shows what waits in a hub.
    fn run_on_hub(&self, address: HubAddress, output: &mut Output) -> Result<u8, CommandFailure> {
        hub::check_options(&self.root, &self.narrowing)?;
        let mut hub = hub::open(address, self.root.servers(), output)?;
        let asked = hub::asked(&hub, &self.narrowing)?;
        let mut parts = waiting::plans(&mut hub, &asked).map_err(|failure| hub::told(failure, output))?;
        hub::compare(&hub, &self.own, &mut parts, output)?;
        let plan = HubPlan { parts, syncer: Some(hub.syncer()), is_asked: false };
        output.result(&match self.format.output {
            OutputFormat::Text => plan.text(output.style()),
            OutputFormat::Markdown => plan.markdown(),
            OutputFormat::Json => {
                let json = plan.json().map_err(|error| hub::no_json(&error))?;
                render::json(&json, JsonLayout::Pretty).map_err(|error| hub::no_json(&error))?
            }
        })?;
        if self.format.output == OutputFormat::Json {
            plan.asides().iter().for_each(|aside| output.note(aside));
        }
        Ok(plan.exit())
    }
}

/// The plan in the requested format; text includes earlier approvals.
pub(super) fn show(
    planned: &planned::PlannedProject,
    kept: &[(&str, Vec<StoredApproval>)],
    typed: &Invocation,
    format: OutputFormat,
    style: Style,
) -> Result<String, CommandFailure> {
    let plan = &planned.plan;
    Ok(match format {
        OutputFormat::Json => json(plan)?,
        OutputFormat::Markdown => render::plan_markdown(plan, typed),
        OutputFormat::Text => text(planned, kept, typed, style),
    })
}

/// The plan as text, with earlier approvals.
pub(super) fn text(
    planned: &planned::PlannedProject,
    kept: &[(&str, Vec<StoredApproval>)],
    typed: &Invocation,
    style: Style,
) -> String {
    let plan = &planned.plan;
    let mut text = match one_screen(plan) {
        Some((tenant, integration)) => render::bindings_text(&planned.world, plan, tenant, integration, typed, style),
        None => render::plan_text(plan, typed, style),
    };
    if let Some(kept) = render::kept_text(plan, kept, typed, style) {
        text.push('\n');
        text.push_str(&kept);
    }
    text
}

/// The tenant and the integration, if the plan is narrowed to one of each.
fn one_screen(plan: &Plan) -> Option<(&str, &str)> {
    let only = |names: &std::collections::BTreeSet<String>| names.len() == 1;
    let one = only(&plan.scope.tenants) && only(&plan.scope.integrations);
    Some((plan.scope.tenants.first()?.as_str(), plan.scope.integrations.first()?.as_str())).filter(|_| one)
}

fn json(plan: &Plan) -> Result<String, CommandFailure> {
    render::json(plan, JsonLayout::Pretty).map_err(|error| no_json(&error))
}

fn no_json(error: &serde_json::Error) -> CommandFailure {
    CommandFailure::new(format!("the plan has no JSON form: {error}"), "internal error: report it")
}
