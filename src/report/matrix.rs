//! The matrix of stable keys and integrations by tenant, with what is missing.

use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::{Note, Plan};
use crate::near_miss::similar_of_kind;
use crate::report::binding;
use crate::report::binding::{BindingState, ComponentBrief, Scene};
use crate::report::missing_keys::may_bring;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// If more keys than this are in one tenant only, the tenants differ on purpose, and suggestions do not help.
const MOST_LONELY: usize = 500;

/// The matrix of stable keys and integrations by tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Matrix {
    /// The names of the columns.
    pub tenants: Vec<String>,
    /// One row per stable key, worst first.
    pub rows: Vec<MatrixRow>,
    /// One row per integration, worst first.
    pub integrations: Vec<IntegrationRow>,
}

/// An integration in all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationRow {
    /// The name of the integration.
    pub name: String,
    /// One cell per column.
    pub cells: Vec<Cell>,
}

/// A stable key in all tenants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MatrixRow {
    pub stable_key: String,
    /// The component in the first tenant that has the key; absent if none has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<ComponentBrief>,
    /// The connection type in that tenant.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub type_: Option<String>,
    /// One cell per column.
    pub cells: Vec<Cell>,
    /// Similar keys in other tenants, for a key that only one tenant has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub near_misses: Vec<NearMiss>,
}

impl MatrixRow {
    /// The text `component/type`, or `?` if no tenant has the key.
    pub fn kind(&self) -> String {
        match (&self.component, &self.type_) {
            (Some(component), Some(type_)) => format!("{component}/{type_}"),
            _ => "?".to_string(),
        }
    }
}

/// The state of a key or an integration in one tenant, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Cell {
    /// Writers declare different values for the connection.
    Conflict,
    /// A binding needs it, and it does not exist.
    Missing,
    /// A sync or a source declares it, and it cannot be written.
    Blocked,
    /// Its component or type differs from the first tenant that has it.
    Differs,
    /// Its definition or a binding is incomplete.
    NotReady,
    /// It does not exist yet; the plan creates it.
    Planned,
    /// Its state is unknown.
    Unknown,
    /// It does not exist, and nothing needs it.
    Absent,
    /// It exists.
    Present,
}

impl Cell {
    /// All states, worst first.
    pub const ALL: [Cell; 9] = [
        Cell::Conflict,
        Cell::Missing,
        Cell::Blocked,
        Cell::Differs,
        Cell::NotReady,
        Cell::Planned,
        Cell::Unknown,
        Cell::Absent,
        Cell::Present,
    ];

    /// The mark in the table, one character.
    pub const fn mark(self) -> &'static str {
        match self {
            Cell::Conflict => "⚡",
            Cell::Missing => "✗",
            Cell::Blocked => "⊘",
            Cell::Differs => "≠",
            Cell::NotReady => "◌",
            Cell::Planned => "+",
            Cell::Unknown => "?",
            Cell::Absent => "·",
            Cell::Present => "✓",
        }
    }

    /// The meaning of the mark.
    pub const fn meaning(self) -> &'static str {
        match self {
            Cell::Conflict => "writers in conflict",
            Cell::Missing => "missing: a binding needs it",
            Cell::Blocked => "blocked: see the plan",
            Cell::Differs => "another component or type",
            Cell::NotReady => "not ready: something is missing",
            Cell::Planned => "the plan makes it",
            Cell::Unknown => "unknown",
            Cell::Absent => "absent",
            Cell::Present => "present",
        }
    }

    const fn is_there(self) -> bool {
        matches!(self, Cell::Conflict | Cell::Differs | Cell::NotReady | Cell::Present)
    }
}

/// A similar key in another tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The other tenant.
    pub tenant: String,
    /// The similar key.
    pub stable_key: String,
}

struct Column<'a> {
    tenant: &'a str,
    inventory: Option<&'a Inventory>,
    after: Option<&'a Inventory>,
    /// Keys that a binding needs and that do not resolve.
    missing: BTreeSet<String>,
    /// Keys that a binding needs and that are in what could not be read, if anywhere.
    unknown: BTreeSet<String>,
    conflicts: BTreeSet<&'a str>,
}

impl Matrix {
    /// The connections and integrations of the rows. A connection is known by its stable key.
    pub fn objects(&self) -> Vec<ObjectId> {
        let connections = self.rows.iter().map(|row| ObjectId::new(Kind::Connection, &row.stable_key));
        let integrations = self.integrations.iter().map(|row| ObjectId::new(Kind::Integration, &row.name));
        connections.chain(integrations).collect()
    }

