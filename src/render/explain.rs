//! Explanations: the connection that a variable resolves to, with the reason, and everything that depends on a key.

use super::markdown::escape as md;
use super::page::{Span, TextPage, heading, plain, strong};
use super::style::Tone;
use crate::api::*;
use crate::engine::bindings::Bindings;
use crate::engine::model::inventory::{ConnectionFacts, Inventory, Status, Sync, View, World};
use crate::engine::model::item::ObjectId;
use crate::engine::model::plan::Scope;
use crate::engine::model::record::Writer;
use crate::engine::plan::{plan, simulate_whole};
use crate::near_miss::{near_misses, what_there_is};
use crate::report::binding::{self, BindingRow, ConnectionBrief, Scene, Used};
use crate::report::waiting_write::WaitingWrite;
use crate::text::{and, count};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The schema of an explanation's JSON.
pub(super) const SCHEMA: &str = "stablekey.dev/explanation/v1";

/// A failure to explain something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// The tenant does not exist.
    #[error("there is no tenant {0}; {1}")]
    NoTenant(String, String),
    /// The tenant could not be read.
    #[error("{0} cannot be read, so nothing is known of its bindings: {1}")]
    Unreachable(String, String),
    /// The named object exists, but cannot be used.
    #[error("{tenant}/{object} is invalid: {why}")]
    Invalid {
        /// The tenant of the object.
        tenant: String,
        /// The object that was named.
        object: ObjectId,
        /// The reason why it cannot be used.
        why: String,
    },
    /// Nothing has this name.
    #[error("nothing is called {name}: no stable key, no integration, no tenant{}", hint(near))]
    Nothing {
        /// The unknown name.
        name: String,
        /// Suggestions for the name.
        near: Vec<String>,
    },
    /// The integration does not exist in the tenant.
    #[error("{tenant} has no integration {integration}{}", hint(near))]
    NoIntegration {
        /// The tenant that was searched.
        tenant: String,
        /// The unknown integration.
        integration: String,
        /// Suggestions for the integration.
        near: Vec<String>,
    },
    /// No tenant has the integration.
    #[error("no tenant has an integration {integration}{}", hint(near))]
    NoSuchIntegration {
        /// The unknown integration.
        integration: String,
        /// Suggestions for the integration.
        near: Vec<String>,
    },
    /// No step with this name uses a connection.
    #[error("no step like that of {integration} uses a connection; {there}")]
    NoStep {
        /// The integration that was searched.
        integration: String,
        /// The steps that exist.
        there: String,
    },
    /// The key does not exist.
    #[error("no tenant has or names stable key {key}{}", hint(near))]
    NoKey {
        /// The unknown key.
        key: String,
        /// Suggestions for the key.
        near: Vec<String>,
    },
}

impl ExplainError {
    pub(super) fn no_tenant(world: &World, tenant: &str) -> Self {
        let there = what_there_is(tenant, world.tenants.keys().map(String::as_str));
        ExplainError::NoTenant(tenant.to_string(), there)
    }

    pub(super) fn unreachable(world: &World, tenant: &str) -> Self {
        let why = match world.tenants.get(tenant).map(|view| &view.live) {
            Some(View::Unreachable(why)) => why.as_str(),
            _ => "fix that first",
        };
        ExplainError::Unreachable(tenant.to_string(), why.to_string())
    }

    /// The error for an unknown name, with suggestions.
    pub fn nothing(world: &World, name: &str) -> Self {
        let views = || world.tenants.values().flat_map(|view| [Some(&view.live), view.source.as_ref()]).flatten();
        let inventories = || views().filter_map(View::inventory);
        let keys = inventories().flat_map(|i| i.connections.values()).map(|c| c.spec.stable_key.as_str());
        let integrations = inventories().flat_map(|i| i.integrations.keys()).map(String::as_str);
        let all: BTreeSet<&str> = keys.chain(integrations).chain(world.tenants.keys().map(String::as_str)).collect();
        ExplainError::Nothing { name: name.to_string(), near: owned(near_misses(name, all)) }
    }
}

/// A named object that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct InvalidObject {
    /// The object that was named.
    pub object: ObjectId,
    /// The reason why it cannot be used.
    pub why: String,
}

impl InvalidObject {
    pub(super) fn of(inventory: &Inventory, is_meant: impl Fn(&ObjectId) -> bool) -> Vec<Self> {
        let meant = inventory.invalid.iter().filter(|(id, _)| is_meant(id));
        meant.map(|(id, why)| InvalidObject { object: id.clone(), why: why.clone() }).collect()
    }

