//! A variable of an integration in one tenant, with its connection, users and problems.

use crate::api::*;
use crate::engine::check::{Elsewhere, how_to_fix_missing, missing_inputs};
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::record::Writer;
use crate::engine::promote::{Meaning, Promotion, SourceBinding, SourceSide, TargetSide, promote};
use crate::engine::resolve::{Asker, Binding, Replacements, Resolution, Rule, WhyNot, resolve_key, resolve_variable};
use crate::engine::syncs;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A variable and its binding in a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingRow {
    /// The name of the variable.
    pub variable: String,
    /// The state of the binding.
    pub state: BindingState,
    /// The stable key; absent for the integration's own connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_key: Option<String>,
    /// The connection that the variable resolves to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connection: Option<ConnectionBrief>,
    /// The rule that matched, as text.
    pub rule: String,
    /// The rejected candidates.
    pub considered: Vec<ConsideredKey>,
    /// How to fix the binding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// The steps and data sources that use the variable.
    pub used_by: Vec<Used>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BindingState {
    /// The variable is bound.
    Bound,
    /// The variable is the integration's own connection.
    Own,
    /// The variable is bound to a connection that is not the tenant's own, such as one of the platform's.
    Foreign,
    /// The variable is bound to a connection with an incomplete definition.
    NotReady,
    /// The variable would be bound to another component or type than in the source.
    Differs,
    /// The state is unknown.
    Unknown,
    /// No connection has the key.
    Missing,
}

impl BindingState {
    /// Whether the binding has no problem.
    pub fn is_well(self) -> bool {
        matches!(self, BindingState::Bound | BindingState::Own | BindingState::Foreign)
    }
}

/// A component in parts, so that programs need not parse a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ComponentBrief {
    /// The key of the component.
    pub key: String,
    /// Whether the component is public.
    pub public: bool,
}

impl From<&ComponentRef> for ComponentBrief {
    fn from(component: &ComponentRef) -> Self {
        ComponentBrief { key: component.key.clone(), public: component.is_public() }
    }
}

impl ComponentBrief {
    /// The name by which a person refers to it; see [`ComponentRef::typed`].
    pub fn typed(&self) -> String {
        ComponentRef::new(&self.key, self.public).typed()
    }
}

impl std::fmt::Display for ComponentBrief {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        ComponentRef::new(&self.key, self.public).fmt(f)
    }
}

/// The main properties of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionBrief {
    /// The stable key; absent for an integration's own connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable_key: Option<String>,
    pub component: ComponentBrief,
    /// The connection type.
    #[serde(rename = "type")]
    pub type_: String,
    /// Who supplies the credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<Credentials>,
}

impl ConnectionBrief {
    /// Summarizes a connection.
    pub fn of(spec: &ConnectionSpec) -> Self {
        ConnectionBrief {
            stable_key: Some(spec.stable_key.clone()),
            component: (&spec.component).into(),
            type_: spec.type_.clone(),
            credentials: Some(spec.credentials),
        }
    }

    /// The properties as text: `salesforce/oauth2, OrganizationCustomer`.
    pub fn words(&self) -> String {
        let credentials = self.credentials.map(|c| format!(", {c}")).unwrap_or_default();
        format!("{}/{}{credentials}", self.component, self.type_)
    }
}

/// A connection that was considered and rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsideredKey {
    /// The stable key of the connection.
    pub stable_key: String,
    /// The reason for the rejection.
    pub why_not: String,
}

/// A use of a variable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase", untagged)]
pub enum Used {
    /// A step of a flow.
    Step {
        /// The name of the flow.
        flow: String,
        /// The name of the step.
        step: String,
    },
    /// The data source of another config variable.
    DataSource {
        /// The name of that config variable.
        #[serde(rename = "dataSource")]
        variable: String,
    },
}

