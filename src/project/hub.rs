//! The world of a hub, read with a person's own contexts, to plan again what its syncer planned.

use super::clusters::{self, InCluster};
use crate::api::*;
use crate::engine::model::inventory::{Sync, Targets, TenantView, View, World};
use crate::engine::model::plan::{Plan, Scope};
use crate::engine::model::record::Writer;
use crate::engine::model::stages::Underway;
use crate::engine::plan::plan;
use crate::engine::{stages, sync_rules};
use crate::kubernetes::connect::Servers;
use crate::tenant::cluster::hub::{HubContents, HubSync, HubTenant};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubAddress {
    /// The context of its cluster; `None` for the current context.
    pub context: Option<String>,
    /// The namespace of the hub.
    pub namespace: String,
}

/// The world of a hub, read with a person's own contexts.
#[derive(Debug, Default)]
pub struct OwnWorld {
    world: World,
    /// Roles that grant access to the tenants that could not be read, as YAML.
    pub roles: BTreeSet<String>,
}

impl HubAddress {
    /// The location of a tenant in the hub's own namespace.
    pub fn location(&self) -> KubernetesLocation {
        let kubeconfig = self.context.clone().map(Kubeconfig::Context);
        KubernetesLocation { namespace: self.namespace.clone(), kubeconfig }
    }

    /// The location of a tenant: by the given context, or the hub's context for the hub's own tenant.
    fn location_of(
        &self,
        name: &str,
        spec: &TenantSpec,
        contexts: &BTreeMap<String, String>,
    ) -> Option<KubernetesLocation> {
        let namespace = match &spec.location {
            Some(LocationSpec::Kubernetes(location)) => location.namespace.clone(),
            _ => self.namespace.clone(),
        };
        if let Some(context) = contexts.get(name) {
            return Some(KubernetesLocation { namespace, kubeconfig: Some(Kubeconfig::Context(context.clone())) });
        }
        let is_own = match &spec.location {
            None => true,
            Some(LocationSpec::Kubernetes(location)) => {
                location.kubeconfig.is_none() && location.namespace == self.namespace
            }
            Some(LocationSpec::Directory(_) | LocationSpec::Prismatic(_)) => false,
        };
        is_own.then(|| self.location())
    }
}

impl OwnWorld {
    /// Reads every tenant of a hub for which there is a context, concurrently.
    pub fn read(
        servers: &Servers,
        address: &HubAddress,
        contents: &HubContents,
        contexts: &BTreeMap<String, String>,
    ) -> Self {
        let specs = contents.tenants.iter().filter_map(|(name, tenant)| Some((name, tenant.spec.as_ref().ok()?)));
        let located: BTreeMap<String, TenantSpec> = specs
            .filter_map(|(name, spec)| {
                let location = address.location_of(name, spec, contexts)?;
                Some((name.clone(), TenantSpec { location: Some(LocationSpec::Kubernetes(location)), ..spec.clone() }))
            })
            .collect();
        let mut read = clusters::read(servers, &located);
        let roles = read.values().filter_map(|tenant| tenant.role.clone()).collect();
        let tenants = contents
            .tenants
            .iter()
            .filter_map(|(name, tenant)| Some((name.clone(), view(name, tenant, read.remove(name), &contents.syncs)?)));
        let mut world = World { tenants: tenants.collect(), ..syncs(&contents.syncs) };
        go_on(&mut world, &contents.syncs);
        let mut specs = contents.tenants.values().filter_map(|tenant| tenant.spec.as_ref().ok());
        if specs.any(|spec| spec.git().is_some()) {
            // Only the operator reads Git: what a source declares is not planned here, and nothing counts as dropped.
            world.stopped.insert(Writer::Source, Targets::None);
        }
        OwnWorld { world, roles }
    }

    /// The world that was read.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The plan for one target: a sync that may not write counts only in its own targets.
    pub fn plan(&self, target: &str) -> Plan {
        let world = sync_rules::world_of(self.world.clone(), target);
        let mut plan = plan(&world, &Scope { tenants: [target.to_string()].into(), ..Scope::default() });
        // A hub is no project, in whose folder the commands could be run.
        plan.findings.iter_mut().for_each(|finding| finding.commands.clear());
        plan
    }

    /// The first of these tenants that could not be read, with the reason.
    pub fn why_unread<'t>(&'t self, tenants: impl IntoIterator<Item = &'t str>) -> Option<(&'t str, &'t str)> {
        tenants.into_iter().find_map(|name| match self.world.tenants.get(name).map(|tenant| &tenant.live) {
            Some(View::Unreachable(why)) => Some((name, why.as_str())),
            Some(View::Read(_)) => None,
            None => Some((name, "there is no such Tenant in the hub")),
        })
    }
}

