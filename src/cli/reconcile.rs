//! `stablekey reconcile`.

use super::apply::interruption;
use super::hub;
use super::options::{Narrowing, ServerOptions};
use super::output::{ListFormat, Output};
use super::status;
use super::{CommandFailure, planning};
use crate::api::{Kind, REQUESTED_AT};
use crate::controller::options::timeout;
use crate::hub::{OpenHub, flags, request, status_command};
use crate::project::hub::HubAddress;
use crate::render::hub::HubPart;
use crate::render::{self, JsonLayout, quoted};
use crate::tenant::cluster::hub::HubSync;
use crate::tenant::location::LocationError;
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// The pause between two reads of the hub.
const PAUSE: Duration = Duration::from_millis(500);
/// How often a signal is looked for during a pause.
const BLINK: Duration = Duration::from_millis(50);
/// The exit code after Ctrl-C.
const INTERRUPTED: u8 = 130;
/// How many reads in a row may fail while it waits.
const FAILED_READS: usize = 5;
/// The state of a target whose actions are being carried out.
const APPLYING: &str = "Applying";

/// Have a hub reconcile its syncs now
///
/// Sets the annotation stablekey.dev/requestedAt of each TenantSync, with your own account, which needs the verb patch
/// on tenantsyncs. The syncer then reads and plans everything again, also after failures that it would retry later.
/// Nothing is approved by it.
///
/// Examples:
///   stablekey reconcile -n us-prod --wait
///   stablekey reconcile us-to-eu --context us -n us-prod --wait --timeout 2m
///
/// With --wait it ends once each sync has handled the request and carries nothing out any more, and shows the state.
/// Exit codes: 0 requested, or with --wait settled and in sync; else those of `status`; 1 also if the request was not
/// handled in time; 130 after Ctrl-C.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Reconcile {
    /// The TenantSyncs, or Tenant/NAME for the syncs from and to a tenant; without one all
    #[arg(value_name = "SYNC")]
    names: Vec<String>,
    /// The context of the hub's cluster in your kubeconfig (KUBECONFIG); without it the current one
    #[arg(long, value_name = "CONTEXT")]
    context: Option<String>,
    /// The namespace of the hub
    #[arg(long, short, value_name = "NAMESPACE", value_parser = hub::namespace)]
    namespace: String,
    /// Wait until the request is handled, and show the state
    #[arg(long)]
    wait: bool,
    /// How long to wait
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = timeout, requires = "wait")]
    timeout: Duration,
    /// The format of the result
    #[arg(long, short, value_name = "FORM", default_value = "text")]
    output: ListFormat,
    #[command(flatten)]
    clusters: ServerOptions,
}

/// The syncs that were named, and the targets to wait for.
#[derive(Debug, Default)]
struct Asked {
    syncs: BTreeSet<String>,
    /// The tenants that were named: of their syncs only these targets count.
    tenants: BTreeSet<String>,
}

/// What was requested.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Requested<'r> {
    schema: &'static str,
    namespace: &'r str,
    requested_at: &'r str,
    syncs: &'r BTreeSet<String>,
}

/// How a wait ended.
enum Waited {
    Settled,
    /// These are not settled, and why.
    TimedOut(BTreeMap<String, String>),
    Interrupted,
}

/// How far a sync is with a request.
#[derive(Debug, PartialEq, Eq)]
enum Progress {
    Settled,
    /// The request was handled, and actions are being carried out.
    Applying,
    /// The request was not handled yet.
    Waits,
    /// It will never be handled.
    Never(String),
}

impl Reconcile {
    pub(super) fn run(self, output: &mut Output) -> Result<u8, CommandFailure> {
        let address = HubAddress { context: self.context.clone(), namespace: self.namespace.clone() };
        let mut hub = hub::open(address, self.clusters.servers(), output)?;
        let asked = self.asked(&hub)?;
        let stop = self.wait.then(|| interruption(i32::from(INTERRUPTED)));
        // Another request of the same second must differ.
        let at = Timestamp::now().to_string();
        for sync in &asked.syncs {
            request::reconcile(&hub, sync, &at).map_err(|failure| hub::told(failure, output))?;
        }
        let Some(stop) = stop else {
            return self.report(&hub, &asked, &at, output);
        };
        let waited = self.until_settled(&mut hub, &asked, &at, &|| stop.load(Ordering::Relaxed), output)?;
        if let Waited::Interrupted = waited {
            output.note("Stopped waiting. The request stays, and the syncer handles it.");
            return Ok(INTERRUPTED);
        }
        let narrowing = Narrowing { syncs: asked.syncs.iter().cloned().collect(), ..Narrowing::default() };
        let state = status::of_hub(&hub, &narrowing, |part| asked.counts(&hub, part))?;
        status::show(&state, self.output, output)?;
        let Waited::TimedOut(left) = waited else {
            return Ok(match state.exit() {
                0 if waits_suspended(&hub, &asked) => 2,
                exit => exit,
            });
        };
        let seconds = self.timeout.as_secs_f64();
        let left: Vec<String> = left.into_iter().map(|(sync, why)| format!("{sync} {why}")).collect();
        let message = format!("after {seconds} s {}", left.join("; "));
        let sign = hub.syncer();
        let commands = sign.commands().into_iter().map(|line| format!("\n{line}")).collect::<String>();
        Err(CommandFailure::new(message, format!("see whether a syncer runs: {}{commands}", sign.sentence())))
    }

