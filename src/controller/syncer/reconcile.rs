//! Reconciles one target: observe → plan → select → apply → assess.
//!
//! [`changes`] is the incremental reconcile, and [`Reconciler::everything`] the full one. The worker observes, because
//! only it has the caches, and assesses the result, because a sync may have changed meanwhile. Writes run on a thread
//! of their own, so a target that does not answer delays no other.

use super::super::context::Context;
use super::approvals::{GivenApprovals, Ledger};
use super::git_commit::ReadCommit;
use super::observe::{ObservedChanges, ObservedTarget, Unsettled};
use super::outcome::{AppliedTarget, PassOutcome};
use super::queue::{IN_A_PASS, Writing};
use super::select::{Deletes, Limits, Selected, SyncConsent, UpdateVolume, Why, conflicts, select};
use super::syncs::Syncs;
use super::waiting_plans::{StoredPlaces, StoredPlans};
use crate::api::Kind;
use crate::apply;
use crate::apply::consent::{Approvals, NotKept};
use crate::apply::{Consent, Outcome, Refusal, Tenants};
use crate::engine::closure::{Index, Seeds, plan_closure};
use crate::engine::model::canonical::Digest;
use crate::engine::model::inventory::{View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, DefinitionFrom, Plan, Scope, State, Target};
use crate::engine::model::record::Writer;
use crate::engine::plan::{measured_by, plan, plan_uncounted};
use crate::kubernetes::client::Server;
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::{ClusterLocation, read};
use crate::tenant::directory::definition_digest;
use crate::tenant::location::{Location, LocationError};
use crate::tenant::prismatic::OrganizationLocation;
use futures_util::future::join_all;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::{info, warn};

/// Timeout of the request that reads whether a namespace is ending.
const ENDING_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a reconcile reports its progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// Everything that a reconcile of a target needs: its location, its sources, and where to report.
pub(super) struct Reconciler {
    pub target: String,
    /// Its location with the cached objects; `None` if it cannot be written.
    pub location: Option<Arc<dyn Location>>,
    /// The sources of definitions.
    pub sources: BTreeMap<String, DefinitionSource>,
    /// The commit of the target's own source, whose definitions may be read.
    pub commit: Option<Arc<ReadCommit>>,
    /// The source tenants of the target.
    pub feeds: BTreeSet<String>,
    /// Whether to continue. Checked before each write.
    pub goes_on: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether the sources are unchanged since this was planned. Checked before each delete.
    pub is_quiet: Arc<dyn Fn() -> bool + Send + Sync>,
    pub approvals: Arc<Ledger>,
    /// The plans that wait for approval.
    pub waiting_plans: Arc<StoredPlans>,
    /// Reports what is about to be written, and the progress.
    pub report: Arc<dyn Fn(PassProgress) + Send + Sync>,
    /// The operator's own cluster and namespace.
    pub hub: (Context, Paths),
}

/// The progress of a full reconcile.
pub(super) enum PassProgress {
    /// It writes these objects; whether a person approved them.
    Begins(BTreeMap<ObjectId, Writing>, bool),
    /// Number of actions that are done, and their total.
    Done(usize, usize),
}

/// A tenant whose definitions may be read.
pub(super) enum DefinitionSource {
    Cluster(Box<ClusterSource>),
    /// An organization on the platform, as it was read.
    Platform(Arc<OrganizationLocation>),
}

/// A namespace whose definitions may be read.
pub(super) struct ClusterSource {
    pub server: Server,
    pub paths: Paths,
    /// Whether the server answers.
    pub answers: Arc<AtomicBool>,
}

/// The plan of a full reconcile.
struct PlannedTarget<'o> {
    /// The world without the syncs that wait for an approval; borrowed if none waits.
    world: Cow<'o, World>,
    plan: Plan,
    limits: Limits,
    /// Whether everything that is to be done in the target is known.
    is_known: bool,
    /// Whether anything may be written: never to a suspended tenant, whatever was approved.
    writes: bool,
}

/// The plan of an incremental reconcile, and what of it is written now.
pub(super) struct SelectedChanges {
    pub plan: Plan,
    pub selected: Selected,
}

/// Plans an incremental reconcile, and selects what is written; [`Reconciler::apply_changes`] applies it. Nothing is
/// assessed: only a full reconcile knows the status.
///
/// This runs between two events and drops what was observed, because the world shares data with the caches: they would
/// have to copy it to apply the next event.
pub(super) fn changes(observed: ObservedChanges, seeds: &Seeds, index: &Index) -> SelectedChanges {
    let (plan, conflicts) = plan_changes(&observed, seeds, index);
    let limits = limits_of_changes(observed, conflicts);
    let selected = select(&plan, &limits, &SyncConsent::Unattended);
    SelectedChanges { plan, selected }
}

