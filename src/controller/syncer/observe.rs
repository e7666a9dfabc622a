//! The first step of a reconcile: builds the input of the plan from the caches.

use super::approvals::Ledger;
use super::budget::ChangeBudget;
use super::git_commit::ReadCommit;
use super::git_sources::GitSources;
use super::hub_objects::HubObjects;
use super::polled::PolledTenant;
use super::releases::{BegunRelease, Releases, SourceState};
use super::select::InFlight;
use super::status;
use super::syncs::{SourceInto, SyncInto, Syncs};
use super::target::TargetState;
use super::tenants::{Connection, TenantConnections};
use crate::api::*;
use crate::engine::model::canonical::Digest;
use crate::engine::model::inventory::{Sync, Targets, TenantView, View, World};
use crate::engine::model::plan::ActionKind;
use crate::engine::model::record::Writer;
use crate::engine::model::stages::{Gates, StageWait, Underway};
use crate::engine::promote::SourceSide;
use crate::engine::resolve::Replacements;
use crate::engine::{stages, sync_rules};
use crate::kubernetes::object::Live;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The state of a namespace.
#[derive(Clone, Copy)]
pub(super) struct HubObserver<'a> {
    pub objects: &'a HubObjects,
    pub tenants: &'a TenantConnections,
    pub git: &'a GitSources,
    pub targets: &'a BTreeMap<String, TargetState>,
    pub approvals: &'a Ledger,
    pub releases: &'a Releases,
    /// How long a source must have been unchanged before objects are deleted because of it.
    pub delete_after: Duration,
}

/// The input of a full reconcile of a target.
pub(super) struct ObservedTarget {
    /// The input of the plan.
    pub world: World,
    pub syncs: Syncs,
    /// The syncs into the target, as the world has them.
    pub into: BTreeMap<String, SyncInto>,
    /// The releases of the syncs with stages into the target, as the world has them.
    pub releases: BTreeMap<String, BegunRelease>,
    /// The target's own source, as the world has it.
    pub source: Option<SourceInto>,
    /// Why nothing is deleted yet.
    pub unsettled: Option<Unsettled>,
}

/// The input of an incremental reconcile of a target.
pub(super) struct ObservedChanges {
    pub target: String,
    /// The input of the plan, without the syncs that wait for an approval: they block nothing, and are planned by the
    /// full reconcile.
    pub world: World,
    pub syncs: Syncs,
    /// The share of changes that needs approval.
    pub share: (u32, u32),
    /// Number of objects in the target.
    pub objects: usize,
    /// Number of objects in the target when the count of changes began.
    pub base: Option<usize>,
    /// Number of objects that were updated or deleted since, are being updated, or wait to be planned.
    pub changed: usize,
    /// The writes of other reconciles in the target.
    pub in_flight: Vec<InFlight>,
}

/// Why nothing is deleted in a target yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unsettled {
    pub why: String,
    /// When the wait ends; `None` if it does not end by itself.
    pub until: Option<Instant>,
    /// Whether a new approval overrides it.
    pub may_be_approved: bool,
}

impl ObservedTarget {
    /// Returns the world without the syncs that wait for an approval; `None` if none waits.
    pub(super) fn without_those_that_wait(&self) -> Option<World> {
        let waits = |sync: &Sync| self.world.waiting.contains(&sync.writer);
        self.world.syncs.iter().any(waits).then(|| {
            let mut world = self.world.clone();
            world.syncs.retain(|sync| !waits(sync));
            world
        })
    }
}

