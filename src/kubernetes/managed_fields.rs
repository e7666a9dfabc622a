//! Field owners: parses `metadata.managedFields` into Stablekey's fields.

use super::MANAGER;
use crate::api::WROTE;
use crate::engine::model::field::Field;
use crate::engine::model::inventory::Holders;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// One entry of `metadata.managedFields`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ManagedFieldsEntry<'a> {
    #[serde(borrow, default)]
    manager: Cow<'a, str>,
    #[serde(default)]
    subresource: String,
    #[serde(borrow)]
    fields_v1: Option<&'a RawValue>,
}

/// An entry of an object that is not one of Stablekey's custom resources.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForeignEntry {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    operation: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    fields_v1: Value,
}

impl ForeignEntry {
    pub fn is_by(&self, manager: &str) -> bool {
        self.manager == manager
    }

    /// Whether a manager applied it to the object itself.
    pub fn is_applied_by(&self, manager: &str) -> bool {
        self.is_by(manager) && self.operation == "Apply" && self.subresource.is_empty()
    }

    pub fn holds(&self, path: &[&str]) -> bool {
        at(&self.fields_v1, path).is_some()
    }

    /// Returns the keys that it owns in a map, or the values of `key` that it owns in a list whose items have that key.
    pub fn names(&self, path: &[&str], key: &str) -> impl Iterator<Item = String> {
        let children = at(&self.fields_v1, path).and_then(Value::as_object);
        children.into_iter().flatten().filter_map(move |(child, _)| name(child, key))
    }
}

/// The parsed content of one entry.
#[derive(Debug)]
struct EntryFields {
    manager: Arc<str>,
    fields: Arc<Holders>,
    /// Whether the annotation with the ownership record is among them.
    record: bool,
}

/// The owned fields of one object.
#[derive(Debug, Default)]
pub struct Managed {
    ours: Vec<Arc<EntryFields>>,
    others: Vec<Arc<EntryFields>>,
}

impl Managed {
    /// Whether Stablekey owns the annotation with the ownership record. Otherwise it was copied from another object.
    pub fn record_is_ours(&self) -> bool {
        self.ours.iter().any(|owned| owned.record)
    }

    /// Returns the fields that Stablekey owns.
    pub fn owned(&self) -> Arc<Holders> {
        together(&self.ours)
    }

    /// Returns the fields that other managers own, each with the last of its owners.
    pub fn others(&self) -> Arc<Holders> {
        together(&self.others)
    }
}

fn together(entries: &[Arc<EntryFields>]) -> Arc<Holders> {
    match entries {
        [one] => one.fields.clone(),
        several => Arc::new(several.iter().flat_map(|owned| owned.fields.as_ref().clone()).collect()),
    }
}

/// Parsed entries, by text and manager. Objects that one tool created have identical entries, which are parsed once and
/// shared.
#[derive(Debug, Default)]
pub struct Entries(Mutex<HashMap<String, Vec<Arc<EntryFields>>>>);

/// Maximum number of texts to keep. If every object has different entries, keeping them does not help.
const TEXTS: usize = 256;

impl Entries {
    /// Returns the owned fields of one object.
    pub fn managed(&self, entries: &[ManagedFieldsEntry<'_>]) -> Managed {
        let mut managed = Managed::default();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.iter().filter(|entry| entry.subresource.is_empty()) {
            let Some(text) = entry.fields_v1.map(RawValue::get) else { continue };
            let of = if entry.manager == MANAGER { &mut managed.ours } else { &mut managed.others };
            let same = known.get(text).and_then(|owned| owned.iter().find(|owned| *owned.manager == *entry.manager));
            if let Some(owned) = same {
                of.push(owned.clone());
                continue;
            }
            let owned = read(&entry.manager, text);
            if known.len() >= TEXTS {
                known.clear();
            }
            known.entry(text.to_string()).or_default().push(owned.clone());
            of.push(owned);
        }
        managed
    }
}

fn read(manager: &str, text: &str) -> Arc<EntryFields> {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let annotations = at(&value, &["metadata", "annotations"]);
    let record = annotations.and_then(|annotations| annotations.get(format!("f:{WROTE}"))).is_some();
    let manager: Arc<str> = manager.into();
    let fields = fields(&value).into_iter().map(|field| (field, manager.clone())).collect();
    Arc::new(EntryFields { manager, fields: Arc::new(fields), record })
}

fn at<'v>(fields: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(fields, |fields, part| fields.get(format!("f:{part}")))
}

