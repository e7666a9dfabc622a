//! Applies a plan to locations, as far as a person consented to it, and proves the result.

use crate::api::Kind;
use crate::apply::consent::{Approvals, StoredApproval};
use crate::engine::model::canonical::{Digest, Digesting};
use crate::engine::model::inventory::{TenantView, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, DefinitionFrom, Plan, Scope, State, Target};
use crate::project::Project;
use crate::tenant::location::{Calls, Location, LocationError, Session};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The locations that an apply writes to and reads from.
pub trait Tenants: Sync {
    /// Returns the location of a tenant; `None` if it cannot be written.
    fn location(&self, tenant: &str) -> Option<&dyn Location>;
    /// Reads a definition.
    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError>;
}

impl Tenants for Project {
    fn location(&self, tenant: &str) -> Option<&dyn Location> {
        Project::location(self, tenant)
    }

    fn definition(&self, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
        Project::definition(self, from)
    }
}

/// The consent of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Everything in the plan: a typed yes.
    All,
    /// What needs no approval: `--yes`. Earlier approvals are neither used nor stored.
    Safe,
    /// The actions of a plan file, by digest, and what may be left of each ([`covered`]). Every action still to do must
    /// be among them.
    PlanFile(BTreeSet<String>),
    /// The actions of these writers' digests; with `safe`, also what needs no approval.
    Digests {
        /// `--approve`.
        digests: BTreeSet<String>,
        /// `--yes` beside it.
        safe: bool,
    },
    /// What is left of begun approvals, by the digests that gave them: never more than that, whatever is planned now.
    Begun(BTreeSet<String>),
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There are actions that were not shown when the consent was given.
    #[error("the consent is void: {} to do that it does not cover: {}", plural(.new.len(), "action is", "actions are"), first(.new))]
    Void {
        /// Their ids.
        new: Vec<String>,
    },
    /// A digest that no writer of this plan has.
    #[error("{digest} is no digest of this plan: something changed since; plan again and approve what it shows")]
    UnknownDigest { digest: String },
    /// A location cannot be written at all.
    #[error(transparent)]
    Location(#[from] LocationError),
}

/// The result of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Failed(LocationError),
    /// An action that it depends on was not done.
    HeldBack {
        /// That action's id.
        by: String,
    },
    /// It needs an approval that was not given.
    NotApproved,
    /// It may be carried out, but not yet.
    Later,
    /// Its tenant is suspended.
    Suspended,
    /// The apply was interrupted before it.
    Interrupted,
}

/// The result of every action of a plan, by id, in the order of evaluation.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Action and result.
    pub outcomes: Vec<(String, Outcome)>,
    /// Tenants whose session could not be ended, and why. The writes before that are done.
    pub unsettled: Vec<(String, LocationError)>,
    /// The requests to each tenant whose location counts them.
    pub calls: Vec<(String, Calls)>,
}

impl Report {
    /// Returns the number of actions that were done.
    pub fn done(&self) -> usize {
        self.outcomes.iter().filter(|(_, o)| *o == Outcome::Done).count()
    }

    /// Returns the actions that were not done, and why.
    pub fn undone(&self) -> impl Iterator<Item = (&str, &Outcome)> {
        self.outcomes.iter().filter(|(_, o)| *o != Outcome::Done).map(|(id, o)| (id.as_str(), o))
    }

    /// Returns all errors.
    pub fn errors(&self) -> impl Iterator<Item = &LocationError> {
        let of_actions = self.outcomes.iter().filter_map(|(_, outcome)| match outcome {
            Outcome::Failed(error) => Some(error),
            _ => None,
        });
        of_actions.chain(self.unsettled.iter().map(|(_, error)| error))
    }
}

/// The proof that a plan was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Receipt {
    /// The digest of the actions that were done.
    pub plan: Digest,
    /// The digest of the desired state.
    pub declared: Digest,
    /// The digest of the live state afterwards.
    pub live: Digest,
}

/// Applies `plan` in the order of its dependencies. A failure blocks only what depends on it. `interrupted` is checked
/// before each write; `progress` is called for each action. Whatever fails after the first write is in the report.
pub fn apply(
    tenants: &dyn Tenants,
    approvals: &dyn Approvals,
    plan: &Plan,
    consent: &Consent,
    interrupted: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str, &Outcome),
) -> Result<Report, Refusal> {
    apply_but(tenants, approvals, plan, consent, &|_| false, interrupted, progress)
}

