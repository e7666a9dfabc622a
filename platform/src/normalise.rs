//! Definitions as the server returns them: parsed, completed and written again, with another order of keys.

use serde_json::Value;

/// Returns a definition of an integration as the server returns it. `latest`: versions of components are `LATEST`.
pub fn integration(value: &Value, latest: bool) -> Option<String> {
    let mut value = value.clone();
    if let Some(map) = value.as_object_mut() {
        map.entry("documentation").or_insert_with(|| "".into());
        map.entry("endpointType").or_insert_with(|| "flow_specific".into());
    }
    written(value, latest)
}

/// Returns a definition of a workflow as the server returns it.
pub fn workflow(value: &Value, latest: bool) -> Option<String> {
    written(value.clone(), latest)
}

fn written(mut value: Value, latest: bool) -> Option<String> {
    if latest {
        with_latest(&mut value);
    }
    serde_saphyr::to_string(&value).ok()
}

fn with_latest(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if map.contains_key("isPublic") && map.contains_key("version") {
                map.insert("version".into(), "LATEST".into());
            }
            map.values_mut().for_each(with_latest);
        }
        Value::Array(items) => items.iter_mut().for_each(with_latest),
        _ => {}
    }
}
