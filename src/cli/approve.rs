//! `stablekey approve`.

use super::CommandFailure;
use super::hub;
use super::options::{Narrowing, ServerOptions, digest, whole_digests};
use super::output::Output;
use crate::hub::approval::{self, approvals, unkept};
use crate::hub::waiting;
use crate::project::hub::HubAddress;
use crate::render::hub::{HubPart, HubPlan, SyncerSign, worst};
use crate::tenant::cluster::hub::SyncerLease;
use crate::text;
use clap::Args;
use std::collections::BTreeSet;

/// Approve the waiting plan of a sync in a hub, after showing it
///
/// Shows the waiting plans, asks for a typed yes on a terminal, and then sets the annotation stablekey.dev/approve of
/// the TenantSync with your own account, which needs the verbs patch and approve on tenantsyncs. Exactly what was shown
/// is approved; later changes are not. Without a terminal, and with --yes, give --digest. Exit codes: 0 approved; 1 an
/// error, or not approved; if nothing waits, those of `plan`.
///
/// Examples:
///   stablekey approve us-to-eu -n us-prod --context us
///   stablekey approve us-to-eu -n us-prod --digest sha256:0123456789abcdef --yes
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Approve {
    /// The TenantSync
    sync: String,
    /// Only this target (repeatable)
    #[arg(long = "tenant", value_name = "TENANT")]
    tenants: Vec<String>,
    /// The context of the hub's cluster in your kubeconfig (KUBECONFIG); without it the current one
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// The namespace of the hub
    #[arg(long, short, value_name = "NAMESPACE", value_parser = hub::namespace)]
    namespace: String,
    /// Only the plan with this digest (repeatable, or comma-separated): it must be the one that waits
    #[arg(long, value_name = "DIGEST", value_delimiter = ',', value_parser = digest)]
    digest: Vec<String>,
    /// Do not ask: --digest names what was reviewed
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    clusters: ServerOptions,
}

