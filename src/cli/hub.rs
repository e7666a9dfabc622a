//! Access to a hub from the command line: its address, its waiting plans, and a comparison with plans of the person's
//! own contexts.

use super::options::{Narrowing, RootArgument};
use super::output::Output;
use super::{CommandFailure, planning};
use crate::api::{Kind, LocationSpec, Overridden, SyncMode, TargetStatus, TenantSyncSpec, names};
use crate::controller::Role;
use crate::engine::model::plan::Plan;
use crate::engine::model::record::Writer;
use crate::engine::model::stages::Hindrance;
use crate::kubernetes::connect::Servers;
use crate::near_miss;
use crate::project::hub::{HubAddress, OwnWorld};
use crate::render::hub::{Comparison, HubFacts, HubPart, SyncerSign, not_planned};
use crate::render::waiting_plan::{self, WaitingPlan};
use crate::render::{self, Hub, JsonLayout};
use crate::tenant::cluster::hub::{HubClient, HubContents, HubSync, HubTenant};
use crate::tenant::location::LocationError;
use clap::Args;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How often a plan is read that does not match the status: the syncer writes the plan first, then the status.
const READS: usize = 3;
/// The pause between two reads.
const PAUSE: Duration = Duration::from_secs(1);

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

/// A hub whose contents were read.
pub(super) struct OpenHub {
    /// The address of the hub.
    pub address: HubAddress,
    /// The client that reads and writes the hub.
    pub client: HubClient,
    /// The contents of the hub.
    pub contents: HubContents,
    servers: Arc<Servers>,
}

/// The requested syncs and targets.
#[derive(Debug, Default)]
pub(super) struct AskedTargets {
    syncs: BTreeSet<String>,
    tenants: BTreeSet<String>,
}

/// The reason why a waiting plan is not shown.
#[derive(Debug, thiserror::Error)]
enum Unshown {
    #[error("{0}")]
    Location(LocationError),
    #[error("there is none of that name, or no plan in it")]
    Absent,
    #[error("{0}")]
    Unfit(#[from] waiting_plan::UnfitPlan),
}

impl OpenHub {
    /// Reads a hub.
    pub(super) fn open(
        address: HubAddress,
        servers: Arc<Servers>,
        output: &mut Output,
    ) -> Result<Self, CommandFailure> {
        let server = servers.of(&address.location()).map_err(|why| {
            let help = "name a context of your kubeconfig with --context, or set KUBECONFIG";
            CommandFailure::new(format!("the hub cannot be reached: {why}"), help)
        })?;
        let client = HubClient::new(server, &address.namespace);
        let contents = client.read().map_err(|error| unread(&error, output))?;
        let hub = OpenHub { address, client, contents, servers };
        match hub.no_hub() {
            Some(failure) => Err(failure),
            None => Ok(hub),
        }
    }

    /// The failure for a namespace that is not a hub: a wrong name must not look like a healthy hub.
    fn no_hub(&self) -> Option<CommandFailure> {
        let HubContents { tenants, syncs } = &self.contents;
        let HubAddress { context, namespace } = &self.address;
        let cluster = context.as_ref().map(|context| format!(" of {context}")).unwrap_or_default();
        let own = |tenant: &HubTenant| tenant.spec.as_ref().is_ok_and(|spec| spec.location.is_none());
        let message = match tenants.iter().collect::<Vec<_>>().as_slice() {
            _ if !syncs.is_empty() => return None,
            [] => format!("namespace {namespace}{cluster} is no hub: it has no TenantSync and no Tenant"),
            [(name, tenant)] if own(tenant) => {
                format!("namespace {namespace}{cluster} is no hub: it is the tenant {name}, and a hub has TenantSyncs")
            }
            _ => return None,
        };
        let list = || format!("kubectl get tenantsyncs -A{}", context_flag(context.as_deref()));
        let help = match self.client.hubs() {
            Some(hubs) if hubs.is_empty() => {
                "this cluster has no TenantSync at all: is it the right context?".to_string()
            }
            Some(hubs) => {
                let hubs: Vec<&str> = hubs.iter().map(String::as_str).collect();
                format!("TenantSyncs are in namespace {}: give it with -n", near_miss::listed(&hubs))
            }
            None => format!("somebody who may list TenantSyncs of all namespaces finds the hub:\n    {}", list()),
        };
        Some(CommandFailure::new(message, help))
    }

