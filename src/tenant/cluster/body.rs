//! What is sent: exactly what we may write. Server-side apply takes away what we held and send no more,
//! so a body has everything that stays ours too.

use crate::api::*;
use crate::engine::model::field::{Field, FieldKind};
use crate::engine::model::item::Item;
use crate::engine::model::plan::{FieldChange, Op};
use crate::engine::model::record::Record;
use crate::kubernetes::annotation;
use crate::kubernetes::object::Version;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// A revision that no object can have: what carries it is made where nothing is there, and refused
/// where anything is.
const NONE_YET: &str = "1";

/// The body that makes an object.
pub fn of_create(after: &Item, record: Option<&Record>, definition: Option<&str>) -> Option<Value> {
    let fields: BTreeSet<Field<'_>> = after.fields(true).into_iter().map(|(field, _)| field).collect();
    let mut body = document(after, &fields, record, definition)?;
    body["metadata"]["resourceVersion"] = json!(NONE_YET);
    Some(body)
}

/// The body that changes an object: what it sets, what we wrote before and is still so, and all that we hold
/// as it is: also what leaves the record, so that only what the plan names changes.
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
    // What drifted and another holds is another's by now: sending it would only fight over it.
    let as_recorded = |field: &Field<'_>, hash| after.written(field).is_some_and(|value| value.hash() == hash);
    let mut fields: BTreeSet<Field<'_>> =
        recorded.filter(|(field, wrote)| as_recorded(field, wrote.hash)).map(|(field, _)| field.clone()).collect();
    fields.extend(version.held.keys().filter(|field| after.written(field).is_some()).cloned());
    fields.extend(changes.iter().filter(|c| c.op == Op::Set).map(|c| c.field.clone()));
    fields.retain(|field| !goes(field));
    let mut body = document(after, &fields, record, definition)?;
    body["metadata"]["uid"] = json!(version.uid);
    body["metadata"]["resourceVersion"] = json!(version.resource_version);
    Some(body)
}

/// The merge patch that takes away the maps and lists of which the last goes; `None` where none does. Where others
/// hold such a map as a map, server-side apply would leave null in its place, which no schema takes.
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

/// A document with these fields of an object, and the record.
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

/// JSON as an API server reads it: it takes apply bodies for YAML, where some characters must be escaped
/// that JSON lets stand, or are silently changed.
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

    fn held(fields: &[Field<'static>]) -> Arc<Holders> {
        Arc::new(fields.iter().map(|field| (field.clone(), crate::kubernetes::MANAGER.into())).collect())
    }

    #[test]
    fn a_create_sends_all_of_it_and_is_refused_where_anything_is() {
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
    fn an_update_sends_what_is_ours_and_leaves_out_what_drifted_or_goes() {
        let item = connection();
        let mut record = Record::of("eu");
        record.fields.insert(input("url"), wrote(&item, &input("url")));
        let drifted = Wrote { hash: FieldHash::of("\"other\""), writers: Arc::new([Writer::Source].into()) };
        record.fields.insert(Field::of(FieldKind::Title), drifted);
        let version = Version {
            uid: "u".into(),
            resource_version: "7".into(),
            held: held(&[Field::of(FieldKind::Type), input("gone"), input("theirs"), input("nowhere")]),
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
    fn what_yaml_would_change_or_refuse_is_escaped() {
        let text = "a\u{7f}\u{85}\u{9f}\u{feff}\u{ffff}\u{1f600}ü\u{2028}";
        let bytes = to_bytes(&json!({"a": text}));
        let sent = String::from_utf8(bytes).unwrap();
        assert_eq!(sent, "{\"a\":\"a\\u007f\\u0085\\u009f\\ufeff\\uffff\u{1f600}ü\\u2028\"}");
        assert_eq!(serde_json::from_str::<Value>(&sent).unwrap()["a"], text);
    }
}
