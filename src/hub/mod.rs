//! A hub, read and changed with a person's own account: what the command line and the page share.
//!
//! - [`OpenHub`] is a hub whose Tenants and TenantSyncs were read: the state of each sync in each target.
//! - `waiting` reads the plans that wait there, each only if it matches its status.
//! - `approval` sets the annotation that approves them; `suspension` stops and resumes writes; `request` asks for a
//!   reconciliation.

pub mod approval;
mod failure;
pub mod request;
pub mod suspension;
pub mod waiting;

pub use failure::HubFailure;

use crate::api::{Kind, LocationSpec, Overridden, SyncMode, TargetStatus, TenantSyncSpec, names};
use crate::kubernetes::connect::Servers;
use crate::near_miss;
use crate::project::hub::HubAddress;
use crate::render::hub::{HubFacts, HubPart, SyncerSign, not_planned};
use crate::render::{self, Hub};
use crate::tenant::cluster::hub::{HubClient, HubContents, HubSync, HubTenant, SENDER_LEASE, SYNCER_LEASE};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A hub whose contents were read.
#[derive(Debug)]
pub struct OpenHub {
    /// The address of the hub.
    pub address: HubAddress,
    /// The client that reads and writes the hub.
    pub client: HubClient,
    /// The contents of the hub.
    pub contents: HubContents,
    /// The connections to API servers.
    pub servers: Arc<Servers>,
}

/// The requested syncs and targets; an empty set means all.
#[derive(Debug, Default)]
pub struct AskedTargets {
    /// The syncs.
    pub syncs: BTreeSet<String>,
    /// The targets.
    pub tenants: BTreeSet<String>,
}

impl OpenHub {
    /// Reads a hub. A namespace that is none is a failure: a wrong name must not look like a healthy hub.
    pub fn open(address: HubAddress, servers: Arc<Servers>) -> Result<Self, HubFailure> {
        let server = servers.of(&address.location()).map_err(|why| {
            let help = "name a context of your kubeconfig with --context, or set KUBECONFIG";
            HubFailure::new(format!("the hub cannot be reached: {why}"), help)
        })?;
        let client = HubClient::new(server, &address.namespace);
        let contents = client.read().map_err(|error| HubFailure::unread(&error))?;
        let hub = OpenHub { address, client, contents, servers };
        match hub.no_hub() {
            Some(failure) => Err(failure),
            None => Ok(hub),
        }
    }

    fn no_hub(&self) -> Option<HubFailure> {
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
        Some(HubFailure::new(message, help))
    }

    /// The Lease of the role that carries out the syncs: the sender if all targets are on the platform, else the syncer.
    fn lease_name(&self) -> &'static str {
        let is_on_platform = |name: &String| {
            let tenant = self.contents.tenants.get(name).and_then(|tenant| tenant.spec.as_ref().ok());
            tenant.is_some_and(|spec| matches!(spec.location, Some(LocationSpec::Prismatic(_))))
        };
        let mut targets = self.contents.syncs.values().flat_map(targets_of).peekable();
        if targets.peek().is_some() && targets.all(is_on_platform) { SENDER_LEASE } else { SYNCER_LEASE }
    }

    /// Whether a syncer or a sender reconciles the hub, as far as this account may see.
    pub fn syncer(&self) -> SyncerSign {
        let name = self.lease_name();
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

    /// The states of the syncs in their targets, without the waiting plans.
    pub fn statuses(&self, asked: &AskedTargets) -> Vec<HubPart> {
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
        let names: BTreeSet<&String> = targets_of(sync).collect();
        names.into_iter().map(|name| sync.target(name).cloned().unwrap_or_else(|| not_planned(name))).collect()
    }
}

/// The targets of a sync.
pub fn targets_of(sync: &HubSync) -> impl Iterator<Item = &String> {
    sync.spec.iter().flat_map(TenantSyncSpec::targets)
}

/// The effective mode of a sync.
pub fn mode(sync: &HubSync) -> &'static str {
    match sync.spec.as_ref().ok().and_then(|spec| spec.mode) {
        Some(SyncMode::Apply) => "Apply",
        Some(SyncMode::Plan) | None => "Plan",
    }
}

/// The command `stablekey status …` for a hub.
pub fn status_command(address: &HubAddress) -> String {
    let HubAddress { context, namespace } = address.clone();
    Hub { context, namespace, sync: String::new(), tenant: String::new() }.status()
}

/// The options that name a hub: ` --context us -n us-prod`.
pub fn flags(address: &HubAddress) -> String {
    format!("{} -n {}", context_flag(address.context.as_deref()), render::quoted(&address.namespace))
}

/// The option `--context us` for a kubectl command.
fn context_flag(context: Option<&str>) -> String {
    context.map(|context| format!(" --context {}", render::quoted(context))).unwrap_or_default()
}