    /// The role that carries out the syncs: the sender if all targets are on the platform, else the syncer.
    fn role(&self) -> Role {
        let is_on_platform = |name: &String| {
            let tenant = self.contents.tenants.get(name).and_then(|tenant| tenant.spec.as_ref().ok());
            tenant.is_some_and(|spec| matches!(spec.location, Some(LocationSpec::Prismatic(_))))
        };
        let mut targets = self.contents.syncs.values().flat_map(to).peekable();
        if targets.peek().is_some() && targets.all(is_on_platform) { Role::Sender } else { Role::Syncer }
    }

    /// Whether a syncer or a sender reconciles the hub, as far as this account may see.
    pub(super) fn syncer(&self) -> SyncerSign {
        let name = self.role().lease();
        let syncs = self.contents.syncs.values().map(|sync| &sync.status.conditions);
        let tenants = self.contents.tenants.values().map(|tenant| &tenant.status.conditions);
        let conditions = syncs.chain(tenants).flatten().map(|condition| condition.last_transition_time.0);
        let targets = self.contents.syncs.values().flat_map(|sync| &sync.status.targets);
        let receipts = targets.filter_map(|target| target.receipt.as_ref()?.at.parse::<Timestamp>().ok());
        SyncerSign {
            hub: self.address.clone(),
            name,
            lease: self.client.lease(name),
            newest: conditions.chain(receipts).max(),
            now: Timestamp::now(),
        }
    }

    /// The requested syncs and targets; fails if one does not exist.
    pub(super) fn asked(&self, narrowing: &Narrowing) -> Result<AskedTargets, CommandFailure> {
        let scope = narrowing.scope();
        for sync in &scope.syncs {
            self.knows_sync(sync)?;
        }
        let targets: BTreeSet<&String> = self.contents.syncs.values().flat_map(to).collect();
        for tenant in &scope.tenants {
            planning::known("target", tenant, targets.iter().copied())?;
        }
        Ok(AskedTargets { syncs: scope.syncs, tenants: scope.tenants })
    }

    /// Fails if the sync does not exist.
    pub(super) fn knows_sync(&self, sync: &str) -> Result<(), CommandFailure> {
        if self.contents.syncs.is_empty() {
            let namespace = &self.address.namespace;
            let help = "apply one, or name another namespace with -n";
            return Err(CommandFailure::new(format!("there is no TenantSync in namespace {namespace}"), help));
        }
        planning::known("sync", sync, self.contents.syncs.keys())
    }

    /// The states of the syncs in their targets, without the waiting plans.
    pub(super) fn statuses(&self, asked: &AskedTargets) -> Vec<HubPart> {
        let is_asked = |names: &BTreeSet<String>, name: &String| names.is_empty() || names.contains(name);
        let syncs = self.contents.syncs.values().filter(|sync| is_asked(&asked.syncs, &sync.name));
        let parts = syncs.flat_map(|sync| self.targets(sync).into_iter().map(move |target| (sync, target)));
        let parts = parts.filter(|(_, target)| is_asked(&asked.tenants, &target.tenant));
        parts.map(|(sync, target)| self.part(sync, target)).collect()
    }

    fn part(&self, sync: &HubSync, target: TargetStatus) -> HubPart {
        let hub = Hub {
            context: self.address.context.clone(),
            namespace: self.address.namespace.clone(),
            sync: sync.name.clone(),
            tenant: target.tenant.clone(),
        };
        let facts = self.facts(sync, &target.tenant);
        HubPart { hub, target, is_observed: sync.is_observed, waiting: None, compared: None, facts }
    }

