//! The checks: small, pure, each with a code, a severity and a message that says what to do. To add
//! one: a file here, a code in `code.rs`, one line in the list below.

mod components;
mod customers;
mod differs;
mod global;
mod inputs;
mod missing;
mod names;
mod replaces;
mod secrets;

use super::bindings::Bindings;
use super::model::finding::Finding;
use super::model::inventory::{Inventory, Sync, World};
use super::resolve::Replacements;
use crate::parallel;

pub use crate::engine::model::inventory::missing_inputs;
pub use missing::{Elsewhere, how_to_mend_missing};
pub use names::surely_wrong;
pub use secrets::{secret_literals, unread_type};

/// A tenant as the checks see it: as it will be after the plan.
pub struct Tenant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its resources.
    pub inventory: &'a Inventory,
    /// Who replaces which key.
    pub replacements: &'a Replacements,
    /// What every variable means.
    pub bindings: &'a Bindings<'a>,
    /// What the other tenants have.
    pub elsewhere: &'a Elsewhere<'a>,
}

/// The checks of one tenant.
const CHECKS: &[fn(&Tenant<'_>, &mut Vec<Finding>)] = &[
    missing::check,
    names::check,
    inputs::check,
    global::check,
    secrets::check,
    components::check,
    customers::check,
    replaces::check,
];

/// Everything that the checks say of one tenant.
pub fn tenant(tenant: &Tenant<'_>) -> Vec<Finding> {
    let findings = parallel::map(tenant.inventory.len(), CHECKS, |check| {
        let mut findings = Vec::new();
        check(tenant, &mut findings);
        findings
    });
    findings.into_iter().flatten().collect()
}

/// Everything that the checks say across tenants.
pub fn across(tenants: &[(&str, &Inventory)], syncs: &[Sync]) -> Vec<Finding> {
    let mut findings = differs::check(tenants);
    findings.extend(syncs.iter().flat_map(|sync| differs::of_sync(sync, tenants)));
    findings
}

impl<'a> Elsewhere<'a> {
    /// What the tenants of a world have.
    pub fn of(world: &'a World) -> Self {
        Elsewhere {
            tenants: world
                .tenants
                .iter()
                .filter_map(|(name, view)| Some((name.as_str(), view.live.inventory()?.as_ref())))
                .collect(),
        }
    }
}