    /// The syncs that were named.
    fn asked(&self, hub: &OpenHub) -> Result<Asked, CommandFailure> {
        let mut asked = Asked::default();
        for typed in &self.names {
            let kind = typed.split_once('/').and_then(|(kind, _)| Kind::typed(kind));
            if kind == Some(Kind::Tenant) {
                let name = Kind::Tenant.name_in(typed);
                planning::known("tenant", name, hub.contents.tenants.keys())?;
                let before = asked.syncs.len();
                asked.syncs.extend(of_tenant(hub, name));
                if asked.syncs.len() == before {
                    let message = format!("no TenantSync of namespace {} reads or writes {name}", self.namespace);
                    return Err(CommandFailure::new(message, "only syncs are reconciled"));
                }
                asked.tenants.insert(name.to_string());
                continue;
            }
            let name = hub::sync_in(typed);
            match hub::knows_sync(hub, name) {
                Err(failure) if hub.contents.tenants.contains_key(name) => {
                    let help = format!(
                        "it is a tenant; to reconcile the syncs from and to it:\nstablekey reconcile {}{}",
                        quoted(&format!("Tenant/{name}")),
                        flags(&hub.address)
                    );
                    return Err(CommandFailure { help, ..failure });
                }
                known => known?,
            }
            asked.syncs.insert(name.to_string());
        }
        if self.names.is_empty() {
            asked.syncs = hub.contents.syncs.keys().cloned().collect();
        }
        if asked.syncs.is_empty() {
            let message = format!("there is no TenantSync in namespace {}", self.namespace);
            return Err(CommandFailure::new(message, "apply one, or name another namespace with -n"));
        }
        Ok(asked)
    }

    /// Reports what was requested.
    fn report(&self, hub: &OpenHub, asked: &Asked, at: &str, output: &mut Output) -> Result<u8, CommandFailure> {
        let namespace = &hub.address.namespace;
        if self.output == ListFormat::Json {
            let schema = "stablekey.dev/reconcile/v1";
            let requested = Requested { schema, namespace, requested_at: at, syncs: &asked.syncs };
            let json = render::json(&requested, JsonLayout::Pretty).map_err(|error| hub::no_json(&error))?;
            output.result(&json)?;
            return Ok(0);
        }
        let syncs: Vec<&str> = asked.syncs.iter().map(String::as_str).collect();
        output.result(&format!(
            "Requested in namespace {namespace}: {}.\nTo see the state:\n{}",
            syncs.join(", "),
            status_command(&hub.address)
        ))?;
        Ok(0)
    }

    /// Waits until each sync has handled the request of `at` or a later one, and carries nothing out any more.
    fn until_settled(
        &self,
        hub: &mut OpenHub,
        asked: &Asked,
        at: &str,
        stop: &dyn Fn() -> bool,
        output: &mut Output,
    ) -> Result<Waited, CommandFailure> {
        let until = Instant::now() + self.timeout;
        let mut shown: BTreeMap<(String, String), String> = BTreeMap::new();
        let mut failed = 0;
        let waiting = output.progress("waiting for the syncer");
        loop {
            match hub.client.read() {
                Ok(contents) => (hub.contents, failed) = (contents, 0),
                Err(error @ LocationError::Forbidden { .. }) => return Err(hub::unread(&error, output)),
                // A server that restarts answers again.
                Err(error) if failed >= FAILED_READS => return Err(hub::unread(&error, output)),
                Err(_) => failed += 1,
            }
            let mut left = BTreeMap::new();
            for name in &asked.syncs {
                let Some(sync) = hub.contents.syncs.get(name) else {
                    let message = format!("TenantSync {name} was deleted while its request waited");
                    return Err(CommandFailure::new(message, "run it again for those that are there"));
                };
                match progress(sync, at) {
                    Progress::Settled => {}
                    Progress::Applying => drop(left.insert(name.clone(), "still carries out actions".to_string())),
                    Progress::Waits => drop(left.insert(name.clone(), "has not handled the request".to_string())),
                    Progress::Never(why) => {
                        let message = format!("TenantSync {name}: {why}");
                        return Err(CommandFailure::new(message, "correct that, then run it again"));
                    }
                }
                for target in &sync.status.targets {
                    let state = shown.entry((name.clone(), target.tenant.clone())).or_default();
                    if *state != target.state && left.contains_key(name) {
                        waiting.above(|| output.note(&format!("{name} → {}: {}", target.tenant, target.state)));
                        state.clone_from(&target.state);
                    }
                }
            }
            if left.is_empty() && failed == 0 {
                return Ok(Waited::Settled);
            }
            let pause = Instant::now() + PAUSE;
            while Instant::now() < pause {
                if stop() {
                    return Ok(Waited::Interrupted);
                }
                if Instant::now() >= until {
                    return Ok(Waited::TimedOut(left));
                }
                std::thread::sleep(BLINK);
            }
        }
    }
}

