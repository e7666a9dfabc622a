//! Selects which actions of a plan are written now, and says why the others are not. The only place that decides what
//! may be written unattended. Pure.

use super::queue::{PassId, Writing};
use crate::api::{Kind, Variable, names};
use crate::engine::model::code::Code;
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::{Action, ActionKind, Plan, Target};
use crate::engine::model::record::Writer;
use crate::engine::plan::is_too_many;
use std::collections::{BTreeMap, BTreeSet};

/// What limits the writes of a plan. The default limits nothing.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// Objects for which two syncs want something different. A plan of only one of them does not show that.
    pub conflicts: BTreeSet<ObjectId>,
    /// The writes of other reconciles in the target.
    pub in_flight: Vec<InFlight>,
    /// When objects are deleted.
    pub deletes: Deletes,
    /// Whether the plan is incremental: it may depend on something outside of it.
    pub is_partial: bool,
    /// How many objects may be updated together; `None` if the plan itself marks what is too many.
    pub volume: Option<UpdateVolume>,
    /// Maximum number of actions that one reconcile carries out.
    pub most: Option<usize>,
}

/// The writes of another reconcile.
#[derive(Debug)]
pub(super) struct InFlight {
    pub pass: PassId,
    /// All objects that it writes.
    pub objects: BTreeSet<ObjectId>,
    /// The objects that it deletes.
    pub deleted: BTreeSet<ObjectId>,
}

/// When objects are deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Deletes {
    #[default]
    Now,
    /// Never by an incremental plan: only a full plan decides what is missing.
    WithEverything,
    /// Not until the source is settled.
    Unsettled(String),
}

/// How many objects of a target were updated recently, and how many there are.
#[derive(Clone, Copy, Debug)]
pub(super) struct UpdateVolume {
    /// Number of objects that were changed, are being changed, or wait to be planned.
    pub changed: usize,
    /// Number of objects from which the share is computed.
    pub base: usize,
    /// The share that needs approval, in percent, and the minimum number of objects.
    pub share: (u32, u32),
}

/// The consent to what is written.
#[derive(Debug)]
pub(super) enum SyncConsent {
    /// Nobody was asked.
    Unattended,
    /// A person approved everything that these syncs want.
    Approved(BTreeSet<Writer>),
    /// A person approved what these syncs wanted; the actions with these digests are left.
    Begun(BTreeSet<Writer>, BTreeSet<String>),
}

/// Why an action is not carried out now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Its tenant is suspended.
    Suspended,
    /// Another sync wants something else for the same object.
    Conflict,
    /// This reconcile writes the same object, or deletes one that the action would use.
    InFlight(PassId),
    /// It depends on an action that is not in this incremental plan.
    DependencyUnplanned,
    /// It deletes, and the plan is incremental.
    DeleteWithEverything,
    /// It deletes, and its source is not settled.
    SourceUnsettled(String),
    /// A person must approve it.
    NeedsApproval,
    /// A person approved other actions, but not this one.
    NotApproved,
    /// With it, too many objects would be updated without an approval.
    VolumeBudget,
    /// The reconcile has the maximum number of actions.
    PassFull,
    /// It depends on another action that is not carried out now.
    DependsOnLater {
        action: String,
        /// Why that action, or the one that it depends on, is not carried out.
        because: Box<Why>,
    },
}

/// The result of a selection. Every action of the plan is in one of the two, and none in `now` depends on one in
/// `later`.
#[derive(Debug, Default)]
pub(super) struct Selected {
    /// The objects to write.
    pub now: BTreeMap<ObjectId, Writing>,
    /// The actions that are not carried out now, by id.
    pub later: BTreeMap<String, Why>,
}

impl SyncConsent {
    /// Returns why this consent does not cover an action.
    fn refuses(&self, action: &Action) -> Option<Why> {
        match self {
            SyncConsent::Unattended => (!action.needs_approval.is_empty()).then_some(Why::NeedsApproval),
            SyncConsent::Approved(_) | SyncConsent::Begun(..) => (!self.covers(action)).then_some(Why::NotApproved),
        }
    }

