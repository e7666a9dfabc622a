//! Access to a hub from the command line: its address, its waiting plans, and a comparison with plans of the person's
//! own contexts.

use super::options::{Narrowing, RootArgument};
use super::output::Output;
use super::{CommandFailure, planning};
use crate::api::Kind;
use crate::engine::model::plan::Plan;
use crate::engine::model::record::Writer;
use crate::engine::model::stages::Hindrance;
use crate::hub::{AskedTargets, HubFailure, OpenHub, targets_of};
use crate::kubernetes::connect::Servers;
use crate::project::hub::{HubAddress, OwnWorld};
use crate::render::hub::{Comparison, HubPart};
use crate::render::{self, JsonLayout, waiting_plan};
use crate::tenant::location::LocationError;
use clap::Args;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Options for a hub instead of a folder.
#[derive(Debug, Args)]
pub(super) struct HubOptions {
    /// The context of the hub's cluster in your kubeconfig (KUBECONFIG); without it the current one
    #[arg(long, value_name = "CONTEXT", requires = "namespace", conflicts_with = "root")]
    context: Option<String>,
    /// The namespace of a hub, instead of a folder: its Tenants and TenantSyncs, and the plans that its syncer stores
    /// there. No Secret is read
    #[arg(long, short, value_name = "NAMESPACE", value_parser = namespace, conflicts_with = "root")]
    namespace: Option<String>,
}

/// The person's own contexts, in addition to a hub.
#[derive(Debug, Args)]
pub(super) struct OwnContexts {
    /// Also plan again for this tenant, read with your own context, and show where the result differs from the hub's
    /// plan (repeatable)
    #[arg(long = "target", value_name = "TENANT=CONTEXT", requires = "namespace", value_parser = tenant_and_context)]
    targets: Vec<(String, String)>,
}

impl HubOptions {
    /// The address of the hub, if one was given.
    pub(super) fn address(&self) -> Option<HubAddress> {
        let namespace = self.namespace.clone()?;
        Some(HubAddress { context: self.context.clone(), namespace })
    }
}

impl OwnContexts {
    /// The contexts, by tenant.
    fn contexts(&self) -> Result<BTreeMap<String, String>, CommandFailure> {
        let mut contexts = BTreeMap::new();
        for (tenant, context) in &self.targets {
            let before = contexts.insert(tenant.clone(), context.clone());
            if before.is_some_and(|before| before != *context) {
                return Err(CommandFailure::new(format!("--target gives {tenant} two contexts"), "give it one"));
            }
        }
        Ok(contexts)
    }
}

/// Rejects options that apply only to a folder when a hub is given.
pub(super) fn check_options(root: &RootArgument, narrowing: &Narrowing) -> Result<(), CommandFailure> {
    let help = "leave it away, or give a folder instead of --namespace";
    if root.has_sources() {
        return Err(CommandFailure::new("--source is a folder's: a hub has no sources", help));
    }
    if !narrowing.integrations.is_empty() {
        let message = "--integration narrows no plan that waits: it is shown as it would be approved, whole";
        return Err(CommandFailure::new(
            message,
            "narrow by --sync and --tenant; stablekey explain shows one integration",
        ));
    }
    if let Some(sync) = narrowing.syncs.iter().find(|sync| sync.contains(':')) {
        return Err(CommandFailure::new(format!("--sync {sync} adds a sync to a folder, not to a hub"), help));
    }
    Ok(())
}

/// Parses a namespace: a DNS label, since it is used in request paths.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    let is_label =
        crate::api::names::is_object_name(text) && !text.contains('.') && text.len() <= crate::api::names::MAX;
    if is_label {
        Ok(text.to_string())
    } else {
        Err("a namespace is a name of small letters, digits and -".to_string())
    }
}

fn tenant_and_context(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((tenant, context)) if !tenant.is_empty() && !context.is_empty() => {
            Ok((tenant.to_string(), context.to_string()))
        }
        _ => Err("write TENANT=CONTEXT".to_string()),
    }
}

/// The requested syncs and targets; fails if one does not exist.
pub(super) fn asked(hub: &OpenHub, narrowing: &Narrowing) -> Result<AskedTargets, CommandFailure> {
    let scope = narrowing.scope();
    for sync in &scope.syncs {
        knows_sync(hub, sync)?;
    }
    let targets: BTreeSet<&String> = hub.contents.syncs.values().flat_map(targets_of).collect();
    for tenant in &scope.tenants {
        planning::known("target", tenant, targets.iter().copied())?;
    }
    Ok(AskedTargets { syncs: scope.syncs, tenants: scope.tenants })
}

/// Fails if the sync does not exist.
pub(super) fn knows_sync(hub: &OpenHub, sync: &str) -> Result<(), CommandFailure> {
    if hub.contents.syncs.is_empty() {
        let namespace = &hub.address.namespace;
        let help = "apply one, or name another namespace with -n";
        return Err(CommandFailure::new(format!("there is no TenantSync in namespace {namespace}"), help));
    }
    planning::known("sync", sync, hub.contents.syncs.keys())
}