/// The uses in one line: `New Lead › Get lead, Update lead; the data source of Region`.
pub fn places(used_by: &[Used]) -> String {
    let mut by_flow: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
    for used in used_by {
        let (flow, what) = match used {
            Used::Step { flow, step } => (Some(flow.as_str()), step.as_str()),
            Used::DataSource { variable } => (None, variable.as_str()),
        };
        match by_flow.iter_mut().find(|(f, _)| *f == flow) {
            Some((_, whats)) => whats.push(what),
            None => by_flow.push((flow, vec![what])),
        }
    }
    let uses = by_flow.into_iter().map(|(flow, whats)| match flow {
        Some(flow) => format!("{flow} › {}", whats.join(", ")),
        None => format!("the data source of {}", whats.join(", ")),
    });
    uses.collect::<Vec<_>>().join("; ")
}

/// A tenant whose variables can be resolved.
pub struct Scene<'a> {
    pub tenant: &'a str,
    pub inventory: &'a Inventory,
    pub replacements: Replacements,
    elsewhere: Elsewhere<'a>,
}

/// An integration as a sync would write it in a tenant.
pub struct Promised {
    pub name: String,
    pub spec: IntegrationSpec,
    pub uses: Option<Arc<Uses>>,
    pub writer: Writer,
    bindings: BTreeMap<String, SourceBinding>,
}

impl<'a> Scene<'a> {
    /// The scene of a tenant in a world; `None` if the tenant does not exist or could not be read.
    pub fn of(world: &'a World, tenant: &str) -> Option<Self> {
        let (tenant, view) = world.tenants.get_key_value(tenant)?;
        let inventory = view.live.inventory()?.as_ref();
        let replacements = Replacements::of(tenant, inventory);
        Some(Scene { tenant, inventory, replacements, elsewhere: Elsewhere::of(world) })
    }

    /// A tenant of which only the variables of one integration are resolved.
    pub fn of_integration(world: &'a World, tenant: &str, integration: &str) -> Option<Self> {
        let (tenant, view) = world.tenants.get_key_value(tenant)?;
        let inventory = view.live.inventory()?.as_ref();
        let object = inventory.integrations.get(integration);
        let keys: BTreeSet<&str> =
            object.into_iter().flat_map(|o| &o.spec.connections).filter_map(Variable::stable_key).collect();
        // A key may be replaced by one that is itself replaced: all that replace some key count.
        let counts = |connection: &Object<ConnectionSpec>| {
            !connection.spec.replaces.is_empty() || keys.contains(connection.spec.stable_key.as_str())
        };
        let replacements = Replacements::among(tenant, inventory, counts);
        Some(Scene { tenant, inventory, replacements, elsewhere: Elsewhere::of(world) })
    }

    /// All variables of a live integration.
    pub fn live(&self, integration: &str) -> Option<Vec<BindingRow>> {
        let object = self.inventory.integrations.get(integration)?;
        Some(self.declared(object, self.inventory.uses.get(integration).map(AsRef::as_ref)))
    }

    /// All variables of an integration as its manifest declares it.
    pub fn declared(&self, object: &Object<IntegrationSpec>, uses: Option<&Uses>) -> Vec<BindingRow> {
        let row = |variable| {
            let name = object.name();
            let resolution = resolve_variable(self.tenant, name, variable, self.inventory, &self.replacements);
            self.row(variable, uses, resolution, None)
        };
        object.spec.connections.iter().map(row).collect()
    }

    /// The number of variables of an integration that resolve to a connection, and of all its variables.
    pub fn bound(&self, integration: &str) -> (usize, usize) {
        let Some(object) = self.inventory.integrations.get(integration) else { return (0, 0) };
        let variables = &object.spec.connections;
        let bound = variables
            .iter()
            .filter(|v| matches!(self.binding(integration, v), Binding::Bound(_) | Binding::Own | Binding::Foreign(_)));
        (variables.len(), bound.count())
    }

    /// The stable keys of an integration that do not resolve.
    pub fn missing_keys(&self, integration: &str) -> Vec<String> {
        let object = self.inventory.integrations.get(integration);
        let variables = object.into_iter().flat_map(|o| &o.spec.connections);
        let missing = variables.filter(|v| matches!(self.binding(integration, v), Binding::Missing));
        missing.filter_map(|v| v.stable_key().map(str::to_string)).collect()
    }

