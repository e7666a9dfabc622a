//! `stablekey new sync`.

use crate::api::ConnectionMode;
use crate::apply::write_records;
use crate::author;
use crate::author::sync::{self, HandedOver, NewSync};
use crate::cli::CommandFailure;
use crate::cli::asking::{Asking, Missing};
use crate::cli::edit::EditOptions;
use crate::cli::options::{RootOption, SourceOption};
use crate::cli::output::{Output, OutputFormat};
use crate::engine::model::plan::{Action, Scope};
use crate::engine::model::record::Writer;
use crate::project::planned::plan;
use clap::{Args, ValueEnum};

/// Write a sync, and hand the target over to it
///
/// Writes the TenantSync, and adds the source tenant to acceptFrom of the target. What the target has already is handed
/// over: what is equal is taken out of the source of the target, and its ownership record follows; what differs becomes
/// an override with the reason "as imported". Afterwards the plan changes nothing that the target has, and a change of
/// the source tenant is an update in the target.
///
/// If it was interrupted, the same command finishes it.
///
/// Examples:
///   stablekey new sync us-prod eu-prod --connections Mirror
///   stablekey new sync dev us-prod --name dev-to-us --integration 'lead-*'
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct NewSyncCommand {
    /// The tenant to copy from
    from: Option<String>,
    /// The tenant to copy to
    to: Option<String>,
    /// The name of the sync; by default FROM-to-TO
    #[arg(long)]
    name: Option<String>,
    /// What happens to the connections that the integrations use: Match (none is written; the default), Create (those
    /// that the target lacks) or Mirror (they are kept the same)
    #[arg(long, value_name = "MODE", ignore_case = true, hide_possible_values = true)]
    connections: Option<Mode>,
    /// Only this integration; `*` matches any characters (repeatable)
    #[arg(long = "integration", value_name = "NAME")]
    integrations: Vec<String>,
    /// Remove from the target what the sync no longer declares
    #[arg(long)]
    prune: bool,
    #[command(flatten)]
    edit: EditOptions,
}

/// What a sync does with connections.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Mode {
    Match,
    Create,
    Mirror,
}

impl From<Mode> for ConnectionMode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Match => ConnectionMode::Match,
            Mode::Create => ConnectionMode::Create,
            Mode::Mirror => ConnectionMode::Mirror,
        }
    }
}

impl NewSyncCommand {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let project = self.edit.open()?;
        output.problems(&project.problems);
        let asking = Asking::open(&self.edit, output);
        let tenants = author::tenants(&project);
        // Who names both tenants has decided about the rest too.
        let is_asked = asking.is_open() && (self.from.is_none() || self.to.is_none());
        let missing = |what| Missing { what, help: "stablekey new sync us-prod eu-prod --connections Mirror" };
        let from =
            asking.choice(self.from, "Copy from which tenant", "", &tenants, &missing("the tenant to copy from"))?;
        let others: Vec<&str> = tenants.iter().copied().filter(|name| *name != from).collect();
        let to = asking.choice(self.to, "To which tenant", "", &others, &missing("the tenant to copy to"))?;
        let mut connections = self.connections.map(ConnectionMode::from);
        if is_asked && connections.is_none() {
            let question = "What does it do with the connections that the integrations use";
            let hint = "Match: nothing; Create: what the target lacks; Mirror: keep them the same";
            let modes = ["Match", "Create", "Mirror"];
            let chosen = asking.choice(None, question, hint, &modes, &missing("the mode"))?;
            connections = Mode::from_str(&chosen, true).ok().map(Into::into);
        }
        let asked =
            NewSync { from, to, name: self.name, connections, integrations: self.integrations, prune: self.prune };
        let handed_over = sync::new_sync(&project, &asked)?;
        if self.edit.output == OutputFormat::Text {
            handed_over.summary.iter().for_each(|line| output.note(line));
        }
        let code = self.edit.carry_out(&handed_over.edited, output)?;
        drop(project);
        if handed_over.edited.files.is_empty() && handed_over.records_follow && !self.edit.dry_run {
            let HandedOver { sync, tenant, .. } = &handed_over;
            self.edit.consent(&format!("Write the ownership record of {tenant} for sync/{sync}?"), output)?;
        }
        if !self.edit.dry_run {
            follow(&self.edit.root, &self.edit.sources, &handed_over, output)?;
        }
        Ok(code)
    }
}

/// Writes the ownership records that follow a sync where they are not in files: on the platform, and in clusters.
pub(in crate::cli) fn follow(
    root: &RootOption,
    sources: &SourceOption,
    handed_over: &HandedOver,
    output: &mut Output,
) -> Result<(), CommandFailure> {
    if !handed_over.records_follow {
        return Ok(());
    }
    let HandedOver { sync: name, tenant, .. } = handed_over;
    let failed = |why: String| {
        let message = format!("the files are written, and the ownership record of {tenant} is not: {why}");
        CommandFailure::new(message, "the next apply completes it: stablekey apply")
    };
    let project = root.open_for_edits(sources)?;
    let planned = plan(&project, &Scope::default());
    let writer = Writer::Sync(name.clone());
    let Some(sync) = project.syncs.iter().find(|sync| sync.writer == writer) else {
        return Err(failed(format!("TenantSync/{name} is not there any more")));
    };
    let actions: Vec<&Action> = sync::following(&planned.plan, sync, tenant);
    if actions.is_empty() {
        return Ok(());
    }
    write_records(&project, tenant, &actions).map_err(failed)?;
    output.note(&format!("The ownership record of {tenant} follows sync/{name}."));
    Ok(())
}
