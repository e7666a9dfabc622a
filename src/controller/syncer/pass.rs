//! One pass over one target: plan, carry out what may be carried out, and tell what came of it. It runs on
//! a thread of its own, so that a target that does not answer holds up no other.

use super::super::context::Context;
use super::agenda::Writing;
use super::approvals::{Given, Ledger};
use super::narrow::{leave_out, leave_out_conflicts};
use super::waiting::Kept;
use crate::api::WaitingPlanStatus;
use crate::apply::{self, Consent, Outcome, Refusal, Report, Tenants};
use crate::engine::canonical::Digest;
use crate::engine::item::ObjectId;
use crate::engine::plan::{Action, ActionKind, DefinitionFrom, Plan, Scope, State, Target, plan};
use crate::engine::record::Writer;
use crate::engine::world::{View, World};
use crate::tenant::approvals::{Approvals, NotKept};
use crate::tenant::directory::definition_digest;
use crate::tenant::kubernetes::{ClusterPlace, Paths, Server, list};
use crate::tenant::{Place, PlaceError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tracing::{debug, info, warn};

/// Whether to go on: asked before each write is begun.
pub type GoesOn = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where a pass writes to and copies from.
pub struct Pass {
    /// The target.
    pub target: String,
    /// Its place, and what is known of it; `None` where it cannot be written.
    pub place: Option<ClusterPlace>,
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
    /// Who hears what is being written, and how far that is.
    pub tell: Tell,
    /// What waits, as the hub keeps it.
    pub waiting: Arc<Kept>,
    /// The hub.
    pub hub: (Context, Paths),
}

/// What is told of a pass while it goes on.
pub enum Going {
    /// It writes these objects.
    Begins(BTreeMap<ObjectId, Writing>),
    /// So many actions are done, of so many.
    Done(usize, usize),
}

/// Who hears of it.
pub type Tell = Arc<dyn Fn(Going) + Send + Sync>;

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

/// The syncs into a target.
#[derive(Clone, Debug, Default)]
pub struct Syncs {
    /// Those that need not wait.
    pub apply: BTreeSet<String>,
    /// Those that wait for approval.
    pub plan: BTreeSet<String>,
}

/// What came of carrying out.
#[derive(Debug, Default)]
pub struct Came {
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
    pub came: Came,
    /// Syncs whose approval does not hold, and why.
    pub void: BTreeMap<String, String>,
    /// Over what is declared and what is live, where nothing is left to do.
    pub settled: Option<(Digest, Digest)>,
    /// What is known of the digests that stand in the annotation of each sync.
    pub given: BTreeMap<String, Given>,
    /// Where what waits is kept, by sync.
    pub waiting: BTreeMap<String, WaitingPlanStatus>,
    /// What may be done and is not yet, by action, and why.
    pub later: BTreeMap<String, String>,
}

impl Came {
    /// Of a pass that a mistake of ours ended.
    pub fn broken(target: &str) -> Self {
        let why = "a mistake of ours ended it: report it, with the last lines of the log".to_string();
        Came {
            failed: [(target.to_string(), Failure { code: "Mistake", why, retry: Retry::Soon })].into(),
            ..Came::default()
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
            info!(tenant, "somebody else changed something meanwhile: it is planned anew");
        }
        debug!(tenant, done = self.done.len(), failed = self.failed.len(), "looked");
    }
}

impl Failure {
    fn of(error: &PlaceError) -> Self {
        let code = match error {
            PlaceError::Busy { .. } => "Busy",
            PlaceError::Changed { .. } => "Changed",
            PlaceError::Refused { .. } => "Refused",
            PlaceError::TooLarge { .. } => "TooLarge",
            PlaceError::Forbidden { .. } => "Forbidden",
            PlaceError::Failed { .. } => "Unreachable",
            PlaceError::Unsure { .. } => "NoAnswer",
        };
        let retry = match error {
            PlaceError::Refused { .. } => Retry::Seldom,
            PlaceError::TooLarge { .. } => Retry::Resync,
            _ => Retry::Soon,
        };
        Failure { code, why: error.to_string(), retry }
    }
}

impl Syncs {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        self.apply.iter().chain(&self.plan)
    }

    /// The plan of what need not wait is narrowed to these; empty: to none in particular.
    pub fn unattended(&self) -> BTreeSet<String> {
        if self.plan.is_empty() { BTreeSet::new() } else { self.apply.clone() }
    }
}

