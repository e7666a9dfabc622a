//! SK0122, SK0148, SK0181: overrides that match nothing or have no effect, each at its line, with a suggestion. Such a sync writes nothing to the
//! tenant: without the override it would bind, or send secrets, to something that was not meant.

use super::reading::Unknowns;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::overrides::{decided_by, removal};
use crate::engine::promote::Promotion;
use crate::near_miss::meant;
use std::collections::BTreeSet;

/// The findings about the overrides of a sync for one of its targets.
pub(super) fn findings(
    sync: &Sync,
    tenant: &str,
    source: &Inventory,
    reading: &Unknowns,
    promotion: &Promotion,
    world: &World,
) -> Vec<Finding> {
    let own = world.tenants.get(tenant).and_then(|view| view.source.as_ref()?.inventory());
    let missing = missing_keys(source, promotion);
    let mut findings = Vec::new();
    for (position, o) in sync.spec.overrides.iter().enumerate() {
        let wrong = |code: Code, text: String, fix: String| {
            let at = position.to_string();
            let text = format!("override {}: {text}", position + 1);
            Finding::of_sync(code, &sync.writer, Some(tenant), text, fix).at_path(&["spec", "overrides", &at])
        };
        if o.tenant != tenant {
            findings.extend(
                unknown_tenant(sync, tenant, o, world)
                    .map(|(text, fix)| wrong(Code::OverrideMatchesNothing, text, fix)),
            );
            continue;
        }
        let doubled = promotion.doubled.iter().any(|(_, second)| *second == position);
        if !doubled && !promotion.matched.contains(&position) {
            // An unreadable object may be the one that the override names, unless a suggestion is clear. A key that the
            // source lacks is reported in the source.
            let of_missing = |key: &String| o.variable.is_none() && missing.contains(key.as_str());
            if o.stable_key.as_ref().is_some_and(of_missing) {
                continue;
            }
            let (text, near) = nothing(sync, o, source);
            // An integration that was read lacks the variable, whatever else is unreadable.
            let is_read = |name: &String| source.integrations.contains_key(name);
            let certain = o.integration.as_ref().is_some_and(is_read)
                || o.variable.is_none() && sync.spec.connection_mode() == ConnectionMode::Match;
            if reading.is_whole() || near.is_some() || certain {
                let until = format!("until then {} writes nothing to {tenant}", sync.writer);
                let fix = near.map_or(format!("correct it, or take it out; {until}"), |near| {
                    format!("did you mean {near}? {until}")
                });
                findings.push(wrong(Code::OverrideMatchesNothing, text, fix));
            }
        } else if let Some((object, path)) = own.and_then(|own| declared_by(own, o)) {
            let text =
                format!("it has no effect: the source of {tenant} declares {path} of {object}, and goes before a sync");
            let fix = format!("take it out, or take {path} out of {object} in the source of {tenant}");
            let void = wrong(Code::OverrideVoid, text, fix);
            findings.push(match removal(o) {
                Some(remove) => void.by(remove),
                None => void,
            });
        } else if let Some((text, near)) = unknown_input(o, source) {
            let fix = near
                .map_or("correct it, or add it to the Component".to_string(), |near| format!("did you mean {near}?"));
            findings.push(wrong(Code::NameUnknown, text, fix));
        }
    }
    findings
}

/// The object and the path of the field that an override changes, where the target's own source declares it.
fn declared_by(own: &Inventory, o: &Override) -> Option<(ObjectId, String)> {
    let (object, field) = decided_by(o)?;
    let is_declared = own.get(&object)?.written(&field).is_some();
    is_declared.then(|| (object, field.path().join(".")))
}

