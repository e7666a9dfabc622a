//! What a commit changes by itself, before anything is applied: the resources of a tenant's folder, its Tenant, and the
//! TenantSyncs.

use super::bindings::{Bindings, affected};
use super::check::{secret_literals, unread_type};
use super::model::canonical::Json;
use super::model::field::{Field, FieldValue};
use super::model::inventory::Inventory;
use super::model::item::{Item, ItemChange, ObjectId};
use super::model::plan::{Action, ActionKind, Approval, FieldChange, Impact, Op, Reason};
use super::plan::redirects_between;
use super::resolve::Replacements;
use crate::api::{Kind, Override, sensitive};
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

/// What cannot be read in one state of a folder, and is not the same in the other one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnreadDifference {
    /// Files and folders that may have any object.
    pub files: BTreeSet<String>,
    /// Objects of which nothing is known.
    pub objects: BTreeSet<ObjectId>,
}

impl UnreadDifference {
    /// Whether nothing differs that cannot be read.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.objects.is_empty()
    }

    fn may_have(&self, id: &ObjectId) -> bool {
        !self.files.is_empty() || self.objects.contains(id)
    }
}

/// Returns the resources that differ between two states of a tenant's folder, sorted by object. What was not read before,
/// and is read after it, is new as far as is known. What cannot be read any more is not removed: it is left out, and is in
/// `unread`, of the state before and of that after.
pub fn changes(
    tenant: &str,
    [before, after]: [&Inventory; 2],
    [unread_before, unread_after]: [&UnreadDifference; 2],
) -> Vec<CommittedChange> {
    let ids: BTreeSet<ObjectId> = before.items().chain(after.items()).map(|item| item.id()).collect();
    let of = |inventory: &Inventory| Replacements::of(tenant, inventory);
    let (was, is) = (of(before), of(after));
    let (was, is) = (Bindings::of(tenant, before, &was), Bindings::of(tenant, after, &is));
    let differing = |id: ObjectId| {
        let (old, new) = (before.get(&id), after.get(&id));
        let may_be_there = new.is_none() && unread_after.may_have(&id);
        let is_any = !Item::same(old.as_ref(), new.as_ref()) && !may_be_there;
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
        let doubt = match kind {
            ActionKind::Create if unread_before.may_have(id) => "; what it was before is not known",
            _ => "",
        };
        let reason = Reason { code: "committed", text: format!("changed by the commit itself{doubt}") };
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

/// Returns the files and documents of a tenant's folder that cannot be read.
pub fn unread(inventory: &Inventory) -> BTreeSet<String> {
    let invalid = inventory.invalid.keys().map(ToString::to_string);
    inventory.unparsed.iter().cloned().chain(invalid).collect()
}

/// The fields that differ. Values of customers and secrets are not shown.
fn fields(old: Option<&Item>, new: Option<&Item>, known: &[&Inventory]) -> Vec<FieldChange> {
    let (Some(item), Some(_)) = (old.or(new), new.or(old)) else { return Vec::new() };
    let is_customers = item.kind() == Kind::CustomerCredentials;
    let secret: BTreeSet<&str> = old.into_iter().chain(new).flat_map(|item| secret_literals(item, known)).collect();
    // A type that cannot be read may call any input a secret.
    let is_unread = old.into_iter().chain(new).any(|item| unread_type(item, known).is_some());
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
            && (is_customers || is_unread || secret.contains(field.name.as_ref()) || is_secret(from) != is_secret(to));
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
    /// The value before; `None` if there was none. A secret is `{"hidden": true}`.
    pub from: Option<Value>,
    /// The value after.
    pub to: Option<Value>,
    /// The state of which nothing is known, if it is one of the two.
    pub unknown: Option<UnknownSetting>,
    /// Whether there is no value to compare with: the object is new, or it is not known what it said before.
    pub is_of_new: bool,
    /// Whether it decides what may be written, and by whom.
    pub is_sensitive: bool,
}

/// A state in which it is not known what a Tenant or a TenantSync says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownSetting {
    /// Which of the two states it is.
    pub when: UnknownWhen,
    pub why: String,
}

/// The states of which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnknownWhen {
    /// The state before the change.
    Before,
    /// The state after the change.
    After,
    /// Both, and they differ.
    Both,
}

/// The fields that only describe a tenant. Every other one decides what may be written, and by whom.
const HARMLESS: [&str; 2] = ["environment", "region"];

