//! Reconciles one target: observe → plan → select → apply → assess.
//!
//! [`changes`] reconciles what changed, and [`Reconciler::everything`] everything. The worker observes, since only it
//! knows what is there, and assesses what was applied, since a sync may have changed meanwhile. What writes runs on a
//! thread of its own: a target that does not answer holds up no other.

use super::super::context::Context;
use super::approvals::{GivenApprovals, Ledger};
use super::observe::{ObservedChanges, ObservedTarget, Unsettled};
use super::outcome::{AppliedTarget, PassOutcome};
use super::queue::{IN_A_PASS, Writing};
use super::select::{Deletes, Limits, Selected, SyncConsent, UpdateVolume, Why, conflicts, select};
use super::syncs::Syncs;
use super::waiting_plans::{KeptPlans, Where};
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
use futures_util::future::join_all;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::{info, warn};

/// How long a namespace may take to say whether it is ending.
const ENDING_TIMEOUT: Duration = Duration::from_secs(2);
/// How often a pass reports how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(2);

/// What reconciles a target: where it writes to and copies from, and whom it asks and reports to.
pub struct Reconciler {
    /// The target.
    pub target: String,
    /// Its location, and what is known of it; `None` where it cannot be written.
    pub location: Option<ClusterLocation>,
    /// Where definitions come from.
    pub sources: BTreeMap<String, DefinitionSource>,
    /// The tenants that are copied to it.
    pub feeds: BTreeSet<String>,
    /// Whether to go on: asked before each write.
    pub goes_on: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Whether what is copied to it is still as it was when this was planned: asked before anything is deleted.
    pub is_quiet: Arc<dyn Fn() -> bool + Send + Sync>,
    /// What was approved.
    pub approvals: Arc<Ledger>,
    /// The plans that wait, as the hub keeps them.
    pub waiting_plans: Arc<KeptPlans>,
    /// Reports what is about to be written, and how far that is.
    pub report: Arc<dyn Fn(PassProgress) + Send + Sync>,
    /// The hub.
    pub hub: (Context, Paths),
}

/// How far a pass over everything is.
pub enum PassProgress {
    /// It writes these objects; whether a person approved that.
    Begins(BTreeMap<ObjectId, Writing>, bool),
    /// So many actions are done, of so many.
    Done(usize, usize),
}

/// Where definitions come from.
pub struct DefinitionSource {
    /// Its cluster.
    pub server: Server,
    /// Its namespace there.
    pub paths: Paths,
    /// Whether it answers.
    pub answers: Arc<AtomicBool>,
}

/// What is planned of everything in a target.
struct PlannedTarget<'o> {
    /// The world without the syncs that wait for an approval; borrowed: none does.
    world: Cow<'o, World>,
    /// The plan.
    plan: Plan,
    /// What limits it.
    limits: Limits,
    /// Whether all that is to be done in the target is known.
    is_known: bool,
    /// Whether anything is written: to a suspended tenant nothing is, whatever was approved.
    writes: bool,
}

/// What of what changed is written now.
pub struct SelectedChanges {
    /// The plan of what changed.
    pub plan: Plan,
    /// What of it is written.
    pub selected: Selected,
}

/// Reconciles what changed in a target, or in what is copied to it: plans it and selects what is written of it, which
/// [`Reconciler::apply_changes`] then applies. Nothing of it is assessed: what a status says is known of everything.
///
/// It is done between two events, and what was observed is dropped with it: the world shares what the caches keep, and
/// they would have to copy it to take in the next event.
pub fn changes(observed: ObservedChanges, seeds: &Seeds, index: &Index) -> SelectedChanges {
    let (plan, conflicts) = plan_changes(&observed, seeds, index);
    let limits = limits_of_changes(observed, conflicts);
    let selected = select(&plan, &limits, &SyncConsent::Unattended);
    SelectedChanges { plan, selected }
}

impl Reconciler {
    /// Applies what was selected of what changed: all of the plan.
    pub fn apply_changes(&self, plan: &Plan) -> PassOutcome {
        let begun = Instant::now();
        let applied = self.apply(plan, &Consent::Safe, &NotKept, &|_| false);
        let applied = applied.unwrap_or_else(|refusal| PassOutcome::refused(&self.target, &refusal));
        applied.log(&self.target);
        PassOutcome { took: begun.elapsed(), ..applied }
    }