    pub(super) fn show(&self, page: &mut TextPage, indent: usize) {
        let spans = [Span::new(Tone::Bad, "✗ invalid"), plain("  "), strong(self.object.to_string())];
        page.wrap(indent, indent + 4, &[&spans[..], &[plain(format!("  {}", self.why))]].concat());
    }

    pub(super) fn item(&self) -> String {
        format!("- ❌ **{}**: {}\n", md(&self.object.to_string()), md(&self.why))
    }
}

fn hint(near: &[String]) -> String {
    if near.is_empty() { String::new() } else { format!("; did you mean {}?", near.join(" or ")) }
}

/// The connections that an integration's variables resolve to in a tenant, with reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationExplanation {
    /// The schema `stablekey.dev/explanation/v1`.
    pub schema: &'static str,
    /// The name of the tenant.
    pub tenant: String,
    /// The name of the integration.
    pub integration: String,
    /// The flow that the explanation is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<String>,
    /// The step that the explanation is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The writer that declares it, if it is not applied yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared_by: Option<String>,
    /// One row per variable: as it is or, where it is not applied yet, as it would be.
    pub bindings: Vec<BindingRow>,
    /// The writes to it, and to the connections of its variables, that wait for an earlier stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitingWrite>,
}

/// Explains an integration's variables, or those that one flow or step uses. One that is declared and not applied yet is
/// explained as it would be.
pub fn explain_integration(
    world: &World,
    tenant: &str,
    integration: &str,
    flow: Option<&str>,
    step: Option<&str>,
) -> Result<IntegrationExplanation, ExplainError> {
    if !world.tenants.contains_key(tenant) {
        return Err(ExplainError::no_tenant(world, tenant));
    }
    let scene = Scene::of(world, tenant).ok_or_else(|| ExplainError::unreachable(world, tenant))?;
    let id = ObjectId::new(Kind::Integration, integration);
    if let Some(why) = scene.inventory.invalid.get(&id) {
        return Err(ExplainError::Invalid { tenant: tenant.to_string(), object: id, why: why.clone() });
    }
    let (mut bindings, declared_by) = match scene.live(integration) {
        Some(bindings) => (bindings, None),
        None => {
            let declared =
                declared(world, &simulate_whole(world, &plan(world, &Scope::default())), tenant, integration);
            let declared = declared.ok_or_else(|| {
                let source = world.tenants.get(tenant).and_then(|view| view.source.as_ref()?.inventory());
                let read = source.into_iter().map(AsRef::as_ref).chain([scene.inventory]);
                let names: BTreeSet<&str> = read.flat_map(|i| i.integrations.keys()).map(String::as_str).collect();
                ExplainError::NoIntegration {
                    tenant: tenant.to_string(),
                    integration: integration.to_string(),
                    near: owned(near_misses(integration, names)),
                }
            })?;
            (declared.bindings, Some(declared.by.to_string()))
        }
    };
    if flow.is_some() || step.is_some() {
        let known: Vec<Used> = bindings.iter().flat_map(|row| row.used_by.clone()).collect();
        for row in &mut bindings {
            row.used_by.retain(|used| is_wanted(used, flow, step));
        }
        bindings.retain(|row| !row.used_by.is_empty());
        if bindings.is_empty() {
            return Err(ExplainError::NoStep {
                integration: integration.to_string(),
                there: what_uses_one(&known, flow, step),
            });
        }
    }
    let waits = WaitingWrite::all(world).into_iter().filter(|write| write.tenant == tenant);
    let waits = waits.filter(|write| write.concerns(integration, &bindings)).collect();
    Ok(IntegrationExplanation {
        schema: SCHEMA,
        tenant: tenant.to_string(),
        integration: integration.to_string(),
        flow: flow.map(str::to_string),
        step: step.map(str::to_string),
        declared_by,
        bindings,
        waits,
    })
}

/// An integration that a writer declares and that is not applied yet.
pub(super) struct Declared {
    pub by: Writer,
    /// Its variables as they would be.
    pub bindings: Vec<BindingRow>,
}