    fn binding(&self, integration: &str, variable: &Variable) -> Binding {
        resolve_variable(self.tenant, integration, variable, self.inventory, &self.replacements).binding
    }

    /// All variables of an integration that a sync would write.
    pub fn promised(&self, promised: &Promised) -> Vec<BindingRow> {
        let sync = BTreeSet::from([promised.writer.clone()]);
        let row = |variable: &Variable| {
            let binding = promised.bindings.get(&variable.name);
            let source = binding.and_then(|b| b.connection.as_ref()).map(|c| &c.spec);
            let (variable, writers) = match binding.map(|b| &b.meaning) {
                Some(Meaning::OwnSource(variable)) => (variable, None),
                Some(Meaning::Declared) | None => (variable, Some(&sync)),
            };
            let resolution = match variable.stable_key() {
                None => Resolution { binding: Binding::Own, rule: Rule::Own, considered: Vec::new() },
                Some(key) => {
                    let asker = Asker { writers, source_binding: source, ..Asker::default() };
                    resolve_key(key, self.inventory, &self.replacements, asker)
                }
            };
            self.row(variable, promised.uses.as_deref(), resolution, source)
        };
        let mut rows: Vec<BindingRow> = promised.spec.connections.iter().map(row).collect();
        // The variables that the sync leaves unchanged, and the tenant's own.
        let named = |name: &String| promised.spec.connections.iter().any(|v| v.name == *name);
        rows.extend(self.live(&promised.name).into_iter().flatten().filter(|row| !named(&row.variable)));
        rows
    }

    fn row(
        &self,
        variable: &Variable,
        uses: Option<&Uses>,
        resolution: Resolution,
        source: Option<&ConnectionSpec>,
    ) -> BindingRow {
        let used = uses.and_then(|u| u.variables.get(&variable.name));
        let (state, fix) = self.state(variable, &resolution, source);
        let connection = match &variable.means {
            Means::Own(own) => Some(ConnectionBrief {
                stable_key: None,
                component: (&own.component).into(),
                type_: own.type_.clone(),
                credentials: None,
            }),
            Means::StableKey(_) => resolution.connection().map(|c| ConnectionBrief::of(&c.spec)),
        };
        BindingRow {
            variable: variable.name.clone(),
            state,
            stable_key: variable.stable_key().map(str::to_string),
            connection,
            rule: self.rule(&resolution),
            considered: resolution.considered.iter().map(|c| considered(&c.key, &c.why_not)).collect(),
            fix,
            used_by: used.into_iter().flatten().map(|u| place(&u.by)).collect(),
        }
    }

    fn state(
        &self,
        variable: &Variable,
        resolution: &Resolution,
        source: Option<&ConnectionSpec>,
    ) -> (BindingState, Option<String>) {
        let key = variable.stable_key().unwrap_or_default();
        match &resolution.binding {
            Binding::Own => (BindingState::Own, None),
            Binding::Foreign(_) => (BindingState::Foreign, None),
            Binding::Unknown(why) => (BindingState::Unknown, Some(format!("{why}: fix that first"))),
            Binding::Missing => {
                let fix = how_to_fix_missing(self.tenant, key, source, self.inventory, &self.elsewhere);
                (BindingState::Missing, Some(fix.text))
            }
            Binding::Bound(connection) => {
                if let Some(source) = source.filter(|s| !s.connects_like(&connection.spec)) {
                    let fix = format!(
                        "it is {}/{} in the source: give {} a connection of that kind and name it by an override",
                        source.component, source.type_, self.tenant
                    );
                    return (BindingState::Differs, Some(fix));
                }
                let lacks = missing_inputs(&connection.spec, self.inventory);
                if !lacks.is_empty() {
                    let fix = format!("Connection/{} lacks {}: complete it", connection.name(), lacks.join(", "));
                    return (BindingState::NotReady, Some(fix));
                }
                if self.inventory.is_unready(connection.name()) {
                    let facts = self.inventory.facts.get(connection.name());
                    let fix = match facts.and_then(|facts| facts.sign_in.as_ref()) {
                        Some(link) => format!("sign in: {link}"),
                        None => format!("see what Connection/{} waits for", connection.name()),
                    };
                    return (BindingState::NotReady, Some(fix));
                }
                (BindingState::Bound, None)
            }
        }
    }

