//! The overview of all tenants: keys and integrations by tenant, worst first, and what needs a person.

pub use super::attention::{Attention, AttentionLink};
pub use super::manual_steps::{ManualSteps, StepCounts, StepGroup};
pub use super::overview_state::{OverviewCell, OverviewState, StateCounts};

use super::missing_keys::missing_for_plan;
use super::object_state::{Grounds, ObjectStates};
use super::passed_over::passed_over;
use crate::api::{ConnectionSpec, Kind, Object, Variable, names};
use crate::engine::bindings::Bindings;
use crate::engine::model::code::Severity;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, Ready, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Plan;
use crate::engine::resolve::{Binding, Replacements};
use crate::parallel;
use crate::text::{and, count, thousands};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// All tenants beside each other.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// The columns.
    pub tenants: Vec<TenantHealth>,
    /// One row per stable key, worst first; then those that are in sync wherever they are.
    pub connections: Vec<OverviewRow>,
    /// One row per integration, in the same order.
    pub integrations: Vec<OverviewRow>,
    pub counts: OverviewCounts,
    /// What needs a person, worst first.
    pub attention: Vec<Attention>,
    /// What was read and is in no plan, in sentences.
    pub passed_over: Vec<String>,
}

/// A stable key or an integration in all tenants.
#[derive(Clone, Debug)]
pub struct OverviewRow {
    /// The stable key, or the name of the integration.
    pub key: Arc<str>,
    /// `salesforce · oauth2` for a key, as the first tenant has it; empty if none has it, and for integrations.
    pub component: Arc<str>,
    /// The component by the name that a person gives it: `salesforce`, `crm.private`; empty where there is none.
    pub component_name: Arc<str>,
    /// The number of integrations that use a key in any tenant; of an integration, the number of its variables.
    pub used_by: usize,
    /// The key, the component and all titles in lower case, to be searched.
    pub search: Box<str>,
    /// One cell per column.
    pub cells: Box<[OverviewCell]>,
    pub worst: OverviewState,
}

/// The state of one tenant.
#[derive(Clone, Debug)]
pub struct TenantHealth {
    pub name: Arc<str>,
    /// The region of its stack.
    pub region: Option<String>,
    /// The purpose of the tenant.
    pub environment: Option<String>,
    pub connections: usize,
    pub integrations: usize,
    /// The objects of all kinds by state.
    pub states: StateCounts,
    /// The connections in which something differs, as far as it is known.
    pub open_connections: usize,
    /// The integrations in which something differs, as far as it is known.
    pub open_integrations: usize,
    /// The worst of its objects and findings.
    pub worst: OverviewState,
    /// Why it could not be read.
    pub unreachable: Option<String>,
    /// Why not all that is declared for it is known; nothing of it is then called in sync.
    pub unknown: Option<String>,
    /// Whether the tenant is suspended.
    pub is_suspended: bool,
    /// The suspended syncs into it.
    pub suspended_syncs: Vec<String>,
}

/// Counts over all tenants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverviewCounts {
    pub keys: RowCounts,
    pub integrations: RowCounts,
}

/// Counts over rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RowCounts {
    pub total: usize,
    /// The rows that have a cell in a state.
    pub by_state: StateCounts,
    /// The rows that are in sync in every tenant that has them.
    pub in_sync_everywhere: usize,
}

impl TenantHealth {
    /// A tenant without objects.
    pub fn new(name: &str) -> Self {
        TenantHealth {
            name: name.into(),
            region: None,
            environment: None,
            connections: 0,
            integrations: 0,
            states: StateCounts::default(),
            open_connections: 0,
            open_integrations: 0,
            worst: OverviewState::InSync,
            unreachable: None,
            unknown: None,
            is_suspended: false,
            suspended_syncs: Vec::new(),
        }
    }

    /// The state in a few words: `8 open`, `in sync`, `unreachable`.
    pub fn words(&self) -> String {
        match self.open() {
            _ if self.unreachable.is_some() => "unreachable".to_string(),
            _ if self.is_suspended => "suspended".to_string(),
            0 if self.worst.is_quiet() => OverviewState::InSync.word().to_string(),
            0 if self.unknown.is_some() => OverviewState::Unknown.word().to_string(),
            0 => self.worst.word().to_string(),
            open => format!("{} open", thousands(open)),
        }
    }