    /// Builds the matrix of a world before and after a plan.
    pub fn of(world: &World, after: &World, plan: &Plan) -> Self {
        let columns: Vec<Column<'_>> = world
            .tenants
            .iter()
            .map(|(tenant, view)| {
                let (missing, unknown) = missing(world, after, tenant);
                Column {
                    tenant,
                    inventory: view.live.inventory().map(AsRef::as_ref),
                    after: after.tenants.get(tenant).and_then(|v| v.live.inventory()).map(AsRef::as_ref),
                    missing,
                    unknown,
                    conflicts: plan.findings.iter().filter_map(|f| conflict(f, tenant)).collect(),
                }
            })
            .collect();
        let mut keys: BTreeMap<&str, Option<&ConnectionSpec>> = BTreeMap::new();
        for column in &columns {
            // Objects after the plan are included, so that created ones have a row.
            for inventory in [column.inventory, column.after].into_iter().flatten() {
                for connection in inventory.connections.values() {
                    keys.entry(&connection.spec.stable_key).or_insert(Some(&connection.spec));
                }
            }
        }
        for column in &columns {
            for key in column.missing.iter().chain(&column.unknown) {
                keys.entry(key).or_insert(None);
            }
        }
        let mut rows: Vec<MatrixRow> = keys.into_iter().map(|(key, first)| row(key, first, &columns)).collect();
        near(&mut rows, &columns);
        rows.sort_by_cached_key(rank);
        Matrix {
            tenants: world.tenants.keys().cloned().collect(),
            rows,
            integrations: integrations(world, plan, &columns),
        }
    }
}

fn integrations(world: &World, plan: &Plan, columns: &[Column<'_>]) -> Vec<IntegrationRow> {
    let blocked: BTreeSet<(&str, &str)> = plan
        .targets
        .iter()
        .flat_map(|target| target.notes.iter().map(|note| (target.tenant.as_str(), note)))
        .filter(|(_, note)| matches!(note, Note::Blocked { .. }) && note.object().kind == Kind::Integration)
        .map(|(tenant, note)| (tenant, note.object().name.as_str()))
        .collect();
    let there = columns.iter().flat_map(|column| [column.inventory, column.after]).flatten();
    let mut names: BTreeSet<&str> = there.flat_map(|i| i.integrations.keys()).map(String::as_str).collect();
    names.extend(blocked.iter().map(|(_, name)| *name));
    let scenes: Vec<Option<Scene<'_>>> = columns.iter().map(|column| Scene::of(world, column.tenant)).collect();
    let cell = |name: &str, column: &Column<'_>, scene: Option<&Scene<'_>>| {
        let Some(inventory) = column.inventory else { return Cell::Unknown };
        if inventory.integrations.contains_key(name) {
            bound(name, inventory, scene)
        } else if inventory.invalid.contains_key(&ObjectId::new(Kind::Integration, name)) {
            Cell::Unknown
        } else if blocked.contains(&(column.tenant, name)) {
            Cell::Blocked
        } else if column.after.is_some_and(|after| after.integrations.contains_key(name)) {
            Cell::Planned
        } else if !inventory.unparsed.is_empty() {
            Cell::Unknown
        } else {
            Cell::Absent
        }
    };
    let row = |name: &str| IntegrationRow {
        name: name.to_string(),
        cells: columns.iter().zip(&scenes).map(|(column, scene)| cell(name, column, scene.as_ref())).collect(),
    };
    let mut rows: Vec<IntegrationRow> = names.into_iter().map(row).collect();
    rows.sort_by_key(|row| row.cells.iter().copied().filter(|c| *c != Cell::Unknown).min().unwrap_or(Cell::Unknown));
    rows
}

/// The keys that bindings of a tenant need and that it lacks: those that are missing, and those of which that is
/// unknown.
fn missing(world: &World, after: &World, tenant: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut missing, mut unknown) = (BTreeSet::new(), BTreeSet::new());
    if let Some(scene) = Scene::of(world, tenant) {
        missing.extend(scene.inventory.integrations.keys().flat_map(|name| scene.missing_keys(name)));
    }
    if let Some(scene) = Scene::of(after, tenant) {
        for promised in binding::promised(after, tenant, None) {
            let rows = scene.promised(&promised).into_iter().filter(|row| row.state == BindingState::Missing);
            let sync = world.syncs.iter().find(|sync| sync.writer == promised.writer);
            for key in rows.filter_map(|row| row.stable_key) {
                let is_unknown = sync.is_some_and(|sync| may_bring(world, sync, &key));
                if is_unknown {
                    unknown.insert(key)
                } else {
                    missing.insert(key)
                };
            }
        }
    }
    unknown.retain(|key| !missing.contains(key));
    (missing, unknown)
}

