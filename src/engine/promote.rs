//! The declarations of a sync in one of its targets.

use super::diff::{Declaration, Extent};
use super::model::field::{Field, FieldKind};
use super::model::inventory::{Inventory, Sync};
use super::model::item::{Item, ObjectId};
use super::model::record::{Record, Writer};
use super::overrides::{Here, Overrides};
use super::resolve::{Asker, Binding, Replacements, resolve_key, resolve_variable};
use crate::api::*;
use crate::parallel;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The tenant that a sync copies from.
#[derive(Clone, Copy)]
pub struct SourceSide<'a> {
    /// The name of the tenant.
    pub tenant: &'a str,
    /// The resources of the tenant, after the plan.
    pub inventory: &'a Inventory,
    /// The replacements of stable keys in the tenant.
    pub replacements: &'a Replacements,
}

/// A tenant that a sync copies to.
#[derive(Clone, Copy)]
pub struct TargetSide<'a> {
    /// The name of the tenant.
    pub tenant: &'a str,
    /// The resources of the tenant: live, with its own source applied.
    pub inventory: &'a Inventory,
    /// The declarations of its own source, which has precedence over a sync.
    pub own_source: Option<&'a Inventory>,
}

/// The declarations of a sync in one target.
#[derive(Debug, Default)]
pub struct Promotion {
    /// The declarations, by object.
    pub declarations: Vec<(ObjectId, Declaration)>,
    /// The bindings of each declared variable in the source, by integration and variable.
    pub bindings: BTreeMap<String, BTreeMap<String, SourceBinding>>,
    /// The positions of overrides that matched.
    pub matched: BTreeSet<usize>,
    /// Pairs of positions of overrides that change the same item.
    pub doubled: Vec<(usize, usize)>,
    /// The number of integrations that the sync selects.
    pub selected: usize,
}

/// The binding of a variable in the source.
#[derive(Clone, Debug)]
pub struct SourceBinding {
    /// The bound connection; `None` if it is the integration's own, or missing in the source too.
    pub connection: Option<Arc<Object<ConnectionSpec>>>,
    /// Whether an override binds it to another key in the target.
    pub overridden: bool,
    /// The meaning of the variable in the target.
    pub meaning: Meaning,
}

/// The meaning of a declared variable in the target.
#[derive(Clone, Debug)]
pub enum Meaning {
    /// The declaration of the sync.
    Declared,
    /// The declaration of the target's own source.
    OwnSource(Variable),
}

/// Copies the integrations that a sync selects, and the connections that they use, to a target. `made_by` has the
/// actions that create objects of the source.
pub fn promote(
    sync: &Sync,
    from: SourceSide<'_>,
    to: TargetSide<'_>,
    made_by: &dyn Fn(&ObjectId) -> Option<String>,
) -> Promotion {
    let here = Here::of(&sync.spec, to.tenant);
    // Connections that syncs created there do not count: otherwise the declarations of a sync would depend on earlier
    // ones.
    let own = Replacements::among(to.tenant, to.inventory, |connection| to.is_own(connection));
    let mut promotion = Promotion { doubled: here.doubled.clone(), ..Promotion::default() };
    let selected: Vec<_> = from.inventory.integrations.values().filter(|i| sync.spec.selects(i.name())).collect();
    promotion.selected = selected.len();
    let carried =
        parallel::map(from.inventory.len(), &selected, |integration| carry(&here, integration, from, to, &own));
    let mut connections: Vec<Arc<Object<ConnectionSpec>>> = Vec::new();
    let declare = |id: ObjectId, item: Item, extent: Extent, overrides: Overrides| {
        let declaration = Declaration {
            writer: sync.writer.clone(),
            item,
            extent,
            from: from.tenant.to_string(),
            after: made_by(&id).into_iter().collect(),
            ignores_versions: sync.spec.ignores_component_versions(),
            overrides: (!overrides.is_empty()).then(|| overrides.into()),
        };
        (id, declaration)
    };
    for (integration, carried) in selected.iter().zip(carried) {
        let name = integration.name();
        let item = Item::Integration(carried.integration, from.inventory.uses.get(name).cloned());
        let item = carried.overrides.keeps.keys().fold(item, |item, field| item.with(field, None));
        let id = ObjectId::new(Kind::Integration, name);
        promotion.declarations.push(declare(id, item, Extent::Crossing, carried.overrides));
        promotion.bindings.insert(name.to_string(), carried.bindings);
        promotion.matched.extend(carried.matched);
        connections.extend(carried.connections);
    }
    connections.sort_by(|a, b| a.spec.stable_key.cmp(&b.spec.stable_key));
    connections.dedup_by(|a, b| a.spec.stable_key == b.spec.stable_key);
    for connection in connections {
        let extent = match sync.spec.connection_mode() {
            // No connection is written, so that an override of one has no effect.
            ConnectionMode::Match => continue,
            ConnectionMode::Create => Extent::Existence,
            ConnectionMode::Mirror => Extent::Crossing,
        };
        let id = ObjectId::new(Kind::Connection, connection.name());
        let own = to.own_source.and_then(|source| source.connections.get(connection.name()));
        let theirs = [to.inventory.connections.get(connection.name()), own].into_iter().flatten();
        let theirs: Vec<Item> = theirs.cloned().map(Item::Connection).collect();
        let (item, overrides) = crossing(&connection, &here, &theirs, &mut promotion.matched);
        promotion.declarations.push(declare(id, item, extent, overrides));
    }
    promotion
}