    /// Whether a person approved an action.
    pub(super) fn covers(&self, action: &Action) -> bool {
        match self {
            SyncConsent::Unattended => false,
            SyncConsent::Approved(syncs) => !syncs.is_disjoint(&action.writers),
            SyncConsent::Begun(syncs, left) => {
                !syncs.is_disjoint(&action.writers) && left.contains(&action.digest.to_string())
            }
        }
    }
}

impl Why {
    /// Returns the original reason, following the actions that it depends on.
    pub(super) fn root(&self) -> &Why {
        match self {
            Why::DependsOnLater { because, .. } => because.root(),
            _ => self,
        }
    }

    /// Whether only a full reconcile can change the decision: planning the change again would give the same.
    pub(super) fn is_for_everything(&self) -> bool {
        match self.root() {
            Why::DependencyUnplanned
            | Why::DeleteWithEverything
            | Why::SourceUnsettled(_)
            | Why::NeedsApproval
            | Why::NotApproved
            | Why::VolumeBudget => true,
            Why::Suspended | Why::Conflict | Why::InFlight(_) | Why::PassFull | Why::DependsOnLater { .. } => false,
        }
    }
}

impl Selected {
    /// Returns the deletes that wait for their source, and what depends on them, by the action's id.
    pub(super) fn unsettled(&self) -> BTreeMap<String, String> {
        let unsettled = self.later.iter().filter_map(|(id, why)| match why.root() {
            Why::SourceUnsettled(why) => Some((id.clone(), why.clone())),
            _ => None,
        });
        unsettled.collect()
    }

    /// Whether an action waits until its source is settled.
    pub(super) fn is_unsettled(&self, action: &Action) -> bool {
        self.later.get(&action.id).is_some_and(|why| matches!(why.root(), Why::SourceUnsettled(_)))
    }

    /// Returns the objects of delayed actions whose reason matches.
    pub(super) fn later_objects<'p>(&self, plan: &'p Plan, is: impl Fn(&Why) -> bool) -> Vec<&'p ObjectId> {
        let actions = plan.actions().map(|(_, action)| action);
        let later = actions.filter(|action| self.later.get(&action.id).is_some_and(|why| is(why.root())));
        later.map(|action| &action.change.object).collect()
    }

    /// Removes delayed actions whose reason matches from the plan.
    pub(super) fn narrow(&self, plan: &mut Plan, is: impl Fn(&Why) -> bool) {
        for target in &mut plan.targets {
            target.actions.retain(|action| !self.later.get(&action.id).is_some_and(|why| is(why.root())));
            // The plan stays in memory until all of it is carried out.
            target.actions.shrink_to_fit();
        }
    }
}

/// Selects which actions of a plan are carried out now. The first reason that applies is returned, so the order
/// matters:
///
/// - A conflict is reported in a suspended tenant too: the action belongs to the other sync.
/// - Writes of other reconciles are left out before updates are counted, because they are counted as changed already.
/// - An approved delete whose source is not settled is reported as waiting, so this is decided before consent.
/// - The maximum number of actions is applied last.
pub(super) fn select(plan: &Plan, limits: &Limits, consent: &SyncConsent) -> Selected {
    let mut selection = Selection::of(plan);
    selection.leave_out(|_, action| limits.conflicts.contains(&action.change.object).then_some(Why::Conflict));
    selection.leave_out(|target, _| target.suspended.then_some(Why::Suspended));
    for other in &limits.in_flight {
        // An action that would use an object which is about to be deleted waits for the delete.
        let is_theirs = |action: &Action| other.objects.contains(&action.change.object) || uses(action, &other.deleted);
        selection.leave_out(|_, action| is_theirs(action).then_some(Why::InFlight(other.pass)));
    }
    let updates = selection.now().filter(|action| action.action == ActionKind::Update).count();
    let is_over = limits.volume.is_some_and(|volume| volume.is_over(updates));
    if limits.is_partial {
        let planned: BTreeSet<String> = selection.now().map(|action| action.id.clone()).collect();
        selection.leave_out(|_, action| (!action.after.is_subset(&planned)).then_some(Why::DependencyUnplanned));
    }
    selection.leave_out(|_, action| limits.deletes.wait().filter(|_| action.action == ActionKind::Delete));
    selection.leave_out(|_, action| consent.refuses(action));
    selection.leave_out(|_, action| (is_over && action.action == ActionKind::Update).then_some(Why::VolumeBudget));
    if let Some(most) = limits.most {
        let full: BTreeSet<String> = selection.now().skip(most).map(|action| action.id.clone()).collect();
        selection.leave_out(|_, action| full.contains(&action.id).then_some(Why::PassFull));
    }
    selection.done()
}