/// Returns an integration that is declared in a tenant and not there yet. `after` has the tenants after the plan, since
/// an integration is written together with what it needs.
pub(super) fn declared(world: &World, after: &World, tenant: &str, integration: &str) -> Option<Declared> {
    let source = world.tenants.get(tenant)?.source.as_ref().and_then(View::inventory);
    if let Some(object) = source.and_then(|source| source.integrations.get(integration)) {
        let uses = source.and_then(|source| source.uses.get(integration)).map(AsRef::as_ref);
        let bindings = Scene::of(after, tenant)?.declared(object, uses);
        return Some(Declared { by: Writer::Source, bindings });
    }
    let promised = binding::promised(after, tenant, Some(integration)).into_iter().next()?;
    let bindings = Scene::of(after, tenant).map(|scene| scene.promised(&promised)).unwrap_or_default();
    Some(Declared { by: promised.writer, bindings })
}

fn is_wanted(used: &Used, flow: Option<&str>, step: Option<&str>) -> bool {
    match used {
        Used::Step { flow: f, step: s } => {
            flow.is_none_or(|flow| is_named(flow, f)) && step.is_none_or(|step| is_named(step, s))
        }
        Used::DataSource { .. } => false,
    }
}

/// Whether a typed argument matches `name`: names of flows and steps are prose.
fn is_named(typed: &str, name: &str) -> bool {
    typed.to_lowercase() == name.to_lowercase()
}

fn what_uses_one(known: &[Used], flow: Option<&str>, step: Option<&str>) -> String {
    let steps = known.iter().filter_map(|used| match used {
        Used::Step { flow, step } => Some((flow.as_str(), step.as_str())),
        Used::DataSource { .. } => None,
    });
    let (flows, steps): (BTreeSet<&str>, BTreeSet<&str>) = steps.unzip();
    let of_flow = flow.filter(|f| !flows.iter().any(|known| is_named(f, known)));
    of_flow.map_or_else(|| what_there_is(step.unwrap_or_default(), steps), |flow| what_there_is(flow, flows))
}

pub(super) fn owned(names: Vec<&str>) -> Vec<String> {
    names.into_iter().map(str::to_string).collect()
}

/// Everything that depends on a stable key, in every tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyExplanation {
    /// The schema `stablekey.dev/explanation/v1`.
    pub schema: &'static str,
    pub stable_key: String,
    /// One entry per tenant, by name.
    pub tenants: Vec<KeyInTenant>,
    /// The syncs that carry an integration that uses it.
    pub syncs: Vec<SyncLine>,
    /// The overrides that refer to the key.
    pub overrides: Vec<OverrideOfKey>,
}

/// Everything that depends on a key in one tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInTenant {
    /// The name of the tenant.
    pub tenant: String,
    /// Whether it could be read.
    pub read: bool,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreachable: Option<String>,
    /// The connection with exactly this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionBrief>,
    /// The connection that the tenant's source declares, if it is not applied yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub declared: Option<ConnectionBrief>,
    /// Whether the location reports nothing that keeps the connection from being used.
    #[serde(skip)]
    pub ready: bool,
    /// The reason why the connection with this name cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid: Option<String>,
    /// The older keys that resolve to the connection.
    pub replaces: Vec<String>,
    /// The newer keys that replace, or would replace, this key.
    pub replaced_by: Vec<String>,
    /// The writers of the connection.
    pub written_by: Vec<String>,
    /// The integrations that use the key or are bound to its connection.
    pub integrations: Vec<IntegrationOfKey>,
    /// The number of customers with credentials for it; never their names.
    pub customers: usize,
    /// What the location itself reports: status, credentials by status, instances, workflows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reported: Vec<String>,
    /// The writes to its connection, and to integrations that would be bound to it, that wait for an earlier stage.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waits: Vec<WaitingWrite>,
}

/// An integration that depends on a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationOfKey {
    /// The name of the integration.
    pub name: String,
    /// The variables that depend on the key.
    pub variables: Vec<BindingRow>,
}

/// The part of a sync that concerns the explained item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SyncLine {
    /// The writer that stands for the sync.
    pub writer: String,
    /// The source tenant.
    pub from: String,
    /// The target tenants.
    pub to: Vec<String>,
    /// The target tenants by stage, if the sync has stages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Vec<String>>,
    /// Whether it writes connections too: `Match` does not.
    pub connections: ConnectionMode,
    /// Whether it removes objects that its source no longer has.
    pub prune: bool,
    /// Whether it is suspended.
    pub suspend: bool,
    /// The integrations that it carries, or their patterns.
    pub integrations: Vec<String>,
}

impl SyncLine {
    pub(super) fn of(sync: &Sync, integrations: &[String]) -> Self {
        SyncLine {
            writer: sync.writer.to_string(),
            from: sync.spec.from.clone(),
            to: sync.spec.targets().cloned().collect(),
            stages: sync.spec.stages.iter().map(|stage| stage.to.clone()).collect(),
            connections: sync.spec.connection_mode(),
            prune: sync.spec.prunes(),
            suspend: sync.spec.is_suspended(),
            integrations: integrations.to_vec(),
        }
    }
}

