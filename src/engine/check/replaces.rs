//! SK0118, SK0119 and SK0157: replacements that do not take effect.

use super::{Tenant, missing_inputs};
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::{WhyNot, resolve_credentials};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    for (older, newer) in tenant.replacements.ambiguous() {
        for key in &newer {
            findings.push(Finding::of(
                Code::ReplacesAmbiguous,
                tenant.name,
                ObjectId::new(Kind::Connection, names::of_stable_key(key)),
                format!("{} all replace {older}: none resolves it", newer.join(" and ")),
                format!("let one of them only replace {older}"),
            ));
        }
    }
    for key in &tenant.replacements.cycles() {
        findings.push(Finding::of(
            Code::ReplacesAmbiguous,
            tenant.name,
            ObjectId::new(Kind::Connection, names::of_stable_key(key)),
            format!("{key} is part of a cycle of replacements: none of them takes effect"),
            "take the older key out of `replaces` of the older connection",
        ));
    }
    for (older, newer) in tenant.replacements.differing(tenant.inventory) {
        findings.push(Finding::of(
            Code::ReplacesDiffers,
            tenant.name,
            ObjectId::new(Kind::Connection, newer.name()),
            format!(
                "{} replaces {older} but differs in component, type or credentials: {older} keeps its own connection",
                newer.spec.stable_key
            ),
            format!("bind what names {older} to the new key yourself; its customers would have to sign in again"),
        ));
    }
    waiting(tenant, findings);
}

/// Bindings that would move to a replacement if it were complete.
fn waiting(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    if tenant.replacements.is_empty() {
        return;
    }
    let mut waits: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut of_customers: BTreeMap<String, usize> = BTreeMap::new();
    for row in &tenant.bindings.rows {
        let names = format!("{:?} of {}", row.variable.name, row.integration);
        for newer in row.resolution.considered.iter().filter(|c| c.why_not == WhyNot::NotReady) {
            waits.entry(&newer.key).or_default().insert(names.clone());
        }
    }
    for credentials in tenant.inventory.customer_credentials.values() {
        let meant = resolve_credentials(tenant.name, credentials, tenant.inventory, tenant.replacements);
        for newer in meant.considered.into_iter().filter(|c| c.why_not == WhyNot::NotReady) {
            *of_customers.entry(newer.key).or_default() += 1;
        }
    }
    let keys: BTreeSet<&str> = waits.keys().copied().chain(of_customers.keys().map(String::as_str)).collect();
    for key in keys {
        let Some(newer) = tenant.inventory.connection(key) else { continue };
        let mut who: Vec<String> = waits.get(key).into_iter().flatten().take(3).cloned().collect();
        let more = waits.get(key).map_or(0, BTreeSet::len).saturating_sub(who.len());
        who.extend((more > 0).then(|| format!("{more} more variables")));
        who.extend(of_customers.get(key).map(|count| format!("credentials of {count} customers")));
        let missing = missing_inputs(&newer.spec, tenant.inventory);
        let finding = Finding::of(
            Code::BindingWaits,
            tenant.name,
            ObjectId::new(Kind::Connection, newer.name()),
            match missing.as_slice() {
                [] => format!("{key} is not ready there: what it replaces stays in effect, for {}", who.join(", ")),
                lacks => format!(
                    "{key} lacks {}, which its type requires: what it replaces stays in effect, for {}",
                    lacks.join(", "),
                    who.join(", ")
                ),
            },
            format!("complete Connection/{}; what waits moves by itself then", newer.name()),
        );
        let set = || EditCommand::set(tenant.name, key).giving(&missing, &newer.spec, tenant.inventory);
        findings.push((!missing.is_empty()).then(set).into_iter().fold(finding, Finding::by));
    }
}
