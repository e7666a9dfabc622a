//! The bodies of write requests. Server-side apply removes fields that the manager owned and no longer sends, so a body
//! contains everything that Stablekey keeps owning.

use crate::api::*;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::item::Item;
use crate::engine::model::plan::{FieldChange, Op};
use crate::engine::model::record::Record;
use crate::kubernetes::annotation;
use crate::kubernetes::object::Version;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A resource version that no object can have. A server-side apply with it creates the object if there is none, and
/// fails if there is one.
const NONE_YET: &str = "1";

/// Returns the body that creates an object.
pub fn of_create(after: &Item, record: Option<&Record>, definition: Option<&str>) -> Option<Value> {
    let fields: BTreeSet<Field<'_>> = after.fields(true).into_iter().map(|(field, _)| field).collect();
    let mut body = document(after, &fields, record, definition)?;
    body["metadata"]["resourceVersion"] = json!(NONE_YET);
    Some(body)
}

/// Returns the body that updates an object: the changed fields, the recorded fields that are unchanged, and all other
/// owned fields as they are, so that only the fields of the plan change.
pub fn of_update(
    after: &Item,
    changes: &[FieldChange],
    record: Option<&Record>,
    version: &Version,
    definition: Option<&str>,
) -> Option<Value> {
    let goes =
        |field: &Field<'_>| changes.iter().any(|c| c.field == *field && matches!(c.op, Op::Remove | Op::Release));
    let recorded = record.into_iter().flat_map(|record| &record.fields);
    // A drifted field that another manager owns belongs to that manager: sending it would start a fight.
    let as_recorded = |field: &Field<'_>, hash| after.written(field).is_some_and(|value| value.hash() == hash);
    let mut fields: BTreeSet<Field<'_>> =
        recorded.filter(|(field, wrote)| as_recorded(field, wrote.hash)).map(|(field, _)| field.clone()).collect();
    fields.extend(version.owned.keys().filter(|field| after.written(field).is_some()).cloned());
    fields.extend(changes.iter().filter(|c| c.op == Op::Set).map(|c| c.field.clone()));
    fields.retain(|field| !goes(field));
    let mut body = document(after, &fields, record, definition)?;
    body["metadata"]["uid"] = json!(version.uid);
    body["metadata"]["resourceVersion"] = json!(version.resource_version);
    Some(body)
}

/// Returns the merge patch that removes maps and lists whose last entry goes; `None` if there are none. If another
/// manager owns such a map, server-side apply would leave null, which no schema accepts.
pub fn of_emptied(after: &Item, changes: &[FieldChange], version: &Version) -> Option<Value> {
    let left = after.fields(true);
    let is_last = |change: &&FieldChange| {
        let is_one_of_many = matches!(change.field.kind, FieldKind::Input | FieldKind::TestInput | FieldKind::Variable);
        change.op == Op::Remove && is_one_of_many && !left.iter().any(|(field, _)| field.kind == change.field.kind)
    };
    let mut patch = json!({"metadata": {"uid": version.uid, "resourceVersion": version.resource_version}});
    let mut any = false;
    for change in changes.iter().filter(is_last) {
        let path = change.field.document_path();
        let (_, map) = path.split_last()?;
        put(&mut patch, map, Value::Null)?;
        any = true;
    }
    any.then_some(patch)
}

/// Returns a document with these fields of an object, and the ownership record.
fn document(
    item: &Item,
    fields: &BTreeSet<Field<'_>>,
    record: Option<&Record>,
    definition: Option<&str>,
) -> Option<Value> {
    let whole = item.to_resource().to_json().ok()?;
    let mut body = json!({
        "apiVersion": API_VERSION,
        "kind": item.kind().as_str(),
        "metadata": {"name": item.metadata().name},
        "spec": {},
    });
    for field in fields {
        let path = field.document_path();
        let value = match (field.kind, definition) {
            (FieldKind::Variable, _) => {
                let variables = whole.pointer("/spec/connections").and_then(Value::as_array)?;
                let variable = variables.iter().find(|v| v["name"] == *field.name)?;
                let list = body["spec"].as_object_mut()?.entry("connections").or_insert_with(|| json!([]));
                list.as_array_mut()?.push(variable.clone());
                continue;
            }
            (FieldKind::Definition, Some(name)) => json!({"configMap": {"name": name}}),
            _ => path.iter().try_fold(&whole, |value, part| value.get(part))?.clone(),
        };
        put(&mut body, &path, value)?;
    }
    if let Some(record) = record {
        put(&mut body, &["metadata".into(), "annotations".into(), WROTE.into()], json!(annotation::encode(record)))?;
    }
    Some(body)
}

