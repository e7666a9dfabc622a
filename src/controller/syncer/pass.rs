//! One pass over one target: plan, carry out what may be carried out, and tell what came of it. It runs on
//! a thread of its own, so that a target that does not answer holds up no other.

use super::super::context::Context;
use super::agenda::Writing;
use super::approvals::{Given, Ledger};
use super::narrow::{leave_out, leave_out_conflicts};
use super::syncs::Syncs;
use super::waiting::{KeptPlans, Where};
use crate::apply;
use crate::apply::consent::{Approvals, NotKept};
use crate::apply::{Consent, Outcome, Refusal, Report, Tenants};
use crate::engine::model::canonical::Digest;
use crate::engine::model::inventory;
use crate::engine::model::inventory::{View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, ActionKind, DefinitionFrom, Plan, Scope, State, Target};
use crate::engine::model::record::Writer;
use crate::engine::plan::{plan, plan_uncounted};
use crate::kubernetes::client::Server;
use crate::kubernetes::paths::Paths;
use crate::tenant::cluster::{ClusterLocation, read};
use crate::tenant::directory::definition_digest;
use crate::tenant::location::{Location, LocationError};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::time::timeout;
use tracing::{debug, info, warn};

/// Whether to go on: asked before each write is begun.
pub type GoesOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where a pass writes to and copies from.
pub struct Pass {
    /// The target.
    pub target: String,
    /// Its location, and what is known of it; `None` where it cannot be written.
    pub location: Option<ClusterLocation>,
    /// Where definitions come from.
    pub sources: BTreeMap<String, Source>,
    /// Asked before each write is begun.
    pub goes_on: GoesOn,
    /// What was approved.
    pub approvals: Arc<Ledger>,
    /// The tenants that are copied to it.
    pub feeds: BTreeSet<String>,
    /// Why nothing is deleted yet, and whether an approval that is given now overrides that.
    pub unsettled: Option<(String, bool)>,
    /// Whether what is copied to it is still as it was when this was planned: asked before anything is deleted.
    pub is_quiet: Arc<dyn Fn() -> bool + Send + Sync>,
    /// Who hears what is being written, and how far that is.
    pub tell: Tell,
    /// What waits, as the hub keeps it.
    pub waiting: Arc<KeptPlans>,
    /// The hub.
    pub hub: (Context, Paths),
}

/// What is told of a pass while it goes on.
pub enum Going {
    /// It writes these objects; whether a person approved that.
    Begins(BTreeMap<ObjectId, Writing>, bool),
    /// So many actions are done, of so many.
    Done(usize, usize),
}

/// Who hears of it.
pub type Tell = Arc<dyn Fn(Going) + Send + Sync>;

/// How long a namespace is asked whether it is ending.
const SOON: Duration = Duration::from_secs(2);

/// How often it is told how far a pass is.
const NEWS: Duration = Duration::from_secs(2);

/// Where definitions come from.
pub struct Source {
    /// Its cluster.
    pub server: Server,
    /// Its namespace there.
    pub paths: Paths,
    /// Whether it answers.
    pub answers: Arc<AtomicBool>,
}

/// What came of carrying out.
#[derive(Debug, Default)]
pub struct PassOutcome {
    /// What was done, with the digest of each action.
    pub done: Vec<(ObjectId, ActionKind, Digest)>,
    /// Actions that failed, by id, and why. By the name of the target: all of them.
    pub failed: BTreeMap<String, Failure>,
    /// Somebody else changed something meanwhile: it is to be planned anew.
    pub again: bool,
    /// A person had approved it.
    pub approved: bool,
    /// How long it took, planning included where everything was looked at.
    pub took: Duration,
}

/// Why something was not done.
#[derive(Debug)]
pub struct Failure {
    /// One word, for machines.
    pub code: &'static str,
    /// Why, and what to do.
    pub why: String,
    /// When it is of use to try again, though nothing changed.
    pub retry: Retry,
}