    fn rule(&self, resolution: &Resolution) -> String {
        match &resolution.rule {
            Rule::Own => "it is the integration's own connection".to_string(),
            Rule::ExactKey => format!("a connection of {} has exactly this stable key", self.tenant),
            Rule::Replaces(chain) => {
                let newer = chain.last().map(String::as_str).unwrap_or_default();
                let older = chain.first().map(String::as_str).unwrap_or_default();
                match chain.len() {
                    0..=2 => format!("{newer} replaces {older}"),
                    _ => format!("{newer} replaces {older}, by way of {}", chain.join(" → ")),
                }
            }
            Rule::None => format!("no connection of {} resolves it", self.tenant),
        }
    }
}

fn place(by: &User) -> Used {
    match by {
        User::Step { flow, step } => Used::Step { flow: flow.clone(), step: step.clone() },
        User::DataSource { variable } => Used::DataSource { variable: variable.clone() },
    }
}

fn considered(key: &str, why_not: &WhyNot) -> ConsideredKey {
    let why_not = match why_not {
        WhyNot::Differs => "it replaces the key, but differs in component, type or credentials",
        WhyNot::Ambiguous => "it replaces the key, and so does another: neither takes effect",
        WhyNot::Cycle => "it is part of a cycle of replacements",
        WhyNot::NotOfThisSync => "its `replaces` came by a sync, which did not write this variable",
        WhyNot::NotReady => "it replaces the key, but lacks inputs that its type requires: the binding waits for it",
    };
    ConsideredKey { stable_key: key.to_string(), why_not: why_not.to_string() }
}

/// The integrations, or the one with this name, that syncs would write in a tenant.
pub fn promised(world: &World, tenant: &str, only: Option<&str>) -> Vec<Promised> {
    let order = syncs::order(world);
    let Some(to) = Scene::of(world, tenant) else { return Vec::new() };
    let own_source = world.tenants.get(tenant).and_then(|view| view.source.as_ref()?.inventory()).map(AsRef::as_ref);
    let mut all = Vec::new();
    for sync in order.into.get(tenant).into_iter().flatten() {
        let Some(from) = Scene::of(world, &sync.spec.from) else { continue };
        let narrowed = only.filter(|name| sync.spec.selects(name)).map(|name| narrow(sync, name));
        if only.is_some() && narrowed.is_none() {
            continue;
        }
        let promotion = promote(
            narrowed.as_ref().unwrap_or(sync),
            SourceSide { tenant: from.tenant, inventory: from.inventory, replacements: &from.replacements },
            TargetSide { tenant: to.tenant, inventory: to.inventory, own_source },
            &|_| None,
        );
        all.extend(of_promotion(&sync.writer, promotion));
    }
    all
}

fn narrow(sync: &Sync, integration: &str) -> Sync {
    let spec = TenantSyncSpec { integrations: vec![integration.to_string()], ..(*sync.spec).clone() };
    Sync { writer: sync.writer.clone(), spec: Arc::new(spec) }
}

fn of_promotion(writer: &Writer, mut promotion: Promotion) -> Vec<Promised> {
    let mut all = Vec::new();
    for (id, declaration) in promotion.declarations {
        if let crate::engine::model::item::Item::Integration(object, uses) = declaration.item {
            let bindings = promotion.bindings.remove(&id.name).unwrap_or_default();
            let spec = object.spec.clone();
            all.push(Promised { name: id.name, spec, uses, writer: writer.clone(), bindings });
        }
    }
    all
}
