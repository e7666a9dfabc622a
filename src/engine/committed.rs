//! What a commit changes by itself, before anything is applied: the resources of a tenant's folder, its Tenant, and the
//! TenantSyncs.

use super::bindings::{Bindings, affected};
use super::check::secret_literals;
use super::model::canonical::Json;
use super::model::field::{Field, FieldValue};
use super::model::inventory::Inventory;
use super::model::item::{Item, ItemChange, ObjectId};
use super::model::plan::{Action, ActionKind, Approval, FieldChange, Impact, Op, Reason};
use super::plan::redirects_between;
use super::resolve::Replacements;
use crate::api::Kind;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A resource that a commit changes.
#[derive(Clone, Debug)]
pub struct CommittedChange {
    /// The change, in the form of an action. Nobody carries it out: with the commit, it is done.
    pub action: Action,
    /// Why it sends a secret that is there to another host.
    pub redirect: Option<Approval>,
}

/// Returns the resources that differ between two states of a tenant's folder, sorted by object. What cannot be read in
/// one of them is unknown there, not absent: it is left out, and [`unread`] names it.
pub fn changes(tenant: &str, before: &Inventory, after: &Inventory) -> Vec<CommittedChange> {
    let ids: BTreeSet<ObjectId> = before.items().chain(after.items()).map(|item| item.id()).collect();
    let of = |inventory: &Inventory| Replacements::of(tenant, inventory);
    let (was, is) = (of(before), of(after));
    let (was, is) = (Bindings::of(tenant, before, &was), Bindings::of(tenant, after, &is));
    let differing = |id: ObjectId| {
        let (old, new) = (before.get(&id), after.get(&id));
        let may_be_in = |item: &Option<Item>, inventory: &Inventory| {
            item.is_none() && (!inventory.unparsed.is_empty() || inventory.invalid.contains_key(&id))
        };
        let is_any = !Item::same(old.as_ref(), new.as_ref()) && !may_be_in(&old, before) && !may_be_in(&new, after);
        is_any.then_some(ItemChange { id, before: old, after: new })
    };
    let changes: Vec<ItemChange> = ids.into_iter().filter_map(differing).collect();
    let redirects = redirects_between(tenant, before, after, &changes);
    let change = |(ItemChange { id, before: old, after: new }, redirect): (&ItemChange, Option<Approval>)| {
        let kind = match (old, new) {
            (None, _) => ActionKind::Create,
            (_, None) => ActionKind::Delete,
            _ => ActionKind::Update,
        };
        let reason = Reason { code: "committed", text: "changed by the commit itself".to_string() };
        let mut action = Action::of(tenant, id, kind, reason);
        if kind != ActionKind::Delete {
            action.fields = fields(old.as_ref(), new.as_ref(), &[before, after]);
        }
        action.impact = match id.kind {
            Kind::Connection if new.is_some() => is.impact(&id.name, after),
            Kind::Connection => was.impact(&id.name, before),
            Kind::Integration => Impact {
                integrations: vec![affected(&id.name, after.uses.get(&id.name).map(AsRef::as_ref), |_| true)],
                ..Impact::default()
            },
            _ => Impact::default(),
        };
        // Where no field differs, only what Stablekey keeps in the document itself does.
        (kind != ActionKind::Update || !action.fields.is_empty()).then_some(CommittedChange { action, redirect })
    };
    changes.iter().zip(redirects).filter_map(change).collect()
}

/// Returns the files and documents of a tenant's folder that cannot be read, and that could have other resources before or
/// after the commit.
pub fn unread(before: &Inventory, after: &Inventory) -> BTreeSet<String> {
    let of = |inventory: &Inventory| {
        let invalid = inventory.invalid.keys().map(ToString::to_string);
        inventory.unparsed.iter().cloned().chain(invalid).collect::<BTreeSet<String>>()
    };
    let (was, is) = (of(before), of(after));
    was.into_iter().chain(is).collect()
}