/// A tenant as it was read, or the reason why it was not; `None` if its Tenant is unreadable.
fn view(
    name: &str,
    tenant: &HubTenant,
    read: Option<InCluster>,
    syncs: &BTreeMap<String, HubSync>,
) -> Option<TenantView> {
    let spec = tenant.spec.as_ref().ok()?;
    let (holds, live) = match read {
        None => (spec.clone(), View::Unreachable(format!("it was not read: give --target {name}=CONTEXT"))),
        Some(InCluster { spec: holds, live, .. }) => match live {
            Ok(snapshot) => (holds, View::Read(snapshot.inventory)),
            Err(why) => (holds, View::Unreachable(why)),
        },
    };
    // Recent changes by the syncer count toward the share that needs approval.
    let (recent, before) = sync_rules::changed_lately(syncs.values().filter_map(|sync| sync.target(name)));
    Some(TenantView {
        spec: TenantSpec { location: spec.location.clone(), ..holds },
        live,
        source: None,
        recent,
        before,
        resend: BTreeSet::new(),
    })
}

/// The syncs, and those of them that wait for approval.
fn syncs(syncs: &BTreeMap<String, HubSync>) -> World {
    let writer = |name: &String| Writer::Sync(name.clone());
    let read = syncs.iter().filter_map(|(name, sync)| Some((name, sync.spec.as_ref().ok()?)));
    let unread = syncs.iter().filter(|(_, sync)| sync.spec.is_err());
    World {
        waiting: syncs.iter().filter(|(_, sync)| !may_write(sync)).map(|(name, _)| writer(name)).collect(),
        syncs: read.map(|(name, spec)| Sync { writer: writer(name), spec: Arc::new(spec.clone()) }).collect(),
        stopped: unread.map(|(name, _)| (writer(name), Targets::Unknown)).collect(),
        underway: Some(syncs.iter().filter_map(|(name, sync)| Some((writer(name), underway(sync)?))).collect()),
        ..World::default()
    }
}

/// The release of a sync with stages that is on its way, as the syncer keeps it.
fn underway(sync: &HubSync) -> Option<Underway> {
    let release = sync.status.release.as_ref()?;
    Some(Underway {
        release: release.digest.clone(),
        stages: release.stages.clone(),
        received: release.received_by.iter().cloned().collect(),
    })
}

/// Goes on with each release as the syncer will: the status does not have yet what it finds next.
fn go_on(world: &mut World, syncs: &BTreeMap<String, HubSync>) {
    let Some(mut underway) = world.underway.take() else { return };
    for sync in &world.syncs {
        let Some(known) = underway.get_mut(&sync.writer) else { continue };
        let Writer::Sync(name) = &sync.writer else { continue };
        let asked = syncs.get(name).map(|sync| (&sync.requests, &sync.status.last_handled_reconcile_at));
        let is_asked = asked.is_some_and(|(requests, handled)| requests.is_some() && requests != handled);
        let carried = stages::live_release(world, sync).map(|release| release.digest.to_string());
        known.goes_on(carried.as_deref(), &sync.spec.stages, is_asked);
    }
    underway.retain(|_, known| !known.stages.is_empty());
    world.underway = Some(underway);
}

