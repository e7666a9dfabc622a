//! Carries out a plan against places, as far as it was consented to, and proves it done.

use crate::engine::canonical::{self, Digest};
use crate::engine::item::Item;
use crate::engine::plan::{Action, DefinitionFrom, Plan, Scope, State};
use crate::engine::world::{View, World};
use crate::tenant::project::Project;
use crate::tenant::{Place, PlaceError, Session};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Where an apply finds what it writes to and copies from.
pub trait Tenants {
    /// The place of a tenant; `None` where it cannot be written.
    fn place(&self, tenant: &str) -> Option<&dyn Place>;
    /// The bytes of a definition.
    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, PlaceError>;
}

impl Tenants for Project {
    fn place(&self, tenant: &str) -> Option<&dyn Place> {
        Project::place(self, tenant).map(|place| place as &dyn Place)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, PlaceError> {
        Project::definition(self, from)
    }
}

/// What a person consented to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// All that the plan shows: a typed yes.
    All,
    /// What needs no approval: `--yes`.
    Safe,
    /// The actions of a plan file, by digest. Every action still to do must be among them.
    PlanFile(BTreeSet<String>),
    /// The actions of these writers' digests; with `safe`, what needs no approval besides.
    Digests {
        /// `--approve`.
        digests: BTreeSet<String>,
        /// `--yes` beside it.
        safe: bool,
    },
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are actions that were not shown when the consent was given.
    #[error("the consent is void: {} to do that it does not cover: {}", plural(.new.len(), "action is", "actions are"), .new.join(", "))]
    Void {
        /// Their ids.
        new: Vec<String>,
    },
    /// A digest that no writer of this plan has.
    #[error("{digest} is no digest of this plan: something changed since; plan again and approve what it shows")]
    UnknownDigest {
        /// The digest.
        digest: String,
    },
    /// A place cannot be written at all.
    #[error(transparent)]
    Place(#[from] PlaceError),
}

/// What became of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is done.
    Done,
    /// It failed.
    Failed(PlaceError),
    /// An action that it rests on was not done.
    HeldBack {
        /// That action's id.
        by: String,
    },
    /// It needs an approval that was not given.
    NotApproved,
    /// The apply was interrupted before it.
    Interrupted,
}

/// What became of every action of a plan, by id, in the order in which they were looked at.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Action and outcome.
    pub outcomes: Vec<(String, Outcome)>,
}

impl Report {
    /// How many actions were done.
    pub fn done(&self) -> usize {
        self.outcomes.iter().filter(|(_, o)| *o == Outcome::Done).count()
    }

    /// Actions that were not done, and why.
    pub fn undone(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        self.outcomes.iter().filter(|(_, o)| *o != Outcome::Done).map(|(id, o)| (id.as_str(), o))
    }
}

/// The proof that a plan was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// Over the actions that were done.
    pub plan: Digest,
    /// Over what is declared.
    pub declared: Digest,
    /// Over what is live now.
    pub live: Digest,
}

/// Carries out `plan` in the order of its dependencies. One failure holds back only what needs it.
/// `interrupted` is asked before each write; `progress` hears of each action.
pub fn apply(
    tenants: &dyn Tenants,
    plan: &Plan,
    consent: &Consent,
    interrupted: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str, &Outcome),
) -> Result<Report, Refusal> {
    let mut sessions = begin(tenants, plan)?;
    let kept = kept_approvals(&sessions)?;
    let approved = approved(plan, consent, &kept)?;
    for (tenant, session) in &mut sessions {
        let here: BTreeSet<String> =
            plan.targets.iter().filter(|t| t.tenant == *tenant).flat_map(|t| &t.actions).flat_map(covered).collect();
        let keep: BTreeSet<String> =
            approved.iter().filter(|d| here.contains(*d) || kept.contains(*d)).cloned().chain(given(consent)).collect();
        session.approve(&keep)?;
    }
    let report = carry_out(tenants, plan, &approved, &mut sessions, interrupted, progress);
    for (tenant, session) in &mut sessions {
        let prefix = format!("{tenant}/");
        let left = report.undone().any(|(id, outcome)| id.starts_with(&prefix) && *outcome != Outcome::NotApproved);
        session.settle(!left)?;
    }
    Ok(report)
}

