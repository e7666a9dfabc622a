//! Values of fields, as a person would say them.

use serde_json::{Map, Value};

/// The longest value that is shown whole on a terminal.
pub(super) const MOST: usize = 64;

/// The value in words: `api refresh`, `Secret salesforce-app/clientSecret`, `per customer`.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::String(text) if text.is_empty() => "\"\"".to_string(),
        Value::String(text) => text.clone(),
        Value::Array(items) => match items.as_slice() {
            [] => "none".to_string(),
            items => items.iter().map(item).collect::<Vec<_>>().join(", "),
        },
        Value::Object(map) => object(map).unwrap_or_else(|| value.to_string()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// What changes inside a value, where it is a text: a global value rather than its wrapping.
pub(super) fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Object(map) if map.len() == 1 => map.get("value").and_then(Value::as_str),
        _ => None,
    }
}

fn object(map: &Map<String, Value>) -> Option<String> {
    let named = |name: &str| map.get(name).and_then(Value::as_str);
    if let Some(value) = map.get("value") {
        return Some(words(value));
    }
    if map.contains_key("hidden") {
        return Some("hidden".to_string());
    }
    if map.get("perCustomer").is_some() {
        return Some("per customer".to_string());
    }
    if let Some(Value::Object(reference)) = map.get("secretRef") {
        let part = |name: &str| reference.get(name).and_then(Value::as_str);
        return Some(format!("Secret {}/{}", part("name")?, part("key")?));
    }
    if let Some(Value::Object(own)) = map.get("own") {
        let component = own.get("component")?.as_object().and_then(component)?;
        return Some(format!("its own {component}/{}", own.get("type")?.as_str()?));
    }
    if let Some(digest) = named("sha256") {
        return Some(format!("sha256:{}", digest.get(..12).unwrap_or(digest)));
    }
    if let Some(file) = named("file") {
        return Some(format!("file {file}, not read"));
    }
    if let Some(Value::Object(reference)) = map.get("configMap") {
        return Some(format!("ConfigMap {}, not read", reference.get("name")?.as_str()?));
    }
    named("stableKey").map(str::to_string).or_else(|| component(map))
}

fn component(map: &Map<String, Value>) -> Option<String> {
    let key = map.get("key")?.as_str()?;
    let private = map.get("public") == Some(&Value::Bool(false));
    Some(if private { format!("{key} (private)") } else { key.to_string() })
}

/// Of a list of connection types, the keys; of other lists, the items.
fn item(value: &Value) -> String {
    value.get("key").and_then(Value::as_str).map_or_else(|| words(value), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_said_in_words() {
        for (value, said) in [
            (json!({"value": "api"}), "api"),
            (json!({"value": ""}), "\"\""),
            (json!({"secretRef": {"name": "app", "key": "secret"}}), "Secret app/secret"),
            (json!({"perCustomer": true}), "per customer"),
            (json!({"key": "acme", "public": false}), "acme (private)"),
            (json!({"own": {"component": {"key": "http"}, "type": "basic"}}), "its own http/basic"),
            (json!({"sha256": "0123456789abcdef"}), "sha256:0123456789ab"),
            (json!({"stableKey": "crm"}), "crm"),
            (json!([{"key": "oauth2", "inputs": {}}, {"key": "basic"}]), "oauth2, basic"),
            (json!(["a", "b"]), "a, b"),
            (json!([]), "none"),
            (json!(true), "true"),
            (json!({"unheard": 1}), "{\"unheard\":1}"),
        ] {
            assert_eq!(words(&value), said);
        }
    }
}