/// Applies a plan except the actions that `later` selects, which stay approved. `later` is called before each batch,
/// because dependencies elsewhere may change while earlier batches are written.
pub fn apply_but(
    tenants: &dyn Tenants,
    approvals: &dyn Approvals,
    plan: &Plan,
    consent: &Consent,
    later: &dyn Fn(&Action) -> bool,
    interrupted: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str, &Outcome),
) -> Result<Report, Refusal> {
    let mut sessions = begin(tenants, plan)?;
    let consented = consented(plan, consent, approvals)?;
    for (tenant, new) in &consented.new {
        approvals.keep(tenant, new)?;
    }
    let mut report = carry_out(tenants, plan, &consented.actions, later, &mut sessions, interrupted, progress);
    for (tenant, session) in &mut sessions {
        if let Err(error) = session.settle() {
            report.unsettled.push((tenant.clone(), error));
        }
        report.calls.extend(session.calls().map(|calls| (tenant.clone(), calls)));
    }
    if *consent != Consent::Safe {
        consume(approvals, plan, &consented, &mut report);
    }
    Ok(report)
}

/// Removes approvals of which nothing is left: an apply that was killed between its last write and its receipt leaves
/// them. Only for a full plan in which everything could be read: another one does not know what is left.
pub fn forget_approvals(approvals: &dyn Approvals, plan: &Plan) -> Result<(), LocationError> {
    if plan.scope != Scope::default() || plan.exit == 1 {
        return Ok(());
    }
    let read = || plan.targets.iter().filter(|target| target.state == State::Read && !target.suspended);
    for target in read().filter(|target| !target.actions.is_empty()) {
        let kept = approvals.kept(&target.tenant)?;
        let is_kept = |action: &Action| kept.iter().any(|kept| kept.covers.contains(&action.digest.to_string()));
        if target.actions.iter().any(is_kept) {
            return Ok(());
        }
    }
    read().try_for_each(|target| approvals.consume(&target.tenant, &mut |_| false))
}

/// Removes what was carried out from the stored approvals. An approval of several writers or tenants is given again as
/// a whole, so it is kept until all of it is done. If a record could not be written, its action is still to do.
fn consume(approvals: &dyn Approvals, plan: &Plan, consented: &Consented, report: &mut Report) {
    let done: BTreeSet<&str> =
        report.outcomes.iter().filter(|(_, o)| *o == Outcome::Done).map(|(id, _)| id.as_str()).collect();
    let is_done = |action: &Action| done.contains(action.id.as_str());
    let is_left = |action: &Action| consented.covers(action) && !is_done(action);
    let stays = !report.unsettled.is_empty() || plan.actions().any(|(_, action)| is_left(action));
    let unsettled: BTreeSet<String> = report.unsettled.iter().map(|(tenant, _)| tenant.clone()).collect();
    for target in plan.targets.iter().filter(|target| !unsettled.contains(&target.tenant)) {
        let Some(used) = consented.given.get(&target.tenant) else { continue };
        let done: BTreeSet<String> = target.actions.iter().filter(|a| is_done(a)).flat_map(covered).collect();
        let consumed = approvals.consume(&target.tenant, &mut |kept| {
            kept.covers.retain(|digest| !done.contains(digest));
            stays || used.is_disjoint(&kept.given)
        });
        report.unsettled.extend(consumed.err().map(|error| (target.tenant.clone(), error)));
    }
}

type Sessions<'a> = BTreeMap<String, Box<dyn Session + 'a>>;

fn begin<'a>(tenants: &'a dyn Tenants, plan: &Plan) -> Result<Sessions<'a>, Refusal> {
    let mut sessions = BTreeMap::new();
    // Nothing is written to a suspended tenant, not even that an apply begins.
    let wanted: Vec<&Target> = plan.targets.iter().filter(|t| !t.actions.is_empty() && !t.suspended).collect();
    for target in wanted {
        let Some(location) = tenants.location(&target.tenant) else {
            let why = "its location cannot be written".to_string();
            return Err(LocationError::Failed { what: target.tenant.clone(), why }.into());
        };
        let coming: Vec<_> = target.actions.iter().map(|a| &a.change).collect();
        sessions.insert(target.tenant.clone(), location.begin(&coming)?);
    }
    Ok(sessions)
}