    /// The same with what is counted: `8 open: 5 connections and 3 integrations`.
    pub fn long_words(&self) -> String {
        let words = self.words();
        if !words.ends_with(" open") {
            return words;
        }
        let others = self.open().saturating_sub(self.open_connections + self.open_integrations);
        let parts = [
            (self.open_connections, "connection", "connections"),
            (self.open_integrations, "integration", "integrations"),
            (others, "other object", "other objects"),
        ];
        let parts = parts.into_iter().filter(|(number, ..)| *number > 0);
        let parts: Vec<String> = parts.map(|(number, one, many)| count(number, one, many)).collect();
        format!("{words}: {}", and(&parts))
    }

    /// The objects in which something differs, as far as it is known.
    fn open(&self) -> usize {
        self.states.open() - self.states.of(OverviewState::Unknown)
    }
}

/// Counts the open rows of each column.
fn count_open(tenants: &mut [TenantHealth], connections: &[OverviewRow], integrations: &[OverviewRow]) {
    for tenant in &mut *tenants {
        (tenant.open_connections, tenant.open_integrations) = (0, 0);
    }
    let is_open = |cell: &OverviewCell| !cell.state.is_quiet() && cell.state != OverviewState::Unknown;
    for row in connections {
        for (tenant, cell) in tenants.iter_mut().zip(&row.cells) {
            tenant.open_connections += usize::from(is_open(cell));
        }
    }
    for row in integrations {
        for (tenant, cell) in tenants.iter_mut().zip(&row.cells) {
            tenant.open_integrations += usize::from(is_open(cell));
        }
    }
}

impl OverviewRow {
    /// Builds a row of cells.
    pub fn new(key: &str, component: &str, cells: impl IntoIterator<Item = OverviewCell>) -> Self {
        let cells: Box<[OverviewCell]> = cells.into_iter().collect();
        OverviewRow {
            key: key.into(),
            component: component.into(),
            component_name: component.split(" · ").next().unwrap_or_default().into(),
            used_by: 0,
            search: format!("{key}\n{component}").to_lowercase().into(),
            worst: worst(&cells),
            cells,
        }
    }

    /// Whether it is in sync in every tenant that has it.
    pub fn is_quiet(&self) -> bool {
        self.worst.is_quiet()
    }

    /// Whether one of its cells has a state.
    pub fn has(&self, state: OverviewState) -> bool {
        self.cells.iter().any(|cell| cell.state == state)
    }

    /// Whether it contains a searched text, which is in lower case.
    pub fn matches(&self, wanted: &str) -> bool {
        self.search.contains(wanted)
    }
}

impl RowCounts {
    /// The states in which something differs or is unknown, worst first, each with the number of rows that have it; then
    /// in sync, with the rows that are in sync everywhere.
    pub fn listed(&self) -> impl Iterator<Item = (OverviewState, usize)> + '_ {
        let quiet = Some((OverviewState::InSync, self.in_sync_everywhere)).filter(|(_, number)| *number > 0);
        self.by_state.iter().filter(|(state, _)| !state.is_quiet()).chain(quiet)
    }

    fn of(rows: &[OverviewRow]) -> Self {
        let mut counts = RowCounts { total: rows.len(), ..RowCounts::default() };
        for row in rows {
            let mut seen = 0_u32;
            for cell in &row.cells {
                let bit = 1 << cell.state as u32;
                if seen & bit == 0 {
                    counts.by_state.add(cell.state);
                }
                seen |= bit;
            }
            counts.in_sync_everywhere += usize::from(row.is_quiet());
        }
        counts
    }
}

fn worst(cells: &[OverviewCell]) -> OverviewState {
    cells.iter().map(|cell| cell.state).min().unwrap_or(OverviewState::Absent)
}

/// The key of a component, whether it is public, and a connection type.
type ConnectionKind<'a> = (&'a str, bool, &'a str);