/// Forgets what was approved where nothing is left to do: an apply that was killed between its last
/// write and its receipt leaves it. Of a whole plan only: a narrowed one does not know what is left.
pub fn forget_approvals(tenants: &dyn Tenants, plan: &Plan) -> Result<(), PlaceError> {
    if plan.scope != Scope::default() {
        return Ok(());
    }
    for target in plan.targets.iter().filter(|t| t.actions.is_empty() && t.state == State::Read) {
        let Some(place) = tenants.place(&target.tenant) else { continue };
        let mut session = match place.begin(&[]) {
            // Whoever writes there now does it.
            Err(PlaceError::Busy { .. }) => continue,
            other => other?,
        };
        if !session.approved()?.is_empty() {
            session.settle(true)?;
        }
    }
    Ok(())
}

type Sessions<'a> = BTreeMap<String, Box<dyn Session + 'a>>;

fn begin<'a>(tenants: &'a dyn Tenants, plan: &Plan) -> Result<Sessions<'a>, Refusal> {
    let mut sessions = BTreeMap::new();
    for target in plan.targets.iter().filter(|t| !t.actions.is_empty()) {
        let Some(place) = tenants.place(&target.tenant) else {
            let why = "its place cannot be written".to_string();
            return Err(PlaceError::Failed { what: target.tenant.clone(), why }.into());
        };
        let coming: Vec<_> = target.actions.iter().map(|a| &a.change).collect();
        sessions.insert(target.tenant.clone(), place.begin(&coming)?);
    }
    Ok(sessions)
}

fn kept_approvals(sessions: &Sessions<'_>) -> Result<BTreeSet<String>, PlaceError> {
    let mut kept = BTreeSet::new();
    for session in sessions.values() {
        kept.extend(session.approved()?);
    }
    Ok(kept)
}

/// The digests by which an approval of this action is known: its own, and of what may be left of it.
fn covered(action: &Action) -> Vec<String> {
    std::iter::once(&action.digest).chain(&action.change.resumptions).map(ToString::to_string).collect()
}

fn given(consent: &Consent) -> BTreeSet<String> {
    match consent {
        Consent::Digests { digests, .. } => digests.clone(),
        Consent::All | Consent::Safe | Consent::PlanFile(_) => BTreeSet::new(),
    }
}

/// The digests of the actions that may be carried out.
fn approved(plan: &Plan, consent: &Consent, kept: &BTreeSet<String>) -> Result<BTreeSet<String>, Refusal> {
    let mut approved: BTreeSet<String> = kept.clone();
    let safe = |action: &Action| action.needs_approval.is_empty();
    match consent {
        Consent::All => approved.extend(plan.actions().flat_map(|(_, a)| covered(a))),
        Consent::Safe => approved.extend(plan.actions().filter(|(_, a)| safe(a)).flat_map(|(_, a)| covered(a))),
        Consent::PlanFile(digests) => {
            let is_new = |a: &Action| !digests.contains(&a.digest.to_string()) && !kept.contains(&a.digest.to_string());
            let new: Vec<String> = plan.actions().filter(|(_, a)| is_new(a)).map(|(_, a)| a.id.clone()).collect();
            if !new.is_empty() {
                return Err(Refusal::Void { new });
            }
            approved.extend(plan.actions().flat_map(|(_, a)| covered(a)));
        }
        Consent::Digests { digests, safe: also_safe } => {
            for digest in digests {
                let of_writer = plan.targets.iter().flat_map(|t| t.digests.iter().map(move |(w, d)| (t, w, d)));
                let matching: Vec<_> = of_writer.filter(|(_, _, d)| d.to_string() == *digest).collect();
                if matching.is_empty() && !kept.contains(digest) {
                    return Err(Refusal::UnknownDigest { digest: digest.clone() });
                }
                for (target, writer, _) in matching {
                    let of_this = target.actions.iter().filter(|a| a.writers.iter().any(|w| w.to_string() == *writer));
                    approved.extend(of_this.flat_map(covered));
                }
            }
            if *also_safe {
                approved.extend(plan.actions().filter(|(_, a)| safe(a)).flat_map(|(_, a)| covered(a)));
            } else if digests.iter().all(|d| kept.contains(d)) {
                // The same approval as before a crash: what it does not cover is new.
                let new: Vec<String> = plan
                    .actions()
                    .filter(|(_, a)| !approved.contains(&a.digest.to_string()))
                    .map(|(_, a)| a.id.clone())
                    .collect();
                if !new.is_empty() {
                    return Err(Refusal::Void { new });
                }
            }
        }
    }
    Ok(approved)
}