/// The keys that integrations of the sync use and that the source lacks.
fn missing_keys<'s>(source: &'s Inventory, promotion: &Promotion) -> BTreeSet<&'s str> {
    let mut missing = BTreeSet::new();
    for (name, variables) in &promotion.bindings {
        let Some(integration) = source.integrations.get(name) else { continue };
        let unbound = |v: &&Variable| variables.get(&v.name).is_some_and(|binding| binding.connection.is_none());
        missing.extend(integration.spec.connections.iter().filter(unbound).filter_map(Variable::stable_key));
    }
    missing
}

/// An override for a tenant that the sync does not copy to. It is reported for the target with a similar name, or for
/// every target if none is similar: without it, any of them would get what was not meant.
fn unknown_tenant(sync: &Sync, tenant: &str, o: &Override, world: &World) -> Option<(String, String)> {
    if sync.spec.goes_to(&o.tenant) {
        return None;
    }
    let near = meant(&o.tenant, sync.spec.targets().map(String::as_str));
    if near.is_some_and(|near| near != tenant) {
        return None;
    }
    let text = match world.tenants.contains_key(&o.tenant) {
        true => format!("it is for tenant {}, to which {} does not copy", o.tenant, sync.writer),
        false => format!("it is for tenant {}, which is not there", o.tenant),
    };
    let fix = near.map_or_else(
        || format!("{} copies to {}; correct it, or take it out", sync.writer, sync.spec.targets_in_words()),
        |near| format!("did you mean {near}?"),
    );
    Some((text, fix))
}

/// The nonexistent item that an override names, and a suggestion.
fn nothing<'s>(sync: &Sync, o: &Override, source: &'s Inventory) -> (String, Option<&'s str>) {
    let from = &sync.spec.from;
    let carried = || source.integrations.keys().map(String::as_str).filter(|name| sync.spec.selects(name));
    let keys = || source.connections.values().map(|c| c.spec.stable_key.as_str());
    match (&o.integration, &o.variable, &o.stable_key, &o.object) {
        (Some(integration), Some(variable), ..) => match source.integrations.get(integration) {
            Some(there) if sync.spec.selects(integration) => {
                let names = there.spec.connections.iter().map(|v| v.name.as_str());
                (format!("{integration} has no variable {variable:?} with a stable key"), meant(variable, names))
            }
            Some(_) => (format!("the sync does not carry integration {integration}"), None),
            None => (format!("{from} has no integration {integration}"), meant(integration, carried())),
        },
        (_, _, Some(key), _) if source.connection(key).is_none() => {
            (format!("{from} has no connection {key}"), meant(key, keys()))
        }
        (_, _, Some(key), _) if sync.spec.connection_mode() == ConnectionMode::Match => {
            (format!("the sync writes no connection, since connections is Match ({key})"), None)
        }
        (_, _, Some(key), _) => (format!("no integration of the sync uses {key}"), None),
        (_, _, _, Some(object)) => {
            let name = object.split_once('/').map_or(object.as_str(), |(_, name)| name);
            let near = meant(name, carried().chain(source.connections.keys().map(String::as_str)));
            (format!("the sync writes no {} of {object}", o.field.as_deref().unwrap_or("field")), near)
        }
        _ => ("it changes nothing".to_string(), None),
    }
}

/// An input in an override that neither the connection nor its type has.
fn unknown_input(o: &Override, source: &Inventory) -> Option<(String, Option<String>)> {
    let (key, input) = (o.stable_key.as_ref()?, o.input.as_ref()?);
    let connection = source.connection(key)?;
    let of_types = source.types_of(&connection.spec).flat_map(|t| t.inputs.keys());
    let of_types: BTreeSet<&str> = of_types.map(String::as_str).collect();
    if of_types.contains(input.as_str()) || connection.spec.inputs.contains_key(input) {
        return None;
    }
    let known = of_types.iter().copied().chain(connection.spec.inputs.keys().map(String::as_str));
    let near = meant(input, known).map(str::to_string);
    if of_types.is_empty() && near.is_none() {
        return None;
    }
    Some((format!("input {input} of type {} is not there", connection.spec.type_), near))
}