/// What one tenant adds to the rows.
struct TenantPart<'a> {
    states: ObjectStates<'a>,
    /// Its connections, each with its state.
    connections: Vec<(&'a Arc<Object<ConnectionSpec>>, OverviewCell)>,
    /// The connections that the plan creates.
    created: Vec<&'a Arc<Object<ConnectionSpec>>>,
    /// Its integrations, each with its state.
    integrations: HashMap<&'a str, OverviewCell>,
    /// Pairs of a stable key and an integration that uses it.
    uses: Vec<(&'a str, &'a str)>,
    /// The keys that a binding needs and that do not resolve.
    missing: BTreeSet<&'a str>,
}

impl Overview {
    /// Builds the overview of a world and its plan. The plan must be one of all tenants, integrations and syncs: what it
    /// leaves out is unknown.
    pub fn of(world: &World, plan: &Plan) -> Self {
        let grounds = Grounds::of(world, plan);
        let names: Vec<&String> = world.tenants.keys().collect();
        let inventories = || world.tenants.values().filter_map(|view| view.live.inventory());
        let objects = inventories().map(|inventory| inventory.len()).sum();
        let parts = parallel::map(objects, &names, |tenant| TenantPart::of(&grounds, tenant));
        let parts: Vec<TenantPart<'_>> = parts.into_iter().flatten().collect();
        let connections = connection_rows(&parts);
        let integrations = integration_rows(&parts);
        let tenants = parts.iter().enumerate().map(|(column, part)| {
            let states = &part.states;
            let mut health = health(states, grounds.findings(states.tenant));
            for row in connections.iter().chain(&integrations) {
                if let Some(cell) = row.cells.get(column) {
                    health.count(cell.state);
                }
            }
            health
        });
        let mut tenants: Vec<TenantHealth> = tenants.collect();
        count_open(&mut tenants, &connections, &integrations);
        let mut overview = Overview {
            tenants,
            counts: OverviewCounts { keys: RowCounts::of(&connections), integrations: RowCounts::of(&integrations) },
            connections,
            integrations,
            attention: Vec::new(),
            passed_over: passed_over(plan),
        };
        let states: Vec<ObjectStates<'_>> = parts.into_iter().map(|part| part.states).collect();
        overview.attention = Attention::all(world, plan, &grounds, &states);
        overview
    }
}

impl Overview {
    /// The overview with the rows of a part that was planned again. What needs a person stays as it was, and so do
    /// objects without a row.
    pub fn with_part(&self, part: &Overview, world: &World, is_of_part: &dyn Fn(&ObjectId) -> bool) -> Self {
        let mut tenants = self.tenants.clone();
        let mut replaced = |kind: Kind, before: &[OverviewRow], now: &[OverviewRow]| {
            let is_it = |row: &&OverviewRow| match kind {
                Kind::Connection => is_of_part(&ObjectId::new(kind, names::of_stable_key(&row.key))),
                _ => is_of_part(&ObjectId::new(kind, &*row.key)),
            };
            let cells = |row: &OverviewRow| row.cells.iter().map(|cell| cell.state).collect::<Vec<_>>();
            for state in before.iter().filter(is_it).map(cells) {
                tenants.iter_mut().zip(state).for_each(|(tenant, state)| tenant.states.remove(state));
            }
            for state in now.iter().filter(is_it).map(cells) {
                tenants.iter_mut().zip(state).for_each(|(tenant, state)| tenant.states.add(state));
            }
            let others = before.iter().filter(|row| !is_it(row));
            let mut rows: Vec<OverviewRow> = others.chain(now.iter().filter(is_it)).cloned().collect();
            sort(&mut rows);
            rows
        };
        let connections = replaced(Kind::Connection, &self.connections, &part.connections);
        let integrations = replaced(Kind::Integration, &self.integrations, &part.integrations);
        for tenant in &mut tenants {
            let live = world.tenants.get(&*tenant.name).and_then(|view| view.live.inventory());
            tenant.connections = live.map_or(0, |live| live.connections.len());
            tenant.integrations = live.map_or(0, |live| live.integrations.len());
            let worst = tenant.states.iter().next().map_or(OverviewState::InSync, |(state, _)| state);
            // Findings and what is unknown count too.
            let of_findings = matches!(tenant.worst, OverviewState::Blocked | OverviewState::Unknown);
            tenant.worst = if of_findings { tenant.worst.min(worst) } else { worst.min(OverviewState::InSync) };
        }
        count_open(&mut tenants, &connections, &integrations);
        Overview {
            tenants,
            counts: OverviewCounts { keys: RowCounts::of(&connections), integrations: RowCounts::of(&integrations) },
            connections,
            integrations,
            attention: self.attention.clone(),
            passed_over: self.passed_over.clone(),
        }
    }
}