/// The fields that differ. Values of customers and secrets are not shown.
fn fields(old: Option<&Item>, new: Option<&Item>, known: &[&Inventory]) -> Vec<FieldChange> {
    let (Some(item), Some(_)) = (old.or(new), new.or(old)) else { return Vec::new() };
    let is_customers = item.kind() == Kind::CustomerCredentials;
    let secret: BTreeSet<&str> = old.into_iter().chain(new).flat_map(|item| secret_literals(item, known)).collect();
    let list = |item: Option<&Item>| -> BTreeMap<Field<'static>, Json> {
        let fields = item.map(|item| item.fields(true)).unwrap_or_default();
        fields.into_iter().map(|(field, value)| (field.into_owned(), value.to_json())).collect()
    };
    let (before, after) = (list(old), list(new));
    let names: BTreeSet<&Field<'static>> = before.keys().chain(after.keys()).collect();
    let is_secret = |value: Option<&Json>| value.is_some_and(|value| value.value().get("secretRef").is_some());
    let of = |field: &&Field<'static>| {
        let (from, to) = (before.get(*field), after.get(*field));
        let value = |item: Option<&Item>| -> Option<Json> { item?.value(field).map(|value| value.to_json()) };
        // A value that is written out equals the one that an absent field is read as.
        if value(old) == value(new) && old.is_some() && new.is_some() {
            return None;
        }
        let is_hidden = field.is_input()
            && (is_customers || secret.contains(field.name.as_ref()) || is_secret(from) != is_secret(to));
        let shown = |value: Option<&Json>| -> Option<Json> {
            let is_literal = value?.value().get("value").is_some();
            if is_hidden && is_literal { Some(json!({"hidden": true}).into()) } else { value.cloned() }
        };
        let parts = match (written(old, field), written(new, field)) {
            (Some(old), Some(new)) => old.parts_to(&new),
            _ => Vec::new(),
        };
        let op = if to.is_some() { Op::Set } else { Op::Remove };
        Some(FieldChange { field: (*field).clone(), op, from: shown(from), to: shown(to), parts, by: None })
    };
    names.iter().filter_map(of).collect()
}

fn written<'i>(item: Option<&'i Item>, field: &Field<'_>) -> Option<FieldValue<'i>> {
    item?.written(field)
}

/// What a Tenant or a TenantSync says, as JSON; the error is why that is not known.
pub type Setting = Result<Value, String>;

/// A field of a Tenant or a TenantSync that differs.
#[derive(Clone, Debug, PartialEq)]
pub struct SettingChange {
    /// The Tenant or TenantSync.
    pub object: ObjectId,
    /// The path of the field; empty for the whole object.
    pub path: String,
    /// The value before; `None` if there was none.
    pub from: Option<Value>,
    /// The value after.
    pub to: Option<Value>,
    /// The state of which nothing is known, if it is one of the two.
    pub unknown: Option<UnknownSetting>,
    /// Whether it decides what may be written, and by whom.
    pub is_sensitive: bool,
}

/// A state in which it is not known what a Tenant or a TenantSync says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSetting {
    /// Whether it is the later state.
    pub is_now: bool,
    pub why: String,
}

/// The fields that decide what may be written, and by whom.
const SENSITIVE: [&str; 14] = [
    "acceptFrom",
    "approve",
    "connectionDeletion",
    "connections",
    "from",
    "integrations",
    "location",
    "mode",
    "namespace",
    "overrides",
    "policy",
    "prune",
    "source",
    "suspend",
];

