//! The checks: small and pure, each with a code, a severity and a message with what to do. To add one: a file here, a
//! code in `code.rs`, one line in the list below.

mod components;
mod customers;
mod differs;
mod environments;
mod expiry;
mod global;
mod inputs;
mod missing;
mod names;
mod of_one_tenant;
mod readiness;
mod replaces;
mod secrets;
mod sign_in;
mod test_credentials;
mod twice;
mod unused;

use super::bindings::Bindings;
use super::model::finding::Finding;
use super::model::inventory::{Inventory, World};
use super::resolve::Replacements;
use crate::api::{ConnectionSpec, TenantSpec};
use crate::parallel;
use jiff::Timestamp;

pub use crate::engine::model::inventory::missing_inputs;
pub use missing::{Elsewhere, MissingFix, how_to_fix_missing};
pub use names::certain_mistake;
pub use secrets::{is_secret_override, secret_literals, unread_type};

/// A tenant as the checks evaluate it: its state after the plan.
pub struct Tenant<'a> {
    /// The name of the tenant.
    pub name: &'a str,
    /// The spec of the Tenant.
    pub spec: &'a TenantSpec,
    /// What the tenant's source declares.
    pub source: Option<&'a Inventory>,
    /// The resources of the tenant.
    pub inventory: &'a Inventory,
    /// The replacements of stable keys.
    pub replacements: &'a Replacements,
    /// The bindings of all variables.
    pub bindings: &'a Bindings<'a>,
    /// The resources of the other tenants.
    pub elsewhere: &'a Elsewhere<'a>,
    /// The time of the plan.
    pub now: Option<Timestamp>,
}

/// The checks within one tenant.
const CHECKS: &[fn(&Tenant<'_>, &mut Vec<Finding>)] = &[
    missing::check,
    names::check,
    inputs::check,
    global::check,
    secrets::check,
    components::check,
    customers::check,
    replaces::check,
    readiness::check,
    twice::check,
    unused::check,
    test_credentials::check,
    sign_in::check,
    expiry::check,
    of_one_tenant::check,
];

/// Runs all checks within one tenant.
pub fn tenant(tenant: &Tenant<'_>) -> Vec<Finding> {
    let findings = parallel::map(tenant.inventory.len(), CHECKS, |check| {
        let mut findings = Vec::new();
        check(tenant, &mut findings);
        findings
    });
    findings.into_iter().flatten().collect()
}

/// Runs all checks across tenants.
pub fn across(tenants: &[(&str, &Inventory)], world: &World) -> Vec<Finding> {
    let mut findings = differs::check(tenants);
    findings.extend(world.syncs.iter().flat_map(|sync| differs::of_sync(sync, tenants, world)));
    findings.extend(environments::check(tenants, world));
    findings
}

impl<'a> Elsewhere<'a> {
    /// Collects the live resources of a world.
    pub fn of(world: &'a World) -> Self {
        Elsewhere {
            tenants: world
                .tenants
                .iter()
                .filter_map(|(name, view)| Some((name.as_str(), view.live.inventory()?.as_ref())))
                .collect(),
        }
    }

    /// A connection with this key in any tenant, and that tenant.
    pub fn connection(&self, key: &str) -> Option<(&str, &ConnectionSpec)> {
        self.tenants.iter().find_map(|(tenant, inventory)| Some((*tenant, &inventory.connection(key)?.spec)))
    }
}