impl TenantHealth {
    fn count(&mut self, state: OverviewState) {
        self.states.add(state);
        self.worst = self.worst.min(state);
    }
}

fn health(states: &ObjectStates<'_>, findings: &[&Finding]) -> TenantHealth {
    let mut health = TenantHealth {
        region: states.view.spec.region.clone(),
        environment: states.view.spec.environment.clone(),
        connections: states.inventory.map_or(0, |inventory| inventory.connections.len()),
        integrations: states.inventory.map_or(0, |inventory| inventory.integrations.len()),
        worst: if states.unknown.is_some() { OverviewState::Unknown } else { OverviewState::InSync },
        unreachable: states.view.live.unreachable().map(str::to_string),
        unknown: states.unknown.clone(),
        is_suspended: states.view.spec.is_suspended(),
        suspended_syncs: states.target.iter().flat_map(|t| t.suspended_syncs.keys().cloned()).collect(),
        ..TenantHealth::new(states.tenant)
    };
    // Objects without a row differ, too.
    for kind in [Kind::Component, Kind::CustomerCredentials] {
        for (_, cell) in states.judged(kind) {
            health.count(cell.state);
        }
    }
    if findings.iter().any(|finding| finding.severity != Severity::Warning) {
        health.worst = health.worst.min(OverviewState::Blocked);
    }
    health
}

impl<'a> TenantPart<'a> {
    fn of(grounds: &Grounds<'a>, tenant: &str) -> Option<Self> {
        let states = grounds.tenant(tenant, None)?;
        let mut part = TenantPart {
            connections: Vec::new(),
            created: states.created().collect(),
            integrations: HashMap::new(),
            uses: Vec::new(),
            missing: BTreeSet::new(),
            states,
        };
        let Some(inventory) = part.states.inventory else { return Some(part) };
        let live = inventory.connections.values();
        part.connections = live.map(|connection| (connection, part.states.of_connection(connection))).collect();
        let replacements = Replacements::of(tenant, inventory);
        part.bind(inventory, &Bindings::of(tenant, inventory, &replacements));
        for (key, integration) in missing_for_plan(&part.states, grounds, &replacements) {
            part.missing.insert(key);
            part.uses.extend(integration.map(|integration| (key, integration)));
        }
        Some(part)
    }

    /// Adds the integrations with their bindings.
    fn bind(&mut self, inventory: &'a Inventory, bindings: &Bindings<'a>) {
        let unready = self.connections.iter().filter(|(_, cell)| cell.state <= OverviewState::NotReady);
        let unready: HashSet<&str> = unready.map(|(connection, _)| connection.name()).collect();
        let is_unready = |connection: &Object<ConnectionSpec>| {
            unready.contains(connection.name()) && !inventory.is_usable(connection)
        };
        for (name, integration) in &inventory.integrations {
            let mut cell = self.states.state(Kind::Integration, name, true);
            let is_unread = integration.spec.definition.is_some()
                && inventory.uses.get(name).is_none_or(|uses| uses.may_use_more());
            if inventory.definitions_gone.contains(name) {
                cell = cell.or_worse(OverviewCell::of(OverviewState::NotReady, "definition"));
            } else if is_unread {
                cell = cell.or_worse(OverviewCell::of(OverviewState::Unknown, "definition"));
            }
            // Without a report, its bindings and its definition tell.
            let is_unready =
                inventory.can.reports_ready_integrations && inventory.ready_integrations.get(name) == Some(&Ready::No);
            if is_unready {
                cell = cell.or_worse(OverviewCell::of(OverviewState::NotReady, ""));
            }
            self.integrations.insert(name, cell);
        }
        for row in &bindings.rows {
            let variable: &'a Variable = row.variable;
            let found = match &row.resolution.binding {
                Binding::Missing => {
                    let key = variable.stable_key().unwrap_or_default();
                    if self.states.creates(key) {
                        Some(OverviewCell::of(OverviewState::NotReady, key.to_string()))
                    } else {
                        self.missing.insert(key);
                        Some(OverviewCell::of(OverviewState::Missing, key.to_string()))
                    }
                }
                Binding::Bound(connection) if is_unready(connection) => {
                    Some(OverviewCell::of(OverviewState::NotReady, connection.spec.stable_key.clone()))
                }
                Binding::Unknown(_) => Some(OverviewCell::of(OverviewState::Unknown, variable.name.clone())),
                Binding::Bound(_) | Binding::Own | Binding::Foreign(_) => None,
            };
            if let Some(found) = found
                && let Some(cell) = self.integrations.get_mut(row.integration)
                && found.state <= cell.state
            {
                *cell = found;
            }
            // An older key counts for the connection that answers for it.
            let bound = row.resolution.connection().and_then(|c| inventory.connections.get(c.name()));
            let key = bound.map(|connection| connection.spec.stable_key.as_str()).or_else(|| variable.stable_key());
            self.uses.extend(key.map(|key| (key, row.integration)));
        }
    }