/// When what failed is tried again, though nothing changed; the soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retry {
    /// After pauses that grow to a minute.
    Soon,
    /// After pauses that grow to the resync interval: a person must do something, perhaps where nobody watches.
    Seldom,
    /// With the next resync.
    Resync,
}

/// What came of looking at everything.
#[derive(Debug)]
pub struct Whole {
    /// What was planned, before anything was done.
    pub plan: Plan,
    /// The actions of those syncs that need not wait, where others do.
    pub unattended: Option<BTreeSet<String>>,
    /// What came of it.
    pub came: PassOutcome,
    /// Syncs whose approval does not hold, and why.
    pub void: BTreeMap<String, String>,
    /// Over what is declared and what is live, where nothing is left to do.
    pub settled: Option<(Digest, Digest)>,
    /// What is known of the digests that stand in the annotation of each sync.
    pub given: BTreeMap<String, Given>,
    /// Where what waits is kept.
    pub waiting: Where,
    /// What may be done and is not yet, by action, and why.
    pub later: BTreeMap<String, String>,
    /// The syncs that waited for an approval when it was planned.
    pub waited: BTreeSet<Writer>,
}

impl PassOutcome {
    /// Of a pass that a mistake of ours ended.
    pub fn broken(target: &str) -> Self {
        let why = "a mistake of ours ended it: report it, with the last lines of the log".to_string();
        PassOutcome {
            failed: [(target.to_string(), Failure { code: "Mistake", why, retry: Retry::Soon })].into(),
            ..PassOutcome::default()
        }
    }

    /// When to try again what was not done; `None` where all was.
    pub fn retry(&self) -> Option<Retry> {
        let failed = self.failed.values().map(|failure| failure.retry);
        failed.chain(self.again.then_some(Retry::Soon)).min()
    }

    /// Whether everything is as it was planned, since all of it failed.
    fn did_nothing(&self) -> bool {
        self.done.is_empty() && !self.again
    }

    /// A line for each change, and for each that failed.
    pub fn log(&self, tenant: &str) {
        for (id, kind, _) in &self.done {
            info!(tenant, object = %id, action = kind.as_str(), "done");
        }
        for (id, Failure { code, why, .. }) in &self.failed {
            warn!(tenant, action = id, code, why, "failed");
        }
        if self.again {
            info!(tenant, "somebody else changed something meanwhile: planning again");
        }
        debug!(tenant, done = self.done.len(), failed = self.failed.len(), "looked");
    }
}

impl Failure {
    fn of(error: &LocationError) -> Self {
        let code = match error {
            LocationError::Busy { .. } => "Busy",
            LocationError::Changed { .. } => "Changed",
            LocationError::Refused { .. } => "Refused",
            LocationError::TooLarge { .. } => "TooLarge",
            LocationError::Forbidden { .. } => "Forbidden",
            LocationError::Failed { .. } => "Unreachable",
            LocationError::Unsure { .. } => "NoAnswer",
        };
        let retry = match error {
            LocationError::Refused { .. } => Retry::Seldom,
            LocationError::TooLarge { .. } => Retry::Resync,
            _ => Retry::Soon,
        };
        Failure { code, why: error.to_string(), retry }
    }
}

/// Whether an action is done without a person, and now.
fn is_now(action: &Action, later: &BTreeMap<String, String>) -> bool {
    action.needs_approval.is_empty() && !later.contains_key(&action.id)
}