/// Returns what an absent field is read as.
fn default_of(path: &str) -> Option<Value> {
    Some(match path {
        "suspend" | "prune" | "ignoreComponentVersions" | "source.prune" | "location.prismatic.publish" => json!(false),
        "connections" => json!("Match"),
        "connectionDeletion" => json!("Retain"),
        "mode" => json!("Plan"),
        "policy.actions" => json!(["Create", "Update"]),
        "policy.drift" => json!("Detect"),
        "policy.approval.percent" => json!(30),
        "policy.approval.from" => json!(10),
        "source.git.interval" => json!("60s"),
        _ => return None,
    })
}

/// Decides whether the value of an override of a sync from a tenant is a secret, as far as the types of both states say.
pub type IsSecretOverride<'a> = &'a dyn Fn(&str, &Override) -> bool;

/// Decides whether both states have the same documents of a Tenant or a TenantSync, whatever they mean.
pub type HasSameText<'a> = &'a dyn Fn(&ObjectId) -> bool;

/// Returns the fields of Tenants and TenantSyncs that differ: those that decide what may be written first. Of a new object
/// these are listed too. One of which nothing is known in both states, and that is the same there, is left out.
pub fn settings(
    before: &BTreeMap<ObjectId, Setting>,
    after: &BTreeMap<ObjectId, Setting>,
    is_secret: IsSecretOverride<'_>,
    has_same_text: HasSameText<'_>,
) -> Vec<SettingChange> {
    let ids: BTreeSet<&ObjectId> = before.keys().chain(after.keys()).collect();
    let mut found = Vec::new();
    for id in ids {
        let of = |settings: &BTreeMap<ObjectId, Setting>| {
            settings.get(id).and_then(|setting| setting.as_ref().ok()).cloned()
        };
        let unknown = match (before.get(id), after.get(id)) {
            (Some(Err(_)), Some(Err(_))) if has_same_text(id) => continue,
            (Some(Err(_)), Some(Err(why))) => Some(UnknownSetting { when: UnknownWhen::Both, why: why.clone() }),
            (_, Some(Err(why))) => Some(UnknownSetting { when: UnknownWhen::After, why: why.clone() }),
            (Some(Err(why)), _) => Some(UnknownSetting { when: UnknownWhen::Before, why: why.clone() }),
            _ => None,
        };
        let (old, new) = (of(before), of(after));
        let mut differing = Differing { object: id, is_of_new: old.is_none(), is_secret, froms: Vec::new(), found };
        let from = |spec: &Option<Value>| spec.as_ref()?.get("from")?.as_str().map(str::to_string);
        differing.froms.extend([from(&old), from(&new)].into_iter().flatten());
        if old.is_none() || new.is_none() {
            let (from, to) = (old.as_ref().map(|s| differing.shown(s)), new.as_ref().map(|s| differing.shown(s)));
            let (object, path, is_of_new) = (id.clone(), String::new(), false);
            differing.found.push(SettingChange { object, path, from, to, unknown, is_of_new, is_sensitive: true });
        }
        if new.is_some() {
            differing.differences("", old.as_ref(), new.as_ref());
        }
        found = differing.found;
    }
    found.sort_by(|a, b| (!a.is_sensitive, &a.object, &a.path).cmp(&(!b.is_sensitive, &b.object, &b.path)));
    found
}

/// Collects the fields that differ.
struct Differing<'a> {
    object: &'a ObjectId,
    is_of_new: bool,
    is_secret: IsSecretOverride<'a>,
    /// The tenants that the sync copies from, before and after.
    froms: Vec<String>,
    found: Vec<SettingChange>,
}

