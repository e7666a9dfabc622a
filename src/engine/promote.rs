//! What a sync declares in one of its targets.

use super::diff::{Declaration, Extent};
use super::item::{Item, ObjectId};
use super::record::Writer;
use super::resolve::{Asker, Binding, Replacements, resolve_key, resolve_variable};
use super::world::{Inventory, Sync};
use crate::api::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A tenant as a sync sees it.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its name.
    pub tenant: &'a str,
    /// Its resources: of the source as they will be, of the target as they are or its own source has them.
    pub inventory: &'a Inventory,
    /// Who replaces which key there.
    pub replacements: &'a Replacements,
}

/// What a sync declares in one target.
#[derive(Debug, Default)]
pub struct Promotion {
    /// Of each object.
    pub declarations: Vec<(ObjectId, Declaration)>,
    /// What each declared variable is bound to in the source, by integration and variable.
    pub bindings: BTreeMap<String, BTreeMap<String, SourceBinding>>,
    /// Positions of overrides that matched something.
    pub matched: BTreeSet<usize>,
    /// How many integrations the sync selects.
    pub selected: usize,
}

/// What a variable is bound to in the source.
#[derive(Clone, Debug)]
pub struct SourceBinding {
    /// The connection there; `None` where it is the integration's own, or missing there too.
    pub connection: Option<Arc<Object<ConnectionSpec>>>,
    /// Whether an override gives it another key in the target.
    pub overridden: bool,
}

/// Carries the integrations that a sync selects, and the connections that they use, to a target.
/// `made_by` names the actions that make an object of the source.
pub fn promote(sync: &Sync, from: Side<'_>, to: Side<'_>, made_by: &dyn Fn(&ObjectId) -> Option<String>) -> Promotion {
    let mut promotion = Promotion::default();
    let mut connections: BTreeMap<String, Arc<Object<ConnectionSpec>>> = BTreeMap::new();
    for (name, integration) in from.inventory.integrations.iter().filter(|(name, _)| sync.spec.selects(name)) {
        promotion.selected += 1;
        let mut crossing = integration.clone();
        let mut bindings = BTreeMap::new();
        for (place, variable) in integration.spec.connections.iter().enumerate() {
            let connection =
                resolve_variable(from.tenant, name, variable, from.inventory, from.replacements).connection().cloned();
            let other = sync.spec.overrides.iter().enumerate().find(|(_, o)| {
                o.tenant == to.tenant
                    && o.integration.as_deref() == Some(name)
                    && o.variable.as_deref() == Some(&variable.name)
            });
            let mut key = variable.stable_key();
            if let (Some((position, other)), Some(_)) = (other, key) {
                promotion.matched.insert(position);
                key = Some(&other.stable_key);
                Arc::make_mut(&mut crossing).spec.connections[place] =
                    Variable::bound(&variable.name, &other.stable_key);
            }
            let binding = SourceBinding { connection, overridden: other.is_some() };
            if let Some(key) = key
                && let Some(carried) = carried(key, &binding, from, to)
            {
                connections.entry(carried.spec.stable_key.clone()).or_insert(carried);
            }
            bindings.insert(variable.name.clone(), binding);
        }
        let id = ObjectId::new(Kind::Integration, name);
        if !crossing.metadata.labels.is_empty() || !crossing.metadata.annotations.is_empty() {
            Arc::make_mut(&mut crossing).metadata = Meta::named(name);
        }
        let item = Item::Integration(crossing, from.inventory.uses.get(name).cloned());
        let after = made_by(&id).into_iter().collect();
        let declaration = Declaration {
            writer: sync.writer.clone(),
            item,
            extent: Extent::Crossing,
            from: from.tenant.to_string(),
            after,
        };
        promotion.declarations.push((id, declaration));
        promotion.bindings.insert(name.clone(), bindings);
    }
    for (key, connection) in connections {
        match_input_overrides(sync, to.tenant, &key, &mut promotion.matched);
        let extent = match sync.spec.connection_mode() {
            ConnectionMode::Match => continue,
            ConnectionMode::Create => Extent::Existence,
            ConnectionMode::Mirror => Extent::Crossing,
        };
        let id = ObjectId::new(Kind::Connection, connection.name());
        let after = made_by(&id).into_iter().collect();
        let item = Item::Connection(crossing(&connection, sync, to.tenant));
        let declaration =
            Declaration { writer: sync.writer.clone(), item, extent, from: from.tenant.to_string(), after };
        promotion.declarations.push((id, declaration));
    }
    promotion
}