fn conflict<'a>(finding: &'a Finding, tenant: &str) -> Option<&'a str> {
    let object = finding.object.as_ref()?;
    let here = finding.code == Code::WriterConflict && finding.tenant.as_deref() == Some(tenant);
    (here && object.kind == Kind::Connection).then_some(object.name.as_str())
}

fn row(key: &str, first: Option<&ConnectionSpec>, columns: &[Column<'_>]) -> MatrixRow {
    MatrixRow {
        stable_key: key.to_string(),
        component: first.map(|spec| (&spec.component).into()),
        type_: first.map(|spec| spec.type_.clone()),
        cells: columns.iter().map(|column| cell(key, first, column)).collect(),
        near_misses: Vec::new(),
    }
}

fn cell(key: &str, first: Option<&ConnectionSpec>, column: &Column<'_>) -> Cell {
    let Some(inventory) = column.inventory else { return Cell::Unknown };
    let name = names::of_stable_key(key);
    if column.conflicts.contains(name.as_str()) {
        return Cell::Conflict;
    }
    match inventory.connection(key) {
        Some(connection) => {
            if first.is_some_and(|first| !first.connects_like(&connection.spec)) {
                Cell::Differs
            } else if !inventory.is_usable(connection) {
                Cell::NotReady
            } else {
                Cell::Present
            }
        }
        None => {
            if inventory.invalid.contains_key(&ObjectId::new(Kind::Connection, name)) {
                Cell::Unknown
            } else if column.missing.contains(key) {
                Cell::Missing
            } else if column.after.is_some_and(|after| after.connection(key).is_some()) {
                Cell::Planned
            } else if !inventory.unparsed.is_empty() || column.unknown.contains(key) {
                Cell::Unknown
            } else {
                Cell::Absent
            }
        }
    }
}

/// The state of an existing integration: whether all variables resolve, and its definition is readable.
fn bound(name: &str, inventory: &Inventory, scene: Option<&Scene<'_>>) -> Cell {
    let has_definition = inventory.integrations.get(name).is_some_and(|i| i.spec.definition.is_some());
    let is_unread = has_definition && inventory.uses.get(name).is_none_or(|uses| uses.may_use_more());
    let states: BTreeSet<BindingState> =
        scene.and_then(|scene| scene.live(name)).into_iter().flatten().map(|row| row.state).collect();
    let has = |wanted: &[BindingState]| wanted.iter().any(|state| states.contains(state));
    if has(&[BindingState::Missing, BindingState::NotReady, BindingState::Differs])
        || inventory.definitions_gone.contains(name)
    {
        Cell::NotReady
    } else if is_unread || has(&[BindingState::Unknown]) {
        Cell::Unknown
    } else {
        Cell::Present
    }
}

/// Adds similar keys of other tenants to each key that only one tenant has.
fn near(rows: &mut [MatrixRow], columns: &[Column<'_>]) {
    let lonely =
        |row: &MatrixRow| row.cells.iter().filter(|c| c.is_there()).count() == 1 && !row.cells.contains(&Cell::Planned);
    if rows.iter().filter(|row| lonely(row)).count() > MOST_LONELY {
        return;
    }
    for row in rows.iter_mut().filter(|row| lonely(row)) {
        let at = row.cells.iter().position(|c| c.is_there());
        let Some(home) = at.and_then(|at| columns.get(at)?.inventory) else { continue };
        let Some(spec) = home.connection(&row.stable_key).map(|c| &c.spec) else { continue };
        let mut candidates: BTreeMap<&str, &str> = BTreeMap::new();
        for column in columns.iter().filter(|c| c.inventory.is_some_and(|i| !std::ptr::eq(i, home))) {
            for other in column.inventory.into_iter().flat_map(|i| i.connections.values()) {
                // A key that both tenants have is not a misspelling.
                if other.spec.connects_like(spec) && home.connection(&other.spec.stable_key).is_none() {
                    candidates.entry(&other.spec.stable_key).or_insert(column.tenant);
                }
            }
        }
        let near = similar_of_kind(&row.stable_key, candidates.keys().copied());
        row.near_misses = near
            .into_iter()
            .filter_map(|key| Some(NearMiss { tenant: candidates.get(key)?.to_string(), stable_key: key.to_string() }))
            .collect();
    }
}

fn rank(row: &MatrixRow) -> (Cell, bool, String) {
    // A tenant that cannot be read does not affect the rank.
    let worst = row.cells.iter().copied().filter(|c| *c != Cell::Unknown).min().unwrap_or(Cell::Unknown);
    (worst, row.near_misses.is_empty(), row.stable_key.clone())
}