impl Reconciler {
    /// Applies the selected part of an incremental plan.
    pub(super) fn apply_changes(&self, plan: &Plan) -> PassOutcome {
        let begun = Instant::now();
        let applied = self.apply(plan, &Consent::Safe, &NotKept, &|_| false);
        let applied = applied.unwrap_or_else(|refusal| PassOutcome::refused(&self.target, &refusal));
        applied.log(&self.target);
        PassOutcome { took: begun.elapsed(), ..applied }
    }

    /// Runs a full reconcile: applies what was approved, or else what needs no approval.
    pub(super) fn everything(&self, observed: &ObservedTarget) -> AppliedTarget {
        let begun = Instant::now();
        let planned = self.plan(observed);
        if planned.writes && planned.is_known {
            self.end_finished_approvals(&planned.plan, observed);
        }
        // Each of the two selects, and applies its selection.
        let (approved, void) = self.select_and_apply_approved(observed, &planned);
        let (applied, unattended) = self.select_and_apply_unattended(observed, &planned, approved);
        let later = unsettled_deletes(&planned);
        let (is_known, writes) = (planned.is_known, planned.writes);
        let left = self.plan_what_is_left(observed, planned, &applied);
        let given = self.given(&observed.syncs);
        // What was just written is planned once more before anybody is asked for approval.
        let waiting_plans = self.store_waiting_plans(observed, &left, writes && did_nothing(&applied));
        let outcome = PassOutcome { took: begun.elapsed(), ..applied.unwrap_or_default() };
        outcome.log(&self.target);
        AppliedTarget {
            settled: (is_known && left.is_empty()).then(|| {
                let receipt = apply::receipt(Digest::of(b""), &observed.world);
                (receipt.declared, receipt.live)
            }),
            plan: left,
            unattended,
            outcome,
            void,
            given,
            waiting_plans,
            later,
            waited: observed.world.waiting.clone(),
            releases: observed.releases.clone(),
            into: observed.into.clone(),
            source: observed.source.clone(),
        }
    }