impl Tenants for Pass {
    fn location(&self, tenant: &str) -> Option<&dyn Location> {
        self.location.as_ref().filter(|_| tenant == self.target).map(|location| location as &dyn Location)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        let object = || ObjectId::new(crate::api::Kind::Integration, &from.integration);
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

impl Pass {
    /// Carries out what is planned of what changed.
    pub fn part(&self, plan: &Plan) -> PassOutcome {
        let begun = Instant::now();
        let came = self.carry_out(plan, &Consent::Safe, &NotKept, &|_| false);
        let came = came.unwrap_or_else(|refusal| self.refused(&refusal));
        came.log(&self.target);
        PassOutcome { took: begun.elapsed(), ..came }
    }

    /// Carries out what needs no approval.
    fn unattended(&self, plan: &Plan, later: &BTreeMap<String, String>) -> PassOutcome {
        self.begins(plan, false, &|action| is_now(action, later));
        let waits = self.waits(later);
        self.carry_out(plan, &Consent::Safe, &NotKept, &waits).unwrap_or_else(|refusal| self.refused(&refusal))
    }

    /// Tells what is about to be written: all else may go on.
    fn begins(&self, plan: &Plan, approved: bool, is_written: &dyn Fn(&Action) -> bool) {
        let actions = plan.actions().map(|(_, action)| action).filter(|action| is_written(action));
        let writing = |a: &Action| (a.change.object.clone(), Writing { kind: a.action, after: a.change.after.clone() });
        (self.tell)(Going::Begins(actions.map(writing).collect(), approved));
    }

    /// What is not done yet: these, and what is deleted once something moves where it is copied from.
    fn waits<'p>(&'p self, later: &'p BTreeMap<String, String>) -> impl Fn(&Action) -> bool + use<'p> {
        |action| later.contains_key(&action.id) || (action.action == ActionKind::Delete && !(self.is_quiet)())
    }

    /// The deletes that wait until what is copied here has been whole and unchanged for a while, and what rests on
    /// them; each with why. A namespace that is ending loses everything, whoever approved what.
    fn later(&self, plan: &Plan, unsettled: Option<&String>) -> BTreeMap<String, String> {
        let deletes = |action: &Action| action.action == ActionKind::Delete;
        let Some(target) = self.target(plan).filter(|target| target.actions.iter().any(deletes)) else {
            return BTreeMap::new();
        };
        let Some(why) = unsettled.cloned().or_else(|| self.ending()) else {
            return BTreeMap::new();
        };
        let waits = leave_out(&mut target.clone(), deletes);
        waits.into_iter().map(|action| (action.id, why.clone())).collect()
    }

    /// Why what is missing where things are copied from may only be going with its namespace. All are asked at once,
    /// and none for long: other changes wait meanwhile.
    fn ending(&self) -> Option<String> {
        let sources: Vec<&Source> = self.feeds.iter().filter_map(|feed| self.sources.get(feed)).collect();
        let asked = sources.iter().map(|source| async move {
            let answer = timeout(SOON, read::ending(&source.server, &source.paths)).await;
            answer.unwrap_or_else(|_| Some(format!("namespace {} does not answer", source.paths.namespace())))
        });
        let first = sources.first()?;
        first.server.wait(join_all(asked)).into_iter().flatten().next()
    }

    /// Looks at everything, and carries out what was approved, or else what needs no approval.
    pub fn whole(&self, world: &World, syncs: &Syncs) -> Whole {
        let begun = Instant::now();
        let scope = Scope { tenants: [self.target.clone()].into(), ..Scope::default() };
        // What waits for an approval that was not given holds up nothing: it is planned when the rest is done.
        let waits = |sync: &inventory::Sync| world.waiting.contains(&sync.writer);
        let now = world.syncs.iter().any(waits).then(|| {
            let mut now = world.clone();
            now.syncs.retain(|sync| !waits(sync));
            now
        });
        let now = now.as_ref().unwrap_or(world);
        let all = plan(now, &scope);
        let mut void = BTreeMap::new();
        // Nothing is written to a suspended tenant, whatever was approved.
        let writes = !self.target(&all).is_some_and(|target| target.suspended);
        let unsettled = self.unsettled.as_ref().map(|(why, _)| why);
        let later = if writes { self.later(&all, unsettled) } else { BTreeMap::new() };
        let is_known = self.is_known(&all, world);
        if writes && is_known {
            // What was approved and is not to be done any more is done, or was taken back: it needs a new approval.
            let may_write = syncs.all().filter(|sync| !world.waiting.contains(&Writer::Sync((*sync).clone())));
            let narrowed = self.approvals.narrow(may_write, &all, &self.target);
            narrowed.unwrap_or_else(|error| warn!(tenant = self.target, why = %error, "an approval is kept"));
        }
        let mut came = if writes { self.approved(&all, syncs, &later, &mut void) } else { None };
        let is_mixed = !syncs.apply.is_empty() && !syncs.plan.is_empty();
        let unattended = is_mixed.then(|| {
            let mut narrowed = plan_uncounted(now, &Scope { syncs: syncs.unattended(), ..scope.clone() });
            leave_out_conflicts(&mut narrowed, &all);
            narrowed
        });
        // What was approved and cannot be done holds up nothing else.
        let did_nothing = came.as_ref().is_none_or(PassOutcome::did_nothing);
        if writes && did_nothing && !syncs.apply.is_empty() {
            let planned = unattended.as_ref().unwrap_or(&all);
            if planned.actions().any(|(_, action)| is_now(action, &later)) {
                let mut others = self.unattended(planned, &later);
                others.failed.extend(came.into_iter().flat_map(|came| came.failed));
                came = Some(others);
            }
        }
        let unattended = unattended.map(|plan| plan.actions().map(|(_, action)| action.id.clone()).collect());
        let all = if std::ptr::eq(now, world) {
            all
        } else {
            if came.is_none() {
                self.begins(&all, false, &|_| false);
            }
            plan(world, &scope)
        };
        let settled = (is_known && all.is_empty()).then(|| {
            let receipt = apply::receipt(Digest::of(b""), world);
            (receipt.declared, receipt.live)
        });
        let given = syncs.all().map(|sync| (sync.clone(), self.approvals.given(sync, &self.target))).collect();
        // What was just done is looked at once more before anybody is asked.
        let waiting = if writes && came.as_ref().is_none_or(PassOutcome::did_nothing) {
            self.waiting.update((&self.hub.0, &self.hub.1), &all, &self.target, syncs, |sync| self.approvals.uid(sync))
        } else {
            self.waiting.known(&self.target, syncs)
        };
        let came = PassOutcome { took: begun.elapsed(), ..came.unwrap_or_default() };
        came.log(&self.target);
        Whole { plan: all, unattended, came, void, settled, given, waiting, later, waited: world.waiting.clone() }
    }

    /// Whether all that is to be done in the target is known: of what could not be read nothing is.
    fn is_known(&self, plan: &Plan, world: &World) -> bool {
        let is_read = |tenant: &String| matches!(world.tenants.get(tenant).map(|t| &t.live), Some(View::Read(_)));
        let into = world.syncs.iter().filter(|sync| sync.spec.to.contains(&self.target));
        self.target(plan).is_some_and(|target| target.state == State::Read)
            && into.into_iter().all(|sync| is_read(&sync.spec.from))
    }

    fn target<'p>(&self, plan: &'p Plan) -> Option<&'p Target> {
        plan.targets.iter().find(|target| target.tenant == self.target)
    }