/// An integration that is copied to a target.
struct Carried {
    integration: Arc<Object<IntegrationSpec>>,
    bindings: BTreeMap<String, SourceBinding>,
    /// The connections that it uses, as in the source.
    connections: Vec<Arc<Object<ConnectionSpec>>>,
    /// The overrides of the integration.
    overrides: Overrides,
    /// The positions of overrides that matched.
    matched: Vec<usize>,
}

fn carry(
    here: &Here<'_>,
    integration: &Arc<Object<IntegrationSpec>>,
    from: SourceSide<'_>,
    to: TargetSide<'_>,
    own: &Replacements,
) -> Carried {
    let name = integration.name();
    let id = ObjectId::new(Kind::Integration, name);
    let mut on_its_way = Carried {
        integration: integration.clone(),
        bindings: BTreeMap::new(),
        connections: Vec::new(),
        overrides: Overrides::default(),
        matched: Vec::new(),
    };
    if here.concerns(&id) {
        let own = to.own_source.and_then(|source| source.integrations.get(name));
        let theirs = [to.inventory.integrations.get(name), own].into_iter().flatten();
        let theirs: Vec<Item> = theirs.map(|i| Item::Integration(i.clone(), None)).collect();
        let ours = Item::Integration(integration.clone(), from.inventory.uses.get(name).cloned());
        on_its_way.overrides.keeps = here.kept(&id, &ours, &theirs, &mut on_its_way.matched);
    }
    for (place, variable) in integration.spec.connections.iter().enumerate() {
        if on_its_way.overrides.leaves_alone(&Field::named(FieldKind::Variable, &variable.name)) {
            // The connection that the variable resolves to in the target is used, and copied, as before.
            let theirs = to.inventory.integrations.get(name).map(|there| there.spec.connections.as_slice());
            let theirs = theirs.unwrap_or_default().iter().find(|there| there.name == variable.name);
            let binding = SourceBinding { connection: None, overridden: true, meaning: Meaning::Declared };
            let key = theirs.and_then(Variable::stable_key);
            on_its_way.connections.extend(key.and_then(|key| carried(key, &binding, from, to, own)));
            continue;
        }
        let connection =
            resolve_variable(from.tenant, name, variable, from.inventory, from.replacements).connection().cloned();
        let mut key = variable.stable_key();
        let other = here.variable(&id, &variable.name).filter(|_| key.is_some());
        let is_overridden = other.is_some();
        if let Some((decision, other)) = other {
            on_its_way.matched.push(decision.position);
            key = Some(other);
            Arc::make_mut(&mut on_its_way.integration).spec.connections[place] = Variable::bound(&variable.name, other);
            let field = Field::named(FieldKind::Variable, &variable.name).into_owned();
            on_its_way.overrides.decided.insert(field, decision);
        }
        let meaning = meaning(name, variable, to);
        let means = match &meaning {
            Meaning::Declared => key,
            Meaning::OwnSource(variable) => variable.stable_key(),
        };
        let overridden = is_overridden || means.is_some_and(|key| variable.stable_key() != Some(key));
        let binding = SourceBinding { connection, overridden, meaning: meaning.clone() };
        on_its_way.connections.extend(means.and_then(|key| carried(key, &binding, from, to, own)));
        on_its_way.bindings.insert(variable.name.clone(), binding);
    }
    if !integration.metadata.labels.is_empty() || !integration.metadata.annotations.is_empty() {
        Arc::make_mut(&mut on_its_way.integration).metadata = Meta::named(name);
    }
    on_its_way
}