/// Returns the objects of a tenant for which two writers want something different.
pub(super) fn conflicts(plan: &Plan, tenant: &str) -> BTreeSet<ObjectId> {
    let of_tenant = plan.findings.iter().filter(|f| f.tenant.as_deref() == Some(tenant));
    of_tenant.filter(|f| f.code == Code::WriterConflict).filter_map(|f| f.object.clone()).collect()
}

impl Deletes {
    fn wait(&self) -> Option<Why> {
        match self {
            Deletes::Now => None,
            Deletes::WithEverything => Some(Why::DeleteWithEverything),
            Deletes::Unsettled(why) => Some(Why::SourceUnsettled(why.clone())),
        }
    }
}

impl UpdateVolume {
    fn is_over(&self, updates: usize) -> bool {
        is_too_many(self.changed + updates, self.base, self.share)
    }
}

/// A selection in progress.
struct Selection<'p> {
    plan: &'p Plan,
    later: BTreeMap<String, Why>,
}

impl<'p> Selection<'p> {
    fn of(plan: &'p Plan) -> Self {
        Selection { plan, later: BTreeMap::new() }
    }

    /// Returns the actions that were not left out.
    fn now(&self) -> impl Iterator<Item = &'p Action> {
        let actions = self.plan.actions().map(|(_, action)| action);
        actions.filter(|action| !self.later.contains_key(&action.id))
    }

    /// Leaves out the actions for which `why` returns a reason, and what depends on them.
    fn leave_out(&mut self, why: impl Fn(&Target, &Action) -> Option<Why>) {
        let before = self.later.len();
        for (target, action) in self.plan.actions() {
            if self.later.contains_key(&action.id) {
                continue;
            }
            if let Some(why) = why(target, action) {
                self.later.insert(action.id.clone(), why);
            }
        }
        let mut known = before;
        // Mostly one round: actions are ordered by their dependencies.
        while self.later.len() > known {
            known = self.later.len();
            for (_, action) in self.plan.actions().filter(|(_, action)| !action.after.is_empty()) {
                if self.later.contains_key(&action.id) {
                    continue;
                }
                let first = action.after.iter().find_map(|id| Some((id, self.later.get(id)?)));
                if let Some((on, because)) = first {
                    let because = Box::new(because.root().clone());
                    self.later.insert(action.id.clone(), Why::DependsOnLater { action: on.clone(), because });
                }
            }
        }
    }

    fn done(self) -> Selected {
        let writing = |a: &Action| (a.change.object.clone(), Writing { kind: a.action, after: a.change.after.clone() });
        Selected { now: self.now().map(writing).collect(), later: self.later }
    }
}

