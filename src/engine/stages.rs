//! The stages of a sync: which are open, and what closes the others. Decided from data alone.
//!
//! A release is what a sync carries at one moment. A target is done with it when nothing of the sync is left to do there,
//! nothing of it is unresolved, and the sync's integrations are Ready there. A stage is open when every target of the
//! stages before it is done. So a stage never gets a release that the one before has not taken, and a release that is
//! superseded on its way ends where it is: the newer one begins again with the first stage.

use super::check::secret_literals;
use super::model::canonical::Digesting;
use super::model::field::{Field, FieldKind};
use super::model::inventory::{Inventory, Ready, Sync, World};
use super::model::item::Item;
use super::model::stages::{HeldBy, Hindrance, Release};
use super::promote::SourceSide;
use super::resolve::{Binding, Replacements, resolve_variable};
use crate::api::{ConnectionMode, ConnectionSpec, Meta, Object, Stage};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The open stages, and what closes the next one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The number of open stages. The first stage is always open.
    pub open: usize,
    /// The targets of the last open stage that are not done, if there is a stage after it.
    pub held_by: Vec<HeldBy>,
}

/// Decides which stages are open. `known` stages are evaluated, at least one: those after are closed whatever their
/// targets are. `hindrance` returns why a target is not done.
pub fn decide(stages: &[Stage], known: usize, hindrance: &dyn Fn(&str) -> Option<Hindrance>) -> Decision {
    let held_by = |stage: &Stage| {
        let held = |tenant: &String| Some(HeldBy { tenant: tenant.clone(), why: hindrance(tenant)? });
        stage.to.iter().filter_map(held).collect::<Vec<_>>()
    };
    // What holds back nothing is not asked for.
    let before = stages.len().saturating_sub(1).min(known.max(1));
    for (number, stage) in stages.iter().enumerate().take(before) {
        let held_by = held_by(stage);
        if !held_by.is_empty() {
            return Decision { open: number + 1, held_by };
        }
    }
    Decision { open: (before + 1).min(stages.len().max(1)), held_by: Vec::new() }
}

/// Returns what a sync carries from its source.
pub fn release(sync: &Sync, from: SourceSide<'_>) -> Release {
    let mode = sync.spec.connection_mode();
    let selected = from.inventory.integrations.values().filter(|i| sync.spec.selects(i.name()));
    let mut items: BTreeMap<String, Item> = BTreeMap::new();
    let mut integrations = BTreeSet::new();
    for integration in selected {
        let name = integration.name();
        integrations.insert(name.to_string());
        for variable in integration.spec.connections.iter().filter(|_| mode != ConnectionMode::Match) {
            let bound = resolve_variable(from.tenant, name, variable, from.inventory, from.replacements);
            if let Some(connection) = bound.connection() {
                let item = carried(connection, from.inventory);
                items.insert(item.id().to_string(), item);
            }
        }
        let mut integration = integration.clone();
        if !integration.metadata.labels.is_empty() || !integration.metadata.annotations.is_empty() {
            Arc::make_mut(&mut integration).metadata = Meta::named(name);
        }
        let item = Item::Integration(integration, from.inventory.uses.get(name).cloned());
        items.insert(item.id().to_string(), item);
    }
    let mut digesting = Digesting::default();
    digesting.object(items.into_iter().collect(), |digesting, item| digesting.written(|text| item.write_json(text)));
    Release { digest: digesting.finish(), integrations }
}

/// Returns what a sync carries from its source as it is live; `None` if that cannot be read.
pub fn live_release(world: &World, sync: &Sync) -> Option<Release> {
    let tenant = sync.spec.from.as_str();
    let inventory = world.tenants.get(tenant)?.live.inventory()?;
    let replacements = Replacements::of(tenant, inventory);
    Some(release(sync, SourceSide { tenant, inventory, replacements: &replacements }))
}

/// A connection as every target would get it. A literal that is a secret never crosses, and is in no digest.
fn carried(connection: &Arc<Object<ConnectionSpec>>, source: &Inventory) -> Item {
    let spec = ConnectionSpec { test: None, deletion_policy: None, ..connection.spec.clone() };
    let item = Item::Connection(Arc::new(Object::new(connection.name(), spec)));
    let secrets: Vec<String> = secret_literals(&item, &[source]).into_iter().map(str::to_string).collect();
    secrets.iter().fold(item, |item, name| item.with(&Field::named(FieldKind::Input, name), None))
}