impl std::fmt::Display for SyncLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let does = match self.connections {
            ConnectionMode::Match => "and writes no connection",
            ConnectionMode::Create => "and makes connections that are lacking, which it never changes or compares",
            ConnectionMode::Mirror => "and keeps connections the same",
        };
        let prunes = if self.prune { "; it removes objects that it wrote and the source no longer has" } else { "" };
        let waits = if self.suspend { " (suspended: it waits)" } else { "" };
        let what = and(&self.integrations);
        let to = match self.stages.as_slice() {
            [] => and(&self.to),
            stages => stages.iter().map(|to| and(to)).collect::<Vec<_>>().join(", then to "),
        };
        write!(f, "{}{waits} carries {what} from {} to {to}, {does}{prunes}", self.writer, self.from)
    }
}

/// Adds lines about syncs to the page, as a separate part.
pub(super) fn sync_lines(page: &mut TextPage, lines: &[String]) {
    if !lines.is_empty() {
        page.gap();
        page.line(0, &[heading("syncs")]);
    }
    for line in lines {
        page.wrap(2, 6, &[plain(line)]);
    }
}

/// An override that refers to a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OverrideOfKey {
    /// The writer that stands for the sync.
    pub writer: String,
    /// The target that the override applies to.
    pub tenant: String,
    /// The item that it sets: `input authorizeUrl`, or `variable "CRM" of lead-router`.
    pub what: String,
    /// The reason given in the override.
    pub reason: String,
}

/// Explains a stable key.
pub fn explain_key(world: &World, key: &str) -> Result<KeyExplanation, ExplainError> {
    let mut tenants: Vec<KeyInTenant> = world.tenants.keys().map(|tenant| in_tenant(world, tenant, key)).collect();
    let overrides = overrides(world, key);
    let concerns = |t: &KeyInTenant| {
        t.connection.is_some()
            || t.declared.is_some()
            || t.invalid.is_some()
            || !t.integrations.is_empty()
            || !t.replaced_by.is_empty()
            || t.customers > 0
            || !t.reported.is_empty()
    };
    if !tenants.iter().any(concerns) && overrides.is_empty() {
        let inventories = world.tenants.values().filter_map(|view| view.live.inventory());
        let keys: BTreeSet<&str> =
            inventories.flat_map(|i| i.connections.values()).map(|c| c.spec.stable_key.as_str()).collect();
        return Err(ExplainError::NoKey { key: key.to_string(), near: owned(near_misses(key, keys)) });
    }
    let syncs = syncs(world, &tenants);
    for write in WaitingWrite::all(world).into_iter().filter(|write| write.concerns_key(key)) {
        let tenant = tenants.iter_mut().find(|tenant| tenant.tenant == write.tenant);
        tenant.into_iter().for_each(|tenant| tenant.waits.push(write.clone()));
    }
    Ok(KeyExplanation { schema: SCHEMA, stable_key: key.to_string(), tenants, syncs, overrides })
}