    /// Plans everything except the syncs that wait for an approval: they block nothing, and are planned afterwards.
    fn plan<'o>(&self, observed: &'o ObservedTarget) -> PlannedTarget<'o> {
        let world = match observed.without_those_that_wait() {
            Some(world) => Cow::Owned(world),
            None => Cow::Borrowed(&observed.world),
        };
        let plan = plan(&world, &self.scope());
        let limits = self.limits(&plan, observed.unsettled.as_ref());
        let is_known = self.is_known(&plan, &observed.world);
        let writes = !self.target(&plan).is_some_and(|target| target.suspended);
        PlannedTarget { world, plan, limits, is_known, writes }
    }

    /// Plans what is left, including the syncs that wait for an approval. The plan still has what was just written; the
    /// next reconcile proves that it is done.
    fn plan_what_is_left(
        &self,
        observed: &ObservedTarget,
        planned: PlannedTarget<'_>,
        applied: &Option<PassOutcome>,
    ) -> Plan {
        if matches!(planned.world, Cow::Borrowed(_)) {
            return planned.plan;
        }
        if applied.is_none() {
            // This reconcile writes nothing: changes need not wait for a second plan.
            (self.report)(PassProgress::Begins(BTreeMap::new(), false));
        }
        drop(planned);
        plan(&observed.world, &self.scope())
    }

    /// Returns where the waiting plans are stored; updates them first if `is_asked`.
    fn store_waiting_plans(&self, observed: &ObservedTarget, left: &Plan, is_asked: bool) -> StoredPlaces {
        if !is_asked {
            return self.waiting_plans.known(&self.target, &observed.syncs);
        }
        let hub = (&self.hub.0, &self.hub.1);
        self.waiting_plans.update(hub, left, &self.target, &observed.syncs, |sync| self.approvals.uid(sync))
    }

    /// Selects and applies what a person approved. Also returns the writers whose approval is not valid, and why. `None`
    /// if nothing was approved.
    fn select_and_apply_approved(
        &self,
        observed: &ObservedTarget,
        planned: &PlannedTarget<'_>,
    ) -> (Option<PassOutcome>, BTreeMap<Writer, String>) {
        let mut void = BTreeMap::new();
        let plan = &planned.plan;
        let target = self.target(plan).filter(|_| planned.writes && self.location.is_some());
        let Some((target, (consent, writers))) =
            target.and_then(|target| Some((target, self.consent(target, &observed.syncs)?)))
        else {
            return (None, void);
        };
        let kept = self.approvals.of(plan);
        let approved: BTreeSet<Writer> = writers.iter().cloned().collect();
        let is_fresh = matches!(consent, Consent::Digests { .. });
        let by = if is_fresh {
            SyncConsent::Approved(approved)
        } else {
            match kept.kept(&self.target) {
                Ok(kept) => SyncConsent::Begun(approved, kept.into_iter().flat_map(|kept| kept.covers).collect()),
                Err(error) => return (Some(PassOutcome::refused(&self.target, &error.into())), void),
            }
        };
        // The approver of a delete from a rewound source saw the source in its current state.
        let overrides = is_fresh && observed.unsettled.as_ref().is_some_and(|unsettled| unsettled.may_be_approved);
        let settled = overrides.then(|| self.limits(plan, None));
        let selected = select(plan, settled.as_ref().unwrap_or(&planned.limits), &by);
        if !is_fresh && !target.actions.iter().any(|action| by.covers(action) && !selected.is_unsettled(action)) {
            return (None, void);
        }
        (self.report)(PassProgress::Begins(selected.now, true));
        let later = selected.later;
        let is_later = |action: &Action| later.contains_key(&action.id) || (!overrides && self.has_moved(action));
        let applied = match self.apply(plan, &consent, &kept, &is_later) {
            Ok(applied) => Some(PassOutcome { approved: is_fresh || !applied.done.is_empty(), ..applied }),
            Err(refusal @ Refusal::Location(_)) => Some(PassOutcome::refused(&self.target, &refusal)),
            Err(refusal) => {
                void.extend(writers.into_iter().map(|writer| (writer, refusal.to_string())));
                None
            }
        };
        (applied, void)
    }

    /// Selects and applies what needs no approval, unless an approved plan was applied; an approval that cannot be
    /// applied blocks nothing else. Also returns the ids of the actions of syncs that need no approval, if others wait
    /// for one.
    fn select_and_apply_unattended(
        &self,
        observed: &ObservedTarget,
        planned: &PlannedTarget<'_>,
        approved: Option<PassOutcome>,
    ) -> (Option<PassOutcome>, Option<BTreeSet<String>>) {
        let (narrowed, selected) = self.plan_unattended(observed, planned).unzip();
        let plan = narrowed.as_ref().unwrap_or(&planned.plan);
        let ids = || plan.actions().map(|(_, action)| action.id.clone()).collect();
        let unattended = narrowed.is_some().then(ids);
        if !planned.writes || !did_nothing(&approved) || !observed.syncs.write_unattended() {
            return (approved, unattended);
        }
        let selected = selected.unwrap_or_else(|| select(plan, &planned.limits, &SyncConsent::Unattended));
        if selected.now.is_empty() {
            return (approved, unattended);
        }
        let mut applied = self.apply_unattended(plan, selected);
        applied.failed.extend(approved.into_iter().flat_map(|approved| approved.failed));
        (Some(applied), unattended)
    }

    /// Plans the syncs that need no approval without the others, and selects what is written; `None` if all or none
    /// wait.
    fn plan_unattended(&self, observed: &ObservedTarget, planned: &PlannedTarget<'_>) -> Option<(Plan, Selected)> {
        let syncs = &observed.syncs;
        if !syncs.write_unattended() || syncs.plan.is_empty() {
            return None;
        }
        let mut narrowed = plan_uncounted(&planned.world, &Scope { syncs: syncs.unattended(), ..self.scope() });
        let conflicts = conflicts(&planned.plan, &self.target);
        let limits = Limits { conflicts, deletes: planned.limits.deletes.clone(), ..Limits::default() };
        let selected = select(&narrowed, &limits, &SyncConsent::Unattended);
        selected.narrow(&mut narrowed, |why| *why == Why::Conflict);
        Some((narrowed, selected))
    }

    /// Applies what needs no approval.
    fn apply_unattended(&self, plan: &Plan, selected: Selected) -> PassOutcome {
        (self.report)(PassProgress::Begins(selected.now, false));
        let later = selected.later;
        let is_later = |action: &Action| later.contains_key(&action.id) || self.has_moved(action);
        let applied = self.apply(plan, &Consent::Safe, &NotKept, &is_later);
        applied.unwrap_or_else(|refusal| PassOutcome::refused(&self.target, &refusal))
    }

    /// Whether an action deletes and its source has changed since the selection: the missing object may exist again, or
    /// be missing for another reason. Checked before each batch of writes.
    fn has_moved(&self, action: &Action) -> bool {
        action.action == ActionKind::Delete && !(self.is_quiet)()
    }

    /// Applies a plan, except what is delayed.
    fn apply(
        &self,
        plan: &Plan,
        consent: &Consent,
        approvals: &dyn Approvals,
        is_later: &dyn Fn(&Action) -> bool,
    ) -> Result<PassOutcome, Refusal> {
        let (mut done, all, mut reported) = (0, plan.actions().count(), Instant::now());
        let mut progress = |_: &str, outcome: &Outcome| {
            done += usize::from(*outcome == Outcome::Done);
            if reported.elapsed() >= PROGRESS_INTERVAL {
                reported = Instant::now();
                info!(tenant = self.target, done, of = all, "applies actions");
                (self.report)(PassProgress::Done(done, all));
            }
        };
        let stop = || !(self.goes_on)();
        let report = apply::apply_but(self, approvals, plan, consent, is_later, &stop, &mut progress)?;
        Ok(PassOutcome::of(plan, &report))
    }

    /// Returns the approvals of each writer.
    fn given(&self, syncs: &Syncs) -> BTreeMap<Writer, GivenApprovals> {
        let given = |writer: Writer| (writer.clone(), self.approvals.given(&writer, &self.target));
        syncs.writers().map(given).collect()
    }

    /// Returns the consent to the plan, and the writers whose approvals give it; `None` if there is none.
    fn consent(&self, target: &Target, syncs: &Syncs) -> Option<(Consent, Vec<Writer>)> {
        let (mut fresh, mut begun) = (BTreeMap::new(), BTreeMap::new());
        for writer in syncs.writers() {
            if !target.actions.iter().any(|action| action.writers.contains(&writer)) {
                continue;
            }
            let given = self.approvals.given(&writer, &self.target);
            let now = target.digests.get(&writer.to_string()).map(ToString::to_string).unwrap_or_default();
            if given.usable.contains(&now) && !given.begun.contains(&now) {
                fresh.insert(writer, now);
            } else if !given.begun.is_empty() {
                begun.insert(writer, given.begun);
            }
        }
        // Begun approvals come after new ones, because applying the plan changes what is left of them.
        if !fresh.is_empty() {
            let digests = fresh.values().cloned().collect();
            Some((Consent::Digests { digests, safe: false }, fresh.into_keys().collect()))
        } else if !begun.is_empty() {
            Some((Consent::Begun(begun.values().flatten().cloned().collect()), begun.into_keys().collect()))
        } else {
            None
        }
    }

    /// Drops approved actions that are no longer planned: they are done or withdrawn, and need a new approval.
    fn end_finished_approvals(&self, plan: &Plan, observed: &ObservedTarget) {
        let may_write = observed.syncs.writers().filter(|writer| !observed.world.waiting.contains(writer));
        if let Err(error) = self.approvals.narrow(may_write, plan, &self.target) {
            warn!(tenant = self.target, why = %error, "an approval cannot be removed");
        }
    }

    /// Returns the limits of a full plan. Deletes wait until the sources have been complete and unchanged for a while,
    /// and as long as a source namespace is ending, even if they are approved.
    fn limits(&self, plan: &Plan, unsettled: Option<&Unsettled>) -> Limits {
        let deletes = |target: &&Target| target.actions.iter().any(|action| action.action == ActionKind::Delete);
        let why = self.target(plan).filter(|target| !target.suspended).filter(deletes).and_then(|_| {
            let why = unsettled.map(|unsettled| unsettled.why.clone());
            why.or_else(|| self.ending())
        });
        Limits { deletes: why.map_or(Deletes::Now, Deletes::Unsettled), ..Limits::default() }
    }

    /// Returns why objects may be missing from a source only because its namespace is ending. Asks all sources at once,
    /// with a short timeout, because other changes wait meanwhile.
    fn ending(&self) -> Option<String> {
        let sources = self.feeds.iter().filter_map(|feed| match self.sources.get(feed)? {
            DefinitionSource::Cluster(source) => Some((&source.server, &source.paths)),
            DefinitionSource::Platform(_) => None,
        });
        let sources: Vec<(&Server, &Paths)> = sources.collect();
        let asked = sources.iter().map(|(server, paths)| async move {
            let answer = timeout(ENDING_TIMEOUT, read::ending(server, paths)).await;
            answer.unwrap_or_else(|_| Some(format!("namespace {} does not answer", paths.namespace())))
        });
        let (first, _) = sources.first()?;
        first.wait(join_all(asked)).into_iter().flatten().next()
    }

    /// Whether everything that is to be done in the target is known: nothing is planned for what could not be read.
    fn is_known(&self, plan: &Plan, world: &World) -> bool {
        let is_read = |tenant: &String| matches!(world.tenants.get(tenant).map(|t| &t.live), Some(View::Read(_)));
        let into = world.syncs.iter().filter(|sync| sync.spec.goes_to(&self.target));
        let own = world.tenants.get(&self.target).and_then(|tenant| tenant.source.as_ref());
        own.is_none_or(|source| source.inventory().is_some())
            && self.target(plan).is_some_and(|target| target.state == State::Read)
            && into.into_iter().all(|sync| is_read(&sync.spec.from))
    }

    fn scope(&self) -> Scope {
        Scope { tenants: [self.target.clone()].into(), ..Scope::default() }
    }

    fn target<'p>(&self, plan: &'p Plan) -> Option<&'p Target> {
        plan.targets.iter().find(|target| target.tenant == self.target)
    }
}