    fn facts(&self, sync: &HubSync, tenant: &str) -> HubFacts {
        let spec = sync.spec.as_ref().ok();
        let location =
            self.contents.tenants.get(tenant).and_then(|tenant| tenant.spec.as_ref().ok()?.location.as_ref());
        let target_namespace = location.and_then(|location| match location {
            LocationSpec::Kubernetes(location)
                if location.kubeconfig.is_some() || location.namespace != self.address.namespace =>
            {
                Some(location.namespace.clone())
            }
            _ => None,
        });
        let integrations = spec.iter().flat_map(|spec| &spec.integrations).filter(|name| !name.contains('*'));
        let integrations = integrations.map(|name| format!("{}/{name}", Kind::Integration));
        let overrides = spec.iter().flat_map(|spec| &spec.overrides).filter(|o| o.tenant == tenant);
        let overridden = overrides.flat_map(|over| {
            let connection = |key: &str| format!("{}/{}", Kind::Connection, names::of_stable_key(key));
            let object = match over.changes() {
                Some(Overridden::Variable { integration, .. }) => Some(format!("{}/{integration}", Kind::Integration)),
                Some(Overridden::Kept { object, .. }) => Some(object.to_string()),
                _ => None,
            };
            object.into_iter().chain(over.stable_key.as_deref().map(connection))
        });
        HubFacts {
            source: spec.map(|spec| spec.from.clone()),
            target_namespace,
            named: integrations.chain(overridden).collect(),
            conditions: sync.status.conditions.clone(),
        }
    }

    /// The state of a sync in each target that it lists, or listed when it was last planned.
    fn targets(&self, sync: &HubSync) -> Vec<TargetStatus> {
        if let Err(why) = &sync.spec {
            let status =
                |target: &TargetStatus| TargetStatus { message: Some(why.clone()), ..not_planned(&target.tenant) };
            return sync.status.targets.iter().map(status).collect();
        }
        let names: BTreeSet<&String> = to(sync).collect();
        names.into_iter().map(|name| sync.target(name).cloned().unwrap_or_else(|| not_planned(name))).collect()
    }

    /// Reads the waiting plans of the requested targets, each only if it matches its status.
    pub(super) fn waiting(
        &mut self,
        asked: &AskedTargets,
        output: &mut Output,
    ) -> Result<Vec<HubPart>, CommandFailure> {
        for read in 1.. {
            let mut parts = self.statuses(asked);
            let unshown = parts.iter_mut().find_map(|part| self.take_waiting(part).err());
            match unshown {
                None => return Ok(parts),
                Some(unfound) if matches!(unfound.why, Unshown::Location(_)) => {
                    return Err(unshown_plan(&unfound, output));
                }
                // The syncer writes the plan, then the status: between the two they differ.
                Some(_) if read < READS => {
                    std::thread::sleep(PAUSE);
                    self.contents = self.client.read().map_err(|error| unread(&error, output))?;
                }
                Some(unfound) => return Err(unshown_plan(&unfound, output)),
            }
        }
        Ok(Vec::new())
    }

    /// Reads the plan that waits for a target.
    fn take_waiting(&self, part: &mut HubPart) -> Result<(), Box<Unfound>> {
        let (Some(waiting), Some(digest)) = (&part.target.waiting_plan, &part.target.digest) else { return Ok(()) };
        match self.read_waiting(&waiting.config_map, &waiting.digest, (&part.hub.sync, &part.hub.tenant, digest)) {
            Ok(kept) => part.waiting = Some(kept),
            // If no approval is awaited, the stored plan may be an older one.
            Err(Unshown::Unfit(_) | Unshown::Absent) if !part.awaits_approval() => {}
            Err(why) => {
                let config_map = waiting.config_map.clone();
                return Err(Box::new(Unfound { hub: part.hub.clone(), config_map, why }));
            }
        }
        Ok(())
    }

    fn read_waiting(&self, map: &str, bytes_digest: &str, of: (&str, &str, &str)) -> Result<WaitingPlan, Unshown> {
        let bytes = self.client.waiting_plan(map).map_err(Unshown::Location)?.ok_or(Unshown::Absent)?;
        Ok(waiting_plan::unpack(&bytes, bytes_digest, of)?)
    }