impl Differing<'_> {
    fn differences(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        let read_as = |value: Option<&Value>| value.cloned().or_else(|| default_of(path));
        if read_as(old) == read_as(new) {
            return;
        }
        if path == "overrides" {
            return self.of_overrides(old, new);
        }
        let nothing = Map::new();
        let (old_map, new_map) = match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => (old, new),
            (Some(Value::Object(old)), None) => (old, &nothing),
            (None, Some(Value::Object(new))) => (&nothing, new),
            _ => return self.push(path.to_string(), old.map(masked), new.map(masked)),
        };
        let names: BTreeSet<&String> = old_map.keys().chain(new_map.keys()).collect();
        for name in names {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.differences(&below, old_map.get(name), new_map.get(name));
        }
    }

    fn of_overrides(&mut self, old: Option<&Value>, new: Option<&Value>) {
        let (old, new) = (overrides(old), overrides(new));
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names {
            let (old, new) = (old.get(name), new.get(name));
            if old == new {
                continue;
            }
            // What one of both states calls a secret is one in both.
            let is_hidden = old.into_iter().chain(new).any(|one| self.is_hidden(one));
            let path = format!("overrides.{name}");
            let shown = |one: &Value| without_secret(one, is_hidden);
            let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) else {
                self.push(path, old.map(shown), new.map(shown));
                continue;
            };
            let fields: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for field in fields.into_iter().filter(|field| old.get(*field) != new.get(*field)) {
                let shown = |value: &Value| if is_hidden && field == "value" { hidden() } else { masked(value) };
                self.push(format!("{path}.{field}"), old.get(field).map(shown), new.get(field).map(shown));
            }
        }
    }

    fn push(&mut self, path: String, from: Option<Value>, to: Option<Value>) {
        let is_sensitive = !HARMLESS.contains(&path.as_str());
        // What is new is there with all it says: only what decides something is named.
        if is_sensitive || !self.is_of_new {
            let (object, is_of_new) = (self.object.clone(), self.is_of_new);
            self.found.push(SettingChange { object, path, from, to, unknown: None, is_of_new, is_sensitive });
        }
    }

    /// Whether the value of an override is a secret. One that cannot be understood could be.
    fn is_hidden(&self, one: &Value) -> bool {
        match serde_json::from_value::<Override>(one.clone()) {
            // What it copies from decides which types are known.
            Ok(one) => self.froms.is_empty() || self.froms.iter().any(|from| (self.is_secret)(from, &one)),
            Err(_) => true,
        }
    }

    /// A spec without secrets.
    fn shown(&self, spec: &Value) -> Value {
        let mut shown = masked(spec);
        if let (Some(Value::Array(list)), Some(overrides)) = (spec.get("overrides"), shown.get_mut("overrides")) {
            *overrides = list.iter().map(|one| without_secret(one, self.is_hidden(one))).collect();
        }
        shown
    }
}

fn hidden() -> Value {
    json!({"hidden": true})
}

/// A value without the texts that are secrets whatever they belong to.
fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) if sensitive::has_secret(text) => hidden(),
        Value::Array(items) => items.iter().map(masked).collect(),
        Value::Object(map) => Value::Object(map.iter().map(|(name, value)| (name.clone(), masked(value))).collect()),
        other => other.clone(),
    }
}