/// Parses a `fieldsV1` into Stablekey's fields.
fn fields(fields: &Value) -> Vec<Field<'static>> {
    let mut out = Vec::new();
    for kind in crate::engine::model::field::FieldKind::ALL {
        let (path, named) = Field::of(kind).document_prefix();
        let Some(found) = at(fields, &path) else { continue };
        if !named {
            out.push(Field::of(kind));
            continue;
        }
        let Some(children) = found.as_object() else { continue };
        out.extend(children.keys().filter_map(|key| Some(Field::named(kind, &name(key, "name")?).into_owned())));
    }
    out.retain(|field| field.name != WROTE);
    out
}

/// Returns the name in `f:name`, or in `k:{"<key>":"…"}` for a list that is keyed by `key`.
fn name(child: &str, key: &str) -> Option<String> {
    if let Some(name) = child.strip_prefix("f:") {
        return Some(name.to_string());
    }
    let keys: Value = serde_json::from_str(child.strip_prefix("k:")?).ok()?;
    Some(keys.get(key)?.as_str()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::field::FieldKind;
    use serde_json::json;

    fn managed(entries: &Value) -> Managed {
        let text = entries.to_string();
        Entries::default().managed(&serde_json::from_str::<Vec<ManagedFieldsEntry<'_>>>(&text).unwrap())
    }

    #[test]
    fn fields_have_the_granularity_of_the_record() {
        let ours = json!({
            "f:metadata": {"f:annotations": {"f:stablekey.dev/wrote": {}, "f:note": {}}, "f:labels": {"f:team": {}}},
            "f:spec": {
                "f:title": {}, "f:component": {"f:key": {}},
                "f:inputs": {".": {}, "f:url": {}}, "f:test": {"f:inputs": {"f:user": {}}},
                "f:connections": {"k:{\"name\":\"CRM \\\"1\\\"\"}": {".": {}, "f:name": {}, "f:stableKey": {}}},
            },
        });
        let managed = managed(&json!([{"manager": MANAGER, "fieldsV1": ours}]));
        assert!(managed.record_is_ours());
        let owned: Vec<String> = managed.owned().keys().map(ToString::to_string).collect();
        assert_eq!(
            owned,
            [
                "title",
                "component",
                "inputs.url",
                "test.inputs.user",
                "connections.CRM \"1\"",
                "metadata.labels.team",
                "metadata.annotations.note"
            ]
        );
    }

    #[test]
    fn other_managers_are_named_and_status_is_ignored() {
        let (url, title) = (json!({"f:spec": {"f:inputs": {"f:url": {}}}}), json!({"f:spec": {"f:title": {}}}));
        let status = json!({"f:status": {"f:usedBy": {}}});
        let managed = managed(&json!([
            {"manager": "kubectl-edit", "fieldsV1": url},
            {"manager": "binder", "subresource": "status", "fieldsV1": status},
            {"manager": "a \"tool\"", "fieldsV1": title},
            {"manager": "helm"},
        ]));
        assert!(managed.owned().is_empty() && !managed.record_is_ours());
        let others = managed.others();
        let holder = |field: &Field<'static>| others.get(field).map(ToString::to_string);
        let url = Field::named(FieldKind::Input, "url").into_owned();
        assert_eq!(holder(&url).as_deref(), Some("kubectl-edit"));
        assert_eq!(holder(&Field::of(FieldKind::Title)).as_deref(), Some("a \"tool\""));
        assert_eq!(others.len(), 2);
    }

    #[test]
    fn identical_entries_are_shared() {
        let text = json!([{"manager": "kubectl", "fieldsV1": {"f:spec": {"f:title": {}}}}]).to_string();
        let entries = Entries::default();
        let others =
            |text: &str| entries.managed(&serde_json::from_str::<Vec<ManagedFieldsEntry<'_>>>(text).unwrap()).others();
        assert!(Arc::ptr_eq(&others(&text), &others(&text)));
        let helms = text.replace("kubectl", "helm");
        assert!(others(&text).values().all(|holder| &**holder == "kubectl"));
        assert!(others(&helms).values().all(|holder| &**holder == "helm"));
        for number in 0..2 * TEXTS {
            others(&text.replace("title", &format!("inputs\":{{}},\"f:{number}")));
        }
        assert!(entries.0.lock().unwrap().len() <= TEXTS);
    }
}