impl HubObserver<'_> {
    /// Returns the input of the plan. It shares data with the caches, so it must be dropped before they apply further
    /// events: otherwise they have to copy that data.
    pub(super) fn world(&self) -> World {
        let view = |(name, live): (&String, &Live<Object<TenantSpec>>)| {
            let (spec, live) = self.tenants.view(live.read.as_ref().ok()?)?;
            let budget = self.targets.get(name).map(|target| &target.budget);
            let (recent, before) = (budget.map_or(0, ChangeBudget::count), budget.and_then(ChangeBudget::base));
            let polled = self.tenants.get(name).and_then(|found| found.as_ref().ok()?.polled());
            let resend = polled.map(PolledTenant::resend).unwrap_or_default();
            Some((name.clone(), TenantView { spec, live, source: self.source_view(name), recent, before, resend }))
        };
        let sync = |(name, sync): (&String, &Object<TenantSyncSpec>)| {
            let spec = Arc::new(sync.spec.clone());
            Sync { writer: Writer::Sync(name.clone()), spec }
        };
        let syncs = self.objects.syncs.iter().filter(|(_, live)| self.objects.is_own_sync(live));
        let waiting = syncs.filter(|(name, live)| !self.may_write(name, live));
        World {
            waiting: waiting.map(|(name, _)| Writer::Sync(name.clone())).collect(),
            tenants: self.objects.tenants.iter().filter_map(view).collect(),
            syncs: self.objects.readable_syncs().map(sync).collect(),
            // A TenantSync that cannot be read still exists: its objects are not orphaned.
            stopped: (self.objects.stopped_syncs())
                .map(|(name, to)| (Writer::Sync(name.clone()), to.map_or(Targets::Unknown, Targets::Named)))
                .collect(),
            unread: BTreeSet::new(),
            misnamed: None,
            underway: Some(self.underway()),
            gates: None,
            now: Some(jiff::Timestamp::now()),
        }
    }

    /// Returns what the source of a tenant in Git declares; `None` if it has none that this role reads.
    fn source_view(&self, tenant: &str) -> Option<View> {
        self.objects.with_git(tenant)?;
        Some(match self.git.get(tenant) {
            Some(Ok(source)) => source.view(),
            Some(Err(refusal)) => View::Unreachable(refusal.why.clone()),
            None => View::Unreachable("its source was not read yet".to_string()),
        })
    }

    /// Returns the commit that the source of a tenant was read at.
    pub(super) fn commit(&self, tenant: &str) -> Option<Arc<ReadCommit>> {
        self.git.get(tenant)?.ok()?.commit().cloned()
    }

    /// Returns the current state of a target's own source in Git.
    pub(super) fn source_into(&self, target: &str) -> Option<SourceInto> {
        let view = self.source_view(target)?;
        let commit = self.commit(target);
        Some(SourceInto {
            revision: commit.as_ref().map(|commit| commit.revision()),
            error: view.unreachable().map(str::to_string),
            problems: commit.map(|commit| commit.problems()).unwrap_or_default(),
        })
    }

    /// Returns what is remembered of the releases of syncs with stages.
    fn underway(&self) -> BTreeMap<Writer, Underway> {
        let underway = |(name, _): (&String, &Object<TenantSyncSpec>)| {
            Some((Writer::Sync(name.clone()), self.releases.underway(name)?.clone()))
        };
        self.objects.readable_syncs().filter_map(underway).collect()
    }

    /// Returns the releases of the syncs with stages into a target.
    fn releases_into(&self, target: &str) -> BTreeMap<String, BegunRelease> {
        let staged = self.objects.staged_into(self.releases, target);
        staged.filter_map(|(name, _)| Some((name.clone(), self.releases.begun(name)?))).collect()
    }

    /// Returns the state of a sync's source; `None` if it cannot be read.
    pub(super) fn source_state(&self, sync: &TenantSyncSpec, generation: i64) -> Option<SourceState> {
        let source = self.tenants.open(&sync.from)?;
        let (_, changes) = source.stirs();
        Some(SourceState { epoch: source.epoch(), changes, generation })
    }

    /// Returns what a sync carries from its source now; `None` if that cannot be read.
    pub(super) fn release(&self, name: &str, sync: &TenantSyncSpec) -> Option<Digest> {
        let inventory = self.tenants.open(&sync.from)?.inventory()?;
        let replacements = Replacements::of(&sync.from, inventory);
        let sync = Sync { writer: Writer::Sync(name.to_string()), spec: Arc::new(sync.clone()) };
        let from = SourceSide { tenant: &sync.spec.from, inventory, replacements: &replacements };
        Some(stages::release(&sync, from).digest)
    }

    /// Lets the syncs wait for which a target is not in the first stage: whether that stage is open is decided by a full
    /// reconcile.
    fn gates(&self, target: &str) -> Gates {
        let mut gates = Gates::default();
        for (name, sync) in self.objects.staged_into(self.releases, target) {
            if !self.releases.is_first(name, &sync.spec, target) {
                let release = Digest::of(&[]);
                let wait = StageWait { stage: None, waits_for: 1, release, held_by: Vec::new(), digest: None };
                gates.close(&Writer::Sync(name.clone()), target, wait);
            }
        }
        gates
    }

    /// Whether a sync may write without waiting for an approval.
    fn may_write(&self, name: &str, live: &Live<Object<TenantSyncSpec>>) -> bool {
        let mode = live.read.as_ref().ok().and_then(|sync| sync.spec.mode);
        let waits_now = || {
            let states = self.targets.iter().filter_map(|(to, target)| Some((to, target.states.get(name)?)));
            states.filter_map(|(to, (status, _))| Some((to.clone(), status.digest.clone()?))).collect::<Vec<_>>()
        };
        self.approvals.may_write(name, mode, || status::waits(live).into_iter().chain(waits_now()).collect())
    }

    /// Returns the input of an incremental reconcile; `None` if nothing may be written unattended.
    pub(super) fn changes(&self, name: &str) -> Option<ObservedChanges> {
        let target = self.targets.get(name).filter(|target| target.syncs.write_unattended())?;
        let mut world = self.world();
        forget_other_sources(&mut world, name);
        let waiting = &world.waiting;
        world.syncs.retain(|sync| !waiting.contains(&sync.writer));
        world.gates = Some(self.gates(name));
        // A suspended tenant is left to the full reconcile, whose status shows what waits.
        let share = world.tenants.get(name).filter(|tenant| !tenant.spec.is_suspended())?.spec.approval();
        let in_flight = target.queue.in_flight().map(|(pass, writing)| InFlight {
            pass,
            objects: writing.keys().cloned().collect(),
            deleted: (writing.iter().filter(|(_, writing)| writing.kind == ActionKind::Delete))
                .map(|(id, _)| id.clone())
                .collect(),
        });
        Some(ObservedChanges {
            target: name.to_string(),
            syncs: target.syncs.clone(),
            share,
            objects: self.objects(name),
            base: target.budget.base(),
            // Waiting objects may be updates too.
            changed: target.changes() + target.queue.waiting(),
            in_flight: in_flight.collect(),
            world,
        })
    }

    /// Returns the input of a full reconcile. Of another target only what may be written counts.
    pub(super) fn everything(&self, name: &str, now: Instant) -> Option<ObservedTarget> {
        let mut world = sync_rules::world_of(self.world(), name);
        forget_other_sources(&mut world, name);
        Some(ObservedTarget {
            syncs: self.targets.get(name)?.syncs.clone(),
            world,
            into: self.syncs_into(name),
            releases: self.releases_into(name),
            source: self.source_into(name),
            unsettled: self.unsettled(name, now),
        })
    }

    /// Returns the number of objects in a target.
    pub(super) fn objects(&self, name: &str) -> usize {
        self.tenants.open(name).and_then(Connection::inventory).map_or(0, |inventory| inventory.len())
    }

    /// Returns why nothing is deleted in a target yet; `None` if its sources are settled.
    pub(super) fn unsettled(&self, name: &str, now: Instant) -> Option<Unsettled> {
        let sources = self.objects.sources(name).filter_map(|source| self.tenants.open(source));
        let waits = sources.filter_map(|source| Some((source.unsettled(self.delete_after, now)?, source.is_rewound())));
        let own = self.git.get(name).and_then(Result::ok);
        let waits = waits.chain(own.and_then(|source| Some((source.unsettled(self.delete_after, now)?, false))));
        let (mut why, mut until, mut rewound) = (None, None, false);
        for ((one, then), is_rewound) in waits {
            (why, rewound) = (why.or(Some(one)), rewound || is_rewound);
            until = [until, then].into_iter().flatten().max();
        }
        // A person may decide about a source that was rewound. While a source still changes, its complete state is
        // unknown.
        why.map(|why| Unsettled { why, until, may_be_approved: rewound && until.is_none() })
    }

    /// Returns the current syncs into a target.
    pub(super) fn syncs_into(&self, target: &str) -> BTreeMap<String, SyncInto> {
        let into = self.objects.readable_syncs().filter(|(_, sync)| sync.spec.goes_to(target));
        let sync_into = |spec: &TenantSyncSpec| SyncInto {
            mode: spec.mode.unwrap_or(SyncMode::Plan),
            is_suspended: spec.is_suspended(),
            source_error: self.why_unread(&spec.from),
            knows_source: self.objects.tenants.get(&spec.from).is_some_and(|tenant| tenant.read.is_ok()),
        };
        into.map(|(name, sync)| (name.clone(), sync_into(&sync.spec))).collect()
    }

    /// Returns why a tenant cannot be read or is not valid.
    fn why_unread(&self, tenant: &str) -> Option<String> {
        let tenant = self.objects.tenants.get(tenant)?.read.as_ref().ok()?;
        match self.tenants.view(tenant)? {
            (_, View::Unreachable(why)) => Some(why),
            (_, View::Read(_)) => None,
        }
    }

    /// Whether Tenants and TenantSyncs were listed, and every tenant was connected to. Before that, a missing tenant
    /// may only be late.
    pub(super) fn is_read(&self) -> bool {
        let readable = self.objects.tenants.values().filter(|live| live.read.is_ok()).count();
        self.objects.are_read() && self.tenants.len() == readable
    }

    /// Whether a target, its sources and the targets of earlier stages were read, or are known not to exist.
    pub(super) fn can_reconcile(&self, target: &str) -> bool {
        let being_read = |tenant: &str| self.tenants.is_being_read(tenant);
        let earlier = self.objects.earlier_stages(self.releases, target);
        self.is_read()
            && !self.git.is_being_read(target)
            && !self.objects.sources(target).chain(earlier).chain([target]).any(being_read)
    }
}

/// Forgets the sources in Git of the other tenants: a sync copies what is live in its source tenant, which follows Git
/// by itself.
fn forget_other_sources(world: &mut World, target: &str) {
    world.tenants.iter_mut().filter(|(name, _)| *name != target).for_each(|(_, view)| view.source = None);
}