/// Returns the digests that cover an action: its own, and that of what may be left of it.
pub fn covered(action: &Action) -> Vec<String> {
    std::iter::once(&action.digest).chain(&action.change.resumptions).map(ToString::to_string).collect()
}

/// What may be carried out, and the approvals to store until it is.
#[derive(Default)]
struct Consented {
    /// The digests of actions.
    actions: BTreeSet<String>,
    /// The digests of approved writers, by tenant.
    given: BTreeMap<String, BTreeSet<String>>,
    /// New approvals to store, by tenant.
    new: BTreeMap<String, Vec<StoredApproval>>,
}

impl Consented {
    /// Adds all actions of one writer in one tenant.
    fn approve(&mut self, target: &Target, writer: &str, digest: &Digest) {
        let of_this = target.actions.iter().filter(|a| a.writers.iter().any(|w| w.to_string() == writer));
        let covers: BTreeSet<String> = of_this.flat_map(covered).collect();
        self.actions.extend(covers.iter().cloned());
        let given = BTreeSet::from([digest.to_string()]);
        self.given.entry(target.tenant.clone()).or_default().extend(given.iter().cloned());
        let kept = StoredApproval { given, of: BTreeSet::from([writer.to_string()]), covers };
        self.new.entry(target.tenant.clone()).or_default().push(kept);
    }

    fn approve_all(&mut self, plan: &Plan) {
        for target in &plan.targets {
            target.digests.iter().for_each(|(writer, digest)| self.approve(target, writer, digest));
        }
    }

    fn approve_safe(&mut self, plan: &Plan) {
        let safe = plan.actions().filter(|(_, action)| action.needs_approval.is_empty());
        self.actions.extend(safe.flat_map(|(_, action)| covered(action)));
    }

    fn covers(&self, action: &Action) -> bool {
        self.actions.contains(&action.digest.to_string())
    }

    /// Adds what is left of earlier approvals. Any other action of their writers is new.
    fn resume(&mut self, resumed: Vec<(&Target, StoredApproval)>) -> Result<(), Refusal> {
        for (target, kept) in &resumed {
            self.actions.extend(kept.covers.iter().cloned());
            self.given.entry(target.tenant.clone()).or_default().extend(kept.given.iter().cloned());
        }
        let mut new = BTreeSet::new();
        for (target, kept) in &resumed {
            let is_theirs = |action: &&Action| {
                kept.of.is_empty() || action.writers.iter().any(|w| kept.of.contains(&w.to_string()))
            };
            let theirs = target.actions.iter().filter(is_theirs);
            new.extend(theirs.filter(|action| !self.covers(action)).map(|action| action.id.clone()));
        }
        if new.is_empty() { Ok(()) } else { Err(Refusal::Void { new: new.into_iter().collect() }) }
    }
}

fn consented(plan: &Plan, consent: &Consent, approvals: &dyn Approvals) -> Result<Consented, Refusal> {
    let mut consented = Consented::default();
    match consent {
        Consent::All => consented.approve_all(plan),
        Consent::Safe => consented.approve_safe(plan),
        Consent::PlanFile(covered) => {
            let is_new = |action: &&Action| !covered.contains(&action.digest.to_string());
            let new: Vec<String> = plan.actions().map(|(_, a)| a).filter(is_new).map(|a| a.id.clone()).collect();
            if !new.is_empty() {
                return Err(Refusal::Void { new });
            }
            consented.approve_all(plan);
        }
        Consent::Digests { digests, safe } => {
            let mut resumed = Vec::new();
            for digest in digests {
                let before = resumed.len();
                let mut is_known = false;
                for target in &plan.targets {
                    let of_writer = target.digests.iter().find(|(_, d)| d.to_string() == *digest);
                    if let Some((writer, digest)) = of_writer {
                        consented.approve(target, writer, digest);
                        is_known = true;
                    }
                }
                if !is_known {
                    for target in &plan.targets {
                        let kept = approvals.kept(&target.tenant)?.into_iter();
                        resumed.extend(kept.filter(|k| k.given.contains(digest)).map(|kept| (target, kept)));
                    }
                }
                if !is_known && resumed.len() == before {
                    return Err(Refusal::UnknownDigest { digest: digest.clone() });
                }
            }
            if *safe {
                consented.approve_safe(plan);
            }
            consented.resume(resumed)?;
        }
        Consent::Begun(digests) => {
            let mut resumed = Vec::new();
            for target in &plan.targets {
                let kept = approvals.kept(&target.tenant)?.into_iter();
                resumed.extend(kept.filter(|k| !k.given.is_disjoint(digests)).map(|kept| (target, kept)));
            }
            consented.resume(resumed)?;
        }
    }
    Ok(consented)
}

