//! One pass over one target: plan, carry out what may be carried out, and tell what came of it. It runs on
//! a thread of its own, so that a target that does not answer holds up no other.

use crate::apply::{self, Consent, Outcome, Refusal, Report, Tenants};
use crate::engine::canonical::Digest;
use crate::engine::item::ObjectId;
use crate::engine::plan::{Action, ActionKind, DefinitionFrom, Plan, Scope, Target, plan};
use crate::engine::record::Writer;
use crate::engine::world::World;
use crate::tenant::directory::definition_digest;
use crate::tenant::kubernetes::{ClusterPlace, Paths, Server};
use crate::tenant::{Place, PlaceError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Whether this process may still write: asked before each write.
pub type Leads = Arc<dyn Fn() -> bool + Send + Sync>;

/// Where a pass writes to and copies from.
pub struct Pass {
    /// The target.
    pub target: String,
    /// Its place, and what is known of it; `None` where it cannot be written.
    pub place: Option<ClusterPlace>,
    /// Where definitions come from.
    pub sources: BTreeMap<String, (Server, Paths)>,
    /// Asked before each write.
    pub leads: Leads,
}

/// The syncs into a target.
#[derive(Clone, Debug, Default)]
pub struct Syncs {
    /// Those that need not wait.
    pub apply: BTreeSet<String>,
    /// Those that wait for approval.
    pub plan: BTreeSet<String>,
    /// What was approved, by sync.
    pub approved: BTreeMap<String, BTreeSet<String>>,
}

/// What came of carrying out.
#[derive(Debug, Default)]
pub struct Came {
    /// What was done, with the digest of each action.
    pub done: Vec<(ObjectId, ActionKind, Digest)>,
    /// Actions that failed, by id, and why.
    pub failed: BTreeMap<String, String>,
    /// Somebody else changed something meanwhile: it is to be planned anew.
    pub again: bool,
    /// A person had approved it.
    pub approved: bool,
}

/// What came of looking at everything.
#[derive(Debug)]
pub struct Whole {
    /// What was planned, before anything was done.
    pub plan: Plan,
    /// What came of it.
    pub came: Came,
    /// Syncs whose approval does not hold, and why.
    pub void: BTreeMap<String, String>,
    /// Over what is declared and what is live, where nothing is left to do.
    pub settled: Option<(Digest, Digest)>,
}

impl Came {
    /// Of a pass that a mistake of ours ended.
    pub fn broken(target: &str) -> Self {
        let why = "a mistake of ours ended it: report it, with the last lines of the log".to_string();
        Came { failed: [(target.to_string(), why)].into(), ..Came::default() }
    }
}

impl Syncs {
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
        let Some((server, paths)) = self.sources.get(&from.tenant) else {
            let why = format!("its definition is in {}, which cannot be read", from.tenant);
            return Err(PlaceError::Refused { object: object(), why });
        };
        let source = ClusterPlace::new(&from.tenant, server.clone(), paths.namespace());
        let bytes = source.definition(&from.integration)?;
        if definition_digest(&bytes) == from.digest { Ok(bytes) } else { Err(PlaceError::Changed { object: object() }) }
    }
}

impl Pass {
    /// Carries out what needs no approval.
    pub fn unattended(&self, plan: &Plan) -> Came {
        self.carry_out(plan, &Consent::Unattended).unwrap_or_else(|refusal| self.refused(&refusal))
    }

    /// Looks at everything, and carries out what was approved, or else what needs no approval.
    pub fn whole(&self, world: &World, syncs: &Syncs) -> Whole {
        let scope = Scope { tenants: [self.target.clone()].into(), ..Scope::default() };
        let all = plan(world, &scope);
        let mut void = BTreeMap::new();
        let mut came = self.approved(&all, syncs, &mut void);
        if came.is_none() && !syncs.apply.is_empty() {
            let narrowed = (!syncs.plan.is_empty()).then(|| plan(world, &Scope { syncs: syncs.unattended(), ..scope }));
            let planned = narrowed.as_ref().unwrap_or(&all);
            if planned.actions().any(|(_, action)| action.needs_approval.is_empty()) {
                came = Some(self.unattended(planned));
            }
        }
        let settled = all.is_empty().then(|| {
            let receipt = apply::receipt(Digest::of(b""), world);
            (receipt.declared, receipt.live)
        });
        Whole { plan: all, came: came.unwrap_or_default(), void, settled }
    }

    fn target<'p>(&self, plan: &'p Plan) -> Option<&'p Target> {
        plan.targets.iter().find(|target| target.tenant == self.target)
    }

    /// Carries out what a person approved; `None` where there is nothing of that kind.
    fn approved(&self, plan: &Plan, syncs: &Syncs, void: &mut BTreeMap<String, String>) -> Option<Came> {
        let (target, place) = (self.target(plan)?, self.place.as_ref()?);
        let mut consented = BTreeSet::new();
        let mut others: BTreeMap<&String, BTreeSet<String>> = BTreeMap::new();
        for (sync, digests) in &syncs.approved {
            let writer = Writer::Sync(sync.clone());
            if !target.actions.iter().any(|action| action.writers.contains(&writer)) {
                continue;
            }
            let now = target.digests.get(&writer.to_string()).map(ToString::to_string);
            let (this, other): (BTreeSet<_>, BTreeSet<_>) =
                digests.iter().cloned().partition(|digest| Some(digest) == now.as_ref());
            if this.is_empty() {
                others.insert(sync, other);
            }
            consented.extend(this);
        }
        if !others.is_empty() {
            // What was approved before a crash is kept beside the target until it is done.
            match place.approved() {
                Ok(kept) => {
                    consented.extend(others.values().flatten().filter(|digest| kept.contains(*digest)).cloned())
                }
                Err(error) => return Some(self.refused(&Refusal::Place(error))),
            }
        }
        if consented.is_empty() {
            return None;
        }
        match self.carry_out(plan, &Consent::Digests { digests: consented, safe: false }) {
            Ok(came) => Some(Came { approved: true, ..came }),
            Err(refusal @ Refusal::Place(_)) => Some(self.refused(&refusal)),
            Err(refusal) => {
                void.extend(syncs.approved.keys().map(|sync| (sync.clone(), refusal.to_string())));
                None
            }
        }
    }

    fn carry_out(&self, plan: &Plan, consent: &Consent) -> Result<Came, Refusal> {
        let report = apply::apply(self, plan, consent, &|| !(self.leads)(), &mut |_, _| {})?;
        Ok(self.came(plan, &report))
    }

    fn refused(&self, refusal: &Refusal) -> Came {
        Came { failed: [(self.target.clone(), refusal.to_string())].into(), ..Came::default() }
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
                Outcome::Failed(error) => drop(came.failed.insert(id.clone(), error.to_string())),
                Outcome::HeldBack { .. } | Outcome::NotApproved | Outcome::Interrupted => {}
            }
        }
        came
    }
}