/// Plans an incremental reconcile, and returns the objects for which other syncs want something else.
fn plan_changes(observed: &ObservedChanges, seeds: &Seeds, index: &Index) -> (Plan, BTreeSet<ObjectId>) {
    let tenants = BTreeSet::from([observed.target.clone()]);
    let scope = Scope { tenants, syncs: observed.syncs.unattended(), ..Scope::default() };
    let plan = plan_closure(&observed.world, index, seeds, &scope);
    if scope.syncs.is_empty() {
        return (plan, BTreeSet::new());
    }
    // A sync that waits for approval may want something else for the same objects.
    let all = plan_closure(&observed.world, index, seeds, &Scope { syncs: BTreeSet::new(), ..scope });
    (plan, conflicts(&all, &observed.target))
}

/// Returns the limits of an incremental plan. Deletes, and the sum of many changes, are left to the full reconcile.
fn limits_of_changes(observed: ObservedChanges, conflicts: BTreeSet<ObjectId>) -> Limits {
    let base = measured_by(observed.base, observed.objects, observed.share);
    Limits {
        conflicts,
        in_flight: observed.in_flight,
        deletes: Deletes::WithEverything,
        is_partial: true,
        volume: Some(UpdateVolume { changed: observed.changed, base, share: observed.share }),
        most: Some(IN_A_PASS),
    }
}

