//! SK0101 and SK0127: variables that do not resolve to a connection, with the keys that may have been meant.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::Inventory;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::{Binding, WhyNot};
use crate::near_miss::{is_same_folded, meant, similar_of_kind};

/// The resources of all tenants, to find out what a missing connection should be.
#[derive(Debug, Default)]
pub struct Elsewhere<'a> {
    /// The live resources, by tenant.
    pub tenants: Vec<(&'a str, &'a Inventory)>,
}

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    for row in &tenant.bindings.rows {
        let Some(key) = row.variable.stable_key() else { continue };
        let object = || ObjectId::new(Kind::Integration, row.integration);
        let variable = &row.variable.name;
        match &row.resolution.binding {
            Binding::Missing => {
                let switch = |to: &str| EditCommand::switch_variable(tenant.name, row.integration, variable, to);
                let refused = row.resolution.considered.iter().find(|c| c.why_not == WhyNot::Differs);
                let (fix, commands) = match refused {
                    Some(c) => {
                        let text = format!(
                            "{} replaces {key} but differs in component, type or credentials: bind the variable to it \
                             yourself",
                            c.key
                        );
                        (text, vec![switch(&c.key)])
                    }
                    None => {
                        let fix = how_to_fix_missing(tenant.name, key, None, tenant.inventory, tenant.elsewhere);
                        let near = fix.near.first().map(|near| switch(near));
                        (fix.text, near.into_iter().chain(fix.make).collect())
                    }
                };
                let text = format!("{variable:?} names stable key {key}, which {} does not have", tenant.name);
                let path = ["spec", "connections", variable];
                let finding = Finding::of(Code::BindingMissing, tenant.name, object(), text, fix).at_path(&path);
                findings.push(Finding { commands, ..finding });
            }
            Binding::Unknown(why) => {
                let text = format!("{variable:?} names stable key {key}: {why}");
                let path = ["spec", "connections", variable];
                let finding = Finding::of(Code::BindingUnknown, tenant.name, object(), text, "fix that first");
                findings.push(finding.at_path(&path));
            }
            Binding::Bound(_) | Binding::Own | Binding::Foreign(_) => {}
        }
    }
}

/// How to fix a missing key.
#[derive(Debug)]
pub struct MissingFix {
    /// The fix in words.
    pub text: String,
    /// The keys that may have been meant, the most similar first.
    pub near: Vec<String>,
    /// The command that makes the connection; `None` if the key is only written differently.
    pub make: Option<EditCommand>,
}

/// How to fix a missing key: a similar key, or a connection like the one in another tenant.
pub fn how_to_fix_missing(
    tenant: &str,
    key: &str,
    source: Option<&ConnectionSpec>,
    inventory: &Inventory,
    elsewhere: &Elsewhere<'_>,
) -> MissingFix {
    let all = || inventory.connections.values().map(|c| c.spec.stable_key.as_str());
    if let Some(folded) = all().find(|other| is_same_folded(key, other)) {
        let text = format!("{tenant} has {folded}: stable keys are compared letter by letter; write it as it is there");
        return MissingFix { text, near: vec![folded.to_string()], make: None };
    }
    let known = source.map(|s| ("the source", s)).or_else(|| elsewhere.connection(key));
    let similar = inventory.connections.values().filter(|c| known.is_none_or(|(_, spec)| c.spec.connects_like(spec)));
    let near = similar_of_kind(key, similar.map(|c| c.spec.stable_key.as_str()));
    // If it is unknown what the connection should be, only a similar key is worth a suggestion.
    let near: Vec<&str> =
        near.into_iter().filter(|n| known.is_some() || strsim::jaro_winkler(key, n) >= 0.85).collect();
    let meant = meant(key, all()).filter(|_| near.is_empty());
    let near: Vec<&str> = if near.is_empty() { meant.into_iter().collect() } else { near };
    let text = match (near.as_slice(), known) {
        ([], Some((elsewhere_tenant, spec))) => {
            format!(
                "make a Connection {key} of {}/{} in {tenant} (in {elsewhere_tenant} it is {})",
                spec.component, spec.type_, spec.credentials
            )
        }
        ([], None) => format!("make a Connection {key} in {tenant}, or bind the variable to another"),
        (near, _) => format!(
            "did you mean {}? bind the variable to it, or make a Connection {key} in {tenant}",
            near.join(" or ")
        ),
    };
    let make = EditCommand::new_connection(tenant, key, known.map(|(_, spec)| spec));
    MissingFix { text, near: near.into_iter().map(str::to_string).collect(), make: Some(make) }
}
