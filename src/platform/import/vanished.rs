//! Reports objects of earlier imports that are missing now: integrations, and connections that are no longer used or no
//! longer on the platform. Nothing is removed; each is listed with a possible replacement.

use super::{Existing, ImportNote};
use crate::api::{ConnectionSpec, IntegrationSpec, Object, Variable};
use crate::near_miss::near_misses;
use std::collections::BTreeSet;

/// An integration, the one that it replaces, and the bindings of its variables.
pub(super) type Imported<'a> = (String, Option<&'a Object<IntegrationSpec>>, Vec<Variable>);

/// The known state of a tenant after an import.
pub(super) struct AfterImport<'a> {
    /// The integrations, with the bindings of their variables.
    pub integrations: &'a [Imported<'a>],
    /// The titles of the integrations.
    pub titles: &'a [&'a str],
    /// The new connections.
    pub connections: &'a [Object<ConnectionSpec>],
}

/// Integrations from an earlier import that are missing in this one.
pub(super) fn integrations(existing: &Existing<'_>, now: &AfterImport<'_>) -> Vec<ImportNote> {
    let is_met = |there: &Object<IntegrationSpec>| now.integrations.iter().any(|(name, ..)| name == there.name());
    let new = || now.integrations.iter().zip(now.titles).filter(|((_, before, _), _)| before.is_none());
    // An integration without a definition was never imported.
    let gone = existing.integrations.iter().filter(|there| there.spec.definition.is_some() && !is_met(there));
    let note = |there: &Object<IntegrationSpec>| {
        let names: BTreeSet<&str> = there.spec.connections.iter().map(|variable| variable.name.as_str()).collect();
        let has_them = |variables: &[Variable]| {
            !names.is_empty() && variables.iter().map(|v| v.name.as_str()).collect::<BTreeSet<_>>() == names
        };
        let same_variables =
            new().find(|((_, _, variables), _)| has_them(variables)).map(|((name, ..), _)| name.clone());
        let title = there.spec.title.as_deref().unwrap_or(there.name());
        let near = || {
            let near = near_misses(title, new().map(|(_, title)| *title)).into_iter().next()?;
            new().find(|(_, title)| **title == near).map(|((name, ..), _)| name.clone())
        };
        ImportNote::IntegrationGone {
            name: there.name().to_string(),
            title: title.to_string(),
            near: same_variables.or_else(near),
        }
    };
    gone.map(note).collect()
}

/// Connections that an integration was bound to before this import, and that none is bound to now.
pub(super) fn unused(existing: &Existing<'_>, now: &AfterImport<'_>) -> Vec<ImportNote> {
    let before: BTreeSet<&str> = existing.integrations.iter().flat_map(|there| keys(&there.spec.connections)).collect();
    let is_met = |there: &Object<IntegrationSpec>| now.integrations.iter().any(|(name, ..)| name == there.name());
    let stay = existing.integrations.iter().filter(|there| !is_met(there)).map(|there| &there.spec.connections);
    let imported = now.integrations.iter().map(|(.., variables)| variables);
    let after: BTreeSet<&str> = stay.chain(imported).flat_map(|variables| keys(variables)).collect();
    let resolves = |connection: &ConnectionSpec, keys: &BTreeSet<&str>| {
        std::iter::once(&connection.stable_key).chain(&connection.replaces).any(|key| keys.contains(key.as_str()))
    };
    let gone = existing.connections.iter().filter(|c| resolves(&c.spec, &before) && !resolves(&c.spec, &after));
    let all = || existing.connections.iter().chain(now.connections);
    let note = |gone: &Object<ConnectionSpec>| {
        let is_new = |c: &&Object<ConnectionSpec>| {
            resolves(&c.spec, &after) && !resolves(&c.spec, &before) && is_similar(&c.spec, &gone.spec)
        };
        let near = all().find(is_new).map(|c| c.spec.stable_key.clone());
        ImportNote::ConnectionUnused { key: gone.spec.stable_key.clone(), near }
    };
    gone.map(note).collect()
}

/// Connections of the folder that the platform lacks, if its answer is complete.
pub(crate) fn connections(
    existing: &[Object<ConnectionSpec>],
    there: &BTreeSet<&str>,
    new: &[Object<ConnectionSpec>],
) -> Vec<ImportNote> {
    let gone = existing.iter().filter(|c| !there.contains(c.spec.stable_key.as_str()));
    let note = |gone: &Object<ConnectionSpec>| {
        let near = new.iter().find(|c| is_similar(&c.spec, &gone.spec)).map(|c| c.spec.stable_key.clone());
        ImportNote::ConnectionGone { key: gone.spec.stable_key.clone(), near }
    };
    gone.map(note).collect()
}

fn keys(variables: &[Variable]) -> impl Iterator<Item = &str> {
    variables.iter().filter_map(Variable::stable_key)
}

fn is_similar(one: &ConnectionSpec, other: &ConnectionSpec) -> bool {
    one.component.is(&other.component) && one.type_ == other.type_
}