    /// Reconciles everything: applies what was approved, or else what needs no approval.
    pub fn everything(&self, observed: &ObservedTarget) -> AppliedTarget {
        let begun = Instant::now();
        let planned = self.plan(observed);
        if planned.writes && planned.is_known {
            self.drop_what_is_done(&planned.plan, observed);
        }
        // Each of the two selects, and applies what it selected.
        let (approved, void) = self.approved(observed, &planned);
        let (applied, unattended) = self.unattended(observed, &planned, approved);
        let later = unsettled_deletes(&planned);
        let (is_known, writes) = (planned.is_known, planned.writes);
        let left = self.plan_what_is_left(observed, planned, &applied);
        let given = self.given(&observed.syncs);
        // What was just done is planned once more before anybody is asked.
        let waiting_plans = self.waiting_plans(observed, &left, writes && did_nothing(&applied));
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
        }
    }

    /// Plans everything but what waits for an approval that was not given: that holds up nothing, and is planned when
    /// the rest is done.
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

    /// Plans what is left, with the syncs that wait for an approval. What was just done is in it still: the next pass
    /// proves that it is done.
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
            // This pass writes nothing: what changed need not wait for a second plan.
            (self.report)(PassProgress::Begins(BTreeMap::new(), false));
        }
        drop(planned);
        plan(&observed.world, &self.scope())
    }

    /// Where the plans that wait are kept, for an approver to see; up to date where `is_asked`.
    fn waiting_plans(&self, observed: &ObservedTarget, left: &Plan, is_asked: bool) -> Where {
        if !is_asked {
            return self.waiting_plans.known(&self.target, &observed.syncs);
        }
        let hub = (&self.hub.0, &self.hub.1);
        self.waiting_plans.update(hub, left, &self.target, &observed.syncs, |sync| self.approvals.uid(sync))
    }

    /// Selects and applies what a person approved; with it the syncs whose approval does not hold, and why. `None`:
    /// nothing was approved.
    fn approved(
        &self,
        observed: &ObservedTarget,
        planned: &PlannedTarget<'_>,
    ) -> (Option<PassOutcome>, BTreeMap<String, String>) {
        let mut void = BTreeMap::new();
        let plan = &planned.plan;
        let target = self.target(plan).filter(|_| planned.writes && self.location.is_some());
        let Some((target, (consent, syncs))) =
            target.and_then(|target| Some((target, self.consent(target, &observed.syncs)?)))
        else {
            return (None, void);
        };
        let kept = self.approvals.of(plan);
        let writers = syncs.iter().map(|sync| Writer::Sync(sync.clone())).collect();
        let is_fresh = matches!(consent, Consent::Digests { .. });
        let by = if is_fresh {
            SyncConsent::Approved(writers)
        } else {
            match kept.kept(&self.target) {
                Ok(kept) => SyncConsent::Begun(writers, kept.into_iter().flat_map(|kept| kept.covers).collect()),
                Err(error) => return (Some(PassOutcome::refused(&self.target, &error.into())), void),
            }
        };
        // Who approves what a source that went back lacks has seen it as it is.
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
                void.extend(syncs.into_iter().map(|sync| (sync, refusal.to_string())));
                None
            }
        };
        (applied, void)
    }

    /// Selects and applies what needs no approval, unless what was approved was: what was approved and cannot be done
    /// holds up nothing else. With it the ids of the actions of those syncs that need not wait, where others do.
    fn unattended(
        &self,
        observed: &ObservedTarget,
        planned: &PlannedTarget<'_>,
        approved: Option<PassOutcome>,
    ) -> (Option<PassOutcome>, Option<BTreeSet<String>>) {
        let (narrowed, selected) = self.plan_unattended(observed, planned).unzip();
        let plan = narrowed.as_ref().unwrap_or(&planned.plan);
        let ids = || plan.actions().map(|(_, action)| action.id.clone()).collect();
        let unattended = narrowed.is_some().then(ids);
        if !planned.writes || !did_nothing(&approved) || observed.syncs.apply.is_empty() {
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

    /// Plans those syncs that need not wait without those that do, and selects what is written of that; `None` where
    /// all syncs are of one kind.
    fn plan_unattended(&self, observed: &ObservedTarget, planned: &PlannedTarget<'_>) -> Option<(Plan, Selected)> {
        let syncs = &observed.syncs;
        if syncs.apply.is_empty() || syncs.plan.is_empty() {
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

    /// Whether an action deletes, and its source has moved since it was selected: what is missing there may be there
    /// again, or be missing for another reason. Only the pass that is writing can know it, so it is asked before each
    /// wave.
    fn has_moved(&self, action: &Action) -> bool {
        action.action == ActionKind::Delete && !(self.is_quiet)()
    }

    /// Applies a plan, but for what is later.
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
                info!(tenant = self.target, done, of = all, "carries out");
                (self.report)(PassProgress::Done(done, all));
            }
        };
        let stop = || !(self.goes_on)();
        let report = apply::apply_but(self, approvals, plan, consent, is_later, &stop, &mut progress)?;
        Ok(PassOutcome::of(plan, &report))
    }

    /// The approvals of each sync.
    fn given(&self, syncs: &Syncs) -> BTreeMap<String, GivenApprovals> {
        syncs.all().map(|sync| (sync.clone(), self.approvals.given(sync, &self.target))).collect()
    }

    /// The consent that was given to what is planned, and by the approvals of which syncs; `None` where there is none.
    fn consent(&self, target: &Target, syncs: &Syncs) -> Option<(Consent, Vec<String>)> {
        let (mut fresh, mut begun) = (BTreeMap::new(), BTreeMap::new());
        for sync in syncs.all() {
            let writer = Writer::Sync(sync.clone());
            if !target.actions.iter().any(|action| action.writers.contains(&writer)) {
                continue;
            }
            let given = self.approvals.given(sync, &self.target);
            let now = target.digests.get(&writer.to_string()).map(ToString::to_string).unwrap_or_default();
            if given.usable.contains(&now) && !given.begun.contains(&now) {
                fresh.insert(sync.clone(), now);
            } else if !given.begun.is_empty() {
                begun.insert(sync.clone(), given.begun);
            }
        }
        // What was begun comes next: what is done now changes what is left of it.
        if !fresh.is_empty() {
            let digests = fresh.values().cloned().collect();
            Some((Consent::Digests { digests, safe: false }, fresh.into_keys().collect()))
        } else if !begun.is_empty() {
            Some((Consent::Begun(begun.values().flatten().cloned().collect()), begun.into_keys().collect()))
        } else {
            None
        }
    }

    /// What was approved and is not to be done any more is done, or was taken back: it needs a new approval.
    fn drop_what_is_done(&self, plan: &Plan, observed: &ObservedTarget) {
        let waits = |sync: &String| observed.world.waiting.contains(&Writer::Sync(sync.clone()));
        let may_write = observed.syncs.all().filter(|sync| !waits(sync));
        if let Err(error) = self.approvals.narrow(may_write, plan, &self.target) {
            warn!(tenant = self.target, why = %error, "an approval is kept");
        }
    }

    /// What limits a plan of everything. Deletes wait until what is copied here has been whole and unchanged for a
    /// while; a namespace that is ending loses everything, whoever approved what.
    fn limits(&self, plan: &Plan, unsettled: Option<&Unsettled>) -> Limits {
        let deletes = |target: &&Target| target.actions.iter().any(|action| action.action == ActionKind::Delete);
        let why = self.target(plan).filter(|target| !target.suspended).filter(deletes).and_then(|_| {
            let why = unsettled.map(|unsettled| unsettled.why.clone());
            why.or_else(|| self.ending())
        });
        Limits { deletes: why.map_or(Deletes::Now, Deletes::Unsettled), ..Limits::default() }
    }

    /// Why what is missing where things are copied from may only be going with its namespace. All are asked at once,
    /// and none for long: other changes wait meanwhile.
    fn ending(&self) -> Option<String> {
        let sources: Vec<&DefinitionSource> = self.feeds.iter().filter_map(|feed| self.sources.get(feed)).collect();
        let asked = sources.iter().map(|source| async move {
            let answer = timeout(ENDING_TIMEOUT, read::ending(&source.server, &source.paths)).await;
            answer.unwrap_or_else(|_| Some(format!("namespace {} does not answer", source.paths.namespace())))
        });
        let first = sources.first()?;
        first.server.wait(join_all(asked)).into_iter().flatten().next()
    }

    /// Whether all that is to be done in the target is known: of what could not be read nothing is.
    fn is_known(&self, plan: &Plan, world: &World) -> bool {
        let is_read = |tenant: &String| matches!(world.tenants.get(tenant).map(|t| &t.live), Some(View::Read(_)));
        let into = world.syncs.iter().filter(|sync| sync.spec.to.contains(&self.target));
        self.target(plan).is_some_and(|target| target.state == State::Read)
            && into.into_iter().all(|sync| is_read(&sync.spec.from))
    }

    fn scope(&self) -> Scope {
        Scope { tenants: [self.target.clone()].into(), ..Scope::default() }
    }

    fn target<'p>(&self, plan: &'p Plan) -> Option<&'p Target> {
        plan.targets.iter().find(|target| target.tenant == self.target)
    }
}

