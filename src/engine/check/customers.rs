//! SK0114 to SK0117 and SK0143: customer credentials that do not match their connection.

use super::Tenant;
use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::item::ObjectId;
use crate::engine::resolve::{Binding, resolve_credentials};
use std::collections::BTreeMap;

pub(super) fn check(tenant: &Tenant<'_>, findings: &mut Vec<Finding>) {
    // Counted after `replaces`: two keys that resolve to one connection count as one.
    let mut by_set: BTreeMap<(String, &str, Option<&str>), Vec<&str>> = BTreeMap::new();
    for (name, credentials) in &tenant.inventory.customer_credentials {
        let object = || ObjectId::new(Kind::CustomerCredentials, name);
        let key = &credentials.spec.connection;
        let resolution = resolve_credentials(tenant.name, credentials, tenant.inventory, tenant.replacements);
        let connection = match &resolution.binding {
            Binding::Bound(connection) => connection,
            Binding::Missing => {
                let text = format!("they are for stable key {key}, which {} does not have", tenant.name);
                let fix = "make the Connection, correct the key, or take the credentials away";
                let known = tenant.elsewhere.connection(key).map(|(_, spec)| spec);
                let make = EditCommand::new_connection(tenant.name, key, known);
                findings.push(Finding::of(Code::CustomerConnectionMissing, tenant.name, object(), text, fix).by(make));
                continue;
            }
            Binding::Unknown(_) | Binding::Own | Binding::Foreign(_) => continue,
        };
        if let Some(why) = connection.spec.credentials.why_not_per_customer() {
            let text = format!("{} {why}", connection.spec.stable_key);
            let fix = "take them away, or make a connection with credentials per customer";
            findings.push(Finding::of(Code::CustomerOnGlobal, tenant.name, object(), text, fix));
            continue;
        }
        let set = (connection.name().to_string(), credentials.spec.customer.as_str(), credentials.spec.name.as_deref());
        by_set.entry(set).or_default().push(name);
        for input in credentials
            .spec
            .inputs
            .keys()
            .filter(|i| !connection.spec.inputs.get(*i).is_some_and(Input::is_per_customer))
        {
            let text = format!("input {input} is not per customer in {}", connection.spec.stable_key);
            let fix = format!("take it out, or mark it perCustomer: true in Connection/{}", connection.name());
            let set = EditCommand::set(tenant.name, &connection.spec.stable_key).per_customer(input);
            findings.push(Finding::of(Code::CustomerInputNotPerCustomer, tenant.name, object(), text, fix).by(set));
        }
        let type_ = tenant.inventory.connection_type(&connection.spec);
        let required = type_.into_iter().flat_map(|t| &t.inputs).filter(|(input, known)| {
            known.is_required()
                && connection.spec.inputs.get(*input).is_some_and(Input::is_per_customer)
                && !crate::engine::model::inventory::is_given(credentials.spec.inputs.get(*input))
        });
        for (input, _) in required {
            let text = format!("{} needs input {input} of each customer", connection.spec.stable_key);
            findings.push(Finding::of(
                Code::CustomerInputMissing,
                tenant.name,
                object(),
                text,
                "give it a value or a secretRef",
            ));
        }
    }
    for ((connection, _, set), names) in by_set.iter().filter(|(_, names)| names.len() > 1) {
        for name in names {
            let called = set.map(|set| format!(" called {set:?}")).unwrap_or_default();
            let text = format!("the same customer has {} credentials{called} for Connection/{connection}", names.len());
            let fix = format!("keep one of {}, or give each set a name of its own", names.join(", "));
            findings.push(Finding::of(
                Code::CustomerTwice,
                tenant.name,
                ObjectId::new(Kind::CustomerCredentials, *name),
                text,
                fix,
            ));
        }
    }
}