fn in_tenant(world: &World, tenant: &str, key: &str) -> KeyInTenant {
    let mut found = KeyInTenant { tenant: tenant.to_string(), ..KeyInTenant::default() };
    let Some(scene) = Scene::of(world, tenant) else {
        found.unreachable = world.tenants.get(tenant).and_then(|view| view.live.unreachable()).map(str::to_string);
        return found;
    };
    let inventory = scene.inventory;
    found.read = true;
    let named = ObjectId::new(Kind::Connection, names::of_stable_key(key));
    found.invalid = inventory.invalid.get(&named).cloned();
    if let Some(connection) = inventory.connection(key) {
        found.connection = Some(ConnectionBrief::of(&connection.spec));
        found.ready = !inventory.is_unready(connection.name());
        found.replaces.clone_from(&connection.spec.replaces);
        let record = inventory.record(tenant, &ObjectId::new(Kind::Connection, connection.name()));
        found.written_by =
            record.map(|r| r.writers().into_iter().map(ToString::to_string).collect()).unwrap_or_default();
    }
    let source = world.tenants.get(tenant).and_then(|view| view.source.as_ref()?.inventory());
    let declared = source.and_then(|source| source.connection(key)).filter(|_| found.connection.is_none());
    found.declared = declared.map(|connection| ConnectionBrief::of(&connection.spec));
    let newer = inventory.connections.values().filter(|c| c.spec.replaces.iter().any(|older| older == key));
    found.replaced_by = newer.map(|c| c.spec.stable_key.clone()).collect();
    let bindings = Bindings::of(tenant, inventory, &scene.replacements);
    let is_bound = |row: &BindingRow| row.connection.as_ref().is_some_and(|c| c.stable_key.as_deref() == Some(key));
    let mut integrations: BTreeMap<&str, Vec<BindingRow>> = BTreeMap::new();
    let named: BTreeSet<&str> = bindings
        .rows
        .iter()
        .filter(|row| {
            row.variable.stable_key() == Some(key)
                || row.resolution.connection().is_some_and(|c| c.spec.stable_key == key)
        })
        .map(|row| row.integration)
        .collect();
    for name in named {
        let rows = scene.live(name).unwrap_or_default();
        let rows = rows.into_iter().filter(|row| row.stable_key.as_deref() == Some(key) || is_bound(row));
        integrations.insert(name, rows.collect());
    }
    found.integrations = integrations
        .into_iter()
        .map(|(name, variables)| IntegrationOfKey { name: name.to_string(), variables })
        .collect();
    let named_by = inventory.customer_credentials.values().filter(|c| c.spec.connection == key).count();
    let of_connection = inventory.connection(key).map_or(0, |c| bindings.customers(c.name()).len());
    found.customers = of_connection.max(named_by);
    if let Some(foreign) = inventory.foreign.get(key) {
        found.reported.push(foreign.to_string());
    }
    if let Some(facts) = inventory.facts.get(&names::of_stable_key(key)) {
        found.customers = found.customers.max(facts.customers.unwrap_or_default());
        found.reported.extend(reported(facts));
    }
    let workflows = inventory.workflows.iter().filter(|(_, keys)| keys.contains(key));
    found.reported.extend(workflows.map(|(name, _)| format!("workflow {name:?} uses it")));
    found
}

/// What the platform reports of a connection.
fn reported(facts: &ConnectionFacts) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(status) = &facts.status {
        let last = facts.last_success.as_ref().map(|at| format!(", last refreshed {at}")).unwrap_or_default();
        lines.push(format!("status {status}{last}"));
    }
    if let Some(link) = facts.sign_in.as_ref().filter(|_| facts.status != Some(Status::Active)) {
        lines.push(format!("sign in: {link}"));
    }
    if let Some(sets) = facts.sets.filter(|sets| *sets > 0) {
        let by_status: Vec<String> =
            facts.statuses.iter().map(|(status, number)| format!("{number} {status}")).collect();
        let by_status = if by_status.is_empty() { String::new() } else { format!(": {}", by_status.join(", ")) };
        lines.push(format!("{} of credentials{by_status}", count(sets, "set", "sets")));
    }
    lines.extend(facts.instances.filter(|number| *number > 0).map(|number| count(number, "instance", "instances")));
    lines
}

fn syncs(world: &World, tenants: &[KeyInTenant]) -> Vec<SyncLine> {
    let mut found = Vec::new();
    for sync in &world.syncs {
        let source = tenants.iter().find(|t| t.tenant == sync.spec.from);
        let integrations: Vec<String> = source
            .into_iter()
            .flat_map(|t| &t.integrations)
            .filter(|i| sync.spec.selects(&i.name))
            .map(|i| i.name.clone())
            .collect();
        if !integrations.is_empty() {
            found.push(SyncLine::of(sync, &integrations));
        }
    }
    found
}

fn overrides(world: &World, key: &str) -> Vec<OverrideOfKey> {
    let all = world.syncs.iter().flat_map(|sync| sync.spec.overrides.iter().map(move |o| (sync, o)));
    let object = format!("Connection/{}", names::of_stable_key(key));
    let named = all.filter(|(_, o)| o.stable_key.as_deref() == Some(key) || o.object.as_ref() == Some(&object));
    named
        .map(|(sync, o)| OverrideOfKey {
            writer: sync.writer.to_string(),
            tenant: o.tenant.clone(),
            what: match o.changes() {
                Some(Overridden::Input { input, .. }) => format!("input {input}"),
                Some(Overridden::Field { field, .. }) => field.to_string(),
                Some(Overridden::Kept { field, .. }) => format!("{field}, which it leaves alone,"),
                Some(variable @ Overridden::Variable { .. }) => variable.to_string(),
                None => "nothing".to_string(),
            },
            reason: o.reason.clone(),
        })
        .collect()
}