fn put(body: &mut Value, path: &[String], value: Value) -> Option<()> {
    let (last, parents) = path.split_last()?;
    let mut at = body;
    for part in parents {
        at = at.as_object_mut()?.entry(part.clone()).or_insert_with(|| Value::Object(Map::new()));
    }
    at.as_object_mut()?.insert(last.clone(), value);
    Some(())
}

/// Serializes JSON for an API server. Apply bodies are parsed as YAML, in which some characters that JSON allows must
/// be escaped or are changed silently.
pub fn to_bytes(body: &Value) -> Vec<u8> {
    let json = body.to_string();
    if json.is_ascii() && !json.contains('\u{7f}') {
        return json.into_bytes();
    }
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => out.push(character),
        }
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::model::canonical::FieldHash;
    use crate::engine::model::inventory::Holders;
    use crate::engine::model::record::{Writer, Wrote};
    use std::sync::Arc;

    fn connection() -> Item {
        let spec = serde_json::from_value(json!({
            "stableKey": "crm", "component": {"key": "salesforce"}, "type": "oauth2", "credentials": "OrganizationGlobal",
            "title": "CRM", "inputs": {"url": {"value": "https://x"}, "theirs": {"value": "y"}},
        }));
        Item::Connection(Arc::new(Object::new("crm", spec.unwrap())))
    }

    fn input(name: &str) -> Field<'static> {
        Field::named(FieldKind::Input, name).into_owned()
    }

    fn wrote(item: &Item, field: &Field<'_>) -> Wrote {
        Wrote { hash: item.written(field).unwrap().hash(), writers: Arc::new([Writer::Source].into()) }
    }

    fn owned(fields: &[Field<'static>]) -> Arc<Holders> {
        Arc::new(fields.iter().map(|field| (field.clone(), crate::kubernetes::MANAGER.into())).collect())
    }

    #[test]
    fn a_create_sends_everything_and_fails_if_the_object_exists() {
        let body = of_create(&connection(), Some(&Record { made: true, ..Record::of("eu") }), None).unwrap();
        let metadata = json!({
            "name": "crm", "resourceVersion": "1",
            "annotations": {WROTE: "{\"fields\":{},\"made\":true,\"tenant\":\"eu\"}"},
        });
        let spec = json!({
            "stableKey": "crm", "component": {"key": "salesforce"}, "type": "oauth2", "credentials": "OrganizationGlobal",
            "title": "CRM", "inputs": {"url": {"value": "https://x"}, "theirs": {"value": "y"}},
        });
        assert_eq!(body, json!({"apiVersion": API_VERSION, "kind": "Connection", "metadata": metadata, "spec": spec}));
    }

    #[test]
    fn an_update_sends_owned_fields_without_drifted_or_removed_ones() {
        let item = connection();
        let mut record = Record::of("eu");
        record.fields.insert(input("url"), wrote(&item, &input("url")));
        let drifted = Wrote { hash: FieldHash::of("\"other\""), writers: Arc::new([Writer::Source].into()) };
        record.fields.insert(Field::of(FieldKind::Title), drifted);
        let version = Version {
            uid: "u".into(),
            resource_version: "7".into(),
            owned: owned(&[Field::of(FieldKind::Type), input("gone"), input("theirs"), input("nowhere")]),
        };
        let gone =
            FieldChange { field: input("gone"), op: Op::Remove, from: None, to: None, parts: Vec::new(), by: None };
        let body = of_update(&item, &[gone], Some(&record), &version, None).unwrap();
        assert_eq!(
            body["spec"],
            json!({
                "inputs": {"url": {"value": "https://x"}, "theirs": {"value": "y"}}, "type": "oauth2",
            })
        );
        assert_eq!(body["metadata"]["uid"], "u");
        assert_eq!(body["metadata"]["resourceVersion"], "7");
    }

    #[test]
    fn characters_that_yaml_would_change_are_escaped() {
        let text = "a\u{7f}\u{85}\u{9f}\u{feff}\u{ffff}\u{1f600}ü\u{2028}";
        let bytes = to_bytes(&json!({"a": text}));
        let sent = String::from_utf8(bytes).unwrap();
        assert_eq!(sent, "{\"a\":\"a\\u007f\\u0085\\u009f\\ufeff\\uffff\u{1f600}ü\\u2028\"}");
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap()["a"], text);
    }
}