/// Whether an object uses one of these once an action is done.
fn uses(action: &Action, objects: &BTreeSet<ObjectId>) -> bool {
    let is_among = |kind, name: String| objects.contains(&ObjectId::new(kind, name));
    match &action.change.after {
        Some(Item::Integration(integration, _)) => {
            let mut keys = integration.spec.connections.iter().filter_map(Variable::stable_key);
            keys.any(|key| is_among(Kind::Connection, names::of_stable_key(key)))
        }
        Some(Item::Connection(connection)) => {
            let component = &connection.spec.component;
            is_among(Kind::Component, names::of_component(&component.key, component.is_public()))
        }
        Some(Item::Component(_) | Item::CustomerCredentials(_)) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Object;
    use crate::engine::model::finding::Finding;
    use crate::engine::model::plan::{Approval, Counts, PLAN_SCHEMA, Reason, Scope, Skipped, State};
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;
    use serde_json::json;
    use std::sync::Arc;

    fn connection(name: &str) -> ObjectId {
        ObjectId::new(Kind::Connection, name)
    }

    fn id(name: &str) -> String {
        format!("eu/Connection/{name}")
    }

    /// An action of sync `s` that depends on these.
    fn action(name: &str, kind: ActionKind, after: &[&str]) -> Action {
        let reason = Reason { code: "x", text: String::new() };
        Action {
            after: after.iter().map(|name| id(name)).collect(),
            writers: [sync("s")].into(),
            ..Action::of("eu", &connection(name), kind, reason)
        }
    }

    fn sync(name: &str) -> Writer {
        Writer::Sync(name.into())
    }

    fn needs_approval(action: Action) -> Action {
        Action { needs_approval: vec![Approval { code: Code::TooManyChanges, why: String::new() }], ..action }
    }

    fn plan(actions: Vec<Action>) -> Plan {
        let target = Target { known: true, actions, ..Target::empty("eu", State::Read) };
        Plan {
            schema: PLAN_SCHEMA,
            scope: Scope::default(),
            targets: vec![target],
            findings: Vec::new(),
            skipped: Skipped::default(),
            counts: Counts::default(),
            exit: 0,
        }
    }

    /// The names of the objects that are written now.
    fn now(selected: &Selected) -> Vec<&str> {
        selected.now.keys().map(|id| id.name.as_str()).collect()
    }

    fn why<'s>(selected: &'s Selected, name: &str) -> Option<&'s Why> {
        selected.later.get(&id(name))
    }

    fn depends_on(name: &str, because: Why) -> Why {
        Why::DependsOnLater { action: id(name), because: Box::new(because) }
    }

    /// Checks a plan of an update `a`, which is left out for this reason, an update `b` that depends on it, and one of
    /// `c`.
    fn leaves_out_a_and_b(plan: &Plan, limits: &Limits, because: Why) {
        let selected = select(plan, limits, &SyncConsent::Unattended);
        assert_eq!(now(&selected), ["c"]);
        assert_eq!(why(&selected, "b"), Some(&depends_on("a", because.clone())));
        assert_eq!(why(&selected, "a"), Some(&because));
    }

    fn three(a: Action) -> Plan {
        plan(vec![a, action("b", ActionKind::Update, &["a"]), action("c", ActionKind::Update, &[])])
    }

    #[test]
    fn without_limits_everything_is_written() {
        let mut made = action("a", ActionKind::Create, &["of-another-tenant"]);
        made.change.after = Some(item("a"));
        let selected = select(&plan(vec![made]), &Limits::default(), &SyncConsent::Unattended);
        assert!(selected.later.is_empty());
        let writing = &selected.now[&connection("a")];
        assert!(writing.kind == ActionKind::Create && Item::same(writing.after.as_ref(), Some(&item("a"))));
    }

    #[test]
    fn dependents_of_a_delayed_action_are_delayed_in_any_order() {
        let update = |name, after: &[&str]| action(name, ActionKind::Update, after);
        let waits = needs_approval(update("b", &["a"]));
        let plan = plan(vec![update("d", &["c"]), update("a", &[]), waits, update("c", &["b"])]);
        let selected = select(&plan, &Limits::default(), &SyncConsent::Unattended);
        assert_eq!(now(&selected), ["a"]);
        assert_eq!(why(&selected, "c"), Some(&depends_on("b", Why::NeedsApproval)));
        assert_eq!(why(&selected, "d"), Some(&depends_on("c", Why::NeedsApproval)));
        let left = selected.later_objects(&plan, |why| *why == Why::NeedsApproval);
        assert_eq!(left.len(), 3);
        let mut plan = plan;
        selected.narrow(&mut plan, |why| *why == Why::Conflict);
        assert_eq!(plan.actions().count(), 4);
        selected.narrow(&mut plan, |_| true);
        assert_eq!(plan.actions().map(|(_, action)| action.id.clone()).collect::<Vec<_>>(), [id("a")]);
    }

    #[test]
    fn nothing_is_written_to_a_suspended_tenant() {
        let mut plan = three(action("a", ActionKind::Update, &[]));
        plan.targets[0].suspended = true;
        for consent in [SyncConsent::Unattended, SyncConsent::Approved([sync("s")].into())] {
            let selected = select(&plan, &Limits::default(), &consent);
            assert!(selected.now.is_empty());
            assert!(selected.later.values().all(|why| *why == Why::Suspended && !why.is_for_everything()));
        }
    }

    #[test]
    fn conflicting_actions_are_left_out() {
        let mut all = plan(Vec::new());
        let conflict = |tenant, name| Finding::of(Code::WriterConflict, tenant, connection(name), "", "");
        all.findings = vec![conflict("eu", "a"), conflict("us", "c")];
        let limits = Limits { conflicts: conflicts(&all, "eu"), ..Limits::default() };
        let mut plan = three(action("a", ActionKind::Update, &[]));
        leaves_out_a_and_b(&plan, &limits, Why::Conflict);
        // Also if nothing is written: a status counts what waits, and that belongs to the other sync.
        plan.targets[0].suspended = true;
        assert_eq!(why(&select(&plan, &limits, &SyncConsent::Unattended), "a"), Some(&Why::Conflict));
    }

    #[test]
    fn actions_wait_for_writes_of_another_reconcile() {
        let others = |pass, objects: &[&str], deleted: &[&str]| InFlight {
            pass: PassId(pass),
            objects: objects.iter().map(|name| connection(name)).collect(),
            deleted: deleted.iter().map(|name| connection(name)).collect(),
        };
        let limits = Limits { in_flight: vec![others(1, &["x"], &[]), others(2, &["a"], &[])], ..Limits::default() };
        leaves_out_a_and_b(&three(action("a", ActionKind::Update, &[])), &limits, Why::InFlight(PassId(2)));
        assert!(!Why::InFlight(PassId(2)).is_for_everything());
        // It would use the object that is about to be deleted.
        let bound = json!({"connections": [{"name": "V", "stableKey": "Sales_Force"}]});
        let bound = Item::Integration(Arc::new(Object::new("i", serde_json::from_value(bound).unwrap())), None);
        let reason = Reason { code: "x", text: String::new() };
        let mut integration = Action::of("eu", &bound.id(), ActionKind::Create, reason);
        integration.change.after = Some(bound);
        let plan = plan(vec![integration]);
        let of = |deleted: &[&str]| Limits { in_flight: vec![others(3, &[], deleted)], ..Limits::default() };
        let selected = select(&plan, &of(&["sales-force"]), &SyncConsent::Unattended);
        assert_eq!(selected.later["eu/Integration/i"], Why::InFlight(PassId(3)));
        assert!(select(&plan, &of(&["other"]), &SyncConsent::Unattended).later.is_empty());
    }

    fn item(name: &str) -> Item {
        let spec = json!({"stableKey": name, "component": {"key": "http"}, "type": "t", "credentials": "Customer"});
        Item::Connection(Arc::new(Object::new(name, serde_json::from_value(spec).unwrap())))
    }

    #[test]
    fn a_connection_uses_its_component() {
        let mut connects = action("k", ActionKind::Create, &[]);
        connects.change.after = Some(item("k"));
        assert!(uses(&connects, &[ObjectId::new(Kind::Component, "http")].into()));
        assert!(!uses(&connects, &[connection("k")].into()));
        assert!(!uses(&action("gone", ActionKind::Delete, &[]), &[connection("gone")].into()));
    }

    #[test]
    fn an_incremental_plan_waits_for_unplanned_dependencies() {
        let plan = three(action("a", ActionKind::Update, &["unplanned"]));
        let limits = Limits { is_partial: true, ..Limits::default() };
        leaves_out_a_and_b(&plan, &limits, Why::DependencyUnplanned);
        assert!(Why::DependencyUnplanned.is_for_everything());
        // In a full plan, an action that is not planned need not be done.
        assert!(select(&plan, &Limits::default(), &SyncConsent::Unattended).later.is_empty());
    }

    #[test]
    fn deletes_need_a_full_plan_and_a_settled_source() {
        let plan = three(action("a", ActionKind::Delete, &[]));
        let with = |deletes| Limits { deletes, ..Limits::default() };
        leaves_out_a_and_b(&plan, &with(Deletes::WithEverything), Why::DeleteWithEverything);
        let because = "us must rest".to_string();
        let unsettled = with(Deletes::Unsettled(because.clone()));
        leaves_out_a_and_b(&plan, &unsettled, Why::SourceUnsettled(because.clone()));
        assert!(select(&plan, &with(Deletes::Now), &SyncConsent::Unattended).later.is_empty());
        // Even if it is approved.
        let plan = three(needs_approval(action("a", ActionKind::Delete, &[])));
        for consent in [SyncConsent::Unattended, SyncConsent::Approved([sync("s")].into())] {
            let selected = select(&plan, &unsettled, &consent);
            let waits = [(id("a"), because.clone()), (id("b"), because.clone())];
            assert_eq!(selected.unsettled(), waits.into());
            let is = |name: &str| plan.actions().any(|(_, a)| a.id == id(name) && selected.is_unsettled(a));
            assert!(is("a") && is("b") && !is("c"));
        }
    }

    #[test]
    fn actions_that_need_approval_wait_for_it() {
        let plan = three(needs_approval(action("a", ActionKind::Update, &[])));
        leaves_out_a_and_b(&plan, &Limits::default(), Why::NeedsApproval);
        let selected = select(&plan, &Limits::default(), &SyncConsent::Approved([sync("s")].into()));
        assert!(selected.later.is_empty());
    }

    #[test]
    fn only_approved_actions_are_written() {
        let of_others = Action { writers: [sync("t")].into(), ..action("a", ActionKind::Update, &[]) };
        let shared = Action { writers: [sync("s"), sync("t")].into(), ..action("d", ActionKind::Update, &[]) };
        let mut actions = three(of_others).targets.remove(0).actions;
        actions.push(shared);
        actions.iter_mut().for_each(|action| {
            action.digest = crate::engine::model::canonical::Digest::of(action.id.as_bytes());
        });
        let digest = |name: &str| actions.iter().find(|action| action.id == id(name)).unwrap().digest.to_string();
        let left = [digest("c"), digest("a")].into();
        let plan = plan(actions.clone());
        let selected = select(&plan, &Limits::default(), &SyncConsent::Approved([sync("s")].into()));
        assert_eq!(now(&selected), ["c", "d"]);
        assert_eq!(why(&selected, "a"), Some(&Why::NotApproved));
        assert_eq!(why(&selected, "b"), Some(&depends_on("a", Why::NotApproved)));
        // Only the rest of a begun approval, for the syncs that have it.
        let selected = select(&plan, &Limits::default(), &SyncConsent::Begun([sync("s")].into(), left));
        assert_eq!(now(&selected), ["c"]);
    }

    #[test]
    fn many_updates_together_wait_for_an_approval() {
        let update = |name| action(name, ActionKind::Update, &[]);
        let create = action("new", ActionKind::Create, &["a"]);
        let plan = plan(vec![update("a"), create, action("other", ActionKind::Create, &[]), update("z")]);
        let of = |changed, base| Limits {
            volume: Some(UpdateVolume { changed, base, share: (30, 10) }),
            ..Limits::default()
        };
        let selected = select(&plan, &of(1, 10), &SyncConsent::Unattended);
        assert_eq!(now(&selected), ["other"], "3 of 10");
        assert_eq!(why(&selected, "a"), Some(&Why::VolumeBudget));
        assert_eq!(why(&selected, "new"), Some(&depends_on("a", Why::VolumeBudget)));
        assert!(select(&plan, &of(0, 10), &SyncConsent::Unattended).later.is_empty(), "2 of 10");
        assert!(select(&plan, &of(9, 9), &SyncConsent::Unattended).later.is_empty(), "of too few");
        // A write of another reconcile is counted as changed already.
        let others = InFlight { pass: PassId(1), objects: [connection("z")].into(), deleted: BTreeSet::new() };
        let limits = Limits { in_flight: vec![others], ..of(1, 10) };
        assert_eq!(now(&select(&plan, &limits, &SyncConsent::Unattended)), ["a", "new", "other"]);
    }

    #[test]
    fn the_maximum_number_of_actions_is_applied_last() {
        let update = |name, after: &[&str]| action(name, ActionKind::Update, after);
        let waits = needs_approval(update("a", &[]));
        let plan = plan(vec![waits, update("b", &[]), update("c", &["b"]), update("d", &[]), update("e", &["d"])]);
        let limits = Limits { most: Some(2), ..Limits::default() };
        let selected = select(&plan, &limits, &SyncConsent::Unattended);
        assert_eq!(now(&selected), ["b", "c"]);
        let full = selected.later_objects(&plan, |why| *why == Why::PassFull);
        assert_eq!(full, [&connection("d"), &connection("e")]);
        assert!(!Why::PassFull.is_for_everything());
    }

    prop_compose! {
        /// Actions of one target in any order, each depending on some of those before it.
        fn actions()(
            drawn in vec((0..4_u8, any::<bool>(), any::<bool>(), btree_set(0..12_usize, 0..3)), 0..12),
        )(
            actions in Just(drawn.into_iter().enumerate().map(|(n, (kind, approval, other, after))| {
                let kinds = [ActionKind::Create, ActionKind::Update, ActionKind::Adopt, ActionKind::Delete];
                let after: Vec<String> = after.into_iter().filter(|before| *before < n).map(|n| format!("c{n}")).collect();
                let after: Vec<&str> = after.iter().map(String::as_str).collect();
                let action = action(&format!("c{n}"), kinds[kind as usize], &after);
                let writers = [sync(if other { "t" } else { "s" })].into();
                let action = Action { writers, ..action };
                if approval { needs_approval(action) } else { action }
            }).collect::<Vec<_>>()).prop_shuffle(),
        ) -> Vec<Action> {
            actions
        }
    }

    prop_compose! {
        fn limits()(
            conflict in 0..20_usize,
            writing in 0..20_usize,
            deletes in prop_oneof![
                Just(Deletes::Now), Just(Deletes::WithEverything), Just(Deletes::Unsettled("it".into())),
            ],
            is_partial in any::<bool>(),
            changed in proptest::option::of(0..4_usize),
            most in proptest::option::of(0..8_usize),
        ) -> Limits {
            let object = |n| BTreeSet::from([connection(&format!("c{n}"))]);
            Limits {
                conflicts: object(conflict),
                in_flight: vec![InFlight { pass: PassId(1), objects: object(writing), deleted: BTreeSet::new() }],
                deletes,
                is_partial,
                volume: changed.map(|changed| UpdateVolume { changed, base: 10, share: (30, 10) }),
                most,
            }
        }
    }

    proptest! {
        #[test]
        fn now_and_later_cover_the_plan_and_now_depends_only_on_now(
            actions in actions(),
            limits in limits(),
            is_approved in any::<bool>(),
        ) {
            let plan = plan(actions);
            let consent = if is_approved { SyncConsent::Approved([sync("s")].into()) } else { SyncConsent::Unattended };
            let selected = select(&plan, &limits, &consent);
            prop_assert_eq!(selected.now.len() + selected.later.len(), plan.actions().count());
            for (_, action) in plan.actions() {
                let is_now = selected.now.contains_key(&action.change.object);
                prop_assert_ne!(is_now, selected.later.contains_key(&action.id));
                if !is_now {
                    continue;
                }
                prop_assert!(action.after.iter().all(|id| !selected.later.contains_key(id)));
                prop_assert!(is_approved || action.needs_approval.is_empty());
                prop_assert!(!is_approved || action.writers.contains(&sync("s")));
                prop_assert!(action.action != ActionKind::Delete || limits.deletes == Deletes::Now);
                prop_assert!(!limits.conflicts.contains(&action.change.object));
            }
            prop_assert!(limits.most.is_none_or(|most| selected.now.len() <= most));
        }
    }
}