/// The meaning of a variable of an integration in the target.
fn meaning(integration: &str, variable: &Variable, to: TargetSide<'_>) -> Meaning {
    let own = to.own_source.and_then(|source| source.integrations.get(integration));
    let own = own.and_then(|i| i.spec.connections.iter().find(|v| v.name == variable.name));
    own.map_or(Meaning::Declared, |own| Meaning::OwnSource(own.clone()))
}

/// The source's connection for a key in the target: the one that the target would bind, among its `own`, if the source
/// has it.
fn carried(
    key: &str,
    binding: &SourceBinding,
    from: SourceSide<'_>,
    to: TargetSide<'_>,
    own: &Replacements,
) -> Option<Arc<Object<ConnectionSpec>>> {
    let source = binding.connection.as_ref().filter(|_| !binding.overridden);
    let asker = Asker { writers: None, source_binding: source.map(|c| &c.spec), ignores_readiness: true, works: None };
    let with_that_key = |key: &str| from.inventory.connection(key).cloned();
    match resolve_key(key, to.inventory, own, asker).binding {
        Binding::Bound(theirs) if theirs.spec.stable_key == key && source.is_some_and(|s| s.spec.stable_key == key) => {
            source.cloned()
        }
        Binding::Bound(theirs) => {
            let own = &theirs.spec;
            // A replacement that differs from the target's connection with this key would not take effect there.
            let resolves = |s: &&Arc<Object<ConnectionSpec>>| s.spec.stable_key == key || s.spec.is_same_kind_as(own);
            match source.filter(resolves) {
                Some(source) if own.stable_key == key => Some(source.clone()),
                // The target resolves the key itself: that connection is kept, if the source has it too.
                _ => with_that_key(&own.stable_key),
            }
        }
        _ => source.cloned().or_else(|| with_that_key(key)),
    }
}

impl TargetSide<'_> {
    /// Whether a connection belongs to the tenant: its source declares it, or no writer of Stablekey created it.
    /// Earlier declarations of the source do not count: the ownership record loses them once a sync declares the same.
    fn is_own(&self, connection: &Object<ConnectionSpec>) -> bool {
        let declared = self.own_source.is_some_and(|source| source.connections.contains_key(connection.name()));
        let record = self.inventory.record(self.tenant, &ObjectId::new(Kind::Connection, connection.name()));
        let is_ours = |w: &Writer| w.is_sync() || *w == Writer::Source;
        let of_ours = |r: &Arc<Record>| r.made && r.fields.values().all(|wrote| wrote.writers.iter().all(is_ours));
        declared || !record.is_some_and(of_ours)
    }
}

/// A connection as a sync copies it: only the spec, without test inputs and deletionPolicy, and with the overrides for
/// the target. `theirs` is what the target has and declares under its name.
fn crossing(
    connection: &Arc<Object<ConnectionSpec>>,
    here: &Here<'_>,
    theirs: &[Item],
    matched: &mut BTreeSet<usize>,
) -> (Item, Overrides) {
    let id = ObjectId::new(Kind::Connection, connection.name());
    let meta = &connection.metadata;
    let crosses_as_it_is = !here.concerns(&id)
        && connection.spec.test.is_none()
        && connection.spec.deletion_policy.is_none()
        && meta.labels.is_empty()
        && meta.annotations.is_empty();
    if crosses_as_it_is {
        return (Item::Connection(connection.clone()), Overrides::default());
    }
    let mut spec = ConnectionSpec { test: None, deletion_policy: None, ..connection.spec.clone() };
    let mut overrides = Overrides::default();
    for (field, decision) in here.changed(&id, &mut spec) {
        matched.insert(decision.position);
        overrides.decided.insert(field, decision);
    }
    let ours = Item::Connection(connection.clone());
    let mut kept = Vec::new();
    overrides.keeps = here.kept(&id, &ours, theirs, &mut kept);
    matched.extend(kept);
    let item = Item::Connection(Arc::new(Object::new(connection.name(), spec)));
    (overrides.keeps.keys().fold(item, |item, field| item.with(field, None)), overrides)
}