/// An override without its value, if that is a secret.
fn without_secret(one: &Value, is_hidden: bool) -> Value {
    let mut shown = masked(one);
    if let Some(value) = shown.get_mut("value").filter(|_| is_hidden) {
        *value = hidden();
    }
    shown
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
    use std::sync::Arc;

    fn of(kind: Kind, spec: Value) -> BTreeMap<ObjectId, Setting> {
        BTreeMap::from([(ObjectId::new(kind, "x"), Ok(spec))])
    }

    fn settings(before: &BTreeMap<ObjectId, Setting>, after: &BTreeMap<ObjectId, Setting>) -> Vec<SettingChange> {
        let is_secret = |from: &str, one: &Override| from == "us" && one.input.as_deref() == Some("pin");
        super::settings(before, after, &is_secret, &|_| true)
    }

    fn paths(found: &[SettingChange]) -> Vec<&str> {
        found.iter().map(|change| change.path.as_str()).collect()
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

    #[test]
    fn a_new_object_is_shown_with_what_decides_something() {
        let spec = json!({"from": "us", "to": ["eu"], "prune": true, "suspend": false});
        let found = settings(&BTreeMap::new(), &of(Kind::TenantSync, spec));
        assert_eq!(paths(&found), ["", "from", "prune", "to"]);
        assert!(found.iter().all(|change| change.is_sensitive));
        let spec = json!({"region": "eu", "acceptFrom": ["us"], "policy": {"actions": ["Delete"]}, "unheardOf": 1});
        let found = settings(&BTreeMap::new(), &of(Kind::Tenant, spec.clone()));
        assert_eq!(paths(&found), ["", "acceptFrom", "policy.actions", "unheardOf"]);
        assert_eq!(paths(&settings(&of(Kind::Tenant, spec.clone()), &BTreeMap::new())), [""]);
        let unread = BTreeMap::from([(ObjectId::new(Kind::Tenant, "x"), Err("no".to_string()))]);
        let found = settings(&unread, &of(Kind::Tenant, spec));
        assert_eq!(paths(&found), ["", "acceptFrom", "policy.actions", "unheardOf"]);
        assert!(found[1].is_of_new);
    }

    #[test]
    fn what_an_absent_field_is_read_as_is_no_difference() {
        let before = of(Kind::TenantSync, json!({"from": "us"}));
        let spec =
            json!({"from": "us", "suspend": false, "prune": false, "mode": "Plan", "connectionDeletion": "Retain"});
        assert_eq!(settings(&before, &of(Kind::TenantSync, spec)), []);
        let before = of(Kind::Tenant, json!({}));
        assert_eq!(settings(&before, &of(Kind::Tenant, json!({"policy": {"drift": "Detect", "approval": {}}}))), []);
        let found = settings(&before, &of(Kind::Tenant, json!({"policy": {"drift": "Correct"}, "suspend": true})));
        assert_eq!(paths(&found), ["policy.drift", "suspend"]);
    }

    /// What is known of neither state is left out only where it is the same.
    #[test]
    fn what_is_known_of_neither_state_may_differ() {
        let unread = BTreeMap::from([(ObjectId::new(Kind::Tenant, "x"), Err("it is invalid".to_string()))]);
        assert_eq!(settings(&unread, &unread), []);
        let found = super::settings(&unread, &unread, &|_, _| false, &|_| false);
        assert_eq!(found.len(), 1);
        let unknown = UnknownSetting { when: UnknownWhen::Both, why: "it is invalid".to_string() };
        assert_eq!(found[0].unknown, Some(unknown));
    }

    /// "Unread is unknown, never empty": what is read is shown nevertheless, and what cannot be read is not removed.
    #[test]
    fn what_was_read_is_compared_beside_what_was_not() {
        let connection = |key: &str| Item::Connection(Arc::new(named(key)));
        let inventory = |keys: &[&str]| {
            let mut inventory = Inventory { unparsed: ["x.yaml".to_string()].into(), ..Inventory::default() };
            keys.iter().for_each(|key| inventory.insert(connection(key)));
            inventory
        };
        let (before, after) = (inventory(&["gone", "lost"]), inventory(&["new"]));
        let none = UnreadDifference::default();
        let found = |unread: [&UnreadDifference; 2]| -> Vec<(String, String)> {
            let changes = changes("us", [&before, &after], unread);
            let shown = |change: CommittedChange| {
                let action = change.action;
                (format!("{} {}", action.action.as_str(), action.change.object.name), action.reason.text)
            };
            changes.into_iter().map(shown).collect()
        };
        let said = |what: &str, doubt: &str| (what.to_string(), format!("changed by the commit itself{doubt}"));
        assert_eq!(found([&none, &none]), [said("delete gone", ""), said("delete lost", ""), said("create new", "")]);
        let new = said("create new", "; what it was before is not known");
        let files: BTreeSet<String> = ["x.yaml".to_string()].into();
        let all = UnreadDifference { files, ..UnreadDifference::default() };
        assert_eq!(found([&all, &all]), [new]);
        let objects = [ObjectId::new(Kind::Connection, "lost")].into();
        let one = UnreadDifference { objects, ..UnreadDifference::default() };
        assert_eq!(found([&none, &one]), [said("delete gone", ""), said("create new", "")]);
    }

    fn named(key: &str) -> crate::api::Object<crate::api::ConnectionSpec> {
        let spec = json!({
            "stableKey": key, "title": key, "component": {"key": "chat"}, "type": "basic",
            "credentials": "OrganizationGlobal", "inputs": {}
        });
        crate::api::Object::new(key, serde_json::from_value(spec).unwrap())
    }

    /// "Secrets never": where a type or the text itself says that a value is one.
    #[test]
    fn no_secret_of_an_override_is_shown() {
        let canary = "c4n4ry-5f2b";
        let pin =
            |value: &str| json!({"tenant": "eu", "stableKey": "a", "input": "pin", "value": value, "reason": "r"});
        let of_pin = |value: &str| of(Kind::TenantSync, json!({"from": "us", "overrides": [pin(value)]}));
        let none = of(Kind::TenantSync, json!({"from": "us"}));
        let elsewhere = of(Kind::TenantSync, json!({"from": "other", "overrides": [pin(canary)]}));
        for (before, after) in [
            (&BTreeMap::new(), &of_pin(canary)),
            (&of_pin(canary), &BTreeMap::new()),
            (&none, &of_pin(canary)),
            (&of_pin(canary), &none),
            (&of_pin(canary), &of_pin("other")),
            (&elsewhere, &of_pin("other")),
        ] {
            let found = settings(before, after);
            assert!(!found.is_empty());
            assert!(!format!("{found:?}").contains(canary), "{found:?}");
        }
        let token = format!("https://u:{canary}@host.example");
        let url = json!({"tenant": "eu", "stableKey": "a", "input": "url", "value": token, "reason": token});
        let after = of(Kind::TenantSync, json!({"from": "us", "overrides": [url]}));
        for before in [&BTreeMap::new(), &none] {
            let found = settings(before, &after);
            assert!(!format!("{found:?}").contains(canary), "{found:?}");
        }
    }
}
