//! Objects with the same name in two tenants that are not the same. SK0103: a stable key with another component or
//! type; SK0160: with another app or account; SK0159: an integration with another title. Objects that a sync copied are
//! checked in its source.

use crate::api::*;
use crate::engine::model::code::Code;
use crate::engine::model::command::EditCommand;
use crate::engine::model::finding::Finding;
use crate::engine::model::inventory::{Inventory, Sync, World};
use crate::engine::model::item::ObjectId;
use crate::engine::overrides::Here;
use crate::parallel;
use std::collections::BTreeMap;

pub(super) fn check(tenants: &[(&str, &Inventory)]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (position, (tenant, inventory)) in tenants.iter().enumerate() {
        let earlier = tenants.get(..position).unwrap_or_default();
        let connections: Vec<_> = inventory.connections.iter().collect();
        let differ = parallel::map(connections.len(), &connections, |(name, connection)| {
            // Compared with the first tenant that has the key, so that each difference is reported once.
            let (other, theirs) = earlier.iter().find_map(|(t, i)| Some((t, i.connections.get(*name)?)))?;
            (!theirs.spec.connects_like(&connection.spec)).then_some((other, theirs))
        });
        let differing = connections.into_iter().zip(differ).filter_map(|(ours, theirs)| Some((ours, theirs?)));
        for ((name, connection), (other, theirs)) in differing {
            findings.push(Finding::of(
                Code::KeyDiffers,
                tenant,
                ObjectId::new(Kind::Connection, name),
                format!(
                    "{} is {}/{} here and {}/{} in {other}",
                    connection.spec.stable_key, connection.spec.component, connection.spec.type_, theirs.spec.component, theirs.spec.type_
                ),
                "give one of them another stable key, or a sync would bind integrations to the wrong kind of connection",
            ));
        }
    }
    findings
}

/// Objects that a sync would treat as the same although they differ, from the view of its target.
pub(super) fn of_sync(sync: &Sync, tenants: &[(&str, &Inventory)], world: &World) -> Vec<Finding> {
    let of = |name: &str| tenants.iter().find(|(tenant, _)| *tenant == name).map(|(_, inventory)| *inventory);
    let Some(from) = of(&sync.spec.from).filter(|_| !sync.spec.is_suspended()) else { return Vec::new() };
    let mut findings = Vec::new();
    for (tenant, here) in sync.spec.targets().filter_map(|to| Some((to.as_str(), of(to)?))) {
        let is_own = |kind: Kind, name: &str| !here.is_brought(tenant, &ObjectId::new(kind, name));
        let is_production = |name: &str| world.tenants.get(name).and_then(|view| view.spec.is_production());
        // Production has apps and accounts of its own: see `environments`.
        let has_its_own = is_production(tenant).zip(is_production(&sync.spec.from)).is_some_and(|(a, b)| a != b);
        let selected = from.integrations.iter().filter(|(name, _)| sync.spec.selects(name));
        for (name, theirs) in selected.filter(|(name, _)| is_own(Kind::Integration, name)) {
            findings.extend(here.integrations.get(name).and_then(|ours| other_title(sync, tenant, name, ours, theirs)));
        }
        let compared = from.connections.iter().filter(|(name, _)| !has_its_own && is_own(Kind::Connection, name));
        for (name, theirs) in compared {
            findings.extend(here.connections.get(name).and_then(|ours| other_identity(sync, tenant, ours, theirs)));
        }
    }
    findings
}

fn other_title(
    sync: &Sync,
    tenant: &str,
    name: &str,
    ours: &Object<IntegrationSpec>,
    theirs: &Object<IntegrationSpec>,
) -> Option<Finding> {
    let (title, their_title) = (ours.spec.title.as_deref()?, theirs.spec.title.as_deref()?);
    let id = ObjectId::new(Kind::Integration, name);
    if title.trim() == their_title.trim() || is_overridden(sync, tenant, &id, "title") {
        return None;
    }
    let text = format!("{name} is {title:?} here and {their_title:?} in {}", sync.spec.from);
    let fix = "if they are two integrations, give one of them another name, or the sync makes one of them the other; if \
               they are one, give them one title, or keep this one by an override";
    Some(Finding::of(Code::NameMeansOther, tenant, id, text, fix).at_path(&["spec", "title"]))
}

fn other_identity(
    sync: &Sync,
    tenant: &str,
    ours: &Object<ConnectionSpec>,
    theirs: &Object<ConnectionSpec>,
) -> Option<Finding> {
    let (here, there) = (identities(&ours.spec), identities(&theirs.spec));
    let id = ObjectId::new(Kind::Connection, ours.name());
    let both = here.iter().filter_map(|(input, value)| Some((*input, *value, *there.get(input)?)));
    let (input, value, their_value) = both
        .filter(|(_, value, their_value)| value != their_value)
        .find(|(input, ..)| !is_overridden(sync, tenant, &id, &format!("inputs.{input}")))?;
    let (key, from) = (&ours.spec.stable_key, &sync.spec.from);
    let text = format!("{input} of {key} is {value} here and {their_value} in {from}");
    let fix = "if each tenant has its own, say so in an override of the sync; if these are two connections, give one of \
               them another stable key, or the sync binds integrations to the wrong one";
    let finding = Finding::of(Code::KeyMeansOther, tenant, id, text, fix).at_path(&["spec", "inputs", input]);
    Some(finding.by(EditCommand::set(tenant, key).value(input).with_reason()))
}

/// Whether an override decides a field.
fn is_overridden(sync: &Sync, tenant: &str, id: &ObjectId, field: &str) -> bool {
    Here::of(&sync.spec, tenant).decides(id, field)
}

/// The inputs that identify the app or account of a connection.
fn identities(spec: &ConnectionSpec) -> BTreeMap<&str, &str> {
    const SAY_WHO: [&str; 6] = ["clientid", "appid", "account", "accountid", "accountname", "applicationid"];
    let identifies = |name: &str| {
        let letters: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        SAY_WHO.contains(&letters.to_ascii_lowercase().as_str())
    };
    let values = spec.inputs.iter().filter_map(|(name, input)| match input {
        Input::Value(value) if identifies(name) => Some((name.as_str(), value.trim())),
        _ => None,
    });
    values.collect()
}