    /// The state of a key that the tenant does not have.
    fn lacking(&self, key: &str) -> OverviewCell {
        let cell = self.states.of_lacking(key);
        match self.missing.contains(key) {
            true => cell.or_worse(OverviewCell::of(OverviewState::Missing, "no such key")),
            false => cell,
        }
    }
}

/// A row under construction.
struct RowDraft<'a> {
    key: &'a str,
    first: Option<&'a ConnectionSpec>,
    titles: Vec<&'a str>,
}

/// The rows of keys under construction.
#[derive(Default)]
struct RowDrafts<'a> {
    all: Vec<RowDraft<'a>>,
    by_key: HashMap<&'a str, usize>,
}

impl<'a> RowDrafts<'a> {
    /// The position of a key; adds it if it is new.
    fn at(&mut self, key: &'a str) -> usize {
        let next = self.all.len();
        let at = *self.by_key.entry(key).or_insert(next);
        if at == next {
            self.all.push(RowDraft { key, first: None, titles: Vec::new() });
        }
        at
    }

    fn take_in(&mut self, connection: &'a Object<ConnectionSpec>) -> usize {
        let spec = &connection.spec;
        let at = self.at(&spec.stable_key);
        if let Some(draft) = self.all.get_mut(at) {
            draft.first.get_or_insert(spec);
            draft.titles.extend(spec.title.as_deref().filter(|title| !draft.titles.contains(title)));
        }
        at
    }

