//! Values of fields as text for people.

use serde_json::{Map, Value};

/// The maximum length of a value that is shown completely on a terminal.
pub const MOST: usize = 64;

/// The value as text: `api refresh`, `Secret salesforce-app/clientSecret`, `per customer`.
pub fn words(value: &Value) -> String {
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

/// The value as text, next to another value for comparison: of connection types that both have, only the parts that
/// differ.
pub fn words_beside(value: &Value, other: Option<&Value>) -> String {
    match (value, other) {
        (Value::Array(types), Some(Value::Array(others))) if types.iter().any(|t| key_of(t).is_some()) => {
            let words = types.iter().map(|one| {
                let counterpart = others.iter().find(|other| key_of(other) == key_of(one));
                counterpart.filter(|other| *other != one).map_or_else(|| item(one), |other| type_beside(one, other))
            });
            words.collect::<Vec<_>>().join(", ")
        }
        _ => words(value),
    }
}

fn key_of(item: &Value) -> Option<&str> {
    item.get("key").and_then(Value::as_str)
}

/// A connection type with those of its inputs that another type with the same key lacks or has differently: `oauth2
/// (scopes: required; note: optional)`.
fn type_beside(one: &Value, other: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    let grant = |t: &Value| t.get("oauth2").and_then(Value::as_str).map(str::to_string);
    if grant(one) != grant(other) {
        parts.push(grant(one).unwrap_or_else(|| "not OAuth 2.0".to_string()));
    }
    let inputs = one.get("inputs").and_then(Value::as_object).into_iter().flatten();
    let differing = inputs.filter(|(name, input)| other.get("inputs").and_then(|i| i.get(name)) != Some(*input));
    parts.extend(differing.map(|(name, input)| {
        let marks: Vec<&str> = ["required", "secret", "endpoint"]
            .into_iter()
            .filter(|mark| input.get(mark) == Some(&Value::Bool(true)))
            .collect();
        format!("{name}: {}", if marks.is_empty() { "optional".to_string() } else { marks.join(" ") })
    }));
    let key = item(one);
    if parts.is_empty() { format!("{key} (without those)") } else { format!("{key} ({})", parts.join("; ")) }
}

/// The text within a value if it is a string or a global value, without the wrapping.
pub fn text(value: &Value) -> Option<&str> {
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
        let (name, key) = (part("name")?, part("key")?);
        if name.is_empty() {
            return Some("a secret that is there, of unknown origin".to_string());
        }
        let version = part("version").map(|version| format!(", version {version}")).unwrap_or_default();
        return Some(format!("Secret {name}/{key}{version}"));
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

/// The key of a connection type, or the item of another list.
fn item(value: &Value) -> String {
    key_of(value).map_or_else(|| words(value), str::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn two_lists_of_types_show_where_they_differ() {
        let types = |inputs: Value| json!([{"key": "basic"}, {"key": "oauth2", "inputs": inputs}]);
        let (from, to) = (
            types(json!({"host": {"endpoint": true}, "old": {}})),
            types(json!({"host": {"endpoint": true}, "scopes": {"required": true, "secret": true}})),
        );
        assert_eq!(words_beside(&from, Some(&to)), "basic, oauth2 (old: optional)");
        assert_eq!(words_beside(&to, Some(&from)), "basic, oauth2 (scopes: required secret)");
        assert_eq!(words_beside(&types(json!({})), Some(&from)), "basic, oauth2 (without those)");
        let grant = json!([{"key": "oauth2", "oauth2": "ClientCredentials", "inputs": {"host": {"endpoint": true}}}]);
        assert_eq!(words_beside(&grant, Some(&from)), "oauth2 (ClientCredentials)");
        assert_eq!(words_beside(&from, None), "basic, oauth2");
    }

    #[test]
    fn values_are_shown_as_text() {
        for (value, expected) in [
            (json!({"value": "api"}), "api"),
            (json!({"value": ""}), "\"\""),
            (json!({"secretRef": {"name": "app", "key": "secret"}}), "Secret app/secret"),
            (json!({"secretRef": {"name": "app", "key": "secret", "version": "2"}}), "Secret app/secret, version 2"),
            (json!({"secretRef": {"name": "", "key": "crm.inputs.x"}}), "a secret that is there, of unknown origin"),
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
            assert_eq!(words(&value), expected);
        }
    }
}