impl Approve {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let sync = hub::sync_in(&self.sync).to_string();
        let address = HubAddress { context: self.context.clone(), namespace: self.namespace.clone() };
        let mut hub = hub::open(address, self.clusters.servers(), output)?;
        let narrowing = Narrowing { tenants: self.tenants.clone(), syncs: vec![sync.clone()], ..Narrowing::default() };
        hub::knows_sync(&hub, &sync)?;
        let asked = hub::asked(&hub, &narrowing)?;
        let parts = waiting::plans(&mut hub, &asked).map_err(|failure| hub::told(failure, output))?;
        let exit = worst(parts.iter().map(HubPart::exit));
        let parts = self.of_digests(parts)?;
        let syncer = hub.syncer();
        let plan = HubPlan { parts, syncer: Some(syncer.clone()), is_asked: true };
        let shown = approvals(&plan.parts);
        output.result(&plan.text(output.style()))?;
        unkept(&plan.parts).map_err(|failure| hub::told(failure, output))?;
        if shown.is_empty() {
            output.note("Nothing waits for approval.");
            return Ok(exit);
        }
        let Some(first) = plan.parts.iter().find(|part| part.waiting.is_some()).map(|part| part.hub.clone()) else {
            return Ok(exit);
        };
        if !self.consents(output, &plan)? {
            output.note("Aborted. Nothing was approved.");
            return Ok(1);
        }
        approval::approve(&hub, &sync, &shown).map_err(|failure| hub::told(failure, output))?;
        let tenants: Vec<&str> = shown.keys().map(String::as_str).collect();
        let digests = shown.values().cloned().collect::<Vec<_>>().join("\n");
        let columns = output.style().width;
        // A command to copy stands alone on its line.
        let carried_out = carried_out_by(&syncer).into_iter().map(|line| match line.starts_with("kubectl ") {
            true => line,
            false => text::wrapped(&line, columns, 0),
        });
        output.result(&format!(
            "\nApproved what {sync} does in {}:\n{digests}\n{}\n{}",
            tenants.join(", "),
            text::lines(&carried_out.collect::<Vec<_>>().join("\n")),
            first.status()
        ))?;
        Ok(0)
    }

    /// Selects the waiting plans that have the given digests.
    fn of_digests(&self, mut parts: Vec<HubPart>) -> Result<Vec<HubPart>, CommandFailure> {
        if self.digest.is_empty() {
            return Ok(parts);
        }
        let waiting = parts.iter().filter_map(|part| part.target.digest.as_deref());
        let given = whole_digests(&self.digest, waiting)?;
        let waits: BTreeSet<&String> =
            parts.iter().filter(|part| part.waiting.is_some()).filter_map(|part| part.target.digest.as_ref()).collect();
        if let Some(digest) = given.iter().find(|digest| !waits.contains(digest)) {
            let now = waits.iter().map(|digest| format!("\n    {digest}")).collect::<String>();
            let help = if now.is_empty() {
                "nothing waits for approval there now: stablekey plan shows the state".to_string()
            } else {
                format!("review what waits now, which has another digest:{now}")
            };
            return Err(CommandFailure::new(
                format!("nothing was approved: nothing that waits has this digest:\n    {digest}"),
                help,
            ));
        }
        parts.retain(|part| part.target.digest.as_ref().is_some_and(|digest| given.contains(digest)));
        Ok(parts)
    }

    /// Asks the person to approve what was shown.
    fn consents(&self, output: &mut Output, plan: &HubPlan) -> Result<bool, CommandFailure> {
        if !self.digest.is_empty() && (self.yes || !output.can_ask()) {
            return Ok(true);
        }
        if self.yes || !output.can_ask() {
            let why =
                if self.yes { "--yes takes the digest of what was reviewed" } else { "there is no terminal to ask on" };
            let waits = plan.parts.iter().filter(|part| part.waiting.is_some());
            let ready = waits.filter_map(|part| Some(part.hub.approve_digest(part.target.digest.as_ref()?)));
            let ready: String = ready.map(|line| format!("\n    {line}")).collect();
            let help = format!("to approve what is shown here, and nothing else:{ready}");
            return Err(CommandFailure::new(format!("nothing was approved: {why}"), help));
        }
        // Consent covers only what was shown.
        if !output.is_seen() {
            output.show_aside(|style| plan.text(style));
        }
        Ok(output.confirm_typed(&question(&plan.parts)))
    }
}

/// Who carries the approval out, as far as it is known, and the command that shows the progress: one line each.
fn carried_out_by(syncer: &SyncerSign) -> Vec<String> {
    let sentence = syncer.sentence();
    match &syncer.lease {
        _ if syncer.is_dead() => {
            let nobody = format!("Nobody carries it out now: {sentence}. To find out why:");
            let commands = syncer.commands().into_iter();
            [nobody].into_iter().chain(commands).chain(["To see how far it is:".to_string()]).collect()
        }
        SyncerLease::There { .. } => {
            vec![format!("The syncer now carries out exactly that ({sentence}). To see how far it is:")]
        }
        SyncerLease::Absent | SyncerLease::Unknown => vec![
            format!("The syncer, if it runs, carries out exactly that. But {sentence}."),
            "To see whether it was taken up (the state is then Applying or InSync):".to_string(),
        ],
    }
}

/// The question, with the effect of a yes.
fn question(parts: &[HubPart]) -> String {
    let waiting: Vec<(&HubPart, usize, usize)> =
        parts.iter().filter_map(|part| part.waiting.as_ref().map(|w| (part, w.actions, w.shown))).collect();
    let all: usize = waiting.iter().map(|(_, actions, _)| actions).sum();
    let shown: usize = waiting.iter().map(|(_, _, shown)| shown).sum();
    let tenants: Vec<&str> = waiting.iter().map(|(part, _, _)| part.hub.tenant.as_str()).collect();
    let changes = if all == 1 { "1 change".to_string() } else { format!("{all} changes") };
    let cut = if shown < all { format!(", of which only {shown} are shown,") } else { String::new() };
    format!("Approve {changes}{cut} in {}? Type 'yes':", tenants.join(", "))
}