/// The source's connection that stands behind a key of the target: the one that the target would
/// bind, where the source has it. What syncs brought there does not count, else what a sync declares
/// would depend on what it declared before.
fn carried(key: &str, binding: &SourceBinding, from: Side<'_>, to: Side<'_>) -> Option<Arc<Object<ConnectionSpec>>> {
    let source = binding.connection.as_ref().filter(|_| !binding.overridden);
    let asker = Asker { writers: None, source_binding: source.map(|c| &c.spec) };
    let with_that_key = |key: &str| from.inventory.connection(key).cloned();
    match resolve_key(key, to.inventory, to.replacements, asker).binding {
        Binding::Bound(theirs) if theirs.spec.stable_key == key && source.is_some_and(|s| s.spec.stable_key == key) => {
            source.cloned()
        }
        Binding::Bound(theirs) if to.is_own(&theirs) => {
            let own = &theirs.spec;
            // A replacement that differs from what the target has under the key would not answer there.
            let answers = |s: &&Arc<Object<ConnectionSpec>>| s.spec.stable_key == key || s.spec.is_same_kind_as(own);
            match source.filter(answers) {
                Some(source) if own.stable_key == key => Some(source.clone()),
                // The target has its own answer for the key: that one is kept, where the source has it too.
                _ => with_that_key(&own.stable_key),
            }
        }
        _ => source.cloned().or_else(|| with_that_key(key)),
    }
}

impl Side<'_> {
    /// Whether a connection is the tenant's own: no sync made it.
    fn is_own(&self, connection: &Object<ConnectionSpec>) -> bool {
        let record = self.inventory.record(self.tenant, &ObjectId::new(Kind::Connection, connection.name()));
        !record.is_some_and(|r| r.made && r.fields.values().all(|wrote| wrote.writers.iter().all(Writer::is_sync)))
    }
}

/// A connection as a sync carries it: spec only, without test inputs and deletionPolicy, with the
/// target's overrides.
fn crossing(connection: &Arc<Object<ConnectionSpec>>, sync: &Sync, tenant: &str) -> Arc<Object<ConnectionSpec>> {
    let overrides: Vec<_> = input_overrides(sync, tenant, &connection.spec.stable_key).collect();
    let meta = &connection.metadata;
    let crosses_as_it_is = overrides.is_empty()
        && connection.spec.test.is_none()
        && connection.spec.deletion_policy.is_none()
        && meta.labels.is_empty()
        && meta.annotations.is_empty();
    if crosses_as_it_is {
        return connection.clone();
    }
    let mut spec = ConnectionSpec { test: None, deletion_policy: None, ..connection.spec.clone() };
    for (_, input, value) in overrides {
        spec.inputs.insert(input.to_string(), Input::value(value));
    }
    Arc::new(Object::new(connection.name(), spec))
}

fn input_overrides<'a>(
    sync: &'a Sync,
    tenant: &'a str,
    key: &'a str,
) -> impl Iterator<Item = (usize, &'a str, &'a str)> {
    sync.spec.overrides.iter().enumerate().filter_map(move |(position, o)| {
        let here = o.tenant == tenant && o.stable_key == key;
        Some((position, o.input.as_deref()?, o.value.as_deref()?)).filter(|_| here)
    })
}

fn match_input_overrides(sync: &Sync, tenant: &str, key: &str, matched: &mut BTreeSet<usize>) {
    // Under Match no connection is written: such an override does nothing.
    if sync.spec.connection_mode() != ConnectionMode::Match {
        matched.extend(input_overrides(sync, tenant, key).map(|(position, ..)| position));
    }
}