impl Tenants for Pass {
    fn place(&self, tenant: &str) -> Option<&dyn Place> {
        self.place.as_ref().filter(|_| tenant == self.target).map(|place| place as &dyn Place)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, PlaceError> {
        let object = || ObjectId::new(crate::api::Kind::Integration, &from.integration);
        let Some(source) = self.sources.get(&from.tenant).filter(|source| source.answers.load(Ordering::Relaxed))
        else {
            let why = format!("its definition is in {}, which cannot be read", from.tenant);
            return Err(PlaceError::Refused { object: object(), why });
        };
        let source = ClusterPlace::new(&from.tenant, source.server.clone(), source.paths.namespace());
        let bytes = source.definition(&from.integration)?;
        if definition_digest(&bytes) == from.digest { Ok(bytes) } else { Err(PlaceError::Changed { object: object() }) }
    }
}

impl Pass {
    /// Carries out what is planned of what changed.
    pub fn part(&self, plan: &Plan) -> Came {
        let begun = Instant::now();
        let came = self.carry_out(plan, &Consent::Safe, &NotKept, &BTreeSet::new());
        let came = came.unwrap_or_else(|refusal| self.refused(&refusal));
        came.log(&self.target);
        Came { took: begun.elapsed(), ..came }
    }

    /// Carries out what needs no approval.
    fn unattended(&self, plan: &Plan, later: &BTreeMap<String, String>) -> Came {
        self.begins(plan);
        let later = later.keys().cloned().collect();
        self.carry_out(plan, &Consent::Safe, &NotKept, &later).unwrap_or_else(|refusal| self.refused(&refusal))
    }

    /// Tells what is about to be written: all else may go on.
    fn begins(&self, plan: &Plan) {
        let actions = plan.actions().map(|(_, action)| action);
        let writing = |a: &Action| (a.change.object.clone(), Writing { kind: a.action, after: a.change.after.clone() });
        (self.tell)(Going::Begins(actions.map(writing).collect()));
    }

    /// The deletes that wait until what is copied here has been whole and unchanged for a while, and what rests on
    /// them; each with why.
    fn later(&self, plan: &Plan) -> BTreeMap<String, String> {
        let deletes = |action: &Action| action.action == ActionKind::Delete;
        let Some(target) = self.target(plan).filter(|target| target.actions.iter().any(deletes)) else {
            return BTreeMap::new();
        };
        let ending = || {
            let sources = self.feeds.iter().filter_map(|feed| self.sources.get(feed));
            sources.into_iter().find_map(|source| source.server.wait(list::ending(&source.server, &source.paths)))
        };
        let Some(why) = self.unsettled.as_ref().map(|(why, _)| why.clone()).or_else(ending) else {
            return BTreeMap::new();
        };
        let waits = leave_out(&mut target.clone(), deletes);
        waits.into_iter().map(|action| (action.id, why.clone())).collect()
    }