/// Returns the integrations of a release that are not Ready in a tenant now, by name.
pub fn unready(tenant: &str, inventory: &Inventory, release: &Release) -> Vec<String> {
    let replacements = Replacements::of(tenant, inventory);
    let is_ready = |name: &&String| is_ready(tenant, inventory, &replacements, name);
    release.integrations.iter().filter(|name| !is_ready(name)).cloned().collect()
}

/// Whether an integration is Ready in a tenant now: its definition is complete and no draft, every variable is bound to a
/// connection that can be used, and the location reports it as Ready in its current state, if it reports that at all.
fn is_ready(tenant: &str, inventory: &Inventory, replacements: &Replacements, name: &str) -> bool {
    let Some(integration) = inventory.integrations.get(name) else { return false };
    // What was Ready before its last change is not known to be Ready with it. The same holds for its connections.
    let is_reported =
        !inventory.can.reports_ready_integrations || inventory.ready_integrations.get(name) == Some(&Ready::Yes);
    let is_bound = |variable| match resolve_variable(tenant, name, variable, inventory, replacements).binding {
        Binding::Own | Binding::Foreign(_) => true,
        Binding::Bound(connection) => inventory.is_usable(&connection),
        Binding::Missing | Binding::Unknown(_) => false,
    };
    let has_definition = integration.spec.definition.is_none() || inventory.uses.contains_key(name);
    let is_draft = inventory.integration_facts.get(name).is_some_and(|facts| facts.is_draft());
    is_reported
        && has_definition
        && !is_draft
        && !inventory.definitions_gone.contains(name)
        && integration.spec.connections.iter().all(is_bound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn stages(of: &[&[&str]]) -> Vec<Stage> {
        of.iter().map(|to| Stage { to: to.iter().map(ToString::to_string).collect() }).collect()
    }

    fn decided(of: &[&[&str]], known: usize, done: &[&str]) -> (usize, Vec<String>) {
        let done: BTreeSet<&str> = done.iter().copied().collect();
        let hindrance = |tenant: &str| (!done.contains(tenant)).then_some(Hindrance::Unverified);
        let Decision { open, held_by } = decide(&stages(of), known, &hindrance);
        (open, held_by.into_iter().map(|held| held.tenant).collect())
    }

    #[test]
    fn a_stage_is_open_once_every_target_before_it_is_done() {
        let of: &[&[&str]] = &[&["a"], &["b", "c"], &["d"]];
        assert_eq!(decided(of, 9, &[]), (1, vec!["a".to_string()]));
        assert_eq!(decided(of, 9, &["a"]), (2, vec!["b".to_string(), "c".to_string()]));
        assert_eq!(decided(of, 9, &["a", "b"]), (2, vec!["c".to_string()]));
        // A later stage that is done opens nothing.
        assert_eq!(decided(of, 9, &["b", "c", "d"]), (1, vec!["a".to_string()]));
        assert_eq!(decided(of, 9, &["a", "b", "c"]), (3, Vec::new()));
        assert_eq!(decided(&[&["a"]], 9, &[]), (1, Vec::new()));
        assert_eq!(decided(&[], 9, &[]), (1, Vec::new()));
    }

    #[test]
    fn a_stage_that_was_closed_opens_no_other_at_once() {
        let of: &[&[&str]] = &[&["a"], &["b"], &["c"]];
        assert_eq!(decided(of, 1, &["a", "b"]), (2, Vec::new()));
        assert_eq!(decided(of, 2, &["a", "b"]), (3, Vec::new()));
        assert_eq!(decided(of, 2, &["b"]), (1, vec!["a".to_string()]));
    }

    #[test]
    fn what_holds_back_nothing_is_not_asked_for() {
        let asked = RefCell::new(Vec::new());
        let hindrance = |tenant: &str| {
            asked.borrow_mut().push(tenant.to_string());
            (tenant == "b").then_some(Hindrance::Absent)
        };
        decide(&stages(&[&["a"], &["b"], &["c"], &["d"]]), 9, &hindrance);
        assert_eq!(*asked.borrow(), ["a", "b"]);
        asked.borrow_mut().clear();
        decide(&stages(&[&["a"]]), 9, &hindrance);
        assert!(asked.borrow().is_empty());
    }
}