/// Plans the requested targets again with the given contexts, and notes differences. Returns what was read for
/// that, if anything.
pub(super) fn compare(
    hub: &OpenHub,
    own: &OwnContexts,
    parts: &mut [HubPart],
    output: &mut Output,
) -> Result<Option<OwnWorld>, CommandFailure> {
    let contexts = own.contexts()?;
    if contexts.is_empty() {
        return Ok(None);
    }
    for tenant in contexts.keys() {
        planning::known("tenant", tenant, hub.contents.tenants.keys())?;
    }
    let world = OwnWorld::read(&hub.servers, &hub.address, &hub.contents, &contexts);
    output.roles(world.roles.iter().map(String::as_str));
    for part in parts.iter_mut().filter(|part| contexts.contains_key(&part.hub.tenant)) {
        part.compared = Some(compared(hub, &world, part)?);
    }
    Ok(Some(world))
}

fn compared(hub: &OpenHub, world: &OwnWorld, part: &HubPart) -> Result<Comparison, CommandFailure> {
    let (sync, tenant) = (&part.hub.sync, &part.hub.tenant);
    let source = hub.contents.syncs.get(sync).and_then(|sync| Some(sync.spec.as_ref().ok()?.from.as_str()));
    if let Some((unread, why)) = world.why_unread(source.into_iter().chain([tenant.as_str()])) {
        return Ok(Comparison::unread(format!("{unread}: {why}")));
    }
    let planned = world.plan(tenant);
    if let Some(unread) = unread_stage(&planned, part) {
        return Ok(Comparison::unread(unread));
    }
    let own = waiting_plan::of_sync(&planned, sync, tenant);
    let digest = own.as_ref().and_then(|own| {
        let target = own.targets.first()?;
        target.digests.get(&Writer::Sync(sync.clone()).to_string()).map(ToString::to_string)
    });
    let json = own.map(|own| render::json(&own, JsonLayout::Compact)).transpose().map_err(|error| no_json(&error))?;
    let own = json.as_deref().zip(digest.as_deref());
    Comparison::of((part.waiting.as_ref(), part.target.digest.as_deref()), own).map_err(|error| no_json(&error))
}

/// Why it is not known whether the stage of a target is open: a target of an earlier stage was not read. What the syncer
/// lets wait too is no difference.
fn unread_stage(plan: &Plan, part: &HubPart) -> Option<String> {
    let target = plan.targets.iter().find(|target| target.tenant == part.hub.tenant)?;
    let wait = target.stages.get(&Writer::Sync(part.hub.sync.clone())).filter(|_| !part.awaits_stage())?;
    wait.held_by.iter().find_map(|held| match &held.why {
        Hindrance::Unreadable(why) => Some(format!("{}, of an earlier stage: {why}", held.tenant)),
        _ => None,
    })
}

/// Reads a hub.
pub(super) fn open(address: HubAddress, servers: Arc<Servers>, output: &mut Output) -> Result<OpenHub, CommandFailure> {
    OpenHub::open(address, servers).map_err(|failure| told(failure, output))
}

/// A failure of a hub as that of a command, after the Role that grants what is missing was shown.
pub(super) fn told(failure: HubFailure, output: &mut Output) -> CommandFailure {
    output.roles(failure.role.as_deref());
    CommandFailure::new(failure.message, failure.help)
}

/// The failure to read a hub, with a Role that grants access.
pub(super) fn unread(error: &LocationError, output: &mut Output) -> CommandFailure {
    told(HubFailure::unread(error), output)
}

/// The failure to serialize a plan as JSON.
pub(super) fn no_json(error: &serde_json::Error) -> CommandFailure {
    CommandFailure::new(format!("the plan has no JSON form: {error}"), "internal error: report it")
}

/// The name of a sync in an argument.
pub(super) fn sync_in(typed: &str) -> &str {
    Kind::TenantSync.name_in(typed.strip_prefix("sync/").unwrap_or(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_one_label_of_a_path() {
        assert_eq!(namespace("us-prod").as_deref(), Ok("us-prod"));
        for wrong in ["", "a.b", "../x", "A", "a/b", &"n".repeat(64)] {
            assert!(namespace(wrong).is_err(), "{wrong}");
        }
        assert_eq!(tenant_and_context("eu=a=b"), Ok(("eu".to_string(), "a=b".to_string())));
        assert!(tenant_and_context("eu").is_err() && tenant_and_context("=eu").is_err());
    }

    #[test]
    fn a_sync_is_named_as_a_plan_calls_it() {
        for typed in ["us-to-eu", "sync/us-to-eu", "TenantSync/us-to-eu", "tsync/us-to-eu"] {
            assert_eq!(sync_in(typed), "us-to-eu");
        }
    }
}
