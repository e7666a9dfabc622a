//! One reading of a hub: what every view shows until the next one.

use super::rights::HubRights;
use crate::hub::{AskedTargets, HubFailure, OpenHub};
use crate::page::PageHub;
use crate::render::hub::{HubPart, SyncerSign};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long rights hold after they were asked for: no event tells of a Role.
const RIGHTS_HOLD: Duration = Duration::from_secs(9);

/// What was read of a hub at one moment.
pub(in crate::page) struct HubShown {
    pub(super) hub: Arc<OpenHub>,
    /// Whether its syncer runs.
    pub(super) sign: SyncerSign,
    /// What the account may do.
    pub(super) rights: HubRights,
    rights_asked: Instant,
    /// Whether it could not be read since.
    is_stale: bool,
    waits: usize,
}

impl HubShown {
    /// Reads the Tenants and TenantSyncs. The rights of the reading before are good for some seconds: a hub that changes
    /// all the time is read all the time.
    pub(super) fn read(from: &PageHub, before: Option<&HubShown>) -> Result<Arc<Self>, HubFailure> {
        let hub = OpenHub::open(from.address.clone(), Arc::clone(&from.servers))?;
        Ok(HubShown::of(Arc::new(hub), before))
    }

    /// The same contents, with a new sign of life of the syncer and the rights of now.
    pub(super) fn renewed(&self) -> Arc<Self> {
        HubShown::of(Arc::clone(&self.hub), Some(self))
    }

    fn of(hub: Arc<OpenHub>, before: Option<&HubShown>) -> Arc<Self> {
        let known = before.filter(|before| before.rights_asked.elapsed() < RIGHTS_HOLD);
        let known = known.map(|known| (known.rights.clone(), known.rights_asked));
        let (rights, rights_asked) = known.unwrap_or_else(|| (HubRights::of(&hub.client), Instant::now()));
        let waits = hub.statuses(&AskedTargets::default()).iter().filter(|part| part.awaits_approval()).count();
        Arc::new(HubShown { sign: hub.syncer(), rights, rights_asked, is_stale: false, waits, hub })
    }

    /// The same, where the hub cannot be read any more.
    pub(super) fn stale(&self) -> Arc<Self> {
        let (hub, sign, rights) = (Arc::clone(&self.hub), self.sign.clone(), self.rights.clone());
        Arc::new(HubShown { hub, sign, rights, rights_asked: self.rights_asked, is_stale: true, waits: self.waits })
    }

    /// Why nothing that the hub reports is known to hold now.
    pub(super) fn doubt(&self) -> Option<String> {
        if self.is_stale { Some("the hub cannot be read now".to_string()) } else { self.sign.doubt() }
    }

    /// What to know on every page: that no syncer runs, and how to find out why.
    pub(in crate::page) fn dead_syncer(&self) -> Option<(String, Vec<String>)> {
        self.sign.is_dead().then(|| (self.sign.sentence(), self.sign.commands()))
    }

    /// The targets that wait for an approval.
    pub(in crate::page) fn waits_for_approval(&self) -> usize {
        self.waits
    }

    /// A sync in one of its targets, without its waiting plan.
    pub(super) fn part(&self, sync: &str, tenant: &str) -> Option<HubPart> {
        self.hub.statuses(&one(sync, tenant)).into_iter().next()
    }

    /// Whether nothing that matters differs.
    pub(super) fn is_like(&self, other: &HubShown) -> bool {
        let versions = |shown: &HubShown| {
            let contents = &shown.hub.contents;
            let tenants = contents.tenants.iter().map(|(name, tenant)| (name.clone(), tenant.resource_version.clone()));
            let syncs = contents.syncs.iter().map(|(name, sync)| (name.clone(), sync.resource_version.clone()));
            (tenants.collect::<BTreeSet<_>>(), syncs.collect::<BTreeSet<_>>())
        };
        let is_same_hub = Arc::ptr_eq(&self.hub, &other.hub) || versions(self) == versions(other);
        is_same_hub && self.rights == other.rights && self.sign.is_dead() == other.sign.is_dead()
    }
}

/// A sync in one of its targets, as a request for it.
pub(super) fn one(sync: &str, tenant: &str) -> AskedTargets {
    AskedTargets { syncs: BTreeSet::from([sync.to_string()]), tenants: BTreeSet::from([tenant.to_string()]) }
}