fn settle<'p>(
    outcomes: &mut BTreeMap<&'p str, Outcome>,
    progress: &mut dyn FnMut(&str, &Outcome),
    action: &'p Action,
    outcome: Outcome,
) {
    progress(&action.id, &outcome);
    outcomes.insert(&action.id, outcome);
}

/// Applies what is approved, batch by batch: actions without pending dependencies run together.
fn carry_out(
    tenants: &dyn Tenants,
    plan: &Plan,
    approved: &BTreeSet<String>,
    later: &dyn Fn(&Action) -> bool,
    sessions: &mut Sessions<'_>,
    interrupted: &dyn Fn() -> bool,
    progress: &mut dyn FnMut(&str, &Outcome),
) -> Report {
    let ordered = in_order(plan);
    let suspended: BTreeSet<&str> =
        plan.targets.iter().filter(|target| target.suspended).map(|target| target.tenant.as_str()).collect();
    let ids: BTreeSet<&str> = ordered.iter().map(|(_, action)| action.id.as_str()).collect();
    let mut outcomes: BTreeMap<&str, Outcome> = BTreeMap::new();
    let mut left = ordered.clone();
    while !left.is_empty() {
        let waits = |action: &Action| {
            action.after.iter().any(|id| ids.contains(id.as_str()) && !outcomes.contains_key(id.as_str()))
        };
        let (mut ready, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|(_, action)| !waits(action));
        left = rest;
        if ready.is_empty() {
            // The engine produces no cycles. If it did, every action of it would be tried rather than lost.
            ready.append(&mut left);
        }
        let mut of_tenant: BTreeMap<&str, Vec<&Action>> = BTreeMap::new();
        for (tenant, action) in ready {
            let undone = action.after.iter().find(|id| outcomes.get(id.as_str()).is_some_and(|o| *o != Outcome::Done));
            if suspended.contains(tenant) {
                settle(&mut outcomes, progress, action, Outcome::Suspended);
            } else if later(action) {
                settle(&mut outcomes, progress, action, Outcome::Later);
            } else if !approved.contains(&action.digest.to_string()) {
                settle(&mut outcomes, progress, action, Outcome::NotApproved);
            } else if let Some(by) = undone {
                let by = by.clone();
                settle(&mut outcomes, progress, action, Outcome::HeldBack { by });
            } else {
                of_tenant.entry(tenant).or_default().push(action);
            }
        }
        for (tenant, actions) in of_tenant {
            let Some(session) = sessions.get_mut(tenant) else {
                for action in actions {
                    settle(&mut outcomes, progress, action, Outcome::HeldBack { by: tenant.to_string() });
                }
                continue;
            };
            let mut unsure = Vec::new();
            let mut begun = BTreeSet::new();
            let bytes = |from: &DefinitionFrom| fitting(tenants, tenant, from);
            session.apply_all(&actions, &bytes, interrupted, &mut |position, result| {
                let Some(&action) = actions.get(position) else { return };
                begun.insert(position);
                match result {
                    Ok(()) => settle(&mut outcomes, progress, action, Outcome::Done),
                    Err(LocationError::Unsure { why, .. }) => unsure.push((action, why)),
                    Err(error) => settle(&mut outcomes, progress, action, Outcome::Failed(error)),
                }
            });
            for (action, why) in unsure {
                let outcome = if interrupted() {
                    Outcome::Failed(LocationError::Unsure { object: action.change.object.clone(), why })
                } else {
                    make_sure(action, &bytes, session.as_mut(), why)
                };
                settle(&mut outcomes, progress, action, outcome);
            }
            for (_, action) in actions.iter().enumerate().filter(|(position, _)| !begun.contains(position)) {
                settle(&mut outcomes, progress, action, Outcome::Interrupted);
            }
        }
    }
    let outcomes =
        ordered.into_iter().filter_map(|(_, action)| Some((action.id.clone(), outcomes.remove(action.id.as_str())?)));
    Report { outcomes: outcomes.collect(), unsettled: Vec::new(), calls: Vec::new() }
}

