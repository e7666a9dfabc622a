//! The state of every tenant, as values.

pub use crate::report::matrix::{Cell, Matrix, MatrixRow, NearMiss};

use super::binding::{ComponentBrief, Scene};
use super::passed_over::passed_over;
use super::ranked::{self, Ranked};
use super::tally::Tally;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::World;
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Action, Note, Plan, Scope, SecretNeed, State};
use crate::engine::plan::{manual, simulate_whole};
use crate::text::and;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state of all tenants.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The schema `stablekey.dev/status/v1`.
    pub schema: &'static str,
    /// What was read and is not part of the status, as sentences.
    #[serde(skip)]
    pub passed_over: Vec<String>,
    /// Whether all tenants are in sync.
    pub state: TenantState,
    /// One line per tenant, by name.
    pub tenants: Vec<TenantLine>,
    /// The components that have connections, by name.
    pub components: Vec<ComponentLine>,
    /// The matrix of stable keys by tenant.
    pub matrix: Matrix,
    /// The differences from the declared state, worst first.
    pub out_of_sync: Vec<OutOfSync>,
    /// The number of fields where an override or a tenant's own source has precedence over a sync.
    #[serde(skip)]
    pub overridden: usize,
    /// The findings of the checks.
    pub findings: Vec<Finding>,
    /// The manual steps, including completed ones if that cannot be detected.
    pub todo: Vec<Todo>,
    /// The scope of the status.
    pub scope: Scope,
}

/// The state of one tenant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantLine {
    /// The name of the tenant.
    pub tenant: String,
    /// The region of its stack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The purpose of the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// The reason why it could not be read; absent if it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
    /// The number of connections.
    pub connections: usize,
    /// The number of integrations.
    pub integrations: usize,
    /// The number of variables that resolve to a connection, including the integration's own.
    pub bound: usize,
    /// The number of all variables.
    pub variables: usize,
    /// The number of customers with credentials, where the location tells more than how many each connection has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers: Option<usize>,
    /// The pending actions and warnings in a sentence.
    pub summary: String,
    /// Whether the tenant is in sync.
    pub state: TenantState,
}

/// Whether something is in sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TenantState {
    /// The live state equals the declared state.
    InSync,
    /// The live state differs.
    Differs,
    /// The live state is unreadable, or was not planned.
    Unknown,
}

/// A component with its connections.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentLine {
    /// The key of the component.
    pub component: ComponentBrief,
    /// The stable keys of its connections, in any tenant.
    pub connections: BTreeSet<String>,
}

/// An object that is out of sync.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutOfSync {
    /// The tenant of the object.
    pub tenant: String,
    /// The object that is out of sync.
    pub object: ObjectId,
    /// The kind of the difference.
    pub what: OutOfSyncKind,
    /// The difference in a sentence.
    pub text: String,
}

/// The kind of a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub enum OutOfSyncKind {
    Blocked,
    NeedsApproval,
    Drifted,
    Update,
    Create,
    Delete,
    Adopt,
    AwaitsStage,
    Kept,
}

impl OutOfSyncKind {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            OutOfSyncKind::Blocked => "✗ blocked",
            OutOfSyncKind::NeedsApproval => "! needs approval",
            OutOfSyncKind::Drifted => "≠ drifted",
            OutOfSyncKind::Update => "~ update",
            OutOfSyncKind::Create => "+ create",
            OutOfSyncKind::Delete => "- delete",
            OutOfSyncKind::Adopt => "= adopt",
            OutOfSyncKind::AwaitsStage => "◌ waits",
            OutOfSyncKind::Kept => "· kept",
        }
    }
}

/// A manual step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Todo {
    /// The tenant that needs the step.
    pub tenant: Arc<str>,
    /// The objects that need the step: several connections may need one Secret.
    pub objects: Vec<ObjectId>,
    /// The people who have to do it.
    pub who: Arc<str>,
    /// The text of the step.
    pub text: String,
}

impl StatusReport {
    /// Builds the status from a world and its plan.
    pub fn of(world: &World, plan: &Plan) -> Self {
        let after = simulate_whole(world, plan);
        let targets = ranked::targets(plan);
        let tenants: Vec<TenantLine> = world.tenants.keys().map(|tenant| line(world, tenant, &targets)).collect();
        StatusReport {
            schema: "stablekey.dev/status/v1",
            passed_over: passed_over(plan),
            state: state(plan, &targets, &tenants),
            tenants,
            components: components(world),
            matrix: Matrix::of(world, &after, plan),
            out_of_sync: targets.iter().flat_map(out_of_sync).collect(),
            overridden: targets.iter().map(|ranked| Tally::of(ranked).overridden).sum(),
            findings: plan.findings.clone(),
            todo: todo(world, plan),
            scope: plan.scope.clone(),
        }
    }
}