    /// Carries out what a person approved; `None` where there is nothing of that kind.
    fn approved(
        &self,
        plan: &Plan,
        syncs: &Syncs,
        later: &BTreeMap<String, String>,
        void: &mut BTreeMap<String, String>,
    ) -> Option<PassOutcome> {
        let target = self.target(plan).filter(|_| self.location.is_some())?;
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
        // What was begun is looked at next: what is done now changes what is left of it.
        let (consent, consenting): (_, Vec<String>) = if !fresh.is_empty() {
            let digests = fresh.values().cloned().collect();
            (Consent::Digests { digests, safe: false }, fresh.into_keys().collect())
        } else if !begun.is_empty() {
            (Consent::Begun(begun.values().flatten().cloned().collect()), begun.into_keys().collect())
        } else {
            return None;
        };
        let is_fresh = matches!(consent, Consent::Digests { .. });
        let overrides = is_fresh && self.unsettled.as_ref().is_some_and(|(_, may)| *may);
        let settled = if overrides { self.later(plan, None) } else { BTreeMap::new() };
        let later = if overrides { &settled } else { later };
        let kept = self.approvals.of(plan);
        let of_consenting = |action: &Action| {
            let is_consenting = |sync: &String| action.writers.contains(&Writer::Sync(sync.clone()));
            !later.contains_key(&action.id) && consenting.iter().any(is_consenting)
        };
        let covers: BTreeSet<String> = match kept.kept(&self.target) {
            Ok(kept) => kept.into_iter().flat_map(|kept| kept.covers).collect(),
            Err(error) => return Some(self.refused(&error.into())),
        };
        let is_written =
            |action: &Action| of_consenting(action) && (is_fresh || covers.contains(&action.digest.to_string()));
        if !is_fresh && !target.actions.iter().any(is_written) {
            return None;
        }
        self.begins(plan, true, &is_written);
        let waits = self.waits(later);
        // Who approves what a source that went back lacks has seen it as it is.
        let waits = |action: &Action| if overrides { later.contains_key(&action.id) } else { waits(action) };
        match self.carry_out(plan, &consent, &kept, &waits) {
            Ok(came) => Some(PassOutcome { approved: is_fresh || !came.done.is_empty(), ..came }),
            Err(refusal @ Refusal::Location(_)) => Some(self.refused(&refusal)),
            Err(refusal) => {
                void.extend(consenting.into_iter().map(|sync| (sync, refusal.to_string())));
                None
            }
        }
    }