/// Returns the deletes that wait for their source, approved or not, and what depends on them.
fn unsettled_deletes(planned: &PlannedTarget<'_>) -> BTreeMap<String, String> {
    match planned.limits.deletes {
        Deletes::Unsettled(_) => select(&planned.plan, &planned.limits, &SyncConsent::Unattended).unsettled(),
        Deletes::Now | Deletes::WithEverything => BTreeMap::new(),
    }
}

fn did_nothing(applied: &Option<PassOutcome>) -> bool {
    applied.as_ref().is_none_or(PassOutcome::did_nothing)
}

impl Tenants for Reconciler {
    fn location(&self, tenant: &str) -> Option<&dyn Location> {
        self.location.as_deref().filter(|_| tenant == self.target)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        let object = || ObjectId::new(Kind::Integration, &from.integration);
        let bytes = match self.sources.get(&from.tenant) {
            _ if from.source => match self.commit.as_ref().filter(|_| from.tenant == self.target) {
                Some(commit) => commit.definition(&from.integration)?,
                None => {
                    let why = format!("its definition is in the source of {}, which cannot be read", from.tenant);
                    return Err(LocationError::Refused { object: object(), why });
                }
            },
            Some(DefinitionSource::Cluster(source)) if source.answers.load(Ordering::Relaxed) => {
                let source = ClusterLocation::new(&from.tenant, source.server.clone(), source.paths.namespace());
                source.definition(&from.integration)?
            }
            Some(DefinitionSource::Platform(source)) => source.definition(&from.integration)?,
            Some(DefinitionSource::Cluster(_)) | None => {
                let why = format!("its definition is in {}, which cannot be read", from.tenant);
                return Err(LocationError::Refused { object: object(), why });
            }
        };
        if definition_digest(&bytes) == from.digest {
            Ok(bytes)
        } else {
            Err(LocationError::Changed { object: object() })
        }
    }
}