fn carry_out(
    tenants: &dyn Tenants,
    plan: &Plan,
    approved: &BTreeSet<String>,
    sessions: &mut Sessions<'_>,
    interrupted: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str, &Outcome),
) -> Report {
    let mut report = Report::default();
    let mut settled: BTreeMap<&str, bool> = BTreeMap::new();
    for (tenant, action) in in_order(plan) {
        let undone = action.after.iter().find(|id| settled.get(id.as_str()) == Some(&false));
        let outcome = if !approved.contains(&action.digest.to_string()) {
            Outcome::NotApproved
        } else if let Some(by) = undone {
            Outcome::HeldBack { by: by.clone() }
        } else if interrupted() {
            Outcome::Interrupted
        } else {
            match sessions.get_mut(tenant) {
                Some(session) => one(tenants, action, session.as_mut()),
                None => Outcome::HeldBack { by: tenant.to_string() },
            }
        };
        progress(&action.id, &outcome);
        settled.insert(&action.id, outcome == Outcome::Done);
        report.outcomes.push((action.id.clone(), outcome));
    }
    report
}

/// Every action after those that it rests on; a rest that the plan does not name is no obstacle.
fn in_order(plan: &Plan) -> Vec<(&str, &Action)> {
    let all: BTreeSet<&str> = plan.actions().map(|(_, a)| a.id.as_str()).collect();
    let mut left: Vec<(&str, &Action)> = plan.actions().map(|(t, a)| (t.tenant.as_str(), a)).collect();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let before = left.len();
        left.retain(|(tenant, action)| {
            let ready = action.after.iter().all(|id| done.contains(id.as_str()) || !all.contains(id.as_str()));
            if ready {
                done.insert(&action.id);
                ordered.push((*tenant, *action));
            }
            !ready
        });
        if left.len() == before {
            // The engine makes no rings; should it, the rest keeps its order rather than being lost.
            ordered.append(&mut left);
        }
    }
    ordered
}

fn one(tenants: &dyn Tenants, action: &Action, session: &mut dyn Session) -> Outcome {
    let definition = match &action.change.definition {
        None => None,
        Some(from) => match tenants.definition(from) {
            Ok(bytes) => Some(bytes),
            Err(error) => return Outcome::Failed(error),
        },
    };
    match session.apply(action, definition.as_deref()) {
        Ok(()) => Outcome::Done,
        Err(PlaceError::Unsure { object, why }) => match session.look(&action.change.object) {
            Ok(now) if is(now.as_ref(), action.change.after.as_ref()) => Outcome::Done,
            Ok(now) if is(now.as_ref(), action.change.before.as_ref()) => {
                match session.apply(action, definition.as_deref()) {
                    Ok(()) => Outcome::Done,
                    Err(error) => Outcome::Failed(error),
                }
            }
            Ok(_) => Outcome::Failed(PlaceError::Unsure { object, why }),
            Err(error) => Outcome::Failed(error),
        },
        Err(error) => Outcome::Failed(error),
    }
}

fn is(now: Option<&Item>, expected: Option<&Item>) -> bool {
    now.map(Item::to_json) == expected.map(Item::to_json)
}

/// The proof: over the actions that were done, what is declared, and what is live after them.
pub fn receipt(plan: &Plan, report: &Report, after: &World) -> Receipt {
    let done: BTreeSet<&str> =
        report.outcomes.iter().filter(|(_, o)| *o == Outcome::Done).map(|(id, _)| id.as_str()).collect();
    let mut actions: Vec<String> =
        plan.actions().filter(|(_, a)| done.contains(a.id.as_str())).map(|(_, a)| a.digest.to_string()).collect();
    actions.sort_unstable();
    let of_view = |view: &View| match view {
        View::Read(inventory) => inventory
            .items()
            .map(|item| (item.id().to_string(), item.to_json()))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        View::Unreachable(_) => Value::Null,
    };
    let tenants = || after.tenants.iter();
    let live: Value =
        tenants().map(|(name, view)| (name.clone(), of_view(&view.live))).collect::<serde_json::Map<_, _>>().into();
    let sources: Value = tenants()
        .map(|(name, view)| (name.clone(), view.source.as_ref().map_or(Value::Null, of_view)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let syncs: Vec<Value> = after.syncs.iter().map(|s| json!({"writer": s.writer, "spec": *s.spec})).collect();
    Receipt {
        plan: Digest::of(actions.join("\n").as_bytes()),
        declared: digest(&json!({"sources": sources, "syncs": syncs})),
        live: digest(&live),
    }
}

fn digest(value: &Value) -> Digest {
    let mut text = String::new();
    canonical::write(value, &mut text);
    Digest::of(text.as_bytes())
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