    /// Looks at everything, and carries out what was approved, or else what needs no approval.
    pub fn whole(&self, world: &World, syncs: &Syncs) -> Whole {
        let begun = Instant::now();
        let scope = Scope { tenants: [self.target.clone()].into(), ..Scope::default() };
        let all = plan(world, &scope);
        let mut void = BTreeMap::new();
        // Nothing is written to a suspended tenant, whatever was approved.
        let writes = !self.target(&all).is_some_and(|target| target.suspended);
        let later = if writes { self.later(&all) } else { BTreeMap::new() };
        let mut came = if writes { self.approved(&all, syncs, &later, &mut void) } else { None };
        let unattended = (!syncs.apply.is_empty() && !syncs.plan.is_empty()).then(|| {
            let mut narrowed = plan(world, &Scope { syncs: syncs.unattended(), ..scope });
            leave_out_conflicts(&mut narrowed, &all);
            narrowed
        });
        // What was approved and cannot be done holds up nothing else.
        let did_nothing = came.as_ref().is_none_or(Came::did_nothing);
        if writes && did_nothing && !syncs.apply.is_empty() {
            let planned = unattended.as_ref().unwrap_or(&all);
            let is_now = |action: &Action| action.needs_approval.is_empty() && !later.contains_key(&action.id);
            if planned.actions().any(|(_, action)| is_now(action)) {
                let mut others = self.unattended(planned, &later);
                others.failed.extend(came.into_iter().flat_map(|came| came.failed));
                came = Some(others);
            }
        }
        let unattended = unattended.map(|plan| plan.actions().map(|(_, action)| action.id.clone()).collect());
        let settled = self.is_settled(&all, world).then(|| {
            let receipt = apply::receipt(Digest::of(b""), world);
            (receipt.declared, receipt.live)
        });
        if writes && settled.is_some() {
            // An operator that was killed between its last write and the receipt leaves what was approved.
            let spent = self.approvals.spend_begun(syncs.all(), &self.target);
            spent.unwrap_or_else(|error| warn!(tenant = self.target, why = %error, "an approval is kept"));
        }
        let given = syncs.all().map(|sync| (sync.clone(), self.approvals.given(sync, &self.target))).collect();
        // What was just done is looked at once more before anybody is asked.
        let waiting = if writes && came.as_ref().is_none_or(Came::did_nothing) {
            self.waiting.update((&self.hub.0, &self.hub.1), &all, &self.target, syncs)
        } else {
            self.waiting.known(&self.target, syncs)
        };
        let came = Came { took: begun.elapsed(), ..came.unwrap_or_default() };
        came.log(&self.target);
        Whole { plan: all, unattended, came, void, settled, given, waiting, later }
    }

    /// Whether nothing is left to do, and that is known: of what could not be read nothing is.
    fn is_settled(&self, plan: &Plan, world: &World) -> bool {
        let is_read = |tenant: &String| matches!(world.tenants.get(tenant).map(|t| &t.live), Some(View::Read(_)));
        let into = world.syncs.iter().filter(|sync| sync.spec.to.contains(&self.target));
        plan.is_empty()
            && self.target(plan).is_some_and(|target| target.state == State::Read)
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
    ) -> Option<Came> {
        let target = self.target(plan).filter(|_| self.place.is_some())?;
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
        let overrides =
            matches!(consent, Consent::Digests { .. }) && self.unsettled.as_ref().is_some_and(|(_, may)| *may);
        let later = if overrides { BTreeSet::new() } else { later.keys().cloned().collect() };
        if matches!(consent, Consent::Begun(_)) && self.has_only(plan, &later) {
            return None;
        }
        self.begins(plan);
        match self.carry_out(plan, &consent, &self.approvals.of(plan), &later) {
            Ok(came) => Some(Came { approved: true, ..came }),
            Err(refusal @ Refusal::Place(_)) => Some(self.refused(&refusal)),
            Err(refusal) => {
                void.extend(consenting.into_iter().map(|sync| (sync, refusal.to_string())));
                None
            }
        }
    }

    /// Whether nothing is to be done but these.
    fn has_only(&self, plan: &Plan, later: &BTreeSet<String>) -> bool {
        self.target(plan).is_some_and(|target| target.actions.iter().all(|action| later.contains(&action.id)))
    }

    fn carry_out(
        &self,
        plan: &Plan,
        consent: &Consent,
        approvals: &dyn Approvals,
        later: &BTreeSet<String>,
    ) -> Result<Came, Refusal> {
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

    fn refused(&self, refusal: &Refusal) -> Came {
        let failure = match refusal {
            Refusal::Place(error) => Failure::of(error),
            Refusal::Void { .. } | Refusal::UnknownDigest { .. } => {
                Failure { code: "NotApproved", why: refusal.to_string(), retry: Retry::Soon }
            }
        };
        Came { failed: [(self.target.clone(), failure)].into(), ..Came::default() }
    }

    fn came(&self, plan: &Plan, report: &Report) -> Came {
        let actions: BTreeMap<&str, &Action> = plan.actions().map(|(_, a)| (a.id.as_str(), a)).collect();
        let mut came = Came::default();
        for (id, outcome) in &report.outcomes {
            let Some(action) = actions.get(id.as_str()) else { continue };
            match outcome {
                Outcome::Done => {
                    came.done.push((action.change.object.clone(), action.action, action.digest.clone()));
                }
                Outcome::Failed(PlaceError::Changed { .. }) => came.again = true,
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