/// Reads a definition; fails if it is larger than `tenant` accepts.
fn fitting(tenants: &dyn Tenants, tenant: &str, from: &DefinitionFrom) -> Result<Vec<u8>, LocationError> {
    let definition = tenants.definition(from)?;
    let largest = tenants.location(tenant).map_or(u64::MAX, Location::largest_definition);
    if definition.len() as u64 <= largest {
        return Ok(definition);
    }
    let why = format!("its definition is {} bytes, and {tenant} takes at most {largest}", definition.len());
    Err(LocationError::TooLarge { object: ObjectId::new(Kind::Integration, &from.integration), why })
}

/// Returns the actions in the order of their dependencies. A dependency that the plan does not name is no obstacle.
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
            // The engine produces no cycles. If it did, the remaining actions would keep their order.
            ordered.append(&mut left);
        }
    }
    ordered
}

/// Reads the object of a change whose answer was lost, and applies the change if it was not.
fn make_sure(
    action: &Action,
    bytes: &dyn Fn(&DefinitionFrom) -> Result<Vec<u8>, LocationError>,
    session: &mut dyn Session,
    why: String,
) -> Outcome {
    let object = action.change.object.clone();
    match session.read_one(&object) {
        // An adoption changes only the record, which the object does not show: it is applied again.
        Ok(now) if action.action != ActionKind::Adopt && Item::same(now.as_ref(), action.change.after.as_ref()) => {
            Outcome::Done
        }
        Ok(now) if Item::same(now.as_ref(), action.change.before.as_ref()) => {
            let definition = action.change.definition.as_ref().map(bytes).transpose();
            match definition.and_then(|definition| session.apply(action, definition.as_deref())) {
                Ok(()) => Outcome::Done,
                Err(error) => Outcome::Failed(error),
            }
        }
        Ok(_) | Err(_) => Outcome::Failed(LocationError::Unsure { object, why }),
    }
}

/// Returns the digests of the actions that were done.
pub fn done(plan: &Plan, report: &Report) -> Vec<String> {
    let done: BTreeSet<&str> =
        report.outcomes.iter().filter(|(_, o)| *o == Outcome::Done).map(|(id, _)| id.as_str()).collect();
    plan.actions().filter(|(_, a)| done.contains(a.id.as_str())).map(|(_, a)| a.digest.to_string()).collect()
}

/// Returns the digest of the actions that were done, which the receipt keeps.
pub fn digest_of(mut done: Vec<String>) -> Digest {
    done.sort_unstable();
    Digest::of(done.join("\n").as_bytes())
}

/// Returns the receipt: digests of the actions that were done, of the desired state, and of the live state after them.
pub fn receipt(done: Digest, after: &World) -> Receipt {
    let tenants = |view: fn(&TenantView) -> Option<&View>| {
        after.tenants.iter().map(|(name, tenant)| (name.clone(), view(tenant))).collect()
    };
    let mut live = Digesting::default();
    live.object(tenants(|tenant| Some(&tenant.live)), digest_view);
    let syncs: Vec<Value> = after.syncs.iter().map(|s| json!({"writer": s.writer, "spec": *s.spec})).collect();
    let mut declared = Digesting::default();
    let parts = vec![("sources".to_string(), None), ("syncs".to_string(), Some(Value::Array(syncs)))];
    declared.object(parts, |declared, part| match part {
        None => declared.object(tenants(|tenant| tenant.source.as_ref()), digest_view),
        Some(syncs) => declared.value(&syncs),
    });
    Receipt { plan: done, declared: declared.finish(), live: live.finish() }
}

fn digest_view(digesting: &mut Digesting, view: Option<&View>) {
    match view.and_then(View::inventory) {
        Some(inventory) => {
            let items = inventory.items().map(|item| (item.id().to_string(), item)).collect();
            digesting.object(items, |digesting, item| digesting.written(|text| item.write_json(text)));
        }
        None => digesting.value(&Value::Null),
    }
}

/// Returns the first few ids, for a message.
fn first(ids: &[String]) -> String {
    const FEW: usize = 10;
    match ids.split_at_checked(FEW) {
        Some((first, rest)) if !rest.is_empty() => format!("{} and {} more", first.join(", "), rest.len()),
        _ => ids.join(", "),
    }
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