    fn carry_out(
        &self,
        plan: &Plan,
        consent: &Consent,
        approvals: &dyn Approvals,
        later: &dyn Fn(&Action) -> bool,
    ) -> Result<PassOutcome, Refusal> {
        let (mut done, all, mut told) = (0, plan.actions().count(), Instant::now());
        let mut progress = |_: &str, outcome: &Outcome| {
            done += usize::from(*outcome == Outcome::Done);
            if told.elapsed() >= NEWS {
                told = Instant::now();
                info!(tenant = self.target, done, of = all, "carries out");
                (self.tell)(Going::Done(done, all));
            }
        };
        let stop = || !(self.goes_on)();
        let report = apply::apply_but(self, approvals, plan, consent, later, &stop, &mut progress)?;
        Ok(self.came(plan, &report))
    }

    fn refused(&self, refusal: &Refusal) -> PassOutcome {
        let failure = match refusal {
            Refusal::Location(error) => Failure::of(error),
            Refusal::Void { .. } | Refusal::UnknownDigest { .. } => {
                Failure { code: "NotApproved", why: refusal.to_string(), retry: Retry::Soon }
            }
        };
        PassOutcome { failed: [(self.target.clone(), failure)].into(), ..PassOutcome::default() }
    }

    fn came(&self, plan: &Plan, report: &Report) -> PassOutcome {
        let actions: BTreeMap<&str, &Action> = plan.actions().map(|(_, a)| (a.id.as_str(), a)).collect();
        let mut came = PassOutcome::default();
        for (id, outcome) in &report.outcomes {
            let Some(action) = actions.get(id.as_str()) else { continue };
            match outcome {
                Outcome::Done => {
                    came.done.push((action.change.object.clone(), action.action, action.digest.clone()));
                }
                Outcome::Failed(LocationError::Changed { .. }) => came.again = true,
                Outcome::Failed(error) => drop(came.failed.insert(id.clone(), Failure::of(error))),
                Outcome::HeldBack { .. }
                | Outcome::NotApproved
                | Outcome::Later
                | Outcome::Suspended
                | Outcome::Interrupted => {}
            }
        }
        for (tenant, error) in &report.unsettled {
            came.failed.insert(tenant.clone(), Failure::of(error));
        }
        came
    }
}