impl Asked {
    /// Whether the state of a target counts: that of a named tenant, or all where the tenant is the source.
    fn counts(&self, hub: &OpenHub, part: &HubPart) -> bool {
        let is_source = || {
            let spec = hub.contents.syncs.get(&part.hub.sync).and_then(|sync| sync.spec.as_ref().ok());
            spec.is_some_and(|spec| self.tenants.contains(&spec.from))
        };
        self.tenants.is_empty() || self.tenants.contains(&part.hub.tenant) || is_source()
    }
}

/// The syncs from and to a tenant.
fn of_tenant(hub: &OpenHub, tenant: &str) -> Vec<String> {
    let is_of = |sync: &&HubSync| sync.spec.as_ref().is_ok_and(|spec| spec.from == tenant || spec.goes_to(tenant));
    hub.contents.syncs.values().filter(is_of).map(|sync| sync.name.clone()).collect()
}

/// How far a sync is with the request of `at`. A later request replaces it, and handling that one handles both.
fn progress(sync: &HubSync, at: &str) -> Progress {
    if let Err(why) = &sync.spec {
        return Progress::Never(format!("it cannot be read: {why}"));
    }
    let handled = sync.status.last_handled_reconcile_at.as_deref();
    let is_handled = match &sync.requests {
        Some(requests) => handled == Some(requests.as_str()),
        None => false,
    };
    // Somebody may have taken the annotation away after it was handled.
    let was_handled = || handled.is_some_and(|handled| handled.split(' ').next() == Some(at));
    if !is_handled && !was_handled() {
        return match &sync.requested_at {
            Some(_) => Progress::Waits,
            None => Progress::Never(format!("somebody took the annotation {REQUESTED_AT} away before it was handled")),
        };
    }
    let is_applying = sync.status.targets.iter().any(|target| target.state == APPLYING);
    if is_applying || !sync.is_observed { Progress::Applying } else { Progress::Settled }
}

/// Whether actions wait in a suspended target: it is settled, and not in sync.
fn waits_suspended(hub: &OpenHub, asked: &Asked) -> bool {
    let syncs = asked.syncs.iter().filter_map(|name| hub.contents.syncs.get(name));
    let mut targets = syncs.flat_map(|sync| &sync.status.targets);
    targets.any(|target| target.counts.as_ref().is_some_and(|counts| counts.suspended > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{TargetStatus, TenantSyncSpec, TenantSyncStatus};

    fn sync(requested: Option<&str>, flux: Option<&str>, handled: Option<&str>, state: &str) -> HubSync {
        let target = TargetStatus { tenant: "eu".into(), state: state.into(), ..TargetStatus::default() };
        let requests: Vec<&str> = [requested, flux].into_iter().flatten().collect();
        HubSync {
            spec: Ok(TenantSyncSpec::default()),
            status: TenantSyncStatus {
                last_handled_reconcile_at: handled.map(str::to_string),
                targets: vec![target],
                ..TenantSyncStatus::default()
            },
            requested_at: requested.map(str::to_string),
            requests: (!requests.is_empty()).then(|| requests.join(" ")),
            ..HubSync::default()
        }
    }

    #[test]
    fn a_request_is_handled_once_the_status_says_so() {
        for (sync, expected) in [
            (sync(Some("1"), None, None, "InSync"), Progress::Waits),
            (sync(Some("1"), None, Some("0"), "InSync"), Progress::Waits),
            (sync(Some("1"), None, Some("1"), "InSync"), Progress::Settled),
            (sync(Some("1"), None, Some("1"), "Blocked"), Progress::Settled),
            (sync(Some("1"), None, Some("1"), "Applying"), Progress::Applying),
            // Flux has an annotation of its own.
            (sync(Some("1"), Some("f"), Some("1 f"), "InSync"), Progress::Settled),
            (sync(Some("1"), Some("g"), Some("1 f"), "InSync"), Progress::Settled),
            (sync(Some("1"), Some("f"), Some("0 f"), "InSync"), Progress::Waits),
            // A later request was handled, or is waited for in its place.
            (sync(Some("2"), None, Some("2"), "InSync"), Progress::Settled),
            (sync(Some("2"), None, Some("0"), "InSync"), Progress::Waits),
            (sync(None, None, Some("1"), "InSync"), Progress::Settled),
        ] {
            assert_eq!(progress(&sync, "1"), expected, "{:?} {:?}", sync.requests, sync.status);
        }
        let unseen = HubSync { is_observed: false, ..sync(Some("1"), None, Some("1"), "InSync") };
        assert_eq!(progress(&unseen, "1"), Progress::Applying, "its status is of an older spec");
        let gone = progress(&sync(None, None, Some("0"), "InSync"), "1");
        assert!(matches!(gone, Progress::Never(why) if why.contains("took the annotation")));
        let broken = HubSync { spec: Err("to is empty".into()), ..sync(Some("1"), None, None, "InSync") };
        assert!(matches!(progress(&broken, "1"), Progress::Never(why) if why.contains("to is empty")));
    }
}