/// Returns the fields of Tenants and TenantSyncs that differ: those that decide what may be written first. One of which
/// nothing is known in both states is left out.
pub fn settings(before: &BTreeMap<ObjectId, Setting>, after: &BTreeMap<ObjectId, Setting>) -> Vec<SettingChange> {
    let ids: BTreeSet<&ObjectId> = before.keys().chain(after.keys()).collect();
    let mut found = Vec::new();
    for id in ids {
        let unknown = match (before.get(id), after.get(id)) {
            (Some(Err(_)), Some(Err(_))) => continue,
            (Some(Ok(old)), Some(Ok(new))) => {
                differences(id, "", Some(old), Some(new), &mut found);
                continue;
            }
            (_, Some(Err(why))) => Some(UnknownSetting { is_now: true, why: why.clone() }),
            (Some(Err(why)), _) => Some(UnknownSetting { is_now: false, why: why.clone() }),
            _ => None,
        };
        let of = |settings: &BTreeMap<ObjectId, Setting>| {
            settings.get(id).and_then(|setting| setting.as_ref().ok()).cloned()
        };
        let (object, from, to) = (id.clone(), of(before), of(after));
        found.push(SettingChange { object, path: String::new(), from, to, unknown, is_sensitive: true });
    }
    found.sort_by(|a, b| (!a.is_sensitive, &a.object, &a.path).cmp(&(!b.is_sensitive, &b.object, &b.path)));
    found
}

fn differences(id: &ObjectId, path: &str, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<SettingChange>) {
    if old == new {
        return;
    }
    let below = |name: &str| if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
    let maps = match (path, old, new) {
        ("overrides", old, new) => Some((overrides(old), overrides(new))),
        (_, Some(Value::Object(old)), Some(Value::Object(new))) => Some((old.clone(), new.clone())),
        _ => None,
    };
    let Some((old, new)) = maps else {
        let first = path.split('.').next().unwrap_or_default();
        let is_sensitive = SENSITIVE.contains(&first) || first == "to" || first == "stages";
        let (path, from, to) = (path.to_string(), old.cloned(), new.cloned());
        found.push(SettingChange { object: id.clone(), path, from, to, unknown: None, is_sensitive });
        return;
    };
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        differences(id, &below(name), old.get(name), new.get(name), found);
    }
}

/// The overrides of a sync, each by what it overrides: their order means nothing.
fn overrides(list: Option<&Value>) -> Map<String, Value> {
    let mut named = Map::new();
    for one in list.and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| one.get(name).and_then(Value::as_str);
        let subject = ["stableKey", "integration", "object"]
            .into_iter()
            .filter(|n| *n != "stableKey" || text("integration").is_none());
        let parts = [text("tenant")].into_iter().chain(subject.map(text));
        let parts = parts.chain(["input", "variable", "field"].map(text)).flatten();
        let mut name = parts.collect::<Vec<_>>().join(" ");
        while named.contains_key(&name) {
            name.push_str(" (again)");
        }
        named.insert(name, one.clone());
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(kind: Kind, spec: Value) -> BTreeMap<ObjectId, Setting> {
        BTreeMap::from([(ObjectId::new(kind, "x"), Ok(spec))])
    }

    #[test]
    fn what_decides_who_may_write_comes_first() {
        let before = of(Kind::Tenant, json!({"region": "eu", "policy": {"drift": "Detect"}}));
        let after = of(Kind::Tenant, json!({"region": "us", "policy": {"drift": "Correct"}, "acceptFrom": ["us"]}));
        let found: Vec<String> = settings(&before, &after).into_iter().map(|change| change.path).collect();
        assert_eq!(found, ["acceptFrom", "policy.drift", "region"]);
    }

    #[test]
    fn overrides_are_compared_by_what_they_override() {
        let one = json!({"tenant": "eu", "stableKey": "a", "input": "url", "value": "1", "reason": "r"});
        let other = json!({"tenant": "eu", "integration": "i", "variable": "V", "stableKey": "b", "reason": "r"});
        let before = of(Kind::TenantSync, json!({"overrides": [one, other]}));
        let after = of(Kind::TenantSync, json!({"overrides": [other, one]}));
        assert_eq!(settings(&before, &after), []);
        let mut changed = one.clone();
        changed["value"] = json!("2");
        let after = of(Kind::TenantSync, json!({"overrides": [other, changed]}));
        let found = settings(&before, &after);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "overrides.eu a url.value");
        assert!(found[0].is_sensitive);
    }
}