/// Plans what changed, as far as it is done unattended, and says of which objects other syncs want something else.
fn plan_changes(observed: &ObservedChanges, seeds: &Seeds, index: &Index) -> (Plan, BTreeSet<ObjectId>) {
    let tenants = BTreeSet::from([observed.target.clone()]);
    let scope = Scope { tenants, syncs: observed.syncs.unattended(), ..Scope::default() };
    let plan = plan_closure(&observed.world, index, seeds, &scope);
    if scope.syncs.is_empty() {
        return (plan, BTreeSet::new());
    }
    // A sync that waits for approval may want something else of the same objects.
    let all = plan_closure(&observed.world, index, seeds, &Scope { syncs: BTreeSet::new(), ..scope });
    (plan, conflicts(&all, &observed.target))
}

/// What limits a plan of what changed: deletes, and what many changes together mean, are decided on everything.
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

/// The deletes that wait for their source, whoever may have approved them, and what depends on them.
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
        self.location.as_ref().filter(|_| tenant == self.target).map(|location| location as &dyn Location)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        let object = || ObjectId::new(Kind::Integration, &from.integration);
        let Some(source) = self.sources.get(&from.tenant).filter(|source| source.answers.load(Ordering::Relaxed))
        else {
            let why = format!("its definition is in {}, which cannot be read", from.tenant);
            return Err(LocationError::Refused { object: object(), why });
        };
        let source = ClusterLocation::new(&from.tenant, source.server.clone(), source.paths.namespace());
        let bytes = source.definition(&from.integration)?;
        if definition_digest(&bytes) == from.digest {
            Ok(bytes)
        } else {
            Err(LocationError::Changed { object: object() })
        }
    }
}
