//! Who holds which field: `metadata.managedFields` read as fields of ours.

use super::MANAGER;
use crate::api::WROTE;
use crate::engine::field::Field;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One entry of `metadata.managedFields`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    fields_v1: Value,
}

/// What the managers of one object hold.
#[derive(Debug, Default)]
pub struct Managed {
    /// The fields that we hold, in order.
    pub ours: Vec<Field<'static>>,
    /// Whether we hold the annotation that is the record: else it was copied from another object.
    pub record_is_ours: bool,
    /// The fields that somebody else holds, and who: the last of them.
    pub others: BTreeMap<Field<'static>, Arc<str>>,
}

impl Managed {
    /// What the entries say. `names` shares the managers' names between objects.
    pub fn of(entries: &[Entry], names: &mut Names) -> Self {
        let mut managed = Managed::default();
        for entry in entries.iter().filter(|entry| entry.subresource.is_empty()) {
            let fields = fields(&entry.fields_v1);
            if entry.manager == MANAGER {
                let annotations = at(&entry.fields_v1, &["metadata", "annotations"]);
                managed.record_is_ours |= annotations.and_then(|a| a.get(format!("f:{WROTE}"))).is_some();
                managed.ours.extend(fields);
            } else {
                let name = names.shared(&entry.manager);
                managed.others.extend(fields.into_iter().map(|field| (field, name.clone())));
            }
        }
        managed.ours.sort();
        managed.ours.dedup();
        managed
    }
}

/// Names of managers: a tenant's objects are held by the same few.
#[derive(Debug, Default)]
pub struct Names(BTreeMap<String, Arc<str>>);

impl Names {
    fn shared(&mut self, name: &str) -> Arc<str> {
        if let Some(shared) = self.0.get(name) {
            return shared.clone();
        }
        let shared: Arc<str> = name.into();
        self.0.insert(name.to_string(), shared.clone());
        shared
    }
}

fn at<'v>(fields: &'v Value, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(fields, |fields, part| fields.get(format!("f:{part}")))
}

/// The fields of ours that a `fieldsV1` names.
fn fields(fields: &Value) -> Vec<Field<'static>> {
    let mut out = Vec::new();
    for kind in crate::engine::field::FieldKind::ALL {
        let (path, named) = Field::of(kind).document_place();
        let Some(found) = at(fields, &path) else { continue };
        if !named {
            out.push(Field::of(kind));
            continue;
        }
        let Some(children) = found.as_object() else { continue };
        out.extend(children.keys().filter_map(|key| Some(Field::named(kind, &name(key)?).into_owned())));
    }
    out.retain(|field| field.name != WROTE);
    out
}

/// The name in `f:name`, or in `k:{"name":"…"}` of a list whose items are known by name.
fn name(key: &str) -> Option<String> {
    if let Some(name) = key.strip_prefix("f:") {
        return Some(name.to_string());
    }
    let keys: Value = serde_json::from_str(key.strip_prefix("k:")?).ok()?;
    Some(keys.get("name")?.as_str()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::field::FieldKind;
    use serde_json::json;

    fn entry(manager: &str, fields: Value) -> Entry {
        Entry { manager: manager.into(), subresource: String::new(), fields_v1: fields }
    }

    #[test]
    fn fields_are_read_at_the_grain_of_the_record() {
        let ours = json!({
            "f:metadata": {"f:annotations": {"f:stablekey.dev/wrote": {}, "f:note": {}}, "f:labels": {"f:team": {}}},
            "f:spec": {
                "f:title": {}, "f:component": {"f:key": {}},
                "f:inputs": {".": {}, "f:url": {}}, "f:test": {"f:inputs": {"f:user": {}}},
                "f:connections": {"k:{\"name\":\"CRM \\\"1\\\"\"}": {".": {}, "f:name": {}, "f:stableKey": {}}},
            },
        });
        let managed = Managed::of(&[entry(MANAGER, ours)], &mut Names::default());
        assert!(managed.record_is_ours);
        let held: Vec<String> = managed.ours.iter().map(ToString::to_string).collect();
        assert_eq!(
            held,
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
    fn others_are_named_and_status_is_nobodys_business() {
        let theirs = json!({"f:spec": {"f:inputs": {"f:url": {}}}});
        let mut status = entry("binder", json!({"f:status": {"f:usedBy": {}}}));
        status.subresource = "status".into();
        let managed = Managed::of(&[entry("kubectl-edit", theirs), status], &mut Names::default());
        assert!(managed.ours.is_empty() && !managed.record_is_ours);
        let url = Field::named(FieldKind::Input, "url").into_owned();
        assert_eq!(managed.others.get(&url).map(AsRef::as_ref), Some("kubectl-edit"));
        assert_eq!(managed.others.len(), 1);
    }
}