    /// The number of integrations that use each key in any tenant.
    fn used_by(&self, parts: &[TenantPart<'a>]) -> Vec<usize> {
        let mut integrations: HashMap<&str, usize> = HashMap::new();
        let mut pairs: Vec<(usize, usize)> = Vec::new();
        for (key, integration) in parts.iter().flat_map(|part| &part.uses) {
            let next = integrations.len();
            let integration = *integrations.entry(integration).or_insert(next);
            pairs.extend(self.by_key.get(key).map(|at| (*at, integration)));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut used_by = vec![0; self.all.len()];
        for (at, _) in pairs {
            used_by.get_mut(at).into_iter().for_each(|count| *count += 1);
        }
        used_by
    }
}

fn connection_rows<'a>(parts: &[TenantPart<'a>]) -> Vec<OverviewRow> {
    let mut drafts = RowDrafts::default();
    let mut columns: Vec<Vec<usize>> = Vec::with_capacity(parts.len());
    for part in parts {
        columns.push(part.connections.iter().map(|(connection, _)| drafts.take_in(connection)).collect());
    }
    for connection in parts.iter().flat_map(|part| &part.created) {
        drafts.take_in(connection);
    }
    for key in parts.iter().flat_map(|part| &part.missing) {
        drafts.at(key);
    }
    // Of what is only blocked, and nowhere, the name is known.
    let named: HashSet<String> = drafts.by_key.keys().map(|key| names::of_stable_key(key)).collect();
    for (name, _) in parts.iter().flat_map(|part| part.states.judged(Kind::Connection)) {
        if !named.contains(name) {
            drafts.at(name);
        }
    }
    let used_by = drafts.used_by(parts);
    let width = parts.len();
    let mut grid: Vec<Option<OverviewCell>> = vec![None; drafts.all.len() * width];
    for (position, (column, part)) in columns.iter().zip(parts).enumerate() {
        for (at, (connection, cell)) in column.iter().zip(&part.connections) {
            let spec = &connection.spec;
            let first = drafts.all.get(*at).and_then(|draft| draft.first);
            let cell = match first.is_some_and(|first| !first.connects_like(spec)) {
                true => {
                    let say = format!("{}/{}", spec.component, spec.type_);
                    cell.clone().or_worse(OverviewCell::of(OverviewState::Differs, say))
                }
                false => cell.clone(),
            };
            grid.get_mut(at * width + position).into_iter().for_each(|place| *place = Some(cell.clone()));
        }
    }
    let mut kinds: HashMap<ConnectionKind<'a>, (Arc<str>, Arc<str>)> = HashMap::new();
    let mut cells = grid.into_iter();
    let row = |(draft, used_by): (&RowDraft<'a>, usize)| {
        let (component, component_name) = match draft.first {
            None => ("".into(), "".into()),
            Some(spec) => {
                let of = (spec.component.key.as_str(), spec.component.is_public(), spec.type_.as_str());
                let text = || (format!("{} · {}", spec.component, spec.type_).into(), spec.component.typed().into());
                kinds.entry(of).or_insert_with(text).clone()
            }
        };
        let lacking =
            |(cell, part): (Option<OverviewCell>, &TenantPart<'_>)| cell.unwrap_or_else(|| part.lacking(draft.key));
        let cells: Box<[OverviewCell]> = cells.by_ref().take(width).zip(parts).map(lacking).collect();
        let titles = draft.titles.iter().flat_map(|title| ["\n", title]);
        let search: String = [draft.key, "\n", &component].into_iter().chain(titles).collect();
        OverviewRow {
            key: draft.key.into(),
            component,
            component_name,
            used_by,
            search: search.to_lowercase().into(),
            worst: worst(&cells),
            cells,
        }
    };
    let mut rows: Vec<OverviewRow> = drafts.all.iter().zip(used_by).map(row).collect();
    sort(&mut rows);
    rows
}

fn integration_rows(parts: &[TenantPart<'_>]) -> Vec<OverviewRow> {
    let mut variables: BTreeMap<&str, (BTreeSet<&str>, BTreeSet<&str>)> = BTreeMap::new();
    for part in parts {
        let live = part.states.inventory.into_iter().flat_map(|inventory| inventory.integrations.values());
        for integration in live {
            let (named, titles) = variables.entry(integration.name()).or_default();
            named.extend(integration.spec.connections.iter().map(|variable| variable.name.as_str()));
            titles.extend(integration.spec.title.as_deref());
        }
        for (name, _) in part.states.judged(Kind::Integration) {
            variables.entry(name).or_default();
        }
    }
    let cell = |part: &TenantPart<'_>, name: &str| {
        let live = part.integrations.get(name).cloned();
        live.unwrap_or_else(|| part.states.state(Kind::Integration, name, false))
    };
    let row = |(name, (named, titles)): (&str, (BTreeSet<&str>, BTreeSet<&str>))| {
        let titles: Vec<&str> = titles.into_iter().collect();
        OverviewRow {
            used_by: named.len(),
            search: format!("{name}\n{}", titles.join("\n")).to_lowercase().into(),
            ..OverviewRow::new(name, "", parts.iter().map(|part| cell(part, name)))
        }
    };
    let mut rows: Vec<OverviewRow> = variables.into_iter().map(row).collect();
    sort(&mut rows);
    rows
}

/// Worst first, then by key; what is in sync or absent everywhere is last.
fn sort(rows: &mut [OverviewRow]) {
    let rank = |row: &OverviewRow| row.worst.min(OverviewState::InSync);
    rows.sort_by(|a, b| rank(a).cmp(&rank(b)).then_with(|| a.key.cmp(&b.key)));
}