    /// Plans the requested targets again with the given contexts, and notes differences. Returns what was read for
    /// that, if anything.
    pub(super) fn compare(
        &self,
        own: &OwnContexts,
        parts: &mut [HubPart],
        output: &mut Output,
    ) -> Result<Option<OwnWorld>, CommandFailure> {
        let contexts = own.contexts()?;
        if contexts.is_empty() {
            return Ok(None);
        }
        for tenant in contexts.keys() {
            planning::known("tenant", tenant, self.contents.tenants.keys())?;
        }
        let world = OwnWorld::read(&self.servers, &self.address, &self.contents, &contexts);
        output.roles(world.roles.iter().map(String::as_str));
        for part in parts.iter_mut().filter(|part| contexts.contains_key(&part.hub.tenant)) {
            part.compared = Some(self.compared(&world, part)?);
        }
        Ok(Some(world))
    }

    fn compared(&self, world: &OwnWorld, part: &HubPart) -> Result<Comparison, CommandFailure> {
        let (sync, tenant) = (&part.hub.sync, &part.hub.tenant);
        let source = self.contents.syncs.get(sync).and_then(|sync| Some(sync.spec.as_ref().ok()?.from.as_str()));
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
        let json =
            own.map(|own| render::json(&own, JsonLayout::Compact)).transpose().map_err(|error| no_json(&error))?;
        let own = json.as_deref().zip(digest.as_deref());
        Comparison::of((part.waiting.as_ref(), part.target.digest.as_deref()), own).map_err(|error| no_json(&error))
    }
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

/// A plan that is not shown, and the reason.
struct Unfound {
    hub: Hub,
    config_map: String,
    why: Unshown,
}

/// The targets of a sync.
fn to(sync: &HubSync) -> impl Iterator<Item = &String> {
    sync.spec.iter().flat_map(TenantSyncSpec::targets)
}

/// The effective mode of a sync.
pub(super) fn mode(sync: &HubSync) -> &'static str {
    match sync.spec.as_ref().ok().and_then(|spec| spec.mode) {
        Some(SyncMode::Apply) => "Apply",
        Some(SyncMode::Plan) | None => "Plan",
    }
}

/// The failure to read a hub, with a Role that grants access.
pub(super) fn unread(error: &LocationError, output: &mut Output) -> CommandFailure {
    output.roles(error.role());
    CommandFailure::new(
        format!("the hub cannot be read: {error}"),
        "check --context and --namespace, and sign in there",
    )
}

/// The failure to show a plan that is not what the syncer planned.
fn unshown_plan(part: &Unfound, output: &mut Output) -> CommandFailure {
    let why = match &part.why {
        Unshown::Location(error) => return unread(error, output),
        why => why,
    };
    let Hub { namespace, sync, tenant, .. } = &part.hub;
    let message = format!(
        "ConfigMap {} of namespace {namespace}, which keeps what {sync} waits with in {tenant}, is not shown: {why}",
        part.config_map
    );
    let help = format!(
        "approve nothing until it is right, and find out who writes ConfigMaps there. To have the syncer write it \
         again:\n    {}",
        part.hub.reconcile()
    );
    CommandFailure::new(message, help)
}

/// The failure to serialize a plan as JSON.
pub(super) fn no_json(error: &serde_json::Error) -> CommandFailure {
    CommandFailure::new(format!("the plan has no JSON form: {error}"), "internal error: report it")
}

/// The command `stablekey status …` for a hub.
pub(super) fn status_command(address: &HubAddress) -> String {
    let HubAddress { context, namespace } = address.clone();
    Hub { context, namespace, sync: String::new(), tenant: String::new() }.status()
}

/// The options that name a hub: ` --context us -n us-prod`.
pub(super) fn flags(address: &HubAddress) -> String {
    format!("{} -n {}", context_flag(address.context.as_deref()), render::quoted(&address.namespace))
}

/// The option `--context us` for a kubectl command.
fn context_flag(context: Option<&str>) -> String {
    context.map(|context| format!(" --context {}", render::quoted(context))).unwrap_or_default()
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