/// Whether the syncer may write for a sync now.
fn may_write(sync: &HubSync) -> bool {
    let mode = sync.spec.as_ref().ok().and_then(|spec| spec.mode);
    let begun = sync.status.approvals.iter().map(|approval| sync_rules::Begun {
        tenant: &approval.tenant,
        digest: &approval.digest,
        is_spent: approval.left.is_none(),
    });
    sync_rules::may_write(mode, &sync.standing, begun, || sync_rules::waits(&sync.status.targets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn location(spec: serde_json::Value, contexts: &[(&str, &str)]) -> Option<(String, Option<String>)> {
        let address = HubAddress { context: Some("us".into()), namespace: "hub".into() };
        let contexts = contexts.iter().map(|(tenant, context)| (tenant.to_string(), context.to_string())).collect();
        let found = address.location_of("eu", &serde_json::from_value(spec).unwrap(), &contexts)?;
        let context = match found.kubeconfig {
            Some(Kubeconfig::Context(context)) => Some(context),
            _ => None,
        };
        Some((found.namespace, context))
    }

    #[test]
    fn a_tenant_is_read_by_the_context_that_was_given_for_it() {
        let secret = json!({"name": "ways", "key": "eu"});
        let far = json!({"location": {"kubernetes": {"namespace": "eu", "kubeconfig": {"secretRef": secret}}}});
        assert_eq!(location(far.clone(), &[("eu", "eu-1")]), Some(("eu".into(), Some("eu-1".into()))));
        // No Secret is read for the location.
        assert_eq!(location(far, &[]), None);
        assert_eq!(location(json!({}), &[]), Some(("hub".into(), Some("us".into()))));
        assert_eq!(location(json!({"location": {"kubernetes": {"namespace": "hub"}}}), &[]).unwrap().0, "hub");
        assert_eq!(location(json!({"location": {"kubernetes": {"namespace": "other"}}}), &[]), None);
        assert_eq!(location(json!({"location": {"directory": {"path": "eu"}}}), &[]), None);
    }

    #[test]
    fn a_sync_that_only_waits_counts_against_no_other() {
        let sync = |mode, standing: &[&str], spent: &[&str]| {
            let spent = spent.iter().map(|digest| ApprovalStatus { digest: digest.to_string(), ..Default::default() });
            let waits = TargetStatus { digest: Some("b".to_string()), ..TargetStatus::default() };
            let approvals = spent.collect();
            HubSync {
                spec: Ok(TenantSyncSpec { mode, ..TenantSyncSpec::default() }),
                standing: standing.iter().map(ToString::to_string).collect(),
                status: TenantSyncStatus { approvals, targets: vec![waits], ..TenantSyncStatus::default() },
                ..HubSync::default()
            }
        };
        assert!(may_write(&sync(Some(SyncMode::Apply), &[], &[])));
        assert!(!may_write(&sync(Some(SyncMode::Plan), &[], &[])) && !may_write(&sync(None, &["a"], &["a"])));
        assert!(may_write(&sync(None, &["a", "b"], &["a"])) && !may_write(&sync(None, &["b"], &["b"])));
        assert!(!may_write(&sync(None, &["old"], &[])), "an approval of nothing that waits gives no right");
    }

    /// What is planned again is planned by the stages that the syncer will use.
    #[test]
    fn a_release_goes_on_as_the_syncer_will_take_it() {
        let stages = vec![Stage { to: vec!["eu".into()] }, Stage { to: vec!["ap".into()] }];
        let to = ["eu", "ap"].map(str::to_string).to_vec();
        let view = |live| TenantView {
            spec: TenantSpec::default(),
            live,
            source: None,
            recent: 0,
            before: None,
            resend: BTreeSet::new(),
        };
        // Edited to `to` while a release is on its way.
        let spec = TenantSyncSpec { from: "us".into(), to, ..TenantSyncSpec::default() };
        let after = |digest: Option<&str>, received: &[&str], requests: Option<&str>, live: View| {
            let mut sync = HubSync { name: "s".into(), spec: Ok(spec.clone()), ..HubSync::default() };
            sync.requests = requests.map(str::to_string);
            let tenants = BTreeMap::from([("us".to_string(), view(live))]);
            let mut world = World { tenants, ..syncs(&[("s".to_string(), sync.clone())].into()) };
            let carried = stages::live_release(&world, &world.syncs[0]).map(|release| release.digest.to_string());
            sync.status.release = Some(ReleaseStatus {
                digest: digest.map(str::to_string).or(carried).unwrap_or_default(),
                stages: stages.clone(),
                received_by: received.iter().map(ToString::to_string).collect(),
                ..ReleaseStatus::default()
            });
            let of_hub = BTreeMap::from([("s".to_string(), sync)]);
            world.underway = syncs(&of_hub).underway;
            go_on(&mut world, &of_hub);
            world.stages_of(&world.syncs[0]).to_vec()
        };
        let read = || View::Read(std::sync::Arc::default());
        assert_eq!(after(None, &["eu"], None, read()), stages);
        assert_eq!(after(Some("other"), &["eu"], None, View::Unreachable("it is away".into())), stages);
        assert_eq!(after(None, &["ap", "eu"], None, read()), []);
        assert_eq!(after(Some("other"), &["eu"], None, read()), []);
        assert_eq!(after(None, &["eu"], Some("now"), read()), []);
    }

    /// A plan that is made again uses the syncer's count: splitting a large change does not avoid approval.
    ///
    /// "Planned again".
    #[test]
    fn what_the_syncer_counted_since_a_target_was_settled_counts_here_too() {
        let tenant = HubTenant {
            spec: Ok(TenantSpec::default()),
            status: TenantStatus::default(),
            is_observed: true,
            resource_version: String::new(),
        };
        let mut sync = HubSync::default();
        sync.status.targets = vec![TargetStatus {
            tenant: "eu".to_string(),
            changed: Some(3),
            base: Some(10),
            ..TargetStatus::default()
        }];
        let syncs = BTreeMap::from([("s".to_string(), sync)]);
        let eu = view("eu", &tenant, None, &syncs).unwrap();
        assert_eq!((eu.recent, eu.before), (3, Some(10)));
        let us = view("us", &tenant, None, &syncs).unwrap();
        assert_eq!((us.recent, us.before), (0, None));
    }
}