/// The state over all planned tenants.
fn state(plan: &Plan, targets: &[Ranked<'_>], tenants: &[TenantLine]) -> TenantState {
    let is_wrong = |f: &&Finding| f.severity != Severity::Warning;
    if targets.iter().any(Ranked::differs) || ranked::of_no_target(plan).iter().any(is_wrong) {
        return TenantState::Differs;
    }
    let planned = |line: &&TenantLine| targets.iter().any(|t| t.target.tenant == line.tenant);
    tenants.iter().filter(planned).map(|line| line.state).max().unwrap_or(TenantState::Unknown)
}

fn line(world: &World, tenant: &str, targets: &[Ranked<'_>]) -> TenantLine {
    let view = world.tenants.get(tenant);
    let ranked = targets.iter().find(|t| t.target.tenant == tenant);
    let mut line = TenantLine {
        tenant: tenant.to_string(),
        region: view.and_then(|v| v.spec.region.clone()),
        environment: view.and_then(|v| v.spec.environment.clone()),
        unreachable: None,
        connections: 0,
        integrations: 0,
        bound: 0,
        variables: 0,
        customers: Some(0),
        summary: ranked.map(summary).unwrap_or_default(),
        state: match ranked {
            Some(ranked) if ranked.target.state == State::Unreachable => TenantState::Unknown,
            Some(ranked) if ranked.differs() => TenantState::Differs,
            Some(ranked) if ranked.target.known && !ranked.is_uncertain() => TenantState::InSync,
            Some(_) | None => TenantState::Unknown,
        },
    };
    if ranked.is_some() && line.state == TenantState::Unknown && line.summary.is_empty() {
        line.summary = "not all that is declared for it could be read".to_string();
    }
    let Some(scene) = Scene::of(world, tenant) else {
        let why = ranked.and_then(|r| r.target.why.clone());
        line.unreachable = Some(why.unwrap_or_else(|| "it cannot be read".to_string()));
        line.state = TenantState::Unknown;
        return line;
    };
    let inventory = scene.inventory;
    line.connections = inventory.connections.len();
    line.integrations = inventory.integrations.len();
    line.customers = inventory.customers();
    for (variables, bound) in inventory.integrations.keys().map(|name| scene.bound(name)) {
        line.variables += variables;
        line.bound += bound;
    }
    line
}

fn summary(ranked: &Ranked<'_>) -> String {
    let tally = Tally { suspended: 0, ..Tally::of(ranked) }.sentence();
    let parts: Vec<String> = ranked.suspended().into_iter().chain(Some(tally).filter(|t| !t.is_empty())).collect();
    parts.join("; ")
}

fn components(world: &World) -> Vec<ComponentLine> {
    let mut by_name: BTreeMap<ComponentBrief, BTreeSet<String>> = BTreeMap::new();
    for inventory in world.tenants.values().filter_map(|view| view.live.inventory()) {
        for connection in inventory.connections.values() {
            let keys = by_name.entry((&connection.spec.component).into()).or_default();
            keys.insert(connection.spec.stable_key.clone());
        }
    }
    by_name.into_iter().map(|(component, connections)| ComponentLine { component, connections }).collect()
}

fn out_of_sync(ranked: &Ranked<'_>) -> Vec<OutOfSync> {
    let tenant = &ranked.target.tenant;
    let one = |object: &ObjectId, what: OutOfSyncKind, text: String| OutOfSync {
        tenant: tenant.clone(),
        object: object.clone(),
        what,
        text,
    };
    let action = |a: &&Action, what: OutOfSyncKind| one(&a.change.object, what, a.reason.text.clone());
    let mut all: Vec<OutOfSync> = Vec::new();
    for note in &ranked.blocked {
        if let Note::Blocked { object, text, .. } = note {
            all.push(one(object, OutOfSyncKind::Blocked, text.clone()));
        }
    }
    let kept = |kept: &ranked::KeptFields<'_>, what: &str| {
        let keeps = || format!("{}: {}", and(&kept.fields), kept.keeps(tenant, what));
        let text = kept.text.map_or_else(keeps, str::to_string);
        one(kept.object, OutOfSyncKind::Kept, text)
    };
    all.extend(ranked.kept_variables.iter().map(|h| kept(h, "binding")));
    all.extend(ranked.needs_approval.iter().map(|a| {
        let why: Vec<&str> = a.needs_approval.iter().map(|n| n.why.as_str()).collect();
        one(&a.change.object, OutOfSyncKind::NeedsApproval, why.join("; "))
    }));
    let changed = |fields: &[String]| format!("{} changed there since Stablekey wrote it", and(fields));
    all.extend(ranked.drifted.iter().map(|d| one(d.object, OutOfSyncKind::Drifted, changed(&d.fields))));
    all.extend(ranked.updates.iter().map(|a| action(a, OutOfSyncKind::Update)));
    all.extend(ranked.creates.iter().map(|a| action(a, OutOfSyncKind::Create)));
    all.extend(ranked.deletes.iter().map(|a| action(a, OutOfSyncKind::Delete)));
    all.extend(ranked.adopts.iter().map(|a| action(a, OutOfSyncKind::Adopt)));
    let waits = |a: &Action| {
        let wait = ranked.target.stages.iter().find(|(writer, _)| a.writers.contains(*writer));
        let depends = || a.after.first().map_or_else(|| a.reason.text.clone(), |id| format!("waits for {id}"));
        let text = wait.map_or_else(depends, |(writer, wait)| format!("{writer} {wait}"));
        one(&a.change.object, OutOfSyncKind::AwaitsStage, text)
    };
    all.extend(ranked.target.waiting.iter().map(waits));
    all.extend(ranked.kept.iter().map(|h| kept(h, "value")));
    all
}

/// The manual steps of all tenants, including completed ones if that cannot be detected.
pub fn todo(world: &World, plan: &Plan) -> Vec<Todo> {
    let tenants: BTreeSet<&str> =
        world.tenants.keys().chain(plan.targets.iter().map(|target| &target.tenant)).map(String::as_str).collect();
    // A tenant after the other: they may need as much memory as all that was read.
    tenants.into_iter().flat_map(|tenant| todo_of(tenant, world, plan)).collect()
}

/// The manual steps of one tenant, by its planned changes and by what is there.
pub(super) fn todo_of(tenant: &str, world: &World, plan: &Plan) -> Vec<Todo> {
    let is_asked = plan.scope.tenants.is_empty() || plan.scope.tenants.contains(tenant);
    let live = world.tenants.get(tenant).and_then(|view| view.live.inventory()).filter(|_| is_asked);
    let planned = plan.targets.iter().filter(|target| target.tenant == tenant).flat_map(|target| &target.notes);
    let live = live.into_iter().flat_map(|inventory| {
        let notes = inventory.connections.values().flat_map(|c| manual::of_connection(c, inventory));
        let notes = notes.chain(manual::of_sign_ins(inventory)).chain(manual::of_drafts(inventory));
        // Where secrets are not shown, those that look empty are there.
        let definitions = inventory
            .uses
            .iter()
            .filter(|_| inventory.can.shows_secrets)
            .filter_map(|(name, uses)| manual::of_definition(inventory.integrations.get(name)?, uses));
        notes.chain(definitions)
    });
    let tenant: Arc<str> = tenant.into();
    let mut names: BTreeMap<&'static str, Arc<str>> = BTreeMap::new();
    let mut name = |who: &'static str| Arc::clone(names.entry(who).or_insert_with(|| who.into()));
    let mut all: Vec<Todo> = Vec::new();
    let mut secrets: BTreeMap<String, (BTreeSet<ObjectId>, SecretNeed)> = BTreeMap::new();
    for note in planned.cloned().chain(live) {
        match note {
            Note::Manual { object, secret: Some(need), .. } => {
                let none = || (BTreeSet::new(), need.clone());
                let (objects, needed) = secrets.entry(need.name.clone()).or_insert_with(none);
                objects.insert(object);
                needed.take_in(&need);
            }
            Note::Manual { object, who, text, .. } => {
                all.push(Todo { tenant: Arc::clone(&tenant), objects: vec![object], who: name(who), text });
            }
            _ => {}
        }
    }
    all.extend(secrets.into_values().map(|(objects, need)| Todo {
        tenant: Arc::clone(&tenant),
        objects: objects.into_iter().collect(),
        who: name(manual::PLATFORM_TEAM),
        text: need.to_string(),
    }));
    all.sort_unstable();
    all.dedup();
    all
}
