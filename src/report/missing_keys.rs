//! The stable keys that are missing for what a plan would write.

use super::object_state::{Grounds, ObjectStates};
use crate::api::{ConnectionMode, IntegrationSpec, Kind, Object, Variable, names};
use crate::engine::model::code::Code;
use crate::engine::model::inventory::{Sync, View, World};
use crate::engine::model::item::{Item, ObjectId};
use crate::engine::model::plan::Note;
use crate::engine::overrides::Here;
use crate::engine::resolve::{Asker, Binding, Replacements, resolve_key};
use std::collections::BTreeSet;

/// The keys that nothing in a tenant answers and that its plan needs, each with the integration that it blocks: `None`
/// for a binding that is written all the same. With the replacements of one key, only what is said of that key counts.
pub(super) fn missing_for_plan<'a>(
    states: &ObjectStates<'a>,
    grounds: &Grounds<'a>,
    replacements: &Replacements,
) -> Vec<(&'a str, Option<&'a str>)> {
    let mut missing = Vec::new();
    for note in states.target.into_iter().flat_map(|target| &target.notes) {
        if let Note::Blocked { object, code: Code::BindingMissing, .. } = note {
            let keys = needed(states, grounds.world, object, replacements);
            missing.extend(keys.into_iter().map(|key| (key, Some(object.name.as_str()))));
        }
    }
    for finding in grounds.findings(states.tenant).iter().filter(|finding| finding.code == Code::BindingMissing) {
        let variable = finding.path.last().filter(|_| finding.path.len() == 3);
        if let Some((object, variable)) = finding.object.as_ref().zip(variable)
            && let Some(key) = key_of_variable(states, object, variable)
            && !states.creates(key)
        {
            missing.push((key, None));
        }
    }
    missing
}

/// The keys that a blocked integration would need in a tenant, and that nothing there answers.
fn needed<'a>(
    states: &ObjectStates<'a>,
    world: &'a World,
    integration: &ObjectId,
    replacements: &Replacements,
) -> Vec<&'a str> {
    let Some(inventory) = states.inventory else { return Vec::new() };
    let own = states.view.source.as_ref().and_then(|source| source.inventory()?.integrations.get(&integration.name));
    let mut keys = Vec::new();
    for sync in states.carried.iter().filter(|sync| sync.spec.selects(&integration.name)) {
        let Some(from) = world.tenants.get(&sync.spec.from) else { continue };
        let views = [from.source.as_ref(), Some(&from.live)].into_iter().flatten();
        let Some(object) = views.filter_map(|v| v.inventory()?.integrations.get(&integration.name)).next() else {
            continue;
        };
        let here = Here::of(&sync.spec, states.tenant);
        let writers = BTreeSet::from([sync.writer.clone()]);
        for variable in &object.spec.connections {
            let declared = own.and_then(|own| own.spec.connections.iter().find(|v| v.name == variable.name));
            let overridden = here.variable(integration, &variable.name).map(|(_, key)| key);
            let key = match declared {
                Some(declared) => declared.stable_key(),
                None => overridden.or_else(|| variable.stable_key()),
            };
            let Some(key) = key else { continue };
            let asker = Asker { writers: Some(&writers), ..Asker::default() };
            let is_missing = matches!(resolve_key(key, inventory, replacements, asker).binding, Binding::Missing);
            if is_missing && !states.creates(key) && !may_bring(world, sync, key) {
                keys.push(key);
            }
        }
    }
    keys
}

/// Whether a connection that a sync did not bring may be in what was not read of its source.
pub(super) fn may_bring(world: &World, sync: &Sync, key: &str) -> bool {
    let id = ObjectId::new(Kind::Connection, names::of_stable_key(key));
    let (mut next, mut seen): (Vec<&Sync>, BTreeSet<&str>) = (vec![sync], BTreeSet::new());
    while let Some(sync) = next.pop() {
        let from = sync.spec.from.as_str();
        if sync.spec.connection_mode() == ConnectionMode::Match || !seen.insert(from) {
            continue;
        }
        let Some(tenant) = world.tenants.get(from) else { return true };
        let views = [Some(&tenant.live), tenant.source.as_ref()].into_iter().flatten();
        let is_unread = |read: &View| {
            read.inventory().is_none_or(|read| !read.unparsed.is_empty() || read.invalid.contains_key(&id))
        };
        if views.into_iter().any(is_unread) {
            return true;
        }
        next.extend(world.syncs.iter().filter(|sync| sync.spec.goes_to(from)));
    }
    false
}

/// The stable key that a variable means after the plan, or live.
fn key_of_variable<'a>(states: &ObjectStates<'a>, id: &ObjectId, variable: &str) -> Option<&'a str> {
    let of = |object: &'a Object<IntegrationSpec>| {
        object.spec.connections.iter().find(|v| v.name == variable).and_then(Variable::stable_key)
    };
    let planned = states.action_on(id).and_then(|action| match &action.change.after {
        Some(Item::Integration(object, _)) => of(object),
        _ => None,
    });
    planned.or_else(|| of(states.inventory?.integrations.get(&id.name)?))
}
